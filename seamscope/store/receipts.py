"""What a write says it did."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CommitReceipt:
    """What a commit stored."""

    commit_no: int
    """Monotone over the life of the store."""
    rows: dict[str, int]
    """Rows added per table."""
    duplicate_spans: int = 0
    """Spans left out because the very same was stored before (a client's retry)."""
