"""Pass B: what no single call can tell, from many of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import polars as pl

from analysis import clocks

MARKS: Final = {"call": pl.Int32, "trace_hi": pl.UInt64, "trace_lo": pl.UInt64, "span_id": pl.UInt64}


@dataclass(frozen=True, slots=True)
class Known:
    """What pass B found."""

    clocks: clocks.Clocks
    warnings: pl.DataFrame
    """Conflicts of clocks, columns `trace_hi`, `trace_lo`, `span_id`, `code`, `detail`."""
    marks: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema={"part": pl.Int32, **MARKS}))

    def of(self, part: int) -> pl.DataFrame:
        """Return the marks of one part's calls."""
        return self.marks.filter(pl.col("part") == part)


def renumbered(marks: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    """Return the marks of the calls that these facts are of, as the facts number them."""
    keys = ["trace_hi", "trace_lo", "span_id"]
    return marks.drop("call").join(facts.select(*keys, "call"), on=keys, how="inner")


def settle(facts: pl.DataFrame) -> Known:
    """Compare all calls with each other."""
    found = clocks.settle(facts)
    return Known(found, clocks.warnings_of(found, {}))


def nothing() -> Known:
    """Return what is known where calls could not be compared."""
    intervals = pl.DataFrame(schema=clocks.INTERVALS)
    return Known(clocks.Clocks(intervals), clocks.warnings_of(clocks.Clocks(intervals), {}))
