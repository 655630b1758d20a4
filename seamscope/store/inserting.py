"""Arrow into a table: one INSERT … SELECT from a registered Arrow table."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from seamscope.schema.tables import INGESTED, OWNERS, RESULTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb
    import pyarrow as pa

TABLES: Final = {**INGESTED, "owners": OWNERS, **RESULTS}
_INCOMING: Final = "incoming_rows"


@cache
def columns(name: str, stamps: frozenset[str]) -> str:
    """Give the INSERT of a table: columns by name, those of `stamps` as parameters."""
    names = TABLES[name].names
    listed = ", ".join(f'"{column}"' for column in names)
    taken = ", ".join(f"${column}" if column in stamps else f'"{column}"' for column in names)
    return f"INSERT INTO base.{name} ({listed}) SELECT {taken} FROM {_INCOMING}"  # noqa: S608 - our own names


def insert(
    cursor: duckdb.DuckDBPyConnection, name: str, table: pa.Table, stamps: Mapping[str, int] | None = None
) -> int:
    """Insert a table's rows; columns in `stamps` get that value in every row. Returns how many rows."""
    given = {column: value for column, value in (stamps or {}).items() if column in TABLES[name].names}
    cursor.register(_INCOMING, table)
    try:
        cursor.execute(columns(name, frozenset(given)), given or None).complete()
    finally:
        cursor.unregister(_INCOMING)
    return int(table.num_rows)
