"""The query door: a reader may ask anything, and never harms a commit, a file or another reader."""

from __future__ import annotations

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import duckdb
import grpc
import pytest

from collector.doors.query_door import NICENESS, serve_queries
from collector.doors.query_handlers import BODY_BYTES, PLACES, QueryHandlers
from seamscope.errors import DataError, EndpointError, QueryError, StoreError
from seamscope.remote import SERVICE, Lent, find_collector, open_store, socket_path
from seamscope.store import Settings, Store
from tests.seamscope.store_rows import START_NS, spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MIB = 1 << 20
ENDLESS = "WITH RECURSIVE t AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM t) SELECT count(*) FROM t"
RUNAWAYS = [
    ENDLESS,
    "SELECT count(*) FROM range(10_000_000) a, range(10_000_000) b WHERE a.range % 7 <> b.range % 5",
    "SELECT count(DISTINCT a.range * 1000003 + b.range) FROM range(100_000_000) a, range(1000) b",
    "SELECT sum(len(list)) FROM (SELECT list(repeat('x', 100) || range) AS list FROM range(1_000_000_000))",
    "SELECT max(r) FROM (SELECT row_number() OVER (ORDER BY hash(range)) AS r FROM range(1_000_000_000))",
]


class Asked:
    """What the collector behind the door was asked to do."""

    def __init__(self) -> None:
        self.bodies: list[tuple[bytes, str, str]] = []
        self.analyses: list[bool] = []
        self.fault: Exception | None = None

    def on_import(self, data: bytes, *, encoding: str, signal: str) -> Mapping[str, object]:
        if self.fault:
            raise self.fault
        self.bodies.append((data, encoding, signal))
        return {"accepted": 3, "rejected": {"bad_span_id": 1}, "error": None}

    def on_analyze(self, everything: bool) -> Mapping[str, object]:
        self.analyses.append(everything)
        return {"requests": 5}


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "test.duckdb"


@pytest.fixture
def store(path: Path, asked: Asked) -> Iterator[Store]:
    settings = Settings(guest_seconds=1.0, guest_memory_bytes=64 * MIB, memory_bytes=256 * MIB, spill_bytes=64 * MIB)
    with Store.open(path, settings=settings) as opened:
        opened.commit({"spans": spans(100)}, now_ns=START_NS)
        door = serve_queries(
            opened,
            socket_path(path),
            on_import=asked.on_import,
            on_analyze=asked.on_analyze,
            on_status=lambda: {"received": 7},
        )
        yield opened
        door.close(0)


@pytest.fixture
def lent(store: Store, path: Path) -> Iterator[Lent]:
    del store
    with open_store(path) as reader:
        assert isinstance(reader, Lent)
        yield reader


def wait_for_guest(store: Store) -> None:
    """Wait until the first query of a test has its cursor."""
    patience = time.monotonic() + 10
    while len(store._cursors._free) == store.settings.guests:
        assert time.monotonic() < patience
        threading.Event().wait(0.001)


