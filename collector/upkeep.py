"""The thread that keeps the store in bounds: old traces go, their room goes back to the disk, the log stays short.

All of it in small steps beside the commits; between two steps the analysis has its turn.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from seamscope.errors import SeamscopeError
from seamscope.store import dictionaries, giving_back, retention

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from collector.settling import Settling
    from seamscope.store import Store

_log = logging.getLogger(__name__)

EVERY_S: Final = 1.0
"""50,000 spans a second make 7 MB of log in it, which is `LOG_BYTES`."""

PRUNING_SHARE: Final = 50
"""What nothing refers to any more is looked for in a fiftieth of the time at most."""

PATIENCE_NS: Final = 600_000_000_000
"""After a try that gave nothing back to the disk, the next one comes so much later."""

FULL: Final = 0.9
"""With a bound on size, the oldest traces go once this share of it is taken …"""
ROOM: Final = 0.85
"""… until this share is; the rest is for the log and for what comes meanwhile."""

LOG_SHARE: Final = 64
LOG_BYTES: Final = 8 << 20
"""The log is folded in when it is so long, or a 64th of what the rows take where that is more.

Commits wait meanwhile: 60 to 80 ms with 8 MiB (116 ms beside 4,000,000 spans), 150 with 16, 600 with 64, for the same
CPU in all. At 50,000 spans a second the slowest hundredth of answers took 301 ms or more, 428 with 16 MiB, 977 with
64 (a run of 20 s each)."""

HELD_SHARE: Final = 4
"""The file is opened anew when what DuckDB holds beside its memory comes to a quarter of it (`Store.held_bytes`); it
takes 0.1 s, up to 1.4 under overload."""
ALONE_NS: Final = 10_000_000_000
"""After a try that found guests busy, the next one comes so much later; they are let be, until it is twice as much."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long and how much the store keeps; None for no bound.

    Attributes:
        age_s: seconds since the last span of a trace came.
        size_bytes: bytes of file and log.
    """

    age_s: float | None = None
    size_bytes: int | None = None


_RUNNING: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""It goes on while the machine sleeps, where there is such a clock."""


BELIEVED_NS: Final = 3_600_000_000_000
"""A wall clock that went ahead is believed once it has kept to that for so long."""
STEADY_NS: Final = 60_000_000_000
"""It keeps to it while it stays within so much: it is set a little now and then."""


class Clock:
    """Tells the time by the wall, but no later than so long after the start as has passed since.

    A wall clock that jumps ahead, be it for a moment, must not make everything old. One that stays ahead was behind
    before, as where a machine starts before it is told the time, or where it was halted: it is believed in the end.
    Ask again and again: it is only then that it looks.

    Args:
        wall_ns: nanoseconds since 1970, by a clock that may be set.
        running_ns: nanoseconds by one that may not.
    """

    def __init__(
        self,
        wall_ns: Callable[[], int] = time.time_ns,
        running_ns: Callable[[], int] = lambda: time.clock_gettime_ns(_RUNNING),
    ) -> None:
        self._wall_ns = wall_ns
        self.running_ns = running_ns
        self._start_ns = self._claimed_ns = wall_ns() - running_ns()
        self._claimed_at_ns = running_ns()

    def now_ns(self) -> int:
        """Return nanoseconds since 1970."""
        running_ns, wall_ns = self.running_ns(), self._wall_ns()
        self._look(wall_ns - running_ns, running_ns)
        return min(wall_ns, self._start_ns + running_ns)

    def _look(self, start_ns: int, running_ns: int) -> None:
        """Take note of what the wall makes of when it started, and since when it has."""
        if abs(start_ns - self._claimed_ns) > STEADY_NS:
            self._claimed_ns, self._claimed_at_ns = start_ns, running_ns
        elif start_ns > self._start_ns and running_ns - self._claimed_at_ns >= BELIEVED_NS:
            self._start_ns = start_ns


