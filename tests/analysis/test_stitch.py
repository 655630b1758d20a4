"""Pieces of one request that lost their trace context come together by exact ids, and only by those unless asked."""

from __future__ import annotations

from typing import Any

import pytest

from analysis import Walk, analyse, stitch
from seamscope.schema import words

Traces = Any


@pytest.fixture(autouse=True, params=[stitch.MOST_PAIRS, 1], ids=["at once", "in portions"])
def _portions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is joined may be too much for one join."""
    monkeypatch.setattr(stitch, "MOST_PAIRS", request.param)


NOW = {"method": "GET"}


def lost_context(traces: Traces, shared: str | None = "id-1") -> Traces:
    """A page whose two calls reach services that begin traces of their own."""
    traces.service("web", "render")
    traces.service("api")
    traces.span("GET /dash", "server", "web", 0, 100, trace=1, correlation_id=shared, **NOW)
    traces.span("GET /v1/me", "client", "web", 10, 40, "GET /dash", trace=1, extent="body", **NOW)
    traces.span("GET /v1/org", "client", "web", 50, 90, "GET /dash", trace=1, extent="body", **NOW)
    traces.span("GET /v1/me", "server", "api", 15, 35, trace=2, correlation_id=shared, **NOW)
    traces.span("GET /v1/org", "server", "api", 55, 85, trace=3, correlation_id=shared, **NOW)
    return traces


def joins(told: Any) -> list[tuple[int, str]]:
    table = told.results["request_traces"].sort("trace_lo")
    return [(row["trace_lo"], words.JOINED_BY[row["joined_by"]]) for row in table.to_dicts()]


def test_a_shared_request_id_makes_one_request_of_its_pieces(traces: Traces) -> None:
    told = lost_context(traces).told()
    assert told.request()["complete"] == 100
    assert joins(told) == [(1, "trace_context"), (2, "request_id"), (3, "request_id")]
    assert [owner for owner, cause, _ in told.brief() if cause == "compute"].count("origin:api") == 2
    assert {words.JOINED_BY[row["joined_by"]] for row in told.hops()} == {"request_id"}


def test_without_a_shared_id_nothing_is_joined_unless_asked(traces: Traces) -> None:
    spans, resources, links = lost_context(traces, None).frames()
    assert analyse(spans, resources, links)["requests"].height == 3
    asked = analyse(spans, resources, links, walk=Walk(candidates=True))
    assert asked["requests"].height == 1
    assert sorted(asked["request_traces"]["joined_by"]) == [0, 3, 3]


def test_of_several_possible_callers_none_is_taken_and_that_is_said(traces: Traces) -> None:
    traces.service("web", "render")
    traces.span("GET /dash", "server", "web", 0, 100, trace=1, correlation_id="id", **NOW)
    for at, name in ((10, "GET a"), (11, "GET b")):
        traces.span(name, "client", "web", at, 90, "GET /dash", trace=1, **NOW)
    traces.span("GET /v1/x", "server", "api", 15, 85, trace=2, correlation_id="id", **NOW)
    told = traces.told()
    assert len(told.requests()) == 2
    assert ("ambiguous_join", "GET /v1/x") in told.warnings()


@pytest.mark.parametrize("off", [0, 3_000, -3_000])
def test_of_calls_made_together_each_piece_goes_under_the_one_that_asked_for_its_address(
    traces: Traces, off: float
) -> None:
    """Three panels at once, with one route on the server and one request id, under any clock."""
    traces.service("web", "render")
    traces.service("api")
    traces.span("GET /dash", "server", "web", 0, 100, trace=1, correlation_id="id", **NOW)
    for panel in range(3):
        path = f"/v1/panels/{panel}"
        traces.span(f"GET {path}/", "client", "web", 10 + panel, 90, "GET /dash", trace=1, url_path=f"{path}/", **NOW)
        traces.span(f"answer {panel}", "server", "api", 20 + panel + off, 85 + off, trace=2 + panel,
                    operation="GET v1/panels/<name>/", url_path=path, correlation_id="id", **NOW)  # fmt: skip
    told = traces.told()
    assert len(told.requests()) == 1
    hops = told.results["hops"].sort("start_ns")
    assert hops["server_ns"].to_list() == [65_000_000, 64_000_000, 63_000_000]


def test_a_call_that_was_answered_takes_no_other_piece(traces: Traces) -> None:
    lost_context(traces)
    traces.span("answer", "server", "api", 12, 38, "GET /v1/me", trace=1, **NOW)
    told = traces.told()
    assert [entry["entry"] for entry in told.requests()] == ["GET /dash", "GET /v1/me"]


def next14(traces: Traces, page_at: float = 6, **ids: Any) -> Traces:
    traces.service("web", "render")
    traces.span("middleware GET /dash", "internal", "web", 0, 5, role="middleware", trace=1, tier_hint="edge", **NOW)
    traces.span("GET /dash", "server", "web", page_at, 80, role="request", trace=2, **NOW, **ids)
    traces.span("render", "internal", "web", page_at, 70, "GET /dash", role="render", trace=2)
    return traces


def test_next_14_makes_one_request_in_two_traces(traces: Traces) -> None:
    told = next14(traces).told()
    request = told.request()
    assert request["complete"] == 80
    assert request["entry"] == "middleware GET /dash"
    assert told.warnings() == set()
    assert joins(told) == [(1, "trace_context"), (2, "candidate")]


def test_a_page_long_after_a_middleware_is_another_request(traces: Traces) -> None:
    assert len(next14(traces, page_at=60).told().requests()) == 2


def test_two_pages_after_one_middleware_are_left_alone(traces: Traces) -> None:
    next14(traces)
    traces.span("GET /dash", "server", "web", 7, 90, role="request", trace=3, **NOW)
    assert len(traces.told().requests()) == 3


def woken_elsewhere(traces: Traces, second_id: str = "id-2") -> Traces:
    """Two pages of one process; the second's call waits in undici's pool and begins in the first one's context."""
    traces.service("web", "render")
    traces.service("api")
    for trace, at, shared in ((1, 0, "id-1"), (2, 5, second_id)):
        traces.span("GET /dash", "server", "web", at, at + 100, trace=trace, correlation_id=shared, **NOW)
    traces.span("fetch", "client", "web", 1, 50, "GET /dash", trace=1, role="fetch", peer="api", **NOW)
    traces.span("GET", "client", "web", 1, 49, "fetch", trace=1, peer="api", **NOW)
    traces.span("GET /x", "server", "api", 2, 48, "GET", trace=1, correlation_id="id-1", **NOW)
    traces.span("fetch", "client", "web", 6, 90, "GET /dash", trace=2, role="fetch", peer="api", **NOW)
    traces.span("GET (late)", "client", "web", 51, 89, "fetch", trace=1, peer="api", **NOW)
    traces.span("GET /y", "server", "api", 52, 88, "GET (late)", trace=1, correlation_id="id-2", **NOW)
    return traces


