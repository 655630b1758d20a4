"""The critical path: a walk backwards from a horizon, iterative, in integer nanoseconds.

At the cursor the walk goes into the child with the greatest min(end, cursor); among those open at the cursor,
the one that started first. So every stretch of the request belongs to exactly one span: the stretches of a
request are contiguous and sum to the horizon by construction. What had no child open is the span's own.

For the shell a span that is still open does not hold it, save those that carry the first byte's mark. A call whose
client ended at the headers was not open then: it holds the shell until they came, with all that made them.
The strict walk takes only children that had ended at the cursor (CRISP, Jaeger).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seamscope.kernel import kernel

if TYPE_CHECKING:
    from analysis.arrays import Codes, Int32s, Int64s


@kernel
def _later(one: int, other: int, start: Int64s, end: Int64s, span_id: Int64s) -> bool:
    if end[one] != end[other]:
        return bool(end[one] > end[other])
    if start[one] != start[other]:
        return bool(start[one] < start[other])
    if span_id[one] != span_id[other]:
        return bool(span_id[one] < span_id[other])
    return one < other


@kernel
def _sort_children(rows: Int32s, begin: int, stop: int, start: Int64s, end: Int64s, span_id: Int64s) -> None:
    for at in range(begin + 1, stop):
        row = rows[at]
        to = at
        while to > begin and _later(row, rows[to - 1], start, end, span_id):
            rows[to] = rows[to - 1]
            to -= 1
        rows[to] = row


@kernel
def _merge_children(
    rows: Int32s, begin: int, stop: int, start: Int64s, end: Int64s, span_id: Int64s, spare: Int32s
) -> None:
    width = 16
    for low in range(begin, stop, width):
        _sort_children(rows, low, min(low + width, stop), start, end, span_id)
    while width < stop - begin:
        low = begin
        while low < stop:
            middle, high = min(low + width, stop), min(low + 2 * width, stop)
            left, right = low, middle
            for at in range(low, high):
                from_left = left < middle and (
                    right >= high or not _later(rows[right], rows[left], start, end, span_id)
                )
                spare[at] = rows[left] if from_left else rows[right]
                if from_left:
                    left += 1
                else:
                    right += 1
            low += 2 * width
        rows[begin:stop] = spare[begin:stop]
        width *= 2


@kernel
def children_by_end(parent: Int32s, holds: Codes, start: Int64s, end: Int64s, span_id: Int64s) -> tuple[Int64s, Int32s]:
    """Return every span's children that can hold it, the last to end first: offsets by span, and rows."""
    rows = parent.size
    offsets = np.zeros(rows + 1, np.int64)
    for row in range(rows):
        if parent[row] >= 0 and holds[row] == 1:
            offsets[parent[row] + 1] += 1
    widest = 0
    for row in range(rows):
        widest = max(widest, offsets[row + 1])
        offsets[row + 1] += offsets[row]
    children = np.empty(offsets[rows], np.int32)
    free = offsets[:rows].copy()
    for row in range(rows - 1, -1, -1):  # spans are sent as they end: backwards they nearly have their order
        if parent[row] >= 0 and holds[row] == 1:
            children[free[parent[row]]] = row
            free[parent[row]] += 1
    spare = np.empty(children.size if widest > 16 else 0, np.int32)
    for row in range(rows):
        many = offsets[row + 1] - offsets[row]
        if many > 16:
            _merge_children(children, offsets[row], offsets[row + 1], start, end, span_id, spare)
        elif many > 1:
            _sort_children(children, offsets[row], offsets[row + 1], start, end, span_id)
    return offsets, children


@kernel
def _carry(root: int, mark: int, parent: Int32s, carries: Codes, value: int) -> None:
    at = mark
    while at >= 0:
        carries[at] = value
        if at == root:
            return
        at = parent[at]


@kernel
def _only_open(row: int, until: int, first: Int64s, children: Int32s, start: Int64s, end: Int64s, inner: Codes) -> int:
    found = -1
    for at in range(first[row], first[row + 1]):
        child = children[at]
        if end[child] <= until:
            return found
        if start[child] < until and inner[child] == 1:
            if found >= 0:
                return -1
            found = child
    return found


@kernel
def _last_carrier(
    root: int, until: int, first: Int64s, children: Int32s, start: Int64s, end: Int64s, inner: Codes
) -> int:
    at = root
    child = _only_open(at, until, first, children, start, end, inner)
    while child >= 0:
        at = child
        child = _only_open(at, until, first, children, start, end, inner)
    return at


