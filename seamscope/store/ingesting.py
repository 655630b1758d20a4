"""The writer of what the door brings: one group, one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow as pa

from seamscope.errors import StoreError
from seamscope.schema.tables import INGESTED
from seamscope.store.inserting import insert

if TYPE_CHECKING:
    from collections.abc import Mapping

STAMPS: Final = ("commit_no", "ingested_ns")
"""Columns that the writer fills."""


@dataclass(frozen=True, slots=True)
class CommitReceipt:
    """What a commit stored."""

    commit_no: int
    """Monotone over the life of the store."""
    rows: dict[str, int]
    """Rows added per table."""
    duplicate_spans: int = 0
    """Spans left out because the very same was stored before (a client's retry)."""


class Writer:
    """Appends groups; knows the resources it has stored."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor
        self._tiers: dict[int, int] = dict(cursor.execute("SELECT resource_id, tier FROM base.resources").fetchall())
        self._commit_no = _last_commit(cursor)

    def commit(self, batch: Mapping[str, pa.Table], now_ns: int) -> CommitReceipt:
        """Store one group; nothing of it is stored when this raises."""
        unknown = set(batch) - set(INGESTED)
        if unknown:
            raise ValueError(f"not tables of the store: {sorted(unknown)}")
        commit_no = self._commit_no + 1
        fresh = self._fresh_resources(batch.get("resources"))
        tables = {**batch, "resources": fresh}
        rows: dict[str, int] = {}
        self._cursor.begin()
        try:
            for name, table in tables.items():
                if table is not None and table.num_rows:
                    rows[name] = insert(self._cursor, name, table, {"commit_no": commit_no, "ingested_ns": now_ns})
            self._cursor.commit()
        except duckdb.Error as error:
            self._cursor.rollback()
            raise StoreError(f"cannot store a group: {error}") from error
        self._commit_no = commit_no
        if fresh is not None:
            self._tiers.update(zip(fresh["resource_id"].to_pylist(), fresh["tier"].to_pylist(), strict=True))
        return CommitReceipt(commit_no, rows)

    def _fresh_resources(self, resources: pa.Table | None) -> pa.Table | None:
        if resources is None or not resources.num_rows:
            return None
        seen: set[int] = set(self._tiers)
        keep = []
        for place, number in enumerate(resources["resource_id"].to_pylist()):
            if number not in seen:
                seen.add(number)
                keep.append(place)
        return resources.take(pa.array(keep, pa.int64()))


def _last_commit(cursor: duckdb.DuckDBPyConnection) -> int:
    text = """
        SELECT greatest(
            (SELECT last_commit_no FROM base.store),
            (SELECT coalesce(max(commit_no), 0) FROM base.spans),
            (SELECT coalesce(max(commit_no), 0) FROM base.logs))
    """
    return int(cursor.execute(text).fetchall()[0][0])
