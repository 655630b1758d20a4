"""The same traffic under other names and at another pace: what leads a request leads it still (design §5.3)."""

from __future__ import annotations

import zlib
from typing import Any

import polars as pl
import pytest

from analysis import analyse
from seamscope.schema import words

QUICK = ["a-client-pool-blind", "b-context-lost", "c-context-lost", "e-connect-held"]
MOMENTS = {"start_ns", "end_ns", "queued_at_ns", "enqueued_ns"}
CLOCKS = {"grain_ns", "ingested_ns"}
"""What a clock can tell, and when spans came: no part of the traffic's pace."""
MOST = 0.05
"""Requests that a timer, a limit in milliseconds or nearness in time may decide another way at another pace."""


def other(name: str | None) -> str | None:
    """Another name; addresses and domains, which say whose a host is, stay."""
    return name if name is None or "." in name or ":" in name else f"n{zlib.crc32(name.encode()):08x}"


def led(results: Any) -> dict[int, tuple[str | None, str | None]]:
    """Entry span → owner and cause that lead its request."""
    owners = dict(results.owners.select("owner_no", "owner").rows())
    rows = results["requests"].select("entry_span_id", "dominant_owner_no", "dominant_cause").iter_rows()
    return {entry: (owners.get(owner), None if cause is None else words.CAUSES[cause]) for entry, owner, cause in rows}


@pytest.mark.parametrize("sample", QUICK)
def test_every_service_host_route_and_port_has_another_name(recorded: Any, sample: str) -> None:
    spans, resources, links = recorded(sample)
    names = [*spans.get_column("peer").drop_nulls().unique(), *resources.get_column("service").drop_nulls().unique()]
    changed = {str(name): str(other(str(name))) for name in names}
    renamed = spans.with_columns(
        pl.col("peer").cast(pl.String).replace(changed),
        ("/other" + pl.col("route").cast(pl.String)).alias("route"),
        pl.col("peer_port") + 1,
    )
    elsewhere = resources.with_columns(
        pl.col("service").cast(pl.String).replace(changed),
        ("on-" + pl.col("instance").cast(pl.String)).alias("instance"),
    )
    before, after = analyse(spans, resources, links), analyse(renamed, elsewhere, links)
    same = ["request_no", "horizon", "start_ns", "end_ns", "cause", "evidence", "span_id"]
    key = ["trace_hi", "trace_lo", "entry_span_id"]
    told = [
        found["segments"].join(found["requests"].select("request_no", *key), on="request_no").select(*key, *same[1:])
        for found in (before, after)
    ]
    assert told[0].sort(pl.all()).equals(told[1].sort(pl.all()))


@pytest.mark.parametrize("factor", [0.5, 3])
@pytest.mark.parametrize("sample", QUICK)
def test_everything_takes_half_or_three_times_as_long(recorded: Any, sample: str, factor: float) -> None:
    spans, resources, links = recorded(sample)
    first = spans.get_column("start_ns").min()
    times = [name for name in spans.columns if name.endswith("_ns") and name not in CLOCKS]
    paced = spans.with_columns(
        (first + ((pl.col(name) - first) * factor).cast(pl.Int64)).alias(name)
        if name in MOMENTS
        else (pl.col(name) * factor).round().cast(spans.schema[name])
        for name in times
    )
    before, after = led(analyse(spans, resources, links)), led(analyse(paced, resources, links))
    turned = [entry for entry, told in before.items() if after.get(entry) != told]
    assert len(turned) <= MOST * len(before), [(before[entry], after.get(entry)) for entry in turned]
