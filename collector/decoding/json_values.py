"""References to values as OTLP/JSON writes them → numbers, as compiled loops that work in place.

The grammar of every value was checked by `collector.decoding.json_kernels`. 64-bit numbers may be strings or numbers,
enumerations numbers or words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from collector.decoding.flat import FAULT_TIME
from collector.decoding.json_grammar import SKIP_DEPTH, number
from seamscope.byte_kernels import load8, piece
from seamscope.kernel import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Numbers = NDArray[np.int64]
    Mask = NDArray[np.bool_]
    Closings = NDArray[np.int32]
    Int = np.int64

_LENGTH: Final = 0x7FFFFFFF
_PLAIN: Final = np.int64(0x7FFFFFFFFFFFFFFF)
"""A reference without the mark of a quoted value."""
WORD: Final = np.int64(1 << 62)
"""The mark of an enumeration's cell that refers to a word."""
_UNSIGNED, _SIGNED, _ENUM, _ANY = 4, 5, 8, 10
TIME: Final = 11
"""Form of a column of `settle`: an unsigned number that is a time."""
_REAL: Final = 6
_INFINITY: Final = np.uint64(0x7974696E69666E49)  # little-endian
_STRING, _BOOL, _INT, _DOUBLE, _ARRAY, _KVLIST = 1, 2, 3, 4, 6, 7
_SPELLED: Final = np.int64(-(1 << 63))
_VALUES, _KEY, _VALUE = 0x7365756C6176, 0x79656B, 0x65756C6176  # little-endian names
_DEPTH: Final = 64
_LONG: Final = 1024 * 1024
"""A list or map of more bytes stays the text it was sent as: it is cut anyway, and not worth to be spelled plainly."""


@piece
def _is_number(data: Bytes, at: Int, end: Int) -> bool:
    """Tell whether a stretch is a number by JSON's grammar."""
    return bool(at < end and number(data, at, end) == end)


@piece
def _whole(data: Bytes, at: Int, end: Int) -> tuple[bool, bool, np.uint64]:
    """Read a number that is whole, also as 1.0 or 1e3: whether it is (in 64 bits), whether negative, its magnitude."""
    negative = data[at] == 45
    at += np.int64(negative)
    value, scale, fraction = np.uint64(0), np.int64(0), False
    ceiling = np.uint64(1844674407370955161)
    while at < end and data[at] | 32 != 101:
        if data[at] == 46:
            fraction = True
        else:
            digit = np.uint64(data[at]) - np.uint64(48)
            if value > ceiling or (value == ceiling and digit > np.uint64(5)):
                return False, negative, value
            value = value * np.uint64(10) + digit
            scale -= np.int64(fraction)
        at += 1
    if at < end:
        at += 1
        minus = data[at] == 45
        at += np.int64(minus or data[at] == 43)
        power = np.int64(0)
        while at < end:
            power = min(power * 10 + np.int64(data[at]) - 48, np.int64(9999))
            at += 1
        scale += -power if minus else power
    while scale != 0 and value != np.uint64(0):
        if scale < 0 and value % np.uint64(10) == np.uint64(0):
            value //= np.uint64(10)
            scale += 1
        elif scale > 0 and value <= ceiling:
            value *= np.uint64(10)
            scale -= 1
        else:
            return False, negative, value
    return True, negative, value


@piece
def _integer(data: Bytes, begin: Int, end: Int, form: Int) -> tuple[bool, Int]:
    """Read a whole number of a form: whether it is one, and its 64 bits."""
    if not _is_number(data, begin, end):
        return False, np.int64(0)
    whole, negative, magnitude = _whole(data, begin, end)
    most = np.uint64(0x7FFFFFFF) if form == _ENUM else np.uint64(0x7FFFFFFFFFFFFFFF)
    if form == _UNSIGNED:
        return bool(whole and (not negative or magnitude == np.uint64(0))), np.int64(magnitude)
    if negative:
        return bool(whole and magnitude <= most + np.uint64(1)), np.int64(np.uint64(0) - magnitude)
    return bool(whole and magnitude <= most), np.int64(magnitude)


@piece
def _number(data: Bytes, reference: Int, form: Int) -> tuple[bool, Int]:
    """Read a whole number of a form, or the word of an enumeration."""
    begin = (reference & _PLAIN) >> 32
    end = begin + (reference & _LENGTH)
    if form != _ENUM and 1 <= end - begin <= (19 if form == _UNSIGNED else 18) and data[begin] != 48:
        value = np.int64(0)
        at = begin
        while at < end and 48 <= data[at] < 58:
            value = value * 10 + np.int64(data[at]) - 48
            at += 1
        if at == end:
            return True, value
    good, number = _integer(data, begin, end, form)
    if not good and form == _ENUM and reference < 0:
        return True, WORD | (reference & _PLAIN)
    return good, number if good else np.int64(0)


@piece
def _is_infinite(data: Bytes, at: Int, end: Int) -> bool:
    """Tell whether a stretch is NaN, Infinity or -Infinity."""
    if end - at == 3:
        return bool(data[at] == 78 and data[at + 1] == 97 and data[at + 2] == 78)
    at += np.int64(at < end and data[at] == 45)
    return bool(end - at == 8 and load8(data, at) == _INFINITY)


