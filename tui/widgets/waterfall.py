"""The waterfall: spans as lines to scale, the seams between them, and the critical path as blocks in its causes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from tui import formats
from tui.axis import NUMBER, Axis
from tui.lines import clean, cut, cut_middle, cut_seam
from tui.outline import Outline
from tui.track import ticks
from tui.widgets.canvas import paint_of
from tui.widgets.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.style import Style
    from textual.binding import BindingType

    from seamscope.results import Hop, RequestDetail, WaterfallRow
    from tui.lines import Line
    from tui.paint import Paint
    from tui.paths import Path
    from tui.track import Track


class Waterfall(Rows):
    """Draws a request's waterfall; `h` and `l` fold and unfold."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h,left", "fold", "Fold", show=False),
        Binding("l,right", "unfold", "Unfold", show=False),
        Binding("space", "flip", "Fold"),
        Binding("H", "fold_all", "Fold all", show=False),
        Binding("L", "unfold_all", "Unfold all", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(id="waterfall")
        self.rows: Sequence[WaterfallRow] = ()
        self.outline = Outline(())
        self.path: Path | None = None
        self.axis = Axis(80, 0, 1)
        self.needle = ""

    def show(self, detail: RequestDetail, path: Path) -> None:
        """Take a request and its path."""
        self.rows = detail.waterfall
        self.outline = Outline([row.depth for row in detail.waterfall])
        self.path = path
        self.count = len(self.outline.shown)
        self.cursor = 0
        self.refresh()

    def clear(self) -> None:
        """Let go of the request that was."""
        super().clear()
        self.rows, self.outline, self.path = (), Outline(()), None

    def set_path(self, path: Path) -> None:
        """Draw the path to another horizon."""
        self.path = path
        if self.outline.only is not None:
            self.only_path(on=True)
        self.refresh()

    def set_axis(self, axis: Axis) -> None:
        """Draw other times."""
        self.axis = axis
        self.refresh()

    @property
    def current(self) -> WaterfallRow | None:
        """The row under the cursor."""
        return self.rows[self.current_row] if self.count else None

    @property
    def current_row(self) -> int:
        """The number of the row under the cursor among all rows."""
        return self.outline.shown[self.cursor] if self.count else 0

    def go_to(self, row: int) -> None:
        """Put the cursor on a row, unfolding what hides it."""
        self.outline.reveal(row)
        self._follow(row)

    def only_path(self, *, on: bool) -> None:
        """Show only the critical path and what is above it, or everything."""
        row = self.current_row
        self.outline.keep(self.path.rows if on and self.path else None)
        self._follow(row)

    def find(self, needle: str, *, onward: bool) -> bool:
        """Go to the next row whose name, service or seam holds a text; False where there is none."""
        self.needle = needle.lower()
        start = self.current_row + onward
        order = [*range(start, len(self.rows)), *range(start)]
        found = next((row for row in order if self._matches(self.rows[row])), None) if needle and self.rows else None
        if found is not None:
            self.go_to(found)
        self.refresh()
        return found is not None

    def _matches(self, row: WaterfallRow) -> bool:
        return self.needle in row.name.lower() or self.needle in (row.service or "").lower()

    def _follow(self, row: int) -> None:
        """Show what the outline shows now, with the cursor on a row or the nearest above it."""
        if not self.rows:
            return
        self.count = len(self.outline.shown)
        self.cursor = self.outline.place(row)
        self.show_row(self.cursor)
        self.refresh()

    def action_fold(self) -> None:
        """Fold the row, or go to the row that it hangs below."""
        row = self.current_row
        if self.outline.has_children(row) and row not in self.outline.folded:
            self.outline.fold(row)
            self._follow(row)
        elif self.count and self.outline.parents[row] >= 0:
            self._follow(self.outline.parents[row])

    def action_unfold(self) -> None:
        """Unfold the row, or go into it."""
        row = self.current_row
        if self.count and row in self.outline.folded:
            self.outline.unfold(row)
            self._follow(row)
        elif self.count and self.outline.has_children(row):
            self.action_move(1)

    def action_flip(self) -> None:
        """Fold or unfold the row."""
        row = self.current_row
        if self.count:
            (self.outline.unfold if row in self.outline.folded else self.outline.fold)(row)
            self._follow(row)

    def action_fold_all(self) -> None:
        """Fold everything below the entry's children."""
        row = self.current_row
        self.outline.fold_all(1)
        self._follow(row)

    def action_unfold_all(self) -> None:
        """Unfold everything."""
        row = self.current_row
        self.outline.folded.clear()
        self.outline.refresh()
        self._follow(row)

    def clicked(self, index: int, x: int) -> None:
        """Put the cursor there; a click on the fold mark folds."""
        self.cursor = index
        if x == self._indent(self.rows[self.outline.shown[index]]):
            self.action_flip()

    def _indent(self, row: WaterfallRow) -> int:
        return 1 + min(2 * row.depth, self.axis.names // 2)

    def draw_header(self, out: Line, y: int) -> None:
        """Draw the axis."""
        del y
        axis = self.axis
        out.gap(1).column("span", axis.names - 1).column("took", NUMBER, right=True)
        track = axis.track(paint_of(self).glyphs)
        for at_ns in ticks(axis.start_ns, axis.end_ns, max(axis.cells // 14, 1)):
            label = formats.duration(at_ns) if at_ns else "0"
            if track.cell(at_ns) + len(label) < track.width:
                track.text(track.cell(at_ns), track.glyphs.tick + label, None)
        out.paint(track.cells)

    def draw_row(self, out: Line, index: int, *, here: bool) -> None:
        """Draw a span or a seam."""
        del here
        paint, place = paint_of(self), self.outline.shown[index]
        row = self.rows[place]
        self._label(out, row, place, paint)
        took = row.hop.gap_ns if row.kind == "seam" and row.hop else row.duration_ns
        out.column(formats.duration(took), NUMBER, paint.dim if row.kind == "seam" else paint.text, right=True)
        track = self.axis.track(paint.glyphs)
        self._stroke(track, row, paint)
        self._stretches(track, row, paint)
        out.paint(track.cells)

    def _label(self, out: Line, row: WaterfallRow, place: int, paint: Paint) -> None:
        end = self.axis.names
        out.to(self._indent(row))
        fold = paint.glyphs.closed if place in self.outline.folded else paint.glyphs.opened
        out.add(fold if self.outline.has_children(place) else " ", paint.dim).gap(1)
        for glyph, style in self._signs(row, paint):
            out.add(glyph, style).gap(1)
        name = clean(paint.glyphs.words(row.name))
        room, glyphs = end - out.used, paint.glyphs
        if row.kind == "seam":
            shown = cut_seam(name, room, glyphs.ellipsis, glyphs.arrow)
        else:
            shown = (cut_middle if "://" in name else cut)(name, room, glyphs.ellipsis)
        out.add(shown, self._name_style(row, paint))
        service = clean(self._service(row, place))
        if service and end - out.used > min(len(service), 8) + 2:
            out.gap(2).add(cut(service, end - out.used, paint.glyphs.ellipsis), paint.tier(row.tier, soft=row.is_async))
        out.to(end + 1)

    def _service(self, row: WaterfallRow, place: int) -> str:
        """Give a row's service where it is another than that of the row above it in the tree."""
        above = self.outline.parents[place]
        return row.service or "" if above < 0 or self.rows[above].service != row.service else ""

    def _signs(self, row: WaterfallRow, paint: Paint) -> list[tuple[str, Style]]:
        glyphs = paint.glyphs
        signs = [
            (row.status == "error", glyphs.failed, paint.error),
            (row.kind == "seam", glyphs.seam, paint.tier(row.tier)),
            (row.is_async, glyphs.asynchronous, paint.dim),
            (bool(row.notes) or row.start_ns < 0, glyphs.warning, paint.warning),
        ]
        return [(glyph, style) for there, glyph, style in signs if there]

    def _name_style(self, row: WaterfallRow, paint: Paint) -> Style:
        if self.needle and self._matches(row):
            return paint.match
        if row.status == "error":
            return paint.error
        if row.kind == "seam" or row.is_async:
            return paint.dim
        return paint.strong if self.path and self.path.stretches(row) else paint.text

    def _stroke(self, track: Track, row: WaterfallRow, paint: Paint) -> None:
        """Draw where the span or the seam lies, the path apart."""
        style, end_ns = paint.tier(row.tier, soft=True), row.start_ns + row.duration_ns
        if row.kind == "seam" and row.hop is not None:
            self._legs(track, row.hop, paint)
        elif row.duration_ns == 0:
            track.mark(row.start_ns, track.glyphs.mark, paint.tier(row.tier))
        else:
            track.line(row.start_ns, end_ns, track.glyphs.loose if row.is_async else track.glyphs.span, style)
        track.edges(row.start_ns, end_ns, paint.warning if row.start_ns < 0 else style)

    def _legs(self, track: Track, hop: Hop, paint: Paint) -> None:
        end_ns, style = hop.start_ns + hop.duration_ns, paint.dim
        glyphs = track.glyphs
        if hop.request_leg_ns is None or hop.response_leg_ns is None:
            track.line(hop.start_ns, end_ns, glyphs.leg, paint.faint)
            return
        into_ns, back_ns = hop.start_ns + hop.request_leg_ns, end_ns - hop.response_leg_ns
        unsure = hop.leg_error_ns is not None and hop.leg_error_ns > min(hop.request_leg_ns, hop.response_leg_ns)
        track.line(hop.start_ns, into_ns, glyphs.leg, style)
        track.line(back_ns, end_ns, glyphs.leg, style)
        track.mark(into_ns, glyphs.unsure if unsure else glyphs.into, style)
        track.mark(back_ns, glyphs.unsure if unsure else glyphs.back, style)

    def _stretches(self, track: Track, row: WaterfallRow, paint: Paint) -> None:
        for segment in self.path.stretches(row) if self.path else ():
            ground = None if paint.plain else paint.block(segment.cause)
            track.block(segment.start_ns, segment.end_ns, paint.cause(segment.cause, bold=True), ground)

    def draw_empty(self, out: Line, y: int) -> None:
        """Say that the request is being read, or has no spans left."""
        if self.count == 0 and y == 1:
            out.gap(3).add("No spans of this request are in the store any more", paint_of(self).dim)
