"""Writes what can be read of a damaged file to a new one, which takes its place; the damaged one is kept beside.

Rows are read a piece at a time, and a piece that cannot be read is halved: what is lost is what lies in the damaged
blocks. Only what senders brought is carried over; results are made anew of it.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import duckdb

from seamscope.errors import StoreDamagedError
from seamscope.statements import statement
from seamscope.store import opening, tables
from seamscope.store.layout import LAYOUTS
from seamscope.store.upgrading import CARRIED

if TYPE_CHECKING:
    from pathlib import Path

    from seamscope.store.settings import Settings

LEAST_ROWS: Final = 1_024
"""A piece so small that cannot be read is given up."""

PIECE_ROWS: Final = 16 * opening.ROW_GROUP_ROWS

_SPANS: Final = LAYOUTS["spans"]
_OF_SPANS: Final = {
    **dict.fromkeys(_SPANS.sides, _SPANS.number),
    **dict.fromkeys(("span_events", "span_links"), "trace_hi, trace_lo, span_id"),
}
"""Tables of what spans have beside their rows, and what ties them to these."""


@dataclass(frozen=True, slots=True)
class Rescued:
    """What could be read."""

    spans: int
    lost_rows: int
    """Rows of all tables that could not."""


def is_readable(connection: duckdb.DuckDBPyConnection, path: Path) -> bool:
    """Read all that is stored; tell whether nothing of it is damaged. Opening a file reads hardly any of its blocks.

    Raises:
        StoreError: something else stood in the way.
    """
    try:
        for name in tables.listed("schema")[1:]:
            connection.execute(statement("salvage/digest", table=name)).fetchall()
    except duckdb.Error as error:
        why = opening.explained(path, error)
        if not isinstance(why, StoreDamagedError):
            raise why from error
        return False
    return True


def rescue(path: Path, kept: Path, settings: Settings) -> Rescued:
    """Write what can be read to a new file in the place of the old one, which becomes `kept`, its log beside it.

    Raises:
        StoreDamagedError: nothing can be read.
        StoreError: something else stood in the way, as a full disk.
        FileExistsError: there is a `kept` already. In all cases all is as it was.
    """
    fresh = opening.compacted_file(path)
    opening.remove_compacted(path)
    try:
        with opening.private_files():
            done = _written(path, fresh, settings)
            _replace(path.resolve(), fresh, kept)
    except duckdb.Error as error:
        raise opening.explained(path, error) from error
    finally:
        opening.remove_compacted(path)
    return done


def _written(path: Path, fresh: Path, settings: Settings) -> Rescued:
    connection = opening.two(path, fresh, settings, opening.ROW_GROUP_ROWS, read_only=True)
    try:
        tables.check(connection, path)
        connection.execute(f"USE {opening.FRESH}").complete()
        tables.create(connection, time.time_ns())
        lost = {name: _copy(connection, path, name) for name in sorted(CARRIED - {"store"})}
        orphans = _remove_orphans(connection) if lost[_SPANS.rows] else 0
        connection.execute(statement("salvage/numbers", fresh=opening.FRESH)).complete()
        spans = int(connection.execute("SELECT count(*) FROM base.span_rows").fetchall()[0][0])
        connection.execute(f"CHECKPOINT {opening.FRESH}").complete()
        connection.execute("USE store").complete()
        connection.execute(f"DETACH {opening.FRESH}").complete()
        return Rescued(spans, sum(lost.values()) + orphans)
    finally:
        connection.close()
        opening.remove_spill_folder(path)


def _copy(connection: duckdb.DuckDBPyConnection, path: Path, name: str) -> int:
    """Copy what can be read of a table; give how many rows cannot."""
    text = f"SELECT estimated_size FROM duckdb_tables() WHERE database_name = 'store' AND table_name = '{name}'"  # noqa: S608 - our own names
    rows = int(connection.execute(text).fetchall()[0][0])
    pieces = [(first, min(first + PIECE_ROWS, rows)) for first in range(0, rows, PIECE_ROWS)]
    lost = 0
    while pieces:
        first, last = pieces.pop()
        try:
            copy = statement("compact/rows", fresh=opening.FRESH, table=name)
            connection.execute(copy, {"first": first, "last": last}).complete()
        except duckdb.Error as error:
            if opening.was_given_up(error) or not isinstance(opening.explained(path, error), StoreDamagedError):
                raise
            if last - first <= LEAST_ROWS:
                lost += last - first
                continue
            middle = (first + last) // 2
            pieces += [(middle, last), (first, middle)]
    return lost


def _remove_orphans(connection: duckdb.DuckDBPyConnection) -> int:
    """Remove what lost spans left in other tables, which a new span would take for its own; give how many rows."""
    removed = 0
    for name, key in _OF_SPANS.items():
        text = statement("salvage/orphans", fresh=opening.FRESH, table=name, key=key)
        removed += int(connection.execute(text).fetchall()[0][0])
    return removed


def _replace(path: Path, fresh: Path, kept: Path) -> None:
    """Put the new file in the old one's place in one step; the old one and its log have their new names before."""
    _keep(path, kept)
    log = opening.log_file(path)
    if log.exists():
        _keep(log, opening.log_file(kept))
    opening.sync(fresh)
    fresh.replace(path)
    log.unlink(missing_ok=True)  # a kill before this leaves a log of another file, which the next start puts aside
    opening.sync(path.parent)


def _keep(place: Path, name: Path) -> None:
    try:
        os.link(place, name)
    except FileExistsError:  # what was kept before is not written over
        raise
    except OSError:  # a file system without links
        shutil.copy2(place, name)
