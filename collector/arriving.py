"""Bounds what bodies may take while they arrive, before the intake's queue can count them.

Over HTTP the bytes are counted as they come. Over gRPC a message comes whole or not at all, so only a few are read at
a time; HTTP/2's flow control holds the others back at their senders. A slow sender gives its turn up after a moment:
it cannot fill memory fast, and must not hold the others up. Many of them can fill it all the same, for grpcio holds
what came of a message: while memory is short, those that have been slow for longest are to come again.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar, cast

import pyarrow as pa

from collector.timers import Timers
from seamscope import allocators

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

T = TypeVar("T")

TURNS: Final = 4
TURN_S: Final = 0.25
SLOW: Final = 8
"""Slow readers that may go on while memory is short; each may hold as much as a message may have."""
LOOK_S: Final = 0.5
ARRIVING_BYTES: Final = 128 * 1024 * 1024
LARGE_BYTES: Final = 8 * 1024 * 1024
"""Work on bodies of this size leaves holes in the heap worth handing back."""


class SlowError(Exception):
    """A body was too slow in coming for the memory that there is."""


class Turns:
    """Lets a few readers read at a time; for one event loop.

    The latest comes first: calls that never send anything must not stand in line before those that do.

    Args:
        turns: how many read at a time.
        turn_s: after so many seconds a reader is slow, and another may read beside it.
        is_short: tells whether memory is short.
    """

    def __init__(
        self, turns: int = TURNS, turn_s: float = TURN_S, is_short: Callable[[], bool] = lambda: False
    ) -> None:
        self.free = turns
        """Turns that nobody has."""
        self._timers = Timers(turn_s)
        self._looks = Timers(LOOK_S)
        self._is_short = is_short
        self._waiting: list[asyncio.Future[None]] = []
        self._slow: dict[asyncio.Task[object], bool] = {}
        """Slow readers, the slowest first, and whether they were told to end."""
        self._watched = False

    async def read(self, reading: Callable[[], Awaitable[T]]) -> T:
        """Wait for a turn, then for what `reading` gives.

        Raises:
            SlowError: it was slow, as many others are, and memory is short.
        """
        if self.free:
            self.free -= 1
        else:
            await self._stand()
        task = cast("asyncio.Task[object]", asyncio.current_task())
        timer = self._timers.start(lambda: self._be_slow(task))
        try:
            return await reading()
        except asyncio.CancelledError:
            if not self._slow.get(task) or task.uncancel():
                raise
            raise SlowError from None
        finally:
            self._slow.pop(task, None)
            if timer.cancel():
                self._give()

    def _be_slow(self, task: asyncio.Task[object]) -> None:
        self._slow[task] = False
        if not self._watched:
            self._watched = True
            self._looks.start(self._look)
        self._give()

    def _look(self) -> None:
        """End those that have been slow for longest, as many as are too many, while memory is short."""
        if len(self._slow) > SLOW and self._is_short():
            for task in list(self._slow)[:-SLOW]:
                self._slow[task] = self._slow[task] or task.cancel()
        self._watched = bool(self._slow)
        if self._watched:
            self._looks.start(self._look)

    async def _stand(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give()  # it came too late
            raise

    def _give(self) -> None:
        while self._waiting:
            turn = self._waiting.pop()
            if not turn.done():
                turn.set_result(None)
                return
        self.free += 1


class Arriving:
    """Counts the bytes of bodies that are on their way in; for one event loop."""

    def __init__(self, limit_bytes: int = ARRIVING_BYTES) -> None:
        self._limit = limit_bytes
        self._bytes = 0

    @contextmanager
    def body(self) -> Iterator[Arrival]:
        """Count one body until the end of the block."""
        arrival = Arrival(self)
        try:
            yield arrival
        finally:
            self._bytes -= arrival.size

    def add(self, size: int) -> bool:
        """Count bytes; tell whether there was room for them."""
        if self._bytes and self._bytes + size > self._limit:
            return False
        self._bytes += size
        return True


class Arrival:
    """One body on its way in."""

    def __init__(self, arriving: Arriving) -> None:
        self._arriving = arriving
        self.size = 0

    def grows(self, size: int) -> bool:
        """Count bytes of it; tell whether there was room for them."""
        if not self._arriving.add(size):
            return False
        self.size += size
        return True


def give_back() -> None:
    """Hand free memory back to the system: Arrow's, and the C library's where it can."""
    pa.default_memory_pool().release_unused()  # 1 ms; of 185 MiB that two threads had let go, 158 came back
    allocators.give_back()
