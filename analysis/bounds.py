"""What each call between two hosts says of how far their clocks are apart (how: `analysis.clocks`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis.arrays import MISSING
from analysis.grouping import number_pairs
from seamscope.kernel import kernel

if TYPE_CHECKING:
    from analysis.arrays import Int32s, Int64s, Mask

FAR: Final = 2**61
"""A bound that bounds nothing."""

PAIR: Final = ("one", "other")
SHOWN: Final = ("trace_hi", "trace_lo", "span_id")

_SIDES: Final = ("low", "high", "tight_low", "tight_high")
_TIMES: Final = ("start", "end", "sent", "server_start", "server_end", "first_byte", "worked")
_MARKS: Final = ("waits", "whole_body", "unsaid", "failed")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Every call across hosts: the clock of its pair's greater key less that of the lesser, at least and at most."""

    pairs: pl.DataFrame
    """A row per pair: `PAIR`, `calls`, how far all of its calls let their clocks be apart (`low`, `high`, and what is
    drawn closer), and the same without slack (`raw_…`); `FAR` where none says."""
    origin_ns: int
    """When the first of the calls began; 0 where there is none."""
    facts: pl.DataFrame
    rows: Int64s
    """The calls' rows in `facts`."""
    one: Int64s
    other: Int64s
    sides: Int64s
    """A row for each of `low`, `high`, `tight_low` and `tight_high`: for sure, and drawn closer; `MISSING` where a call
    does not say."""

    def of(self, some: pl.DataFrame) -> pl.DataFrame:
        """Return the calls of some pairs: `SHOWN`, `start`, `slack`, `PAIR`, and their sides, null for `MISSING`."""
        known = self.facts.select(*SHOWN, "start", "slack")[pl.Series(self.rows.astype(np.uint32))]
        sides = dict(zip(_SIDES, self.sides, strict=True))
        calls = known.with_columns(pl.Series("one", self.one), pl.Series("other", self.other), **sides)
        calls = calls.join(some, on=PAIR, how="semi", maintain_order="left")
        return calls.with_columns(pl.when(pl.col(name) != MISSING).then(name).alias(name) for name in _SIDES)


def bounds_of(facts: pl.DataFrame) -> Bounds:
    """Reckon the bounds of each call (`facts.gather`), and of all calls of a pair of hosts together."""
    rows = np.flatnonzero(_across(facts))
    here, there = (facts[name].to_numpy()[rows] for name in ("caller_host", "callee_host"))
    one, other = np.minimum(here, there), np.maximum(here, there)
    number, first = number_pairs(one, other)
    times = np.stack([facts[name].to_numpy()[rows] for name in _TIMES])
    marks = np.stack([facts[name].to_numpy()[rows] for name in _MARKS])
    alone = (facts["servers"].to_numpy() == 1)[rows]
    told = np.zeros(first.size, np.bool_)
    told[number[_is_sure(alone, times, marks)]] = True
    sides = _bounds(number, told, here < there, alone, times, marks)
    of_pair = {"one": one[first], "other": other[first], "calls": np.bincount(number, minlength=first.size)}
    pairs = pl.DataFrame(of_pair | _summed(number, first.size, facts["slack"].to_numpy()[rows], sides))
    origin_ns = int(times[0].min()) if rows.size else 0
    return Bounds(pairs, origin_ns, facts, rows, one, other, sides)


def _across(facts: pl.DataFrame) -> Mask:
    """Mark the calls that were served by another host than they came from."""
    here, there = facts["caller_host"].to_numpy(), facts["callee_host"].to_numpy()
    across: Mask = facts["served"].to_numpy() & ~facts["headless"].to_numpy()
    across &= (here != 0) & (there != 0) & (here != there)
    return across


def _is_sure(alone: Mask, times: Int64s, marks: Mask) -> Mask:
    """Mark calls whose client surely ended after something that its server did."""
    worked = times[_TIMES.index("worked")]
    whole_body, failed = marks[_MARKS.index("whole_body")], marks[_MARKS.index("failed")]
    sure: Mask = alone & ~failed & (whole_body | (worked != MISSING))
    return sure


@kernel
def _bounds(pair: Int32s, told: Mask, forward: Mask, alone: Mask, times: Int64s, marks: Mask) -> Int64s:
    """Return the four bounds of each call (`MISSING` where it has none); `told` are pairs drawn closer for sure.

    `times` and `marks` have a row for each of `_TIMES` and `_MARKS`.
    """
    start, end, sent, server_start, server_end, first_byte, worked = times
    waits, whole_body, unsaid, failed = marks
    sides = np.full((4, pair.size), MISSING)
    for call in range(pair.size):
        early = server_start[call] - (max(start[call], sent[call]) if alone[call] else start[call])
        late = tight = MISSING
        if not failed[call]:  # a client that gave up may have ended before its server began
            by = max(server_start[call], first_byte[call]) if whole_body[call] else server_start[call]
            late = (server_end[call] if waits[call] and alone[call] else by) - end[call]
            if alone[call]:
                fits = server_end[call] - server_start[call] <= end[call] - start[call]
                sure = server_end[call] if whole_body[call] else worked[call]
                likely = server_end[call] if unsaid[call] and fits else MISSING
                until = sure if told[pair[call]] else likely
                tight = MISSING if until == MISSING else max(until, server_start[call]) - end[call]
        if forward[call]:
            sides[0, call], sides[1, call], sides[2, call] = late, early, tight
        else:
            sides[0, call] = -early
            sides[1, call], sides[3, call] = _less(late), _less(tight)
    return sides


@kernel
def _less(bound: int) -> int:
    return MISSING if bound == MISSING else -bound


def _summed(number: Int32s, pairs: int, slack: Int64s, sides: Int64s) -> dict[str, Int64s]:
    """Return the bounds of each pair by their names in `Bounds.pairs`."""
    found: dict[str, Int64s] = {}
    for name, side in zip(_SIDES, sides, strict=True):
        top = name.endswith("low")
        found[name] = _farthest(number, pairs, side, slack, top)
        found[f"raw_{name}"] = _farthest(number, pairs, side, np.zeros_like(slack), top)
    return found


@kernel
def _farthest(number: Int32s, pairs: int, side: Int64s, slack: Int64s, top: bool) -> Int64s:
    """Return, by pair, the greatest of its calls' lower bounds, or the least of their upper ones."""
    found = np.full(pairs, -FAR if top else FAR)
    seen = np.zeros(pairs, np.bool_)
    for call in range(number.size):
        if side[call] == MISSING:
            continue
        pair = number[call]
        bound = side[call] - slack[call] if top else side[call] + slack[call]
        if not seen[pair] or (bound > found[pair] if top else bound < found[pair]):
            found[pair] = bound
            seen[pair] = True
    return found
