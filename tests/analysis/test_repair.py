"""Broken data: repeats, shared ids, cycles, orphans, clocks."""

from __future__ import annotations

from typing import Any

import pytest

Traces = Any
LOCAL, REMOTE = 0x100, 0x300


def test_a_span_sent_twice_counts_once(traces: Traces) -> None:
    traces.span("GET /", "server", "api", 0, 100, span_id=5)
    traces.span("again", "server", "api", 0, 100, span_id=5, operation="GET /")
    told = traces.told()
    assert told.request()["spans"] == 1
    assert told.warnings() == set()


def test_of_copies_that_differ_the_fullest_stays(traces: Traces) -> None:
    traces.span("GET /", "server", "api", 0, 100, span_id=5, route=None)
    traces.span("GET /", "server", "api", 0, 120, span_id=5, route="/full", method="GET")
    told = traces.told()
    assert (told.request()["complete"], told.request()["route"]) == (120, "GET /full")
    assert {code for code, _ in told.warnings()} == {"duplicate_conflict"}


def test_an_id_shared_by_client_and_server(traces: Traces) -> None:
    traces.span("GET /", "server", "web", 0, 100, span_id=1)
    traces.span("call", "client", "web", 10, 90, 1, span_id=2, peer="api")
    traces.span("GET /v1", "server", "api", 20, 80, 1, span_id=2)
    traces.span("inner", "internal", "api", 30, 40, 2, span_id=3)
    told = traces.told()
    assert len(told.requests()) == 1
    assert told.brief() == [
        ("origin:web", "compute", 10),
        ("origin:web→origin:api", "unexplained", 10),
        ("origin:api", "compute", 60),
        ("origin:web→origin:api", "unexplained", 10),
        ("origin:web", "compute", 10),
    ]


def test_an_end_before_its_start(traces: Traces) -> None:
    traces.span("GET /", "server", "api", 0, 100)
    traces.span("odd", "internal", "api", 50, 20, "GET /")
    told = traces.told()
    assert told.brief() == [("origin:api", "compute", 100)]
    assert told.warnings() == {("end_before_start", "odd")}


def test_a_cycle_is_cut_at_its_earliest_span(traces: Traces) -> None:
    traces.span("a", "server", "api", 0, 100, 12, span_id=11)
    traces.span("b", "internal", "api", 20, 40, 13, span_id=12)
    traces.span("c", "internal", "api", 10, 50, 11, span_id=13)
    told = traces.told()
    assert told.request()["entry"] == "a"
    assert told.request()["spans"] == 3
    assert told.warnings() == {("cycle_cut", "a")}


def test_a_span_that_is_its_own_parent(traces: Traces) -> None:
    traces.span("a", "server", "api", 0, 100, 11, span_id=11)
    told = traces.told()
    assert told.request()["complete"] == 100
    assert told.warnings() == {("cycle_cut", "a")}


@pytest.mark.parametrize("flags", [LOCAL, 0])
def test_a_span_whose_local_parent_is_missing_stays_with_its_process(traces: Traces, flags: int) -> None:
    traces.span("GET /", "server", "api", 0, 100)
    traces.span("late", "internal", "api", 20, 60, 999, flags=flags)
    traces.span("query", "client", "api", 30, 50, "late", role="query", db_system="postgresql")
    told = traces.told()
    assert told.brief() == [
        ("origin:api", "compute", 30),
        ("data:postgres", "query", 20),
        ("origin:api", "compute", 50),
    ]
    assert told.warnings() == {("lost_parent", "late")}


def test_a_server_span_whose_caller_was_lost_stays_with_the_request(traces: Traces) -> None:
    traces.span("GET /", "server", "web", 0, 100)
    traces.span("GET /v1", "server", "api", 20, 80, 999, flags=REMOTE)
    told = traces.told()
    assert told.request()["spans"] == 2
    assert told.brief() == [
        ("origin:web", "compute", 20),
        ("origin:api", "compute", 60),
        ("origin:web", "compute", 20),
    ]
    assert told.warnings() == {("lost_parent", "GET /v1")}


