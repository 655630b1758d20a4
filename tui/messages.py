"""What thread workers tell the screens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seamscope.results import Report, RequestDetail, RequestRow, Selection, SpanDetail


@dataclass
class Failed(Message):
    """A question to the store failed."""

    asked: str
    """`rows`, `more`, `totals`, `follow`, `detail`, `span` or `export`."""
    what: str
    """What happened and where, in one line."""
    hint: str
    """What to do; may be empty."""


@dataclass
class RowsFetched(Message):
    """The head of the request list was read."""

    question: int
    """Number of the question; an answer to an older one is dropped."""
    selection: Selection
    """What was looked at; its environment is set where one was taken."""
    rows: Sequence[RequestRow]
    notes: tuple[str, ...]
    complete: bool
    """There are no further rows."""


@dataclass
class MoreFetched(Message):
    """The next stretch of the request list was read."""

    question: int
    rows: Sequence[RequestRow]
    complete: bool


@dataclass
class HeadFetched(Message):
    """A follower read the head of the list again."""

    question: int
    rows: Sequence[RequestRow] | None
    """None where the store has not changed."""


@dataclass
class TotalsFetched(Message):
    """The totals of the selection were read."""

    question: int
    report: Report


@dataclass
class DetailFetched(Message):
    """A request was read."""

    detail: RequestDetail


@dataclass
class SpanFetched(Message):
    """A span was read."""

    span: SpanDetail


@dataclass
class Exported(Message):
    """A view was written to a file."""

    path: str
