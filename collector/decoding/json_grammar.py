"""JSON's grammar (RFC 8259) as parts of compiled loops: where a string, a number or any value ends.

Without recursion, to a bounded depth, eight bytes at a time where it pays. Data is padded (`byte_kernels.PADDING`).
The modules that build these into kernels are to be touched when something changes here: numba's cache looks at a
kernel's own file only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from seamscope.byte_kernels import load8, piece

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Int = np.int64

SKIP_DEPTH: Final = 160
"""Lists and objects that `skip` follows into each other."""
_QUOTE, _BACKSLASH, _COMMA, _COLON, _MINUS = 34, 92, 44, 58, 45
_OPEN_LIST, _OPEN, _CLOSE = 91, 123, 125
_ONES: Final = np.uint64(0x0101010101010101)
_HIGH_BITS: Final = np.uint64(0x8080808080808080)
_QUOTES: Final = np.uint64(0x2222222222222222)
_BACKSLASHES: Final = np.uint64(0x5C5C5C5C5C5C5C5C)
_BLANKS: Final = np.uint64(0x2020202020202020)
_NONE: Final = np.uint64(0)
_FOUR_BYTES, _FIVE_BYTES = np.uint64(0xFFFFFFFF), np.uint64(0xFFFFFFFFFF)
_TRUE, _NULL, _FALSE = np.uint64(0x65757274), np.uint64(0x6C6C756E), np.uint64(0x65736C6166)  # little-endian


@piece
def blank(data: Bytes, at: Int, end: Int) -> Int:
    """Return the position behind white space."""
    while at < end and (data[at] == 32 or 9 <= data[at] <= 10 or data[at] == 13):
        at += 1
    return at


@piece
def _plain(data: Bytes, at: Int, end: Int) -> Int:
    """Return the position of the first quote, backslash or control character, at most `end`.

    Eight bytes at a time: in `special`, the lowest high bit that is set marks the first such byte.
    """
    while at < end:
        word = load8(data, at)
        quote, backslash = word ^ _QUOTES, word ^ _BACKSLASHES
        special = (quote - _ONES) & ~quote | (backslash - _ONES) & ~backslash | (word - _BLANKS) & ~word
        special &= _HIGH_BITS
        if special != _NONE:
            below = ((special & (~special + np.uint64(1))) >> np.uint64(7)) - np.uint64(1)
            return min(at + np.int64(((below & _ONES) * _ONES) >> np.uint64(56)), end)
        at += 8
    return end


@piece
def string(data: Bytes, at: Int, end: Int) -> tuple[Int, Int]:
    """Return a reference to the inside of the string that begins at `at`, and where it ends; -1: not a string."""
    begin, escaped = at + 1, np.int64(0)
    at = _plain(data, begin, end)
    while at < end and data[at] != _QUOTE:
        if data[at] < 32:
            return np.int64(0), np.int64(-1)
        escaped = np.int64(1)
        at += 1
        if at >= end:
            return np.int64(0), np.int64(-1)
        mark = data[at]
        if mark == 117:
            for place in range(1, 5):
                digit = data[at + place] if at + place < end else np.uint8(0)
                if not (48 <= digit < 58 or 97 <= (digit | 32) < 103):
                    return np.int64(0), np.int64(-1)
            at += 4
        elif mark not in (34, 92, 47, 98, 102, 110, 114, 116):
            return np.int64(0), np.int64(-1)
        at = _plain(data, at + 1, end)
    if at >= end:
        return np.int64(0), np.int64(-1)
    return begin << 32 | escaped << 31 | (at - begin), at + 1


@piece
def _digits(data: Bytes, at: Int, end: Int) -> Int:
    """Return the position behind decimal digits."""
    while at < end and 48 <= data[at] < 58:
        at += 1
    return at


@piece
def number(data: Bytes, at: Int, end: Int) -> Int:
    """Return the position behind the number that begins at `at`, -1: not a number."""
    at += np.int64(at < end and data[at] == _MINUS)
    behind = _digits(data, at, end)
    if behind == at or (data[at] == 48 and behind > at + 1):
        return np.int64(-1)
    at = behind
    if at < end and data[at] == 46:
        behind = _digits(data, at + 1, end)
        if behind == at + 1:
            return np.int64(-1)
        at = behind
    if at < end and data[at] | 32 == 101:
        at += 1
        at += np.int64(at < end and (data[at] == 43 or data[at] == _MINUS))
        behind = _digits(data, at, end)
        if behind == at:
            return np.int64(-1)
        at = behind
    return at


@piece
def literal(data: Bytes, at: Int, end: Int) -> Int:
    """Return the position behind `true`, `false` or `null`, -1: none of them."""
    word = load8(data, at)
    if word & _FOUR_BYTES in (_TRUE, _NULL) and at + 4 <= end:
        return at + 4
    return at + 5 if word & _FIVE_BYTES == _FALSE and at + 5 <= end else np.int64(-1)


@piece
def _scalar(data: Bytes, at: Int, end: Int) -> Int:
    """Return the position behind a string, a number or a word, -1: none of them."""
    if at >= end:
        return np.int64(-1)
    if data[at] == _QUOTE:
        return string(data, at, end)[1]
    if data[at] >= 97:
        return literal(data, at, end)
    return number(data, at, end)


@piece
def skip(  # noqa: C901, PLR0911, PLR0912 - one loop
    data: Bytes, at: Int, end: Int, closers: Bytes
) -> Int:
    """Return the position behind any value; -1: bad grammar, -2: too deep. `closers` is scratch of `SKIP_DEPTH`."""
    depth, first = 0, False
    while True:
        if at < end and (data[at] == _OPEN or data[at] == _OPEN_LIST):
            if depth == SKIP_DEPTH:
                return np.int64(-2)
            closers[depth] = data[at] + 2
            depth += 1
            at, first = at + 1, True
        else:
            at = _scalar(data, at, end)
            if at < 0:
                return at
        while True:
            if depth == 0:
                return at
            at = blank(data, at, end)
            if at >= end:
                return np.int64(-1)
            if data[at] != closers[depth - 1]:
                break
            depth -= 1
            at, first = at + 1, False
        if not first:
            if data[at] != _COMMA:
                return np.int64(-1)
            at = blank(data, at + 1, end)
        first = False
        if closers[depth - 1] == _CLOSE:
            if at >= end or data[at] != _QUOTE:
                return np.int64(-1)
            at = string(data, at, end)[1]
            if at < 0:
                return at
            at = blank(data, at, end)
            if at >= end or data[at] != _COLON:
                return np.int64(-1)
            at = blank(data, at + 1, end)
