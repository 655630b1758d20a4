"""Waits: for a connection of the caller's pool, and in the callee's queue (design §4.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis import ceilings, episodes
from analysis.arrays import MISSING
from analysis.baselines import Note, Pairs, Sheet, ms
from analysis.facts import SETS_UP, WAITS
from seamscope.schema import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analysis.arrays import Int64s, Mask

POOL_WAIT: Final = words.code(words.CAUSES, "pool_wait")
NETWORK: Final = words.code(words.CAUSES, "network")
SERVER_QUEUE: Final = words.code(words.CAUSES, "server_queue")

MOST_SILENT: Final = 0.05
"""Share of calls to a service that may lack their server span before its sampling counts as unknown."""

WORTH: Final = 0.25
"""Waits are looked into where the longest tenth of them takes at least this part of the usual call."""

ONE_THREAD_NS: Final = 1_000_000
"""Clocks as coarse as this are JavaScript's, which runs on one thread."""

NEARLY_ALL: Final = 0.9
"""Share of readings that must agree where either side may have stood still."""

FEW_BY_CHANCE: Final = 3.3
"""Standard errors that one in a thousand reaches by chance."""

PLAIN: Final = 2
"""Standard errors from which on two things may go together after all."""

ACCIDENT: Final = 0.05
"""A wait is one from this part of the longest on. A begin follows a release when it comes within this part of the
usual wait: one in twenty does by accident."""


def worth_a_look(pairs: Pairs, wait: Int64s) -> Mask:
    """Mark the calls of pairs whose longest waits are worth one (nanoseconds by row; `MISSING`: none known)."""
    most, calls = pairs.groups.quantiles(wait, 0.9)
    worth = (calls >= ceilings.FEWEST) & (most > 2 * pairs.slack) & (most > WORTH * pairs.length)
    marked: Mask = worth[pairs.groups.number]
    return marked


@dataclass(frozen=True, slots=True)
class Line:
    """Calls that may have stood in one line, by start; `rows` points into the facts."""

    rows: Int64s
    arrive: Int64s
    begin: Int64s
    release: Int64s
    late: Mask
    slack: int
    doubt: int = 0
    """How far the clocks of both sides may be off, where begins are one side's and releases the other's."""

    def ceiling(self, handover: int) -> ceilings.Ceiling | None:
        """Find how many places there were; `handover` is the least time between a release and the next begin."""
        if self.late.sum() < ceilings.FEWEST:
            return None
        wait = float(np.median((self.begin - self.arrive)[self.late]))
        near = max(2 * self.slack, round(wait * ACCIDENT))
        early = min(2 * self.slack + self.doubt, near)
        return ceilings.find(self.arrive, self.begin, self.release, self.late, early, near + handover)


def _column(frame: pl.DataFrame, name: str) -> Int64s:
    values: Int64s = frame.get_column(name).to_numpy()
    return values


def _groups(told: pl.DataFrame, keys: list[str]) -> Iterator[pl.DataFrame]:
    """Yield groups of calls (`wait`, `slack`) enough of which wait enough, each by start, `late` marked."""
    usual = told.group_by(keys).agg(
        pl.col("wait").quantile(0.9, "lower").alias("most"),
        (pl.col("end") - pl.col("start")).median().alias("length"),
        pl.col("slack").max().alias("coarsest"),
        pl.len().alias("calls"),
    )
    least = pl.max_horizontal(pl.col("most") * ACCIDENT, 2 * pl.col("coarsest"))
    usual = usual.with_columns(least=least).filter(
        (pl.col("calls") >= ceilings.FEWEST)
        & (pl.col("most") > pl.col("least"))
        & (pl.col("most") > WORTH * pl.col("length"))
    )
    marked = told.join(usual.select(*keys, "least"), on=keys, how="inner").with_columns(
        late=pl.col("wait") > pl.col("least")
    )
    busy = marked.group_by(keys).agg(pl.col("late").sum()).filter(pl.col("late") >= ceilings.FEWEST)
    if busy.height:
        some = marked.join(busy.select(keys), on=keys, how="semi").sort(
            *keys, "start", "trace_hi", "trace_lo", "span_id"
        )
        yield from some.partition_by(keys, maintain_order=True)


