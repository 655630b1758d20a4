"""Disks that fill up under a collector, and get room again.

`RLIMIT_FSIZE` (no root needed) holds every file that the collector writes to the size of its log, while it is under
load and until it refuses, then lets go. Counted: acknowledged spans lost, and how long after that until the first
acknowledgement.
"""

from __future__ import annotations

import resource
import signal
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.damage import FOREVER
from benchmarks.forked import Nursery
from benchmarks.ledger import Collector, Ledger, load, stored, wait_for

RESUMES_S: Final = 5.0
"""So long it may take until spans are acknowledged again."""


def full_disks(cycles: int, seed: int, keep: Path | None = None, until: float = FOREVER) -> dict[str, Any]:
    """Let files grow no further under load, then let go, on one collector, so often or until a time (monotonic)."""
    del keep
    ledger, took, refusing = Ledger(), [], 0
    with tempfile.TemporaryDirectory() as place, Nursery() as nursery:
        folder = Path(place)
        collector = Collector(nursery, folder, ("--settle", "1s"))
        endpoint = collector.endpoint()
        signals_ignored(collector.process.pid)
        for cycle in range(cycles):
            if time.monotonic() > until:
                break
            with load(endpoint, ledger, seed + cycle, 512):
                wait_for(ledger, 4, collector.process)
                refused = len(ledger.unanswered)
                limit(collector.process.pid, log_bytes(folder) + 100_000 * (cycle % 3))
                refusing += refuses(ledger, refused, collector)
                limit(collector.process.pid, resource.RLIM_INFINITY)
                began = time.monotonic()
                wait_for(ledger, 1, collector.process)
                took.append(time.monotonic() - began)
        collector.end(signal.SIGTERM)
        found = ledger.held_against(stored(folder / "s.duckdb"))
    return {
        "cycles": len(took),
        **found,
        "acknowledged": sum(len(ids) for _, ids in ledger.acknowledged),
        "cycles_with_refusals": refusing,
        "refused_requests": len(ledger.unanswered),
        "slowest_resume_s": round(max(took), 2),
        "not_resumed": sum(seconds > RESUMES_S for seconds in took),
    }


def log_bytes(folder: Path) -> int:
    """Give the size of the store's log; commits append to it, and nothing else grows in so short a time."""
    log = folder / "s.duckdb.wal"
    return log.stat().st_size if log.exists() else 0


def refuses(ledger: Ledger, before: int, collector: Collector) -> bool:
    """Wait until more requests than before were refused; tell whether any was."""
    until = time.monotonic() + RESUMES_S
    while len(ledger.unanswered) == before and collector.process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    return len(ledger.unanswered) > before


def limit(pid: int, size: int) -> None:
    """Hold the size of the files that a process writes."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def signals_ignored(pid: int) -> None:
    """Make sure that a write beyond the limit is an error, and no end of the process (Python ignores SIGXFSZ)."""
    status = Path(f"/proc/{pid}/status").read_text()
    ignored = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn")), 16)
    if not ignored >> (signal.SIGXFSZ - 1) & 1:
        raise RuntimeError("the collector would be ended by SIGXFSZ")
