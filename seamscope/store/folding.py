"""Stretches that hold both horizons of a request are stored once: on real pages that is nearly half of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from seamscope.kernel import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    Bits = npt.NDArray[np.int64]

SAME: Final = ("request_no", "start_ns", "end_ns", "span_id", "call_id", "owner_no", "cause", "evidence")
"""Columns that two stretches must share to be stored as one."""


def fold(segments: pl.DataFrame) -> pl.DataFrame:
    """Give stretches with `horizons` (bit 0: shell, bit 1: complete) for `horizon`.

    Rows of one request come side by side, shell before complete, each in time order; where they do not, fewer fold.
    """
    columns = np.empty((len(SAME), segments.height), np.int64)
    for place, name in enumerate(SAME):
        column = segments.get_column(name)
        columns[place] = column.reinterpret(signed=True) if column.dtype == pl.UInt64 else column
    horizons = _folded(columns, segments.get_column("horizon").to_numpy())
    return segments.drop("horizon").with_columns(horizons=horizons).filter(pl.col("horizons") > 0)


@kernel
def _pair(columns: Bits, bits: npt.NDArray[np.uint8], at: int, later: int, last: int) -> None:  # pragma: no cover
    """Let the stretches of one request's shell (from `at`) stand for equal ones of complete (from `later`)."""
    shell = later
    while at < shell and later < last:
        if columns[1, at] < columns[1, later]:
            at += 1
        elif columns[1, at] > columns[1, later]:
            later += 1
        else:
            if np.all(columns[:, at] == columns[:, later]):
                bits[at], bits[later] = 3, 0
                later += 1
            at += 1


@kernel
def _folded(columns: Bits, horizon: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:  # pragma: no cover - compiled
    """Give each row the bits of the horizons it stands for; 0 where another row stands for it."""
    bits = (np.uint8(1) << horizon).astype(np.uint8)
    first = 0
    while first < horizon.size:
        later = first
        while later < horizon.size and columns[0, later] == columns[0, first] and horizon[later] == 0:
            later += 1
        last = later
        while last < horizon.size and columns[0, last] == columns[0, first]:
            last += 1
        _pair(columns, bits, first, later, last)
        first = last
    return bits
