"""Correlation ids as they are stored: most are 128 random bits in hex, and as text cannot be compressed.

As a number such an id takes 16 bytes, not 32 or 36, and a third of the work: to make a million into numbers took 0.10 s
of CPU and to insert them 0.24, to insert them as text 1.16. The form it was sent in is the same for all ids of a
sender, and is kept with what spans share (`seamscope.store.shapes`). An id of another form stays a text, to the letter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
import pyarrow as pa

from seamscope.store.correlation_kernels import HEX_FORM, UUID_FORM, numbered
from seamscope.store.packing import plain, texts_of

if TYPE_CHECKING:
    from collections.abc import Mapping

TEXT: Final = "correlation_id"
NUMBER: Final = "correlation_uuid"
FORM: Final = "correlation_form"
KEPT: Final[Mapping[str, pl.DataType]] = {NUMBER: pl.String(), FORM: pl.UInt8()}
"""The columns that the store has beside that of texts, as they are read."""


def with_numbers(spans: pa.Table) -> pa.Table:
    """Move ids that are 128 bits in hex to the columns `NUMBER` (UUID) and `FORM`; the others stay where they are."""
    if TEXT not in spans.column_names or spans[TEXT].null_count == spans.num_rows:
        return spans
    texts = plain(spans[TEXT])
    forms, numbers = numbered(*texts_of(texts))
    told = forms > 0
    if not told.any():
        return spans
    valid = pa.array(told).buffers()[1]
    held = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(told), [valid, pa.py_buffer(numbers)])
    rest = texts.take(pa.array(np.arange(len(told)), mask=told))
    return (
        spans.set_column(spans.column_names.index(TEXT), TEXT, rest)
        .append_column(NUMBER, pa.ExtensionArray.from_storage(pa.uuid(), held))
        .append_column(FORM, pa.array(forms, mask=~told))
    )


def with_texts(spans: pl.DataFrame) -> pl.DataFrame:
    """Put the ids that `NUMBER` and `FORM` tell back among the texts: as `base.correlation_text` does in SQL."""
    number, form = pl.col(NUMBER), pl.col(FORM)
    if spans.get_column(NUMBER).null_count() < spans.height:
        hexed = number.str.replace_all("-", "", literal=True)
        told = pl.when(form == HEX_FORM).then(hexed).when(form == UUID_FORM).then(number).otherwise(pl.col(TEXT))
        spans = spans.with_columns(told.alias(TEXT))
    return spans.drop(NUMBER, FORM)
