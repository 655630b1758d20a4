"""What happened inside each call: its extent cut into labelled stretches, by the best evidence for each.

Where several say something about one moment, the more particular wins: the server's own span, then DNS,
connect, TLS, joint setup, send, receive, the user's own phases, waits for a connection, the queue that a header
tells of, what came after the first byte, and before a server that says it was started for this call (`faas.coldstart`)
its start. What nobody speaks for is what the callee's nature bounds it to
(a statement's time, a third party's, an unobserved service's), or `unexplained` where a server span was received.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from seamscope.kernel import kernel
from seamscope.schema import words

if TYPE_CHECKING:
    from analysis.arrays import Codes, Int32s, Int64s, Number

INSIDE: Final = 255
"""Label of the stretch in which the server's own span was open."""

RANKS: Final = (
    # what speaks, the cause it tells, how well it is known; the first that speaks for a moment is believed
    ("server", "", "measured"),
    ("dns", "dns", "measured"),
    ("connect", "connect", "measured"),
    ("tls", "tls", "measured"),
    ("setup", "setup", "measured"),
    ("send", "send", "measured"),
    ("receive", "transfer", "measured"),
    ("server_queue", "server_queue", "measured"),
    ("network", "network", "measured"),
    ("transfer", "transfer", "measured"),
    ("retry", "retry", "measured"),
    ("pool_wait", "pool_wait", "measured"),
    ("getconn", "pool_wait", "measured"),
    ("header", "server_queue", "header"),
    ("first byte", "transfer", "measured"),
    ("between attempts", "retry", "bounded"),
    ("cold start", "cold_start", "header"),
)

_NAMES: Final = [name for name, _, _ in RANKS]
_RANK_OF_ROLE: Final = np.array([_NAMES.index(role) if role in _NAMES else 0 for role in words.ROLES], np.uint8)
_CAUSE_OF_RANK: Final = np.array([words.CAUSES.index(cause) if cause else INSIDE for _, cause, _ in RANKS], np.uint8)
_EVIDENCE_OF_RANK: Final = np.array([words.code(words.EVIDENCE, known) for _, _, known in RANKS], np.uint8)
_SETUP: Final = _NAMES.index("setup")
_HEADER: Final = _NAMES.index("header")
_FIRST_BYTE: Final = _NAMES.index("first byte")
_BETWEEN: Final = _NAMES.index("between attempts")
_COLD: Final = _NAMES.index("cold start")
_COLUMN_RANKS: Final = np.array(
    [_NAMES.index(name) for name in ("pool_wait", "dns", "connect", "tls", "send")], np.uint8
)
"""Ranks of the first five columns of `label_calls`, in the order in which a client does them."""


@kernel
def _plus(time: int, length: int) -> int:
    return 9223372036854775807 if time > 9223372036854775807 - length else time + length


@kernel
def _of_columns(
    row: int, told: Int64s, start: Int64s, end: Int64s, low: Int64s, high: Int64s, rank: Codes, count: int
) -> int:
    """Add what a client span tells of itself: lengths are laid out from its start."""
    at = start[row]
    for which in range(5):
        if told[which] > 0:
            low[count], high[count], rank[count] = at, _plus(at, told[which]), _COLUMN_RANKS[which]
            at = high[count]
            count += 1
    length = end[row] - start[row]
    if 0 <= told[5] < length:
        low[count], high[count], rank[count] = start[row] + told[5], end[row], _FIRST_BYTE
        count += 1
    elif told[5] < 0 < told[6]:
        low[count], high[count], rank[count] = end[row] - min(told[6], length), end[row], _FIRST_BYTE
        count += 1
    return count


@kernel
def _of_server(
    row: int,
    queued_at: int,
    cold: Number,
    start: Int64s,
    end: Int64s,
    low: Int64s,
    high: Int64s,
    rank: Codes,
    count: int,
) -> int:
    low[count], high[count], rank[count] = start[row], end[row], 0
    count += 1
    if cold == 1:
        low[count], high[count], rank[count] = np.int64(0), start[row], _COLD
        count += 1
    if 0 <= queued_at < start[row]:
        low[count], high[count], rank[count] = queued_at, start[row], _HEADER
        count += 1
    return count


