"""Gaps: what the client of a call saw and its server did not, and the two legs that it is made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from analysis.arrays import MISSING
from seamscope.kernel import kernel

if TYPE_CHECKING:
    from analysis.arrays import Codes, Int32s, Int64s, Mask, Number
    from analysis.clocks import Clocks
    from analysis.forest import Resources
    from analysis.journeys import Journeys

WORKERS: Final = ("cloudflare", "@microlabs/otel-cf-workers", "@microlabs/otel-workers-sdk")
"""SDKs of runtimes whose clock stands still between I/O."""


@kernel
def _compare(
    length: int,
    whole: int,
    until: int,
    server_starts: int,
    ends_at: int,
    server_ends_at: int,
    told: int,
    marked: Number,
) -> tuple[int, Number, Number, int]:
    """Return what to set against each other: the client's length, the server's, and how far it outlives the client.

    A side that ends at the headers is compared with the other's first byte (`told` by the client, `marked` by the
    server; negative where unknown, and of no use where it lies beyond the client's end). The last is a kind of gap: 0,
    or why there is none.
    """
    if ends_at == 1:
        if marked < 0:
            return length, whole, 0, 2
        return length, marked, server_starts + marked - length, 0
    if server_ends_at == 1:
        if told < 0 or told > length:
            return length, whole, 0, 5
        return told, whole, until - told, 0
    return length, whole, until - length, 0


@kernel
def measure_gaps(
    outer: Int32s,
    headless: Codes,
    first_server: Int32s,
    servers: Int32s,
    union: Int64s,
    last_end: Int64s,
    ends_at: Codes,
    frozen: Codes,
    one_host: Codes,
    extent: Codes,
    grain: Int64s,
    start: Int64s,
    close: Int64s,
    first_byte: Int64s,
    client_first_byte: Int64s,
) -> tuple[Int64s, Int64s, Codes, Int64s, Int64s, Int64s]:
    """Return by call: server time, gap, kind of gap, request leg, response leg, and how far the legs may be off.

    `ends_at` is what the client's end covers, `union` the time covered by its server spans, `last_end` the end of
    the last, `close` the end of the last client span. The least int64 means unknown.
    """
    unknown = np.int64(-9223372036854775808)
    calls = outer.size
    server, gap = np.full(calls, unknown, np.int64), np.full(calls, unknown, np.int64)
    kind = np.full(calls, 4, np.uint8)
    request, response = np.full(calls, unknown, np.int64), np.full(calls, unknown, np.int64)
    error = np.full(calls, unknown, np.int64)
    for call in range(calls):
        client, first = outer[call], first_server[call]
        if first < 0:
            continue
        server[call] = union[call]
        if headless[call] == 1:
            kind[call] = 5
            continue
        slack = grain[client] + grain[first]
        marked = first_byte[first] - start[first] if first_byte[first] != unknown else np.int64(-1)
        begin = start[client]
        length, whole, over, why = _compare(
            close[call] - begin,
            union[call],
            last_end[call] - begin,
            start[first] - begin,
            ends_at[call],
            extent[first],
            client_first_byte[call],
            marked,
        )
        if why == 0 and frozen[call] == 1:
            why = 5
        elif why == 0 and (over > slack or length < whole):
            why = 3
        elif why == 0:
            gap[call] = length - whole
        kind[call] = why if why != 0 or servers[call] == 1 else 1
        leg = max(start[first] - begin, 0)
        if gap[call] != unknown:
            request[call] = min(leg, gap[call])
            response[call] = gap[call] - request[call]
            error[call] = slack if one_host[call] == 1 else max(request[call], response[call])
        elif why != 5:
            request[call], error[call] = leg, slack if one_host[call] == 1 else leg
    return server, gap, kind, request, response, error


@kernel
def cover_of_servers(
    members_from: Int64s,
    members: Int32s,
    server_of: Int32s,
    start: Int64s,
    end: Int64s,
    firsts: Int64s,
    low: Int64s,
    high: Int64s,
    cause: Codes,
) -> tuple[Int64s, Int64s]:
    """Return, by call, the time that its server spans cover together, and the end of the last.

    Of several, what they cover within the call: the stretches that are labelled as inside a server.
    """
    calls = members_from.size - 1
    union = np.zeros(calls, np.int64)
    last = np.full(calls, np.int64(-9223372036854775808), np.int64)
    for call in range(calls):
        count = 0
        for at in range(members_from[call], members_from[call + 1]):
            row = members[at]
            if server_of[row] == call:
                count += 1
                union[call] = end[row] - start[row]
                last[call] = max(last[call], end[row])
        if count > 1:
            union[call] = 0
            for at in range(firsts[call], firsts[call + 1]):
                if cause[at] == 255:
                    union[call] += high[at] - low[at]
    return union, last


@kernel
def _ends_later(row: int, other: int, outer: int, start: Int64s, end: Int64s, span_id: Int64s) -> bool:
    """Tell which of two client spans of a call ends it; of those that end together the one around the others."""
    if end[row] != end[other]:
        return bool(end[row] > end[other])
    if outer in (row, other):
        return row == outer
    return bool(start[row] < start[other] or (start[row] == start[other] and span_id[row] < span_id[other]))


@kernel
def count_members(
    members_from: Int64s,
    members: Int32s,
    call_of: Int32s,
    outer: Int32s,
    start: Int64s,
    end: Int64s,
    span_id: Int64s,
    resent: Int64s,
) -> tuple[Int32s, Int32s]:
    """Return, by call, the client span that ends last, and the greatest count of re-sendings that one tells."""
    calls = members_from.size - 1
    ending = np.full(calls, -1, np.int32)
    most = np.zeros(calls, np.int32)
    for call in range(calls):
        for at in range(members_from[call], members_from[call + 1]):
            row = members[at]
            if call_of[row] != call:
                continue
            if ending[call] < 0 or _ends_later(row, ending[call], outer[call], start, end, span_id):
                ending[call] = row
            most[call] = max(most[call], resent[row])
    return ending, most


def stand_still(resources: Resources) -> Mask:
    """Mark the resources whose clock stands still between I/O."""
    if "sdk" not in resources.frame.columns:
        return np.zeros(len(resources.service), np.bool_)
    return np.array([sdk in WORKERS for sdk in resources.frame.get_column("sdk").to_list()], np.bool_)


@dataclass(frozen=True, slots=True)
class Gaps:
    """Every call's gap and legs; `MISSING` where unknown."""

    client: Int32s
    """The client span that ends last."""
    server: Int32s
    """The server span that started first; 0 where there is none (`Seams.first_server` tells)."""
    attempts: Int32s
    server_ns: Int64s
    gap: Int64s
    kind: Codes
    request: Int64s
    response: Int64s
    error: Int64s


