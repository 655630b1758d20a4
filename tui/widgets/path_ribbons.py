"""The critical path to each horizon as a ribbon, on the waterfall's own axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.widget import Widget

from tui import formats
from tui.axis import NUMBER, Axis
from tui.ribbons import Stretch, ribbon
from tui.widgets.canvas import line, paint_of

if TYPE_CHECKING:
    from textual.strip import Strip

    from seamscope.results import RequestDetail, Segment
    from tui.lines import Line

HORIZONS = ("shell", "complete")


class PathRibbons(Widget):
    """Two ribbons and a line that points at one segment."""

    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__(id="ribbons")
        self.detail: RequestDetail | None = None
        self.horizon = "shell"
        self.axis = Axis(80, 0, 1)
        self.segment: Segment | None = None

    def show(self, detail: RequestDetail, horizon: str) -> None:
        """Take a request and the horizon that is looked at."""
        self.detail, self.horizon = detail, horizon
        self.refresh()

    def clear(self) -> None:
        """Let go of the request that was."""
        self.detail = self.segment = None
        self.refresh()

    def set_axis(self, axis: Axis) -> None:
        """Draw other times."""
        self.axis = axis
        self.refresh()

    def point_at(self, segment: Segment | None) -> None:
        """Point at a segment of the horizon that is looked at."""
        self.segment = segment
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw a ribbon, or the pointer below them."""
        paint = paint_of(self)
        out = line(self, self.size.width, paint.row(here=False)).gap(1)
        if self.detail is None:
            return out.strip()
        if y == len(HORIZONS):
            return self._pointer(out.to(self.axis.names + NUMBER + 2)).strip()
        horizon = HORIZONS[y]
        here = horizon == self.horizon
        row = self.detail.row
        length_ns = row.shell_ns if horizon == "shell" else row.complete_ns
        out.column(f"path to {horizon}", self.axis.names - 1, paint.strong if here else paint.dim)
        out.column(formats.duration(length_ns), NUMBER, paint.strong if here else paint.dim, right=True)
        stretches = [Stretch(s.start_ns, s.end_ns, s.owner, s.cause) for s in self.detail.segments.get(horizon, ())]
        return out.paint(ribbon(stretches, self.axis.track(paint.glyphs), paint, soft=not here)).strip()

    def _pointer(self, out: Line) -> Line:
        paint, segment = paint_of(self), self.segment
        if segment is None:
            return out
        track = self.axis.track(paint.glyphs)
        took = formats.duration(segment.end_ns - segment.start_ns)
        words = f" {segment.cause} {took}, {segment.evidence}"
        at = track.cell((segment.start_ns + segment.end_ns) // 2)
        track.text(at, paint.glyphs.caret, paint.cause(segment.cause, bold=True))
        track.text(at + 1 if at + 1 + len(words) < track.width else at - len(words) - 1, words, paint.text)
        return out.paint(track.cells)