def test_a_call_that_ran_in_an_ended_ones_context_goes_where_its_servers_id_says(traces: Traces) -> None:
    told = woken_elsewhere(traces).told()
    waited = [hop for hop in told.hops() if hop["callee_instance"] and hop["duration"] == 84]
    assert [(hop["gap"], hop["seam"]) for hop in waited] == [(48, "render:web→origin:api")]
    assert [request["complete"] for request in told.requests()] == [100, 100]
    assert joins(told) == [(1, "trace_context"), (1, "request_id"), (2, "trace_context")]


def test_without_an_open_call_of_that_id_it_stays_where_it_is(traces: Traces) -> None:
    told = woken_elsewhere(traces, second_id="id-3").told()
    assert [hop["gap"] for hop in told.hops() if hop["duration"] == 84] == [None]


def test_of_two_open_calls_neither_takes_it_and_that_is_said(traces: Traces) -> None:
    woken_elsewhere(traces)
    traces.span("fetch too", "client", "web", 7, 91, "GET /dash", trace=2, role="fetch", peer="api", **NOW)
    told = traces.told()
    assert ("ambiguous_join", "GET (late)") in told.warnings()


@pytest.mark.parametrize("shift", [3_000, -3_000])
def test_a_shared_id_joins_pieces_of_hosts_whose_clocks_are_far_apart(traces: Traces, shift: float) -> None:
    traces.service("web", "render")
    traces.service("api")
    for at in range(6):
        begin, shared = 200.0 * at, f"id-{at}"
        traces.span("GET /dash", "server", "web", begin, begin + 100, trace=2 * at + 1, correlation_id=shared, **NOW)
        for name, first, last in (("GET /v1/me", 10, 40), ("GET /v1/org", 50, 90)):
            traces.span(name, "client", "web", begin + first, begin + last, "GET /dash", trace=2 * at + 1, **NOW)
        there = begin + shift
        traces.span("GET /v1/org", "server", "api", there + 55, there + 85, trace=2 * at + 2, correlation_id=shared,
                    **NOW)  # fmt: skip
    told = traces.told()
    assert [request["complete"] for request in told.requests()] == [100] * 6
    assert {hop["client_span"] for hop in told.hops() if hop["joined_by"]} == {"GET /v1/org"}


