"""Times that are no times of their trace: 1970, 2262, other decades; and clocks that are merely apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seamscope.schema import words

Traces = Any
EPOCH = 1_700_000_000_000_000_000
LAST = 2**63 - 2
ODD = "time_out_of_range"
HOUR_MS = 3_600_000.0
DAY_MS = 24 * HOUR_MS


def page(traces: Traces, trace: int = 1, skew_ms: float = 0.0) -> None:
    """A page of 100 ms that calls a service whose clock is ahead."""
    traces.span("GET /", "server", "web", 0, 100, trace=trace)
    traces.span("call", "client", "web", 10, 90, "GET /", trace=trace, peer="api")
    traces.span("GET /v1", "server", "api", 20 + skew_ms, 80 + skew_ms, "call", trace=trace)
    traces.span("inner", "internal", "api", 30 + skew_ms, 40 + skew_ms, "GET /v1", trace=trace)


def odd(traces: Traces, name: str, **times: int) -> Any:
    """Give a page one span with other times, and analyse it."""
    page(traces)
    next(row for row in traces.rows if row["name"] == name).update(times)
    return traces.told()


@pytest.mark.parametrize("start_ns", [0, 1, EPOCH // 1_000, EPOCH // 1_000_000, -5, -(2**63)])
def test_a_call_that_started_in_1970_takes_its_start_from_what_it_called(traces: Traces, start_ns: int) -> None:
    """Never set, micro- or milliseconds for nanoseconds, negative."""
    told = odd(traces, "call", start_ns=start_ns)
    assert told.warnings() == {(ODD, "call")}
    assert told.request()["complete"] == 100
    assert told.brief() == [
        ("origin:web", "compute", 20),
        ("origin:api", "compute", 60),
        ("origin:web→origin:api", "unexplained", 10),
        ("origin:web", "compute", 10),
    ]


@pytest.mark.parametrize("end_ns", [LAST, EPOCH * 2, 4_000_000_000_000_000_000])
def test_a_call_that_ends_in_2262_takes_its_end_from_what_it_called(traces: Traces, end_ns: int) -> None:
    told = odd(traces, "call", end_ns=end_ns)
    assert told.warnings() == {(ODD, "call")}
    assert [piece[2] for piece in told.brief()] == [10, 10, 60, 20]


@pytest.mark.parametrize("times", [{"start_ns": 0}, {"end_ns": LAST}, {"start_ns": LAST}])
def test_nobody_knows_how_long_a_request_took_whose_own_times_are_odd(traces: Traces, times: dict[str, int]) -> None:
    told = odd(traces, "GET /", **times)
    request = told.request("GET /")
    assert (request["complete"], request["shell"], request["dominant"]) == (None, None, None)
    assert abs(request["start_ns"] - EPOCH) <= 100_000_000
    assert (ODD, "GET /") in told.warnings()
    assert told.results["segments"].height == 0
    assert [hop["client_span"] for hop in told.hops()] == ["call"]


def test_a_lone_request_from_1970_until_now(traces: Traces) -> None:
    traces.span("GET /", "server", "web", 0, 100)
    traces.rows[0]["start_ns"] = 0
    told = traces.told()
    assert (told.request()["complete"], told.request()["start_ns"]) == (None, EPOCH + 100_000_000)
    assert told.warnings() == {(ODD, "GET /")}


@pytest.mark.parametrize("base", [0, 5_000_000_000, LAST - 100_000_000])
def test_a_process_in_another_decade_keeps_its_lengths(traces: Traces, base: int) -> None:
    page(traces)
    for row in traces.rows[2:]:
        row["start_ns"], row["end_ns"] = (time - EPOCH - 20_000_000 + base for time in (row["start_ns"], row["end_ns"]))
    told = traces.told()
    assert told.warnings() == {(ODD, "GET /v1"), (ODD, "inner")}
    assert told.request()["complete"] == 100
    assert [piece[:2] for piece in told.brief()].count(("origin:api", "compute")) == 1
    assert sum(ms for owner, _, ms in told.brief() if owner == "origin:api") == 60
    assert told.hops()[0]["gap"] == 20


def test_a_caller_in_another_decade_begins_with_what_it_called(traces: Traces) -> None:
    page(traces)
    for row in traces.rows[:2]:
        row["start_ns"], row["end_ns"] = (time - EPOCH for time in (row["start_ns"], row["end_ns"]))
    told = traces.told()
    assert told.request()["complete"] == 100
    assert told.warnings() >= {(ODD, "GET /"), (ODD, "call")}


@pytest.mark.parametrize("skew_ms", [-26 * HOUR_MS, -HOUR_MS, HOUR_MS, 3 * HOUR_MS, 40 * DAY_MS])
def test_another_hosts_clock_is_no_odd_time(traces: Traces, skew_ms: float) -> None:
    for trace in range(1, 6):
        page(traces, trace, skew_ms)
    told = traces.told()
    assert ODD not in {code for code, _ in told.warnings()}
    assert [request["complete"] for request in told.requests()] == [100] * 5


def test_an_end_before_its_start_is_another_fault(traces: Traces) -> None:
    told = odd(traces, "inner", end_ns=0)
    assert told.warnings() == {("end_before_start", "inner")}
    assert told.request()["complete"] == 100


@pytest.mark.parametrize("base", [0, 10_000_000_000, 5 * 10**18])
def test_a_trace_that_agrees_with_itself_is_left_as_it_is(traces: Traces, base: int) -> None:
    page(traces)
    for row in traces.rows:
        row["start_ns"], row["end_ns"] = (time - EPOCH + base for time in (row["start_ns"], row["end_ns"]))
    told = traces.told()
    assert told.warnings() == set()
    assert (told.request()["complete"], told.request()["start_ns"]) == (100, base)


def test_the_order_of_spans_changes_nothing(traces: Traces) -> None:
    page(traces)
    page(traces, 2)
    traces.rows[0]["start_ns"] = 0
    traces.rows[2].update(start_ns=LAST - 9, end_ns=LAST)
    traces.rows[5]["end_ns"] = LAST
    before = sorted(traces.told().results["warnings"].rows())
    traces.rows = [traces.rows[at] for at in np.random.default_rng(7).permutation(len(traces.rows))]
    assert sorted(traces.told().results["warnings"].rows()) == before
    assert {row[4] for row in before} == {words.code(words.WARNINGS, ODD)}
