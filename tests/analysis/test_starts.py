"""Calls that found no instance of a function free waited for a start, even where another call's instance took them."""

from __future__ import annotations

from typing import Any

from seamscope.schema import words

Traces = Any
COLD_START = words.code(words.CAUSES, "cold_start")


def call(traces: Traces, number: int, came: float, begin: float, end: float, **server: Any) -> None:
    traces.span(f"GET / {number}", "server", "web", came, end + 3, trace=number)
    traces.span("fetch", "client", "web", came + 1, end + 2, f"GET / {number}", extent="headers", trace=number)
    traces.span("fn", "server", server.pop("instance"), begin, end, "fetch", trace=number, extent="handler", **server)


def three_each(traces: Traces, tier: str = "origin", instances: int = 12, warm: int = 0, second: float = 410) -> Traces:
    """Each instance is started for a call in 300 ms, then serves one that came meanwhile, and one much later."""
    traces.service("web", "render")
    for at in range(instances):
        instance, since = f"fn-{at}", 1_000.0 * at
        traces.service(instance, tier, called="fn", instance=instance)
        call(traces, 3 * at + 1, since, since + 300, since + 400, instance=instance, cold_start=1)
        call(traces, 3 * at + 2, since + 50, since + second, since + 450, instance=instance, cold_start=warm)
        call(traces, 3 * at + 3, since + 600, since + 605, since + 650, instance=instance, cold_start=warm)
    return traces


def cold(told: Any) -> list[tuple[float, str]]:
    """Cold starts on the way to the last byte: milliseconds, and how they are known."""
    complete = words.code(words.HORIZONS, "complete")
    return sorted(
        ((row["end_ns"] - row["start_ns"]) / 1e6, words.EVIDENCE[row["evidence"]])
        for row in told.results["segments"].to_dicts()
        if row["cause"] == words.code(words.CAUSES, "cold_start") and row["horizon"] in {complete, 255}
    )


def test_who_waits_for_somebody_elses_instance_waits_for_a_start(traces: Traces) -> None:
    """From 51 on, when it called, until 400, when the instance was free; the 10 ms after that nobody speaks for."""
    told = three_each(traces).told()
    assert cold(told) == [(299, "header")] * 12 + [(349, "inferred")] * 12
    assert len([row for row in told.results["requests"].to_dicts() if row["dominant_cause"] == COLD_START]) == 24


def test_an_instance_at_the_edge_serves_many_at_once(many: Any) -> None:
    assert [known for _, known in cold(three_each(many(), tier="edge").told())] == ["header"] * 12


def test_who_does_not_say_whether_it_was_started_is_not_judged(many: Any) -> None:
    assert [known for _, known in cold(three_each(many(), warm=words.UNKNOWN).told())] == ["header"] * 12


def test_instances_that_serve_two_at_once_make_nobody_wait(many: Any) -> None:
    assert [known for _, known in cold(three_each(many(), second=360).told())] == ["header"] * 12


def test_what_holds_every_call_is_no_start(many: Any) -> None:
    """Each takes 125 ms to reach its instance, free or not: some came before it was free, and began long after."""
    traces = many()
    traces.service("web", "render")
    for at in range(12):
        instance, since = f"fn-{at}", 1_000.0 * at
        traces.service(instance, "origin", called="fn", instance=instance)
        for place, came in enumerate((0, 90 + at, 400)):
            begin = since + came + 125
            call(traces, 3 * at + place + 1, since + came, begin, begin + 20, instance=instance, cold_start=0)
    assert cold(traces.told()) == []


def test_few_calls_are_no_pattern(many: Any) -> None:
    assert [known for _, known in cold(three_each(many(), instances=2).told())] == ["header"] * 2
