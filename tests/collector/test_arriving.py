"""Bodies on their way in: a few at a time, bounded together, and the slow ones hold nobody up."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from collector import arriving
from collector.arriving import Arriving, SlowError, Turns, give_back


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_only_a_few_read_at_a_time() -> None:
    turns = Turns(2, turn_s=3600)
    gates = [asyncio.Event() for _ in range(5)]
    begun: list[int] = []

    async def read(number: int) -> int:
        begun.append(number)
        await gates[number].wait()
        return number

    tasks = [asyncio.create_task(turns.read(partial(read, number))) for number in range(5)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert begun == [0, 1]
    for gate in gates:
        gate.set()
    assert await asyncio.gather(*tasks) == [0, 1, 2, 3, 4]


@pytest.mark.anyio
async def test_a_slow_one_gives_its_turn_up() -> None:
    turns = Turns(1, turn_s=0.01)
    never = asyncio.create_task(turns.read(asyncio.Event().wait))
    await asyncio.wait_for(turns.read(partial(asyncio.sleep, 0)), 60)
    never.cancel()
    with pytest.raises(asyncio.CancelledError):
        await never
    assert turns.free == 1  # neither lost nor doubled


@pytest.mark.anyio
async def test_while_memory_is_short_those_that_are_slow_for_longest_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(arriving, "SLOW", 2)
    monkeypatch.setattr(arriving, "LOOK_S", 0.01)
    short = asyncio.Event()
    turns = Turns(1, turn_s=0.01, is_short=short.is_set)
    readers = [asyncio.create_task(turns.read(asyncio.Event().wait)) for _ in range(5)]
    await asyncio.sleep(0)
    for _ in readers:
        await turns.read(partial(asyncio.sleep, 0))  # its turn comes once one more is slow
    slowest = list(turns._slow)[:3]
    assert not any(reader.done() for reader in readers)
    short.set()
    await asyncio.wait_for(asyncio.wait(slowest), 60)
    assert {reader for reader in readers if reader.done()} == set(slowest)
    assert all(isinstance(reader.exception(), SlowError) for reader in slowest)
    for reader in readers:
        reader.cancel()
    await asyncio.wait(readers)
    assert sum(reader.cancelled() for reader in readers) == 2
    assert turns.free == 1


@pytest.mark.anyio
async def test_a_reader_that_fails_frees_its_turn() -> None:
    turns = Turns(1, turn_s=3600)

    async def fail() -> None:
        raise ConnectionResetError

    for _ in range(3):
        with pytest.raises(ConnectionResetError):
            await turns.read(fail)
    assert turns.free == 1


@pytest.mark.anyio
async def test_one_that_is_cancelled_in_line_takes_no_turn() -> None:
    turns = Turns(1, turn_s=3600)
    gate = asyncio.Event()
    first = asyncio.create_task(turns.read(gate.wait))
    waiting = asyncio.create_task(turns.read(partial(asyncio.sleep, 0)))
    await asyncio.sleep(0)
    waiting.cancel()
    gate.set()
    await first
    assert turns.free == 1


@pytest.mark.anyio
async def test_the_latest_comes_first() -> None:
    turns = Turns(1, turn_s=3600)
    gate = asyncio.Event()
    begun: list[int] = []

    async def read(number: int) -> None:
        begun.append(number)

    tasks = [asyncio.create_task(turns.read(gate.wait))]
    tasks += [asyncio.create_task(turns.read(partial(read, number))) for number in range(3)]  # type: ignore[arg-type]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*tasks)
    assert begun == [2, 1, 0]
    assert turns.free == 1


def test_bytes_are_counted_until_the_body_has_arrived() -> None:
    arriving = Arriving(limit_bytes=100)
    with arriving.body() as first:
        assert first.grows(60)
        with arriving.body() as second:
            assert not second.grows(60)
            assert second.grows(40)
        assert first.grows(40)
        assert not first.grows(1)
    with arriving.body() as third:
        assert third.grows(1000)  # alone, whatever its size: the body's own limit is another one's business


def test_memory_can_be_handed_back() -> None:
    give_back()
