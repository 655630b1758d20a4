"""The bridge between store and desk: traces that settled are read, analysed and written back, each time they change.

A trace is analysed when no span of it has come for a while, and again when one comes late: its requests' rows are
replaced, one revision up. What has been analysed is read off the stored results themselves (`settled_ns` is the
arrival of the trace's last span), so a restart picks up where the last run stopped, and a trace can be taken twice
but never missed.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis import INPUT, LINK_INPUT, NoRules, Peers, compare, only, prepare
from seamscope.batches import ahead, batches, commits, from_the_start
from seamscope.findings import Conclusions
from seamscope.schema import words
from seamscope.statements import statement
from seamscope.store.spans import spans_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    from analysis import Compared, Prepared, Results, Rules
    from seamscope.store import Store

    Progress = Callable[[int, int], None]

_log = logging.getLogger(__name__)

SETTLE_NS: Final = 10_000_000_000
"""A trace without a new span for this long is analysed."""

BATCH_SPANS: Final = 250_000
"""Traces are analysed together up to this many spans: some 300 MB at the peak, while the batch before is written."""

COMPARED_SPANS: Final = 250_000
"""Batches of one run whose calls are compared with each other, up to so many spans: what is known of them stays in
memory, and nothing is written meanwhile. Half a million cost 190,000 spans/s where a quarter gave 205,000."""

KEYS: Final = ("trace_hi", "trace_lo")

LATEST_PIECE_NS: Final = 900_000_000_000
"""How long before a trace another piece of its request may have come: exporters and drains hold spans for minutes."""

MOST_CONSUMERS: Final = 1_000
"""Traces that are looked up as work caused by one other trace."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run did."""

    traces: int = 0
    spans: int = 0
    requests: int = 0
    revised: int = 0
    """Requests that took the place of stored ones."""
    set_aside: int = 0
    """Traces that no stage could digest; each has the warning `stage_failed`."""
    seconds: float = 0.0

    def __add__(self, other: RunSummary) -> RunSummary:
        """Return both runs together."""
        mine, theirs = asdict(self), asdict(other)
        return RunSummary(**{name: mine[name] + theirs[name] for name in mine})


@dataclass(frozen=True, slots=True)
class _Taken:
    """What was read of a batch of traces."""

    traces: pl.DataFrame
    written: pl.DataFrame
    """Those, and the traces that sent their messages."""
    beside: pl.DataFrame
    """Traces that are read for what they say of these, and not written."""
    stored: pl.DataFrame
    """Requests of these traces as they were analysed before."""
    spans: pl.DataFrame
    links: pl.DataFrame
    resources: pl.DataFrame


@dataclass(frozen=True, slots=True)
class _Batch:
    """Traces that were analysed together, on their way into the store."""

    traces: pl.DataFrame
    written: pl.DataFrame
    """Those, and the traces that sent their messages."""
    rows: tuple[dict[str, pl.DataFrame], pl.DataFrame, np.ndarray | None]
    """What `Store.write_results` takes."""
    news: set[str]
    """Hosts of which more is known than before."""
    summary: RunSummary


