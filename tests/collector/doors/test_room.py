"""The line before the queue: who waits is let in as there is room, addresses in turn, and refused after a while."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from collector.decoding.decode import Body
from collector.doors.room import USUAL_BYTES, Room
from collector.groups import Groups
from collector.ingest import ingest
from collector.intake import Intake, RefusedError
from collector.telemetry import Telemetry
from seamscope.store import Store
from tests.collector import traffic

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

BODY_BYTES = USUAL_BYTES


class Queue:
    """A queue of so many bodies; what an intake tells the doors of it."""

    def __init__(self, bodies: int) -> None:
        self.limit = bodies * BODY_BYTES
        self.held = 0
        self.stopping = False

    def has_room(self, coming_bytes: int) -> bool:
        return self.stopping or self.held + coming_bytes < self.limit

    def check_room(self, signal: str, _coming_bytes: int | None = None) -> None:
        if self.stopping or self.held >= self.limit:
            raise RefusedError(f"no room for {signal}", 1.0)


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(work(), 30)

    asyncio.run(bounded())


class Callers:
    """Requests that are read at once, and answered when they are told to."""

    def __init__(self, queue: Queue, patience_s: float = 30.0) -> None:
        self.queue = queue
        self.room = Room(queue, patience_s)  # type: ignore[arg-type]
        self.inside: list[str] = []
        self.answers: dict[str, asyncio.Event] = {}
        self.entered: dict[str, asyncio.Event] = {}

    async def request(self, host: str, name: str) -> None:
        self.answers[name], self.entered[name] = asyncio.Event(), asyncio.Event()
        async with self.room.place(host, "traces") as place:
            place.arrived(BODY_BYTES)
            self.queue.held += BODY_BYTES
            self.inside.append(name)
            self.entered[name].set()
            try:
                await self.answers[name].wait()
            finally:
                self.queue.held -= BODY_BYTES

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


def test_requests_wait_for_room_and_addresses_take_turns() -> None:
    async def work() -> None:
        callers = Callers(Queue(2))
        names = ["a1", "a2", "a3", "a4", "b1", "b2", "c1"]
        tasks = []
        for name in names:
            tasks.append(asyncio.ensure_future(callers.request(name[0], name)))
            await callers.settle()
        assert callers.inside == ["a1", "a2"]
        for number in range(len(names)):
            callers.answers[callers.inside[number]].set()
            await callers.settle()
        await asyncio.gather(*tasks)
        assert callers.inside == ["a1", "a2", "a3", "b1", "c1", "a4", "b2"]

    run(work)


def test_who_waits_too_long_is_refused_and_takes_no_room() -> None:
    async def work() -> None:
        callers = Callers(Queue(1), patience_s=0.02)
        first = asyncio.ensure_future(callers.request("a", "first"))
        await callers.settle()
        with pytest.raises(RefusedError):
            await callers.request("b", "second")
        callers.answers["first"].set()
        await first
        third = asyncio.ensure_future(callers.request("c", "third"))
        await callers.settle()
        assert callers.inside == ["first", "third"]
        callers.answers["third"].set()
        await third

    run(work)


def test_those_who_wait_too_long_are_not_all_read_when_memory_is_short(tmp_path: Path) -> None:
    """Half of the queue may be full, and is: of many who run out of patience none is read to be refused then."""
    held = Body(traffic.spans(8).SerializeToString(), "protobuf", "traces")
    telemetry = Telemetry()
    read = 0

    async def late(room: Room) -> None:
        nonlocal read
        async with room.place("host", "traces"):
            read += 1

    async def work(intake: Intake) -> None:
        room = Room(intake, patience_s=0.02)
        gone = await asyncio.gather(*(late(room) for _ in range(20)), return_exceptions=True)
        assert all(isinstance(each, RefusedError) for each in gone)

    with Store.open(tmp_path / "s.duckdb") as store:
        groups = Groups(ingest, store, telemetry)
        intake = Intake(groups, telemetry, queue_bytes=int(2.5 * len(held.data)), room=lambda: 0.5)
        first = intake.submit(held)
        run(lambda: work(intake))
        assert read == 0
        intake.start()
        assert first.result(traffic.DEADLINE_S).accepted == 8
        intake.stop()
    assert telemetry.snapshot()["signals"]["traces"]["refused_requests"] == {"memory": 20}  # type: ignore[index]


def test_a_sender_that_goes_while_it_waits_leaves_its_place_to_others() -> None:
    async def work() -> None:
        callers = Callers(Queue(1))
        tasks = []
        for name in ("a", "b", "c"):
            tasks.append(asyncio.ensure_future(callers.request(name, name)))
            await callers.settle()
        tasks[1].cancel()
        await callers.settle()
        callers.answers["a"].set()
        await callers.settle()
        assert callers.inside == ["a", "c"]
        callers.answers["c"].set()
        await asyncio.gather(tasks[0], tasks[2])

    run(work)


def test_bodies_that_are_on_their_way_count_until_they_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        callers = Callers(Queue(2))
        slow = [callers.room.place("slow", "traces") for _ in range(2)]
        for each in slow:
            await each.__aenter__()
        other = asyncio.ensure_future(callers.request("b", "other"))
        await callers.settle()
        assert callers.inside == []
        await callers.entered["other"].wait()  # once the slow ones are taken for what they are
        callers.answers["other"].set()
        await other
        for each in slow:
            await each.__aexit__(None, None, None)

    monkeypatch.setattr("collector.doors.room.LOOK_S", 0.01)
    run(work)


def test_more_requests_than_the_queue_holds_are_all_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.doors.room.COMING_S", 60.0)
    bodies = [traffic.spans(50, seed=number).SerializeToString() for number in range(64)]
    most = 8 * max(map(len, bodies))
    with traffic.running(tmp_path, queue_bytes=most) as collector, ThreadPoolExecutor(32) as threads:
        said = list(threads.map(lambda body: traffic.call(collector.grpc, body), bodies))
        assert {each.code.name for each in said} == {"OK"}
        assert collector.telemetry.total("refused") == 0
        assert collector.store.query("SELECT count(*) FROM base.span_rows").item() == 64 * 50
