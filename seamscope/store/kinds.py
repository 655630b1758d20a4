"""The store's own numbers of what stretches and hops are (`base.segment_kinds`, `base.hop_kinds`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from seamscope.schema.tables import HOP_KINDS, SEGMENT_KINDS
from seamscope.store.known import Known
from seamscope.store.lists import Kind

if TYPE_CHECKING:
    import duckdb
    import numpy.typing as npt

    from seamscope.store.lists import HopKinds, Lists


@dataclass(frozen=True, slots=True)
class Numbered:
    """Lists with the store's numbers."""

    tables: dict[str, pa.Table]
    """By name, with the rows of kinds that the store lacks."""
    segments: dict[Kind, int]
    fresh_hops: npt.NDArray[np.uint64]
    """Digests of the new rows of `hop_kinds`."""


class Kinds:
    """Which kinds of stretches and hops the store has, and their numbers."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._segments = _stored_segments(cursor)
        self._hops = Known(_last_hops(cursor))

    def forget(self, table: str, numbers: set[int]) -> None:
        """Take note that rows of a table are gone: what refers to them brings them along again."""
        if table == "segment_kinds":
            self._segments = {kind: number for kind, number in self._segments.items() if number not in numbers}
        elif table == "hop_kinds":
            self._hops.forget()

    def numbered(self, lists: Lists) -> Numbered:
        """Give lists with the store's numbers; nothing is remembered of new kinds yet."""
        segments = self._of_segments(lists.kinds)
        hops, new = self._hops.numbers(lists.hop_kinds.digests)
        rows = [row for kind, number in segments.items() if kind not in self._segments for row in kind.rows(number)]
        tables = {
            "segment_kinds": pa.Table.from_pylist(rows, SEGMENT_KINDS),
            "hop_kinds": _of_hops(lists.hop_kinds, hops, new),
            **lists.numbered([segments[kind] for kind in lists.kinds], hops),
        }
        return Numbered(tables, segments, lists.hop_kinds.digests[new])

    def keep(self, stored: Numbered) -> None:
        """Remember the kinds of lists that are stored now."""
        self._segments.update(stored.segments)
        self._hops.keep(stored.fresh_hops, stored.tables["hop_kinds"]["kind_no"].to_numpy().astype(np.int64))

    def _of_segments(self, kinds: list[Kind]) -> dict[Kind, int]:
        numbers = {kind: self._segments.get(kind, 0) for kind in kinds}
        last = max(self._segments.values(), default=0)
        for kind, number in numbers.items():
            if not number:
                last += 1
                numbers[kind] = last
        return numbers


def _of_hops(kinds: HopKinds, numbers: npt.NDArray[np.int64], new: npt.NDArray[np.int64]) -> pa.Table:
    rows = kinds.rows[new.astype(np.uint32)].to_arrow()
    return rows.add_column(0, "kind_no", pa.array(numbers[new])).cast(HOP_KINDS)


def _stored_segments(cursor: duckdb.DuckDBPyConnection) -> dict[Kind, int]:
    text = """
        SELECT sum(1 << horizon)::INTEGER, owner_no, cause, evidence, kind_no
        FROM base.segment_kinds
        GROUP BY kind_no, owner_no, cause, evidence
    """
    return {Kind(*said): number for *said, number in cursor.execute(text).fetchall()}


def _last_hops(cursor: duckdb.DuckDBPyConnection) -> int:
    return int(cursor.execute("SELECT coalesce(max(kind_no), 0) FROM base.hop_kinds").fetchall()[0][0])
