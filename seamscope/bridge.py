"""The bridge between store and desk: traces are read, compared and written back, by themselves or window by window."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis import Neighbours, compare
from seamscope.batches import batches
from seamscope.known_hosts import KnownHosts
from seamscope.schema import words
from seamscope.shelf import Shelf
from seamscope.sparing import blaming
from seamscope.statements import statement
from seamscope.storing import KEYS, NOBODY, batch_of, tell, write
from seamscope.windows import COMPARED_SPANS, READ_AHEAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Executor, Future

    from analysis import Compared, Rules
    from seamscope.roll import Roll
    from seamscope.store import Store
    from seamscope.storing import Batch, RunSummary
    from seamscope.windows import Window

    News = dict[str, list[str]]
    """Hosts (`peers`) and `services` of which more is known than before."""
    Stored = tuple[RunSummary, pl.DataFrame]
    """What was stored, and the traces (`KEYS`) stored before it that are to be analysed once more."""

LENT_CALLS: Final = 20_000
"""Calls of the last settled window that traces of later ones are compared with until theirs has settled."""

_EVER: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is taken through the desk at a time, and when it waits."""

    compared_spans: int = COMPARED_SPANS
    """Windows of more spans are halved, and batches have no more."""
    read_ahead: int = READ_AHEAD
    """Windows that are read and prepared at a time, with the one that is compared; with none, a window is written
    before the next one is compared."""
    make_way: Callable[[], None] = lambda: None
    """Waits before each window while others need the machine more."""
    is_tight: Callable[[], bool] = lambda: False
    """Tells whether others need memory: then a step is a few windows, be they small or not."""
    is_over: Callable[[], bool] = lambda: False
    """Tells whether time is up: then nothing more is begun, and what was is ended and stored."""


