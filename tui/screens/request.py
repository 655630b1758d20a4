"""One request: its verdict, its path, its waterfall with the seams in it, and the span under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widgets import Input

from tui.axis import Axis
from tui.paths import Path
from tui.screens.request_asking import RequestAsking
from tui.widgets.canvas import explorer_of
from tui.widgets.find_bar import FindBar
from tui.widgets.key_bar import KeyBar
from tui.widgets.log_list import LogList
from tui.widgets.path_ribbons import PathRibbons
from tui.widgets.request_head import RequestHead
from tui.widgets.rows import Rows
from tui.widgets.span_pane import SpanPane
from tui.widgets.tab_bar import TabBar
from tui.widgets.tables import HopTable, OddList, SegmentTable
from tui.widgets.waterfall import Waterfall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.timer import Timer

    from seamscope.results import RequestDetail, SpanDetail, Testimony, WaterfallRow
    from tui.messages import DetailFetched, Exported, Failed, SpanFetched
    from tui.source import Source
    from tui.widgets.request_list import RequestList

VIEWS: Final = {"waterfall": "waterfall", "segments": "segments", "hops": "hops", "odd": "odd", "logs": "logs"}
WIDE: Final = 130
"""Cells from which the span's pane stands beside the waterfall instead of below it."""
REST_SECONDS: Final = 0.08
"""How long the cursor rests on a span before it is read."""
KEPT_SPANS: Final = 500


