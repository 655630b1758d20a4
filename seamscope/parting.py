"""Windows that time cannot cut: what begins in the shortest of them is parted by the ids of its traces.

A sender whose clock is coarse, or who means harm, lets a million spans begin at one moment. Such a window is settled as
one, but read, prepared and compared in parts. They follow from its traces alone, in the order of their ids; what may
be pieces of one request stays together. A part is compared with nobody beside it, neither the other parts nor the
windows before and after, and lends these nothing: it is crowd enough by itself, and to gather the others' calls would
take what cutting was to save.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis.grouping import least_tied
from analysis.stitch import MOST_PIECES
from seamscope.windows import BUCKET_NS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from seamscope.windows import Window

    Ids = Callable[[pl.DataFrame], pl.DataFrame]
    """Gives the ids of requests (`id`) that several of some traces carry, once for each of them."""

KEYS: Final = ("trace_hi", "trace_lo")

PIECES: Final = 2
"""A longer window may hold so many times what is compared at once: pieces of its requests begin in the next one."""


def parted(window: Window, traces: pl.DataFrame, most: int, ids: Ids) -> dict[Window, pl.DataFrame]:
    """Part the traces of a window (`roll.TRACES`) so that none holds more than `most` spans, unless one trace does."""
    allowed = most if window.length_ns <= BUCKET_NS else PIECES * most
    if traces["spans"].sum() <= allowed:
        return {window: traces}
    some = traces.sort(KEYS)
    units = some.with_columns(unit=_units(some, ids(some), most)).sort("unit", *KEYS)
    sizes = units.group_by("unit", maintain_order=True).agg(pl.col("spans").sum(), traces=pl.len())
    before, first = (np.concatenate([[0], sizes[name].to_numpy().cumsum()]) for name in ("spans", "traces"))
    cut = list(_halved(before, 0, sizes.height, most))
    return {
        replace(window, part=part, parts=len(cut)): units[int(first[low]) : int(first[high])].drop("unit")
        for part, (low, high) in enumerate(cut)
    }


def _units(traces: pl.DataFrame, ids: pl.DataFrame, most: int) -> pl.Series:
    """Give each trace the number of the first that an id ties it to; its own where they are too many together."""
    ranks = traces.select(*KEYS, "spans").with_row_index("rank").with_columns(pl.col("rank").cast(pl.Int64))
    shared = ids.filter(pl.len().over("id").is_between(2, MOST_PIECES)).join(ranks, on=KEYS)
    pairs = shared.select("rank", first=pl.col("rank").min().over("id"))
    first = least_tied(pairs["rank"].to_numpy(), pairs["first"].to_numpy(), traces.height)
    together = pl.col("spans").sum().over("first") <= most
    units = pl.when(together).then("first").otherwise("rank")
    return ranks.with_columns(first=pl.Series(first)).select(unit=units)["unit"]


def _halved(before: npt.NDArray[np.int64], low: int, high: int, most: int) -> Iterator[tuple[int, int]]:
    """Halve a range until each part holds no more than `most`; `before` says how many spans lie before each place."""
    if high - low == 1 or before[high] - before[low] <= most:
        yield low, high
        return
    middle = int(np.searchsorted(before, (before[low] + before[high]) // 2))
    middle = min(max(middle, low + 1), high - 1)
    yield from _halved(before, low, middle, most)
    yield from _halved(before, middle, high, most)
