"""Traces in, results out: the one entry of the desk."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import pairwise, repeat
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import polars as pl

from analysis import clocks, facts, forest, gaps, journeys, patterns, remarks, stitch, telling
from analysis.columns import INPUT, LINK_INPUT, ONLY_TO_STITCH, bits, ordered
from analysis.grouping import number_pairs, offsets_of, order_by
from analysis.neighbours import Neighbours
from analysis.results import KEYS, Results, empty, join, set_aside
from analysis.rules import NoRules, Peers, Walk
from seamscope.schema import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Executor, Future

    from analysis.arrays import Int64s, Mask
    from analysis.rules import Rules

T = TypeVar("T")

NO_RULES: Final = NoRules()
NO_PEERS: Final = Peers()
DEFAULT_WALK: Final = Walk()

NEEDED: Final = ("trace_hi", "trace_lo", "span_id", "parent_id", "kind", "start_ns", "end_ns", "resource_id")
"""Columns without which there is no span."""

CONSUMER: Final = words.code(words.SPAN_KINDS, "consumer")

CHUNK_SPANS: Final = 250_000
"""Spans that go through the passes together: few enough for their columns to stay in the machine's caches, enough
for the passes' fixed costs not to count."""

WORKERS: Final = 2
"""Chunks in work at a time; kernels do not hold the interpreter."""

WALKED_AHEAD: Final = 4
"""Chunks whose paths are walked while calls are compared: enough to keep the other workers busy meanwhile."""

NO_TRACE: Final = pl.DataFrame({name: [0] for name in KEYS}, schema=dict.fromkeys(KEYS, pl.UInt64))
"""Stands in a warning for all traces."""

MOST_SOUGHT: Final = 32
"""Failing traces that are sought out one by one; beyond, all that fail together are set aside together."""


def analyse(
    spans: pl.DataFrame,
    resources: pl.DataFrame,
    links: pl.DataFrame | None = None,
    rules: Rules = NO_RULES,
    peers: Peers = NO_PEERS,
    walk: Walk = DEFAULT_WALK,
) -> Results:
    """Analyse any number of whole traces.

    Args:
        spans: columns `analysis.columns.INPUT` of `SPANS`; any order; columns may be absent.
        resources: rows of `RESOURCES`, at least those of the spans; all known ones name more services.
        links: columns `analysis.columns.LINK_INPUT` of `SPAN_LINKS`.
        rules: the operator's word on services and hosts.
        peers: hosts that are known services.
        walk: how critical paths are walked.

    A trace that makes a stage raise is set aside with the warning `stage_failed`; the others are not touched.
    """
    return compare([prepare(spans, resources, links, rules, peers, walk)], peers)[0].results()


def prepare(
    spans: pl.DataFrame,
    resources: pl.DataFrame,
    links: pl.DataFrame | None = None,
    rules: Rules = NO_RULES,
    peers: Peers = NO_PEERS,
    walk: Walk = DEFAULT_WALK,
    beside: pl.DataFrame | None = None,
    crowded: Sequence[str] = (),
) -> Prepared:
    """Take a batch of whole traces through pass A, to be compared with other batches; arguments as for `analyse`.

    `beside` names traces (`KEYS`) that are here for the work which others caused: their calls are not compared, and no
    piece is sought among them. By `crowded` ids no pieces are joined: more traces carry them than make a request,
    though not all of these are here.
    """
    told = spans.select([name for name in INPUT if _says_anything(spans, name)])
    linked = _no_links() if links is None else links.select(LINK_INPUT)
    desk = _Desk(resources, linked, rules, peers, walk, stitch.none(), beside)
    joins = desk.stitch(desk.without_beside(told), crowded)
    told = told.drop(ONLY_TO_STITCH, strict=False)
    if told.height <= CHUNK_SPANS:
        return Prepared(desk, desk.prepare(told))
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="desk") as pool:
        parts = pool.map(lambda rows: desk.prepare(told, rows), chunks(told, linked, joins))
        return Prepared(desk, [part for found in parts for part in found])


