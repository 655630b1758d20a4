"""What makes two sent items the same: everything the emitter said of them, boiled down to 64 bits.

Log records have no ids, and one request may hold the very same line twice: the second one is another (`COPY`). One that
says no time at all is like every other of its kind, and tells nothing: its fingerprint is 0. Columns that the door
derives are left out, so that a changed rule does not make a retry look new, but for those that
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
SHARED: Final = ("kind", "flags", "status", "resource_id", "scope", "scope_version", KEYS, "dropped_attributes")
"""What an emitter says that many spans share."""
APART: Final = (
    "trace_hi",
    "trace_lo",
    "span_id",
    "parent_id",
    "start_ns",
    "end_ns",
    "status_message",
    "name",
    "trace_state",
    TEXTS,
    *REFERENCES,
)
"""What it says of each."""
EVENT_SAID: Final = ("at_ns", "name", "attributes")
LOG_SAID: Final = (
    *("trace_hi", "trace_lo", "span_id", "time_ns", "observed_ns", "severity", "severity_text", "event_name", "body"),
    *("resource_id", "scope", "attributes"),
)
POINT_SAID: Final = (
    *("resource_id", "scope", "instrument", "cumulative", "started_ns", "time_ns", "value", "count", "sum", "min"),
    *("max", "attributes"),
)
COPY: Final = "copy"
"""The column that numbers the same record's copies in one request, from 0; it is not kept."""


def frame(table: pa.Table, columns: tuple[str, ...]) -> pl.DataFrame:
    """Give some columns as a frame, dictionaries as plain text: a word's hash must not depend on its batch."""
    return pl.DataFrame(pa.table({name: _plain(table[name]) for name in columns}))


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def fingerprints(spans: pa.Table, shared: U64, events: pa.Table | None) -> U64:
    """Give each span's fingerprint; `shared` are digests of `SHARED`. Its events count, in any order."""
    digest = frame(spans, APART).with_columns(pl.Series("shared", shared)).hash_rows()
    if events is None or not events.num_rows:
        return digest.to_numpy()
    return (digest + _of_events(frame(spans, KEY), events)).to_numpy()


def of_logs(logs: pa.Table) -> U64:
    """Give each record's fingerprint. Without the column `COPY` the table is taken for what one request brought."""
    rows = frame(logs, LOG_SAID)
    copy = frame(logs, (COPY,))[COPY] if COPY in logs.column_names else copies(logs)
    timeless = (rows["time_ns"].fill_null(0) == 0) & (rows["observed_ns"].fill_null(0) == 0)
    digest = rows.with_columns(copy.cast(pl.UInt32).alias(COPY)).hash_rows()
    return pl.select(pl.when(timeless).then(0).otherwise(digest)).to_series().cast(pl.UInt64).to_numpy()


def copies(logs: pa.Table, request: np.ndarray[Any, Any] | None = None) -> pl.Series:
    """Number the same records' copies within what each request brought, from 0; without `request` all are of one."""
    digest = frame(logs, LOG_SAID).hash_rows().alias("digest").to_frame()
    whose = digest.with_columns(pl.lit(0, pl.Int64) if request is None else pl.Series("literal", request, pl.Int64))
    return whose.select((pl.col("digest").cum_count().over("digest", "literal") - 1).cast(pl.UInt32)).to_series()


def of_points(points: pa.Table) -> U64:
    """Give each data point's fingerprint."""
    return frame(points, POINT_SAID).hash_rows().to_numpy()


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