def idle(told: pl.DataFrame, pairs: Pairs) -> Mask:
    """Mark statements of pairs before which their callers did nothing else for long enough to be worth a look."""
    lead = _column(told, "lead")
    known = ~told["served"].to_numpy() & (lead != MISSING)
    marked: Mask = known & worth_a_look(pairs, np.where(known, _column(told, "start") - lead, MISSING))
    return marked


def statements(told: pl.DataFrame, late: Mask, sheet: Sheet) -> list[Note]:
    """Find waits for a connection before statements (`idle`), which begin as another ends."""
    asked = late & (_column(told, "caller_host") != 0)
    if not asked.any():
        return []
    wait = told.filter(asked).with_columns(wait=pl.col("start") - pl.col("lead"))
    notes = []
    for group in _groups(wait, ["window", "caller", "peer"]):
        if group.get_column("sampled").any():
            continue
        line = Line(
            _column(group, "row"), _column(group, "lead"), _column(group, "start"), _column(group, "end"),
            group["late"].to_numpy(), _coarsest(group),
        )  # fmt: skip
        found = line.ceiling(0)
        if found is not None and found.confidence >= ceilings.SURE:
            rows, ns = line.rows[found.waited], (line.begin - line.arrive)[found.waited]
            sheet.lead_ns[rows], sheet.lead_cause[rows] = ns, POOL_WAIT
            notes.append(Note(rows, POOL_WAIT, ns, found.confidence, _of_statements(found, group.height)))
    return notes


def _of_statements(found: ceilings.Ceiling, calls: int) -> str:
    return (
        f"at most {found.places} statements of this caller run at once; {int(found.waited.sum())} of {found.late} that "
        f"began late did so as another ended, and of {calls} in all {found.spared} began though all were taken"
    )


def calls(told: pl.DataFrame, slow: Mask, sheet: Sheet) -> tuple[Mask, list[Note]]:
    """Find waits for a connection inside calls, and in the queue before the callee; `slow` are worth a look.

    Also marks the calls of callers that look as if they had a pool, whether or not it may be named.
    """
    pooled = np.zeros(told.height, np.bool_)
    if not slow.any():
        return pooled, []
    lines = told.filter(slow).select("window", "caller", "callee", "party").unique()
    served = told.filter(pl.col("served"))
    ours = served.join(lines.select("window", "caller", "party"), on=["window", "caller", "party"], how="semi")
    theirs = served.join(lines.select("window", "callee"), on=["window", "callee"], how="semi")
    served = pl.concat([ours, theirs]).unique("row", maintain_order=True)
    served = served.with_columns(wait=_wait(served, sheet))
    sampled = _sampled_apart(told)
    pools = dict(_pools(served, sheet))
    notes: list[Note] = []
    taken = np.zeros(told.height, np.bool_)
    for group in _groups(served.filter(pl.col("callee_host") != 0), ["window", "callee"]):
        line, found = _queue(group)
        if found is None or found.confidence < ceilings.SURE or group["party"].is_in(sampled).any():
            continue
        verdict = _which(group, line, found, pools, sheet)
        taken[line.rows[found.waited]] |= verdict != "pool"
        if verdict == "pool" and _may_be_named(group, found, pools):
            rows, ns = line.rows[found.waited], (line.begin - line.arrive)[found.waited]
            pooled[line.rows] = True
            sheet.pool_ns[rows] = ns
            notes.append(Note(rows, POOL_WAIT, ns, found.confidence, _of_connections(found, line.rows.size)))
        if verdict == "queue":
            rows, ns = line.rows[found.waited], (line.begin - line.arrive)[found.waited]
            sheet.queue_ns[rows] = ns
            notes.append(Note(rows, SERVER_QUEUE, ns, found.confidence, _of_queue(found, group)))
    for line, found, trusted in pools.values():
        pooled[line.rows] = True
        mine = found.waited & ~taken[line.rows]
        if not trusted or not mine.any():
            continue
        rows, ns = line.rows[mine], (line.begin - line.arrive)[mine]
        sheet.pool_ns[rows] = ns
        notes.append(Note(rows, POOL_WAIT, ns, found.confidence, _of_pool(found, line.rows.size)))
    return pooled, notes


