"""Baselines: what the fastest calls of a pair say of the way between both sides (design §4.6).

The way there and back is what the fastest tenth of a pair's gaps still needs. As nothing tells how a gap that never
shrinks divides, no leg is given more than the lesser of both legs' baselines: a way is as long back as there, and
what only one direction pays is something else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from seamscope.schema import words

if TYPE_CHECKING:
    from analysis.arrays import Codes, Int64s

FEWEST: Final = 10
"""Calls of a pair from which the fastest tenth is one that was seen."""

ALIKE: Final = 1.25
"""Two operations' fastest statements are the same floor when one takes no more than a quarter longer."""

TOLD: Final = 20
"""Network of less than this part of its call is not worth a sentence."""

NETWORK: Final = words.code(words.CAUSES, "network")


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is made of every call, by row of the facts; nanoseconds."""

    pool_ns: Int64s
    setup_ns: Int64s
    setup_cause: Codes
    network_ns: Int64s
    queue_ns: Int64s
    back_ns: Int64s
    lead_ns: Int64s
    oneway: Int64s
    """The way in one direction, as the pair's baseline has it."""

    @staticmethod
    def empty(rows: int) -> Sheet:
        """Return a sheet on which nothing is written."""
        pool, setup, network, queue, back, lead, oneway = (np.zeros(rows, np.int64) for _ in range(7))
        return Sheet(pool, setup, np.zeros(rows, np.uint8), network, queue, back, lead, oneway)


@dataclass(frozen=True, slots=True)
class Note:
    """One inferred cause of some calls, and what carries it."""

    rows: Int64s
    cause: int
    ns: Int64s
    confidence: float
    statistic: str


def ms(ns: float) -> str:
    """Write nanoseconds as milliseconds."""
    return f"{ns / 1e6:.3g} ms"


def network(told: pl.DataFrame, sheet: Sheet) -> list[Note]:
    """Write every leg's baseline on the sheet."""
    known = told.filter(pl.col("served") & (pl.col("gap") >= 0) & (pl.col("request") >= 0))
    pair = ["window", "caller", "callee"]
    floor = known.group_by(pair).agg(
        pl.col("request").quantile(0.1, "lower").cast(pl.Int64).alias("there"),
        pl.col("response").quantile(0.1, "lower").cast(pl.Int64).alias("back"),
        pl.len().alias("calls"),
    )
    floor = floor.filter(pl.col("calls") >= FEWEST).with_row_index("pair")
    found = known.select("row", "request", "before", "after", "slack", "start", "end", *pair).join(
        floor, on=pair, how="inner", maintain_order="left"
    )
    row = found.get_column("row").to_numpy()
    oneway = np.minimum(found["there"].to_numpy(), found["back"].to_numpy())
    sheet.oneway[row] = oneway
    sheet.network_ns[row] = np.minimum(oneway, found["before"].to_numpy())
    sheet.back_ns[row] = np.minimum(oneway, found["after"].to_numpy())
    return _notes(found, sheet)


def _notes(found: pl.DataFrame, sheet: Sheet) -> list[Note]:
    row = found.get_column("row").to_numpy()
    both = sheet.network_ns[row] + sheet.back_ns[row]
    length = (found.get_column("end") - found.get_column("start")).to_numpy()
    worth = both * TOLD >= np.maximum(length, 1)
    notes = []
    told = found.with_columns(worth=worth, both=both).filter("worth")
    for part in told.partition_by("pair"):
        calls, way = part["calls"][0], min(part["there"][0], part["back"][0])
        text = f"the fastest tenth of {calls} calls needs {ms(way)} each way"
        notes.append(Note(part["row"].to_numpy(), NETWORK, part["both"].to_numpy(), 1 - 1 / int(calls), text))
    return notes


def statements(told: pl.DataFrame, sheet: Sheet) -> list[Note]:
    """Take the way to a database from its cheapest statements: a floor that several operations share."""
    silent = told.filter(~pl.col("served") & (pl.col("lead") > np.iinfo(np.int64).min))
    pair = ["window", "caller", "peer"]
    fastest = silent.group_by(*pair, "operation").agg(
        pl.col("before").quantile(0.1, "lower").cast(pl.Int64).alias("least"), pl.len().alias("calls")
    )
    floors = (
        fastest.filter(pl.col("calls") >= FEWEST)
        .sort(*pair, "least")
        .group_by(pair, maintain_order=True)
        .agg(
            pl.col("least").first(),
            pl.col("least").slice(1, 1).first().alias("next"),
            pl.len().alias("operations"),
            pl.col("calls").sum(),
        )
        .filter(pl.col("next") <= ALIKE * pl.col("least"))
    )
    found = silent.select("row", "before", "start", "end", *pair).join(
        floors.with_row_index("pair"), on=pair, how="inner", maintain_order="left"
    )
    row = found.get_column("row").to_numpy()
    sheet.network_ns[row] = np.minimum(found["least"].to_numpy(), found["before"].to_numpy())
    notes = []
    ns = sheet.network_ns[row]
    worth = ns * TOLD >= np.maximum((found["end"] - found["start"]).to_numpy(), 1)
    for part in found.with_columns(ns=ns, worth=worth).filter("worth").partition_by("pair"):
        calls, kinds, least = part["calls"][0], part["operations"][0], part["least"][0]
        text = f"of {kinds} kinds of statement ({calls} in all) none takes less than {ms(least)}, however cheap"
        notes.append(Note(part["row"].to_numpy(), NETWORK, part["ns"].to_numpy(), 1 - 1 / int(calls), text))
    return notes
