"""Hosts that are one by name only: their processes call each other, and keep different times.

Machines that nobody named (`localhost`, what an image is called), and runtimes that counted on by themselves while
their host's clock was set. A clock of one host never moves against itself, so each such process is a host of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.columns import collected
from seamscope.schema import words

if TYPE_CHECKING:
    from collections.abc import Iterator

APART_NS: Final = 100_000_000
"""What two processes' times disagree by less than may be how their spans were begun and ended."""
MOST: Final = 0.5
"""Part of their calls in which they must: one call that was given up may be taken up when it is over."""

READ: Final = (
    "trace_hi", "trace_lo", "span_id", "start", "end", "server_start", "caller", "callee", "caller_host", "failed",
)  # fmt: skip
"""What of the facts tells of namesakes."""
SHOWN: Final = ("trace_hi", "trace_lo", "span_id")
FOUND: Final = {
    "host": pl.Int64, "caller": pl.Int64, "callee": pl.Int64, "ahead": pl.Int64, "trace_hi": pl.UInt64,
    "trace_lo": pl.UInt64, "span_id": pl.UInt64,
}  # fmt: skip
"""A row per caller and callee (process keys) on a host (its key): by how much the callee's clock is ahead, at least,
in the middle of their calls, and the first call that shows it."""


def find(facts: pl.DataFrame) -> pl.DataFrame:
    """Return processes of one host whose calls no common clock allows (`facts.gather`), columns `FOUND`."""
    if not collected(facts.lazy().select((_INSIDE & _DISAGREE).any())).item():  # nearly always
        return none()
    inside = collected(facts.lazy().filter(_INSIDE).select(READ))
    told = inside.lazy().sort("start", *SHOWN).with_columns(_AHEAD).group_by(_PAIR).agg(_OF_PAIR)
    return collected(told.filter(pl.col("share") >= MOST).select(list(FOUND)).sort(_PAIR))


_PAIR: Final = ["host", "caller", "callee"]
_INSIDE: Final = (
    pl.col("served")
    & ~pl.col("headless")
    & (pl.col("caller_host") != 0)
    & (pl.col("caller_host") == pl.col("callee_host"))
    & (pl.col("caller") != pl.col("callee"))
)
_EARLY: Final = pl.col("server_start") - pl.col("start")
_LATE: Final = pl.col("server_start") - pl.col("end")
_IS_EARLY: Final = _EARLY < -APART_NS
_IS_LATE: Final = (_LATE > APART_NS) & ~pl.col("failed")
_DISAGREE: Final = _IS_EARLY | _IS_LATE
_AHEAD: Final = [
    pl.col("caller_host").alias("host"),
    pl.when(_IS_EARLY).then(_EARLY).when(_IS_LATE).then(_LATE).alias("ahead"),
]
_ODD: Final = pl.col("ahead").is_not_null()
_OF_PAIR: Final = [
    *(pl.col(name).filter(_ODD).first() for name in SHOWN),
    _ODD.mean().alias("share"),
    pl.col("ahead").median().cast(pl.Int64),
]


def none() -> pl.DataFrame:
    """Return that no host is several."""
    return pl.DataFrame(schema=FOUND)


def told_apart(facts: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Return the facts with every process of such a host as a host of its own."""
    if not found.height:
        return facts
    several = found.get_column("host").unique().implode()
    return facts.with_columns(
        pl.when(pl.col(f"{side}_host").is_in(several)).then(side).otherwise(f"{side}_host").alias(f"{side}_host")
        for side in ("caller", "callee")
    )


def warnings_of(found: pl.DataFrame, names: dict[int, str]) -> Iterator[dict[str, object]]:
    """Yield ids of the call that shows it, code and detail, of every pair of processes."""
    code = words.code(words.WARNINGS, "clock_interval_empty")
    for row in found.iter_rows(named=True):
        host, caller, callee = (names.get(row[name], "?") for name in ("host", "caller", "callee"))
        way = "ahead of" if row["ahead"] > 0 else "behind"
        yield {
            **{name: row[name] for name in SHOWN},
            "detail": (
                f"{host} is one host by name, and its processes keep clocks of their own: that of {callee} is "
                f"{abs(row['ahead']) / 1_000_000:.3f} ms {way} that of {caller}, or more; each counts as a host"
            ),
            "code": code,
        }
