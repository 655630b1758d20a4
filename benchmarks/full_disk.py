"""Disks that fill up under a collector, and get room again.

`RLIMIT_FSIZE` (no root needed) holds the size of every file that the collector writes, while it is under load, then
lets go. Counted: acknowledged spans lost, and how long after that until the first acknowledgement.
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
    ledger, took = Ledger(), []
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
                size = max(path.stat().st_size for path in folder.glob("s.duckdb*") if path.is_file())
                limit(collector.process.pid, size + 100_000 * (cycle % 3))
                time.sleep(0.6)
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
        "refused_requests": len(ledger.unanswered),
        "slowest_resume_s": round(max(took), 2),
        "not_resumed": sum(seconds > RESUMES_S for seconds in took),
    }


def limit(pid: int, size: int) -> None:
    """Hold the size of the files that a process writes."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def signals_ignored(pid: int) -> None:
    """Make sure that a write beyond the limit is an error, and no end of the process (Python ignores SIGXFSZ)."""
    status = Path(f"/proc/{pid}/status").read_text()
    ignored = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn")), 16)
    if not ignored >> (signal.SIGXFSZ - 1) & 1:
        raise RuntimeError("the collector would be ended by SIGXFSZ")
