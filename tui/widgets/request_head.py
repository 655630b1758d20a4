"""The head of a request: what it was, and the verdict in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.widget import Widget

from tui import formats
from tui.verdict import verdict
from tui.widgets.canvas import line, paint_of
from tui.widgets.request_list import is_failed, status_style

if TYPE_CHECKING:
    from textual.strip import Strip

    from seamscope.results import RequestDetail, RequestRow
    from tui.lines import Line
    from tui.paint import Paint


class RequestHead(Widget):
    """Two lines of facts, two of verdict: the horizon's shares, largest first, each with its evidence."""

    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self, row: RequestRow | None) -> None:
        super().__init__(id="head")
        self.row = row
        self.detail: RequestDetail | None = None
        self.horizon = "shell"
        self.problem = ""

    def show(self, detail: RequestDetail, horizon: str) -> None:
        """Take a request and the horizon that is looked at."""
        self.row, self.detail, self.horizon, self.problem = detail.row, detail, horizon, ""
        self.refresh()

    def expect(self, row: RequestRow) -> None:
        """Show what the list says of a request that is read now."""
        self.row, self.detail, self.problem = row, None, ""
        self.refresh()

    def fail(self, problem: str) -> None:
        """Say that the request cannot be read."""
        self.problem = problem
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw a line of the head."""
        paint = paint_of(self)
        out = line(self, self.size.width, paint.bar() if y < 2 else paint.row(here=False)).gap(1)
        if y < 2:
            if self.row is not None:
                (self._which if y else self._what)(out, self.row, paint)
        elif self.problem:
            out.add(self.problem if y == 2 else "r tries again, q goes back", paint.error if y == 2 else paint.dim)
        elif self.detail is None:
            out.add("reading …" if y == 2 else "", paint.dim)
        else:
            self._verdict(out, y - 2, paint)
        return out.strip()

    @staticmethod
    def _what(out: Line, row: RequestRow, paint: Paint) -> None:
        dot = f" {paint.glyphs.dot} "
        when = f"{formats.date(row.start_ns)} {formats.clock(row.start_ns)}Z"
        out.add(row.route, paint.error if is_failed(row.status) else paint.strong).gap(2)
        out.add(formats.UNKNOWN if row.status is None else str(row.status), status_style(row, paint)).gap(2)
        facts = [row.kind, row.service, row.place, row.version, row.environment]
        shown = dot.join(fact for fact in facts if fact)
        if len(shown) < out.room - len(when) - 3:
            out.add(shown, paint.dim)
        out.to(max(out.width - len(when) - 1, out.used + 2)).add(when, paint.dim)

    def _which(self, out: Line, row: RequestRow, paint: Paint) -> None:
        detail = self.detail
        out.add("trace ", paint.dim).add(row.trace_id, paint.text)
        others = len(detail.trace_ids) - 1 if detail else 0
        if others > 0:
            out.add(f" and {formats.plural(others, 'joined trace')}", paint.warning)
        out.gap(2).add(formats.plural(row.spans, "span"), paint.dim)
        if row.correlation_id:
            out.gap(2).add("id ", paint.dim).add(row.correlation_id, paint.text)
        state = "final" if row.final else "not final: its seams' window has not settled"
        out.gap(2).add(state, paint.dim if row.final else paint.warning)
        if row.revision > 1:
            out.gap(2).add(f"revision {row.revision}", paint.dim)

    def _verdict(self, out: Line, y: int, paint: Paint) -> None:
        detail = self.detail
        if detail is None:
            return
        for text in verdict(detail, self.horizon, out.width - 2, 2, paint)[y : y + 1]:
            for words, style in text:
                out.add(words, style)
