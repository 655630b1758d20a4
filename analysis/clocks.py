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
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import polars as pl

from analysis import namesakes
from analysis.arrays import MISSING
from analysis.facts import host_keys, process_keys
from analysis.grouping import number_pairs
from seamscope.schema import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from analysis.arrays import Int32s, Int64s, Mask
    from analysis.forest import Forest

FAR: Final = 2**61
"""A bound that bounds nothing."""

BINS: Final = 32
"""Parts of the time at hand among which a drift is looked for."""

QUARTER: Final = 0.25
"""The fastest part of the calls, whose agreement says which bound nothing but the way makes."""

STRAIGHTENED: Final = 3
"""Times that a line is looked for in what the one before leaves."""

FEWEST_BINS: Final = 6
"""A line goes through any two points, and easily through a few: fewer parts than this prove no drift."""

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
        """Return how wide the interval of both hosts' clocks is, by call; -1 where there is none."""
        hosts = self.keys(forest)
        here, there = forest.resource[caller], forest.resource[callee]
        number, first = number_pairs(here.astype(np.int64), there.astype(np.int64))
        one, other = hosts[here[first]], hosts[there[first]]
        asked = pl.DataFrame({"one": np.minimum(one, other), "other": np.maximum(one, other)})
        known = self.intervals.filter(pl.col("verdict") != "empty").select(*PAIR, "width")
        if not known.height:
            return np.full(caller.size, -1, np.int64)
        joined = asked.join(known, on=PAIR, how="left", maintain_order="left")
        widths: Int64s = joined.get_column("width").fill_null(-1).to_numpy()[number]
        return widths


def doubts(told: pl.DataFrame, known: Clocks) -> Int64s:
    """Return, by call (`facts.gather`), how far both sides' clocks may be off; 0 on one clock."""
    told = namesakes.told_apart(told, known.several)
    here, there = told.get_column("caller_host").to_numpy(), told.get_column("callee_host").to_numpy()
    number, first = number_pairs(np.array(here), np.array(there))
    pair = pl.DataFrame(
        {"one": np.minimum(here[first], there[first]), "other": np.maximum(here[first], there[first])},
        schema=dict.fromkeys(PAIR, pl.Int64),
    )
    joined = pair.join(known.intervals.select(*PAIR, "doubt"), on=PAIR, how="left", maintain_order="left")
    found: Int64s = joined.get_column("doubt").fill_null(0).to_numpy()[number]
    return found


def settle(facts: pl.DataFrame) -> Clocks:
    """Estimate the clocks of all hosts between which calls were made (`facts.gather`)."""
    both = (pl.col("caller_host") != 0) & (pl.col("callee_host") != 0)
    apart = pl.col("caller_host") != pl.col("callee_host")
    several = namesakes.find(facts)
    told = (
        namesakes.told_apart(facts, several)
        .lazy()
        .filter(pl.col("served") & ~pl.col("headless") & both & apart)
        .select(READ)
        .collect()
    )
    bounds = _bounds(told)
    origin_ns = cast("int", told.get_column("start").min()) if told.height else 0
    intervals = _intervals(bounds)
    odd = intervals.filter(pl.col("verdict") == "empty").select(PAIR)
    if odd.height:
        intervals = _with_drifts(intervals, bounds.join(odd, on=PAIR, how="semi"), origin_ns)
    return Clocks(intervals, origin_ns, _place(intervals), several)


