"""Cells → columns: texts, ids, enumerations and attribute tables of any signal, a kernel call per column."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.decoding import flat
from collector.decoding.flat import AttributeColumns
from collector.decoding.id_kernels import factorise, identities
from collector.decoding.json_values import WORD, json_room, spell_json
from collector.decoding.text_kernels import measure_text, write_text
from collector.decoding.value_kernels import scalar_numbers, spell, spelling_bounds
from seamscope.byte_kernels import PADDING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from collector.decoding.wire import Cells

    Numbers = NDArray[np.int64]
    Mask = NDArray[np.bool_]

_NO_BYTES: Final = np.frombuffer(bytes(PADDING), np.uint8)
_SPELLED: Final = np.int64(-(1 << 63))
TEXT_BYTES: Final = 2**31 - 1
"""Arrow's `string` type ends here; see `collector.decoding.decode.BATCH_BYTES`."""


def texts(cells: Cells, references: Numbers, spelled: NDArray[np.uint8] = _NO_BYTES) -> tuple[pa.StringArray, Mask]:
    """Return the texts that references point to, and which of them were not UTF-8."""
    offsets = np.zeros(len(references) + 1, np.int32)
    bad = np.zeros(len(references), np.bool_)
    column = np.ascontiguousarray(references)
    size = measure_text(cells.data, spelled, column, offsets, bad)
    if size > TEXT_BYTES:
        raise OverflowError("a batch holds more than 2 GiB of text in one column")
    out = np.empty(size + PADDING, np.uint8)
    write_text(cells.data, spelled, column, offsets, bad, out)
    return pa.StringArray.from_buffers(len(references), pa.py_buffer(offsets), pa.py_buffer(out[:size])), bad


def ids(cells: Cells, references: Numbers, size: int) -> tuple[flat.U64, flat.U64, flat.U8, Mask]:
    """Return ids of `size` bytes: high half (0 for 8 bytes), low half, bytes sent, and which are not hexadecimal."""
    return identities(cells.data, np.ascontiguousarray(references), size, cells.from_json)


def enumeration(cells: Cells, column: Numbers, words: Sequence[str], prefix: str) -> flat.I32:
    """Return an enumeration's numbers; words (of JSON) in any case, with or without `prefix`, unknown ones 0."""
    numbers: flat.I32 = column.astype(np.int32)
    named = np.flatnonzero(column >> 62 == 1) if cells.from_json else _NO_BYTES[:0]
    if len(named):
        sent = pc.ascii_lower(texts(cells, column[named] & ~WORD)[0])
        found = pc.index_in(pc.replace_substring_regex(sent, "^" + prefix, ""), value_set=pa.array(words, pa.string()))
        numbers[named] = pc.fill_null(found, 0).to_numpy(zero_copy_only=False)
    return numbers


def spell_doubles(numbers: Numbers, quote: str = "") -> pa.StringArray:
    """Return the shortest text of each double (given as its bits) that reads back as the same double.

    What is not finite reads as protobuf's JSON has it, between `quote`s.
    """
    doubles = numbers.view(np.float64)
    spelled = pc.cast(pa.array(doubles), pa.string())
    strange = ~np.isfinite(doubles)
    if strange.any():
        which = np.where(np.isnan(doubles), 0, np.where(doubles > 0, 1, 2))
        names = pa.array([f"{quote}{name}{quote}" for name in ("NaN", "Infinity", "-Infinity")])
        spelled = pc.if_else(pa.array(strange), names.take(pa.array(which)), spelled)
    return spelled


def _parts(array: pa.StringArray) -> tuple[Numbers, NDArray[np.uint8]]:
    """Return an unsliced array's offsets and bytes."""
    _, offsets, data = array.buffers()
    ends = np.frombuffer(offsets, np.int32, len(array) + 1).astype(np.int64)
    return ends, np.frombuffer(data, np.uint8) if data is not None and data.size else _NO_BYTES[:0]


