"""Node: http, undici, net, dns, pg, ioredis, redis, Prisma, Lambda, BullMQ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Check = Callable[[dict[str, Any], dict[str, Any]], None]

NODE = {"service.name": "bff", "telemetry.sdk.language": "nodejs", "host.name": "h1"}
SCOPE = "@opentelemetry/instrumentation-"


@pytest.mark.parametrize(
    ("scope", "given", "expected"),
    [
        (
            "http",
            {
                "name": "GET /orders/:id",
                "kind": "server",
                "attributes": {
                    "http.request.method": "GET",
                    "url.path": "/orders/17",
                    "url.query": "x=1",
                    "url.scheme": "http",
                    "server.address": "bff.internal",
                    "server.port": 3000,
                    "network.peer.address": "10.0.0.9",
                    "network.peer.port": 51234,
                    "http.response.status_code": 200,
                    "http.route": "/orders/:id",
                    "network.protocol.version": "1.1",
                },
            },
            {
                "extent": "body",
                "role": "none",
                "tier_hint": "unknown",
                "route": "/orders/:id",
                "operation": "GET /orders/:id",
                "peer": "bff.internal",
                "peer_port": 3000,
                "network_peer": "10.0.0.9",
                "grain_ns": 1_000_000,
            },
        ),
        (
            "http",
            {
                "name": "GET",
                "kind": "server",
                "attributes": {
                    "http.method": "GET",
                    "http.target": "/orders/17?x=1",
                    "http.host": "bff.internal:3000",
                    "net.host.name": "bff.internal",
                    "net.host.port": 3000,
                    "http.status_code": 200,
                    "http.flavor": "1.1",
                },
            },
            {
                "extent": "body",
                "route": "/orders/{id}",
                "operation": "GET /orders/{id}",
                "peer": "bff.internal",
                "peer_port": 3000,
                "protocol_version": "1.1",
            },
        ),
        (
            "http",
            {
                "name": "GET",
                "kind": "client",
                "attributes": {
                    "http.method": "GET",
                    "http.url": "http://api.internal:8080/v1/me",
                    "http.target": "/v1/me",
                    "net.peer.name": "api.internal",
                    "net.peer.port": 8080,
                    "net.peer.ip": "10.0.0.7",
                    "http.status_code": 200,
                },
            },
            {"extent": "body", "operation": "GET /v1/me", "peer": "api.internal", "peer_port": 8080, "route": None},
        ),
        (
            "undici",
            {
                "name": "GET",
                "kind": "client",
                "attributes": {
                    "http.request.method": "GET",
                    "url.full": "https://api.internal/v1/me",
                    "url.path": "/v1/me",
                    "server.address": "api.internal",
                    "server.port": "443",
                    "http.response.status_code": 200,
                    "network.peer.address": "::1",
                },
            },
            {"extent": "body", "operation": "GET /v1/me", "peer_port": 443, "network_peer": "::1", "role": "none"},
        ),
        ("dns", {"name": "dns.lookup", "kind": "client", "attributes": {"peer.ipv4": "10.0.0.7"}}, {"role": "dns"}),
        (
            "net",
            {
                "name": "tcp.connect",
                "attributes": {
                    "network.transport": "tcp",
                    "server.address": "api.internal",
                    "server.port": "8080",
                    "network.peer.address": "10.0.0.7",
                },
            },
            {"role": "connect", "peer": "api.internal", "peer_port": 8080, "operation": "tcp.connect"},
        ),
        (
            "net",
            {
                "name": "tls.connect",
                "attributes": {"net.transport": "ip_tcp", "net.peer.name": "api.internal", "net.peer.port": 443},
            },
            {"role": "tls", "peer": "api.internal", "peer_port": 443},
        ),
        ("net", {"name": "ipc.connect"}, {"role": "connect"}),
        ("net", {"name": "connect"}, {"role": "connect"}),
        (
            "pg",
            {
                "name": "pg-pool.connect",
                "kind": "client",
                "attributes": {"db.system.name": "postgresql", "db.postgresql.max.client": 10},
            },
            {"role": "pool_wait", "db_system": "postgresql", "operation": "pg-pool.connect"},
        ),
        (
            "pg",
            {"name": "pg.connect", "kind": "client", "attributes": {"db.system.name": "postgresql"}},
            {"role": "setup", "operation": "pg.connect"},
        ),
        (
            "pg",
            {
                "name": "pg.query:SELECT app",
                "kind": "client",
                "attributes": {
                    "db.system.name": "postgresql",
                    "db.namespace": "app",
                    "db.query.text": "select id from public.orders where id = $1",
                    "server.address": "db.internal",
                    "server.port": 5432,
                },
            },
            {
                "role": "query",
                "db_system": "postgresql",
                "db_namespace": "app",
                "db_operation": "SELECT",
                "db_collection": "orders",
                "operation": "SELECT orders",
                "peer": "db.internal",
                "peer_port": 5432,
            },
        ),
        (
            "pg",
            {
                "name": "pg.query:SELECT app",
                "kind": "client",
                "attributes": {
                    "db.system": "postgresql",
                    "db.name": "app",
                    "db.statement": "SELECT 1",
                    "db.user": "u",
                    "db.connection_string": "postgresql://u:p@db.internal:5432/app",
                },
            },
            {"role": "query", "db_namespace": "app", "operation": "SELECT", "peer": "db.internal"},
        ),
        (
            "ioredis",
            {
                "name": "get",
                "kind": "client",
                "attributes": {
                    "db.system.name": "redis",
                    "db.operation.name": "get",
                    "db.query.text": "get session:17",
                },
            },
            {"role": "query", "db_system": "redis", "db_operation": "GET", "operation": "GET", "db_collection": None},
        ),
        (
            "ioredis",
            {"name": "connect", "kind": "client", "attributes": {"db.system": "redis", "db.statement": "connect"}},
            {"role": "none"},
        ),
        ("redis", {"name": "redis-connect", "kind": "client"}, {"role": "setup", "db_system": "redis"}),
        (
            "redis-4",
            {"name": "redis-GET", "kind": "client", "attributes": {"db.statement": "GET k"}},
            {"role": "query", "db_system": "redis", "operation": "GET"},
        ),
    ],
)
def test_instrumentation(check: Check, scope: str, given: dict[str, Any], expected: dict[str, Any]) -> None:
    check({"scope": SCOPE + scope, "version": "0.70.0", "resource": NODE} | given, expected)


@pytest.mark.parametrize(
    ("name", "kind", "attributes", "expected"),
    [
        ("prisma:client:operation", "internal", {"model": "User", "method": "findMany"}, {"role": "none"}),
        ("prisma:client:connect", "internal", {}, {"role": "setup"}),
        ("prisma:client:serialize", "internal", {}, {"role": "none"}),
        ("prisma:engine", "internal", {}, {"role": "none"}),
        ("prisma:engine:query", "internal", {}, {"role": "none"}),
        ("prisma:engine:itx_runner", "internal", {}, {"role": "none"}),
        (
            "prisma:engine:connection",
            "client",
            {"db.type": "postgres"},
            {"role": "pool_wait", "db_system": "postgresql"},
        ),
        (
            "prisma:engine:db_query",
            "client",
            {"db.statement": 'SELECT "public"."User"."id" FROM "public"."User"'},
            {"role": "query", "db_operation": "SELECT", "db_collection": "User"},
        ),
        (
            "prisma:client:db_query",
            "client",
            {"db.query.text": "INSERT INTO users (id) VALUES ($1)", "db.system.name": "postgresql"},
            {"role": "query", "operation": "INSERT users", "db_system": "postgresql"},
        ),
    ],
)
def test_prisma(check: Check, name: str, kind: str, attributes: dict[str, Any], expected: dict[str, Any]) -> None:
    check({"scope": "prisma", "name": name, "kind": kind, "attributes": attributes}, expected)


def test_lambda(check: Check) -> None:
    scope = SCOPE + "aws-lambda"
    check(
        {
            "scope": scope,
            "name": "checkout",
            "kind": "server",
            "attributes": {"faas.invocation_id": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef", "faas.coldstart": True},
        },
        {
            "extent": "handler",
            "cold_start": True,
            "platform_id": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "tier_hint": "unknown",
        },
    )
    check(
        {
            "scope": scope,
            "name": "process mail",
            "kind": "consumer",
            "attributes": {"messaging.system": "aws_sqs", "messaging.batch.message_count": 1},
            "links": [{"messaging.message.id": "m-1"}],
        },
        {
            "tier_hint": "worker",
            "messaging_system": "aws_sqs",
            "messaging_operation": "process",
            "message_id": "m-1",
        },
    )
    several = {"scope": scope, "name": "process mail", "kind": "consumer"}
    check(several | {"links": [{"messaging.message.id": "m-1"}, {"messaging.message.id": "m-2"}]}, {"message_id": None})
    check(several | {"attributes": {"faas.coldstart": "true"}}, {"cold_start": True})
    check(several | {"attributes": {"faas.coldstart": "false"}}, {"cold_start": False})


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("mail.add", "producer", {"tier_hint": "unknown", "messaging_operation": "send"}),
        ("mail.welcome", "consumer", {"tier_hint": "worker", "messaging_operation": "process"}),
        ("mail.complete", "internal", {"tier_hint": "worker", "messaging_operation": None}),
    ],
)
def test_bullmq(check: Check, name: str, kind: str, expected: dict[str, Any]) -> None:
    given = {"scope": "my-tracer", "name": name, "kind": kind}
    common = {"messaging_system": "bullmq", "messaging_destination": "mail", "message_id": "7", "operation": name}
    check(given | {"attributes": {"bullmq.job.id": "7"}}, common | expected)
    stated = {"bullmq.job.id": 7, "bullmq.job.attempts.made": 1, "bullmq.queue.name": "mail"}
    check(given | {"attributes": stated}, common | expected)
