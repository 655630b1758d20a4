"""Stretches that lie on both paths are stored once, and read as two."""

from __future__ import annotations

import polars as pl
import pytest

from seamscope.schema.tables import SEGMENTS
from seamscope.store.folding import fold

SHELL, COMPLETE, BOTH = 1, 2, 3


def stretches(*rows: tuple[int, int, int, int, int]) -> pl.DataFrame:
    """Rows of (request, horizon, start, end, cause); span, call, owner and evidence are the same throughout."""
    names = ["request_no", "horizon", "start_ns", "end_ns", "cause"]
    frame = pl.DataFrame(rows, schema=names, orient="row")
    ids = {"span_id": pl.lit(1 << 63, pl.UInt64), "call_id": pl.lit(0, pl.UInt64)}
    same = frame.with_columns(**ids, owner_no=pl.lit(1), evidence=pl.lit(1))
    types = {"uint8": pl.UInt8, "uint32": pl.UInt32, "uint64": pl.UInt64, "int64": pl.Int64}
    return same.select(pl.col(field.name).cast(types[str(field.type)]) for field in SEGMENTS)


@pytest.mark.parametrize(
    ("rows", "folded"),
    [
        ([(1, 0, 0, 5, 3), (1, 1, 0, 5, 3)], [BOTH]),
        ([(1, 0, 0, 5, 3), (1, 1, 0, 5, 4)], [SHELL, COMPLETE]),
        ([(1, 0, 0, 5, 3), (1, 1, 0, 6, 3)], [SHELL, COMPLETE]),
        ([(1, 0, 0, 5, 3), (2, 1, 0, 5, 3)], [SHELL, COMPLETE]),
        ([(1, 0, 0, 2, 3), (1, 0, 2, 5, 3), (1, 1, 0, 2, 3), (1, 1, 2, 9, 3)], [BOTH, SHELL, COMPLETE]),
        ([(1, 0, 2, 5, 3), (1, 1, 0, 2, 3), (1, 1, 2, 5, 3)], [BOTH, COMPLETE]),
        ([(1, 1, 0, 5, 3), (2, 0, 0, 5, 3), (2, 1, 0, 5, 3)], [COMPLETE, BOTH]),
        ([], []),
    ],
)
def test_equal_stretches_of_both_paths_become_one(
    rows: list[tuple[int, int, int, int, int]], folded: list[int]
) -> None:
    assert fold(stretches(*rows)).get_column("horizons").to_list() == folded


def test_nothing_is_lost_when_rows_are_out_of_order() -> None:
    rows = [(1, 1, 0, 5, 3), (1, 0, 0, 5, 3), (2, 0, 4, 9, 3), (2, 0, 0, 4, 3), (2, 1, 0, 4, 3), (2, 1, 4, 9, 3)]
    kept = fold(stretches(*rows))
    seen = [
        (request, horizon, start, end)
        for request, bits, start, end in kept.select("request_no", "horizons", "start_ns", "end_ns").iter_rows()
        for horizon in (0, 1)
        if bits >> horizon & 1
    ]
    assert sorted(seen) == sorted(row[:4] for row in rows)
