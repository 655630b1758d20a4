"""Arrow into a table: one INSERT … SELECT from a registered Arrow table."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

import duckdb
import pyarrow as pa

from seamscope.schema.tables import INGESTED
from seamscope.store.layout import tables_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_STAMPED: Final = {
    tables_of(name)[0]: [column for column in ("commit_no", "ingested_ns") if column in schema.names]
    for name, schema in INGESTED.items()
}
_INCOMING: Final = "incoming_rows"


_NOTHING: Final = pa.table({"nothing": pa.array([], pa.int8())})


class _Incoming:
    """Rows that DuckDB asks for each time it reads them, so that a cursor has to hear of them only once."""

    def __init__(self) -> None:
        self.rows = _NOTHING

    def __arrow_c_schema__(self) -> object:
        return self.rows.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.rows.__arrow_c_stream__(requested_schema)


_LASTING: Final[WeakKeyDictionary[duckdb.DuckDBPyConnection, _Incoming]] = WeakKeyDictionary()


@lru_cache(maxsize=256)
def _statement(name: str, columns: tuple[str, ...], stamps: tuple[str, ...]) -> str:
    """Give the INSERT of a table: columns by name, those of `stamps` as parameters."""
    listed = ", ".join(f'"{column}"' for column in (*columns, *stamps))
    taken = ", ".join([*(f'"{column}"' for column in columns), *(f"${column}" for column in stamps)])
    return f"INSERT INTO base.{name} ({listed}) SELECT {taken} FROM {_INCOMING}"  # noqa: S608 - our own names


def _filled(table: pa.Table, stamps: Mapping[str, int]) -> tuple[str, ...]:
    """Give the columns with a value in some row: a column of nulls costs as much to read as any other."""
    return tuple(
        name
        for name, column in zip(table.column_names, table.columns, strict=True)
        if name not in stamps and column.null_count < table.num_rows
    )


def insert(
    cursor: duckdb.DuckDBPyConnection, name: str, table: pa.Table, stamps: Mapping[str, int] | None = None
) -> int:
    """Insert a table's rows; columns in `stamps` get that value in every row. Returns how many rows."""
    if not table.num_rows:
        return 0
    given = {column: value for column, value in (stamps or {}).items() if column in _STAMPED.get(name, ())}
    columns = _filled(table, given)
    with _incoming(cursor, table.select(columns)):
        cursor.execute(_statement(name, columns, tuple(given)), given or None).complete()
    return int(table.num_rows)


def inserts_often(cursor: duckdb.DuckDBPyConnection) -> None:
    """Let a cursor know once where rows come from, outside of a transaction, which might undo it.

    To tell it with each insert costs 0.8 ms of CPU, of the 3.7 that 480 rows of 30 columns take.
    """
    lasting = _Incoming()
    cursor.register(_INCOMING, lasting)
    _LASTING[cursor] = lasting


@contextmanager
def _incoming(cursor: duckdb.DuckDBPyConnection, rows: pa.Table) -> Iterator[None]:
    """Let statements of a block read rows as `_INCOMING`."""
    lasting = _LASTING.get(cursor)
    if lasting is None:
        cursor.register(_INCOMING, rows)
    else:
        lasting.rows = rows
    try:
        yield
    finally:
        if lasting is None:
            cursor.unregister(_INCOMING)
        else:
            lasting.rows = _NOTHING


@contextmanager
def transaction(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit what a block did; where it or the commit raises, undo it."""
    begin(cursor)
    try:
        yield
        cursor.commit()
    except BaseException:
        roll_back(cursor)
        raise


def begin(cursor: duckdb.DuckDBPyConnection) -> None:
    """Begin a transaction; one that failed when memory was too short even to undo it is undone first."""
    try:
        cursor.begin()
    except duckdb.TransactionException:
        cursor.rollback()
        cursor.begin()


def roll_back(cursor: duckdb.DuckDBPyConnection) -> None:
    """Undo a transaction that failed; one that is gone already (the database gave up) needs no undoing."""
    with suppress(duckdb.Error):
        cursor.rollback()
