"""Hops: calls as rows, with the gap between both sides, its legs and its phases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis import phases
from analysis.arrays import MISSING, Int64s
from analysis.tables import ids, known, table, trace_ids
from seamscope.schema import words

if TYPE_CHECKING:
    from analysis.critical import Requests
    from analysis.gaps import Gaps
    from analysis.journeys import Journeys

PHASES: Final = ("setup", "dns", "connect", "tls", "pool_wait", "send", "network", "server_queue", "transfer", "retry")
SETUP: Final = words.code(words.CAUSES, "setup")
KNOWN_BY: Final = ("inferred", "bounded", "header", "linked", "measured")
"""Kinds of evidence, the surest last: what is more than the gap is taken off the least sure."""

NATURE: Final = tuple(words.code(words.CAUSES, cause) for cause in ("query", "external_call", "unobserved"))
"""Causes of time inside the callee, as its nature bounds it: no part of a gap."""

PHASE_OF_ROLE: Final = {"dns": "dns", "connect": "connect", "tls": "tls", "setup": "setup"}


def _reused(journeys: Journeys) -> pl.Series:
    """Return, by call, whether it went over an open connection, where anything says so."""
    forest, labels, calls = journeys.forest, journeys.labels, journeys.calls
    said = forest.padded(forest.spans.column("reused", np.uint8, words.UNKNOWN), words.UNKNOWN)
    call = np.repeat(np.arange(calls.count), np.diff(labels.members_from))
    role = forest.role[labels.members]
    dialled = (role >= 12) & (role <= 14)
    told = np.where(dialled, 0, said[labels.members])
    told[journeys.calls.server_of[labels.members] == call] = words.UNKNOWN
    verdict = np.full(calls.count, words.UNKNOWN, np.uint8)
    np.minimum.at(verdict, call, told.astype(np.uint8))
    series = pl.Series(verdict == 1)
    return series.set(pl.Series(verdict == words.UNKNOWN), None)


def _add_lent(journeys: Journeys, marks: pl.DataFrame, sums: Int64s) -> None:
    """Add the waits and setups that came before a statement to its phases: each span's own time, in place."""
    times, forest = journeys.times, journeys.forest
    rows = np.flatnonzero(journeys.lent >= 0)
    own = times.end[rows] - times.start[rows]
    inner = rows[journeys.lent[np.maximum(forest.parent[rows], 0)] >= 0]
    taken = np.zeros(forest.count, np.int64)
    np.add.at(taken, forest.parent[inner], times.end[inner] - times.start[inner])
    line_of = np.array([PHASES.index(PHASE_OF_ROLE.get(role, "pool_wait")) + 1 for role in words.ROLES])
    line = np.where(journeys.dialling(rows), PHASES.index("setup") + 1, line_of[forest.role[rows]])
    np.add.at(sums, (line, journeys.lent[rows]), np.maximum(own - taken[rows], 0))
    call, cause = marks.get_column("call").to_numpy(), marks.get_column("lead_cause").to_numpy()
    before = np.where(cause == SETUP, PHASES.index("setup"), PHASES.index("pool_wait")) + 1
    np.add.at(sums, (before, call), marks.get_column("lead_ns").to_numpy())


def _phases(journeys: Journeys, gap: Int64s, marks: pl.DataFrame) -> dict[str, pl.Series]:
    """Return the phases of every call; a phase that nothing tells of is null, and none says more than the gap."""
    labels = journeys.labels
    line_of = np.full(len(words.CAUSES), words.UNKNOWN, np.uint8)
    for line, phase in enumerate(("unexplained", *PHASES)):
        line_of[words.code(words.CAUSES, phase)] = line
    sums = phases.sum_phases(labels.firsts, labels.low, labels.high, labels.cause, line_of, np.maximum(gap, -1))
    _add_lent(journeys, marks, sums)
    told = {f"{phase}_ns": known(sums[line + 1], 0) for line, phase in enumerate(PHASES)}
    return {**told, "unexplained_ns": known(np.where(gap == MISSING, MISSING, sums[0]))}


def _known_by(journeys: Journeys, gap: Int64s) -> dict[str, pl.Series]:
    """Return how much of every call's explained time is known by header, by bounds and by inference."""
    labels = journeys.labels
    line_of = np.full(len(words.EVIDENCE), words.UNKNOWN, np.uint8)
    for line, evidence in enumerate(("unexplained", *KNOWN_BY)):
        line_of[words.code(words.EVIDENCE, evidence)] = line
    inside = (labels.cause == phases.INSIDE) | np.isin(labels.cause, NATURE)
    told = np.where(inside, np.uint8(phases.INSIDE), labels.evidence)
    sums = phases.sum_phases(labels.firsts, labels.low, labels.high, told, line_of, np.maximum(gap, -1))
    return {f"{name}_ns": known(sums[KNOWN_BY.index(name) + 1], 0) for name in ("header", "bounded", "inferred")}


def hops_table(
    journeys: Journeys, requests: Requests, gaps: Gaps, marks: pl.DataFrame, owner_no: Int64s
) -> pl.DataFrame:
    """Return a row per call; `marks` as `patterns.MARKS`."""
    forest, times, calls, seams = journeys.forest, journeys.times, journeys.calls, journeys.seams
    spans = forest.spans
    client, server = gaps.client, gaps.server
    headless = calls.headless == 1
    begin = np.where(headless, times.start[server], times.start[calls.outer])
    length = np.where(headless, times.lifted[server], times.end[client]) - begin
    status = spans.gather("http_status", calls.named)
    status = status.zip_with(
        status.is_not_null(), spans.gather("http_status", np.where(seams.first_server >= 0, server, -1))
    )
    failed = spans.column("status", np.uint8, 0) == words.code(words.STATUSES, "error")
    parties = len(journeys.parties.numbers)
    resources = forest.resources.frame
    nobody = pl.Series("instance", [None] * len(resources), dtype=pl.String)
    instance = resources.get_column("instance") if "instance" in resources.columns else nobody
    callee_resource = np.where(seams.first_server >= 0, forest.resource[server], len(resources) - 1)
    return table(
        "hops",
        {
            "request_no": requests.number_of[calls.outer],
            **trace_ids(forest, calls.outer),
            "client_span_id": ids(forest.span_id[calls.outer]),
            "server_span_id": ids(np.where(seams.first_server >= 0, forest.span_id[server], 0)),
            "seam_no": owner_no[seams.seam + parties],
            "caller_instance": instance.gather(forest.resource[calls.outer]),
            "callee_instance": instance.gather(callee_resource),
            "peer": spans.gather("peer", calls.named),
            "operation": spans.gather("operation", np.where(headless, server, calls.outer)),
            "status": status,
            "error": np.where(headless, failed[server], failed[calls.outer]),
            "attempts": np.clip(gaps.attempts, 1, np.iinfo(np.int16).max),
            "start_ns": np.where(headless, forest.start[server], forest.start[calls.outer]),
            "duration_ns": length,
            "server_ns": known(gaps.server_ns),
            "gap_ns": known(gaps.gap),
            "gap_kind": gaps.kind,
            "request_leg_ns": known(gaps.request),
            "response_leg_ns": known(gaps.response),
            "leg_error_ns": known(gaps.error),
            **_phases(journeys, gaps.gap, marks),
            **_known_by(journeys, gaps.gap),
            "reused": _reused(journeys),
            "joined_by": np.where(seams.first_server >= 0, forest.joined[server], 0),
            "async": times.unawaited[calls.outer] == 1,
        },
    )
