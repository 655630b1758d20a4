"""What would tell the unexplained time of a request, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from seamscope.text.figures import duration
from seamscope.text.paper import line, name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from seamscope.results import Remainder

STEPS_SHOWN: Final = 2


def headline(one: Remainder) -> str:
    """Say how much is unexplained, and where."""
    said = "; what would tell it:" if one.lacking else ""
    return f"{duration(one.ns)} unexplained on {one.seam}{said}"


def steps(one: Remainder) -> list[str]:
    """Say what would tell it, and at which side; what one step tells is named together."""
    found: dict[tuple[str, str], list[str]] = {}
    for told in one.lacking:
        found.setdefault((told.side, told.step), []).extend(told.tells)
    return [
        f"{', '.join(tells).replace('_', ' ')}, at the {side}: {step}"
        for (side, step), tells in list(found.items())[:STEPS_SHOWN]
    ]


def remainder_lines(remainders: Sequence[Remainder]) -> list[Text]:
    """Draw a line per seam, and one per step below it."""
    lines: list[Text] = []
    for one in remainders:
        lines.append(line(("? ", "dim"), name(headline(one))))
        lines += [line("    ", name(step)) for step in steps(one)]
    return lines
