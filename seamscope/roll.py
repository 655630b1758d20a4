"""The roll of traces: which have spans that were not analysed yet, and which belong to a window of event time.

Kept in memory is what may soon be needed: traces that wait, and those around windows that wait. All else is asked of
the store, which also says what a restart must know: a trace waits whose last span came after its results were stored
(`requests.settled_ns`), and a window that is not in `base.windows` as it would be cut today.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import numpy as np
import polars as pl

from seamscope.agenda import Agenda
from seamscope.held import KEYS, Held
from seamscope.parting import parted
from seamscope.pieces import PIECES_NS, Pieces
from seamscope.statements import statement
from seamscope.windows import BUCKET_NS, COMPARED_SPANS, WINDOW_NS, Census, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from seamscope.store import Store

TRACES: Final = {
    "trace_hi": pl.UInt64, "trace_lo": pl.UInt64, "start_ns": pl.Int64, "first_commit": pl.Int64,
    "last_commit": pl.Int64, "last_ns": pl.Int64, "spans": pl.Int64,
}  # fmt: skip
"""Traces: when their earliest span starts, the first and last commit that brought spans, when the last came."""

FLAGS: Final = {"waiting": pl.Boolean, "reopened": pl.Boolean, "stored": pl.Boolean}
"""What else is held of traces: whether they wait, have results though of all that came, and may have results at all."""

AHEAD_NS: Final = 3_600_000_000_000
"""Clocks may be ahead by so much before their traces stop being kept in memory, once they were analysed."""

MOST_HELD: Final = 1 << 18
"""Traces that are held, 57 bytes each, before what came after them is left in the store while windows are due: they are
analysed as of the time up to which all is known. 15 MB; a load of 130,000 spans/s comes to 210,000 until it settles.
What waits at a start, or after a step that failed, is held whatever it is."""

LOOKED_COMMITS: Final = 32
"""Commits that are taken note of together: a second's, mostly."""

_EVER: Final = 1 << 62


