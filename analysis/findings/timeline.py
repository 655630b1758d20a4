"""Spans and questions put in the order of time, on one clock per request, ready to be re-timed (`retiming`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from analysis.arrays import MISSING, NONE, Codes, Int32s, Int64s, Mask
from analysis.findings.retiming import ASK, EMPTY_END, END, MARK_NS, START, Timeline
from seamscope.kernel import kernel
from seamscope.schema import words

if TYPE_CHECKING:
    import polars as pl

SERVER: Final = words.code(words.SPAN_KINDS, "server")
CLIENT: Final = words.code(words.SPAN_KINDS, "client")
INTERNAL: Final = words.code(words.SPAN_KINDS, "internal")

_SLACK_NS: Final = 1_000_000
"""Starts of JavaScript's spans are whole milliseconds: so much earlier than its caller a callee may seem to start."""
_GRAIN_NS: Final = 1_000_000
"""What starts on a whole millisecond (JavaScript's spans do) may have started so much later."""


def timeline(spans: pl.DataFrame, asked_row: Int32s, asked_at: Int64s, asked_by: Int32s, requests: int) -> Timeline:
    """Put spans and questions in order.

    Args:
        spans: `parent_row`, `kind`, `start_ns`, `end_ns`, `waited`, `request` (`NONE`: of no request, left out), and
            `reached_ns`: when a server span's call reached it, on the caller's clock; null where nobody knows.
        asked_row: the span of each question.
        asked_at: its moment.
        asked_by: the request that asks it.
        requests: the number of requests.

    Spans of a callee are put on its caller's clock, as far as the analysis knows both. Where it does not, a callee
    whose clock is plainly off (it starts before its caller does, or after the caller had ended) is moved to where it
    must have been.
    """
    parent = spans.get_column("parent_row").to_numpy().astype(np.int32)
    start = spans.get_column("start_ns").to_numpy().astype(np.int64)
    end = np.maximum(spans.get_column("end_ns").to_numpy().astype(np.int64), start)
    kind = spans.get_column("kind").to_numpy().astype(np.uint8)
    request = spans.get_column("request").to_numpy().astype(np.int32)
    reached = spans.get_column("reached_ns").fill_null(MISSING).to_numpy().astype(np.int64)
    depth, moved = _place(parent, start, end, kind, reached)
    coarse = start % _GRAIN_NS == 0
    start, end = start + moved, end + moved
    start = _followed(parent, start, end, coarse, np.lexsort((start, parent)), np.lexsort((end, parent)))
    asked_at = asked_at + moved[asked_row] if asked_row.size else asked_at
    event, first_event = _in_order(start, end, depth, request, asked_at, asked_by, requests)
    return Timeline(
        parent=np.where((parent != NONE) & (request[parent] == request), parent, NONE).astype(np.int32),
        start=start,
        end=end,
        waited=spans.get_column("waited").to_numpy().astype(np.bool_),
        brief=(kind == INTERNAL) & (end - start < MARK_NS),
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
    ends = np.where(end > start, END, EMPTY_END)
    kind = np.concatenate([np.full(own.size, START), ends, np.full(asked_at.size, ASK)])
    whose = np.concatenate([request[own], request[own], asked_by])
    row = np.concatenate([own, own, np.arange(asked_at.size)])
    at = np.concatenate([start, end, asked_at])
    # at one moment: by kind, starts from the top down, ends from the bottom up
    tie = np.concatenate([depth, -depth, np.zeros(asked_at.size, np.int64)]) + (kind << 40)
    order = np.lexsort((row, tie, at, whose))
    first = np.searchsorted(whose[order], np.arange(requests + 1)).astype(np.int64)
    return (row[order] << 2) | kind[order], first


@kernel
def _place(parent: Int32s, start: Int64s, end: Int64s, kind: Codes, reached: Int64s) -> tuple[Int32s, Int64s]:
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
                if reached[row] != MISSING:
                    moved[row] += reached[row] - start[row]
                elif start[row] < start[above] - _SLACK_NS:
                    moved[row] += start[above] - start[row]
                elif start[row] >= end[above] and end[above] > start[above]:
                    moved[row] += max(end[above] - end[row], start[above] - start[row])
    return depth, moved


@kernel
def _followed(parent: Int32s, start: Int64s, end: Int64s, coarse: Mask, by_start: Int64s, by_end: Int64s) -> Int64s:
    """Give starts, those of spans that seem to start just before a sibling ends moved to that: they followed it."""
    found = start.copy()
    at = 0
    for row in by_start:
        if parent[row] == NONE or not coarse[row]:
            continue
        while at < by_end.size and (
            parent[by_end[at]] < parent[row]
            or (parent[by_end[at]] == parent[row] and end[by_end[at]] < start[row] + _GRAIN_NS)
        ):
            at += 1
        last = by_end[at - 1] if at > 0 else row
        if parent[last] == parent[row] and start[last] < start[row] < end[last] and end[last] <= end[row]:
            found[row] = end[last]
    return found
