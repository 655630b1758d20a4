"""The queue between the doors and the store: answered when committed, bounded, and nobody pays for another's fault."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

import polars as pl
import pytest

from collector import intake as intake_module
from collector.decoding.decode import Body
from collector.doors.answers import Answers
from collector.groups import FAILED_COMMITS, Groups
from collector.ingest import Ingested, Outcome, ingest
from collector.intake import Intake, RefusedError
from collector.telemetry import Telemetry
from seamscope.errors import StoreError
from seamscope.store import CommitReceipt, Store
from tests.collector import traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa


def body(request: Any) -> Body:
    return Body(request.SerializeToString(), "protobuf", "traces")


class Judged:
    """A real store before which a judge may hold or refuse a commit."""

    def __init__(self, store: Store, judge: Callable[[Mapping[str, pa.Table]], None]) -> None:
        self._store = store
        self._judge = judge

    def commit(self, batch: Mapping[str, pa.Table], *, now_ns: int) -> CommitReceipt:
        self._judge(batch)
        return self._store.commit(batch, now_ns=now_ns)


@contextmanager
def intake(
    folder: Path, judge: Callable[[Mapping[str, pa.Table]], None] = lambda _: None, **more: Any
) -> Iterator[tuple[Intake, Store, Telemetry]]:
    telemetry = Telemetry()
    read = more.pop("read", ingest)
    with Store.open(folder / "store.duckdb") as store:
        taken = Intake(Groups(read, Judged(store, judge), telemetry), telemetry, **more)
        taken.start()
        try:
            yield taken, store, telemetry
        finally:
            taken.stop()


def ids(batch: Mapping[str, pa.Table]) -> set[int]:
    return set(batch["spans"]["span_id"].to_pylist())


def test_an_answer_means_committed(tmp_path: Path) -> None:
    request = traffic.spans(24)
    with intake(tmp_path) as (door, store, telemetry):
        outcome = door.submit(body(request)).result(traffic.DEADLINE_S)
        assert outcome.accepted == 24
        assert traffic.stored_spans(store) == traffic.span_ids(request)
        assert telemetry.total("accepted") == 24
        assert telemetry.held_bytes == 0


def test_what_gathers_during_a_commit_is_committed_together(tmp_path: Path) -> None:
    held, go = threading.Event(), threading.Event()

    def hold_the_first(_batch: Mapping[str, pa.Table]) -> None:
        held.set()
        assert go.wait(traffic.DEADLINE_S)

    with intake(tmp_path, hold_the_first) as (door, store, _):
        first = door.submit(body(traffic.spans(8, seed=0)))
        assert held.wait(traffic.DEADLINE_S)
        second = door.submit(body(traffic.spans(8, seed=1)))  # decoded while the first is being committed
        rest = [door.submit(body(traffic.spans(8, seed=seed))) for seed in range(2, 20)]
        assert not first.done()
        go.set()
        wait([first, second, *rest], traffic.DEADLINE_S)
        commits = store.query("SELECT count(DISTINCT commit_no) AS n FROM base.spans")["n"][0]
        assert traffic.count(store, "spans") == 20 * 8
        assert commits in {2, 3}  # the second may have been taken together with some of the rest


def test_requests_that_keep_coming_are_committed_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = [body(traffic.spans(8, seed=seed)) for seed in range(20)]
    monkeypatch.setattr(intake_module, "PAUSES", 1)
    monkeypatch.setattr(intake_module, "OVERLAP_BYTES", sum(len(each.data) for each in bodies[1:]))
    with intake(tmp_path) as (door, store, _):
        assert door.submit(bodies[0]).result(traffic.DEADLINE_S).accepted == 8  # tells what a group takes
        wait([door.submit(each) for each in bodies[1:]], traffic.DEADLINE_S)
        assert store.query("SELECT count(DISTINCT commit_no) AS n FROM base.spans")["n"][0] == 2
        assert traffic.count(store, "spans") == 20 * 8


def test_a_full_queue_refuses_at_once_and_says_when_to_return(tmp_path: Path) -> None:
    go = threading.Event()
    one = body(traffic.spans(8, seed=0))
    with intake(tmp_path, lambda _: _wait(go), queue_bytes=3 * len(one.data)) as (door, store, telemetry):
        taken = [door.submit(body(traffic.spans(8, seed=seed))) for seed in range(3)]
        with pytest.raises(RefusedError, match="full") as refused:
            door.submit(body(traffic.spans(8, seed=3)))
        assert 0 < refused.value.retry_after_s < 60
        with pytest.raises(RefusedError):
            door.check_room("traces")
        go.set()
        assert [future.result(traffic.DEADLINE_S).accepted for future in taken] == [8, 8, 8]
        door.check_room("traces")
        assert door.submit(body(traffic.spans(8, seed=3))).result(traffic.DEADLINE_S).accepted == 8
        assert traffic.count(store, "spans") == 32
        assert telemetry.total("refused") == 2


def _wait(event: threading.Event) -> None:
    assert event.wait(traffic.DEADLINE_S)


def test_a_body_larger_than_the_queue_is_taken_when_nothing_else_is_held(tmp_path: Path) -> None:
    with intake(tmp_path, queue_bytes=10, group_bytes=10) as (door, _, _telemetry):
        assert door.submit(body(traffic.spans(8))).result(traffic.DEADLINE_S).accepted == 8


def test_an_unreadable_body_does_not_hurt_its_neighbours(tmp_path: Path) -> None:
    with intake(tmp_path) as (door, store, telemetry):
        good = [door.submit(body(traffic.spans(8, seed=seed))) for seed in range(3)]
        bad = door.submit(Body(b"\x0a\xff\xff\xff\xff\x0f", "protobuf", "traces"))
        assert [future.result(traffic.DEADLINE_S).accepted for future in good] == [8, 8, 8]
        assert bad.result(traffic.DEADLINE_S).error is not None
        assert traffic.count(store, "spans") == 24
        assert telemetry.total("invalid") == 1


def test_a_body_that_breaks_the_decoder_is_found_and_the_rest_is_stored(tmp_path: Path) -> None:
    poison = body(traffic.spans(8, seed=99))

    def fragile(bodies: Sequence[Body]) -> Ingested:
        if poison in bodies:
            raise RecursionError
        return ingest(bodies)

    gate = threading.Event()
    with intake(tmp_path, lambda _: _wait(gate), read=fragile) as (door, store, _):
        first = door.submit(body(traffic.spans(8, seed=0)))
        later = [door.submit(each) for each in (body(traffic.spans(8, seed=1)), poison, body(traffic.spans(8, seed=2)))]
        gate.set()
        assert first.result(traffic.DEADLINE_S).accepted == 8
        outcomes = [future.result(traffic.DEADLINE_S) for future in later]
        assert [outcome.accepted for outcome in outcomes] == [8, 0, 8]
        assert outcomes[1].error
        assert traffic.count(store, "spans") == 24


def test_a_body_that_the_store_cannot_take_is_found_and_the_rest_is_stored(tmp_path: Path) -> None:
    poison = traffic.spans(8, seed=99)
    gate = threading.Event()

    def picky(batch: Mapping[str, pa.Table]) -> None:
        _wait(gate)
        if ids(batch) & traffic.span_ids(poison):
            raise StoreError("cannot store a group")

    with intake(tmp_path, picky) as (door, store, telemetry):
        requests = [traffic.spans(8, seed=seed) for seed in range(9)]
        futures = [door.submit(body(request)) for request in [*requests[:5], poison, *requests[5:]]]
        gate.set()
        wait(futures, traffic.DEADLINE_S)
        assert isinstance(futures[5].exception(), RefusedError)
        assert sum(future.exception() is None for future in futures) == 9
        assert traffic.stored_spans(store) == set().union(*map(traffic.span_ids, requests))
        assert telemetry.total("refused") == 1


def test_a_store_that_fails_refuses_for_a_while_and_no_longer(tmp_path: Path) -> None:
    broken = threading.Event()
    broken.set()
    tried: list[int] = []

    def full_disk(batch: Mapping[str, pa.Table]) -> None:
        if broken.is_set():
            tried.append(len(batch))
            raise StoreError("cannot store a group: no space left on device")

    with intake(tmp_path, full_disk) as (door, store, telemetry):
        futures = [door.submit(body(traffic.spans(8, seed=seed))) for seed in range(40)]
        wait(futures, traffic.DEADLINE_S)
        errors = [future.exception() for future in futures]
        assert all(isinstance(error, RefusedError) and error.retry_after_s >= 1.0 for error in errors)
        assert len(tried) <= 40 * 2 + FAILED_COMMITS
        assert traffic.count(store, "spans") == 0
        broken.clear()
        assert door.submit(body(traffic.spans(8))).result(traffic.DEADLINE_S).accepted == 8
        assert traffic.count(store, "spans") == 8
        assert telemetry.total("requests") == 41
        assert telemetry.total("refused") == 40


def test_sent_is_stored_plus_duplicates_plus_rejected(tmp_path: Path) -> None:
    request = traffic.spans(16)
    request.resource_spans[0].scope_spans[0].spans[3].trace_id = b""
    with intake(tmp_path) as (door, store, telemetry):
        for _ in range(2):
            outcome = door.submit(body(request)).result(traffic.DEADLINE_S)
            assert outcome.accepted == 15
            assert sum(outcome.rejected.values()) == 1
        counts: Any = telemetry.snapshot()
        stored = traffic.count(store, "spans")
        assert stored + counts["signals"]["traces"]["duplicates"] + telemetry.total("rejected") == 2 * 16


def test_a_log_request_that_is_sent_again_is_stored_once(tmp_path: Path) -> None:
    """Its acknowledgement was lost; it may even be sent again while it still waits."""
    request = traffic.logs(3)
    records = request.resource_logs[0].scope_logs[0].log_records
    records.add().CopyFrom(records[0])
    sent = Body(request.SerializeToString(), "protobuf", "logs")
    with intake(tmp_path) as (door, store, telemetry):
        assert door.submit(sent).result(traffic.DEADLINE_S).accepted == 4
        assert door.submit(sent).result(traffic.DEADLINE_S).accepted == 4
        assert store.commit(ingest([sent, sent]).tables, now_ns=2).duplicates == {"logs": 8}
        assert traffic.count(store, "logs") == 4
        counts: Any = telemetry.snapshot()
        assert counts["signals"]["logs"]["duplicates"] == 4


def test_stopping_answers_what_is_held_and_refuses_the_rest(tmp_path: Path) -> None:
    with intake(tmp_path) as (door, store, _):
        futures = [door.submit(body(traffic.spans(8, seed=seed))) for seed in range(30)]
        door.stop()
        assert [future.result(0).accepted for future in futures] == [8] * 30
        with pytest.raises(RefusedError, match="stopping"):
            door.submit(body(traffic.spans(8, seed=99)))
        assert traffic.count(store, "spans") == 240


def test_many_threads_lose_nothing(tmp_path: Path) -> None:
    with intake(tmp_path, queue_bytes=40_000) as (door, store, telemetry):

        def insist(seed: int) -> None:
            for part in range(5):
                sent = body(traffic.spans(16, seed=100 * seed + part))
                while True:
                    try:
                        assert door.submit(sent).result(traffic.DEADLINE_S).accepted == 16
                        break
                    except RefusedError:
                        continue

        threads = [threading.Thread(target=insist, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert traffic.count(store, "spans") == 8 * 5 * 16
        assert telemetry.held_bytes == 0


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), MemoryError(), ValueError("odd")])
def test_a_recorder_that_fails_does_not_cost_a_span(tmp_path: Path, fault: Exception) -> None:
    with intake(tmp_path, on_stored=mock.Mock(side_effect=fault)) as (door, store, telemetry):
        for seed in (1, 2):
            assert door.submit(body(traffic.spans(8, seed=seed))).result(traffic.DEADLINE_S).accepted == 8
        assert traffic.count(store, "spans") == 16
        assert telemetry.held_bytes == 0


def test_whatever_fails_while_a_group_is_settled_stops_no_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits is asked to send again, what was held is let go of, and the next request is stored."""
    monkeypatch.setattr(Intake, "_note_pace", mock.Mock(side_effect=[MemoryError, None]))
    with intake(tmp_path) as (door, store, telemetry):
        with pytest.raises(RefusedError):
            door.submit(body(traffic.spans(8, seed=1))).result(traffic.DEADLINE_S)
        assert telemetry.held_bytes == 0
        assert door.submit(body(traffic.spans(8, seed=1))).result(traffic.DEADLINE_S).accepted == 8
        assert traffic.count(store, "spans") == 8


