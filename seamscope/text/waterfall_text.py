"""A waterfall as text: a line per span, the seam between client and server, the critical path drawn solid."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.text import Text

from seamscope.palette import cause_hex, tier_hex
from seamscope.text.figures import duration, plural
from seamscope.text.paper import Paper, line, spelled
from seamscope.text.safe import safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seamscope.results import RequestDetail, WaterfallRow

ROWS_SHOWN: Final = 120
_NAME_SHARE: Final = 0.42
_LENGTH_CELLS: Final = 9
_CAUSE_CELLS: Final = 22
_DEEPEST: Final = 12
_HOST: Final = re.compile(r"\bhttps?://[^/\s?]+")
"""What a long name can spare: the seam's row names the host's service."""


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where the drawing's first cell lies, and how long one cell is."""

    start_ns: int
    cell_ns: float
    cells: int

    def cell(self, ns: int) -> int:
        return max(0, min(self.cells, round((ns - self.start_ns) / self.cell_ns)))

    def stretch(self, start_ns: int, end_ns: int) -> tuple[int, int]:
        """Give the first cell and the one after the last; at least one cell."""
        first = min(self.cell(start_ns), self.cells - 1)
        return first, max(first + 1, self.cell(end_ns))


def waterfall_lines(detail: RequestDetail, paper: Paper, *, rows: int = ROWS_SHOWN) -> list[Text]:
    """Draw the rows; of more than `rows` the critical, the failed and the longest stay, the rest are counted."""
    names = max(24, int(paper.width * _NAME_SHARE))
    scale = _scale(detail, max(16, paper.width - names - _LENGTH_CELLS - _CAUSE_CELLS - 3))
    lines = [_axis(detail, scale, names)]
    hidden = 0
    kept = _kept(detail.waterfall, rows)
    for place, row in enumerate(detail.waterfall):
        if place not in kept:
            hidden += 1
            continue
        lines += _hidden(hidden)
        hidden = 0
        lines.append(_row(row, scale, names, paper))
    return lines + _hidden(hidden)


def _hidden(number: int) -> list[Text]:
    return [line((f"  … {plural(number, 'row')} more (--rows 0 shows all)", "dim"))] if number else []


def _scale(detail: RequestDetail, cells: int) -> _Scale:
    ends = [row.start_ns + row.duration_ns for row in detail.waterfall]
    horizons = [ns for ns in (detail.row.shell_ns, detail.row.complete_ns) if ns is not None]
    start = min([0, *(row.start_ns for row in detail.waterfall)])
    end = max([1, *horizons, *ends])
    return _Scale(start, (end - start) / cells, cells)


def _axis(detail: RequestDetail, scale: _Scale, names: int) -> Text:
    """Draw the times of start, shell and end above the bars."""
    cells = [" "] * scale.cells
    end_ns = scale.start_ns + round(scale.cell_ns * scale.cells)
    marks = [(0, duration(scale.start_ns) if scale.start_ns else "0"), (scale.cells, duration(end_ns))]
    if detail.row.shell_ns is not None:
        marks.append((scale.cell(detail.row.shell_ns), f"shell {duration(detail.row.shell_ns)} ┊"))
    for at, words in marks:
        first = max(0, min(at, scale.cells) - (len(words) - 1 if at else 0) - (1 if at == scale.cells else 0))
        if not "".join(cells[max(0, first - 1) : first + len(words) + 1]).strip():
            cells[first : first + len(words)] = words
    return line((" " * (names + _LENGTH_CELLS + 3) + "".join(cells).rstrip(), "dim"))


def _kept(rows: Sequence[WaterfallRow], limit: int) -> set[int]:
    if limit <= 0 or len(rows) <= limit:
        return set(range(len(rows)))
    telling = sorted(
        range(len(rows)),
        key=lambda place: (not rows[place].critical, rows[place].status != "error", -rows[place].duration_ns, place),
    )
    return set(telling[:limit])


def _row(row: WaterfallRow, scale: _Scale, names: int, paper: Paper) -> Text:
    indent = "  " * min(row.depth, _DEEPEST) + (f"({row.depth}) " if row.depth > _DEEPEST else "")
    room = names - len(indent)
    label = _label(row, spelled("→", paper.encoding), room)
    drawn = Text(indent, no_wrap=True, overflow="crop", end="")
    label.truncate(max(8, room), overflow="ellipsis", pad=True)
    drawn.append_text(label)
    drawn.append(" " + _length(row).rjust(_LENGTH_CELLS) + "  ", "dim" if row.is_async else "")
    drawn.append_text(_bar(row, scale))
    drawn.append_text(_causes(row))
    if row.notes:
        drawn.append(f" ▲ {safe(row.notes[0], 60)}", "yellow")
    drawn.end = "\n"
    return drawn


def _causes(row: WaterfallRow) -> Text:
    """Name the cause that takes most of the row's part of the path, and its time there."""
    totals: dict[str, int] = {}
    for (start, end), cause in zip(row.critical, row.causes, strict=True):
        totals[cause] = totals.get(cause, 0) + end - start
    cause = max(sorted(totals), key=totals.__getitem__, default="")
    more = " +" if len(totals) > 1 else ""
    return Text(f"  {cause} {duration(totals[cause])}{more}" if cause else "", cause_hex(cause))


def _label(row: WaterfallRow, arrow: str, room: int) -> Text:
    if row.kind == "seam":
        gap = "" if row.hop is None or row.hop.gap_ns is not None else f" ({row.hop.gap_kind.replace('_', ' ')})"
        return Text(f"⇄ {safe(row.name).replace('→', arrow)}{gap}", "italic dim" if row.is_async else "italic")
    text = Text(f"{safe(row.service or row.tier)} ", tier_hex(row.tier) + (" dim" if row.is_async else ""))
    shown = safe(row.name)
    if len(text) + len(shown) > room:
        shown = _HOST.sub("…", shown)
    text.append(f"{'⇢ ' if row.is_async else ''}{shown}", "dim" if row.is_async else "")
    text.append(" error" if row.status == "error" else "", "bold red")
    return text


def _length(row: WaterfallRow) -> str:
    """Give a span's duration, and of a seam its gap."""
    if row.kind == "seam":
        return duration(row.hop.gap_ns if row.hop is not None else None)
    return duration(row.duration_ns)


def _bar(row: WaterfallRow, scale: _Scale) -> Text:
    cells: list[tuple[str, str]] = [(" ", "")] * scale.cells
    dim = "dim" if row.is_async else ""
    for start, end in _legs(row) if row.kind == "seam" else [(row.start_ns, row.start_ns + row.duration_ns)]:
        first, last = scale.stretch(start, end)
        glyph = "┄" if row.kind == "seam" else "╌" if row.is_async else "─"
        cells[first:last] = [(glyph, dim or (tier_hex(row.tier) if row.kind == "span" else ""))] * (last - first)
    for (start, end), cause in zip(row.critical, row.causes, strict=True):
        first, last = scale.stretch(start, end)
        cells[first:last] = [("█", cause_hex(cause))] * (last - first)
    return Text.assemble(*cells, no_wrap=True, end="")


def _legs(row: WaterfallRow) -> list[tuple[int, int]]:
    """Give the stretches of a seam row: its two legs, or all of the call where they are not known."""
    hop, end = row.hop, row.start_ns + row.duration_ns
    if hop is None or hop.request_leg_ns is None or hop.response_leg_ns is None:
        return [(row.start_ns, end)]
    legs = [(row.start_ns, row.start_ns + max(0, hop.request_leg_ns)), (end - max(0, hop.response_leg_ns), end)]
    return [(start, stop) for start, stop in legs if stop > start]
