"""The time axis that the ribbons and the waterfall share, so that one stands exactly over the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.track import Track

if TYPE_CHECKING:
    from tui.glyphs import Glyphs

NUMBER = 8
"""Cells of the column of durations."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Columns and times: names, durations, then a track from `start_ns` to `end_ns`."""

    width: int
    start_ns: int
    end_ns: int

    @property
    def names(self) -> int:
        """Cells of the column of names."""
        return max(18, min(self.width * 2 // 5, 64))

    @property
    def cells(self) -> int:
        """Cells of the track; the last one is kept free at the edge."""
        return max(self.width - self.names - NUMBER - 3, 1)

    def track(self, glyphs: Glyphs) -> Track:
        """Start an empty track."""
        return Track(self.cells, self.start_ns, self.end_ns, glyphs)
