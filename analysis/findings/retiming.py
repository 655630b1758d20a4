"""A request re-timed without some of its work: how much sooner every span would have started and ended.

The model keeps every delay between things that follow each other, and moves what follows. A child starts so long
after the last sibling that had ended (or after its parent's start) as it did; a parent ends so long after its last
ended child as it did; a stretch that is taken out is gone. What was hidden behind it in parallel then shows, so the
saving is less than the length of what was taken out whenever a sibling takes as long. (Google's retimer, as ported
into CRISP, by shifts instead of recursion.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from analysis.arrays import MISSING, NONE, Codes, Int32s, Int64s, Mask, Number
from seamscope.kernel import kernel
from seamscope.schema import words

if TYPE_CHECKING:
    import polars as pl

SERVER: Final = words.code(words.SPAN_KINDS, "server")
CLIENT: Final = words.code(words.SPAN_KINDS, "client")
_SLACK_NS: Final = 1_000_000
"""Starts of JavaScript's spans are whole milliseconds: so much earlier than its caller a callee may seem to start."""

KEEP: Final = 0
WHOLE: Final = 1
"""The span, and all below it, is taken out."""
LEAD: Final = 2
"""So many nanoseconds are taken out before the span's first child, or out of the span where it has none."""
BESIDE: Final = 3
"""The span starts beside another one (its row), not after it."""

_END, _ASK, _START, _EMPTY_END = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class Cuts:
    """What is taken out, a row each: the span's row, how (`WHOLE`, `LEAD`, `BESIDE`), and nanoseconds or a row."""

    row: Int32s
    how: Codes
    value: Int64s


@dataclass(frozen=True, slots=True)
class Timeline:
    """Spans and questions in the order of time, ready to be re-timed over and over."""

    parent: Int32s
    start: Int64s
    end: Int64s
    waited: Mask
    """Whether somebody waits for the span."""
    asked_row: Int32s
    asked_at: Int64s
    event: Int64s
    """Four times the row (of the question, for one) and what happens there."""

    def saved(self, cuts: Cuts, rows: Mask, questions: Mask) -> Int64s:
        """Give how much sooner each question's moment would come; only spans of `rows` are looked at."""
        spans = self.start.size
        how = np.zeros(spans, np.uint8)
        value = np.zeros(spans, np.int64)
        how[cuts.row] = cuts.how
        value[cuts.row] = cuts.value
        kind = self.event & 3
        subject = self.event >> 2
        asked = kind == _ASK
        wanted = np.zeros(self.event.size, np.bool_)
        wanted[asked] = questions[subject[asked]]
        wanted[~asked] = rows[subject[~asked]]
        return _retime(
            self.event[wanted],
            self.parent,
            self.start,
            self.end,
            self.waited,
            how,
            value,
            self.asked_row,
            self.asked_at,
        )


def timeline(spans: pl.DataFrame, asked_row: Int32s, asked_at: Int64s) -> Timeline:
    """Put spans (`parent_row`, `kind`, `start_ns`, `end_ns`, `waited`) and questions (a span, a moment) in order.

    Spans of a callee whose clock is plainly off (it starts before its caller does, or after the caller had ended) are
    moved to where they must have been.
    """
    parent = spans.get_column("parent_row").to_numpy().astype(np.int32)
    start = spans.get_column("start_ns").to_numpy().astype(np.int64)
    end = np.maximum(spans.get_column("end_ns").to_numpy().astype(np.int64), start)
    kind = spans.get_column("kind").to_numpy().astype(np.uint8)
    depth, moved = _place(parent, start, end, kind)
    start, end = start + moved, end + moved
    asked_at = asked_at + moved[asked_row] if asked_row.size else asked_at
    return Timeline(
        parent=parent,
        start=start,
        end=end,
        waited=spans.get_column("waited").to_numpy().astype(np.bool_),
        asked_row=asked_row,
        asked_at=asked_at,
        event=_in_order(start, end, depth, asked_at),
    )


def _in_order(start: Int64s, end: Int64s, depth: Int32s, asked_at: Int64s) -> Int64s:
    """Order starts, ends and questions: at one moment ends first (deepest first), then starts (deepest last)."""
    rows = np.arange(start.size, dtype=np.int64)
    ends = np.where(end > start, _END, _EMPTY_END)
    kind = np.concatenate([np.full(start.size, _START), ends, np.full(asked_at.size, _ASK)])
    at = np.concatenate([start, end, asked_at])
    tie = np.concatenate([depth, -depth, np.zeros(asked_at.size, np.int32)])
    row = np.concatenate([rows, rows, np.arange(asked_at.size)])
    order = np.lexsort((row, tie, kind, at))
    found: Int64s = (row[order] << 2) | kind[order]
    return found


