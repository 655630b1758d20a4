"""The request list: newest on top, each with its length, its verdict, and nothing that moves under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.reactive import reactive

from tui import formats
from tui.lines import clean, cut_seam
from tui.ribbons import meter
from tui.widgets.canvas import paint_of
from tui.widgets.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.style import Style

    from seamscope.results import RequestRow
    from tui.lines import Line
    from tui.paint import Paint


class Columns:
    """Widths of the list's columns for a width of the screen; 0 leaves a column out."""

    def __init__(self, width: int, *, places: bool) -> None:
        self.time = 12 if width >= 100 else 8
        self.status = 4
        self.number = 8
        self.kind = 5 if width >= 110 else 0
        self.place = 7 if width >= 140 and places else 0
        self.bar = 8 if width < 100 else 12 if width < 150 else 20
        self.cause = 13 if width >= 100 else 9
        fixed = [self.time, self.status, self.number, self.number, self.bar, self.cause, self.kind, self.place, 2]
        left = max(width - sum(size + 1 for size in fixed if size) - 2, 20)
        self.owner = max(min(left * 45 // 100, 48), 9)
        self.route = max(left - self.owner - 1, 10)


class RequestList(Rows):
    """Draws request rows; `show` keeps the cursor on the request it stood on."""

    horizon: reactive[str] = reactive("shell")

    EMPTY: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        super().__init__(id="requests")
        self.rows: Sequence[RequestRow] = ()
        self.places = False
        self.scale_ns = 1
        self.empty: tuple[str, ...] = ()

    @property
    def current(self) -> RequestRow | None:
        """The request under the cursor."""
        return self.rows[self.cursor] if self.cursor < len(self.rows) else None

    @property
    def at_top(self) -> bool:
        """The cursor and the view are at the head of the list."""
        return self.cursor == 0 and self.scroll_offset.y == 0

    def tell(self, *words: str) -> None:
        """Show words in place of rows."""
        self.empty = tuple(word for word in words if word)
        self.refresh()

    def show(self, rows: Sequence[RequestRow], *, follow: bool) -> None:
        """Take rows; the cursor and what is seen stay where they are unless it stood on top or follows."""
        kept = self.current
        at_top = follow or self.at_top
        seen_at = self.cursor - self.scroll_offset.y
        self.rows, self.places = rows, any(row.place for row in rows)
        self.count = len(rows)
        index = 0 if at_top or kept is None else self._find(kept.request_id)
        self.cursor = index
        self.scroll_row(0 if at_top else index - seen_at)
        self.refresh()

    def _find(self, request_id: str) -> int:
        return next((at for at, row in enumerate(self.rows) if row.request_id == request_id), self.cursor)

    def set_scale(self, scale_ns: int | None) -> None:
        """Set the length that fills a bar."""
        self.scale_ns = max(scale_ns or 1, 1)
        self.refresh()

    def draw_header(self, out: Line, y: int) -> None:
        """Draw the column names."""
        del y
        columns, paint = Columns(out.width, places=self.places), paint_of(self)
        out.gap(1).column("time", columns.time).column("request", columns.route).column("st", columns.status)
        for name in ("shell", "complete"):
            out.column(name, columns.number, paint.accent if name == self.horizon else None, right=True)
        out.column(f"to {formats.duration(self.scale_ns)}" if self.scale_ns > 1 else "", columns.bar)
        out.column("", 2).column("held by", columns.cause).column("owner", columns.owner)
        if columns.kind:
            out.column("kind", columns.kind)
        if columns.place:
            out.column("place", columns.place)

    def draw_row(self, out: Line, index: int, *, here: bool) -> None:
        """Draw a request."""
        del here
        row, columns, paint = self.rows[index], Columns(out.width, places=self.places), paint_of(self)
        failed = is_failed(row.status)
        out.gap(1).column(formats.clock(row.start_ns, 3 if columns.time > 8 else 0), columns.time, paint.dim)
        out.column(row.route, columns.route, paint.error if failed else paint.text)
        out.column(formats.UNKNOWN if row.status is None else str(row.status), columns.status, status_style(row, paint))
        for name, value in (("shell", row.shell_ns), ("complete", row.complete_ns)):
            style = paint.strong if name == self.horizon else paint.dim
            out.column(formats.duration(value), columns.number, style, right=True)
        out.paint(meter(row.shell_ns, row.complete_ns, self.scale_ns, columns.bar, row.dominant_cause, paint)).gap(1)
        out.column("" if row.final else paint.glyphs.pending, 2, paint.warning)
        self._verdict(out, row, columns, paint)
        if columns.kind:
            out.column(row.kind, columns.kind, paint.dim)
        if columns.place:
            out.column(row.place or "", columns.place, paint.dim)

    @staticmethod
    def _verdict(out: Line, row: RequestRow, columns: Columns, paint: Paint) -> None:
        if row.dominant_owner is None:
            out.column("not known", columns.cause + 1 + columns.owner, paint.faint)
            return
        glyphs = paint.glyphs
        out.column(row.dominant_cause or "unexplained", columns.cause, paint.cause(row.dominant_cause, bold=True))
        owner = clean(glyphs.words(row.dominant_owner))
        out.column(cut_seam(owner, columns.owner, glyphs.ellipsis, glyphs.arrow), columns.owner, paint.text)

    def draw_empty(self, out: Line, y: int) -> None:
        """Say what to do where there is nothing to show."""
        paint = paint_of(self)
        if self.count == 0 and 2 <= y < len(self.empty) + 2:
            out.gap(3).add(self.empty[y - 2], paint.strong if y == 2 else paint.dim)

    def watch_horizon(self) -> None:
        """Draw the other horizon's numbers as the ones that count."""
        self.refresh()


def is_failed(status: int | None) -> bool:
    """Tell whether a status is an error of the server's."""
    return status is not None and status >= 500


def status_style(row: RequestRow, paint: Paint) -> Style:
    """Give the colour of a status."""
    if row.status is None:
        return paint.faint
    if row.status >= 500:
        return paint.error
    return paint.warning if row.status >= 400 else paint.good
