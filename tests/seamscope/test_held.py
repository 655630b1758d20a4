"""The table of traces in blocks says what one table would say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seamscope import held
from seamscope.held import KEYS, Held

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = {"trace_hi": pl.UInt64, "trace_lo": pl.UInt64, "spans": pl.Int64, "waiting": pl.Boolean}

Row = tuple[int, int, int, bool]


def frame(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@pytest.fixture(autouse=True, scope="module")
def small_blocks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(held, "BLOCK", 4)
        yield


def rows_of(table: pl.DataFrame) -> list[Row]:
    return sorted(table.rows())


TRACES = st.lists(st.tuples(st.just(0), st.integers(0, 30)), unique=True, max_size=12)
CHANGES = st.lists(st.tuples(st.sampled_from(["put", "drop", "set", "keep"]), TRACES, st.integers(0, 9)), max_size=12)


@given(CHANGES)
def test_blocks_say_what_one_table_would(changes: list[tuple[str, list[tuple[int, int]], int]]) -> None:
    table, expected = Held(frame([])), dict[tuple[int, int], Row]()
    for change, traces, number in changes:
        keys = frame([(*key, 0, False) for key in traces]).select(KEYS)
        if change == "put":
            rows: list[Row] = [(*key, number, True) for key in traces]
            table.put(frame(rows))
            expected |= {row[:2]: row for row in rows}
        elif change == "drop":
            table.drop(keys)
            expected = {key: row for key, row in expected.items() if key not in traces}
        elif change == "set":
            table.set(keys, waiting=False)
            expected |= {key: (*expected[key][:3], False) for key in traces if key in expected}
        else:
            table.keep(pl.col("spans") >= number)
            expected = {key: row for key, row in expected.items() if row[2] >= number}
        assert rows_of(table.where()) == sorted(expected.values())
        assert rows_of(table.where(pl.col("waiting"))) == sorted(row for row in expected.values() if row[3])
        assert rows_of(table.of(keys)) == sorted(row for key, row in expected.items() if key in traces)


def blocks(table: Held) -> list[pl.DataFrame]:
    found: list[pl.DataFrame] = []

    def note(block: pl.DataFrame) -> pl.DataFrame:
        found.append(block)
        return block

    table.pick(note)
    return found[1:]  # the first is the empty one, for the columns


def test_blocks_are_neither_many_nor_large() -> None:
    table = Held(frame([]))
    table.put(frame([(0, number, 1, True) for number in range(40)]))
    for number in range(100, 140):
        table.put(frame([(0, number, 1, True)]))
    assert [block.height for block in blocks(table)] == [4] * 20
    table.keep(pl.col("trace_lo") % 4 == 0)
    assert [block.height for block in blocks(table)] == [4] * 5


def test_what_does_not_concern_a_block_does_not_copy_it() -> None:
    table = Held(frame([]))
    table.put(frame([(0, number, 1, True) for number in range(8)]))
    before = blocks(table)
    table.put(frame([(0, 2, 5, True)]))
    assert [block.height for block in blocks(table)] == [3, 4, 1]
    assert blocks(table)[1] is before[1]
