"""One host's clock three seconds off: what leads a request leads it still, as sure as the legs are said to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from analysis import analyse
from seamscope.schema import words

SAMPLES = Path(__file__).resolve().parents[2] / "sample_traces"
QUICK = [
    "a-client-pool-blind",
    "a-healthy",
    "a-starved-blind",
    "a-tls-held-blind",
    "b-context-lost",
    "c-context-lost",
    "e-connect-held",
]
EVERY = sorted(path.parent.name for path in SAMPLES.glob("*/traces.otlp.pb.zst"))
SHIFTS = [3_000_000_000, -3_000_000_000]
TIMES = ["start_ns", "end_ns", "queued_at_ns", "enqueued_ns"]
MOST = 1
"""Requests of a recording that may say something else: one on which an inference stood on its edge."""


def hosts(resources: pl.DataFrame) -> list[str]:
    known = resources.filter(~pl.col("pooled")).get_column("instance")
    return sorted(known.cast(pl.String).drop_nulls().unique().to_list())


def moved(spans: pl.DataFrame, resources: pl.DataFrame, host: str, shift: int) -> pl.DataFrame:
    mine = resources.filter(pl.col("instance") == host).get_column("resource_id").to_list()
    times = [name for name in TIMES if name in spans.columns]
    there = pl.col("resource_id").is_in(mine)
    return spans.with_columns(pl.when(there).then(pl.col(times) + shift).otherwise(pl.col(times)))


def shares(results: Any) -> pl.DataFrame:
    """Nanoseconds by entry span, owner and cause of the last known horizon."""
    last = pl.col("horizon") == pl.col("horizon").max().over("request_no")
    told = results["segments"].filter(last).join(results.owners, on="owner_no")
    entries = results["requests"].select("request_no", "entry_span_id")
    lengths = told.join(entries, on="request_no").with_columns(ns=pl.col("end_ns") - pl.col("start_ns"))
    summed: pl.DataFrame = lengths.group_by("entry_span_id", "owner", "cause").agg(pl.col("ns").sum())
    return summed


def unsure(results: Any) -> pl.DataFrame:
    """How far the legs of a request's hops may be off, in all."""
    errors = results["hops"].group_by("request_no").agg(pl.col("leg_error_ns").fill_null(0).sum().alias("room"))
    rooms: pl.DataFrame = results["requests"].join(errors, on="request_no").select("entry_span_id", "room")
    return rooms


def beyond(still: Any, other: Any) -> int:
    """Count requests of which more moved from one cause to another than their legs are said to be off."""
    key = ["entry_span_id", "owner", "cause"]
    both = shares(still).join(shares(other), on=key, how="full", coalesce=True)
    differs = (pl.col("ns").fill_null(0) - pl.col("ns_right").fill_null(0)).abs()
    went = both.group_by("entry_span_id").agg(differs.sum() // 2)
    rooms = pl.concat([unsure(still), unsure(other)]).group_by("entry_span_id").agg(pl.col("room").max())
    return went.join(rooms, on="entry_span_id", how="left").filter(
        pl.col("ns") > pl.col("room").fill_null(0) + 1_000_000
    ).height  # fmt: skip


def check(frames: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]) -> None:
    spans, resources, links = frames
    still = analyse(spans, resources, links)
    empty = words.code(words.WARNINGS, "clock_interval_empty")
    said = still["warnings"].filter(pl.col("code") == empty).height
    for host in hosts(resources):
        for shift in SHIFTS:
            other = analyse(moved(spans, resources, host, shift), resources, links)
            assert other["requests"].height == still["requests"].height, (host, shift)
            assert other["warnings"].filter(pl.col("code") == empty).height <= said, (host, shift)
            assert beyond(still, other) <= MOST, (host, shift)


@pytest.mark.parametrize("sample", QUICK)
def test_a_host_three_seconds_off_changes_nothing_beyond_what_is_said(recorded: Any, sample: str) -> None:
    check(recorded(sample))


@pytest.mark.soak
@pytest.mark.parametrize("sample", EVERY)
def test_so_it_is_in_every_recording(recorded: Any, sample: str) -> None:
    check(recorded(sample))
