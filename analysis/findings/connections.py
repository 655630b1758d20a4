"""Rules about connections: pools that have nothing left, connections made anew, callees that let calls wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis.findings import advice
from analysis.findings.cases import Case, marks, milliseconds, places
from analysis.findings.retiming import EARLIER, LEAD, WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analysis.findings.evidence import Evidence

COLD_SHARE: Final = 0.2
"""Part of a seam's calls that open a connection, from which on it is not a pool that grows."""
FAR_NS: Final = 10_000_000
FAR_CALLS: Final = 2
"""Round trips of so long, so many one after the other, are data far away."""

_PHASES: Final = ("pool_wait", "getconn", "dns", "connect", "tls", "setup")
_BEFORE: Final = ("pool_wait", "getconn", "setup")
"""Phases that have a span beside the call's and before it; a handshake beside it lies in it (undici)."""
_SLACK_NS: Final = 1_000_000
_OPENED: Final = ("dns", "connect", "tls", "setup")
_BEFORE_IT: Final = pl.col("callee").str.starts_with("data:").fill_null(value=False) & (pl.col("server_row") < 0)
"""A statement's span holds no wait of its own: one that many statements tell of lies before it."""
_LEAST_SHARE: Final = 0.05
"""Less of a connection's opening is not worth a word."""
_OPENING: Final = ("setup_ns", "dns_ns", "connect_ns", "tls_ns")


def connection_rules(evidence: Evidence) -> Iterator[Case]:
    """Yield what is wrong with connections, seam by seam."""
    calls = evidence.awaited
    phases = _phase_spans(evidence)
    yield from _pool(phases, calls)
    yield from _cold(phases, calls)
    yield from _backlog(calls)
    yield from _far(calls)


def _phase_spans(evidence: Evidence) -> pl.DataFrame:
    """Give the call (`call`) that each phase span (`row`, `role`) belongs to, and whether it is `beside` it.

    That is the call that it lies in, or in a phase span of; else the next call of its parent that starts when it is
    over (a pool's span comes before the statement's).
    """
    spans = evidence.spans.filter(pl.col("role").is_in(_PHASES)).select("row", "parent_row", "role", "end_ns")
    calls = evidence.calls.select(call="row", parent_row="parent_row", begin="start_ns")
    inside = spans.join(calls.select(parent_row="call", call="call"), on="parent_row").select("row", "call")
    waiting = calls.filter(pl.col("parent_row") >= 0).join(spans, left_on="call", right_on="row", how="anti")
    before = (
        spans.filter(pl.col("role").is_in(_BEFORE) & (pl.col("parent_row") >= 0))
        .join(inside, on="row", how="anti")
        .with_columns(begin=pl.col("end_ns") - _SLACK_NS)
    )
    waiting = waiting.join(before.select("parent_row").unique(), on="parent_row", how="semi", maintain_order="left")
    beside = before.sort("begin").join_asof(
        waiting.sort("begin"), on="begin", by="parent_row", strategy="forward", check_sortedness=False
    )
    beside = beside.drop_nulls("call")
    outside = beside.select("row", "call")
    found = pl.concat([inside, outside])
    for _ in range(2):  # phases inside phases: a handshake in the wait for a connection
        open_ = spans.join(found, on="row", how="anti")
        below = open_.join(found.rename({"row": "parent_row"}), on="parent_row").select("row", "call")
        found = pl.concat([found, below])
    told = found.join(spans.select("row", "role"), on="row").unique("row", keep="first", maintain_order=True)
    return told.with_columns(beside=pl.col("row").is_in(outside.get_column("row").implode()))


def _taken_out(
    phases: pl.DataFrame, calls: pl.DataFrame, roles: tuple[str, ...], how: int, wait: pl.Expr
) -> pl.DataFrame:
    """Mark what to take out of calls: of their phase spans, or at the head of calls that have none."""
    told = calls.select("request", "row", "inner_row", wait=wait, before=_BEFORE_IT)
    of_calls = phases.filter(pl.col("role").is_in(roles)).select(row="call", phase="row")
    shown = told.join(of_calls, on="row", maintain_order="left")
    spans = shown.select("request", "wait", row="phase")
    # a phase beside the inner call (undici's, below a fetch) lies in it: both get shorter
    wrapped = pl.col("row") != pl.col("inner_row")
    bare = told.join(shown.select("row").unique(), on="row", how="anti")
    inside = bare.filter(~wrapped & ~pl.col("before"))
    heads = pl.concat([inside, told.filter(wrapped)]).select("request", "wait", row="inner_row")
    sooner = marks(bare.filter(~wrapped & pl.col("before")), EARLIER, pl.col("wait"))
    return pl.concat([marks(spans, how, pl.col("wait")), marks(heads, LEAD, pl.col("wait")), sooner])


