"""What mending a request's code saves: the stopwatch's means of the same page with what holds it, and without.

Both kinds are asked for in one recording where there is a page for each, in turn and under the same load, so that
what they share is in both; else the mended ones are those of the control. Two recordings are compared only where they
ran alike: where what neither changes took as long in both, or one of them was made on a busier machine, and the
difference says more of that. Spans have no part in this.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scenario import Pair

_FEWEST = 3
_ALIKE_NS = 10_000_000  # as near as savings must be foretold
_Z = 1.96
_BYTE = {"shell": "first_byte_ns", "complete": "last_byte_ns"}


def savings(
    pairs: Iterable[Pair],
    expected: Mapping[str, Any],
    driver: Mapping[str, Any],
    control: Mapping[str, Any] | None,
) -> list[dict[str, Any]]:
    """Give `savings` of a recording's answers, an entry for each pair that was asked for often enough.

    Args:
        pairs: the scenario's.
        expected: its answers: requests that have none were not seen in the spans, and nothing can be foretold of them.
        driver: what its stopwatch said.
        control: what the control's stopwatch said, where that was recorded.
    """
    found = [_saving(pair, expected, driver, control if pair.control else driver) for pair in pairs]
    return [one for one in found if one]


def _saving(
    pair: Pair, expected: Mapping[str, Any], driver: Mapping[str, Any], beside: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    keys = {one["request"]: one["key"] for one in expected["requests"]}
    byte = _BYTE[pair.horizon]
    held = [one for one in _answered(driver, pair.kind) if one["key"] in keys]
    mended = [one[byte] for one in _answered(beside, pair.without)]
    if min(len(held), len(mended)) < _FEWEST or (pair.control and not _alike(pair, driver, beside)):
        return None
    before = [one[byte] for one in held]
    error = _Z * (_variance(before) + _variance(mended)) ** 0.5
    return {
        "rule": pair.rule,
        "horizon": pair.horizon,
        "keys": [keys[one["key"]] for one in held],
        "ns": round(statistics.mean(before) - statistics.mean(mended)),
        "error_ns": round(error),
        "source": (
            f"stopwatch: {len(held)} of kind {pair.kind}, and {len(mended)} of kind {pair.without}"
            + (" of the control" if pair.control else " among them")
        ),
    }


def _alike(pair: Pair, driver: Mapping[str, Any], control: Mapping[str, Any] | None) -> bool:
    """Whether requests of all other kinds took as long in both recordings, each kind as often as in the first."""
    byte, weights, shift = _BYTE[pair.horizon], 0, 0.0
    for kind in sorted({one["kind"] for one in driver["requests"]} - {pair.kind, pair.without}):
        here, there = ([one[byte] for one in _answered(some, kind)] for some in (driver, control))
        if len(here) >= _FEWEST and len(there) >= _FEWEST:
            weights += len(here)
            shift += len(here) * (statistics.median(here) - statistics.median(there))
    return weights > 0 and abs(shift) <= _ALIKE_NS * weights


def _answered(driver: Mapping[str, Any] | None, kind: str) -> list[Mapping[str, Any]]:
    return [one for one in driver["requests"] if one["kind"] == kind and one["status"] == 200] if driver else []


def _variance(values: Sequence[int]) -> float:
    """The variance of their mean."""
    return statistics.variance(values) / len(values)
