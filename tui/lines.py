"""One line of the screen, built from left to right and never wider than it was asked to be.

Every text passes `seamscope.text.safe.safe` here: this is the render boundary, and no widget draws around it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.strip import Strip

from seamscope.text.safe import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.style import Style

    Cell = tuple[str, Style | None]

LONGEST = 1_024
"""Characters of a text that are looked at: more than the widest terminal shows."""


@lru_cache(maxsize=4_096)
def clean(text: str) -> str:
    """Give `text` as it may be drawn, cut to `LONGEST` characters."""
    return safe(text, LONGEST)


def cells(text: str) -> int:
    """Give the width of a clean text in cells."""
    return len(text) if text.isascii() else cell_len(text)


def fit(text: str, width: int, *, right: bool = False, ellipsis: str = "…") -> str:
    """Cut or pad a clean text to exactly `width` cells; what is cut ends in `ellipsis`."""
    if width <= 0:
        return ""
    have = cells(text)
    if have > width:
        kept = text[: width - 1] if text.isascii() else set_cell_size(text, width - 1)
        return kept + ellipsis
    padding = " " * (width - have)
    return padding + text if right else text + padding


def cut(text: str, width: int, ellipsis: str = "…") -> str:
    """Cut a clean text to at most `width` cells; what is cut ends in `ellipsis`."""
    return text if cells(text) <= width else fit(text, width, ellipsis=ellipsis)


def cut_middle(text: str, width: int, ellipsis: str = "…") -> str:
    """Cut a clean text in its middle: of an address the end tells more than its host."""
    if cells(text) <= width:
        return text
    if not text.isascii() or width < 12:
        return cut(text, width, ellipsis)
    tail = (width - 1) * 3 // 5
    return text[: width - 1 - tail] + ellipsis + text[-tail:]


def cut_seam(seam: str, width: int, ellipsis: str = "…", arrow: str = "→") -> str:
    """Cut a clean seam so that both its sides stay readable: `render:ed…→origin:or…`."""
    if cells(seam) <= width or arrow not in seam:
        return cut(seam, width, ellipsis)
    caller, _, callee = seam.partition(arrow)
    room = max(width - len(arrow), 0)
    left = min(cells(caller), max(room // 2, room - cells(callee)))
    return cut(caller, left, ellipsis) + arrow + cut(callee, room - left, ellipsis)


class Line:
    """Collects texts with styles up to a width; `strip` gives what Textual draws."""

    def __init__(self, width: int, base: Style, *, ellipsis: str = "…") -> None:
        self.width = max(width, 0)
        self.used = 0
        self.base = base
        self.ellipsis = ellipsis
        self._segments: list[Segment] = []

    @property
    def room(self) -> int:
        """Cells that are left."""
        return self.width - self.used

    def add(self, text: str, style: Style | None = None) -> Line:
        """Add a text; what does not fit is cut."""
        shown = clean(text)
        have = cells(shown)
        if have > self.room:
            shown, have = fit(shown, self.room, ellipsis=self.ellipsis), self.room
        return self._push(shown, have, style)

    def column(self, text: str, width: int, style: Style | None = None, *, right: bool = False) -> Line:
        """Add a text in a column of exactly `width` cells and one cell of space after it."""
        width = min(width, self.room)
        self._push(fit(clean(text), width, right=right, ellipsis=self.ellipsis), width, style)
        return self.gap(1)

    def gap(self, width: int) -> Line:
        """Add empty cells."""
        width = min(width, self.room)
        return self._push(" " * width, width, None)

    def to(self, column: int) -> Line:
        """Add empty cells up to a column."""
        return self.gap(column - self.used)

    def paint(self, painted: Iterable[Cell]) -> Line:
        """Add painted cells, each a character of one cell and its style."""
        for text, style in runs(painted):
            self._push(text[: self.room], min(len(text), self.room), style)
        return self

    def strip(self) -> Strip:
        """Give the line, filled up with its base style."""
        self.gap(self.room)
        return Strip(self._segments, self.width)

    def _push(self, text: str, width: int, style: Style | None) -> Line:
        if width > 0:
            self._segments.append(Segment(text, self.base if style is None else self.base + style))
            self.used += width
        return self


def runs(painted: Iterable[Cell]) -> list[Cell]:
    """Join neighbouring cells of one style."""
    joined: list[Cell] = []
    text: list[str] = []
    last: Style | None = None
    for character, style in painted:
        if text and style is not last:
            joined.append(("".join(text), last))
            text = []
        text.append(character)
        last = style
    if text:
        joined.append(("".join(text), last))
    return joined


def wrap(text: str, width: int) -> Sequence[str]:
    """Break a clean text into pieces of at most `width` cells, anywhere: values have no words."""
    if width <= 0 or cells(text) <= width:
        return (text,)
    pieces: list[str] = []
    piece, used = "", 0
    for character in text:
        wide = cells(character)
        if used + wide > width:
            pieces.append(piece)
            piece, used = "", 0
        piece, used = piece + character, used + wide
    return (*pieces, piece)
