"""Where the explorer's results come from: a small protocol, and the store behind it.

Everything here may block and is only ever called from thread workers.
"""

from __future__ import annotations

from dataclasses import replace
from threading import RLock
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seamscope.results import Report, RequestDetail, RequestRow, Selection, SpanDetail
    from seamscope.store import Reader

ORDERS: Final = ("newest", "complete", "shell", "spans", "oldest")
"""Sort keys of the request list, in the order that `o` goes through them."""


class Source(Protocol):
    """What the explorer asks for. Every method may raise `SeamscopeError`."""

    name: str
    """The store as the user named it."""

    def settle(self, selection: Selection) -> tuple[Selection, tuple[str, ...]]:
        """Take one environment where a selection names none and there are several; say so in notes."""
        ...

    def page(
        self, selection: Selection, *, order: str, limit: int, other: bool, before: RequestRow | None = None
    ) -> Sequence[RequestRow]:
        """Give at most `limit` requests, after `before` where it is given; kind `other` only if asked."""
        ...

    def report(self, selection: Selection, *, by: str, other: bool) -> Report:
        """Give the totals of a selection."""
        ...

    def detail(self, request_id: str) -> RequestDetail:
        """Give one request, whole."""
        ...

    def span(self, trace_id: str, span_id: str, kind: str | None) -> SpanDetail:
        """Give all that the store knows of a span; `kind` tells client and server of one id apart."""
        ...

    def export(self, request_id: str, suffix: str) -> str:
        """Write one request as `json` or `html` beside the user; give the file's name."""
        ...

    def close(self) -> None:
        """Let go of the store."""
        ...


class StoreSource:
    """A store file, or a live collector's store; reads through one door, one question at a time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = RLock()
        self._reader: Reader | None = None

    def _open(self) -> Reader:
        """Open the store at the first question, and again after it went away."""
        if self._reader is None:
            from seamscope.remote import open_store

            self._reader = open_store(self.name)
        return self._reader

    def settle(self, selection: Selection) -> tuple[Selection, tuple[str, ...]]:
        """Take one environment where there are several."""
        from seamscope.selections import one_environment

        with self._lock:
            return one_environment(self._open(), selection)

    def page(
        self, selection: Selection, *, order: str, limit: int, other: bool, before: RequestRow | None = None
    ) -> Sequence[RequestRow]:
        """Read a stretch of the list."""
        from seamscope.requests import list_requests

        chosen = selection if other else without_other(selection)
        with self._lock:
            return list_requests(self._open(), chosen, limit=limit, order=order, before=before)

    def report(self, selection: Selection, *, by: str, other: bool) -> Report:
        """Read the totals."""
        from seamscope.reports import report

        del other
        with self._lock:
            return report(self._open(), selection, by=by)

    def detail(self, request_id: str) -> RequestDetail:
        """Read one request."""
        from seamscope.requests import request_detail

        with self._lock:
            return request_detail(self._open(), request_id)

    def span(self, trace_id: str, span_id: str, kind: str | None) -> SpanDetail:
        """Read one span."""
        from seamscope.requests import span_detail

        with self._lock:
            return span_detail(self._open(), trace_id, span_id, kind=kind)

    def export(self, request_id: str, suffix: str) -> str:
        """Write one request to a file."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the store; without one there is nothing to do."""
        with self._lock:
            reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()


def without_other(selection: Selection) -> Selection:
    """Leave out requests of kind `other` (module loads and their like), unless the filter speaks of kinds."""
    if "kind:" in selection.filter:
        return selection
    return replace(selection, filter=f"{selection.filter} -kind:other".strip())