def _bounds(told: pl.DataFrame) -> pl.DataFrame:
    """Return what each call says of its two hosts' offset: the clock of the greater key less that of the lesser."""
    alone = pl.col("servers") == 1
    left = pl.when(alone).then(pl.max_horizontal("start", "sent")).otherwise("start")
    early = pl.col("server_start") - left
    first_byte = pl.when(pl.col("whole_body")).then("first_byte").otherwise("server_start")
    done = pl.when(pl.col("waits") & alone).then("server_end").otherwise(pl.max_horizontal("server_start", first_byte))
    stayed = ~pl.col("failed")  # a client that gave up may have ended before its server began
    whole = (
        pl.when(pl.col("whole_body") & alone & stayed)
        .then(pl.max_horizontal("server_end", "server_start") - pl.col("end"))
        .when((pl.col("worked") != MISSING) & alone & stayed)
        .then(pl.max_horizontal("worked", "server_start") - pl.col("end"))
    )
    fits = pl.col("server_end") - pl.col("server_start") <= pl.col("end") - pl.col("start")
    likely = pl.when(pl.col("unsaid") & alone & stayed & fits).then(
        pl.max_horizontal("server_end", "server_start") - pl.col("end")
    )
    sided = told.select(
        *("trace_hi", "trace_lo", "span_id", "start", "slack"),
        one=pl.min_horizontal("caller_host", "callee_host"),
        other=pl.max_horizontal("caller_host", "callee_host"),
        forward=pl.col("caller_host") < pl.col("callee_host"),
        early=early,
        late=pl.when(stayed).then(done - pl.col("end")),
        whole=whole,
        likely=likely,
    )
    told_of_some = pl.col("whole").is_not_null().any().over(PAIR)
    sided = sided.with_columns(told=told_of_some, whole=pl.when(told_of_some).then("whole").otherwise("likely"))
    forward = pl.col("forward")
    return sided.with_columns(
        high=pl.when(forward).then("early").otherwise(-pl.col("late")),
        low=pl.when(forward).then("late").otherwise(-pl.col("early")),
        tight_low=pl.when(forward).then("whole"),
        tight_high=pl.when(~forward).then(-pl.col("whole")),
    )


def _intervals(bounds: pl.DataFrame) -> pl.DataFrame:
    """Return the interval of every pair; the offset keeps what the clocks can tell of its bound."""
    slack = pl.col("slack")
    found = bounds.group_by(PAIR).agg(
        pl.len().alias("calls"),
        (pl.col("low") - slack).max().fill_null(-FAR),
        (pl.col("high") + slack).min().fill_null(FAR),
        pl.col("low").max().fill_null(-FAR).alias("raw_low"),
        pl.col("high").min().fill_null(FAR).alias("raw_high"),
        (pl.col("tight_low") - slack).max().fill_null(-FAR),
        (pl.col("tight_high") + slack).min().fill_null(FAR),
        (pl.col("tight_low") - slack).filter("told").max().fill_null(-FAR).alias("told_low"),
        (pl.col("tight_high") + slack).filter("told").min().fill_null(FAR).alias("told_high"),
        pl.col("tight_low").max().fill_null(-FAR).alias("raw_tight_low"),
        pl.col("tight_high").min().fill_null(FAR).alias("raw_tight_high"),
    )
    empty, same = pl.col("low") > pl.col("high"), (pl.col("low") <= 0) & (pl.col("high") >= 0)
    near_low, near_high = pl.max_horizontal("low", "tight_low"), pl.min_horizontal("high", "tight_high")
    closer = (near_low <= near_high) & ~same & ~empty
    rows = found.with_columns(
        low=pl.when(closer).then(near_low).otherwise("low"),
        high=pl.when(closer).then(near_high).otherwise("high"),
        raw_low=pl.when(closer).then(pl.max_horizontal("raw_low", "raw_tight_low")).otherwise("raw_low"),
        raw_high=pl.when(closer).then(pl.min_horizontal("raw_high", "raw_tight_high")).otherwise("raw_high"),
        verdict=pl.when(empty).then(pl.lit("empty")).when(same).then(pl.lit("same")).otherwise(pl.lit("offset")),
        slope=pl.lit(0.0),
    )
    rows = rows.join(_spreads(bounds, rows.filter(pl.col("verdict") == "offset")), on=PAIR, how="left")
    below = pl.when(closer & (pl.col("raw_tight_low") >= pl.col("raw_low"))).then("tight_below").otherwise("below")
    above = pl.when(closer & (pl.col("raw_tight_high") <= pl.col("raw_high"))).then("tight_above").otherwise("above")
    surer_low = (below < above).fill_null(above.is_null())
    alike = (below == above).fill_null(value=False)
    by_low = pl.when(alike).then(pl.col("low") > 0).otherwise(surer_low)
    rows = rows.with_columns(
        offset=pl.when(pl.col("verdict") == "offset")
        .then(pl.when(by_low).then("raw_low").otherwise("raw_high").clip("low", "high"))
        .otherwise(0),
        width=pl.col("high") - pl.col("low"),
        doubt=(pl.min_horizontal("high", "told_high") - pl.max_horizontal("low", "told_low")).clip(0),
    )
    none = rows.filter(empty).select(PAIR)
    if none.height:
        odd = bounds.join(none, on=PAIR, how="semi").sort("start", *SHOWN)
        shown = odd.group_by(PAIR, maintain_order=True).agg(pl.col(name).first() for name in SHOWN)
        rows = rows.join(shown, on=PAIR, how="left")
    else:
        rows = rows.with_columns(pl.lit(None).alias(name) for name in SHOWN)
    return rows.select(pl.col(name).cast(dtype) for name, dtype in INTERVALS.items()).sort(PAIR)


