"""Hops: calls as rows, with the gap between both sides, its legs and its phases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis import phases, tallies, witnesses
from analysis.arrays import MISSING, Int64s
from analysis.columns import texts_at
from analysis.grouping import taken
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

IN_CALLEE: Final = np.array([cause == phases.INSIDE or cause in NATURE for cause in range(256)], np.bool_)
"""By label: time in the callee."""

PHASE_OF_ROLE: Final = {"dns": "dns", "connect": "connect", "tls": "tls", "setup": "setup"}
LINE_OF_ROLE: Final = np.array([PHASES.index(PHASE_OF_ROLE.get(role, "pool_wait")) + 1 for role in words.ROLES])
"""The line of `tallies.sum_phases` that a wait or setup before a call goes to, by role."""


def _reused(journeys: Journeys) -> pl.Series:
    """Return, by call, whether it went over an open connection, where anything says so."""
    forest, labels, calls = journeys.forest, journeys.labels, journeys.calls
    said = forest.padded(forest.spans.column("reused", np.uint8, words.UNKNOWN), words.UNKNOWN)
    verdict = witnesses.reuse_of_calls(labels.members_from, labels.members, calls.server_of, forest.role, said)
    series = pl.Series(verdict == 1)
    return series.set(pl.Series(verdict == words.UNKNOWN), None)


def _add_lent(journeys: Journeys, marks: pl.DataFrame, sums: Int64s) -> None:
    """Add the waits and setups that came before a statement to its phases: each span's own time, in place."""
    times, forest = journeys.times, journeys.forest
    rows = np.flatnonzero(journeys.lent >= 0)
    line = LINE_OF_ROLE[forest.role[rows]]
    line[journeys.dialling(rows)] = PHASES.index("setup") + 1
    tallies.add_lent(rows, line, journeys.lent, forest.parent, times.start, times.end, sums)
    led = marks.select("call", "lead_cause", "lead_ns").filter(pl.col("lead_ns") != 0)
    cause = led.get_column("lead_cause").to_numpy()
    before = np.where(cause == SETUP, PHASES.index("setup"), PHASES.index("pool_wait")) + 1
    np.add.at(sums, (before, led.get_column("call").to_numpy()), led.get_column("lead_ns").to_numpy())


def _phases(journeys: Journeys, gap: Int64s, marks: pl.DataFrame) -> dict[str, pl.Series]:
    """Return the phases of every call; a phase that nothing tells of is null, and none says more than the gap."""
    labels = journeys.labels
    line_of = np.full(len(words.CAUSES), words.UNKNOWN, np.uint8)
    for line, phase in enumerate(("unexplained", *PHASES)):
        line_of[words.code(words.CAUSES, phase)] = line
    sums = tallies.sum_phases(labels.firsts, labels.low, labels.high, labels.cause, line_of, np.maximum(gap, -1))
    _add_lent(journeys, marks, sums)
    told = {f"{phase}_ns": known(sums[line + 1], 0) for line, phase in enumerate(PHASES)}
    return {**told, "unexplained_ns": known(np.where(gap == MISSING, MISSING, sums[0]))}


def _known_by(journeys: Journeys, gap: Int64s) -> dict[str, pl.Series]:
    """Return how much of every call's explained time is known by header, by bounds and by inference."""
    labels = journeys.labels
    line_of = np.full(len(words.EVIDENCE), words.UNKNOWN, np.uint8)
    for line, evidence in enumerate(("unexplained", *KNOWN_BY)):
        line_of[words.code(words.EVIDENCE, evidence)] = line
    told = np.where(IN_CALLEE[labels.cause], np.uint8(phases.INSIDE), labels.evidence)
    sums = tallies.sum_phases(labels.firsts, labels.low, labels.high, told, line_of, np.maximum(gap, -1))
    return {f"{name}_ns": known(sums[KNOWN_BY.index(name) + 1], 0) for name in ("header", "bounded", "inferred")}


def hops_table(
    journeys: Journeys, requests: Requests, gaps: Gaps, marks: pl.DataFrame, owner_no: Int64s
) -> pl.DataFrame:
    """Return a row per call; `marks` as `patterns.MARKS`."""
    forest, times, calls, seams = journeys.forest, journeys.times, journeys.calls, journeys.seams
    spans = forest.spans
    # places as numpy wants them: it would widen narrower ones at every use
    client, server, outer = gaps.client.astype(np.int64), gaps.server.astype(np.int64), calls.outer.astype(np.int64)
    headless = calls.headless == 1
    entry = np.where(headless, server, outer)
    length = np.where(headless, times.lifted[server], times.end[client]) - times.start[entry]
    statuses = spans.column("http_status")
    status, answered = statuses[calls.named], taken(statuses, seams.first_server, MISSING)
    status = np.where(status == MISSING, answered, status)
    failed = spans.column("status", np.uint8, 0) == words.code(words.STATUSES, "error")
    parties = len(journeys.parties.numbers)
    resources = forest.resources.frame
    nobody = pl.Series("instance", [None] * len(resources), dtype=pl.String)
    instance = resources.get_column("instance") if "instance" in resources.columns else nobody
    served = seams.first_server >= 0
    callee_resource = np.where(served, forest.resource[server], len(resources) - 1)
    caller_resource = forest.resource[outer]
    return table(
        "hops",
        {
            "request_no": requests.number_of[outer],
            **trace_ids(forest, outer),
            "client_span_id": ids(forest.span_id[outer]),
            "server_span_id": ids(taken(forest.span_id, seams.first_server, 0)),
            "seam_no": owner_no[seams.seam + parties],
            "caller_instance": texts_at(instance, caller_resource),
            "callee_instance": texts_at(instance, callee_resource),
            "peer": spans.gather("peer", calls.named),
            "operation": spans.gather("operation", entry),
            "status": known(status),
            "error": failed[entry],
            "attempts": np.clip(gaps.attempts, 1, np.iinfo(np.int16).max),
            "start_ns": forest.start[entry],
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
            "joined_by": np.where(served, forest.joined[server], 0),
            "async": times.unawaited[outer] == 1,
        },
    )