def _frozen(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the array read-only, so that kernels see one type whatever a buffer's origin."""
    array.flags.writeable = False
    return array


class _Speller:
    """Collects texts that are not in the received bytes, and hands out references to them."""

    def __init__(self, cells: Cells, kinds: flat.U8, values: Numbers) -> None:
        self._cells = cells
        self._kinds = kinds
        self._values = values
        self._chunks: list[NDArray[np.uint8]] = []
        self.references = self._spell()

    @property
    def bytes(self) -> NDArray[np.uint8]:
        """All texts, one behind the other."""
        return _frozen(np.concatenate([*self._chunks, _NO_BYTES]))

    def _run(self, room: int, doubles: Numbers, spelled: NDArray[np.uint8]) -> tuple[Numbers, np.int64]:
        out = np.empty(room, np.uint8)
        data, from_json = self._cells.data, self._cells.from_json
        references, used, met = spell(data, self._kinds, self._values, from_json, out, doubles, spelled)
        self._chunks = [out[:used]]
        return references, met

    def _spell(self) -> Numbers:
        room, most = spelling_bounds(self._kinds, self._values, self._cells.from_json)
        doubles = np.zeros((most, 3), np.int64)
        references, met = self._run(room, doubles, _NO_BYTES)
        if met:
            ends, spelled = _parts(spell_doubles(np.ascontiguousarray(doubles[:met, 0]), '"'))
            doubles[:met, 1], doubles[:met, 2] = ends[:-1], ends[1:]
            references, _ = self._run(room, doubles, _frozen(np.concatenate([spelled, _NO_BYTES])))
        return references

    def put(self, rows: NDArray[np.intp], spelled: pa.StringArray) -> None:
        """Give `rows` these texts."""
        begin = sum(len(chunk) for chunk in self._chunks)
        ends, chunk = _parts(spelled)
        self._chunks.append(chunk)
        self.references[rows] = _SPELLED | ((ends[:-1] + begin) << 32) | np.diff(ends)

    def put_json(self, rows: NDArray[np.intp]) -> None:
        """Give `rows`, which are arrays and maps that came as JSON, their texts."""
        kinds, values = self._kinds[rows], self._values[rows]
        begin = sum(len(chunk) for chunk in self._chunks)
        out = np.empty(json_room(values), np.uint8)
        references, used = spell_json(self._cells.data, kinds, values, out)
        self._chunks.append(out[:used])
        self.references[rows] = references + (begin << 32)


def _json_doubles(cells: Cells, references: Numbers) -> Numbers:
    """Return the bits of doubles that JSON sent as text; the reader has checked their grammar."""
    doubles = pc.cast(texts(cells, references)[0], pa.float64()).to_numpy(zero_copy_only=False)
    bits: Numbers = doubles.view(np.int64)
    return bits


def doubles(cells: Cells, references: Numbers) -> NDArray[np.float64]:
    """Return a column of doubles; 0 where none was sent."""
    if not cells.from_json:
        return references.view(np.float64)
    found = np.zeros(len(references), np.int64)
    sent = np.flatnonzero(references)
    found[sent] = _json_doubles(cells, references[sent])
    return found.view(np.float64)


def values(cells: Cells, kinds: flat.U8, cell_values: Numbers, numbers: Numbers) -> tuple[pa.StringArray, Mask]:
    """Return the text of `AnyValue`s, and whose text was not UTF-8; see `flat.AttributeColumns`.

    `numbers` are theirs, apart from the doubles of JSON, which are filled in.
    """
    speller = _Speller(cells, kinds, cell_values)
    doubles = np.flatnonzero(kinds == flat.DOUBLE)
    if len(doubles):
        if cells.from_json:
            numbers[doubles] = _json_doubles(cells, cell_values[doubles])
        speller.put(doubles, spell_doubles(numbers[doubles]))
    nested = np.flatnonzero(kinds >= flat.ARRAY) if cells.from_json else doubles[:0]
    if len(nested):
        speller.put_json(nested)
    return texts(cells, speller.references, speller.bytes)


def _distinct(names: pa.StringArray, codes: flat.I32) -> tuple[pa.StringArray, flat.I32]:
    """Return names without repetition and the codes that go with them: two spellings in JSON can be one key."""
    coded = pc.dictionary_encode(names)
    if len(coded.dictionary) == len(names):
        return names, codes
    return coded.dictionary, coded.indices.to_numpy(zero_copy_only=False).astype(np.int32)[codes]


def attributes(
    cells: Cells, tables: Sequence[str], owners: Mapping[str, Mask] | None = None
) -> tuple[pa.StringArray, list[tuple[AttributeColumns, Mask]]]:
    """Return the distinct keys of attribute tables, and per table its columns and which rows were not UTF-8.

    Of a table named in `owners`, only the rows of the owners marked there.
    """
    matrices = [_of_owners(cells.table(name), (owners or {}).get(name)) for name in tables]
    codes, firsts = factorise(
        cells.data, np.concatenate([rows[:, 1] for rows in matrices]), np.int64(secrets.randbits(62))
    )
    names, bad_names = texts(cells, firsts)
    keys, codes_of_keys = _distinct(names, codes)
    ends = np.cumsum([len(rows) for rows in matrices])[:-1]
    found = []
    for rows, own, key in zip(matrices, np.split(codes, ends), np.split(codes_of_keys, ends), strict=True):
        owner, _, kinds, cell_values = rows.T
        numbers = scalar_numbers(kinds, cell_values)
        text, bad = values(cells, kinds.astype(np.uint8), cell_values, numbers)
        if bad_names.any():
            bad |= bad_names[own]
        found.append((AttributeColumns(owner.astype(np.uint32), key, kinds.astype(np.uint8), numbers, text), bad))
    return keys, found


def _of_owners(rows: Numbers, wanted: Mask | None) -> Numbers:
    return rows if wanted is None else np.asfortranarray(rows[wanted[rows[:, 0]]])


class CellTable:
    """A table's cells by column name; notes which rows have text that is not UTF-8."""

    def __init__(self, cells: Cells, name: str) -> None:
        self._cells = cells
        columns = cells.table(name).T
        self._columns = dict(zip(cells.layout.columns[name], columns, strict=True))
        self.bad = np.zeros(columns.shape[1], np.bool_)

    def __getitem__(self, column: str) -> Numbers:
        """Return a column as it is in the cells."""
        found: Numbers = self._columns[column]
        return found

    def text(self, column: str) -> pa.StringArray:
        """Return a text column."""
        found, bad = texts(self._cells, self[column])
        self.bad |= bad
        return found

    def u32(self, column: str) -> NDArray[np.uint32]:
        """Return a column of unsigned 32-bit numbers; greater ones lose their upper half, as protobuf has it."""
        return self[column].astype(np.uint32)

    def u64(self, column: str) -> NDArray[np.uint64]:
        """Return a column of unsigned 64-bit numbers."""
        return self[column].view(np.uint64)
