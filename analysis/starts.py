"""Cold starts of functions, waited for by calls that the new instance did not serve first (design §4.6).

An instance of a function serves one call at a time, and a call that finds none free has one started: it goes to
whichever is free first, be that the new one or one that another call waited for (AWS, Lambda Developer Guide,
"Understanding Lambda function scaling"; a call beyond the limit is refused, none stands in line). So a call whose
instance was still starting, or serving somebody else, when it came had found none free, and waited for a start. Only
instances that say whether a call was their first (`faas.coldstart`, which the Lambda instrumentation sends) are
judged, not those at the edge, which serve many at once; and only where their calls follow each other as this says: one
at a time, and one that waited is taken up at once. Where calls that came before their instance was free begin well
after it was, something else held them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from analysis import ceilings
from analysis.baselines import Note, Sheet, ms
from seamscope.schema import words

if TYPE_CHECKING:
    from analysis.arrays import Mask

COLD_START: Final = words.code(words.CAUSES, "cold_start")
AT_ONCE: Final = 0.1
"""An instance that was waited for takes the next call so soon (a part of the wait) after its answer was back: before
that it may hand over what it sends at the end, such as spans."""
INSTANCE: Final = ["party", "callee"]


def find(told: pl.DataFrame, sheet: Sheet) -> list[Note]:
    """Find the calls that waited for an instance which was not free when they came; write them on the sheet."""
    said = told.filter((pl.col("started") != words.UNKNOWN) & (pl.col("callee_host") != 0) & (pl.col("servers") == 1))
    if not said.height:
        return []
    order = [*INSTANCE, "server_start", "trace_hi", "trace_lo", "span_id"]
    line = said.sort(order).with_columns(
        busy_until=pl.col("server_end").cum_max().shift(1).over(INSTANCE),
        answered=pl.max_horizontal("server_end", _answered()).cum_max().shift(1).over(INSTANCE),
        came=pl.col("server_start") - pl.col("before"),
    )
    line = line.filter(pl.col("busy_until").is_not_null()).with_columns(
        together=pl.col("server_start") + pl.col("slack") < pl.col("busy_until"),
        ns=pl.min_horizontal(pl.col("before"), pl.col("busy_until") - pl.col("came")),
    )
    notes = []
    for group in line.partition_by("party", maintain_order=True):
        notes += _judge(group, sheet)
    return notes


def _answered() -> pl.Expr:
    """Return when a call's client had its answer, on the instance's clock as far as that is known."""
    apart = pl.col("server_start") - pl.col("request") - pl.col("start")
    return pl.col("end") + pl.when(pl.col("request") >= 0).then(apart).otherwise(0)


def _judge(group: pl.DataFrame, sheet: Sheet) -> list[Note]:
    """Judge one function's calls that came after another on their instance."""
    apart = int((~group["together"]).sum())
    confidence = ceilings.wilson(float(apart), float(group.height))
    rows = group["row"].to_numpy()
    waited = (group["started"] == 0) & (group["ns"] > 2 * group["slack"]) & ~group["together"]
    idle = group["server_start"] - group["answered"]
    at_once = waited & (idle <= group["before"] * AT_ONCE + 2 * group["slack"])
    some: Mask = at_once.to_numpy() & (sheet.pool_ns[rows] == 0)
    if confidence < ceilings.SURE or 3 * at_once.sum() < 2 * waited.sum() or not some.any():
        return []
    rows, ns = rows[some], group["ns"].to_numpy()[some]
    text = (
        f"{apart} of {group.height} calls that an instance served after another began when that was over: one at a "
        f"time; {rows.size} of them had come {ms(float(pl.Series(ns).median() or 0))} before it was free"  # type: ignore[arg-type]  # of numbers, so a number
    )
    sheet.setup_ns[rows], sheet.setup_cause[rows] = ns, COLD_START
    return [Note(rows, COLD_START, ns, confidence, text)]
