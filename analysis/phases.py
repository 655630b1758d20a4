"""What happened inside each call: its extent cut into labelled stretches, by the best evidence for each.

Where several say something about one moment, the more particular wins: the server's own span, then DNS,
connect, TLS, joint setup, send, receive, the user's own phases, waits for a connection, the queue that a header
tells of, what came after the first byte. What nobody speaks for is what the callee's nature bounds it to
(a statement's time, a third party's, an unobserved service's), or `unexplained` where a server span was received.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seamscope.kernel import kernel

if TYPE_CHECKING:
    from analysis.arrays import Codes, Int32s, Int64s

INSIDE = 255
"""Label of the stretch in which the server's own span was open."""


@kernel
def _rank_of_role(role: int) -> int:
    if role == 11:
        return 1  # dns
    if role == 12:
        return 2  # connect
    if role == 13:
        return 3  # tls
    if role == 14:
        return 4  # setup
    if role == 15:
        return 5  # send
    if role == 16:
        return 6  # receive
    if role == 21:
        return 7  # server_queue
    if role == 20:
        return 8  # network
    if role == 22:
        return 9  # transfer
    if role == 19:
        return 10  # retry
    return 11 if role == 10 else 12  # pool_wait, getconn


@kernel
def _cause_of_rank(rank: int, otherwise: int) -> int:
    if rank == 0:
        return 255
    if rank <= 3:
        return rank + 5  # dns, connect, tls
    if rank == 4:
        return 5  # setup
    if rank == 5:
        return 10  # send
    if rank in (6, 9, 14):
        return 13  # transfer
    if rank in (7, 13):
        return 12  # server_queue
    if rank == 8:
        return 11  # network
    if rank in (10, 15):
        return 14  # retry
    if rank in (11, 12):
        return 9  # pool_wait
    return otherwise


@kernel
def _evidence_of_rank(rank: int, otherwise: int) -> int:
    if rank <= 12 or rank == 14:
        return 1  # measured
    if rank == 13:
        return 3  # header
    return 4 if rank == 15 or otherwise != 0 else 0  # bounded, unexplained


@kernel
def members_of(call_of: Int32s, context: Int32s, server_of: Int32s, phase: Codes, calls: int) -> tuple[Int64s, Int32s]:
    """Return the spans that say something about each call: offsets by call, and rows.

    Its client spans, the phase spans inside it, its server spans.
    """
    offsets = np.zeros(calls + 1, np.int64)
    for row in range(call_of.size):
        if server_of[row] >= 0:
            offsets[server_of[row] + 1] += 1
        if call_of[row] >= 0:
            offsets[call_of[row] + 1] += 1
        elif phase[row] == 1 and context[row] >= 0:
            offsets[context[row] + 1] += 1
    for call in range(calls):
        offsets[call + 1] += offsets[call]
    members = np.empty(offsets[calls], np.int32)
    free = offsets.copy()
    for row in range(call_of.size):
        if server_of[row] >= 0:
            members[free[server_of[row]]] = row
            free[server_of[row]] += 1
        if call_of[row] >= 0:
            members[free[call_of[row]]] = row
            free[call_of[row]] += 1
        elif phase[row] == 1 and context[row] >= 0:
            members[free[context[row]]] = row
            free[context[row]] += 1
    return offsets, members


@kernel
def _plus(time: int, length: int) -> int:
    return 9223372036854775807 if time > 9223372036854775807 - length else time + length


