"""Traces held in memory in blocks, so that what is asked and changed copies no more than the blocks it concerns.

As one table, every look at what came copied all of it a few times: 600,000 traces that wait are 34 MB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

KEYS: Final = ("trace_hi", "trace_lo")

BLOCK: Final = 16_384
"""Traces of a block: 0.9 MB."""


class Held:
    """A table of traces, each of them once (`KEYS`); what is asked may be asked from any thread.

    Args:
        empty: a table of its columns, without rows.
    """

    def __init__(self, empty: pl.DataFrame) -> None:
        self._empty = empty
        self._blocks: tuple[pl.DataFrame, ...] = ()

    @property
    def height(self) -> int:
        """How many traces are held."""
        return sum(block.height for block in self._blocks)

    def pick(self, some: Callable[[pl.DataFrame], pl.DataFrame]) -> pl.DataFrame:
        """Give what `some` gives of each block, together."""
        return pl.concat([some(self._empty), *(some(block) for block in self._blocks)])

    def where(self, *which: pl.Expr) -> pl.DataFrame:
        """Give rows by what their columns say."""
        return self.pick(lambda block: block.filter(*which))

    def of(self, traces: pl.DataFrame) -> pl.DataFrame:
        """Give the rows of some traces, as far as they are held."""
        hit = _hit(self._blocks, traces)
        return pl.concat([self._empty, *(block.filter(rows) for block, rows in hit if rows is not None)])

    def put(self, rows: pl.DataFrame) -> None:
        """Hold rows, in the place of what was held of their traces."""
        self._blocks = _packed((*_without(self._blocks, rows), *rows.select(self._empty.columns).iter_slices(BLOCK)))

    def drop(self, traces: pl.DataFrame) -> None:
        """Let go of some traces."""
        self._blocks = _packed(_without(self._blocks, traces))

    def keep(self, which: pl.Expr) -> None:
        """Let go of all other rows."""
        self._blocks = _packed(block.filter(which) for block in self._blocks)

    def set(self, traces: pl.DataFrame, **values: bool) -> None:
        """Have columns of some traces say something else."""
        hit = _hit(self._blocks, traces)
        self._blocks = tuple(block if rows is None else _said(block, rows, values) for block, rows in hit)


def _hit(blocks: tuple[pl.DataFrame, ...], traces: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, pl.Series | None]]:
    """Give each block, and which of its rows are of some traces; None for none of them."""
    if not blocks:
        return
    keys = pl.concat([block.select(KEYS) for block in blocks]).with_row_index("place")
    found = np.zeros(keys.height, np.bool_)
    found[keys.join(traces, on=KEYS, how="semi")["place"].to_numpy()] = True
    first = 0
    for block in blocks:
        here = found[first : first + block.height]
        yield block, pl.Series(here) if here.any() else None
        first += block.height


def _said(block: pl.DataFrame, rows: pl.Series, values: Mapping[str, bool]) -> pl.DataFrame:
    told = (pl.when(rows).then(value).otherwise(pl.col(name)).alias(name) for name, value in values.items())
    return block.with_columns(*told)


def _without(blocks: tuple[pl.DataFrame, ...], traces: pl.DataFrame) -> Iterator[pl.DataFrame]:
    for block, rows in _hit(blocks, traces):
        yield block if rows is None else block.filter(~rows)


def _packed(blocks: Iterable[pl.DataFrame]) -> tuple[pl.DataFrame, ...]:
    """Put small blocks that follow each other together."""
    found: list[pl.DataFrame] = []
    for block in blocks:
        if found and found[-1].height + block.height <= BLOCK:
            found[-1] = pl.concat([found[-1], block], rechunk=True) if block.height else found[-1]
        elif block.height:
            found.append(block)
    return tuple(found)
