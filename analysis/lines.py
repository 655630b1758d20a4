"""Calls that may have stood in one line: before a pool, before a callee, before nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis import ceilings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analysis.arrays import Int64s, Mask
    from analysis.baselines import Pairs, Sheet

WORTH: Final = 0.25
"""Waits are looked into where the longest tenth of them takes at least this part of the usual call."""

ACCIDENT: Final = 0.05
"""A wait is one from this part of the longest on. A begin follows a release when it comes within this part of the
usual wait: one in twenty does by accident."""

MOST_LATE: Final = 0.75
"""A release is told later than it was by no more than this part of its call; with six to nine tenths
the same recordings' pools are told, of one 89 to 95 % of the calls that waited."""


def worth_a_look(pairs: Pairs, wait: Int64s) -> Mask:
    """Mark the calls of pairs whose longest waits are worth one (nanoseconds by row; `MISSING`: none known)."""
    most, calls = pairs.groups.quantiles(wait, 0.9)
    worth = (calls >= ceilings.FEWEST) & (most > 2 * pairs.slack) & (most > WORTH * pairs.length)
    marked: Mask = worth[pairs.groups.number]
    return marked


@dataclass(frozen=True, slots=True)
class Line:
    """Calls that may have stood in one line, by start; `rows` points into the facts."""

    rows: Int64s
    arrive: Int64s
    begin: Int64s
    release: Int64s
    late: Mask
    slack: int
    lags: bool = False
    """Releases are told late: a caller's span ends when its process comes to it, on a busy one milliseconds after its
    connection is free."""

    def ceiling(self, handover: int) -> ceilings.Ceiling | None:
        """Find how many places there were; `handover` is the least time between a release and the next begin."""
        if self.late.sum() < ceilings.FEWEST:
            return None
        wait = float(np.median((self.begin - self.arrive)[self.late]))
        near = max(2 * self.slack, round(wait * ACCIDENT))
        early = min(2 * self.slack, near)
        freed = self._freed(near) if self.lags else self.release
        return ceilings.find(self.arrive, self.begin, self.release, freed, self.late, early, near + handover)

    def _freed(self, near: int) -> Int64s:
        """Return when places were free at the earliest: `near` before that is told, and after some of each call.

        Else calls that all began as a callee went on would seem to give their places to each other.
        """
        held = np.maximum(self.release - self.begin, 0)
        freed: Int64s = self.release - np.minimum(near, (held * MOST_LATE).astype(np.int64))
        return freed


def column(frame: pl.DataFrame, name: str) -> Int64s:
    """Return a column as an array."""
    values: Int64s = frame.get_column(name).to_numpy()
    return values


def groups_of(told: pl.DataFrame, keys: list[str]) -> Iterator[pl.DataFrame]:
    """Yield groups of calls (`wait`, `slack`) enough of which wait enough, each by start, `late` marked."""
    usual = told.group_by(keys).agg(
        pl.col("wait").quantile(0.9, "lower").alias("most"),
        (pl.col("end") - pl.col("start")).median().alias("length"),
        pl.col("slack").max().alias("coarsest"),
        pl.len().alias("calls"),
    )
    least = pl.max_horizontal(pl.col("most") * ACCIDENT, 2 * pl.col("coarsest"))
    usual = usual.with_columns(least=least).filter(
        (pl.col("calls") >= ceilings.FEWEST)
        & (pl.col("most") > pl.col("least"))
        & (pl.col("most") > WORTH * pl.col("length"))
    )
    marked = told.join(usual.select(*keys, "least"), on=keys, how="inner").with_columns(
        late=pl.col("wait") > pl.col("least")
    )
    busy = marked.group_by(keys).agg(pl.col("late").sum()).filter(pl.col("late") >= ceilings.FEWEST)
    if busy.height:
        some = marked.join(busy.select(keys), on=keys, how="semi").sort(
            *keys, "start", "trace_hi", "trace_lo", "span_id"
        )
        yield from some.partition_by(keys, maintain_order=True)


def way_there(group: pl.DataFrame, sheet: Sheet) -> Int64s:
    """Return how long each call was on its way to its server, without what the fastest way takes."""
    rows = column(group, "row")
    known = column(group, "request") >= 0
    wait: Int64s = np.where(known, np.maximum(column(group, "before") - sheet.oneway[rows], 0), 0)
    return wait


def coarsest(group: pl.DataFrame) -> int:
    """Return the grain of the coarsest clock among some calls."""
    return int(column(group, "slack").max())
