"""Spans per second that a collector acknowledges as committed, the load generator on the same machine.

The load is `load.py ENDPOINT PID REQUESTS SPANS_PER_REQUEST` (`--load`, `$SEAMSCOPE_LOAD`): prebuilt OTLP/gRPC
requests, 48 in flight, every span new. Beside the collector runs the yardstick of `benchmarks.naive_receiver`, and
`ratio` is how many times more the collector takes, `cpu_ratio` how many times less work a span is. Figures are medians
of the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).resolve().parent.parent
SPANS = 512
REQUESTS = 400
"""What `load.py` builds without repeating a span."""

LINE = re.compile(
    r"acked (?P<acked_spans_per_s>[\d,]+) spans/s, refused (?P<refused>\d+), p99 (?P<p99_ms>\d+) ms, "
    r"cpu (?P<cpu_s_per_million>[\d.]+) s per million, peak rss (?P<peak_rss_mib>\d+) MiB"
)


@contextmanager
def running(command: list[str], folder: Path) -> Iterator[dict[str, Any]]:
    """Run a receiver until the end of the block; give its endpoint and pid."""
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None  # noqa: S101
        line = process.stdout.readline()
        ready = folder / "ready.json"
        yield json.loads(ready.read_text() if ready.exists() else line)
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def collector(folder: Path) -> Iterator[dict[str, Any]]:
    ports = ["--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--ready-file", str(folder / "ready.json")]
    command = [sys.executable, "-m", "seamscope", "collect", "--db", str(folder / "store.duckdb"), *ports]
    with running(command, folder) as ready:
        yield ready


@contextmanager
def naive(folder: Path) -> Iterator[dict[str, Any]]:
    with running([sys.executable, "-m", "benchmarks.naive_receiver", str(folder)], folder) as ready:
        yield ready


def load(program: Path, ready: dict[str, Any], requests: int, spans: int) -> dict[str, float]:
    """Run the load once; return its figures."""
    command = [sys.executable, str(program), ready["grpc"], str(ready["pid"]), str(requests), str(spans)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=600)
    match = LINE.search(done.stdout)
    if match is None:
        raise SystemExit(f"{program} said {done.stdout!r}")
    return {name: float(text.replace(",", "")) for name, text in match.groupdict().items()}


def rounds(program: Path, receiver: Any, count: int, requests: int, spans: int) -> dict[str, float]:
    """Return medians of several rounds against one receiver, after one that is not counted."""
    with tempfile.TemporaryDirectory() as folder, receiver(Path(folder)) as ready:
        load(program, ready, 20, spans)
        found = [load(program, ready, requests, spans) for _ in range(count)]
    return {name: statistics.median(one[name] for one in found) for name in found[0]}


def main() -> None:
    """Print `{"collector": …, "small_requests": …, "naive": …, "ratio": …, "cpu_ratio": …}`."""
    words = argparse.ArgumentParser(description=__doc__)
    default = os.environ.get("SEAMSCOPE_LOAD", str(PROJECT / "../shared/bench/load.py"))
    words.add_argument("--load", type=Path, default=Path(default))
    words.add_argument("--rounds", type=int, default=3)
    chosen = words.parse_args()
    if not chosen.load.exists():
        print(json.dumps({"skipped": f"no load generator at {chosen.load} (set SEAMSCOPE_LOAD)"}))
        return
    big = rounds(chosen.load, collector, chosen.rounds, REQUESTS, SPANS)
    small = rounds(chosen.load, collector, chosen.rounds, REQUESTS, 10)
    yardstick = rounds(chosen.load, naive, chosen.rounds, REQUESTS, SPANS)
    figures = {
        "collector": big,
        "small_requests": small,
        "naive": yardstick,
        "ratio": round(big["acked_spans_per_s"] / yardstick["acked_spans_per_s"], 2),
        "cpu_ratio": round(yardstick["cpu_s_per_million"] / big["cpu_s_per_million"], 2),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
