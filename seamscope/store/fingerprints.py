"""What makes two sent spans the same: everything the emitter said of them, boiled down to 64 bits.

Columns that the door derives are left out, so that a changed rule does not make a retry look new, but for those that
attributes refer to. The digests hold within one process only (they are Polars' hashes): after a start they are taken
anew from the stored rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow as pa

from seamscope.store.packing import KEYS, REFERENCES, TEXTS

if TYPE_CHECKING:
    import numpy as np

    U64 = np.ndarray[Any, np.dtype[np.uint64]]

KEY: Final = ("trace_hi", "trace_lo", "span_id", "kind")
SAID: Final = (
    *KEY,
    "parent_id",
    "flags",
    "start_ns",
    "end_ns",
    "status",
    "status_message",
    "name",
    "trace_state",
    "resource_id",
    "scope",
    "scope_version",
    TEXTS,
    *REFERENCES,
    "dropped_attributes",
)
EVENT_SAID: Final = ("at_ns", "name", "attributes")


def frame(table: pa.Table, columns: tuple[str, ...]) -> pl.DataFrame:
    """Give some columns as a frame, dictionaries as plain text: a word's hash must not depend on its batch."""
    return pl.DataFrame(pa.table({name: _plain(table[name]) for name in columns}))


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def fingerprints(spans: pa.Table, events: pa.Table | None) -> U64:
    """Give each span's fingerprint; its events count, in any order."""
    rows = frame(spans, SAID)
    digest = rows.with_columns(_hashed(spans[KEYS]).alias(KEYS)).hash_rows()
    if events is None or not events.num_rows:
        return digest.to_numpy()
    return (digest + _of_events(rows.select(KEY), events)).to_numpy()


def _hashed(texts: pa.ChunkedArray) -> pl.Series:
    """Hash texts, each once where they come as a dictionary: lists of keys are long, and few."""
    column = texts.combine_chunks()
    if not pa.types.is_dictionary(column.type):
        plain = pl.Series(column, dtype=pl.String)
        return pl.select(pl.when(plain.is_not_null()).then(plain.hash())).to_series()
    places = pl.Series(column.indices)
    return pl.Series(column.dictionary, dtype=pl.String).hash().gather(places)


def _of_events(spans: pl.DataFrame, events: pa.Table) -> pl.Series:
    """Give a number per span that changes with its events. A span that is twice in a batch brings its events twice."""
    said = frame(events, EVENT_SAID).hash_rows().alias("said")
    of_key = (
        frame(events, KEY)
        .with_columns(said)
        .group_by(KEY)
        .agg(pl.col("said").min().alias("least"), pl.col("said").max().alias("most"), pl.len().alias("events"))
    )
    copies = spans.with_columns(pl.len().over(KEY).alias("copies"))
    joined = copies.join(of_key, on=KEY, how="left", maintain_order="left")
    shape = joined.select("least", "most", pl.col("events") // pl.col("copies"))
    return pl.select(pl.when(joined["events"].is_null()).then(0).otherwise(shape.hash_rows())).to_series()
