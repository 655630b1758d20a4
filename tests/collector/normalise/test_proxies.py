""".NET and Java connection spans, Envoy, nginx, and the headers of queues before servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Check = Callable[[dict[str, Any], dict[str, Any]], None]

START_NS = 1_800_000_000_000_000_000
MS = 1_000_000


@pytest.mark.parametrize(
    ("scope", "name", "role"),
    [
        ("Experimental.System.Net.Http.Connections", "HTTP wait_for_connection api.internal:443", "pool_wait"),
        ("Experimental.System.Net.Http", "HTTP wait_for_connection api.internal:443", "pool_wait"),
        ("Experimental.System.Net.Http.Connections", "HTTP connection_setup api.internal:443", "setup"),
        ("Experimental.System.Net.NameResolution", "DNS lookup api.internal", "dns"),
        ("Experimental.System.Net.Sockets", "socket connect 10.0.0.7:443", "connect"),
        ("Experimental.System.Net.Security", "TLS client handshake api.internal", "tls"),
        ("io.opentelemetry.netty-4.1", "RESOLVE", "dns"),
        ("io.opentelemetry.netty-4.1", "CONNECT", "connect"),
        ("io.opentelemetry.netty-4.1", "SSL handshake", "tls"),
        ("my.app", "CONNECT", "none"),
    ],
)
def test_connection_spans(check: Check, scope: str, name: str, role: str) -> None:
    check({"scope": scope, "name": name}, {"role": role})


ENVOY = {
    "component": "proxy",
    "guid:x-request-id": "5f1c1d0e-0000-4000-8000-000000000001",
    "http.method": "GET",
    "http.url": "http://shop.example.com/orders/17",
    "http.status_code": "503",
    "http.protocol": "HTTP/1.1",
    "user_agent": "curl",
    "request_size": "0",
    "response_size": "91",
    "response_flags": "UF,URX",
    "upstream_cluster": "orders",
    "upstream_address": "10.0.0.7:8080",
    "peer.address": "10.0.0.1",
    "node_id": "sidecar~10.0.0.8",
    "zone": "eu-central-1a",
    "retry.count": "2",
}


def test_envoy(check: Check) -> None:
    expected = {
        "extent": "body",
        "method": "GET",
        "http_status": 503,
        "protocol_version": "1.1",
        "route": "/orders/{id}",
        "operation": "GET /orders/{id}",
        "correlation_id": "5f1c1d0e-0000-4000-8000-000000000001",
        "network_peer": "10.0.0.7",
        "resend_count": 2,
        "error_type": "UF,URX",
        "place": "eu-central-1a",
        "peer": "shop.example.com",
    }
    check({"name": "ingress", "kind": "server", "attributes": ENVOY}, expected)
    check({"name": "ingress", "kind": "server", "attributes": ENVOY | {"response_flags": "-"}}, {"error_type": None})
    check(
        {"name": "egress orders", "kind": "client", "attributes": ENVOY},
        {"extent": "body", "operation": "GET /orders/{id}", "peer": "shop.example.com", "route": None},
    )
    check({"name": "x", "attributes": {"zone": "eu-central-1a"}}, {"place": None})


def test_envoy_in_new_conventions(check: Check) -> None:
    attributes = {
        "component": "proxy",
        "http.request.method": "GET",
        "url.full": "http://shop.example.com/orders/17",
        "http.response.status_code": "200",
        "http.request.resend_count": "1",
        "network.peer.address": "10.0.0.7",
    }
    expected = {"http_status": 200, "resend_count": 1, "network_peer": "10.0.0.7", "operation": "GET /orders/{id}"}
    check({"name": "egress orders", "kind": "client", "attributes": attributes}, expected)


def test_envoy_calls_by_grpc(check: Check) -> None:
    attributes = {"component": "proxy", "grpc.path": "/shop.Orders/Get", "grpc.status_code": "14"}
    expected = {"rpc_method": "shop.Orders/Get", "rpc_status": "UNAVAILABLE", "operation": "shop.Orders/Get"}
    check({"name": "egress orders", "kind": "client", "attributes": attributes}, expected)


def test_envoy_events(check: Check) -> None:
    events = [
        ("last_downstream_rx_byte_received", 1 * MS),
        ("first_upstream_tx_byte_sent", 21 * MS),
        ("last_upstream_tx_byte_sent", 22 * MS),
        ("first_upstream_rx_byte_received", 60 * MS),
        ("last_upstream_rx_byte_received", 66 * MS),
        ("first_downstream_tx_byte_sent", 61 * MS),
        ("last_downstream_tx_byte_sent", 67 * MS),
    ]
    phases = {"pool_wait_ns": 21 * MS, "send_ns": 1 * MS, "transfer_ns": 6 * MS}
    check({"attributes": ENVOY, "kind": "client", "events": events}, phases | {"first_byte_ns": 60 * MS})
    check({"attributes": ENVOY, "kind": "server", "events": events}, phases | {"first_byte_ns": 61 * MS})


def test_nginx(check: Check) -> None:
    given = {
        "scope": "nginx",
        "name": "/",
        "kind": "server",
        "attributes": {
            "http.method": "GET",
            "http.target": "/orders/17?x=1",
            "http.route": "/",
            "http.scheme": "http",
            "http.flavor": "1.1",
            "http.status_code": 200,
            "net.host.name": "shop.example.com",
            "net.sock.peer.addr": "10.0.0.1",
        },
    }
    # its http.route is a location, not a template
    expected = {
        "extent": "body",
        "grain_ns": MS,
        "tier_hint": "origin",
        "route": "/orders/{id}",
        "operation": "GET /orders/{id}",
        "peer": "shop.example.com",
        "network_peer": "10.0.0.1",
    }
    check(given, expected)


QUEUED_NS = START_NS - 250 * MS


@pytest.mark.parametrize(
    "value",
    [
        "t=1799999999.750",
        ["t=1799999999.750"],
        "1799999999.75",
        "1799999999750",
        1_799_999_999_750,
        "t=1799999999750000",
        "1799999999750000000",
        1_799_999_999.75,
    ],
)
@pytest.mark.parametrize("header", ["x-request-start", "x-queue-start", "x_request_start"])
def test_queue_headers(check: Check, header: str, value: object) -> None:
    given = {"kind": "server", "attributes": {f"http.request.header.{header}": value}}
    check(given, {"queued_at_ns": QUEUED_NS})


@pytest.mark.parametrize("value", ["soon", "", "t=", -5, 0])
def test_what_is_no_time(check: Check, value: object) -> None:
    check({"attributes": {"http.request.header.x-request-start": value}}, {"queued_at_ns": None})


def test_time_in_queue_as_sentry_names_it(check: Check) -> None:
    check({"attributes": {"http.server.request.time_in_queue": 250}}, {"queued_at_ns": QUEUED_NS})


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("messaging.servicebus.message.enqueued_time", 1_799_999_999, START_NS - 1000 * MS),
        ("messaging.eventhubs.message.enqueued_time", 1_799_999_999, START_NS - 1000 * MS),
        ("messaging.rocketmq.message.delivery_timestamp", 1_799_999_999_750, QUEUED_NS),
    ],
)
def test_times_that_brokers_tell(check: Check, key: str, value: int, expected: int) -> None:
    check({"kind": "consumer", "attributes": {key: value}}, {"enqueued_ns": expected, "tier_hint": "worker"})


@pytest.mark.parametrize(
    ("kind", "attributes", "expected"),
    [
        (
            "producer",
            {
                "messaging.system": "kafka",
                "messaging.operation.type": "send",
                "messaging.destination.name": "orders",
                "messaging.message.id": "m-1",
            },
            {"operation": "send orders", "message_id": "m-1", "tier_hint": "unknown"},
        ),
        (
            "consumer",
            {"messaging.system": "kafka", "messaging.operation": "process", "messaging.destination": "orders"},
            {"operation": "process orders", "tier_hint": "worker"},
        ),
        (
            "client",
            {"messaging.operation.type": "receive", "messaging.destination.name": "orders"},
            {"operation": "receive orders", "tier_hint": "unknown"},
        ),
        (
            "client",
            {"messaging.operation.type": "settle", "messaging.destination.name": "orders"},
            {"operation": "settle orders"},
        ),
    ],
)
def test_messages(check: Check, kind: str, attributes: dict[str, Any], expected: dict[str, Any]) -> None:
    check({"kind": kind, "attributes": attributes}, expected)
