"""Which rows of a waterfall are to be seen: folding, and the critical path alone. A hundred thousand rows are fine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Outline:
    """Rows in display order with their depths; `shown` lists those that no fold and no filter hides."""

    def __init__(self, depths: Sequence[int]) -> None:
        self.depths = depths
        self.ends, self.parents = _nest(depths)
        """For each row the row after its last descendant, and its parent (-1: none)."""
        self.folded: set[int] = set()
        self.only: frozenset[int] | None = None
        """Rows that a filter keeps, with their ancestors; None keeps all."""
        self.shown: list[int] = []
        self._places: dict[int, int] = {}
        self.refresh()

    def refresh(self) -> None:
        """List the rows to be seen anew."""
        shown: list[int] = []
        row, last = 0, len(self.depths)
        while row < last:
            if self.only is None or row in self.only:
                shown.append(row)
            row = self.ends[row] if row in self.folded else row + 1
        self.shown = shown
        self._places = {row: place for place, row in enumerate(shown)}

    def has_children(self, row: int) -> bool:
        """Tell whether a row can be folded."""
        return self.ends[row] > row + 1

    def place(self, row: int) -> int:
        """Give the place of a row among those shown, or of its nearest ancestor that is."""
        while row >= 0 and row not in self._places:
            row = self.parents[row]
        return self._places.get(row, 0)

    def fold(self, row: int) -> None:
        """Hide what is below a row."""
        if self.has_children(row):
            self.folded.add(row)
            self.refresh()

    def unfold(self, row: int) -> None:
        """Show what is below a row."""
        if row in self.folded:
            self.folded.discard(row)
            self.refresh()

    def reveal(self, row: int) -> None:
        """Unfold all above a row."""
        above, hidden = self.parents[row], False
        while above >= 0:
            hidden = hidden or above in self.folded
            self.folded.discard(above)
            above = self.parents[above]
        if hidden:
            self.refresh()

    def keep(self, rows: Sequence[int] | None) -> None:
        """Show only these rows and their ancestors; None shows all."""
        kept: set[int] = set()
        for row in rows or ():
            above = row
            while above >= 0 and above not in kept:
                kept.add(above)
                above = self.parents[above]
        self.only = None if rows is None else frozenset(kept)
        self.refresh()

    def fold_all(self, depth: int) -> None:
        """Fold every row of a depth or deeper."""
        self.folded = {row for row, at in enumerate(self.depths) if at >= depth and self.has_children(row)}
        self.refresh()


def _nest(depths: Sequence[int]) -> tuple[list[int], list[int]]:
    ends, parents = [len(depths)] * len(depths), [-1] * len(depths)
    above: list[int] = []
    for row, depth in enumerate(depths):
        while above and depths[above[-1]] >= depth:
            ends[above.pop()] = row
        parents[row] = above[-1] if above else -1
        above.append(row)
    return ends, parents