@piece
def _settle_value(data: Bytes, kind: Int, reference: Int) -> tuple[Int, Int]:
    """Return the type and the cell of an `AnyValue`; a number that is none is kept as the text it is."""
    plain = reference & _PLAIN
    begin = plain >> 32
    end = begin + (plain & _LENGTH)
    if kind >= _ARRAY and end - begin > _LONG:
        return np.int64(_STRING), plain
    if kind == _BOOL:
        return kind, np.int64(data[begin] == 116)
    if kind == _INT:
        good, number = _number(data, reference, np.int64(_SIGNED))
        return (kind, number) if good else (np.int64(_STRING), plain)
    if kind == _DOUBLE and not (_is_number(data, begin, end) or _is_infinite(data, begin, end)):
        return np.int64(_STRING), plain
    return kind, plain if kind != 0 else np.int64(0)


@kernel
def settle(data: Bytes, rows: Numbers, forms: Numbers, faults: int, bad: Mask) -> int:
    """Turn a table's references to values as JSON writes them into what cells hold, in place.

    `forms` has the form (`layout.J_*`) of each column, -1 for what is no reference, and `TIME` for a time. A number
    that is none reads 0: a broken time is a fault of its row where there is a column `faults` (else -1), anything
    else marks `bad`. A double stays a reference to its text. Returns how many were marked.
    """
    marked = 0
    for row in range(len(rows)):
        for column in range(len(forms)):
            form, reference = forms[column], rows[row, column]
            if form < 0 or (reference == 0 and form != _ANY):
                continue
            if form == _ANY:
                kind, reference = reference, rows[row, column + 1]
                rows[row, column], rows[row, column + 1] = _settle_value(data, kind, reference)
            elif form == _REAL:
                kind, rows[row, column] = _settle_value(data, np.int64(_DOUBLE), reference)
                if kind != _DOUBLE:
                    rows[row, column] = 0
                    bad[row] = True
                    marked += 1
            else:
                good, rows[row, column] = _number(data, reference, np.int64(_UNSIGNED) if form == TIME else form)
                if not good and form == TIME and faults >= 0:
                    rows[row, faults] |= FAULT_TIME
                elif not good:
                    bad[row] = True
                    marked += 1
    return marked


@piece
def _behind_string(data: Bytes, at: Int) -> Int:
    """Return the position behind the string that begins at `at`."""
    at += 1
    while data[at] != 34:
        at += np.int64(1) + np.int64(data[at] == 92)
    return at + 1


@piece
def _pair_up(data: Bytes, begin: Int, end: Int, closings: Closings, opens: Numbers) -> None:
    """Fill in where each list and object of a value ends, counted from its beginning: found once, not once a level.

    `opens` is scratch of `SKIP_DEPTH`, which is as deep as the grammar lets a value be.
    """
    at, depth = begin, 0
    while at < end:
        byte = data[at]
        if byte == 34:
            at = _behind_string(data, at)
            continue
        at += 1
        if byte in (91, 123):
            opens[depth] = at - 1 - begin
            depth += 1
        elif byte in (93, 125):
            depth -= 1
            closings[opens[depth]] = at - begin


@piece
def _behind(data: Bytes, at: Int, base: Int, closings: Closings) -> Int:
    """Return the position behind the value that begins at `at`, inside of the one that begins at `base`."""
    if data[at] == 34:
        return _behind_string(data, at)
    if data[at] in (91, 123):
        return base + np.int64(closings[at - base])
    while data[at] > 32 and data[at] not in (44, 93, 125):
        at += 1
    return at


@piece
def _next(data: Bytes, at: Int) -> Int:
    """Return the position of the next member of a list or map that `at` lies in, or of what closes it."""
    while data[at] <= 32 or data[at] == 44 or data[at] == 58:
        at += 1
    return at


@piece
def _spells(data: Bytes, at: Int, name: Int) -> bool:
    """Tell whether the string at `at` is a name, given as its bytes, little-endian."""
    at += 1
    while name != 0:
        if np.int64(data[at]) != name & 255:
            return False
        name >>= 8
        at += 1
    return bool(data[at] == 34)


@piece
def _kind(data: Bytes, at: Int, end: Int) -> Int:
    """Return the type that an `AnyValue`'s member of this name (a string from `at` to `end`) holds, 0 for no type."""
    size, suffix = end - at - 2, np.int64(0x65756C6156)  # Value
    if size < 8 or size > 11:
        return np.int64(0)
    for place in range(5):
        if np.int64(data[end - 6 + place]) != (suffix >> (8 * place)) & 255:
            return np.int64(0)
    # the types in their order: stringValue … bytesValue, arrayValue, kvlistValue
    for kind, initial, length in (
        (1, 115, 11),
        (2, 98, 9),
        (3, 105, 8),
        (4, 100, 11),
        (5, 98, 10),
        (6, 97, 10),
        (7, 107, 11),
    ):
        if data[at + 1] == initial and size == length:
            return np.int64(kind)
    return np.int64(0)


