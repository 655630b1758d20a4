"""References → ids as numbers, and repeated texts → codes, as compiled loops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from seamscope.kernel import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Numbers = NDArray[np.int64]
    Int = np.int64

_LENGTH: Final = 0x7FFFFFFF


@kernel
def _digit(byte: Int) -> Int:
    """Return the value of a hexadecimal digit, -1 for anything else."""
    if 48 <= byte < 58:
        return byte - 48
    byte |= 32
    return byte - 87 if 97 <= byte < 103 else np.int64(-1)


@kernel
def identities(
    data: Bytes, references: Numbers, size: int, hexadecimal: bool
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint8], NDArray[np.bool_]]:
    """Read ids of 8 or 16 bytes: high half, low half, bytes sent (at most 255), and which are not hexadecimal.

    An id of another length, and one that is not hexadecimal, reads 0.
    """
    rows = len(references)
    high, low = np.zeros(rows, np.uint64), np.zeros(rows, np.uint64)
    lengths, bad = np.zeros(rows, np.uint8), np.zeros(rows, np.bool_)
    halves = np.zeros(2, np.int64)
    for row in range(rows):
        begin, length = references[row] >> 32, references[row] & _LENGTH
        count = length // 2 if hexadecimal else length
        wrong = hexadecimal and ((length & 1) == 1 or (references[row] >> 31) & 1 == 1)
        lengths[row] = min(count, 255)
        if count == size and not wrong:
            halves[:] = 0
            for place in range(size):
                if hexadecimal:
                    upper, lower = _digit(np.int64(data[begin + 2 * place])), _digit(np.int64(data[begin + 2 * place + 1]))
                    wrong = wrong or (upper | lower) < 0
                    byte = upper << 4 | lower
                else:
                    byte = np.int64(data[begin + place])
                half = 1 if place >= size - 8 else 0
                halves[half] = halves[half] << 8 | (byte & 255)
            if not wrong:
                high[row], low[row] = np.uint64(halves[0]), np.uint64(halves[1])
        bad[row] = wrong
    return high, low, lengths, bad


@kernel
def _hash(data: Bytes, begin: Int, length: Int, seed: Int) -> Int:
    """Mix a text into 64 bits; the seed keeps senders from choosing texts that collide."""
    value = seed ^ length
    for place in range(length):
        value = (value ^ np.int64(data[begin + place])) * np.int64(0x100000001B3)
        value ^= (value >> 29) & 0x7FFFFFFFF
    value *= np.int64(-7046029254386353131)
    return value ^ ((value >> 32) & 0xFFFFFFFF)


@kernel
def _same(data: Bytes, one: Int, other: Int) -> bool:
    """Tell whether two references point to the same bytes."""
    length = one & 0xFFFFFFFF
    if length != other & 0xFFFFFFFF:
        return False
    left, right = one >> 32, other >> 32
    for place in range(length & _LENGTH):
        if data[left + place] != data[right + place]:
            return False
    return True


@kernel
def factorise(data: Bytes, references: Numbers, seed: int) -> tuple[NDArray[np.int32], Numbers]:
    """Return a code per text, and the first reference of each code, in order of appearance."""
    rows = len(references)
    codes = np.empty(rows, np.int32)
    firsts = np.empty(64, np.int64)
    slots = np.full(256, -1, np.int64)
    known = 0
    for row in range(rows):
        reference = references[row]
        mask = len(slots) - 1
        slot = _hash(data, reference >> 32, reference & _LENGTH, seed) & mask
        while slots[slot] >= 0 and not _same(data, firsts[slots[slot]], reference):
            slot = (slot + 1) & mask
        if slots[slot] < 0:
            if known == len(firsts):  # a quarter of the slots: grow, and put the known ones back
                firsts = np.concatenate((firsts, np.empty(known, np.int64)))
                slots = np.full(8 * known, -1, np.int64)
                mask = len(slots) - 1
                for code in range(known):
                    slot = _hash(data, firsts[code] >> 32, firsts[code] & _LENGTH, seed) & mask
                    while slots[slot] >= 0:
                        slot = (slot + 1) & mask
                    slots[slot] = code
                slot = _hash(data, reference >> 32, reference & _LENGTH, seed) & mask
                while slots[slot] >= 0:
                    slot = (slot + 1) & mask
            firsts[known] = reference
            slots[slot] = known
            known += 1
        codes[row] = slots[slot]
    return codes, firsts[:known]
