"""Numbering equal keys and putting rows of one number beside each other, in linear time."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import numpy as np

from seamscope.kernel import kernel

if TYPE_CHECKING:
    from analysis.arrays import Int32s, Int64s, Mask


_SECRET: Final = np.int64(secrets.randbits(62) << 1 | 1)


def scattered(ids: Int64s) -> Int64s:
    """Return other ids for these, equal where they are and 0 for 0, by chance: nobody can send ids that all meet."""
    return ids * _SECRET


def number_pairs(high: Int64s, low: Int64s) -> tuple[Int32s, Int32s]:
    """Number equal (high, low) pairs 0, 1, 2 … by first appearance; return the numbers and each number's first row."""
    return _number_pairs(scattered(high), scattered(low))


@kernel
def _number_pairs(high: Int64s, low: Int64s) -> tuple[Int32s, Int32s]:
    rows = high.size
    size = 16
    while size < 2 * rows:
        size *= 2
    table = np.full(size, -1, np.int32)
    numbers = np.empty(rows, np.int32)
    first = np.empty(rows, np.int32)
    count = 0
    for row in range(rows):
        if row > 0 and high[row] == high[row - 1] and low[row] == low[row - 1]:
            numbers[row] = numbers[row - 1]
            continue
        key = (high[row] * np.int64(-7046029254386353131)) ^ low[row]
        key = (key ^ (key >> 32)) * np.int64(-4658895280553007687)
        slot = (key ^ (key >> 29)) & (size - 1)
        while table[slot] >= 0:
            other = first[table[slot]]
            if high[other] == high[row] and low[other] == low[row]:
                break
            slot = (slot + 1) & (size - 1)
        if table[slot] < 0:
            table[slot] = count
            first[count] = row
            count += 1
        numbers[row] = table[slot]
    return numbers, first[:count].copy()


def least_tied(one: Int64s, other: Int64s, count: int) -> Int64s:
    """Return, for each of so many rows, the first of those that pairs of rows tie it to, over any number of pairs."""
    least = np.arange(count)
    while (least[one] != least[other]).any():
        lower = np.minimum(least[one], least[other])
        np.minimum.at(least, least[one], lower)
        np.minimum.at(least, least[other], lower)
        np.minimum.at(least, one, lower)
        np.minimum.at(least, other, lower)
        least = least[least]
    return least


@kernel
def taken(values: Int64s, rows: Int32s, absent: int) -> Int64s:
    """Return the values at these rows; `absent` where the row is negative."""
    found = np.empty(rows.size, np.int64)
    for at in range(rows.size):
        found[at] = values[rows[at]] if rows[at] >= 0 else absent
    return found


@kernel
def offsets_of(numbers: Int32s, count: int) -> Int64s:
    """Return where each number's rows begin once rows are ordered by number (count + 1 entries)."""
    offsets = np.zeros(count + 1, np.int64)
    for row in range(numbers.size):
        offsets[numbers[row] + 1] += 1
    for number in range(count):
        offsets[number + 1] += offsets[number]
    return offsets


@kernel
def order_by(numbers: Int32s, offsets: Int64s) -> Int64s:
    """Return the rows in the order of their numbers; rows of one number keep their order."""
    order = np.empty(numbers.size, np.int64)
    free = offsets.copy()
    for row in range(numbers.size):
        order[free[numbers[row]]] = row
        free[numbers[row]] += 1
    return order


def in_several(keys: Int64s, high: Int64s, low: Int64s) -> Mask:
    """Mark the rows whose key, unless that is 0, stands with more than one (high, low) pair."""
    return _in_several(scattered(keys), high, low)


@kernel
def _in_several(keys: Int64s, high: Int64s, low: Int64s) -> Mask:
    mask = 15
    while mask < 2 * keys.size:
        mask = 2 * mask + 1
    table = np.full(mask + 1, -1, np.int32)
    several = np.zeros(mask + 1, np.bool_)
    slots = np.full(keys.size, -1, np.int32)
    for row in range(keys.size):
        if keys[row] == 0:
            continue
        mixed = (keys[row] ^ (keys[row] >> 32)) * np.int64(-4658895280553007687)
        slot = (mixed ^ (mixed >> 29)) & mask
        while table[slot] >= 0 and keys[table[slot]] != keys[row]:
            slot = (slot + 1) & mask
        slots[row] = slot
        if table[slot] < 0:
            table[slot] = row
        elif high[table[slot]] != high[row] or low[table[slot]] != low[row]:
            several[slot] = True
    marked = np.zeros(keys.size, np.bool_)
    for row in range(keys.size):
        marked[row] = slots[row] >= 0 and several[slots[row]]
    return marked
