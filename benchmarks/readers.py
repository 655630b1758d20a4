"""Readers that ask for too much, in a loop, beside ingest: commits that failed (0), refusals, how long an ack takes.

    python -m benchmarks.readers --seconds 30

Each reader sends one unbounded statement after another through the collector's socket: cross joins, sorts of
everything, aggregates that spill, rows without end. Half of them hang up in the middle. Beside them a sender keeps
four requests of 512 spans in flight. Figures are of the collector's own counters and of the sender.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

import grpc

from benchmarks.ingest import collector
from benchmarks.requests import request
from seamscope.errors import SeamscopeError
from seamscope.remote import find_collector, open_store

STATEMENTS: Final = (
    "SELECT * FROM spans a, spans b ORDER BY a.name || b.name",
    "SELECT count(*) FROM base.span_rows a, base.span_rows b, base.span_rows c WHERE a.span_id < b.span_id + c.span_id",
    "SELECT trace_id, span_id, list(attributes) FROM spans GROUP BY ALL ORDER BY ALL",
    "SELECT * FROM range(1000000000000)",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r",
    "SELECT string_agg(attributes::VARCHAR, '') OVER (ORDER BY start_ns) FROM spans",
)
EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class Trial:
    """Readers and a sender, until the time is up."""

    def __init__(self, db: Path, endpoint: str, seconds: float) -> None:
        self.db = db
        self.endpoint = endpoint
        self.until = time.monotonic() + seconds
        self.asked = self.failed = self.acknowledged = self.refused = 0
        self.took_ms: list[float] = []

    def read(self, number: int) -> None:
        """Ask and ask again; every second one hangs up after the first rows."""
        while time.monotonic() < self.until:
            text = STATEMENTS[(self.asked + number) % len(STATEMENTS)]
            self.asked += 1
            try:
                with open_store(str(self.db)) as store:
                    rows = store.stream(text)
                    for _ in rows:
                        if number % 2 or time.monotonic() > self.until:
                            rows.close()
                            break
            except SeamscopeError:
                self.failed += 1

    def send(self, number: int) -> None:
        """Send what is new, one request after another."""
        import random

        dice = random.Random(number)
        with grpc.insecure_channel(self.endpoint) as channel:
            export = channel.unary_unary(EXPORT)
            while time.monotonic() < self.until:
                body = request(dice).SerializeToString()
                began = time.perf_counter()
                try:
                    export(body, timeout=60)
                except grpc.RpcError:
                    self.refused += 1
                    continue
                self.took_ms.append((time.perf_counter() - began) * 1e3)
                self.acknowledged += 512

    def run(self, readers: int, senders: int = 4) -> None:
        """Let all of them work until the time is up."""
        work = [(self.send, n) for n in range(senders)] + [(self.read, n) for n in range(readers)]
        threads = [threading.Thread(target=what, args=(number,)) for what, number in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def figures(trial: Trial) -> dict[str, Any]:
    """Give what came of a trial."""
    live = find_collector(trial.db)
    counts: dict[str, Any] = dict(live.status["telemetry"]) if live else {}
    with open_store(str(trial.db)) as store:
        stored = int(store.query("SELECT count(*) FROM base.span_rows").item())
    took = sorted(trial.took_ms) or [0.0]
    return {
        "statements": trial.asked,
        "of_them_ended_by_a_bound": trial.failed,
        "acknowledged_spans": trial.acknowledged,
        "stored_spans": stored,
        "refused_requests": trial.refused,
        "commits": counts.get("commits"),
        "failed_commits": counts.get("failed_commits"),
        "ack_p50_ms": round(took[len(took) // 2], 1),
        "ack_p99_ms": round(took[int(len(took) * 0.99)], 1),
        "resident_mib": round(counts.get("resident_bytes", 0) / 2**20),
    }


def trial(seconds: float, readers: int) -> dict[str, Any]:
    """Run one trial against a collector of its own."""
    with tempfile.TemporaryDirectory() as folder, collector(Path(folder)) as ready:
        found = Trial(Path(folder) / "store.duckdb", ready["grpc"], seconds)
        found.run(readers)
        return figures(found)


def main() -> None:
    """Print the figures without and with readers; exit 1 if a commit failed or an acknowledged span is not there."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--seconds", type=float, default=30.0)
    words.add_argument("--readers", type=int, default=6)
    chosen = words.parse_args()
    found = {"alone": trial(chosen.seconds / 3, 0), "with_readers": trial(chosen.seconds, chosen.readers)}
    print(json.dumps(found))
    bad = [one for one in found.values() if one["failed_commits"] or one["stored_spans"] != one["acknowledged_spans"]]
    raise SystemExit(bool(bad))


if __name__ == "__main__":
    main()
