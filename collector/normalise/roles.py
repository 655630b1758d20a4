"""What a span is: its role, what its end covers, and the tier its code runs in, from who wrote it and how it is named.

Decisions are made once per distinct combination of facts in a batch and copied to the spans; the tables below are
the emitters' own words. Sources: `@vercel/otel`, next (server/lib/trace/constants), Cloudflare's documentation,
otel-cf-workers, Deno, Fastly, opentelemetry-js-contrib, -go-contrib, -python-contrib, otelpgx, otelsql, redisotel,
River, BullMQ, the .NET and Java network spans, Envoy and nginx.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from seamscope.schema import words

NEXT_TYPES: Final = {
    "BaseServer.handleRequest": "request",
    "Next.request": "request",
    "Middleware.execute": "middleware",
    "AppRender.getBodyResult": "render",
    "AppRender.fetch": "fetch",
    "AppRender.waitShellReady": "render",
    "AppRender.renderToReadableStream": "render",
    "AppRender.renderToNodeFizzStream": "render",
    "AppRouteRouteHandlers.runHandler": "handler",
    "Node.runHandler": "handler",
    "Render.getServerSideProps": "render",
    "Render.getStaticProps": "render",
    "Render.renderDocument": "render",
    "ResolveMetadata.generateMetadata": "render",
    "ResolveMetadata.generateViewport": "render",
    "NextNodeServer.findPageComponents": "module_load",
    "NextNodeServer.getLayoutOrPageModule": "module_load",
    "NextNodeServer.createComponentTree": "render",
    "NextNodeServer.startResponse": "first_byte",
    "NextNodeServer.clientComponentLoading": "module_load",
    "LoadComponents.loadRouteModule": "module_load",
    "LoadComponents.loadComponents": "module_load",
    "AppRouteRouteModule.loadUserland": "module_load",
    "RouteModule.prepare": "module_load",
    "RouteModule.loadManifests": "module_load",
    "Instrumentation.loadModule": "module_load",
    "Instrumentation.register": "module_load",
}
"""`next.span_type` → role."""

SPAN_TYPES: Final = ("", *NEXT_TYPES)
ASGI_EVENTS: Final = ("", "http.response.start", "http.response.body")
COMPONENTS: Final = ("", "proxy")
TRIGGERS: Final = (
    "",
    "http",
    "fetch",
    "cron",
    "timer",
    "scheduled",
    "queue",
    "pubsub",
    "datasource",
    "email",
    "alarm",
)
"""`faas.trigger` and `cloudflare.handler_type`."""
_JOB_TRIGGERS: Final = frozenset(TRIGGERS[3:])

PHASE_ROLES: Final = {
    "render": "render",
    "middleware": "middleware",
    "cold_start": "module_load",
    "setup": "setup",
    "dns": "dns",
    "connect": "connect",
    "tls": "tls",
    "pool_wait": "pool_wait",
    "send": "send",
    "network": "network",
    "server_queue": "server_queue",
    "transfer": "transfer",
    "retry": "retry",
    "query": "query",
}
"""Causes that a user's own span can carry (`seamscope.phase`, or `[phases]` in seamscope.toml) → role."""
PHASES: Final = ("", *PHASE_ROLES)

NAMED: Final[dict[tuple[str, str], str]] = {
    ("node_net", "tcp.connect"): "connect",
    ("node_net", "ipc.connect"): "connect",
    ("node_net", "connect"): "connect",
    ("node_net", "tls.connect"): "tls",
    ("node_dns", "dns.*"): "dns",
    ("node_pg", "pg-pool.connect"): "pool_wait",
    ("node_pg", "pg.connect"): "setup",
    ("ioredis", "connect"): "none",  # ended before the connection is there: its length means nothing
    ("node_redis", "redis-connect"): "setup",
    ("prisma", "prisma:engine:connection"): "pool_wait",
    ("prisma", "prisma:client:connect"): "setup",
    ("prisma", "prisma:client:db_query"): "query",
    ("prisma", "prisma:engine:db_query"): "query",
    ("go_httptrace", "http.getconn"): "getconn",
    ("go_httptrace", "http.dns"): "dns",
    ("go_httptrace", "http.connect"): "connect",
    ("go_httptrace", "http.tls"): "tls",
    ("go_httptrace", "http.headers"): "send",
    ("go_httptrace", "http.send"): "send",
    ("go_httptrace", "http.receive"): "receive",
    ("go_pgx", "pool.acquire"): "pool_wait",
    ("go_pgx", "connect"): "setup",
    ("go_sql", "sql.connector.connect"): "setup",
    ("go_sql", "sql.conn.reset_session"): "none",  # runs in the client: only where it lies matters
    ("go_redis", "redis.dial"): "setup",
    ("sqlalchemy", "connect"): "getconn",  # on every checkout: the wait, and a connection where one is opened
    ("asgi", "BackgroundTask *"): "background",
    ("web_load", "documentFetch"): "fetch",
    ("web_load", "resourceFetch"): "fetch",
    ("dotnet_net", "HTTP wait_for_connection *"): "pool_wait",
    ("dotnet_net", "HTTP connection_setup *"): "setup",
    ("dotnet_net", "DNS lookup *"): "dns",
    ("dotnet_net", "socket connect *"): "connect",
    ("dotnet_net", "TLS client handshake *"): "tls",
    ("netty", "RESOLVE"): "dns",
    ("netty", "CONNECT"): "connect",
    ("netty", "SSL handshake"): "tls",
    ("fastly", "FetchEvent"): "request",
    ("workers", "fetchHandler*"): "request",
    ("workers", "queueHandler *"): "none",
    ("workers", "Queues *"): "none",
    ("cloudflare", "cloudflare_request"): "request",
    ("cloudflare", "response"): "body",
    ("cloudflare", "dynamic"): "fetch",
    ("cloudflare", "workers_routing"): "middleware",
    ("cloudflare", "page_rules"): "middleware",
    ("cloudflare", "http_request_*"): "middleware",
    ("cloudflare", "http_response_*"): "middleware",
    ("cloudflare", "http_config_settings"): "middleware",
    ("cloudflare", "http_custom_errors"): "middleware",
    ("cloudflare", "cache_*"): "query",
    ("cloudflare", "kv_*"): "query",
    ("cloudflare", "d1_*"): "query",
    ("cloudflare", "r2_*"): "query",
    ("cloudflare", "durable_object_storage_*"): "query",
}
"""(family, span name) → role."""