def _spreads(bounds: pl.DataFrame, some: pl.DataFrame) -> pl.DataFrame:
    """Return how close to each other the calls bound the offsets of some pairs."""
    mine = bounds.join(some.select(PAIR), on=PAIR, how="semi") if some.height else bounds.clear()
    return mine.group_by(PAIR).agg(
        *(_spread(name, top=True).alias(said) for name, said in (("low", "below"), ("tight_low", "tight_below"))),
        *(_spread(name, top=False).alias(said) for name, said in (("high", "above"), ("tight_high", "tight_above"))),
    )


def _spread(name: str, *, top: bool) -> pl.Expr:
    """Return how far the quarter of the calls that bounds most lies apart; null where none bounds."""
    least = pl.col(name).max() - pl.col(name).quantile(1 - QUARTER, "lower")
    return least if top else pl.col(name).quantile(QUARTER, "higher") - pl.col(name).min()


def _with_drifts(intervals: pl.DataFrame, bounds: pl.DataFrame, origin_ns: int) -> pl.DataFrame:
    """Look for a line through the intervals that no constant offset satisfies."""
    lines = []
    for (one, other), rows in bounds.group_by(PAIR):
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
        doubt=pl.when(drifts).then("off").otherwise("doubt"),
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
    slope, lows, highs = 0.0, low.astype(np.float64), high.astype(np.float64)
    for _ in range(STRAIGHTENED):
        # within a part the bounds are taken at its middle: the better the line is known, the less that leaves out
        each_low = np.array([lows[part == which].max() for which in present])
        each_high = np.array([highs[part == which].min() for which in present])
        slope += _steepest(middle, each_low, each_high)
        lows, highs = low - slope * at, high - slope * at
    room, top = float(highs.min() - lows.max()), float(highs.min())
    return (round(top - room / 2), slope, round(room)) if room >= 0 else None


def _steepest(middle: npt.NDArray[np.float64], lows: npt.NDArray[np.float64], highs: npt.NDArray[np.float64]) -> float:
    """Return the slope of the line that leaves most room between these bounds, through two of one side."""
    best: tuple[float, float] = -np.inf, 0.0
    for first in range(middle.size):
        for last in range(first + middle.size // 2, middle.size):
            length = middle[last] - middle[first]
            if not length:
                continue
            for slope in ((highs[last] - highs[first]) / length, (lows[last] - lows[first]) / length):
                room = float((highs - slope * middle).min() - (lows - slope * middle).max())
                best = max(best, (room, float(slope)))
    return best[1]


def _place(intervals: pl.DataFrame) -> dict[int, tuple[int, int, float]]:
    """Give every host an offset from a clock that its group shares: along the narrowest intervals first."""
    group: dict[int, int] = {}
    placed: dict[int, tuple[int, float]] = {}
    members: dict[int, list[int]] = {}
    known = intervals.filter(pl.col("verdict") != "empty").sort("width", *PAIR)
    for here, there, offset, slope in known.select(*PAIR, "offset", "slope").iter_rows():
        for host in (here, there):
            if host not in group:
                group[host] = len(placed)
                members[group[host]] = [host]
                placed[host] = (0, 0.0)
        if group[here] == group[there]:
            continue
        by = placed[here][0] + offset - placed[there][0], placed[here][1] + slope - placed[there][1]
        joined, left = group[here], group[there]
        for host in members.pop(left):
            placed[host] = placed[host][0] + by[0], placed[host][1] + by[1]
            group[host] = joined
            members[joined].append(host)
    return {host: (group[host], *placed[host]) for host in group}


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