class Upkeep:
    """Keeps an open store in bounds, again and again.

    Args:
        store: the open store.
        settling: what analyses it; it rests during a step.
        bounds: what the operator wants kept.
        clock: what age is told by.
    """

    def __init__(self, store: Store, settling: Settling, bounds: Bounds, clock: Clock | None = None) -> None:
        self._store = store
        self._settling = settling
        self._bounds = bounds
        self._clock = clock or Clock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="upkeep")
        self._expire_at_ns = self._give_back_at_ns = 0
        self._prune_at_ns = self._open_anew_at_ns = self._free_at_ns = 0
        self._unfreed = self._dropped = False
        self._only_staying = 0
        self.expired: Counter[str] = Counter()
        """Rows that were deleted since the start, for their age or for the store's size, by table."""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a step that runs is finished."""
        self._stopped.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._stopped.wait(EVERY_S):
            self.work()

    def work(self) -> None:
        """Do what is due, until nothing is or the end is asked for; what fails keeps nothing else from being done."""
        for step in (self._fold, self._expire, self._shrink, self._prune, self._free, self._give_back, self._open_anew):
            try:
                step()
            except SeamscopeError as error:
                _log.warning("the store could not be kept in bounds: %s", error)
            except BaseException:  # noqa: BLE001 - the loop lives on
                _log.exception("the store could not be kept in bounds")

    def _fold(self) -> None:
        if self._store.log_bytes() <= LOG_BYTES:  # asked of the disk: a statement each second is half of idle work
            return
        now = giving_back.usage(self._store)
        if now.log_bytes > now.used_bytes // LOG_SHARE:
            self._store.checkpoint()

    def _expire(self) -> None:
        """Delete traces that are too old; looked at so seldom that each time there is something to delete."""
        age_s, now_ns = self._bounds.age_s, self._clock.now_ns()
        if age_s is None or self._clock.running_ns() < self._expire_at_ns:
            return
        self._expire_at_ns = self._clock.running_ns() + int(age_s * 1e9 / 100)
        self._drop(upto=retention.expired(self._store, now_ns - int(age_s * 1e9), now_ns))

    def _shrink(self) -> None:
        """Delete the oldest traces where the store takes too much; what they took is free after a checkpoint."""
        if (size_bytes := self._bounds.size_bytes) is None:
            return
        now = giving_back.usage(self._store)
        taken = now.used_bytes + now.log_bytes
        if taken > FULL * size_bytes and not self._unfreed:
            self._drop(rows=int((1 - ROOM * size_bytes / taken) * retention.rows(self._store)) + 1)

    def _drop(self, *, upto: int = retention.NO_END, rows: int = retention.NO_END) -> None:
        """Delete the oldest traces: up to a commit, or so many rows."""
        after = self._only_staying
        while rows > 0 and not self._stopped.is_set():
            done = self._step(after, upto, min(rows, retention.STEP_ROWS))
            if not done.upto:
                break
            after = done.upto
            rows -= done.items
        self._only_staying = after

    def _step(self, after: int, upto: int, rows: int) -> retention.Dropped:
        done = retention.Dropped()

        def work() -> pl.DataFrame:
            nonlocal done
            done = retention.step(self._store, after=after, upto=upto, rows=rows)
            return done.traces

        self._settling.rest(work)
        self.expired.update(done.rows)
        self._unfreed |= bool(done.items)
        self._dropped |= bool(done.items)
        return done

    def _prune(self) -> None:
        """Delete what only deleted rows referred to."""
        began = self._clock.running_ns()
        if self._dropped and began >= self._prune_at_ns:
            dictionaries.prune(self._store)
            self._settling.retire()
            self._dropped = False
            self._prune_at_ns = began + PRUNING_SHARE * (self._clock.running_ns() - began)

    def _free(self) -> None:
        """Fold the log in, so that what deleted rows took is free, while nobody who reads keeps them alive."""
        if self._unfreed and self._clock.running_ns() >= self._free_at_ns:
            self._unfreed = not self._checkpoint_alone()
            self._free_at_ns = self._clock.running_ns() + ALONE_NS * self._unfreed

    def _checkpoint_alone(self) -> bool:
        done = False

        def work() -> pl.DataFrame:
            nonlocal done
            done = self._store.checkpoint_alone()
            return retention.NO_TRACES

        self._settling.rest(work)
        return done

    def _give_back(self) -> None:
        """Shorten the file where much of it is free."""
        while not self._stopped.is_set() and self._clock.running_ns() >= self._give_back_at_ns:
            before = giving_back.usage(self._store)
            if not before.is_slack:
                return
            moved = giving_back.Moved(0, was_far=False)

            def work() -> pl.DataFrame:
                nonlocal moved
                moved = giving_back.step(self._store)
                return retention.NO_TRACES

            self._settling.rest(work)
            freed = self._checkpoint_alone() and moved.rows
            if not freed or (not moved.was_far and giving_back.usage(self._store).file_bytes >= before.file_bytes):
                self._give_back_at_ns = self._clock.running_ns() + PATIENCE_NS

    def _open_anew(self) -> None:
        """Open the file anew where DuckDB holds much that it does not count."""
        held_bytes = HELD_SHARE * self._store.held_bytes
        most_bytes = self._store.settings.memory_bytes
        if held_bytes < most_bytes or self._clock.running_ns() < self._open_anew_at_ns:
            return

        def work() -> pl.DataFrame:
            if not self._store.open_anew_alone(insist=held_bytes > 2 * most_bytes):
                self._open_anew_at_ns = self._clock.running_ns() + ALONE_NS
            return retention.NO_TRACES

        self._settling.rest(work)
