"""Spans per second that a receiver acknowledges, the load generator on the same machine, and what they cost it.

    python -m benchmarks.ingest
    python -m benchmarks.ingest --endpoint 127.0.0.1:4317 --pid 4711 --disk /var/lib/receiver
    python -m benchmarks.ingest --transport http/json

The load over gRPC is `load.py ENDPOINT PID REQUESTS SPANS_PER_REQUEST [IN_FLIGHT]` (`--load`, `$SEAMSCOPE_LOAD`) where
there is one, else `benchmarks.drive`, which is also that over HTTP: prebuilt requests, 48 in flight, every span new.
Figures are medians of the rounds:

- `cpu_s_per_million` until the last answer; `cpu_until_idle_s_per_million` also what is done afterwards: analysis here,
  and elsewhere whatever an answer did not wait for;
- `bytes_per_span` on the disk once the receiver is idle, of all rounds.

Without `--endpoint` a collector is started, and beside it the yardstick of `benchmarks.naive_receiver`: `ratio` is how
many times more the collector takes, `cpu_ratio` how many times less work a span is.
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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.drive import TRANSPORTS
from benchmarks.meters import GroupMeter, ProcessMeter, disk_bytes, until_idle
from benchmarks.requests import SPANS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.meters import Meter

PROJECT = Path(__file__).resolve().parent.parent
REQUESTS = 400
"""What `load.py` builds without repeating a span."""
WARM = 20

LINE = re.compile(
    r"acked (?P<acked_spans_per_s>[\d,]+) spans/s, refused (?P<refused>\d+), p99 (?P<p99_ms>\d+) ms, "
    r"cpu (?P<cpu_s_per_million>[\d.]+) s per million, peak rss (?P<peak_rss_mib>\d+) MiB"
)


@contextmanager
def running(command: list[str], folder: Path) -> Iterator[dict[str, Any]]:
    """Run a receiver until the end of the block; give its endpoint and pid."""
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
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


@dataclass(frozen=True)
class Receiver:
    """What is measured: where it listens, what tells its CPU and memory, where it keeps things."""

    endpoint: str
    pid: int
    meter: Meter
    disk: Path | None = None


@dataclass(frozen=True)
class Load:
    """What is sent: the program that sends it and its words."""

    command: tuple[str, ...]
    words: tuple[str, ...] = ()

    def run(self, receiver: Receiver, requests: int, spans: int) -> dict[str, float]:
        """Send once; return the program's figures."""
        command = [*self.command, receiver.endpoint, str(receiver.pid), str(requests), str(spans), *self.words]
        done = subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True, timeout=900)
        match = LINE.search(done.stdout)
        if match is None:
            raise SystemExit(f"{self.command} said {done.stdout!r}")
        return {name: float(text.replace(",", "")) for name, text in match.groupdict().items()}


def rounds(load: Load, receiver: Receiver, chosen: argparse.Namespace, spans: int) -> dict[str, float]:
    """Return medians of several rounds against a receiver, after one that is not counted."""
    before = disk_bytes(receiver.disk) if receiver.disk else 0
    load.run(receiver, WARM, spans)
    until_idle(receiver.meter, chosen.quiet)
    found = []
    for _ in range(chosen.rounds):
        cpu_s = receiver.meter.cpu_s()
        one = load.run(receiver, chosen.requests, spans)
        answered = (chosen.requests - one["refused"]) * spans
        until_idle(receiver.meter, chosen.quiet)
        one["cpu_until_idle_s_per_million"] = round((receiver.meter.cpu_s() - cpu_s) / max(answered, 1) * 1e6, 1)
        found.append(one | {"spans": answered})
    figures = {name: statistics.median(one[name] for one in found) for name in found[0] if name != "spans"}
    figures["peak_rss_mib"] = round(receiver.meter.peak_mib())
    if receiver.disk:
        sent = sum(one["spans"] for one in found) + WARM * spans
        figures["bytes_per_span"] = round((disk_bytes(receiver.disk) - before) / sent, 1)
    return figures


def started(receiver: Any, load: Load, chosen: argparse.Namespace, spans: int) -> dict[str, float]:
    """Return the medians of a receiver that runs only for them."""
    door = "grpc" if chosen.transport == "grpc" else "http"
    with tempfile.TemporaryDirectory() as folder, receiver(Path(folder)) as ready:
        disk = Path(folder) / "store.duckdb"
        return rounds(load, Receiver(ready[door], ready["pid"], ProcessMeter(ready["pid"]), disk), chosen, spans)


def _load(chosen: argparse.Namespace) -> Load:
    if chosen.transport == "grpc" and chosen.load.exists() and not chosen.rate:
        return Load((sys.executable, str(chosen.load)), (str(chosen.in_flight),))
    words = [str(chosen.in_flight), "--transport", chosen.transport]
    words += ["--rate", str(chosen.rate)] if chosen.rate else []
    return Load((sys.executable, "-m", "benchmarks.drive"), tuple(words))


def _given(chosen: argparse.Namespace) -> Receiver:
    if chosen.cgroup:
        return Receiver(chosen.endpoint, chosen.pid or os.getpid(), GroupMeter(chosen.cgroup), chosen.disk)
    if not chosen.pid:
        raise SystemExit("say whose CPU and memory to read: --pid or --cgroup")
    return Receiver(chosen.endpoint, chosen.pid, ProcessMeter(chosen.pid), chosen.disk)


def _words() -> argparse.ArgumentParser:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("SEAMSCOPE_LOAD", str(PROJECT / "../shared/bench/load.py"))
    words.add_argument("--load", type=Path, default=Path(default), help="program that sends over gRPC")
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--requests", type=int, default=REQUESTS, help="of a round")
    words.add_argument("--spans", type=int, default=SPANS, help="of a request")
    words.add_argument("--in-flight", type=int, default=48)
    words.add_argument("--rate", type=float, help="spans a second, sent by benchmarks.drive")
    words.add_argument("--transport", choices=TRANSPORTS, default="grpc")
    words.add_argument("--endpoint", help="of a receiver that runs already: HOST:PORT")
    words.add_argument("--pid", type=int, help="its process, whose descendants count too")
    words.add_argument("--cgroup", type=Path, help="or its control group")
    words.add_argument("--disk", type=Path, help="file or folder that it keeps things in")
    words.add_argument("--quiet", type=float, default=12.0, help="seconds after which a receiver without work is idle")
    return words


def main() -> None:
    """Print `{"receiver": …}`, or `{"collector": …, "small_requests": …, "naive": …, "ratio": …, "cpu_ratio": …}`."""
    chosen = _words().parse_args()
    load = _load(chosen)
    if chosen.endpoint:
        print(json.dumps({"receiver": rounds(load, _given(chosen), chosen, chosen.spans)}))
        return
    big = started(collector, load, chosen, chosen.spans)
    figures: dict[str, Any] = {"collector": big, "small_requests": started(collector, load, chosen, 10)}
    if chosen.transport == "grpc":
        yardstick = started(naive, load, chosen, chosen.spans)
        figures |= {
            "naive": yardstick,
            "ratio": round(big["acked_spans_per_s"] / yardstick["acked_spans_per_s"], 2),
            "cpu_ratio": round(yardstick["cpu_s_per_million"] / big["cpu_s_per_million"], 2),
        }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
