"""Values that are not text → their canonical text, as compiled loops.

Whole numbers are spelled in decimal, bools as words, bytes as base64, arrays and maps as JSON without blanks.
Doubles need their shortest form, which Arrow makes; those inside arrays and maps are collected first (`Doubles`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from seamscope.byte_kernels import piece
from seamscope.kernel import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Numbers = NDArray[np.int64]
    Int = np.int64

_EMPTY, _STRING, _BOOL, _INT, _DOUBLE, _BYTES, _ARRAY, _KVLIST = 0, 1, 2, 3, 4, 5, 6, 7
_LENGTH: Final = 0x7FFFFFFF
_SPELLED: Final = np.int64(-(1 << 63))
_DEPTH: Final = 40
_HEX: Final = np.frombuffer(b"0123456789abcdef", np.uint8)
_SHORT: Final = np.frombuffer(b"btnfr", np.uint8)
_BASE64: Final = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", np.uint8)
_TRUE: Final = np.frombuffer(b"true", np.uint8)
_FALSE: Final = np.frombuffer(b"false", np.uint8)
_NULL: Final = np.frombuffer(b"null", np.uint8)


@piece
def _word(word: Bytes, out: Bytes, at: Int) -> Int:
    """Put a word."""
    for place in range(len(word)):
        out[at + place] = word[place]
    return at + len(word)


@piece
def _decimal(value: Int, out: Bytes, at: Int) -> Int:
    """Put a whole number."""
    left = np.uint64(value)
    if value < 0:
        left = np.uint64(0) - left
        out[at] = 45
        at += 1
    digits = np.int64(1)
    rest = left // np.uint64(10)
    while rest > np.uint64(0):
        rest //= np.uint64(10)
        digits += 1
    for place in range(digits - 1, -1, -1):
        out[at + place] = np.uint8(np.uint64(48) + left % np.uint64(10))
        left //= np.uint64(10)
    return at + digits


@piece
def _base64(data: Bytes, begin: Int, end: Int, out: Bytes, at: Int) -> Int:
    """Put bytes as base64 with padding."""
    while begin < end:
        three = np.int64(data[begin]) << 16
        if begin + 1 < end:
            three |= np.int64(data[begin + 1]) << 8
        if begin + 2 < end:
            three |= np.int64(data[begin + 2])
        for part in range(4):
            out[at + part] = _BASE64[(three >> (18 - 6 * part)) & 63]
        at += 4
        begin += 3
    for missing in range(begin - end):
        out[at - 1 - missing] = 61
    return at


@piece
def _quoted(data: Bytes, begin: Int, end: Int, out: Bytes, at: Int) -> Int:
    """Put text as a JSON string; bytes beyond ASCII stay as they are."""
    out[at] = 34
    at += 1
    for place in range(begin, end):
        byte = np.int64(data[place])
        short = 8 <= byte <= 13 and byte != 11
        if byte in (34, 92) or short:
            out[at] = 92
            out[at + 1] = _SHORT[byte - 8 - np.int64(byte > 11)] if short else byte
            at += 2
        elif byte < 32:
            out[at], out[at + 1], out[at + 2], out[at + 3] = 92, 117, 48, 48
            out[at + 4], out[at + 5] = _HEX[byte >> 4], _HEX[byte & 15]
            at += 6
        else:
            out[at] = byte
            at += 1
    out[at] = 34
    return at + 1


@piece
def _varint(data: Bytes, at: Int) -> tuple[Int, Int]:
    """Return a varint and where it ends; it was checked before."""
    value, shift = np.int64(0), np.int64(0)
    while True:
        byte = np.int64(data[at])
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


@piece
def _field(data: Bytes, at: Int) -> tuple[Int, Int, Int]:
    """Return a field's tag, its number or reference, and where it ends; it was checked before."""
    tag, at = _varint(data, at)
    wire = tag & 7
    if wire & 5 == 0:  # 0, 2
        value, at = _varint(data, at)
        if wire == 2:
            return tag, (at << 32) | value, at + value
        return tag, value, at
    value = np.int64(0)
    width = np.int64(8 if wire == 1 else 4)
    for place in range(width):
        value |= np.int64(data[at + place]) << (8 * place)
    return tag, value, at + width


@piece
def _any_value(data: Bytes, reference: Int) -> tuple[Int, Int]:
    """Return the type and the number or reference of an `AnyValue`: the last field of its union."""
    at = reference >> 32
    end = at + (reference & _LENGTH)
    kind, value = np.int64(_EMPTY), np.int64(0)
    while at < end:
        tag, found, at = _field(data, at)
        number, wire = tag >> 3, tag & 7
        if (number == 8 and wire == 0) or (
            1 <= number <= 7 and wire == (2 if number in (1, 5, 6, 7) else (1 if number == 4 else 0))
        ):
            value = found
            kind = number if number < 5 else (np.int64(_BYTES) if number == 7 else number + 1)
            if number == 8:
                kind = np.int64(_EMPTY)
    return kind, value