class Settler:
    """Analyses traces of one store as they settle; methods may be called from any thread.

    Args:
        store: the open store, to read and to write.
        rules: the operator's word on services and hosts (`seamscope.config.Config`).
        settle_ns: how long no span may have come for a trace before it is analysed.
    """

    def __init__(self, store: Store, rules: Rules | None = None, settle_ns: int = SETTLE_NS) -> None:
        self._store = store
        self._rules = rules or NoRules()
        self._settle_ns = settle_ns
        self._turn = threading.Lock()
        self._open: pl.DataFrame | None = None
        self._seen = 0
        self._peers: dict[tuple[str, int], frozenset[tuple[int, str]]] = {}
        self._conclusions = Conclusions(store, self._rules)

    def step(self, now_ns: int | None = None, progress: Progress | None = None) -> RunSummary:
        """Analyse what has settled by `now_ns` (the wall clock's by default)."""
        now = time.time_ns() if now_ns is None else now_ns
        with self._turn:
            self._look()
            done = self._work(now - self._settle_ns, everything=False, progress=progress)
            self._conclusions.after(done.requests)
            return done

    def analyze(self, *, everything: bool = False, progress: Progress | None = None) -> RunSummary:
        """Analyse all that is stored and not analysed, settled or not; `everything`: again from the start."""
        with self._turn:
            if everything:
                self._open = None
            self._look(everything=everything)
            done = self._work(None, everything=everything, progress=progress)
            self._conclusions.after(done.requests, at_once=True)
            return done

    def rest(self, work: Callable[[], pl.DataFrame]) -> None:
        """Do `work` on the store while nothing is analysed; it gives the traces that are gone from it."""
        with self._turn:
            gone = work()
            if self._open is not None and gone.height:
                self._open = self._open.join(gone, on=KEYS, how="anti")

    def lag_ns(self, now_ns: int) -> int:
        """Return for how long the trace that settled first has waited to be analysed; 0 where none waits."""
        waiting = self._open
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

    def _look(self, *, everything: bool = False) -> None:
        """Take note of the traces that got spans since the last look."""
        upto = int(self._store.query(statement("runs/last_commit")).item())
        if self._open is None:
            self._open = self._store.query(statement("runs/unanalysed"), {"upto": upto, "all": everything})
            self._peers = {}
            self._learn(self._store.query(statement("runs/peers")))
        elif upto > self._seen:
            arrived = self._store.query(statement("runs/arrived"), {"seen": self._seen, "upto": upto})
            self._note(arrived)
        self._seen = upto

    def _note(self, arrived: pl.DataFrame) -> None:
        together = pl.concat([self._open_traces(), arrived], how="vertical_relaxed")
        self._open = together.group_by(KEYS).agg(
            pl.col("first_commit").min(),
            pl.col("last_commit").max(),
            pl.col("last_ns").max(),
            pl.col("spans").sum(),
        )

    def _open_traces(self) -> pl.DataFrame:
        if self._open is None:
            raise RuntimeError("no look was taken at the store")
        return self._open

    def _work(self, until_ns: int | None, *, everything: bool, progress: Progress | None) -> RunSummary:
        done = RunSummary()
        started = time.perf_counter()
        while True:
            ready = self._open_traces()
            if until_ns is not None:
                ready = ready.filter(pl.col("last_ns") <= until_ns)
            if not ready.height:
                break
            total = done.spans + int(ready.get_column("spans").sum())
            for part in self._through(ready, everything=everything):
                done += part
                if progress is not None:
                    progress(min(done.spans, total), total)
            everything = False
        return done + RunSummary(seconds=time.perf_counter() - started)

    def _through(self, ready: pl.DataFrame, *, everything: bool) -> Iterator[RunSummary]:
        """Analyse batch after batch; the one before is written, and the next one read, meanwhile."""
        with (
            ThreadPoolExecutor(1, thread_name_prefix="results") as writer,
            ThreadPoolExecutor(1, thread_name_prefix="spans") as reader,
        ):
            before: tuple[_Batch, Future[int]] | None = None
            cut = batches(self._beside_their_pieces(ready), BATCH_SPANS)
            for group in self._prepared(ahead(reader, self._read, cut)):
                for batch in self._compared(group, everything=everything):
                    if before is not None:
                        yield self._finish(*before)
                    before = batch, writer.submit(self._write, batch)
            if before is not None:
                yield self._finish(*before)

    def _read(self, traces: pl.DataFrame) -> _Taken:
        """Read what one batch of traces needs."""
        written, beside = self._with_messages(traces)
        stored = self._store.query_with(statement("runs/stored_requests"), _wanted(written))
        spans, links = self._whole(written, beside, stored)
        resources = self._store.query(statement("runs/resources"))
        return _Taken(traces, written, beside, stored, spans, links, resources)

    def _prepared(self, read: Iterable[_Taken]) -> Iterator[list[tuple[_Taken, Prepared]]]:
        """Take batches, two at a time, through what each needs alone; give as many as are compared with each other."""
        with ThreadPoolExecutor(2, thread_name_prefix="prepared") as desk:
            group: list[tuple[_Taken, Future[Prepared]]] = []
            for taken in read:
                known = taken.resources, taken.links, self._rules, Peers(self._peers)
                group.append((taken, desk.submit(prepare, taken.spans, *known)))
                if len(group) > 1:
                    group[-2][1].result()
                if sum(one.spans.height for one, _ in group) >= COMPARED_SPANS:
                    yield [(one, prepared.result()) for one, prepared in group]
                    group = []
            if group:
                yield [(one, prepared.result()) for one, prepared in group]

    def _compared(self, group: list[tuple[_Taken, Prepared]], *, everything: bool) -> Iterator[_Batch]:
        """Compare batches with each other, then finish one after the other, and let go of it."""
        compared = compare([prepared for _, prepared in group], Peers(self._peers))
        news = {host for one in compared for host in self._learn(one.peers)}
        taken = [one for one, _ in group]
        group.clear()
        while taken:
            yield self._batch(taken.pop(0), compared.pop(0), news, everything=everything)
            news = set()

    def _batch(self, taken: _Taken, compared: Compared, news: set[str], *, everything: bool) -> _Batch:
        """Make one batch ready to be written."""
        results = compared.results()
        if taken.beside.height:
            results = only(results, taken.written)
        tables = dict(results.tables)
        if not everything:
            tables["requests"] = _revised(tables["requests"], taken.stored)
        return _Batch(
            traces=taken.traces,
            written=taken.written,
            rows=(tables, results.owners, _numbers(taken.stored)),
            news=news | self._learn(results.peers),
            summary=_summary(taken.traces, taken.spans, results, taken.stored),
        )

    def _write(self, batch: _Batch) -> int:
        """Store a batch's rows; a sender that a batch before this one took in too was stored anew since it was read."""
        tables, owners, replaces = batch.rows
        again = batch.written.join(batch.traces, on=KEYS, how="anti")
        if again.height:
            since = _numbers(self._store.query_with(statement("runs/stored_requests"), _wanted(again)))
            found = [numbers for numbers in (replaces, since) if numbers is not None]
            replaces = np.unique(np.concatenate(found)) if found else None
        return self._store.write_results(tables, owners, replaces)

    def _finish(self, batch: _Batch, writing: Future[int]) -> RunSummary:
        """Wait until a batch's rows are stored; then its traces are done."""
        writing.result()
        self._open = self._open_traces().join(batch.traces, on=KEYS, how="anti")
        self._reopen(batch.news, batch.written)
        return batch.summary

    def _with_messages(self, batch: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Add the traces that sent these traces' messages; and, to be read beside them, all that these sent.

        Senders that still wait to be analysed, or to be written, are left to their own turn: it takes in these.
        """
        waiting = self._open_traces()
        senders = self._store.query_with(statement("runs/producers"), _wanted(batch))
        settled = from_the_start(senders.join(waiting, on=KEYS, how="anti"))
        pieces = self._pieces(batch).join(settled, on=KEYS, how="anti")
        written = pl.concat([batch, settled, from_the_start(pieces)], how="vertical_relaxed")
        most = {"most": MOST_CONSUMERS}
        receivers = self._store.query_with(statement("runs/consumers"), _wanted(written), most)
        return written, from_the_start(receivers.join(written, on=KEYS, how="anti"))

    def _pieces(self, batch: pl.DataFrame) -> pl.DataFrame:
        """Find analysed traces that carry an id of these: they may be pieces of one request."""
        ids = self._ids(batch).select("id").unique()
        if not ids.height:
            return batch.clear().select(KEYS)
        since = {"since_ns": int(batch.get_column("last_ns").min()) - LATEST_PIECE_NS}  # type: ignore[arg-type]
        found = self._store.query_with(statement("runs/pieces"), {"ids": ids}, since)
        return found.join(batch, on=KEYS, how="anti").join(self._open_traces(), on=KEYS, how="anti")

    def _ids(self, traces: pl.DataFrame) -> pl.DataFrame:
        found = self._store.query_with(statement("runs/ids"), _wanted(traces), {"upto": self._seen})
        return found.drop_nulls("id").unique()

    def _beside_their_pieces(self, ready: pl.DataFrame) -> pl.DataFrame:
        """Let traces that share an id begin together, so that they are analysed together."""
        together = self._ids(ready).join(ready.select(*KEYS, "first_commit"), on=KEYS)
        first = together.with_columns(pl.col("first_commit").min().over("id")).group_by(KEYS)
        earliest = first.agg(pl.col("first_commit").min().alias("together"))
        return (
            ready.join(earliest, on=KEYS, how="left")
            .with_columns(first_commit=pl.min_horizontal("first_commit", "together"))
            .drop("together")
        )

    def _whole(
        self, written: pl.DataFrame, beside: pl.DataFrame, stored: pl.DataFrame
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Read spans and links of whole traces: of those seen before from the store's beginning."""
        late = from_the_start(written.join(stored, on=KEYS, how="semi").select(KEYS))
        fresh = written.join(stored, on=KEYS, how="anti")
        parts = [part for part in (fresh, pl.concat([late, beside])) if part.height]
        spans = [spans_of(self._store, INPUT, part.select(KEYS), *commits(part)) for part in parts]
        links = [self._links(part) for part in parts]
        return pl.concat(spans), pl.concat(links)

    def _links(self, traces: pl.DataFrame) -> pl.DataFrame:
        first, last = commits(traces)
        text = statement("runs/links", columns=", ".join(LINK_INPUT))
        return self._store.query_with(text, _wanted(traces), {"first_commit": first, "last_commit": last})

    def _learn(self, peers: pl.DataFrame) -> set[str]:
        """Remember which hosts are which services; give the hosts of which more is known than before."""
        news = set()
        for peer, port, tier, service in peers.select("peer", "port", "tier", "service").iter_rows():
            known = self._peers.get((peer, port), frozenset())
            if (tier, service) not in known:
                self._peers[peer, port] = known | {(tier, service)}
                news.add(peer)
        return news

    def _reopen(self, hosts: set[str], batch: pl.DataFrame) -> None:
        """Take up again the traces that called one of these hosts when nobody knew who it was."""
        if not hosts:
            return
        found = self._store.query(statement("runs/silent_callers"), {"peers": sorted(hosts)})
        again = found.join(batch, on=KEYS, how="anti").join(self._open_traces(), on=KEYS, how="anti")
        if again.height:
            self._note(from_the_start(again))


def _wanted(traces: pl.DataFrame) -> dict[str, pl.DataFrame]:
    return {"wanted": traces.select(KEYS)}


def _numbers(stored: pl.DataFrame) -> np.ndarray | None:
    return stored.get_column("request_no").unique().to_numpy() if stored.height else None


def _revised(requests: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """Number revisions: one more than the trace's requests had before."""
    before = stored.group_by(KEYS).agg(before=pl.col("revision").max())
    joined = requests.join(before, on=KEYS, how="left", maintain_order="left")
    revision = (pl.col("before").fill_null(0) + 1).cast(pl.Int32)
    return joined.with_columns(revision=revision).drop("before")


def _summary(batch: pl.DataFrame, spans: pl.DataFrame, results: Results, stored: pl.DataFrame) -> RunSummary:
    failed = words.code(words.WARNINGS, "stage_failed")
    requests = results["requests"]
    return RunSummary(
        traces=batch.height,
        spans=spans.height,
        requests=requests.height,
        revised=requests.join(stored, on=KEYS, how="semi").height,
        set_aside=results["warnings"].filter(pl.col("code") == failed).height,
    )


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
