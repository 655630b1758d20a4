"""What settled is analysed, each time more is known: when, in which order, and what happens where that fails.

A window of event time (`windows`) is analysed when it has settled: all its traces with each other, and with their
neighbours. So what is stored in the end follows from the spans alone, whatever order they came in. Until then a trace
is analysed as soon as no span of it has come for a while, beside the calls of the last settled window, and its
requests are marked as not final. A late span opens its window, and those beside it, again. Traces that cannot be
processed are set aside (`sparing`).
"""

from __future__ import annotations

import threading
import time
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from analysis import NoRules
from seamscope.bridge import Bridge, Pace
from seamscope.errors import StoreError
from seamscope.findings import Conclusions
from seamscope.roll import Roll
from seamscope.sparing import Failed, Sparing
from seamscope.storing import RunSummary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import polars as pl

    from analysis import Rules
    from seamscope.store import Store
    from seamscope.windows import Window

    Progress = Callable[[int, int], None]

__all__ = ["RunSummary", "Settler", "analyze"]

SETTLE_NS: Final = 10_000_000_000
"""A trace without a new span for this long is analysed."""

WINDOWS_A_STEP: Final = 4
"""Windows that settled are analysed so many at a time, so that traces which settle meanwhile do not wait for long."""

SMALL_WINDOWS_A_STEP: Final = 64
"""Of those that are no more spans together than one may hold: a single sender with wild clocks makes thousands. 600 of
a trace each take 67 s of work; in steps of four, with a second of rest after each, 217 s, so 77, 7 s a step."""

_EVER: Final = 1 << 62