def compare(
    batches: Sequence[Prepared], peers: Peers = NO_PEERS, neighbours: Neighbours | None = None
) -> list[Compared]:
    """Take batches through pass B together (the last knows all resources): it does not matter how they were cut.

    Their calls are also compared with their neighbours', of which nothing is said.
    """
    near = neighbours or Neighbours()
    parts = [part for batch in batches for part in batch.parts]
    whose = [batch.desk for batch in batches for _ in batch.parts]
    others = [part for batch in near.batches for part in batch.parts]
    theirs = [batch.desk for batch in near.batches for _ in batch.parts]
    everyone = peers.and_those(row for part in (*parts, *others) for row in _learned(part))
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="desk") as pool:  # a single part, too: read ahead, it knew less
        parts = list(pool.map(lambda desk, part: desk.informed(part, everyone), whose, parts))
        others = list(pool.map(lambda desk, part: desk.informed(part, everyone), theirs, others))
    lent = [part.facts for part in parts]
    parts, known = (
        batches[-1].desk.compare(parts, others, near) if parts else (parts, patterns.nothing(clocks.unknown(), {}))
    )
    compared, first = [], 0
    for batch in batches:
        mine = range(first, first + len(batch.parts))
        told = [known.of(at) for at in mine]
        compared.append(Compared(batch.desk, [parts[at] for at in mine], told, known, [lent[at] for at in mine]))
        first = mine.stop
    return compared


def _says_anything(spans: pl.DataFrame, name: str) -> bool:
    return name in spans.columns and (name in NEEDED or spans.get_column(name).null_count() < spans.height)


def chunks(spans: pl.DataFrame, links: pl.DataFrame, joins: stitch.Joins) -> list[Int64s]:
    """Split the rows of spans into chunks of whole traces; what messages or joins tie together stays in one."""
    trace, first = number_pairs(bits(spans, "trace_hi"), bits(spans, "trace_lo"))
    offsets = offsets_of(trace, first.size)
    order = order_by(trace, offsets)
    traces = ordered(spans.select(KEYS), first)
    by_trace = (offsets[:-1] // CHUNK_SPANS + 1)[joins.groups(traces)].astype(np.int32)
    by_trace[_tied(traces, links)] = 0
    if (by_trace[1:] >= by_trace[:-1]).all():
        bounds = offsets[[0, *(np.flatnonzero(np.diff(by_trace)) + 1), by_trace.size]]
        return [order[begin:end] for begin, end in pairwise(bounds.tolist())]
    number = by_trace[trace[order]]
    begins = offsets_of(number, int(by_trace.max()) + 1)
    order = order[order_by(number, begins)]
    return [order[begin:end] for begin, end in pairwise(begins.tolist()) if end > begin]


def _tied(traces: pl.DataFrame, links: pl.DataFrame) -> Mask:
    """Mark traces on either side of a message's link."""
    told = links.filter(pl.col("kind") == CONSUMER)
    there = told.select(pl.col("linked_trace_hi").alias("trace_hi"), pl.col("linked_trace_lo").alias("trace_lo"))
    keys = pl.concat([told.select(KEYS), there]).unique().with_columns(tied=pl.lit(value=True))
    joined = traces.select(KEYS).join(keys, on=KEYS, how="left", maintain_order="left")
    tied: Mask = joined.get_column("tied").fill_null(value=False).to_numpy()
    return tied


def _learned(part: _Part) -> Iterator[tuple[str, int, int, str]]:
    yield from part.journeys.seams.learned.select("peer", "port", "tier", "service").iter_rows()


def _calls_strangers(part: _Part, everyone: Peers, peers: Peers) -> bool:
    """Tell whether a part has calls to a host of which others know more than it did."""
    mine = peers.and_those(_learned(part)).services
    news = {host for (host, port), found in everyone.services.items() if set(mine.get((host, port), ())) != set(found)}
    if not news:
        return False
    silent = part.journeys.calls.named[part.journeys.seams.first_server < 0]
    return bool(part.ground.forest.spans.gather("peer", silent).unique().is_in(list(news)).any())


@dataclass(frozen=True, slots=True)
class _Taken:
    """Spans as they came, all or some `rows` of them: nothing is copied before it is asked for."""

    spans: pl.DataFrame
    rows: Int64s | None

    def frame(self) -> pl.DataFrame:
        """Return them."""
        return self.spans if self.rows is None else ordered(self.spans, self.rows)


@dataclass(frozen=True, slots=True)
class _Part:
    """Traces on their way through the passes: what pass A found about them."""

    taken: _Taken
    ground: journeys.Ground
    journeys: journeys.Journeys
    gaps: gaps.Gaps
    facts: pl.DataFrame
    peers: Peers
    ways: Future[telling.Ways] | None = None
    """Where they were walked ahead, once every clock was known."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch of traces that went through pass A."""

    desk: _Desk
    parts: list[_Part]


@dataclass(frozen=True, slots=True)
class Compared:
    """A batch of traces that went through passes A and B."""

    desk: _Desk
    parts: list[_Part]
    told: list[patterns.Told]
    known: patterns.Known
    facts: list[pl.DataFrame]
    """What pass B reads of the batch's calls, as the batch alone has them: for `Neighbours`."""

    @property
    def peers(self) -> pl.DataFrame:
        """Hosts that turned out to be services, as in `Results`."""
        return pl.concat([empty().peers, *(part.journeys.seams.learned for part in self.parts)])

    def results(self) -> Results:
        """Take the batch through pass C."""
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="desk") as pool:
            found = list(pool.map(self.desk.finish, self.parts, self.told, repeat(self.known)))
        return join([*(one for some in found for one in some), *self.desk.set_aside] or [empty()])


