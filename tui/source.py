"""Where the explorer's results come from: a small protocol, and the store behind it.

Everything here may block and is only ever called from thread workers.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Final, Protocol

from seamscope.errors import QueryError, SeamscopeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from seamscope.results import Report, RequestDetail, RequestRow, Selection, SpanDetail
    from seamscope.store import Reader

    Writer = Callable[[RequestDetail, Path], None]
    """Writes a request to a file."""

ORDERS: Final = ("newest", "slowest", "shell", "complete", "spans", "oldest")
"""Sort keys of the request list, in the order that `o` goes through them."""
BY: Final = ("route", "seam", "boundary", "service", "place", "version", "environment")
"""What totals are grouped by, in the order that `b` goes through them."""
AT: Final = ("mean", "p50", "p95", "p99")
"""Which requests totals are taken from, in the order that `p` goes through them."""
IDLE_SECONDS: Final = 1.5
"""How long a file stays open unused: a collector that starts meanwhile must be able to take it."""


class Source(Protocol):
    """What the explorer asks for. Every method may raise `SeamscopeError`."""

    name: str
    """The store as the user named it."""
    live: bool
    """A collector lends the store, so more may come at any moment."""

    def moved(self) -> bool:
        """Tell whether the store may have changed since this was last asked."""
        ...

    def rest(self) -> None:
        """Let go of a file that nobody has asked for a while, so that a collector may take it."""
        ...

    def settle(self, selection: Selection) -> tuple[Selection, tuple[str, ...]]:
        """Take one environment where a selection names none and there are several; say so in notes."""
        ...

    def page(
        self, selection: Selection, *, order: str, limit: int, other: bool, before: RequestRow | None = None
    ) -> Sequence[RequestRow]:
        """Give at most `limit` requests, after `before` where it is given; kind `other` only if asked."""
        ...

    def report(self, selection: Selection, *, by: str, at: str, other: bool) -> Report:
        """Give the totals of a selection."""
        ...

    def detail(self, request_id: str) -> RequestDetail:
        """Give one request, whole."""
        ...

    def span(self, trace_id: str, span_id: str, kind: str | None) -> SpanDetail:
        """Give all that the store knows of a span; `kind` tells client and server of one id apart."""
        ...

    def export(self, request_id: str, suffix: str) -> str:
        """Write one request as `json` or `html` into the working directory; give the file's name."""
        ...

    def close(self) -> None:
        """Let go of the store."""
        ...


class StoreSource:
    """A store file, or a live collector's store. A file is let go while nothing is asked, and found again."""

    def __init__(
        self,
        name: str,
        writers: Mapping[str, Writer] | None = None,
    ) -> None:
        self.name = name
        self.live = False
        self._writers = writers or {}
        self._lock = RLock()
        self._reader: Reader | None = None
        self._asked = 0
        """Questions under way."""
        self._used = 0.0
        self._seen: tuple[float, ...] = ()

    @contextmanager
    def _reading(self) -> Iterator[Reader]:
        """Lend the reader, opened where it is not; several threads may read at once.

        One that fails is let go, so that the next question opens anew.
        """
        with self._lock:
            reader = self._reader or self._open()
            self._asked += 1
        try:
            yield reader
        except QueryError:
            raise
        except SeamscopeError:
            self._drop(reader)
            raise
        finally:
            with self._lock:
                self._asked -= 1
                self._used = time.monotonic()

    def _open(self) -> Reader:
        from seamscope.remote import open_store
        from seamscope.store import StoreFile

        reader = open_store(self.name)
        self._reader = reader
        self.live = not isinstance(reader, StoreFile)
        return reader

    def _drop(self, reader: Reader) -> None:
        """Let go of a reader, unless another has taken its place."""
        with self._lock:
            if self._reader is reader:
                self._reader, self.live = None, False
                reader.close()

    def moved(self) -> bool:
        """Tell whether the store may have changed: a live one always, a file by its size and times."""
        seen = self._stamp()
        moved = self.live or seen != self._seen
        self._seen = seen
        return moved

    def rest(self) -> None:
        """Let go of an idle file."""
        with self._lock:
            idle = not self._asked and time.monotonic() - self._used > IDLE_SECONDS
            if idle and not self.live and self._reader is not None:
                self._drop(self._reader)

    def _stamp(self) -> tuple[float, ...]:
        """Give what changes when somebody writes the file, or a collector comes or goes."""
        stamp: list[float] = []
        for path in (Path(self.name), Path(f"{self.name}.wal"), Path(f"{self.name}.sock")):
            try:
                found = path.stat()
            except OSError:
                continue
            stamp += [found.st_mtime_ns, found.st_size]
        return tuple(stamp)

    def settle(self, selection: Selection) -> tuple[Selection, tuple[str, ...]]:
        """Take one environment where there are several."""
        from seamscope.selection.predicate import one_environment

        with self._reading() as reader:
            return one_environment(reader, selection)

    def page(
        self, selection: Selection, *, order: str, limit: int, other: bool, before: RequestRow | None = None
    ) -> Sequence[RequestRow]:
        """Read a stretch of the list."""
        from seamscope.reading.requests import list_requests
        from seamscope.selection.predicate import without_other

        chosen = selection if other else without_other(selection)
        with self._reading() as reader:
            return list_requests(reader, chosen, limit=limit, order=order, before=before)

    def report(self, selection: Selection, *, by: str, at: str, other: bool) -> Report:
        """Read the totals; they leave out kind `other` by themselves."""
        from seamscope.reading.reports import report

        del other
        with self._reading() as reader:
            return report(reader, selection, by=by, at=at)

    def detail(self, request_id: str) -> RequestDetail:
        """Read one request."""
        from seamscope.reading.requests import request_detail

        with self._reading() as reader:
            return request_detail(reader, request_id)

    def span(self, trace_id: str, span_id: str, kind: str | None) -> SpanDetail:
        """Read one span."""
        from seamscope.reading.requests import span_detail

        with self._reading() as reader:
            return span_detail(reader, trace_id, span_id, kind=kind)

    def export(self, request_id: str, suffix: str) -> str:
        """Write one request to a file named after it."""
        if suffix not in self._writers:
            raise SeamscopeError(f"this explorer cannot write {suffix}", "seamscope trace ID prints a request")
        path = Path(f"request-{request_id}.{suffix}")
        try:
            self._writers[suffix](self.detail(request_id), path)
        except OSError as error:
            raise SeamscopeError(f"cannot write {path}: {error.strerror}", "start it where you may write") from error
        return str(path)

    def close(self) -> None:
        """Let go of the store; without one there is nothing to do."""
        with self._lock:
            if self._reader is not None:
                self._drop(self._reader)
