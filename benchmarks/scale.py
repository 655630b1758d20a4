"""How the desk grows: 10⁴ to 10⁷ spans, traces of 10⁵ and 10⁶ spans, one 50,000 deep, and one request on demand.

    python -m benchmarks.scale [--most 10000000] [--one stored_10000000]

Most of it is columns in memory → results in memory, warm. Ten million spans go through in partitions of a million, each
made up, analysed and let go of. Lines that begin with `stored` are of spans in a store, ten minutes for each million,
that `seamscope analyze` takes out and stores the results of. Every line is measured in a process of its own, so that
its peak memory is its own too; it includes the made-up columns, and Python with its libraries, which `started_mib` is.
CPU seconds are of all threads. One JSON document.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from analysis import analyse
from benchmarks.analysis import CLIENT, INTERNAL, MS, ORDERS, SERVER, START, WEB, fill, traces
from seamscope.schema import words

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Numbers = npt.NDArray[np.int64]

SIZES: Final = (10_000, 100_000, 1_000_000, 10_000_000)
PARTITION: Final = 1_000_000
"""Spans that are in memory at a time."""

MOST_ROUNDS: Final = 20
"""Times that small sizes are analysed; the best counts."""

FETCH: Final = words.code(words.ROLES, "fetch")
QUERY: Final = words.code(words.ROLES, "query")
REQUEST: Final = words.code(words.ROLES, "request")


def _trace(
    parent: Numbers, kind: Numbers, role: Numbers, resource_id: Numbers, start: Numbers, end: Numbers
) -> pl.DataFrame:
    """Return one trace, the last to start first; times in nanoseconds from its start, -1: no parent."""
    size = parent.size
    frame = pl.DataFrame(
        {
            "trace_hi": np.full(size, 7, np.uint64),
            "trace_lo": np.full(size, 8, np.uint64),
            "span_id": np.arange(1, size + 1, dtype=np.uint64),
            "parent_id": (parent + 1).astype(np.uint64),
            "kind": kind.astype(np.uint8),
            "start_ns": START + start,
            "end_ns": START + end,
            "resource_id": resource_id.astype(np.uint64),
            "role": role.astype(np.uint8),
            "operation": pl.Series(["GET /dash", "GET /v1/item", "SELECT items"]).gather(np.arange(size) % 3),
            "peer": pl.Series(["orders.internal", None]).gather((kind != CLIENT).astype(np.int64)),
        }
    )
    return frame.reverse()


def wide(size: int) -> pl.DataFrame:
    """Return one page that calls for `size` / 4 things, 50 at a time: call, server and two statements each."""
    calls = (size - 1) // 4
    call = np.arange(calls)
    begin = call // 50 * 2 * MS + call % 50 * 20_000
    first = 1 + 4 * call
    parent, kind, role = np.full(1 + 4 * calls, -1), np.full(1 + 4 * calls, SERVER), np.full(1 + 4 * calls, REQUEST)
    where, start, end = (
        np.full(1 + 4 * calls, WEB),
        np.zeros(1 + 4 * calls, np.int64),
        np.zeros(1 + 4 * calls, np.int64),
    )
    end[0] = int(begin[-1]) + 2 * MS
    rows = (
        # parent, kind, role, resource, from, to
        (0 * first, CLIENT, FETCH, WEB, 0, 900_000),
        (first, SERVER, REQUEST, ORDERS, 100_000, 800_000),
        (first + 1, CLIENT, QUERY, ORDERS, 150_000, 400_000),
        (first + 1, CLIENT, QUERY, ORDERS, 420_000, 700_000),
    )
    for at, (above, kind_, role_, resource_id, low, high) in enumerate(rows):
        mine = first + at
        parent[mine], kind[mine], role[mine], where[mine] = above, kind_, role_, resource_id
        start[mine], end[mine] = begin + low, begin + high
    return _trace(parent, kind, role, where, start, end)


def deep(size: int, *, hops: bool) -> pl.DataFrame:
    """Return one trace in which every span lies in the one before: functions, or calls from service to service."""
    row = np.arange(size)
    kind = np.where(row % 2 == 0, SERVER, CLIENT) if hops else np.where(row == 0, SERVER, INTERNAL)
    role = np.where(kind == SERVER, REQUEST, np.where(kind == CLIENT, FETCH, 0))
    where = np.where((row + 1) // 2 % 2 == 0, WEB, ORDERS) if hops else np.full(size, WEB)
    return _trace(row - 1, kind, role, where, row * 1_000, (3 * size - row) * 1_000)


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _measured(work: Callable[[], dict[str, int]], rounds: int) -> dict[str, Any]:
    """Do it `rounds` times; the fastest counts."""
    taken = []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        counts = work()
        taken.append((time.perf_counter() - wall, time.process_time() - cpu))
    seconds, cpu = min(taken)
    return {**counts, "seconds": round(seconds, 4), "cpu_seconds": round(cpu, 4)}


def _counted(frame: pl.DataFrame, resources: pl.DataFrame) -> dict[str, int]:
    results = analyse(frame, resources)
    return {"spans": frame.height, "requests": results["requests"].height, "segments": results["segments"].height}


def _growing(size: int, resources: pl.DataFrame) -> dict[str, Any]:
    """Analyse `size` spans of many traces, at most a million at a time."""
    sums: dict[str, Any] = {}
    for seed in range(max(1, size // PARTITION)):
        frame, _ = traces(min(size, PARTITION), seed)
        done = _measured(partial(_counted, frame, resources), min(MOST_ROUNDS, max(2, 3_000_000 // size)))
        sums = {name: round(sums.get(name, 0) + value, 4) for name, value in done.items()}
    rates = {
        "spans_per_second": round(sums["spans"] / sums["seconds"]),
        "cpu_seconds_per_million": round(sums["cpu_seconds"] / sums["spans"] * 1e6, 2),
    }
    return {**sums, **rates}


def _fill(path: Path, size: int) -> None:
    """Store `size` spans, ten minutes for each million."""
    for part in range(max(1, size // PARTITION)):
        frame, resources = traces(min(size, PARTITION), part)
        later = pl.col("start_ns", "end_ns") + part * 600_000 * MS
        fill(path, frame.with_columns(later), resources)


def _stored(size: int) -> dict[str, Any]:
    """Analyse what another process stored, as `seamscope analyze` does."""
    from seamscope.runs import analyze
    from seamscope.store import Store

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scale.duckdb"
        subprocess.run([sys.executable, "-m", "benchmarks.scale", "--fill", path, "--most", str(size)], check=True)
        with Store.open(path) as store:
            wall, cpu = time.perf_counter(), time.process_time()
            done = analyze(store)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "spans": done.spans,
        "requests": done.requests,
        "seconds": round(wall, 2),
        "spans_per_second": round(done.spans / wall),
        "cpu_seconds_per_million": round(cpu / done.spans * 1e6, 2),
    }


def _on_demand(frame: pl.DataFrame, resources: pl.DataFrame) -> dict[str, Any]:
    """Analyse one request of twenty spans, a hundred times."""
    one = frame.filter(pl.col("trace_lo") == frame["trace_lo"][0])
    taken = []
    for _ in range(100):
        began = time.perf_counter()
        analyse(one, resources)
        taken.append(1000 * (time.perf_counter() - began))
    return {"spans": one.height, "median_ms": round(statistics.median(taken), 1), "p95_ms": round(sorted(taken)[94], 1)}


def measure(name: str) -> dict[str, Any]:
    """Measure one line, in this process."""
    frame, resources = traces(20_000)
    analyse(frame, resources)
    shapes: dict[str, Callable[[], pl.DataFrame]] = {
        "trace_of_100000": lambda: wide(100_000),
        "trace_of_1000000": lambda: wide(1_000_000),
        "calls_50000_deep": lambda: deep(50_000, hops=True),
        "functions_50000_deep": lambda: deep(50_000, hops=False),
    }
    before = _peak_mib()
    if name == "on_demand":
        return _on_demand(frame, resources)
    if name.startswith("stored"):
        figures = _stored(int(name.rpartition("_")[2]))
    elif name.isdigit():
        figures = _growing(int(name), resources)
    else:
        shape = shapes[name]()
        figures = _measured(partial(_counted, shape, resources), 3)
    return {**figures, "peak_mib": _peak_mib(), "started_mib": before}


def main() -> None:
    """Run every line in a process of its own, and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the greatest number of spans")
    parser.add_argument("--one", help="measure this line alone, here")
    parser.add_argument("--fill", type=Path, help="only store so many spans here")
    given = parser.parse_args()
    if given.fill:
        _fill(given.fill, given.most)
        return
    if given.one:
        print(json.dumps(measure(given.one)))
        return
    sizes = [str(size) for size in SIZES if size <= given.most]
    names = [*sizes, *(f"stored_{size}" for size in sizes)]
    names += ["trace_of_100000", "trace_of_1000000", "calls_50000_deep", "functions_50000_deep", "on_demand"]
    report: dict[str, Any] = {"benchmark": "scale", "cpus": os.cpu_count()}
    for name in names:
        command = [sys.executable, "-m", "benchmarks.scale", "--one", name]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        report[name] = json.loads(done.stdout)
        print(f"{name:>22}", *(f"{key} {value:,}" for key, value in report[name].items()), file=sys.stderr, flush=True)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
