"""Arrow into a table: one INSERT … SELECT from a registered Arrow table."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

import duckdb

from seamscope.schema.tables import INGESTED
from seamscope.store.incoming import Incoming
from seamscope.store.layout import tables_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

_STAMPED: Final = {
    tables_of(name)[0]: [column for column in ("commit_no", "ingested_ns") if column in schema.names]
    for name, schema in INGESTED.items()
}
_INCOMING: Final = "incoming_rows"


_LASTING: Final[WeakKeyDictionary[duckdb.DuckDBPyConnection, Incoming]] = WeakKeyDictionary()


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
    """Let a cursor know once where rows come from, outside of a transaction, which might undo it."""
    _LASTING[cursor] = Incoming(cursor, _INCOMING)


@contextmanager
def _incoming(cursor: duckdb.DuckDBPyConnection, rows: pa.Table) -> Iterator[None]:
    """Let statements of a block read rows as `_INCOMING`."""
    if (lasting := _LASTING.get(cursor)) is not None:
        with lasting.told(rows):
            yield
        return
    cursor.register(_INCOMING, rows)
    try:
        yield
    finally:
        cursor.unregister(_INCOMING)


@contextmanager
def transaction(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit what a block did; where it or the commit raises, undo it."""
    _begin(cursor)
    try:
        yield
        cursor.commit()
    except BaseException:
        _roll_back(cursor)
        raise


def _begin(cursor: duckdb.DuckDBPyConnection) -> None:
    """Begin a transaction; one that failed when memory was too short even to undo it is undone first."""
    try:
        cursor.begin()
    except duckdb.TransactionException:
        cursor.rollback()
        cursor.begin()


def _roll_back(cursor: duckdb.DuckDBPyConnection) -> None:
    """Undo a transaction that failed; one that is gone already (the database gave up) needs no undoing."""
    with suppress(duckdb.Error):
        cursor.rollback()