@piece
def _any_value(data: Bytes, at: Int, base: Int, closings: Closings) -> tuple[Int, Int]:
    """Return the type of the `AnyValue` at `at` and where its value is: its last member that is not null."""
    kind, value = np.int64(0), np.int64(0)
    if data[at] != 123:
        return kind, value
    at = _next(data, at + 1)
    while data[at] != 125:
        end = _behind_string(data, at)
        found = _kind(data, at, end)
        at = _next(data, end)
        if found != 0 and data[at] != 110:
            kind, value = found, at
        at = _next(data, _behind(data, at, base, closings))
    return kind, value


@piece
def _member(data: Bytes, at: Int, name: Int, base: Int, closings: Closings) -> Int:
    """Return where the value of a name is in the object at `at` (the last of that name), 0 where there is none."""
    value = np.int64(0)
    if data[at] != 123:
        return value
    at = _next(data, at + 1)
    while data[at] != 125:
        found = _spells(data, at, name)
        at = _next(data, _behind_string(data, at))
        if found:
            value = at
        at = _next(data, _behind(data, at, base, closings))
    return value


@piece
def _copy(data: Bytes, begin: Int, end: Int, out: Bytes, at: Int) -> Int:
    """Copy bytes; returns where they end."""
    for place in range(end - begin):
        out[at + place] = data[begin + place]
    return at + end - begin


@piece
def _put(data: Bytes, kind: Int, value: Int, out: Bytes, at: Int, base: Int, closings: Closings) -> Int:
    """Put a value that is no array or map as it was written; numbers in quotes lose them, nothing is null."""
    if kind == 0:
        out[at], out[at + 1], out[at + 2], out[at + 3] = 110, 117, 108, 108
        return at + 4
    end = _behind(data, value, base, closings)
    if kind in (_INT, _DOUBLE) and data[value] == 34 and _is_number(data, value + 1, end - 1):
        return _copy(data, value + 1, end - 1, out, at)
    return _copy(data, value, end, out, at)


@piece
def _plain_json(data: Bytes, kind: Int, value: Int, out: Bytes, at: Int, stack: Numbers, closings: Closings) -> Int:
    """Put the `ArrayValue` or `KeyValueList` object at `value` as plain JSON; `closings` are of `_pair_up`."""
    kinds, places, base = stack[0], stack[1], value
    depth = -1
    while True:
        first = False
        if kind >= _ARRAY:
            depth += 1
            kinds[depth] = kind
            members = _member(data, value, np.int64(_VALUES), base, closings)
            places[depth] = _next(data, members + 1) if members != 0 and data[members] == 91 else np.int64(-1)
            out[at] = 91 if kind == _ARRAY else 123
            at += 1
            first = True
        else:
            at = _put(data, kind, value, out, at, base, closings)
        while places[depth] < 0 or data[places[depth]] == 93:
            out[at] = 93 if kinds[depth] == _ARRAY else 125
            at += 1
            depth -= 1
            first = False
            if depth < 0:
                return at
        if not first:
            out[at] = 44
            at += 1
        member = places[depth]
        places[depth] = _next(data, _behind(data, member, base, closings))
        if kinds[depth] == _KVLIST:
            key = _member(data, member, np.int64(_KEY), base, closings)
            if key != 0 and data[key] == 34:
                at = _copy(data, key, _behind_string(data, key), out, at)
            else:
                out[at], out[at + 1] = 34, 34
                at += 2
            out[at] = 58
            at += 1
            member = _member(data, member, np.int64(_VALUE), base, closings)
        kind, value = (np.int64(0), np.int64(0)) if member == 0 else _any_value(data, member, base, closings)


def json_room(references: Numbers) -> int:
    """Return how many bytes `spell_json` may need at most.

    Worst are members of a map that are no objects: `5,` reads `"":null,`, eight bytes for two. All else is shorter than
    it was sent.
    """
    return int(4 * (references & _LENGTH).sum() + 8 * len(references))


@kernel
def spell_json(data: Bytes, kinds: NDArray[np.uint8], references: Numbers, out: Bytes) -> tuple[Numbers, Int]:
    """Put arrays and maps as plain JSON; `out` has `json_room` bytes.

    Returns their references (marked as spelled) and the bytes used.
    """
    found, longest = np.empty(len(kinds), np.int64), np.int64(0)
    at = np.int64(0)
    for row in range(len(kinds)):
        longest = max(longest, references[row] & _LENGTH)
    stack, opens = np.empty((2, _DEPTH), np.int64), np.empty(SKIP_DEPTH, np.int64)
    closings = np.empty(longest, np.int32)
    for row in range(len(kinds)):
        begin, value = at, references[row] >> 32
        _pair_up(data, value, value + (references[row] & _LENGTH), closings, opens)
        at = _plain_json(data, np.int64(kinds[row]), value, out, at, stack, closings)
        found[row] = _SPELLED | begin << 32 | (at - begin)
    return found, at
