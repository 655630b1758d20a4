"""What the process holds stays in bounds: more is refused, in the protocol's words, before the kernel steps in."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import grpc
import numpy as np
import pyarrow as pa
import pytest

from collector import memory
from collector.arriving import give_back
from collector.decoding.decode import Body
from collector.groups import Groups
from collector.ingest import ingest
from collector.intake import GROUP_BYTES, Intake, RefusedError
from collector.memory import MIB, MemoryWatch, kernels_limit, resident_bytes, shares
from collector.telemetry import Telemetry
from seamscope.commands.quantities import LEAST_MEMORY
from seamscope.store import Store
from seamscope.windows import COMPARED_SPANS, READ_AHEAD
from tests.collector import traffic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.collector.traffic import Reply


@pytest.mark.parametrize("limit", [512, 640, 1024, 4096])
def test_shares_leave_room_for_decoding_and_analysis(limit: int) -> None:
    given = shares(limit * MIB)
    assert given.limit_bytes == limit * MIB * 9 // 10
    assert given.duckdb_bytes + given.queue_bytes + memory.PROGRAM_BYTES <= given.limit_bytes
    assert 2 * given.guest_bytes < given.duckdb_bytes


def analysis_bytes(held: memory.Shares) -> int:
    """Give what windows take: the one after that which is compared alone, where none is read ahead."""
    if not held.read_ahead:
        return held.compared_spans * (memory.COMPARED_BYTES + memory.PREPARED_BYTES)
    return held.compared_spans * memory.COMPARED_BYTES * (held.read_ahead + memory.HELD)


def test_the_smaller_the_memory_the_less_is_analysed_together() -> None:
    given = [shares(limit * MIB) for limit in (512, 640, 1024, 2048, 8192)]
    together = [analysis_bytes(each) for each in given]
    assert together == sorted(together)
    assert given[0].compared_spans == memory.LEAST_COMPARED_SPANS
    assert [each.read_ahead for each in given] == [0, 0, 0, 1, READ_AHEAD]
    assert given[-2].compared_spans == given[-1].compared_spans == COMPARED_SPANS
    for held, analysis in list(zip(given, together, strict=True))[1:]:
        taking = memory.PROGRAM_BYTES + memory.DECODING_BYTES + held.queue_bytes
        assert taking + held.duckdb_bytes + analysis <= held.limit_bytes


def test_the_smaller_the_memory_the_less_is_taken_at_once() -> None:
    given = [shares(limit * MIB) for limit in (512, 640, 1024, 8192)]
    assert [each.streams for each in given] == [memory.FEWEST_STREAMS] * 2 + [memory.STREAMS] * 2
    groups = [each.group_bytes for each in given]
    assert groups == sorted(groups)
    assert groups[1] < groups[2] == groups[3] == GROUP_BYTES
    assert all(each.group_bytes <= each.queue_bytes // memory.GROUPS for each in given)


def test_the_analysis_gets_its_share(tmp_path: Path) -> None:
    with traffic.running(tmp_path, memory_bytes=512 * MIB) as collector:
        settler, held = collector._settling._loaded(), shares(512 * MIB)
        assert (settler._pace.compared_spans, settler._pace.read_ahead) == (held.compared_spans, held.read_ahead)


def test_what_the_kernel_allows_counts() -> None:
    assert shares(4096 * MIB, 1280 * MIB) == shares(1024 * MIB)  # a fifth away from what ends the process
    assert shares(1024 * MIB, 1280 * MIB) == shares(1024 * MIB)
    assert shares(1024 * MIB, 4096 * MIB) == shares(1024 * MIB)
    assert shares(1024 * MIB, 600 * MIB) == shares(512 * MIB)
    assert shares(1024 * MIB, 512 * MIB) == shares(512 * MIB)
    assert memory.LEAST_BYTES == LEAST_MEMORY  # which the option refuses to go below


@pytest.mark.parametrize(
    ("own", "limits", "expected"),
    [
        (None, {}, None),
        (None, {".": "1024"}, 1024),  # a container: its own group is the root
        ("0::/\n", {".": "1024"}, 1024),
        ("0::/system.slice/seamscope.service\n", {}, None),
        ("0::/system.slice/seamscope.service\n", {"system.slice/seamscope.service": "3072"}, 3072),
        ("0::/system.slice/seamscope.service\n", {"system.slice/seamscope.service": "max"}, None),
        (
            "4:memory:/other\n0::/system.slice/seamscope.service\n",
            {".": "max", "system.slice": "2048", "system.slice/seamscope.service": "3072", "other": "1"},
            2048,
        ),
        ("0::/docker/abc\n", {".": "1024"}, 1024),  # of the host's tree only its own part is mounted
        ("0::/../../elsewhere\n", {".": "1024", "elsewhere": "1"}, 1024),
        ("4:memory:/other\n", {"other": "1"}, None),
    ],
)
def test_the_least_limit_of_the_groups_around_counts(
    tmp_path: Path, own: str | None, limits: dict[str, str], expected: int | None
) -> None:
    if own is not None:
        (tmp_path / "own").write_text(own)
    for group, text in limits.items():
        (tmp_path / "groups" / group).mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / group / "memory.max").write_text(f"{text}\n")
    assert kernels_limit(tmp_path / "groups", tmp_path / "own") == expected


def test_the_process_is_looked_at() -> None:
    before = resident_bytes()
    held = bytearray(b"x" * (64 * MIB))
    assert resident_bytes() - before > 32 * MIB
    del held


def test_what_arrow_holds_for_nothing_is_handed_back() -> None:
    def use() -> None:
        columns = [pa.array(np.arange(500_000)).cast(pa.float64()) for _ in range(40)]
        assert len(columns) == 40

    with ThreadPoolExecutor(1) as pool:
        before = resident_bytes()
        pool.submit(use).result()
        give_back()
        assert resident_bytes() - before < 64 * MIB


def test_free_memory_is_given_back_first(monkeypatch: pytest.MonkeyPatch) -> None:
    holds = [950]
    monkeypatch.setattr(memory, "give_back", lambda: holds.__setitem__(0, 840))
    monkeypatch.setattr(memory, "EVERY_S", 0.0)
    watch = MemoryWatch(1_000, lambda: holds[0], lambda _: None)
    assert watch.room() == 1
    holds[0] = 970
    assert watch.room() == pytest.approx(0.3)  # it has just been tried
    holds[0] = 840
    assert watch.room() == 1


@pytest.mark.parametrize(("held", "share"), [(0, 1), (900, 1), (910, 0.9), (960, 0.4), (990, 0.25), (2_000, 0.25)])
def test_the_nearer_the_limit_the_less_is_taken(monkeypatch: pytest.MonkeyPatch, held: int, share: float) -> None:
    monkeypatch.setattr(memory, "give_back", lambda: None)
    assert MemoryWatch(1_000, lambda: held, lambda _: None).room() == pytest.approx(share)


def test_what_is_freed_is_kept_while_there_is_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    now, holds = [100.0], [0]
    told: list[bool] = []
    monkeypatch.setattr("collector.memory.time.monotonic", lambda: now[0])
    watch = MemoryWatch(1_000, lambda: holds[0], told.append)
    for held in (690, 790, 810, 790, 710, 690):  # between the two shares it stays as it was
        now[0] += 1
        holds[0] = held
        watch.presses()
    assert told == [True, False, True]


def test_nobody_makes_way_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("collector.memory.time.monotonic", lambda: now[0])
    watch = MemoryWatch(1_000, lambda: 960, lambda _: None)
    assert not watch.presses()
    assert watch.room() == pytest.approx(0.4)
    assert watch.presses()
    now[0] += 2 * memory.ASKED_S
    assert not watch.presses()


def test_one_body_at_a_time_where_memory_is_short(tmp_path: Path) -> None:
    room = [1.0]
    telemetry = Telemetry()
    with Store.open(tmp_path / "test.duckdb") as store:
        intake = Intake(Groups(ingest, store, telemetry), telemetry, room=lambda: room[0])
        bodies = [Body(traffic.spans(8, seed=seed).SerializeToString(), "protobuf", "traces") for seed in range(3)]
        first = intake.submit(bodies[0])
        room[0] = 0.0
        with pytest.raises(RefusedError, match="nearly all the memory") as refused:
            intake.submit(bodies[1])
        assert refused.value.retry_after_s > 0
        with pytest.raises(RefusedError, match="nearly all the memory"):
            intake.check_room("traces")
        intake.start()
        assert first.result(traffic.DEADLINE_S).accepted == 8
        intake.check_room("traces")
        assert intake.submit(bodies[2]).result(traffic.DEADLINE_S).accepted == 8
        intake.stop()
    assert telemetry.snapshot()["signals"]["traces"]["refused_requests"] == {"memory": 2}  # type: ignore[index]


def test_as_many_bodies_as_there_is_memory_for(tmp_path: Path) -> None:
    telemetry = Telemetry()
    bodies = [Body(traffic.spans(8, seed=seed).SerializeToString(), "protobuf", "traces") for seed in range(5)]
    size = len(bodies[0].data)
    with Store.open(tmp_path / "test.duckdb") as store:
        intake = Intake(Groups(ingest, store, telemetry), telemetry, queue_bytes=10 * size, room=lambda: 0.5)
        assert intake.has_room(2 * size)
        assert not intake.has_room(4 * size)
        taken = [intake.submit(body) for body in bodies[:4]]
        intake.check_room("traces")
        with pytest.raises(RefusedError, match="nearly all the memory"):
            intake.submit(Body(bodies[4].data * 2, "protobuf", "traces"))
        intake.start()
        assert [each.result(traffic.DEADLINE_S).accepted for each in taken] == [8] * 4
        intake.stop()


def peak_bytes(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:  # noqa: PTH123 - no file of ours
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM"))


@pytest.mark.parametrize("settle", ["1h", "100ms"])
def test_a_collector_under_a_flood_stays_in_bounds(tmp_path: Path, settle: str) -> None:
    """Six senders of bodies that are many times as large once they are columns; without and with analysis beside it."""
    sent: dict[int, Reply] = {}
    bodies = [traffic.spans(6_000, seed=seed).SerializeToString() for seed in range(48)]

    def send(part: range) -> None:
        for number in part:
            sent[number] = traffic.call(listening.grpc, bodies[number])

    with traffic.collecting(tmp_path, "--db", "s.duckdb", "--max-memory", "512MiB", "--settle", settle) as listening:
        threads = [threading.Thread(target=send, args=(range(first, len(bodies), 6),)) for first in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        peak = peak_bytes(listening.program.process.pid)
        listening.program.send(signal.SIGTERM)
        listening.program.end()
    assert peak < 1.1 * 512 * MIB
    codes = [reply.code for reply in sent.values()]
    assert set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
    assert all(reply.details for reply in sent.values() if reply.code is grpc.StatusCode.UNAVAILABLE)
    with Store.open(tmp_path / "s.duckdb") as store:
        assert store.query("SELECT count(*) FROM base.span_rows").item() == 6_000 * codes.count(grpc.StatusCode.OK) > 0
