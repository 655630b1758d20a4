"""Calls of windows beside the one that is looked at: what happened just before and after counts there as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from analysis.arrays import MISSING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.passes import Prepared


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Calls around those of a window, which they are compared with as well; nothing is said of them."""

    batches: Sequence[Prepared] = ()
    facts: Sequence[pl.DataFrame] = ()
    """What pass B reads of the calls of batches that are not at hand any more (`Compared.facts`)."""
    start_ns: int = 0
    end_ns: int = 0
    """The window, in event time."""
    until_ns: int = 0
    """Calls that begin later do not count: where the window after it ends."""
    most_ns: int | None = None
    """Only calls that begin so close to the window count, or as close as its longest call is long; None: all of them.
    Then they are not put on the clocks that are found: where those move, only their times count, not their legs."""

    def lent(self, mine: pl.DataFrame, theirs: Sequence[pl.DataFrame], *, moved: bool) -> list[pl.DataFrame]:
        """Return those of the neighbours' calls that these calls are compared with."""
        rows = [*theirs, *self.facts]
        if not rows or not mine.height:
            return []
        if self.most_ns is None:
            return [some.filter(pl.col("start") < self.until_ns) for some in rows]
        longest: int = mine.select((pl.col("end") - pl.col("start")).max()).item()
        near = min(max(longest, 0), self.most_ns)
        until = min(self.end_ns + near, self.until_ns)
        begins = pl.col("start").is_between(self.start_ns - near, until, closed="left")
        unknown = dict.fromkeys(("gap", "request", "response"), pl.lit(MISSING, pl.Int64)) if moved else {}
        silent = dict.fromkeys(("before", "after"), pl.lit(0, pl.Int64)) if moved else {}
        return [some.filter(begins).with_columns(**unknown, **silent) for some in rows]
