"""The critical path: a walk backwards from a horizon, iterative, in integer nanoseconds.

At the cursor the walk goes into the child with the greatest min(end, cursor); among those open at the cursor,
the one that started first. So every stretch of the request belongs to exactly one span: the stretches of a
request are contiguous and sum to the horizon by construction. What had no child open is the span's own.

For the shell a span that is still open does not hold it, save those that carry the first byte's mark.
The strict walk takes only children that had ended at the cursor (CRISP, Jaeger).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seamscope.kernel import kernel

if TYPE_CHECKING:
    from analysis.arrays import Codes, Int32s, Int64s, Number


@kernel
def _later(one: int, other: int, start: Int64s, end: Int64s, span_id: Int64s) -> bool:
    if end[one] != end[other]:
        return bool(end[one] > end[other])
    if start[one] != start[other]:
        return bool(start[one] < start[other])
    return bool(span_id[one] < span_id[other])


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
    for row in range(rows):
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
def _next_child(
    at: int,
    stop: int,
    cursor: int,
    top: int,
    bottom: int,
    until: Number,
    slack: int,
    most: Number,
    children: Int32s,
    start: Int64s,
    end: Int64s,
    grain: Int64s,
    carries: Codes,
) -> tuple[Number, Number, Number]:
    """Look at the children from `at` on (the last to end first) for the one that holds the cursor.

    Children that end after `until` are left out, save those that carry the mark; `slack` widens that by a clock's
    grain. `most` is by how much a child may reach beyond the cursor (negative: by any amount), the first time
    (`cursor` at `top`) apart.

    Returns:
        The child (-1: none), where to look on, and until where the span is on its own if there is none.
    """
    best = np.int32(-1)
    while at < stop:
        child = children[at]
        reach = end[child]
        if reach > until and carries[child] == 0 and reach - until > max(grain[child], slack):
            at += 1
            continue
        if reach < cursor:
            return best, at, max(reach, bottom)
        at += 1
        too_far = 0 <= most <= reach - cursor and reach > cursor and cursor != top
        if start[child] < cursor and not too_far and (best < 0 or start[child] < start[best]):
            best = child
    return best, at, bottom


@kernel
def _go_into(
    frames: Int64s,
    level: int,
    node: Number,
    bottom: int,
    cursor: int,
    next_at: int,
    outermost: Number,
    clipped: int,
) -> None:
    frame = frames[level]
    frame[0], frame[1], frame[2], frame[3] = node, bottom, cursor, cursor
    frame[4], frame[5], frame[6] = next_at, outermost, clipped


@kernel
def _walk_one(
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
    carries: Codes,
    frames: Int64s,
    span: Int32s,
    low: Int64s,
    high: Int64s,
    call: Int32s,
    marks: Codes,
    count: int,
) -> int:
    """Walk one horizon; write its stretches from `count` on. Returns where they end, -1 where the room did not do."""
    begin, level, never = count, 0, np.int64(9223372036854775807)
    _go_into(frames, 0, root, start[root], until, first[root], root if is_call[root] == 1 else -1, 0)
    while level >= 0:
        frame = frames[level]
        node, bottom, top, cursor = frame[0], frame[1], frame[2], frame[3]
        at, outermost, clipped = frame[4], frame[5], frame[6]
        if cursor <= bottom:
            level -= 1
            continue
        most = np.int64(overlap * (top - bottom)) if strict else np.int64(-1)
        best, at, ending = _next_child(
            at,
            first[node + 1],
            cursor,
            top,
            bottom,
            until if shell else never,
            grain[last],
            most,
            children,
            start,
            end,
            grain,
            carries,
        )
        frame[4] = at
        if best < 0:
            frame[3] = ending
            if count > begin and span[count - 1] == node and low[count - 1] == cursor and marks[count - 1] == clipped:
                low[count - 1] = ending
                continue
            if count == span.size:
                return -1
            span[count], low[count], high[count], call[count], marks[count] = node, ending, cursor, outermost, clipped
            count += 1
            continue
        into = max(start[best], bottom)
        frame[3] = into
        if outermost < 0 and is_call[best] != 0:
            outermost = np.int64(best)
        still_open = end[best] - cursor > grain[best] + grain[node] and carries[best] == 0 and is_server[best] == 0
        level += 1
        _go_into(frames, level, best, into, cursor, first[best], outermost, 1 if still_open else clipped)
    return count


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
    inner: Codes,
    depth: int,
    strict: bool,
    overlap: float,
    capacity: int,
) -> tuple[int, int, Int32s, Codes, Int32s, Int64s, Int64s, Int32s, Codes]:
    """Walk the known horizons of requests `begin`, `begin` + 1, … until all are done or `capacity` is used up.

    `shell` and `complete` are times on the request's clock (the least int64: unknown), `mark` the span that marks
    the first byte. `is_call` marks client spans (1) and spans that enter another process (2), `is_server` the
    server side of a call, `inner` what runs in its parent's process and is no call.

    Returns:
        The first request not done, the number of stretches, and the stretches, per request and horizon the last
        first: request, horizon, span, from, to, outermost call (-1: none), marks.
    """
    request, horizon = np.empty(capacity, np.int32), np.empty(capacity, np.uint8)
    span, call = np.empty(capacity, np.int32), np.empty(capacity, np.int32)
    low, high = np.empty(capacity, np.int64), np.empty(capacity, np.int64)
    marks = np.empty(capacity, np.uint8)
    frames = np.empty((depth + 2, 7), np.int64)
    carries = np.zeros(parent.size, np.uint8)
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
                    last = _last_carrier(top, until, first, children, start, end, inner)
                _carry(top, last, parent, carries, 1)
            found = _walk_one(
                top,
                until,
                last,
                which == 0,
                strict,
                overlap,
                first,
                children,
                start,
                end,
                grain,
                is_call,
                is_server,
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
