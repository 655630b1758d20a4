"""Waits: for a connection of the caller's pool, and in the callee's queue (design §4.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis import ceilings, lines
from analysis.arrays import MISSING
from analysis.baselines import Note, Pairs, Sheet, ms
from analysis.facts import WAITS
from seamscope.schema import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analysis.arrays import Mask

POOL_WAIT: Final = words.code(words.CAUSES, "pool_wait")
SERVER_QUEUE: Final = words.code(words.CAUSES, "server_queue")

MOST_SILENT: Final = 0.05
"""Share of calls to a service that may lack their server span before its sampling counts as unknown."""


def idle(told: pl.DataFrame, pairs: Pairs) -> Mask:
    """Mark statements of pairs before which their callers did nothing else for long enough to be worth a look."""
    lead = lines.column(told, "lead")
    known = ~told["served"].to_numpy() & (lead != MISSING)
    marked: Mask = known & lines.worth_a_look(pairs, np.where(known, lines.column(told, "start") - lead, MISSING))
    return marked


def statements(told: pl.DataFrame, late: Mask, sheet: Sheet) -> list[Note]:
    """Find waits for a connection before statements (`idle`), which begin as another ends."""
    asked = late & (lines.column(told, "caller_host") != 0)
    if not asked.any():
        return []
    wait = told.filter(asked).with_columns(wait=pl.col("start") - pl.col("lead"))
    notes = []
    for group in lines.groups_of(wait, ["window", "caller", "peer"]):
        if group.get_column("sampled").any():
            continue
        line = lines.Line(
            lines.column(group, "row"), lines.column(group, "lead"), lines.column(group, "start"),
            lines.column(group, "end"), group["late"].to_numpy(), lines.coarsest(group),
        )  # fmt: skip
        found = line.ceiling(0)
        if found is not None and found.confidence >= ceilings.SURE:
            rows, ns = line.rows[found.waited], (line.begin - line.arrive)[found.waited]
            sheet.lead_ns[rows], sheet.lead_cause[rows] = ns, POOL_WAIT
            notes.append(Note(rows, POOL_WAIT, ns, found.confidence, _of_statements(found, group.height)))
    return notes


def _of_statements(found: ceilings.Ceiling, calls: int) -> str:
    return (
        f"at most {found.places} statements of this caller run at once; {int(found.waited.sum())} of {found.late} that "
        f"began late did so as another ended, and of {calls} in all {found.spared} began though all were taken"
    )


def calls(told: pl.DataFrame, slow: Mask, sheet: Sheet) -> tuple[Mask, list[Note]]:
    """Find waits for a connection inside calls, and in the queue before the callee; `slow` are worth a look.

    Also marks the calls of callers that look as if they had a pool, whether or not it may be named.
    """
    pooled = np.zeros(told.height, np.bool_)
    if not slow.any():
        return pooled, []
    asked = told.filter(slow).select("window", "caller", "callee", "party").unique()
    served = told.filter(pl.col("served"))
    ours = served.join(asked.select("window", "caller", "party"), on=["window", "caller", "party"], how="semi")
    theirs = served.join(asked.select("window", "callee"), on=["window", "callee"], how="semi")
    served = pl.concat([ours, theirs]).unique("row", maintain_order=True)
    served = served.with_columns(wait=lines.way_there(served, sheet))
    sampled = _sampled_apart(told)
    pools = dict(_pools(served, sheet))
    notes: list[Note] = []
    taken = np.zeros(told.height, np.bool_)
    for group in lines.groups_of(served.filter(pl.col("callee_host") != 0), ["window", "callee"]):
        line, found = _queue(group)
        if found is None or found.confidence < ceilings.SURE or group["party"].is_in(sampled).any():
            continue
        verdict = _which(group, line, found, pools, sheet)
        taken[line.rows[found.waited]] |= verdict != "pool"
        if verdict == "pool" and _may_be_named(group, found, pools):
            rows, ns = line.rows[found.waited], (line.begin - line.arrive)[found.waited]
            pooled[line.rows] = True
            sheet.pool_ns[rows] = ns
            notes.append(Note(rows, POOL_WAIT, ns, found.confidence, _of_connections(found, line.rows.size)))
        if verdict == "queue":
            rows, ns = line.rows[found.waited], (line.begin - line.arrive)[found.waited]
            sheet.queue_ns[rows] = ns
            notes.append(Note(rows, SERVER_QUEUE, ns, found.confidence, _of_queue(found, group)))
    for line, found, trusted in pools.values():
        pooled[line.rows] = True
        mine = found.waited & ~taken[line.rows]
        if not trusted or not mine.any():
            continue
        rows, ns = line.rows[mine], (line.begin - line.arrive)[mine]
        sheet.pool_ns[rows] = ns
        notes.append(Note(rows, POOL_WAIT, ns, found.confidence, _of_pool(found, line.rows.size)))
    return pooled, notes


def _sampled_apart(told: pl.DataFrame) -> list[int]:
    """Return services that some of whose server spans are missing, or whose callers were sampled."""
    seen = told.group_by("party").agg(
        served=pl.col("served").mean(), any_served=pl.col("served").any(), sampled=pl.col("sampled").any()
    )
    odd = seen.filter(pl.col("any_served") & ((pl.col("served") < 1 - MOST_SILENT) | pl.col("sampled")))
    return odd.get_column("party").to_list()


Pool = tuple[lines.Line, ceilings.Ceiling, bool]


def _pools(served: pl.DataFrame, sheet: Sheet) -> Iterator[tuple[tuple[int, int, int], Pool]]:
    """Yield the callers' lines that look like a pool, by window, caller and service; and whether they may be named."""
    for group in lines.groups_of(served, ["window", "caller", "party"]):
        rows, start = lines.column(group, "row"), lines.column(group, "start")
        begin = start + lines.column(group, "wait")
        late, slack = group["late"].to_numpy(), lines.coarsest(group)
        line = lines.Line(rows, start, begin, lines.column(group, "end"), late, slack, lags=True)
        found = line.ceiling(int(np.median(sheet.oneway[rows])))
        if found is None or found.confidence < ceilings.SURE:
            continue
        yield (group["window"][0], group["caller"][0], group["party"][0]), (line, found, _trusted(group))


