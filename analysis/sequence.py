"""Calls in one order, whatever order they came in: by start, those that start together by their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seamscope.kernel import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    from analysis.arrays import Int64s

    Ids = npt.NDArray[np.uint64]


@kernel
def _before(one: int, other: int, high: Ids, low: Ids, span: Ids) -> bool:
    if high[one] != high[other]:
        return bool(high[one] < high[other])
    if low[one] != low[other]:
        return bool(low[one] < low[other])
    return bool(span[one] < span[other])


@kernel
def _by_ids(rows: Int64s, begin: int, stop: int, high: Ids, low: Ids, span: Ids, spare: Int64s) -> None:
    width = 1
    while width < stop - begin:
        for first in range(begin, stop, 2 * width):
            middle, last = min(first + width, stop), min(first + 2 * width, stop)
            left, right = first, middle
            for at in range(first, last):
                from_left = right >= last or (left < middle and not _before(rows[right], rows[left], high, low, span))
                spare[at] = rows[left] if from_left else rows[right]
                if from_left:
                    left += 1
                else:
                    right += 1
        for at in range(begin, stop):
            rows[at] = spare[at]
        width *= 2


@kernel
def settle_ties(order: Int64s, start: Int64s, high: Ids, low: Ids, span: Ids) -> None:
    """Put rows that start together in the order of their ids, in place; `order` has the rows by start."""
    spare = np.empty(order.size, np.int64)
    begin = 0
    for at in range(1, order.size + 1):
        if at < order.size and start[order[at]] == start[order[begin]]:
            continue
        if at - begin > 1:
            _by_ids(order, begin, at, high, low, span, spare)
        begin = at
