"""References → Arrow text, as compiled loops: measure, then write into a buffer of exactly that size.

What is not UTF-8 reads U+FFFD in the result, as Python's `bytes.decode("utf-8", "replace")` would put it, and is told.
A reference is `spelled << 63 | offset << 32 | escaped << 31 | length`. It points into the received bytes, or where
`spelled` is set into the texts that `value_kernels` made; an escaped one is the inside of a JSON string.
All buffers are padded (`byte_kernels.PADDING`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from seamscope.byte_kernels import load8, piece, store8
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
_HIGH_BITS: Final = np.uint64(0x8080808080808080)
_NONE: Final = np.uint64(0)


@piece
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


@piece
def _is_utf8(data: Bytes, at: Int, end: Int) -> bool:
    """Tell whether a stretch of bytes is UTF-8."""
    while at + 8 <= end and load8(data, at) & _HIGH_BITS == _NONE:
        at += 8
    if at + 8 > end:
        beyond = np.uint64(8 * (at + 8 - end))
        if at == end or (load8(data, at) << beyond) & _HIGH_BITS == _NONE:
            return True
    while at < end:
        width = _sequence(data, at, end)
        if width < 0:
            return False
        at += width
    return True


@piece
def _copy(data: Bytes, begin: Int, end: Int, out: Bytes, at: Int, write: bool) -> Int:
    """Copy bytes as they are; returns where they end. What lies behind is written later, or padding."""
    if write:
        for place in range(0, end - begin, 8):
            store8(out, at + place, load8(data, begin + place))
    return at + end - begin


@piece
def _replacement(out: Bytes, at: Int, write: bool) -> Int:
    """Put U+FFFD."""
    if write:
        out[at], out[at + 1], out[at + 2] = 0xEF, 0xBF, 0xBD
    return at + 3


@piece
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


@piece
def _code_unit(data: Bytes, at: Int) -> Int:
    """Return the number that four hexadecimal digits spell."""
    value = np.int64(0)
    for place in range(4):
        digit = np.int64(data[at + place])
        value = value * 16 + (digit - 48 if digit < 58 else (digit | 32) - 87)
    return value


@piece
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


@piece
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


@piece
def _unescaped(data: Bytes, begin: Int, end: Int, out: Bytes, at: Int, write: bool) -> tuple[Int, bool]:
    """Copy the inside of a JSON string, whose escapes are known to be whole; tells whether its bytes were UTF-8."""
    good = True
    while begin < end:
        if data[begin] != _BACKSLASH:
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
        if mark != _U:
            at = _code_point(_unescaped_mark(mark), out, at, write)
            continue
        point = _code_unit(data, begin)
        begin += 4
        if 0xD800 <= point < 0xDC00 and begin + 6 <= end and data[begin] == _BACKSLASH and data[begin + 1] == _U:
            low = _code_unit(data, begin + 2)
            if 0xDC00 <= low < 0xE000:
                point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00)
                begin += 6
        at = _code_point(point, out, at, write)
    return at, good


@piece
def _measured(source: Bytes, reference: Int, none: Bytes, at: Int) -> tuple[Int, bool]:
    """Return where a text that is escaped or beyond ASCII would end if it began at `at`, and whether it is UTF-8."""
    begin = (reference >> 32) & _OFFSET
    end = begin + (reference & _LENGTH)
    if (reference >> 31) & 1:
        return _unescaped(source, begin, end, none, at, False)
    if _is_utf8(source, begin, end):
        return at + end - begin, True
    return _repaired(source, begin, end, none, at, False), False


@piece
def _written(source: Bytes, reference: Int, out: Bytes, at: Int) -> None:
    """Write a text that is escaped or not UTF-8."""
    begin = (reference >> 32) & _OFFSET
    end = begin + (reference & _LENGTH)
    if (reference >> 31) & 1:
        _unescaped(source, begin, end, out, at, True)
    else:
        _repaired(source, begin, end, out, at, True)


@piece
def _is_plain(source: Bytes, reference: Int) -> bool:
    """Tell whether a text is ASCII and not escaped."""
    at = (reference >> 32) & _OFFSET
    end = at + (reference & _LENGTH)
    bits = np.uint64((reference >> 31) & 1) << np.uint64(7)
    while at + 8 <= end:
        bits |= load8(source, at)
        at += 8
    if at < end:
        bits |= load8(source, at) << np.uint64(8 * (at + 8 - end))
    return bool((bits & _HIGH_BITS) == _NONE)


@kernel
def measure_text(data: Bytes, spelled: Bytes, references: Numbers, offsets: NDArray[np.int32], bad: Mask) -> Int:
    """Fill `offsets` (one more than there are texts) and `bad` (not UTF-8); returns the bytes that all texts take."""
    total = np.int64(0)
    none = np.empty(0, np.uint8)
    for row in range(len(references)):
        reference = references[row]
        if _is_plain(data, reference) if reference >= 0 else _is_plain(spelled, reference):
            total += reference & _LENGTH
        else:
            total, good = _measured(data if reference >= 0 else spelled, reference, none, total)
            bad[row] = not good
        offsets[row + 1] = total
    return total


@kernel
def write_text(
    data: Bytes, spelled: Bytes, references: Numbers, offsets: NDArray[np.int32], bad: Mask, out: Bytes
) -> None:
    """Write what `measure_text` measured."""
    for row in range(len(references)):
        reference = references[row]
        begin = (reference >> 32) & _OFFSET
        end = begin + (reference & _LENGTH)
        if bad[row] or (reference >> 31) & 1:
            _written(data if reference >= 0 else spelled, reference, out, np.int64(offsets[row]))
        elif reference >= 0:
            _copy(data, begin, end, out, np.int64(offsets[row]), True)
        else:
            _copy(spelled, begin, end, out, np.int64(offsets[row]), True)