def _may_be_named(group: pl.DataFrame, found: ceilings.Ceiling, pools: dict[tuple[int, int, int], Pool]) -> bool:
    """Tell whether a pool that a callee's line shows may be named here, and not where a caller's line shows it.

    Where ports tell connections, each is some one process's, whatever its callers' keys stand for.
    """
    keys = zip(group["window"], group["caller"], group["party"], strict=True)
    if _by_connection(group, found)[1]:
        return _sent(group) and not any(pools[key][2] for key in keys if key in pools)
    return _trusted(group) and not _rivals(group, pools)


def _sent(group: pl.DataFrame) -> bool:
    """Tell whether these callers send all their calls, and no spans of their pool."""
    measured = (lines.column(group, "marks") & WAITS).any()
    return bool(not measured and not group["sampled"].any())


def _trusted(group: pl.DataFrame) -> bool:
    """Tell whether a pool of these callers may be named: hosts known, no spans of its own, all calls sent."""
    return bool((lines.column(group, "caller_host") != 0).all() and _sent(group))


def _rivals(group: pl.DataFrame, pools: dict[tuple[int, int, int], Pool]) -> bool:
    """Tell whether some caller of these calls looks as if it had a pool."""
    return any(key in pools for key in zip(group["window"], group["caller"], group["party"], strict=True))


def _queue(group: pl.DataFrame) -> tuple[lines.Line, ceilings.Ceiling | None]:
    """Return the line before one callee instance, on its own clock."""
    rows, begin = lines.column(group, "row"), lines.column(group, "server_start")
    arrive = begin - lines.column(group, "wait")
    line = lines.Line(
        rows, arrive, begin, lines.column(group, "server_end"), group["late"].to_numpy(), lines.coarsest(group)
    )
    return line, line.ceiling(0)


def _which(
    group: pl.DataFrame,
    line: lines.Line,
    found: ceilings.Ceiling,
    pools: dict[tuple[int, int, int], Pool],
    sheet: Sheet,
) -> str:
    """Tell a callee's queue from its callers' pools where both fit: `queue`, `pool`, or nothing.

    A call that waited for a pooled connection runs over the very one that its predecessor gave back, and not before
    that one's response has travelled; a queued one has a connection of its own and begins at once.
    """
    same, told = _by_connection(group, found)
    if told:
        return "pool" if same >= 0.8 else "queue" if same <= 0.2 else ""
    at = np.flatnonzero(found.waited & (found.predecessor >= 0))
    before = found.predecessor[at]
    if group.get_column("caller").n_unique() > 1 and not _rivals(group, pools):
        return "queue"
    handover = float(np.median(line.begin[at] - line.release[before]))
    way = 2 * float(np.median(sheet.oneway[line.rows[at]]))
    if way <= 0:
        return ""
    return "pool" if handover >= 0.8 * way else "queue" if handover <= 0.3 * way else ""


def _by_connection(group: pl.DataFrame, found: ceilings.Ceiling) -> tuple[float, bool]:
    """Return the share of calls that came over the connection that the one before gave back; whether ports tell."""
    at = np.flatnonzero(found.waited & (found.predecessor >= 0))
    before = found.predecessor[at]
    port = lines.column(group, "connection")
    told = (port[at] > 0) & (port[before] > 0)
    if told.sum() < ceilings.FEWEST:
        return 0.0, False
    return float((port[at] == port[before])[told].mean()), True


def _of_pool(found: ceilings.Ceiling, calls: int) -> str:
    return (
        f"at most {found.places} calls of this caller are served at once; {int(found.waited.sum())} of {found.late} "
        f"that began late did so as another ended, and of {calls} in all {found.spared} began though all were taken"
    )


def _of_connections(found: ceilings.Ceiling, calls: int) -> str:
    return (
        f"at most {found.places} calls are served at once, each late one over the connection that another gave back: "
        f"{int(found.waited.sum())} of {found.late} that began late, of {calls} in all"
    )


def _of_queue(found: ceilings.Ceiling, group: pl.DataFrame) -> str:
    callers = group.get_column("caller").n_unique()
    return (
        f"this callee serves at most {found.places} calls at once, whoever calls ({callers} caller"
        f"{'s' if callers > 1 else ''}); {int(found.waited.sum())} of {found.late} late ones began as another ended, "
        f"and {found.spared} began though all places were taken; the usual wait was "
        f"{ms(float(np.median(lines.column(group, 'request')[found.waited])))}"
    )
