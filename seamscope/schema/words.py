"""The fixed vocabulary. A word's code is its position in its tuple; words are only ever appended.

Columns hold the code (`UTINYINT`), views and JSON hold the word. Code 255 (`UNKNOWN`) means
"not known" where a column cannot be null.
"""

from __future__ import annotations

from typing import Final

UNKNOWN: Final = 255

TIERS: Final = ("unknown", "browser", "edge", "render", "origin", "data", "external", "worker")

CAUSES: Final = (
    "unexplained",
    "compute",
    "render",
    "middleware",
    "cold_start",
    "setup",
    "dns",
    "connect",
    "tls",
    "pool_wait",
    "send",
    "network",
    "server_queue",
    "transfer",
    "retry",
    "query",
    "external_call",
    "unobserved",
    "queue_wait",
    "job",
)

EVIDENCE: Final = ("unexplained", "measured", "linked", "header", "bounded", "inferred")

HORIZONS: Final = ("shell", "complete")

REQUEST_KINDS: Final = ("page", "api", "rpc", "job", "other")

SPAN_KINDS: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")

STATUSES: Final = ("unset", "ok", "error")

GAP_KINDS: Final = (
    "measured",  # both spans cover the same extent: the gap is exact to the clocks' resolution
    "overlapping",  # several server spans under one client span (retries): their union
    "client_ends_at_headers",  # null gap: the client span stops before the body, the server's first byte is unknown
    "server_outlives_client",  # null gap: the server span ends after its client's
    "no_server_span",  # null gap: the callee sent nothing
    "unmeasurable",  # null gap: the caller's clock stands still (Workers)
)

JOINED_BY: Final = ("trace_context", "request_id", "platform_id", "candidate")

WARNINGS: Final = (
    "cycle_cut",
    "duplicate_conflict",
    "end_before_start",
    "lost_parent",
    "late_span",
    "clock_interval_empty",
    "unmeasurable_edge_time",
    "outlives_parent",
    "ambiguous_join",
    "truncated_attribute",
    "stage_failed",
    "time_out_of_range",
)

FINDINGS: Final = (
    "broken_context",
    "request_id_lost",
    "serial_fanout",
    "nonessential_block",
    "uncached_fetch",
    "duplicate_call",
    "n_plus_one",
    "cold_connections",
    "pool_exhausted",
    "server_backlog",
    "retry_storm",
    "far_from_data",
    "edge_over_budget",
    "edge_database",
    "edge_fanout",
    "blocking_flag_service",
    "public_cache_of_personal",
    "stacked_retries",
    "middleware_on_static",
    "cold_start",
    "missing_instrumentation",
    "clock_conflict",
)

ROLES: Final = (
    "none",
    "request",  # a framework's request span (Next.js BaseServer.handleRequest, Next.request)
    "middleware",  # Next.js Middleware.execute, Cloudflare ruleset phases
    "render",  # SSR render (AppRender.getBodyResult, getServerSideProps, renderDocument …)
    "handler",  # a route handler of an SSR framework (executing api route …)
    "first_byte",  # marks the first byte of the response (start response, ASGI http.response.start)
    "body",  # sends response body (ASGI http.response.body)
    "module_load",  # first-request work (load route module, register instrumentation …)
    "fetch",  # a framework's fetch span that may wrap a lower client span (AppRender.fetch, @vercel/otel)
    "getconn",  # waits for a connection: pool wait plus whatever setup lies inside (Go, SQLAlchemy)
    "pool_wait",  # waits for a pooled connection (pg-pool.connect, pool.acquire …)
    "dns",
    "connect",
    "tls",
    "setup",  # dns + connect + tls in one (pg.connect, otelpgx connect, redis.dial, connection_setup)
    "send",  # writes the request (Go http.send, http.headers)
    "receive",  # reads the response (Go http.receive): starts at the first byte
    "query",  # a statement in a database, cache or KV
    "background",  # work that the request does not wait for (BackgroundTask, after(), waitUntil)
    "retry",  # waits between attempts
    "network",  # a user's own phase (seamscope.phase)
    "server_queue",  # a user's own phase (seamscope.phase)
    "transfer",  # a user's own phase (seamscope.phase)
)

EXTENTS: Final = (
    "unknown",
    "headers",  # the span ends when the response headers are there
    "body",  # the span ends when the response body has been read or written
    "handler",  # a server span that ends when the handler returns
)


def code(words: tuple[str, ...], word: str) -> int:
    """Return the code of `word` in `words`; a word that is not in the vocabulary is a `ValueError`."""
    return words.index(word)