def _with_waits(phases: pl.DataFrame, calls: pl.DataFrame) -> pl.DataFrame:
    """Say when each call wanted a connection (`wanted_ns`) and when it had one (`had_ns`).

    A pool's own span comes before the call, as does a statement's wait that has none; any other wait without one, and
    one whose span is inside the call, is the call's beginning.
    """
    pools = phases.filter(pl.col("role").is_in(("pool_wait", "getconn")))
    shown = pl.col("row").is_in(pools.get_column("call").implode())
    before = pl.col("row").is_in(pools.filter("beside").get_column("call").implode()) | (~shown & _BEFORE_IT)
    wait = pl.col("pool_wait_ns").fill_null(0)
    return calls.with_columns(
        wanted_ns=pl.col("start_ns") - pl.when(before).then(wait).otherwise(0),
        had_ns=pl.col("start_ns") + pl.when(before).then(0).otherwise(wait),
    )


def _concurrency(calls: pl.DataFrame) -> tuple[int, int, pl.DataFrame]:
    """Give the most calls that wanted a connection at once, the most that had one, and per call how many had it."""
    told = calls.select(
        "row",
        whose=pl.col("caller_instance").fill_null("").rank("dense").cast(pl.Int64),
        begin="had_ns",
        finish="end_ns",
        wanted="wanted_ns",
    )
    whose, begin, finish, wanted = (told.get_column(name).to_numpy() for name in ("whose", "begin", "finish", "wanted"))
    ahead = _before(whose, begin, begin, inclusive=False) - _before(whose, finish, wanted, inclusive=True)
    rows = told.select("row", ahead=pl.Series(ahead, dtype=pl.Int64))
    return _most(whose, wanted, finish), _most(whose, begin, finish), rows


def _before(whose: np.ndarray, moments: np.ndarray, at: np.ndarray, *, inclusive: bool) -> np.ndarray:
    """Count for each row the moments of its group before its own `at` (or at it)."""
    key = np.concatenate([moments, at])
    group = np.concatenate([whose, whose])
    asks = np.repeat([0, 1] if inclusive else [1, 0], moments.size)
    order = np.lexsort((asks, key, group))
    asking = order >= moments.size
    seen = np.cumsum(~asking)
    first = np.searchsorted(np.sort(whose), whose, "left")
    counted = np.empty(moments.size, np.int64)
    counted[order[asking] - moments.size] = seen[asking]
    return counted - first


def _most(whose: np.ndarray, begin: np.ndarray, finish: np.ndarray) -> int:
    """Give the greatest number of intervals of one group that are open at one moment."""
    at = np.concatenate([begin, finish])
    group = np.concatenate([whose, whose])
    step = np.concatenate([np.ones(begin.size, np.int64), -np.ones(finish.size, np.int64)])
    order = np.lexsort((step, at, group))  # every group's sum ends at 0
    return int(np.cumsum(step[order]).max(initial=0))


def _tells_waits(phases: pl.DataFrame, calls: pl.DataFrame) -> bool:
    """Tell whether some of these calls have a span of their own for the wait."""
    pools = phases.filter(pl.col("role").is_in(("pool_wait", "getconn")))
    return bool(calls.get_column("row").is_in(pools.get_column("call").implode()).any())


def _pool(phases: pl.DataFrame, calls: pl.DataFrame) -> Iterator[Case]:
    """A call waits for a connection while others have one: there are fewer than are wanted."""
    for (seam,), waiting in places(calls.filter(pl.col("pool_wait_ns") > 0), "seam"):
        whole = calls.filter(pl.col("seam") == seam)
        demand, used, ahead = _concurrency(_with_waits(phases, whole))
        queued = waiting.join(ahead.filter(pl.col("ahead") > 0), on="row", how="semi")
        # where waits are told, and as many ran as ever wanted to, they waited for something else
        if not queued.height or (demand <= used and _tells_waits(phases, whole)):
            continue
        # waits that nobody tells are inferred only where they are sure: a call without one may have waited too
        inferred = _number(queued.get_column("inferred_ns").sum()) >= _number(queued.get_column("pool_wait_ns").sum())
        had = demand if inferred else used
        caller, callee = str(whole["caller"][0]), str(whole["callee"][0])
        longest = queued.get_column("pool_wait_ns").max()
        yield Case(
            rule="pool_exhausted",
            route=None,
            seam=seam,
            marks=_taken_out(phases, queued, ("pool_wait", "getconn"), LEAD, pl.col("pool_wait_ns")),
            message=(
                f"{caller} has too few connections to {callee}: %requests% waited for one, %cost% each on average and "
                f"{milliseconds(_number(longest))} at most; {advice.demand_of(demand, had)}"
            ),
            next_step=advice.pool(whole, demand),
        )


