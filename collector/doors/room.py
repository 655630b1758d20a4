"""The line before the queue: requests that come while it is full wait unread, at their senders, for a moment.

To read a body and then refuse it costs nearly what it costs to store it: of 480 requests in flight at once, where the
queue had room for 250, 32,000 spans a second were stored, and 90,000 where it had room for all. What is not read is
held by HTTP/2's and TCP's flow control. Who waits too long is refused, with a delay.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, Self

from collector.timers import Timers

if TYPE_CHECKING:
    from collector.intake import Intake

PATIENCE_S: Final = 5.0
"""How long a request waits: half of what OpenTelemetry's exporters give it by default."""

LOOK_S: Final = 0.5
"""Room may also come without an answer from here, such as memory that the analysis has let go."""

COMING_S: Final = 0.5
"""A body that takes longer to come is no longer counted as if it were there: slow senders must not hold others up."""

USUAL_BYTES: Final = 128 * 1024
"""What a body is taken for before the first one came: a batch of an SDK's exporter."""
LATEST: Final = 0.1
"""What the latest body counts in what bodies usually take."""


class Room:
    """Lets requests in as there is room for their bodies, addresses that wait in turn; for one event loop.

    Args:
        intake: whose room it is.
        patience_s: how long a request waits.
    """

    def __init__(self, intake: Intake, patience_s: float = PATIENCE_S) -> None:
        self._intake = intake
        self._patience_s = patience_s
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}
        self._coming = 0
        self._usual_bytes = float(USUAL_BYTES)
        self.timers = Timers(COMING_S)

    def place(self, host: str, signal: str, patience_s: float | None = None) -> Place:
        """Return a block: at its beginning a request waits until its body may be read, at its end the next may come.

        Args:
            host: whose request it is.
            signal: what it brings.
            patience_s: how long its sender waits for an answer; half of it may be spent here.
        """
        most = self._patience_s if patience_s is None else min(self._patience_s, patience_s / 2)
        return Place(self, host, signal, most)

    async def enter(self, host: str, signal: str, patience_s: float) -> None:
        """Wait until a body may be read.

        Raises:
            RefusedError: there was no room for too long, or the collector is stopping.
        """
        others = None
        if self._lines or not self._has_room():
            others = await self._stand(host, patience_s)
        else:
            self._coming += 1
        try:
            self._intake.check_room(signal, others)
        except BaseException:
            self._coming -= 1
            raise

    async def _stand(self, host: str, patience_s: float) -> int | None:
        """Wait to be let in; who has waited long enough comes all the same, and is told how many bytes come already."""
        loop = asyncio.get_running_loop()
        until = loop.time() + patience_s
        mine: asyncio.Future[None] = loop.create_future()
        self._lines.setdefault(host, deque()).append(mine)
        try:
            while not mine.done() and (left := until - loop.time()) > 0:
                await asyncio.wait((mine,), timeout=min(LOOK_S, left))
                self.let_in()
        except BaseException:
            self._coming -= mine.done()
            raise
        finally:
            self._forget(host, mine)
        if mine.done():
            return None
        others = self._coming_bytes()
        self._coming += 1
        return others

    def _forget(self, host: str, mine: asyncio.Future[None]) -> None:
        if not mine.done():
            self._lines[host].remove(mine)
            if not self._lines[host]:
                del self._lines[host]

    def _has_room(self) -> bool:
        return self._intake.has_room(self._coming_bytes())

    def _coming_bytes(self) -> int:
        return int(self._coming * self._usual_bytes)

    def let_in(self) -> None:
        """Let in those that wait, as far as there is room."""
        while self._lines and self._has_room():
            host = next(iter(self._lines))
            line = self._lines.pop(host)
            line.popleft().set_result(None)
            self._coming += 1
            if line:
                self._lines[host] = line

    def arrived(self, size: int) -> None:
        """Take note that a body was read, which took so much."""
        self._coming -= 1
        if size:
            self._usual_bytes += (size - self._usual_bytes) * LATEST


class Place:
    """What a request that was let in holds until its body is the intake's; an `async with` block."""

    __slots__ = ("_patience_s", "_room", "_timer", "_whose")

    def __init__(self, room: Room, host: str, signal: str, patience_s: float) -> None:
        self._room = room
        self._whose = host, signal
        self._patience_s = patience_s

    async def __aenter__(self) -> Self:
        """Wait to be let in; raises as `Room.enter`."""
        await self._room.enter(*self._whose, self._patience_s)
        self._timer = self._room.timers.start(self._is_late)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let the next ones in."""
        self.arrived(0)
        self._room.let_in()

    def _is_late(self) -> None:
        self._room.arrived(0)

    def arrived(self, size: int) -> None:
        """Take note that its body was read, which took so much; only the first word counts."""
        if self._timer.cancel():
            self._room.arrived(size)