def test_an_answer_that_cannot_be_given_costs_nobody_elses(tmp_path: Path) -> None:
    gate = threading.Event()
    with intake(tmp_path, lambda _: _wait(gate)) as (door, _, telemetry):
        first, gone, last = (door.submit(body(traffic.spans(8, seed=seed))) for seed in range(3))
        assert gone.cancel()
        gate.set()
        assert [each.result(traffic.DEADLINE_S).accepted for each in (first, last)] == [8, 8]
    assert telemetry.held_bytes == 0


def test_an_answer_to_a_loop_that_has_ended_is_let_go() -> None:
    loop = asyncio.new_event_loop()
    answer = Answers(loop).expect()
    loop.close()
    with mock.patch.object(loop, "is_closed", return_value=False):  # as a moment before
        answer.set_result(Outcome(1))
    assert not answer.given.done()


@pytest.mark.parametrize("fault", [pl.exceptions.PanicException("index out of bounds"), MemoryError()])
def test_a_commit_that_panics_stops_no_thread(tmp_path: Path, fault: BaseException) -> None:
    """A panic of Polars' is no `Exception`; whoever waits is told, and the next request is stored."""
    faults = [fault]

    def judge(_: Mapping[str, pa.Table]) -> None:
        if faults:
            raise faults.pop()

    with intake(tmp_path, judge) as (taken, store, _):
        with pytest.raises(RefusedError):
            taken.submit(body(traffic.spans(8, seed=1))).result(traffic.DEADLINE_S)
        assert taken.submit(body(traffic.spans(8, seed=2))).result(traffic.DEADLINE_S).accepted == 8
        assert traffic.count(store, "spans") == 8


def test_want_of_memory_is_no_fault_of_the_request(tmp_path: Path) -> None:
    def read(bodies: Sequence[Body]) -> Ingested:
        with mock.patch("collector.ingest.decode_traces", side_effect=MemoryError):
            return ingest(bodies)

    with intake(tmp_path, read=read) as (taken, _, telemetry), pytest.raises(RefusedError):
        taken.submit(body(traffic.spans(8))).result(traffic.DEADLINE_S)
    assert telemetry.total("refused") == 1
