"""Cloudflare (native, zone level, otel-cf-workers), Deno and Fastly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Check = Callable[[dict[str, Any], dict[str, Any]], None]

NATIVE = {
    "service.name": "front",
    "cloud.provider": "cloudflare",
    "cloud.platform": "cloudflare.workers",
    "telemetry.sdk.name": "cloudflare",
    "telemetry.sdk.language": "javascript",
}
WORKERS = {
    "service.name": "front",
    "cloud.provider": "cloudflare",
    "cloud.platform": "cloudflare.workers",
    "cloud.region": "earth",
    "telemetry.sdk.name": "@microlabs/otel-cf-workers",
    "telemetry.sdk.language": "js",
}
OLD_WORKERS = WORKERS | {"telemetry.sdk.name": "@microlabs/otel-workers-sdk"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {
                "name": "GET",
                "kind": "server",
                "attributes": {
                    "faas.trigger": "http",
                    "cloudflare.ray_id": "8f0a1b2c3d4e5f60",
                    "cloudflare.handler_type": "fetch",
                    "cloudflare.outcome": "ok",
                    "cloudflare.colo": "FRA",
                    "cloudflare.cpu_time_ms": 3,
                    "cloudflare.wall_time_ms": 41.5,
                    "cloudflare.response.time_to_first_byte_ms": 12.25,
                    "cloudflare.invocation.sequence.number": 1,
                    "faas.invocation_id": "inv-1",
                    "url.full": "https://shop.example.com/orders/17?x=1",
                    "http.request.method": "GET",
                },
            },
            {
                "role": "request",
                "tier_hint": "edge",
                "place": "FRA",
                "platform_id": "8f0a1b2c3d4e5f60",
                "cpu_ns": 3_000_000,
                "wall_ns": 41_500_000,
                "first_byte_ns": 12_250_000,
                "sequence": 1,
                "route": "/orders/{id}",
                "operation": "GET /orders/{id}",
                "peer": "shop.example.com",
                "error_type": None,
                "grain_ns": 1_000_000,
            },
        ),
        (
            {"name": "GET", "attributes": {"faas.trigger": "http", "cloudflare.outcome": "exceededCpu"}},
            {"error_type": "exceededCpu", "role": "request"},
        ),
        (
            {
                "name": "fetch",
                "kind": "client",
                "attributes": {
                    "url.full": "https://api.internal/v1/me",
                    "server.address": "api.internal",
                    "http.request.method": "GET",
                    "http.response.status_code": 200,
                },
            },
            {"role": "none", "extent": "unknown", "tier_hint": "edge", "operation": "GET /v1/me"},
        ),
        (
            {"name": "cache_match", "attributes": {"cache.response.cache_status": "HIT"}},
            {"role": "query", "db_system": "cloudflare-cache", "cache_status": "hit", "operation": "cache_match"},
        ),
        (
            {"name": "kv_get", "attributes": {"cloudflare.kv.response.cache_status": "MISS"}},
            {"role": "query", "db_system": "cloudflare-kv", "cache_status": "miss", "tier_hint": "edge"},
        ),
        (
            {
                "name": "d1_all",
                "attributes": {
                    "db.query.text": "SELECT * FROM users WHERE id = ?",
                    "cloudflare.d1.response.sql_duration_ms": 0.3078,
                    "cloudflare.d1.response.total_attempts": 2,
                },
            },
            {
                "role": "query",
                "db_system": "cloudflare-d1",
                "engine_ns": 307_800,
                "resend_count": 1,
                "db_operation": "SELECT",
                "db_collection": "users",
            },
        ),
        ({"name": "r2_get"}, {"role": "query", "db_system": "cloudflare-r2"}),
        ({"name": "durable_object_storage_get"}, {"role": "query", "db_system": "cloudflare-durable-objects"}),
        ({"name": "durable_object_subrequest", "kind": "client"}, {"role": "none", "tier_hint": "edge"}),
        ({"name": "queue_send"}, {"messaging_system": "cloudflare-queues", "tier_hint": "edge"}),
        (
            {
                "name": "queue",
                "kind": "consumer",
                "attributes": {
                    "faas.trigger": "queue",
                    "cloudflare.handler_type": "queue",
                    "cloudflare.queue.name": "mail",
                    "cloudflare.queue.batch_size": 5,
                },
            },
            {
                "tier_hint": "worker",
                "messaging_system": "cloudflare-queues",
                "messaging_destination": "mail",
                "messaging_operation": "process",
            },
        ),
        ({"name": "cron", "attributes": {"cloudflare.handler_type": "scheduled"}}, {"tier_hint": "worker"}),
        ({"name": "alarm", "attributes": {"cloudflare.handler_type": "alarm"}}, {"tier_hint": "worker"}),
        ({"name": "email", "attributes": {"faas.trigger": "email"}}, {"tier_hint": "worker"}),
    ],
)
def test_cloudflare_native(check: Check, given: dict[str, Any], expected: dict[str, Any]) -> None:
    check({"resource": NATIVE} | given, expected)


@pytest.mark.parametrize(
    ("name", "role", "extent"),
    [
        ("cloudflare_request", "request", "body"),
        ("response", "body", "unknown"),
        ("dynamic", "fetch", "body"),
        ("cache", "none", "unknown"),
        ("upstream", "none", "unknown"),
        ("workers_routing", "middleware", "unknown"),
        ("page_rules", "middleware", "unknown"),
        ("http_request_firewall_managed", "middleware", "unknown"),
        ("http_request_dynamic_redirect", "middleware", "unknown"),
        ("http_config_settings", "middleware", "unknown"),
        ("http_custom_errors", "middleware", "unknown"),
        ("http_response_headers_transform", "middleware", "unknown"),
    ],
)
def test_cloudflare_zone(check: Check, name: str, role: str, extent: str) -> None:
    check({"name": name, "resource": NATIVE}, {"role": role, "extent": extent, "tier_hint": "edge", "operation": name})


@pytest.mark.parametrize("name", ["cloudflare_request", "http_request_transform", "workers_routing"])
def test_zone_spans_are_known_by_their_names_alone(check: Check, name: str) -> None:
    check({"name": name}, {"tier_hint": "edge"})
    check({"name": "response"}, {"tier_hint": "unknown", "role": "none"})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {
                "scope": "handler",
                "name": "fetchHandler GET",
                "kind": "server",
                "attributes": {
                    "faas.trigger": "http",
                    "faas.coldstart": True,
                    "faas.invocation_id": "8f0a1b2c3d4e5f60-FRA",
                    "http.request.method": "GET",
                    "url.full": "https://shop.example.com/",
                    "server.address": "shop.example.com",
                    "http.response.status_code": 200,
                    "net.colo": "FRA",
                    "net.tcp_rtt": 12,
                },
            },
            {
                "role": "request",
                "extent": "handler",
                "tier_hint": "edge",
                "cold_start": True,
                "platform_id": "8f0a1b2c3d4e5f60",
                "place": "FRA",
                "route": "/",
                "operation": "GET /",
                "grain_ns": 1_000_000,
            },
        ),
        (
            {
                "scope": "fetcher",
                "name": "fetch GET api.internal",
                "kind": "client",
                "attributes": {"http.request.method": "GET", "url.full": "https://api.internal/v1/me"},
            },
            {"role": "none", "extent": "headers", "tier_hint": "edge", "operation": "GET /v1/me"},
        ),
        (
            {
                "scope": "KV",
                "name": "KV SESSIONS get",
                "kind": "client",
                "attributes": {"db.system": "Cloudflare KV", "db.cf.kv.cache_status": "hit"},
            },
            {"role": "query", "db_system": "cloudflare-kv", "cache_status": "hit", "tier_hint": "edge"},
        ),
        (
            {
                "scope": "D1",
                "name": "app all",
                "kind": "client",
                "attributes": {"db.system": "Cloudflare D1", "db.statement": "SELECT 1", "db.cf.d1.duration": 1.5},
            },
            {"role": "query", "db_system": "cloudflare-d1", "engine_ns": 1_500_000, "operation": "SELECT"},
        ),
        (
            {"scope": "do_storage", "name": "Durable Object Storage get", "kind": "client"},
            {"role": "query", "db_system": "cloudflare-durable-objects"},
        ),
        (
            {
                "scope": "cache instrumentation",
                "name": "Cache default match",
                "kind": "client",
                "attributes": {"cache.hit": False},
            },
            {"role": "query", "db_system": "cloudflare-cache", "cache_status": "miss"},
        ),
        (
            {"scope": "DO fetchHandler", "name": "Durable Object Fetch room", "kind": "server"},
            {"tier_hint": "edge", "role": "none", "extent": "handler"},
        ),
        ({"scope": "DO alarmHandler", "name": "Durable Object Alarm room"}, {"tier_hint": "worker"}),
        ({"scope": "handler", "name": "scheduledHandler * * * * *"}, {"tier_hint": "worker"}),
        (
            {"scope": "fetcher", "name": "Service Binding auth", "kind": "client"},
            {"tier_hint": "edge", "extent": "headers", "role": "none"},
        ),
        (
            {
                "scope": "handler",
                "name": "queueHandler mail",
                "kind": "consumer",
                "attributes": {"queue.messages_count": 2},
                "events": [
                    (
                        "messageAck",
                        10,
                        {"queue.message_id": "m-1", "queue.message_timestamp": "2027-01-15T08:00:00.500Z"},
                    ),
                    (
                        "messageRetry",
                        20,
                        {"queue.message_id": "m-2", "queue.message_timestamp": "2027-01-15T07:59:59.250Z"},
                    ),
                ],
            },
            {
                "tier_hint": "worker",
                "messaging_system": "cloudflare-queues",
                "messaging_operation": "process",
                "messaging_destination": "mail",
                "enqueued_ns": 1_799_999_999_250_000_000,
                "message_id": "m-2",
            },
        ),
        (
            {"scope": "queueSender", "name": "Queues mail send", "kind": "producer"},
            {
                "tier_hint": "edge",
                "messaging_system": "cloudflare-queues",
                "messaging_operation": "send",
                "messaging_destination": "mail",
            },
        ),
    ],
)
def test_otel_cf_workers(check: Check, given: dict[str, Any], expected: dict[str, Any]) -> None:
    check({"resource": WORKERS} | given, expected)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {
                "name": "fetchHandler",
                "kind": "server",
                "attributes": {"http.method": "GET", "http.url": "https://shop.example.com/orders/1"},
            },
            {"role": "request", "tier_hint": "edge", "operation": "GET /orders/{id}"},
        ),
        (
            {
                "name": "fetch: api.internal",
                "kind": "client",
                "attributes": {"http.method": "GET", "http.url": "https://api.internal/v1/me"},
            },
            {"extent": "headers", "tier_hint": "edge", "operation": "GET /v1/me", "peer": "api.internal"},
        ),
    ],
)
def test_otel_cf_workers_before_its_new_conventions(
    check: Check, given: dict[str, Any], expected: dict[str, Any]
) -> None:
    check({"resource": OLD_WORKERS, "scope": "handler"} | given, expected)


DENO = {
    "process.runtime.name": "deno",
    "telemetry.sdk.name": "deno-opentelemetry",
    "telemetry.sdk.language": "deno-rust",
    "service.name": "<unknown_service>",
}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {
                "name": "GET",
                "kind": "server",
                "attributes": {
                    "http.request.method": "GET",
                    "url.full": "http://localhost:8000/users/42?x=1",
                    "url.scheme": "http",
                    "url.path": "/users/42",
                    "url.query": "x=1",
                    "http.response.status_code": "200",
                },
            },
            {
                "extent": "headers",
                "http_status": 200,
                "route": "/users/{id}",
                "operation": "GET /users/{id}",
                "grain_ns": 1,
                "peer": "localhost",
                "peer_port": 8000,
            },
        ),
        (
            {
                "name": "GET",
                "kind": "client",
                "attributes": {
                    "http.request.method": "GET",
                    "url.full": "https://api.internal/v1/me",
                    "http.response.status_code": "503",
                },
            },
            {"extent": "headers", "http_status": 503, "peer": "api.internal", "peer_port": 443, "route": None},
        ),
    ],
)
def test_deno(check: Check, given: dict[str, Any], expected: dict[str, Any]) -> None:
    check({"resource": DENO, "scope": "deno", "version": "2.5.0"} | given, expected)


FASTLY = {"scope": "@fastly/compute-js-opentelemetry", "resource": {"service.name": "cdn"}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {
                "name": "FetchEvent",
                "kind": "server",
                "attributes": {"http.method": "GET", "http.url": "https://shop.example.com/a", "http.status_code": 200},
            },
            {"role": "request", "tier_hint": "edge", "extent": "unknown", "operation": "GET /a"},
        ),
        ({"name": "listener fn"}, {"role": "none", "tier_hint": "edge"}),
        ({"name": "event.respondWith"}, {"role": "none", "tier_hint": "edge"}),
        (
            {
                "name": "Backend Fetch",
                "kind": "client",
                "attributes": {"http.method": "GET", "http.url": "https://api.internal/v1/me"},
            },
            {"extent": "headers", "tier_hint": "edge", "operation": "GET /v1/me"},
        ),
    ],
)
def test_fastly(check: Check, given: dict[str, Any], expected: dict[str, Any]) -> None:
    check(FASTLY | given, expected)
