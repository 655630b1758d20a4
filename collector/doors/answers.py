"""The way back from the intake's threads to the doors' event loop: one wake-up per group, not one per request."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from collector.ingest import Outcome


class Answers:
    """Lets coroutines of one event loop wait for what other threads find.

    `asyncio.wrap_future` wakes the loop for every single future; under load the answers of a group come together,
    and so do their wake-ups here.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._given: list[tuple[asyncio.Future[Outcome], Outcome | Exception]] = []

    def expect(self) -> Answer:
        """Return an answer that is still to be given."""
        return Answer(self, self._loop.create_future())

    def give(self, waiting: asyncio.Future[Outcome], what: Outcome | Exception) -> None:
        """Have it set on the loop; from any thread."""
        with self._lock:
            first = not self._given
            self._given.append((waiting, what))
        if first:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any longer
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        with self._lock:
            given, self._given = self._given, []
        for waiting, what in given:
            if waiting.done():
                continue  # nobody waits any longer
            if isinstance(what, Exception):
                waiting.set_exception(what)
            else:
                waiting.set_result(what)


class Answer:
    """What one request waits for; given once, from any thread, as a `concurrent.futures.Future` is.

    Attributes:
        given: ends with it.
    """

    __slots__ = ("_answers", "given")

    def __init__(self, answers: Answers, given: asyncio.Future[Outcome]) -> None:
        self._answers = answers
        self.given = given

    def set_result(self, outcome: Outcome) -> None:
        """Give it."""
        self._answers.give(self.given, outcome)

    def set_exception(self, error: Exception) -> None:
        """Say why there is none."""
        self._answers.give(self.given, error)
