"""Ceilings: calls that wait for one of K places, and begin as another call gives its place back (design §4.6).

The same arithmetic finds a client's pool of connections (from one caller instance at most K calls are served at
once) and a server's queue (at most K calls of all callers run at once on one instance). A call that comes while
fewer than K are open must not wait; one that comes while K or more are open must, until another ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, lgamma, log, log1p, sqrt
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from analysis.arrays import Int64s, Mask

FEWEST: Final = 8
"""Calls that must have waited before a pattern is looked for: Wilson's bound on 8 of 8 is 0.68, on 9 of 9 is 0.70."""

SURE: Final = 0.7
"""Confidence below which a cause is withheld. It bounds the share of all late calls that fit the pattern; only those
that fit are given the cause, so that among them it is right more often than that."""

CHANCE: Final = 0.95
"""How unlikely (0 to 1) mere chance must be where two readings are weighed against each other, call by call."""

MOST_WEIGHED: Final = 200
"""Readings of more calls than this are scaled down before they are weighed: they are as good as certain."""

MOST_PLACES: Final = 512
"""Pools and queues wider than this are not looked for."""


def wilson(hits: float, tries: float) -> float:
    """Return the lower end of Wilson's 95 % interval for a share."""
    if tries <= 0:
        return 0.0
    z, share = 1.96, hits / tries
    middle = share + z * z / (2 * tries)
    return (middle - z * sqrt(share * (1 - share) / tries + z * z / (4 * tries * tries))) / (1 + z * z / tries)


def luck(hits: int, tries: int, chance: float) -> float:
    """Return how likely at least so many hits are by chance."""
    whole, hit, miss = lgamma(tries + 1), log(chance), log1p(-chance)  # the ways themselves outgrow a float
    each = (
        exp(whole - lgamma(n + 1) - lgamma(tries - n + 1) + n * hit + (tries - n) * miss)
        for n in range(hits, tries + 1)
    )
    return min(1.0, sum(each))


def prevails(hits: int, others: int) -> float:
    """Return how sure it is that one reading prevails over the other; 0 unless it does in two of three."""
    tries = hits + others
    if tries < FEWEST or 3 * hits < 2 * tries:
        return 0.0
    if tries > MOST_WEIGHED:
        hits, tries = hits * MOST_WEIGHED // tries, MOST_WEIGHED
    return 1 - luck(hits, tries, 0.5)


@dataclass(frozen=True, slots=True)
class Ceiling:
    """K places, and the calls that waited for one."""

    places: int
    waited: Mask
    """By call: it waited for a place."""
    predecessor: Int64s
    """By call: the one that gave its place back last before this one began; -1 where none had."""
    confidence: float
    late: int
    """Calls that began late; those that did not wait for a place are the counter-evidence."""
    spared: int
    """Calls that came while all places were taken and began before one was given back."""


def find(
    arrive: Int64s, begin: Int64s, release: Int64s, freed: Int64s, late: Mask, slack: int, tolerance: int
) -> Ceiling | None:
    """Find how many places there are, and who waited; None where the calls do not behave like that.

    Args:
        arrive: when each call came.
        begin: when it got its place, not before `arrive`.
        release: when it gave it back, at the latest.
        freed: when it did at the earliest, not after `release`.
        late: calls whose wait is no accident of the clocks.
        slack: how much earlier than a release, by the clocks, the next call may seem to begin (ns).
        tolerance: how much later than a release the next call may begin (ns).
    """
    if int(late.sum()) < FEWEST:
        return None
    begins, releases, frees = np.sort(begin), np.sort(release), np.sort(freed)
    came = np.sort(arrive)
    open_before = np.searchsorted(came, arrive, "left") - np.searchsorted(releases, arrive, "right")
    at = np.searchsorted(frees, begin + slack, "right") - 1
    served = np.searchsorted(begins, begin, "left") - (at + 1)
    order = np.argsort(freed, kind="stable")
    predecessor = np.where(at >= 0, order[np.maximum(at, 0)], -1)
    follows = (at >= 0) & (release[predecessor] >= begin - tolerance)
    wait = np.maximum(begin - arrive, 0).astype(np.float64)
    best: Ceiling | None = None
    for places in _candidates(served):
        waited = late & follows & (open_before >= places)
        late_wait = float(wait[late].sum())
        share = float(wait[waited].sum()) / late_wait if late_wait else 0.0
        full = open_before >= places
        spared = int((full & (served >= places)).sum())
        kept = 1 - spared / max(int(full.sum()), 1)
        number = int(late.sum())
        confidence = min(wilson(share * number, number), wilson(kept * int(full.sum()), int(full.sum())))
        if best is None or confidence > best.confidence:
            best = Ceiling(places, waited, predecessor, confidence, number, spared)
    return best


def _candidates(served: Int64s) -> list[int]:
    """Return numbers of places that at most one call in fifty exceeds, the clocks being what they are."""
    ceiling = int(np.quantile(served + 1, 0.98, method="higher"))
    return [places for places in range(max(1, ceiling - 2), ceiling + 1) if places <= MOST_PLACES]
