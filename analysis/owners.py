"""Stretches of the path become segments: each gets an owner, a cause and its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seamscope.kernel import kernel

if TYPE_CHECKING:
    from analysis.arrays import Codes, Int32s, Int64s


@kernel
def _owner(cause: int, caller: int, callee: int, seam: int) -> int:
    if cause in (9, 10, 14):  # pool_wait, send, retry
        return caller
    if cause in (12, 15, 16, 17):  # server_queue, query, external_call, unobserved
        return callee
    return seam


@kernel
def own_segments(
    request: Int32s,
    horizon: Codes,
    span: Int32s,
    low: Int64s,
    high: Int64s,
    outermost: Int32s,
    marks: Codes,
    end: Int64s,
    cover: Int32s,
    call_of: Int32s,
    cause_of: Codes,
    evidence_of: Codes,
    owner_of: Int32s,
    root_owner: Int32s,
    span_id: Int64s,
    began: Int64s,
    caller: Int32s,
    callee: Int32s,
    seam: Int32s,
    firsts: Int64s,
    lows: Int64s,
    highs: Int64s,
    causes: Codes,
    evidences: Codes,
    capacity: int,
) -> tuple[int, Int64s, Codes, Int64s, Int64s, Int64s, Int64s, Int32s, Codes, Codes]:
    """Turn stretches (per request and horizon the last first) into segments (in order).

    A stretch of a call is cut by the call's labels; one that lies after its span's own end belongs to the span
    above that was open then (`cover`), or to no span at all, `unexplained`.

    Returns:
        How many segments there are (more than `capacity`: ask again with that much), and by segment its request,
        horizon, from and to (since `began`, its request's start), id of span and of outermost call (0: none), owner,
        cause, evidence.
    """
    to_request = np.empty(capacity, np.int64)
    to_horizon = np.empty(capacity, np.uint8)
    to_low = np.empty(capacity, np.int64)
    to_high = np.empty(capacity, np.int64)
    to_span = np.empty(capacity, np.int64)
    to_call = np.empty(capacity, np.int64)
    to_owner = np.empty(capacity, np.int32)
    to_cause = np.empty(capacity, np.uint8)
    to_evidence = np.empty(capacity, np.uint8)
    count = 0
    begin = 0
    while begin < request.size:
        stop = begin
        while stop < request.size and request[stop] == request[begin] and horizon[stop] == horizon[begin]:
            stop += 1
        fresh = count
        zero = began[request[begin]]
        for at in range(stop - 1, begin - 1, -1):
            row, cursor = span[at], low[at]
            outer = span_id[outermost[at]] if outermost[at] >= 0 else np.int64(0)
            while cursor < high[at]:
                who = row
                until = high[at]
                if cursor >= end[row]:
                    who = cover[row]
                elif until > end[row]:
                    until = end[row]
                call = call_of[who] if who >= 0 else -1
                shown = span_id[who] if who >= 0 else np.int64(0)
                if who < 0:
                    cause, evidence, owner = np.uint8(0), np.uint8(0), root_owner[request[at]]
                elif call >= 0:
                    found, last = firsts[call], firsts[call + 1]
                    while last - found > 8:
                        middle = (found + last) // 2
                        if highs[middle] <= cursor:
                            found = middle + 1
                        else:
                            last = middle + 1
                    last = firsts[call + 1]
                    while found < last and highs[found] <= cursor:
                        found += 1
                    if found < last and lows[found] <= cursor and causes[found] != 255:
                        until = min(until, highs[found])
                        cause, evidence = causes[found], evidences[found]
                    else:
                        if found < last:
                            until = min(until, highs[found] if lows[found] <= cursor else lows[found])
                        cause, evidence = np.uint8(0), np.uint8(0)
                    owner = _owner(cause, caller[call], callee[call], seam[call])
                else:
                    cause, evidence, owner = cause_of[who], evidence_of[who], owner_of[who]
                if evidence == 1 and marks[at] == 1:
                    evidence = np.uint8(4)
                same = (
                    count > fresh
                    and count <= capacity
                    and to_span[count - 1] == shown
                    and to_call[count - 1] == outer
                    and to_owner[count - 1] == owner
                    and to_cause[count - 1] == cause
                    and to_evidence[count - 1] == evidence
                )
                if same:
                    to_high[count - 1] = until - zero
                else:
                    if count < capacity:
                        to_request[count], to_horizon[count] = request[at], horizon[at]
                        to_low[count], to_high[count] = cursor - zero, until - zero
                        to_span[count], to_call[count] = shown, outer
                        to_owner[count], to_cause[count], to_evidence[count] = owner, cause, evidence
                    count += 1
                cursor = until
        begin = stop
    return count, to_request, to_horizon, to_low, to_high, to_span, to_call, to_owner, to_cause, to_evidence


@kernel
def greatest_shares(
    requests: int, request: Int64s, led: Codes, low: Int64s, high: Int64s, owner: Int32s, cause: Codes, rank: Int64s
) -> tuple[Int32s, Codes]:
    """Return, by request, owner and cause of its greatest share (-1 and 255: none); of equals the first by `rank`.

    `led` marks the segments that count, `rank` is every owner's place in an order that does not depend on the
    batch. Segments of one request lie side by side.
    """
    best_owner = np.full(requests, -1, np.int32)
    best_cause = np.full(requests, 255, np.uint8)
    sums = np.zeros(rank.size * 32, np.int64)
    seen = np.empty(rank.size * 32, np.int64)
    begin = 0
    while begin < request.size:
        number = request[begin]
        count = 0
        at = begin
        while at < request.size and request[at] == number:
            key = np.int64(owner[at]) * 32 + cause[at]
            if led[at] == 1 and high[at] > low[at]:
                if sums[key] == 0:
                    seen[count] = key
                    count += 1
                sums[key] += high[at] - low[at]
            at += 1
        best = np.int64(-1)
        for which in range(count):
            key = seen[which]
            more = best < 0 or sums[key] > sums[best]
            if more or (
                sums[key] == sums[best] and rank[key // 32] * 32 + key % 32 < rank[best // 32] * 32 + best % 32
            ):
                best = key
        for which in range(count):
            if seen[which] != best:
                sums[seen[which]] = 0
        if best >= 0:
            sums[best] = 0
            best_owner[number], best_cause[number] = best // 32, best % 32
        begin = at
    return best_owner, best_cause
