"""Batches of traces: how stored ones are cut, and how the next is read while one is worked on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar, cast

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future, ThreadPoolExecutor

T = TypeVar("T")
R = TypeVar("R")

KEYS: Final = ("trace_hi", "trace_lo")

_LATEST: Final = (1 << 63) - 1


def batches(traces: pl.DataFrame, spans: int) -> Iterator[pl.DataFrame]:
    """Split traces into batches of about `spans` spans, in the order in which they began.

    Traces that began in one commit stay together, unless they alone are more than a batch.
    """
    own = (pl.col("spans").cum_sum() - 1).clip(0) // spans
    ordered = traces.sort("first_commit", *KEYS).with_columns(batch=own)  # apart: `over` would sum by commit
    large = pl.col("spans").sum().over("first_commit") > spans
    number = pl.when(large).then("batch").otherwise(pl.col("batch").min().over("first_commit"))
    ordered = ordered.with_columns(batch=number)
    for _, batch in ordered.group_by("batch", maintain_order=True):
        yield batch.drop("batch")


def ahead(reader: ThreadPoolExecutor, read: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Give `read(item)` of each item in turn; the next one is read by `reader` while the caller is busy with one."""
    waiting: Future[R] | None = None
    for item in items:
        following = reader.submit(read, item)
        if waiting is not None:
            yield waiting.result()
        waiting = following
    if waiting is not None:
        yield waiting.result()


def commits(traces: pl.DataFrame) -> tuple[int, int]:
    """Give the first and the last commit that brought spans of some traces."""
    first, last = traces.get_column("first_commit").min(), traces.get_column("last_commit").max()
    return cast("int", first), cast("int", last)


def from_the_start(traces: pl.DataFrame) -> pl.DataFrame:
    """Make rows of open traces whose spans may be anywhere in the store."""
    bounds = {"first_commit": 0, "last_commit": _LATEST, "last_ns": 0, "spans": 0}
    return traces.select(KEYS).with_columns(pl.lit(value, pl.Int64).alias(name) for name, value in bounds.items())
