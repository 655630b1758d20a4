"""Old traces go, as wholes: their spans, events, links and logs, and the results of their requests.

With them go the log records and data points of the same commits that belong to no trace which stays, and where only
such come, they alone make the age and the size.

Spans lie in the order in which they came, so those of the oldest commits fill whole row groups, and deleting them costs
next to nothing: 0.2 s of CPU per million spans. A trace of which a span came later stays: its old rows are written
again at the end, so that they do not hold the room of all that came beside them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from seamscope.schema.tables import INGESTED
from seamscope.statements import statement
from seamscope.store.inserting import insert
from seamscope.store.layout import LAYOUTS, ROWS_PER_BATCH, tables_of, tables_of_requests

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb
    import pyarrow as pa

    from seamscope.store.file import Store

STEP_ROWS: Final = 100_000
"""Spans, log records and data points that are deleted in one transaction."""

MOVED_ROWS: Final = 10_000
"""Old spans and log records of traces that stay are written again up to so many in a step; more stay where they are."""

NO_END: Final = (1 << 38) - 1
"""A commit after all others."""

TRACE: Final = ("trace_hi", "trace_lo")
NO_TRACES: Final = pl.DataFrame(schema=dict.fromkeys(TRACE, pl.UInt64))
_OF_COMMITS: Final = tuple(name for name, schema in INGESTED.items() if "commit_no" in schema.names)
_OF_TRACES: Final = tuple(name for name in _OF_COMMITS if "trace_hi" in INGESTED[name].names)
_OF_NO_TRACE: Final = tuple(name for name in _OF_COMMITS if name not in _OF_TRACES)
_UNLESS_STAYING: Final = """
    AND NOT EXISTS (FROM staying_traces AS s WHERE s.trace_hi = t.trace_hi AND s.trace_lo = t.trace_lo)
