"""What pass B reads of every call: some tens of bytes, comparable across batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis import timing
from analysis.arrays import MISSING, Codes, Int32s, Int64s, Mask
from analysis.grouping import taken
from analysis.tables import ids, trace_ids
from seamscope.kernel import kernel
from seamscope.schema import words

if TYPE_CHECKING:
    from analysis.forest import Forest
    from analysis.gaps import Gaps
    from analysis.journeys import Journeys

SETS_UP: Final = 1
WAITS: Final = 2
RECEIVES: Final = 4
"""Marks of a call: something measured its setup, its wait for a connection, what came after the first byte."""

SEND: Final = words.code(words.ROLES, "send")
GETCONN: Final = words.code(words.ROLES, "getconn")
QUERY: Final = words.code(words.CAUSES, "query")
EDGE: Final = words.code(words.TIERS, "edge")
ERROR: Final = words.code(words.STATUSES, "error")
BODY: Final = words.code(words.EXTENTS, "body")
HEADERS: Final = words.code(words.EXTENTS, "headers")
UNSAID: Final = words.code(words.EXTENTS, "unknown")


@kernel
def summarise_labels(
    firsts: Int64s, lows: Int64s, highs: Int64s, causes: Codes, server_start: Int64s, open_cause: Codes
) -> tuple[Int64s, Int64s, Codes]:
    """Return, by call, how much of it nobody speaks for before its server started and after, and what was measured.

    `open_cause` is the cause of time that nobody speaks for, `server_start` the greatest int64 without a server.
    """
    calls = firsts.size - 1
    before, after = np.zeros(calls, np.int64), np.zeros(calls, np.int64)
    marks = np.zeros(calls, np.uint8)
    for call in range(calls):
        for at in range(firsts[call], firsts[call + 1]):
            cause = causes[at]
            if cause == open_cause[call]:
                if lows[at] < server_start[call]:
                    before[call] += highs[at] - lows[at]
                else:
                    after[call] += highs[at] - lows[at]
            elif 5 <= cause <= 8:
                marks[call] |= 1
            elif cause == 9:
                marks[call] |= 2
            elif cause == 13:
                marks[call] |= 4
    return before, after, marks


@kernel
def leads(  # noqa: C901 - a function per step would cost more than what the step does
    outer: Int32s, wanted: Codes, parent: Int32s, remote: Codes, start: Int64s, end: Int64s
) -> Int64s:
    """Return, by wanted call, since when its parent had done nothing else: the last end beside it, else its start.

    The least int64 for calls that are not wanted, that have no parent, or more than 64 siblings.
    """
    unknown = np.int64(-9223372036854775808)
    found = np.full(outer.size, unknown, np.int64)
    offsets = np.zeros(parent.size + 1, np.int64)
    asked = np.zeros(parent.size, np.uint8)
    for call in range(outer.size):
        if wanted[call] == 1 and parent[outer[call]] >= 0 and remote[outer[call]] == 0:
            asked[parent[outer[call]]] = 1
    for row in range(parent.size):
        if parent[row] >= 0 and asked[parent[row]] == 1:
            offsets[parent[row] + 1] += 1
    for row in range(parent.size):
        offsets[row + 1] += offsets[row]
    beside = np.empty(offsets[parent.size], np.int32)
    free = offsets[:-1].copy()
    for row in range(parent.size):
        if parent[row] >= 0 and asked[parent[row]] == 1:
            beside[free[parent[row]]] = row
            free[parent[row]] += 1
    for call in range(outer.size):
        row = outer[call]
        above = parent[row]
        if wanted[call] == 0 or above < 0 or remote[row] == 1 or offsets[above + 1] - offsets[above] > 64:
            continue
        since = start[above]
        for at in range(offsets[above], offsets[above + 1]):
            other = beside[at]
            if other != row and end[other] <= start[row]:
                since = max(since, end[other])
        found[call] = min(since, start[row])
    return found


def _hashed(texts: pl.Series) -> Int64s:
    """Return a number per text, the same in every batch; 0 for null."""
    hashed = texts.cast(pl.String).hash(17).to_numpy() | np.uint64(1)
    if texts.null_count():
        hashed[texts.is_null().to_numpy()] = 0
    return hashed.view(np.int64)


def host_keys(forest: Forest) -> Int64s:
    """Return a number per resource's host, the same in every batch; 0 where only (service, place) is known."""
    frame, host = forest.resources.frame, forest.resources.host
    if "instance" not in frame.columns:
        return np.zeros(host.size, np.int64)
    keys: Int64s = np.where(host >= 0, _hashed(frame.get_column("instance").cast(pl.String)), 0)
    return keys


