"""References → Arrow text, as compiled loops: measure, then write into a buffer of exactly that size.

What is not UTF-8 reads U+FFFD in the result, as Python's `bytes.decode("utf-8", "replace")` would put it, and is told.
A reference is `spelled << 63 | offset << 32 | escaped << 31 | length`. It points into the received bytes, or where
`spelled` is set into the texts that `collector.value_kernels` made; an escaped one is the inside of a JSON string.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from seamscope.kernel import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Numbers = NDArray[np.int64]
    Mask = NDArray[np.bool_]
    Int = np.int64

_OFFSET: Final = 0x7FFFFFFF
_LENGTH: Final = 0x7FFFFFFF
_BACKSLASH: Final = 92
_U: Final = 117


@kernel
def _sequence(data: Bytes, at: Int, end: Int) -> Int:
    """Return the bytes of the UTF-8 sequence at `at`; negative: that many bytes are not UTF-8."""
    lead = np.int64(data[at])
    if lead < 0x80:
        return np.int64(1)
    if lead < 0xC2 or lead > 0xF4:
        return np.int64(-1)
    more = 1 + np.int64(lead >= 0xE0) + np.int64(lead >= 0xF0)
    low, high = 0x80, 0xBF
    if lead == 0xE0:
        low = 0xA0
    elif lead == 0xED:
        high = 0x9F
    elif lead == 0xF0:
        low = 0x90
    elif lead == 0xF4:
        high = 0x8F
    for place in range(1, more + 1):
        if at + place >= end:
            return np.int64(-place)
        byte = np.int64(data[at + place])
        if byte < low or byte > high:
            return np.int64(-place)
        low, high = 0x80, 0xBF
    return np.int64(more + 1)


@kernel
def _is_utf8(data: Bytes, at: Int, end: Int) -> bool:
    """Tell whether a stretch of bytes is UTF-8."""
    high = np.uint8(0)
    for place in range(at, end):
        high |= data[place]
    if high < 128:
        return True
    while at < end:
        width = _sequence(data, at, end)
        if width < 0:
            return False
        at += width
    return True


@kernel
def _copy(data: Bytes, begin: Int, end: Int, out: Bytes, at: Int, write: bool) -> Int:
    """Copy bytes as they are; returns where they end."""
    if write:
        for place in range(end - begin):
            out[at + place] = data[begin + place]
    return at + end - begin


@kernel
def _replacement(out: Bytes, at: Int, write: bool) -> Int:
    """Put U+FFFD."""
    if write:
        out[at], out[at + 1], out[at + 2] = 0xEF, 0xBF, 0xBD
    return at + 3


@kernel
def _repaired(data: Bytes, begin: Int, end: Int, out: Bytes, at: Int, write: bool) -> Int:
    """Copy text with U+FFFD for what is not UTF-8."""
    while begin < end:
        width = _sequence(data, begin, end)
        if width < 0:
            at = _replacement(out, at, write)
            begin -= width
        else:
            at = _copy(data, begin, begin + width, out, at, write)
            begin += width
    return at


@kernel
def _code_unit(data: Bytes, at: Int) -> Int:
    """Return the number that four hexadecimal digits spell."""
    value = np.int64(0)
    for place in range(4):
        digit = np.int64(data[at + place])
        value = value * 16 + (digit - 48 if digit < 58 else (digit | 32) - 87)
    return value


@kernel
def _code_point(point: Int, out: Bytes, at: Int, write: bool) -> Int:
    """Put a code point as UTF-8; a surrogate reads U+FFFD."""
    if 0xD800 <= point < 0xE000:
        return _replacement(out, at, write)
    size = np.int64(1) + np.int64(point >= 0x80) + np.int64(point >= 0x800) + np.int64(point >= 0x10000)
    if write:
        if size == 1:
            out[at] = point
            return at + 1
        lead = (0xC0, 0xE0, 0xF0)[size - 2]
        out[at] = lead | (point >> (6 * (size - 1)))
        for place in range(1, size):
            out[at + place] = 0x80 | ((point >> (6 * (size - 1 - place))) & 0x3F)
    return at + size


@kernel
def _unescaped_mark(mark: Int) -> Int:
    """Return the character that a backslash and `mark` stand for."""
    if mark == 98:
        return np.int64(8)
    if mark == 102:
        return np.int64(12)
    if mark == 110:
        return np.int64(10)
    if mark == 114:
        return np.int64(13)
    if mark == 116:
        return np.int64(9)
    return mark


@kernel
def _unescaped(data: Bytes, begin: Int, end: Int, out: Bytes, at: Int, write: bool) -> tuple[Int, bool]:
    """Copy the inside of a JSON string, whose escapes are known to be whole; tells whether its bytes were UTF-8."""
    good = True
    while begin < end:
        if data[begin] != 92:
            width = _sequence(data, begin, end)
            if width < 0:
                good = False
                at = _replacement(out, at, write)
                begin -= width
            else:
                at = _copy(data, begin, begin + width, out, at, write)
                begin += width
            continue
        mark = np.int64(data[begin + 1])
        begin += 2
        if mark != 117:
            at = _code_point(_unescaped_mark(mark), out, at, write)
            continue
        point = _code_unit(data, begin)
        begin += 4
        if 0xD800 <= point < 0xDC00 and begin + 6 <= end and data[begin] == 92 and data[begin + 1] == 117:
            low = _code_unit(data, begin + 2)
            if 0xDC00 <= low < 0xE000:
                point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00)
                begin += 6
        at = _code_point(point, out, at, write)
    return at, good


@kernel
def measure_text(data: Bytes, spelled: Bytes, references: Numbers, offsets: NDArray[np.int64], bad: Mask) -> int:
    """Fill `offsets` (one more than there are texts) and `bad` (not UTF-8); returns how many are bad."""
    wrong, total = 0, np.int64(0)
    none = np.empty(0, np.uint8)
    for row in range(len(references)):
        reference = references[row]
        source = data if reference >= 0 else spelled
        begin = (reference >> 32) & _OFFSET
        end = begin + (reference & _LENGTH)
        if (reference >> 31) & 1:
            total, good = _unescaped(source, begin, end, none, total, False)
        else:
            good = _is_utf8(source, begin, end)
            total = total + end - begin if good else _repaired(source, begin, end, none, total, False)
        if not good:
            bad[row] = True
            wrong += 1
        offsets[row + 1] = total
    return wrong


@kernel
def write_text(
    data: Bytes, spelled: Bytes, references: Numbers, offsets: NDArray[np.int64], bad: Mask, out: Bytes
) -> None:
    """Write what `measure_text` measured."""
    for row in range(len(references)):
        reference = references[row]
        source = data if reference >= 0 else spelled
        begin = (reference >> 32) & _OFFSET
        end = begin + (reference & _LENGTH)
        at = offsets[row]
        if (reference >> 31) & 1:
            _unescaped(source, begin, end, out, at, True)
        elif bad[row]:
            _repaired(source, begin, end, out, at, True)
        else:
            _copy(source, begin, end, out, at, True)