"""
COUNTED: Final = ("spans", "logs", "metric_points")
"""What senders send, item by item: what counts as rows here. Events and links go with their spans."""
_OF_REQUESTS: Final = (*tables_of_requests(), "finding_requests")


@dataclass(frozen=True, slots=True)
class Dropped:
    """What one step deleted."""

    upto: int = 0
    """The commit up to which only traces are left that went on after it; 0 where there was none to look at."""
    rows: Mapping[str, int] = field(default_factory=dict)
    """Rows by table (`COUNTED`)."""
    requests: int = 0
    traces: pl.DataFrame = field(default_factory=lambda: NO_TRACES)
    """Ids of the traces that are gone."""

    @property
    def items(self) -> int:
        """Spans, log records and data points together."""
        return sum(self.rows.values())


@dataclass(frozen=True, slots=True)
class _Parting:
    """What of the traces of the oldest commits goes, and what stays."""

    goes: pl.DataFrame
    stays: pl.DataFrame
    requests: pl.DataFrame
    """Numbers of requests of which nothing stays."""


def all_tables() -> set[str]:
    """Give the tables whose rows go with their commit or their request."""
    return {table for name in _OF_COMMITS for table in tables_of(name)} | {*_OF_REQUESTS}


def expired(store: Store, since_ns: int, now_ns: int) -> int:
    """Give the last commit of which, and of all before it, nothing came since then; 0 where none is.

    What came later than now, by a clock that was ahead, counts as if it had come with what came after it.
    """
    return int(store.query(statement("retention/expired"), {"since_ns": since_ns, "now_ns": now_ns}).item())


def step(store: Store, *, after: int = 0, upto: int = NO_END, rows: int = STEP_ROWS) -> Dropped:
    """Delete the traces that ended in the oldest commits: of about so many rows that came after one and up to another.

    One transaction, beside commits; analyses must rest meanwhile. Where it raises `StoreError`, nothing is deleted.
    """
    bounds = {"after": after, "upto": upto, "rows": rows}
    last, of_no_span = store.query(statement("retention/oldest"), bounds).row(0)
    if not last:
        return Dropped()
    parting = _parted(store, last)
    if not (parting.goes.height or of_no_span):
        return Dropped(last)
    gone = store.transact(lambda cursor: _delete(cursor, last, parting))
    return Dropped(last, gone, parting.requests.height, parting.goes)


def _parted(store: Store, upto: int) -> _Parting:
    """Keep traces that went on after a commit, and those that are in one request with such."""
    traces = store.query(statement("retention/traces"), {"upto": upto})
    stays = traces.filter("stays").select(TRACE)
    goes = traces.filter(~pl.col("stays")).select(TRACE)
    theirs = store.query_with(statement("retention/requests"), goes, {"upto": upto})
    while True:
        tied = theirs.filter("stays").select("request_no").unique()
        pulled = theirs.join(tied, on="request_no", how="semi").select(TRACE).unique().join(goes, on=TRACE, how="semi")
        if not pulled.height:
            break
        goes, stays = goes.join(pulled, on=TRACE, how="anti"), pl.concat([stays, pulled])
        theirs = theirs.join(pulled.with_columns(pulled=True), on=TRACE, how="left").with_columns(
            stays=pl.col("stays") | pl.col("pulled").fill_null(value=False)
        )
        theirs = theirs.drop("pulled")
    requests = theirs.join(tied, on="request_no", how="anti").select("request_no").unique()
    return _Parting(goes, stays, requests)


def _delete(cursor: duckdb.DuckDBPyConnection, upto: int, parting: _Parting) -> dict[str, int]:
    """Delete what goes; give how many rows of each table that were."""
    frames = {"staying_traces": parting.stays, "gone_traces": parting.goes, "gone_requests": parting.requests}
    for name, frame in frames.items():
        cursor.register(name, frame.to_arrow())
    try:
        gone = _delete_rows(cursor, upto)
        for table in _OF_REQUESTS:
            text = f"DELETE FROM base.{table} WHERE request_no IN (SELECT request_no FROM gone_requests)"  # noqa: S608 - our own names
            cursor.execute(text).complete()
        cursor.execute(statement("retention/warnings")).complete()
        last = parting.requests.get_column("request_no").max() or 0
        cursor.execute(statement("retention/numbers"), {"upto": upto, "last_request": last}).complete()
        return gone
    finally:
        for name in frames:
            cursor.unregister(name)


def _delete_rows(cursor: duckdb.DuckDBPyConnection, upto: int) -> dict[str, int]:
    """Delete the rows of commits up to one, but for those of staying traces; give how many of each table that were."""
    counts = [f"SELECT count(*) FROM {_staying(rows)}" for rows in ("span_rows", "logs")]  # noqa: S608 - our own names
    stay = sum(cursor.execute(count, {"upto": upto}).fetchall()[0][0] for count in counts)
    if stay > MOVED_ROWS:
        return _deleted(cursor, upto, but_staying=True)
    moved = _rows_that_stay(cursor, upto) if stay else {}
    gone = _deleted(cursor, upto, but_staying=False)
    for table, rows in moved.items():
        insert(cursor, table, rows)
    return {name: count - _height(moved.get(tables_of(name)[0])) for name, count in gone.items()}


def _height(rows: pa.Table | None) -> int:
    return 0 if rows is None else int(rows.num_rows)


def _staying(rows: str) -> str:
    return f"base.{rows} SEMI JOIN staying_traces USING (trace_hi, trace_lo) WHERE commit_no <= $upto"


def _deleted(cursor: duckdb.DuckDBPyConnection, upto: int, *, but_staying: bool) -> dict[str, int]:
    """Delete the rows of commits up to one; give how many of each table that were."""
    gone = {}
    for name in _OF_TRACES:
        rows, *sides = tables_of(name)
        for side in sides:
            number = LAYOUTS[name].number
            keep = f"AND {number} NOT IN (SELECT {number} FROM {_staying(rows)})" if but_staying else ""  # noqa: S608 - our own names
            text = f"DELETE FROM base.{side} WHERE {number} < ($upto + 1) * {ROWS_PER_BATCH} {keep}"  # noqa: S608 - our own names
            cursor.execute(text, {"upto": upto}).complete()
        text = f"DELETE FROM base.{rows} AS t WHERE commit_no <= $upto {_UNLESS_STAYING if but_staying else ''}"  # noqa: S608 - our own names
        gone[name] = int(cursor.execute(text, {"upto": upto}).fetchall()[0][0])
    for name in _OF_NO_TRACE:
        text = f"DELETE FROM base.{name} WHERE commit_no <= $upto"  # noqa: S608 - our own names
        gone[name] = int(cursor.execute(text, {"upto": upto}).fetchall()[0][0])
    return {name: gone[name] for name in COUNTED}


def _rows_that_stay(cursor: duckdb.DuckDBPyConnection, upto: int) -> dict[str, pa.Table]:
    """Read the rows of staying traces from the commits whose rows are deleted."""
    found = {}
    for name in _OF_TRACES:
        rows, *sides = tables_of(name)
        found[rows] = cursor.sql(f"SELECT * FROM {_staying(rows)}", params={"upto": upto}).to_arrow_table()  # noqa: S608 - our own names
        for side in sides:
            number = LAYOUTS[name].number
            text = f"SELECT * FROM base.{side} WHERE {number} IN (SELECT {number} FROM {_staying(rows)})"  # noqa: S608 - our own names
            found[side] = cursor.sql(text, params={"upto": upto}).to_arrow_table()
    return found


def rows(store: Store) -> int:
    """Count the stored spans, log records and data points."""
    return int(store.query(statement("retention/rows")).item())
