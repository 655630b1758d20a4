"""What would explain the rest of a seam: which instrumentation tells what is not told there, in its emitter's words."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from seamscope.reading.request_parts import PHASES, word
from seamscope.results import Lacking
from seamscope.schema.words import GAP_KINDS, TIERS, WARNINGS
from seamscope.statements import statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from seamscope.selection.predicate import Predicate
    from seamscope.store import Reader

_SIDES: Final = re.compile(rf"^(.*)→((?:{'|'.join(TIERS)}):.*)$", re.DOTALL)
_MISFIT: Final = WARNINGS.index("clock_interval_empty")
_OTHERS: Final = ("data", "external")
"""Tiers that send no spans of their own."""

_HTTPTRACE: Final = (
    "otelhttptrace: otelhttp.NewTransport(base, otelhttp.WithClientTrace(func(ctx context.Context) "
    "*httptrace.ClientTrace { return otelhttptrace.NewClientTrace(ctx) }))"
)
_NODE: Final = "@opentelemetry/instrumentation-net and @opentelemetry/instrumentation-dns beside the SDK"
_NETTY: Final = (
    "otel.instrumentation.netty.connection-telemetry.enabled=true and otel.instrumentation.netty.ssl-telemetry.enabled"
    "=true"
)
_DOTNET: Final = (
    'AddSource("Experimental.System.Net.Http.Connections", "Experimental.System.Net.NameResolution", '
    '"Experimental.System.Net.Sockets", "Experimental.System.Net.Security")'
)
_OWN: Final = "a span around it with the attribute seamscope.phase (dns, connect, tls, pool_wait)"
_CONNECTION: Final = {
    "net/http/otelhttp": _HTTPTRACE,
    "otelgrpc": f"otelgrpc tells of no connection: {_OWN}, in grpc.WithContextDialer",
    "undici": _NODE,
    "instrumentation-http": _NODE,
    "@vercel/otel": _NODE,
    "next.js": _NODE,
    "httpx": "httpx's trace extension (request.extensions['trace']) tells of connecting and TLS: " + _OWN,
    "document-load": "Timing-Allow-Origin in the callee's responses: without it browsers keep the timings back",
    "instrumentation-fetch": "Timing-Allow-Origin in the callee's responses: without it browsers keep the timings back",
    "instrumentation-xml": "Timing-Allow-Origin in the callee's responses: without it browsers keep the timings back",
    "nginx": "otel_span_attr with $upstream_connect_time",
    "envoy": "verbose: true in Envoy's tracing, for its upstream events",
    "System.Net.Http": _DOTNET,
    "netty": _NETTY,
    # languages, where no scope is known
    "go": _HTTPTRACE,
    "nodejs": _NODE,
    "java": _NETTY,
    "dotnet": _DOTNET,
}
_POOL_SPAN: Final = "a span named db.pool.wait around the pool's checkout"
_POOL: Final = {
    "otelpgx": "otelpgx as the tracer of pgxpool too (pgxpool.Config.ConnConfig.Tracer, pgx 5.6 on): pool.acquire",
    "instrumentation-pg": "ignoreConnectSpans: false in @opentelemetry/instrumentation-pg: pg-pool.connect",
    "otelsql": f"database/sql tells of no wait for its pool: {_POOL_SPAN} (db.Conn), or otelpgx with pgxpool",
    "prisma": "previewFeatures tracing of Prisma's engine: prisma:engine:connection",
    "psycopg": f"psycopg tells of no pool: {_POOL_SPAN} (pool.connection())",
    "django": f"Django tells of no pool: {_POOL_SPAN} (connection.ensure_connection())",
    "sqlalchemy": "opentelemetry-instrumentation-sqlalchemy on the engine itself: its connect spans are checkouts",
}
_CAPTURE: Final = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST=x-request-start"
_QUEUE: Final = {
    "django": _CAPTURE,
    "asgi": _CAPTURE,
    "fastapi": _CAPTURE,
    "flask": _CAPTURE,
    "wsgi": _CAPTURE,
    "instrumentation-http": "headersToSpanAttributes: { server: { requestHeaders: ['x-request-start'] } }",
    "otelhttp": 'span.SetAttributes(attribute.StringSlice("http.request.header.x-request-start", …)) in the handler',
}
_CALLER_BODY: Final = {
    "next.js": (
        "fetch spans that end with the body: @vercel/otel's, or @opentelemetry/instrumentation-undici's with "
        "NEXT_OTEL_FETCH_DISABLED=1"
    ),
}
_RECEIVING: Final = {
    "net/http/otelhttp": _HTTPTRACE,
    "next.js": "@vercel/otel, whose fetch spans tell when the response began (http.response_time)",
}
_READING: Final = "a span around the reading of the body with the attribute seamscope.phase=transfer"
_FIRST_BYTE: Final = {
    "django": (
        "Django's span says nothing of the first byte: opentelemetry-instrumentation-asgi around the application"
    ),
    "asgi": "ASGI's 'http send' spans (leave 'send' out of exclude_spans)",
    "fastapi": "ASGI's 'http send' spans (leave 'send' out of exclude_spans)",
}


class Side(NamedTuple):
    """Who sends the spans on one side of a seam."""

    scope: str
    language: str


def sides(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Side]]:
    """Give seam → `caller`, `callee` → who sent most of the spans looked at (rows of `report/seam_emitters.sql`)."""
    found: dict[str, dict[str, Side]] = defaultdict(dict)
    for row in rows:
        found[row["seam"]].setdefault(row["side"], Side(row["scope"], row["language"]))
    return found


def seam_rows(reader: Reader, chosen: Predicate) -> list[dict[str, Any]]:
    """Read the rows of `report/seams.sql` of some requests."""
    sums = ", ".join(f"sum({name}_ns) AS {name}_sum, count({name}_ns) AS {name}_hops" for name in PHASES)
    params = {**chosen.params, "misfit": _MISFIT}
    return list(reader.query(statement("report/seams", where=chosen.where, sums=sums), params).iter_rows(named=True))


def lacking(row: Mapping[str, Any], senders: Mapping[str, Side]) -> tuple[Lacking, ...]:
    """Say what would tell more of a seam (a row of `report/seams.sql`), what may lie behind most time first."""
    both = _SIDES.match(row["seam"])
    if both is None:
        return ()
    found = [*_of_callee(row, both.group(2), senders), *_of_gaps(row, both.group(1), both.group(2), senders)]
    return tuple(sorted(found, key=lambda one: (-(one.ns or 0), -one.hops)))


def _of_callee(row: Mapping[str, Any], callee: str, senders: Mapping[str, Side]) -> Iterator[Lacking]:
    unmatched = row["hops"] - row["matched"]
    if not unmatched:
        return
    if callee.startswith(_OTHERS):
        if callee.startswith("data:") and not row["pool_wait_hops"]:
            side = senders.get("caller")
            step = _known(side, _POOL) if side else None
            if side and step:
                yield Lacking(("pool_wait",), "caller", side.scope, step, unmatched, None)
        return
    step = (
        f"the sampler of {callee} (parent-based, so that it follows its caller's decision), and no dropped batches"
        if row["matched"]
        else f"instrumentation of {callee}, or a [peers] line in seamscope.toml if it is not yours"
    )
    yield Lacking(("server_span",), "callee", None, step, unmatched, int(row["unmatched_ns"]))


def _of_gaps(row: Mapping[str, Any], caller: str, callee: str, senders: Mapping[str, Side]) -> Iterator[Lacking]:
    near, far = senders.get("caller"), senders.get("callee")
    kinds = dict(
        zip((word(GAP_KINDS, code) for code in row["gap_kinds"] or ()), row["gap_kind_hops"] or (), strict=True)
    )
    headers = kinds.get("client_ends_at_headers", 0)
    if headers:
        side = "caller" if near and _known(near, _CALLER_BODY) else "callee"
        who = near if side == "caller" else far
        table = _CALLER_BODY if side == "caller" else _FIRST_BYTE
        otherwise = f"a mark of the first byte in {callee}, or a client in {caller} whose span ends with the body"
        yield Lacking(("gap",), side, who.scope if who else None, _words(who, table, otherwise), headers, None)
    frozen = kinds.get("unmeasurable", 0)
    if frozen:
        step = f"X-Request-Start, set and kept in front of {callee}: the clock of {caller} stands still while it runs"
        yield Lacking(("gap",), "callee", far.scope if far else None, step, frozen, None)
    if row["out_ns"] and not row["reused_known"]:
        scope = near.scope if near else None
        told = ("dns", "connect", "tls", "pool_wait")
        yield Lacking(told, "caller", scope, _words(near, _CONNECTION, _OWN), row["out_hops"], int(row["out_ns"]))
    if row["out_ns"] and not row["header_ns"]:
        step = f"X-Request-Start from the proxy in front of {callee}, kept by {_words(far, _QUEUE, 'its server span')}"
        scope = far.scope if far else None
        yield Lacking(("server_queue",), "callee", scope, step, row["out_hops"], int(row["out_ns"]))
    if row["back_ns"] and not row["transfer_hops"]:
        scope = near.scope if near else None
        step = _words(near, _RECEIVING, _READING)
        yield Lacking(("transfer",), "caller", scope, step, row["back_hops"], int(row["back_ns"]))


def _known(side: Side, table: Mapping[str, str]) -> str | None:
    scope = side.scope.lower()
    found = next((words for part, words in table.items() if part.lower() in scope), None)
    return found or table.get(side.language)


def _words(side: Side | None, table: Mapping[str, str], otherwise: str) -> str:
    return (side and _known(side, table)) or otherwise
