"""The first screen: the requests of a selection, kept up with a running collector."""

from __future__ import annotations

import gc
import time
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding
from textual.screen import Screen
from textual.widgets import Input

from tui.asking import answered, nothing, with_head
from tui.completion import seen_values
from tui.messages import Failed, HeadFetched, MoreFetched, RowsFetched, TotalsFetched
from tui.source import ORDERS
from tui.widgets.filter_bar import FilterBar
from tui.widgets.key_bar import KeyBar
from tui.widgets.request_list import RequestList
from tui.widgets.rows import Rows
from tui.widgets.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from seamscope.results import RequestRow, Selection
    from tui.source import Source

PAGE = 300
"""Requests that are read at a time."""
POLL_SECONDS = 1.0
TOTALS_SHARE = 10
"""The totals of a list that changes are read for a tenth of the time at most: over a million spans they take 1.3 s."""


class RequestsScreen(Screen[None]):
    """Asks for rows and totals, follows the store, and opens requests."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,l,right", "open", "Open"),
        Binding("slash", "filter", "Filter", priority=True),
        Binding("f", "follow", "Follow"),
        Binding("o", "order(1)", "Order"),
        Binding("O", "order(-1)", "Order back", show=False),
        Binding("b", "totals", "Breakdown"),
        Binding("s", "horizon", "Shell/complete"),
        Binding("tab", "horizon", "Shell/complete", show=False),
        Binding("e", "environment", "Environments"),
        Binding("a", "other", "All kinds"),
        Binding("r", "refresh", "Refresh"),
        Binding("y", "copy", "Copy id"),
        Binding("escape", "clear", "Clear filter", show=False),
        Binding("q", "app.quit", "Quit"),
    ]
    AUTO_FOCUS = "RequestList"

    def __init__(self, source: Source, selection: Selection) -> None:
        super().__init__()
        self.source = source
        self.wanted = selection
        """What the user asked for; `shown` is what the store made of it."""
        self.shown = selection
        self.order = ORDERS[0]
        self.other = False
        self.following = False
        self.question = 0
        self.answered = False
        self.whole = True
        """There are no rows below the last."""
        self.asking: set[str] = set()
        """Questions under way that must not be asked twice."""
        self.totals_due = 0.0
        """When the totals may be read again."""
        self.stale = False
        """The totals are older than the list."""

    def compose(self) -> ComposeResult:
        """Build the screen; it stays empty until the first answer."""
        yield Summary(self.source.name)
        yield FilterBar()
        yield RequestList()
        yield KeyBar()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the slash to an input that is typed into; elsewhere it acts at once, so that what follows is typed."""
        del parameters
        return not (action == "filter" and isinstance(self.focused, Input))

    def on_mount(self) -> None:
        """Ask once the first frame is out."""
        self.list.empty = ("Opening the store …", self.source.name)
        self.call_after_refresh(self._started)
        self.set_interval(POLL_SECONDS, self.poll)

    def _started(self) -> None:
        """Ask; from here on garbage is looked for again, but not in what was imported."""
        gc.enable()
        gc.freeze()
        self.ask()

    @property
    def list(self) -> RequestList:
        """The request list."""
        return self.query_one(RequestList)

    @property
    def summary(self) -> Summary:
        """The head."""
        return self.query_one(Summary)

    def ask(self) -> None:
        """Read the list and the totals anew."""
        self.question += 1
        self.answered = False
        self.fetch_rows(self.question, self.wanted, self.order, other=self.other)

    @work(thread=True, exclusive=True, group="rows", exit_on_error=False)
    def fetch_rows(self, question: int, wanted: Selection, order: str, *, other: bool) -> None:
        """Read the head of the list."""
        with answered(self, "rows"):
            chosen, notes = self.source.settle(wanted)
            rows = self.source.page(chosen, order=order, limit=PAGE, other=other)
            self.post_message(RowsFetched(question, chosen, rows, notes, complete=len(rows) < PAGE))

    @work(thread=True, exclusive=True, group="more", exit_on_error=False)
    def fetch_more(self, question: int, order: str, before: RequestRow, *, other: bool) -> None:
        """Read the stretch of the list after a row."""
        with answered(self, "more"):
            rows = self.source.page(self.shown, order=order, limit=PAGE, other=other, before=before)
            self.post_message(MoreFetched(question, rows, complete=len(rows) < PAGE))

    @work(thread=True, group="follow", exit_on_error=False)
    def fetch_head(self, question: int, order: str, *, seen: bool, other: bool) -> None:
        """Read the head of the list again, where it is seen and the store has moved."""
        with answered(self, "follow"):
            self.source.rest()
            moved = seen and self.source.moved()
            rows = self.source.page(self.shown, order=order, limit=PAGE, other=other) if moved else None
            self.post_message(HeadFetched(question, rows))

    @work(thread=True, exclusive=True, group="totals", exit_on_error=False)
    def fetch_totals(self, question: int, *, other: bool) -> None:
        """Read the totals."""
        start = time.monotonic()
        with answered(self, "totals"):
            report = self.source.report(self.shown, by="route", at="mean", other=other)
            self.post_message(TotalsFetched(question, report))
        self.totals_due = time.monotonic() + TOTALS_SHARE * (time.monotonic() - start)

    def poll(self) -> None:
        """Look whether there is more, one look at a time."""
        if "follow" not in self.asking and self.answered:
            self.asking.add("follow")
            self.fetch_head(self.question, self.order, seen=self.is_current, other=self.other)

    def on_rows_fetched(self, message: RowsFetched) -> None:
        """Show the list from its head."""
        if message.question != self.question:
            return
        self.answered = True
        self.shown, self.whole = message.selection, message.complete
        self.summary.notes, self.summary.behind = message.notes, False
        self._show(message.rows, from_top=True)
        self._state("ready")
        self.ask_totals()

    def on_more_fetched(self, message: MoreFetched) -> None:
        """Put further rows below."""
        self.asking.discard("more")
        if message.question == self.question:
            self.whole = message.complete
            self._show([*self.list.rows, *message.rows])

    def on_head_fetched(self, message: HeadFetched) -> None:
        """Put new and revised rows in their place; while the user looks further down, a hole waits for `g`."""
        self.asking.discard("follow")
        if self.summary.state != "ready" and self.is_current:
            self.ask()
            return
        if self.summary.live != self.source.live:
            self._state("ready")
        if self.stale:
            self.ask_totals()
        if message.question != self.question or message.rows is None:
            return
        old = self.list.rows
        rows = with_head(old, message.rows, whole=len(message.rows) < PAGE)
        if rows is None and not self.list.at_top and not self.following:
            self.summary.behind = True
            self.summary.refresh()
        elif list(old) != (rows if rows is not None else message.rows):
            self.summary.behind = False
            shown = message.rows if rows is None else rows
            if len(shown) == len(message.rows):
                self.whole = len(shown) < PAGE
            self._show(shown)
            self.ask_totals()

    def ask_totals(self) -> None:
        """Read the totals, not more often than the store bears."""
        due = self.summary.report is None or time.monotonic() >= self.totals_due
        self.stale = not due
        if "totals" not in self.asking and due:
            self.asking.add("totals")
            self.fetch_totals(self.question, other=self.other)

    def on_totals_fetched(self, message: TotalsFetched) -> None:
        """Show counts and percentiles."""
        self.asking.discard("totals")
        if message.question == self.question:
            self.summary.show(message.report)
            self._scale()
        else:
            self.ask_totals()

    def on_failed(self, message: Failed) -> None:
        """Say what failed: where the list would be, or over it where there is one."""
        self.asking.discard(message.asked)
        self.answered = self.answered or message.asked == "rows"
        if message.asked in {"rows", "follow"}:
            self.summary.problem = f"{message.what}; {message.hint}" if message.hint else message.what
            self._state("gone" if self.list.rows else "failed")
        if not self.list.rows:
            self.list.tell(message.what, message.hint)

    def _show(self, rows: Sequence[RequestRow], *, from_top: bool = False) -> None:
        self.list.empty = nothing(self.wanted, other=self.other)
        self.list.show(rows, follow=self.following or from_top)
        self._scale()

    def _scale(self) -> None:
        report = self.summary.report
        total = None if report is None else report.total
        known = [] if total is None else [total.complete.p95_ns, total.shell.p95_ns]
        self.list.set_scale(next((value for value in known if value), None))

    def _state(self, state: str) -> None:
        summary = self.summary
        summary.state = state
        summary.following, summary.live = self.following, self.source.live
        summary.was_live = summary.was_live or summary.live
        summary.order, summary.other, summary.selection = self.order, self.other, self.shown
        summary.refresh()

    @on(Rows.Moved)
    def _reach_on(self, message: Rows.Moved) -> None:
        """Read on before the cursor comes to the end; at the top, close a hole that waited there."""
        if message.index == 0 and self.summary.behind:
            self.ask()
        if message.index > self.list.count - 50 and not self.whole and self.list.rows and "more" not in self.asking:
            self.asking.add("more")
            self.fetch_more(self.question, self.order, self.list.rows[-1], other=self.other)

    @on(Rows.Chosen)
    def action_open(self) -> None:
        """Open the request under the cursor."""
        if self.list.current is not None:
            from tui.screens.request import RequestScreen

            self.app.push_screen(RequestScreen(self.source, self.list.current.request_id, self.list))

    def action_totals(self) -> None:
        """Show where the time goes, by route and other groups; a group that is opened there narrows the list."""
        from tui.screens.totals import TotalsScreen

        screen = TotalsScreen(self.source, self.shown, self.list.horizon, other=self.other)
        self.app.push_screen(screen, self._narrow)

    def _narrow(self, filter_: str | None) -> None:
        if filter_ is not None:
            self._select(replace(self.wanted, filter=filter_))

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one(FilterBar).open(self.wanted.filter, seen_values(self.list.rows))

    def on_filter_bar_entered(self, message: FilterBar.Entered) -> None:
        """Look at what the filter selects."""
        self.set_focus(self.list)
        self._select(replace(self.wanted, filter=message.text))

    def on_filter_bar_left(self) -> None:
        """Go on with the filter that was."""
        self.set_focus(self.list)

    def action_clear(self) -> None:
        """Look at everything again."""
        if self.wanted.filter:
            self._select(replace(self.wanted, filter=""))

    def _select(self, wanted: Selection) -> None:
        self.wanted = wanted
        self.summary.report = None
        self.ask()

    def action_follow(self) -> None:
        """Stay with the newest, or stop to."""
        self.following = not self.following
        if self.following:
            self.order = ORDERS[0]
            self.ask()
        self._state(self.summary.state)

    def action_order(self, step: int) -> None:
        """Sort by the next key."""
        self.order = ORDERS[(ORDERS.index(self.order) + step) % len(ORDERS)]
        self.following = self.following and self.order == ORDERS[0]
        self.ask()

    def action_horizon(self) -> None:
        """Count to the first byte, or to the last."""
        horizon = "complete" if self.list.horizon == "shell" else "shell"
        self.list.horizon = self.summary.horizon = horizon
        self.summary.refresh()

    def action_environment(self) -> None:
        """Look at all environments, or at one again."""
        self._select(replace(self.wanted, environment=None if self.wanted.environment == "*" else "*"))

    def action_other(self) -> None:
        """Show module loads and their like too, or hide them."""
        self.other = not self.other
        self.summary.report = None
        self.ask()

    def action_refresh(self) -> None:
        """Read everything again."""
        self.totals_due = 0.0
        self.ask()

    def action_copy(self) -> None:
        """Copy the request's id."""
        from tui.clipboard import copy_id

        if self.list.current is not None:
            copy_id(self, self.list.current.request_id)
