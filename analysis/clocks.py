"""Clocks: how far apart the clocks of two hosts are, from many calls between them (design §4.4).

With θ the callee's clock less the caller's, every call says θ ≤ S.start − C.start (or less the moment at which the
client began to write the request, where a span says when), and θ ≥ S.start − C.end (the first byte left, and for a
unary RPC the server was done, before the client was). Both bounds are widened by what
both clocks cannot tell apart. Where 0 lies in the interval of all calls at hand nothing moves; where it does
not, the offset is a bound: the one on which the fastest calls agree best, for in that direction nothing but the way
held them, while one in which something held them all spreads; of two alike the nearest. That interval is drawn closer
by clients that read the whole body: they end after their server does, save for what it does once the last byte is out;
by clients that end at the headers: they end after what their server waited for, save where it streams; and by those
that do not say at what they end, if their server lasted no longer than they did. So these count only where they agree
with the sure bounds. An empty interval is no constant offset: a line through it is a
drift, and anything else is said and left alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis import namesakes
from analysis.bounds import FAR, PAIR, bounds_of
from analysis.facts import host_keys, process_keys
from analysis.grouping import number_pairs
from analysis.intervals import INTERVALS, intervals_of
from analysis.moments import YEAR_NS
from seamscope.kernel import kernel
from seamscope.schema import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from analysis.arrays import Int32s, Int64s, Mask
    from analysis.forest import Forest

BINS: Final = 32
"""Parts of the time at hand among which a drift is looked for."""

STRAIGHTENED: Final = 3
"""Times that a line is looked for in what the one before leaves."""

FEWEST_BINS: Final = 6
"""A line goes through any two points, and easily through a few: fewer parts than this prove no drift."""

STEEPEST: Final = 1.0
"""A clock that gains as much as time itself passes, or runs backwards, is none: no drift is as steep."""

MOST_AHEAD_NS: Final = 2 * YEAR_NS
"""Times of one trace lie no further apart (`moments`): hosts that calls in a row would put further are not placed."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """Offsets of hosts' clocks."""

    intervals: pl.DataFrame
    origin_ns: int = 0
    """When offsets hold: a drift goes on from here."""
    placed: dict[int, tuple[int, int, float]] = field(default_factory=dict)
    """Host → group of hosts whose clocks are known of each other, offset (ns), drift (ns per ns)."""
    several: pl.DataFrame = field(default_factory=namesakes.none)
    """Hosts that are one by name only (`namesakes.find`): each of their processes is a host here."""

    @property
    def moves(self) -> bool:
        """Tell whether any host's clock is moved."""
        return self.several.height > 0 or any(offset or slope for _, offset, slope in self.placed.values())

    def keys(self, forest: Forest) -> Int64s:
        """Return a number per resource's host, the same in every batch; 0 where only (service, place) is known."""
        keys = host_keys(forest)
        return np.where(self._is_several(keys), process_keys(forest), keys) if self.several.height else keys

    def hosts(self, forest: Forest) -> Int32s:
        """Return equal numbers for resources on one clock; -1 where that is not known, or each has its own."""
        hosts = forest.resources.host
        return np.where(self._is_several(host_keys(forest)), -1, hosts) if self.several.height else hosts

    def _is_several(self, keys: Int64s) -> Mask:
        return np.isin(keys, self.several.get_column("host").to_numpy())

    def of(self, forest: Forest) -> tuple[int, npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Return the origin, and by resource: group (-1: none), offset, slope."""
        hosts = self.keys(forest).tolist()
        group, offset, slope = np.full(len(hosts), -1, np.int32), np.zeros(len(hosts), np.int64), np.zeros(len(hosts))
        for at, host in enumerate(hosts):
            if host in self.placed:
                group[at], offset[at], slope[at] = self.placed[host]
        return self.origin_ns, group, offset, slope

    def widths(self, forest: Forest, caller: Int32s, callee: Int32s) -> Int64s:
        """Return how wide the interval of both hosts' clocks is, by call; negative where there is none."""
        hosts = self.keys(forest)
        here, there = hosts[forest.resource[caller]], hosts[forest.resource[callee]]
        number, first = number_pairs(here, there)
        pairs = zip(np.minimum(here, there)[first].tolist(), np.maximum(here, there)[first].tolist(), strict=True)
        columns = (self.intervals.get_column(column).to_list() for column in (*PAIR, "width"))
        known = {(one, other): width for one, other, width in zip(*columns, strict=True)}
        found: Int64s = np.array([known.get(pair, -1) for pair in pairs], np.int64)[number]
        return found


def unknown() -> Clocks:
    """Return what is known of clocks where nothing is."""
    return Clocks(pl.DataFrame(schema=INTERVALS))


def settle(facts: pl.DataFrame) -> Clocks:
    """Estimate the clocks of all hosts between which calls were made (`facts.gather`)."""
    several = namesakes.find(facts)
    bounds = bounds_of(namesakes.told_apart(facts, several))
    intervals = intervals_of(bounds)
    if (intervals.get_column("verdict") == "empty").any():
        odd = intervals.filter(pl.col("verdict") == "empty")
        intervals = _with_drifts(intervals, bounds.of(odd), bounds.origin_ns)
    return Clocks(intervals, bounds.origin_ns, _place(intervals), several)


def _with_drifts(intervals: pl.DataFrame, bounds: pl.DataFrame, origin_ns: int) -> pl.DataFrame:
    """Look for a line through the intervals that no constant offset satisfies."""
    lines = []
    enough = bounds.filter(pl.len().over(PAIR) >= FEWEST_BINS)
    for (one, other), rows in enough.group_by(PAIR, maintain_order=True):
        line = find_line(
            rows["start"].to_numpy() - origin_ns,
            (rows["low"] - rows["slack"]).fill_null(-FAR).to_numpy(),
            (rows["high"] + rows["slack"]).fill_null(FAR).to_numpy(),
        )
        if line is not None:
            lines.append((one, other, *line))
    if not lines:
        return intervals
    schema = {"one": pl.Int64, "other": pl.Int64, "at": pl.Int64, "by": pl.Float64, "off": pl.Int64}
    found = pl.DataFrame(lines, schema=schema, orient="row")
    joined = intervals.join(found, on=PAIR, how="left", maintain_order="left")
    drifts = pl.col("by").is_not_null()
    return joined.with_columns(
        offset=pl.when(drifts).then("at").otherwise("offset"),
        slope=pl.when(drifts).then("by").otherwise("slope"),
        width=pl.when(drifts).then("off").otherwise("width"),
        verdict=pl.when(drifts).then(pl.lit("drift")).otherwise("verdict"),
    ).select(intervals.columns)


def find_line(at: Int64s, low: Int64s, high: Int64s) -> tuple[int, float, int] | None:
    """Find offset at 0, slope and width of a line between lower and upper bounds over time; None where none fits."""
    span = int(at.max() - at.min()) + 1
    part = (at - at.min()) * BINS // span
    present = np.unique(part)
    if present.size < FEWEST_BINS:
        return None
    middle = at.min() + (present + 0.5) * span / BINS
    number = np.searchsorted(present, part)
    slope, lows, highs = 0.0, low.astype(np.float64), high.astype(np.float64)
    for _ in range(STRAIGHTENED):
        # within a part the bounds are taken at its middle: the better the line is known, the less that leaves out
        each_low, each_high = np.full(present.size, -np.inf), np.full(present.size, np.inf)
        np.maximum.at(each_low, number, lows)
        np.minimum.at(each_high, number, highs)
        slope += _steepest(middle, each_low, each_high)
        lows, highs = low - slope * at, high - slope * at
    room, top = float(highs.min() - lows.max()), float(highs.min())
    return (round(top - room / 2), slope, round(room)) if room >= 0 and abs(slope) < STEEPEST else None


@kernel
def _steepest(middle: npt.NDArray[np.float64], lows: npt.NDArray[np.float64], highs: npt.NDArray[np.float64]) -> float:
    """Return the slope of the line that leaves most room between these bounds, through two of one side."""
    most, best = -np.inf, 0.0
    for first in range(middle.size):
        for last in range(first + middle.size // 2, middle.size):
            length = middle[last] - middle[first]
            if length == 0:
                continue
            for side in (highs, lows):
                slope = (side[last] - side[first]) / length
                room = (highs - slope * middle).min() - (lows - slope * middle).max()
                if room > most or (room == most and slope > best):
                    most, best = room, slope
    return float(best)


def _place(intervals: pl.DataFrame) -> dict[int, tuple[int, int, float]]:
    """Give every host an offset from a clock that its group shares: along the narrowest intervals first."""
    groups = _Groups()
    known = intervals.filter(pl.col("verdict") != "empty").sort("width", *PAIR)
    for here, there, offset, slope in known.select(*PAIR, "offset", "slope").iter_rows():
        groups.join(here, there, offset, slope)
    return {host: (group, *groups.placed[host]) for host, group in groups.of.items()}


@dataclass(frozen=True, slots=True)
class _Groups:
    """Hosts whose clocks are known of each other."""

    of: dict[int, int] = field(default_factory=dict)
    """Host → group."""
    placed: dict[int, tuple[int, float]] = field(default_factory=dict)
    """Host → offset and drift from the clock that its group shares."""
    members: dict[int, list[int]] = field(default_factory=dict)

    def join(self, here: int, there: int, offset: int, slope: float) -> None:
        """Make one of two groups, `there` being so far ahead of `here`; the larger one stays where it is."""
        stays, moves = self._group(here), self._group(there)
        ahead = self.placed[here][0] + offset - self.placed[there][0]
        drift = self.placed[here][1] + slope - self.placed[there][1]
        if len(self.members[stays]) < len(self.members[moves]):
            stays, moves, ahead, drift = moves, stays, -ahead, -drift
        if stays != moves and all(abs(self.placed[host][0] + ahead) <= MOST_AHEAD_NS for host in self.members[moves]):
            self._move(moves, stays, ahead, drift)

    def _group(self, host: int) -> int:
        if host not in self.of:
            self.of[host] = len(self.placed)
            self.members[self.of[host]] = [host]
            self.placed[host] = (0, 0.0)
        return self.of[host]

    def _move(self, moves: int, stays: int, ahead: int, drift: float) -> None:
        for host in self.members.pop(moves):
            self.placed[host] = self.placed[host][0] + ahead, self.placed[host][1] + drift
            self.of[host] = stays
            self.members[stays].append(host)


def conflicts(clocks: Clocks, names: dict[int, str]) -> Iterator[tuple[dict[str, int], str]]:
    """Yield the call that shows it, and the words, of every pair of hosts whose clocks keep no constant offset."""
    odd = clocks.intervals.filter(pl.col("verdict").is_in(["empty", "drift"]))
    for row in odd.iter_rows(named=True):
        one, other = names.get(row["one"], "?"), names.get(row["other"], "?")
        where = {name: row[name] for name in ("trace_hi", "trace_lo", "span_id")}
        if row["verdict"] == "drift":
            pace = row["slope"] * 1_000
            yield where, f"{other}'s clock drifts from {one}'s by {pace:.3f} ms per second; its times follow that line"
        else:
            least = (row["low"] - row["high"]) / 1_000_000
            yield (
                where,
                (
                    f"no constant offset between the clocks of {one} and {other} fits their {row['calls']} calls: "
                    f"the bounds miss each other by {least:.3f} ms; each call was left within its own"
                ),
            )


def warnings_of(clocks: Clocks, names: dict[int, str]) -> pl.DataFrame:
    """Return a row per conflict: ids of the call that shows it, code and detail."""
    found: Iterable[tuple[dict[str, int], str]] = conflicts(clocks, names)
    code = words.code(words.WARNINGS, "clock_interval_empty")
    rows = [{**where, "detail": detail, "code": code} for where, detail in found]
    rows += namesakes.warnings_of(clocks.several, names)
    ids = dict.fromkeys(("trace_hi", "trace_lo", "span_id"), pl.UInt64)
    return pl.DataFrame(rows, schema={**ids, "detail": pl.String, "code": pl.UInt8})
