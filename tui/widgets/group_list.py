"""Totals by route, seam, place …: how many, how slow, and a stacked bar of what held them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from textual.reactive import reactive

from tui import formats
from tui.lines import clean, cut_seam
from tui.ribbons import Stretch, ribbon
from tui.track import Track
from tui.widgets.canvas import paint_of
from tui.widgets.rows import Rows
from tui.widgets.summary import merged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seamscope.results import Group, Percentiles, Report
    from tui.lines import Cell, Line
    from tui.paint import Paint

EMPTY: Final = "No requests to add up: / changes the filter, q goes back"


class GroupList(Rows):
    """Draws the groups of a report; a bar is as long as the mean or percentile that its shares were taken at."""

    horizon: reactive[str] = reactive("shell")

    def __init__(self) -> None:
        super().__init__(id="groups")
        self.groups: Sequence[Group] = ()
        self.by = "route"
        self.at = "mean"
        self.scale_ns = 1
        self.problem: tuple[str, ...] = ("Adding up …",)

    def show(self, report: Report) -> None:
        """Take a report."""
        kept = self.current.key if self.current else None
        self.groups, self.by, self.at = report.groups, report.by, report.at
        self.problem = (EMPTY,)
        self.count = len(self.groups)
        self.cursor = next((at for at, group in enumerate(self.groups) if group.key == kept), 0)
        self._rescale()

    def tell(self, *words: str) -> None:
        """Show words in place of rows."""
        self.groups, self.count = (), 0
        self.problem = tuple(word for word in words if word)
        self.refresh()

    @property
    def current(self) -> Group | None:
        """The group under the cursor."""
        return self.groups[self.cursor] if self.cursor < len(self.groups) else None

    def watch_horizon(self) -> None:
        """Draw the other horizon."""
        self._rescale()

    def _rescale(self) -> None:
        self.scale_ns = max((self._length(group) for group in self.groups), default=1) or 1
        self.refresh()

    def _length(self, group: Group) -> int:
        values = self._measured(group)
        at = {"mean": values.mean_ns, "p50": values.p50_ns, "p95": values.p95_ns, "p99": values.p99_ns}
        return at[self.at] or 0

    def _measured(self, group: Group) -> Percentiles:
        return group.shell if self.horizon == "shell" else group.complete

    def _columns(self, width: int) -> tuple[int, int, int]:
        """Give the widths of key, bar and verdict."""
        room = max(width - 4 * 9 - 14, 30)
        key = max(min(room * 35 // 100, 44), 12)
        verdict = max(min(room * 40 // 100, 54), 19)
        return key, max(room - key - verdict - 2, 6), verdict

    def draw_header(self, out: Line, y: int) -> None:
        """Draw the column names."""
        del y
        key, bar, verdict = self._columns(out.width)
        out.gap(1).column(self.by, key).column("requests", 8, right=True).column("err", 4, right=True)
        for name in ("p50", "p95", "p99"):
            out.column(name, 8, right=True)
        scale = formats.duration(self.scale_ns) if self.scale_ns > 1 else ""
        out.column(f"{self.at} {self.horizon}, to {scale}" if bar > 26 else self.at, bar)
        out.column("most", 5, right=True).column("held by", 13).column("owner", max(verdict - 20, 0))

    def draw_row(self, out: Line, index: int, *, here: bool) -> None:
        """Draw a group."""
        del here
        group, paint = self.groups[index], paint_of(self)
        key, bar, verdict = self._columns(out.width)
        glyphs, values = paint.glyphs, self._measured(group)
        shown = cut_seam(clean(glyphs.words(group.key)), key, glyphs.ellipsis, glyphs.arrow)
        out.gap(1).column(shown, key, paint.strong).column(formats.count(group.requests), 8, right=True)
        out.column(formats.count(group.errors) if group.errors else "", 4, paint.error, right=True)
        for value, style in ((values.p50_ns, paint.dim), (values.p95_ns, paint.strong), (values.p99_ns, paint.dim)):
            out.column(formats.duration(value), 8, style, right=True)
        out.paint(self._bar(group, bar, paint)).gap(1)
        self._verdict(out, group, verdict, paint)

    def _bar(self, group: Group, width: int, paint: Paint) -> list[Cell]:
        """Stack the shares over the group's length."""
        shares = merged(group.shares.get(self.horizon, ()))
        whole, at, stretches = sum(ns for _, _, ns in shares), 0, []
        length = self._length(group)
        for owner, cause, ns in shares:
            start, at = at, at + ns
            stretches.append(Stretch(start * length // whole, at * length // whole, owner, cause))
        return ribbon(stretches, Track(width, 0, self.scale_ns, paint.glyphs), paint, timed=False)

    def _verdict(self, out: Line, group: Group, width: int, paint: Paint) -> None:
        shares = merged(group.shares.get(self.horizon, ()))
        if not shares:
            out.column("not known", width, paint.faint)
            return
        owner, cause, ns = shares[0]
        glyphs, room = paint.glyphs, max(width - 20, 0)
        out.column(formats.percent(ns, sum(part for _, _, part in shares)), 5, paint.text, right=True)
        out.column(cause, 13, paint.cause(cause, bold=True))
        out.column(cut_seam(clean(glyphs.words(owner)), room, glyphs.ellipsis, glyphs.arrow), room, paint.text)

    def draw_empty(self, out: Line, y: int) -> None:
        """Say what to do where there is nothing."""
        paint = paint_of(self)
        if self.count == 0 and 1 <= y <= len(self.problem):
            out.gap(3).add(self.problem[y - 1], paint.strong if y == 1 else paint.dim)
