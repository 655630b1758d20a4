"""The queue between the doors and the store: bounded in bytes, committed in groups, answered when committed.

Two threads: under load one decodes what has gathered while the other commits the group before it. Groups form by
themselves: what arrives while a group is being worked on is the next one, so a lone request is committed at once and
a flood in large transactions. An answer means *committed*: after it, the rows survive `kill -9`.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from collector.arriving import LARGE_BYTES, give_back
from collector.ingest import Outcome
from seamscope.errors import SeamscopeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from collector.decoding.decode import Body
    from collector.groups import Groups, Settled
    from collector.ingest import Ingested
    from collector.telemetry import Telemetry

_log = logging.getLogger(__name__)

QUEUE_BYTES: Final = 64 * 1024 * 1024
"""Bytes of bodies held, from arrival to answer, before further ones are refused."""

GROUP_BYTES: Final = 8 * 1024 * 1024
"""Bytes of bodies that are decoded and committed together; a larger body is a group of its own.

A commit has a fixed price: 8 groups of 4,096 spans took 17.7 µs a span, 2 of 16,384 took 9.9 (`benchmarks.store`)."""

OVERLAP_BYTES: Final = 1024 * 1024
"""Bytes worth decoding while a commit runs. A group costs much the same however small it is, so with less than this
it is cheaper, and no slower, to let requests gather until the commit has ended."""

READ_SHARE: Final = 0.7
"""Of the queue, what bodies fill before no more are read: the rest is for those that turn out larger than usual. Less
than one address may hold (`doors.peers`)."""

GATHER_S: Final = 0.1
PAUSES: Final = 8
"""A group waits while requests keep coming, for as long as the last group took (`GATHER_S` at most), and not beyond a
pause of an eighth of that: the answers to a group bring its senders' next requests one by one, and the first of them
would be a group of its own, at much the same price as all together."""

REFUSALS: Final = {
    "queue_full": "the intake queue is full",
    "memory": "the collector holds nearly all the memory it may",
    "stopping": "the collector is stopping",
}
"""Why a request is not taken for now, and how that is said."""

MIN_RETRY_S: Final = 0.2
MAX_RETRY_S: Final = 30.0


class RefusedError(SeamscopeError):
    """A request was not taken for now: the sender keeps it and tries again.

    Attributes:
        retry_after_s: seconds to wait.
    """

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Answer(Protocol):
    """Where an answer goes: a future, or what the doors have instead."""

    def set_result(self, outcome: Outcome, /) -> None:
        """Take what became of a body, once it is committed."""

    def set_exception(self, error: Exception, /) -> None:
        """Take why it was not stored."""


@dataclass(slots=True)
class _Waiting:
    body: Body
    answer: Answer
    answered: bool = False


@dataclass(slots=True)
class _Group:
    waiting: list[_Waiting]
    taken_s: float
    """When (monotonic)."""
    ingested: Ingested | None = None

    @property
    def bodies(self) -> list[Body]:
        return [each.body for each in self.waiting]

    @property
    def size(self) -> int:
        return sum(len(each.body.data) for each in self.waiting)


class Intake:
    """Takes bodies from any thread, stores them in groups, and answers each.

    Args:
        groups: decodes and commits.
        telemetry: what is counted.
        on_stored: called with the readable bodies of a committed group before they are answered, such as a
            recorder's `write`.
        queue_bytes: see `QUEUE_BYTES`.
        group_bytes: see `GROUP_BYTES`.
        room: tells what share of the queue may be full, by what memory is left; of none, a body at a time is taken.
    """

    def __init__(
        self,
        groups: Groups,
        telemetry: Telemetry,
        *,
        on_stored: Callable[[Sequence[Body]], None] | None = None,
        queue_bytes: int = QUEUE_BYTES,
        group_bytes: int = GROUP_BYTES,
        room: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self._groups = groups
        self._telemetry = telemetry
        self._on_stored = on_stored
        self._queue_bytes = queue_bytes
        self._group_bytes = group_bytes
        self._room = room
        self._changed = threading.Condition()
        self._pending: deque[_Waiting] = deque()
        self._pending_bytes = 0
        self._resting = False
        self._decoded: _Group | None = None
        self._committing = False
        self._held = 0
        self._bytes_per_s = 0.0
        self._last_took_s = 0.0
        self._stopping = False
        self._decoder_done = False
        self._threads = [
            threading.Thread(target=self._decode_loop, name="decode"),
            threading.Thread(target=self._commit_loop, name="commit"),
        ]

    def start(self) -> None:
        """Start the two threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Refuse what comes from now on, answer what is held, and end the threads."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def has_room(self, coming_bytes: int) -> bool:
        """Tell whether another body should be read, while so many bytes are; or refused for good."""
        if self._stopping or not (self._held or coming_bytes):
            return True
        return self._held + coming_bytes < READ_SHARE * self._room() * self._queue_bytes

    def is_short(self) -> bool:
        """Tell whether memory is."""
        return self._room() < 1

    def check_room(self, signal: str, coming_bytes: int | None = None) -> None:
        """Raise `RefusedError` where a body of any size would be refused, so that a door need not read it first.

        Who comes without `has_room`, having waited long enough, tells how many bytes are coming: they would be read
        when memory is short, all at once, for nothing.
        """
        if self._stopping:
            raise self._refusal(signal, "stopping")
        if self._held >= self._queue_bytes:
            raise self._refusal(signal, "queue_full")
        share = self._room()
        late = coming_bytes is not None and share < 1 and not self.has_room(coming_bytes)
        if late or (self._held and self._held >= share * self._queue_bytes):
            raise self._refusal(signal, "memory")

    def submit(self, body: Body) -> Future[Outcome]:
        """Take a body; the future ends with its outcome once committed, or with `RefusedError`. Raises as `take`."""
        answer: Future[Outcome] = Future()
        self.take(body, answer)
        return answer

    def take(self, body: Body, answer: Answer) -> None:
        """Take a body; its answer is given from another thread.

        Raises:
            RefusedError: there is no room for it, or the collector is stopping.
        """
        size = len(body.data)
        self._telemetry.received(body.signal, size)
        waiting = _Waiting(body, answer)
        most = self._room() * self._queue_bytes
        with self._changed:
            reason = self._why_not(size, most)
            if reason is None:
                self._pending.append(waiting)
                self._pending_bytes += size
                self._hold(size)
                if self._pending_bytes >= OVERLAP_BYTES or (self._resting and self._is_due()):
                    self._changed.notify_all()  # else nobody waits for it
                return
        raise self._refusal(body.signal, reason)

    def _why_not(self, size: int, most: float) -> str | None:
        """Tell why a body is not taken; a lone one always is, unless the collector is stopping."""
        if self._held and self._held + size > self._queue_bytes:
            return "queue_full"
        if self._stopping:
            return "stopping"
        return "memory" if self._held and self._held + size > most else None

    def _refusal(self, signal: str, reason: str) -> RefusedError:
        self._telemetry.refused(signal, reason)
        return RefusedError(f"{REFUSALS[reason]}; send this request again later", self._retry_after_s())

    def _retry_after_s(self, least_s: float = MIN_RETRY_S) -> float:
        """Return when there should be room, by the pace of late; spread out, so that senders do not return at once."""
        expected = self._held / self._bytes_per_s if self._bytes_per_s else 1.0
        return min(MAX_RETRY_S, max(least_s, expected)) * random.uniform(1.0, 1.5)  # noqa: S311 - jitter

    def _hold(self, size: int) -> None:
        self._held += size
        self._telemetry.holds(self._held)

    def _take(self) -> _Group | None:
        """Wait until there is a group worth decoding; return it, None at the end."""
        with self._changed:
            self._resting = True
            self._changed.wait_for(self._is_due)
            self._resting = False
            self._gather()
            taken: list[_Waiting] = []
            size = 0
            while self._pending and (not taken or size + len(self._pending[0].body.data) <= self._group_bytes):
                taken.append(self._pending.popleft())
                size += len(taken[-1].body.data)
            self._pending_bytes -= size
            return _Group(taken, time.monotonic()) if taken else None

    def _is_due(self) -> bool:
        if self._decoded is not None:
            return False
        if self._stopping:
            return True
        return bool(self._pending) and (not self._committing or self._pending_bytes >= OVERLAP_BYTES)

    def _gather(self) -> None:
        """Wait while more comes, and it is still little."""
        longest = min(self._last_took_s, GATHER_S)
        until = time.monotonic() + longest
        seen = 0
        while seen < len(self._pending) and self._pending_bytes < OVERLAP_BYTES and time.monotonic() < until:
            if self._stopping:
                return
            seen = len(self._pending)
            self._changed.wait(longest / PAUSES)

    def _decode_loop(self) -> None:
        while group := self._take():
            group.ingested = self._groups.decode(group.bodies)
            self._hand_over(group)
            del group  # its bodies must not wait here for the next one
        self._hand_over(None)

    def _hand_over(self, group: _Group | None) -> None:
        with self._changed:
            self._decoded = group
            self._decoder_done = group is None
            self._changed.notify_all()

    def _commit_loop(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._decoded is not None or self._decoder_done)
                group, self._decoded = self._decoded, None
                self._committing = group is not None
                self._changed.notify_all()
            if group is None:
                return
            try:
                self._settle(group)
            except BaseException as error:  # noqa: BLE001 - whatever it was, it must not stop the loop
                _log.exception("a group of %d requests could not be settled", len(group.waiting))
                self._answer_rest(group, error)
            del group
            with self._changed:
                self._committing = False
                self._changed.notify_all()

    def _settle(self, group: _Group) -> None:
        started = time.perf_counter()
        settled = self._groups.settle(group.bodies, group.ingested)
        self._note_pace(group.size, time.perf_counter() - started)
        self._record(
            [
                each.body
                for each, what in zip(group.waiting, settled, strict=True)
                if isinstance(what, Outcome) and what.error is None
            ]
        )
        self._last_took_s = time.monotonic() - group.taken_s
        for each, what in zip(group.waiting, settled, strict=True):
            self._try_to_answer(each, what)
        if group.size > LARGE_BYTES:
            give_back()

    def _note_pace(self, size: int, took_s: float) -> None:
        pace = size / max(took_s, 1e-6)
        self._bytes_per_s = 0.8 * self._bytes_per_s + 0.2 * pace if self._bytes_per_s else pace

    def _record(self, bodies: list[Body]) -> None:
        if self._on_stored is None or not bodies:
            return
        try:
            self._on_stored(bodies)
        except Exception:  # noqa: BLE001 - whatever the recorder stumbled over, the spans are stored
            _log.exception("recording failed; the spans are stored all the same")

    def _answer_rest(self, group: _Group, error: BaseException) -> None:
        """Ask those of a group who still wait to send again: of what is stored already, the store takes no second."""
        for each in group.waiting:
            if not each.answered:
                self._try_to_answer(each, error)

    def _try_to_answer(self, each: _Waiting, what: Settled) -> None:
        each.answered = True
        try:
            self._answer(each, what)
        except Exception:  # noqa: BLE001 - the others of its group wait for theirs
            _log.exception("a request could not be answered")

    def _answer(self, each: _Waiting, what: Settled) -> None:
        with self._changed:
            self._hold(-len(each.body.data))
        try:  # counted first, so that who has its answer finds it counted
            if isinstance(what, Outcome):
                self._telemetry.answered(each.body.signal, what)
            else:
                self._telemetry.refused(each.body.signal, "store")
        finally:
            self._tell(each.answer, what)

    def _tell(self, answer: Answer, what: Settled) -> None:
        if isinstance(what, Outcome):
            answer.set_result(what)
        else:
            words = "the store cannot be written for now; send this request again later"
            answer.set_exception(RefusedError(words, self._retry_after_s(1.0)))