@kernel
def _lay_columns(
    row: int, column_of: Int32s, columns: Int64s, start: Int64s, low: Int64s, high: Int64s, rank: Codes, count: int
) -> int:
    at = start[row]
    for which in range(5):  # pool wait, dns, connect, tls, send: in the order in which a client does them
        length = columns[column_of[row], which]
        if length <= 0:
            continue
        low[count], high[count] = at, _plus(at, length)
        rank[count] = 11 if which == 0 else (5 if which == 4 else which)
        at = high[count]
        count += 1
    return count


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
    column_of: Int32s,
    columns: Int64s,
) -> tuple[Int64s, Int64s, Int64s, Codes, Codes]:
    """Cut every call's extent into labelled stretches.

    `otherwise` is the cause of time that nobody speaks for, `retries` marks calls whose servers were attempts;
    `column_of` points from a span into `columns` (pool wait, dns, connect, tls, send, first byte, transfer;
    nanoseconds, negative where unknown), -1 for none.

    Returns:
        Offsets by call; from, to, cause (`INSIDE` where a server span was open), evidence of each stretch.
    """
    calls = outer.size
    with_columns = 0
    widest = 0
    for call in range(calls):
        widest = max(widest, offsets[call + 1] - offsets[call])
    for at in range(members.size):
        with_columns += column_of[members[at]] >= 0
    room = 4 * members.size + 16 * with_columns + 3 * calls + 8
    firsts = np.zeros(calls + 1, np.int64)
    lows, highs = np.empty(room, np.int64), np.empty(room, np.int64)
    causes, evidences = np.empty(room, np.uint8), np.empty(room, np.uint8)
    low, high = np.empty(8 * widest + 16, np.int64), np.empty(8 * widest + 16, np.int64)
    rank = np.empty(8 * widest + 16, np.uint8)
    edges = np.empty(16 * widest + 40, np.int64)
    edge_of = np.empty(16 * widest + 40, np.int64)
    open_by_rank = np.zeros(17, np.int64)
    filled = 0
    for call in range(calls):
        firsts[call] = filled
        if headless[call] == 1:
            continue
        begin, stop = start[outer[call]], end[outer[call]]
        if stop <= begin:
            continue
        count = 0
        dialled = stop
        first_server, last_server = stop, begin
        for at in range(offsets[call], offsets[call + 1]):
            row = members[at]
            if 11 <= role[row] <= 14:
                dialled = min(dialled, start[row])
            if server_of[row] == call:
                first_server, last_server = min(first_server, start[row]), max(last_server, end[row])
        for at in range(offsets[call], offsets[call + 1]):
            row = members[at]
            if server_of[row] == call:
                low[count], high[count], rank[count] = start[row], end[row], 0
                count += 1
                if queued_at[row] >= 0 and queued_at[row] < start[row]:
                    low[count], high[count], rank[count] = queued_at[row], start[row], 13
                    count += 1
            elif call_of[row] == call:
                if column_of[row] >= 0:
                    count = _lay_columns(row, column_of, columns, start, low, high, rank, count)
                    first_byte, transfer = columns[column_of[row], 5], columns[column_of[row], 6]
                    if first_byte >= 0 and first_byte < end[row] - start[row]:
                        low[count], high[count], rank[count] = start[row] + first_byte, end[row], 14
                        count += 1
                    elif first_byte < 0 and transfer > 0:
                        low[count] = end[row] - min(transfer, end[row] - start[row])
                        high[count], rank[count] = end[row], 14
                        count += 1
            else:
                low[count], high[count] = start[row], end[row]
                rank[count] = _rank_of_role(role[row])
                if role[row] == 9 and reused[row] == 0:  # waited until it dialled itself; the rest is setting up
                    began = dialled if dialled < stop else start[row]
                    low[count + 1], high[count + 1], rank[count + 1] = max(start[row], began), end[row], 4
                    high[count] = low[count + 1]
                    count += 1
                count += 1
        if retries[call] == 1 and first_server < last_server:
            low[count], high[count], rank[count] = first_server, last_server, 15
            count += 1
        events = 0
        for at in range(count):
            low[at], high[at] = max(low[at], begin), min(high[at], stop)
            if low[at] < high[at]:
                edges[events], edge_of[events] = low[at], rank[at] + 1
                edges[events + 1], edge_of[events + 1] = high[at], -np.int64(rank[at]) - 1
                events += 2
        if events > 64:
            order = np.argsort(edges[:events])
            edges[:events] = edges[:events][order]
            edge_of[:events] = edge_of[:events][order]
        else:
            for at in range(1, events):
                edge, what = edges[at], edge_of[at]
                to = at
                while to > 0 and edges[to - 1] > edge:
                    edges[to], edge_of[to] = edges[to - 1], edge_of[to - 1]
                    to -= 1
                edges[to], edge_of[to] = edge, what
        open_by_rank[:] = 0
        cursor = begin
        at = 0
        while cursor < stop:
            while at < events and edges[at] <= cursor:
                if edge_of[at] > 0:
                    open_by_rank[edge_of[at] - 1] += 1
                else:
                    open_by_rank[-edge_of[at] - 1] -= 1
                at += 1
            until = edges[at] if at < events else stop
            best = 16
            for which in range(16):
                if open_by_rank[which] > 0:
                    best = which
                    break
            cause = _cause_of_rank(best, otherwise[call])
            evidence = _evidence_of_rank(best, otherwise[call])
            if filled > firsts[call] and causes[filled - 1] == cause and evidences[filled - 1] == evidence:
                highs[filled - 1] = until
            else:
                lows[filled], highs[filled], causes[filled], evidences[filled] = cursor, until, cause, evidence
                filled += 1
            cursor = until
    firsts[calls] = filled
    return firsts, lows[:filled], highs[:filled], causes[:filled], evidences[:filled]


@kernel
def sum_phases(firsts: Int64s, lows: Int64s, highs: Int64s, causes: Codes, line_of: Codes, most: Int64s) -> Int64s:
    """Return lines of sums by call: the length of its stretches of each cause that has a line (255: none).

    No line says more than what is left of `most` (negative: no bound) after the lines before it; line 0 is served
    last.
    """
    calls = firsts.size - 1
    lines = 0
    for cause in range(line_of.size):
        if line_of[cause] != 255:
            lines = max(lines, line_of[cause] + 1)
    sums = np.zeros((lines, calls), np.int64)
    for call in range(calls):
        for at in range(firsts[call], firsts[call + 1]):
            if causes[at] != 255 and line_of[causes[at]] != 255:
                sums[line_of[causes[at]], call] += highs[at] - lows[at]
        if most[call] < 0:
            continue
        left = most[call]
        for line in range(lines - 1, -1, -1):
            sums[line, call] = min(sums[line, call], left)
            left -= sums[line, call]
    return sums
