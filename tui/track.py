"""A strip of time drawn to scale in cells: lines for spans, blocks for what is on the critical path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.lines import cells, clean

if TYPE_CHECKING:
    from rich.style import Style

    from tui.glyphs import Glyphs
    from tui.lines import Cell


class Track:
    """`width` cells over the times `start_ns` to `end_ns`; later strokes lie on top of earlier ones."""

    def __init__(self, width: int, start_ns: int, end_ns: int, glyphs: Glyphs) -> None:
        self.width = width
        self.start_ns = start_ns
        self.length_ns = max(end_ns - start_ns, 1)
        self.glyphs = glyphs
        self.cells: list[Cell] = [(" ", None)] * width

    def eighth(self, ns: int) -> int:
        """Give the eighth of a cell that a time falls on, kept inside the track."""
        return max(0, min((ns - self.start_ns) * 8 * self.width // self.length_ns, 8 * self.width))

    def cell(self, ns: int) -> int:
        """Give the cell that a time falls on, kept inside the track."""
        return max(0, min(self.eighth(ns) // 8, self.width - 1))

    def shows(self, start_ns: int, end_ns: int) -> bool:
        """Tell whether any of a stretch lies inside the track."""
        return end_ns >= self.start_ns and start_ns <= self.start_ns + self.length_ns

    def line(self, start_ns: int, end_ns: int, glyph: str, style: Style | None) -> None:
        """Draw a thin line over whole cells, at least one."""
        if self.width and self.shows(start_ns, end_ns):
            first, last = self.cell(start_ns), max(self.cell(start_ns), (self.eighth(end_ns) + 7) // 8 - 1)
            for cell in range(first, min(last, self.width - 1) + 1):
                self.cells[cell] = (glyph, style)

    def block(self, start_ns: int, end_ns: int, ink: Style, ground: Style | None = None) -> None:
        """Draw a solid block, its start to half a cell, its end to an eighth; at least a sliver.

        Whole cells take `ground` where it is given: a coloured cell has no seams where fonts leave gaps.
        """
        whole = (self.glyphs.full, ink) if ground is None else (" ", ground)
        if self.glyphs.ascii:
            self.line(start_ns, end_ns, self.glyphs.full, ink)
        elif self.width and self.shows(start_ns, end_ns):
            first = min(self.eighth(start_ns), 8 * self.width - 1)
            self._fill(first, max(self.eighth(end_ns), first + 1), ink, whole)

    def _fill(self, first: int, last: int, ink: Style, whole: Cell) -> None:
        cell, inset = divmod(first, 8)
        if last <= 8 * (cell + 1) and inset:
            self.cells[cell] = (self.glyphs.eighths[last - first] if inset < 4 else self.glyphs.right_half, ink)
            return
        if inset >= 2:
            self.cells[cell] = (self.glyphs.right_half, ink)
            cell += 1
        for place in range(cell, last // 8):
            self.cells[place] = whole
        if last % 8:
            self.cells[last // 8] = (self.glyphs.eighths[last % 8], ink)

    def mark(self, ns: int, glyph: str, style: Style | None) -> None:
        """Draw one character at a time."""
        if self.width and self.shows(ns, ns):
            self.cells[self.cell(ns)] = (glyph, style)

    def edges(self, start_ns: int, end_ns: int, style: Style) -> None:
        """Mark the edges that a stretch runs over."""
        if not self.width:
            return
        if start_ns < self.start_ns:
            self.cells[0] = (self.glyphs.cut_left, style)
        if end_ns > self.start_ns + self.length_ns:
            self.cells[-1] = (self.glyphs.cut_right, style)

    def text(self, cell: int, text: str, style: Style | None) -> None:
        """Write a text from a cell on; what does not fit is left out, a character of other than one cell is a dot."""
        for place, character in enumerate(clean(text), cell):
            if 0 <= place < self.width:
                self.cells[place] = (character if cells(character) == 1 else self.glyphs.dot, style)


STEPS = (1, 2, 5)


def ticks(start_ns: int, end_ns: int, at_most: int) -> list[int]:
    """Give round times from `start_ns` to `end_ns`, `at_most` of them or so."""
    length, step, count = max(end_ns - start_ns, 1), 1, 0
    while length // step > max(at_most, 1):
        count += 1
        step = 10 ** (count // len(STEPS)) * STEPS[count % len(STEPS)]
    first = -(-start_ns // step) * step
    return list(range(first, end_ns + 1, step))