class Bridge:
    """Takes traces of one store through the desk and back, with what those before them told of hosts and services."""

    def __init__(self, store: Store, rules: Rules, pace: Pace) -> None:
        self._store = store
        self._rules = rules
        self._pace = pace
        self._hosts = KnownHosts()
        self._shelf = Shelf(store, rules, self._hosts)
        self._services: set[str] = set()
        self._latest: list[pl.DataFrame] = []

    def begin(self) -> None:
        """Learn of hosts and services what is stored."""
        self._hosts.remember(self._store)
        unknown = {"unknown": words.code(words.TIERS, "unknown")}
        self._services = _services(self._store.query(statement("runs/services"), unknown))

    def forget(self) -> None:
        """Know nothing of hosts, after an error, but which are doubtful, and let go of windows that were read.

        What failed there would fail again, and whom what is known of hosts concerns was not looked for.
        """
        self._hosts, self._latest = self._hosts.anew(), []
        self._shelf = Shelf(self._store, self._rules, self._hosts)

    def clear(self) -> None:
        """Let go of windows that were read."""
        self._shelf.clear()

    def alone(self, traces: pl.DataFrame, *, written: bool) -> None:
        """Take traces through everything by themselves, to see whether that fails; what is written is not final."""
        read = self._shelf.read(traces, pl.DataFrame.clone)
        batch = batch_of(read.taken, compare([read.prepared], self._hosts.peers)[0].results(), None)
        if written:
            write(self._store, batch, (set(), set()), traces, anew=False)

    def by_trace(self, roll: Roll, ready: pl.DataFrame) -> Iterator[RunSummary]:
        """Analyse traces whose window has not settled, batch after batch."""
        near = Neighbours(facts=self._latest, start_ns=-_EVER, end_ns=_EVER, until_ns=_EVER, most_ns=0)
        for traces in batches(ready, self._pace.compared_spans):
            if self._pace.is_over():
                break
            mates, crowded = roll.mates(traces)
            with blaming(traces, mates, None):
                read = self._shelf.read(pl.concat([traces, mates]), roll.waiting, crowded)
                compared = compare([read.prepared], self._hosts.peers, near)[0]
                batch = batch_of(read.taken, compared.results(), None)
                roll.analysed(batch.taken.traces)
                news = self._news(batch, compared)
                summary, callers = self._keep(batch, roll.agenda.news(), news, mates, anew=False)
            roll.reopen(callers)
            roll.touch(mates)
            yield summary
        self._closing(roll)

    def by_window(self, roll: Roll, due: Sequence[Window], *, anew: bool = False) -> Iterator[RunSummary]:
        """Analyse windows in turn; those before are written, and the next ones read and prepared, meanwhile.

        `anew`: their traces are taken as if nobody had looked at them, and their revisions are counted from the start.
        """
        if due and not self._pace.is_over():
            members = self._members(roll, due)
            with (
                ThreadPoolExecutor(1, thread_name_prefix="results") as writer,
                ThreadPoolExecutor(2, thread_name_prefix="windows") as reader,
            ):
                wanted = set(due)
                turns = sorted(window for window in members if window.whole in wanted)
                yield from self._in_turn(roll, turns, members, (reader, writer), anew=anew)
        self._closing(roll)

    def _members(self, roll: Roll, due: Sequence[Window]) -> dict[Window, pl.DataFrame]:
        """Give the traces of windows and of those beside them; windows that have none need nothing."""
        found = roll.members(roll.census.with_those_beside(due))
        members = {window: traces for window, traces in found.items() if traces.height}
        self._shelf.begin(members)
        for window in set(due) - {one.whole for one in members}:
            roll.agenda.finished(window)
        return members

    def _in_turn(
        self,
        roll: Roll,
        turns: Sequence[Window],
        members: Mapping[Window, pl.DataFrame],
        pools: tuple[ThreadPoolExecutor, Executor],
        *,
        anew: bool,
    ) -> Iterator[RunSummary]:
        reader, writer = pools
        fresh = roll.waiting if not anew else pl.DataFrame.clear
        at_once = max(1, self._pace.read_ahead)
        before: deque[tuple[Batch, Future[Stored]]] = deque()
        for at, window in enumerate(turns):
            while before and not self._pace.read_ahead:
                yield self._finished(roll, *before.popleft())
            self._pace.make_way()
            if self._pace.is_over():
                reader.shutdown(wait=False, cancel_futures=True)
                break
            ahead = turns[at : at + at_once]
            for one in ahead:
                self._shelf.want(one, roll, members, fresh, reader)
            batch, news = self._window(roll, window, members)
            # towards the end results may wait in the place of what is no longer read ahead
            while len(before) > at_once - len(ahead):
                yield self._finished(roll, *before.popleft())
            roll.analysed(batch.taken.traces)
            roll.agenda.finished(window)
            before.append((batch, writer.submit(self._keep, batch, roll.agenda.news(), news, anew=anew)))
            del batch  # once written, it must not wait here for the next one
        while before:
            yield self._finished(roll, *before.popleft())

    def _finished(self, roll: Roll, batch: Batch, stored: Future[Stored]) -> RunSummary:
        """Wait until a window is stored, and have those analysed again who called hosts that it told of."""
        with blaming(batch.taken.traces, batch.taken.traces.clear(), batch.window):
            summary, callers = stored.result()
        roll.reopen(callers)
        return summary

    def _window(self, roll: Roll, window: Window, members: Mapping[Window, pl.DataFrame]) -> tuple[Batch, News]:
        """Compare the calls of a window that was wanted with each other and their neighbours'."""
        beside = [members[one] for one in roll.census.lending(window) if one in members]
        with blaming(members[window], pl.concat([members[window].clear(), *beside]), window):
            read = self._shelf.window(window)
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
        self,
        batch: Batch,
        windows: tuple[set[Window], set[Window]],
        news: News,
        mates: pl.DataFrame | None = None,
        *,
        anew: bool,
    ) -> Stored:
        """Store a batch; gives with it the traces stored before it that called hosts of which more is known now.

        With it is stored that these, and the `mates` that it was joined with, are to be analysed again.
        """
        callers = batch.taken.traces.select(KEYS).clear()
        if any(news.values()):
            callers = self._callers(news).join(batch.taken.traces, on=KEYS, how="anti")
        begun = [each.select("start_ns") for each in (mates, self._stored_traces(callers)) if each is not None]
        return write(self._store, batch, windows, pl.concat([NOBODY, *begun]), anew=anew), callers

    def _stored_traces(self, traces: pl.DataFrame) -> pl.DataFrame | None:
        """Give traces as they are stored; of nobody the store is not asked."""
        if not traces.height:
            return None
        return self._store.query_with(statement("runs/as_stored"), traces.select(KEYS), {"upto": _EVER})

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
