"""A request re-timed without some of its work: how much sooner every span would have started and ended.

The model keeps every delay between things that follow each other, and moves what follows. A child starts so long
after the last sibling that had ended (or after its parent's start) as it did; a parent ends so long after its last
ended child as it did; a stretch that is taken out is gone. What was hidden behind it in parallel then shows, so the
saving is less than the length of what was taken out whenever a sibling takes as long. (Google's retimer, as ported
into CRISP, by shifts instead of recursion.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.arrays import MISSING, NONE, Codes, Int32s, Int64s, Mask, Number
from seamscope.kernel import kernel

KEEP: Final = 0
WHOLE: Final = 1
"""The span, and all below it, is taken out."""
LEAD: Final = 2
"""So many nanoseconds are taken out before the span's first child, or out of the span where it has none."""
BESIDE: Final = 3
"""The span starts beside another one (its row), not after it; its parent still does what it did between."""
EARLIER: Final = 4
"""The span starts so many nanoseconds earlier: its parent did nothing else before it."""

MARK_NS: Final = 1_000_000
_MARK_PART: Final = 10
"""An internal span that is shorter, and than such a part of what runs beside it, marks a moment (a module looked up, a
first byte); it is no work of its own."""
_DEEPEST: Final = 256
"""Spans that outlive their parents, one below the other, are followed so far."""

END, ASK, START, EMPTY_END = 0, 1, 2, 3
"""What happens at a moment of a `Timeline`."""


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
    brief: Mask
    """Whether it may only mark a moment."""
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
            self.brief,
            self.asked_row,
            self.asked_at,
            int(self.questions[requests].sum()),
        )


@kernel
def _progress(row: int, shift: Int64s, old: Int64s, new: Int64s, how: Codes, value: Int64s) -> Number:
    """Give how much sooner a span comes to the moment at hand: as its last ended child, or as it began."""
    if old[row] != MISSING:
        ended: Number = old[row] - new[row]
        return ended
    begun: Number = shift[row] + (value[row] if how[row] == LEAD else 0)
    return begun


@kernel
def _meanwhile(row: int, above: int, start: Int64s, end: Int64s, running: Int32s) -> bool:
    """Tell whether a brief span marks a moment of a sibling that runs: what follows waits for that, not for it."""
    if above == NONE or running[above] == NONE:
        return False
    beside = running[above]
    marks: bool = (end[row] - start[row]) * _MARK_PART < end[beside] - start[beside]
    return marks


@kernel
def _begin(
    row: int,
    above: int,
    meanwhile: Mask,
    start: Int64s,
    begun: Mask,
    shift: Int64s,
    old: Int64s,
    new: Int64s,
    running: Int32s,
    how: Codes,
    value: Int64s,
    own: Int64s,
) -> Number:
    """Give how much sooner a span starts; a mark that is set while a sibling runs moves with what that does."""
    if how[row] == BESIDE and begun[value[row]]:
        beside = value[row]
        if above != NONE and running[above] == NONE and old[above] != MISSING:
            own[beside] += max(start[row] - max(old[above], start[beside]), 0)
        beside_it: Number = shift[beside] + start[row] - start[beside] - own[beside]
        return beside_it
    if above == NONE or not begun[above]:
        return 0
    if meanwhile[row]:
        above = running[above]
    sooner = _progress(above, shift, old, new, how, value)
    if how[row] == EARLIER:
        since = start[above] if old[above] == MISSING else max(old[above], start[above])
        sooner += min(value[row], max(start[row] - since, 0))
    return sooner


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
        if how[last] == WHOLE or below == NONE:
            break
        if start[below] < old[last] and end[below] - end[row] >= end[row] - old[last]:
            break  # it ran beside what ended last, and what ends here is nearer to that
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
def _forget(events: Int64s, begun: Mask, old: Int64s, new: Int64s, running: Int32s, own: Int64s) -> None:
    """Leave no trace of a request's spans, for the next to be re-timed."""
    for event in events:
        if event & 3 == START:
            row = event >> 2
            begun[row] = False
            old[row] = MISSING
            new[row] = MISSING
            running[row] = NONE
            own[row] = 0


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
    brief: Mask,
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
    meanwhile = np.zeros(count, np.bool_)  # whether it marks a moment of a sibling that runs, and holds nothing
    own = np.zeros(count, np.int64)  # what the parent did by itself between what starts beside this span instead
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
            if what == ASK:
                unit[answers] = one
                question[answers] = row
                at = asked_at[row] - start[asked_row[row]]
                saved[answers] = _answer(asked_row[row], at, begun, shift, old, new, how, value)
                answers += 1
            elif what == START:
                begun[row] = True
                meanwhile[row] = brief[row] and _meanwhile(row, parent[row], start, end, running)
                shift[row] = _begin(
                    row, parent[row], meanwhile, start, begun, shift, old, new, running, how, value, own
                )
                if waited[row] and parent[row] != NONE and not meanwhile[row]:
                    running[parent[row]] = row
            else:
                sooner = _finish(row, start, end, shift, old, new, running, how, value)
                if waited[row] and parent[row] != NONE and not meanwhile[row]:
                    _ended(row, parent[row], end[row], sooner, old, new, running)
        _forget(events[low:high], begun, old, new, running, own)
        for cut in range(first_cut[one], first_cut[one + 1]):
            how[cut_row[cut]] = KEEP
    return unit[:answers].copy(), question[:answers].copy(), saved[:answers].copy()
