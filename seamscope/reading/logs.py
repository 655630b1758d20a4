"""The log records of one request: those of its traces, and those that carry its request id, the first so many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from seamscope.hexadecimal import span_hex, trace_hex
from seamscope.results import LogLine, RequestLogs
from seamscope.statements import statement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from seamscope.results import RequestRow, WaterfallRow
    from seamscope.store import Reader

MOST_LINES: Final = 1_000
"""Records of one request that are given; the rest is counted."""
LONGEST: Final = 4_000
"""Characters of a record's body that are given."""
MOST_ATTRIBUTES: Final = 64
NEAR_NS: Final = 10 * 60 * 1_000_000_000
"""How far from its request a record may lie that only shares an id with it: ids are given anew some day."""
_LISTED: Final = 20_000
"""Spans that are sent along to tell whose records they are."""

LEVELS: Final = ("trace", "debug", "info", "warn", "error", "fatal")
"""https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber: four numbers each, from 1 on."""


def logs_of_request(
    reader: Reader, request_no: int, row: RequestRow, waterfall: Sequence[WaterfallRow], *, alone: bool
) -> RequestLogs:
    """Give a request's records in time order; `alone` says that its traces hold no other request."""
    spans = sorted({int(line.span_id, 16) for line in waterfall if line.span_id})
    everything = alone or len(spans) > _LISTED
    end_ns = row.start_ns + max(row.complete_ns or 0, row.shell_ns or 0)
    params = {
        "request_no": request_no,
        "all": everything,
        "spans": [] if everything else spans,
        "since_ns": row.start_ns - NEAR_NS,
        "until_ns": end_ns + NEAR_NS,
        "longest": LONGEST,
        "most": MOST_LINES,
    }
    found = reader.query(statement("request/logs"), params)
    lines = tuple(_line(record, row.start_ns) for record in found.iter_rows(named=True))
    return RequestLogs(lines, int(found["total"][0]) if found.height else 0)


def level(severity: int | None, text: str | None) -> str:
    """Give the word of a severity number (1 to 24); where there is none, the word that was sent."""
    if severity and 1 <= severity <= 4 * len(LEVELS):
        return LEVELS[(severity - 1) // 4]
    return (text or "").lower()


def _line(record: Mapping[str, Any], start_ns: int) -> LogLine:
    pairs = (record["attributes"] or [])[:MOST_ATTRIBUTES]
    has_trace = record["trace_hi"] or record["trace_lo"]
    return LogLine(
        at_ns=record["at_ns"],
        offset_ns=record["at_ns"] - start_ns,
        level=level(record["severity"], record["severity_text"]),
        service=record["service"],
        body=record["body"] or "",
        left_out_characters=max(0, (record["characters"] or 0) - LONGEST),
        event_name=record["event_name"] or None,
        trace_id=trace_hex(record["trace_hi"], record["trace_lo"]) if has_trace else None,
        span_id=span_hex(record["span_id"]),
        correlation_id=record["correlation_id"],
        scope=record["scope"] or None,
        attributes=tuple((pair["key"] or "", pair["value"] or "") for pair in pairs),
        joined_by=record["joined_by"],
    )