def host_names(resources: pl.DataFrame) -> dict[int, str]:
    """Return the name of every host and of every process by its number."""
    if not {"instance", "service"} <= set(resources.columns):
        return {}
    both = resources.select(pl.col("service", "instance").cast(pl.String)).drop_nulls("instance").unique()
    service, instance = both.get_column("service").fill_null("unknown"), both.get_column("instance")
    names = pl.concat([instance, service + " on " + instance])
    return dict(zip(_hashed(pl.concat([instance, service + "\n" + instance])).tolist(), names.to_list(), strict=True))


def process_keys(forest: Forest) -> Int64s:
    """Return a number per resource's process (service and instance), the same in every batch."""
    frame = forest.resources.frame
    service = pl.Series("service", forest.resources.service)
    instance = frame.get_column("instance").cast(pl.String) if "instance" in frame.columns else service
    return _hashed(service + "\n" + instance.fill_null(""))


def _connections(forest: Forest, rows: Int64s) -> Int64s:
    """Return the port from which each of these server spans was called, which tells connections apart; 0: not told."""
    port: Int64s = np.maximum(forest.spans.column("network_peer_port", np.int64, 0)[rows], 0)
    return port


def _first_bytes(journeys: Journeys, server: Int64s) -> Int64s:
    """Return when these servers' first bytes left, on their own clocks; their start where nothing tells."""
    forest, times = journeys.forest, journeys.times
    told = times.first_byte[server]
    return np.where(told == MISSING, forest.start[server], told - times.shift[server])


def gather(journeys: Journeys, gaps: Gaps) -> pl.DataFrame:
    """Return a row per call; times as they were sent (each side on its own clock), keys equal in every batch."""
    forest, times, calls, seams, labels = (
        journeys.forest,
        journeys.times,
        journeys.calls,
        journeys.seams,
        journeys.labels,
    )
    # places as numpy wants them: it would widen narrower ones at every use
    known, server, outer, first = (
        seams.first_server >= 0,
        gaps.server.astype(np.int64),
        calls.outer.astype(np.int64),
        seams.first_server,
    )
    client = gaps.client.astype(np.int64)
    server_start = taken(times.start, first, np.iinfo(np.int64).max)
    before, after, marks = summarise_labels(
        labels.firsts, labels.low, labels.high, labels.cause, server_start, seams.otherwise
    )
    silent = (~known & (calls.headless == 0) & (seams.otherwise == QUERY)).astype(np.uint8)
    lead = leads(calls.outer, silent, forest.parent, forest.remote, forest.start, forest.end)
    parent = forest.parent[outer]
    above = np.maximum(parent, 0).astype(np.int64)
    own = (lead != MISSING) & (parent < forest.unseen_from)
    came, had = _checkouts(journeys)
    hosts, processes = host_keys(forest), process_keys(forest)
    nobody = hosts.size
    caller, callee = forest.resource[outer], np.where(known, forest.resource[server], nobody)
    hosts, processes = np.append(hosts, 0), np.append(processes, 0)
    parties = _hashed(pl.Series(journeys.parties.labels(), dtype=pl.String))
    callees = parties[seams.callee]
    peer = journeys.peer[calls.named]
    operation = np.zeros(calls.count, np.int64)
    asking = np.flatnonzero(silent)
    operation[asking] = _hashed(forest.spans.gather("operation", outer[asking]))
    port = forest.spans.column("peer_port", np.int64, 0)[calls.named]
    rpc_waits = timing.waits(forest, calls)[server]
    ends_at = forest.extent[client]
    served_end = times.lifted - times.shift
    status = forest.spans.column("status", np.uint8, 0)
    return pl.DataFrame(
        {
            "call": np.arange(calls.count, dtype=np.int32),
            **trace_ids(forest, outer),
            "span_id": ids(forest.span_id[outer]),
            "headless": calls.headless == 1,
            "served": known,
            "servers": seams.servers,
            "caller": processes[caller],
            "callee": processes[callee],
            "caller_host": hosts[caller],
            "callee_host": hosts[callee],
            "party": callees,
            "calling": parties[seams.caller],
            "peer": np.where(known, callees, peer ^ (port * 2_654_435_761) ^ callees),
            "operation": operation,
            "start": forest.start[outer],
            "end": forest.end[client],
            "sent": _sent(journeys),
            "server_start": taken(forest.start, first, MISSING),
            "server_end": taken(served_end, first, MISSING),
            "first_byte": np.where(known, _first_bytes(journeys, server), MISSING),
            "waits": rpc_waits == 1,
            "whole_body": (ends_at == BODY) & known,
            "unsaid": (ends_at == UNSAID) & known,
            "worked": _worked(journeys, np.flatnonzero(known & (ends_at == HEADERS)), server),
            "slack": forest.grain[outer] + taken(forest.grain, first, 0),
            "gap": gaps.gap,
            "request": gaps.request,
            "response": gaps.response,
            "before": before,
            "after": after,
            "lead": lead,
            "above": np.where(own, forest.span_id[above], 0),
            "opens": lead == forest.start[above],
            "held_until": np.where(own, forest.end[above], forest.end[outer]),
            "wait_start": came,
            "wait_end": had,
            "marks": marks,
            "failed": forest.padded(status, 0)[outer] == ERROR,
            "first_seen": (marks & RECEIVES) != 0,
            "started": _started(journeys, known, server),
            "reused": _reuse(journeys),
            "connection": np.where(known, _connections(forest, server), 0),
            "sampled": forest.spans.column("weight", np.float64, 1)[np.minimum(outer, forest.unseen_from - 1)] != 1,
        }
    )


