"""Requests as people look at them: the list, one request whole, one span whole. Front-ends draw these, nothing else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from seamscope.errors import DataError, UsageError
from seamscope.hexadecimal import LOW_64_BITS, halves, span_hex, trace_hex
from seamscope.reading.findings import findings_of_request
from seamscope.reading.instruments import testimonies
from seamscope.reading.logs import logs_of_request
from seamscope.reading.remainders import remainders
from seamscope.reading.request_parts import async_work, hops, request_row, segments, shares, trace_warnings, word
from seamscope.reading.request_search import find_request, find_requests
from seamscope.reading.waterfall import waterfall
from seamscope.results import Inference, RequestDetail, RequestRow, Selection, SpanDetail
from seamscope.schema.words import EVIDENCE, SPAN_KINDS, STATUSES, TIERS
from seamscope.selection.predicate import predicate
from seamscope.statements import statement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seamscope.store import Reader

__all__ = ["ORDERS", "find_request", "find_requests", "list_requests", "request_detail", "span_detail"]

ORDERS: Final = {
    "newest": "r.start_ns",
    "oldest": "-r.start_ns",
    "slowest": "coalesce(r.complete_ns, r.shell_ns, -1)",
    "shell": "coalesce(r.shell_ns, -1)",
    "complete": "coalesce(r.complete_ns, -1)",
    "spans": "r.spans",
}
"""Orders of the request list → what they rank by, largest first."""

_READINGS: Final = 3
_MOST_SHARING: Final = 1_000
"""Other requests of the same traces whose calls are looked up."""


def list_requests(
    reader: Reader,
    selection: Selection | None = None,
    *,
    limit: int = 200,
    order: str = "newest",
    before: RequestRow | None = None,
    now_ns: int | None = None,
) -> list[RequestRow]:
    """Give at most `limit` requests of a selection, in one of `ORDERS`; `before` continues after that row.

    No environment is taken by default here: ask `selections.one_environment` once and keep its answer.
    Off words in the filter line raise `UsageError`.
    """
    if order not in ORDERS:
        raise UsageError(f"{order!r} is no order", f"known: {' '.join(ORDERS)}")
    chosen = predicate(selection or Selection(), time.time_ns() if now_ns is None else now_ns)
    where, params = chosen.where, dict(chosen.params)
    if before is not None:
        where = f"({where}) AND {_after(order)}"
        params |= _place(before, order)
    text = statement("request/page", where=where, rank=ORDERS[order])
    return [request_row(row) for row in reader.query(text, {**params, "limit": limit}).iter_rows(named=True)]


def _after(order: str) -> str:
    return (
        f"({ORDERS[order]}, r.trace_hi, r.trace_lo, r.entry_span_id)"
        " < ($after_rank::BIGINT, $after_hi::UBIGINT, $after_lo::UBIGINT, $after_entry::UBIGINT)"
    )


def _place(row: RequestRow, order: str) -> dict[str, object]:
    trace, entry = (int(part, 16) for part in row.request_id.split("-"))
    ranks = {
        "newest": row.start_ns,
        "oldest": -row.start_ns,
        "slowest": row.complete_ns if row.complete_ns is not None else row.shell_ns,
        "shell": row.shell_ns,
        "complete": row.complete_ns,
        "spans": row.spans,
    }
    rank = ranks[order]
    return {
        "after_rank": -1 if rank is None else rank,
        "after_hi": trace >> 64,
        "after_lo": trace & LOW_64_BITS,
        "after_entry": entry,
    }


_PARTS: Final = (
    "traces",
    "segments",
    "hops",
    "warnings",
    "async_work",
    "entries",
    "spans",
    "findings",
    "inferences",
)


def request_detail(reader: Reader, request_id: str) -> RequestDetail:
    """Give one request whole; `DataError` where the store has none of that id.

    A live collector may revise a request between two of the reads; what was read must add up, else it is read again.
    """
    for _ in range(_READINGS):
        detail = _read(reader, request_id)
        if _adds_up(detail):
            break
    return detail


def _read(reader: Reader, request_id: str) -> RequestDetail:
    found = _base_row(reader, request_id)
    row, key = request_row(found), {"request_no": found["request_no"]}
    parts = {name: list(reader.query(statement(f"request/{name}"), key).iter_rows(named=True)) for name in _PARTS}
    path, calls = segments(parts["segments"]), hops(parts["hops"], row.start_ns)
    odd, work = trace_warnings(parts["warnings"]), async_work(parts["async_work"])
    others = [(trace_hex(e["trace_hi"], e["trace_lo"]), f"{e['entry_span_id']:016x}") for e in parts["entries"]]
    if len(parts["spans"]) > row.spans:
        others += _calls_of_others(reader, found["request_no"])
    lines = waterfall(row, parts["spans"], others, calls, path["complete"] or path["shell"], odd, work)
    return RequestDetail(
        row=row,
        trace_ids=tuple(trace_hex(t["trace_hi"], t["trace_lo"]) for t in parts["traces"]) or (row.trace_id,),
        shell_evidence=word(EVIDENCE, found["shell_evidence"]),
        complete_evidence=word(EVIDENCE, found["complete_evidence"]),
        segments=path,
        by_cause={horizon: shares(stretches) for horizon, stretches in path.items()},
        hops=calls,
        waterfall=lines,
        warnings=odd,
        async_work=work,
        findings=findings_of_request(parts["findings"]),
        inferences=tuple(Inference(**told) for told in parts["inferences"]),
        testimonies=testimonies(reader, row, calls, path),
        remainders=remainders(reader, found["request_no"], path["complete"] or path["shell"]),
        logs=logs_of_request(reader, found["request_no"], row, lines, alone=len(parts["entries"]) < 2),
    )


def _calls_of_others(reader: Reader, request_no: int) -> list[tuple[str, str]]:
    """Give (trace id, span id) of calls that other requests made, of those that share a trace with this one."""
    sharing = reader.query(statement("request/sharing"), {"request_no": request_no}).get_column("request_no").to_list()
    if not sharing:
        return []
    rows = reader.query(statement("request/beside", numbers=", ".join(map(str, sharing[:_MOST_SHARING]))))
    return [(trace_hex(high, low), f"{span:016x}") for high, low, span in rows.iter_rows()]


def _base_row(reader: Reader, request_id: str) -> dict[str, Any]:
    trace, _, entry = request_id.partition("-")
    try:
        (high, low), span = halves(trace), int(entry, 16)
    except ValueError:
        raise DataError(f"{request_id!r} is no request id", "it is <trace id>-<entry span id>, both in hex") from None
    params = {"trace_hi": high, "trace_lo": low, "span_id": span}
    where = (
        "r.trace_hi = $trace_hi::UBIGINT AND r.trace_lo = $trace_lo::UBIGINT AND r.entry_span_id = $span_id::UBIGINT"
    )
    text = statement("request/page", where=where, rank="r.revision")
    found: list[dict[str, Any]] = reader.query(text, {**params, "limit": 1}).to_dicts()
    if not found:
        raise DataError(f"no request {request_id} in the store", "seamscope analyze, or look it up by its trace id")
    return found[0]


def _adds_up(detail: RequestDetail) -> bool:
    horizons = {"shell": detail.row.shell_ns, "complete": detail.row.complete_ns}
    return all(sum(share.ns for share in detail.by_cause[name]) == (ns or 0) for name, ns in horizons.items())


def span_detail(reader: Reader, trace_id: str, span_id: str, *, kind: str | None = None) -> SpanDetail:
    """Give everything the store knows of one span; `kind` tells client and server of one id apart.

    `DataError` where the store has none of that id.
    """
    high, low = halves(trace_id)
    key: dict[str, object] = {"trace_hi": high, "trace_lo": low, "span_id": int(span_id, 16)}
    wanted = None if kind is None else SPAN_KINDS.index(kind)
    found = reader.query(statement("request/span"), {**key, "kind": wanted}).to_dicts()
    if not found:
        raise DataError(f"no span {span_id} of trace {trace_id} in the store")
    row = found[0]
    key["kind"] = row["kind"]
    events = reader.query(statement("request/span_events"), key).iter_rows(named=True)
    links = reader.query(statement("request/span_links"), key).iter_rows(named=True)
    return SpanDetail(
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=span_hex(row["parent_id"]),
        name=row["name"] or "",
        kind=word(SPAN_KINDS, row["kind"]) or "unspecified",
        service=row["service"] or "",
        tier=word(TIERS, row["tier"]) or "unknown",
        scope=row["scope"],
        start_ns=row["start_ns"],
        end_ns=row["end_ns"],
        status=word(STATUSES, row["status"]) or "unset",
        status_message=row["status_message"],
        attributes=_pairs(row["attributes"]),
        resource=_pairs(row["resource"]),
        events=tuple((event["at_ns"], event["name"] or "", _pairs(event["attributes"])) for event in events),
        links=tuple(
            (trace_hex(link["linked_trace_hi"], link["linked_trace_lo"]), span_hex(link["linked_span_id"]) or "")
            for link in links
        ),
    )


def _pairs(attributes: list[Mapping[str, str | None]] | None) -> tuple[tuple[str, str], ...]:
    return tuple((pair["key"] or "", pair["value"] or "") for pair in attributes or ())
