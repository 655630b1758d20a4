"""Bounds what bodies may take while they arrive, before the intake's queue can count them.

Over HTTP the bytes are counted as they come. Over gRPC a message comes whole or not at all, so only a few are read at
a time; HTTP/2's flow control holds the others back at their senders. A slow sender gives its turn up after a moment:
it cannot fill memory fast, and must not hold the others up.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

import pyarrow as pa

from collector.timers import Timers
from seamscope import allocators

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

T = TypeVar("T")

TURNS: Final = 4
TURN_S: Final = 0.25
ARRIVING_BYTES: Final = 128 * 1024 * 1024
LARGE_BYTES: Final = 8 * 1024 * 1024
"""Work on bodies of this size leaves holes in the heap worth handing back."""


class Turns:
    """Lets a few readers read at a time; for one event loop.

    The latest comes first: calls that never send anything must not stand in line before those that do.
    """

    def __init__(self, turns: int = TURNS, turn_s: float = TURN_S) -> None:
        self.free = turns
        """Turns that nobody has."""
        self._timers = Timers(turn_s)
        self._waiting: list[asyncio.Future[None]] = []

    async def read(self, reading: Callable[[], Awaitable[T]]) -> T:
        """Wait for a turn, then for what `reading` gives."""
        if self.free:
            self.free -= 1
        else:
            await self._stand()
        timer = self._timers.start(self._give)
        try:
            return await reading()
        finally:
            if timer.cancel():
                self._give()

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