def test_a_piece_that_was_longer_at_it_than_any_open_call_stays_alone(traces: Traces) -> None:
    traces.span("GET /dash", "server", "web", 0, 100, trace=1, correlation_id="id", **NOW)
    traces.span("GET /v1/me", "client", "web", 10, 40, "GET /dash", trace=1, **NOW)
    traces.span("GET /v1/me", "server", "api", 3_000, 3_200, trace=2, correlation_id="id", **NOW)
    assert len(traces.told().requests()) == 2


def next15(traces: Traces, at: float = 0, trace: int = 1, path: str = "GET /dash") -> Traces:
    """The pass, the middleware inside it, and the page after it: three roots of one process, starts in whole ms."""
    clock = {"grain_ns": 1_000_000}
    traces.span(f"{path} (pass {trace})", "server", "web", at, at + 7, role="request", extent="handler", trace=trace,
                operation=path, **NOW, **clock)  # fmt: skip
    traces.span(f"middleware {path} {trace}", "internal", "web", at + 2, at + 7.5, role="middleware", trace=trace + 1,
                tier_hint="edge", operation=f"middleware {path}", **NOW, **clock)  # fmt: skip
    traces.span(f"{path} {trace}", "server", "web", at + 8, at + 80, role="request", extent="body", trace=trace + 2,
                operation=path, **NOW, **clock)  # fmt: skip
    traces.span(f"render {trace}", "internal", "web", at + 9, at + 70, f"{path} {trace}", role="render",
                trace=trace + 2)  # fmt: skip
    return traces


def test_the_pass_that_ran_the_middleware_is_the_top_of_its_page(traces: Traces) -> None:
    traces.service("web", "render")
    told = next15(traces).told()
    request = told.request()
    assert (request["entry"], request["complete"]) == ("GET /dash (pass 1)", 80)
    assert joins(told) == [(1, "trace_context"), (2, "candidate"), (3, "candidate")]
    assert {cause for _, cause, _ in told.brief()} == {"compute", "middleware", "render", "unexplained"}


def test_a_pass_with_another_path_is_not_the_middlewares(traces: Traces) -> None:
    traces.service("web", "render")
    next15(traces)
    next15(traces, at=1, trace=11, path="GET /feed")
    assert len(traces.told().requests()) == 2


def test_of_two_passes_around_one_middleware_none_is_taken_and_neither_is_a_page(traces: Traces) -> None:
    traces.service("web", "render")
    next15(traces)
    next15(traces, at=0.5, trace=11)
    kinds = sorted(words.REQUEST_KINDS[kind] for kind in traces.told().results["requests"]["kind"])
    assert kinds.count("other") == 2
