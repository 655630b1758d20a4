"""The writer of what the desk found: a revision replaces all rows of the numbers it revises, in one transaction."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
import pyarrow as pa

from seamscope.schema.tables import OWNERS, RESULTS
from seamscope.statements import statement
from seamscope.store.cursors import let_go
from seamscope.store.inserting import insert, inserts_often, transaction
from seamscope.store.kinds import Kinds, Numbered
from seamscope.store.layout import LISTS, tables_of_requests
from seamscope.store.lists import lists

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import duckdb

    from seamscope.store.learned import Learned

OWNER_COLUMNS: Final = {"requests": "dominant_owner_no", "segments": "owner_no", "hops": "seam_no"}

_EMPTY: Final = {name: pl.DataFrame(schema.empty_table()) for name, schema in RESULTS.items()}


class Writer:
    """Gives requests and owners their store-wide numbers and stores the desk's rows."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor
        inserts_often(cursor)
        self._owners: dict[str, int] = dict(cursor.execute("SELECT owner, owner_no FROM base.owners").fetchall())
        self._kinds = Kinds(cursor)
        self.request_no = _last_request(cursor)
        """The last number given to a request."""

    def next_numbers(self, results: Mapping[str, pa.Table | pl.DataFrame]) -> tuple[int, int]:
        """Give the numbers that the first and the last request of a run will have; last < first where it has none."""
        count = _frame(results["requests"]).height if "requests" in results else 0
        return self.request_no + 1, self.request_no + count

    def forget(self, table: str, numbers: set[int]) -> None:
        """Take note that rows of a table are gone: what refers to them brings them along again."""
        if table == "owners":
            self._owners = {owner: number for owner, number in self._owners.items() if number not in numbers}
        self._kinds.forget(table, numbers)

    def close(self) -> None:
        """Close the cursor."""
        let_go([self._cursor])

    def write(
        self,
        results: Mapping[str, pa.Table | pl.DataFrame],
        owners: pa.Table | pl.DataFrame,
        replaces: np.ndarray | None,
        learned: Learned | None = None,
    ) -> None:
        """Store one run's rows and drop those of the numbers in `replaces`; where this raises, nothing has changed."""
        unknown = set(results) - set(RESULTS)
        if unknown:
            raise ValueError(f"not tables of results: {sorted(unknown)}")
        first, last = self.next_numbers(results)
        numbers, fresh = self._owner_numbers(_frame(owners))
        frames = {name: _renumbered(name, _frame(rows), first, numbers) for name, rows in results.items()}
        tables = _tables(frames)
        numbered = self._listed(frames)
        with transaction(self._cursor):
            self._forget(replaces)
            self._forget_warnings(frames)
            if learned is not None:
                self._learn(learned)
            for table, rows in {"owners": fresh, **tables, **(numbered.tables if numbered else {})}.items():
                insert(self._cursor, table, rows)
        self._owners.update(zip(fresh["owner"].to_pylist(), fresh["owner_no"].to_pylist(), strict=True))
        if numbered:
            self._kinds.keep(numbered)
        self.request_no = last

    def _listed(self, frames: Mapping[str, pl.DataFrame]) -> Numbered | None:
        """Give the rows of what a run's results keep as lists, by their table; None where it has none."""
        if not LISTS.keys() & frames.keys():
            return None
        return self._kinds.numbered(
            lists(*(frames.get(name, _EMPTY[name]) for name in ("segments", "hops", "requests")))
        )

    def _owner_numbers(self, owners: pl.DataFrame) -> tuple[np.ndarray, pa.Table]:
        """Map local owner numbers to the store's; give the map (by position) and the rows the store lacks."""
        rows = owners.to_dicts()
        size = max((row["owner_no"] for row in rows), default=-1) + 1
        numbers = np.zeros(size, np.uint32)
        known = dict(self._owners)
        first = max(known.values(), default=-1) + 1
        added: list[dict[str, object]] = []
        for row in rows:
            number = known.setdefault(row["owner"], first + len(added))
            if number == first + len(added):
                added.append({**row, "owner_no": number})
            numbers[row["owner_no"]] = number
        return numbers, pa.Table.from_pylist(added, OWNERS)

    def _forget(self, replaces: np.ndarray | None) -> None:
        if replaces is None or not len(replaces):
            return
        with _registered(self._cursor, "replaced", pa.table({"request_no": pa.array(replaces, pa.int64())})):
            for table in (*tables_of_requests(), "finding_requests"):
                text = f"DELETE FROM base.{table} WHERE request_no IN (SELECT request_no FROM replaced)"  # noqa: S608 - our own names
                self._cursor.execute(text).complete()

    def _learn(self, learned: Learned) -> None:
        """Store what a run says beside its own requests."""
        text = "DELETE FROM base.async_work WHERE link = 'link' AND request_no IN (SELECT request_no FROM caused)"
        self._forget_those(text, "caused", learned.caused.select("request_no").unique())
        insert(self._cursor, "async_work", learned.caused.select(RESULTS["async_work"].names).to_arrow())
        text = "DELETE FROM base.windows AS w USING gone AS g WHERE w.start_ns = g.start_ns AND w.end_ns = g.end_ns"
        self._forget_those(text, "gone", learned.unsettled)
        self._forget_those(statement("windows/reopened"), "reopened", learned.reopened)
        insert(self._cursor, "windows", learned.settled.to_arrow())

    def _forget_those(self, text: str, name: str, rows: pl.DataFrame) -> None:
        """Run a statement that deletes what some rows name, if there are any."""
        if rows.height:
            with _registered(self._cursor, name, rows.to_arrow()):
                self._cursor.execute(text).complete()

    def _forget_warnings(self, frames: Mapping[str, pl.DataFrame]) -> None:
        """Drop what earlier runs said of these traces as traces: such warnings belong to no request."""
        names = [name for name in ("request_traces", "warnings") if name in frames]
        if not names or not self._has_lone_warnings():
            return
        text = """
            DELETE FROM base.warnings AS w USING analysed AS a
            WHERE w.request_no IS NULL AND w.trace_hi = a.trace_hi AND w.trace_lo = a.trace_lo
        """
        traces = pl.concat([frames[name].select("trace_hi", "trace_lo") for name in names])
        self._forget_those(text, "analysed", traces)

    def _has_lone_warnings(self) -> bool:
        """Tell whether any warning belongs to no request: most stores have none, and to ask is a fifth of the price."""
        return bool(self._cursor.execute("SELECT 1 FROM base.warnings WHERE request_no IS NULL LIMIT 1").fetchall())