@piece
def _key_value(data: Bytes, reference: Int) -> tuple[Int, Int]:
    """Return the references of the key and the value of a `KeyValue`."""
    at = reference >> 32
    end = at + (reference & _LENGTH)
    key, value = np.int64(0), np.int64(0)
    while at < end:
        tag, found, at = _field(data, at)
        if tag == 0x0A:
            key = found
        elif tag == 0x12 and found & _LENGTH:
            value = found
    return key, value


@piece
def _scalar(data: Bytes, kind: Int, value: Int, out: Bytes, at: Int) -> Int:
    """Put a whole number, a bool, bytes, or nothing for what is not set."""
    if kind == _INT:
        return _decimal(value, out, at)
    if kind == _BOOL:
        return _word(_TRUE if value != 0 else _FALSE, out, at)
    if kind == _BYTES:
        begin = value >> 32
        return _base64(data, begin, begin + (value & _LENGTH), out, at)
    return at


@piece
def _nested(data: Bytes, kind: Int, value: Int, out: Bytes, at: Int) -> Int:
    """Put a scalar inside an array or a map."""
    begin = value >> 32
    if kind == _STRING:
        return _quoted(data, begin, begin + (value & _LENGTH), out, at)
    if kind == _EMPTY:
        return _word(_NULL, out, at)
    if kind == _BYTES:
        out[at] = 34
        at = _scalar(data, kind, value, out, at + 1)
        out[at] = 34
        return at + 1
    return _scalar(data, kind, value, out, at)


@piece
def _json(
    data: Bytes, kind: Int, value: Int, out: Bytes, at: Int, doubles: Numbers, texts: Bytes, taken: Int, stack: Numbers
) -> tuple[Int, Int]:
    """Put an array or a map as JSON. `taken` doubles were met before; see `spell`."""
    ends, kinds, places = stack[0], stack[1], stack[2]
    depth = -1
    while True:
        if kind >= _ARRAY:
            depth += 1
            kinds[depth], places[depth] = kind, value >> 32
            ends[depth] = places[depth] + (value & _LENGTH)
            out[at] = 91 if kind == _ARRAY else 123
            at += 1
            first = True
        elif kind == _DOUBLE:
            doubles[taken, 0] = value
            at = _word(texts[doubles[taken, 1] : doubles[taken, 2]], out, at)
            taken += 1
        else:
            at = _nested(data, kind, value, out, at)
        # go on to the next member; close what has none left
        while True:
            if places[depth] < ends[depth]:
                tag, member, places[depth] = _field(data, places[depth])
                if tag == 0x0A:
                    break
                continue
            out[at] = 93 if kinds[depth] == _ARRAY else 125
            at += 1
            depth -= 1
            first = False
            if depth < 0:
                return at, taken
        if not first:
            out[at] = 44
            at += 1
        first = False
        if kinds[depth] == _KVLIST:
            key, member = _key_value(data, member)
            at = _quoted(data, key >> 32, (key >> 32) + (key & _LENGTH), out, at)
            out[at] = 58
            at += 1
        kind, value = _any_value(data, member)


@kernel
def scalar_numbers(kinds: Numbers, values: Numbers) -> Numbers:
    """Return the value of what is a number or a bool, 0 for others."""
    numbers = np.empty(len(kinds), np.int64)
    for row in range(len(kinds)):
        numbers[row] = values[row] if _BOOL <= kinds[row] <= _DOUBLE else 0
    return numbers


@kernel
def spelling_bounds(kinds: NDArray[np.uint8], values: Numbers, escaped: bool) -> tuple[int, int]:
    """Return how many bytes `spell` may need at most, and how many doubles lie inside arrays and maps at most."""
    room, doubles = 0, 0
    for row in range(len(kinds)):
        size = values[row] & _LENGTH
        if kinds[row] == _INT or kinds[row] == _BOOL:
            room += 20
        elif kinds[row] >= _BYTES and not escaped:
            room += 6 * size + 32
            doubles += size // 9 if kinds[row] > _BYTES else 0
    return room + 32 * doubles, doubles


@kernel
def spell(
    data: Bytes, kinds: NDArray[np.uint8], values: Numbers, from_json: bool, out: Bytes, doubles: Numbers, texts: Bytes
) -> tuple[Numbers, Int, Int]:
    """Spell values that are not text; returns a reference per row, the bytes used and the nested doubles met.

    Row n of `doubles` is (bits, begin, end): the first is filled in, the others say where in `texts` it is spelled.
    Doubles that are not nested, and arrays and maps that came as JSON, get the empty reference.
    """
    references = np.zeros(len(kinds), np.int64)
    at, taken = np.int64(0), np.int64(0)
    stack = np.empty((3, _DEPTH), np.int64)
    for row in range(len(kinds)):
        kind, value = np.int64(kinds[row]), values[row]
        if kind == _STRING or (kind == _BYTES and from_json):
            references[row] = value
        elif kind in (_BOOL, _INT, _BYTES) or (kind > _BYTES and not from_json):
            begin = at
            if kind > _BYTES:
                at, taken = _json(data, kind, value, out, at, doubles, texts, taken, stack)
            else:
                at = _scalar(data, kind, value, out, at)
            references[row] = _SPELLED | (begin << 32) | (at - begin)
    return references, at, taken