@kernel
def _place(parent: Int32s, start: Int64s, end: Int64s, kind: Codes) -> tuple[Int32s, Int64s]:
    """Give each span's depth and how far its clock must be moved; cycles are cut in `parent`."""
    count = parent.size
    depth = np.full(count, -1, np.int32)
    moved = np.zeros(count, np.int64)
    stack = np.empty(count, np.int32)
    for first in range(count):
        top = 0
        row = first
        while row != NONE and depth[row] == -1:
            depth[row] = -2
            stack[top] = row
            top += 1
            row = parent[row]
        if row != NONE and depth[row] == -2:
            parent[stack[top - 1]] = NONE
        while top > 0:
            top -= 1
            row = stack[top]
            above = parent[row]
            if above == NONE:
                depth[row] = 0
                continue
            depth[row] = depth[above] + 1
            moved[row] = moved[above]
            if kind[row] == SERVER and kind[above] == CLIENT:
                if start[row] < start[above] - _SLACK_NS:
                    moved[row] += start[above] - start[row]
                elif start[row] >= end[above] and end[above] > start[above]:
                    moved[row] += max(end[above] - end[row], start[above] - start[row])
    return depth, moved


@kernel
def _progress(row: int, shift: Int64s, old: Int64s, new: Int64s, how: Codes, value: Int64s) -> Number:
    """Give how much sooner a span comes to the moment at hand: as its last ended child, or as it began."""
    if old[row] != MISSING:
        ended: Number = old[row] - new[row]
        return ended
    begun: Number = shift[row] + (value[row] if how[row] == LEAD else 0)
    return begun


@kernel
def _begin(
    row: int, above: int, start: Int64s, begun: Mask, shift: Int64s, old: Int64s, new: Int64s, how: Codes, value: Int64s
) -> Number:
    """Give how much sooner a span starts."""
    if how[row] == BESIDE:
        beside = value[row]
        beside_it: Number = shift[beside] + start[row] - start[beside]
        return beside_it
    if above != NONE and begun[above]:
        return _progress(above, shift, old, new, how, value)
    return 0


@kernel
def _finish(
    row: int,
    start: Int64s,
    end: Int64s,
    shift: Int64s,
    old: Int64s,
    new: Int64s,
    running: Int32s,
    how: Codes,
    value: Int64s,
) -> Number:
    """Give how much sooner a span ends.

    What it waited for may outlive it (a body that is still being read): then it is as far as that is.
    """
    last = row
    while how[last] != WHOLE and running[last] != NONE and start[running[last]] >= old[last]:
        last = running[last]
    if how[last] == WHOLE:
        sooner = shift[last] + min(end[row], end[last]) - start[last]
    else:
        sooner = _progress(last, shift, old, new, how, value)
    at_most: Number = min(sooner, shift[row] + end[row] - start[row])
    return at_most


@kernel
def _retime(
    events: Int64s,
    parent: Int32s,
    start: Int64s,
    end: Int64s,
    waited: Mask,
    how: Codes,
    value: Int64s,
    asked_row: Int32s,
    asked_at: Int64s,
) -> Int64s:
    count = start.size
    begun = np.zeros(count, np.bool_)
    shift = np.zeros(count, np.int64)  # how much sooner a span starts
    old = np.full(count, MISSING, np.int64)  # end of its last ended child, as it was
    new = np.full(count, MISSING, np.int64)  # the same, re-timed
    running = np.full(count, NONE, np.int32)  # its child that started last, while it runs
    saved = np.zeros(asked_row.size, np.int64)
    for event in events:
        row, what = event >> 2, event & 3
        if what == _ASK:
            asked = asked_row[row]
            if how[asked] == WHOLE:
                saved[row] = shift[asked] + max(asked_at[row] - start[asked], 0)
            else:
                saved[row] = _progress(asked, shift, old, new, how, value)
            continue
        above = parent[row] if waited[row] else NONE
        if what == _START:
            begun[row] = True
            shift[row] = _begin(row, parent[row], start, begun, shift, old, new, how, value)
            if above != NONE:
                running[above] = row
            continue
        sooner = _finish(row, start, end, shift, old, new, running, how, value)
        if above != NONE:
            old[above] = max(old[above], end[row])
            new[above] = max(new[above], end[row] - sooner)
            if running[above] == row:
                running[above] = NONE
    return saved