def _tables(frames: Mapping[str, pl.DataFrame]) -> dict[str, pa.Table]:
    """Give the rows of a run's results by the table they are kept in, but for what is kept as lists."""
    return {name: frame.select(RESULTS[name].names).to_arrow() for name, frame in frames.items() if name not in LISTS}


@contextmanager
def _registered(cursor: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> Iterator[None]:
    cursor.register(name, rows)
    try:
        yield
    finally:
        cursor.unregister(name)


def _frame(rows: pa.Table | pl.DataFrame) -> pl.DataFrame:
    return rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows)


def _renumbered(name: str, frame: pl.DataFrame, first: int, owners: np.ndarray) -> pl.DataFrame:
    moved = [(pl.col("request_no").cast(pl.Int64) + first)]
    column = OWNER_COLUMNS.get(name)
    if column is not None:
        known = pl.Series("known", owners, pl.UInt32)
        moved.append(pl.col(column).map_batches(known.gather, return_dtype=pl.UInt32).alias(column))
    return frame.with_columns(moved)


def _last_request(cursor: duckdb.DuckDBPyConnection) -> int:
    text = """
        SELECT greatest((SELECT last_request_no FROM base.store),
            (SELECT coalesce(max(request_no), 0) FROM base.requests))
    """
    return int(cursor.execute(text).fetchall()[0][0])
