"""The reading side: one narrow interface, each statement alone in a read-only transaction on a cursor of its own."""

from __future__ import annotations

import queue
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypeAlias

import duckdb
import polars as pl
import pyarrow as pa

from seamscope.errors import QueryError, QueryLaterError
from seamscope.store.incoming import Incoming
from seamscope.store.opening import was_given_up
from seamscope.text.safe import safe

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping

    from seamscope.store.settings import Settings

    Stream: TypeAlias = Generator[pa.RecordBatch | pa.Schema, None, None]
    """The schema of a result, then its batches; closed early, the statement is stopped."""

READS: Final = frozenset({"SELECT", "EXPLAIN"})
BATCH_ROWS: Final = 16_384
WANTED: Final = "wanted"
"""By what name a statement reads rows that it is given: long lists make slow parameters."""
_KIND: Final = re.compile(r"(?:\w[\w ]*: )?(?P<kind>Out of Memory|INTERRUPT|INTERNAL|FATAL|Connection) Error: ")
_QUOTED: Final = 200
HOUSE_SHARE: Final = 4
"""Sorts and hash tables of each of the house's own statements may have a quarter of the store's memory, and two or
three run at once: without a limit, one over all calls of a long-lived store left commits none."""
_PATIENCE_SECONDS: Final = 2.0
_INSIST_SECONDS: Final = 0.05
_TRIES: Final = 20
_POLITE_SECONDS: Final = 5.0
"""How long guests may go on when the store wants to be alone."""


class Reader(Protocol):
    """A store to read from: a file, this process's own store, or a collector that lends its own."""

    def query(self, sql: str, params: Mapping[str, object] | None = None) -> pl.DataFrame:
        """Run one reading statement with `$name` parameters; `QueryError` where it is refused or fails."""
        ...

    def arrow(self, sql: str, params: Mapping[str, object] | None = None) -> pa.Table:
        """Run one reading statement and give its rows as an Arrow table."""
        ...

    def close(self) -> None:
        """Let go of the file or the connection."""
        ...

    def __enter__(self) -> Self:
        """Close at the end of a `with` block."""
        ...

    def __exit__(self, *_: object) -> None:
        """Close."""
        ...


class Reading:
    """What every door to a store shares: `query` and `arrow` over a stream of batches."""

    def stream(self, sql: str, params: Mapping[str, object] | None = None) -> Stream:
        """Give the schema of the result, then its batches."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the file or the connection."""
        raise NotImplementedError

    def arrow(self, sql: str, params: Mapping[str, object] | None = None) -> pa.Table:
        """Run one reading statement and give its rows as an Arrow table."""
        schema, *batches = self.stream(sql, params)
        return pa.Table.from_batches(batches, schema)

    def query(self, sql: str, params: Mapping[str, object] | None = None) -> pl.DataFrame:
        """Run one reading statement with `$name` parameters and give its rows as a frame."""
        frame = pl.from_arrow(self.arrow(sql, params))
        return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()

    def __enter__(self) -> Self:
        """Close at the end of a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()


def only_statement(cursor: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    """Give the one statement of `sql` if it reads; `QueryError` says what else it is."""
    try:
        found = cursor.extract_statements(sql)
    except duckdb.Error as error:
        raise _told(error) from error
    if len(found) != 1:
        raise QueryError(f"{len(found)} statements", "give one SELECT")
    kind = found[0].type.name
    if kind not in READS:
        raise QueryError(f"{kind} is not a reading statement", "only SELECT is allowed; the store is read-only here")
    return found[0]


def _told(error: Exception, sql: str = "") -> QueryError:
    """Give DuckDB's words on one line (they may quote what others sent), or better ones."""
    words, kind = safe(" ".join(str(error).split())), _kind(error)
    if kind == "Out of Memory":
        said = f"the statement needs more memory than it may have: {words}"
        return QueryLaterError(said, "narrow it with WHERE or LIMIT")
    if kind == "INTERRUPT":
        if "maximum execution time" in words:
            return QueryError("the statement ran longer than it may", "narrow it with WHERE or LIMIT")
        return QueryLaterError("the statement was stopped")
    if kind in {"INTERNAL", "FATAL", "Connection"} or (isinstance(error, duckdb.IOException) and was_given_up(error)):
        asked = f" at {safe(' '.join(sql.split()))[:_QUOTED]!r}" if sql else ""
        return QueryLaterError(f"DuckDB failed{asked}: {words}")
    return QueryError(words)


def _kind(error: Exception) -> str:
    """Give DuckDB's name of an error's kind; what fails while rows are read comes as Arrow's, which quotes DuckDB's."""
    said = _KIND.match(str(error))
    return said["kind"] if said else ""


@contextmanager
def telling() -> Iterator[None]:
    """Turn what DuckDB raises meanwhile into a `QueryError`."""
    try:
        yield
    except duckdb.Error as error:
        raise _told(error) from error


