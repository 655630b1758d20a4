"""Timers of one duration, of which nearly all are cancelled: deadlines of requests that come in time.

An event loop keeps a timer in a heap until long after it was cancelled, and three of them cost a request of ten spans
more than its answer does. Those of one duration end in the order in which they began, so that the loop needs one timer
for the first of them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Timers:
    """Calls what it was told to after so many seconds; for one event loop."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[Timer, None] = {}
        """In the order in which they end."""
        self._armed = False

    def start(self, call: Callable[[], object]) -> Timer:
        """Have something called, unless the timer is cancelled before."""
        loop = asyncio.get_running_loop()
        timer = Timer(self._running, call, loop.time() + self._seconds)
        self._running[timer] = None
        if not self._armed:
            self._arm(loop, timer)
        return timer

    def deadline(self) -> Deadline:
        """Return a block that raises `TimeoutError` where it lasts longer."""
        return Deadline(self)

    def _arm(self, loop: asyncio.AbstractEventLoop, first: Timer) -> None:
        self._armed = True
        loop.call_at(first.ends, self._look)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._armed = False
        while self._running:
            first = next(iter(self._running))
            if first.ends > loop.time():
                self._arm(loop, first)
                return
            call = first.call
            first.cancel()
            call()


class Timer:
    """Something that is still to be called, as long as it is `running`."""

    __slots__ = ("_running", "call", "ends")

    def __init__(self, running: dict[Timer, None], call: Callable[[], object], ends: float) -> None:
        self._running = running
        self.call = call
        self.ends = ends

    def cancel(self) -> bool:
        """Do not call it; tell whether it was still to be called."""
        try:
            del self._running[self]
        except KeyError:
            return False
        self.call = _nothing  # whoever waits for it often holds it, and would wait for the garbage collector
        return True


def _nothing() -> None:
    pass


class Deadline:
    """A block of one task; what `asyncio.timeout` is, but for a duration that many share."""

    __slots__ = ("_cancelling", "_task", "_timer", "_timers")

    def __init__(self, timers: Timers) -> None:
        self._timers = timers

    def __enter__(self) -> Self:
        """Begin to count."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can be cut short")
        self._task, self._cancelling = task, task.cancelling()
        self._timer = self._timers.start(task.cancel)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Stop counting.

        Raises:
            TimeoutError: it took too long; not where the task was cancelled by somebody else, too.
        """
        if self._timer.cancel():
            return
        if self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error
