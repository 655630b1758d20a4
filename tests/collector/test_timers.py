"""Many timers of one duration: each ends in time, cancelled ones leave nothing, deadlines are the task's own."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from collector.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Callable

    from collector.timers import Timer

LONG_S = 3600.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_those_that_are_not_cancelled_are_called_in_order() -> None:
    timers, called, all_called = Timers(0.02), list[int](), asyncio.Event()

    def note(number: int) -> Callable[[], None]:
        def called_now() -> None:
            called.append(number)
            if number == 4:
                all_called.set()

        return called_now

    started = [timers.start(note(number)) for number in range(5)]
    assert [started[number].cancel() for number in (0, 2)] == [True, True]
    await asyncio.wait_for(all_called.wait(), 60)
    assert called == [1, 3, 4]
    assert [timer.cancel() for timer in started] == [False] * 5


@pytest.mark.anyio
async def test_one_that_begins_later_ends_later() -> None:
    loop, timers, ended = asyncio.get_running_loop(), Timers(0.03), list[float]()
    last = asyncio.Event()
    began = [loop.time()]
    timers.start(lambda: ended.append(loop.time()))
    await asyncio.sleep(0.015)
    began.append(loop.time())
    timers.start(lambda: ended.append(loop.time()))
    timers.start(last.set)
    await asyncio.wait_for(last.wait(), 60)
    assert all(end - begin >= 0.03 for begin, end in zip(began, ended, strict=True))


@pytest.mark.anyio
async def test_a_timer_may_start_another() -> None:
    timers, ended = Timers(0.005), asyncio.Event()
    timers.start(lambda: timers.start(ended.set))
    await asyncio.wait_for(ended.wait(), 60)


@pytest.mark.anyio
async def test_a_cancelled_one_holds_nothing() -> None:
    class Holder:
        timer: Timer

        def called(self) -> None:
            pytest.fail("it was cancelled")

    timers, holder = Timers(LONG_S), Holder()
    holder.timer = timers.start(holder.called)
    gone = weakref.ref(holder)
    holder.timer.cancel()
    gc.disable()
    try:
        del holder
        assert gone() is None  # without the garbage collector
    finally:
        gc.enable()


@pytest.mark.anyio
async def test_a_block_that_lasts_too_long_ends_with_an_error() -> None:
    with pytest.raises(TimeoutError), Timers(0.01).deadline():
        await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0  # nobody takes it for cancelled from here on


@pytest.mark.anyio
async def test_a_task_that_somebody_cancels_is_cancelled() -> None:
    for seconds in (LONG_S, 0.0):
        begun = asyncio.Event()

        async def work(timers: Timers, begun: asyncio.Event) -> None:
            with timers.deadline():
                begun.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work(Timers(seconds), begun))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.anyio
async def test_what_a_block_raises_itself_is_raised() -> None:
    async def work(timers: Timers) -> None:
        with timers.deadline():
            try:
                await asyncio.wait_for(asyncio.Event().wait(), 0.005)
            except (TimeoutError, asyncio.CancelledError):
                raise ConnectionResetError from None

    for seconds in (LONG_S, 0.001):
        with pytest.raises(ConnectionResetError):
            await work(Timers(seconds))