def test_server_spans_whose_callers_were_all_lost_are_one_request(traces: Traces) -> None:
    traces.span("GET /a", "server", "a", 0, 30, 998, flags=REMOTE)
    traces.span("GET /b", "server", "b", 50, 90, 999, flags=REMOTE)
    told = traces.told()
    request = told.request()
    assert (request["entry"], request["complete"], request["spans"]) == ("GET /a", 90, 2)
    assert request["complete_evidence"] == "bounded"
    assert told.brief() == [
        ("origin:a", "compute", 30),
        ("unknown:unknown", "unobserved", 20),
        ("origin:b", "compute", 40),
    ]
    assert told.path()[1].span is None
    assert told.hops() == []


def test_two_passes_of_one_service_under_a_lost_caller_have_the_renders_shell(traces: Traces) -> None:
    traces.service("web", "render")
    traces.span("middleware pass", "server", "web", 0, 4, 999, role="request", route="/p", method="GET")
    traces.span("render pass", "server", "web", 5, 90, 999, role="request", extent="body", route="/p", method="GET")
    traces.span("render", "internal", "web", 6, 80, "render pass", role="render")
    traces.span("start response", "internal", "web", 40, 40, "render", role="first_byte")
    told = traces.told()
    request = told.request()
    assert (request["kind"], request["shell"], request["complete"], request["route"]) == ("page", 40, 90, "GET /p")


def test_requests_that_share_a_trace_but_not_a_time(traces: Traces) -> None:
    traces.span("GET /a", "server", "a", 0, 30, 998, flags=REMOTE)
    traces.span("GET /b", "server", "b", 100_000, 100_040, 999, flags=REMOTE)
    assert [row["complete"] for row in traces.told().requests()] == [30, 40]


def test_several_roots_are_several_requests(traces: Traces) -> None:
    traces.span("GET /a", "server", "a", 0, 30)
    traces.span("GET /b", "server", "b", 10, 50)
    assert [(row["entry"], row["complete"]) for row in traces.told().requests()] == [("GET /a", 30), ("GET /b", 40)]


def test_a_lone_request_from_outside_is_warned_of_but_whole(traces: Traces) -> None:
    traces.span("GET /a", "server", "a", 0, 30, 998, flags=REMOTE)
    told = traces.told()
    assert told.request()["complete"] == 30
    assert told.warnings() == {("lost_parent", "GET /a")}


def hop_with_clock(traces: Traces, shift: float, **client: Any) -> Traces:
    traces.span("GET /", "server", "web", 0, 100)
    traces.span("call", "client", "web", 10, 90, "GET /", **{"extent": "body", "peer": "api", **client})
    traces.span("GET /v1", "server", "api", 20 + shift, 80 + shift, "call", extent="handler")
    traces.span("inner", "internal", "api", 30 + shift, 40 + shift, "GET /v1")
    return traces


@pytest.mark.parametrize("shift", [-5, 0, 5])
def test_a_clock_that_may_be_right_is_left_alone(traces: Traces, shift: float) -> None:
    told = hop_with_clock(traces, shift).told()
    hop = told.hop("call")
    assert (hop["gap"], hop["request_leg"], hop["response_leg"]) == (20, 10 + shift, 10 - shift)
    assert hop["leg_error"] == max(10 + shift, 10 - shift)
    assert told.brief()[1] == ("origin:web→origin:api", "unexplained", 10 + shift)


@pytest.mark.parametrize(("shift", "leg"), [(-5_000, 0), (-30, 0), (3_600_000, 80)])
def test_a_clock_that_cannot_be_right_moves_by_the_nearest_bound(traces: Traces, shift: float, leg: float) -> None:
    told = hop_with_clock(traces, shift).told()
    assert told.request()["complete"] == 100
    if leg == 0:
        assert told.brief()[1:3] == [("origin:api", "compute", 60), ("origin:web→origin:api", "unexplained", 20)]
        assert (told.hop("call")["request_leg"], told.hop("call")["gap"]) == (0, 20)


def test_a_callee_on_the_same_host_never_moves(traces: Traces) -> None:
    traces.service("web", instance="one")
    traces.service("api", instance="one")
    told = hop_with_clock(traces, -30).told()
    assert told.brief()[1:3] == [("origin:api", "compute", 40), ("origin:web→origin:api", "unexplained", 40)]


def test_an_rpc_client_waits_for_its_server(traces: Traces) -> None:
    told = hop_with_clock(traces, 20, rpc_system="grpc").told()
    hop = told.hop("call")
    assert (hop["gap"], hop["request_leg"], hop["response_leg"]) == (20, 20, 0)


