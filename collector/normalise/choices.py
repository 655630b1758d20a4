"""Choosing between text columns and joining them.

Constants are made into Arrow scalars once: for a bare Python value pyarrow looks up how to convert it on every call,
which costs more than the call.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable

    from collector.normalise.texts import Mask

NOTHING: Final = pa.scalar(None, pa.string())
_FALSE: Final = pa.scalar(value=False)


@lru_cache(maxsize=256)
def scalar(text: str) -> pa.StringScalar:
    """Return `text` as Arrow has it."""
    return pa.scalar(text, pa.string())


def mask_of(truth: pa.BooleanArray) -> Mask:
    """Return a column of truths as a mask; what is not known is false."""
    known: Any = pc.fill_null(truth, _FALSE) if truth.null_count else truth
    mask: Mask = known.to_numpy(zero_copy_only=False)
    return mask


def valid(column: pa.Array) -> Mask:
    """Return which rows of a column are not null."""
    if column.null_count == 0:
        return np.ones(len(column), np.bool_)
    return mask_of(column.is_valid())


def either(*columns: pa.StringArray | None) -> pa.StringArray | None:
    """Return the first text of each row, None where no column is there."""
    found = [column for column in columns if column is not None]
    return pc.coalesce(*found) if len(found) > 1 else (found or [None])[0]


def only(mask: Mask | pa.BooleanArray, column: pa.StringArray) -> pa.StringArray:
    """Return the column with rows outside `mask` null."""
    return pc.if_else(pa.array(mask) if isinstance(mask, np.ndarray) else mask, column, NOTHING)


def joined(first: pa.StringArray | str, second: pa.StringArray, between: str = " ") -> pa.StringArray:
    """Return two texts with something between them, null where one of them is."""
    left = scalar(first) if isinstance(first, str) else first
    return pc.binary_join_element_wise(left, second, scalar(between))


def each_distinct(column: pa.StringArray, change: Callable[[str], str | None]) -> pa.StringArray:
    """Return `column` with every distinct text put through `change`; nulls stay."""
    if column.null_count == len(column):
        return column
    coded = pc.dictionary_encode(column)
    changed = pa.array([change(text) for text in coded.dictionary.to_pylist()], pa.string())
    return changed.take(coded.indices)
