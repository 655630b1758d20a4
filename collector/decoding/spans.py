"""Cells of trace requests → `FlatTraces`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from collector.decoding.columns import CellTable, attributes, enumeration, ids
from collector.decoding.flat import (
    ATTRIBUTE_TABLES,
    FAULT_ID,
    FAULT_UTF8,
    EventColumns,
    FlatTraces,
    LinkColumns,
    ResourceColumns,
    ScopeColumns,
    SpanColumns,
)
from seamscope.schema.words import SPAN_KINDS, STATUSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collector.decoding.flat import AttributeColumns
    from collector.decoding.wire import Cells

    Numbers = NDArray[np.int64]
    Mask = NDArray[np.bool_]


def _events(cells: Cells) -> tuple[EventColumns, Mask]:
    table = CellTable(cells, "events")
    return EventColumns(table.u32("span"), table.u64("time"), table.text("name")), table.bad


def _links(cells: Cells) -> tuple[LinkColumns, Mask]:
    table = CellTable(cells, "links")
    trace_hi, trace_lo, trace_length, _ = ids(cells, table["trace_id"], 16)
    _, span_id, span_length, _ = ids(cells, table["span_id"], 8)
    state = table.text("trace_state")
    columns = LinkColumns(
        *(table.u32("span"), trace_hi, trace_lo, span_id, trace_length, span_length, table.u32("flags"), state)
    )
    return columns, table.bad


def _spans(cells: Cells, scope_resource: NDArray[np.uint32], body: NDArray[np.uint32]) -> tuple[SpanColumns, Mask]:
    table = CellTable(cells, "spans")
    scope = table.u32("scope")
    resource = scope_resource[scope]
    trace_hi, trace_lo, trace_length, bad_trace = ids(cells, table["trace_id"], 16)
    _, span_id, span_length, bad_span = ids(cells, table["span_id"], 8)
    _, parent_id, parent_length, bad_parent = ids(cells, table["parent_id"], 8)
    faults = table["faults"] | np.where(bad_trace | bad_span | bad_parent, FAULT_ID, 0)
    columns = SpanColumns(
        body=body[resource],
        resource=resource,
        scope=scope,
        trace_hi=trace_hi,
        trace_lo=trace_lo,
        span_id=span_id,
        parent_id=parent_id,
        trace_id_len=trace_length,
        span_id_len=span_length,
        parent_id_len=parent_length,
        faults=faults.astype(np.uint8),
        start=table.u64("start"),
        end=table.u64("end"),
        kind=enumeration(cells, table["kind"], SPAN_KINDS, "span_kind_"),
        flags=table.u32("flags"),
        status=enumeration(cells, table["status"], STATUSES, "status_code_"),
        dropped_attributes=table.u32("dropped_attributes"),
        dropped_events=table.u32("dropped_events"),
        dropped_links=table.u32("dropped_links"),
        name=table.text("name"),
        status_message=table.text("status_message"),
        trace_state=table.text("trace_state"),
    )
    return columns, table.bad


def _mark(spans: SpanColumns, bad: Mask, owner: NDArray[np.uint32]) -> None:
    if bad.any():
        spans.faults[owner[bad]] |= FAULT_UTF8


def _mark_all(
    spans: SpanColumns, events: EventColumns, links: LinkColumns, tables: dict[str, tuple[AttributeColumns, Mask]]
) -> None:
    """Mark spans whose attributes, or whose events' or links' attributes, are not UTF-8."""
    span_of = {"event_attributes": events.span, "link_attributes": links.span}
    for name in ATTRIBUTE_TABLES[1:]:
        columns, bad = tables[name]
        _mark(spans, bad, span_of[name][columns.owner] if name in span_of else columns.owner)


def flatten(cells: Cells) -> FlatTraces:
    """Return the columns of a batch that `read_wire` or `read_json` read with the layout `signals.TRACES`."""
    resources = ResourceColumns(cells.table("resources")[:, 0].astype(np.uint32))
    scope_table = CellTable(cells, "scopes")
    scopes = ScopeColumns(scope_table.text("name"), scope_table.text("version"))
    spans, bad_spans = _spans(cells, scope_table.u32("resource"), resources.body)
    events, bad_events = _events(cells)
    links, bad_links = _links(cells)
    keys, found = attributes(cells, ATTRIBUTE_TABLES)
    tables = dict(zip(ATTRIBUTE_TABLES, found, strict=True))
    spans.faults[bad_spans] |= FAULT_UTF8
    _mark(spans, bad_events, events.span)
    _mark(spans, bad_links, links.span)
    _mark_all(spans, events, links, tables)
    columns: dict[str, Any] = {name: table for name, (table, _) in tables.items()}
    return FlatTraces(
        *(keys, spans, scopes, resources, events, links),
        **columns,
        errors=cells.errors,
        oddities=cells.oddities,
    )
