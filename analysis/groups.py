"""Groups of calls, and order statistics within them, in linear time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.grouping import number_pairs, offsets_of, order_by
from seamscope.kernel import kernel

if TYPE_CHECKING:
    from analysis.arrays import Int32s, Int64s


@kernel
def _select(values: Int64s, count: int, rank: int) -> int:
    """Return the value of this rank among the first `count`, which are put about (Hoare's selection)."""
    low, high = 0, count - 1
    while low < high:
        pivot = values[(low + high) // 2]
        left, right = low, high
        while left <= right:
            while values[left] < pivot:
                left += 1
            while values[right] > pivot:
                right -= 1
            if left <= right:
                kept = values[left]
                values[left] = values[right]
                values[right] = kept
                left += 1
                right -= 1
        if rank <= right:
            high = right
        elif rank >= left:
            low = left
        else:
            break
    return int(values[rank])


@kernel
def _quantiles(values: Int64s, order: Int64s, offsets: Int64s, share: float, absent: int) -> tuple[Int64s, Int64s]:
    groups = offsets.size - 1
    found, counts = np.full(groups, absent, np.int64), np.zeros(groups, np.int64)
    widest = np.int64(0)
    for group in range(groups):
        widest = max(widest, offsets[group + 1] - offsets[group])
    some = np.empty(widest, np.int64)
    for group in range(groups):
        count = 0
        for at in range(offsets[group], offsets[group + 1]):
            value = values[order[at]]
            if value != absent:
                some[count] = value
                count += 1
        counts[group] = count
        if count > 0:
            found[group] = _select(some, count, int((count - 1) * share))
    return found, counts


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows with equal keys."""

    number: Int32s
    """By row: its group."""
    order: Int64s
    """Rows of one group side by side."""
    offsets: Int64s

    @property
    def count(self) -> int:
        """Number of groups."""
        return int(self.offsets.size) - 1

    def quantiles(self, values: Int64s, share: float) -> tuple[Int64s, Int64s]:
        """Return, by group, the value below which `share` of its known ones lie, and how many are known.

        The least int64 is not known.
        """
        return _quantiles(values, self.order, self.offsets, share, np.iinfo(np.int64).min)

    def rows(self, group: int) -> Int64s:
        """Return the rows of one group."""
        return self.order[self.offsets[group] : self.offsets[group + 1]]


def group(high: Int64s, low: Int64s) -> Groups:
    """Group rows by pairs of keys."""
    number, first = number_pairs(high, low)
    offsets = offsets_of(number, first.size)
    return Groups(number, order_by(number, offsets), offsets)
