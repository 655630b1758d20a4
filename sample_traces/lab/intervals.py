"""Arithmetic on half-open intervals of integer nanoseconds, as (start, end) pairs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

Interval: TypeAlias = tuple[int, int]


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """The same time, as disjoint intervals in order."""
    merged: list[Interval] = []
    for start, end in sorted(one for one in intervals if one[0] < one[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def minus(whole: Iterable[Interval], cut: Iterable[Interval]) -> list[Interval]:
    """What is left of one time without another."""
    left = union(whole)
    for start, end in union(cut):
        left = [
            part
            for one in left
            for part in ((one[0], min(one[1], start)), (max(one[0], end), one[1]))
            if part[0] < part[1]
        ]
    return left


def within(intervals: Iterable[Interval], start: int, end: int) -> list[Interval]:
    """The parts that lie between two moments."""
    clipped = ((max(one[0], start), min(one[1], end)) for one in intervals)
    return [one for one in clipped if one[0] < one[1]]


def length(intervals: Iterable[Interval]) -> int:
    """How long they are together, overlaps counted once."""
    return sum(end - start for start, end in union(intervals))
