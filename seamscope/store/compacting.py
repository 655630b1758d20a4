"""Writes a store anew without its free space, beside the old one, which it replaces in one step at the end.

Row groups of DuckDB's own size take the place of those that single commits left: 68 bytes a span became 60 on the same
spans. A kill at any moment leaves the old file as it was; what was written until then is removed by the next writer.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import duckdb

from seamscope.errors import StoreError
from seamscope.statements import statement
from seamscope.store import opening, tables
from seamscope.store.file import Store
from seamscope.store.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Progress = Callable[[int, int], None]

ROW_GROUP_ROWS: Final = 122_880
CHUNK_ROWS: Final = 4 * ROW_GROUP_ROWS
"""Rows of one transaction: some three seconds of CPU, after which an interrupt is heard."""


@dataclass(frozen=True, slots=True)
class Compacted:
    """What became of a store."""

    spans: int
    before_bytes: int
    after_bytes: int
    seconds: float


def compact(path: Path, progress: Progress | None = None, settings: Settings | None = None) -> Compacted:
    """Write a store anew; it is held meanwhile, and nobody else can open it.

    `progress` is told rows done and rows in all. `StoreError` and its kin say why it cannot be; then it is as it was.
    """
    began = time.perf_counter()
    Store.open(path, create=False, settings=settings).close()  # its tables are this release's now, its log is empty
    before = path.stat().st_size
    _need_room(path, before)
    fresh = opening.compacted_file(path)
    opening.remove_compacted(path)
    try:
        with opening.private_files():
            spans = _written(path, fresh, settings or Settings(), progress)
    except duckdb.Error as error:
        raise opening.explained(path, error) from error
    finally:
        opening.remove_compacted(path)
    return Compacted(spans, before, path.stat().st_size, time.perf_counter() - began)


def _need_room(path: Path, size: int) -> None:
    free = shutil.disk_usage(path.resolve().parent).free
    if free < size:
        wanted = f"{size / 1e6:,.0f} MB are wanted for the new file, {free / 1e6:,.0f} MB are free"
        raise StoreError(f"no room to write {path} anew: {wanted}", "make room, or let old traces go first")


def _written(path: Path, fresh: Path, settings: Settings, progress: Progress | None) -> int:
    """Write the new file, hold it against the old one, and put it in its place while that is still held."""
    connection = opening.two(path, fresh, settings, ROW_GROUP_ROWS)
    try:
        tables.check(connection, path)
        connection.execute(f"USE {opening.FRESH}").complete()
        tables.create(connection, time.time_ns())
        connection.execute("USE store").complete()
        _copy(connection, progress)
        _compare(connection)
        spans = _rows(connection, opening.FRESH, "span_rows")
        connection.execute(f"CHECKPOINT {opening.FRESH}").complete()
        connection.execute(f"DETACH {opening.FRESH}").complete()
        _replace(path.resolve(), fresh)
        return spans
    finally:
        connection.close()
        opening.remove_spill_folder(path)


def _copy(connection: duckdb.DuckDBPyConnection, progress: Progress | None) -> None:
    names = [name for name in tables.listed("schema")[1:] if name != "store"]
    rows = {name: _rows(connection, "store", name) for name in names}
    total, done = sum(rows.values()), 0
    for name in names:
        for first in range(0, _end(connection, name), CHUNK_ROWS):
            text = statement("compact/rows", fresh=opening.FRESH, table=name)
            copied = connection.execute(text, {"first": first, "last": first + CHUNK_ROWS}).fetchall()[0][0]
            done += int(copied)
            if progress is not None:
                progress(done, total)
    connection.execute(statement("compact/numbers", fresh=opening.FRESH)).complete()


def _compare(connection: duckdb.DuckDBPyConnection) -> None:
    """Raise unless both files have the same rows in every table."""
    for name in tables.listed("schema")[1:]:
        digest = "count(*)" if name == "store" else "count(*), bit_xor(hash(t))"
        old, new = (
            connection.execute(f"SELECT {digest} FROM {place}.base.{name} AS t").fetchall()[0]  # noqa: S608 - our own names
            for place in ("store", opening.FRESH)
        )
        if old != new:
            raise StoreError(f"the new file has not the same rows in {name}; the old one stays")


def _rows(connection: duckdb.DuckDBPyConnection, place: str, name: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {place}.base.{name}").fetchall()[0][0])  # noqa: S608 - our own names


def _end(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    """Give the place after a table's last row; places of deleted rows count."""
    return int(connection.execute(f"SELECT coalesce(max(rowid), -1) + 1 FROM store.base.{name}").fetchall()[0][0])  # noqa: S608 - our own names


def _replace(path: Path, fresh: Path) -> None:
    """Put the new file in the old one's place, both on disk before and after."""
    if opening.log_file(fresh).exists() or opening.log_file(path).exists():
        raise StoreError(f"{path} was written meanwhile; it stays as it is", "run `seamscope compact` again")
    opening.sync(fresh)
    fresh.replace(path)
    opening.sync(path.parent)