@kernel
def _of_phase(
    row: int,
    role: Codes,
    reused: Codes,
    dialled: Number,
    start: Int64s,
    end: Int64s,
    low: Int64s,
    high: Int64s,
    rank: Codes,
    count: int,
) -> int:
    low[count], high[count], rank[count] = start[row], end[row], _RANK_OF_ROLE[role[row]]
    if role[row] != 9 or reused[row] != 0:
        return count + 1
    # a connection of its own: it waited until it dialled, the rest is setting up
    high[count] = max(start[row], min(dialled, end[row]))
    low[count + 1], high[count + 1], rank[count + 1] = high[count], end[row], _SETUP
    return count + 2


@kernel
def _bounds(
    call: int, members: Int32s, server_of: Int32s, role: Codes, start: Int64s, end: Int64s
) -> tuple[Number, Number, Number]:
    """Return when the first phase of a setup began, when the first server did, and when the last server ended."""
    dialled, first_server = np.int64(9223372036854775807), np.int64(9223372036854775807)
    last_server = np.int64(0)
    known = False
    for row in members:
        if server_of[row] == call:
            first_server, last_server = min(first_server, start[row]), max(last_server, end[row])
        elif 11 <= role[row] <= 14:
            dialled, known = min(dialled, start[row]), True
    return dialled if known else np.int64(-1), first_server, last_server


@kernel
def _sink(edges: Int64s, edge_of: Int64s, at: int, count: int) -> None:
    edge, what = edges[at], edge_of[at]
    while 2 * at + 1 < count:
        child = 2 * at + 1
        if child + 1 < count and edges[child + 1] > edges[child]:
            child += 1
        if edges[child] <= edge:
            break
        edges[at], edge_of[at] = edges[child], edge_of[child]
        at = child
    edges[at], edge_of[at] = edge, what