def stalls(told: pl.DataFrame, slow: Mask, sheet: Sheet) -> list[Note]:
    """Tell late calls that waited for the callee to go on from those that were long on the way.

    Of two whose waits overlap, those before a callee that stood still begin closer together than they came; those on
    a slow way begin as far apart as they came. So do those before a callee that is short of CPU, which takes longer
    itself where they waited longer; a slow way has nothing to do with that. Only calls whose connection was there
    before are judged; others waited beside those (`episodes`). A client that starts on whole milliseconds has one
    thread, which may have stood still itself: of its calls nearly all must agree.
    """
    spoken = (sheet.pool_ns > 0) | (sheet.queue_ns > 0) | (sheet.setup_ns > 0)
    known = slow & ~spoken & (_column(told, "callee_host") != 0) & told["served"].to_numpy()
    if not known.any():
        return []
    some = told.filter(known)
    some = some.with_columns(wait=_wait(some, sheet), clean=_clean(told, known))
    notes = []
    for group in _groups(some, ["window", "callee"]):
        late = group.filter(pl.col("late")).with_columns(came=pl.col("server_start") - pl.col("wait")).sort("came")
        if not late.get_column("clean").mean() >= 0.5:  # type: ignore[operator]
            continue
        came, began, wait = _column(late, "came"), _column(late, "server_start"), _column(late, "wait")
        between, then = np.diff(came), np.diff(began)
        telling = (came[1:] < began[:-1]) & (between > max(2 * _coarsest(late), ACCIDENT * float(np.median(wait))))
        bunched = int((telling & (np.abs(then) < between / 2)).sum())
        apart = int((telling & (np.abs(then - between) < between / 2)).sum())
        at = late.get_column("clean").to_numpy()
        rows, ns, pairs = _column(late, "row")[at], wait[at], bunched + apart
        stood, slow_way = ceilings.prevails(bunched, apart), ceilings.prevails(apart, bunched)
        if _coarsest(late) >= ONE_THREAD_NS and max(bunched, apart) < NEARLY_ALL * pairs:
            continue
        if stood >= ceilings.CHANCE:
            text = f"{bunched} of {pairs} pairs of late calls that waited at once began closer together than they came"
            stood_ns = episodes.stood(came, began, at)
            rows, ns = _column(late, "row")[stood_ns > 0], stood_ns[stood_ns > 0]
            sheet.queue_ns[rows] = ns
            notes.append(Note(rows, SERVER_QUEUE, ns, stood, text))
        elif slow_way >= ceilings.CHANCE and _slower_with_waits(group) > FEW_BY_CHANCE:
            text = "the longer calls waited for it to begin, the longer this callee took itself: it was short of time"
            sheet.queue_ns[rows] = ns
            notes.append(Note(rows, SERVER_QUEUE, ns, slow_way, text))
        elif slow_way >= ceilings.CHANCE and _slower_with_waits(group) < PLAIN:
            text = f"{apart} of {pairs} pairs of late calls that waited at once began as far apart as they came"
            sheet.network_ns[rows] += ns
            notes.append(Note(rows, NETWORK, ns, slow_way, text))
    return notes


def _slower_with_waits(group: pl.DataFrame) -> float:
    """Return by how many standard errors the ranks of waits and of the callee's own lengths go together."""
    ranks = group.select(pl.col("wait").rank(), took=(pl.col("server_end") - pl.col("server_start")).rank())
    together = ranks.select(pl.corr("wait", "took")).item()
    return 0.0 if together is None or np.isnan(together) else float(together) * float(np.sqrt(group.height - 1))