def _sent(journeys: Journeys) -> Int64s:
    """Return, by call, when its client began to write the request, on its own clock; `MISSING` where no span says so.

    A handshake says less: one that was begun for a call may go on after another connection took it.
    """
    forest, calls = journeys.forest, journeys.calls
    sent = np.full(calls.count, np.iinfo(np.int64).max, np.int64)
    rows = np.flatnonzero((forest.role == SEND) & (forest.parent >= 0) & (forest.remote == 0))
    of = calls.call_of[forest.parent[rows]]
    np.minimum.at(sent, of[of >= 0], forest.start[rows[of >= 0]])
    return np.where(sent == np.iinfo(np.int64).max, MISSING, sent)


def _worked(journeys: Journeys, some: Int64s, server: Int64s) -> Int64s:
    """Return until when the servers of some calls waited for something, on their own clocks; `MISSING` elsewhere."""
    forest = journeys.forest
    worked = np.full(server.size, MISSING, np.int64)
    if some.size:
        asked = np.zeros(forest.count, np.bool_)
        asked[server[some]] = True
        awaited = (forest.parent >= 0) & (forest.remote == 0) & (journeys.times.unawaited == 0)
        rows = np.flatnonzero(awaited & asked[forest.parent])
        until = np.full(forest.count, MISSING, np.int64)
        np.maximum.at(until, forest.parent[rows], forest.end[rows])
        worked[some] = until[server[some]]
    return worked


def _checkouts(journeys: Journeys) -> tuple[Int64s, Int64s]:
    """Return, by call, when the checkout of its connection began and ended; `MISSING` where no span covers it."""
    forest = journeys.forest
    began, ended = (np.full(journeys.calls.count, MISSING, np.int64) for _ in range(2))
    rows = np.flatnonzero((journeys.lent >= 0) & (forest.role == GETCONN))
    began[journeys.lent[rows]], ended[journeys.lent[rows]] = forest.start[rows], forest.end[rows]
    return began, ended


def _started(journeys: Journeys, known: Mask, server: Int64s) -> Codes:
    """Return, by call, what its server's own span says: 1 its instance was started for it, 0 it was not, 255 nothing.

    Nothing of the edge, where an instance serves many calls at once.
    """
    forest = journeys.forest
    if not forest.spans.has("cold_start"):
        return np.full(server.size, words.UNKNOWN, np.uint8)
    said = forest.padded(forest.spans.column("cold_start", np.uint8, words.UNKNOWN), words.UNKNOWN)[server]
    started: Codes = np.where(known & (journeys.tier[server] != EDGE), said, words.UNKNOWN).astype(np.uint8)
    return started


def _reuse(journeys: Journeys) -> Codes:
    """Return, by call, what its client spans say of the connection: 0 its own, 1 reused, 255 nothing."""
    forest, calls = journeys.forest, journeys.calls
    said = forest.padded(forest.spans.column("reused", np.uint8, words.UNKNOWN), words.UNKNOWN)
    reused: Codes = said[calls.innermost]
    return reused