@kernel
def _walk_one(  # noqa: C901, PLR0912 - a function per step would cost several times what the step does
    root: int,
    until: int,
    last: int,
    shell: bool,
    strict: bool,
    overlap: float,
    first: Int64s,
    children: Int32s,
    start: Int64s,
    end: Int64s,
    grain: Int64s,
    is_call: Codes,
    is_server: Codes,
    returned: Codes,
    carries: Codes,
    frames: Int64s,
    span: Int32s,
    low: Int64s,
    high: Int64s,
    call: Int32s,
    marks: Codes,
    count: int,
) -> int:
    """Walk one horizon; write its stretches from `count` on. Returns where they end, -1 where the room did not do.

    `frames` is the stack: span, bottom, top, cursor, next child, outermost call, clipped, gate. A frame looks at its
    span's children from the last to end on; those that had not ended at the gate are left out: for the shell at
    `until`, save the carriers of the mark (a clock's grain is forgiven). Inside a call that had come back (`returned`)
    nothing is left out: what still ran had sent its headers.
    """
    begin, level = count, 0
    node, bottom, top, cursor, at = np.int64(root), start[root], np.int64(until), np.int64(until), first[root]
    outermost, clipped = np.int64(root if is_call[root] == 1 else -1), np.int64(0)
    gate = np.int64(until) if shell else np.int64(9223372036854775807)
    while True:
        best, ending, stop = np.int64(-1), bottom, first[node + 1]
        while cursor > bottom and at < stop:
            child = children[at]
            reach = end[child]
            if reach > gate and carries[child] == 0 and reach - gate > max(grain[child], grain[last]):
                at += 1
                continue
            if reach < cursor:
                ending = max(reach, bottom)
                break
            at += 1
            if start[child] >= cursor or (best >= 0 and start[child] >= start[best]):
                continue
            if strict and reach > cursor and cursor != top and reach - cursor >= overlap * (top - bottom):
                continue
            best = np.int64(child)
        if best < 0:
            if cursor > bottom:
                if (
                    count > begin
                    and span[count - 1] == node
                    and low[count - 1] == cursor
                    and marks[count - 1] == clipped
                ):
                    low[count - 1] = ending
                elif count == span.size:
                    return -1
                else:
                    span[count], low[count], high[count] = node, ending, cursor
                    call[count], marks[count] = outermost, clipped
                    count += 1
                cursor = ending
            if cursor <= bottom:
                if level == 0:
                    return count
                level -= 1
                node, bottom, top = frames[level, 0], frames[level, 1], frames[level, 2]
                cursor, at = frames[level, 3], frames[level, 4]
                outermost, clipped, gate = frames[level, 5], frames[level, 6], frames[level, 7]
            continue
        frames[level, 0], frames[level, 1], frames[level, 2] = node, bottom, top
        frames[level, 3], frames[level, 4] = max(start[best], bottom), at
        frames[level, 5], frames[level, 6], frames[level, 7] = outermost, clipped, gate
        level += 1
        if end[best] - cursor > grain[best] + grain[node] and carries[best] == 0 and is_server[best] == 0:
            clipped = np.int64(1)
        if outermost < 0 and is_call[best] != 0:
            outermost = best
        if returned[best] == 1:
            gate = np.int64(9223372036854775807)
        node, bottom, top, at = best, max(start[best], bottom), cursor, first[best]


@kernel
def walk_paths(
    begin: int,
    root: Int32s,
    shell: Int64s,
    complete: Int64s,
    mark: Int32s,
    parent: Int32s,
    first: Int64s,
    children: Int32s,
    start: Int64s,
    end: Int64s,
    grain: Int64s,
    is_call: Codes,
    is_server: Codes,
    came: Int64s,
    children_by_came: Int32s,
    inner: Codes,
    depth: int,
    strict: bool,
    overlap: float,
    capacity: int,
) -> tuple[int, int, Int32s, Codes, Int32s, Int64s, Int64s, Int32s, Codes]:
    """Walk the known horizons of requests `begin`, `begin` + 1, … until all are done or `capacity` is used up.

    `shell` and `complete` are times on the request's clock (the least int64: unknown), `mark` the span that marks
    the first byte. `is_call` marks client spans (1) and spans that enter another process (2), `is_server` the
    server side of a call, `inner` what runs in its parent's process and is no call. `came` is `end`, save for
    calls whose client ended at the headers: when those came; `children_by_came` has the children in that order.

    Returns:
        The first request not done, the number of stretches, and the stretches, per request and horizon the last
        first: request, horizon, span, from, to, outermost call (-1: none), marks.
    """
    request, horizon = np.empty(capacity, np.int32), np.empty(capacity, np.uint8)
    span, call = np.empty(capacity, np.int32), np.empty(capacity, np.int32)
    low, high = np.empty(capacity, np.int64), np.empty(capacity, np.int64)
    marks = np.empty(capacity, np.uint8)
    frames = np.empty((depth + 2, 8), np.int64)
    carries = np.zeros(parent.size, np.uint8)
    returned = (came < end).astype(np.uint8)
    count = 0
    for number in range(begin, root.size):
        kept, top = count, root[number]
        for which in range(2):
            until = shell[number] if which == 0 else complete[number]
            if until <= start[top]:  # unknown is the least of all times
                continue
            last = top
            if which == 0:
                last = mark[number]
                if last < 0:
                    last = _last_carrier(top, until, first, children_by_came, start, came, inner)
                _carry(top, last, parent, carries, 1)
            found = _walk_one(
                top,
                until,
                last,
                which == 0,
                strict,
                overlap,
                first,
                children_by_came if which == 0 else children,
                start,
                came if which == 0 else end,
                grain,
                is_call,
                is_server,
                returned,
                carries,
                frames,
                span,
                low,
                high,
                call,
                marks,
                count,
            )
            if which == 0:
                _carry(top, last, parent, carries, 0)
            if found < 0:
                return number, kept, request, horizon, span, low, high, call, marks
            request[count:found], horizon[count:found] = number, which
            count = found
    return root.size, count, request, horizon, span, low, high, call, marks
