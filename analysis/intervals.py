"""What calls between two hosts say of their clocks together: the interval of every pair of hosts.

How they are reckoned is told in `analysis.clocks`. All of it is asked of every window, and the expressions are put
together once: of a few calls, that takes longer than the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.bounds import PAIR, SHOWN
from analysis.columns import collected

if TYPE_CHECKING:
    from analysis.bounds import Bounds

QUARTER: Final = 0.25
"""The fastest part of the calls, whose agreement says which bound nothing but the way makes."""

INTERVALS: Final = {
    "one": pl.Int64, "other": pl.Int64, "calls": pl.UInt32, "low": pl.Int64, "high": pl.Int64, "offset": pl.Int64,
    "slope": pl.Float64, "width": pl.Int64, "verdict": pl.String, "trace_hi": pl.UInt64,
    "trace_lo": pl.UInt64, "span_id": pl.UInt64,
}  # fmt: skip
"""A row per pair of hosts: the interval of `other`'s clock less `one`'s, what was made of it (`same`,
`offset`, `drift`, `empty`), and for the odd ones a call that shows it.
`offset` holds at `Clocks.origin_ns`, `slope` is by nanosecond."""


def _named(made: dict[str, pl.Expr]) -> list[pl.Expr]:
    return [expression.alias(name) for name, expression in made.items()]


_EMPTY: Final = pl.col("low") > pl.col("high")
_SAME: Final = (pl.col("low") <= 0) & (pl.col("high") >= 0)
_NEAR_LOW: Final = pl.max_horizontal("low", "tight_low")
_NEAR_HIGH: Final = pl.min_horizontal("high", "tight_high")
_CLOSER: Final = (_NEAR_LOW <= _NEAR_HIGH) & ~_SAME & ~_EMPTY
_JUDGED: Final = _named(
    {
        "low": pl.when(_CLOSER).then(_NEAR_LOW).otherwise("low"),
        "high": pl.when(_CLOSER).then(_NEAR_HIGH).otherwise("high"),
        "raw_low": pl.when(_CLOSER).then(pl.max_horizontal("raw_low", "raw_tight_low")).otherwise("raw_low"),
        "raw_high": pl.when(_CLOSER).then(pl.min_horizontal("raw_high", "raw_tight_high")).otherwise("raw_high"),
        "verdict": pl.when(_EMPTY).then(pl.lit("empty")).when(_SAME).then(pl.lit("same")).otherwise(pl.lit("offset")),
        "slope": pl.lit(0.0),
    }
)


def _by_low() -> pl.Expr:
    """Tell whether the lower bound is the one that the fastest calls agree on better, or of two alike the nearer."""
    tight_below = _CLOSER & (pl.col("raw_tight_low") >= pl.col("raw_low"))
    tight_above = _CLOSER & (pl.col("raw_tight_high") <= pl.col("raw_high"))
    below = pl.when(tight_below).then("tight_below").otherwise("below")
    above = pl.when(tight_above).then("tight_above").otherwise("above")
    alike = (below == above).fill_null(value=False)
    return pl.when(alike).then(pl.col("low") > 0).otherwise((below < above).fill_null(above.is_null()))


_PLACED: Final = _named(
    {
        "offset": pl.when(pl.col("verdict") == "offset")
        .then(pl.when(_by_low()).then("raw_low").otherwise("raw_high").clip("low", "high"))
        .otherwise(0),
        "width": pl.col("high") - pl.col("low"),
    }
)
_AS_TOLD: Final = [pl.col(name).cast(dtype) for name, dtype in INTERVALS.items()]
_NOT_SHOWN: Final = [pl.lit(None).alias(name) for name in SHOWN]


def intervals_of(bounds: Bounds) -> pl.DataFrame:
    """Return the interval of every pair; the offset keeps what the clocks can tell of its bound."""
    found = collected(bounds.pairs.lazy().with_columns(_JUDGED))
    verdicts = found.get_column("verdict").unique().to_list()
    if "offset" in verdicts:
        rows = found.lazy().join(_spreads(bounds, found.filter(pl.col("verdict") == "offset")), on=PAIR, how="left")
    else:
        rows = found.lazy().with_columns(_NO_SPREADS)
    if "empty" in verdicts:
        odd = bounds.of(found.filter(_EMPTY)).sort("start", *SHOWN)
        shown = odd.group_by(PAIR, maintain_order=True).agg(pl.col(name).first() for name in SHOWN)
        rows = rows.join(shown.lazy(), on=PAIR, how="left")
    else:
        rows = rows.with_columns(_NOT_SHOWN)
    return collected(rows.with_columns(_PLACED).select(_AS_TOLD).sort(PAIR))


def _spread(name: str, *, top: bool) -> pl.Expr:
    """Return how far the quarter of the calls that bounds most lies apart; null where none bounds."""
    least = pl.col(name).max() - pl.col(name).quantile(1 - QUARTER, "lower")
    return least if top else pl.col(name).quantile(QUARTER, "higher") - pl.col(name).min()


_SPREADS: Final = _named(
    {
        "below": _spread("low", top=True),
        "tight_below": _spread("tight_low", top=True),
        "above": _spread("high", top=False),
        "tight_above": _spread("tight_high", top=False),
    }
)
_NO_SPREADS: Final = [pl.lit(None, pl.Float64).alias(name) for name in ("below", "tight_below", "above", "tight_above")]


def _spreads(bounds: Bounds, some: pl.DataFrame) -> pl.LazyFrame:
    """Return how close to each other the calls bound the offsets of some pairs."""
    return bounds.of(some).lazy().group_by(PAIR).agg(_SPREADS)
