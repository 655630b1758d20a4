"""OTLP/JSON → cells, as compiled loops: the same two passes over the same layouts as `collector.decoding.wire`.

The grammar is RFC 8259's, checked to the last byte, without recursion and to a bounded depth. Names are looked up by
hash; `null` is a field not sent. What is no text gets a reference to the value as it was written in its cell, with
`QUOTED` set for the inside of a string; `collector.decoding.json_values` makes a number of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from collector.decoding.flat import FAULT_ID, FAULT_SHAPE
from collector.decoding.json_grammar import SKIP_DEPTH, blank, literal, number, skip, string
from seamscope.byte_kernels import PADDING, load8, piece
from seamscope.kernel import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Numbers = NDArray[np.int64]
    Int = np.int64


def _word(text: bytes) -> np.uint64:
    """Return eight characters as `load8` reads them."""
    return np.uint64(int.from_bytes(text, "little"))


OK: Final = 0
SYNTAX: Final = 1
DEPTH: Final = 2
ITEMS: Final = 3

QUOTED: Final = np.int64(-(1 << 63))
_FRAMES: Final = 64
_LONGEST_NAME: Final = 32
_LENGTH: Final = 0x7FFFFFFF
_MESSAGES, _TEXT, _ID, _BOOL, _BYTES = 1, 2, 3, 7, 9
_VALUE, _MESSAGE, _OPAQUE = 3, 4, 5
_QUOTE, _BACKSLASH, _COMMA, _COLON, _MINUS, _N = 34, 92, 44, 58, 45, 110
_LAST_OF_BOOL: Final = ord("e")
_PAIRS: Final = 2
_KEY, _VALUE_1, _VALUE_2 = _word(b'{"key":"'), _word(b',"value"'), _word(b'alue":{"')
_STRING_1, _STRING_2 = _word(b"stringVa"), _word(b'Value":"')
_BOOL_1, _INT_1 = _word(b"boolValu"), _word(b"intValue")
_DOUBLE_1, _DOUBLE_2 = _word(b"doubleVa"), _word(b'eValue":')
_OPEN_LIST, _CLOSE_LIST, _OPEN, _CLOSE = 91, 93, 123, 125
_ODD: Final = np.uint64(0x9E3779B97F4A7C15)


@piece
def _hash(data: Bytes, at: Int, length: Int) -> Int:
    """Mix a name as `layout` does."""
    value = np.uint64(length)
    for place in range(0, length, 8):
        word = load8(data, at + place)
        if length - place < 8:
            word &= (np.uint64(1) << np.uint64(8 * (length - place))) - np.uint64(1)
        value = (value ^ word) * _ODD
        value ^= value >> np.uint64(29)
    return np.int64(value * _ODD)


@piece
def _unescaped(data: Bytes, at: Int, end: Int, out: Bytes) -> Int:
    """Spell a name with escapes out; returns its length, 0 where it is none of ours: too long, or not ASCII."""
    size = np.int64(0)
    while at < end and size < _LONGEST_NAME:
        byte = np.int64(data[at])
        at += 1
        if byte == _BACKSLASH:
            byte = np.int64(data[at])
            at += 1
            if byte != 117:
                return np.int64(0)  # no name has what these stand for
            byte = np.int64(0)
            for place in range(4):
                digit = np.int64(data[at + place])
                byte = byte * 16 + (digit - 48 if digit < 58 else (digit | 32) - 87)
            at += 4
        out[size] = byte & 255 if byte < 128 else 255
        size += 1
    return size if at == end else np.int64(0)


@piece
def _field(data: Bytes, reference: Int, names: Numbers, message: Int, scratch: Bytes) -> Int:
    """Return the place in the operations of the field that a name means, -1 for none."""
    at, length = reference >> 32, reference & _LENGTH
    if (reference >> 31) & 1:
        length = _unescaped(data, at, at + length, scratch)
        name = _hash(scratch, np.int64(0), length)
    else:
        name = _hash(data, at, length)
    slot = (name >> 59) & 31
    while names[(message << 5) + slot, 0] != 0:
        if names[(message << 5) + slot, 0] == name:
            return np.int64(names[(message << 5) + slot, 1])
        slot = (slot + 1) & 31
    return np.int64(-1)


@piece
def _fits(opener: Int, form: Int, action: Int) -> bool:
    """Tell whether a value that begins like this can have a form (`layout.J_*`)."""
    if action >= _MESSAGE:
        return bool(opener == _OPEN and action == _OPAQUE)
    if form in (_TEXT, _ID, _BYTES):
        return bool(opener == _QUOTE)
    if form == _BOOL:
        return opener in (116, 102)
    return bool(opener in (_QUOTE, _MINUS) or 48 <= opener < 58)


@piece
def _pair(  # noqa: C901, PLR0912 - a shape, step by step
    data: Bytes, at: Int, stop: Int, cells: Numbers, cell: Int, stride: Int
) -> Int:
    """Read a `KeyValue` as emitters write it, without blanks: key, then one scalar. Returns where it ends.

    -1: it is written otherwise. Fills the cells of the row behind `cell` (key, type, value; `stride` apart)
    unless there are none.
    """
    if at + 32 > stop or load8(data, at) != _KEY:  # {"key":"
        return np.int64(-1)
    key, at = string(data, at + 7, stop)
    if at < 0 or at + 32 > stop or load8(data, at) != _VALUE_1 or load8(data, at + 3) != _VALUE_2:  # ,"value":{"
        return np.int64(-1)
    at += 11
    word, kind = load8(data, at), np.int64(0)
    if word == _STRING_1 and load8(data, at + 6) == _STRING_2:  # stringValue":"
        kind, at = np.int64(1), at + 13
    elif word == _BOOL_1 and data[at + 8] == _LAST_OF_BOOL:  # boolValue":
        kind, at = np.int64(2), at + 11
    elif word == _INT_1:  # intValue":
        kind, at = np.int64(3), at + 10
    elif word == _DOUBLE_1 and load8(data, at + 5) == _DOUBLE_2:  # doubleValue":
        kind, at = np.int64(4), at + 13
    if kind == 0 or data[at - 1] != _COLON or data[at - 2] != _QUOTE:
        return np.int64(-1)
    begin, value = at, np.int64(0)
    opener = data[at]
    if opener == _QUOTE and kind != 2:
        value, at = string(data, begin, stop)
        value |= QUOTED if kind > 1 else np.int64(0)
    elif kind == 2 and opener in (116, 102):
        at = literal(data, begin, stop)
        value = begin << 32 | (at - begin)
    elif kind > 2 and opener != _QUOTE:
        at = number(data, begin, stop)
        value = begin << 32 | (at - begin)
    else:
        return np.int64(-1)
    if at < 0 or at + 2 > stop or data[at] != _CLOSE or data[at + 1] != _CLOSE:
        return np.int64(-1)
    if len(cells) > 0:
        cells[cell + stride], cells[cell + 2 * stride], cells[cell + 3 * stride] = key, kind, value
    return at + 2


@piece
def _walk(  # noqa: C901, PLR0911, PLR0912, PLR0915 - one loop, so that its state stays in registers
    data: Bytes,
    begin: Int,
    stop: Int,
    body: Int,
    operations: Numbers,
    names: Numbers,
    fill: bool,
    cells: Numbers,
    bases: Numbers,
    faults: Numbers,
    rows: Numbers,
    limits: Numbers,
    stack: Numbers,
    notes: Numbers,
    closers: Bytes,
) -> int:
    """Walk one body; count rows into `rows` (pass 1) or fill their cells (pass 2). Returns an error's code.

    `stack` is scratch of shape (frames, 6): whether a list, message, first cell, row, table, distance of
    a row's cells (see `wire`). `faults` is the column
    of each table that takes faults, -1 for none. `notes` gets the position reached and the number of oddities.
    """
    at, depth, oddities, first = np.int64(begin), np.int64(0), np.int64(0), True
    listed, message, cell, row, table = np.int64(0), np.int64(0), np.int64(0), np.int64(body), np.int64(-1)
    stride = np.int64(0)
    if stop - at >= 3 and data[at] == 0xEF and data[at + 1] == 0xBB and data[at + 2] == 0xBF:
        at += 3
    at = blank(data, at, stop)
    notes[0] = at
    if at >= stop or data[at] != _OPEN:
        return SYNTAX
    at += 1
    while True:
        at = blank(data, at, stop)
        notes[0], notes[1] = at, oddities
        if at >= stop:
            return SYNTAX
        if data[at] == (_CLOSE_LIST if listed else _CLOSE):
            at += 1
            first = False
            if depth == 0:
                notes[0] = blank(data, at, stop)
                return OK if notes[0] == stop else SYNTAX
            depth -= 1
            listed, message, cell = stack[depth, 0], stack[depth, 1], stack[depth, 2]
            row, table, stride = stack[depth, 3], stack[depth, 4], stack[depth, 5]
            continue
        if not first:
            if data[at] != _COMMA:
                return SYNTAX
            at = blank(data, at + 1, stop)
        first = False
        if listed == _PAIRS and rows[table] < limits[table]:
            cell_of_pair = bases[table] + rows[table] if fill else np.int64(0)
            behind = _pair(data, at, stop, cells, cell_of_pair, limits[table])
            if behind > 0:
                if fill:
                    cells[cell_of_pair] = row
                rows[table] += 1
                at = behind
                continue
        operation, form, action, column = np.int64(0), np.int64(0), np.int64(_MESSAGE), np.int64(0)
        child, child_table, place = message, table, np.int64(-1)
        if not listed:
            if at >= stop or data[at] != _QUOTE:
                return SYNTAX
            name, at = string(data, at, stop)
            if at < 0:
                return SYNTAX
            at = blank(data, at, stop)
            if at >= stop or data[at] != _COLON:
                return SYNTAX
            at = blank(data, at + 1, stop)
            place = _field(data, name, names, message, closers)
            if place >= 0:
                operation = operations[place]
                form, action, column = (operation >> 36) & 15, (operation >> 4) & 15, (operation >> 8) & 255
                child, child_table = (operation >> 16) & 255, ((operation >> 24) & 255) - 1
        if at >= stop:
            return SYNTAX
        opener = data[at]
        if (listed or operation != 0) and action == _MESSAGE and opener == (_OPEN_LIST if form == _MESSAGES else _OPEN):
            if depth >= _FRAMES:
                return DEPTH
            stack[depth, 0], stack[depth, 1], stack[depth, 2] = listed, message, cell
            stack[depth, 3], stack[depth, 4], stack[depth, 5] = row, table, stride
            depth += 1
            at, first, message = at + 1, True, child
            if form == _MESSAGES:
                listed, table = np.int64(1) + ((operation >> 33) & 1), child_table
                continue
            if listed == 0:
                cell += column * stride
                table = table if column == 0 else np.int64(-1)
            elif table >= 0:
                parent, row = row, rows[table]
                rows[table] = row + 1
                if fill:
                    cell, stride = bases[table] + row, limits[table]
                    cells[cell] = parent
                elif row >= limits[table]:
                    return ITEMS
            listed = np.int64(0)
            continue
        begin_value, reference = at, np.int64(0)
        if opener == _QUOTE:
            reference, at = string(data, at, stop)
            reference |= np.int64(0) if form in (_TEXT, _ID, _BYTES) else QUOTED
        else:
            at = skip(data, at, stop, closers)
            reference = begin_value << 32 | (at - begin_value)
        if at < 0:
            return SYNTAX if at == -1 else DEPTH
        if listed:
            # a member that is not an object: a row that says so where rows can, else an oddity
            if table < 0 or faults[table] < 0:
                oddities += 1
                continue
            if fill:
                cells[bases[table] + rows[table]] = row
                cells[bases[table] + rows[table] + faults[table] * limits[table]] = FAULT_SHAPE
            elif rows[table] >= limits[table]:
                return ITEMS
            rows[table] += 1
        elif operation != 0 and opener != _N:
            if not _fits(opener, form, action):
                oddities += 1
                if fill and form == _ID and table >= 0 and faults[table] >= 0:
                    cells[cell + faults[table] * stride] |= FAULT_ID
            elif fill and action in (_VALUE, _OPAQUE):
                cells[cell] = child if action == _VALUE else (place & 31) + 1
                cells[cell + stride] = reference
            elif fill and action != 0:
                cells[cell + column * stride] = reference


@kernel
def walk_all(
    data: Bytes,
    bounds: Numbers,
    wanted: NDArray[np.bool_],
    operations: Numbers,
    names: Numbers,
    fill: bool,
    cells: Numbers,
    bases: Numbers,
    faults: Numbers,
    rows: Numbers,
    limits: Numbers,
    verdicts: Numbers,
) -> None:
    """Walk all wanted bodies, to count or to fill.

    `rows` has a row per body where rows are counted, and one for all where they are filled. `verdicts` gets
    (code, position, oddities) per body.
    """
    stack, notes = np.empty((_FRAMES, 6), np.int64), np.zeros(2, np.int64)
    closers = np.empty(SKIP_DEPTH + PADDING, np.uint8)
    for body in range(len(bounds) - 1):
        if wanted[body]:
            begin, stop, counted = bounds[body], bounds[body + 1], 0 if fill else body
            verdicts[body, 0] = _walk(
                data,
                begin,
                stop,
                np.int64(body),
                operations,
                names,
                fill,
                cells,
                bases,
                faults,
                rows[counted],
                limits,
                stack,
                notes,
                closers,
            )
            verdicts[body, 1], verdicts[body, 2] = notes[0] - begin, notes[1]
