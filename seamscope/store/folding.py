"""Stretches that hold both horizons of a request are stored once: on real pages that is nearly half of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from seamscope.kernel import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    Bits = npt.NDArray[np.int64]
    Ids = npt.NDArray[np.uint64]
    Codes = npt.NDArray[np.uint8]

SAME: Final = ("request_no", "start_ns", "end_ns", "span_id", "call_id", "owner_no", "cause", "evidence")
"""Columns that two stretches must share to be stored as one."""


def fold(segments: pl.DataFrame) -> pl.DataFrame:
    """Give stretches with `horizons` (bit 0: shell, bit 1: complete) for `horizon`.

    Rows of one request come side by side, shell before complete, each in time order; where they do not, fewer fold.
    """
    columns = [segments.get_column(name).to_numpy() for name in SAME]
    horizons = pl.Series("horizons", _folded(segments.get_column("horizon").to_numpy(), *columns))
    folded = segments.drop("horizon").with_columns(horizons)
    return folded.filter(horizons > 0)


@kernel
def _folded(  # pragma: no cover - compiled
    horizon: Codes,
    request: Bits,
    start: Bits,
    end: Bits,
    span: Ids,
    call: Ids,
    owner: npt.NDArray[np.uint32],
    cause: Codes,
    evidence: Codes,
) -> Codes:
    """Give each row the bits of the horizons it stands for; 0 where another row stands for it."""
    bits = (np.uint8(1) << horizon).astype(np.uint8)
    first = 0
    while first < horizon.size:
        later = first
        while later < horizon.size and request[later] == request[first] and horizon[later] == 0:
            later += 1
        at, shell = first, later
        while later < horizon.size and request[later] == request[first]:
            while at < shell and start[at] < start[later]:
                at += 1
            if (
                at < shell
                and start[at] == start[later]
                and end[at] == end[later]
                and span[at] == span[later]
                and call[at] == call[later]
                and owner[at] == owner[later]
                and cause[at] == cause[later]
                and evidence[at] == evidence[later]
            ):
                bits[at], bits[later] = 3, 0
                at += 1
            later += 1
        first = later
    return bits
