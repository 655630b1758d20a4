"""Which stretches of time lie within which, group by group: sorted once, each looked up among its nearest few."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from analysis.arrays import NONE, Int32s, Int64s, Number
from seamscope.kernel import kernel

NEAREST: Final = 32
"""Candidates that are looked at for one stretch: a busy moment must not cost more than a quiet one."""


class Stretches(NamedTuple):
    """Stretches of time: the number of the group that each is in, start, end, and a number for whose it is."""

    group: Int64s
    start: Int64s
    end: Int64s
    whose: Int64s


def nearest_around(of: Stretches, among: Stretches) -> Int32s:
    """Give for each stretch the shortest around it in its group, of the nearest of others' that began before it.

    The answer is its place in `among`, or `NONE`.
    """
    order = _order(among)
    return _places(_around(*of, *(part[order] for part in among)), order)


def only_inside(of: Stretches, among: Stretches) -> Int32s:
    """Give for each stretch the one of others' that lies inside it, where it is the only one in its group.

    The answer is its place in `among`, or `NONE`: none, several, or too many began meanwhile to tell.
    """
    order = _order(among)
    return _places(_inside(*of, *(part[order] for part in among)), order)


def _order(among: Stretches) -> Int64s:
    order: Int64s = np.lexsort((among.start, among.group))
    return order


def _places(found: Int32s, order: Int64s) -> Int32s:
    return np.where(found == NONE, NONE, order[found]).astype(np.int32) if order.size else found


@kernel
def _from(groups: Int64s, starts: Int64s, group: int, start: int) -> Number:
    """Give the first place of a group that begins at a moment or later."""
    low, high = 0, groups.size
    while low < high:
        middle = (low + high) // 2
        if groups[middle] < group or (groups[middle] == group and starts[middle] < start):
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _around(
    group: Int64s,
    start: Int64s,
    end: Int64s,
    whose: Int64s,
    groups: Int64s,
    starts: Int64s,
    ends: Int64s,
    owners: Int64s,
) -> Int32s:
    found = np.full(group.size, NONE, np.int32)
    for one in range(group.size):
        at = _from(groups, starts, group[one], start[one] + 1) - 1
        shortest = 0
        for place in range(at, max(at - NEAREST, -1), -1):
            if groups[place] != group[one]:
                break
            length = ends[place] - starts[place]
            fits = ends[place] >= end[one] and owners[place] != whose[one]
            if fits and (found[one] == NONE or length < shortest):
                found[one] = place
                shortest = length
    return found


@kernel
def _inside(
    group: Int64s,
    start: Int64s,
    end: Int64s,
    whose: Int64s,
    groups: Int64s,
    starts: Int64s,
    ends: Int64s,
    owners: Int64s,
) -> Int32s:
    found = np.full(group.size, NONE, np.int32)
    for one in range(group.size):
        at = _from(groups, starts, group[one], start[one])
        number = 0
        for place in range(at, groups.size):
            if groups[place] != group[one] or starts[place] > end[one] or number > 1:
                break
            if place - at >= NEAREST:
                number = 2
            elif ends[place] <= end[one] and owners[place] != whose[one]:
                number += 1
                found[one] = place
        if number != 1:
            found[one] = NONE
    return found
