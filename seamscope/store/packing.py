"""Attributes as they are stored: two texts a span, its keys and its values, each joined by U+001F.

A list of pairs costs DuckDB 20 texts to compress for a span of ten attributes: 3.2 s of CPU per million spans, where
these two cost 0.9; and the texts of keys repeat, so that they are worked on once per dictionary entry, not per span.
The macros of `sql/views/pairs.sql` undo it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

BETWEEN: Final = "\x1f"
_ESCAPE: Final = "\x1b"
_ESCAPED: Final = ((_ESCAPE, _ESCAPE + "e"), (BETWEEN, _ESCAPE + "s"))
NULL: Final = _ESCAPE + "n"
"""A value that is none: an attribute may be sent with nothing in it."""

_NO_PAIR: Final = pa.scalar(0, pa.int32())
_NO_TEXT: Final = pa.scalar(None, pa.string())
_NULL: Final = pa.scalar(NULL)
_BETWEEN: Final = pa.scalar(BETWEEN)
"""Made once: Arrow looks for a package that is not installed each time it is given a Python value, 0.5 ms a time."""

KEYS: Final = "attribute_keys"
TEXTS: Final = "attribute_texts"


def packed(spans: pa.Table) -> pa.Table:
    """Put `attribute_keys` and `attribute_texts` in place of `attributes`; both are null where there are none."""
    place = spans.schema.get_field_index("attributes")
    lists = pa.array(spans.column(place).combine_chunks())
    none = pc.equal(pc.fill_null(pc.list_value_length(lists), _NO_PAIR), _NO_PAIR)
    rest = spans.remove_column(place)
    for name, field in ((KEYS, "key"), (TEXTS, "value")):
        joined = pc.binary_join(_texts(lists, field), _BETWEEN)
        rest = rest.append_column(name, pc.if_else(none, _NO_TEXT, joined))
    return rest


def _texts(lists: pa.ListArray, field: str) -> pa.ListArray:
    """Give one field of every pair, in lists as before, safe to be joined."""
    texts = pc.struct_field(lists.values, field)
    return pa.ListArray.from_arrays(lists.offsets, pc.fill_null(_escaped(texts), _NULL))


def _escaped(texts: pa.StringArray) -> pa.StringArray:
    for sign, instead in _ESCAPED:
        if _has(texts, ord(sign)):
            texts = pc.replace_substring(texts, sign, instead)
    return texts


def _has(texts: pa.StringArray, byte: int) -> bool:
    """Tell whether a byte is in a column's text at all: a hundredth of the work of asking every row."""
    data = texts.buffers()[2]
    return data is not None and bool((np.frombuffer(data, np.uint8) == byte).any())
