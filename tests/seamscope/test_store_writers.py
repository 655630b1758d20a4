"""What comes in and what is made of it are written side by side, and both survive a file that DuckDB gives up on."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from seamscope.errors import QueryError, QueryLaterError, StoreError
from seamscope.store import Store, answers, ingesting, inserting, opening, reading
from tests.seamscope.store_rows import owner, request, rows, span, spans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

PATIENCE_S = 60.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "test.duckdb") as store:
        yield store


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(3) as pool:
        yield pool


def conclude(store: Store) -> int:
    return store.write_results({"requests": rows("requests", request(0))}, rows("owners", owner(0, "render:web")))


def test_a_commit_does_not_wait_for_results(
    store: Store, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, writing, go_on = answers.Writer.write, threading.Event(), threading.Event()

    def slow(writer: answers.Writer, *said: Any) -> None:
        writing.set()
        assert go_on.wait(PATIENCE_S)
        write(writer, *said)

    monkeypatch.setattr(answers.Writer, "write", slow)
    concluded = threads.submit(conclude, store)
    assert writing.wait(PATIENCE_S)
    try:
        assert threads.submit(store.commit, {"spans": spans(3)}, now_ns=1).result(PATIENCE_S).rows == {"spans": 3}
    finally:
        go_on.set()
    assert concluded.result(PATIENCE_S) == 1


def failing_once(write: Callable[..., None], together: threading.Barrier, *, stored: bool) -> Callable[..., None]:
    """Make the first call of a writer end as one does whose file DuckDB gave up on, at the same time as another's."""
    failed: list[bool] = []

    def written(*said: Any) -> None:
        if failed:
            write(*said)
            return
        failed.append(True)
        if stored:
            write(*said)
        together.wait(PATIENCE_S)
        raise duckdb.FatalException("the database has been invalidated")

    return written


@pytest.mark.parametrize("stored", [False, True])
def test_two_writers_whose_file_was_given_up_both_store_theirs_once(
    store: Store, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, stored: bool
) -> None:
    together = threading.Barrier(2)
    for writer in (answers.Writer, ingesting.Writer):
        monkeypatch.setattr(writer, "write", failing_once(writer.write, together, stored=stored))
    concluded = threads.submit(conclude, store)
    committed = threads.submit(store.commit, {"spans": spans(3)}, now_ns=1)
    assert committed.result(PATIENCE_S).rows == {"spans": 3}
    assert concluded.result(PATIENCE_S) == 1
    assert store.query("SELECT count(*) FROM base.spans").item() == 3
    assert store.query("SELECT list(request_no) FROM base.requests").item().to_list() == [1]
    assert store.commit({"spans": spans(3)}, now_ns=2).duplicate_spans == 3


FAILED = "TransactionContext Error: Failed to commit: "
SHORT: dict[str, tuple[type[duckdb.Error], str]] = {
    "writing": (duckdb.OutOfMemoryException, "Out of Memory Error: failed to pin block of size 256.0 KiB"),
    "allocating": (duckdb.TransactionException, f"{FAILED}failed to allocate data of size 512 bytes"),
    "pinning": (duckdb.TransactionException, f"{FAILED}failed to pin block of size 256.0 KiB"),
}
"""What DuckDB says when memory is short, be it while it writes or while it commits."""


