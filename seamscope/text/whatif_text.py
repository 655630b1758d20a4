"""What would change, as text: each horizon as it was and as it would be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from seamscope.text.figures import count, duration, percent
from seamscope.text.paper import Paper, draw, name, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seamscope.reading.whatif import Outcome


def whatif_text(outcomes: Sequence[Outcome], paper: Paper, notes: Sequence[str] = ()) -> str:
    """Draw outcomes: a line per horizon for one request, and the percentiles of several."""
    drawn = table(["horizon", "", ">as it is", ">would be", ">saving", ">", ">requests", ">changed"])
    for one in outcomes:
        several = one.requests > 1 or bool(one.percentiles)
        drawn.add_row(one.horizon, "mean" if several else "", *_figures(one.before_ns, one.after_ns), *_counts(one))
        for at, before, after in one.percentiles:
            drawn.add_row("", f"p{round(100 * at)}", *_figures(before, after), "", "")
    rest = "Re-timed: what follows moves up, and what ran beside shows. Percentiles are of the horizons, then and now."
    return draw(paper, *[name(note, "dim") for note in notes], drawn, Text(rest, "dim"))


def _figures(before: int, after: int) -> tuple[str, str, str, str]:
    return duration(before), duration(after), duration(before - after), percent(before - after, before)


def _counts(one: Outcome) -> tuple[str, str]:
    return count(one.requests), count(one.changed)
