"""Who wrote a span: instrumentation scopes by family. Scope names are the best fingerprint of an emitter."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

_NODE: Final = "@opentelemetry/instrumentation-"
_PYTHON: Final = "opentelemetry.instrumentation."
_GO: Final = "go.opentelemetry.io/contrib/instrumentation/"

WHOLE: Final = {
    "next.js": "next",
    "@vercel/otel/fetch": "vercel_fetch",
    "vercel": "vercel",
    "deno": "deno",
    f"{_NODE}http": "node_http",
    f"{_NODE}undici": "node_undici",
    f"{_NODE}net": "node_net",
    f"{_NODE}dns": "node_dns",
    f"{_NODE}pg": "node_pg",
    f"{_NODE}ioredis": "ioredis",
    f"{_NODE}redis": "node_redis",
    f"{_NODE}redis-4": "node_redis",
    f"{_NODE}aws-lambda": "lambda",
    f"{_NODE}document-load": "web_load",
    f"{_NODE}fetch": "web_fetch",
    f"{_NODE}xml-http-request": "web_fetch",
    "prisma": "prisma",
    f"{_GO}net/http/otelhttp": "go_http",
    "go.opentelemetry.io/otel/instrumentation/httptrace": "go_httptrace",
    f"{_GO}net/http/httptrace/otelhttptrace": "go_httptrace",
    f"{_GO}google.golang.org/grpc/otelgrpc": "go_grpc",
    f"{_GO}github.com/aws/aws-lambda-go/otellambda": "lambda",
    "github.com/exaring/otelpgx": "go_pgx",
    "github.com/XSAM/otelsql": "go_sql",
    f"{_PYTHON}django": "django",
    f"{_PYTHON}asgi": "asgi",
    f"{_PYTHON}fastapi": "asgi",
    f"{_PYTHON}starlette": "asgi",
    f"{_PYTHON}httpx": "httpx",
    f"{_PYTHON}sqlalchemy": "sqlalchemy",
    f"{_PYTHON}redis": "python_db",
    f"{_PYTHON}psycopg": "python_db",
    f"{_PYTHON}psycopg2": "python_db",
    f"{_PYTHON}dbapi": "python_db",
    f"{_PYTHON}celery": "celery",
    f"{_PYTHON}aws_lambda": "lambda",
    "nginx": "nginx",
}

BEGINNINGS: Final = {
    "@fastly/": "fastly",
    "github.com/redis/go-redis/extra/redisotel": "go_redis",
    "github.com/go-redis/redis/extra/redisotel": "go_redis",
    "github.com/riverqueue/": "river",
    "Experimental.System.Net.": "dotnet_net",
    "io.opentelemetry.netty": "netty",
}

WORKERS: Final = {
    "KV": "workers_kv",
    "D1": "workers_d1",
    "do_storage": "workers_do",
    "cache instrumentation": "workers_cache",
}
"""Scopes of otel-cf-workers: short words that mean this only under its SDK."""

FAMILIES: Final = tuple(sorted({"", "cloudflare", "workers", *WHOLE.values(), *BEGINNINGS.values(), *WORKERS.values()}))

SDK_CLASSES: Final = ("", "cloudflare", "workers")
"""What the resource says about the writer: Cloudflare's own tracing, or otel-cf-workers."""


def sdk_class(sdk: str) -> str:
    """Return the class of a `telemetry.sdk.name`."""
    if sdk == "cloudflare":
        return "cloudflare"
    return "workers" if sdk in {"@microlabs/otel-cf-workers", "@microlabs/otel-workers-sdk"} else ""


@lru_cache(maxsize=4096)
def family(scope: str, sdk: str) -> str:
    """Return the family of a scope under a class of SDK; '' where nothing is known of it."""
    if sdk == "cloudflare":
        return "cloudflare"
    if sdk == "workers":
        return WORKERS.get(scope, "workers")
    if scope in WHOLE:
        return WHOLE[scope]
    return next((found for beginning, found in BEGINNINGS.items() if scope.startswith(beginning)), "")
