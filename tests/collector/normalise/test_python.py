"""Python: Django, ASGI and FastAPI, httpx, psycopg, SQLAlchemy, redis, Celery, Lambda."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Check = Callable[[dict[str, Any], dict[str, Any]], None]

PYTHON = {"service.name": "api", "telemetry.sdk.language": "python"}
SCOPE = "opentelemetry.instrumentation."
START_NS = 1_800_000_000_000_000_000


@pytest.mark.parametrize(
    ("scope", "given", "expected"),
    [
        (
            "django",
            {
                "name": "GET v1/orders/<int:pk>/",
                "kind": "server",
                "attributes": {
                    "http.method": "GET",
                    "http.url": "http://api:8000/v1/orders/17/?x=1",
                    "http.route": "v1/orders/<int:pk>/",
                    "http.status_code": 200,
                    "net.host.name": "api",
                    "net.host.port": 8000,
                    "http.flavor": "1.1",
                },
            },
            {
                "extent": "handler",
                "route": "/v1/orders/<int:pk>/",
                "operation": "GET /v1/orders/<int:pk>/",
                "peer": "api",
                "peer_port": 8000,
            },
        ),
        (
            "django",
            {
                "name": "GET ^v1/orders/(?P<pk>\\d+)/?$",
                "attributes": {
                    "http.method": "GET",
                    "http.target": "/v1/orders/17",
                    "http.route": "^v1/orders/(?P<pk>\\d+)/?$",
                },
            },
            {"extent": "unknown", "route": "^v1/orders/(?P<pk>\\d+)/?$"},
        ),
        (
            "fastapi",
            {
                "name": "GET /v1/{name}",
                "kind": "server",
                "attributes": {
                    "http.method": "GET",
                    "http.target": "/v1/me",
                    "http.route": "/v1/{name}",
                    "http.status_code": 200,
                    "http.request.header.x_request_id": ["r-1"],
                },
            },
            {"extent": "body", "route": "/v1/{name}", "operation": "GET /v1/{name}", "correlation_id": "r-1"},
        ),
        (
            "asgi",
            {"name": "GET /v1/{name} http send", "attributes": {"asgi.event.type": "http.response.start"}},
            {"role": "first_byte", "operation": "GET /v1/{name} http send"},
        ),
        (
            "starlette",
            {"name": "GET /v1/{name} http send", "attributes": {"asgi.event.type": "http.response.body"}},
            {"role": "body"},
        ),
        (
            "asgi",
            {"name": "GET /v1/{name} http receive", "attributes": {"asgi.event.type": "http.request"}},
            {"role": "none"},
        ),
        ("fastapi", {"name": "BackgroundTask send_mail"}, {"role": "background", "tier_hint": "unknown"}),
        (
            "httpx",
            {
                "name": "GET",
                "kind": "client",
                "attributes": {"http.method": "GET", "http.url": "http://stock:8080/v1/stock/42"},
            },
            {"extent": "headers", "operation": "GET /v1/stock/{id}", "peer": "stock"},
        ),
        (
            "psycopg",
            {
                "name": "SELECT",
                "kind": "client",
                "attributes": {
                    "db.system": "postgresql",
                    "db.name": "app",
                    "db.statement": "SELECT * FROM orders",
                    "net.peer.name": "db",
                    "net.peer.port": 5432,
                },
            },
            {"role": "query", "operation": "SELECT orders", "peer": "db", "db_namespace": "app"},
        ),
        (
            "sqlalchemy",
            {"name": "connect", "kind": "client", "attributes": {"db.system": "postgresql"}},
            {"role": "getconn", "operation": "connect"},
        ),
        (
            "sqlalchemy",
            {
                "name": "select app",
                "kind": "client",
                "attributes": {
                    "db.system": "postgresql",
                    "db.operation": "select app",
                    "db.statement": "select id from orders",
                },
            },
            {"role": "query", "db_operation": "SELECT", "operation": "SELECT orders"},
        ),
        (
            "redis",
            {
                "name": "GET",
                "kind": "client",
                "attributes": {
                    "db.system": "redis",
                    "db.redis.database_index": 0,
                    "db.statement": "GET ?",
                    "db.redis.args_length": 2,
                },
            },
            {"role": "query", "operation": "GET", "db_namespace": "0"},
        ),
        (
            "celery",
            {
                "name": "apply_async/orders.ship",
                "kind": "producer",
                "duration_ns": 2_000_000,
                "attributes": {
                    "celery.action": "apply_async",
                    "celery.task_name": "orders.ship",
                    "messaging.message.id": "t-1",
                    "messaging.destination": "celery",
                    "celery.countdown": 5,
                },
            },
            {
                "messaging_system": "celery",
                "messaging_operation": "send",
                "messaging_destination": "celery",
                "message_id": "t-1",
                "operation": "apply_async/orders.ship",
                "enqueued_ns": START_NS + 5_002_000_000,
                "tier_hint": "unknown",
            },
        ),
        (
            "celery",
            {
                "name": "run/orders.ship",
                "kind": "consumer",
                "attributes": {
                    "celery.action": "run",
                    "messaging.message.id": "t-1",
                    "celery.queue": "mail",
                    "celery.eta": "2027-01-15T08:00:00+00:00",
                    "celery.retries": 1,
                },
            },
            {
                "messaging_system": "celery",
                "messaging_operation": "process",
                "messaging_destination": "mail",
                "message_id": "t-1",
                "operation": "run/orders.ship",
                "enqueued_ns": START_NS,
                "resend_count": 1,
                "tier_hint": "worker",
            },
        ),
        (
            "aws_lambda",
            {
                "name": "checkout",
                "kind": "server",
                "attributes": {
                    "faas.trigger": "http",
                    "faas.invocation_id": "i-1",
                    "http.method": "POST",
                    "http.route": "/checkout",
                },
            },
            {"extent": "handler", "platform_id": "i-1", "route": "/checkout", "tier_hint": "unknown"},
        ),
        (
            "aws_lambda",
            {
                "name": "process mail",
                "kind": "consumer",
                "attributes": {"messaging.system": "aws_sqs", "messaging.batch.message_count": 2},
            },
            {"tier_hint": "worker", "messaging_system": "aws_sqs", "messaging_operation": "process"},
        ),
    ],
)
def test_python(check: Check, scope: str, given: dict[str, Any], expected: dict[str, Any]) -> None:
    check({"scope": SCOPE + scope, "version": "0.66b2", "resource": PYTHON} | given, expected)
