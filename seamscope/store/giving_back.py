"""The room of deleted rows goes back to the disk.

DuckDB uses the free blocks of a file again, and cuts off those at its end, but moves no row. So rows that lie past
where the file could end are written again, into free blocks further up, and deleted where they were: 7 s of CPU per
million spans, a bounded number at a time, beside commits. What is free within the file stays there for what comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from seamscope.statements import statement
from seamscope.store.tables import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from seamscope.store.file import Store

MOST: Final = 1.3
"""A file this many times as long as its rows need gives room back …"""
GOAL: Final = 1.1
"""… until no row lies further than this many times what they need."""
SLACK_BYTES: Final = 16 << 20
"""A file that is longer by so much at most stays as it is."""
STEP_ROWS: Final = 1 << 16
"""Rows that are moved in one transaction: some half a second of CPU."""


TOUCHED: Final = ("store", "resources", "owners")
"""Small tables of which commits change rows that are there: they wait until these are moved."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a store takes of the disk."""

    block_bytes: int
    used_bytes: int
    """What rows need, those of deleted rows included until a checkpoint."""
    file_bytes: int
    log_bytes: int

    @property
    def is_slack(self) -> bool:
        """Whether so much of the file is free that some should go back."""
        return self.file_bytes > MOST * self.used_bytes and self.file_bytes - self.used_bytes > SLACK_BYTES


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Rows of a table that lie side by side: [first, last)."""

    table: str
    first: int
    last: int
    block: int
    """The last block that any of them lies in."""


def usage(store: Store) -> Usage:
    """Look at how much of the file holds rows."""
    block, used, total = store.query(statement("retention/usage")).row(0)
    return Usage(block, block * used, block * total, store.log_bytes())


@dataclass(frozen=True, slots=True)
class Moved:
    """What one step did."""

    rows: int
    was_far: bool
    """Whether they lay too far out; else they were moved because nothing else was left to try."""


def step(store: Store, rows: int = STEP_ROWS) -> Moved:
    """Move up to about `rows` of the rows that lie furthest in the file.

    One transaction, beside commits; analyses must rest meanwhile. The room is free after the next checkpoint that finds
    the store alone (`Store.checkpoint_alone`).
    """
    far = _far(store, usage(store))
    stretches = far or _small(store, rows)
    touched = [each for each in stretches if each.table in TOUCHED]
    before = accumulate((each.last - each.first for each in stretches), initial=0)
    moved = [each for each, already in zip(stretches, before, strict=False) if already < rows]
    done = store.transact(
        lambda cursor: sum(_move(cursor, each) for each in {*moved, *touched}), no_commits=bool(touched)
    )
    return Moved(done, bool(far))


def _far(store: Store, now: Usage) -> list[_Stretch]:
    """Give the rows that lie past where the file could end, the furthest first."""
    limit = GOAL * now.used_bytes / now.block_bytes
    found = [each for table in listed("schema")[1:] for each in _stretches(store, table) if each.block > limit]
    return sorted(found, key=lambda stretch: -stretch.block)


def _small(store: Store, rows: int) -> list[_Stretch]:
    """Give all rows of the small tables, up to so many: what DuckDB notes of an unchanged table may lie far out."""
    tables = sorted((list(_stretches(store, table)) for table in listed("schema")[1:]), key=_rows)
    so_far = accumulate(_rows(table) for table in tables)
    return [each for table, upto in zip(tables, so_far, strict=True) if upto <= rows for each in table]


def _rows(table: list[_Stretch]) -> int:
    return table[-1].last if table else 0


def _stretches(store: Store, table: str) -> Iterator[_Stretch]:
    """Give the row groups of a table."""
    first = 0
    for _, count, block in store.query(statement("retention/groups", table=table)).iter_rows():
        yield _Stretch(table, first, first + count, block)
        first += count


def _move(cursor: duckdb.DuckDBPyConnection, stretch: _Stretch) -> int:
    """Write rows again and delete them where they were. If a checkpoint came between, they are others, as whole."""
    among = f"base.{stretch.table} WHERE rowid >= {stretch.first} AND rowid < {stretch.last}"
    cursor.execute(f"INSERT INTO base.{stretch.table} SELECT * FROM {among}").complete()  # noqa: S608 - our own names
    return int(cursor.execute(f"DELETE FROM {among}").fetchall()[0][0])  # noqa: S608 - likewise
