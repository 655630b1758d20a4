"""The way back from the intake's threads to the doors' event loop: one wake-up per group, not one per request."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

T = TypeVar("T")


class Answers:
    """Lets coroutines of one event loop wait for futures that other threads end.

    `asyncio.wrap_future` wakes the loop for every single future; under load the answers of a group come together,
    and so do their wake-ups here.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._ended: deque[tuple[Future[object], asyncio.Future[None]]] = deque()

    async def of(self, answer: Future[T]) -> T:
        """Wait for a future of another thread; raises what it ended with."""
        ended: asyncio.Future[None] = self._loop.create_future()
        answer.add_done_callback(lambda done: self._note(done, ended))
        await ended
        return answer.result()

    def _note(self, done: Future[T], ended: asyncio.Future[None]) -> None:
        with self._lock:
            first = not self._ended
            self._ended.append((done, ended))  # type: ignore[arg-type]
        if first and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        with self._lock:
            ended, self._ended = self._ended, deque()
        for _, each in ended:
            if not each.done():
                each.set_result(None)
