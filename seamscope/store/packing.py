"""Attributes as they are stored: two texts a span, its keys and its values, each joined by U+001F.

A list of pairs costs DuckDB 20 texts to compress for a span of ten attributes: 3.2 s of CPU per million spans, where
these two cost 0.9; and the texts of keys repeat, so that they are worked on once per dictionary entry, not per span.
A value that a column of the same row holds too (an id, a path) is a reference to it (`REFERENCES`): ids are random and
cannot be compressed, and would be stored twice. The macros of `sql/views/pairs.sql` undo it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from seamscope.store.packing_kernels import BETWEEN, ESCAPE, joined, referred, same_as

if TYPE_CHECKING:
    Bytes = np.ndarray[Any, np.dtype[np.uint8]]
    Offsets = np.ndarray[Any, np.dtype[np.int32]]
    Mask = np.ndarray[Any, np.dtype[np.bool_]]

KEYS: Final = "attribute_keys"
TEXTS: Final = "attribute_texts"
REFERENCES: Final = {"correlation_id": "c", "platform_id": "i", "url_path": "p"}
"""Columns of `base.span_rows` that a value may refer to, and the sign that follows U+001B where it does."""


class Texts(NamedTuple):
    """A column of texts: where each begins, and their bytes."""

    at: Offsets
    data: Bytes


def packed(spans: pa.Table) -> pa.Table:
    """Put `attribute_keys` and `attribute_texts` in place of `attributes`; both are null where there are none."""
    place = spans.schema.get_field_index("attributes")
    lists = _lists(spans.column(place))
    rest = spans.remove_column(place)
    first = np.array(lists.offsets, np.int32)
    none = np.diff(first) == 0
    keys, texts = (lists.values.field(name) for name in ("key", "value"))
    signs = np.zeros(len(lists.values), np.uint8)
    for name, sign in REFERENCES.items():
        if name in rest.column_names and rest[name].null_count < rest.num_rows:
            referred(first, *texts_of(texts), *texts_of(plain(rest[name])), ord(sign), signs)
    rest = rest.append_column(KEYS, _keys(first, keys, none))
    return rest.append_column(TEXTS, _joined(first, texts, signs, none))


def _lists(column: pa.ChunkedArray) -> pa.ListArray:
    """Give lists as one array in which a row that is null holds no pairs."""
    lists = pa.array(column.combine_chunks())
    return lists.take(pa.array(np.arange(len(lists)))) if lists.null_count else lists


def plain(column: pa.ChunkedArray) -> pa.StringArray:
    """Give a column of texts as one array, without a dictionary."""
    array = column.combine_chunks()
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def texts_of(texts: pa.StringArray) -> Texts:
    """Give texts as kernels read them; a null is an empty text."""
    _, offsets, data = texts.buffers()
    at = np.zeros(1, np.int32) if offsets is None else np.frombuffer(offsets, np.int32)
    bytes_ = np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    return Texts(at[texts.offset : texts.offset + len(texts) + 1], bytes_)


def _joined(first: Offsets, texts: pa.StringArray, signs: Bytes, none: Mask) -> pa.StringArray:
    at, data = texts_of(texts)
    nulls = ~texts.is_valid().to_numpy(zero_copy_only=False) if texts.null_count else np.zeros(len(texts), np.bool_)
    odd = _has(data, ESCAPE) or _has(data, BETWEEN)
    where, out = joined(first, at, data, nulls, signs, odd=odd)
    if where[-1] < 0:
        raise pa.ArrowCapacityError("the attributes of a batch come to more than 2 GiB")
    valid = pa.array(~none).buffers()[1]
    return pa.StringArray.from_buffers(len(none), pa.py_buffer(where), pa.py_buffer(out), valid)


def _keys(first: Offsets, keys: pa.StringArray, none: Mask) -> pa.DictionaryArray:
    """Join each row's keys; lists of keys repeat, so that each is joined once."""
    number, seen = same_as(first, *texts_of(keys))
    some = pa.ListArray.from_arrays(pa.array(first), keys).take(pa.array(seen))
    each = _joined(np.array(some.offsets, np.int32), some.values, np.zeros(len(some.values), np.uint8), seen < 0)
    return pa.DictionaryArray.from_arrays(pa.array(number, mask=none), each)


def _has(data: Bytes, byte: int) -> bool:
    """Tell whether a byte is in a column's text at all: a hundredth of the work of asking every row."""
    return bool((data == byte).any())
