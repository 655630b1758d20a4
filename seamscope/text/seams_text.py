"""Seams as text: a row per seam, then what its gap is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from seamscope.palette import cause_hex
from seamscope.text.figures import count, duration, percent, plural
from seamscope.text.paper import Paper, draw, line, name, table
from seamscope.text.safe import safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from seamscope.results import Lacking, SeamRow


def seams_text(rows: Sequence[SeamRow], paper: Paper, notes: Sequence[str] = ()) -> str:
    """Draw the seams; phases are means over all hops of a seam, so that they compare."""
    parts: list[RenderableType] = [name(note, "dim") for note in notes]
    if not rows:
        return draw(paper, *parts, Text("no hop crosses a seam in this selection"))
    drawn = table(
        [
            "seam",
            ">hops",
            ">errors",
            ">gap p50",
            ">p95",
            ">p99",
            ">explained",
            ">server span",
            ">new conn",
            "phases, mean",
        ]
    )
    for row in rows:
        drawn.add_row(
            name(row.seam),
            count(row.hops),
            Text(count(row.errors), "bold red" if row.errors else ""),
            duration(row.gap.p50_ns),
            duration(row.gap.p95_ns),
            duration(row.gap.p99_ns),
            percent(row.explained_ns, row.gap_sum_ns),
            percent(row.matched, row.hops),
            percent(row.cold, row.reused_known),
            _phases(row),
        )
    return draw(paper, *parts, drawn, *_coverage(rows))


def _coverage(rows: Sequence[SeamRow]) -> list[RenderableType]:
    """Say per seam how its gap is known, and what would tell the rest."""
    lines: list[RenderableType] = []
    for row in rows:
        if row.explained_by or row.lacking:
            lines += [Text(), line(name(row.seam, "bold"), f"   {_known_by(row)}"), *map(_lacking, row.lacking)]
    return [Text(), Text("how the gap is known, and what would tell the rest", "bold"), *lines] if lines else []


def _known_by(row: SeamRow) -> str:
    told = [f"{percent(ns, row.gap_sum_ns)} {evidence}" for evidence, ns in row.explained_by.items()]
    if row.clock_interval_ns is not None:
        low, high = row.clock_interval_ns
        told.append(f"clocks agree within {duration(low)} to +{duration(high)}")
    return ", ".join(told) or f"no gap of {plural(row.hops, 'hop')} is known"


def _lacking(one: Lacking) -> Text:
    most = "" if one.ns is None else f"up to {duration(one.ns)} "
    return Text(f"  {', '.join(one.tells)}: {most}on {plural(one.hops, 'hop')}; at the {one.side}: {safe(one.step)}")


def _phases(row: SeamRow) -> Text:
    said = Text(no_wrap=True, overflow="ellipsis")
    for phase, ns in sorted(row.phases.items(), key=lambda item: -item[1]):
        if ns:
            said.append(f"{', ' if said else ''}{phase} ")
            said.append(duration(ns // row.hops), cause_hex(phase))
    return said
