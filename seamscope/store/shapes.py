"""What many spans share, kept once: the columns of `base.span_shapes`, to which a span's `shape_no` points.

A batch's spans are told apart by a digest of 64 bits of these columns, whose seeds are random in every process, so
that nobody can send two shapes that look the same. Of spans of ten attributes that takes 0.6 s of CPU a million, and
saves the writing of 39 columns.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from seamscope.store.known import Known
from seamscope.store.layout import LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    U64 = np.ndarray[Any, np.dtype[np.uint64]]

SHAPE: Final = "shape"
"""The column of digests in a batch that is ready; it is not kept."""

_SPANS: Final = LAYOUTS["spans"]
_SEEDS: Final = {name: secrets.randbits(63) for name in _SPANS.shared}


class Shaped(NamedTuple):
    """Spans that point to what they share."""

    spans: pa.Table
    fresh: pa.Table
    """Rows of `base.span_shapes` that are not kept yet."""
    digests: U64
    """Their digests."""


def digests(spans: pa.Table, columns: Iterable[str] = _SPANS.shared) -> U64:
    """Give, by span, the digest of what it shares with others; no value and no such column are the same.

    Digests of other columns add up to that of all.
    """
    given = dict(zip(spans.column_names, spans.columns, strict=True))
    held = {name: given[name] for name in columns if name in given and given[name].null_count < spans.num_rows}
    words = {name: column for name, column in held.items() if pa.types.is_dictionary(column.type)}
    plain = pl.DataFrame(pa.table({name: column for name, column in held.items() if name not in words}))
    each = [_hashed(name, nulls=column.null_count > 0) for name, column in held.items() if name not in words]
    found = (
        plain.select(pl.sum_horizontal(each)).to_series() if each else pl.zeros(spans.num_rows, pl.UInt64, eager=True)
    )
    for name, column in words.items():
        found = found + _of_words(name, column.combine_chunks())
    return found.to_numpy()


def _hashed(name: str, *, nulls: bool) -> pl.Expr:
    """Hash values, 0 for nulls."""
    digest = pl.col(name).hash(_SEEDS[name])
    return pl.when(pl.col(name).is_not_null()).then(digest).otherwise(pl.lit(0, pl.UInt64)) if nulls else digest


def _of_words(name: str, words: pa.DictionaryArray) -> pl.Series:
    """Hash words that come as a dictionary, once each, 0 for nulls."""
    digest = pl.Series(words.dictionary, dtype=pl.String).hash(_SEEDS[name])
    return digest.gather(pl.Series(words.indices)).fill_null(0)


class Shapes:
    """The shapes that are kept, by digest; `last_no` is the last number given."""

    def __init__(self, last_no: int) -> None:
        self._kept = Known(last_no)

    def forget(self) -> None:
        """Take nothing for kept; numbers go on."""
        self._kept.forget()

    def shaped(self, spans: pa.Table) -> Shaped:
        """Put numbers of shapes in the place of what spans share; nothing is remembered of the fresh ones yet."""
        each, first, of_row = np.unique(spans[SHAPE].to_numpy(), return_index=True, return_inverse=True)
        numbers, new = self._kept.numbers(each)
        given = spans.column_names  # asked for once: it is made anew each time
        shared = [name for name in _SPANS.shared if name in given]
        fresh = spans.select(shared).take(pa.array(first[new])).append_column(_SPANS.shape, pa.array(numbers[new]))
        rest = spans.select([name for name in given if name not in {SHAPE, *shared}])
        return Shaped(rest.append_column(_SPANS.shape, pa.array(numbers[of_row])), fresh, each[new])

    def kept(self, fresh: Shaped) -> None:
        """Remember shapes that are stored now."""
        self._kept.keep(fresh.digests, fresh.fresh[_SPANS.shape].to_numpy())