def _clean(told: pl.DataFrame, some: Mask) -> pl.Series:
    """Mark calls whose connection was there before: their client says so, or the server saw its port before."""
    pair = ["window", "caller", "callee"]
    order = told.select("row", "connection", "reused", "start", "marks", *pair).sort("start", "row")
    seen = ~pl.struct(*pair, "connection").is_first_distinct() & (pl.col("connection") > 0)
    speaks = ((pl.col("marks") & (SETS_UP | WAITS)) > 0).any().over(pair)
    marked = order.with_columns(clean=seen | (pl.col("reused") == 1) | speaks).sort("row")
    return marked.get_column("clean").filter(pl.Series(some))


def ways_back(told: pl.DataFrame, pairs: Pairs, sheet: Sheet) -> list[Note]:
    """Call it the way back when the server was done and the first byte had yet to come.

    Where the client starts on whole milliseconds its one thread may have been busy itself; those are left alone.
    """
    some = told["first_seen"].to_numpy() & (_column(told, "slack") < ONE_THREAD_NS) & (_column(told, "gap") >= 0)
    some &= ~told["failed"].to_numpy()
    some &= worth_a_look(pairs, np.where(some, _column(told, "after") - sheet.oneway, MISSING))
    more = np.where(some, _column(told, "after"), 0) - sheet.back_ns
    rows = np.flatnonzero(some & (more > 0))
    if not rows.size:
        return []
    ns = _column(told, "after")[rows]
    sheet.back_ns[rows] = ns
    worth = ns * 10 >= (told["end"] - told["start"]).to_numpy()[rows]
    return [Note(rows[worth], NETWORK, ns[worth], 0.95, "the server was done and the first byte had not come")]


def _sampled_apart(told: pl.DataFrame) -> list[int]:
    """Return services that some of whose server spans are missing, or whose callers were sampled."""
    seen = told.group_by("party").agg(
        served=pl.col("served").mean(), any_served=pl.col("served").any(), sampled=pl.col("sampled").any()
    )
    odd = seen.filter(pl.col("any_served") & ((pl.col("served") < 1 - MOST_SILENT) | pl.col("sampled")))
    return odd.get_column("party").to_list()


Pool = tuple[Line, ceilings.Ceiling, bool]


def _pools(served: pl.DataFrame, sheet: Sheet) -> Iterator[tuple[tuple[int, int, int], Pool]]:
    """Yield the callers' lines that look like a pool, by window, caller and service; and whether they may be named."""
    for group in _groups(served, ["window", "caller", "party"]):
        rows, start = _column(group, "row"), _column(group, "start")
        begin = start + _column(group, "wait")
        slack, doubt = _coarsest(group), int(_column(group, "doubt").max())
        line = Line(rows, start, begin, _column(group, "end"), group["late"].to_numpy(), slack, doubt)
        found = line.ceiling(int(np.median(sheet.oneway[rows])))
        if found is None or found.confidence < ceilings.SURE:
            continue
        yield (group["window"][0], group["caller"][0], group["party"][0]), (line, found, _trusted(group))


def _may_be_named(group: pl.DataFrame, found: ceilings.Ceiling, pools: dict[tuple[int, int, int], Pool]) -> bool:
    """Tell whether a pool that a callee's line shows may be named here, and not where a caller's line shows it.

    Where ports tell connections, each is some one process's, whatever its callers' keys stand for.
    """
    keys = zip(group["window"], group["caller"], group["party"], strict=True)
    if _by_connection(group, found)[1]:
        return _sent(group) and not any(pools[key][2] for key in keys if key in pools)
    return _trusted(group) and not _rivals(group, pools)


def _sent(group: pl.DataFrame) -> bool:
    """Tell whether these callers send all their calls, and no spans of their pool."""
    measured = (_column(group, "marks") & WAITS).any()
    return bool(not measured and not group["sampled"].any())