class Roll:
    """What of one store waits to be analysed.

    Args:
        store: the open store.
        settle_ns: how long no span may have come.
        most: spans of a window beyond which it is halved.
        aside: traces (`KEYS`) that are not to be analysed, though their spans count when windows are cut.
    """

    def __init__(
        self, store: Store, settle_ns: int, most: int = COMPARED_SPANS, aside: pl.DataFrame | None = None
    ) -> None:
        self._store = store
        self._aside = aside if aside is not None else pl.DataFrame(schema=dict.fromkeys(KEYS, pl.UInt64))
        self._pieces = Pieces(store)
        self._settle_ns = settle_ns
        self._seen = self._last_commit()[0]
        self._seen_ns = -_EVER
        self.is_behind = False
        """Whether commits are left to the next look, for all that is held of those before them."""
        self.census = Census(most)
        self._most = most
        stored = store.query(statement("runs/windows")).iter_rows()
        self.agenda = Agenda(self.census, settle_ns, (Window(*row) for row in stored))
        self._held = Held(pl.DataFrame(schema={**TRACES, **FLAGS}))
        self._since_ns = -_EVER
        self._ahead: set[int] = set()
        """Ten minutes later than that, of which not all is held."""
        self._begin()

    @property
    def held(self) -> int:
        """How many traces are in memory."""
        return self._held.height

    def waiting(self, traces: pl.DataFrame) -> pl.DataFrame:
        """Give those of some traces that have spans which were not analysed yet."""
        return self._wanted(self._held.of(traces).filter("waiting").select(*TRACES))

    def longest_ns(self) -> int | None:
        """Give when the last span came of the trace that waits longest, as far as is known; None where none waits.

        What was analysed and is to be once more, for it called a host of which more is known now, has its results.
        """
        first = pl.col("waiting") & ~pl.col("reopened")
        last = self._held.pick(lambda block: self._wanted(block.filter(first)).select(pl.col("last_ns").min()))
        first_ns = cast("int | None", last["last_ns"].min())
        return min(self._seen_ns, first_ns or _EVER) if self.is_behind else first_ns

    def _wanted(self, traces: pl.DataFrame) -> pl.DataFrame:
        return traces.join(self._aside, on=KEYS, how="anti") if self._aside.height else traces

    def _last_commit(self) -> tuple[int, int, int]:
        """Give the latest commit, when it came, and how many spans are stored."""
        latest, last_ns, spans = self._store.query(statement("runs/last_commit")).row(0)
        return latest, last_ns, spans

    def _begin(self) -> None:
        _, last_ns, spans = self._last_commit()
        self._seen_ns = last_ns
        waiting = _traces(self._store.query(statement("runs/unanalysed"), {"upto": self._seen}))
        self._merge(waiting.with_columns(stored=True))
        self._count(waiting, last_ns, all_wait=waiting["spans"].sum() == spans)
        self.agenda.begin(last_ns)
        for window, came_ns in self._latest(waiting):
            self.agenda.touch_around(window, last_ns, came_ns)

    def _count(self, waiting: pl.DataFrame, last_ns: int, *, all_wait: bool) -> None:
        """Count all that is stored; what begins from now on is kept in memory, and all of it where all of it waits."""
        if all_wait:
            self.census.add(waiting["start_ns"].to_numpy() // BUCKET_NS, waiting["spans"].to_numpy())
            return
        begun = self._store.query(statement("runs/beginnings"), {"bucket_ns": BUCKET_NS, "upto": self._seen})
        buckets = begun["bucket"].to_numpy().astype(np.int64)
        self.census.add(buckets, begun["spans"].to_numpy())
        recent = buckets[buckets * BUCKET_NS < last_ns + AHEAD_NS]
        self._since_ns = (int(recent.max()) + 1) * BUCKET_NS if recent.size else -_EVER
        later = self._near(self._since_ns, _EVER).join(waiting, on=KEYS, how="anti")
        self._held.put(later.with_columns(waiting=False, reopened=False, stored=True))

    def look(self, now_ns: int = _EVER, enough_due: int | None = None) -> None:
        """Take note of the spans that came since the last look.

        Where many traces are held already, and so many windows are due without any that came later, those stay in the
        store (`known_ns`).
        """
        upto = self._store.last_numbers()["commit_no"]  # no statement: asked every second, of stores of any size
        while self._seen < upto and not self._is_enough(min(now_ns, self._seen_ns), enough_due):
            self._note(min(upto, self._seen + LOOKED_COMMITS))
        self.is_behind = self._seen < upto

    def _is_enough(self, known_ns: int, due: int | None) -> bool:
        return due is not None and self.held > MOST_HELD and len(self.agenda.due(known_ns)) >= due

    def known_ns(self, now_ns: int) -> int:
        """Give the time by which all that had come is known: now, or when the last commit came that was looked at."""
        return min(now_ns, self._seen_ns) if self.is_behind else now_ns

    def _note(self, upto: int) -> None:
        """Take note of the spans of commits up to one."""
        arrived = self._store.query(statement("runs/arrived"), {"seen": self._seen, "upto": upto}).select(*TRACES)
        if not arrived.height:  # logs or metrics came
            self._seen = upto
            return
        known = self._before(arrived)
        before = known.select(*TRACES)
        self._seen = upto
        self._seen_ns = arrived["last_ns"][cast("int", arrived["last_commit"].arg_max())]
        both = _traces(pl.concat([before, arrived], how="vertical_relaxed"))
        after = both.group_by(KEYS).agg(
            pl.col("start_ns", "first_commit").min(), pl.col("last_commit", "last_ns").max(), pl.col("spans").sum()
        )
        self._recount(before, after)
        self._merge(after.join(known.select(*KEYS, "stored"), on=KEYS, how="left"))
        for window, last_ns in self._latest(
            pl.concat([before.with_columns(last_ns=pl.lit(0, pl.Int64)), after.select(*TRACES)])
        ):
            self.agenda.touch_around(window, self._seen_ns, last_ns)

    def _before(self, arrived: pl.DataFrame) -> pl.DataFrame:
        """Give those of some traces that had spans before, as they were, and whether they may have results."""
        known = self._held.of(arrived).select(*TRACES, "stored")
        strangers = arrived.join(known, on=KEYS, how="anti").select(KEYS)
        if strangers.height:
            strangers = self._store.query_with(statement("runs/analysed"), strangers)
        if not strangers.height:
            return known
        return pl.concat([known, self._as_stored(strangers).with_columns(stored=True)])

    def _as_stored(self, traces: pl.DataFrame) -> pl.DataFrame:
        text = statement("runs/as_stored")
        found = self._store.query_with(text, traces.select(KEYS), {"upto": self._seen})
        return _traces(found)

    def _recount(self, before: pl.DataFrame, after: pl.DataFrame) -> None:
        """Count spans where their traces begin now; windows that are cut anew wait."""
        signed = pl.concat([before.with_columns(-pl.col("spans")), after.select(*TRACES)])
        buckets = signed.get_column("start_ns").to_numpy() // BUCKET_NS
        numbers = set((signed.get_column("start_ns") // WINDOW_NS).unique().to_list())
        old = {number: set(self.census.windows(number)) for number in numbers}
        self.census.add(buckets, signed.get_column("spans").to_numpy())
        for number, were in old.items():
            now = set(self.census.windows(number))
            waited = self.agenda.drop(were - now)
            for window in now - were:
                self.agenda.touch_around(window, self._seen_ns, max((one.last_ns for one in waited), default=0))

    def _merge(self, traces: pl.DataFrame, *, reopened: bool = False) -> None:
        """Let traces wait; those without a word on whether they are `stored` are not."""
        self._held.put(traces.with_columns(pl.col("stored").fill_null(value=False), waiting=True, reopened=reopened))

    def _latest(self, traces: pl.DataFrame) -> list[tuple[Window, int]]:
        """Give the windows that traces begin in, and when the last span came to each."""
        by_bucket = traces.group_by(bucket=pl.col("start_ns") // BUCKET_NS).agg(pl.col("last_ns").max())
        windows, place = self.census.among(by_bucket["bucket"].to_numpy())
        latest = np.zeros(len(windows), np.int64)
        np.maximum.at(latest, place, by_bucket["last_ns"].to_numpy())
        return [(windows[one], int(latest[one])) for one in np.unique(place)]

    def reopen(self, traces: pl.DataFrame) -> None:
        """Have some analysed traces, and the windows they begin in, analysed again."""
        if not traces.height:
            return
        again = self._as_stored(traces.join(self.waiting(traces), on=KEYS, how="anti"))
        self._merge(again.with_columns(stored=True), reopened=True)
        self.touch(again)

    def touch(self, traces: pl.DataFrame) -> None:
        """Have the windows that some analysed traces (`TRACES`) begin in analysed again, with all that is in them."""
        for window, _ in self._latest(traces) if traces.height else ():
            self.agenda.touch_around(window, self._seen_ns)

    def lose(self, traces: pl.DataFrame) -> None:
        """Forget traces that are no longer stored; windows stay as they were cut, and what was compared with them."""
        self._held.drop(traces)

    def retire(self) -> None:
        """Forget the windows of ten minutes of which no span is stored any more."""
        present = self._store.query(statement("runs/present"), {"window_ns": WINDOW_NS}).to_series()
        gone = set(self.census.numbers()) - set(present)
        self.census.drop(gone)
        self._ahead -= gone
        self.agenda.retire(gone)

    def everything(self) -> None:
        """Have all that is stored analysed again."""
        self.agenda.everything(self._seen_ns)

    def ready(self, now_ns: int, due: Sequence[Window] = ()) -> pl.DataFrame:
        """Give the traces that settled and were not analysed, but those whose window settled (`due`) or soon will."""
        settled = pl.col("waiting"), pl.col("last_ns") <= now_ns - self._settle_ns
        found = self._held.pick(lambda block: self._far(block.filter(*settled), now_ns, set(due)))
        return self._wanted(found.select(*TRACES))

    def _far(self, settled: pl.DataFrame, now_ns: int, due: set[Window]) -> pl.DataFrame:
        """Give the traces whose window is neither `due` nor soon will be."""
        if not settled.height:
            return settled
        starts = settled.get_column("start_ns").to_numpy() // BUCKET_NS
        among = {bucket: self.census.at(bucket * BUCKET_NS) for bucket in np.unique(starts).tolist()}
        far = [bucket for bucket, at in among.items() if at not in due and not self.agenda.is_soon(at, now_ns)]
        return settled.filter(pl.Series(np.isin(starts, np.array(far, np.int64))))

    def analysed(self, traces: pl.DataFrame) -> None:
        """Take note that traces were analysed as they are known."""
        self._held.set(traces, waiting=False, stored=True)

    def forget(self) -> None:
        """Let go of traces that no window which waits is compared with; of many, what waits for long asks the store."""
        many, ahead_ns = self.held > MOST_HELD, self._seen_ns + AHEAD_NS
        wait = [window for window in self.agenda.todo if self._since_ns <= window.start_ns < ahead_ns]
        soon = [window for window in wait if not (many and self.agenda.waits_long(window, self._seen_ns))]
        kept_from = min((self._needed_from(window, many=many) for window in soon), default=_EVER)
        if kept_from == _EVER:
            begun = pl.col("start_ns").filter(pl.col("start_ns") < ahead_ns)
            latest = self._held.pick(lambda block: block.select(begun.max()))["start_ns"].max()
            kept_from = self._since_ns if latest is None else cast("int", latest) + 1
        self._since_ns = max(self._since_ns, kept_from)
        self._keep(ahead_ns)
        self.agenda.fade(kept_from - WINDOW_NS)

    def _keep(self, ahead_ns: int) -> None:
        """Hold on to what waits, and to what begins between what is still needed and a time that is yet to come."""
        ahead = self._held.where(~pl.col("waiting"), pl.col("start_ns") >= ahead_ns)
        self._ahead.update((ahead["start_ns"] // WINDOW_NS).unique().to_list())
        self._held.keep(pl.col("waiting") | pl.col("start_ns").is_between(self._since_ns, ahead_ns, closed="left"))

    def _needed_from(self, window: Window, *, many: bool) -> int:
        """Give from when on traces are wanted for a window that waits; of `many`, no further back than `members` asks.

        What is analysed before its window settles is also joined to pieces from before that.
        """
        first = self.census.beside(window)[0]
        near_ns = first.start_ns - PIECES_NS
        return max(near_ns, self.census.beside(first)[0].start_ns) if many else near_ns

    def members(self, windows: Sequence[Window]) -> dict[Window, pl.DataFrame]:
        """Give the traces of each of some windows; a piece of a request that began one window earlier belongs there.

        A window that holds more than can be compared at once comes in parts.
        """
        found: dict[Window, pl.DataFrame] = {}
        for stretch in _stretches(windows):
            before, after = self.census.beside(stretch[0])[0], self.census.beside(stretch[-1])[1]
            edges = [before.start_ns, *(window.start_ns for window in stretch), after.start_ns, after.end_ns]
            since_ns = max(before.start_ns, stretch[0].start_ns - PIECES_NS)
            traces = self._around(since_ns, min(after.end_ns, stretch[-1].end_ns + PIECES_NS))
            own = np.searchsorted(edges, traces["start_ns"].to_numpy(), "right")
            bounds = np.array(edges)
            at = own - self._pieces.follows(traces.with_columns(own=own, begin_ns=bounds[own - 1], end_ns=bounds[own]))
            for number, window in enumerate(stretch, start=2):
                here = traces.filter(pl.Series(at == number, dtype=pl.Boolean))
                found |= parted(window, here, self._most, self._pieces.shared)
        return found

    def mates(self, traces: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
        """Give traces that go with some that are analysed by themselves, and the ids that are no request's.

        Those are analysed traces in memory that share an id with them, and the others of the requests that they were
        part of before: these are stored anew, and with them all that belongs there.
        """
        if not traces.height:
            return traces, []
        first, last = cast("int", traces["start_ns"].min()), cast("int", traces["start_ns"].max())
        begins = pl.col("start_ns").is_between(first - PIECES_NS, last + PIECES_NS)
        mates, crowded = self._pieces.of(traces, lambda: self._held.where(begins, ~pl.col("waiting")).select(*TRACES))
        if mates.height or self._held.of(traces)["stored"].any():
            while (partners := self._partners(pl.concat([traces, mates]))).height:
                mates = pl.concat([mates, partners])
        return mates, crowded

    def _partners(self, traces: pl.DataFrame) -> pl.DataFrame:
        """Give the other traces of the requests that some were part of."""
        found = self._store.query_with(statement("runs/partners"), traces.select(KEYS))
        return self._wanted(self._as_stored(found)).select(*TRACES) if found.height else traces.clear()

    def _around(self, since_ns: int, until_ns: int) -> pl.DataFrame:
        begins = pl.col("start_ns").is_between(since_ns, until_ns, closed="left")
        here = range(since_ns // WINDOW_NS, until_ns // WINDOW_NS + 1)
        are_held = since_ns >= self._since_ns and self._ahead.isdisjoint(here)
        found = self._held.where(begins) if are_held else self._near(since_ns, until_ns).filter(begins)
        return self._wanted(found.select(*TRACES))

    def _near(self, since_ns: int, until_ns: int) -> pl.DataFrame:
        """Ask the store for traces with spans in a stretch of time."""
        bounds = {"since": since_ns, "until": until_ns, "upto": self._seen}
        return self._as_stored(self._store.query(statement("runs/near"), bounds))


def _traces(found: pl.DataFrame) -> pl.DataFrame:
    return found.select(pl.col(name).cast(kind) for name, kind in TRACES.items())


def _stretches(windows: Iterable[Window]) -> list[list[Window]]:
    """Put windows that follow each other together."""
    found: list[list[Window]] = []
    for window in sorted(windows):
        if found and found[-1][-1].end_ns == window.start_ns:
            found[-1].append(window)
        else:
            found.append([window])
    return found
