"""Protobuf wire format → cells, as compiled loops without an object per item.

Two passes over the received bytes. The first checks every byte of every known message and counts the items per body,
so that a bomb of empty items costs nothing (`WireLimits`); the second fills cells of exactly that size. A body that
fails keeps its error to itself. What the official parser does is done here too: unknown fields are passed over, a
known field of another wire type counts as unknown, the last of a repeated singular field wins. Known differences:
a group (deprecated, in no OTLP message) is an error; text that is not UTF-8 is found later and costs one span, not
the body; an array or a map that is sent twice for one value is replaced, not merged (`Cells.oddities` counts it).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from seamscope.byte_kernels import PADDING, load8, piece
from seamscope.kernel import kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from collector.decoding.layout import Layout

    Bytes = NDArray[np.uint8]
    Numbers = NDArray[np.int64]
    Int = np.int64

_OK: Final = 0
_CUT: Final = 1
_VARINT: Final = 2
_TAG: Final = 3
_GROUP: Final = 4
_DEPTH: Final = 5
_ITEMS: Final = 6

_FRAMES: Final = 100
"""Nested messages, as in the official parser."""
_MESSAGES: Final = 10_000_000
"""Messages of one body that are walked step by step: far more than 64 MiB of real spans have, scopes' attributes and
what nests in values included. (Attributes of the usual shape are read in one step.)"""

LARGE_BYTES: Final = 8 * 1024 * 1024
"""From this size on, a body that comes alone is counted where it lies."""

_VALUE: Final = 3
_OPAQUE: Final = 5
_EMPTY, _STRING, _BOOL, _INT, _DOUBLE = 0, 1, 2, 3, 4


@piece
def _varint(data: Bytes, at: Int, end: Int, longest: Int) -> tuple[Int, Int]:
    """Return a varint as 64 bits and the position behind it; -1: cut off, -2: more than `longest` bytes.

    Bits beyond the 64th are lost, as in the official parser.
    """
    value = np.int64(0)
    for place in range(longest):
        if at >= end:
            return np.int64(0), np.int64(-1)
        byte = np.int64(data[at])
        at += 1
        value |= (byte & 127) << (7 * place)
        if byte < 128:
            return value, at
    return np.int64(0), np.int64(-2)


@piece
def _four(data: Bytes, at: Int) -> Int:
    """Return four bytes as a number; unlike `load8`, it touches nothing behind them."""
    low = np.int64(data[at]) | np.int64(data[at + 1]) << 8
    return low | np.int64(data[at + 2]) << 16 | np.int64(data[at + 3]) << 24


@piece
def _pair(data: Bytes, at: Int, end: Int, cells: Numbers, cell: Int, stride: Int) -> bool:
    """Read a `KeyValue` of the shape that emitters write: key, then one short scalar. False: it has another shape.

    Fills the cells of the row behind `cell` (key, type, value; `stride` apart) unless there are none.
    """
    size = end - at
    if size < 6 or data[at] != 0x0A or data[at + 1] > 127:
        return False
    key = (at + 2) << 32 | np.int64(data[at + 1])
    at += 2 + np.int64(data[at + 1])
    if at + 4 > end or data[at] != 0x12 or data[at + 1] > 127 or at + 2 + np.int64(data[at + 1]) != end:
        return False
    tag = data[at + 2]
    at += 3
    kind, value = np.int64(0), np.int64(0)
    if tag == 0x0A and data[at] < 128 and at + 1 + np.int64(data[at]) == end:
        kind, value = np.int64(_STRING), (at + 1) << 32 | np.int64(data[at])
    elif tag in (0x18, 0x10):
        kind = np.int64(_INT if tag == 0x18 else _BOOL)
        value, at = _varint(data, at, end, np.int64(10))
        if at != end:
            return False
        if tag == 0x10:
            value = np.int64(value != 0)
    elif tag == 0x21 and at + 8 == end:
        kind, value = np.int64(_DOUBLE), np.int64(load8(data, at))
    else:
        return False
    if len(cells) > 0:
        cells[cell + stride], cells[cell + 2 * stride], cells[cell + 3 * stride] = key, kind, value
    return True


@piece
def _walk(  # noqa: C901, PLR0912, PLR0915 - one loop, so that its state stays in registers
    data: Bytes,
    begin: Int,
    stop: Int,
    body: Int,
    operations: Numbers,
    fill: bool,
    cells: Numbers,
    bases: Numbers,
    rows: Numbers,
    limits: Numbers,
    max_values: Int,
    stack: Numbers,
    notes: Numbers,
) -> int:
    """Walk one body; count rows into `rows` (pass 1) or fill their cells (pass 2). Returns an error's code.

    `stack` is scratch of shape (frames, 7): end, message, first cell, row, fields seen, values open, and how far the
    cells of a row are apart: a table's columns lie one behind the other, as long as `limits` says in pass 2.
    `notes` gets the position of an error and the number of oddities.
    """
    at, start, depth, oddities, code = np.int64(begin), np.int64(begin), np.int64(0), np.int64(0), _OK
    end, message, cell, row = np.int64(stop), np.int64(0), np.int64(0), np.int64(body)
    seen, values, stride, messages = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    while True:
        while at == end and depth > 0:
            depth -= 1
            end, message, cell = stack[depth, 0], stack[depth, 1], stack[depth, 2]
            row, seen, values, stride = stack[depth, 3], stack[depth, 4], stack[depth, 5], stack[depth, 6]
        if at == end:
            break
        start = at
        tag = np.int64(data[at])
        at += 1
        if tag >= 128:
            tag, at = _varint(data, start, end, np.int64(5))
            if at < 0 or tag < 0 or tag > 0xFFFFFFFF:
                code = _CUT if at == -1 else _TAG
                break
        number, wire = tag >> 3, tag & 7
        if number == 0:
            code = _TAG
            break
        size, value = np.int64(0), np.int64(0)
        if wire & 5 == 0:  # 0, 2
            if at >= end:
                code = _CUT
                break
            value = np.int64(data[at])
            if value < 128:
                at += 1
            else:
                value, at = _varint(data, at, end, np.int64(5 if wire == 2 else 10))
                if at < 0:
                    code = _CUT if at == -1 else _VARINT
                    break
            if wire == 2:
                size = value
                if size < 0 or size > end - at:
                    code = _CUT
                    break
                value = (at << 32) | size
        elif wire & 3 == 1:  # 1, 5
            if end - at < (8 if wire == 1 else 4):
                code = _CUT
                break
            value = np.int64(load8(data, at)) if wire == 1 else _four(data, at)
            at += 8 if wire == 1 else 4
        else:
            code = _GROUP if wire < 5 else _TAG
            break
        operation = operations[(message << 5) + number] if number < 32 else np.int64(0)
        if (operation & 15) != wire + 1:
            oddities += operation != 0
            at += size
            continue
        action, column, child = (operation >> 4) & 15, (operation >> 8) & 255, (operation >> 16) & 255
        if action <= _VALUE:
            if fill and action == _VALUE:
                cells[cell] = child
                if child == _BOOL:
                    value = np.int64(value != 0)
                cells[cell + stride] = value if child != _EMPTY else 0
            elif fill and action != 0:
                cells[cell + column * stride] = value
            at += size
            continue
        if (operation >> 32) & 1:
            oddities += (seen >> number) & 1
            seen |= np.int64(1) << number
        if action == _OPAQUE and fill:
            cells[cell] = number + 1
            cells[cell + stride] = value
            at += size
            continue
        table = ((operation >> 24) & 255) - 1
        if (operation >> 33) & 1 and rows[table] < limits[table]:
            cell_of_pair = bases[table] + rows[table] if fill else np.int64(0)
            if _pair(data, at, at + size, cells, cell_of_pair, limits[table]):
                if fill:
                    cells[cell_of_pair] = row
                rows[table] += 1
                at += size
                continue
        if depth >= _FRAMES or (action == _OPAQUE and values >= max_values):
            code = _DEPTH
            break
        messages += 1
        if messages > _MESSAGES:
            code = _ITEMS
            break
        stack[depth, 0], stack[depth, 1], stack[depth, 2] = end, message, cell
        stack[depth, 3], stack[depth, 4], stack[depth, 5], stack[depth, 6] = row, seen, values, stride
        depth += 1
        end, message, seen = at + size, child, np.int64(0)
        values += action == _OPAQUE
        cell += column * stride
        if table >= 0:
            parent, row = row, rows[table]
            rows[table] = row + 1
            if fill:
                cell, stride = bases[table] + row, limits[table]
                cells[cell] = parent
            elif row >= limits[table]:
                code = _ITEMS
                break
    notes[0], notes[1] = start, oddities
    return code


@kernel
def _walk_all(
    data: Bytes,
    bounds: Numbers,
    wanted: NDArray[np.bool_],
    operations: Numbers,
    fill: bool,
    cells: Numbers,
    bases: Numbers,
    rows: Numbers,
    limits: Numbers,
    max_values: Int,
    verdicts: Numbers,
) -> None:
    """Walk all wanted bodies, to count or to fill.

    `rows` has a row per body where rows are counted, and one for all where they are filled. `verdicts` gets
    (code, position, oddities) per body.
    """
    stack = np.empty((_FRAMES, 7), np.int64)
    notes = np.zeros(2, np.int64)
    for body in range(len(bounds) - 1):
        if wanted[body]:
            begin, stop, counted = bounds[body], bounds[body + 1], 0 if fill else body
            verdicts[body, 0] = _walk(
                data,
                begin,
                stop,
                np.int64(body),
                operations,
                fill,
                cells,
                bases,
                rows[counted],
                limits,
                max_values,
                stack,
                notes,
            )
            verdicts[body, 1], verdicts[body, 2] = notes[0] - begin, notes[1]


_WORDS: Final = {
    _CUT: "protobuf is cut off or overruns its length at byte {at}",
    _VARINT: "protobuf has a number of too many bytes at byte {at}",
    _TAG: "protobuf has an impossible tag at byte {at}",
    _GROUP: "protobuf has a group at byte {at}, which OTLP never has",
    _DEPTH: "protobuf is nested too deep at byte {at}",
    _ITEMS: "more items than one request may hold, at byte {at}",
}


@dataclass(frozen=True, slots=True)
class WireLimits:
    """What one body may hold: rows per table of its layout, and how deep values nest.

    The defaults let 64 MiB of real spans pass: spans that do useful work take 150 bytes and more (a bare one, with ids,
    times and a short name, 70), attributes 26 and more. They bound what a hostile body of two-byte items can grow to.
    """

    groups: int = 100_000
    """Resources, and scopes."""
    records: int = 500_000
    """Spans, events, links, log records, data points: of each."""
    attributes: int = 2_500_000
    """Of resources, spans, events and links: of each."""
    value_depth: int = 32

    def rows(self, tables: Sequence[str]) -> Numbers:
        """Return the greatest number of rows per table."""
        groups = {"resources": self.groups, "scopes": self.groups}
        per_table = [self.attributes if "attributes" in name else groups.get(name, self.records) for name in tables]
        return np.array(per_table, np.int64)


@dataclass(frozen=True, slots=True)
class Cells:
    """A batch of bodies as cells: see `collector.decoding.layout`.

    Attributes:
        data: the bodies, one behind the other; references point into it.
        cells: the tables' cells, one table behind the other, column by column.
        bases: where each table begins in `cells`, and where the last one ends.
        errors: per body why it could not be read, or None.
        oddities: per body, known fields that were passed over for their shape, and values that were sent twice.
        from_json: ids are hexadecimal, doubles are references to their text, arrays and maps to JSON.
    """

    layout: Layout
    data: Bytes
    cells: Numbers
    bases: Numbers
    errors: tuple[str | None, ...]
    oddities: Numbers
    from_json: bool = False

    def table(self, name: str) -> Numbers:
        """Return a table as a matrix (rows, columns), not copied; its columns are contiguous."""
        at = self.layout.tables.index(name)
        return self.cells[self.bases[at] : self.bases[at + 1]].reshape(int(self.layout.widths[at]), -1).T


def joined(bodies: Sequence[bytes]) -> tuple[Bytes, Numbers]:
    """Return all bodies in one read-only, padded array, and where each begins (one more number than bodies)."""
    bounds = np.zeros(len(bodies) + 1, np.int64)
    np.cumsum([len(body) for body in bodies], out=bounds[1:])
    return np.frombuffer(b"".join([*bodies, bytes(PADDING)]), np.uint8), bounds


def _countable(bodies: Sequence[bytes]) -> tuple[Bytes, Numbers]:
    """Return what `joined` does, good for the first pass: a large body as it lies, for a bomb is not worth a copy."""
    if len(bodies) != 1 or len(bodies[0]) < LARGE_BYTES:
        return joined(bodies)
    return np.frombuffer(bodies[0], np.uint8), np.array([0, len(bodies[0])], np.int64)


def room(layout: Layout, rows: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Return empty cells for the rows that bodies have per table, where each table begins, and each table's rows."""
    totals = rows.sum(axis=0)
    bases = np.zeros(len(totals) + 1, np.int64)
    np.cumsum(layout.widths * totals, out=bases[1:])
    return np.zeros(int(bases[-1]), np.int64), bases, totals


