"""Waits and setups that stand beside the call they belong to, not inside it.

undici and instrumentation-net make DNS, connect and TLS spans siblings of the fetch they serve; otelpgx, pg-pool and
SQLAlchemy let the wait for a connection end before the statement begins. Siblings are looked over in the order of
their start, and only under parents that have such a span.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seamscope.kernel import kernel

if TYPE_CHECKING:
    from analysis.arrays import Codes, Int32s, Int64s, Number

SLACK_NS = 1_000_000
"""Clocks of JavaScript start spans on whole milliseconds."""

NEAR = 64
"""How many siblings are looked at for one loose span."""


@kernel
def _is_phase(role: int) -> bool:
    return 9 <= role <= 16 or 19 <= role <= 22


@kernel
def _before(row: int, other: int, start: Int64s, span_id: Int64s) -> bool:
    if start[row] != start[other]:
        return bool(start[row] < start[other])
    return bool(span_id[row] < span_id[other])


@kernel
def _sort_by_start(rows: Int32s, begin: int, stop: int, start: Int64s, span_id: Int64s, spare: Int32s) -> None:
    width = 1
    while width < stop - begin:
        low = begin
        while low < stop:
            middle, high = min(low + width, stop), min(low + 2 * width, stop)
            left, right = low, middle
            for at in range(low, high):
                if right >= high or (left < middle and not _before(rows[right], rows[left], start, span_id)):
                    spare[at] = rows[left]
                    left += 1
                else:
                    spare[at] = rows[right]
                    right += 1
            low += 2 * width
        for at in range(begin, stop):
            rows[at] = spare[at]
        width *= 2


@kernel
def _above_loose_phases(parent: Int32s, remote: Codes, role: Codes, context: Int32s) -> Codes:
    wanted = np.zeros(parent.size, np.uint8)
    for row in range(parent.size):
        if parent[row] >= 0 and remote[row] == 0 and context[row] < 0 and _is_phase(role[row]):
            wanted[parent[row]] = 1
    return wanted


@kernel
def beside_loose_phases(
    parent: Int32s, remote: Codes, role: Codes, context: Int32s, start: Int64s, span_id: Int64s
) -> tuple[Int64s, Int32s]:
    """Return the children, by start, of every span that has a phase span below it which is in no call.

    Both arrays are empty where there is none.
    """
    rows = parent.size
    wanted = _above_loose_phases(parent, remote, role, context)
    if not wanted.any():
        return np.zeros(0, np.int64), np.empty(0, np.int32)
    offsets = np.zeros(rows + 1, np.int64)
    for row in range(rows):
        if parent[row] >= 0 and wanted[parent[row]] == 1:
            offsets[parent[row] + 1] += 1
    for row in range(rows):
        offsets[row + 1] += offsets[row]
    siblings = np.empty(offsets[rows], np.int32)
    spare = np.empty_like(siblings)
    free = offsets.copy()
    for row in range(rows):
        if parent[row] >= 0 and wanted[parent[row]] == 1:
            siblings[free[parent[row]]] = row
            free[parent[row]] += 1
    for row in range(rows):
        if offsets[row + 1] - offsets[row] > 1:
            _sort_by_start(siblings, offsets[row], offsets[row + 1], start, span_id, spare)
    return offsets, siblings


@kernel
def _after(siblings: Int32s, first: int, stop: int, time: int, start: Int64s) -> int:
    low, high = first, stop
    while low < high:
        middle = (low + high) // 2
        if start[siblings[middle]] <= time:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _fits(row: int, other: int, peer: Int64s, system: Int64s) -> bool:
    same_peer = peer[row] < 0 or peer[other] < 0 or peer[row] == peer[other]
    same_system = system[row] < 0 or system[other] < 0 or system[row] == system[other]
    return bool(same_peer and same_system)


@kernel
def _adopting(
    row: int,
    first: int,
    stop: int,
    siblings: Int32s,
    start: Int64s,
    end: Int64s,
    call_of: Int32s,
    peer: Int64s,
    system: Int64s,
    given: Int64s,
    bit: Number,
) -> int:
    low = _after(siblings, first, stop, start[row] + 1_000_000, start)
    best, spare = -1, -1
    for at in range(low - 1, max(first, low - 64) - 1, -1):
        other = siblings[at]
        if call_of[other] < 0 or end[other] < end[row] or not _fits(row, other, peer, system):
            continue
        if given[call_of[other]] & bit:
            spare = other if spare < 0 else spare
        elif best < 0 or start[other] == start[best]:
            best = other
    chosen = best if best >= 0 else spare
    return int(call_of[chosen]) if chosen >= 0 else -1


@kernel
def adopt_phases(
    order: Int32s,
    parent: Int32s,
    remote: Codes,
    role: Codes,
    start: Int64s,
    end: Int64s,
    peer: Int64s,
    system: Int64s,
    calls: int,
    call_of: Int32s,
    context: Int32s,
    offsets: Int64s,
    siblings: Int32s,
) -> None:
    """Give DNS, connect and TLS spans to the sibling call in which they lie, with what is below them, in place.

    Of several, the one that started last before them, and one that has no such phase yet.
    """
    if offsets.size == 0:
        return
    given = np.zeros(calls, np.int64)
    for at in range(order.size):
        row = order[at]
        above = parent[row]
        if above < 0 or remote[row] == 1 or not _is_phase(role[row]) or context[row] >= 0:
            continue
        if _is_phase(role[above]) and context[above] >= 0:
            context[row] = context[above]
        elif 11 <= role[row] <= 14:
            bit = np.int64(1) << np.int64(role[row])
            found = _adopting(
                row, offsets[above], offsets[above + 1], siblings, start, end, call_of, peer, system, given, bit
            )
            if found >= 0:
                context[row] = found
                given[found] |= bit


@kernel
def lend_waits(
    order: Int32s,
    parent: Int32s,
    remote: Codes,
    role: Codes,
    start: Int64s,
    end: Int64s,
    peer: Int64s,
    system: Int64s,
    call_of: Int32s,
    context: Int32s,
    answered: Codes,
    offsets: Int64s,
    siblings: Int32s,
) -> Int32s:
    """Return, for every wait or setup that ended before a call did begin, that call (-1: none).

    It is the next call beside it to the same system and host; `answered` marks calls with a server span, whose gap
    says itself how long they waited.
    """
    lent = np.full(parent.size, -1, np.int32)
    if offsets.size == 0:
        return lent
    for at in range(order.size):
        row = order[at]
        above = parent[row]
        if above < 0 or remote[row] == 1 or context[row] >= 0 or not 9 <= role[row] <= 14:
            continue
        if _is_phase(role[above]):
            lent[row] = lent[above]
            continue
        first = _after(siblings, offsets[above], offsets[above + 1], end[row] - 1_000_000, start)
        for next_at in range(first, min(first + 64, offsets[above + 1])):
            other = siblings[next_at]
            if call_of[other] < 0 or answered[call_of[other]] == 1 or start[other] < start[row]:
                continue
            if _fits(row, other, peer, system):
                lent[row] = call_of[other]
                break
    return lent
