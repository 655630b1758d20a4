"""Late calls that nobody's line explains: a callee that stood still, one short of time, or a slow way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis import ceilings, episodes, lines
from analysis.arrays import MISSING
from analysis.baselines import Note
from analysis.facts import SETS_UP, WAITS
from analysis.lines import ACCIDENT
from seamscope.schema import words

if TYPE_CHECKING:
    from analysis.arrays import Mask
    from analysis.baselines import Pairs, Sheet

NETWORK: Final = words.code(words.CAUSES, "network")
SERVER_QUEUE: Final = words.code(words.CAUSES, "server_queue")

ONE_THREAD_NS: Final = 1_000_000
"""Clocks as coarse as this are JavaScript's, which runs on one thread."""

NEARLY_ALL: Final = 0.9
"""Share of readings that must agree where either side may have stood still."""

FEW_BY_CHANCE: Final = 3.3
"""Standard errors that one in a thousand reaches by chance."""

PLAIN: Final = 2
"""Standard errors from which on two things may go together after all."""


def stalls(told: pl.DataFrame, slow: Mask, sheet: Sheet) -> list[Note]:
    """Tell late calls that waited for the callee to go on from those that were long on the way.

    Of two whose waits overlap, those before a callee that stood still begin closer together than they came; those on
    a slow way begin as far apart as they came. So do those before a callee that is short of CPU, which takes longer
    itself where they waited longer; a slow way has nothing to do with that. Only calls whose connection was there
    before are judged; others waited beside those (`episodes`). A client that starts on whole milliseconds has one
    thread, which may have stood still itself: of its calls nearly all must agree.
    """
    spoken = (sheet.pool_ns > 0) | (sheet.queue_ns > 0) | (sheet.setup_ns > 0)
    known = slow & ~spoken & (lines.column(told, "callee_host") != 0) & told["served"].to_numpy()
    if not known.any():
        return []
    some = told.filter(known)
    some = some.with_columns(wait=lines.way_there(some, sheet), clean=_clean(told, known))
    notes = []
    for group in lines.groups_of(some, ["window", "callee"]):
        late = group.filter(pl.col("late")).with_columns(came=pl.col("server_start") - pl.col("wait")).sort("came")
        if not late.get_column("clean").mean() >= 0.5:  # type: ignore[operator]  # of numbers, so a number
            continue
        came, began, wait = lines.column(late, "came"), lines.column(late, "server_start"), lines.column(late, "wait")
        between, then = np.diff(came), np.diff(began)
        telling = (came[1:] < began[:-1]) & (between > max(2 * lines.coarsest(late), ACCIDENT * float(np.median(wait))))
        bunched = int((telling & (np.abs(then) < between / 2)).sum())
        apart = int((telling & (np.abs(then - between) < between / 2)).sum())
        at = late.get_column("clean").to_numpy()
        rows, ns, pairs = lines.column(late, "row")[at], wait[at], bunched + apart
        stood, slow_way = ceilings.prevails(bunched, apart), ceilings.prevails(apart, bunched)
        if lines.coarsest(late) >= ONE_THREAD_NS and max(bunched, apart) < NEARLY_ALL * pairs:
            continue
        if stood >= ceilings.CHANCE:
            text = f"{bunched} of {pairs} pairs of late calls that waited at once began closer together than they came"
            stood_ns = episodes.stood(came, began, at)
            rows, ns = lines.column(late, "row")[stood_ns > 0], stood_ns[stood_ns > 0]
            sheet.queue_ns[rows] = ns
            notes.append(Note(rows, SERVER_QUEUE, ns, stood, text))
        elif slow_way >= ceilings.CHANCE and _slower_with_waits(group) > FEW_BY_CHANCE:
            text = "the longer calls waited for it to begin, the longer this callee took itself: it was short of time"
            sheet.queue_ns[rows] = ns
            notes.append(Note(rows, SERVER_QUEUE, ns, slow_way, text))
        elif slow_way >= ceilings.CHANCE and _slower_with_waits(group) < PLAIN:
            text = f"{apart} of {pairs} pairs of late calls that waited at once began as far apart as they came"
            sheet.network_ns[rows] += ns
            notes.append(Note(rows, NETWORK, ns, slow_way, text))
    return notes


def _slower_with_waits(group: pl.DataFrame) -> float:
    """Return by how many standard errors the ranks of waits and of the callee's own lengths go together."""
    ranks = group.select(pl.col("wait").rank(), took=(pl.col("server_end") - pl.col("server_start")).rank())
    together = ranks.select(pl.corr("wait", "took")).item()
    return 0.0 if together is None or np.isnan(together) else float(together) * float(np.sqrt(group.height - 1))


def _clean(told: pl.DataFrame, some: Mask) -> pl.Series:
    """Mark calls whose connection was there before: their client says so, or the server saw its port before."""
    pair = ["window", "caller", "callee"]
    order = told.select("row", "connection", "reused", "start", "marks", *pair).sort("start", "row")
    seen = ~pl.struct(*pair, "connection").is_first_distinct() & (pl.col("connection") > 0)
    speaks = ((pl.col("marks") & (SETS_UP | WAITS)) > 0).any().over(pair)
    marked = order.with_columns(clean=seen | (pl.col("reused") == 1) | speaks).sort("row")
    return marked.get_column("clean").filter(pl.Series(some))


def ways_back(told: pl.DataFrame, pairs: Pairs, sheet: Sheet) -> list[Note]:
    """Call it the way back when the server was done and the first byte had yet to come.

    Where the client starts on whole milliseconds its one thread may have been busy itself; those are left alone.
    """
    some = (
        told["first_seen"].to_numpy() & (lines.column(told, "slack") < ONE_THREAD_NS) & (lines.column(told, "gap") >= 0)
    )
    some &= ~told["failed"].to_numpy()
    some &= lines.worth_a_look(pairs, np.where(some, lines.column(told, "after") - sheet.oneway, MISSING))
    more = np.where(some, lines.column(told, "after"), 0) - sheet.back_ns
    rows = np.flatnonzero(some & (more > 0))
    if not rows.size:
        return []
    ns = lines.column(told, "after")[rows]
    sheet.back_ns[rows] = ns
    worth = ns * 10 >= (told["end"] - told["start"]).to_numpy()[rows]
    return [Note(rows[worth], NETWORK, ns[worth], 0.95, "the server was done and the first byte had not come")]
