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

_MARK_NS: Final = 1_000_000
"""A span that is shorter marks a moment (a module looked up, a first byte); it is no work of its own."""
_DEEPEST: Final = 256
"""Spans that outlive their parents, one below the other, are followed so far."""

_END, _ASK, _START, _EMPTY_END = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class Cuts:
    """What is taken out, a row each: the span's row, how (`WHOLE`, `LEAD`, `BESIDE`), and nanoseconds or a row."""

    row: Int32s
    how: Codes
    value: Int64s


@dataclass(frozen=True, slots=True)
class Timeline:
    """Spans and questions, request by request in the order of time, ready to be re-timed over and over."""

    parent: Int32s
    """Row of the parent, where it belongs to the same request."""
    start: Int64s
    end: Int64s
    waited: Mask
    """Whether somebody waits for the span."""
    asked_row: Int32s
    asked_at: Int64s
    event: Int64s
    """Four times the row (of the question, for one) and what happens there."""
    first_event: Int64s
    """Where the events of each request begin, and the end."""
    questions: Int64s
    """How many there are of each request."""

    def saved(self, requests: Int32s, cuts: Cuts, first_cut: Int64s) -> tuple[Int64s, Int32s, Int64s]:
        """Give how much sooner each question's moment would come, request by request, each with cuts of its own.

        Args:
            requests: numbers of requests; the same one may be asked for again, with other cuts.
            cuts: theirs, one after the other; a row at most once for each.
            first_cut: where the cuts of each begin, and the end.

        Returns:
            The place in `requests`, the question, and the nanoseconds; cost in time and memory is that of the events
            of the requests asked for.
        """
        return _retime(
            requests,
            first_cut,
            cuts.row,
            cuts.how,
            cuts.value,
            self.event,
            self.first_event,
            self.parent,
            self.start,
            self.end,
            self.waited,
            self.asked_row,
            self.asked_at,
            int(self.questions[requests].sum()),
        )


def timeline(spans: pl.DataFrame, asked_row: Int32s, asked_at: Int64s, asked_by: Int32s, requests: int) -> Timeline:
    """Put spans and questions in order.

    Args:
        spans: `parent_row`, `kind`, `start_ns`, `end_ns`, `waited`, `request` (`NONE`: of no request, left out).
        asked_row: the span of each question.
        asked_at: its moment.
        asked_by: the request that asks it.
        requests: the number of requests.

    Spans of a callee whose clock is plainly off (it starts before its caller does, or after the caller had ended) are
    moved to where they must have been.
    """
    parent = spans.get_column("parent_row").to_numpy().astype(np.int32)
    start = spans.get_column("start_ns").to_numpy().astype(np.int64)
    end = np.maximum(spans.get_column("end_ns").to_numpy().astype(np.int64), start)
    kind = spans.get_column("kind").to_numpy().astype(np.uint8)
    request = spans.get_column("request").to_numpy().astype(np.int32)
    depth, moved = _place(parent, start, end, kind)
    start, end = start + moved, end + moved
    asked_at = asked_at + moved[asked_row] if asked_row.size else asked_at
    event, first_event = _in_order(start, end, depth, request, asked_at, asked_by, requests)
    return Timeline(
        parent=np.where((parent != NONE) & (request[parent] == request), parent, NONE).astype(np.int32),
        start=start,
        end=end,
        waited=spans.get_column("waited").to_numpy().astype(np.bool_),
        asked_row=asked_row,
        asked_at=asked_at,
        event=event,
        first_event=first_event,
        questions=np.bincount(asked_by, minlength=requests),
    )