def read_wire(bodies: Sequence[bytes], layout: Layout, limits: WireLimits | None = None) -> Cells:
    """Read request bodies; together they are less than 2 GiB. Never raises for what a body holds."""
    bounded = limits or WireLimits()
    data, bounds = _countable(bodies)
    rows = np.zeros((len(bodies), len(layout.tables)), np.int64)
    verdicts = np.zeros((len(bodies), 3), np.int64)

    def walk(good: NDArray[np.bool_], cells: Numbers, bases: Numbers, counts: Numbers, limit: Numbers) -> None:
        fill, depth = len(cells) > 0, np.int64(bounded.value_depth)
        _walk_all(data, bounds, good, layout.operations, fill, cells, bases, counts, limit, depth, verdicts)

    walk(np.ones(len(bodies), np.bool_), np.zeros(0, np.int64), layout.widths, rows, bounded.rows(layout.tables))
    errors = tuple(_WORDS[code].format(at=at) if code else None for code, at, _ in verdicts.tolist())
    good = verdicts[:, 0] == _OK
    oddities = np.where(good, verdicts[:, 2], 0)
    cells, bases, totals = room(layout, rows[good])
    if totals.any():
        data = data if len(data) > bounds[-1] else joined(bodies)[0]
        walk(good, cells, bases, np.zeros((1, len(totals)), np.int64), totals)
    return Cells(layout, data, cells, bases, errors, oddities)
