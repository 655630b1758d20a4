"""The forest as requests see it: process boundaries, asynchronous cuts, orphans put where they belong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seamscope.kernel import kernel

if TYPE_CHECKING:
    from analysis.arrays import Codes, Int32s, Int64s

NEAR = 16
"""How many earlier candidates an orphan looks back over for one that contains it."""

IDLE_NS = 60_000_000_000
"""Remote orphans of one trace are one request unless nothing of them was open for this long."""


@kernel
def mark_boundaries(parent: Int32s, kind: Codes, role: Codes, flags: Int32s, process: Int32s) -> Codes:
    """Mark spans that run in another process than their parent does (1), by flags, kind and resource."""
    remote = np.zeros(parent.size, np.uint8)
    for row in range(parent.size):
        above = parent[row]
        if above < 0:
            continue
        told = flags[row] & 0x300
        elsewhere = process[row] != process[above]
        if kind[row] == 2 or kind[row] == 5:
            nested = kind[above] == 2 and not elsewhere and role[row] == 1 and role[above] == 1
            crossing = kind[above] == 3 or kind[above] == 4 or elsewhere or told == 0x300
            remote[row] = 1 if crossing and not nested and told != 0x100 else 0
            if told == 0x100 and (kind[above] == 3 or kind[above] == 4) and elsewhere:
                remote[row] = 1
        else:
            remote[row] = 1 if elsewhere and told != 0x100 else 0
    return remote


@kernel
def cut_asynchronous(parent: Int32s, kind: Codes, remote: Codes, tier: Codes) -> Int32s:
    """Cut what a request starts and does not wait for into trees of their own, in place.

    Messages handled elsewhere, and a page's life in the browser hung under the server span that sent the page.

    Returns:
        For every span that was cut, the span that caused it; -1 elsewhere.
    """
    cause = np.full(parent.size, -1, np.int32)
    for row in range(parent.size):
        above = parent[row]
        if above < 0:
            continue
        message = remote[row] == 1 and (kind[row] == 5 or kind[above] == 4)
        page_life = tier[row] == 1 and tier[above] > 1
        if message or page_life:
            cause[row] = above
    for row in range(parent.size):
        if cause[row] >= 0:
            parent[row] = -1
    return cause


@kernel
def _before(row: int, other: int, start: Int64s, span_id: Int64s, kind: Codes) -> bool:
    if start[row] != start[other]:
        return bool(start[row] < start[other])
    if span_id[row] != span_id[other]:
        return bool(span_id[row] < span_id[other])
    return bool(kind[row] < kind[other])


@kernel
def _sort_by_start(rows: Int32s, count: int, start: Int64s, span_id: Int64s, kind: Codes, spare: Int32s) -> None:
    width = 1
    while width < count:
        begin = 0
        while begin < count:
            middle, stop = min(begin + width, count), min(begin + 2 * width, count)
            left, right = begin, middle
            for at in range(begin, stop):
                right_first = right < stop and (
                    left >= middle or _before(rows[right], rows[left], start, span_id, kind)
                )
                if not right_first:
                    spare[at] = rows[left]
                    left += 1
                else:
                    spare[at] = rows[right]
                    right += 1
            begin += 2 * width
        rows[:count] = spare[:count]
        width *= 2


@kernel
def _contains(other: int, row: int, start: Int64s, end: Int64s, span_id: Int64s, kind: Codes) -> bool:
    """Tell whether a span lies in another one's time; of two with the same, the later by id lies in the other."""
    if start[other] == start[row] and end[other] == end[row]:
        return _before(other, row, start, span_id, kind)
    return bool(end[row] <= end[other])  # `other` starts no later


@kernel
def _container(
    row: int,
    found: Int32s,
    count: int,
    start: Int64s,
    end: Int64s,
    span_id: Int64s,
    kind: Codes,
    process: Int32s,
    local: bool,
) -> int:
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if start[found[middle]] <= start[row]:
            low = middle + 1
        else:
            high = middle
    for at in range(low - 1, max(low - 1 - 16, -1), -1):
        other = found[at]
        if other == row or (local and process[other] != process[row]):
            continue
        inside = _contains(other, row, start, end, span_id, kind) if local else start[row] < end[other]
        if inside:
            return int(other)
    return -1


