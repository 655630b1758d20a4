"""Where requests begin and when their first and last byte left, for each kind of emitter."""

from __future__ import annotations

from typing import Any

import pytest

Traces = Any


def next_page(traces: Traces) -> Traces:
    traces.service("web", "render", pooled=True)
    span = traces.span
    js = {"grain_ns": 1_000_000}
    span("GET", "server", "web", 0, 4, role="request", extent="handler", method="GET", http_status=200, **js)
    span("middleware GET", "internal", "web", 1, 2, "GET", role="middleware", tier_hint="edge", **js)
    span(
        "GET /dash", "server", "web", 3, 560, "GET", role="request", extent="body", method="GET", route="/dash",
        http_status=200, **js,
    )  # fmt: skip
    span("render", "internal", "web", 5, 555, "GET /dash", role="render", extent="body", **js)
    span("me", "client", "web", 10, 60, "render", role="fetch", extent="body", peer="api", **js)
    span("org", "client", "web", 61, 140, "render", role="fetch", extent="body", peer="api", **js)
    span("news", "client", "web", 141, 540, "render", role="fetch", extent="body", peer="api", **js)
    span("start response", "internal", "web", 150, 150.02, "render", role="first_byte", **js)
    return traces


def test_next_16_hands_a_page_from_its_root_to_a_render_that_lives_on(traces: Traces) -> None:
    told = next_page(traces).told()
    request = told.request()
    assert (request["entry"], request["kind"], request["route"]) == ("GET", "page", "GET /dash")
    assert (request["shell"], request["shell_evidence"]) == (150, "measured")
    assert (request["complete"], request["complete_evidence"]) == (560, "measured")
    assert request["spans"] == 8
    assert told.warnings() == set()


def test_a_suspended_fetch_does_not_hold_the_shell(traces: Traces) -> None:
    told = next_page(traces).told()
    shell = {piece.call for piece in told.path("shell")}
    assert shell == {None, "me", "org"}
    assert {piece.call for piece in told.path("complete")} == {None, "me", "org", "news"}
    held = {piece.span: piece.ms for piece in told.path("shell") if piece.span == "render"}
    assert held == {"render": 10}  # after the second fetch the render's own
    assert [piece.ms for piece in told.path("shell") if piece.span == "render"] == [5, 1, 10]


def test_a_call_that_came_back_with_its_headers_holds_the_shell_while_its_server_still_writes(traces: Traces) -> None:
    """Deno's spans end at the headers, its origin's at the close of the connection, after the edge has answered."""
    traces.service("edge", "edge")
    traces.span("GET", "server", "edge", 0, 51, extent="headers")
    traces.span("fetch", "client", "edge", 1, 50, "GET", extent="headers", peer="api")
    traces.span("GET /x", "server", "api", 2, 56, "fetch", extent="body", grain_ns=1_000_000)
    traces.span("SELECT", "client", "api", 4, 45, "GET /x", role="query", db_system="postgresql", peer="db")
    told = traces.told()
    assert (told.request()["shell"], told.request()["complete"]) == (51, None)
    assert told.brief("shell") == [
        ("edge:edge", "compute", 1),
        ("edge:edge→origin:api", "unexplained", 1),
        ("origin:api", "compute", 2),
        ("data:postgres", "query", 41),
        ("origin:api", "compute", 5),
        ("edge:edge", "compute", 1),
    ]


def test_middleware_runs_at_the_edge_and_the_page_does_not(traces: Traces) -> None:
    brief = next_page(traces).told().brief("shell")
    assert ("edge:web", "middleware", 1) in brief
    assert ("render:web", "render", 5) in brief


def test_time_between_spans_is_nobodys(traces: Traces) -> None:
    traces.service("web", "render")
    traces.span("GET", "server", "web", 0, 4, role="request", extent="handler")
    traces.span("GET /dash", "server", "web", 7, 50, "GET", role="request", extent="body", route="/dash")
    pieces = traces.told().path()
    assert [(piece.span, piece.cause, piece.ms) for piece in pieces] == [
        ("GET", "compute", 4),
        (None, "unexplained", 3),
        ("GET /dash", "compute", 43),
    ]
    assert pieces[1].owner == "render:web"


