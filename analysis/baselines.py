"""Baselines: what the fastest calls of a pair say of the way between both sides (design §4.6).

The way there and back is what the fastest tenth of a pair's gaps still needs. As nothing tells how a gap that never
shrinks divides, no leg is given more than the lesser of both legs' baselines: a way is as long back as there, and
what only one direction pays is something else. Both programs take some of it too, and that varies from call to call as
a way does not: only what is beyond that variation is called network, the rest stays unexplained. On a machine at a
third of its pace, with no network between them, one request in eleven was else told of 10 ms and more of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis.arrays import MISSING
from analysis.groups import Groups, group
from seamscope.schema import words

if TYPE_CHECKING:
    from analysis.arrays import Codes, Int64s, Mask

FEWEST: Final = 10
"""Calls of a pair from which the fastest tenth is one that was seen."""

ALIKE: Final = 1.25
"""Two operations' fastest statements are the same floor when one takes no more than a quarter longer."""

KINDS: Final = 3
"""Kinds of statement that must share a floor: one or two may just be slow alike."""

TOLD: Final = 10
"""Network of less than this part of its call is not worth a sentence."""

ODD: Final = 2_654_435_761
"""Spreads the windows' numbers over keys."""

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
    lead_cause: Codes
    dialled: Mask
    """Its checkout opened a connection."""
    oneway: Int64s
    """The way in one direction, as the pair's baseline has it."""

    @staticmethod
    def empty(rows: int) -> Sheet:
        """Return a sheet on which nothing is written."""
        pool, setup, network, queue, back, lead, oneway = (np.zeros(rows, np.int64) for _ in range(7))
        causes = np.zeros(rows, np.uint8), np.zeros(rows, np.uint8)
        return Sheet(pool, setup, causes[0], network, queue, back, lead, causes[1], np.zeros(rows, np.bool_), oneway)


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


@dataclass(frozen=True, slots=True)
class Pairs:
    """Calls by window, caller, and callee or (where it sent nothing) host: what usual calls of a pair are like."""

    groups: Groups
    calls: Int64s
    """By pair: calls with known legs."""
    way: Int64s
    """One direction's, of the fastest tenth: the lesser of both."""
    steady: Int64s
    """What of it is the same for every call: it, less what the usual call needs more where that is less."""
    length: Int64s
    """The usual call's."""
    slack: Int64s
    """The coarsest clocks'."""

    @staticmethod
    def of(told: pl.DataFrame) -> Pairs:
        """Group calls (`facts.gather`, `window`) and measure the fastest."""
        served, known = told["served"].to_numpy(), told["gap"].to_numpy() >= 0
        callee = np.where(served, told["callee"].to_numpy(), told["peer"].to_numpy())
        groups = group(told["caller"].to_numpy() + told["window"].to_numpy() * ODD, callee)
        there, there_half, calls = _legs(groups, np.where(known, told["request"].to_numpy(), MISSING))
        back, back_half, _ = _legs(groups, np.where(known, told["response"].to_numpy(), MISSING))
        way = np.minimum(there, back)
        steady = np.maximum(way - np.minimum(there_half - there, back_half - back), 0)
        length, _ = groups.quantiles((told["end"] - told["start"]).to_numpy(), 0.5)
        slack, _ = groups.quantiles(told["slack"].to_numpy(), 1.0)
        return Pairs(groups, calls, way, steady, length, slack)


def _legs(groups: Groups, leg: Int64s) -> tuple[Int64s, Int64s, Int64s]:
    """Return, by group, the legs of the fastest tenth and of the usual call, and how many are known."""
    fastest, known = groups.quantiles(leg, 0.1)
    usual, _ = groups.quantiles(leg, 0.5)
    return fastest, usual, known


def network(told: pl.DataFrame, pairs: Pairs, sheet: Sheet) -> list[Note]:
    """Write every leg's baseline on the sheet."""
    several = pairs.calls >= FEWEST
    known = (told["gap"].to_numpy() >= 0) & several[pairs.groups.number]
    sheet.oneway[:] = np.where(known, pairs.way[pairs.groups.number], 0)
    steady = np.where(known, pairs.steady[pairs.groups.number], 0)
    sheet.network_ns[:] = np.minimum(steady, told["before"].to_numpy())
    sheet.back_ns[:] = np.minimum(steady, told["after"].to_numpy())
    both = sheet.network_ns + sheet.back_ns
    worth = known & (both * TOLD >= np.maximum((told["end"] - told["start"]).to_numpy(), 1))
    notes = []
    for pair in np.flatnonzero(np.bincount(pairs.groups.number[worth])).tolist():
        rows = pairs.groups.rows(pair)
        rows = rows[worth[rows]]
        calls, least, steady_ns = int(pairs.calls[pair]), int(pairs.way[pair]), int(pairs.steady[pair])
        text = (
            f"the fastest tenth of {calls} calls needs at least {ms(least)} each way, and the usual one at least "
            f"{ms(least - steady_ns)} more"
        )
        notes.append(Note(rows, NETWORK, both[rows], 1 - 1 / calls, text))
    return notes


