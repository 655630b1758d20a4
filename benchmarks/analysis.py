"""How fast the desk works: columns in memory → results in memory, and stored spans → stored results.

    python benchmarks/analysis.py [--spans 1000000] [--threads 2] [--memory-only]

The traces are made up after what Next.js 16, a Go service with otelhttptrace and otelpgx send: a page whose render
waits for two calls in turn while a third streams on, each call three statements behind a pool. One JSON document.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from analysis import analyse
from seamscope.schema import words

MS = 1_000_000
START = 1_790_000_000_000_000_000
INTERNAL, SERVER, CLIENT = (words.code(words.SPAN_KINDS, word) for word in ("internal", "server", "client"))
WEB, ORDERS = 11, 22
Columns = dict[str, Any]

SHAPE = [
    # parent, kind, resource, role, extent, start ms, length ms, operation
    (-1, SERVER, WEB, "request", "handler", 0.0, 4.0, "GET"),
    (0, INTERNAL, WEB, "middleware", "unknown", 1.0, 1.5, "middleware GET"),
    (0, SERVER, WEB, "request", "body", 2.0, 300.0, "GET /dash"),
    (2, INTERNAL, WEB, "render", "body", 5.0, 290.0, "render route (app) /dash"),
    (3, CLIENT, WEB, "fetch", "body", 10.0, 60.0, "GET /v1/me"),
    (4, SERVER, ORDERS, "none", "handler", 13.0, 50.0, "GET /v1/{name}"),
    (5, CLIENT, ORDERS, "pool_wait", "unknown", 14.0, 4.0, "pool.acquire"),
    (5, CLIENT, ORDERS, "query", "unknown", 18.5, 20.0, "SELECT users"),
    (5, CLIENT, ORDERS, "query", "unknown", 40.0, 15.0, "SELECT orgs"),
    (3, CLIENT, WEB, "fetch", "body", 71.0, 70.0, "GET /v1/org"),
    (9, SERVER, ORDERS, "none", "handler", 73.0, 65.0, "GET /v1/{name}"),
    (10, CLIENT, ORDERS, "pool_wait", "unknown", 74.0, 1.0, "pool.acquire"),
    (10, CLIENT, ORDERS, "query", "unknown", 76.0, 30.0, "SELECT plans"),
    (10, CLIENT, ORDERS, "query", "unknown", 108.0, 25.0, "SELECT seats"),
    (3, CLIENT, WEB, "fetch", "body", 142.0, 140.0, "GET /v1/announcements"),
    (14, SERVER, ORDERS, "none", "handler", 144.0, 130.0, "GET /v1/{name}"),
    (15, CLIENT, ORDERS, "query", "unknown", 146.0, 40.0, "SELECT announcements"),
    (15, CLIENT, ORDERS, "none", "body", 190.0, 80.0, "POST api.example.com"),
    (3, INTERNAL, WEB, "first_byte", "unknown", 145.0, 0.0, "start response"),
    (2, INTERNAL, WEB, "module_load", "unknown", 3.0, 0.1, "resolve page components"),
]
"""One trace; times are stretched at random per trace."""


def _codes(words_: tuple[str, ...], column: int) -> np.ndarray:
    return np.array([words.code(words_, str(row[column])) for row in SHAPE], np.uint8)


def _texts(values: list[str | None], traces: int) -> pl.Series:
    return pl.concat([pl.Series(values, dtype=pl.String)] * 1).gather(np.tile(np.arange(len(values)), traces))


def traces(spans: int, seed: int = 7) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Make up about `spans` spans in arrival order (children first, services apart) and their resources."""
    random = np.random.default_rng(seed)
    size = len(SHAPE)
    count = max(1, spans // size)
    stretch = np.repeat(random.uniform(0.5, 3.0, count), size)
    begin = np.repeat(START + np.sort(random.integers(0, 600_000 * MS, count)), size)
    start = begin + (np.tile([row[5] for row in SHAPE], count) * stretch * MS).astype(np.int64)
    length = (np.tile([row[6] for row in SHAPE], count) * stretch * MS).astype(np.int64)
    span_id = random.integers(1, 2**63, count * size).astype(np.uint64)
    parent = np.tile([row[0] for row in SHAPE], count)
    base = np.repeat(np.arange(count) * size, size)
    kind = np.tile(np.array([row[1] for row in SHAPE], np.uint8), count)
    operation = [row[7] for row in SHAPE]
    role = _codes(words.ROLES, 3)
    fetches, queries = role == words.code(words.ROLES, "fetch"), role == words.code(words.ROLES, "query")
    pools = role == words.code(words.ROLES, "pool_wait")
    called = [
        "orders.internal" if fetch else "db.internal" if data else "api.example.com" if "example" in str(name) else None
        for fetch, data, name in zip(fetches, queries | pools, operation, strict=True)
    ]
    columns: Columns = {
        "trace_hi": np.repeat(random.integers(1, 2**63, count).astype(np.uint64), size),
        "trace_lo": np.repeat(random.integers(1, 2**63, count).astype(np.uint64), size),
        "span_id": span_id,
        "parent_id": np.where(parent < 0, 0, span_id[base + np.maximum(parent, 0)]).astype(np.uint64),
        "kind": kind,
        "flags": np.where(np.tile([row[2] == ORDERS for row in SHAPE], count), 0x300, 0).astype(np.uint32),
        "start_ns": start,
        "end_ns": start + length,
        "status": np.zeros(count * size, np.uint8),
        "weight": np.ones(count * size),
        "resource_id": np.tile(np.array([row[2] for row in SHAPE], np.uint64), count),
        "role": np.tile(role, count),
        "extent": np.tile(_codes(words.EXTENTS, 4), count),
        "tier_hint": np.where(np.tile(role, count) == 2, 2, 0).astype(np.uint8),
        "grain_ns": np.where(np.tile([row[2] == WEB for row in SHAPE], count), MS, 1).astype(np.uint32),
        "operation": _texts([str(name) for name in operation], count),
        "method": _texts(["GET" if "GET" in str(name) else None for name in operation], count),
        "route": _texts(
            [str(name)[4:] if row[1] == SERVER and "/" in str(row[7]) else None for row in SHAPE for name in [row[7]]],
            count,
        ),
        "http_status": pl.Series([200 if row[1] in (SERVER, CLIENT) else None for row in SHAPE], dtype=pl.Int16).gather(
            np.tile(np.arange(size), count)
        ),
        "peer": _texts(called, count),
        "peer_port": pl.Series([8080 if fetch else None for fetch in fetches], dtype=pl.Int32).gather(
            np.tile(np.arange(size), count)
        ),
        "db_system": _texts(["postgresql" if data else None for data in queries | pools], count),
        "db_namespace": _texts(["app" if data else None for data in queries | pools], count),
    }
    frame = pl.DataFrame(columns)
    arrival = np.lexsort((columns["end_ns"] // (500 * MS), columns["end_ns"] // (5_000 * MS)))
    resources = pl.DataFrame(
        {
            "resource_id": pl.Series([WEB, ORDERS], dtype=pl.UInt64),
            "service": ["edge-web", "orders"],
            "service_version": ["1", "2"],
            "environment": ["production", "production"],
            "instance": ["web-1", "orders-1"],
            "pooled": [False, False],
            "place": ["iad", "iad"],
            "tier": pl.Series([3, 4], dtype=pl.UInt8),
            "language": ["nodejs", "go"],
            "sdk": ["opentelemetry", "opentelemetry"],
        }
    )
    return frame[arrival], resources


def _timed(work: Any) -> tuple[float, Any]:
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


def in_memory(frame: pl.DataFrame, resources: pl.DataFrame, rounds: int) -> dict[str, Any]:
    """Time columns → results; the best of several rounds after one that warms up."""
    analyse(frame[:10_000], resources)
    taken = []
    for _ in range(rounds):
        seconds, results = _timed(lambda: analyse(frame, resources))
        taken.append(seconds)
    best = min(taken)
    return {
        "spans": frame.height,
        "seconds": [round(value, 3) for value in taken],
        "spans_per_second": round(frame.height / best),
        "requests": results["requests"].height,
        "segments": results["segments"].height,
        "hops": results["hops"].height,
    }


def fill(path: Path, frame: pl.DataFrame, resources: pl.DataFrame, *, analysed: bool = False) -> None:
    """Store spans as a collector does, in groups; closed, the store is one file without a log."""
    import pyarrow as pa

    from seamscope.runs import analyze
    from seamscope.schema.tables import RESOURCES, SPANS
    from seamscope.store import Store

    def arrow(rows: pl.DataFrame, schema: Any) -> Any:
        table = rows.select([name for name in schema.names if name in rows.columns]).to_arrow()
        for field in schema:
            if field.name not in table.schema.names and field.name not in {"commit_no", "ingested_ns"}:
                table = table.append_column(field, pa.nulls(table.num_rows, field.type))
        return table.cast(pa.schema([schema.field(name) for name in table.schema.names]))

    with Store.open(path) as store:
        for first in range(0, frame.height, 50_000):
            batch = {"spans": arrow(frame[first : first + 50_000], SPANS), "resources": arrow(resources, RESOURCES)}
            store.commit(batch, now_ns=START + first)
        if analysed:
            analyze(store)


def stored(frame: pl.DataFrame, resources: pl.DataFrame) -> dict[str, Any]:
    """Time stored spans → stored results, as `seamscope analyze` does it: on a store that was closed.

    A small store is analysed first: the rules of findings and their compiled kernels take 0.26 s of CPU to load, once.
    """
    from seamscope.runs import analyze
    from seamscope.store import Store

    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder) / "warm.duckdb", frame[:10_000], resources, analysed=True)
        path = Path(folder) / "bench.duckdb"
        fill(path, frame, resources)
        before = path.stat().st_size
        with Store.open(path) as store:
            began = time.process_time()
            seconds, summary = _timed(lambda: analyze(store))
            cpu = time.process_time() - began
        grown = path.stat().st_size - before
        with Store.open(path) as store:
            again, _ = _timed(lambda: analyze(store, everything=True))
    return {
        "spans": summary.spans,
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu, 2),
        "spans_per_second": round(summary.spans / seconds),
        "again_spans_per_second": round(summary.spans / again),
        "results_bytes_per_span": round(grown / summary.spans, 1),
    }


def main() -> None:
    """Run and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory-only", action="store_true")
    given = parser.parse_args()
    frame, resources = traces(given.spans)
    report: dict[str, Any] = {"benchmark": "analysis", "cpus": os.cpu_count()}
    report["memory"] = in_memory(frame, resources, given.rounds)
    if not given.memory_only:
        report["stored"] = stored(frame, resources)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