@dataclass(slots=True)
class _Desk:
    """One run: what all its traces share, and how many of them have failed."""

    resources: pl.DataFrame
    links: pl.DataFrame
    rules: Rules
    peers: Peers
    walk: Walk
    joins: stitch.Joins
    beside: pl.DataFrame | None = None
    set_aside: list[Results] = field(default_factory=list)

    def without_beside(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the rows that are not of traces which are here for what they say of others."""
        return (
            rows
            if self.beside is None or not self.beside.height
            else rows.join(self.beside, on=KEYS, how="anti", maintain_order="left")
        )

    def stitch(self, spans: pl.DataFrame, crowded: Sequence[str]) -> stitch.Joins:
        """Find the traces that are pieces of one request."""
        self.joins = self._tried(
            lambda: stitch.find(spans, candidates=self.walk.candidates, crowded=crowded),
            lambda: self.joins,
            "joining pieces: ",
        )
        return self.joins

    def prepare(self, spans: pl.DataFrame, rows: Int64s | None = None) -> list[_Part]:
        """Take spans, or some `rows` of them, through pass A; where it raises, find the traces that make it."""
        if not spans.height:
            return []
        try:
            ground = journeys.begin(forest.grow(spans, self.resources, self.joins.stitches, rows), self.rules)
            return [self._followed(_Taken(spans, rows), ground, self.peers)]
        except Exception as error:  # noqa: BLE001 - whatever it is, only its traces are set aside
            halves = self._halves(_Taken(spans, rows).frame(), error)
            return [part for half in halves for part in self.prepare(half)]

    def _followed(self, taken: _Taken, ground: journeys.Ground, peers: Peers) -> _Part:
        found = journeys.follow(ground, self.rules, peers)
        measured = gaps.measure(found)
        return _Part(taken, ground, found, measured, self.without_beside(facts.gather(found, measured)), peers)

    def informed(self, part: _Part, everyone: Peers) -> _Part:
        """Follow a part again if others know hosts that it calls."""
        if not _calls_strangers(part, everyone, part.peers):
            return part
        return self._followed(part.taken, part.ground, everyone)

    def compare(self, parts: list[_Part], others: list[_Part], near: Neighbours) -> tuple[list[_Part], patterns.Known]:
        """Pass B: what only many calls can tell; and the parts with every host's clock where it belongs."""
        return self._tried(
            lambda: self._compared(parts, others, near),
            lambda: (parts, patterns.nothing(clocks.unknown(), {})),
            "comparing calls: ",
        )

    def _compared(
        self, parts: list[_Part], others: list[_Part], near: Neighbours
    ) -> tuple[list[_Part], patterns.Known]:
        mine, names = _together(parts), facts.host_names(self.resources)
        first = _with(mine, near.lent(mine, [part.facts for part in others], moved=False))
        found = self._tried(lambda: clocks.settle(first), clocks.unknown, "reckoning clocks: ")
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="desk") as pool:
            parts = list(pool.map(lambda part: self._on_time(part, found), parts))
            if near.most_ns is None:
                others = list(pool.map(lambda part: self._on_time(part, found), others))
            parts = [*(self._on_its_way(part, found, pool) for part in parts[:WALKED_AHEAD]), *parts[WALKED_AHEAD:]]
            told = _with(_together(parts), near.lent(mine, [part.facts for part in others], moved=found.moves))
            known = self._tried(
                lambda: patterns.settle(told, found, names),
                lambda: patterns.nothing(found, names),
                "comparing calls: ",
            )
        return parts, known

    def _tried(self, attempt: Callable[[], T], otherwise: Callable[[], T], what: str) -> T:
        """Give what an attempt gives, or, where it raises, what there is without it; then a warning says `what`."""
        try:
            return attempt()
        except Exception as error:  # noqa: BLE001 - every request stands without it
            self.set_aside.append(set_aside(NO_TRACE, error, what))
            return otherwise()

    def _on_its_way(self, part: _Part, found: clocks.Clocks, pool: Executor) -> _Part:
        """Let a part's paths be walked: where they lead does not hang on what many calls tell, only what they are."""
        return replace(part, ways=pool.submit(telling.ways, part.journeys, part.gaps, found, self.walk))

    def _on_time(self, part: _Part, found: clocks.Clocks) -> _Part:
        if not (found.moves or part.journeys.times.shift.any()):
            return part
        again = journeys.follow(part.ground, self.rules, part.peers, found)
        measured = gaps.measure(again, found)
        told = _those_of(facts.gather(again, measured), part.facts)
        return replace(part, journeys=again, gaps=measured, facts=told)

    def finish(self, part: _Part, told: patterns.Told, known: patterns.Known) -> list[Results]:
        """Take a part through pass C; where it raises, find the traces that make it and set them aside."""
        try:
            return [self._results(part, told, known)]
        except Exception as error:  # noqa: BLE001 - likewise
            again = [
                self._on_time(one, known.clocks)
                for half in self._halves(part.taken.frame(), error)
                for one in self.prepare(half)
            ]
            return [result for one in again for result in self.finish(one, told.of(one.facts), known)]

    def _halves(self, spans: pl.DataFrame, error: Exception) -> list[pl.DataFrame]:
        traces = spans.select(KEYS).unique(maintain_order=True)
        if traces.height == 1 or len(self.set_aside) >= MOST_SOUGHT:
            self.set_aside.append(set_aside(traces, error))
            return []
        half = traces.height // 2
        return [_those(spans, some) for some in (traces[:half], traces[half:])]

    def _results(self, part: _Part, told: patterns.Told, known: patterns.Known) -> Results:
        odd = pl.concat([known.warnings, remarks.ambiguous(self.joins.ambiguous)])
        walked = (
            telling.ways(part.journeys, part.gaps, known.clocks, self.walk) if part.ways is None else part.ways.result()
        )
        return telling.results(part.journeys, walked, told, odd, self.links)


def _together(parts: list[_Part]) -> pl.DataFrame:
    return pl.concat([part.facts.with_columns(part=pl.lit(at, pl.Int32)) for at, part in enumerate(parts)])


def _with(calls: pl.DataFrame, lent: list[pl.DataFrame]) -> pl.DataFrame:
    """Add calls of which nothing is said."""
    return pl.concat([calls, *(rows.with_columns(part=pl.lit(-1, pl.Int32)) for rows in lent)])


def _those_of(gathered: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of calls that were among those gathered before."""
    if gathered.height == before.height:
        return gathered
    return gathered.join(before.select("call"), on="call", how="semi", maintain_order="left")


def _those(spans: pl.DataFrame, traces: pl.DataFrame) -> pl.DataFrame:
    return spans.join(traces, on=KEYS, how="semi", maintain_order="left")


def _no_links() -> pl.DataFrame:
    return pl.DataFrame(schema={name: pl.UInt8 if name == "kind" else pl.UInt64 for name in LINK_INPUT})
