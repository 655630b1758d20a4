"""A store that is open in this process, and one that is opened only to read while nobody writes it."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import duckdb

from seamscope.store import opening, tables
from seamscope.store.cursors import Cursors, let_go
from seamscope.store.reading import Guest, Reading, batches, interruptible, telling
from seamscope.store.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from seamscope.store.cursors import ReadingCursor
    from seamscope.store.reading import Stream


class Opened(Reading):
    """A connection to the file and the cursors lent from it."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self.path = opening.linked(path)
        self.settings = settings
        self._connect()

    def _connect(self) -> None:
        raise NotImplementedError

    @contextmanager
    def _closing_where_it_fails(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Close a connection that cannot be used after all; DuckDB's words become ours."""
        try:
            yield
        except BaseException as error:
            connection.close()
            opening.remove_spill_folder(self.path)
            if isinstance(error, duckdb.Error):
                raise opening.explained(self.path, error) from error
            raise

    def _lend(self, connection: duckdb.DuckDBPyConnection, cursor: Callable[[], duckdb.DuckDBPyConnection]) -> None:
        self._connection = connection
        self._cursors = Cursors(cursor, self.settings)

    def stream(self, sql: str, params: Mapping[str, object] | None = None) -> Stream:
        """Run a statement of the house: no deadline, no cap on rows."""
        with self._reading() as lent:
            yield from batches(lent.cursor, sql, params, None)

    @contextmanager
    def _reading(self) -> Iterator[ReadingCursor]:
        with telling(), self._cursors.reader() as lent:
            yield lent

    @contextmanager
    def guest(self, wait_seconds: float = 5.0, hang_up: Callable[[], object] = lambda: None) -> Iterator[Guest]:
        """Lend what runs one statement of another process: bounded in time, memory and rows, and to be cancelled.

        `hang_up` is called where the store must be alone and the statement does not end: its rows are not taken.
        """
        cursors = self._cursors
        with cursors.guest(wait_seconds, hang_up) as cursor:
            if cursors is self._cursors:
                guest = Guest(cursor, self.settings.guest_rows)
                try:
                    yield guest
                finally:
                    guest.done()
                return
        with self.guest(wait_seconds, hang_up) as guest:  # the file was opened anew while this one waited
            yield guest

    def is_readable(self) -> bool:
        """Read all that is stored; tell whether all of it could be."""
        from seamscope.store.rescuing import is_readable

        with self._cursors.house() as cursor:
            return is_readable(cursor, self.path)

    def close(self) -> None:
        """Close the file; statements that still run are stopped."""
        self._cursors.close()
        let_go([self._connection])
        opening.remove_spill_folder(self.path)


class StoreFile(Opened):
    """A store opened to read, while no process writes it."""

    def __init__(self, path: Path, settings: Settings, *, limited: bool = False) -> None:
        self._limited = limited
        super().__init__(path, settings)

    @classmethod
    def open(cls, path: str | Path, settings: Settings | None = None, *, limited: bool = False) -> Self:
        """Open an existing file; `StoreError` and its kin say why it cannot be read.

        `limited` bounds every statement in time, memory and rows, as a collector bounds those of its guests.
        """
        return cls(Path(path), settings or Settings(), limited=limited)

    def stream(self, sql: str, params: Mapping[str, object] | None = None) -> Stream:
        """Run a statement: the schema of its result, then its batches."""
        if self._limited:
            with self.guest() as guest:
                yield from interruptible(guest.stream(sql, params), guest.cancel)
        else:
            with self._cursors.house() as cursor:
                yield from interruptible(batches(cursor, sql, params, None), cursor.interrupt)

    def _connect(self) -> None:
        connection = opening.connect(self.path, self.settings, read_only=True)
        with self._closing_where_it_fails(connection):
            opening.refuse_cut_file(connection, self.path)
            tables.check(connection, self.path)
        self._lend(connection, connection.cursor)