@contextmanager
def read_only(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Keep a cursor in a read-only transaction; roll back whatever happens."""
    _end(cursor)  # what was stopped while it was rolled back would fail all that come after it
    cursor.execute("BEGIN TRANSACTION READ ONLY").complete()
    try:
        yield
    finally:
        _end(cursor)


def _end(cursor: duckdb.DuckDBPyConnection) -> None:
    """Leave the transaction a cursor is in, if any; an interrupt that came too late hits this one, not its own.

    Raises `QueryLaterError` where it cannot be left: such a cursor is not to be kept.
    """
    for _ in range(_TRIES):
        try:
            cursor.rollback()
        except (duckdb.InterruptException, duckdb.OutOfMemoryException):
            continue
        except duckdb.Error:  # there is none, or the store was closed meanwhile
            return
        return
    raise QueryLaterError("DuckDB does not end a transaction")


def batches(
    cursor: duckdb.DuckDBPyConnection, sql: str, params: Mapping[str, object] | None, max_rows: int | None
) -> Stream:
    """Run one reading statement on `cursor`: the schema, then batches; past `max_rows` it ends in a `QueryError`."""
    statement = only_statement(cursor, sql)
    given = {name: (params or {}).get(name) for name in statement.named_parameters if name in (params or {})}
    try:
        with read_only(cursor):
            reader = cursor.sql(statement, params=given or None).to_arrow_reader(BATCH_ROWS)
            try:
                yield from _bounded(reader, max_rows)
            finally:
                reader.close()
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise _told(error, sql) from error


def _bounded(reader: Any, max_rows: int | None) -> Stream:
    yield reader.schema
    rows = 0
    for batch in reader:
        rows += batch.num_rows
        if max_rows is not None and rows > max_rows:
            raise QueryError(f"more than {max_rows:,} rows", "add a LIMIT or a WHERE")
        yield batch


def interruptible(stream: Stream, stop: Callable[[], None]) -> Stream:
    """Give the same items, worked out in a thread: DuckDB does not hear Ctrl-C, a waiting main thread does."""
    with ThreadPoolExecutor(1, thread_name_prefix="statement") as worker:
        try:
            while (item := worker.submit(next, stream, None).result()) is not None:
                yield item
        except BaseException:
            stop()
            raise
        finally:
            worker.submit(stream.close).result()


class Guest:
    """One statement of another process: bounded, and to be cancelled from another thread."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, max_rows: int) -> None:
        self._cursor: duckdb.DuckDBPyConnection | None = cursor
        self._max_rows = max_rows
        self._lock = threading.Lock()
        self._over = threading.Event()

    def stream(self, sql: str, params: Mapping[str, object] | None = None, max_rows: int | None = None) -> Stream:
        """Run one reading statement: the schema, then batches; past the cap on rows or time it is a `QueryError`."""
        if self._cursor is None:
            raise QueryError("the query was over before it began")
        cap = self._max_rows if max_rows is None else min(max_rows, self._max_rows)
        return batches(self._cursor, sql, params, cap)

    def cancel(self) -> None:
        """Stop the statement; its stream ends in a `QueryError`. Once it has ended, this does nothing."""
        if self._interrupt():
            threading.Thread(target=self._insist, name="cancel", daemon=True).start()

    def _interrupt(self) -> bool:
        with self._lock:
            if self._cursor is not None:
                with suppress(duckdb.ConnectionException):  # the store was closed meanwhile
                    self._cursor.interrupt()
            return self._cursor is not None

    def _insist(self) -> None:
        """Repeat it until the statement has ended: an interrupt that comes just before it begins goes unheard."""
        while not self._over.wait(_INSIST_SECONDS):
            self._interrupt()

    def done(self) -> None:
        """Let go of the cursor: it may be lent to somebody else, whom `cancel` must not stop."""
        with self._lock:
            self._cursor = None
        self._over.set()


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
        self._guests: queue.Queue[duckdb.DuckDBPyConnection] = queue.Queue()
        self._of_guests = [self._limited() for _ in range(settings.guests)]
        for cursor in self._of_guests:
            self._guests.put(cursor)

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
    def guest(self, wait_seconds: float) -> Iterator[duckdb.DuckDBPyConnection]:
        """Lend a limited cursor; `QueryError` when all stay taken for `wait_seconds`."""
        try:
            cursor = self._guests.get(timeout=wait_seconds)
        except queue.Empty:
            raise QueryError("the store is busy with other queries", "try again in a moment") from None
        try:
            yield cursor
        finally:
            self._guests.put(cursor)

    @contextmanager
    def without_guests(self) -> Iterator[None]:
        """Stop the statements of guests and let none begin: what they held in memory is free meanwhile."""
        with self.between_guests(polite_seconds=0.0):
            yield

    @contextmanager
    def between_guests(self, polite_seconds: float = _POLITE_SECONDS) -> Iterator[bool]:
        """Let no statement of a guest begin, and those that run end, after a while by force; False if one does not."""
        held: list[duckdb.DuckDBPyConnection] = []
        began = time.monotonic()
        while len(held) < len(self._of_guests) and time.monotonic() < began + polite_seconds + _PATIENCE_SECONDS:
            if time.monotonic() >= began + polite_seconds:
                for cursor in self._of_guests:
                    if cursor not in held:
                        cursor.interrupt()
            with suppress(queue.Empty):
                held.append(self._guests.get(timeout=0.05))
        try:
            yield len(held) == len(self._of_guests)
        finally:
            for cursor in held:
                self._guests.put(cursor)

    def close(self) -> None:
        """Stop what still runs and close every cursor, so that the file can be let go."""
        let_go([*self._lent, *(idle.cursor for idle in self._idle), *self._of_guests])


def _spill_beyond(cursor: duckdb.DuckDBPyConnection, memory_bytes: int) -> None:
    """Have sorts and hash tables of a cursor's statements go to disk where they would hold more; 0.1 ms."""
    cursor.execute(f"SET SESSION operator_memory_limit = '{memory_bytes}B'").complete()


def let_go(cursors: Iterable[duckdb.DuckDBPyConnection]) -> None:
    """Stop what they run and close them; one whose statement does not stop within a while stays as it is."""
    patience = time.monotonic() + _PATIENCE_SECONDS
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
