"""The reading side: one narrow interface, each statement alone in a read-only transaction on a cursor of its own."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypeAlias

import duckdb
import polars as pl
import pyarrow as pa

from seamscope.errors import QueryError, QueryLaterError
from seamscope.store.opening import was_given_up
from seamscope.store.sandbox import ONLY_SELECT, explained, refuse_deeds, refuse_heavy
from seamscope.text.safe import safe

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    Stream: TypeAlias = Generator[pa.RecordBatch | pa.Schema, None, None]
    """The schema of a result, then its batches; closed early, the statement is stopped."""

BATCH_ROWS: Final = 16_384
WANTED: Final = "wanted"
"""By what name a statement reads rows that it is given: long lists make slow parameters."""
_KIND: Final = re.compile(r"(?:\w[\w ]*: )?(?P<kind>Out of Memory|INTERRUPT|INTERNAL|FATAL|Connection) Error: ")
_QUOTED: Final = 200
INSIST_SECONDS: Final = 0.05
"""A statement that is to stop is told so again every so often."""
_TRIES: Final = 20


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
    """Give the one statement of `sql` if it reads and does nothing else; `QueryError` says what else it is."""
    statement = _one(cursor, sql)
    kind = statement.type.name
    if kind == "EXPLAIN":  # it may run what it explains
        kind = _one(cursor, explained(statement.query)).type.name
    if kind != "SELECT":
        raise QueryError(f"{kind} is not a reading statement", ONLY_SELECT)
    refuse_deeds(statement.query)
    return statement


def _one(cursor: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    refuse_heavy(sql)
    with telling():
        found = cursor.extract_statements(sql)
    if len(found) != 1:
        raise QueryError(f"{len(found)} statements", "give one SELECT")
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
            reader = _exact(cursor.sql(statement, params=given or None)).to_arrow_reader(BATCH_ROWS)
            try:
                yield from _bounded(reader, max_rows)
            finally:
                reader.close()
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise _told(error, sql) from error


def _exact(found: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Give unsigned integers of 128 bits as text: Arrow would have the upper half of them as negative numbers."""
    large = ["UHUGEINT" in str(kind) for kind in found.types]
    if not any(large):
        return found
    titles = ['"' + title.replace('"', '""') + '"' for title in found.columns]
    casts = ["::VARCHAR" if each else "" for each in large]
    return found.project(
        ", ".join(f"#{at}{cast} AS {title}" for at, (cast, title) in enumerate(zip(casts, titles, strict=True), 1))
    )


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
        while not self._over.wait(INSIST_SECONDS):
            self._interrupt()

    def done(self) -> None:
        """Let go of the cursor: it may be lent to somebody else, whom `cancel` must not stop."""
        with self._lock:
            self._cursor = None
        self._over.set()