class RequestScreen(RequestAsking):
    """Asks for one request and its spans; everything on it is drawn from that."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,escape,backspace", "back", "Back"),
        Binding("s", "horizon", "Shell/complete"),
        Binding("n", "segment(1)", "Next on path"),
        Binding("p", "segment(-1)", "Previous", show=False),
        Binding("c", "only_path", "Path only"),
        Binding("z", "zoom('span')", "Zoom"),
        Binding("Z", "zoom('path')", "Zoom to the path", show=False),
        Binding("slash", "find", "Find", priority=True),
        Binding("tab", "switch_pane", "Span", show=False),
        Binding("enter", "switch_pane", "Span"),
        Binding("d", "pane", "Pane", show=False),
        Binding("1", "view('waterfall')", "Waterfall", show=False),
        Binding("2", "view('segments')", "Segments", show=False),
        Binding("3", "view('hops')", "Hops", show=False),
        Binding("4", "view('odd')", "Odd", show=False),
        Binding("5", "view('logs')", "Logs", show=False),
        Binding("y", "copy('span')", "Copy ids"),
        Binding("Y", "copy('trace')", "Copy trace id", show=False),
        Binding("x", "export('html')", "Export"),
        Binding("X", "export('json')", "Export JSON", show=False),
        Binding("left_square_bracket", "neighbour(-1)", "Newer", show=False),
        Binding("right_square_bracket", "neighbour(1)", "Older", show=False),
        Binding("r", "refresh", "Refresh", show=False),
    ]
    AUTO_FOCUS = "Waterfall"

    def __init__(self, source: Source, request_id: str, listed: RequestList | None = None) -> None:
        super().__init__(source)
        self.request_id = request_id
        self.listed = listed
        """The list that it was opened from: `[` and `]` walk it."""
        self.detail: RequestDetail | None = None
        self.horizon = "shell"
        self.path: Path | None = None
        self.segment = -1
        self.zoom = ""
        """`span`: the one under the cursor fills the width; `path`: the horizon that is looked at does; else all."""
        self.spans: dict[tuple[str, str, str], SpanDetail] = {}
        self._rest: Timer | None = None
        self._pane_wanted: bool | None = None

    def compose(self) -> ComposeResult:
        """Build the screen; it stays empty until the request was read."""
        yield RequestHead(self.listed.current if self.listed else None)
        with Horizontal(id="body"):
            with Vertical(id="views"):
                yield TabBar(VIEWS)
                yield PathRibbons()
                yield Waterfall()
                yield SegmentTable()
                yield HopTable()
                yield OddList()
                yield LogList()
            yield SpanPane()
        yield FindBar()
        yield KeyBar()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the slash to an input that is typed into; elsewhere it acts at once, so that what follows is typed."""
        del parameters
        return not (action == "find" and isinstance(self.focused, Input))

    def on_mount(self) -> None:
        """Show the first view and read the request."""
        self._clear()
        self.action_view("waterfall")
        self.fetch_detail(self.request_id)

    def on_resize(self, event: events.Resize) -> None:
        """Put the pane where there is room."""
        wide = event.size.width >= WIDE
        self.query_one("#body").set_class(not wide, "-narrow")
        self._show_pane(wide and event.size.width >= WIDE if self._pane_wanted is None else self._pane_wanted)
        self.call_after_refresh(self._lay_axis)

    def on_detail_fetched(self, message: DetailFetched) -> None:
        """Draw the request."""
        if message.detail.row.request_id != self.request_id:
            return
        self.detail = message.detail
        if not self.detail.segments.get(self.horizon):
            self.horizon = "complete" if self.horizon == "shell" else "shell"
        self._draw(first=True)

    def on_span_fetched(self, message: SpanFetched) -> None:
        """Show the span, if the cursor is still on it."""
        span = message.span
        if len(self.spans) >= KEPT_SPANS:
            self.spans.clear()
        self.spans[span.trace_id, span.span_id, span.kind] = span
        self._show_span()

    def on_exported(self, message: Exported) -> None:
        """Say where the file is."""
        explorer_of(self).say(f"wrote {message.path}")

    def on_failed(self, message: Failed) -> None:
        """Say what failed, where it would have stood."""
        words = f"{message.what}; {message.hint}" if message.hint else message.what
        if message.asked == "detail":
            self.query_one(RequestHead).fail(words)
        elif message.asked == "span":
            self._show_span(problem=words)
        else:
            explorer_of(self).say(words, wrong=True)

    def _clear(self) -> None:
        """Draw nothing: what stands there is of another request than the one that is read now."""
        self.detail, self.path, self.zoom = None, None, ""
        self.query_one(PathRibbons).clear()
        self.query_one(TabBar).clear()
        for shown in (*self._views, self.query_one(SpanPane)):
            shown.clear()

    @property
    def _views(self) -> list[Rows]:
        return [self.query_one(f"#{name}", Rows) for name in VIEWS]

    def _draw(self, *, first: bool = False) -> None:
        detail = self.detail
        if detail is None:
            return
        self.path = Path(detail, self.horizon)
        self.segment = -1
        self.query_one(RequestHead).show(detail, self.horizon)
        ribbons = self.query_one(PathRibbons)
        ribbons.show(detail, self.horizon)
        ribbons.point_at(None)
        self.query_one(SegmentTable).show(detail, self.horizon)
        if first:
            for view in self._views:
                view.blank = False
            self.query_one(Waterfall).show(detail, self.path)
            self.query_one(HopTable).show(detail)
            self.query_one(OddList).show(detail)
            self.query_one(LogList).show(detail)
        else:
            self.query_one(Waterfall).set_path(self.path)
        self._count(detail)
        self._lay_axis()
        self._show_span()

    def _count(self, detail: RequestDetail) -> None:
        tabs = self.query_one(TabBar)
        tabs.counts = {
            "waterfall": str(len(detail.waterfall)),
            "segments": str(len(detail.segments.get(self.horizon, ()))),
            "hops": str(len(detail.hops)),
            "odd": str(len(detail.warnings) + len(detail.async_work)),
            "logs": str(detail.logs.total),
        }
        tabs.refresh()

    def _lay_axis(self) -> None:
        """Give the ribbons and the waterfall one axis: the request, or the row that is zoomed into."""
        detail, waterfall = self.detail, self.query_one(Waterfall)
        if detail is None:
            return
        start_ns, end_ns = 0, max(detail.row.shell_ns or 0, detail.row.complete_ns or 0)
        row = waterfall.current
        if self.zoom == "span" and row is not None and row.duration_ns:
            start_ns, end_ns = row.start_ns, row.start_ns + row.duration_ns
        elif self.zoom == "path" and self.path is not None and self.path.segments:
            end_ns = self.path.segments[-1].end_ns
        elif not end_ns and detail.waterfall:
            end_ns = max(row.start_ns + row.duration_ns for row in detail.waterfall)
        axis = Axis(waterfall.scrollable_content_region.width, start_ns, max(end_ns, start_ns + 1))
        waterfall.set_axis(axis)
        self.query_one(PathRibbons).set_axis(axis)

    def _show_pane(self, on: bool) -> None:
        self.query_one(SpanPane).display = on
        self.call_after_refresh(self._lay_axis)

    def _show_span(self, problem: str = "") -> None:
        row, pane = self.query_one(Waterfall).current, self.query_one(SpanPane)
        if row is None or not pane.display:
            return
        span = self.spans.get((row.trace_id, row.span_id or "", row.span_kind))
        record = self.query_one(LogList).current if self.query_one(TabBar).active == "logs" else None
        pane.show(row, span, self.path.stretches(row) if self.path else (), problem, self._told_of(row), record)
        if span is None and row.span_id and not problem:
            self._ask_soon(row)

    def _told_of(self, row: WaterfallRow) -> Sequence[Testimony]:
        call = row.hop.client_span_id if row.hop else None
        told = self.detail.testimonies if self.detail else ()
        return [each for each in told if call is not None and each.client_span_id == call]

    def _ask_soon(self, row: WaterfallRow) -> None:
        """Read the span once the cursor rests."""
        if self._rest is not None:
            self._rest.stop()
        self._rest = self.set_timer(REST_SECONDS, lambda: self.fetch_span(row))

    @on(Rows.Moved, "#waterfall")
    def _moved(self) -> None:
        self._show_span()

    @on(Rows.Moved)
    def _table_moved(self, message: Rows.Moved) -> None:
        """Let the waterfall and the pane follow the table that is looked at."""
        table = message.rows
        if table.id != self.query_one(TabBar).active or not table.count:
            return
        if isinstance(table, SegmentTable):
            self._point_at(message.index)
        elif isinstance(table, (HopTable, OddList, LogList)):
            row = table.waterfall_row(message.index)
            if row is not None:
                self.query_one(Waterfall).go_to(row)
            self._show_span()

    @on(Rows.Chosen)
    def _chosen(self, message: Rows.Chosen) -> None:
        """A row of a table that was clicked twice is shown in the waterfall."""
        if message.rows.id in VIEWS:
            self.action_view("waterfall")

    def action_back(self) -> None:
        """Go back to the list; first leave a search, a zoom."""
        pane, waterfall = self.query_one(SpanPane), self.query_one(Waterfall)
        if pane.needle:
            pane.filter("")
        elif waterfall.needle:
            waterfall.find("", onward=False)
        elif self.zoom:
            self.action_zoom("")
        else:
            self.dismiss()

    def action_horizon(self) -> None:
        """Look at the path to the other horizon."""
        self.horizon = "complete" if self.horizon == "shell" else "shell"
        self._draw()

    def action_segment(self, by: int) -> None:
        """Go to the next or previous segment of the path."""
        segments = self.path.segments if self.path else ()
        if segments:
            self._point_at((self.segment + by) % len(segments) if self.segment >= 0 or by > 0 else len(segments) - 1)

    def _point_at(self, place: int) -> None:
        if self.path is None or not self.path.segments:
            return
        self.segment = place
        segment = self.path.segments[place]
        self.query_one(PathRibbons).point_at(segment)
        row = self.path.row_of(segment)
        if row is not None:
            self.query_one(Waterfall).go_to(row)
        table = self.query_one(SegmentTable)
        table.cursor = place

    def action_only_path(self) -> None:
        """Show the critical path alone, or everything."""
        waterfall = self.query_one(Waterfall)
        waterfall.only_path(on=waterfall.outline.only is None)
        tabs = self.query_one(TabBar)
        tabs.note = "path only: c shows all" if waterfall.outline.only is not None else ""
        tabs.refresh()

    def action_zoom(self, what: str) -> None:
        """Spread the span under the cursor, or the path, over the whole width; again, and all is seen."""
        self.zoom = "" if self.zoom == what else what
        self._lay_axis()

    def action_view(self, name: str) -> None:
        """Show one of the views."""
        tabs = self.query_one(TabBar)
        tabs.active = name
        tabs.refresh()
        for view in VIEWS:
            self.query_one(f"#{view}").display = view == name
        shown = self.query_one(f"#{name}", Rows)
        self.set_focus(shown)
        self.post_message(Rows.Moved(shown, shown.cursor))
        self._show_span()

    @on(TabBar.Picked)
    def _picked(self, message: TabBar.Picked) -> None:
        self.action_view(message.name)

    def action_pane(self) -> None:
        """Show or hide the span's pane."""
        self._pane_wanted = not self.query_one(SpanPane).display
        self._show_pane(self._pane_wanted)
        self._show_span()

    def action_switch_pane(self) -> None:
        """Go to the span's pane, or back from it."""
        pane = self.query_one(SpanPane)
        if pane.has_focus:
            self.set_focus(self.query_one(f"#{self.query_one(TabBar).active}"))
            return
        if not pane.display:
            self.action_pane()
        self.set_focus(pane)

    def action_find(self) -> None:
        """Search spans, or the pane's lines where it has the focus."""
        in_pane = self.query_one(SpanPane).has_focus
        bar = self.query_one(FindBar)
        bar.in_pane = in_pane
        bar.open("", "attribute or value" if in_pane else "span, service or seam; enter goes to the next")

    @on(FindBar.Typed)
    def _typed(self, message: FindBar.Typed) -> None:
        if self.query_one(FindBar).in_pane:
            self.query_one(SpanPane).filter(message.text)
        else:
            self.query_one(Waterfall).find(message.text, onward=False)

    @on(FindBar.Next)
    def _next(self, message: FindBar.Next) -> None:
        if self.query_one(FindBar).in_pane:
            self.query_one(FindBar).action_leave()
        elif not self.query_one(Waterfall).find(message.text, onward=True):
            explorer_of(self).say("not found", wrong=True)

    @on(FindBar.Left)
    def _left(self) -> None:
        bar = self.query_one(FindBar)
        self.set_focus(self.query_one(SpanPane if bar.in_pane else Waterfall))

    def action_copy(self, what: str) -> None:
        """Copy the id of the span under the cursor, or of the trace."""
        from tui.clipboard import copy_id

        row = self.query_one(Waterfall).current
        if what == "trace" or row is None:
            copy_id(self, self.request_id.partition("-")[0])
        else:
            copy_id(self, row.span_id or row.parent_span_id or row.trace_id)

    def action_export(self, suffix: str) -> None:
        """Write the request to a file beside the user."""
        self.fetch_export(self.request_id, suffix)

    def action_neighbour(self, by: int) -> None:
        """Look at the request above or below in the list."""
        listed = self.listed
        if listed is None or not 0 <= listed.cursor + by < listed.count:
            return
        listed.cursor += by
        if listed.current is not None:
            self.request_id = listed.current.request_id
            self._clear()
            self.query_one(RequestHead).expect(listed.current)
            self.fetch_detail(self.request_id)

    def action_refresh(self) -> None:
        """Read the request again."""
        self.spans.clear()
        self.fetch_detail(self.request_id)
