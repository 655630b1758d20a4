"""Stretches of the path become segments: each gets an owner, a cause and its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seamscope.kernel import kernel

if TYPE_CHECKING:
    from analysis.arrays import Codes, Int32s, Int64s, Number


@kernel
def _owner(cause: Number, caller: int, callee: int, seam: int) -> Number:
    if cause in (9, 10, 14):  # pool_wait, send, retry
        return caller
    if cause in (4, 12, 15, 16, 17):  # cold_start, server_queue, query, external_call, unobserved
        return callee
    return seam


@kernel
def _label_at(cursor: int, found: int, last: int, highs: Int64s) -> int:
    """Return the first label that ends after `cursor` (`last`: none)."""
    low, high = found, last
    while low < high:
        middle = (low + high) // 2
        if highs[middle] <= cursor:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def own_segments(  # noqa: C901, PLR0912, PLR0915 - a function per step would cost several times what the step does
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
    own_of: Int32s,
    own_from: Int64s,
    own_low: Int64s,
    own_high: Int64s,
    own_cause: Codes,
    own_seam: Int32s,
    parties: int,
    capacity: int,
) -> tuple[int, Int64s, Codes, Int64s, Int64s, Int64s, Int64s, Int32s, Codes, Codes]:
    """Turn stretches (per request and horizon the last first) into segments (in order).

    A stretch of a call is cut by the call's labels; one that lies after its span's own end belongs to the span
    above that was open then (`cover`), or to no span at all, `unexplained`. `own_of` points from a span to the
    stretches of its own time in which it waited for a connection (-1: none; `inferred.OwnTime`), on `own_seam` where
    a seam owns them.

    Returns:
        How many segments there are (more than `capacity`: ask again with that much), and by segment its request,
        horizon, from and to (since `began`, its request's start), id of span and of outermost call (0: none), owner,
        cause, evidence.
    """
    to_request, to_horizon = np.empty(capacity, np.int64), np.empty(capacity, np.uint8)
    to_low, to_high = np.empty(capacity, np.int64), np.empty(capacity, np.int64)
    to_span, to_call = np.empty(capacity, np.int64), np.empty(capacity, np.int64)
    to_owner = np.empty(capacity, np.int32)
    to_cause, to_evidence = np.empty(capacity, np.uint8), np.empty(capacity, np.uint8)
    count = 0
    begin = 0
    while begin < request.size:
        stop = begin
        while stop < request.size and request[stop] == request[begin] and horizon[stop] == horizon[begin]:
            stop += 1
        fresh, zero = count, began[request[begin]]
        last_span, last_call, last_owner = np.int64(0), np.int64(0), np.int64(-1)
        last_cause, last_evidence = np.int64(0), np.int64(0)
        for at in range(stop - 1, begin - 1, -1):
            row, cursor = span[at], low[at]
            outer = span_id[outermost[at]] if outermost[at] >= 0 else np.int64(0)
            while cursor < high[at]:
                late = cursor >= end[row]
                who = cover[row] if late else row
                until = high[at] if late else min(high[at], end[row])
                call = call_of[who] if who >= 0 else np.int32(-1)
                cause, evidence, owner, shown = np.int64(0), np.int64(0), np.int64(root_owner[request[at]]), np.int64(0)
                if call >= 0:
                    label, last = firsts[call], firsts[call + 1]
                    if last - label > 8:
                        label = _label_at(cursor, label, last, highs)
                    while label < last and highs[label] <= cursor:
                        label += 1
                    if label < last and lows[label] > cursor:
                        until = min(until, lows[label])
                    elif label < last:
                        until = min(until, highs[label])
                        if causes[label] != 255:
                            cause, evidence = np.int64(causes[label]), np.int64(evidences[label])
                    owner = np.int64(_owner(cause, caller[call], callee[call], seam[call]))
                    shown = span_id[who]
                elif who >= 0:
                    cause, evidence = np.int64(cause_of[who]), np.int64(evidence_of[who])
                    owner, shown = np.int64(owner_of[who]), span_id[who]
                    if own_of.size and own_of[who] >= 0:
                        wait, past = own_from[own_of[who]], own_from[own_of[who] + 1]
                        wait = _label_at(cursor, wait, past, own_high)
                        if wait < past and own_low[wait] > cursor:
                            until = min(until, own_low[wait])
                        elif wait < past:
                            until = min(until, own_high[wait])
                            cause, evidence = np.int64(own_cause[wait]), np.int64(5)
                            if own_seam[wait] >= 0:
                                owner = np.int64(parties + own_seam[wait])
                if evidence == 1 and marks[at] == 1:
                    evidence = np.int64(4)
                alike = shown == last_span and outer == last_call and owner == last_owner
                if count > fresh and alike and cause == last_cause and evidence == last_evidence:
                    if count <= capacity:
                        to_high[count - 1] = until - zero
                else:
                    if count < capacity:
                        to_request[count], to_horizon[count] = request[at], horizon[at]
                        to_low[count], to_high[count] = cursor - zero, until - zero
                        to_span[count], to_call[count], to_owner[count] = shown, outer, owner
                        to_cause[count], to_evidence[count] = cause, evidence
                    last_span, last_call, last_owner = shown, outer, owner
                    last_cause, last_evidence = cause, evidence
                    count += 1
                cursor = until
        begin = stop
    return count, to_request, to_horizon, to_low, to_high, to_span, to_call, to_owner, to_cause, to_evidence


@kernel
def greatest_shares(
    requests: int,
    request: Int64s,
    led: Codes,
    horizon: Codes,
    low: Int64s,
    high: Int64s,
    owner: Int32s,
    cause: Codes,
    rank: Int64s,
) -> tuple[Int32s, Codes]:
    """Return, by request, owner and cause of its greatest share (-1 and 255: none); of equals the first by `rank`.

    `led` is, by request, the horizon whose segments count, `rank` is every owner's place in an order that does not
    depend on the batch. Segments of one request lie side by side.
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
            if horizon[at] == led[number] and high[at] > low[at]:
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