@pytest.fixture(params=SHORT)
def short_of_memory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[bool]]:
    """Let transactions of both writers fail as often as `tries` is long; True: what they wrote is on disk all the same.

    Gives what is left of `tries`.
    """

    def fail(*tries: bool) -> list[bool]:
        left = list(tries)
        kind, text = SHORT[request.param]

        @contextmanager
        def transaction(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
            stored = left.pop(0) if left else None
            with inserting.transaction(cursor):
                yield
                if stored is False:
                    raise kind(text)
            if stored:
                raise kind(text)

        monkeypatch.setattr(ingesting, "transaction", transaction)
        monkeypatch.setattr(answers, "transaction", transaction)
        return left

    return fail


@pytest.mark.parametrize("tries", [[False], [True], [False, True]])
def test_what_memory_was_short_for_is_stored_once(
    store: Store, short_of_memory: Callable[..., list[bool]], tries: list[bool]
) -> None:
    """DuckDB may run out of memory when a commit is on disk already: the file is opened anew to look."""
    before = store._connection
    left = short_of_memory(*tries)
    assert store.commit({"spans": spans(3)}, now_ns=1).rows == {"spans": 3}
    assert not left
    assert store._connection is not before
    assert store.query("SELECT count(*), max(commit_no) FROM base.span_rows").row(0) == (3, 1)
    assert store.commit({"spans": spans(3)}, now_ns=2).duplicate_spans == 3
    short_of_memory(*tries)
    assert (conclude(store), conclude(store)) == (1, 2)
    assert store.query("SELECT list(request_no ORDER BY request_no) FROM base.requests").item().to_list() == [1, 2]


def test_what_memory_stays_short_for_is_an_error_and_leaves_nothing(
    store: Store, short_of_memory: Callable[..., list[bool]]
) -> None:
    short_of_memory(False, False)
    with pytest.raises(StoreError, match=r"cannot write to .*failed to"):
        store.commit({"spans": spans(3)}, now_ns=1)
    assert store.query("SELECT count(*) FROM base.span_rows").item() == 0
    assert store.commit({"spans": spans(3)}, now_ns=2).rows == {"spans": 3}


def test_the_second_try_has_the_memory_of_guests(
    store: Store, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def read() -> None:
        try:
            with store.guest(0.0) as guest:
                list(guest.stream("SELECT 1"))
        except QueryError as error:
            told.append(str(error))

    def written(*said: Any) -> None:
        threads.submit(read).result(PATIENCE_S)
        if len(told) < 1:
            kind, text = SHORT["pinning"]
            raise kind(text)
        write(*said)

    write = ingesting.Writer.write
    monkeypatch.setattr(ingesting.Writer, "write", written)
    store.commit({"spans": spans(3)}, now_ns=1)
    assert len(told) == 1
    assert "busy" in told[0]
    read()
    assert len(told) == 1


@pytest.fixture
def unopenable(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Run what must end in an error, as the file cannot be opened anew meanwhile."""

    def run(write: Callable[[], object]) -> None:
        with monkeypatch.context() as shut:
            shut.setattr(opening, "connect", _refuse)
            with pytest.raises(StoreError, match="too little memory"):
                write()

    return run


def _refuse(*_: object, **__: object) -> None:
    raise StoreError("too little memory")


def test_what_is_on_disk_though_nobody_could_look_is_known_when_it_comes_again(
    store: Store, short_of_memory: Callable[..., list[bool]], unopenable: Callable[[Callable[[], object]], None]
) -> None:
    """And what comes in between is stored too, though it would have been given the number that the other one has."""
    first, second = rows("spans", span(0), span(1)), rows("spans", span(10), span(11), span(12))
    short_of_memory(True)
    unopenable(lambda: store.commit({"spans": first}, now_ns=1))
    assert store.commit({"spans": second}, now_ns=2).rows == {"spans": 3}
    assert store.commit({"spans": first}, now_ns=3).duplicate_spans == 2
    assert store.query("SELECT count(*), count(DISTINCT span_id) FROM base.span_rows").row(0) == (5, 5)


def test_results_that_are_on_disk_though_nobody_could_look_keep_their_numbers(
    store: Store, short_of_memory: Callable[..., list[bool]], unopenable: Callable[[Callable[[], object]], None]
) -> None:
    short_of_memory(True)
    unopenable(lambda: conclude(store))
    assert conclude(store) == 2
    assert store.query("SELECT list(request_no ORDER BY request_no) FROM base.requests").item().to_list() == [1, 2]


def test_a_file_that_is_opened_anew_loses_nothing_beside_commits_results_and_guests(
    store: Store, threads: ThreadPoolExecutor
) -> None:
    over = threading.Event()

    def again_and_again(work: Callable[[], object]) -> int:
        times = 0
        while not over.is_set() or not times:
            work()
            times += 1
        return times

    def one_more() -> None:
        store.commit({"spans": rows("spans", span(next(numbers)))}, now_ns=1)

    def read() -> None:
        with suppress(QueryLaterError), store.guest() as guest:
            list(guest.stream("SELECT count(*) FROM base.spans"))

    numbers = itertools.count()
    working = [threads.submit(again_and_again, work) for work in (one_more, lambda: conclude(store), read)]
    opened = [store.open_anew_alone(insist=True) for _ in range(5)]
    over.set()
    commits, results, _ = (each.result(PATIENCE_S) for each in working)
    assert opened == [True] * 5
    assert store.query("SELECT count(*), count(DISTINCT span_id) FROM base.span_rows").row(0) == (commits, commits)
    assert store.query("SELECT count(*) FROM base.requests").item() == results
    assert store.commit({"spans": rows("spans", span(0))}, now_ns=2).duplicate_spans == 1


def test_a_guest_that_waited_while_the_file_was_opened_anew_is_served(
    store: Store, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for a cursor of the file that was closed gets one of the file as it is open now."""
    waits, reopen = threading.Event(), store._reopen
    wait = store._cursors._back.wait_for

    def waited(*said: Any) -> bool:
        waits.set()
        return bool(wait(*said))

    def read() -> int:
        with store.guest(PATIENCE_S) as guest:
            _, counted = guest.stream("SELECT count(*) FROM base.spans")
            return int(counted.column(0)[0].as_py())

    def reopened() -> None:
        monkeypatch.setattr(store._cursors._back, "wait_for", waited)
        waiting.append(threads.submit(read))
        assert waits.wait(PATIENCE_S)
        reopen()

    waiting: list[Future[int]] = []
    monkeypatch.setattr(store, "_reopen", reopened)
    store.commit({"spans": spans(3)}, now_ns=1)
    assert store.open_anew_alone()
    assert waiting[0].result(PATIENCE_S) == 3


def test_who_reads_is_let_be_unless_somebody_insists(store: Store) -> None:
    with store.guest() as guest:
        reading_on = guest.stream("SELECT * FROM range(100000000) a, range(1000) b")
        next(reading_on)
        assert not store.open_anew_alone()
        assert next(reading_on).num_rows
        reading_on.close()
    before = store._connection
    assert store.open_anew_alone()
    assert store._connection is not before


def test_a_file_that_was_moved_stays_open(store: Store) -> None:
    path = store.path
    store.commit({"spans": spans(3)}, now_ns=1)
    path.rename(path.with_name("moved"))
    with pytest.raises(StoreError, match="no longer the file"):
        store.open_anew_alone()
    assert store.query("SELECT count(*) FROM base.spans").item() == 3
    path.with_name("moved").rename(path)
    assert store.open_anew_alone()
    assert store.query("SELECT count(*) FROM base.spans").item() == 3


def test_a_reader_whose_file_was_given_up_has_it_opened_anew(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.commit({"spans": spans(3)}, now_ns=1)
    begin = reading.read_only
    failed: list[bool] = []

    def gives_up(cursor: duckdb.DuckDBPyConnection) -> Any:
        if not failed:
            failed.append(True)
            raise duckdb.FatalException("FATAL Error: the database has been invalidated")
        return begin(cursor)

    monkeypatch.setattr(reading, "read_only", gives_up)
    before = store._connection
    with pytest.raises(QueryLaterError, match="SELECT count"):
        store.query("SELECT count(*) FROM base.spans")
    assert store._connection is not before
    assert store.query("SELECT count(*) FROM base.spans").item() == 3


def test_a_file_that_could_not_be_opened_anew_is_with_the_next_commit(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, write = opening.connect, ingesting.Writer.write
    failed: list[bool] = []

    def written(*said: Any) -> None:
        if not failed:
            raise duckdb.FatalException("the database has been invalidated")
        write(*said)

    def connected(*said: Any, **more: Any) -> Any:
        if not failed:
            failed.append(True)
            raise StoreError("held by somebody else")
        return connect(*said, **more)

    monkeypatch.setattr(ingesting.Writer, "write", written)
    monkeypatch.setattr(opening, "connect", connected)
    with pytest.raises(StoreError, match="somebody else"):
        store.commit({"spans": spans(3)}, now_ns=1)
    assert store.commit({"spans": spans(3)}, now_ns=2).rows == {"spans": 3}
    assert conclude(store) == 1