_ZONE: Final = (
    "cloudflare_request",
    "workers_routing",
    "http_request_*",
    "http_response_*",
    "http_config_settings",
    "http_custom_errors",
)
"""Names of Cloudflare's zone-level spans that nobody else uses: they tell even without the SDK's name."""

STORE_FAMILIES: Final = frozenset(
    {
        "node_pg",
        "ioredis",
        "node_redis",
        "go_pgx",
        "go_sql",
        "go_redis",
        "sqlalchemy",
        "python_db",
        "workers_kv",
        "workers_d1",
        "workers_do",
        "workers_cache",
    }
)
"""Clients of databases and caches: their other CLIENT spans are statements."""

STORE_SYSTEMS: Final = {
    "cache_*": "cloudflare-cache",
    "kv_*": "cloudflare-kv",
    "d1_*": "cloudflare-d1",
    "r2_*": "cloudflare-r2",
    "durable_object_storage_*": "cloudflare-durable-objects",
    "workers_kv": "cloudflare-kv",
    "workers_d1": "cloudflare-d1",
    "workers_do": "cloudflare-durable-objects",
    "workers_cache": "cloudflare-cache",
    "ioredis": "redis",
    "node_redis": "redis",
    "go_redis": "redis",
}
"""Span name or family → `db.system.name`, where the span itself has none."""

CLIENT_EXTENTS: Final = {
    "vercel_fetch": "body",
    "node_http": "body",
    "node_undici": "body",
    "go_http": "body",
    "go_grpc": "body",
    "web_fetch": "body",
    "web_load": "body",
    "next": "headers",
    "deno": "headers",
    "httpx": "headers",
    "workers": "headers",
    "fastly": "headers",
}
"""What the end of a CLIENT span covers."""

SERVER_EXTENTS: Final = {
    "node_http": "body",
    "asgi": "body",
    "go_grpc": "body",
    "nginx": "body",
    "deno": "headers",
    "go_http": "handler",
    "django": "handler",
    "lambda": "handler",
    "workers": "handler",
}
"""What the end of a SERVER span covers."""

JOB_SYSTEMS: Final = {"celery": "celery", "river": "river", "workers": "cloudflare-queues"}
"""Families whose PRODUCER and CONSUMER spans are of one job system."""

SYSTEMS: Final = ("", *sorted({*JOB_SYSTEMS.values(), *STORE_SYSTEMS.values(), "bullmq"}))

PATTERNS: Final = tuple(
    sorted({name for _, name in NAMED} | {"scheduledHandler *", "Durable Object Alarm *", "queue_send*", "RSC *"})
)
"""Every span name that a decision looks at."""


class Facts(NamedTuple):
    """What a decision may look at; all of it takes few values."""

    family: str
    edge: bool
    """The resource runs at the edge."""
    kind: str
    name: str
    """The pattern of `PATTERNS` that the name fits, '' for none."""
    span_type: str
    asgi_event: str
    phase: str
    component: str
    trigger: str
    old_next: bool
    """Next.js 14 or 15: the scope's version is 0.0.1, and `next.span_category` is not there."""
    new_next: bool
    """Next.js 16 or later: `next.span_category` is there, or the scope states Next's own version."""
    bubbled: bool
    """Next.js threw its result back to its router: this was the pass that only ran the middleware."""
    routed: bool
    """A route was sent."""
    store: bool
    """Attributes of a database call are there."""
    rpc: bool
    bullmq: bool


class Verdict(NamedTuple):
    """What was decided; codes of `seamscope.schema.words`."""

    role: int
    extent: int
    tier: int
    """0: the span does not say."""
    entry: bool
    """A SERVER span: its host is its own, and its route may be learned."""
    named_route: bool
    """A sent `http.route` is a template (nginx sends the location, which is not)."""
    store_system: int
    """Position in `SYSTEMS` of the database that the span's kind implies."""
    job_system: int
    """Position in `SYSTEMS` of the job system that the span belongs to."""
    keeps_name: bool
    """The name, with ids taken out, says best what the span does."""


