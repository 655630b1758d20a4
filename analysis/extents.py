"""How far spans reach: one clock per request, ends lifted over children that a parent hands over to, first bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seamscope.kernel import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    from analysis.arrays import Codes, Int32s, Int64s, Mask


@kernel
def _plus(time: int, shift: int) -> int:
    if shift > 0 and time > 9223372036854775807 - shift:
        return 9223372036854775807
    return time + shift


@kernel
def local_roots(order: Int32s, parent: Int32s, remote: Codes) -> Int32s:
    """Return, for every span, the topmost span of its own process above it."""
    top = np.empty(parent.size, np.int32)
    for at in range(order.size):
        row = order[at]
        above = parent[row]
        top[row] = row if above < 0 or remote[row] == 1 else top[above]
    return top


@kernel
def first_bytes(top: Int32s, role: Codes, start: Int64s, column: Int64s) -> tuple[Int64s, Int32s]:
    """Return, for every topmost span of a process, when its response's first byte left, on its own clock.

    A mark (`start response`, ASGI's `http.response.start`) stands; else what the span itself says.

    Returns:
        Times (the least int64 where unknown), and the span that marked it (-1: none).
    """
    unknown = np.int64(-9223372036854775808)
    at_ns = np.full(top.size, unknown, np.int64)
    mark = np.full(top.size, -1, np.int32)
    for row in range(top.size):
        if role[row] == 5 and (at_ns[top[row]] == unknown or start[row] < at_ns[top[row]]):
            at_ns[top[row]] = start[row]
            mark[top[row]] = row
    for row in range(top.size):
        if top[row] == row and mark[row] < 0 and column[row] >= 0:
            at_ns[row] = _plus(start[row], column[row])
    return at_ns, mark


@kernel
def _offset(
    client: int, server: int, start: Int64s, end: Int64s, grain: Int64s, first_byte: Int64s, waits: bool
) -> int:
    early = start[server] - start[client]
    slack = grain[client] + grain[server]
    if early < -slack:
        return int(-early)
    began = max(start[server], first_byte[server])
    late = began - end[client]
    fits = end[server] - start[server] <= end[client] - start[client]
    if fits and (waits or late > slack):
        late = end[server] - end[client]
    return int(-min(late, early)) if late > slack else 0


@kernel
def clock_shifts(
    order: Int32s,
    parent: Int32s,
    remote: Codes,
    server_of: Int32s,
    host: Int32s,
    waits: Codes,
    start: Int64s,
    end: Int64s,
    grain: Int64s,
    first_byte: Int64s,
    resource: Int32s,
    origin: int,
    group: npt.NDArray[np.int32],
    offset: npt.NDArray[np.int64],
    slope: npt.NDArray[np.float64],
) -> Int64s:
    """Return what to add to each span's times so that no effect comes before its cause.

    Hosts of one `group` (by resource; -1: not known) are `offset` (and `slope` per nanosecond since `origin`) ahead
    of a clock they share. Where that is not known a call bounds its server's clock: the server
    started after the call did, and before the call ended (its end too where the client is known to wait for it:
    `waits`). Raw times that keep these bounds are left alone; others move by the nearest bound that lets the server
    run within the call if it can, with all that runs inside. Spans on one host (`host`, by resource; -1: not known)
    never move.
    """
    shift = np.zeros(parent.size, np.int64)
    for at in range(order.size):
        row = order[at]
        above = parent[row]
        if above < 0:
            continue
        shift[row] = shift[above]
        here, there = resource[row], resource[above]
        if remote[row] == 0 or server_of[row] < 0 or (host[here] >= 0 and host[here] == host[there]):
            continue
        if group.size and group[here] >= 0 and group[here] == group[there]:
            drift = (slope[there] - slope[here]) * (start[above] - origin)
            shift[row] += offset[there] - offset[here] + np.int64(drift)
        else:
            shift[row] += _offset(above, row, start, end, grain, first_byte, waits[row] == 1)
    return shift


@kernel
def shifted(times: Int64s, shift: Int64s) -> Int64s:
    """Return times on the request's clock."""
    moved = np.empty(times.size, np.int64)
    for row in range(times.size):
        moved[row] = _plus(times[row], shift[row])
    return moved


@kernel
def answering(order: Int32s, parent: Int32s, remote: Codes, kind: Codes, role: Codes) -> Int32s:
    """Return, for every span, the nearest server span of its own process above it or itself; -1 where there is none."""
    nearest = np.full(parent.size, -1, np.int32)
    for at in range(order.size):
        row = order[at]
        above = parent[row]
        if kind[row] == 2 or role[row] == 1:
            nearest[row] = row
        elif above >= 0 and remote[row] == 0:
            nearest[row] = nearest[above]
    return nearest


@kernel
def _outlives_answer(above: int, nearest: Int32s, end: Int64s, until: int) -> bool:
    server = nearest[above]
    return bool(server >= 0 and until > end[server])


@kernel
def _hands_over(row: int, above: int, remote: Codes, kind: Codes, role: Codes, extent: Codes, call_of: Int32s) -> bool:
    if remote[row] == 1:  # a client that ends at the headers: its server may still be writing the body
        return bool(call_of[above] >= 0 and extent[above] == 1 and kind[row] == 2)
    serves = (kind[row] == 2 or role[row] == 1) and (kind[above] == 2 or role[above] == 1 or role[above] == 2)
    chained = call_of[row] >= 0 and call_of[row] == call_of[above]
    return bool(serves or chained or role[above] == 3 or role[above] == 4)


@kernel
def lift_ends(
    order: Int32s,
    parent: Int32s,
    remote: Codes,
    kind: Codes,
    role: Codes,
    extent: Codes,
    call_of: Int32s,
    nearest: Int32s,
    start: Int64s,
    end: Int64s,
    grain: Int64s,
) -> tuple[Int64s, Int32s]:
    """Let spans reach to the end of what they handed over to, and say who is open in the time so gained.

    Next.js 16's root ends when it has handed the page to its render, 14's middleware likewise; a
    render span of Next.js 15 ends at the shell; a route handler has returned when the body it returned is
    streamed; a client span that ends at the headers has a server that may still be writing the body. What began
    after its handler or render was over and outlives the whole answer (Next.js's `after()`) is handed nothing.
    `nearest` is `answering`'s. A server that ends after its client by less than its clock can tell handed on nothing.

    Returns:
        The lifted ends, and for every lifted span the nearest span above it that was still open (-1: none).
    """
    lifted = end.copy()
    cover = np.full(parent.size, -1, np.int32)
    for at in range(order.size - 1, -1, -1):
        row = order[at]
        above = parent[row]
        if above < 0 or role[row] == 18 or lifted[row] <= lifted[above]:
            continue
        if remote[row] == 1 and lifted[row] - lifted[above] < grain[row] and grain[row] > 1:
            continue
        late = remote[row] == 1 and start[row] > end[above]
        if (role[above] == 3 or role[above] == 4) and start[row] >= end[above]:
            late = _outlives_answer(above, nearest, end, lifted[row])
        if not late and _hands_over(row, above, remote, kind, role, extent, call_of):
            lifted[above] = lifted[row]
    for at in range(order.size):
        row = order[at]
        above = parent[row]
        if above >= 0 and lifted[row] > end[row]:
            cover[row] = above if end[above] >= lifted[row] or remote[row] == 1 else cover[above]
    return lifted, cover


@kernel
def outliving(asked: Mask, parent: Int32s, end: Int64s, lifted: Int64s, grain: Int64s, unseen_from: int) -> Int32s:
    """Return which of the spans asked for end after their parent does, by more than both clocks' granularity."""
    rows = np.empty(parent.size, np.int32)
    count = 0
    for row in range(parent.size):
        above = parent[row]
        if asked[row] and 0 <= above < unseen_from and end[row] - lifted[above] > grain[row] + grain[above]:
            rows[count] = row
            count += 1
    return rows[:count].copy()


@kernel
def mark_unawaited(
    order: Int32s,
    parent: Int32s,
    remote: Codes,
    kind: Codes,
    role: Codes,
    nearest: Int32s,
    start: Int64s,
    end: Int64s,
    lifted: Int64s,
) -> Codes:
    """Mark what its request does not wait for: background work, and what starts after the response was done."""
    unawaited = np.zeros(parent.size, np.uint8)
    for at in range(order.size):
        row = order[at]
        above = parent[row]
        if role[row] == 18:
            unawaited[row] = 1
        elif above >= 0:
            serves = kind[above] == 2 or kind[above] == 5 or role[above] == 1
            after = serves and start[row] >= lifted[above]
            if (role[above] == 3 or role[above] == 4) and start[row] >= end[above]:
                after = _outlives_answer(above, nearest, end, lifted[row])
            late = after and remote[row] == 0 and start[row] > start[above]
            unawaited[row] = 1 if unawaited[above] == 1 or late else 0
    return unawaited