@pytest.mark.parametrize("text", RUNAWAYS)
def test_runaway_dies_and_fails_no_commit(store: Store, lent: Lent, text: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        query = pool.submit(lent.query, text)
        first, commits = 100, 0
        while not query.done():
            store.commit({"spans": spans(20, first=first)}, now_ns=START_NS)
            first, commits = first + 20, commits + 1
        with pytest.raises(QueryError, match=r"longer than it may|more memory than it may"):
            query.result()
    assert commits
    assert lent.query("SELECT count(*) FROM spans").item() == first


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no niceness of their own")
def test_statements_run_where_those_that_store_leave_room(store: Store, lent: Lent) -> None:
    assert lent.query("SELECT 1").item() == 1
    store.commit({"spans": spans(1, first=900)}, now_ns=START_NS)
    niceness = {
        thread.name: os.getpriority(os.PRIO_PROCESS, thread.native_id)
        for thread in threading.enumerate()
        if thread.native_id is not None
    }
    reading = {name for name in niceness if name.startswith("queries")}
    assert reading
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert {niceness[name] for name in reading} == {max(own, NICENESS)}
    assert {niceness[name] for name in niceness.keys() - reading} == {own}


def test_at_most_two_at_once_and_all_get_their_turn(store: Store, path: Path) -> None:
    del store

    def ask(_: int) -> str:
        with open_store(path) as reader, pytest.raises(QueryError) as caught:
            reader.query(ENDLESS)
        return str(caught.value)

    started = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        said = set(pool.map(ask, range(4)))
    assert time.monotonic() - started >= 1.9
    assert said == {"the statement ran longer than it may; narrow it with WHERE or LIMIT"}


def test_commit_short_of_memory_sends_guests_away(store: Store, lent: Lent) -> None:
    tries = []

    def write() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise duckdb.OutOfMemoryException("failed to allocate data")

    with ThreadPoolExecutor(1) as pool:
        query = pool.submit(lent.query, ENDLESS)
        wait_for_guest(store)
        store._durably(write, lambda: False)
        with pytest.raises(QueryError, match="stopped"):
            query.result()
    assert len(tries) == 2
    assert lent.query("SELECT 1 AS one").item() == 1


def test_full_house_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.doors.query_handlers.WAIT_SECONDS", 0.05)
    with Store.open(path, settings=Settings(guests=1)) as store:
        door = serve_queries(store, socket_path(path))
        with store.guest(), open_store(path) as reader, pytest.raises(QueryError, match="busy with other queries"):
            reader.query("SELECT 1")
        monkeypatch.undo()
        with open_store(path) as reader:
            assert reader.query("SELECT 1 AS one").item() == 1
        door.close(0)


def test_busy_readers_do_not_make_a_collector_look_dead(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.doors.query_handlers.WAIT_SECONDS", 600)
    with Store.open(path, settings=Settings(guests=1)) as store, ThreadPoolExecutor(PLACES + 8) as pool:
        door = serve_queries(store, socket_path(path))
        with open_store(path) as reader:
            with store.guest():
                asked = [pool.submit(reader.query, "SELECT 1 AS one") for _ in range(PLACES + 8)]
                sent_away = list(islice(as_completed(asked, 30), 8))
                live = find_collector(path)
            assert live is not None
            for query in sent_away:
                with pytest.raises(QueryError, match="busy with other queries"):
                    query.result()
            assert [query.result().item() for query in asked if query not in sent_away] == [1] * PLACES
        door.close(0)


def test_cancelled_query_frees_its_cursor(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(path, settings=Settings(guests=1, guest_seconds=600)) as store:
        door = serve_queries(store, socket_path(path))
        running, lent_cursors = threading.Event(), store._cursors
        original = lent_cursors.guest

        def noticed(*asked: Any) -> Any:
            running.set()
            return original(*asked)

        monkeypatch.setattr(lent_cursors, "guest", noticed)
        channel = grpc.insecure_channel(f"unix:{socket_path(path)}")
        call = channel.unary_stream(f"{SERVICE}Query")(b'{"sql": "%s"}' % ENDLESS.encode())
        assert running.wait(10)
        call.cancel()
        with open_store(path) as reader:
            assert reader.query("SELECT 1 AS one").item() == 1
        channel.close()
        door.close(0)


def test_closing_stops_what_runs(path: Path) -> None:
    store = Store.open(path, settings=Settings(guest_seconds=600))
    door = serve_queries(store, socket_path(path))
    with open_store(path) as reader, ThreadPoolExecutor(1) as pool:
        query = pool.submit(reader.query, ENDLESS)
        wait_for_guest(store)
        started = time.monotonic()
        door.close(0)
        store.close()
        with pytest.raises((EndpointError, QueryError)):
            query.result()
    assert time.monotonic() - started < 30
    with Store.open(path) as again:
        assert again.query("SELECT 1 AS one").item() == 1


def test_rows_are_capped(path: Path) -> None:
    with Store.open(path, settings=Settings(guest_rows=1000)) as store:
        door = serve_queries(store, socket_path(path))
        with open_store(path) as reader:
            assert reader.query("SELECT range FROM range(1000)").height == 1000
            with pytest.raises(QueryError, match=r"more than 1,000 rows; add a LIMIT or a WHERE"):
                reader.query("SELECT range FROM range(1001)")
        door.close(0)


def test_readers_see_what_was_committed(store: Store, lent: Lent) -> None:
    for number in range(5):
        store.commit({"spans": spans(10, first=100 + 10 * number)}, now_ns=START_NS)
        assert lent.query("SELECT count(*) FROM spans").item() == 110 + 10 * number


def test_status(lent: Lent, path: Path) -> None:
    status = lent.status()
    assert status["db"] == str(path)
    assert status["received"] == 7
    assert {"pid", "version"} <= set(status)


def test_bodies_of_any_size_are_imported(lent: Lent, asked: Asked) -> None:
    for data in (b"", b"x", b"0123456789" * 700_000):
        said = lent.import_body(data, encoding="protobuf", signal="traces")
        assert said == {"accepted": 3, "rejected": {"bad_span_id": 1}, "error": None}
        assert asked.bodies.pop() == (data, "protobuf", "traces")


def test_body_that_is_too_long_is_refused(lent: Lent, asked: Asked) -> None:
    with pytest.raises(DataError, match="more than 64 MiB; split it"):
        lent.import_body(b"x" * (BODY_BYTES + 1), encoding="json", signal="logs")
    assert not asked.bodies


def test_error_of_the_collector_is_told(lent: Lent, asked: Asked) -> None:
    asked.fault = StoreError("cannot write to x: no space", "make room – and try again")
    with pytest.raises(StoreError, match=r"cannot write to x: no space; make room . and try again"):
        lent.import_body(b"x", encoding="json", signal="logs")
    asked.fault = ZeroDivisionError("secret detail")
    with pytest.raises(StoreError, match=r"the collector failed \(ZeroDivisionError\)") as caught:
        lent.import_body(b"x", encoding="json", signal="logs")
    assert "secret" not in str(caught.value)


def test_analyze(lent: Lent, asked: Asked) -> None:
    assert lent.analyze() == {"requests": 5}
    assert lent.analyze(everything=True) == {"requests": 5}
    assert asked.analyses == [False, True]


@pytest.mark.parametrize(
    "request_bytes", [b"", b"\xff\x00", b"[]", b'{"params": {}}', b'{"sql": 5}', b'{"sql": "SELECT 1"']
)
def test_nonsense_is_refused_in_words(store: Store, path: Path, request_bytes: bytes) -> None:
    del store
    with grpc.insecure_channel(f"unix:{socket_path(path)}") as channel:
        with pytest.raises(grpc.RpcError) as caught:
            list(channel.unary_stream(f"{SERVICE}Query")(request_bytes, timeout=10))
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert caught.value.details()


def test_remote_reader_needs_the_token_and_only_reads(path: Path) -> None:
    with Store.open(path) as store:
        server = grpc.server(ThreadPoolExecutor(4), handlers=[QueryHandlers(store, token="s3cret")])  # noqa: S106
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        target = f"grpc://127.0.0.1:{port}"
        for token in (None, "", "wrong", "s3cret "):
            with pytest.raises(EndpointError, match="wants a read token"):
                open_store(target, token=token)
        with open_store(target, token="s3cret") as reader:  # noqa: S106
            assert isinstance(reader, Lent)
            assert reader.query("SELECT count(*) FROM spans").item() == 0
            with pytest.raises(EndpointError, match="does not lend"):
                reader.import_body(b"x", encoding="json", signal="logs")
            with pytest.raises(EndpointError, match="does not lend"):
                reader.analyze()
        server.stop(0).wait()


MANY = "SELECT range AS number, repeat('x', 200) || range AS text FROM range(400_000)"


@contextmanager
def paused(path: Path) -> Iterator[Store]:
    """Have somebody ask for many rows, who takes the first ones and no more."""
    with Store.open(path, settings=Settings(guests=1, guest_seconds=600)) as store:
        door = serve_queries(store, socket_path(path))
        with open_store(path) as reader:
            rows = reader.stream(MANY)
            next(rows), next(rows)
            yield store
            with pytest.raises(QueryError, match="not taken in time"):
                list(rows)
            assert reader.query("SELECT 1 AS one").item() == 1
        door.close(0)


def test_a_reader_who_takes_no_rows_does_not_keep_the_store_open(path: Path) -> None:
    with paused(path) as store:  # on a slow machine it is gone a moment after it was told
        assert any(store.open_anew_alone(insist=True) for _ in range(10))


def test_a_reader_who_takes_no_rows_is_hung_up_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.doors.query_handlers.STALLED_SECONDS", 3.0)
    with paused(path) as store:
        assert store._cursors._ended(30)