def _trusted(group: pl.DataFrame) -> bool:
    """Tell whether a pool of these callers may be named: hosts known, no spans of its own, all calls sent."""
    return bool((_column(group, "caller_host") != 0).all() and _sent(group))


def _rivals(group: pl.DataFrame, pools: dict[tuple[int, int, int], Pool]) -> bool:
    """Tell whether some caller of these calls looks as if it had a pool."""
    return any(key in pools for key in zip(group["window"], group["caller"], group["party"], strict=True))


def _wait(group: pl.DataFrame, sheet: Sheet) -> Int64s:
    rows = _column(group, "row")
    known = _column(group, "request") >= 0
    wait: Int64s = np.where(known, np.maximum(_column(group, "before") - sheet.oneway[rows], 0), 0)
    return wait


def _coarsest(group: pl.DataFrame) -> int:
    return int(_column(group, "slack").max())


def _queue(group: pl.DataFrame) -> tuple[Line, ceilings.Ceiling | None]:
    """Return the line before one callee instance, on its own clock."""
    rows, begin = _column(group, "row"), _column(group, "server_start")
    arrive = begin - _column(group, "wait")
    line = Line(rows, arrive, begin, _column(group, "server_end"), group["late"].to_numpy(), _coarsest(group))
    return line, line.ceiling(0)


def _which(
    group: pl.DataFrame,
    line: Line,
    found: ceilings.Ceiling,
    pools: dict[tuple[int, int, int], Pool],
    sheet: Sheet,
) -> str:
    """Tell a callee's queue from its callers' pools where both fit: `queue`, `pool`, or nothing.

    A call that waited for a pooled connection runs over the very one that its predecessor gave back, and not before
    that one's response has travelled; a queued one has a connection of its own and begins at once.
    """
    same, told = _by_connection(group, found)
    if told:
        return "pool" if same >= 0.8 else "queue" if same <= 0.2 else ""
    at = np.flatnonzero(found.waited & (found.predecessor >= 0))
    before = found.predecessor[at]
    if group.get_column("caller").n_unique() > 1 and not _rivals(group, pools):
        return "queue"
    handover = float(np.median(line.begin[at] - line.release[before]))
    way = 2 * float(np.median(sheet.oneway[line.rows[at]]))
    if way <= 0:
        return ""
    return "pool" if handover >= 0.8 * way else "queue" if handover <= 0.3 * way else ""


def _by_connection(group: pl.DataFrame, found: ceilings.Ceiling) -> tuple[float, bool]:
    """Return the share of calls that came over the connection that the one before gave back; whether ports tell."""
    at = np.flatnonzero(found.waited & (found.predecessor >= 0))
    before = found.predecessor[at]
    port = _column(group, "connection")
    told = (port[at] > 0) & (port[before] > 0)
    if told.sum() < ceilings.FEWEST:
        return 0.0, False
    return float((port[at] == port[before])[told].mean()), True


def _of_pool(found: ceilings.Ceiling, calls: int) -> str:
    return (
        f"at most {found.places} calls of this caller are served at once; {int(found.waited.sum())} of {found.late} "
        f"that began late did so as another ended, and of {calls} in all {found.spared} began though all were taken"
    )


def _of_connections(found: ceilings.Ceiling, calls: int) -> str:
    return (
        f"at most {found.places} calls are served at once, each late one over the connection that another gave back: "
        f"{int(found.waited.sum())} of {found.late} that began late, of {calls} in all"
    )


def _of_queue(found: ceilings.Ceiling, group: pl.DataFrame) -> str:
    callers = group.get_column("caller").n_unique()
    return (
        f"this callee serves at most {found.places} calls at once, whoever calls ({callers} caller"
        f"{'s' if callers > 1 else ''}); {int(found.waited.sum())} of {found.late} late ones began as another ended, "
        f"and {found.spared} began though all places were taken; the usual wait was "
        f"{ms(float(np.median(_column(group, 'request')[found.waited])))}"
    )