def test_a_reply_of_the_framework_in_one_piece_has_its_first_byte_at_its_end(traces: Traces) -> None:
    traces.service("web", "render")
    traces.span("GET", "server", "web", 0, 2, role="request", extent="handler", http_status=307)
    traces.span("middleware GET", "internal", "web", 1, 1.5, "GET", role="middleware", tier_hint="edge")
    request = traces.told().request()
    assert (request["shell"], request["shell_evidence"]) == (2, "bounded")
    assert (request["complete"], request["status"], request["kind"]) == (2, 307, "api")
    assert request["route"] == "GET (middleware)"


def test_a_page_that_was_rendered_before_is_a_page(traces: Traces) -> None:
    traces.service("web", "render")
    traces.span("GET", "server", "web", 0, 2, role="request", extent="handler")
    traces.span("middleware GET", "internal", "web", 1, 1.5, "GET", role="middleware", tier_hint="edge")
    traces.span("GET /login", "server", "web", 2, 9, "GET", role="request", extent="body", method="GET", route="/login")
    request = traces.told().request()
    assert (request["kind"], request["route"], request["shell"]) == ("page", "GET /login", 9)


def test_a_workers_request_is_no_page(traces: Traces) -> None:
    traces.service("edge", "edge")
    traces.span("fetchHandler", "server", "edge", 0, 9, role="request")
    assert traces.told().request()["kind"] == "api"


def test_a_render_without_a_mark_has_no_known_first_byte(traces: Traces) -> None:
    traces.service("web", "render")
    traces.span("GET /a", "server", "web", 0, 90, role="request", extent="body")
    traces.span("render", "internal", "web", 1, 80, "GET /a", role="render", extent="body")
    told = traces.told()
    assert told.request()["shell"] is None
    assert told.path("shell") == []
    assert told.request()["complete"] == 90


def test_asgi_marks_of_the_origin_are_not_the_entrys(traces: Traces) -> None:
    traces.span("GET /gate", "server", "gate", 0, 100, extent="handler")
    traces.span("call", "client", "gate", 5, 90, "GET /gate", extent="body", peer="api")
    traces.span("GET /v1", "server", "api", 10, 85, "call", extent="body")
    traces.span("send start", "internal", "api", 50, 50.1, "GET /v1", role="first_byte")
    traces.span("send body", "internal", "api", 84, 84.1, "GET /v1", role="body")
    request = traces.told().request()
    assert request["shell"] is None
    assert (request["complete"], request["complete_evidence"]) == (100, "bounded")


def test_asgi_marks_of_the_entry_are(traces: Traces) -> None:
    traces.span("GET /v1", "server", "api", 10, 85, extent="body")
    traces.span("send start", "internal", "api", 50, 50.1, "GET /v1", role="first_byte")
    request = traces.told().request()
    assert (request["shell"], request["shell_evidence"]) == (40, "measured")
    assert (request["complete"], request["complete_evidence"]) == (75, "measured")


def test_a_first_byte_that_the_entry_itself_tells(traces: Traces) -> None:
    traces.service("worker", "edge", sdk="cloudflare")
    traces.span("fetchHandler", "server", "worker", 0, 300, role="request", first_byte_ns=120)
    traces.span("api", "client", "worker", 10, 100, "fetchHandler", extent="headers", peer="api.internal")
    told = traces.told()
    assert (told.request()["shell"], told.request()["complete"]) == (120, 300)
    assert told.brief("shell") == [
        ("edge:worker", "compute", 10),
        ("origin:api.internal", "unobserved", 90),
        ("edge:worker", "compute", 20),
    ]


def test_a_server_span_that_ends_at_the_headers_says_nothing_of_the_last_byte(traces: Traces) -> None:
    traces.service("deno", "edge")
    traces.span("GET", "server", "deno", 0, 30, extent="headers")
    request = traces.told().request()
    assert (request["shell"], request["shell_evidence"]) == (30, "measured")
    assert (request["complete"], request["complete_evidence"]) == (None, None)
    assert request["dominant"] == ("edge:deno", "compute")


