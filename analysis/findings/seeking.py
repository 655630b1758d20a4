"""Rows sought by two numbers, and the order of rows among those alike: kernels where a join would copy columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from analysis.arrays import MISSING, NONE, Int32s, Int64s, Mask, Number
from seamscope.kernel import kernel

if TYPE_CHECKING:
    from collections.abc import Sequence


class Seeker:
    """Gives the row of two numbers, the first of several; a second number of 0 or null is none."""

    def __init__(self, high: pl.Series, low: pl.Series, order: Int64s) -> None:
        """Take note of the rows in `order`, which have these numbers."""
        self._high, self._low = _whole(high), _whole(low)
        self._table = _noted(self._high, self._low, order)

    def rows(self, high: pl.Series, low: pl.Series) -> Int32s:
        """Give the row of each pair of numbers, `NONE` where there is none."""
        return _sought(self._table, self._high, self._low, _whole(high), _whole(low))


def _whole(numbers: pl.Series) -> Int64s:
    known = numbers.fill_null(0)
    signed = known.reinterpret(signed=True) if known.dtype == pl.UInt64 else known.cast(pl.Int64)
    whole: Int64s = signed.to_numpy(writable=True)
    return whole


def turns(frame: pl.DataFrame, keys: Sequence[str]) -> pl.Series:
    """Count for each row those before it with the same keys."""
    number = frame.select(pl.struct(keys).hash().reinterpret(signed=True)).to_series().to_numpy()
    order = np.argsort(number, kind="stable")
    place = np.arange(number.size)
    begins = np.ones(number.size, np.bool_)
    begins[1:] = number[order[1:]] != number[order[:-1]]
    turn = np.empty(number.size, np.int64)
    turn[order] = place - np.maximum.accumulate(np.where(begins, place, 0))
    return pl.Series(turn)


@kernel
def latest_before(begins: Mask, ends: Int64s) -> Int64s:
    """Give the latest end of the rows before each in its group, `MISSING` for the first; groups begin where marked."""
    found = np.empty(ends.size, np.int64)
    latest = MISSING
    for row in range(ends.size):
        if begins[row]:
            latest = MISSING
        found[row] = latest
        latest = max(latest, ends[row])
    return found


@kernel
def _slot(high: int, low: int, size: int) -> Number:
    key = (high * np.int64(-7046029254386353131)) ^ low
    key = (key ^ (key >> 32)) * np.int64(-4658895280553007687)
    slot: Number = (key ^ (key >> 29)) & (size - 1)
    return slot


@kernel
def _noted(high: Int64s, low: Int64s, order: Int64s) -> Int32s:
    size = 16
    while size < 2 * order.size:
        size *= 2
    table = np.full(size, NONE, np.int32)
    for row in order:
        slot = _slot(high[row], low[row], size)
        while table[slot] != NONE and (high[table[slot]] != high[row] or low[table[slot]] != low[row]):
            slot = (slot + 1) & (size - 1)
        if table[slot] == NONE:
            table[slot] = row
    return table


@kernel
def _sought(table: Int32s, high: Int64s, low: Int64s, wanted_high: Int64s, wanted_low: Int64s) -> Int32s:
    found = np.full(wanted_low.size, NONE, np.int32)
    for one in range(wanted_low.size):
        if wanted_low[one] == 0:
            continue
        slot = _slot(wanted_high[one], wanted_low[one], table.size)
        while table[slot] != NONE:
            row = table[slot]
            if high[row] == wanted_high[one] and low[row] == wanted_low[one]:
                found[one] = row
                break
            slot = (slot + 1) & (table.size - 1)
    return found
