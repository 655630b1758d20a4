"""Results made by hand, and a source that gives them: a minute of a shop, its pages rendered in front of services."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from seamscope.errors import DataError, StoreError
from seamscope.results import (
    AsyncWork,
    Group,
    HeldBy,
    Hop,
    LogLine,
    Percentiles,
    Report,
    RequestDetail,
    RequestLogs,
    RequestRow,
    Segment,
    Selection,
    Share,
    SpanDetail,
    Testimony,
    TraceWarning,
    WaterfallRow,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

MS = 1_000_000
NOON_NS = 1_764_590_400 * 1_000_000_000
WEB, ORDERS, DB = "render:edge-web", "origin:orders", "data:postgres/app"
TO_ORDERS, TO_DB = f"{WEB}→{ORDERS}", f"{ORDERS}→{DB}"
PHASES = (
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
    "unexplained",
)


def trace_id(number: int) -> str:
    """Give the trace id of a request by its number."""
    return f"{0x4BF92F3577B34DA6_A3CE929D00000000 + number:032x}"


def span_id(number: int) -> str:
    """Give a span id."""
    return f"{0x00F067AA0BA90000 + number:016x}"


def request_row(number: int, **changes: object) -> RequestRow:
    """Give the row of a request; its number decides what it was."""
    routes = ("GET /dash", "GET /orders/{id}", "POST /checkout", "GET /", "GET /api/search")
    owners = ((ORDERS, "compute"), (DB, "query"), (TO_ORDERS, "tls"), (WEB, "render"), (WEB, "pool_wait"))
    which = number % 5
    shell_ns = (40 + number * 37 % 260) * MS
    owner, cause = owners[which]
    row = RequestRow(
        request_id=f"{trace_id(number)}-{span_id(1)}",
        trace_id=trace_id(number),
        kind="api" if which == 4 else "page",
        service="edge-web",
        route=routes[which],
        method=routes[which].partition(" ")[0],
        status=503 if number % 23 == 7 else 404 if number % 29 == 3 else 200,
        environment="production",
        place=("fra1", "iad1", "sin1")[number % 3],
        start_ns=NOON_NS + number * 1_310 * MS,
        shell_ns=None if number % 31 == 5 else shell_ns,
        complete_ns=shell_ns + (20 + number * 53 % 400) * MS,
        dominant_owner=owner,
        dominant_cause=cause,
        spans=14,
        final=number % 7 != 0,
        revision=1,
        correlation_id=f"req-{number:06}",
        version="2025.12.1",
    )
    return replace(row, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Piece:
    """A piece of the path in milliseconds."""

    until: float
    span: int | None
    owner: str
    cause: str
    evidence: str = "measured"

    def segment(self, start_ms: float) -> Segment:
        seam = self.owner if "→" in self.owner else None
        tier, _, service = ("", "", "") if seam else self.owner.partition(":")
        return Segment(
            start_ns=round(start_ms * MS),
            end_ns=round(self.until * MS),
            span_id=None if self.span is None else span_id(self.span),
            owner=self.owner,
            tier=tier or None,
            service=service or None,
            seam=seam,
            cause=self.cause,
            evidence=self.evidence,
        )


PATH = (
    _Piece(6, 1, WEB, "middleware"),
    _Piece(11.5, 2, WEB, "render"),
    _Piece(14, 3, WEB, "pool_wait"),
    _Piece(15.2, 3, TO_ORDERS, "dns"),
    _Piece(24, 3, TO_ORDERS, "connect"),
    _Piece(41, 3, TO_ORDERS, "tls"),
    _Piece(46, 3, TO_ORDERS, "network", "bounded"),
    _Piece(58, 4, ORDERS, "compute"),
    _Piece(60, 5, ORDERS, "pool_wait", "inferred"),
    _Piece(101, 5, DB, "query"),
    _Piece(128, 4, ORDERS, "compute", "bounded"),
    _Piece(133, 3, TO_ORDERS, "network", "bounded"),
    _Piece(144, 2, WEB, "render"),
    _Piece(171, 2, WEB, "render", "bounded"),
    _Piece(196, 6, TO_ORDERS, "unexplained", "unexplained"),
    _Piece(304, 7, ORDERS, "compute"),
    _Piece(312, 6, TO_ORDERS, "transfer", "header"),
    _Piece(340, None, WEB, "unexplained", "unexplained"),
)


def segments(until_ms: float) -> tuple[Segment, ...]:
    """Give the path up to a time."""
    starts = (0.0, *(piece.until for piece in PATH))
    return tuple(piece.segment(start) for start, piece in zip(starts, PATH, strict=False) if piece.until <= until_ms)


def shares(path: Sequence[Segment]) -> tuple[Share, ...]:
    """Add a path up by owner, cause and evidence."""
    whole: dict[tuple[str, str, str], int] = {}
    for segment in path:
        key = (segment.owner, segment.cause, segment.evidence)
        whole[key] = whole.get(key, 0) + segment.end_ns - segment.start_ns
    return tuple(Share(*key, ns) for key, ns in sorted(whole.items(), key=lambda item: -item[1]))


def hop(client: int, server: int | None, seam: str, start_ms: float, took_ms: float, **changes: object) -> Hop:
    """Give a hop with a gap of a tenth of its length, unless told otherwise."""
    base = Hop(
        client_span_id=span_id(client),
        server_span_id=None if server is None else span_id(server),
        trace_id=trace_id(0),
        seam=seam,
        boundary="→".join(side.partition(":")[0] for side in seam.split("→")),
        operation="GET /v1/orders",
        peer="orders.internal",
        status=200,
        attempts=1,
        start_ns=round(start_ms * MS),
        duration_ns=round(took_ms * MS),
        server_ns=None if server is None else round(took_ms * 0.9 * MS),
        gap_ns=None if server is None else round(took_ms * 0.1 * MS),
        gap_kind="no_server_span" if server is None else "measured",
        request_leg_ns=None if server is None else round(took_ms * 0.06 * MS),
        response_leg_ns=None if server is None else round(took_ms * 0.04 * MS),
        leg_error_ns=round(0.4 * MS),
        phases=dict.fromkeys(PHASES),
        reused=True,
        joined_by="trace_context",
        is_async=False,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def hops() -> tuple[Hop, ...]:
    """Give the hops of the request."""
    known: dict[str, int | None] = dict.fromkeys(PHASES)
    cold = known | {
        "dns": round(1.2 * MS),
        "connect": round(8.8 * MS),
        "tls": 17 * MS,
        "pool_wait": round(2.5 * MS),
        "network": 10 * MS,
    }
    legs = {"request_leg_ns": round(34.5 * MS), "response_leg_ns": 5 * MS, "gap_ns": round(39.5 * MS)}
    return (
        hop(3, 4, TO_ORDERS, 11.5, 121.5, phases=cold, reused=False, server_ns=82 * MS, **legs),
        hop(5, None, TO_DB, 58, 43, operation="SELECT orders", peer="db-1.internal", status=None),
        hop(
            6,
            7,
            TO_ORDERS,
            171,
            141,
            operation="GET /v1/recommendations",
            request_leg_ns=25 * MS,
            response_leg_ns=8 * MS,
            gap_ns=33 * MS,
            server_ns=108 * MS,
            phases=known | {"transfer": 8 * MS, "unexplained": 25 * MS},
        ),
        hop(8, 9, f"{WEB}→worker:mailer", 130, 4, operation="publish mail", is_async=True),
    )


def _row(
    depth: int, number: int, name: str, owner: str, start_ms: float, took_ms: float, **more: object
) -> WaterfallRow:
    tier, _, service = owner.partition(":")
    base = WaterfallRow(
        kind="span",
        depth=depth,
        name=name,
        span_id=span_id(number),
        trace_id=trace_id(0),
        parent_span_id=None,
        service=service,
        tier=tier,
        span_kind="internal",
        start_ns=round(start_ms * MS),
        duration_ns=round(took_ms * MS),
        status="unset",
    )
    return replace(base, **more)  # type: ignore[arg-type]


def _seam(depth: int, call: Hop) -> WaterfallRow:
    return replace(
        _row(depth, 0, call.seam, call.seam.rpartition("→")[2], 0, 0, span_kind="seam", kind="seam"),
        span_id=None,
        service=None,
        parent_span_id=call.client_span_id,
        start_ns=call.start_ns,
        duration_ns=call.duration_ns,
        hop=call,
        is_async=call.is_async,
    )


def waterfall() -> tuple[WaterfallRow, ...]:
    """Give the rows of the request, in display order."""
    to_orders, to_db, to_more, to_mailer = hops()
    mailer = "worker:mailer"
    return (
        _row(0, 1, "GET /dash", WEB, 0, 340, span_kind="server"),
        _row(1, 11, "Middleware.execute", WEB, 0.4, 5.4),
        _row(1, 2, "render route (app) /dash", WEB, 6, 334),
        _row(2, 3, "fetch GET http://orders.internal/v1/orders", WEB, 11.5, 121.5, span_kind="client"),
        _seam(3, to_orders),
        _row(4, 4, "GET /v1/orders", ORDERS, 46, 82, span_kind="server"),
        _row(5, 12, "authenticate", ORDERS, 47, 9.5),
        _row(5, 5, "SELECT orders", ORDERS, 58, 43, span_kind="client", hop=to_db),
        _row(5, 13, "serialise", ORDERS, 104, 22),
        _row(2, 14, "start response", WEB, 144, 0),
        _row(2, 8, "publish mail", WEB, 130, 4, span_kind="producer", is_async=True),
        _seam(3, to_mailer),
        _row(4, 9, "process mail", mailer, 150, 260, span_kind="consumer", is_async=True),
        _row(2, 6, "fetch GET http://orders.internal/v1/recommendations", WEB, 171, 141, span_kind="client"),
        _seam(3, to_more),
        _row(4, 7, "GET /v1/recommendations", ORDERS, 196, 108, span_kind="server", status="error"),
        _row(5, 15, "clock ahead", ORDERS, -3, 20, notes=("outlives_parent: starts before its parent",)),
    )


def detail(row: RequestRow | None = None, **changes: object) -> RequestDetail:
    """Give the request, whole."""
    to_shell, to_end = segments(144), segments(340)
    head = replace(row or request_row(0), shell_ns=144 * MS, complete_ns=340 * MS, spans=14)
    calls = {call.client_span_id: replace(call, trace_id=head.trace_id) for call in hops()}
    drawn = tuple(
        replace(line, trace_id=head.trace_id, hop=calls[line.hop.client_span_id] if line.hop else None)
        for line in waterfall()
    )
    whole = RequestDetail(
        row=head,
        trace_ids=(head.trace_id, trace_id(77)),
        shell_evidence="measured",
        complete_evidence="bounded",
        segments={"shell": to_shell, "complete": to_end},
        by_cause={"shell": shares(to_shell), "complete": shares(to_end)},
        hops=tuple(calls.values()),
        waterfall=drawn,
        warnings=(
            TraceWarning("outlives_parent", head.trace_id, span_id(15), "starts 199 ms before its parent"),
            TraceWarning("lost_parent", head.trace_id, None, "two spans name a parent that never came"),
        ),
        async_work=(AsyncWork(head.trace_id, span_id(9), 16 * MS, "link"),),
        testimonies=(
            Testimony(
                client_span_id=span_id(5),
                seam=TO_DB,
                operation="SELECT orders",
                cause="pool_wait",
                ns=2 * MS,
                verdict="confirms",
                instrument="db.client.connection.pending_requests",
                pool="main",
                at_ns=head.start_ns + 59 * MS,
                sentence="12 waiting while it waited",
            ),
        ),
        logs=RequestLogs(
            (
                _log(head, 70, 4, "warn", "orders", "stock of 3 items is short"),
                _log(head, 96.5, 5, "error", "orders", "statement timed out, trying again"),
                _log(head, 210, None, "info", "edge-web", "streamed 3 chunks", "request_id"),
            ),
            5,
        ),
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def _log(
    row: RequestRow, at_ms: float, span: int | None, level: str, service: str, body: str, by: str = "trace_context"
) -> LogLine:
    """Give a log record."""
    at_ns = round(at_ms * MS)
    return LogLine(
        at_ns=row.start_ns + at_ns,
        offset_ns=at_ns,
        level=level,
        service=service,
        body=body,
        left_out_characters=0,
        event_name=None,
        trace_id=row.trace_id if span else None,
        span_id=span_id(span) if span else None,
        correlation_id=row.correlation_id,
        scope="app",
        attributes=(("attempt", "2"),),
        joined_by=by,
    )


def big_detail(spans: int) -> RequestDetail:
    """Give a request of many spans: calls of three levels, in time order, the path through the last of each."""
    rows = [_row(0, 1, "GET /export", WEB, 0, spans / 10, span_kind="server")]
    for number in range(1, spans):
        depth = 1 + number % 4
        rows.append(_row(depth, 1000 + number, f"step {number}", ORDERS, number / 10, 0.4, span_kind="internal"))
    length = spans / 10
    path = (_Piece(length, 1, WEB, "compute").segment(0),)
    head = replace(request_row(0), route="GET /export", shell_ns=None, complete_ns=round(length * MS), spans=spans)
    return RequestDetail(
        row=head,
        trace_ids=(head.trace_id,),
        shell_evidence=None,
        complete_evidence="measured",
        segments={"shell": (), "complete": path},
        by_cause={"shell": (), "complete": shares(path)},
        hops=(),
        waterfall=tuple(rows),
        warnings=(),
        async_work=(),
    )


def span(trace: str, identity: str, kind: str | None) -> SpanDetail:
    """Give what the store knows of a span."""
    found = next((row for row in waterfall() if row.span_id == identity), waterfall()[0])
    return SpanDetail(
        trace_id=trace,
        span_id=identity,
        parent_span_id=span_id(1),
        name=found.name,
        kind=kind or "internal",
        service=found.service or "",
        tier=found.tier,
        scope="@vercel/otel 2.1.0",
        start_ns=NOON_NS + found.start_ns,
        end_ns=NOON_NS + found.start_ns + found.duration_ns,
        status=found.status,
        status_message="upstream said no" if found.status == "error" else None,
        attributes=(
            ("http.request.method", "GET"),
            ("url.full", "http://orders.internal/v1/orders?user=42&expand=lines,shipping,recommendations&page=1"),
            ("server.address", "orders.internal"),
            ("http.response.status_code", "200"),
            ("next.span_type", "AppRender.fetch"),
        ),
        resource=(("service.name", found.service or ""), ("deployment.environment.name", "production")),
        events=((NOON_NS + found.start_ns + 2 * MS, "exception", (("exception.type", "TimeoutError"),)),),
        links=((trace_id(77), span_id(3)),),
    )


def percentiles(*values_ms: int) -> Percentiles:
    """Give percentiles: mean, p50, p95, p99, max in milliseconds."""
    mean, p50, p95, p99, most = (value * MS for value in values_ms)
    return Percentiles(1_234, mean, p50, p95, p99, most)


SPLIT = (
    Share(ORDERS, "compute", "measured", 52_000 * MS),
    Share(DB, "query", "measured", 31_000 * MS),
    Share(TO_ORDERS, "tls", "measured", 17_000 * MS),
    Share(WEB, "render", "measured", 14_000 * MS),
    Share(TO_ORDERS, "network", "bounded", 8_000 * MS),
    Share(WEB, "pool_wait", "inferred", 5_000 * MS),
    Share(TO_ORDERS, "unexplained", "unexplained", 4_000 * MS),
    Share(ORDERS, "compute", "bounded", 3_000 * MS),
)
KEYS = {
    "route": ("GET /dash", "POST /checkout", "GET /orders/{id}", "GET /", "GET /api/search"),
    "seam": (TO_ORDERS, TO_DB),
    "boundary": ("render→origin", "origin→data"),
}


def group(key: str, number: int) -> Group:
    """Give a group; the higher its number, the quicker and rarer."""
    split = SPLIT[number:] + SPLIT[:number]
    slow = 5 - number
    return Group(
        key=key,
        requests=800 // (number + 1),
        weight=800.0,
        errors=7 * (number % 2),
        shell=percentiles(24 * slow, 20 * slow, 60 * slow, 70 * slow, 160 * slow),
        complete=percentiles(60 * slow, 50 * slow, 130 * slow, 140 * slow, 240 * slow),
        shares={"shell": split, "complete": split},
        requests_in={"shell": 1_200, "complete": 1_234},
        held_by={"shell": (HeldBy("GET /v1/orders", TO_ORDERS, 1_100, 96 * MS, 0, 11 * MS, 107 * MS, 2_400),)},
        led_by={"shell": (("compute", 700), ("query", 500))},
        examples={"shell": {"p50": request_row(1).request_id, "p95": request_row(2).request_id}},
    )


def report(selection: Selection, by: str = "route", at: str = "mean") -> Report:
    """Give the totals of the shop."""
    total = Group(
        key="",
        requests=1_234,
        weight=1_234.0,
        errors=17,
        shell=percentiles(120, 96, 288, 341, 812),
        complete=percentiles(310, 244, 652, 701, 1_204),
        shares={"shell": SPLIT, "complete": SPLIT[::-1]},
        requests_in={"shell": 1_200, "complete": 1_234},
    )
    groups = tuple(group(key, number) for number, key in enumerate(KEYS.get(by, ("one", "another"))))
    return Report(selection, by, at, ("shell", "complete"), total, groups, {}, {})


@dataclass
class FakeSource:
    """A source of made results; `rows` may grow, `broken` makes every question fail."""

    name: str = "./seamscope.duckdb"
    rows: list[RequestRow] = field(default_factory=list)
    whole: RequestDetail | None = None
    broken: StoreError | None = None
    several: bool = False
    live: bool = True
    asked: list[tuple[object, ...]] = field(default_factory=list)
    closed: bool = False

    def _ask(self, *question: object) -> None:
        self.asked.append(question)
        if self.broken is not None:
            raise self.broken

    def moved(self) -> bool:
        """Say that there may be more."""
        return True

    def rest(self) -> None:
        """Hold nothing, so let go of nothing."""

    def settle(self, selection: Selection) -> tuple[Selection, tuple[str, ...]]:
        """Take production where there are several environments."""
        self._ask("settle", selection)
        if not self.several or selection.environment:
            return selection, ()
        return replace(selection, environment="production"), ("environment production only (also here: staging)",)

    def page(
        self, selection: Selection, *, order: str, limit: int, other: bool, before: RequestRow | None = None
    ) -> list[RequestRow]:
        """Give rows whose route holds the filter."""
        self._ask("page", selection, order, other, before)
        rows = [row for row in self.rows if selection.filter in row.route and (other or row.kind != "other")]
        ranks = {"complete": lambda row: row.complete_ns or 0, "shell": lambda row: row.shell_ns or 0}
        rows.sort(key=ranks.get(order, lambda row: row.start_ns), reverse=order != "oldest")
        start = next((at + 1 for at, row in enumerate(rows) if before and row.request_id == before.request_id), 0)
        return rows[start : start + limit]

    def report(self, selection: Selection, *, by: str, at: str, other: bool) -> Report:
        """Give the totals."""
        self._ask("report", selection, by, at, other)
        return report(selection, by, at)

    def detail(self, request_id: str) -> RequestDetail:
        """Give the one request there is, under the id of any."""
        self._ask("detail", request_id)
        row = next((row for row in self.rows if row.request_id == request_id), None)
        if row is None:
            raise DataError(f"no request {request_id} in the store", "r reads the list again")
        return replace(self.whole, row=replace(self.whole.row, request_id=request_id)) if self.whole else detail(row)

    def span(self, trace: str, identity: str, kind: str | None) -> SpanDetail:
        """Give a span."""
        self._ask("span", trace, identity, kind)
        return span(trace, identity, kind)

    def export(self, request_id: str, suffix: str) -> str:
        """Say that a file was written."""
        self._ask("export", request_id, suffix)
        return f"request-{request_id[:8]}.{suffix}"

    def close(self) -> None:
        """Note that it was closed."""
        self.closed = True


def shop(requests: int = 60) -> FakeSource:
    """Give a source with some requests."""
    return FakeSource(rows=[request_row(number) for number in range(requests)])
