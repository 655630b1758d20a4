"""The pane beside the waterfall: everything known of the span or seam under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tui import formats
from tui.span_text import LABELS, Entry, entries, lines, matching, record_entries
from tui.widgets.canvas import paint_of
from tui.widgets.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.style import Style
    from textual import events

    from seamscope.results import LogLine, Segment, SpanDetail, Testimony, WaterfallRow
    from tui.lines import Line
    from tui.span_text import PaneLine


class SpanPane(Rows):
    """Draws labels and values; `filter` keeps what holds a text."""

    rests: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__(id="span")
        self.row: WaterfallRow | None = None
        self.span: SpanDetail | None = None
        self.path: Sequence[Segment] = ()
        self.told: Sequence[Testimony] = ()
        self.record: LogLine | None = None
        self.needle = ""
        self.problem = ""
        self.lines_drawn: Sequence[PaneLine] = ()

    def show(
        self,
        row: WaterfallRow,
        span: SpanDetail | None,
        path: Sequence[Segment],
        problem: str = "",
        told: Sequence[Testimony] = (),
        record: LogLine | None = None,
    ) -> None:
        """Take a row of the waterfall, its span where it was read, its segments, and what is told of its waits.

        A log record that is looked at comes before its span.
        """
        moved, self.told = self.row is not row or self.record is not record, told
        self.record = record
        self.row, self.span, self.path, self.problem = row, span, path, problem
        self._lay_out()
        if moved:
            self.cursor = 0
            self.scroll_row(0)

    def clear(self) -> None:
        """Let go of the span that was."""
        super().clear()
        self.row = self.span = self.record = None
        self.problem, self.lines_drawn = "", ()

    def filter(self, needle: str) -> None:
        """Keep the lines that hold a text; an empty one keeps all."""
        self.needle = needle
        self._lay_out()

    def on_resize(self, event: events.Resize) -> None:
        """Wrap anew."""
        del event
        self._lay_out()

    def _lay_out(self) -> None:
        if self.row is None:
            return
        told = list(record_entries(self.record)) if self.record else []
        told += [Entry("its span", "", "heading")] if self.record else []
        told += entries(self.row, self.span, self.path, paint_of(self).glyphs, self.told)
        self.lines_drawn = lines(matching(told, self.needle), max(self.scrollable_content_region.width - 2, 12))
        self.count = len(self.lines_drawn)
        self.refresh()

    def draw_header(self, out: Line, y: int) -> None:
        """Draw the title."""
        del y
        what = "seam" if self.row and self.row.kind == "seam" else "span"
        out.gap(1).add("record" if self.record else what)
        if self.needle:
            out.add(f"  holding {self.needle!r}", paint_of(self).warning)
        if self.problem:
            out.gap(2).add(self.problem, paint_of(self).error)
        elif self.row and self.row.kind == "span" and self.span is None:
            out.add("  reading …")
        else:
            out.add(f"  {formats.plural(self.count, 'line')}, / searches")

    def draw_row(self, out: Line, index: int, *, here: bool) -> None:
        """Draw a label and a piece of its value."""
        del here
        drawn, paint = self.lines_drawn[index], paint_of(self)
        out.gap(1)
        if drawn.kind == "heading":
            out.add(drawn.label, paint.accent).gap(1).add(drawn.value, paint.dim)
        elif drawn.kind in {"title", "note"}:
            out.add(drawn.value, paint.strong if drawn.kind == "title" else paint.warning)
        elif drawn.kind == "attribute":
            out.add(drawn.label, paint.dim).gap(1 if drawn.label else 0).add(drawn.value, self._value_style(drawn))
        else:
            out.column(drawn.label, LABELS - 1, paint.cause(drawn.label) if drawn.kind == "cause" else paint.dim)
            out.add(drawn.value, self._value_style(drawn))

    def _value_style(self, drawn: PaneLine) -> Style:
        paint = paint_of(self)
        if self.needle and self.needle.lower() in drawn.value.lower():
            return paint.match
        return paint.error if drawn.kind == "error" else paint.text