@pytest.mark.parametrize(("extent", "evidence"), [("body", "measured"), ("handler", "bounded"), ("unknown", "bounded")])
def test_how_a_last_byte_is_known(traces: Traces, extent: str, evidence: str) -> None:
    traces.span("GET /", "server", "api", 0, 30, extent=extent)
    request = traces.told().request()
    assert (request["complete"], request["complete_evidence"]) == (30, evidence)
    assert request["shell"] is None


def test_open_work_around_the_first_byte_is_walked_into_without_a_mark(traces: Traces) -> None:
    traces.service("worker", "edge")
    traces.span("root", "server", "worker", 0, 500, first_byte_ns=200)
    traces.span("handle", "internal", "worker", 1, 490, "root")
    traces.span("api", "client", "worker", 5, 180, "handle", peer="api.example.com")
    assert traces.told().brief("shell") == [
        ("edge:worker", "compute", 5),
        ("external:api.example.com", "external_call", 175),
        ("edge:worker", "compute", 20),
    ]


def test_module_loads_are_kept_apart(traces: Traces) -> None:
    traces.service("web", "render")
    traces.span("load instrumentation module", "internal", "web", 0, 40, role="module_load")
    request = traces.told().request()
    assert (request["kind"], request["complete"], request["shell"]) == ("other", 40, None)


def test_a_server_span_under_a_script_is_a_request_of_its_own(traces: Traces) -> None:
    traces.span("load test", "internal", "k6", 0, 200)
    traces.span("call", "client", "k6", 10, 150, "load test", peer="api")
    traces.span("GET /v1", "server", "api", 20, 140, "call", route="/v1", method="GET", extent="handler")
    traces.span("SELECT", "client", "api", 30, 60, "GET /v1", role="query", db_system="postgresql")
    told = traces.told()
    assert [(row["entry"], row["kind"], row["complete"]) for row in told.requests()] == [
        ("load test", "other", 200),
        ("GET /v1", "api", 120),
    ]
    assert told.request("load test")["spans"] == 2
    assert told.request("GET /v1")["spans"] == 2
    assert told.brief(entry="load test")[2] == ("origin:api", "compute", 10)


def test_a_browsers_page_life_is_not_waited_for_by_the_server_that_sent_the_page(traces: Traces) -> None:
    traces.service("shop", "browser")
    traces.service("web", "render")
    traces.span("GET /", "server", "web", 0, 50, extent="body")
    traces.span("documentLoad", "internal", "shop", -20, 900, "GET /")
    told = traces.told()
    assert {row["entry"]: (row["kind"], row["complete"]) for row in told.requests()} == {
        "documentLoad": ("other", 920),
        "GET /": ("api", 50),
    }


def test_an_rpc_server_and_a_job(traces: Traces) -> None:
    traces.span("pkg.Svc/Get", "server", "api", 0, 10, rpc_system="grpc")
    traces.span("work", "consumer", "jobs", 20, 90, trace=2)
    assert [row["kind"] for row in traces.told().requests()] == ["rpc", "job"]


def test_a_lambda_that_handles_messages_is_a_job(traces: Traces) -> None:
    traces.span("handler", "server", "fn", 0, 50)
    traces.span("process q", "consumer", "fn", 1, 49, "handler", flags=0x100)
    told = traces.told()
    assert told.request()["kind"] == "job"
    assert told.brief() == [("origin:fn", "compute", 50)]


def test_nothing_lasts_nothing(traces: Traces) -> None:
    traces.span("GET /", "server", "api", 5, 5)
    request = traces.told().request()
    assert (request["complete"], request["dominant"]) == (0, None)


@pytest.mark.parametrize(("sdk", "complete"), [("@microlabs/otel-cf-workers", None), ("opentelemetry", 0)])
def test_a_request_by_a_clock_that_stood_still_took_nobody_knows_how_long(
    traces: Traces, sdk: str, complete: float | None
) -> None:
    traces.service("gate", "edge", sdk=sdk)
    traces.span("fetchHandler GET", "server", "gate", 5, 5)
    traces.span("GET /waits", "server", "gate", 10, 30, trace=2)
    told = traces.told()
    assert [row["complete"] for row in told.requests()] == [complete, 20]
    odd = {("unmeasurable_edge_time", "fetchHandler GET")}
    assert told.warnings() == (odd if complete is None else set())
