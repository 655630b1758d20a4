"""Calls: chains of client spans, proxies, callees that send nothing, phases inside."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from analysis import Peers
from seamscope.schema import words

Traces = Any


def call(traces: Traces, **columns: Any) -> Traces:
    """A handler that calls out once, from 10 to 90."""
    traces.span("GET /", "server", "api", 0, 100, extent="handler")
    traces.span("call", "client", "api", 10, 90, "GET /", **{"extent": "body", **columns})
    return traces


def test_a_client_spans_own_time_belongs_to_the_seam(traces: Traces) -> None:
    call(traces, peer="orders")
    traces.span("GET /v1", "server", "orders", 30, 80, "call", extent="handler")
    told = traces.told()
    assert told.brief() == [
        ("origin:api", "compute", 10),
        ("origin:api→origin:orders", "unexplained", 20),
        ("origin:orders", "compute", 50),
        ("origin:api→origin:orders", "unexplained", 10),
        ("origin:api", "compute", 10),
    ]
    hop = told.hop("call")
    assert (hop["gap"], hop["gap_kind"], hop["request_leg"], hop["response_leg"]) == (30, "measured", 20, 10)
    assert (hop["duration"], hop["server"], hop["unexplained"]) == (80, 50, 30)
    assert {piece.evidence for piece in told.path() if piece.cause == "unexplained"} == {"unexplained"}
    assert [piece.call for piece in told.path()] == [None, "call", "call", "call", None]


@pytest.mark.parametrize(
    ("columns", "owner", "cause"),
    [
        ({"role": "query", "db_system": "postgresql", "db_namespace": "app"}, "data:postgres/app", "query"),
        ({"role": "query", "db_system": "redis"}, "data:redis", "query"),
        ({"db_system": "microsoft.sql_server", "peer": "db.corp.example.com"}, "data:mssql", "query"),
        ({"peer": "ep-x.eu-central-1.aws.neon.tech"}, "data:ep-x.eu-central-1.aws.neon.tech", "query"),
        ({"peer": "api.stripe.com"}, "external:api.stripe.com", "external_call"),
        ({"peer": "orders"}, "origin:orders", "unobserved"),
        ({"peer": "orders.svc.cluster.local"}, "origin:orders.svc.cluster.local", "unobserved"),
        ({"peer": "10.1.2.3", "peer_port": 8080}, "origin:10.1.2.3:8080", "unobserved"),
        ({"peer": "127.0.0.1", "peer_port": 9000}, "origin:127.0.0.1:9000", "unobserved"),
        ({}, "unknown:unknown", "unobserved"),
        ({"rpc_method": "shop.Cart/Get"}, "unknown:shop.Cart", "unobserved"),
    ],
)
def test_who_a_callee_is_that_sends_nothing(traces: Traces, columns: dict[str, Any], owner: str, cause: str) -> None:
    told = call(traces, **columns).told()
    assert told.brief()[1] == (owner, cause, 80)
    assert told.path()[1].evidence == "bounded"
    hop = told.hop("call")
    assert (hop["gap"], hop["gap_kind"], hop["seam"]) == (None, "no_server_span", f"origin:api→{owner}")


def test_a_message_goes_to_its_broker(traces: Traces) -> None:
    traces.span("GET /", "server", "api", 0, 100)
    traces.span("publish", "producer", "api", 10, 30, "GET /", messaging_system="kafka")
    assert traces.told().brief()[1] == ("data:kafka", "query", 20)


def test_a_host_that_answered_before_is_that_service(traces: Traces) -> None:
    call(traces, peer="10.0.0.7", peer_port=80)
    traces.span("GET /", "server", "api", 0, 50, trace=2)
    traces.span("seen", "client", "api", 5, 40, "GET /", trace=2, peer="10.0.0.7", peer_port=80, extent="body")
    traces.span("GET /v1", "server", "orders", 10, 35, "seen", trace=2)
    told = traces.told()
    assert told.hop("call")["seam"] == "origin:api→origin:orders"
    assert told.results.peers.drop("trace_hi", "trace_lo").rows() == [("10.0.0.7", 80, 4, "orders", 1)]


def test_a_host_known_from_earlier_is_that_service(traces: Traces) -> None:
    call(traces, peer="cart.example.com", peer_port=443)
    told = traces.told(peers=Peers({("cart.example.com", 443): {(4, "cart")}}))
    assert told.brief()[1] == ("origin:cart", "unobserved", 80)


def test_a_host_that_is_several_services_says_nothing(traces: Traces) -> None:
    call(traces, peer="gateway.example.com")
    told = traces.told(peers=Peers({("gateway.example.com", 0): {(4, "cart"), (4, "orders")}}))
    assert told.brief()[1] == ("external:gateway.example.com", "external_call", 80)


def test_a_bare_host_with_the_name_of_a_service_is_that_service(traces: Traces) -> None:
    call(traces, peer="mailer.prod.svc.cluster.local")
    traces.service("mailer", "worker")
    assert traces.told().brief()[1] == ("worker:mailer", "unobserved", 80)


def test_the_operators_word_stands(traces: Traces) -> None:
    from seamscope.config import Config, PeerRule, TierRule

    call(traces, peer="flags.example.com")
    rules = Config(
        tiers=(TierRule(tier="edge", service="api"),),
        peers=(("flags.*", PeerRule(tier="origin", service="flags")),),
    )
    assert traces.told(rules=rules).brief() == [
        ("edge:api", "compute", 10),
        ("origin:flags", "unobserved", 80),
        ("edge:api", "compute", 10),
    ]


def test_a_frameworks_fetch_over_the_http_clients_span_is_one_hop(traces: Traces) -> None:
    traces.service("web", "render")
    traces.span("render", "server", "web", 0, 200, role="request", extent="body")
    traces.span("fetch", "client", "web", 10, 33, "render", role="fetch", extent="headers", peer="orders")
    traces.span("GET", "client", "web", 11, 72, "fetch", extent="body", peer="orders")
    traces.span("GET /v1", "server", "orders", 15, 60, "GET", extent="handler")
    told = traces.told()
    hop = told.hop("fetch")
    assert len(told.hops()) == 1
    assert (hop["server_span"], hop["duration"], hop["gap"], hop["attempts"]) == ("GET /v1", 62, 17, 1)
    assert told.brief() == [
        ("render:web", "compute", 10),
        ("render:web→origin:orders", "unexplained", 5),
        ("origin:orders", "compute", 45),
        ("render:web→origin:orders", "unexplained", 12),
        ("render:web", "compute", 128),
    ]
    assert told.warnings() == set()


def test_an_orm_over_its_driver_is_one_hop(traces: Traces) -> None:
    traces.span("GET /", "server", "api", 0, 100)
    traces.span("op", "internal", "api", 5, 95, "GET /")
    traces.span("query", "client", "api", 10, 90, "op", role="query", db_system="postgresql")
    traces.span("db_query", "client", "api", 20, 80, "query", role="query", db_system="postgresql", db_namespace="app")
    told = traces.told()
    assert [hop["client_span"] for hop in told.hops()] == ["query"]
    assert told.hop("query")["seam"] == "origin:api→data:postgres/app"


def test_a_call_inside_a_call_to_someone_else_is_a_hop_of_its_own(traces: Traces) -> None:
    call(traces, peer="orders")
    traces.span("token", "client", "api", 12, 40, "call", peer="auth.example.com")
    told = traces.told()
    assert {hop["client_span"]: hop["seam"] for hop in told.hops()} == {
        "call": "origin:api→origin:orders",
        "token": "origin:api→external:auth.example.com",
    }
    assert [piece.call for piece in told.path() if piece.span == "token"] == ["call"]


def test_a_cache_hit_is_no_call(traces: Traces) -> None:
    traces.service("web", "render")
    traces.span("GET /", "server", "web", 0, 50, role="request", extent="body")
    traces.span("fetch", "client", "web", 10, 12, "GET /", role="fetch", cache_status="hit", peer="cms.example.com")
    told = traces.told()
    assert told.hops() == []
    assert told.brief() == [("render:web", "compute", 50)]


def test_a_proxy_is_the_client_of_what_it_forwards(traces: Traces) -> None:
    traces.service("nginx", "edge")
    traces.span("GET /", "server", "nginx", 0, 100, extent="body")
    traces.span("GET /v1", "server", "api", 8, 95, "GET /", extent="body")
    told = traces.told()
    hop = told.hop("GET /")
    assert (hop["server_span"], hop["gap"], hop["seam"]) == ("GET /v1", 13, "edge:nginx→origin:api")
    assert told.brief() == [
        ("edge:nginx→origin:api", "unexplained", 8),
        ("origin:api", "compute", 87),
        ("edge:nginx→origin:api", "unexplained", 5),
    ]


def test_a_server_under_a_span_that_also_works_itself(traces: Traces) -> None:
    traces.span("GET /", "server", "gate", 0, 100)
    traces.span("auth", "internal", "gate", 1, 5, "GET /")
    traces.span("GET /v1", "server", "api", 20, 80, "GET /")
    told = traces.told()
    hop = told.hops()[0]
    assert (hop["client_span"], hop["server_span"], hop["gap"], hop["gap_kind"]) == (
        "GET /",
        "GET /v1",
        None,
        "unmeasurable",
    )
    assert told.brief() == [
        ("origin:gate", "compute", 20),
        ("origin:api", "compute", 60),
        ("origin:gate", "compute", 20),
    ]
    assert [piece.call for piece in told.path()].count("GET /v1") == 1


def test_attempts_of_one_call(traces: Traces) -> None:
    call(traces, peer="orders")
    traces.span("first", "server", "orders", 12, 20, "call", operation="GET /v1")
    traces.span("second", "server", "orders", 50, 85, "call", operation="GET /v1")
    told = traces.told()
    hop = told.hop("call")
    assert (hop["attempts"], hop["gap"], hop["gap_kind"], hop["retry"]) == (2, 37, "overlapping", 30)
    assert ("origin:api", "retry", 30) in told.brief()


def test_services_behind_one_call_are_no_attempts(traces: Traces) -> None:
    call(traces, peer="router")
    traces.span("users", "server", "users", 12, 40, "call")
    traces.span("orders", "server", "orders", 50, 85, "call")
    told = traces.told()
    assert told.hop("call")["retry"] is None
    assert told.brief()[3] == ("origin:api→origin:users", "unexplained", 10)


def test_go_httptrace_tells_the_phases(traces: Traces) -> None:
    call(traces, peer="orders")
    phase = {"peer": "orders"}
    traces.span("getconn", "client", "api", 10, 40, "call", role="getconn", reused=False, **phase)
    traces.span("dns", "client", "api", 11, 15, "getconn", role="dns")
    traces.span("connect", "client", "api", 15, 22, "getconn", role="connect")
    traces.span("tls", "client", "api", 22, 39, "getconn", role="tls")
    traces.span("send", "client", "api", 40, 41, "call", role="send")
    traces.span("receive", "client", "api", 70, 90, "call", role="receive")
    traces.span("GET /v1", "server", "orders", 50, 75, "call", extent="handler")
    told = traces.told()
    seam = "origin:api→origin:orders"
    assert told.brief() == [
        ("origin:api", "compute", 10),
        ("origin:api", "pool_wait", 1),
        (seam, "dns", 4),
        (seam, "connect", 7),
        (seam, "tls", 17),
        (seam, "setup", 1),
        ("origin:api", "send", 1),
        (seam, "unexplained", 9),
        ("origin:orders", "compute", 25),
        (seam, "transfer", 15),
        ("origin:api", "compute", 10),
    ]
    hop = told.hop("call")
    assert len(told.hops()) == 1
    names = ("dns", "connect", "tls", "setup", "pool_wait", "send", "transfer", "unexplained")
    assert [hop[name] for name in names] == [4, 7, 17, 1, 1, 1, 15, 9]
    assert (hop["gap"], hop["reused"]) == (55, False)


def test_getconn_on_a_reused_connection_is_a_wait(traces: Traces) -> None:
    call(traces, peer="orders")
    traces.span("getconn", "client", "api", 10, 60, "call", role="getconn", reused=True, was_idle=False)
    traces.span("GET /v1", "server", "orders", 62, 88, "call")
    told = traces.told()
    assert told.brief()[:2] == [("origin:api", "compute", 10), ("origin:api", "pool_wait", 50)]
    assert told.hop("call")["reused"] is True


def test_node_net_spans_inside_the_http_clients(traces: Traces) -> None:
    call(traces, peer="orders")
    traces.span("tls", "internal", "api", 11, 40, "call", role="tls")
    traces.span("tcp", "internal", "api", 11, 25, "tls", role="connect")
    traces.span("lookup", "client", "api", 11, 16, "call", role="dns")
    traces.span("GET /v1", "server", "orders", 50, 80, "call")
    hop = traces.told().hop("call")
    assert (hop["dns"], hop["connect"], hop["tls"], hop["unexplained"]) == (5, 9, 15, 21)


def test_node_net_spans_beside_a_fetch(traces: Traces) -> None:
    call(traces, peer="orders")
    traces.span("other", "client", "api", 10, 95, "GET /", peer="elsewhere.example.com")
    traces.span("tls", "internal", "api", 11, 40, "GET /", role="tls", peer="orders")
    traces.span("tcp", "internal", "api", 11, 25, "tls", role="connect", peer="orders")
    traces.span("GET /v1", "server", "orders", 50, 80, "call")
    hop = traces.told().hop("call")
    assert (hop["connect"], hop["tls"], hop["reused"]) == (14, 15, False)


def test_phases_that_the_client_span_tells_itself(traces: Traces) -> None:
    call(traces, peer="orders", pool_wait_ns=3, dns_ns=2, connect_ns=5, first_byte_ns=75)
    traces.span("GET /v1", "server", "orders", 30, 80, "call")
    told = traces.told()
    assert told.brief()[:5] == [
        ("origin:api", "compute", 10),
        ("origin:api", "pool_wait", 3),
        ("origin:api→origin:orders", "dns", 2),
        ("origin:api→origin:orders", "connect", 5),
        ("origin:api→origin:orders", "unexplained", 10),
    ]
    assert told.hop("call")["transfer"] == 5


def test_phases_never_say_more_than_the_leg(traces: Traces) -> None:
    call(traces, peer="orders", pool_wait_ns=500, dns_ns=20)
    traces.span("GET /v1", "server", "orders", 30, 80, "call")
    hop = traces.told().hop("call")
    assert (hop["pool_wait"], hop["gap"]) == (30, 30)


def test_a_header_tells_of_the_servers_queue(traces: Traces) -> None:
    call(traces, peer="orders")
    traces.span("GET /v1", "server", "orders", 50, 80, "call", queued_at_ns=20)
    told = traces.told()
    assert told.brief()[1:4] == [
        ("origin:api→origin:orders", "unexplained", 10),
        ("origin:orders", "server_queue", 30),
        ("origin:orders", "compute", 30),
    ]
    assert told.path()[2].evidence == "header"
    hop = told.hop("call")
    assert (hop["gap"], hop["unexplained"], hop["header"]) == (50, 20, 30)
    assert (hop["bounded"], hop["inferred"]) == (None, None)


def test_a_pool_wait_before_a_statement(traces: Traces) -> None:
    traces.span("GET /", "server", "api", 0, 100)
    db = {"db_system": "postgresql", "db_namespace": "app"}
    traces.span("pool.acquire", "client", "api", 10, 40, "GET /", role="pool_wait", **db)
    traces.span("connect", "client", "api", 20, 38, "pool.acquire", role="setup", **db)
    traces.span("query", "client", "api", 41, 60, "GET /", role="query", **db)
    told = traces.told()
    assert told.brief() == [
        ("origin:api", "compute", 10),
        ("origin:api", "pool_wait", 10),
        ("origin:api→data:postgres/app", "setup", 18),
        ("origin:api", "pool_wait", 2),
        ("origin:api", "compute", 1),
        ("data:postgres/app", "query", 19),
        ("origin:api", "compute", 40),
    ]
    assert [hop["client_span"] for hop in told.hops()] == ["query"]
    hop = told.hop("query")
    assert (hop["pool_wait"], hop["setup"], hop["duration"]) == (12, 18, 19)


def test_what_came_before_a_server_that_was_started_for_the_call_is_its_start(traces: Traces) -> None:
    """`faas.coldstart` says so of the span; the start itself lies before it."""
    traces.service("edge", "edge")
    for trace, cold in ((1, True), (2, False)):
        traces.span("GET /", "server", "edge", 0, 900, trace=trace)
        traces.span("fetch", "client", "edge", 1, 899, "GET /", trace=trace)
        traces.span("dns", "internal", "edge", 1, 11, "fetch", trace=trace, role="dns")
        traces.span("handler", "server", "function", 800, 890, "fetch", trace=trace, cold_start=cold)
    told = traces.told()
    assert [row["dominant"] for row in told.requests()] == [
        ("origin:function", "cold_start"),
        ("edge:edge→origin:function", "unexplained"),
    ]
    causes = told.results["segments"].filter(pl.col("cause") == words.code(words.CAUSES, "cold_start")).to_dicts()
    assert [(row["start_ns"], row["end_ns"], words.EVIDENCE[row["evidence"]]) for row in causes] == [
        (11_000_000, 800_000_000, "header")
    ]
