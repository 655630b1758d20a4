"""Reads spans as columns from the tables they are kept in.

The view `base.spans` gives the same, but writes out every column that is null for all: of a million spans whose details
nobody sends 2.0 s of CPU, where this takes 0.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import polars as pl

from seamscope.schema.tables import SPANS
from seamscope.statements import statement
from seamscope.store.layout import LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Tables(Protocol):
    """The store, as far as this reads it."""

    def query_with(
        self, sql: str, frames: Mapping[str, pl.DataFrame], params: Mapping[str, object] | None = None
    ) -> pl.DataFrame:
        """Run one reading statement that may also read `frames`, by their names."""


def spans_of(
    store: Tables, columns: Sequence[str], traces: pl.DataFrame, first_commit: int, last_commit: int
) -> pl.DataFrame:
    """Read columns (of `SPANS`) of the spans of some traces that came in a range of commits.

    `traces` has the columns `trace_hi` and `trace_lo`.
    """
    layout = LAYOUTS["spans"]
    listed = ", ".join([layout.number, *(name for name in columns if name not in layout.beside)])
    bounds = {"first_commit": first_commit, "last_commit": last_commit}
    rows = store.query_with(statement("runs/spans", columns=listed), {"wanted": traces}, bounds)
    for table, kept in layout.sides.items():
        rows = _with_beside(store, rows, table, [name for name in columns if name in kept])
    return rows.select(columns)


def _with_beside(store: Tables, rows: pl.DataFrame, table: str, columns: Sequence[str]) -> pl.DataFrame:
    """Add columns that a table beside the spans keeps; null where it has no row."""
    number = LAYOUTS["spans"].number
    found = pl.DataFrame()
    if rows.height:
        text = statement("runs/beside", table=table, columns=", ".join([number, *columns]))
        span_no = rows.get_column(number)
        bounds = {"first_no": span_no.min(), "last_no": span_no.max()}
        found = store.query_with(text, {"wanted": rows.select(number)}, bounds)
    if found.height:
        return rows.join(found, on=number, how="left", maintain_order="left")
    return rows.with_columns(pl.lit(None, _TYPES[name]).alias(name) for name in columns)


_TYPES = dict(pl.DataFrame(SPANS.empty_table()).schema)
