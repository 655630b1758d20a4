"""From an instrument's data points to what they say of one wait. Pure; when the points do not reach, nothing is said.

A gauge is a sample: above zero near the wait it confirms it, and only one taken during the wait can contradict. What a
histogram or counter gained between the readings around the wait holds for all of that time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from seamscope.text.figures import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NEAR_NS: Final = 15_000_000_000
"""How far from a wait a gauge's sample may lie that confirms it."""
REACH_NS: Final = 120_000_000_000
"""How far from a wait a counter's readings may lie: SDKs export every minute unless told otherwise."""
BEYOND: Final = 2.0**63
"""Neither does anything last so many nanoseconds, nor is there so much of anything."""
CONFIRMS: Final = 0.5
CONTRADICTS: Final = 0.25
"""Part of the wait that all waits of that time together must reach to confirm it; with less than that it was not so."""


@dataclass(frozen=True, slots=True)
class Point:
    """A data point; durations in nanoseconds."""

    instrument: str
    measure: str
    state: str | None
    cumulative: bool
    started_ns: int
    time_ns: int
    value: float | None
    count: int | None
    sum: float | None

    @property
    def believable(self) -> bool:
        """Whether what it says is a number, and one that there can be."""
        return abs(self.value or 0) < BEYOND and abs(self.sum or 0) < BEYOND


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait on its process's clock; `exact` where its beginning and end are known, not only the call's around it."""

    ns: int
    begin_ns: int
    end_ns: int
    exact: bool
    whose: str
    """What waits: `calls` for a pool, `requests` before a server."""

    def away(self, at_ns: int) -> int:
        """Give how far a moment lies from the wait."""
        return max(self.begin_ns - at_ns, at_ns - self.end_ns, 0)

    def when(self, at_ns: int) -> str:
        """Say when a moment was."""
        away = self.away(at_ns)
        if not away:
            return "while it waited" if self.exact else "during the call"
        return f"{duration(away)} {'before' if at_ns < self.begin_ns else 'after'} it"


class Said(NamedTuple):
    """What one instrument says."""

    verdict: str
    instrument: str
    at_ns: int
    sentence: str


@dataclass(frozen=True, slots=True)
class _Gain:
    count: int
    sum: float
    since_ns: int
    until_ns: int


def said(points: Sequence[Point], wait: Wait) -> list[Said]:
    """Give what the points of one pool or server say of a wait, what decides first; unbelievable ones nothing."""
    order = {"confirms": 0, "contradicts": 1, "says": 2}
    return sorted(_said([point for point in points if point.believable], wait), key=lambda each: order[each.verdict])


def _said(points: Sequence[Point], wait: Wait) -> Iterator[Said]:
    by_instrument: dict[tuple[str, str], list[Point]] = {}
    for point in sorted(points, key=lambda point: point.time_ns):
        by_instrument.setdefault((point.measure, point.instrument), []).append(point)
    for (measure, _), some in by_instrument.items():
        if measure == "waiting":
            yield from _waiting(some, wait)
        elif measure in {"wait_time", "waited", "waits", "timeouts"}:
            yield from _gained(measure, some, wait)
        elif measure == "held":
            yield from _held(some, wait)
        elif measure == "active":
            yield from _active(some, wait)
    yield from _all_in_use(points, wait)


def _nearest(points: Sequence[Point], wait: Wait) -> Point | None:
    near = [point for point in points if point.value is not None and wait.away(point.time_ns) <= NEAR_NS]
    return min(near, key=lambda point: wait.away(point.time_ns), default=None)


def _waiting(points: Sequence[Point], wait: Wait) -> Iterator[Said]:
    point = _nearest(points, wait)
    if point is None or point.value is None:
        return
    when = wait.when(point.time_ns)
    if point.value > 0:
        yield Said("confirms", point.instrument, point.time_ns, f"{point.value:.0f} waiting {when}")
    elif wait.exact and not wait.away(point.time_ns):
        yield Said("contradicts", point.instrument, point.time_ns, f"nobody waiting {when}")


def _all_in_use(points: Sequence[Point], wait: Wait) -> Iterator[Said]:
    connections = [point for point in points if point.measure == "connections"]
    used = _nearest([point for point in connections if point.state in {None, "used"}], wait)
    idle = _nearest([point for point in connections if point.state == "idle"], wait)
    most = max((point.value or 0 for point in points if point.measure == "most"), default=0)
    if used is not None and most and (used.value or 0) >= most:
        words = f"all {most:.0f} connections in use {wait.when(used.time_ns)}"
        yield Said("confirms", used.instrument, used.time_ns, words)
    elif idle is not None and idle.value and wait.exact and not wait.away(idle.time_ns):
        words = f"{idle.value:.0f} connections idle {wait.when(idle.time_ns)}"
        yield Said("contradicts", idle.instrument, idle.time_ns, words)


def _held(points: Sequence[Point], wait: Wait) -> Iterator[Said]:
    """A runtime that was held as long as the wait: told by the first reading after it."""
    after = next((point for point in points if point.time_ns >= wait.end_ns), None)
    if after is None or after.time_ns - wait.end_ns > REACH_NS or (after.value or 0) < CONFIRMS * wait.ns:
        return
    words = f"nothing else could run for {duration(round(after.value or 0))} at most, up to {wait.when(after.time_ns)}"
    yield Said("confirms", after.instrument, after.time_ns, words)


def _active(points: Sequence[Point], wait: Wait) -> Iterator[Said]:
    point = _nearest(points, wait)
    if point is not None and point.value:
        words = f"{point.value:.0f} {wait.whose} in progress {wait.when(point.time_ns)}"
        yield Said("says", point.instrument, point.time_ns, words)


def _gained(measure: str, points: Sequence[Point], wait: Wait) -> Iterator[Said]:
    gain = _gain(points, wait)
    if gain is None:
        return
    around = f"in the {duration(gain.until_ns - gain.since_ns)} around it"
    name = points[0].instrument
    if measure == "timeouts":
        if gain.count:
            yield Said("confirms", name, gain.until_ns, f"{gain.count} waited in vain {around}")
    elif measure == "waits":
        verdict = "confirms" if gain.count else "contradicts"
        yield Said(verdict, name, gain.until_ns, f"{gain.count or 'none'} of the {wait.whose} waited {around}")
    elif gain.sum >= CONFIRMS * wait.ns or gain.sum < CONTRADICTS * wait.ns:
        verdict = "confirms" if gain.sum >= CONFIRMS * wait.ns else "contradicts"
        who = f"{gain.count} {wait.whose}" if measure == "wait_time" else f"all {wait.whose}"
        yield Said(verdict, name, gain.until_ns, f"{who} waited {duration(round(gain.sum))} in all {around}")


def _total(point: Point) -> tuple[int, float]:
    """Give how many, and how long together; a counter's value is either."""
    if point.value is not None:
        return round(point.value), point.value
    return point.count or 0, point.sum or 0.0


