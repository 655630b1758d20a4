"""Shapes that traffic of load generators and of loops has: what findings take must not grow with the square of it."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import polars as pl
import pytest

from analysis.findings import COLUMNS, find, gather
from analysis.findings.within import NEAREST, Stretches, nearest_around, only_inside
from seamscope.schema.words import SPAN_KINDS

CLIENT, SERVER, INTERNAL = (SPAN_KINDS.index(kind) for kind in ("client", "server", "internal"))
MS = 1_000_000


def table(name: str, **columns: Any) -> pl.DataFrame:
    """A frame of `COLUMNS[name]`; single values are repeated, what is not given is null."""
    rows = max(len(value) for value in columns.values() if isinstance(value, np.ndarray | list))
    parts = {
        column: pl.Series(value) if isinstance(value := columns.get(column), np.ndarray | list) else [value] * rows
        for column in COLUMNS[name]
    }
    return pl.DataFrame(parts, strict=False).cast(pl.Schema(COLUMNS[name]))


def traffic(requests: int, calls: int, *, traces: int, seams: int, apart_ns: int, nested: bool) -> dict[str, Any]:
    """Requests of so many calls each, all silent; as many lone server spans, pool spans, and spans of lost parents."""
    number = np.arange(requests * calls)
    request, turn = number // calls, number % calls
    trace = 1 + np.arange(requests) % traces
    entry, client = 1 + np.arange(requests), 1_000_000 + number
    begin = np.arange(requests) * apart_ns * 100
    start = begin[request] + turn * apart_ns
    parent = np.where(nested & (turn > 0), client - 1, entry[request])
    common = {"resource_id": 1, "service": "web", "method": "GET", "url_path": "/v1", "role": "none"}
    spans = [
        {"span_id": entry, "kind": SERVER, "start_ns": begin, "end_ns": begin + 1000 * MS},
        {"span_id": client, "parent_span_id": parent, "kind": CLIENT, "start_ns": start, "end_ns": start + 100 * MS},
        {"span_id": 2_000_000 + number, "kind": SERVER, "start_ns": start + 10, "end_ns": start + 99 * MS},
        {"span_id": 3_000_000 + number, "parent_span_id": parent, "kind": INTERNAL, "start_ns": start - MS},
        {"span_id": 4_000_000 + number, "parent_span_id": 5_000_000 + number, "kind": INTERNAL, "start_ns": start},
    ]
    spans[1]["url_full"] = [f"http://h{one % seams}/v1/{one % seams}" for one in number]
    spans[2] |= {"service": "orders", "trace_id": 9_000_000 + number}
    spans[3] |= {"role": "pool_wait", "end_ns": start}
    spans[4] |= {"end_ns": start + 5}
    owner = {"trace_id": trace[request]}
    return {
        "requests": table(
            "requests",
            request_no=np.arange(requests),
            trace_id=trace,
            entry_span_id=entry,
            route="GET /p",
            status=200,
            start_ns=begin,
            complete_ns=1000 * MS,
        ),
        "traces": table("traces", request_no=np.arange(requests), trace_id=trace),
        "hops": table(
            "hops",
            request_no=request,
            **owner,
            client_span_id=client,
            seam=[f"render:web→origin:o{one % seams}" for one in number],
            caller_instance=[f"i{one % seams}" for one in number],
            operation=[f"GET /v1/{one % seams}" for one in number],
            error=True,
            attempts=2,
            start_ns=start,
            duration_ns=100 * MS,
            connect_ns=MS,
            pool_wait_ns=10 * MS,
            network_ns=20 * MS,
            server_queue_ns=10 * MS,
            retry_ns=MS,
            joined_by="trace_context",
            **{"async": False},
        ),
        "ends": table(
            "ends", request_no=np.arange(requests), horizon="complete", span_id=entry, at_ns=begin + 1000 * MS
        ),
        "path": table(
            "path",
            request_no=request,
            start_ns=turn,
            end_ns=turn + 100 * MS,
            span_id=client,
            owner="origin:o",
            cause="unobserved",
        ),
        "spans": pl.concat(
            table("spans", **{**common, **({"trace_id": trace} if place == 0 else owner), **one})
            for place, one in enumerate(spans)
        ),
        "warnings": pl.DataFrame(schema=COLUMNS["warnings"]),
    }


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("apart_ns", [0, MS])
@pytest.mark.parametrize(
    ("requests", "calls", "traces", "seams"), [(2_500, 4, 2_500, 1), (2_500, 4, 1, 5_000), (1, 10_000, 1, 7)]
)
def test_cost_is_that_of_so_many_spans_whatever_their_shape(
    requests: int, calls: int, traces: int, seams: int, apart_ns: int, *, nested: bool
) -> None:
    """Fifty million pairs would take gigabytes and half a minute; forty thousand spans take a fraction of a second."""
    frames = traffic(requests, calls, traces=traces, seams=seams, apart_ns=apart_ns, nested=nested)
    began = time.process_time()
    findings, _ = find(gather(frames))
    assert time.process_time() - began < 8
    assert findings.height <= 22 * 25


def stretches(*rows: tuple[int, int, int, int]) -> Stretches:
    return Stretches(*(np.array(part, np.int64) for part in zip(*rows, strict=True)))


def test_the_shortest_around_is_taken() -> None:
    around = stretches((1, 0, 100, 10), (1, 20, 90, 11), (2, 25, 80, 12), (1, 30, 60, 13), (1, 35, 50, 14))
    assert list(nearest_around(stretches((1, 40, 55, 0)), around)) == [3]
    assert list(nearest_around(stretches((1, 40, 55, 13)), around)) == [1]  # not itself
    assert list(nearest_around(stretches((3, 40, 55, 0)), around)) == [-1]
    assert list(nearest_around(stretches((1, 40, 101, 0)), around)) == [-1]


def test_only_one_that_lies_inside_is_told() -> None:
    inside = stretches((1, 10, 20, 1), (1, 30, 40, 2), (2, 10, 20, 1))
    assert list(only_inside(stretches((1, 5, 25, 0), (1, 5, 45, 0), (1, 5, 45, 2), (1, 11, 25, 0)), inside)) == [
        0,
        -1,
        0,
        -1,
    ]


def test_in_a_crowd_nothing_is_told() -> None:
    """All but one end too late; but so many began meanwhile that nobody looks through them all."""
    crowd = stretches((1, 0, 5, 1), *((1, 1, 999, 1) for _ in range(NEAREST)))
    assert list(only_inside(stretches((1, 0, 10, 0)), crowd)) == [-1]
    assert list(only_inside(stretches((1, 0, 10, 0)), stretches((1, 0, 5, 1), (1, 1, 999, 1)))) == [0]
