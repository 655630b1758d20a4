"""Rows of the results' tables as the objects that people see: codes become words, integers become hex."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from seamscope.hexadecimal import request_id, span_hex, trace_hex
from seamscope.results import AsyncWork, Hop, RequestRow, Segment, Share, TraceWarning
from seamscope.schema.words import CAUSES, EVIDENCE, GAP_KINDS, HORIZONS, JOINED_BY, REQUEST_KINDS, TIERS, WARNINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PHASES: Final = (
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
"""Phases of a hop in the order of the `hops` view."""

_TIER_OF_CALLEE: Final = re.compile(rf"^([^:]*):.*→({'|'.join(TIERS)}):")


def word(words: tuple[str, ...], code: int | None) -> str | None:
    """Give the word of a code; None where it is null or means 'not known'."""
    return words[code] if code is not None and code < len(words) else None


def boundary(seam: str) -> str:
    """Give the tier pair of a seam: `render:web→origin:orders` → `render→origin`."""
    found = _TIER_OF_CALLEE.match(seam)
    return f"{found.group(1)}→{found.group(2)}" if found else seam


def request_row(row: Mapping[str, Any]) -> RequestRow:
    """Make a line of the request list from a row of `request/page.sql`."""
    return RequestRow(
        request_id=request_id(row["trace_hi"], row["trace_lo"], row["entry_span_id"]),
        trace_id=trace_hex(row["trace_hi"], row["trace_lo"]),
        kind=word(REQUEST_KINDS, row["kind"]) or "other",
        service=row["service"] or "",
        route=row["route"] or "",
        method=row["method"],
        status=row["status"],
        environment=row["environment"],
        place=row["place"],
        start_ns=row["start_ns"],
        shell_ns=row["shell_ns"],
        complete_ns=row["complete_ns"],
        dominant_owner=row["dominant_owner"],
        dominant_cause=word(CAUSES, row["dominant_cause"]),
        spans=row["spans"] or 0,
        final=bool(row["final"]),
        revision=row["revision"] or 0,
        correlation_id=row["correlation_id"],
        version=row["service_version"],
    )


def segments(rows: Iterable[Mapping[str, Any]]) -> dict[str, tuple[Segment, ...]]:
    """Make segments by horizon from rows of `request/segments.sql`."""
    found: dict[str, list[Segment]] = {horizon: [] for horizon in HORIZONS}
    for row in rows:
        found[HORIZONS[row["horizon"]]].append(_segment(row))
    return {horizon: tuple(stretches) for horizon, stretches in found.items()}


def _segment(row: Mapping[str, Any]) -> Segment:
    return Segment(
        start_ns=row["start_ns"],
        end_ns=row["end_ns"],
        span_id=span_hex(row["span_id"]),
        owner=row["owner"],
        tier=word(TIERS, row["tier"]),
        service=row["service"],
        seam=row["seam"],
        cause=word(CAUSES, row["cause"]) or "unexplained",
        evidence=word(EVIDENCE, row["evidence"]) or "unexplained",
        call_id=span_hex(row["call_id"]),
    )


def shares(stretches: Iterable[Segment]) -> tuple[Share, ...]:
    """Add segments up by owner, cause and evidence, largest first; the sum is theirs."""
    totals: dict[tuple[str, str, str], int] = {}
    for stretch in stretches:
        key = (stretch.owner, stretch.cause, stretch.evidence)
        totals[key] = totals.get(key, 0) + stretch.end_ns - stretch.start_ns
    return tuple(Share(*key, ns) for key, ns in sorted(totals.items(), key=lambda item: (-item[1], item[0])))


def hops(rows: Iterable[Mapping[str, Any]], request_start_ns: int) -> tuple[Hop, ...]:
    """Make hops from rows of `request/hops.sql`; their starts count from the request's."""
    return tuple(_hop(row, request_start_ns) for row in rows)


def _hop(row: Mapping[str, Any], request_start_ns: int) -> Hop:
    return Hop(
        client_span_id=span_hex(row["client_span_id"]) or "",
        server_span_id=span_hex(row["server_span_id"]),
        trace_id=trace_hex(row["trace_hi"], row["trace_lo"]),
        seam=row["seam"],
        boundary=boundary(row["seam"]),
        operation=row["operation"],
        peer=row["peer"],
        status=row["status"],
        attempts=1 if row["attempts"] is None else row["attempts"],
        start_ns=row["start_ns"] - request_start_ns,
        duration_ns=row["duration_ns"],
        server_ns=row["server_ns"],
        gap_ns=row["gap_ns"],
        gap_kind=word(GAP_KINDS, row["gap_kind"]) or "no_server_span",
        request_leg_ns=row["request_leg_ns"],
        response_leg_ns=row["response_leg_ns"],
        leg_error_ns=row["leg_error_ns"],
        phases={phase: row[f"{phase}_ns"] for phase in PHASES},
        reused=row["reused"],
        joined_by=word(JOINED_BY, row["joined_by"]) or "trace_context",
        is_async=bool(row["async"]),
        error=bool(row["error"]),
        caller_instance=row["caller_instance"],
        callee_instance=row["callee_instance"],
        header_ns=row["header_ns"],
        bounded_ns=row["bounded_ns"],
        inferred_ns=row["inferred_ns"],
    )


def trace_warnings(rows: Iterable[Mapping[str, Any]]) -> tuple[TraceWarning, ...]:
    """Make warnings from rows of `request/warnings.sql`."""
    return tuple(
        TraceWarning(
            code=word(WARNINGS, row["code"]) or "stage_failed",
            trace_id=trace_hex(row["trace_hi"], row["trace_lo"]),
            span_id=span_hex(row["span_id"]),
            detail=row["detail"] or "",
        )
        for row in rows
    )


def async_work(rows: Iterable[Mapping[str, Any]]) -> tuple[AsyncWork, ...]:
    """Make asynchronous work from rows of `request/async_work.sql`."""
    return tuple(
        AsyncWork(
            trace_id=trace_hex(row["trace_hi"], row["trace_lo"]),
            span_id=span_hex(row["span_id"]) or "",
            queue_wait_ns=row["queue_wait_ns"],
            link=row["link"] or "",
        )
        for row in rows
    )
