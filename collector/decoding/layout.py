"""Which field of which OTLP message goes into which column: one description that all readers of a signal share.

A signal is a set of messages and a set of tables. Reading fills *cells*: each table is a matrix of 64-bit numbers,
column by column, whose column 0 is the row of the parent. A number is stored as such, a text or an id as a
*reference* into the received bytes (`offset << 32 | length`), an `AnyValue` as two columns: its type and its number
or reference.
Field numbers and names are those of opentelemetry-proto 1.11.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

# Wire types, https://protobuf.dev/programming-guides/encoding/#structure
VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5

# What a reader does with a field
PASS: Final = 0  # known, checked, not kept
NUMBER: Final = 1  # store the number
REFERENCE: Final = 2  # store where the text or the id lies
VALUE: Final = 3  # store as the AnyValue type `Field.child`
MESSAGE: Final = 4  # go into the message `Field.child`
OPAQUE: Final = 5  # an array or a map in an AnyValue: check it, keep a reference

# How JSON writes a field
J_MESSAGE: Final = 0
J_MESSAGES: Final = 1
J_TEXT: Final = 2
J_ID: Final = 3
J_UNSIGNED: Final = 4
J_SIGNED: Final = 5
J_DOUBLE: Final = 6
J_BOOL: Final = 7
J_ENUM: Final = 8
J_BYTES: Final = 9
J_VALUE: Final = 10
"""`Layout.forms` only: this column and the next are an `AnyValue`."""

MAX_FIELDS: Final = 32
"""Field numbers of kept messages lie below this."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a message: its number, its JSON name, and what becomes of it."""

    number: int
    name: str
    wire: int
    action: int
    json: int
    column: int = 0
    child: str = ""
    table: int = -1
    code: int = 0

    def operation(self, child: int) -> int:
        """Pack what kernels need to know into one number; `child` is a message's position or `code`.

        Bits 0-3: wire type + 1. 4-7: action. 8-15: column. 16-23: child. 24-31: table + 1. 32: a message that
        occurs once, so that a second one would have to be merged. 33: a `KeyValue` with a row of its own.
        36-39: how JSON writes it.
        """
        pair = self.child == "KeyValue" and self.table >= 0
        once = self.action in {MESSAGE, OPAQUE} and self.json == J_MESSAGE
        low = (self.wire + 1) | self.action << 4 | max(self.column, 0) << 8 | child << 16 | (self.table + 1) << 24
        return low | once << 32 | pair << 33 | self.json << 36


def _hash(name: bytes) -> int:
    """Mix a name into 64 bits, eight bytes at a time: the same as `json_kernels` computes; as a signed number."""
    odd, mask = 0x9E3779B97F4A7C15, (1 << 64) - 1
    value = len(name)
    for at in range(0, len(name), 8):
        value = ((value ^ int.from_bytes(name[at : at + 8], "little")) * odd) & mask
        value ^= value >> 29
    value = (value * odd) & mask
    return value - (1 << 64) if value >> 63 else value


@dataclass(frozen=True, slots=True)
class Layout:
    """A signal's messages and tables as arrays that kernels read.

    `operations` has `MAX_FIELDS` numbers per message (`Field.operation`; 0: no such field); message 0 is the request.
    `names` has as many slots per message: (hash of a field's JSON name, place in `operations`), the first slot being
    the hash's upper five bits and an empty one (0, 0). `widths` are the columns per table, `forms` the JSON form of
    what is kept in (table, column).
    """

    tables: tuple[str, ...]
    widths: NDArray[np.int64]
    operations: NDArray[np.int64]
    names: NDArray[np.int64]
    columns: Mapping[str, tuple[str, ...]]
    forms: Mapping[tuple[int, int], int]


def _forms(messages: Mapping[str, Sequence[Field]]) -> dict[tuple[int, int], int]:
    """Follow the messages from the request; return the JSON form of each (table, column) that is filled."""
    forms: dict[tuple[int, int], int] = {}
    ahead = [(next(iter(messages)), -1, 0)]
    seen = set(ahead)
    while ahead:
        message, table, shift = ahead.pop()
        for entry in messages[message]:
            if entry.action == MESSAGE:
                step = (entry.child, table, shift + entry.column) if entry.table < 0 else (entry.child, entry.table, 0)
                if step not in seen:
                    seen.add(step)
                    ahead.append(step)
            elif entry.action in {NUMBER, REFERENCE}:
                forms[table, shift + entry.column] = entry.json
            elif entry.action == VALUE:
                forms[table, shift] = J_VALUE
    return forms


def _enter(names: NDArray[np.int64], message: int, name: int, place: int) -> None:
    """Put a name into the first free slot from its own on."""
    slot = (name >> 59) & 31
    while names[message * MAX_FIELDS + slot, 0]:
        slot = (slot + 1) & 31
    names[message * MAX_FIELDS + slot] = name, place


def layout(messages: Mapping[str, Sequence[Field]], tables: Mapping[str, tuple[str, ...]]) -> Layout:
    """Compile a description; the first message is the request, `tables` are names of columns per table."""
    position = {name: at for at, name in enumerate(messages)}
    operations = np.zeros(len(messages) * MAX_FIELDS, np.int64)
    names = np.zeros((len(messages) * MAX_FIELDS, 2), np.int64)
    for message, its_fields in messages.items():
        for entry in its_fields:
            at = position[message] * MAX_FIELDS + entry.number
            operations[at] = entry.operation(position[entry.child] if entry.child else entry.code)
            _enter(names, position[message], _hash(entry.name.encode()), at)
    widths = np.array([len(columns) for columns in tables.values()], np.int64)
    return Layout(tuple(tables), widths, operations, names, dict(tables), _forms(messages))
