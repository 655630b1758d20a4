"""The store in bounds: what is too old or too much goes, a clock that jumps takes nothing along, commits go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import numpy as np
import pyarrow as pa
import pytest

from collector.settling import Settling
from collector.upkeep import HELD_SHARE, Bounds, Clock, Upkeep
from seamscope.config import Config
from seamscope.errors import StoreError
from seamscope.store import Settings, Store, file, giving_back, retention
from tests.collector import traffic
from tests.seamscope.store_rows import BULK, bulk, resource, rows, span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import polars as pl

SECOND = 1_000_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "test.duckdb", settings=Settings(checkpoint_bytes=1 << 40)) as opened:
        yield opened


class Hands:
    """Clocks whose hands are moved by the test."""

    def __init__(self) -> None:
        self.wall_ns = 1_000 * SECOND
        self.running_ns = 5 * SECOND

    def clock(self) -> Clock:
        return Clock(lambda: self.wall_ns, lambda: self.running_ns)

    def pass_by(self, seconds: int) -> None:
        self.wall_ns += seconds * SECOND
        self.running_ns += seconds * SECOND


def upkeep(store: Store, bounds: Bounds, hands: Hands | None = None) -> Upkeep:
    return Upkeep(store, Settling(store, Config(), 0.0), bounds, (hands or Hands()).clock())


def commit(store: Store, first: int, count: int, now_ns: int) -> None:
    store.commit({"spans": rows("spans", *(span(number) for number in range(first, first + count)))}, now_ns=now_ns)


def filled(store: Store, commits: int = 8) -> int:
    """Store as many row groups; give how many bytes they take."""
    for number in range(1, commits + 1):
        store.commit(bulk(number), now_ns=number)
    store.checkpoint()
    return giving_back.usage(store).used_bytes


def kept(store: Store) -> list[int]:
    return store.query("SELECT DISTINCT trace_lo FROM base.span_rows ORDER BY 1").to_series().to_list()


def test_what_is_too_old_goes(store: Store) -> None:
    hands = Hands()
    for number in range(4):
        commit(store, 10 * number, 10, (1_000 + number) * SECOND)
    keeper = upkeep(store, Bounds(age_s=100.0), hands)
    hands.pass_by(100)
    keeper.work()
    assert (kept(store), keeper.expired["spans"]) == ([1, 2, 3, 4], 0)
    hands.pass_by(2)
    keeper.work()
    assert (kept(store), keeper.expired["spans"]) == ([3, 4], 20)
    store.commit({"spans": rows("spans", span(3, span_id=99))}, now_ns=hands.wall_ns)  # late: its trace is gone
    hands.pass_by(50)
    keeper.work()
    assert kept(store) == [1]


def lone(signal: str, number: int) -> dict[str, pa.Table]:
    """Give a row of a signal other than spans, of no trace."""
    said = {"resource_id": 1, "time_ns": number, "attributes": []}
    return {signal: rows(signal, {**said, "trace_hi": 0, "trace_lo": 0, "span_id": 0} if signal == "logs" else said)}


def test_what_only_the_old_referred_to_goes_with_it(store: Store) -> None:
    hands = Hands()
    for number in range(4):
        given = {"resources": rows("resources", resource(number, f"service-{number}"))}
        given["spans"] = rows("spans", span(10 * number, resource_id=number))
        store.commit(given, now_ns=(1_000 + number) * SECOND)
    keeper = upkeep(store, Bounds(age_s=100.0), hands)
    hands.pass_by(102)
    keeper.work()
    assert store.query("SELECT service FROM base.resources ORDER BY 1").to_series().to_list() == [
        "service-2",
        "service-3",
    ]


@pytest.mark.parametrize("signal", ["logs", "metric_points"])
def test_what_is_too_old_goes_where_no_spans_come(store: Store, signal: str) -> None:
    hands = Hands()
    for number in range(4):
        store.commit(lone(signal, number), now_ns=(1_000 + number) * SECOND)
    keeper = upkeep(store, Bounds(age_s=100.0), hands)
    hands.pass_by(102)
    keeper.work()
    left = store.query(f"SELECT time_ns FROM base.{signal} ORDER BY 1").to_series().to_list()  # noqa: S608
    assert (left, keeper.expired[signal]) == ([2, 3], 2)


@pytest.mark.parametrize("signal", ["logs", "metric_points"])
def test_the_oldest_go_where_no_spans_come(store: Store, monkeypatch: pytest.MonkeyPatch, signal: str) -> None:
    monkeypatch.setattr(retention, "STEP_ROWS", 1 << 14)
    dice = np.random.default_rng(5)
    for number in range(8):
        texts = pa.array([dice.bytes(60).hex() for _ in range(BULK)])
        table = lone(signal, number)[signal].take(pa.array(np.zeros(BULK, np.int64)))
        store.commit({signal: table.set_column(table.schema.get_field_index("scope"), "scope", texts)}, now_ns=number)
    store.checkpoint()
    size = giving_back.usage(store).used_bytes // 2
    keeper = upkeep(store, Bounds(size_bytes=size))
    keeper.work()
    now = giving_back.usage(store)
    assert now.used_bytes + now.log_bytes <= size
    left = store.query(f"SELECT DISTINCT time_ns FROM base.{signal} ORDER BY 1").to_series().to_list()  # noqa: S608
    assert left
    assert left == list(range(8 - len(left), 8))
    assert retention.rows(store) + keeper.expired[signal] == 8 * BULK


@pytest.mark.parametrize("jump_s", [10**9, -(10**6)])
def test_a_clock_that_jumps_takes_nothing_along(store: Store, jump_s: int) -> None:
    hands = Hands()
    commit(store, 0, 10, hands.wall_ns)
    keeper = upkeep(store, Bounds(age_s=100.0), hands)
    hands.wall_ns += jump_s * SECOND
    keeper.work()
    commit(store, 10, 10, hands.wall_ns)
    hands.pass_by(50)
    keeper.work()
    assert kept(store) == [1, 2]


def test_a_clock_that_was_late_at_the_start_is_believed_in_the_end(store: Store) -> None:
    """As on a machine that is told the time after it has started, or that was halted for a while."""
    hands = Hands()
    keeper = upkeep(store, Bounds(age_s=100.0), hands)
    hands.wall_ns += 10**9 * SECOND
    commit(store, 0, 10, hands.wall_ns)
    left = []
    for seconds in (0, 3_598, 1, 1):
        hands.pass_by(seconds)
        keeper.work()
        left.append(kept(store))
    assert left == [[1], [1], [1], []]


def test_a_clock_that_jumps_to_and_fro_is_never_believed() -> None:
    hands = Hands()
    clock = hands.clock()
    for _ in range(10):
        for jump_s in (10**6, -(10**6)):
            hands.wall_ns += jump_s * SECOND
            assert clock.now_ns() <= hands.running_ns + 995 * SECOND
            hands.pass_by(3_000)
            assert clock.now_ns() <= hands.running_ns + 995 * SECOND


def test_what_waits_to_be_analysed_is_forgotten_with_its_trace(store: Store) -> None:
    commit(store, 0, 10, SECOND)
    commit(store, 10, 10, 999 * SECOND)
    hands = Hands()
    settling = Settling(store, Config(), 9e9)
    settling._loaded().step(1_000 * SECOND)
    keeper = Upkeep(store, settling, Bounds(age_s=100.0), hands.clock())
    keeper.work()
    done = settling.analyze(everything=False)
    assert (done["traces"], kept(store)) == (1, [2])


def test_the_oldest_go_where_it_is_too_much(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "STEP_ROWS", 500)
    size = filled(store) // 2
    keeper = upkeep(store, Bounds(size_bytes=size))
    keeper.work()
    now = giving_back.usage(store)
    assert now.used_bytes + now.log_bytes <= size
    per_commit = store.query("SELECT trace_hi, count(*) FROM base.span_rows GROUP BY ALL ORDER BY ALL").rows()
    assert [number for number, _ in per_commit] == list(range(9 - len(per_commit), 9))
    assert 3 <= len(per_commit) <= 4
    assert keeper.expired["spans"] + sum(count for _, count in per_commit) == 8 * BULK
    keeper.work()
    assert retention.rows(store) == 8 * BULK - keeper.expired["spans"]


def test_a_reader_does_not_make_more_go(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the room of what is gone is not free yet, the same bytes must not be asked for again."""
    keeper = upkeep(store, Bounds(size_bytes=filled(store) // 2))
    monkeypatch.setattr(store, "checkpoint_alone", lambda: False)
    keeper.work()
    left = retention.rows(store)
    assert 3 * BULK <= left <= 4 * BULK
    for _ in range(3):
        keeper.work()
    monkeypatch.undo()
    keeper.work()
    assert retention.rows(store) == left


def test_a_checkpoint_that_failed_frees_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    hands, tried = Hands(), []
    keeper = upkeep(store, Bounds(size_bytes=filled(store) // 2), hands)
    monkeypatch.setattr(store, "_checkpoint", lambda: tried.append(1))
    keeper.work()
    left = retention.rows(store)
    keeper.work()
    assert (retention.rows(store), len(tried)) == (left, 1)  # all wait for it: not again at once
    hands.pass_by(600)
    keeper.work()
    assert (retention.rows(store), len(tried)) == (left, 2)


def test_a_step_that_fails_keeps_no_other_from_being_done(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: Store) -> None:
        raise StoreError("a block cannot be read")

    monkeypatch.setattr(file, "HELD_OF_ROW_BYTES", store.settings.memory_bytes // HELD_SHARE)
    commit(store, 0, 99, 1)
    monkeypatch.setattr(giving_back, "usage", fails)
    upkeep(store, Bounds(size_bytes=1)).work()
    assert "a block cannot be read" in caplog.text
    assert store.held_bytes == 0  # opened anew all the same


def test_the_log_of_a_small_store_is_folded_in(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.upkeep.LOG_BYTES", 1_000)
    commit(store, 0, 1_000, 1)
    assert store.log_bytes() > 1_000
    upkeep(store, Bounds()).work()
    assert store.log_bytes() == 0


def test_the_file_is_opened_anew_after_so_many_rows(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "HELD_OF_ROW_BYTES", store.settings.memory_bytes // HELD_SHARE // 100)
    keeper = upkeep(store, Bounds())
    commit(store, 0, 99, 1)
    before = store._connection
    keeper.work()
    assert (store._connection is before, store.held_bytes) == (True, 99 * file.HELD_OF_ROW_BYTES)
    commit(store, 99, 2, 2)
    keeper.work()
    assert (store._connection is before, store.held_bytes) == (False, 0)
    commit(store, 0, 102, 3)
    assert store.query("SELECT count(*), max(commit_no) FROM base.span_rows").row(0) == (102, 3)


def found(store: Store, table: str) -> pl.DataFrame:
    return store.query(f"FROM base.{table}")


@pytest.mark.parametrize(
    "write",
    [
        lambda store: store.write_results({}, rows("owners")),
        lambda store: store.write_findings(found(store, "findings"), found(store, "finding_requests")),
        lambda store: store.transact(lambda cursor: cursor.execute("DELETE FROM base.warnings").complete()),
    ],
    ids=["results", "findings", "others"],
)
def test_the_file_is_opened_anew_after_so_many_writes(
    store: Store, monkeypatch: pytest.MonkeyPatch, write: Callable[[Store], object]
) -> None:
    """However few rows they have."""
    monkeypatch.setattr(file, "HELD_OF_WRITE_BYTES", store.settings.memory_bytes // HELD_SHARE // 2 + 1)
    keeper = upkeep(store, Bounds())
    before = store._connection
    for opened_anew in (False, True):
        write(store)
        keeper.work()
        assert (store._connection is not before) is opened_anew


def test_a_file_that_is_read_is_opened_anew_later(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads is let be at first, and asked again now and then; in the end what is read is stopped."""
    monkeypatch.setattr(file, "HELD_OF_ROW_BYTES", store.settings.memory_bytes // HELD_SHARE)
    tries: list[bool] = []

    def tried(*, insist: bool) -> bool:
        tries.append(insist)
        return False

    monkeypatch.setattr(store, "open_anew_alone", tried)
    hands = Hands()
    keeper = upkeep(store, Bounds(), hands)
    commit(store, 0, 1, 1)
    for seconds in (0, 9, 1, 9):
        hands.pass_by(seconds)
        keeper.work()
    commit(store, 1, 2, 2)
    for seconds in (0, 1):
        hands.pass_by(seconds)
        keeper.work()
    assert tries == [False, False, True]


def test_a_collector_with_a_bound(tmp_path: Path) -> None:
    first, second = traffic.spans(800, seed=1), traffic.spans(80, seed=2)
    with traffic.running(tmp_path, bounds=Bounds(age_s=1e6)) as collector:
        assert traffic.call(collector.grpc, first.SerializeToString()).code is grpc.StatusCode.OK
        collector._upkeep._bounds = Bounds(size_bytes=1)
        collector._upkeep.work()
        collector._upkeep._bounds = Bounds()
        assert traffic.stored_spans(collector.store) == set()
        assert traffic.call(collector.grpc, second.SerializeToString()).code is grpc.StatusCode.OK
        assert traffic.stored_spans(collector.store) == traffic.span_ids(second)
        counts = collector.telemetry.snapshot()
    assert (counts["expired_items"], counts["failed_commits"]) == ({"traces": 800, "logs": 0, "metrics": 0}, 0)
