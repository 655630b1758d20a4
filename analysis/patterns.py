"""Pass B: what no single call can tell, from many of them (design §4.6).

Calls are compared with all that are at hand, by who called whom: those of one window. Every cause found this way is
`inferred`: it carries a confidence and the sentence that says what carried it, and is withheld below `ceilings.SURE`,
where a key may stand for several hosts, and where calls were sampled apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from analysis import baselines, clocks, dials, lines, setups, stalls, starts, waits
from analysis.arrays import MISSING
from analysis.sequence import settle_ties

IDS: Final = ("trace_hi", "trace_lo", "span_id")
ONLY_OF_CLOCKS: Final = ("headless", "sent", "first_byte", "waits", "whole_body", "worked")
"""What of the facts tells nothing but of clocks, or is asked but once."""

MARKS: Final = {
    "call": pl.Int32, "trace_hi": pl.UInt64, "trace_lo": pl.UInt64, "span_id": pl.UInt64, "pool_ns": pl.Int64,
    "setup_ns": pl.Int64, "setup_cause": pl.UInt8, "network_ns": pl.Int64, "queue_ns": pl.Int64, "back_ns": pl.Int64,
    "lead_ns": pl.Int64, "lead_cause": pl.UInt8, "dialled": pl.Boolean,
}  # fmt: skip
"""A row per call that many calls say something about: how much of it is what, and how long it waited before it."""

SAID: Final = {
    "call": pl.Int32, "trace_hi": pl.UInt64, "trace_lo": pl.UInt64, "span_id": pl.UInt64, "cause": pl.UInt8,
    "ns": pl.Int64, "confidence": pl.Float64, "statistic": pl.String,
}  # fmt: skip
"""A row per inferred cause of a call: how much, how sure, and the sentence that carries it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What pass B says of some calls."""

    marks: pl.DataFrame
    """Columns `MARKS`."""
    said: pl.DataFrame
    """Columns `SAID`."""

    def of(self, facts: pl.DataFrame) -> Told:
        """Return what is said of the calls that these facts are of, as the facts number them."""
        numbers = facts.select(*IDS, "call")
        again = (table.drop("call").join(numbers, on=IDS, how="inner") for table in (self.marks, self.said))
        marks, said = again
        return Told(marks.select(list(MARKS)), said.select(list(SAID)))


@dataclass(frozen=True, slots=True)
class Known:
    """What pass B found."""

    clocks: clocks.Clocks
    warnings: pl.DataFrame
    """Conflicts of clocks, columns `trace_hi`, `trace_lo`, `span_id`, `code`, `detail`."""
    marks: pl.DataFrame
    """Columns `part` and `MARKS`."""
    said: pl.DataFrame
    """Columns `part` and `SAID`."""

    def of(self, part: int) -> Told:
        """Return what is said of one part's calls."""
        mine = pl.col("part") == part
        return Told(self.marks.filter(mine).drop("part"), self.said.filter(mine).drop("part"))


def settle(facts: pl.DataFrame, found: clocks.Clocks, names: dict[int, str]) -> Known:
    """Compare all calls with each other, legs as the hosts' clocks have them; `names` are hosts', for sentences.

    Calls of part -1 are compared, and nothing is said of them.
    """
    facts = facts.filter(~pl.col("headless")) if facts["headless"].any() else facts
    facts = facts.drop(ONLY_OF_CLOCKS).rechunk()  # in one piece, rows are taken from it in half the time
    told = facts[_in_time(facts)].with_columns(window=pl.lit(0, pl.Int64)).with_row_index("row")
    sheet, pairs = baselines.Sheet.empty(told.height), baselines.Pairs.of(told)
    notes = baselines.network(told, pairs, sheet)
    legs_known = (told["request"].to_numpy() >= 0) & ~told["failed"].to_numpy()
    gap_before = np.where(legs_known, told["before"].to_numpy() - sheet.oneway, MISSING)
    slow = lines.worth_a_look(pairs, gap_before) & legs_known
    notes += baselines.statements(told, pairs, sheet)
    notes += baselines.distances(told, sheet)
    late = waits.idle(told, pairs)
    notes += waits.statements(told, late, sheet)
    notes += dials.first_statements(told, late, sheet)
    dials.checkouts(told, sheet)
    pooled, found_waits = waits.calls(told, slow, sheet)
    notes += found_waits
    notes += starts.find(told, sheet)
    notes += setups.find(told, slow, sheet)
    notes += stalls.stalls(told, slow & ~pooled, sheet)
    notes += stalls.ways_back(told, pairs, sheet)
    return Known(found, clocks.warnings_of(found, names), _marks(told, sheet), _said(told, notes))


def _in_time(facts: pl.DataFrame) -> pl.Series:
    """Return the rows by start; of those that start together, by their ids."""
    start = facts["start"].to_numpy()
    order = np.argsort(start, kind="stable")
    settle_ties(order, start, *(facts[name].to_numpy() for name in IDS))
    return pl.Series(order.astype(np.uint32))


def _marks(told: pl.DataFrame, sheet: baselines.Sheet) -> pl.DataFrame:
    some = sheet.dialled.copy()
    mine = told["part"].to_numpy() >= 0
    for name in ("pool_ns", "setup_ns", "network_ns", "queue_ns", "back_ns", "lead_ns"):
        some |= getattr(sheet, name) > 0
    rows = np.flatnonzero(some & mine)
    written = [pl.Series(name, getattr(sheet, name)[rows]) for name in MARKS if hasattr(sheet, name)]
    return told.select("part", "call", *IDS)[rows].with_columns(written)


def _said(told: pl.DataFrame, notes: list[baselines.Note]) -> pl.DataFrame:
    notes = [note for note in notes if note.rows.size]
    if not notes:
        return pl.DataFrame(schema={"part": pl.Int32, **SAID})
    each = np.repeat(np.arange(len(notes)), [note.rows.size for note in notes])
    where = told.select("part", "call", *IDS)[np.concatenate([note.rows for note in notes])]
    said = where.with_columns(
        cause=pl.Series([note.cause for note in notes], dtype=pl.UInt8).gather(each),
        ns=pl.Series(np.concatenate([note.ns for note in notes])),
        confidence=pl.Series([note.confidence for note in notes], dtype=pl.Float64).gather(each),
        statistic=pl.Series([note.statistic for note in notes], dtype=pl.String).gather(each),
    )
    return said.filter(pl.col("part") >= 0)


def nothing(found: clocks.Clocks, names: dict[int, str]) -> Known:
    """Return what is known where calls could not be compared: what their hosts' clocks say."""
    marks = pl.DataFrame(schema={"part": pl.Int32, **MARKS})
    said = pl.DataFrame(schema={"part": pl.Int32, **SAID})
    return Known(found, clocks.warnings_of(found, names), marks, said)
