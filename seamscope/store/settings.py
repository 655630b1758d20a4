"""How a store uses the machine: memory, threads, spill, and what a reader may cost."""

from __future__ import annotations

import os
from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits of one opened store; the defaults suit a collector on a small machine."""

    memory_bytes: int = 1024 * MIB
    """What DuckDB may hold: its page cache, sorts and hash tables (Arrow and Python memory come on top)."""
    threads: int | None = None
    """Threads of DuckDB. By default every core to read a file; beside a writer one core less, for doors and decoders
    (with one thread, what two cores leave, an insert also costs a third less CPU: 4.5 s per million spans, not 7)."""
    spill_bytes: int = 4096 * MIB
    """What sorts and hash tables may write beside the store when memory is short."""
    checkpoint_bytes: int = 128 * MIB
    """Log size at which the log is folded into the file, whoever keeps it up; commits stand still meanwhile."""
    guests: int = 2
    """Statements of other processes that may run at once."""
    guest_seconds: float = 30.0
    """How long one statement of a guest may run."""
    guest_memory_bytes: int = 256 * MIB
    """What the sorts and hash tables of one guest may hold before they spill."""
    guest_rows: int = 5_000_000
    """How many rows one statement may give to a guest."""
    remembered_items: int = 3 << 19
    """Re-sent items (spans, log records, data points) are recognised among at least this many latest ones of all kinds
    together, and at most twice as many."""

    def threads_for(self, *, read_only: bool) -> int:
        """Give the number of DuckDB's threads."""
        cores = os.cpu_count() or 1
        return self.threads or max(1, min(cores if read_only else cores - 1, 8))
