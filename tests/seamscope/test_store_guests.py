"""Readers of other processes: what one of them leaves behind does not reach the next."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pytest

from seamscope.errors import QueryError, QueryLaterError
from seamscope.store import Settings, Store
from seamscope.store.reading import telling

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "test.duckdb") as opened:
        yield opened


def test_a_cursor_that_was_left_in_a_failed_transaction_serves_the_next_reader(store: Store) -> None:
    """An interrupt may hit the very statement that was to end the transaction."""
    for _ in range(Settings().guests):
        with store._cursors.guest(1.0, lambda: None) as cursor:
            cursor.execute("BEGIN TRANSACTION READ ONLY").complete()
            with suppress(duckdb.Error):
                cursor.execute("SELECT 'x'::INTEGER").fetchall()
    with store.guest() as guest:
        assert [batch.num_rows for batch in list(guest.stream("SELECT 1 AS one"))[1:]] == [1]


def test_a_statement_stopped_among_its_rows_is_told_as_one_that_was_stopped(store: Store) -> None:
    with store.guest() as guest:
        rows_ = guest.stream("SELECT * FROM range(1000000000)")
        next(rows_)
        guest.cancel()
        with pytest.raises(QueryError, match="the statement was stopped"):
            list(rows_)


def test_sorts_of_the_house_spill_where_they_would_hold_more_than_a_quarter(tmp_path: Path) -> None:
    with Store.open(tmp_path / "small.duckdb", settings=Settings(memory_bytes=64 << 20)) as store:
        assert store.query("SELECT current_setting('operator_memory_limit') AS most").item() == "16.0 MiB"


@pytest.mark.parametrize(
    "error",
    [
        duckdb.OutOfMemoryException("Out of Memory Error: failed to pin block"),
        duckdb.InternalException("INTERNAL Error: changed identity"),
        duckdb.FatalException("FATAL Error: database has been invalidated because of a previous fatal error"),
        duckdb.ConnectionException("Connection Error: Connection already closed!"),
    ],
)
def test_what_is_no_fault_of_the_statement_may_be_asked_again(error: duckdb.Error) -> None:
    with pytest.raises(QueryLaterError), telling():
        raise error


@pytest.mark.parametrize("words", ["x", "FATAL Error: has been invalidated", "Out of Memory Error: no"])
def test_a_statement_at_fault_is_told_as_that_whatever_it_quotes(store: Store, words: str) -> None:
    with pytest.raises(QueryError) as caught:
        store.query(f"SELECT '{words}'::INTEGER")
    assert not isinstance(caught.value, QueryLaterError)


def test_each_statement_reads_the_rows_that_it_was_given(store: Store) -> None:
    """Cursors are kept for the next statement, whoever puts it; one that failed is not."""

    def asked(number: int) -> list[int]:
        if number % 5 == 0:
            with pytest.raises(QueryError):
                store.query_with("SELECT nothing FROM wanted", pl.DataFrame({"mine": [number]}))
        columns = "mine" if number % 2 else "theirs"
        given = pl.DataFrame({columns: [number, number + 1]})
        found: list[int] = store.query_with(f"SELECT {columns} FROM wanted", given).to_series().to_list()  # noqa: S608 - ours
        return found

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(asked, range(60))) == [[number, number + 1] for number in range(60)]
    assert store.query("SELECT 1 AS one").item() == 1