class Settler:
    """Analyses traces of one store as they settle; methods may be called from any thread.

    Args:
        store: the open store, to read and to write.
        rules: the operator's word on services and hosts (`seamscope.config.Config`).
        settle_ns: how long no span may have come for a trace before it is analysed.
        pace: how much is analysed at a time, and when that waits or ends.
    """

    def __init__(
        self,
        store: Store,
        rules: Rules | None = None,
        settle_ns: int = SETTLE_NS,
        pace: Pace | None = None,
    ) -> None:
        self._store = store
        self._settle_ns = settle_ns
        self._pace = pace or Pace()
        self._turn = threading.Lock()
        self._known: Roll | None = None
        rules = rules or NoRules()
        self._bridge = Bridge(store, rules, self._pace)
        self._conclusions = Conclusions(store, rules)
        self._sparing = Sparing(store, self._bridge.alone)
        self._waited_ns: int | None = None
        """Since when the longest waits, where a step failed and the roll of what waits is to be made anew."""
        self.failing = False
        """Whether the last step failed, and the next one tries again."""
        self.more_is_due = False
        """Whether something that had settled was left to the next step."""

    @property
    def set_aside(self) -> int:
        """Traces that were set aside since the start because processing them fails."""
        return self._sparing.aside.height

    def step(self, now_ns: int | None = None, progress: Progress | None = None) -> RunSummary:
        """Analyse what has settled by `now_ns` (the wall clock's by default); once time is up, as much as was begun."""
        now = time.time_ns() if now_ns is None else now_ns
        with self._turn:
            if self._pace.is_over():
                return RunSummary()
            done = self._surely(lambda: self._settled(now, progress))
            if not self._pace.is_over():
                self._conclusions.after(done.requests)
            return done

    def _settled(self, now_ns: int, progress: Progress | None) -> Iterator[RunSummary]:
        roll = self._looked(now_ns, WINDOWS_A_STEP)
        now_ns = roll.known_ns(now_ns)
        due = roll.agenda.due(now_ns)
        while not self._pace.is_over() and (ready := roll.ready(now_ns, due)).height:
            yield from self._told(self._bridge.by_trace(roll, ready), progress)
        now = self._at_once(roll, due)
        yield from self._told(self._bridge.by_window(roll, now), progress)
        self.more_is_due = len(due) > len(now) or roll.is_behind
        roll.forget()
        if not roll.agenda.todo:
            self._bridge.clear()

    def _at_once(self, roll: Roll, due: Sequence[Window]) -> Sequence[Window]:
        """Give the windows that come in one step: a few, and more of them where they and those beside are small."""
        if self._pace.is_tight():
            return due[:WINDOWS_A_STEP]
        near = (roll.census.with_those_beside([window]) for window in due[:SMALL_WINDOWS_A_STEP])
        spans = accumulate(sum(map(roll.census.spans, windows)) for windows in near)
        return due[: max(WINDOWS_A_STEP, sum(together <= self._pace.compared_spans for together in spans))]

    def analyze(self, *, everything: bool = False, progress: Progress | None = None) -> RunSummary:
        """Analyse all that is stored and not yet final, as if nothing more came; `everything`: again from the start.

        Raises:
            StoreError: time is up; what was not analysed is left to the next start.
        """
        with self._turn:
            self._check_time()
            if everything:
                self._sparing.forget()
                self._known = None
            done = self._surely(lambda: self._all(progress, everything=everything))
            self._conclusions.after(done.requests, at_once=True)
            return done

    def _all(self, progress: Progress | None, *, everything: bool) -> Iterator[RunSummary]:
        roll = self._looked()
        if everything:
            roll.everything()
        while roll.agenda.todo:
            self._check_time()
            yield from self._told(self._bridge.by_window(roll, sorted(roll.agenda.todo), anew=everything), progress)
            everything = False
        roll.forget()
        self._bridge.clear()

    def _check_time(self) -> None:
        if self._pace.is_over():
            raise StoreError("not all is analysed: the collector is stopping", "it goes on when it is started again")

    def _surely(self, work: Callable[[], Iterator[RunSummary]]) -> RunSummary:
        """Do `work`, again where traces fail in it and were set aside; what the store is to blame for is raised."""
        try:
            done = self._sparingly(work)
        except BaseException:
            self.failing = True
            raise
        self.failing = False
        return done

    def _sparingly(self, work: Callable[[], Iterator[RunSummary]]) -> RunSummary:
        done = RunSummary()
        while True:
            try:
                for part in work():
                    done += part
            except Failed as failed:
                if self._pace.is_over():
                    raise  # the next start finds out whose fault it is
                done += self._sparing.spare(failed)
            else:
                self._sparing.relieved()
                return done

    def rest(self, work: Callable[[], pl.DataFrame]) -> None:
        """Do `work` on the store while nothing is analysed; it gives the traces that are gone from it."""
        with self._turn:
            gone = work()
            if self._known is not None and gone.height:
                self._known.lose(gone)

    def retire(self) -> None:
        """Forget what of event time is no longer stored; the store is told with the next results."""
        with self._turn:
            if self._known is not None:
                self._known.retire()

    def lag_ns(self, now_ns: int) -> int:
        """Return for how long the trace that settled first has waited to be analysed; 0 where none waits."""
        roll = self._known  # another thread may let go of it meanwhile
        first_ns = roll.longest_ns() if roll is not None else self._waited_ns
        return 0 if first_ns is None else max(0, now_ns - self._settle_ns - first_ns)

    def _looked(self, now_ns: int = _EVER, enough_due: int | None = None) -> Roll:
        """Take note of what came since the last look; where much of it waits, until so many windows are due."""
        if self._known is None:
            self._bridge.begin()
            self._known = Roll(self._store, self._settle_ns, self._pace.compared_spans, self._sparing.aside)
        else:
            self._known.look(now_ns, enough_due)
        return self._known

    def _told(self, parts: Iterator[RunSummary], progress: Progress | None) -> Iterator[RunSummary]:
        started, spans = time.perf_counter(), 0
        try:
            for part in parts:
                spans += part.spans
                if progress is not None and self._known is not None:
                    left = sum(self._known.census.spans(window) for window in self._known.agenda.todo)
                    progress(spans, spans + left)
                yield part
        except BaseException:
            self._waited_ns = self._known.longest_ns() if self._known is not None else None
            self._known = None  # what the store says of itself counts, not what it was to be told
            self._bridge.forget()
            raise
        yield RunSummary(seconds=time.perf_counter() - started)


def analyze(
    store: Store,
    *,
    everything: bool = False,
    rules: Rules | None = None,
    progress: Progress | None = None,
) -> RunSummary:
    """Analyse what a store holds and has not analysed; `everything`: all of it again.

    `progress` is told spans done and spans in all after every batch.
    """
    return Settler(store, rules).analyze(everything=everything, progress=progress)
