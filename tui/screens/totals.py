"""Where the time goes over many requests: totals by route, seam, boundary, service, place or version."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding
from textual.screen import Screen

from tui.asking import answered
from tui.completion import quoted
from tui.messages import Failed, TotalsFetched
from tui.source import AT, BY
from tui.widgets.canvas import explorer_of
from tui.widgets.group_list import GroupList
from tui.widgets.group_pane import GroupPane
from tui.widgets.key_bar import KeyBar
from tui.widgets.rows import Rows
from tui.widgets.summary import Summary

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from seamscope.results import Report, Selection
    from tui.source import Source


class TotalsScreen(Screen[str]):
    """Asks for one report; gives the filter that keeps the group that was opened."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,l,right", "open", "Its requests"),
        Binding("b", "by(1)", "Group by next"),
        Binding("B", "by(-1)", "Group by previous", show=False),
        Binding("p", "at", "Mean/p50/p95/p99"),
        Binding("x", "example", "Open the one at p95"),
        Binding("s", "horizon", "Shell/complete"),
        Binding("tab", "switch_pane", "Pane", show=False),
        Binding("r", "refresh", "Refresh", show=False),
        Binding("q,escape,backspace,h", "back", "Back"),
    ]
    AUTO_FOCUS = "GroupList"

    def __init__(self, source: Source, selection: Selection, horizon: str, *, other: bool) -> None:
        super().__init__()
        self.source = source
        self.selection = selection
        self.horizon = horizon
        self.other = other
        self.by = BY[0]
        self.at = AT[0]
        self.question = 0

    def compose(self) -> ComposeResult:
        """Build the screen; it stays empty until the answer."""
        yield Summary(self.source.name)
        yield GroupList()
        yield GroupPane()
        yield KeyBar()

    def on_mount(self) -> None:
        """Ask."""
        summary = self.query_one(Summary)
        summary.selection, summary.state, summary.live = self.selection, "ready", self.source.live
        self._turn(self.horizon)
        self.ask()

    def ask(self) -> None:
        """Read the totals."""
        self.question += 1
        self.query_one(Summary).order = f"{self.by}, {self.at}"
        self.query_one(Summary).refresh()
        self.fetch(self.question, self.by, self.at)

    @work(thread=True, exclusive=True, group="totals", exit_on_error=False)
    def fetch(self, question: int, by: str, at: str) -> None:
        """Read a report."""
        with answered(self, "totals"):
            report = self.source.report(self.selection, by=by, at=at, other=self.other)
            self.post_message(TotalsFetched(question, report))

    def on_totals_fetched(self, message: TotalsFetched) -> None:
        """Show it."""
        if message.question == self.question:
            self.query_one(Summary).notes = message.report.notes
            self._summarise("ready", message.report)
            self.query_one(GroupList).show(message.report)
            self._show_group()

    def on_failed(self, message: Failed) -> None:
        """Say what failed, and show no totals beside it."""
        self._summarise("failed", None)
        self.query_one(GroupList).tell(message.what, message.hint, "r tries again, q goes back")
        self._show_group()

    def _summarise(self, state: str, report: Report | None) -> None:
        summary = self.query_one(Summary)
        summary.state, summary.live, summary.report = state, self.source.live, report
        summary.refresh()

    @on(Rows.Moved, "#groups")
    def _show_group(self) -> None:
        """Let the pane follow the list."""
        self.query_one(GroupPane).show(self.query_one(GroupList).current, self.horizon)

    def _turn(self, horizon: str) -> None:
        self.horizon = horizon
        self.query_one(GroupList).horizon = self.query_one(Summary).horizon = horizon
        self.query_one(Summary).refresh()
        self._show_group()

    def action_horizon(self) -> None:
        """Count to the first byte, or to the last."""
        self._turn("complete" if self.horizon == "shell" else "shell")

    def action_by(self, step: int) -> None:
        """Group by the next key."""
        self.by = BY[(BY.index(self.by) + step) % len(BY)]
        self.ask()

    def action_at(self) -> None:
        """Take the totals from all requests, or from the typical ones at a percentile."""
        self.at = AT[(AT.index(self.at) + 1) % len(AT)]
        self.ask()

    def action_refresh(self) -> None:
        """Read again."""
        self.ask()

    @on(Rows.Chosen)
    def action_open(self) -> None:
        """List the requests of the group under the cursor."""
        group = self.query_one(GroupList).current
        if group is not None:
            self.dismiss(narrowed(self.selection, self.by, group.key).filter)

    def action_example(self) -> None:
        """Open the request that stands exactly at the percentile; at p95 where the mean is looked at."""
        group = self.query_one(GroupList).current
        at = "p95" if self.at == "mean" else self.at
        request_id = group.examples.get(self.horizon, {}).get(at) if group else None
        if request_id is None:
            explorer_of(self).say(f"no request stands at {at} here", wrong=True)
            return
        from tui.screens.request import RequestScreen

        self.app.push_screen(RequestScreen(self.source, request_id))

    def action_switch_pane(self) -> None:
        """Go to the group's pane, or back from it."""
        pane, groups = self.query_one(GroupPane), self.query_one(GroupList)
        self.set_focus(groups if pane.has_focus else pane)

    def action_back(self) -> None:
        """Go back to the list as it was."""
        self.dismiss(None)


def narrowed(selection: Selection, by: str, key: str) -> Selection:
    """Keep one group of a selection: its filter line gets one more term, the group's key to the letter."""
    return replace(selection, filter=f"{selection.filter} {by}=={quoted(key)}".strip())
