"""The last filter before a terminal that knows no more than ASCII."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.segment import Segment
from textual.filter import LineFilter

if TYPE_CHECKING:
    from textual.color import Color

_SAME: dict[str, str] = {"→": ">", "…": "~", "–": "-", "·": "-", "×": "x", "µ": "u", "±": "~", "’": "'", "│": "|"}


@lru_cache(maxsize=4_096)
def ascii_only(text: str) -> str:
    """Give a text of the same width in ASCII; what has no likeness becomes `?`, blocks and rules become spaces."""
    return "".join(character if character.isascii() else _likeness(character) for character in text)


def _likeness(character: str) -> str:
    if "\u2500" <= character <= "\u259f":
        return _SAME.get(character, " ")
    return _SAME.get(character, "?" * cell_len(character))


class AsciiOnly(LineFilter):
    """Replaces what an ASCII terminal cannot show, other people's names included."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Filter a line."""
        del background
        return [
            segment if segment.text.isascii() else Segment(ascii_only(segment.text), segment.style, segment.control)
            for segment in segments
        ]
