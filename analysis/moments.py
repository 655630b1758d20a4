"""Pass A, repair: times that lie years away from the rest of their trace are no times of it.

A start that was never set is 1970, an end that never came 2262, a clock in wrong units or without a battery stands in
another decade. One such span would be a request of half a century, and the whole of every mean. Clocks that are
minutes, hours or weeks apart are another matter: those are what `clocks` puts right.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis.shape import order_down
from seamscope.kernel import kernel

if TYPE_CHECKING:
    from analysis.arrays import Codes, Int32s, Int64s, Mask
    from analysis.columns import Spans

YEAR_NS: Final = 365 * 86_400 * 1_000_000_000
"""Further than this from the middle of its trace a moment is none of it: no trace lasts so long, and clocks that are so
far out are mostly decades out."""

FIRST_NS: Final = 946_684_800_000_000_000
LAST_NS: Final = 4_102_444_800_000_000_000
"""The years 2000 to 2100: where a trace has moments of these, the middle is one of them. Half of two moments is either,
and 1970 is not when anything happened."""

SURE, START, END, BOTH = 0, 1, 2, 3
"""Which times of a span are out of range."""


@dataclass(frozen=True, slots=True)
class Odd:
    """Spans whose times were out of range."""

    span: Int32s
    which: Codes
    """`START`, `END` or `BOTH`."""
    told_ns: Int64s
    """The time that was sent: of `BOTH`, the start."""

    def of(self, count: int) -> Codes:
        """Return which times are out of range for each of so many rows."""
        which = np.zeros(count, np.uint8)
        which[self.span] = self.which
        return which


NONE_ODD: Final = Odd(np.empty(0, np.int32), np.empty(0, np.uint8), np.empty(0, np.int64))


def mended(spans: Spans, parent: Int32s, process: Int32s) -> tuple[Spans, Odd]:
    """Bring times that are out of range to where their trace is; `process` is by span.

    A start or an end alone is taken from the span's children, which it was open for, else the span has no length.
    Where both are out, the spans of its process move together, lengths kept: the first begins with its caller, or
    with the trace.
    """
    ended = np.maximum(spans.raw_end, 0)
    odd = _odd_rows(spans, ended)
    if not odd.any():
        return spans, NONE_ODD
    which = _which(spans, ended, odd)
    rows = np.flatnonzero(which).astype(np.int32)
    found = Odd(rows, which[rows], np.where(which == END, spans.raw_end, spans.start)[rows])
    start, end = spans.start.copy(), np.where(which == START, ended, spans.end)
    order, _ = order_down(parent)
    _from_children(order, parent, spans.kind, which, start, end)
    if (which == BOTH).any():
        _move(spans, parent, process, which, start, end)
    raw_end = np.where(which == SURE, spans.raw_end, end)
    return replace(spans, start=start, end=end, raw_end=raw_end), found


def _odd_rows(spans: Spans, ended: Int64s) -> Mask:
    """Mark the spans of traces that stretch over more than a year."""
    if not spans.count:
        return np.zeros(0, np.bool_)
    first = np.minimum.reduceat(np.minimum(spans.start, ended), spans.offsets[:-1])
    last = np.maximum.reduceat(np.maximum(spans.start, ended), spans.offsets[:-1])
    return np.repeat(last - first > YEAR_NS, np.diff(spans.offsets))


def _which(spans: Spans, ended: Int64s, odd: Mask) -> Codes:
    """Say which times are out of range; an end that is only before its start is another fault."""
    rows = np.flatnonzero(odd)
    trace = spans.trace_of()[rows]
    middle = _middles(np.concatenate([trace, trace]), np.concatenate([spans.start[rows], ended[rows]]))
    far_start = np.abs(spans.start[rows] - middle) > YEAR_NS
    far_end = np.abs(ended[rows] - middle) > YEAR_NS
    backwards = ended[rows] < spans.start[rows]
    which = np.zeros(spans.count, np.uint8)
    which[rows] = np.select([far_start & far_end, far_start, far_end & ~backwards], [BOTH, START, END], SURE)
    return which


def _middles(trace: Int32s, moment: Int64s) -> Int64s:
    """Return the middle moment of each span's trace; spans come twice, with their start and with their end."""
    told = pl.DataFrame({"trace": trace, "moment": moment})
    told = told.with_columns(near=pl.col("moment").is_between(FIRST_NS, LAST_NS, closed="left"))
    told = told.filter(pl.col("near") | ~pl.col("near").any().over("trace"))
    middle = told.group_by("trace").agg(pl.col("moment").sort().get(pl.len() // 2))
    spans = pl.DataFrame({"trace": trace[: trace.size // 2]})
    joined = spans.join(middle, on="trace", how="left", maintain_order="left")
    return joined.get_column("moment").to_numpy()


@kernel
def _from_children(order: Int32s, parent: Int32s, kind: Codes, which: Codes, start: Int64s, end: Int64s) -> None:
    """Take starts and ends that are out of range from the children, in place, from the leaves up."""
    low, high = np.empty_like(start), np.empty_like(end)
    for row in range(start.size):
        low[row], high[row] = end[row], start[row]
    for at in range(order.size - 1, -1, -1):
        row = order[at]
        if which[row] == 1:
            start[row] = min(low[row], end[row])
        elif which[row] == 2:
            end[row] = max(high[row], start[row])
        above = parent[row]
        if above >= 0 and which[row] != 3 and kind[row] != 5:
            low[above] = min(low[above], start[row])
            high[above] = max(high[above], end[row])


def _move(spans: Spans, parent: Int32s, process: Int32s, which: Codes, start: Int64s, end: Int64s) -> None:
    """Move spans that are out of range with both times, in place, together with those of their process."""
    trace = spans.trace_of()
    sure = np.flatnonzero(which != BOTH)
    begins = np.full(spans.traces, np.iinfo(np.int64).max)
    np.minimum.at(begins, trace[sure], start[sure])
    rows = np.flatnonzero(which == BOTH)
    above = parent[rows]
    called = (above >= 0) & (which[np.maximum(above, 0)] != BOTH)
    target = np.where(called, start[np.maximum(above, 0)], begins[trace[rows]])
    moved = pl.DataFrame({"trace": trace[rows], "process": process[rows], "start": start[rows], "to": target})
    group = ["trace", "process"]
    by = moved.select(
        first=pl.col("start").min().over(group), to=pl.col("to").sort_by("start", "to").first().over(group)
    )
    first, to = by.get_column("first").to_numpy(), by.get_column("to").to_numpy()
    after, length = start[rows] - first, end[rows] - start[rows]
    after, length = np.where(after > YEAR_NS, 0, after), np.where(length > YEAR_NS, 0, length)
    start[rows] = np.minimum(to, np.iinfo(np.int64).max - after - np.maximum(length, 0)) + after
    end[rows] = start[rows] + length
