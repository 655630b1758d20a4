"""How rows are kept: what every row has in one table, what few have in tables beside it, tied by a number.

A column of nulls costs as much to write as any other, some 85 ns a row: with all 70 columns of a span in one table, a
million spans of ten attributes took 8.0 s of CPU to store, in four tables 5.8. The views `base.spans` and `base.hops`
put the rows together again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Mapping

ROWS_PER_BATCH: Final = 1 << 24
"""Rows are numbered from their batch's number (a commit's, or its first request's) times this."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How one table of the schema is kept."""

    rows: str
    """The table of what every row has."""
    number: str
    """The column that ties a row to what is beside it."""
    sides: Mapping[str, tuple[str, ...]]
    """The tables beside it and their columns."""
    keys: tuple[str, ...] = ()
    """Columns that the tables beside it have too: what rows are deleted by."""

    @property
    def beside(self) -> set[str]:
        """The columns that are not in `rows`."""
        return {column for columns in self.sides.values() for column in columns}


LAYOUTS: Final = {
    "spans": Layout(
        "span_rows",
        "span_no",
        {
            "span_network": (
                "url_full",
                "network_peer",
                "network_peer_port",
                "protocol_version",
                "resend_count",
                "first_byte_ns",
                "reused",
                "was_idle",
                "idle_ns",
            ),
            "span_database": ("db_system", "db_namespace", "db_operation", "db_collection", "db_statement"),
            "span_details": (
                "status_message",
                "trace_state",
                "rpc_system",
                "rpc_method",
                "rpc_status",
                "messaging_system",
                "messaging_operation",
                "messaging_destination",
                "message_id",
                "enqueued_ns",
                "place",
                "cache_status",
                "cache_reason",
                "error_type",
                "pool_wait_ns",
                "dns_ns",
                "connect_ns",
                "tls_ns",
                "send_ns",
                "transfer_ns",
                "queued_at_ns",
                "cold_start",
                "cpu_ns",
                "wall_ns",
                "sequence",
                "engine_ns",
                "essential",
            ),
        },
    ),
    "hops": Layout(
        "hop_rows",
        "hop_no",
        {
            "hop_phases": (
                "setup_ns",
                "dns_ns",
                "connect_ns",
                "tls_ns",
                "send_ns",
                "server_queue_ns",
                "transfer_ns",
                "retry_ns",
                "header_ns",
                "bounded_ns",
                "reused",
            ),
        },
        ("request_no",),
    ),
}


def tables_of(name: str) -> tuple[str, ...]:
    """Give the tables that the rows of one table of the schema are kept in."""
    layout = LAYOUTS.get(name)
    return (name,) if layout is None else (layout.rows, *layout.sides)


def parts(name: str, rows: pa.Table, batch: int) -> dict[str, pa.Table]:
    """Split rows into the tables they are kept in; `batch` is a number that no other rows of that table come with."""
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
    held = [name for name in columns if name in rows.column_names and rows[name].null_count < rows.num_rows]
    part = rows.select([layout.number, *layout.keys, *held])
    if not held:
        return part.slice(0, 0)
    if any(not rows[name].null_count for name in held):
        return part
    return part.filter(reduce(pc.or_, (pc.is_valid(rows[name]) for name in held)))
