"""The bridge between store and desk: what settled is read, analysed and written back, each time more is known.

A window of event time (`windows`) is analysed when it has settled: all its traces with each other, and with their
neighbours. So what is stored in the end follows from the spans alone, whatever order they came in. Until then a trace
is analysed as soon as no span of it has come for a while, beside the calls of the last settled window, and its
requests are marked as not final. A late span opens its window, and those beside it, again. Traces that cannot be
processed are set aside (`sparing`).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis import Neighbours, NoRules, compare
from seamscope.batches import batches
from seamscope.errors import StoreError
from seamscope.findings import Conclusions
from seamscope.known_hosts import KnownHosts
from seamscope.roll import Roll
from seamscope.shelf import Shelf
from seamscope.sparing import Failed, Sparing
from seamscope.statements import statement
from seamscope.storing import RunSummary, batch_of, tell, write
from seamscope.windows import COMPARED_SPANS, READ_AHEAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from analysis import Compared, Rules
    from seamscope.shelf import Read
    from seamscope.store import Store
    from seamscope.storing import Batch
    from seamscope.windows import Window

    Progress = Callable[[int, int], None]
    News = dict[str, list[str]]
    """Hosts (`peers`) and `services` of which more is known than before."""

__all__ = ["RunSummary", "Settler", "analyze"]

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
        read_ahead: windows that are read and prepared at a time, with the one that is compared; with none, a window is
            written before the next one is compared.
        make_way: waits before each window while others need the machine more.
        is_over: tells whether time is up: then nothing more is begun, and what was is ended and stored.
    """

    def __init__(
        self,
        store: Store,
        rules: Rules | None = None,
        settle_ns: int = SETTLE_NS,
        compared_spans: int = COMPARED_SPANS,
        read_ahead: int = READ_AHEAD,
        make_way: Callable[[], None] = lambda: None,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._rules = rules or NoRules()
        self._settle_ns = settle_ns
        self._most = compared_spans
        self._ahead = read_ahead
        self._make_way = make_way
        self._is_over = is_over
        self._turn = threading.Lock()
        self._known: Roll | None = None
        self._hosts = KnownHosts()
        self._shelf = Shelf(store, self._rules, self._hosts)
        self._services: set[str] = set()
        self._latest: list[pl.DataFrame] = []
        self._conclusions = Conclusions(store, self._rules)
        self._sparing = Sparing(store, self._alone)
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
            if self._is_over():
                return RunSummary()
            done = self._surely(lambda: self._settled(now, progress))
            if not self._is_over():
                self._conclusions.after(done.requests)
            return done

    def _settled(self, now_ns: int, progress: Progress | None) -> Iterator[RunSummary]:
        roll = self._looked(now_ns, WINDOWS_A_STEP)
        now_ns = roll.known_ns(now_ns)
        due = roll.agenda.due(now_ns)
        while not self._is_over() and (ready := roll.ready(now_ns, due)).height:
            yield from self._told(self._by_trace(roll, ready), progress)
        yield from self._told(self._by_window(roll, due[:WINDOWS_A_STEP]), progress)
        self.more_is_due = len(due) > WINDOWS_A_STEP or roll.is_behind
        roll.forget()
        if not roll.agenda.todo:
            self._shelf.clear()

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
            yield from self._told(self._by_window(roll, sorted(roll.agenda.todo), anew=everything), progress)
            everything = False
        roll.forget()
        self._shelf.clear()

    def _check_time(self) -> None:
        if self._is_over():
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
                if self._is_over():
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
            self._hosts.remember(self._store)
            self._services = _services(self._store.query(statement("runs/resources")))
            self._known = Roll(self._store, self._settle_ns, self._most, self._sparing.aside)
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
            # what failed there would fail again, and whom what it knows of hosts concerns was not looked for
            self._hosts = self._hosts.anew()
            self._shelf = Shelf(self._store, self._rules, self._hosts)
            raise
        yield RunSummary(seconds=time.perf_counter() - started)

    @contextmanager
    def _blaming(self, traces: pl.DataFrame, beside: pl.DataFrame, window: Window | None) -> Iterator[None]:
        """Say of what fails here which traces it failed with."""
        try:
            yield
        except Exception as error:
            raise Failed(traces, beside, window) from error

    def _alone(self, traces: pl.DataFrame, *, written: bool) -> None:
        """Take traces through everything by themselves, to see whether that fails."""
        read = self._shelf.read(traces, pl.DataFrame.clone)
        batch = batch_of(read.taken, compare([read.prepared], self._hosts.peers)[0].results(), None)
        if written:
            write(self._store, batch, (set(), set()), anew=False)

    def _by_trace(self, roll: Roll, ready: pl.DataFrame) -> Iterator[RunSummary]:
        """Analyse traces whose window has not settled, batch after batch."""
        near = Neighbours(facts=self._latest, start_ns=-_EVER, end_ns=_EVER, until_ns=_EVER, most_ns=0)
        for traces in batches(ready, self._most):
            if self._is_over():
                break
            mates, crowded = roll.mates(traces)
            with self._blaming(traces, mates, None):
                read = self._shelf.read(pl.concat([traces, mates]), roll.waiting, crowded)
                compared = compare([read.prepared], self._hosts.peers, near)[0]
                batch = batch_of(read.taken, compared.results(), None)
                roll.analysed(batch.taken.traces)
                news = self._news(batch, compared)
                summary, callers = self._keep(batch, roll.agenda.news(), news, anew=False)
            roll.reopen(callers)
            yield summary
        self._closing(roll)

    def _by_window(self, roll: Roll, due: Sequence[Window], *, anew: bool = False) -> Iterator[RunSummary]:
        """Analyse windows in turn; those before are written, and the next ones read and prepared, meanwhile."""
        if not due or self._is_over():
            self._closing(roll)
            return
        found = roll.members(roll.census.with_those_beside(due))
        members = {window: traces for window, traces in found.items() if traces.height}
        self._shelf.begin(members)
        fresh = roll.waiting if not anew else pl.DataFrame.clear
        with (
            ThreadPoolExecutor(1, thread_name_prefix="results") as writer,
            ThreadPoolExecutor(2, thread_name_prefix="windows") as reader,
        ):
            before: deque[tuple[Batch, Future[tuple[RunSummary, pl.DataFrame]]]] = deque()
            wanted = set(due)
            for window in wanted - {one.whole for one in members}:
                roll.agenda.finished(window)
            due = sorted(window for window in members if window.whole in wanted)
            for at, window in enumerate(due):
                while before and not self._ahead:
                    yield self._finished(roll, *before.popleft())
                self._make_way()
                if self._is_over():
                    reader.shutdown(wait=False, cancel_futures=True)
                    break
                ahead = due[at : at + max(1, self._ahead)]
                for one in ahead:
                    self._shelf.want(one, roll, members, fresh, reader)
                beside = [members[one] for one in roll.census.lending(window) if one in members]
                with self._blaming(members[window], pl.concat([members[window].clear(), *beside]), window):
                    batch, news = self._window(roll, window, self._shelf.window(window))
                # towards the end results may wait in the place of what is no longer read ahead
                while len(before) > max(1, self._ahead) - len(ahead):
                    yield self._finished(roll, *before.popleft())
                roll.analysed(batch.taken.traces)
                roll.agenda.finished(window)
                before.append((batch, writer.submit(self._keep, batch, roll.agenda.news(), news, anew=anew)))
                del batch  # once written, it must not wait here for the next one
            while before:
                yield self._finished(roll, *before.popleft())
        self._closing(roll)

    def _finished(self, roll: Roll, batch: Batch, stored: Future[tuple[RunSummary, pl.DataFrame]]) -> RunSummary:
        """Wait until a window is stored, and have those analysed again who called hosts that it told of."""
        with self._blaming(batch.taken.traces, batch.taken.traces.clear(), batch.window):
            summary, callers = stored.result()
        roll.reopen(callers)
        return summary

    def _window(self, roll: Roll, window: Window, read: Read) -> tuple[Batch, News]:
        """Compare the calls of a window with each other and their neighbours'."""
        compared = compare([read.prepared], self._hosts.peers, self._shelf.neighbours(window, roll))[0]
        self._shelf.done(window, compared, roll)
        self._latest = [calls.tail(LENT_CALLS) for calls in compared.facts]
        batch = batch_of(read.taken, compared.results(), window)
        return batch, self._news(batch, compared)

    def _news(self, batch: Batch, compared: Compared) -> News:
        """Remember hosts and services of which a batch says more than was known, for what is compared after it."""
        hosts = self._hosts.learn(compared.peers, batch.taken.traces)
        services = _services(batch.taken.resources) - self._services
        self._services |= services
        return {"peers": sorted(hosts), "services": sorted(services)}

    def _keep(
        self, batch: Batch, windows: tuple[set[Window], set[Window]], news: News, *, anew: bool
    ) -> tuple[RunSummary, pl.DataFrame]:
        """Store a batch; gives with it the traces stored before it that called hosts of which more is known now."""
        summary = write(self._store, batch, windows, anew=anew)
        if not any(news.values()):
            return summary, batch.taken.traces.clear()
        found = self._callers(news)
        return summary, found.join(batch.taken.traces, on=["trace_hi", "trace_lo"], how="anti")

    def _closing(self, roll: Roll) -> None:
        """Have those analysed again who called hosts of which less is shown than was known, once all is written.

        What is to be analysed again is stored: a restart would not know of it.
        """
        if hosts := self._hosts.check(self._store):
            roll.reopen(self._callers({"peers": sorted(hosts), "services": []}))
        gone, settled = roll.agenda.news()
        if gone or settled:
            tell(self._store, (gone, settled))

    def _callers(self, news: News) -> pl.DataFrame:
        return self._store.query(statement("runs/silent_callers"), news)


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
