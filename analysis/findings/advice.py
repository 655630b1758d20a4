"""The next step, in the words of the emitter at hand: the setting, and the value that was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

_SHORTER: Final = "or make what holds connections shorter"
_HTTP: Final = f"if {{callee}} can serve so many at once, {_SHORTER}"
_AGENT: Final = f"setGlobalDispatcher(new Agent({{{{ connections: {{demand}} }}}})) of undici, {_HTTP}"
_POOLS: Final = {
    "otelpgx": f"Set pool_max_conns={{demand}} in the pgx connection string, {_SHORTER}",
    "sqlalchemy": f"create_engine(…, pool_size={{demand}}, max_overflow=0), {_SHORTER}",
    "instrumentation-pg": f"new Pool({{{{ max: {{demand}} }}}}) in pg, {_SHORTER}",
    "otelsql": f"db.SetMaxOpenConns({{demand}}), {_SHORTER}",
    "prisma": f"Add connection_limit={{demand}} to the database URL, {_SHORTER}",
    "psycopg": f"ConnectionPool(…, max_size={{demand}}), {_SHORTER}",
    "django": f"OPTIONS pool max_size={{demand}} in DATABASES, {_SHORTER}",
    "redis": f"Set the client's pool size to {{demand}}, {_SHORTER}",
    "net/http/otelhttp": (
        f"http.Transport{{{{ MaxConnsPerHost: {{demand}}, MaxIdleConnsPerHost: {{demand}} }}}}, {_HTTP}"
    ),
    "undici": _AGENT,
    "@vercel/otel": _AGENT,
    "next.js": _AGENT,
    "instrumentation-http": f"new http.Agent({{{{ keepAlive: true, maxSockets: {{demand}} }}}}), {_HTTP}",
}
_UNDICI: Final = (
    "One undici Agent with keepAliveTimeout above the pause between calls; let {callee} keep connections open"
)
_KEEP: Final = {
    "net/http/otelhttp": (
        "Read response bodies to the end and close them, share one http.Client, and set MaxIdleConnsPerHost above 2; "
        "if that is so, let {callee} keep connections open (no Connection: close, a longer idle timeout)"
    ),
    "otelpgx": "Keep connections: pool_min_conns, and pool_max_conn_lifetime and pool_max_conn_idle_time long enough",
    "instrumentation-pg": "Use one Pool and a longer idleTimeoutMillis",
    "sqlalchemy": "Use a pool (no NullPool), with pool_recycle long enough",
    "django": "CONN_MAX_AGE above 0 (or OPTIONS pool) in DATABASES",
    "undici": _UNDICI,
    "@vercel/otel": _UNDICI,
    "next.js": _UNDICI,
    "instrumentation-http": "new http.Agent({{ keepAlive: true }}), shared; let {callee} keep connections open",
    "httpx": "One httpx.Client for all calls, with keepalive_expiry above the pause between them",
}
_DJANGO: Final = "prefetch_related or select_related in Django's ORM, selectinload in SQLAlchemy's, or one = ANY(…)"
_AT_ONCE: Final = {
    "otelpgx": "One statement for all of them (WHERE id = ANY($1), a join), or a pgx.Batch in one round trip",
    "django": _DJANGO,
    "psycopg": _DJANGO,
    "sqlalchemy": "selectinload or joinedload in SQLAlchemy, or one statement with IN (…)",
    "prisma": "include in one findMany of Prisma, or where: {{ id: {{ in: […] }} }}",
    "instrumentation-pg": "One statement for all of them: WHERE id = ANY($1), or a join",
    "redis": "MGET, or a pipeline",
}
_PROMISES: Final = "await Promise.all([…])"
_TOGETHER: Final = {
    "net/http/otelhttp": "errgroup.Group",
    "undici": _PROMISES,
    "@vercel/otel": _PROMISES,
    "next.js": _PROMISES,
    "instrumentation-http": _PROMISES,
    "instrumentation-fetch": _PROMISES,
    "otel-cf-workers": _PROMISES,
    "fetcher": _PROMISES,
    "deno": _PROMISES,
    "httpx": "asyncio.gather with one AsyncClient",
    "aiohttp": "asyncio.gather",
    "requests": "a ThreadPoolExecutor",
}
_ANY_TOGETHER: Final = "await Promise.all([…]), errgroup, asyncio.gather"
_OPENING: Final = {
    "dns": "Looking up the name takes most of it: look at the resolver of {caller}, and keep its answers in a cache",
    "connect": "Connecting takes most of it: {callee} is far, or slow to accept",
    "tls": "The handshake takes most of it: TLS 1.3 and session resumption save round trips, and see what holds it",
}
_MOST: Final = 0.5
_REGISTERED: Final = "Keep the W3C propagator of the SDK registered, and let {callee} read traceparent"
_VERCEL: Final = "instrumentationConfig: {{ fetch: {{ propagateContextUrls: [/{host}/] }} }}"
_WORKERS: Final = "Set fetch.includeTraceContext for {host} in the instrumentation's configuration"
_CONTEXT: Final = {
    "@vercel/otel": f"Add {_VERCEL} to registerOTel in instrumentation.ts",
    "otel-cf-workers": _WORKERS,
    "fetcher": _WORKERS,
    "cloudflare": "Turn on 'Forward to origin' in the zone's trace settings, and let {callee} accept what comes",
    "next.js": f"Use @vercel/otel in instrumentation.ts, with {_VERCEL}",
    "deno": "Deno sends traceparent by itself: let {callee} read it",
    "net/http/otelhttp": (
        "otel.SetTextMapPropagator(propagation.TraceContext{{}}) before the first call, and otelhttp.NewTransport "
        "around the client's transport"
    ),
    "undici": _REGISTERED,
    "instrumentation-http": _REGISTERED,
}


def _by_scope(calls: pl.DataFrame, table: Mapping[str, str], otherwise: str, **values: object) -> str:
    """Take the line of the emitter that sent most of these calls."""
    scopes = calls.get_column("scope").drop_nulls().value_counts(sort=True).get_column("scope").to_list()
    for scope in scopes:
        for part, line in table.items():
            if part in str(scope).lower():
                return line.format(**values)
    return otherwise.format(**values)


def _names(calls: pl.DataFrame) -> dict[str, object]:
    hosts = calls.get_column("peer").drop_nulls()
    host = str(hosts[0]).replace(".", r"\.") if hosts.len() else "the callee's host"
    return {"callee": calls["callee"][0], "caller": calls["caller"][0], "host": host}


def pool(calls: pl.DataFrame, demand: int) -> str:
    """Name the pool's size setting and the measured demand."""
    line = _by_scope(calls, _POOLS, "Give the client's pool {demand} connections", demand=demand, **_names(calls))
    return f"{line}; measured: {demand} at once at most"


