"""What must hold whatever is sent: conservation, and results that depend on nothing but the spans."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis import LINK_INPUT, Peers, Results, analyse
from seamscope.schema import words

TYPES: dict[str, Any] = {
    "trace_hi": pl.UInt64, "trace_lo": pl.UInt64, "span_id": pl.UInt64, "parent_id": pl.UInt64,
    "resource_id": pl.UInt64, "kind": pl.UInt8, "role": pl.UInt8, "extent": pl.UInt8, "tier_hint": pl.UInt8,
    "status": pl.UInt8, "flags": pl.UInt32, "grain_ns": pl.UInt32, "http_status": pl.Int16, "start_ns": pl.Int64,
    "end_ns": pl.Int64, "operation": pl.String, "route": pl.String, "peer": pl.String, "peer_port": pl.Int32,
    "db_system": pl.String, "rpc_system": pl.String, "cache_status": pl.String, "dns_ns": pl.Int64,
    "pool_wait_ns": pl.Int64, "first_byte_ns": pl.Int64, "transfer_ns": pl.Int64, "queued_at_ns": pl.Int64,
    "enqueued_ns": pl.Int64, "reused": pl.Boolean, "resend_count": pl.Int16, "wall_ns": pl.Int64,
    "cpu_ns": pl.Int64, "weight": pl.Float64, "ingested_ns": pl.Int64,
}  # fmt: skip
FAR = 2**63 - 1
RESOURCES = pl.DataFrame(
    {
        "resource_id": pl.Series([1, 2, 3, 4], dtype=pl.UInt64),
        "service": ["web", "api", "shop", "edge"],
        "instance": ["a", "a", "b", "edge"],
        "pooled": [False, False, False, True],
        "tier": pl.Series([3, 4, 1, 2], dtype=pl.UInt8),
        "sdk": [None, None, None, "cloudflare"],
    }
)

ids = st.integers(1, 9)
maybe = st.one_of(st.none(), st.integers(-3, 40))
close = st.integers(0, 60)
odd = st.sampled_from([0, 1, 10**18, 1_700_000_000_000_000_000, FAR - 5, FAR])


@st.composite
def spans(draw: st.DrawFn) -> list[dict[str, Any]]:
    time = draw(st.sampled_from([close, close, odd]))
    count = draw(st.integers(1, 16))
    made = []
    for _ in range(count):
        start = draw(time)
        length = draw(st.one_of(st.integers(-10, 60), st.just(0)))
        made.append(
            {
                "trace_hi": 1,
                "trace_lo": draw(st.integers(1, 3)),
                "span_id": draw(ids),
                "parent_id": draw(st.one_of(st.just(0), ids, ids)),
                "resource_id": draw(st.integers(1, 5)),
                "kind": draw(st.integers(0, 5)),
                "role": draw(st.one_of(st.just(0), st.integers(0, len(words.ROLES) - 1))),
                "extent": draw(st.integers(0, 3)),
                "tier_hint": draw(st.sampled_from([0, 0, 0, 2, 3, 7])),
                "status": draw(st.integers(0, 2)),
                "flags": draw(st.sampled_from([0, 0x100, 0x300])),
                "grain_ns": draw(st.sampled_from([0, 1, 1_000_000])),
                "http_status": draw(st.sampled_from([None, 200, 500])),
                "start_ns": start,
                "end_ns": max(0, min(FAR, start + length)),
                "operation": draw(st.sampled_from(["a", "b"])),
                "route": draw(st.sampled_from([None, "/r"])),
                "peer": draw(st.sampled_from([None, "api", "x.example.com"])),
                "peer_port": draw(st.sampled_from([None, 80])),
                "db_system": draw(st.sampled_from([None, None, "redis"])),
                "rpc_system": draw(st.sampled_from([None, None, "grpc"])),
                "cache_status": draw(st.sampled_from([None, "hit"])),
                "dns_ns": draw(maybe),
                "pool_wait_ns": draw(maybe),
                "first_byte_ns": draw(maybe),
                "transfer_ns": draw(maybe),
                "queued_at_ns": draw(st.one_of(st.none(), st.just(start - 5), odd)),
                "enqueued_ns": draw(maybe),
                "reused": draw(st.sampled_from([None, True, False])),
                "resend_count": draw(st.sampled_from([None, 2])),
                "wall_ns": draw(st.sampled_from([None, None, 7, FAR])),
                "cpu_ns": None,
                "weight": 1.0,
                "ingested_ns": 5,
            }
        )
    return made


links = st.lists(st.tuples(st.integers(1, 3), ids, st.integers(1, 3), ids), max_size=3)


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=TYPES)


def link_frame(rows: list[tuple[int, int, int, int]]) -> pl.DataFrame:
    made = [
        {"trace_hi": 1, "trace_lo": at, "span_id": span, "kind": 5, "linked_trace_hi": 1, "linked_trace_lo": to,
         "linked_span_id": linked}
        for at, span, to, linked in rows
    ]  # fmt: skip
    return pl.DataFrame(made, schema={name: pl.UInt8 if name == "kind" else pl.UInt64 for name in LINK_INPUT})


def rows_of(results: Results) -> dict[str, list[tuple[Any, ...]]]:
    """Results with keys in place of run-local numbers, in an order of their own."""
    requests = results["requests"]
    key = requests.select("request_no", rt=pl.col("trace_lo"), re=pl.col("entry_span_id"))
    owners = results.owners.select("owner_no", "owner")
    found = {}
    for name, table in results.tables.items():
        told = table.join(key, on="request_no", how="left").drop("request_no")
        for column in ("owner_no", "seam_no", "dominant_owner_no"):
            if column in told.columns:
                named = owners.rename({"owner_no": column, "owner": f"{column}_text"})
                told = told.join(named, on=column, how="left").drop(column)
        found[name] = sorted(told.rows(), key=repr)
    return found


def check(results: Results) -> None:
    failed = words.code(words.WARNINGS, "stage_failed")
    assert results["warnings"].filter(pl.col("code") == failed)["detail"].to_list() == []
    segments, requests = results["segments"], results["requests"]
    for code, horizon in enumerate(words.HORIZONS):
        ends: dict[int, int] = {}
        for row in segments.filter(pl.col("horizon") == code).select("request_no", "start_ns", "end_ns").iter_rows():
            assert row[1] == ends.get(row[0], 0)
            assert row[2] > row[1]
            ends[row[0]] = row[2]
        known = requests.select("request_no", f"{horizon}_ns").drop_nulls().rows()
        assert ends == {number: value for number, value in known if value}
        assert all(value >= 0 for _, value in known)
    hops = results["hops"]
    for name in hops.columns:
        if name.endswith("_ns") and name != "start_ns":
            assert (hops[name].drop_nulls() >= 0).all(), name
    phases = [f"{name}_ns" for name in words.CAUSES if f"{name}_ns" in hops.columns]
    gap = hops.filter(pl.col("gap_ns").is_not_null())
    assert (gap.select(pl.sum_horizontal(phases)).to_series() <= gap["gap_ns"]).all()
    legs = gap.select((pl.col("request_leg_ns") + pl.col("response_leg_ns") == pl.col("gap_ns")).all()).item()
    assert legs


HOSTILE = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@HOSTILE
@given(rows=spans(), linked=links)
def test_every_nanosecond_has_one_owner(rows: list[dict[str, Any]], linked: list[tuple[int, int, int, int]]) -> None:
    results = analyse(frame(rows), RESOURCES, link_frame(linked))
    check(results)
    assert results["requests"]["spans"].sum() <= len(rows)
    for name, table in results.tables.items():
        numbers = table["request_no"].drop_nulls()
        assert numbers.is_in(results["requests"]["request_no"].to_list()).all(), name


@HOSTILE
@given(rows=spans(), linked=links, seed=st.integers(0, 2**32 - 1))
def test_the_order_of_arrival_changes_nothing(
    rows: list[dict[str, Any]], linked: list[tuple[int, int, int, int]], seed: int
) -> None:
    order = np.random.default_rng(seed).permutation(len(rows)).tolist()
    first = analyse(frame(rows), RESOURCES, link_frame(linked))
    second = analyse(frame([rows[at] for at in order]), RESOURCES[::-1], link_frame(linked[::-1]))
    assert rows_of(first) == rows_of(second)


@HOSTILE
@given(rows=spans())
def test_batches_of_whole_traces_change_nothing(rows: list[dict[str, Any]]) -> None:
    whole = analyse(frame(rows), RESOURCES)
    peers = Peers().and_those(whole.peers.select("peer", "port", "tier", "service").iter_rows())
    together = rows_of(analyse(frame(rows), RESOURCES, peers=peers))
    apart: dict[str, list[tuple[Any, ...]]] = {name: [] for name in together}
    for trace in {row["trace_lo"] for row in rows}:
        part = analyse(frame([row for row in rows if row["trace_lo"] == trace]), RESOURCES, peers=peers)
        for name, table in rows_of(part).items():
            apart[name] += table
    assert {name: sorted(table, key=repr) for name, table in apart.items()} == together


@HOSTILE
@given(rows=spans(), by=st.sampled_from([1_000, 86_400_000_000_000]))
def test_times_count_from_the_requests_start(rows: list[dict[str, Any]], by: int) -> None:
    still = [{**row, "queued_at_ns": None, "enqueued_ns": None, "wall_ns": None} for row in rows]
    told = [value for row in still for name, value in row.items() if name.endswith("_ns") and value is not None]
    if any(abs(value) > FAR // 4 for value in told):
        return  # a sum at the end of all times stops there, wherever it started
    moved = [{**row, **{name: row[name] + by for name in ("start_ns", "end_ns")}} for row in still]
    assert (
        rows_of(analyse(frame(still), RESOURCES))["segments"] == rows_of(analyse(frame(moved), RESOURCES))["segments"]
    )
