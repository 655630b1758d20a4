"""What text is drawn on: a width, colour or none, the characters that the reader's terminal can show.

Drawings are built from Rich `Text` and tables (never from markup: names come from the network) and end as one string.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from seamscope.text.safe import safe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

PIPED_WIDTH: Final = 120
"""Width of drawings where no terminal says otherwise; tables grow beyond it rather than cut a name."""

_UNBOUNDED: Final = 10_000
_ASCII: Final = {
    "→": "->",
    "⇄": "%",
    "⇢": "&",
    "─": "-",
    "━": "=",
    "█": "#",
    "▌": "#",
    "▐": "#",
    "┄": "~",
    "╌": ".",
    "│": "|",
    "┊": ":",
    "…": "~",
    "–": "-",
    "·": "-",
    "µ": "u",
    "×": "x",
    "±": "~",
    "▲": "!",
    "●": "=",
    "◆": "&",
    "◈": "#",
    "◐": "<",
    "○": "~",
    "≈": "~",
    "\u2009": " ",
}
_TO_ASCII: Final = str.maketrans(_ASCII)
_UNDER_HEAD: Final = box.Box("    \n    \n ── \n    \n    \n    \n    \n    \n")


@dataclass(frozen=True, slots=True)
class Paper:
    """Where a drawing goes."""

    width: int = PIPED_WIDTH
    colour: bool = False
    encoding: str = "utf-8"
    bounded: bool = False
    """A terminal: lines beyond its width would wrap, so tables cut long names instead."""

    @property
    def ascii(self) -> bool:
        """Whether it can show letters of ASCII only."""
        return not self.encoding.lower().replace("-", "").startswith("utf")


def stdout_paper() -> Paper:
    """Describe this process's stdout."""
    on_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size((PIPED_WIDTH, 40)).columns if on_terminal else PIPED_WIDTH
    colour = on_terminal and "NO_COLOR" not in os.environ
    return Paper(max(width, 40), colour, sys.stdout.encoding or "ascii", on_terminal)


def draw(paper: Paper, *parts: RenderableType) -> str:
    """Draw parts one below the other; the string ends in a newline and has no trailing blanks."""
    sheet = io.StringIO()
    console = Console(
        file=sheet,
        width=paper.width if paper.bounded else _UNBOUNDED,
        force_terminal=paper.colour,
        color_system="truecolor" if paper.colour else None,
        no_color=not paper.colour,
        legacy_windows=False,
        markup=False,
        highlight=False,
        emoji=False,
    )
    console.print(Group(*parts))
    text = "\n".join(line.rstrip() for line in sheet.getvalue().splitlines()) + "\n"
    return spelled(text, paper.encoding)


def spelled(text: str, encoding: str) -> str:
    """Give `text` in characters that `encoding` has: seams with `->`, the rest escaped."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_TO_ASCII).encode(encoding, "backslashreplace").decode(encoding)
    except LookupError:
        return text.translate(_TO_ASCII).encode("ascii", "backslashreplace").decode("ascii")
    return text


def name(text: str | None, style: str = "") -> Text:
    """Give a name that came from the network, harmless and uninterpreted."""
    return Text(safe(text or ""), style=style, no_wrap=True, overflow="ellipsis")


def line(*pieces: str | tuple[str, str] | Text) -> Text:
    """Give one line of our own words and of `name` pieces."""
    return Text.assemble(*pieces, no_wrap=True, overflow="ellipsis")


def table(columns: Iterable[str]) -> Table:
    """Give an empty table; a column whose title starts with `>` is set to the right."""
    drawn = Table(box=_UNDER_HEAD, pad_edge=False, show_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for title in columns:
        right = title.startswith(">")
        drawn.add_column(
            title.removeprefix(">"), justify="right" if right else "left", no_wrap=True, overflow="ellipsis"
        )
    return drawn