def test_a_server_that_outlives_its_client(traces: Traces) -> None:
    told = hop_with_clock(traces, 15).told()
    hop = told.hop("call")
    assert (hop["gap"], hop["gap_kind"], hop["request_leg"]) == (None, "server_outlives_client", 25)
    assert told.brief()[2] == ("origin:api", "compute", 55)
    assert told.warnings() == set()


def test_a_client_that_ends_at_the_headers(traces: Traces) -> None:
    traces.span("GET /", "server", "web", 0, 200)
    traces.span("call", "client", "web", 10, 60, "GET /", extent="headers", peer="api")
    traces.span("GET /v1", "server", "api", 20, 150, "call", extent="body")
    told = traces.told()
    hop = told.hop("call")
    assert (hop["gap"], hop["gap_kind"]) == (None, "client_ends_at_headers")
    assert told.brief()[2] == ("origin:api", "compute", 130)
    assert told.warnings() == set()


def test_a_client_that_ends_at_the_headers_of_a_server_that_marks_them(traces: Traces) -> None:
    traces.span("GET /", "server", "web", 0, 200)
    traces.span("call", "client", "web", 10, 60, "GET /", extent="headers", peer="api")
    traces.span("GET /v1", "server", "api", 20, 150, "call", extent="body")
    traces.span("send", "internal", "api", 55, 55, "GET /v1", role="first_byte")
    hop = traces.told().hop("call")
    assert (hop["gap"], hop["gap_kind"], hop["request_leg"], hop["response_leg"]) == (15, "measured", 10, 5)


def test_a_worker_whose_clock_stands_still(traces: Traces) -> None:
    traces.service("edge", "edge", sdk="cloudflare")
    traces.span("fetchHandler", "server", "edge", 0, 100, role="request", cpu_ns=30)
    traces.span("parse", "internal", "edge", 0, 0, "fetchHandler", sequence=2)
    traces.span("fetch", "client", "edge", 0, 90, "fetchHandler", peer="api", extent="headers")
    traces.span("GET /v1", "server", "api", 20, 80, "fetch", extent="handler")
    told = traces.told()
    assert told.warnings() == {("unmeasurable_edge_time", "parse")}
    assert (told.hop("fetch")["gap"], told.hop("fetch")["gap_kind"]) == (None, "client_ends_at_headers")


def test_a_worker_without_io_lasts_as_long_as_its_platform_says(traces: Traces) -> None:
    traces.service("edge", "edge", sdk="cloudflare")
    traces.span("fetchHandler", "server", "edge", 0, 0, role="request", wall_ns=12, cpu_ns=11)
    told = traces.told()
    assert told.request()["complete"] == 12
    assert told.brief() == [("edge:edge", "compute", 12)]
    assert told.warnings() == {("unmeasurable_edge_time", "fetchHandler")}


def test_a_child_that_outlives_its_parent_is_named(traces: Traces) -> None:
    traces.span("GET /", "server", "api", 0, 100)
    traces.span("step", "internal", "api", 10, 40, "GET /")
    traces.span("inner", "internal", "api", 20, 70, "step")
    told = traces.told()
    assert told.warnings() == {("outlives_parent", "inner")}
    assert [(piece.span, piece.evidence, piece.ms) for piece in told.path()] == [
        ("GET /", "measured", 10),
        ("step", "measured", 10),
        ("inner", "bounded", 20),
        ("GET /", "measured", 60),
    ]


def test_a_render_that_ends_at_the_shell_reaches_to_its_fetches(traces: Traces) -> None:
    traces.service("web", "render")
    traces.span("GET /", "server", "web", 0, 300, role="request", extent="body")
    traces.span("render", "internal", "web", 10, 100, "GET /", role="render", extent="headers")
    traces.span("late", "client", "web", 90, 280, "render", role="fetch", extent="body", peer="cms.example.com")
    traces.span("later", "client", "web", 120, 290, "render", role="fetch", extent="body", peer="cms.example.com")
    told = traces.told()
    assert told.warnings() == set()
    assert told.brief() == [
        ("render:web", "compute", 10),
        ("render:web", "render", 80),
        ("external:cms.example.com", "external_call", 200),
        ("render:web", "compute", 10),
    ]