def _cold(phases: pl.DataFrame, calls: pl.DataFrame) -> Iterator[Case]:
    """Call after call opens a connection, where one that is kept open would do."""
    opening = pl.sum_horizontal(pl.col(_OPENING).fill_null(0))
    new = (pl.col("reused") == False) | (pl.sum_horizontal(pl.col("setup_ns", "connect_ns", "tls_ns").fill_null(0)) > 0)  # noqa: E712 - null is neither
    new = new.fill_null(value=False)
    cold = calls.with_columns(share=new.mean().over("seam")).filter(new & (pl.col("share") >= COLD_SHARE))
    for (seam,), some in places(cold, "seam"):
        parts = _parts(some)
        made_of = ", ".join(f"{part} {milliseconds(ns)}" for part, ns in parts.items())
        yield Case(
            rule="cold_connections",
            route=None,
            seam=seam,
            marks=_opened(phases, some, opening),
            message=(
                f"{some['caller'][0]} opens a new connection to {some['callee'][0]} for {some['share'][0]:.0%} of its "
                f"calls; that held %requests%, %cost% each on average" + (f" (opening one: {made_of})" if parts else "")
            ),
            next_step=advice.keep_alive(some, parts),
        )


def _parts(calls: pl.DataFrame) -> dict[str, float]:
    """Give the mean nanoseconds of every part of opening a connection, the longest first; none that is hardly any."""
    sums = {name.removesuffix("_ns"): _number(calls.get_column(name).sum()) / calls.height for name in _OPENING}
    told = {name: ns for name, ns in sums.items() if ns >= _LEAST_SHARE * sum(sums.values()) and ns > 0}
    return dict(sorted(told.items(), key=lambda part: -part[1]))


def _opened(phases: pl.DataFrame, calls: pl.DataFrame, opening: pl.Expr) -> pl.DataFrame:
    """Mark the opening of connections: its own spans, or its part of the span in which one is got (SQLAlchemy's)."""
    own = phases.filter(pl.col("role").is_in(_OPENED)).get_column("call").implode()
    got = phases.filter((pl.col("role") == "getconn") & ~pl.col("call").is_in(own)).get_column("call").implode()
    inside = pl.col("row").is_in(got)
    return pl.concat(
        [
            _taken_out(phases, calls.filter(~inside), _OPENED, WHOLE, opening),
            _taken_out(phases, calls.filter(inside), ("getconn",), LEAD, opening),
        ]
    )


def _backlog(calls: pl.DataFrame) -> Iterator[Case]:
    """The callee has the request, and nobody there has taken it up."""
    for (seam,), queued in places(calls.filter(pl.col("server_queue_ns") > 0), "seam"):
        yield Case(
            rule="server_backlog",
            route=None,
            seam=seam,
            marks=marks(queued, LEAD, pl.col("server_queue_ns")),
            message=(
                f"{queued['callee'][0]} lets requests wait before it takes them up: %requests% from "
                f"{queued['caller'][0]}, %cost% each on average"
            ),
            next_step=advice.backlog(queued),
        )


def _far(calls: pl.DataFrame) -> Iterator[Case]:
    """Every call costs a long way there and back, and requests make several in a row."""
    told = calls.filter(pl.col("network_ns").is_not_null())
    trips = told.group_by("seam").agg(trip=pl.col("network_ns").quantile(0.1)).filter(pl.col("trip") >= FAR_NS)
    if not trips.height:
        return
    far = told.join(trips, on="seam", maintain_order="left").filter(pl.len().over("request", "seam") >= FAR_CALLS)
    for (seam,), several in places(far, "seam"):
        yield Case(
            rule="far_from_data",
            route=None,
            seam=seam,
            marks=marks(several, LEAD, pl.min_horizontal("network_ns", "trip")),
            message=(
                f"{several['callee'][0]} is far from {several['caller'][0]}: {milliseconds(several['trip'][0])} of way "
                f"per call, and %requests% go there several times, %cost% each on average"
            ),
            next_step=(
                f"Run {several['caller'][0]} near {several['callee'][0]} (or a replica near it), or ask once instead "
                f"of several times"
            ),
        )


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
