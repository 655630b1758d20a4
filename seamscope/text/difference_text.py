"""A comparison of two sets of requests as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from seamscope.palette import cause_hex
from seamscope.text.figures import count, duration, percent, plural
from seamscope.text.paper import Paper, draw, line, name, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from seamscope.results import Difference, DifferenceRow, SetOfRequests


def difference_text(found: Difference, paper: Paper, *, top: int = 12) -> str:
    """Draw a comparison: the means, what moved by owner and cause, the values that set the sets apart."""
    parts: list[RenderableType] = [name(note, "dim") for note in found.notes]
    parts += [_side("A", found.first, found.horizon), _side("B", found.second, found.horizon), _whole(found), Text("")]
    drawn = table(["owner", "cause", ">A", ">B", ">difference", "95 %", ">mix", ">rate"])
    for row in found.rows[:top]:
        drawn.add_row(*_cells(row))
    left = found.rows[top:]
    if left:
        rest = sum(row.delta_ns for row in left)
        drawn.add_row(Text(f"{plural(len(left), 'smaller part')}", "dim"), "", "", "", signed(rest), "", "", "")
    return draw(paper, *parts, drawn, *_values(found))


def signed(ns: int) -> str:
    """Give a difference with its sign."""
    return f"{'+' if ns > 0 else '-' if ns < 0 else ''}{duration(abs(ns))}"


def _side(letter: str, side: SetOfRequests, horizon: str) -> Text:
    said = f"   {plural(side.requests, 'request')}, {horizon} {duration(side.mean_ns)} on average"
    return line((f"{letter} ", "bold"), name(side.name), said)


def _whole(found: Difference) -> Text:
    interval = f"   95 %: {_interval(found.low_ns, found.high_ns)}"
    doubt = "" if found.low_ns is None or _sure(found.low_ns, found.high_ns) else "   (may be chance)"
    return line(
        (f"B is {signed(found.delta_ns)}", "bold"),
        f"{interval}   mix {signed(found.mix_ns)}, rate {signed(found.rate_ns)}",
        (doubt, "dim"),
    )


def _sure(low_ns: int | None, high_ns: int | None) -> bool:
    return low_ns is not None and high_ns is not None and (low_ns > 0 or high_ns < 0)


def _interval(low_ns: int | None, high_ns: int | None) -> str:
    if low_ns is None or high_ns is None:
        return "too few to tell"
    return f"{signed(low_ns)} … {signed(high_ns)}"


def _cells(row: DifferenceRow) -> tuple[Text | str, ...]:
    sure = _sure(row.low_ns, row.high_ns)
    return (
        name(row.owner),
        Text(row.cause, cause_hex(row.cause)),
        duration(row.first_ns),
        duration(row.second_ns),
        Text(signed(row.delta_ns), "bold" if sure else "dim"),
        Text(_interval(row.low_ns, row.high_ns), "" if sure else "dim"),
        signed(row.mix_ns),
        signed(row.rate_ns),
    )


def _values(found: Difference) -> list[RenderableType]:
    if not found.values:
        return [Text(""), Text("no attribute value sets the two apart", "dim")]
    drawn = table(["what sets them apart", "value", ">in A", ">in B", ">requests in B"])
    for value in found.values:
        drawn.add_row(
            name(value.key),
            name(value.value),
            percent(value.first_requests, found.first.requests),
            percent(value.second_requests, found.second.requests),
            count(value.second_requests),
        )
    return [Text(""), drawn]
