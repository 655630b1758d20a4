"""Old keys, new keys, both: every pair means the same, and the new one wins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from collector.normalise import keys

Emit = Callable[..., dict[str, Any]]

PAIRS: list[tuple[str, str, str, str, Any, Any]] = [
    # kind, old key, new key, column, value sent, value expected
    ("client", "http.method", "http.request.method", "method", "GET", "GET"),
    ("client", "http.method", "http.request.method", "method", "get", "GET"),
    ("client", "http.status_code", "http.response.status_code", "http_status", 204, 204),
    ("client", "http.status_code", "http.response.status_code", "http_status", "204", 204),
    ("client", "http.url", "url.full", "url_full", "https://a.b/c?d=1", "https://a.b/c?d=1"),
    ("client", "http.url", "url.full", "peer", "https://A.b:8443/c", "a.b"),
    ("client", "http.url", "url.full", "peer_port", "https://A.b:8443/c", 8443),
    ("client", "http.url", "url.full", "url_path", "https://A.b/c?d=1", "/c"),
    ("server", "http.target", "url.path", "url_path", "/v1/me", "/v1/me"),
    ("client", "net.peer.name", "server.address", "peer", "Orders.internal", "orders.internal"),
    ("client", "http.host", "server.address", "peer", "orders.internal:8080", "orders.internal"),
    ("client", "http.host", "server.address", "peer_port", "orders.internal:8080", 8080),
    ("server", "http.host", "server.address", "peer", "shop.example.com", "shop.example.com"),
    ("server", "net.host.name", "server.address", "peer", "shop.example.com", "shop.example.com"),
    ("client", "net.peer.port", "server.port", "peer_port", 8080, 8080),
    ("client", "net.peer.port", "server.port", "peer_port", "8080", 8080),
    ("server", "net.host.port", "server.port", "peer_port", 8080, 8080),
    ("server", "http.scheme", "url.scheme", "peer_port", "https", None),
    ("client", "net.sock.peer.addr", "network.peer.address", "network_peer", "10.0.0.7", "10.0.0.7"),
    ("client", "net.peer.ip", "network.peer.address", "network_peer", "10.0.0.7", "10.0.0.7"),
    ("client", "http.flavor", "network.protocol.version", "protocol_version", "1.1", "1.1"),
    ("client", "http.flavor", "network.protocol.version", "protocol_version", "2.0", "2"),
    ("client", "net.protocol.version", "network.protocol.version", "protocol_version", "2", "2"),
    ("client", "http.resend_count", "http.request.resend_count", "resend_count", 2, 2),
    ("client", "http.resend_count", "http.request.resend_count", "resend_count", "2", 2),
    ("client", "db.system", "db.system.name", "db_system", "postgresql", "postgresql"),
    ("client", "db.system", "db.system.name", "db_system", "mssql", "microsoft.sql_server"),
    ("client", "db.name", "db.namespace", "db_namespace", "app", "app"),
    ("client", "db.redis.database_index", "db.namespace", "db_namespace", 3, "3"),
    ("client", "db.statement", "db.query.text", "db_statement", "SELECT 1", "SELECT 1"),
    ("client", "db.operation", "db.operation.name", "db_operation", "select", "SELECT"),
    ("client", "db.sql.table", "db.collection.name", "db_collection", "orders", "orders"),
    ("client", "rpc.system", "rpc.system.name", "rpc_system", "grpc", "grpc"),
    ("client", "rpc.grpc.status_code", "rpc.response.status_code", "rpc_status", 14, "UNAVAILABLE"),
    ("client", "rpc.grpc.status_code", "rpc.status_code", "rpc_status", "14", "UNAVAILABLE"),
    ("client", "rpc.grpc.status_code", "rpc.response.status_code", "rpc_status", "UNAVAILABLE", "UNAVAILABLE"),
    ("producer", "messaging.operation", "messaging.operation.type", "messaging_operation", "publish", "send"),
    ("consumer", "messaging.operation", "messaging.operation.type", "messaging_operation", "deliver", "process"),
    ("producer", "messaging.destination", "messaging.destination.name", "messaging_destination", "mail", "mail"),
    ("producer", "messaging.message_id", "messaging.message.id", "message_id", "m-1", "m-1"),
    ("client", "peer.service", "service.peer.name", "peer", "orders", "orders"),
]


@pytest.mark.parametrize(("kind", "old", "new", "column", "value", "expected"), PAIRS)
def test_the_old_and_the_new_key_say_the_same(
    emit: Emit, kind: str, old: str, new: str, column: str, value: object, expected: object
) -> None:
    assert emit(kind=kind, attributes={old: value})[column] == expected
    assert emit(kind=kind, attributes={new: value})[column] == expected
    assert emit(kind=kind, attributes={old: value, new: value})[column] == expected


@pytest.mark.parametrize(
    ("column", "old", "new", "kind"),
    [
        ("method", ("http.method", "PUT"), ("http.request.method", "GET"), "client"),
        ("http_status", ("http.status_code", 500), ("http.response.status_code", 200), "client"),
        ("peer", ("net.peer.name", "old.host"), ("server.address", "new.host"), "client"),
        ("db_system", ("db.system", "mysql"), ("db.system.name", "postgresql"), "client"),
    ],
)
def test_the_new_key_wins_in_any_order(
    emit: Emit, column: str, old: tuple[str, Any], new: tuple[str, Any], kind: str
) -> None:
    alone = emit(kind=kind, attributes=dict([new]))[column]
    assert emit(kind=kind, attributes=[old, new])[column] == alone
    assert emit(kind=kind, attributes=[new, old])[column] == alone


def test_of_a_repeated_key_the_last_wins(emit: Emit) -> None:
    assert emit(attributes=[("http.request.method", "PUT"), ("http.request.method", "GET")])["method"] == "GET"


def test_an_empty_text_says_nothing(emit: Emit) -> None:
    row = emit(kind="client", attributes={"http.url": "http://h:81/", "net.peer.port": "", "server.address": ""})
    assert (row["peer"], row["peer_port"]) == ("h", 81)


def test_a_target_is_cut_at_its_query(emit: Emit) -> None:
    old = emit(kind="server", attributes={"http.target": "/v1/me?a=b"})
    new = emit(kind="server", attributes={"url.path": "/v1/me", "url.query": "a=b"})
    assert old["url_path"] == new["url_path"] == "/v1/me"
    assert old["route"] == new["route"] == "/v1/me"


@pytest.mark.parametrize("key", ["http.scheme", "url.scheme"])
def test_a_scheme_tells_the_port_of_a_known_host(emit: Emit, key: str) -> None:
    assert emit(kind="server", attributes={key: "https", "server.address": "a"})["peer_port"] == 443
    assert emit(kind="server", attributes={key: "http", "server.address": "a"})["peer_port"] == 80
    assert emit(kind="server", attributes={key: "http", "server.address": "a:81"})["peer_port"] == 81
    assert emit(kind="server", attributes={key: "ws", "server.address": "a"})["peer_port"] is None


def test_what_is_no_number_is_not_known(emit: Emit) -> None:
    row = emit(kind="client", attributes={"http.status_code": "ok", "server.port": "http", "http.resend_count": -1})
    assert (row["http_status"], row["peer_port"], row["resend_count"]) == (None, None, None)
    assert emit(attributes={"http.status_code": 0})["http_status"] is None
    assert emit(kind="client", attributes={"server.port": 70_000})["peer_port"] is None


def test_captured_headers_come_in_two_spellings_and_as_lists(emit: Emit) -> None:
    for key in ("http.request.header.x-request-id", "http.request.header.X_Request_Id"):
        assert emit(attributes={key: ["abc-1", "abc-2"]})["correlation_id"] == "abc-1"
        assert emit(attributes={key: "abc-1"})["correlation_id"] == "abc-1"


def test_every_key_is_in_one_place_only() -> None:
    listed = [key for names in keys.SPAN_SLOTS.values() for key in names]
    assert len(listed) == len(set(listed))
    assert all(keys.canonical(key) == key for key in listed)


@pytest.mark.parametrize("key", ["deployment.environment.name", "deployment.environment", "env"])
def test_environments(resource_of: Emit, key: str) -> None:
    assert resource_of({"service.name": "a", key: "production"})["environment"] == "production"
