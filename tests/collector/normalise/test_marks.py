"""What users and operators say about their own spans, and what every span carries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from collector.normalise import normalise
from seamscope.config import Rules, TierRule

Emit = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("phase", "role"),
    [
        ("pool_wait", "pool_wait"),
        ("dns", "dns"),
        ("connect", "connect"),
        ("tls", "tls"),
        ("setup", "setup"),
        ("send", "send"),
        ("network", "network"),
        ("server_queue", "server_queue"),
        ("transfer", "transfer"),
        ("retry", "retry"),
        ("query", "query"),
        ("render", "render"),
        ("middleware", "middleware"),
        ("cold_start", "module_load"),
        ("compute", "none"),
        ("nonsense", "none"),
        ("", "none"),
    ],
)
def test_phases_of_users(emit: Emit, phase: str, role: str) -> None:
    assert emit(name="my wait", attributes={"seamscope.phase": phase})["role"] == role


def test_a_phase_goes_over_what_an_emitter_means(emit: Emit) -> None:
    given = {"scope": "@opentelemetry/instrumentation-net", "name": "tcp.connect"}
    assert emit(**given, attributes={"seamscope.phase": "retry"})["role"] == "retry"


def test_the_shipped_phase_name(emit: Emit) -> None:
    assert emit(name="db.pool.wait")["role"] == "pool_wait"
    assert emit(name="db.pool.waiting")["role"] == "none"


def test_phase_names_of_the_operator(emit: Emit) -> None:
    rules = Rules(phases=(("hikari.*", "pool_wait"), ("hikari.tls", "tls"), ("[a-c]? handshake", "tls"), ("x", "job")))
    assert emit(rules=rules, name="hikari.getConnection")["role"] == "pool_wait"
    assert emit(rules=rules, name="hikari.tls")["role"] == "pool_wait"
    assert emit(rules=rules, name="b1 handshake")["role"] == "tls"
    assert emit(rules=rules, name="d1 handshake")["role"] == "none"
    assert emit(rules=rules, name="x")["role"] == "none"
    assert emit(rules=rules, name="hikari.x", attributes={"seamscope.phase": "dns"})["role"] == "dns"


def test_tiers_of_the_operator_go_over_all_else(emit: Emit) -> None:
    rules = Rules(
        tiers=(
            TierRule(tier="edge", service="web-*", name="guard *"),
            TierRule(tier="worker", scope="my.jobs"),
            TierRule(tier="origin", service="web-*"),
        )
    )
    web: dict[str, Any] = {"resource": {"service.name": "web-1"}}
    assert emit(rules=rules, **web, name="guard GET")["tier_hint"] == "edge"
    assert emit(rules=rules, **web, scope="next.js", name="GET")["tier_hint"] == "origin"
    assert emit(rules=rules, name="guard GET")["tier_hint"] == "unknown"
    assert emit(rules=rules, scope="my.jobs")["tier_hint"] == "worker"


@pytest.mark.parametrize(
    ("value", "expected"), [(True, True), ("true", True), (False, False), ("false", False), ("perhaps", None)]
)
def test_essential(emit: Emit, value: object, expected: bool | None) -> None:
    assert emit(kind="client", attributes={"seamscope.essential": value})["essential"] is expected


@pytest.mark.parametrize(
    ("trace_state", "weight"),
    [
        ("", 1.0),
        ("ot=th:0", 1.0),
        ("ot=th:8", 2.0),
        ("ot=th:c", 4.0),
        ("ot=rv:abcdef01234567;th:c", 4.0),
        ("vendor=1,ot=th:fffff", 1048576.0),
        ("vendor=1, ot=th:8;rv:0", 2.0),
        ("ot=rv:abcdef01234567", 1.0),
        ("ot=th:", 1.0),
        ("ot=th:x", 1.0),
        ("not=th:8", 1.0),
        ("ot", 1.0),
    ],
)
def test_weights(emit: Emit, trace_state: str, weight: float) -> None:
    assert emit(trace_state=trace_state)["weight"] == weight


@pytest.mark.parametrize(
    ("attributes", "events", "expected"),
    [
        ({"error.type": "timeout"}, (), "timeout"),
        ({}, [("exception", 1, {"exception.type": "ValueError"})], "ValueError"),
        (
            {},
            [("exception", 1, {"exception.type": "KeyError"}), ("exception", 2, {"exception.type": "OSError"})],
            "OSError",
        ),
        ({"error.type": "500"}, [("exception", 1, {"exception.type": "ValueError"})], "500"),
        ({}, [("exception", 1, {"exception.message": "no"})], None),
    ],
)
def test_errors(emit: Emit, attributes: dict[str, Any], events: Any, expected: str | None) -> None:
    assert emit(attributes=attributes, events=events)["error_type"] == expected


@pytest.mark.parametrize(
    ("attributes", "correlation_id", "platform_id"),
    [
        ({"http.request.header.x-request-id": ["r-1"]}, "r-1", None),
        ({"http.request.header.x-correlation-id": "r-2"}, "r-2", None),
        ({"guid:x-request-id": "r-3"}, "r-3", None),
        ({"cloudflare.ray_id": "8F0A1B2C3D4E5F60"}, None, "8f0a1b2c3d4e5f60"),
        ({"http.request.header.cf-ray": ["8f0a1b2c3d4e5f60-FRA"]}, None, "8f0a1b2c3d4e5f60"),
        ({"http.request.header.cf_ray": "8f0a1b2c3d4e5f60-FRA"}, None, "8f0a1b2c3d4e5f60"),
        ({"faas.invocation_id": "8f0a1b2c3d4e5f60-FRA"}, None, "8f0a1b2c3d4e5f60"),
        ({"http.request.header.x-vercel-id": ["fra1::iad1::abc12-17-0"]}, None, "abc12-17-0"),
        ({"vercel.request_id": "abc12-17-0"}, None, "abc12-17-0"),
        ({"faas.invocation_id": "i-1", "cloudflare.ray_id": "8f0a1b2c3d4e5f60"}, None, "8f0a1b2c3d4e5f60"),
    ],
)
def test_ids_that_join(
    emit: Emit, attributes: dict[str, Any], correlation_id: str | None, platform_id: str | None
) -> None:
    row = emit(attributes=attributes)
    assert (row["correlation_id"], row["platform_id"]) == (correlation_id, platform_id)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"http.url": "http://h/"}, ("h", 80)),
        ({"http.url": "https://h/"}, ("h", 443)),
        ({"http.url": "https://user:secret@h:8443/x"}, ("h", 8443)),
        ({"http.url": "https://[2001:DB8::1]:8443/"}, ("2001:db8::1", 8443)),
        ({"http.url": "https://[2001:db8::1]/"}, ("2001:db8::1", 443)),
        ({"http.url": "ftp://h/"}, ("h", None)),
        ({"http.url": "/relative?x=http://other/"}, (None, None)),
        ({"http.url": "nonsense"}, (None, None)),
        ({"server.address": "[::1]:443"}, ("::1", 443)),
        ({"server.address": "::1"}, ("::1", None)),
        ({"server.address": "h:99999"}, ("h", None)),
        ({"server.address": "h:"}, ("h", None)),
        ({"server.address": ":80"}, (None, 80)),
        ({"server.address": "a", "http.url": "https://b:8443/"}, ("a", 8443)),
        ({"network.peer.address": "10.0.0.7"}, ("10.0.0.7", None)),
        ({"db.connection_string": "postgresql://u:p@db:5432/app?sslmode=x"}, ("db", 5432)),
    ],
)
def test_peers(emit: Emit, attributes: dict[str, Any], expected: tuple[str | None, int | None]) -> None:
    row = emit(kind="client", attributes=attributes)
    assert (row["peer"], row["peer_port"]) == expected


def test_codes_that_nobody_knows(flat_of: Callable[..., Any]) -> None:
    flat = flat_of([{"name": "a"}, {"name": "b"}, {"name": "c"}])
    spans = replace(flat.spans, status=np.array([7, -1, 2], np.int32), kind=np.array([9, -3, 2], np.int32))
    made = normalise(replace(flat, spans=spans), np.ones(3, np.bool_), Rules())["spans"]
    assert made["status"].to_pylist() == [0, 0, 2]
    assert made["kind"].to_pylist() == [0, 0, 2]


def test_the_whole_of_what_was_sent_stays(emit: Emit) -> None:
    pairs = [("a", 1), ("b", 1.5), ("c", True), ("d", ["x", 1]), ("e", ""), ("a", "again"), ("f", "ü")]
    row = emit(attributes=pairs)
    assert row["attributes"] == [
        {"key": "a", "value": "1"},
        {"key": "b", "value": "1.5"},
        {"key": "c", "value": "true"},
        {"key": "d", "value": '["x",1]'},
        {"key": "e", "value": ""},
        {"key": "a", "value": "again"},
        {"key": "f", "value": "ü"},
    ]