def demand_of(demand: int, used: int) -> str:
    """Say how many wanted a connection at once, and how many had one where that can be told apart."""
    wanted = f"up to {demand} calls wanted one at once"
    return f"{wanted}, at most {used} had it" if used < demand else wanted


def keep_alive(calls: pl.DataFrame, phases: Mapping[str, float]) -> str:
    """Name what keeps connections open, and what to look at in opening one (`phases`: mean ns by part)."""
    line = _by_scope(calls, _KEEP, "Keep connections to {callee} open between calls (keep-alive)", **_names(calls))
    whole = sum(phases.values())
    longest = max(phases, key=lambda name: phases[name], default="")
    if longest not in _OPENING or phases[longest] < _MOST * whole:
        return line
    return f"{line}. {_OPENING[longest].format(**_names(calls))}"


def together(calls: pl.DataFrame) -> str:
    """Say how to start calls at once, in the language of their emitter."""
    how = _by_scope(calls, _TOGETHER, _ANY_TOGETHER)
    return f"Start them together, unless one is only to be made if another succeeds: {how}"


def at_once(calls: pl.DataFrame, operation: str) -> str:
    """Say how to ask once instead of once per element, in the words of the client at hand."""
    line = _by_scope(calls, _AT_ONCE, "Ask once for all of them (a list of ids in one call)", **_names(calls))
    return f"{line}: {operation}"


def context(calls: pl.DataFrame) -> str:
    """Name the line that makes context cross the seam."""
    return _by_scope(calls, _CONTEXT, "Send traceparent to {host}, and let {callee} read it", **_names(calls))


def backlog(calls: pl.DataFrame) -> str:
    """Say how to have a callee take up requests sooner."""
    return (
        f"Give {calls['callee'][0]} more workers or instances, or take work out of them: requests arrive faster than "
        f"they are taken up"
    )


def nonessential(calls: pl.DataFrame) -> str:
    """Say how to let a page go ahead without a call."""
    if str(calls["caller"][0]).startswith("render:"):
        return "Put what needs it into a <Suspense> boundary, or give it a timeout of a few milliseconds and a default"
    return "Start it early and do not wait for it: a timeout of a few milliseconds and a default"


def retries(calls: pl.DataFrame) -> str:
    """Say how to have retries do less harm."""
    return (
        f"Find out why {calls['callee'][0]} fails first; then retry at most once, with jitter, within the caller's "
        f"deadline and a retry budget"
    )


def uninstrumented(calls: pl.DataFrame, seen: int) -> str:
    """Say how to get the callee's spans: it sends some (sampling, loss), or none."""
    callee = calls["callee"][0]
    if seen:
        return (
            f"Let {callee} follow its caller's sampling decision (a parent-based sampler), and look for dropped batches"
        )
    return f"Instrument {callee}, or give it a [peers] line in seamscope.toml if it is not yours"


def cold_start(owner: str) -> str:
    """Say how to have something running before it is needed."""
    if owner.startswith("edge:"):
        return "Make the bundle smaller, and move what runs at import into the handler"
    return "Keep an instance warm (a minimum number, provisioned concurrency), and load less at start"
