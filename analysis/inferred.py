"""What pass B inferred, laid over what pass A found: stretches that nobody speaks for get a likely cause.

No call is given more than was unexplained in it. Before its server started come, in this order: the wait for a
connection, its setup, what stays unexplained, the way there, the server's queue; after its server ended what stays
unexplained and the way back. Of a statement's time the way comes first, the rest is the statement's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from seamscope.kernel import kernel
from seamscope.schema import words

if TYPE_CHECKING:
    import polars as pl

    from analysis.arrays import Codes, Int32s, Int64s
    from analysis.journeys import Journeys

INFERRED: Final = words.code(words.EVIDENCE, "inferred")
SETUP: Final = words.code(words.CAUSES, "setup")
QUOTAS: Final = ("pool_ns", "setup_ns", "network_ns", "queue_ns", "back_ns")


@dataclass(frozen=True, slots=True)
class OwnTime:
    """Stretches of spans' own time in which they waited for a connection, or set one up."""

    of: Int32s
    """By row: its place in `offsets`; -1 where it has none."""
    offsets: Int64s
    low: Int64s
    high: Int64s
    cause: Codes
    seam: Int32s
    """The seam that owns it; -1 where the span's own tier does."""


@kernel
def relabel(  # noqa: C901, PLR0912, PLR0915 - a function per step would cost several times what the step does
    firsts: Int64s,
    lows: Int64s,
    highs: Int64s,
    causes: Codes,
    evidences: Codes,
    open_cause: Codes,
    server_start: Int64s,
    mark_of: Int32s,
    quotas: Int64s,
    setup_cause: Codes,
) -> tuple[Int64s, Int64s, Int64s, Codes, Codes]:
    """Give stretches that nobody speaks for the causes that `quotas` (rows of `QUOTAS`) allow.

    `mark_of` points from a call into `quotas` and `setup_cause` (-1: none).
    """
    calls = firsts.size - 1
    room = lows.size + 8 * quotas.shape[0]
    to_firsts = np.zeros(calls + 1, np.int64)
    to_low, to_high = np.empty(room, np.int64), np.empty(room, np.int64)
    to_cause, to_evidence = np.empty(room, np.uint8), np.empty(room, np.uint8)
    left = np.zeros(6, np.int64)
    given = np.zeros(6, np.uint8)
    filled = 0
    for call in range(calls):
        to_firsts[call] = filled
        mark = mark_of[call]
        before = np.int64(0)
        if mark >= 0:
            for at in range(firsts[call], firsts[call + 1]):
                if causes[at] == open_cause[call] and lows[at] < server_start[call]:
                    before += highs[at] - lows[at]
            left[0], left[1], left[3], left[4] = quotas[mark, 0], quotas[mark, 1], quotas[mark, 2], quotas[mark, 3]
            given[0], given[1], given[2], given[3], given[4] = 9, setup_cause[mark], open_cause[call], 11, 12
            for which in (0, 1, 3, 4):
                left[which] = min(left[which], before)
                before -= left[which]
            left[2] = before
            if server_start[call] == 9223372036854775807:  # a statement: the way first, then the statement
                left[2], left[3] = left[3], left[2]
                given[2], given[3] = np.uint8(11), open_cause[call]
        step = 0
        for at in range(firsts[call], firsts[call + 1]):
            low, high = lows[at], highs[at]
            if mark < 0 or causes[at] != open_cause[call]:
                to_low[filled], to_high[filled] = low, high
                to_cause[filled], to_evidence[filled] = causes[at], evidences[at]
                filled += 1
                continue
            if low >= server_start[call]:
                back = min(quotas[mark, 4], high - low)
                quotas[mark, 4] -= back
                if high - low > back:
                    to_low[filled], to_high[filled] = low, high - back
                    to_cause[filled], to_evidence[filled] = causes[at], evidences[at]
                    filled += 1
                if back > 0:
                    to_low[filled], to_high[filled] = high - back, high
                    to_cause[filled], to_evidence[filled] = 11, 5
                    filled += 1
                continue
            while low < high:
                while step < 4 and left[step] == 0:
                    step += 1
                until = min(high, low + left[step]) if left[step] > 0 else high
                left[step] -= until - low
                kept = given[step] == open_cause[call]
                to_low[filled], to_high[filled], to_cause[filled] = low, until, given[step]
                to_evidence[filled] = evidences[at] if kept else np.uint8(5)
                filled += 1
                low = until
    to_firsts[calls] = filled
    return to_firsts, to_low[:filled], to_high[:filled], to_cause[:filled], to_evidence[:filled]