@kernel
def _sort_edges(edges: Int64s, edge_of: Int64s, count: int) -> None:
    """Sort by time in place, as a heap: a call may have very many spans below it."""
    for at in range(count // 2 - 1, -1, -1):
        _sink(edges, edge_of, at, count)
    for last in range(count - 1, 0, -1):
        edges[0], edges[last] = edges[last], edges[0]
        edge_of[0], edge_of[last] = edge_of[last], edge_of[0]
        _sink(edges, edge_of, 0, last)


@kernel
def _sorted_edges(
    begin: int, stop: int, low: Int64s, high: Int64s, rank: Codes, count: int, edges: Int64s, edge_of: Int64s
) -> int:
    """Write where stretches open (rank + 1) and close (its negative) within the call, by time; return how many."""
    found = 0
    for at in range(count):
        opens, closes = max(low[at], begin), min(high[at], stop)
        if opens < closes:
            edges[found], edge_of[found] = opens, np.int64(rank[at]) + 1
            edges[found + 1], edge_of[found + 1] = closes, -np.int64(rank[at]) - 1
            found += 2
    if found > 64:
        _sort_edges(edges, edge_of, found)
        return found
    for at in range(1, found):
        edge, what, to = edges[at], edge_of[at], at
        while to > 0 and edges[to - 1] > edge:
            edges[to], edge_of[to] = edges[to - 1], edge_of[to - 1]
            to -= 1
        edges[to], edge_of[to] = edge, what
    return found


@kernel
def _best(open_by_rank: Int64s) -> int:
    for which in range(open_by_rank.size):
        if open_by_rank[which] > 0:
            return which
    return -1


@kernel
def _sweep(
    begin: int,
    stop: int,
    otherwise: int,
    edges: Int64s,
    edge_of: Int64s,
    count: int,
    open_by_rank: Int64s,
    lows: Int64s,
    highs: Int64s,
    causes: Codes,
    evidences: Codes,
    filled: int,
) -> int:
    """Write the call's labelled stretches from `filled` on; return where they end."""
    first, cursor, at = filled, begin, 0
    open_by_rank[:] = 0
    while cursor < stop:
        while at < count and edges[at] <= cursor:
            if edge_of[at] > 0:
                open_by_rank[edge_of[at] - 1] += 1
            else:
                open_by_rank[-edge_of[at] - 1] -= 1
            at += 1
        until = edges[at] if at < count else stop
        best = _best(open_by_rank)
        cause, evidence = np.uint8(otherwise), np.uint8(0 if otherwise == 0 else 4)
        if best >= 0:
            cause, evidence = _CAUSE_OF_RANK[best], _EVIDENCE_OF_RANK[best]
        if filled > first and causes[filled - 1] == cause and evidences[filled - 1] == evidence:
            highs[filled - 1] = until
        else:
            lows[filled], highs[filled], causes[filled], evidences[filled] = cursor, until, cause, evidence
            filled += 1
        cursor = until
    return filled


@kernel
def label_calls(
    outer: Int32s,
    headless: Codes,
    otherwise: Codes,
    retries: Codes,
    offsets: Int64s,
    members: Int32s,
    call_of: Int32s,
    server_of: Int32s,
    role: Codes,
    reused: Codes,
    start: Int64s,
    end: Int64s,
    queued_at: Int64s,
    cold: Codes,
    column_of: Int32s,
    columns: Int64s,
) -> tuple[Int64s, Int64s, Int64s, Codes, Codes]:
    """Cut every call's extent into labelled stretches.

    `otherwise` is the cause of time that nobody speaks for, `retries` marks calls whose servers were attempts, `cold`
    (by row) servers that were started for their call;
    `column_of` points from a span into `columns` (pool wait, dns, connect, tls, send, first byte, transfer;
    nanoseconds, negative where unknown), -1 for none.

    Returns:
        Offsets by call; from, to, cause (`INSIDE` where a server span was open), evidence of each stretch.
    """
    calls = outer.size
    widest = np.int64(0)
    for call in range(calls):
        widest = max(widest, offsets[call + 1] - offsets[call])
    room = 6 * members.size + 16 * columns.shape[0] + 3 * calls + 8
    firsts = np.zeros(calls + 1, np.int64)
    lows, highs = np.empty(room, np.int64), np.empty(room, np.int64)
    causes, evidences = np.empty(room, np.uint8), np.empty(room, np.uint8)
    low, high = np.empty(8 * widest + 16, np.int64), np.empty(8 * widest + 16, np.int64)
    rank = np.empty(8 * widest + 16, np.uint8)
    edges, edge_of = np.empty(16 * widest + 40, np.int64), np.empty(16 * widest + 40, np.int64)
    open_by_rank = np.zeros(_CAUSE_OF_RANK.size, np.int64)
    filled = 0
    for call in range(calls):
        firsts[call] = filled
        begin, stop = start[outer[call]], end[outer[call]]
        if headless[call] == 1 or stop <= begin:
            continue
        mine = members[offsets[call] : offsets[call + 1]]
        if mine.size == 1 and call_of[mine[0]] == call and column_of[mine[0]] < 0:
            lows[filled], highs[filled], causes[filled] = begin, stop, otherwise[call]
            evidences[filled] = 0 if otherwise[call] == 0 else 4
            filled += 1
            continue
        dialled, first_server, last_server = _bounds(call, mine, server_of, role, start, end)
        count = 0
        for row in mine:
            if server_of[row] == call:
                count = _of_server(row, queued_at[row], cold[row], start, end, low, high, rank, count)
            elif call_of[row] != call:
                count = _of_phase(row, role, reused, dialled, start, end, low, high, rank, count)
            elif column_of[row] >= 0:
                count = _of_columns(row, columns[column_of[row]], start, end, low, high, rank, count)
        if retries[call] == 1:
            low[count], high[count], rank[count] = first_server, last_server, _BETWEEN
            count += 1
        count = _sorted_edges(begin, stop, low, high, rank, count, edges, edge_of)
        filled = _sweep(
            begin, stop, otherwise[call], edges, edge_of, count, open_by_rank, lows, highs, causes, evidences, filled
        )
    firsts[calls] = filled
    return firsts, lows[:filled], highs[:filled], causes[:filled], evidences[:filled]
