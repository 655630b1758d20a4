"""The tables of a request: its segments, its hops, and what is odd about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seamscope.results import TraceWarning
from tui import formats
from tui.lines import clean, cut_seam
from tui.ribbons import swatch
from tui.widgets.canvas import paint_of
from tui.widgets.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from seamscope.results import AsyncWork, Hop, RequestDetail, Segment
    from tui.lines import Line
    from tui.paint import Paint


class SegmentTable(Rows):
    """Every stretch of the path, in order; they add up to the horizon."""

    def __init__(self) -> None:
        super().__init__(id="segments")
        self.segments: Sequence[Segment] = ()
        self.whole_ns: int | None = None
        self.names: Mapping[str, str] = {}

    def show(self, detail: RequestDetail, horizon: str) -> None:
        """Take the segments of a horizon."""
        self.segments = detail.segments.get(horizon, ())
        self.whole_ns = detail.row.shell_ns if horizon == "shell" else detail.row.complete_ns
        self.names = {row.span_id: row.name for row in detail.waterfall if row.span_id}
        self.count = len(self.segments)
        self.refresh()

    def draw_header(self, out: Line, y: int) -> None:
        """Draw the column names."""
        del y
        out.gap(1).column("from ms", 11, right=True).column("to ms", 11, right=True)
        out.column("took", 8, right=True).column("share", 6, right=True).gap(1)
        out.column("cause", 14).column("owner", self._owner(out.width)).column("evidence", 12).column("span", out.room)

    @staticmethod
    def _owner(width: int) -> int:
        return max(min((width - 68) // 2, 48), 14)

    def draw_row(self, out: Line, index: int, *, here: bool) -> None:
        """Draw a segment."""
        del here
        segment, paint = self.segments[index], paint_of(self)
        took_ns = segment.end_ns - segment.start_ns
        out.gap(1).column(formats.milliseconds(segment.start_ns), 11, paint.dim, right=True)
        out.column(formats.milliseconds(segment.end_ns), 11, paint.dim, right=True)
        out.column(formats.duration(took_ns), 8, paint.strong, right=True)
        out.column(formats.percent(took_ns, self.whole_ns), 6, paint.text, right=True).gap(1)
        cause = paint.cause(segment.cause, bold=True)
        out.add(swatch(segment.cause, paint), cause).gap(1).column(segment.cause, 12, cause)
        out.column(paint.glyphs.words(segment.owner), self._owner(out.width))
        mark = paint.glyphs.evidence.get(segment.evidence, "?")
        out.column(f"{mark} {segment.evidence}", 12, paint.dim)
        name = self.names.get(segment.span_id or "", segment.span_id) or "no span open"
        out.column(name, out.room, paint.dim)

    def draw_empty(self, out: Line, y: int) -> None:
        """Say why there are none."""
        if self.count == 0 and y == 1:
            out.gap(3).add("This horizon is not known, so it has no segments: s looks at the other", paint_of(self).dim)


class HopTable(Rows):
    """Every call from one process to another, with what is known of its gap."""

    def __init__(self) -> None:
        super().__init__(id="hops")
        self.hops: Sequence[Hop] = ()
        self._rows: dict[tuple[str | None, ...], int] = {}

    def waterfall_row(self, index: int) -> int | None:
        """Give the waterfall row that shows a hop."""
        return self._rows.get(_ends(self.hops[index]))

    def show(self, detail: RequestDetail) -> None:
        """Take the hops of a request."""
        self.hops = detail.hops
        self._rows = {_ends(row.hop): place for place, row in enumerate(detail.waterfall) if row.hop is not None}
        self.count = len(self.hops)
        self.refresh()

    def draw_header(self, out: Line, y: int) -> None:
        """Draw the column names."""
        del y
        seam, operation, numbers = self._columns(out.width)
        out.gap(1).column("seam", seam).column("operation", operation).column("st", 4)
        for name in numbers:
            out.column(name, 8, right=True)
        out.gap(1).column("phases of the gap", out.room)

    @staticmethod
    def _columns(width: int) -> tuple[int, int, tuple[str, ...]]:
        """Give the widths of seam and operation, and the numbers that there is room for."""
        numbers = ("took", "server", "gap", "there", "back") if width >= 120 else ("took", "gap")
        room = max(width - 9 * len(numbers) - 8, 30)
        return max(room * 35 // 100, 16), max(room * 25 // 100, 10), numbers

    def draw_row(self, out: Line, index: int, *, here: bool) -> None:
        """Draw a hop."""
        del here
        hop, paint = self.hops[index], paint_of(self)
        seam, operation, numbers = self._columns(out.width)
        glyphs, failed = paint.glyphs, hop.error or (hop.status or 0) >= 500
        shown = cut_seam(clean(glyphs.words(hop.seam)), seam, glyphs.ellipsis, glyphs.arrow)
        out.gap(1).column(shown, seam, paint.dim if hop.is_async else paint.text)
        out.column(hop.operation or hop.peer or "", operation, paint.text)
        out.column("" if hop.status is None else str(hop.status), 4, paint.error if failed else paint.dim)
        values = {
            "took": hop.duration_ns,
            "server": hop.server_ns,
            "gap": hop.gap_ns,
            "there": hop.request_leg_ns,
            "back": hop.response_leg_ns,
        }
        for name in numbers:
            out.column(formats.duration(values[name]), 8, paint.strong if name == "gap" else paint.dim, right=True)
        self._phases(out.gap(1), hop, paint)

    @staticmethod
    def _phases(out: Line, hop: Hop, paint: Paint) -> None:
        known = [(name, ns) for name, ns in hop.phases.items() if ns]
        for name, ns in known:
            out.add(f"{name} ", paint.cause(name)).add(formats.duration(ns), paint.text).gap(2)
        if not known:
            out.add(hop.gap_kind.replace("_", " "), paint.dim).gap(2)
        if hop.reused is False:
            out.add("new connection ", paint.warning)
        if hop.attempts > 1:
            out.add(formats.plural(hop.attempts, "attempt"), paint.warning)

    def draw_empty(self, out: Line, y: int) -> None:
        """Say that there are none."""
        if self.count == 0 and y == 1:
            out.gap(3).add("No call to another process", paint_of(self).dim)


def _ends(hop: Hop) -> tuple[str | None, ...]:
    return hop.trace_id, hop.client_span_id, hop.server_span_id


class OddList(Rows):
    """Warnings, and work that the request caused and did not wait for."""

    def __init__(self) -> None:
        super().__init__(id="odd")
        self.entries: Sequence[TraceWarning | AsyncWork] = ()
        self.names: Mapping[str, str] = {}
        self._rows: dict[tuple[str, str | None], int] = {}

    def waterfall_row(self, index: int) -> int | None:
        """Give the waterfall row of the span that an entry is about."""
        entry = self.entries[index]
        return self._rows.get((entry.trace_id, entry.span_id))

    def show(self, detail: RequestDetail) -> None:
        """Take what is odd about a request."""
        self.entries = (*detail.warnings, *detail.async_work)
        self._rows = {(row.trace_id, row.span_id): place for place, row in enumerate(detail.waterfall) if row.span_id}
        self.names = {row.span_id: row.name for row in detail.waterfall if row.span_id}
        self.count = len(self.entries)
        self.refresh()

    def draw_header(self, out: Line, y: int) -> None:
        """Draw the column names."""
        del y
        out.gap(1).column("what", 24).column("span", max((out.width - 30) // 3, 12)).column("detail", out.room)

    def draw_row(self, out: Line, index: int, *, here: bool) -> None:
        """Draw a warning or a piece of work."""
        del here
        entry, paint = self.entries[index], paint_of(self)
        name = self.names.get(entry.span_id or "", entry.span_id) or "the whole trace"
        span = max((out.width - 30) // 3, 12)
        if isinstance(entry, TraceWarning):
            out.gap(1).column(entry.code, 24, paint.warning).column(name, span).column(
                entry.detail, out.room, paint.dim
            )
        else:
            waited = formats.duration(entry.queue_wait_ns)
            out.gap(1).column("asynchronous work", 24, paint.dim).column(name, span)
            out.column(f"known by its {entry.link}; waited {waited} in a queue; not on the path", out.room, paint.dim)

    def draw_empty(self, out: Line, y: int) -> None:
        """Say that all is well."""
        if self.count == 0 and y == 1:
            out.gap(3).add("Nothing odd about this request's spans", paint_of(self).good)