def surer(gaps: Gaps, journeys: Journeys, clocks: Clocks) -> Gaps:
    """Return the gaps with legs as sure as the interval of both hosts' clocks makes them."""
    if not clocks.intervals.height:
        return gaps
    forest, outer = journeys.forest, journeys.calls.outer
    width = clocks.widths(forest, outer, gaps.server)
    width = np.where((width >= 0) & (journeys.seams.first_server >= 0), width, np.iinfo(np.int64).max)
    slack = forest.grain[outer] + forest.grain[gaps.server]
    known = np.minimum(gaps.error, np.where(width < np.iinfo(np.int64).max - slack, width + slack, width))
    return replace(gaps, error=np.where(gaps.error == MISSING, MISSING, known))


def measure(journeys: Journeys, clocks: Clocks | None = None) -> Gaps:
    """Measure every call's gap; without `clocks` every host keeps one time."""
    forest, times, calls, seams, labels = (
        journeys.forest,
        journeys.times,
        journeys.calls,
        journeys.seams,
        journeys.labels,
    )
    spans = forest.spans
    union, last_end = cover_of_servers(
        labels.members_from,
        labels.members,
        calls.server_of,
        times.start,
        times.lifted,
        labels.firsts,
        labels.low,
        labels.high,
        labels.cause,
    )
    resent = forest.padded(spans.column("resend_count", np.int64, 0), 0)
    members = (labels.members_from, labels.members, calls.call_of, calls.outer)
    ending, most = count_members(*members, times.start, times.end, forest.span_id, resent)
    client = np.where(calls.headless == 1, calls.outer, np.where(ending >= 0, ending, calls.outer)).astype(np.int32)
    host = (forest.resources.host if clocks is None else clocks.hosts(forest))[forest.resource]
    server = np.maximum(seams.first_server, 0)
    one_host = (seams.first_server >= 0) & (host[calls.outer] >= 0) & (host[calls.outer] == host[server])
    own_first_byte = forest.padded(spans.column("first_byte_ns", np.int64, -1), -1)
    found = measure_gaps(
        calls.outer,
        calls.headless,
        seams.first_server,
        seams.servers,
        union,
        last_end,
        np.where(forest.kind[client] == 2, 2, forest.extent[client]).astype(np.uint8),
        stand_still(forest.resources)[forest.resource[calls.outer]].astype(np.uint8),
        one_host.astype(np.uint8),
        forest.extent,
        forest.grain,
        times.start,
        times.end[client],
        times.first_byte,
        own_first_byte[calls.named],
    )
    return Gaps(client, server, np.maximum(seams.servers, most + 1), *found)
