"""Compiled loops that join the texts of a list into one (`seamscope.store.packing`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from seamscope.byte_kernels import PADDING, load8, piece, store8
from seamscope.kernel import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Offsets = NDArray[np.int32]
    Mask = NDArray[np.bool_]
    Int = np.int64

BETWEEN: Final = 0x1F
ESCAPE: Final = 0x1B
_AS_ESCAPE, _AS_BETWEEN, _NULL = ord("e"), ord("s"), ord("n")
_SHORTEST: Final = 8
"""Texts of fewer bytes are written out: a reference takes two, and what is short repeats."""
_MOST_BYTES: Final = (1 << 31) - 1
_ODD: Final = np.uint64(0x9E3779B97F4A7C15)


@piece
def _same(one: Bytes, at: Int, other: Bytes, where: Int, length: Int) -> bool:
    """Tell whether two stretches of bytes are the same."""
    step = 0
    while step + 8 <= length:
        if load8(one, at + step) != load8(other, where + step):
            return False
        step += 8
    while step < length:
        if one[at + step] != other[where + step]:
            return False
        step += 1
    return True


@piece
def _copied(data: Bytes, at: Int, length: Int, out: Bytes, place: Int) -> Int:
    """Copy a text; up to seven bytes behind it are written too. Returns the place after it."""
    if at + length + PADDING <= data.size:
        for step in range(0, length, 8):
            store8(out, place + step, load8(data, at + step))
    else:
        for step in range(length):
            out[place + step] = data[at + step]
    return place + length


@piece
def _escaped(data: Bytes, at: Int, length: Int, out: Bytes, place: Int) -> Int:
    """Copy a text that may hold bytes which must be escaped; returns the place after it."""
    for step in range(at, at + length):
        if data[step] == BETWEEN or data[step] == ESCAPE:
            out[place] = ESCAPE
            out[place + 1] = _AS_BETWEEN if data[step] == BETWEEN else _AS_ESCAPE
            place += 2
        else:
            out[place] = data[step]
            place += 1
    return place


@kernel
def referred(
    first: Offsets, at: Offsets, data: Bytes, column_at: Offsets, column: Bytes, sign: int, signs: Bytes
) -> None:  # pragma: no cover - compiled
    """Set the sign of texts that are, to the byte, what a column says in their row, where they have none yet.

    `first` says where each row's texts begin, `at` where each text begins in `data`, `column_at` and `column` the same
    of the column, a text a row.
    """
    for row in range(first.size - 1):
        length = column_at[row + 1] - column_at[row]
        if length < _SHORTEST:
            continue
        for text in range(first[row], first[row + 1]):
            if at[text + 1] - at[text] != length or signs[text]:
                continue
            if _same(data, np.int64(at[text]), column, np.int64(column_at[row]), np.int64(length)):
                signs[text] = sign


@kernel
def joined(
    first: Offsets, at: Offsets, data: Bytes, none: Mask, signs: Bytes, *, odd: bool
) -> tuple[Offsets, Bytes]:  # pragma: no cover - compiled
    """Join each row's texts, with U+001F between them; gives where each begins, and all of them.

    A text that is `none` or has a sign is written as such; `odd`: some hold bytes that must be escaped. Where it comes
    to more than an offset can say, the last offset is -1.
    """
    where, texts = np.zeros(first.size, np.int32), np.int64(first[-1] - first[0])
    longest = np.int64(at[first[-1]] - at[first[0]]) * (2 if odd else 1) + 3 * texts
    out, place = np.empty(longest + PADDING, np.uint8), np.int64(0)
    for row in range(first.size - 1):
        for text in range(first[row], first[row + 1]):
            if text > first[row]:
                out[place] = BETWEEN
                place += 1
            if signs[text] or none[text]:
                out[place] = ESCAPE
                out[place + 1] = signs[text] or _NULL
                place += 2
            elif odd:
                place = _escaped(data, np.int64(at[text]), np.int64(at[text + 1] - at[text]), out, place)
            else:
                place = _copied(data, np.int64(at[text]), np.int64(at[text + 1] - at[text]), out, place)
        where[row + 1] = place if place <= _MOST_BYTES else _MOST_BYTES  # noqa: FURB136 - min() has no type here
    if place > _MOST_BYTES:
        where[-1] = -1
    return where, out[:place]


@piece
def _alike(first: Offsets, at: Offsets, data: Bytes, one: Int, other: Int) -> bool:
    """Tell whether two rows have the same texts."""
    texts = first[one + 1] - first[one]
    if first[other + 1] - first[other] != texts:
        return False
    mine, theirs = first[one], first[other]
    for text in range(texts):
        if at[mine + text + 1] - at[mine + text] != at[theirs + text + 1] - at[theirs + text]:
            return False
    length = np.int64(at[first[one + 1]] - at[mine])
    return _same(data, np.int64(at[mine]), data, np.int64(at[theirs]), length)


@kernel
def same_as(first: Offsets, at: Offsets, data: Bytes) -> tuple[Offsets, Offsets]:  # pragma: no cover - compiled
    """Number rows by their lists of texts: the number of each row's list, and the row that each list is first seen in.

    Lists are told apart by their bytes; a table of twice the rows finds those of the same lengths and middles.
    """
    rows = first.size - 1
    size = 1
    while size < 2 * rows:
        size *= 2
    table = np.full(size, -1, np.int32)
    number, firsts, count = np.empty(rows, np.int32), np.empty(rows, np.int32), 0
    for row in range(rows):
        mixed = np.uint64(at[first[row + 1]] - at[first[row]])
        for text in range(first[row], first[row + 1]):
            length = at[text + 1] - at[text]
            middle = np.uint64(data[at[text] + length // 2]) if length else np.uint64(0)
            mixed = (mixed ^ np.uint64(length) ^ middle << np.uint64(32)) * _ODD
        slot = np.int64((mixed ^ (mixed >> np.uint64(29))) & np.uint64(size - 1))
        while table[slot] >= 0 and not _alike(first, at, data, np.int64(firsts[table[slot]]), np.int64(row)):
            slot = (slot + 1) & (size - 1)
        if table[slot] < 0:
            table[slot] = count
            firsts[count] = row
            count += 1
        number[row] = table[slot]
    return number, firsts[:count]
