"""What the request view asks for, in threads; the answers come back as messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import work
from textual.screen import Screen

from tui.asking import answered
from tui.messages import DetailFetched, Exported, SpanFetched

if TYPE_CHECKING:
    from seamscope.results import WaterfallRow
    from tui.source import Source


class RequestAsking(Screen[None]):
    """A screen that asks a source for one request, its spans, and a file of it."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.source = source

    @work(thread=True, exclusive=True, group="detail", exit_on_error=False)
    def fetch_detail(self, request_id: str) -> None:
        """Read the request."""
        with answered(self, "detail"):
            self.post_message(DetailFetched(self.source.detail(request_id)))

    @work(thread=True, exclusive=True, group="span", exit_on_error=False)
    def fetch_span(self, row: WaterfallRow) -> None:
        """Read the span of a row."""
        with answered(self, "span"):
            span = self.source.span(row.trace_id, row.span_id or "", row.span_kind)
            self.post_message(SpanFetched(span))

    @work(thread=True, exclusive=True, group="export", exit_on_error=False)
    def fetch_export(self, request_id: str, suffix: str) -> None:
        """Write the request to a file."""
        with answered(self, "export"):
            self.post_message(Exported(self.source.export(request_id, suffix)))