def _in_order(
    start: Int64s, end: Int64s, depth: Int32s, request: Int32s, asked_at: Int64s, asked_by: Int32s, requests: int
) -> tuple[Int64s, Int64s]:
    """Order each request's starts, ends and questions: at one moment ends first (deepest first), then starts."""
    own = np.flatnonzero(request != NONE)
    start, end, depth = start[own], end[own], depth[own].astype(np.int64)
    ends = np.where(end > start, _END, _EMPTY_END)
    kind = np.concatenate([np.full(own.size, _START), ends, np.full(asked_at.size, _ASK)])
    whose = np.concatenate([request[own], request[own], asked_by])
    row = np.concatenate([own, own, np.arange(asked_at.size)])
    at = np.concatenate([start, end, asked_at])
    # at one moment: by kind, starts from the top down, ends from the bottom up
    tie = np.concatenate([depth, -depth, np.zeros(asked_at.size, np.int64)]) + (kind << 40)
    order = np.lexsort((row, tie, at, whose))
    first = np.searchsorted(whose[order], np.arange(requests + 1)).astype(np.int64)
    return (row[order] << 2) | kind[order], first


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
    row: int,
    above: int,
    start: Int64s,
    end: Int64s,
    begun: Mask,
    shift: Int64s,
    old: Int64s,
    new: Int64s,
    running: Int32s,
    how: Codes,
    value: Int64s,
) -> Number:
    """Give how much sooner a span starts; a mark that is set while a sibling runs moves with what that does."""
    if how[row] == BESIDE and begun[value[row]]:
        beside = value[row]
        beside_it: Number = shift[beside] + start[row] - start[beside]
        return beside_it
    if above == NONE or not begun[above]:
        return 0
    if end[row] - start[row] < _MARK_NS and running[above] != NONE:
        above = running[above]
    return _progress(above, shift, old, new, how, value)


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

    What it waited for may outlive it (a body that is still being read): then it is as far as that is. What is
    streamed after it was not waited for.
    """
    last = row
    for _ in range(_DEEPEST):
        below = running[last]
        if how[last] == WHOLE or below == NONE or start[below] < old[last]:
            break
        if old[below] == MISSING and end[below] - end[row] > end[row] - start[below]:
            break  # it had hardly begun, and nobody had answered it: what ends here did not wait for it
        last = below
    if how[last] == WHOLE:
        sooner = shift[last] + min(end[row], end[last]) - start[last]
    else:
        sooner = _progress(last, shift, old, new, how, value)
    at_most: Number = min(sooner, shift[row] + end[row] - start[row])
    return at_most


@kernel
def _ended(row: int, above: int, end: int, sooner: Number, old: Int64s, new: Int64s, running: Int32s) -> None:
    """Tell a parent that a child has ended."""
    old[above] = max(old[above], end)
    new[above] = max(new[above], end - sooner)
    if running[above] == row:
        running[above] = NONE


@kernel
def _answer(
    row: int, at: int, begun: Mask, shift: Int64s, old: Int64s, new: Int64s, how: Codes, value: Int64s
) -> Number:
    """Give how much sooner a span comes to a moment, so long after its start."""
    if not begun[row]:
        return 0
    if how[row] == WHOLE:
        gone: Number = shift[row] + max(at, 0)
        return gone
    return _progress(row, shift, old, new, how, value)


@kernel
def _forget(events: Int64s, begun: Mask, old: Int64s, new: Int64s, running: Int32s) -> None:
    """Leave no trace of a request's spans, for the next to be re-timed."""
    for event in events:
        if event & 3 == _START:
            row = event >> 2
            begun[row] = False
            old[row] = MISSING
            new[row] = MISSING
            running[row] = NONE


@kernel
def _retime(
    requests: Int32s,
    first_cut: Int64s,
    cut_row: Int32s,
    cut_how: Codes,
    cut_value: Int64s,
    events: Int64s,
    first_event: Int64s,
    parent: Int32s,
    start: Int64s,
    end: Int64s,
    waited: Mask,
    asked_row: Int32s,
    asked_at: Int64s,
    room: int,
) -> tuple[Int64s, Int32s, Int64s]:
    count = start.size
    begun = np.zeros(count, np.bool_)
    shift = np.empty(count, np.int64)  # how much sooner a span starts
    old = np.full(count, MISSING, np.int64)  # end of its last ended child, as it was
    new = np.full(count, MISSING, np.int64)  # the same, re-timed
    running = np.full(count, NONE, np.int32)  # its child that started last, while it runs
    how = np.zeros(count, np.uint8)
    value = np.zeros(count, np.int64)
    unit = np.empty(room, np.int64)
    question = np.empty(room, np.int32)
    saved = np.empty(room, np.int64)
    answers = 0
    for one in range(requests.size):
        low, high = first_event[requests[one]], first_event[requests[one] + 1]
        for cut in range(first_cut[one], first_cut[one + 1]):
            how[cut_row[cut]] = cut_how[cut]
            value[cut_row[cut]] = cut_value[cut]
        for event in events[low:high]:
            row, what = event >> 2, event & 3
            if what == _ASK:
                unit[answers] = one
                question[answers] = row
                at = asked_at[row] - start[asked_row[row]]
                saved[answers] = _answer(asked_row[row], at, begun, shift, old, new, how, value)
                answers += 1
            elif what == _START:
                begun[row] = True
                shift[row] = _begin(row, parent[row], start, end, begun, shift, old, new, running, how, value)
                if waited[row] and parent[row] != NONE:
                    running[parent[row]] = row
            else:
                sooner = _finish(row, start, end, shift, old, new, running, how, value)
                if waited[row] and parent[row] != NONE:
                    _ended(row, parent[row], end[row], sooner, old, new, running)
        _forget(events[low:high], begun, old, new, running)
        for cut in range(first_cut[one], first_cut[one + 1]):
            how[cut_row[cut]] = KEEP
    return unit[:answers].copy(), question[:answers].copy(), saved[:answers].copy()
