"""Go: otelhttp, otelhttptrace as spans and as events, otelgrpc, otelpgx, otelsql, redisotel, River."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Check = Callable[[dict[str, Any], dict[str, Any]], None]

GO = {"service.name": "orders", "telemetry.sdk.language": "go", "host.name": "h2"}
CONTRIB = "go.opentelemetry.io/contrib/instrumentation/"
HTTP = CONTRIB + "net/http/otelhttp"
HTTPTRACE = "go.opentelemetry.io/otel/instrumentation/httptrace"
GRPC = CONTRIB + "google.golang.org/grpc/otelgrpc"
MS = 1_000_000


@pytest.mark.parametrize(
    ("scope", "given", "expected"),
    [
        (
            HTTP,
            {
                "name": "GET /orders/{id}",
                "kind": "server",
                "attributes": {
                    "http.request.method": "GET",
                    "url.path": "/orders/anything-at-all",
                    "url.scheme": "http",
                    "server.address": "orders",
                    "server.port": 8080,
                    "http.response.status_code": 200,
                },
            },
            {
                "extent": "handler",
                "route": "/orders/{id}",
                "operation": "GET /orders/{id}",
                "grain_ns": 1,
                "peer": "orders",
                "tier_hint": "unknown",
            },
        ),
        (
            HTTP,
            {
                "name": "HTTP GET",
                "kind": "client",
                "attributes": {"http.request.method": "GET", "url.full": "http://stock:8080/v1/stock/42"},
            },
            {"extent": "body", "operation": "GET /v1/stock/{id}", "peer": "stock", "peer_port": 8080},
        ),
        (
            HTTPTRACE,
            {
                "name": "http.getconn",
                "kind": "client",
                "attributes": {
                    "server.address": "stock:8080",
                    "http.remote": "10.0.0.7:8080",
                    "http.local": "10.0.0.8:40000",
                    "http.conn.reused": True,
                    "http.conn.wasidle": True,
                    "http.conn.idletime": "1m2.5s",
                },
            },
            {
                "role": "getconn",
                "reused": True,
                "was_idle": True,
                "idle_ns": 62_500 * MS,
                "peer": "stock",
                "peer_port": 8080,
                "network_peer": "10.0.0.7",
                "operation": "http.getconn",
            },
        ),
        (
            HTTPTRACE,
            {
                "name": "http.getconn",
                "kind": "client",
                "attributes": {"http.conn.reused": False, "http.conn.wasidle": False},
            },
            {"role": "getconn", "reused": False, "was_idle": False, "idle_ns": None},
        ),
        (HTTPTRACE, {"name": "http.dns", "kind": "client"}, {"role": "dns"}),
        (HTTPTRACE, {"name": "http.connect", "kind": "client"}, {"role": "connect"}),
        (HTTPTRACE, {"name": "http.tls", "kind": "client"}, {"role": "tls"}),
        (HTTPTRACE, {"name": "http.headers", "kind": "client"}, {"role": "send"}),
        (HTTPTRACE, {"name": "http.send", "kind": "client"}, {"role": "send"}),
        (HTTPTRACE, {"name": "http.receive", "kind": "client"}, {"role": "receive"}),
        (
            GRPC,
            {
                "name": "shop.Orders/Get",
                "kind": "client",
                "attributes": {
                    "rpc.system.name": "grpc",
                    "rpc.method": "shop.Orders/Get",
                    "rpc.response.status_code": "DEADLINE_EXCEEDED",
                    "server.address": "orders",
                    "server.port": 9000,
                },
            },
            {
                "extent": "body",
                "rpc_system": "grpc",
                "rpc_method": "shop.Orders/Get",
                "rpc_status": "DEADLINE_EXCEEDED",
                "operation": "shop.Orders/Get",
                "peer": "orders",
            },
        ),
        (
            GRPC,
            {
                "name": "shop.Orders/Get",
                "kind": "server",
                "attributes": {
                    "rpc.system": "grpc",
                    "rpc.service": "shop.Orders",
                    "rpc.method": "Get",
                    "rpc.grpc.status_code": 0,
                },
            },
            {
                "extent": "body",
                "rpc_method": "shop.Orders/Get",
                "rpc_status": "OK",
                "operation": "shop.Orders/Get",
                "route": None,
            },
        ),
        (
            "github.com/exaring/otelpgx",
            {"name": "pool.acquire", "kind": "client", "attributes": {"db.system.name": "postgresql"}},
            {"role": "pool_wait", "operation": "pool.acquire"},
        ),
        (
            "github.com/exaring/otelpgx",
            {"name": "connect", "kind": "client", "attributes": {"db.system.name": "postgresql"}},
            {"role": "setup"},
        ),
        (
            "github.com/exaring/otelpgx",
            {
                "name": "query SELECT * FROM orders WHERE id = 42",
                "kind": "client",
                "attributes": {
                    "db.system.name": "postgresql",
                    "db.namespace": "app",
                    "db.query.text": "SELECT * FROM orders WHERE id = 42",
                    "db.operation.name": "SELECT",
                    "server.address": "db",
                },
            },
            {"role": "query", "operation": "SELECT orders", "db_collection": "orders"},
        ),
        ("github.com/exaring/otelpgx", {"name": "prepare stmt_1", "kind": "client"}, {"role": "query"}),
        ("github.com/exaring/otelpgx", {"name": "batch start", "kind": "client"}, {"role": "query"}),
        ("github.com/exaring/otelpgx", {"name": "copy_from orders", "kind": "client"}, {"role": "query"}),
        ("github.com/XSAM/otelsql", {"name": "sql.connector.connect", "kind": "client"}, {"role": "setup"}),
        ("github.com/XSAM/otelsql", {"name": "sql.conn.reset_session", "kind": "client"}, {"role": "none"}),
        (
            "github.com/XSAM/otelsql",
            {
                "name": "sql.conn.query",
                "kind": "client",
                "attributes": {"db.operation.name": "sql.conn.query", "db.query.text": "DELETE FROM carts"},
            },
            {"role": "query", "db_operation": "DELETE", "operation": "DELETE carts"},
        ),
        (
            "github.com/XSAM/otelsql",
            {"name": "sql.tx.commit", "kind": "client", "attributes": {"db.operation.name": "sql.tx.commit"}},
            {"role": "query", "operation": "sql.tx.commit"},
        ),
        (
            "github.com/redis/go-redis/extra/redisotel",
            {"name": "redis.dial", "kind": "client", "attributes": {"db.system": "redis"}},
            {"role": "setup"},
        ),
        (
            "github.com/redis/go-redis/extra/redisotel",
            {
                "name": "get",
                "kind": "client",
                "attributes": {
                    "db.system": "redis",
                    "db.statement": "get session:1",
                    "db.connection_string": "redis://cache:6379",
                },
            },
            {"role": "query", "operation": "GET", "peer": "cache", "peer_port": 6379},
        ),
        (
            "github.com/redis/go-redis/extra/redisotel",
            {"name": "redis.pipeline get set", "kind": "client"},
            {"role": "query", "db_system": "redis", "operation": "redis.pipeline get set"},
        ),
        (
            "github.com/riverqueue/rivercontrib/otelriver",
            {"name": "river.insert_many", "kind": "producer"},
            {"messaging_system": "river", "messaging_operation": "send", "grain_ns": 1000 * MS},
        ),
        (
            "github.com/riverqueue/rivercontrib/otelriver",
            {
                "name": "river.work/email",
                "kind": "consumer",
                "attributes": {
                    "attempt": 3,
                    "kind": "email",
                    "queue": "default",
                    "id": 17,
                    "created_at": "2027-01-15T07:59:58Z",
                    "scheduled_at": "2027-01-15T09:00:00+01:00",
                },
            },
            {
                "tier_hint": "worker",
                "messaging_system": "river",
                "messaging_operation": "process",
                "messaging_destination": "default",
                "message_id": "17",
                "enqueued_ns": 1_800_000_000_000 * MS,
                "operation": "river.work/email",
                "resend_count": 2,
            },
        ),
    ],
)
def test_go(check: Check, scope: str, given: dict[str, Any], expected: dict[str, Any]) -> None:
    check({"scope": scope, "resource": GO} | given, expected)


def test_everyday_words_mean_jobs_only_in_rivers_scope(check: Check) -> None:
    attributes = {"kind": "email", "queue": "default", "id": 17, "scheduled_at": "2027-01-15T09:00:00+01:00"}
    check({"kind": "consumer", "attributes": attributes}, {"messaging_destination": None, "message_id": None})
    check({"kind": "consumer", "attributes": attributes}, {"enqueued_ns": None, "messaging_system": None})


def test_httptrace_as_events(check: Check) -> None:
    events = [
        ("http.getconn.start", 1 * MS, {"net.host.name": "stock:8080"}),
        ("http.dns.start", 3 * MS),
        ("http.dns.done", 8 * MS, {"http.dns.addrs": "10.0.0.7"}),
        ("http.connect.[::1]:8080.start", 8 * MS),
        ("http.connect.10.0.0.7:8080.start", 9 * MS),
        ("http.connect.10.0.0.7:8080.done", 14 * MS),
        ("http.tls.start", 14 * MS),
        # the attempt that lost the race comes back late
        ("http.connect.[::1]:8080.done", 16 * MS, {"http.connect.[::1]:8080.error": "canceled"}),
        ("http.tls.done", 24 * MS),
        ("http.getconn.done", 25 * MS, {"http.conn.reused": False, "http.conn.wasidle": False}),
        ("http.headers.start", 25 * MS),
        ("http.headers.done", 26 * MS),
        ("http.send.start", 26 * MS),
        ("http.send.done", 27 * MS),
        ("http.receive.start", 40 * MS),
        ("http.receive.done", 45 * MS),
    ]
    expected = {
        "dns_ns": 5 * MS,
        "connect_ns": 6 * MS,
        "tls_ns": 10 * MS,
        "pool_wait_ns": 3 * MS,
        "send_ns": 2 * MS,
        "first_byte_ns": 40 * MS,
        "transfer_ns": 5 * MS,
        "reused": False,
        "was_idle": False,
    }
    check({"scope": HTTP, "name": "HTTP GET", "kind": "client", "events": events}, expected)


def test_httptrace_events_of_a_pool_that_was_full(check: Check) -> None:
    events = [
        ("http.getconn.start", 1 * MS),
        ("http.getconn.done", 90 * MS, {"http.conn.reused": True, "http.conn.wasidle": False}),
    ]
    expected = {
        "pool_wait_ns": 89 * MS,
        "reused": True,
        "was_idle": False,
        "dns_ns": None,
        "connect_ns": None,
        "tls_ns": None,
        "first_byte_ns": None,
        "transfer_ns": None,
    }
    check({"scope": HTTP, "kind": "client", "events": events}, expected)


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [("0s", 0), ("1.5ms", 1_500_000), ("231.4µs", 231_400), ("231.4μs", 231_400), ("1h2m3s", 3_723_000_000_000)],
)
def test_durations_as_go_prints_them(check: Check, text: str, nanoseconds: int) -> None:
    check({"attributes": {"http.conn.idletime": text}}, {"idle_ns": nanoseconds})


@pytest.mark.parametrize("text", ["soon", "5", "5 parsecs", "-"])
def test_what_is_no_duration(check: Check, text: str) -> None:
    check({"attributes": {"http.conn.idletime": text}}, {"idle_ns": None})