def _gain(points: Sequence[Point], wait: Wait) -> _Gain | None:
    """Give what was added from before the wait to after it; None where the readings do not reach around it."""
    return _between(points, wait) if points[0].cumulative else _over(points, wait)


def _between(points: Sequence[Point], wait: Wait) -> _Gain | None:
    after = next((point for point in points if point.time_ns >= wait.end_ns), None)
    if after is None or after.time_ns - wait.end_ns > REACH_NS:
        return None
    earlier = [p for p in points if p.time_ns <= wait.begin_ns and p.started_ns == after.started_ns]
    if earlier:
        since, (count, total) = earlier[-1].time_ns, _total(earlier[-1])
    elif 0 <= wait.begin_ns - after.started_ns <= REACH_NS:
        since, (count, total) = after.started_ns, (0, 0.0)
    else:
        return None
    gain = _Gain(_total(after)[0] - count, _total(after)[1] - total, since, after.time_ns)
    return gain if gain.count >= 0 and gain.sum >= 0 else None


def _over(points: Sequence[Point], wait: Wait) -> _Gain | None:
    parts = [p for p in points if p.started_ns < wait.end_ns and p.time_ns > wait.begin_ns]
    since, until = min((p.started_ns for p in parts), default=0), max((p.time_ns for p in parts), default=0)
    if not parts or since > wait.begin_ns or until < wait.end_ns:
        return None
    totals = [_total(part) for part in parts]
    return _Gain(sum(count for count, _ in totals), sum(total for _, total in totals), since, until)
