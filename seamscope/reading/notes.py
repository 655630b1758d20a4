"""What is to be said of a selection beside its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from seamscope.schema.words import REQUEST_KINDS
from seamscope.statements import statement

if TYPE_CHECKING:
    from seamscope.selection.predicate import Predicate
    from seamscope.store import Reader

OTHER: Final = REQUEST_KINDS.index("other")
"""The kind that figures leave out."""


def counted(reader: Reader, chosen: Predicate) -> dict[str, int]:
    """Count what the figures of a selection leave out or should be read with (`report/counted.sql`)."""
    rows = reader.query(statement("report/counted", where=chosen.where), {**chosen.params, "other": OTHER})
    return rows.row(0, named=True)


def sampled(counts: dict[str, int], rest: str, of: str = "") -> tuple[str, ...]:
    """Say how many requests (`of` a set) stand for more than themselves, if any does, and how the figures take them."""
    weighted = counts["weighted"]
    if not weighted:
        return ()
    one, several = (
        f"1 request{of} stands for more than itself",
        f"{weighted} requests{of} stand for more than themselves",
    )
    who = one if weighted == 1 else several
    return (f"{who} (sampling): {rest}",)