@kernel
def merge_stretches(
    row: Int32s, low: Int64s, high: Int64s, cause: Codes, seam: Int32s, rows: int
) -> tuple[Int32s, Int64s, Int64s, Int64s, Codes, Int32s]:
    """Put stretches (by row, then by start) that overlap together; return what `OwnTime` holds.

    Of unlike ones that overlap the first keeps what both claim.
    """
    of = np.full(rows, -1, np.int32)
    offsets = np.zeros(row.size + 1, np.int64)
    lows, highs = np.empty(row.size, np.int64), np.empty(row.size, np.int64)
    causes, seams = np.empty(row.size, np.uint8), np.empty(row.size, np.int32)
    owners, filled = 0, 0
    for at in range(row.size):
        begin = low[at]
        if of[row[at]] < 0:
            of[row[at]] = owners
            owners += 1
            offsets[owners] = filled
        elif begin <= highs[filled - 1]:
            if cause[at] == causes[filled - 1] and seam[at] == seams[filled - 1]:
                highs[filled - 1] = max(highs[filled - 1], high[at])
                offsets[owners] = filled
                continue
            begin = highs[filled - 1]
            if high[at] <= begin:
                continue
        lows[filled], highs[filled] = begin, high[at]
        causes[filled], seams[filled] = cause[at], seam[at]
        filled += 1
        offsets[owners] = filled
    kept = lows[:filled].copy(), highs[:filled].copy(), causes[:filled].copy(), seams[:filled].copy()
    return of, offsets[: owners + 1].copy(), *kept


def lay_over(journeys: Journeys, marks: pl.DataFrame) -> Journeys:
    """Return what pass A found with the causes of these marks (`patterns.MARKS`) in it."""
    if not marks.height:
        return journeys
    calls, seams, labels, times = journeys.calls, journeys.seams, journeys.labels, journeys.times
    at = marks.get_column("call").to_numpy()
    mark_of = np.full(calls.count, -1, np.int32)
    mark_of[at] = np.arange(at.size, dtype=np.int32)
    quotas = np.stack([np.maximum(marks.get_column(name).to_numpy(), 0) for name in QUOTAS], axis=1)
    known = seams.first_server >= 0
    server_start = np.where(known, times.start[np.maximum(seams.first_server, 0)], np.iinfo(np.int64).max)
    cut = relabel(
        labels.firsts,
        labels.low,
        labels.high,
        labels.cause,
        labels.evidence,
        seams.otherwise,
        server_start,
        mark_of,
        np.ascontiguousarray(quotas),
        marks.get_column("setup_cause").to_numpy(),
    )
    firsts, low, high, cause, evidence = cut
    inferred = replace(labels, firsts=firsts, low=low, high=high, cause=cause, evidence=evidence)
    dialled = np.zeros(calls.count, np.bool_)
    dialled[at] = marks.get_column("dialled").to_numpy()
    return replace(journeys, labels=inferred, own_time=_own_time(journeys, marks), dialled=dialled)


def _own_time(journeys: Journeys, marks: pl.DataFrame) -> OwnTime | None:
    leads = marks.get_column("lead_ns").to_numpy()
    some = np.flatnonzero(leads > 0)
    if not some.size:
        return None
    forest, times = journeys.forest, journeys.times
    call = marks.get_column("call").to_numpy()[some]
    cause = marks.get_column("lead_cause").to_numpy()[some]
    seam = np.where(cause == SETUP, journeys.seams.seam[call], -1).astype(np.int32)
    outer = journeys.calls.outer[call]
    row = forest.parent[outer]
    high = times.start[outer]
    low = np.maximum(high - leads[some], times.start[row])
    order = np.lexsort((low, row))
    told = (row[order].astype(np.int32), low[order], high[order], cause[order], seam[order])
    return OwnTime(*merge_stretches(*told, forest.count))