def distances(told: pl.DataFrame, sheet: Sheet) -> list[Note]:
    """Take the longer way to a database from its callers at other places: the same statements, sent from nearer by.

    The fastest tenth of one instance's statements of a kind is slower than nine tenths of another instance's of the
    same service: what they wait for in the database is alike, what is not is the way there.
    """
    place = ["window", "calling", "peer", "operation"]
    asked = np.flatnonzero(~told["served"].to_numpy() & (told["lead"].to_numpy() != MISSING))
    instances = group(told["calling"].to_numpy()[asked], told["caller"].to_numpy()[asked])
    several = (
        told.select("calling", "caller")[asked[instances.order[instances.offsets[:-1]]]] if asked.size else told[:0]
    )
    several = several.select("calling", "caller").filter(pl.len().over("calling") > 1)
    if not several.height:
        return []
    silent = told.select(*place, "caller", "before", "row")[asked].join(several, on=["calling", "caller"], how="semi")
    each = silent.group_by(*place, "caller").agg(
        least=pl.col("before").quantile(0.1, "lower"), most=pl.col("before").quantile(0.9, "higher"), calls=pl.len()
    )
    known = each.filter(pl.col("calls") >= FEWEST).sort(*place, "least", "caller")
    near = known.group_by(place, maintain_order=True).agg(
        pl.col("least").first().alias("near"), pl.col("most").first().alias("bound"), pl.len().alias("instances")
    )
    far = known.join(near.filter(pl.col("instances") > 1), on=place).filter(pl.col("least") > pl.col("bound"))
    if not far.height:
        return []
    notes = []
    there = silent.join(far.drop("most"), on=[*place, "caller"]).sort(*place, "caller", "row")
    for calls in there.partition_by(*place, "caller", maintain_order=True):
        rows, further = calls["row"].to_numpy(), int(calls["least"][0] - calls["near"][0])
        sheet.network_ns[rows] = np.minimum(sheet.network_ns[rows] + further, calls["before"].to_numpy())
        text = (
            f"the fastest tenth of {calls['calls'][0]} statements of this instance takes {ms(calls['least'][0])}, of "
            f"the same sent by another instance of its service {ms(calls['near'][0])}"
        )
        notes.append(Note(rows, NETWORK, sheet.network_ns[rows], 1 - 1 / int(calls["calls"][0]), text))
    return notes


def statements(told: pl.DataFrame, pairs: Pairs, sheet: Sheet) -> list[Note]:
    """Take the way to a database from its cheapest statements: a floor that several operations share."""
    rows = np.flatnonzero(~told["served"].to_numpy() & (told["lead"].to_numpy() != MISSING))
    pair, free = pairs.groups.number[rows].astype(np.int64), told["before"].to_numpy()[rows]
    kinds = group(pair, told["operation"].to_numpy()[rows])
    least, calls = kinds.quantiles(free, 0.1)
    of_kind = pair[kinds.order[kinds.offsets[:-1]]] if rows.size else pair
    frame = pl.DataFrame({"pair": of_kind, "least": least, "calls": calls}).filter(pl.col("calls") >= FEWEST)
    floors = (
        frame.sort("pair", "least")
        .group_by("pair", maintain_order=True)
        .agg(
            pl.col("least").first(),
            pl.col("least").slice(KINDS - 1, 1).first().alias("next"),
            pl.len().alias("kinds"),
            pl.col("calls").sum(),
        )
    )
    notes = []
    length = (told["end"] - told["start"]).to_numpy()
    for number, floor, _, several, many in floors.filter(pl.col("next") <= ALIKE * pl.col("least")).iter_rows():
        mine = rows[pair == number]
        sheet.network_ns[mine] = ns = np.minimum(floor, told["before"].to_numpy()[mine])
        worth = ns * TOLD >= np.maximum(length[mine], 1)
        text = f"of {several} kinds of statement ({many} in all) none takes less than {ms(floor)}, however cheap"
        notes.append(Note(mine[worth], NETWORK, ns[worth], 1 - 1 / many, text))
    return notes
