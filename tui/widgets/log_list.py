"""The log records of a request, in time order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seamscope.results import RequestLogs
from tui import formats
from tui.widgets.canvas import paint_of
from tui.widgets.rows import Rows

if TYPE_CHECKING:
    from rich.style import Style

    from seamscope.results import LogLine, RequestDetail
    from tui.lines import Line
    from tui.paint import Paint


class LogList(Rows):
    """A line per record; the waterfall follows the cursor to the record's span."""

    def __init__(self) -> None:
        super().__init__(id="logs")
        self.logs = RequestLogs()
        self._rows: dict[tuple[str | None, str | None], int] = {}

    @property
    def current(self) -> LogLine | None:
        """The record under the cursor."""
        return self.logs.lines[self.cursor] if self.cursor < len(self.logs.lines) else None

    def waterfall_row(self, index: int) -> int | None:
        """Give the waterfall row of the span that wrote a record."""
        entry = self.logs.lines[index] if index < len(self.logs.lines) else None
        return None if entry is None else self._rows.get((entry.trace_id, entry.span_id))

    def show(self, detail: RequestDetail) -> None:
        """Take the records of a request; a last line says how many are not among them."""
        self.logs = detail.logs
        self._rows = {(row.trace_id, row.span_id): place for place, row in enumerate(detail.waterfall) if row.span_id}
        self.count = len(self.logs.lines) + (self.logs.total > len(self.logs.lines))
        self.refresh()

    def draw_header(self, out: Line, y: int) -> None:
        """Draw the column names."""
        del y
        out.gap(1).column("at", 9, right=True).gap(1).column("level", 6).column("service", self._service(out.width))
        out.column("record", out.room)

    @staticmethod
    def _service(width: int) -> int:
        return max(min(width // 6, 20), 8)

    def draw_row(self, out: Line, index: int, *, here: bool) -> None:
        """Draw a record."""
        del here
        paint = paint_of(self)
        if index >= len(self.logs.lines):
            left = self.logs.total - len(self.logs.lines)
            out.gap(1).add(f"and {formats.count(left)} more: seamscope sql reads them all", paint.warning)
            return
        entry = self.logs.lines[index]
        out.gap(1).column(formats.offset(entry.offset_ns), 9, paint.dim, right=True).gap(1)
        out.column(entry.level, 6, _style(entry.level, paint)).column(
            entry.service or "", self._service(out.width), paint.dim
        )
        out.add(_joined(entry), paint.faint).column(entry.body or entry.event_name or "", out.room)

    def draw_empty(self, out: Line, y: int) -> None:
        """Say what to do for some."""
        if self.count == 0 and y == 1:
            words = "No log record has a trace or request id of this request: point your SDK's logs here too"
            out.gap(3).add(words, paint_of(self).dim)


def _style(level: str, paint: Paint) -> Style:
    styles = {"fatal": paint.error, "error": paint.error, "warn": paint.warning}
    return styles.get(level, paint.dim)


def _joined(entry: LogLine) -> str:
    return "" if entry.joined_by == "trace_context" else f"by {entry.joined_by.replace('_', ' ')}: "
