"""The bridge between store and desk: what settled is read, analysed and written back, each time more is known.

A window of event time (`windows`) is analysed when it has settled: all its traces with each other, and with their
neighbours. So what is stored in the end follows from the spans alone, whatever order they came in. Until then a trace
is analysed as soon as no span of it has come for a while, beside the calls of the last settled window, and its
requests are marked as not final. A late span opens its window, and those beside it, again.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis import Neighbours, NoRules, compare
from seamscope.batches import batches
from seamscope.findings import Conclusions
from seamscope.roll import Roll
from seamscope.shelf import Shelf
from seamscope.statements import statement
from seamscope.storing import RunSummary, batch_of, write
from seamscope.windows import COMPARED_SPANS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from analysis import Compared, Rules
    from seamscope.shelf import Read
    from seamscope.store import Store
    from seamscope.storing import Batch
    from seamscope.windows import Window

    Progress = Callable[[int, int], None]

__all__ = ["RunSummary", "Settler", "analyze"]

_log = logging.getLogger(__name__)

SETTLE_NS: Final = 10_000_000_000
"""A trace without a new span for this long is analysed."""

WINDOWS_A_STEP: Final = 4
"""Windows that settled are analysed so many at a time, so that traces which settle meanwhile do not wait for long."""

LENT_CALLS: Final = 20_000
"""Calls of the last settled window that traces of later ones are compared with until theirs has settled."""

_EVER: Final = 1 << 62


class Settler:
    """Analyses traces of one store as they settle; methods may be called from any thread.

    Args:
        store: the open store, to read and to write.
        rules: the operator's word on services and hosts (`seamscope.config.Config`).
        settle_ns: how long no span may have come for a trace before it is analysed.
        compared_spans: windows of more spans are halved, and batches have no more.
    """

    def __init__(
        self,
        store: Store,
        rules: Rules | None = None,
        settle_ns: int = SETTLE_NS,
        compared_spans: int = COMPARED_SPANS,
    ) -> None:
        self._store = store
        self._rules = rules or NoRules()
        self._settle_ns = settle_ns
        self._most = compared_spans
        self._turn = threading.Lock()
        self._known: Roll | None = None
        self._shelf = Shelf(store, self._rules)
        self._services: set[str] = set()
        self._latest: list[pl.DataFrame] = []
        self._conclusions = Conclusions(store, self._rules)

    def step(self, now_ns: int | None = None, progress: Progress | None = None) -> RunSummary:
        """Analyse what has settled by `now_ns` (the wall clock's by default)."""
        now = time.time_ns() if now_ns is None else now_ns
        with self._turn:
            roll = self._looked()
            due = roll.due(now)
            done = RunSummary()
            while (ready := roll.ready(now, due)).height:
                done += self._told(self._by_trace(roll, ready), progress)
            done += self._told(self._by_window(roll, due[:WINDOWS_A_STEP]), progress)
            roll.forget()
            if not roll.todo:
                self._shelf.clear()
            self._conclusions.after(done.requests)
            return done

    def analyze(self, *, everything: bool = False, progress: Progress | None = None) -> RunSummary:
        """Analyse all that is stored and not yet final, as if nothing more came; `everything`: again from the start."""
        done = RunSummary()
        with self._turn:
            roll = self._looked()
            if everything:
                roll.everything()
            while roll.todo:
                done += self._told(self._by_window(roll, sorted(roll.todo), anew=everything), progress)
                everything = False
            roll.forget()
            self._shelf.clear()
            self._conclusions.after(done.requests, at_once=True)
            return done

    def rest(self, work: Callable[[], pl.DataFrame]) -> None:
        """Do `work` on the store while nothing is analysed; it gives the traces that are gone from it."""
        with self._turn:
            gone = work()
            if self._known is not None and gone.height:
                self._known.lose(gone)

    def lag_ns(self, now_ns: int) -> int:
        """Return for how long the trace that settled first has waited to be analysed; 0 where none waits."""
        waiting = self._known.waiting if self._known is not None else None
        if waiting is None or not waiting.height:
            return 0
        first_ns: int = waiting.select(pl.col("last_ns").min()).item()
        return max(0, now_ns - self._settle_ns - first_ns)

    def follow(self, stop: threading.Event, every_s: float = 1.0) -> None:
        """Step until `stop` is set; a step that fails is logged, and the next one tries again."""
        while not stop.wait(every_s):
            try:
                self.step()
            except Exception:  # noqa: BLE001 - the loop lives on
                _log.exception("settled traces could not be analysed")

    def _looked(self) -> Roll:
        """Take note of what came since the last look."""
        if self._known is None:
            self._shelf.learn(self._store.query(statement("runs/peers")))
            self._services = _services(self._store.query(statement("runs/resources")))
            self._known = Roll(self._store, self._settle_ns, self._most)
        else:
            self._known.look()
        return self._known

    def _told(self, parts: Iterator[RunSummary], progress: Progress | None) -> RunSummary:
        started = time.perf_counter()
        done = RunSummary()
        try:
            for part in parts:
                done += part
                if progress is not None and self._known is not None:
                    left = sum(self._known.census.spans(window) for window in self._known.todo)
                    progress(done.spans, done.spans + left)
        except BaseException:
            self._known = None  # what the store says of itself counts, not what it was to be told
            raise
        return done + RunSummary(seconds=time.perf_counter() - started)

    def _by_trace(self, roll: Roll, ready: pl.DataFrame) -> Iterator[RunSummary]:
        """Analyse traces whose window has not settled, batch after batch."""
        near = Neighbours(facts=self._latest, start_ns=-_EVER, end_ns=_EVER, until_ns=_EVER, most_ns=0)
        for traces in batches(ready, self._most):
            read = self._shelf.read(pl.concat([traces, roll.mates(traces)]), traces)
            compared = compare([read.prepared], self._shelf.peers, near)[0]
            batch = batch_of(read.taken, compared.results(), None)
            roll.analysed(batch.taken.traces)
            summary = write(self._store, batch, roll.news(), anew=False)
            yield self._learned(roll, batch, compared, summary)

    def _by_window(self, roll: Roll, due: Sequence[Window], *, anew: bool = False) -> Iterator[RunSummary]:
        """Analyse windows in turn; the one before is written, and the next one read and prepared, meanwhile."""
        if not due:
            return
        found = roll.members(roll.census.with_those_beside(due))
        members = {window: traces for window, traces in found.items() if traces.height}
        self._shelf.begin(members)
        fresh = roll.waiting if not anew else roll.waiting.clear()
        with (
            ThreadPoolExecutor(1, thread_name_prefix="results") as writer,
            ThreadPoolExecutor(2, thread_name_prefix="windows") as reader,
        ):
            before: tuple[Batch, Compared, Future[RunSummary]] | None = None
            for window in set(due) - set(members):
                roll.finished(window)
            due = [window for window in due if window in members]
            for at, window in enumerate(due):
                for wanted in due[at : at + 2]:
                    self._shelf.want(wanted, roll, members, fresh, reader)
                batch, compared = self._window(roll, window, self._shelf.window(window))
                if before is not None:
                    yield self._learned(roll, *before[:2], before[2].result())
                roll.analysed(batch.taken.traces)
                roll.finished(window)
                before = batch, compared, writer.submit(write, self._store, batch, roll.news(), anew=anew)
            if before is not None:
                yield self._learned(roll, *before[:2], before[2].result())

    def _window(self, roll: Roll, window: Window, read: Read) -> tuple[Batch, Compared]:
        """Compare the calls of a window with each other and their neighbours'."""
        compared = compare([read.prepared], self._shelf.peers, self._shelf.neighbours(window, roll))[0]
        self._shelf.done(window, compared, roll)
        self._latest = [calls.tail(LENT_CALLS) for calls in compared.facts]
        return batch_of(read.taken, compared.results(), window), compared

    def _learned(self, roll: Roll, batch: Batch, compared: Compared, summary: RunSummary) -> RunSummary:
        """Have those analysed again who called hosts of which more is known now that a batch is stored."""
        hosts = self._shelf.learn(compared.peers)
        services = _services(batch.taken.resources) - self._services
        self._services |= services
        if hosts or services:
            asked = {"peers": sorted(hosts), "services": sorted(services)}
            found = self._store.query(statement("runs/silent_callers"), asked)
            roll.reopen(found.join(batch.taken.traces, on=["trace_hi", "trace_lo"], how="anti"))
        return summary


def _services(resources: pl.DataFrame) -> set[str]:
    return set(resources.get_column("service").drop_nulls().to_list())


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
