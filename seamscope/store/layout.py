"""How rows are kept: spans as what tells them apart, what they share and what few have, segments and hops as lists.

A column costs some 85 ns a row to write, and one of nulls as much as any other: with all 70 columns of a span in one
table, a million spans of ten attributes took 8.0 s of CPU to store. Two thirds of them are the same in many spans
(11,324 recorded ones have 322 of such shapes, 16,384 of a load 30), and are kept once (`seamscope.store.shapes`); what
few have is in tables beside. The view `base.spans` puts the rows together again. Lists are a row a request
(`seamscope.store.lists`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seamscope.schema.tables import HOP_KINDS, RESULTS

if TYPE_CHECKING:
    from collections.abc import Mapping

ROWS_PER_BATCH: Final = 1 << 24
"""Rows are numbered from their batch's number (a commit's) times this."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How one table of the schema is kept."""

    rows: str
    """The table of what tells rows apart."""
    number: str
    """The column that ties a row to what is beside it."""
    sides: Mapping[str, tuple[str, ...]]
    """The tables beside it and their columns."""
    shapes: str
    """The table of what rows share."""
    shape: str
    """The column that ties a row to what it shares with others."""
    shared: tuple[str, ...]
    """The columns of the table of shapes."""

    @property
    def beside(self) -> set[str]:
        """The columns that are not in `rows`."""
        return {*self.shared, *(column for columns in self.sides.values() for column in columns)}


LAYOUTS: Final = {
    "spans": Layout(
        rows="span_rows",
        number="span_no",
        sides={
            "span_texts": (
                "status_message",
                "trace_state",
                "url_full",
                "network_peer",
                "db_statement",
                "message_id",
            ),
            "span_details": (
                "network_peer_port",
                "enqueued_ns",
                "pool_wait_ns",
                "dns_ns",
                "connect_ns",
                "tls_ns",
                "send_ns",
                "first_byte_ns",
                "transfer_ns",
                "queued_at_ns",
                "idle_ns",
                "cpu_ns",
                "wall_ns",
                "sequence",
                "engine_ns",
            ),
        },
        shapes="span_shapes",
        shape="shape_no",
        shared=(
            "kind",
            "flags",
            "status",
            "weight",
            "resource_id",
            "scope",
            "scope_version",
            "role",
            "extent",
            "tier_hint",
            "grain_ns",
            "operation",
            "method",
            "route",
            "http_status",
            "peer",
            "peer_port",
            "protocol_version",
            "resend_count",
            "rpc_system",
            "rpc_method",
            "rpc_status",
            "db_system",
            "db_namespace",
            "db_operation",
            "db_collection",
            "messaging_system",
            "messaging_operation",
            "messaging_destination",
            "place",
            "cache_status",
            "cache_reason",
            "error_type",
            "reused",
            "was_idle",
            "cold_start",
            "essential",
            "attribute_keys",
            "dropped_attributes",
            "correlation_form",
        ),
    ),
}

OF_KIND: Final = tuple(HOP_KINDS.names[1:])
"""Columns of hops that are kept once for all alike (`base.hop_kinds`); requests list the numbers of kinds."""

LISTED: Final = (
    "start_ns",
    "duration_ns",
    "server_ns",
    "request_leg_ns",
    "pool_wait_ns",
    "network_ns",
)
"""Columns of hops that every request's row lists."""

_PHASES: Final = ("setup", "dns", "connect", "tls", "pool_wait", "send", "network", "server_queue", "transfer", "retry")

FOLLOWS: Final = {
    "trace_hi": "own_trace_hi",
    "trace_lo": "own_trace_lo",
    "error": "false",
    "attempts": "1",
    "gap_ns": "duration_ns - server_ns",
    "response_leg_ns": "gap_ns - request_leg_ns",
    "leg_error_ns": "greatest(request_leg_ns, response_leg_ns)",
    **{f"{phase}_ns": "NULL" for phase in _PHASES if f"{phase}_ns" not in LISTED},
    "unexplained_ns": " - ".join(["gap_ns", *(f"coalesce({phase}_ns, 0)" for phase in _PHASES)]),
    "header_ns": "NULL",
    "bounded_ns": "NULL",
    "inferred_ns": "network_ns",
    "reused": "NULL",
    "joined_by": "0",
    "async": "false",
}
"""What a hop's other columns say where nothing is kept of them, as SQL that the views and the writer share; the own
trace is the request's."""

LISTS: Final = {"segments": ("request_lists",), "hops": ("request_lists", "hop_details")}
"""Tables of the schema that are kept as lists, a row a request, and where (`seamscope.store.lists`)."""


def tables_of(name: str) -> tuple[str, ...]:
    """Give the tables that the rows of one table of the schema are kept in, one by one; shapes apart."""
    layout = LAYOUTS.get(name)
    return LISTS.get(name, (name,)) if layout is None else (layout.rows, *layout.sides)


def tables_of_requests() -> tuple[str, ...]:
    """Give the tables with rows of a request's (`request_no`), findings apart: what goes when a request goes."""
    return tuple(dict.fromkeys(table for name in RESULTS for table in tables_of(name)))


def parts(name: str, rows: pa.Table, batch: int) -> dict[str, pa.Table]:
    """Split rows into the tables they are kept in; `batch` is a number that no other rows of that table come with.

    What rows share is not among them: `seamscope.store.shapes` has put a number in its place.
    """
    layout = LAYOUTS.get(name)
    if layout is None:
        return {name: rows}
    first = batch * ROWS_PER_BATCH
    numbered = rows.append_column(layout.number, pa.array(np.arange(first, first + rows.num_rows)))
    beside = layout.beside
    kept = [column for column in numbered.column_names if column not in beside]
    found = {side: _filled(numbered, layout, columns) for side, columns in layout.sides.items()}
    return {layout.rows: numbered.select(kept), **{side: part for side, part in found.items() if part.num_rows}}


def _filled(rows: pa.Table, layout: Layout, columns: tuple[str, ...]) -> pa.Table:
    """Give the rows that have something in one of some columns."""
    given = set(rows.column_names)
    held = [name for name in columns if name in given and rows[name].null_count < rows.num_rows]
    part = rows.select([layout.number, *held])
    if not held:
        return part.slice(0, 0)
    if any(not rows[name].null_count for name in held):
        return part
    return part.filter(reduce(pc.or_, (pc.is_valid(rows[name]) for name in held)))
