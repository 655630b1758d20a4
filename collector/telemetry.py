"""What the collector says about itself: counts that add up, and how long a commit takes.

For every signal: items sent = accepted + rejected, and requests received = answered + refused + invalid + those still
held; accepted items = rows in the store + duplicates + unkept (data points of instruments that explain no seam).
Items of a refused request are not counted: it was not read.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from collector.ingest import Outcome

RECENT_COMMITS: Final = 512
"""Commits over which `commit_ms` gives its percentiles."""

FAILING_NS: Final = 60_000_000_000
"""A failed commit tells for so long that nothing can be stored: who is sent away for it brings no other one about."""

SIGNALS: Final = {"spans": "traces", "logs": "logs", "metric_points": "metrics"}
"""The signal whose items are the rows of a table."""


def by_signal(rows: Mapping[str, int]) -> dict[str, int]:
    """Return counts of rows by signal; rows of tables that are no signal's items are left out."""
    return {SIGNALS[table]: count for table, count in rows.items() if table in SIGNALS}


@dataclass(slots=True)
class SignalCounts:
    """Counts of one signal since the start; items are spans, log records or metric data points."""

    requests: int = 0
    request_bytes: int = 0
    accepted: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    invalid: int = 0
    duplicates: int = 0
    """Accepted items that were stored before."""
    unkept: int = 0
    """Accepted items that were counted and not stored."""
    notes: Counter[str] = field(default_factory=Counter)
    """What was lost of accepted items, by kind."""

    def document(self) -> dict[str, object]:
        """Return the counts as a JSON object."""
        return {
            "requests": self.requests,
            "request_bytes": self.request_bytes,
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "unkept": self.unkept,
            "rejected": dict(self.rejected),
            "refused_requests": dict(self.refused),
            "invalid_requests": self.invalid,
            "notes": dict(self.notes),
        }


class Telemetry:
    """Counters that every thread of the collector may raise."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._signals: dict[str, SignalCounts] = {}
        self._commit_ns: deque[int] = deque(maxlen=RECENT_COMMITS)
        self._commits = 0
        self._failed_commits = 0
        self._last_commit_ok = True
        self._failed_ns = 0
        self._denied: Counter[str] = Counter()
        self._busy_ns: Counter[str] = Counter()
        self._held_bytes = 0
        self._started_ns = time.monotonic_ns()
        self._looks: dict[str, Callable[[], float | Mapping[str, int]]] = {}

    def looks_at(self, name: str, look: Callable[[], float | Mapping[str, int]]) -> None:
        """Let `snapshot` also give what `look` finds then, such as the disk's free bytes."""
        self._looks[name] = look

    def _of(self, signal: str) -> SignalCounts:
        found = self._signals.get(signal)
        if found is None:
            found = self._signals[signal] = SignalCounts()
        return found

    def received(self, signal: str, size: int) -> None:
        """Count a request whose body arrived whole; `size` in bytes after decompression."""
        with self._lock:
            counts = self._of(signal)
            counts.requests += 1
            counts.request_bytes += size

    def refused(self, signal: str, reason: str) -> None:
        """Count a request that its sender was asked to send again."""
        with self._lock:
            self._of(signal).refused[reason] += 1

    def answered(self, signal: str, outcome: Outcome) -> None:
        """Count a request whose items are committed, or that could not be read."""
        with self._lock:
            counts = self._of(signal)
            counts.invalid += outcome.error is not None
            counts.accepted += outcome.accepted
            counts.unkept += outcome.unkept
            if outcome.rejected:
                counts.rejected.update({reason: count for reason, count in outcome.rejected.items() if count})
            if outcome.notes:
                counts.notes.update({kind: count for kind, count in outcome.notes.items() if count})

    def unreadable(self, signal: str) -> None:
        """Count a request that a door could not even take apart."""
        with self._lock:
            self._of(signal).invalid += 1

    def denied(self, what: str, reason: str) -> None:
        """Count a request of somebody who may not: turned away unread, and no part of `requests`."""
        with self._lock:
            self._denied[f"{what}: {reason}"] += 1

    @property
    def storing(self) -> bool:
        """Whether the last commit succeeded, or failed so long ago that the next one may."""
        return self._last_commit_ok or time.monotonic_ns() - self._failed_ns > FAILING_NS

    def committed(self, took_ns: int, *, ok: bool, duplicates: Mapping[str, int] | None = None) -> None:
        """Count a commit, how long it took, and the rows in it, by table, that were stored before."""
        with self._lock:
            self._last_commit_ok = ok
            if not ok:
                self._failed_ns = time.monotonic_ns()
            self._commits += ok
            self._failed_commits += not ok
            for signal, count in by_signal(duplicates or {}).items():
                self._of(signal).duplicates += count
            self._commit_ns.append(took_ns)
            self._busy_ns["commit"] += took_ns

    def worked(self, stage: str, took_ns: int) -> None:
        """Add to the time that a stage was busy."""
        with self._lock:
            self._busy_ns[stage] += took_ns

    def holds(self, held_bytes: int) -> None:
        """Set the bytes of bodies that are held and not yet answered."""
        self._held_bytes = held_bytes

    @property
    def held_bytes(self) -> int:
        """Bytes of bodies that are held and not yet answered."""
        return self._held_bytes

    def total(self, count: str) -> int:
        """Return a count over all signals: `requests`, `accepted`, `invalid`, `rejected`, `refused`."""
        with self._lock:
            found = [getattr(counts, count) for counts in self._signals.values()]
        return sum(each.total() if isinstance(each, Counter) else each for each in found)

    def snapshot(self) -> dict[str, object]:
        """Return everything as a JSON object; durations in milliseconds."""
        found = {name: look() for name, look in self._looks.items()}
        with self._lock:
            recent = sorted(self._commit_ns)
            return {
                "uptime_s": round((time.monotonic_ns() - self._started_ns) / 1e9, 3),
                "queue_bytes": self._held_bytes,
                "commits": self._commits,
                "failed_commits": self._failed_commits,
                "storing": self.storing,
                "denied_requests": dict(self._denied),
                "commit_ms": {name: _quantile_ms(recent, q) for name, q in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))},
                "busy_ms": {stage: round(took / 1e6, 3) for stage, took in self._busy_ns.items()},
                **found,
                "signals": {signal: counts.document() for signal, counts in self._signals.items()},
            }


def _quantile_ms(ascending: list[int], q: float) -> float | None:
    if not ascending:
        return None
    return round(ascending[min(len(ascending) - 1, int(q * len(ascending)))] / 1e6, 3)
