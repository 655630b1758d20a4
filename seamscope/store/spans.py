"""Reads spans as columns from the tables they are kept in.

The view `base.spans` gives the same, but joins every row, and writes out columns that are null for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import polars as pl

from seamscope.schema.tables import SPANS
from seamscope.statements import statement
from seamscope.store import correlation
from seamscope.store.layout import LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Tables(Protocol):
    """The store, as far as this reads it."""

    def query_with(self, sql: str, wanted: pl.DataFrame, params: Mapping[str, object] | None = None) -> pl.DataFrame:
        """Run one reading statement that may also read some rows, as `wanted`."""


def spans_of(
    store: Tables, columns: Sequence[str], traces: pl.DataFrame, first_commit: int, last_commit: int
) -> pl.DataFrame:
    """Read columns (of `SPANS`) of the spans of some traces that came in a range of commits.

    `traces` has the columns `trace_hi` and `trace_lo`.
    """
    kept = [*columns, *correlation.KEPT] if correlation.TEXT in columns else list(columns)
    here = [name for name in kept if name not in _SPANS.beside]
    bounds = {"first_commit": first_commit, "last_commit": last_commit}
    text = statement("runs/spans", columns=", ".join([_SPANS.number, _SPANS.shape, *here]))
    rows = store.query_with(text, traces, bounds)
    rows = _with_shapes(store, rows, [name for name in kept if name in _SPANS.shared])
    for table, held in _SPANS.sides.items():
        rows = _with_beside(store, rows, table, [name for name in kept if name in held])
    return (correlation.with_texts(rows) if correlation.TEXT in columns else rows).select(columns)


def _with_shapes(store: Tables, rows: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Add columns of what spans share."""
    wanted = rows.select(_SPANS.shape).unique()
    text = statement("runs/shapes", columns=", ".join([_SPANS.shape, *columns]))
    shapes = store.query_with(text, wanted)
    silent = [name for name in columns if shapes.get_column(name).null_count() == shapes.height]
    rows = rows.join(shapes.drop(silent), on=_SPANS.shape, how="left", maintain_order="left")
    return rows.with_columns(pl.lit(None, _TYPES[name]).alias(name) for name in silent)


def _with_beside(store: Tables, rows: pl.DataFrame, table: str, columns: Sequence[str]) -> pl.DataFrame:
    """Add columns that a table beside the spans keeps; null where it has no row."""
    number = _SPANS.number
    found = pl.DataFrame()
    if rows.height and columns:
        text = statement("runs/beside", table=table, columns=", ".join([number, *columns]))
        span_no = rows.get_column(number)
        bounds = {"first_no": span_no.min(), "last_no": span_no.max()}
        found = store.query_with(text, rows.select(number), bounds)
    if found.height:
        return rows.join(found, on=number, how="left", maintain_order="left")
    return rows.with_columns(pl.lit(None, _TYPES[name]).alias(name) for name in columns)


_SPANS: Final = LAYOUTS["spans"]
_TYPES = {**pl.DataFrame(SPANS.empty_table()).schema, **correlation.KEPT}
