"""From bodies to rows for the store: decode, judge, normalise, and say what became of each body."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from collector.decode import Body


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one body.

    Attributes:
        accepted: items (spans, log records, data points) that are in `Ingested.tables`, or counted for metrics.
        rejected: items that are not, by reason.
        error: why nothing of the body could be read, or None; then `accepted` is 0 and `rejected` empty.
    """

    accepted: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Ingested:
    """Rows for the store, by table name (`seamscope.schema.tables.INGESTED`), and an outcome per body in order."""

    tables: Mapping[str, pa.Table]
    outcomes: Sequence[Outcome]


def ingest(bodies: Sequence[Body]) -> Ingested:
    """Read bodies of any signal and encoding."""
    raise NotImplementedError