@kernel
def _gather_servers(
    begin: int, end: int, fate: Codes, parent: Int32s, kind: Codes, role: Codes, only_roots: bool, found: Int32s
) -> int:
    count = 0
    for row in range(begin, end):
        server = kind[row] == 2 or kind[row] == 5 or role[row] == 1
        root = fate[row] == 0 and parent[row] < 0
        if (only_roots and root and kind[row] != 5) or (not only_roots and server):
            found[count] = row
            count += 1
    return count


@kernel
def _root_of(row: int, above: Int32s) -> int:
    at = row
    while above[at] >= 0:
        if above[above[at]] >= 0:
            above[at] = above[above[at]]
        at = above[at]
    return int(at)


@kernel
def adopt_orphans(
    offsets: Int64s,
    start: Int64s,
    end: Int64s,
    span_id: Int64s,
    flags: Int32s,
    kind: Codes,
    role: Codes,
    process: Int32s,
    fate: Codes,
    parent: Int32s,
) -> None:
    """Put orphans under the span that must have held them, in place.

    A span whose local parent is missing goes under the server span of its own process that contains it; a server
    span whose remote parent is missing goes under the root of its trace that was open when it started.
    """
    widest = 0
    for trace in range(offsets.size - 1):
        widest = max(widest, offsets[trace + 1] - offsets[trace])
    found = np.empty(widest, np.int32)
    spare = np.empty(widest, np.int32)
    above = parent.copy()  # for finding roots; shortened as it is climbed
    for trace in range(offsets.size - 1):
        begin, stop = offsets[trace], offsets[trace + 1]
        orphans = 0
        for row in range(begin, stop):
            orphans += fate[row] == 2
        if orphans == 0:
            continue
        for local in (True, False):
            count = _gather_servers(begin, stop, fate, parent, kind, role, not local, found)
            _sort_by_start(found, count, start, span_id, kind, spare)
            for row in range(begin, stop):
                told_local = (flags[row] & 0x300) == 0x100
                is_local = told_local or (kind[row] != 2 and kind[row] != 5 and (flags[row] & 0x300) != 0x300)
                if fate[row] != 2 or parent[row] >= 0 or is_local != local or kind[row] == 5:
                    continue
                other = _container(row, found, count, start, end, span_id, kind, process, local)
                if other >= 0 and _root_of(other, above) != row:
                    parent[row] = other
                    above[row] = other


@kernel
def join_lost_callers(
    offsets: Int64s, start: Int64s, end: Int64s, span_id: Int64s, kind: Codes, fate: Codes, parent: Int32s
) -> tuple[Int32s, int]:
    """Gather server spans of one trace whose callers were never received under one caller nobody saw.

    Returns:
        For every span the number of the unseen caller it goes under (-1: none), and how many of those there are.
    """
    unseen = np.full(parent.size, -1, np.int32)
    widest = 0
    for trace in range(offsets.size - 1):
        widest = max(widest, offsets[trace + 1] - offsets[trace])
    found = np.empty(widest, np.int32)
    spare = np.empty(widest, np.int32)
    callers = 0
    for trace in range(offsets.size - 1):
        count = 0
        for row in range(offsets[trace], offsets[trace + 1]):
            if fate[row] == 2 and parent[row] < 0 and kind[row] == 2:
                found[count] = row
                count += 1
        if count < 2:
            continue
        _sort_by_start(found, count, start, span_id, kind, spare)
        first, open_until = 0, end[found[0]]
        for at in range(1, count + 1):
            if at < count and start[found[at]] - open_until <= 60_000_000_000:
                open_until = max(open_until, end[found[at]])
                continue
            if at - first > 1:
                unseen[found[first:at]] = callers
                callers += 1
            if at < count:
                first, open_until = at, end[found[at]]
    return unseen, callers


@kernel
def order_down(parent: Int32s) -> tuple[Int32s, int]:
    """Return the spans with every parent before its children, and the greatest depth (a root's is 1)."""
    rows = parent.size
    first = np.full(rows, -1, np.int32)
    following = np.full(rows, -1, np.int32)
    order = np.empty(rows, np.int32)
    depth = np.ones(rows, np.int32)
    for row in range(rows - 1, -1, -1):
        if parent[row] >= 0:
            following[row] = first[parent[row]]
            first[parent[row]] = row
    filled, deepest = 0, 0
    for root in range(rows):
        if parent[root] >= 0:
            continue
        read = filled
        order[filled] = root
        filled += 1
        while read < filled:
            at = order[read]
            read += 1
            deepest = max(deepest, depth[at])
            child = first[at]
            while child >= 0:
                depth[child] = depth[at] + 1
                order[filled] = child
                filled += 1
                child = following[child]
    return order[:filled], deepest
