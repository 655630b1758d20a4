"""What a write says it did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class CommitReceipt:
    """What a commit stored."""

    commit_no: int
    """Monotone over the life of the store."""
    rows: dict[str, int]
    """Rows added per table."""
    duplicates: Mapping[str, int] = field(default_factory=dict)
    """Rows left out, per table, because the very same were stored before (a client's retry)."""

    @property
    def duplicate_spans(self) -> int:
        """Spans among them."""
        return self.duplicates.get("spans", 0)
