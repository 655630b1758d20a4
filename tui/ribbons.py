"""Stacked bars: who owned which stretch of a request, to scale, with words inside where they fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tui.formats import duration
from tui.lines import cells, clean
from tui.track import Track

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.lines import Cell
    from tui.paint import Paint

LETTERS: Final = {
    "unexplained": "?",
    "compute": "c",
    "render": "r",
    "middleware": "m",
    "cold_start": "C",
    "setup": "s",
    "dns": "d",
    "connect": "o",
    "tls": "t",
    "pool_wait": "p",
    "send": "S",
    "network": "n",
    "server_queue": "q",
    "transfer": "T",
    "retry": "R",
    "query": "Q",
    "external_call": "x",
    "unobserved": "u",
    "queue_wait": "w",
    "job": "j",
}
"""Cause → the letter that stands for it where there is no colour."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a ribbon."""

    start_ns: int
    end_ns: int
    owner: str
    cause: str


def joined(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Join neighbours of one owner and cause."""
    whole: list[Stretch] = []
    for stretch in stretches:
        last = whole[-1] if whole else None
        if last and (last.owner, last.cause, last.end_ns) == (stretch.owner, stretch.cause, stretch.start_ns):
            whole[-1] = Stretch(last.start_ns, stretch.end_ns, last.owner, last.cause)
        else:
            whole.append(stretch)
    return whole


def swatch(cause: str, paint: Paint) -> str:
    """Give the character that stands for a cause in a legend."""
    return LETTERS.get(cause, "?") if lettered(paint) else paint.glyphs.swatch


def lettered(paint: Paint) -> bool:
    """Tell whether causes are told apart by letters, for want of colour or of blocks."""
    return paint.plain or paint.glyphs.ascii


def ribbon(
    stretches: Sequence[Stretch], track: Track, paint: Paint, *, soft: bool = False, timed: bool = True
) -> list[Cell]:
    """Paint stretches on an empty track; `soft` fades them, `timed` writes how long each is."""
    whole = [stretch for stretch in joined(stretches) if track.shows(stretch.start_ns, stretch.end_ns)]
    if lettered(paint):
        return _letters(whole, track, paint)
    _fill(whole, track, paint, soft=soft)
    for stretch in whole:
        _label(stretch, track, paint, soft=soft, timed=timed)
    return track.cells


def _letters(stretches: Sequence[Stretch], track: Track, paint: Paint) -> list[Cell]:
    for stretch in stretches:
        first, last = track.eighth(stretch.start_ns), track.eighth(stretch.end_ns)
        for cell in range((first + 4) // 8, (last + 4) // 8):
            track.cells[cell] = (LETTERS.get(stretch.cause, "?"), paint.text)
    return track.cells


def _fill(stretches: Sequence[Stretch], track: Track, paint: Paint, *, soft: bool) -> None:
    """Colour every eighth, then draw each cell with the two colours at its ends."""
    eighths: list[str | None] = [None] * (8 * track.width)
    for stretch in stretches:
        first, last = track.eighth(stretch.start_ns), track.eighth(stretch.end_ns)
        eighths[first:last] = [stretch.cause] * (last - first)
    for cell in range(track.width):
        track.cells[cell] = _cell(eighths[8 * cell : 8 * cell + 8], paint, soft=soft)


def _cell(eighths: list[str | None], paint: Paint, *, soft: bool) -> Cell:
    left, right = eighths[0], eighths[-1]
    if left == right:
        return (" ", paint.block(left, soft=soft)) if left else (" ", None)
    boundary = next(place for place, cause in enumerate(eighths) if cause != left)
    return (paint.glyphs.eighths[boundary], paint.beside(left, right, soft=soft))


def _label(stretch: Stretch, track: Track, paint: Paint, *, soft: bool, timed: bool) -> None:
    first, last = -(-track.eighth(stretch.start_ns) // 8), track.eighth(stretch.end_ns) // 8
    took = f" {duration(stretch.end_ns - stretch.start_ns)}" if timed else ""
    owner, cause = clean(paint.glyphs.words(stretch.owner)), stretch.cause
    for text in (f"{owner} {cause}{took}", f"{cause}{took}", cause):
        room = last - first - len(text)
        if room >= 0 and cells(text) == len(text):
            track.text(first + min(room // 2, 1), text, paint.block(stretch.cause, soft=soft))
            return


def meter(
    shell_ns: int | None, complete_ns: int | None, scale_ns: int, width: int, cause: str | None, paint: Paint
) -> list[Cell]:
    """Paint a request's length: solid to its shell, soft to its end, cut with a mark where it leaves the scale."""
    track = Track(width, 0, scale_ns, paint.glyphs)
    end_ns = complete_ns if complete_ns is not None else shell_ns
    if end_ns is None:
        return track.cells
    solid, soft = paint.meter(cause), paint.meter(cause, soft=True)
    track.line(0, end_ns, paint.glyphs.span, soft)
    track.line(0, shell_ns if shell_ns is not None else end_ns, paint.glyphs.path, solid)
    track.edges(0, end_ns, solid)
    return track.cells


def share_bar(shares: Sequence[tuple[str, str, int]], width: int, paint: Paint) -> list[Cell]:
    """Paint shares (owner, cause, ns) one after the other over the whole width."""
    at = 0
    stretches = []
    for owner, cause, ns in shares:
        stretches.append(Stretch(at, at + ns, owner, cause))
        at += ns
    return ribbon(stretches, Track(width, 0, at, paint.glyphs), paint, timed=False)
