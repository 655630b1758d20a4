"""Dials: connections to a database that were opened for a statement, where no span tells them apart (design §4.6).

A span that covers every checkout (SQLAlchemy's `connect`) is a wait for a place or the setup of a connection. A place
is given back by somebody: while nobody of this caller held a connection there was nothing to wait for. And where such
lone checkouts take long again and again, and the others do not end as a statement does, none of those waits either;
nor do the few that seem to, if as many would by chance. Then the quicker ones set a connection up, too: one that was
kept is handed out at once.

Without such a span the time before a statement is its caller's own. It was a connection's setup where only the first
statement of a request to a database pays it, about the same whatever is asked, and directly before it, whatever the
request had done before.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis import ceilings
from analysis.arrays import MISSING
from analysis.baselines import ALIKE, KINDS, Note, Sheet, ms
from seamscope.schema import words

if TYPE_CHECKING:
    from analysis.arrays import Int64s, Mask

SETUP: Final = words.code(words.CAUSES, "setup")
PAIR: Final = ["window", "caller", "peer"]

ACCIDENT: Final = 0.05
"""A wait is long from this part of the longest tenth's on."""

HANDED_OUT_NS: Final = 1_000_000
"""A connection that was kept is handed out within this time: nothing is asked of the network for it."""

FEWEST_LATER: Final = 8
"""Later statements of a request that must be quick before only first ones are said to be slow."""

FEWEST_AFTER: Final = 3
"""Slow first statements that something else of their request came before: what a handler does first comes first."""


def checkouts(told: pl.DataFrame, sheet: Sheet) -> None:
    """Mark the statements whose checkout opened a connection."""
    asked = told.filter(pl.col("wait_end") != MISSING).filter(pl.len().over(PAIR) >= ceilings.FEWEST)
    for group in asked.partition_by(PAIR):
        if group["sampled"].any():
            continue
        came, begin, release = (group[name].to_numpy() for name in ("wait_start", "wait_end", "end"))
        slack = int(group["slack"].max())  # type: ignore[arg-type]  # of numbers, so a number
        long, lone = _long(begin - came, slack), _alone(came, begin, group["held_until"].to_numpy())
        lent = long & ~lone & _follows(came, begin, release, slack)
        opened = long & lone
        if opened.sum() >= ceilings.FEWEST and ceilings.prevails(int((long & ~lent).sum()), int(lent.sum())):
            usual = ~lent | (lent.sum() <= _by_chance(came[long], begin[long], release, slack))
            opened = (long & usual) | (lone & (begin - came > HANDED_OUT_NS + 2 * slack))
        sheet.dialled[group["row"].to_numpy()[opened]] = True


def _long(wait: Int64s, slack: int) -> Mask:
    least = max(float(np.quantile(wait, 0.9)) * ACCIDENT, 2 * slack)
    long: Mask = wait > least
    return long


def _alone(came: Int64s, begin: Int64s, until: Int64s) -> Mask:
    """Mark the waits in which nobody held a connection, themselves apart: they hold theirs from `begin` on."""
    before = np.searchsorted(np.sort(begin), begin, "left")
    over = np.searchsorted(np.sort(until), came, "right")
    alone: Mask = before - over <= 0
    return alone


def _follows(came: Int64s, begin: Int64s, release: Int64s, slack: int) -> Mask:
    """Mark the waits that ended as another's statement did."""
    ends = np.sort(release)
    last = ends[np.maximum(np.searchsorted(ends, begin + slack, "right") - 1, 0)]
    follows: Mask = (last <= begin + slack) & (begin - last <= np.maximum((begin - came) * ACCIDENT, 2 * slack))
    return follows


def _by_chance(came: Int64s, begin: Int64s, release: Int64s, slack: int) -> float:
    """Return how many of these waits may end as a statement does though they have nothing to do with it (19 in 20)."""
    span = max(int(release.max() - came.min()), 1)
    near = np.maximum((begin - came) * ACCIDENT, 2 * slack) + slack
    expected = float((1 - np.exp(-near * release.size / span)).sum())
    return expected + 2 * math.sqrt(expected)


def first_statements(told: pl.DataFrame, late: Mask, sheet: Sheet) -> list[Note]:
    """Find setups in their callers' own time before the first statement of a request (`late`: `waits.idle`)."""
    if not late.any():
        return []
    known = told.filter((sheet.lead_ns == 0) & late & (told["above"] != 0).to_numpy()).with_columns(
        wait=pl.col("start") - pl.col("lead")
    )
    usual = known.group_by(PAIR).agg(
        pl.col("wait").quantile(0.9, "lower").alias("most"),
        (pl.col("end") - pl.col("start")).median().alias("length"),
        pl.col("sampled").any(),
    )
    worth = usual.filter((pl.col("most") > pl.col("length")) & ~pl.col("sampled"))
    if not worth.height:
        return []
    first = pl.col("start") == pl.col("start").min().over(*PAIR, "trace_hi", "trace_lo", "above")
    some = known.join(worth.select(PAIR), on=PAIR, how="semi").with_columns(first=first)
    notes = []
    for group in some.sort(*PAIR, "start", "span_id").partition_by(PAIR, maintain_order=True):
        notes += _first(group, sheet)
    return notes


def _first(group: pl.DataFrame, sheet: Sheet) -> list[Note]:
    wait, first = group["wait"].to_numpy(), group["first"].to_numpy()
    if (~first).sum() < FEWEST_LATER:
        return []
    later = float(np.quantile(wait[~first], 0.9))
    least = max(float(np.quantile(wait, 0.9)) / 4, 2 * later + 2 * float(group["slack"].max()))  # type: ignore[arg-type]  # of numbers, so a number
    late = wait > least
    slow = group.filter(pl.Series(late & first))
    confidence = ceilings.wilson(float(slow.height), float(late.sum()))
    if slow.height < ceilings.FEWEST or confidence < ceilings.SURE or not _alike(slow):
        return []
    rows = slow["row"].to_numpy()
    ns = np.maximum(slow["wait"].to_numpy() - round(later), 0)
    text = (
        f"{slow.height} of {int(late.sum())} statements that began more than {ms(least)} after all else in their "
        f"request were its first to this database, whatever they asked for; of {int((~first).sum())} later ones nine "
        f"in ten began within {ms(later)}"
    )
    sheet.lead_ns[rows], sheet.lead_cause[rows] = ns, SETUP
    return [Note(rows, SETUP, ns, confidence, text)]


def _alike(slow: pl.DataFrame) -> bool:
    """Tell whether several kinds of statement pay the same, and some after something else of their request."""
    usual = slow.group_by("operation").agg(pl.col("wait").median(), pl.len().alias("calls"))
    costs = usual.filter(pl.col("calls") >= FEWEST_AFTER).get_column("wait").sort()
    if costs.len() < KINDS or costs[KINDS - 1] > ALIKE * costs[0]:
        return False
    wait = slow.get_column("wait")
    steady = float(wait.quantile(0.25) or 0) >= float(wait.median() or 0) / 2  # type: ignore[arg-type]  # of numbers, so a number
    return bool(steady and (~slow.get_column("opens")).sum() >= FEWEST_AFTER)
