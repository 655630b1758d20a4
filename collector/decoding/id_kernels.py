"""References → ids as numbers, and repeated texts → codes, as compiled loops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from seamscope.byte_kernels import load8, piece
from seamscope.kernel import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Numbers = NDArray[np.int64]
    Int = np.int64

_LENGTH: Final = 0x7FFFFFFF
_NONE: Final = np.uint64(0)
_ONES: Final = np.uint64(0x0101010101010101)
_NIBBLES: Final = np.uint64(0x0F0F0F0F0F0F0F0F)
_ODD_BYTES: Final = np.uint64(0x00FF00FF00FF00FF)
_ODD_PAIRS: Final = np.uint64(0x0000FFFF0000FFFF)
_ODD: Final = np.uint64(0x9E3779B97F4A7C15)


@piece
def _eight_digits(word: np.uint64) -> tuple[np.uint64, bool]:
    """Read eight hexadecimal digits, all at once; tells whether they are.

    The right digits are those that come out again when their numbers are spelled; JSON has no control characters,
    which alone could pass for digits once their case is folded.
    """
    number = (word & _NIBBLES) + ((word >> np.uint64(6)) & _ONES) * np.uint64(9)
    letters = ((number + _ONES * np.uint64(118)) >> np.uint64(7)) & _ONES
    good = number + _ONES * np.uint64(48) + letters * np.uint64(39) == word | _ONES * np.uint64(32)
    good = good and number & _ONES * np.uint64(16) == _NONE
    pairs = (number << np.uint64(4) | number >> np.uint64(8)) & _ODD_BYTES
    first, second = pairs & np.uint64(255), (pairs >> np.uint64(16)) & np.uint64(255)
    third, fourth = (pairs >> np.uint64(32)) & np.uint64(255), pairs >> np.uint64(48)
    return first << np.uint64(24) | second << np.uint64(16) | third << np.uint64(8) | fourth, good


@piece
def _hexadecimal(data: Bytes, at: Int) -> tuple[np.uint64, bool]:
    """Read sixteen hexadecimal digits; tells whether they are."""
    upper, right = _eight_digits(load8(data, at))
    lower, good = _eight_digits(load8(data, at + 8))
    return upper << np.uint64(32) | lower, right and good


@piece
def _big_endian(data: Bytes, at: Int) -> np.uint64:
    """Read eight bytes, the first one the greatest."""
    value = load8(data, at)
    value = (value & _ODD_BYTES) << np.uint64(8) | (value >> np.uint64(8)) & _ODD_BYTES
    value = (value & _ODD_PAIRS) << np.uint64(16) | (value >> np.uint64(16)) & _ODD_PAIRS
    return value << np.uint64(32) | value >> np.uint64(32)


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
    for row in range(rows):
        at, length = references[row] >> 32, references[row] & _LENGTH
        count = length >> 1 if hexadecimal else length
        lengths[row] = min(count, 255)
        if hexadecimal and ((length & 1) == 1 or (references[row] >> 31) & 1 == 1):
            bad[row] = True
        elif count == size and hexadecimal:
            upper, right = _hexadecimal(data, at) if size == 16 else (np.uint64(0), True)
            lower, good = _hexadecimal(data, at + 2 * size - 16)
            bad[row] = not (good and right)
            if good and right:
                high[row], low[row] = upper, lower
        elif count == size:
            high[row] = _big_endian(data, at) if size == 16 else np.uint64(0)
            low[row] = _big_endian(data, at + size - 8)
    return high, low, lengths, bad


@piece
def _part(data: Bytes, at: Int, left: Int) -> np.uint64:
    """Return up to eight bytes, of which `left` count; the others read 0."""
    word = load8(data, at)
    if left < 8:
        word &= (np.uint64(1) << np.uint64(8 * left)) - np.uint64(1)
    return word


@piece
def _hash(data: Bytes, begin: Int, length: Int, seed: Int) -> Int:
    """Mix a text into 63 bits; the seed keeps senders from choosing texts that collide."""
    value = np.uint64(seed) ^ np.uint64(length)
    for place in range(0, length, 8):
        value = (value ^ _part(data, begin + place, length - place)) * _ODD
        value ^= value >> np.uint64(29)
    value *= _ODD
    return np.int64((value ^ (value >> np.uint64(32))) >> np.uint64(1))


@piece
def _same(data: Bytes, one: Int, other: Int) -> bool:
    """Tell whether two references point to the same bytes."""
    if one & 0xFFFFFFFF != other & 0xFFFFFFFF:
        return False
    length, left, right = one & _LENGTH, one >> 32, other >> 32
    for place in range(0, length, 8):
        if _part(data, left + place, length - place) != _part(data, right + place, length - place):
            return False
    return True


@kernel
def factorise(data: Bytes, references: Numbers, seed: Int) -> tuple[NDArray[np.int32], Numbers]:
    """Return a code per text, and the first reference of each code, in order of appearance."""
    rows = len(references)
    codes = np.empty(rows, np.int32)
    firsts = np.empty(64, np.int64)
    slots = np.full(256, -1, np.int64)
    after = np.zeros(64, np.int64)  # which code came after each one last: spans of a kind repeat their keys in order
    known, last = 0, np.int64(0)
    for row in range(rows):
        reference = references[row]
        if known > 0 and _same(data, firsts[after[last]], reference):
            last = after[last]
            codes[row] = last
            continue
        mask = len(slots) - 1
        slot = _hash(data, reference >> 32, reference & _LENGTH, seed) & mask
        while slots[slot] >= 0 and not _same(data, firsts[slots[slot]], reference):
            slot = (slot + 1) & mask
        if slots[slot] < 0:
            if known == len(firsts):  # a quarter of the slots: grow, and put the known ones back
                firsts = np.concatenate((firsts, np.empty(known, np.int64)))
                after = np.concatenate((after, np.zeros(known, np.int64)))
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
        after[last] = slots[slot]
        last = slots[slot]
        codes[row] = last
    return codes, firsts[:known]