def _family(facts: Facts) -> str:
    return "cloudflare" if not facts.family and facts.name in _ZONE else facts.family


def _role(facts: Facts, family: str) -> str:  # noqa: PLR0911 - a list of rules, first match wins
    if facts.phase:
        return PHASE_ROLES[facts.phase]
    if facts.span_type:
        return NEXT_TYPES[facts.span_type]
    named = NAMED.get((family, facts.name))
    if named is not None:
        return named
    if facts.asgi_event:
        return "first_byte" if facts.asgi_event == "http.response.start" else "body"
    if family == "cloudflare" and facts.trigger in {"fetch", "http"}:
        return "request"
    if family == "vercel_fetch":
        return "fetch"
    if facts.kind == "client" and (facts.store or family in STORE_FAMILIES):
        return "query"
    return "query" if family.startswith("workers_") else "none"


def _next_extent(facts: Facts) -> str:
    if facts.span_type == "AppRender.getBodyResult":
        # up to 15 it ends when the shell is there, from 16 on when all of it is
        return "headers" if facts.old_next else "body" if facts.new_next else "unknown"
    if facts.span_type == "BaseServer.handleRequest":
        # the pass that only ran the middleware and handed on: 14 and 15 always say so; a page that is not found has
        # no route there either (next/dist/server/base-server.js: `middlewareInvoke`, `err.bubble`)
        return "handler" if facts.bubbled or not (facts.routed or facts.old_next) else "body"
    if facts.span_type in {"Next.request", "AppRouteRouteHandlers.runHandler", "Node.runHandler"}:
        return "handler"
    return "headers" if facts.span_type == "AppRender.fetch" else "unknown"


def _extent(facts: Facts, family: str) -> str:  # noqa: PLR0911 - a list of rules, first match wins
    if facts.span_type:
        return _next_extent(facts)
    if facts.component == "proxy" and facts.kind in {"client", "server"}:
        return "body"
    if family == "cloudflare" and facts.name in {"cloudflare_request", "dynamic"}:
        return "body"
    if family == "web_load":
        return "body" if facts.name in {"documentFetch", "resourceFetch"} else "unknown"
    if facts.kind == "client":
        return CLIENT_EXTENTS.get(family, "body" if facts.rpc else "unknown")
    if facts.kind == "server":
        return SERVER_EXTENTS.get(family, "handler" if facts.rpc else "unknown")
    return "unknown"


def _is_job(facts: Facts, family: str) -> bool:
    if facts.kind == "consumer" or facts.trigger in _JOB_TRIGGERS:
        return True
    if family == "workers" and facts.name in {"scheduledHandler *", "Durable Object Alarm *", "queueHandler *"}:
        return True
    return facts.bullmq and facts.kind != "producer"


def _tier(facts: Facts, family: str) -> str:  # noqa: PLR0911 - a list of rules, first match wins
    if _is_job(facts, family):
        return "worker"
    if facts.span_type in {"Middleware.execute", "Next.request"}:
        return "edge"
    if family == "next":
        return "edge" if facts.edge else "render"
    if family.startswith(("cloudflare", "workers")) or family == "fastly":
        return "edge"
    if facts.name in {"fetchHandler*", "FetchEvent"}:
        return "edge"
    if family == "vercel" and facts.kind == "server":
        return "edge"
    return "origin" if family == "nginx" else "unknown"


def _store_system(facts: Facts, family: str, role: str) -> str:
    if role not in {"query", "setup"}:
        return ""
    return STORE_SYSTEMS.get(facts.name if family == "cloudflare" else family, "")


def _job_system(facts: Facts, family: str) -> str:
    if facts.bullmq:
        return "bullmq"
    is_queue = facts.kind in {"producer", "consumer"} or facts.name in {"queueHandler *", "Queues *"}
    if family == "cloudflare":
        return "cloudflare-queues" if facts.name == "queue_send*" or facts.trigger == "queue" else ""
    return JOB_SYSTEMS.get(family, "") if is_queue else ""


def _keeps_name(facts: Facts, family: str, role: str) -> bool:
    if family in {"celery", "river"} or facts.bullmq:
        return True
    if facts.span_type:
        return role not in {"request", "fetch"}
    return role not in {"none", "request", "fetch", "query"}


@lru_cache(maxsize=16_384)
def decide(facts: Facts) -> Verdict:
    """Decide what spans with these facts are."""
    family = _family(facts)
    role = _role(facts, family)
    return Verdict(
        role=words.code(words.ROLES, role),
        extent=words.code(words.EXTENTS, _extent(facts, family)),
        tier=words.code(words.TIERS, _tier(facts, family)),
        entry=facts.kind == "server",
        named_route=family != "nginx",
        store_system=SYSTEMS.index(_store_system(facts, family, role)),
        job_system=SYSTEMS.index(_job_system(facts, family)),
        keeps_name=_keeps_name(facts, family, role),
    )
