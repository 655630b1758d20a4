"""What calls between two hosts say of their clocks: the bounds of each call, and the interval of every pair of hosts.

How they are reckoned is told in `analysis.clocks`. All of it is asked of every window, and the expressions are put
together once: of a few calls, that takes longer than the answer.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from analysis.arrays import MISSING
from analysis.columns import collected

FAR: Final = 2**61
"""A bound that bounds nothing."""

QUARTER: Final = 0.25
"""The fastest part of the calls, whose agreement says which bound nothing but the way makes."""

READ: Final = (
    "trace_hi", "trace_lo", "span_id", "start", "end", "sent", "server_start", "server_end", "first_byte", "worked",
    "caller_host", "callee_host", "servers", "slack", "whole_body", "unsaid", "waits", "failed",
)  # fmt: skip
"""What of the facts tells of clocks."""

INTERVALS: Final = {
    "one": pl.Int64, "other": pl.Int64, "calls": pl.UInt32, "low": pl.Int64, "high": pl.Int64, "offset": pl.Int64,
    "slope": pl.Float64, "width": pl.Int64, "doubt": pl.Int64, "verdict": pl.String, "trace_hi": pl.UInt64,
    "trace_lo": pl.UInt64, "span_id": pl.UInt64,
}  # fmt: skip
"""A row per pair of hosts: the interval of `other`'s clock less `one`'s, what was made of it (`same`,
`offset`, `drift`, `empty`), and for the odd ones a call that shows it.
`offset` holds at `Clocks.origin_ns`, `slope` is by nanosecond; `doubt` is how wide the interval is that
clients which end after their servers draw closer, where they agree: what moments on both clocks may be off by."""

PAIR: Final = ["one", "other"]
SHOWN: Final = ["trace_hi", "trace_lo", "span_id"]


def bounds_of(facts: pl.DataFrame) -> pl.DataFrame:
    """Return what each call across hosts (`facts.gather`) says of their offset.

    Columns `SHOWN`, `PAIR`, `start`, `slack`, and the clock of the greater key less that of the lesser, at least and at
    most: `low`, `high`, and drawn closer `tight_low`, `tight_high`, for sure where `told`.
    """
    told = facts.lazy().filter(_ACROSS).select(READ)
    return collected(told.select(_SIDED).with_columns(_LIKELY).with_columns(_BOUNDS))


_ACROSS: Final = (
    pl.col("served")
    & ~pl.col("headless")
    & (pl.col("caller_host") != 0)
    & (pl.col("callee_host") != 0)
    & (pl.col("caller_host") != pl.col("callee_host"))
)


def _sided() -> dict[str, pl.Expr]:
    """Return what each call says of its two hosts' offset, as caller and callee."""
    alone = pl.col("servers") == 1
    left = pl.when(alone).then(pl.max_horizontal("start", "sent")).otherwise("start")
    first_byte = pl.when(pl.col("whole_body")).then("first_byte").otherwise("server_start")
    done = pl.when(pl.col("waits") & alone).then("server_end").otherwise(pl.max_horizontal("server_start", first_byte))
    stayed = ~pl.col("failed")  # a client that gave up may have ended before its server began
    ended = pl.max_horizontal("server_end", "server_start") - pl.col("end")
    worked = pl.max_horizontal("worked", "server_start") - pl.col("end")
    fits = pl.col("server_end") - pl.col("server_start") <= pl.col("end") - pl.col("start")
    return {
        **{name: pl.col(name) for name in (*SHOWN, "start", "slack")},
        "one": pl.min_horizontal("caller_host", "callee_host"),
        "other": pl.max_horizontal("caller_host", "callee_host"),
        "forward": pl.col("caller_host") < pl.col("callee_host"),
        "early": pl.col("server_start") - left,
        "late": pl.when(stayed).then(done - pl.col("end")),
        "whole": (
            pl.when(pl.col("whole_body") & alone & stayed)
            .then(ended)
            .when((pl.col("worked") != MISSING) & alone & stayed)
            .then(worked)
        ),
        "likely": pl.when(pl.col("unsaid") & alone & stayed & fits).then(ended),
    }


def _named(made: dict[str, pl.Expr]) -> list[pl.Expr]:
    return [expression.alias(name) for name, expression in made.items()]


_SIDED: Final = _named(_sided())
_TOLD: Final = pl.col("whole").is_not_null().any().over(PAIR)
_LIKELY: Final = _named({"told": _TOLD, "whole": pl.when(_TOLD).then("whole").otherwise("likely")})
_FORWARD: Final = pl.col("forward")
_BOUNDS: Final = _named(
    {
        "high": pl.when(_FORWARD).then("early").otherwise(-pl.col("late")),
        "low": pl.when(_FORWARD).then("late").otherwise(-pl.col("early")),
        "tight_low": pl.when(_FORWARD).then("whole"),
        "tight_high": pl.when(~_FORWARD).then(-pl.col("whole")),
    }
)
"""Of each call: the clock of the greater key less that of the lesser, at least and at most."""

_SLACK: Final = pl.col("slack")
_OF_PAIR: Final = [
    pl.len().alias("calls"),
    (pl.col("low") - _SLACK).max().fill_null(-FAR),
    (pl.col("high") + _SLACK).min().fill_null(FAR),
    pl.col("low").max().fill_null(-FAR).alias("raw_low"),
    pl.col("high").min().fill_null(FAR).alias("raw_high"),
    (pl.col("tight_low") - _SLACK).max().fill_null(-FAR),
    (pl.col("tight_high") + _SLACK).min().fill_null(FAR),
    (pl.col("tight_low") - _SLACK).filter("told").max().fill_null(-FAR).alias("told_low"),
    (pl.col("tight_high") + _SLACK).filter("told").min().fill_null(FAR).alias("told_high"),
    pl.col("tight_low").max().fill_null(-FAR).alias("raw_tight_low"),
    pl.col("tight_high").min().fill_null(FAR).alias("raw_tight_high"),
]

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
        "doubt": (pl.min_horizontal("high", "told_high") - pl.max_horizontal("low", "told_low")).clip(0),
    }
)
_AS_TOLD: Final = [pl.col(name).cast(dtype) for name, dtype in INTERVALS.items()]
_NOT_SHOWN: Final = [pl.lit(None).alias(name) for name in SHOWN]


def intervals_of(bounds: pl.DataFrame) -> pl.DataFrame:
    """Return the interval of every pair; the offset keeps what the clocks can tell of its bound."""
    found = collected(bounds.lazy().group_by(PAIR).agg(_OF_PAIR).with_columns(_JUDGED))
    verdicts = found.get_column("verdict").unique().to_list()
    if "offset" in verdicts:
        rows = found.lazy().join(_spreads(bounds, found.filter(pl.col("verdict") == "offset")), on=PAIR, how="left")
    else:
        rows = found.lazy().with_columns(_NO_SPREADS)
    if "empty" in verdicts:
        odd = bounds.join(found.filter(_EMPTY), on=PAIR, how="semi").sort("start", *SHOWN)
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


def _spreads(bounds: pl.DataFrame, some: pl.DataFrame) -> pl.LazyFrame:
    """Return how close to each other the calls bound the offsets of some pairs."""
    return bounds.lazy().join(some.lazy().select(PAIR), on=PAIR, how="semi").group_by(PAIR).agg(_SPREADS)
