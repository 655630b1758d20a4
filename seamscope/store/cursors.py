"""Cursors of an open store, lent one at a time: to the house, and to guests, whose statements are bounded."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import duckdb

from seamscope.errors import QueryError
from seamscope.store.incoming import Incoming
from seamscope.store.reading import INSIST_SECONDS, WANTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from seamscope.store.settings import Settings

BUSY: Final = "the store is busy with other queries", "try again in a moment"
"""What a guest is told for whom there is no cursor, and what to do."""
HOUSE_SHARE: Final = 4
"""Sorts and hash tables of each of the house's own statements may have a quarter of the store's memory, and two or
three run at once: without a limit, one over all calls of a long-lived store left commits none."""
_CLOSING_SECONDS: Final = 10.0
"""What runs when the file is closed has so long to stop."""
_STOPPING_SECONDS: Final = 2.0
"""What guests run has so long to stop where it must; half of it for a statement that hears."""
_POLITE_SECONDS: Final = 5.0
"""How long guests may go on when the store wants to be alone."""


@dataclass(frozen=True, slots=True)
class ReadingCursor:
    """A cursor for statements that may also read rows which they are given."""

    cursor: duckdb.DuckDBPyConnection
    wanted: Incoming
    """Those rows, by the name of `WANTED`."""


class Cursors:
    """Cursors lent one at a time; those of guests carry their limits."""

    def __init__(self, make: Callable[[], duckdb.DuckDBPyConnection], settings: Settings) -> None:
        self._make = make
        self._settings = settings
        self._lent: set[duckdb.DuckDBPyConnection] = set()
        self._idle: list[ReadingCursor] = []
        self._of_guests = [self._limited() for _ in range(settings.guests)]
        self._free = list(self._of_guests)
        self._hang_up: dict[duckdb.DuckDBPyConnection, Callable[[], object]] = {}
        """What ends the callers of those that are lent to guests."""
        self._back = threading.Condition()
        """Told when one is back in `_free`, or guests may have them again."""
        self._kept_from_guests = 0
        """How many want no guest to begin."""

    def _limited(self) -> duckdb.DuckDBPyConnection:
        cursor = self._make()
        limits = self._settings
        cursor.execute(f"SET SESSION max_execution_time = {int(limits.guest_seconds * 1000)}").complete()
        _spill_beyond(cursor, limits.guest_memory_bytes)
        return cursor

    @contextmanager
    def house(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Lend a cursor for the house's own statements: no deadline, no cap on rows, a quarter of the memory."""
        with self._lend(self._of_the_house()) as cursor:
            yield cursor
            cursor.close()

    @contextmanager
    def reader(self) -> Iterator[ReadingCursor]:
        """Lend such a cursor for a statement that reads; it is kept for the next one, if nothing failed."""
        try:
            lent = self._idle.pop()
        except IndexError:  # nobody asked before, or all are lent
            lent = self._of_readers()
        with self._lend(lent.cursor):
            yield lent
            self._idle.append(lent)

    @contextmanager
    def _lend(self, cursor: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
        self._lent.add(cursor)
        try:
            yield cursor
        except BaseException:
            cursor.close()
            raise
        finally:
            self._lent.discard(cursor)

    def _of_the_house(self) -> duckdb.DuckDBPyConnection:
        cursor = self._make()
        _spill_beyond(cursor, self._settings.memory_bytes // HOUSE_SHARE)
        return cursor

    def _of_readers(self) -> ReadingCursor:
        cursor = self._of_the_house()
        return ReadingCursor(cursor, Incoming(cursor, WANTED))

    @contextmanager
    def guest(self, wait_seconds: float, hang_up: Callable[[], object]) -> Iterator[duckdb.DuckDBPyConnection]:
        """Lend a limited cursor; `QueryError` when all stay taken for `wait_seconds`.

        `hang_up` ends the caller: a statement whose rows nobody takes does not hear that it is to stop.
        """
        with self._back:
            if not self._back.wait_for(lambda: self._free and not self._kept_from_guests, wait_seconds):
                raise QueryError(*BUSY)
            cursor = self._free.pop(0)
            self._hang_up[cursor] = hang_up
        try:
            yield cursor
        finally:
            with self._back:
                del self._hang_up[cursor]
                self._free.append(cursor)
                self._back.notify_all()

    @contextmanager
    def without_guests(self) -> Iterator[None]:
        """Stop the statements of guests and let none begin: what they held in memory is free meanwhile."""
        with self.between_guests(polite_seconds=0.0):
            yield

    @contextmanager
    def between_guests(self, polite_seconds: float = _POLITE_SECONDS, *, insist: bool = True) -> Iterator[bool]:
        """Let no statement of a guest begin, and those that run end, after a while by force, where `insist`.

        Gives False if one does not end.
        """
        with self._back:
            self._kept_from_guests += 1
        try:
            yield self._ended(polite_seconds) or (insist and self._made_end())
        finally:
            with self._back:
                self._kept_from_guests -= 1
                self._back.notify_all()

    def _ended(self, within_seconds: float) -> bool:
        """Wait until no guest has a cursor; False where one still has."""
        with self._back:
            return self._back.wait_for(lambda: len(self._free) == len(self._of_guests), within_seconds)

    def _made_end(self) -> bool:
        """Stop what guests run, again and again: an interrupt that comes just before a statement goes unheard."""
        began = time.monotonic()
        while not (ended := self._ended(INSIST_SECONDS)) and (took := time.monotonic() - began) < _STOPPING_SECONDS:
            for cursor, hang_up in list(self._hang_up.items()):
                cursor.interrupt()
                if took > _STOPPING_SECONDS / 2:
                    hang_up()
        return ended

    def close(self) -> None:
        """Stop what still runs and close every cursor, so that the file can be let go."""
        let_go([*self._lent, *(idle.cursor for idle in self._idle), *self._of_guests])
        self._ended(_POLITE_SECONDS)  # what a guest's thread has not dropped yet still holds the file


def _spill_beyond(cursor: duckdb.DuckDBPyConnection, memory_bytes: int) -> None:
    """Have sorts and hash tables of a cursor's statements go to disk where they would hold more; 0.1 ms."""
    cursor.execute(f"SET SESSION operator_memory_limit = '{memory_bytes}B'").complete()


def let_go(cursors: Iterable[duckdb.DuckDBPyConnection]) -> None:
    """Stop what they run and close them; one whose statement does not stop within a while stays as it is."""
    patience = time.monotonic() + _CLOSING_SECONDS
    for cursor in cursors:
        while not _closed(cursor) and time.monotonic() < patience:
            time.sleep(0.005)  # its statement has been told to stop, and needs a moment


def _closed(cursor: duckdb.DuckDBPyConnection) -> bool:
    """Stop what a cursor runs and close it; False while it is still busy."""
    try:
        cursor.interrupt()
        cursor.close()
    except duckdb.ResourceInUseException:
        return False
    except duckdb.ConnectionException:  # closed already
        return True
    return True
