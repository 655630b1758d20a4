"""Rules about connections: pools that have nothing left, connections made anew, callees that let calls wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis.findings import advice
from analysis.findings.cases import Case, marks, milliseconds
from analysis.findings.retiming import LEAD, WHOLE

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
_OPENING: Final = ("setup_ns", "dns_ns", "connect_ns", "tls_ns")


def connection_rules(evidence: Evidence) -> Iterator[Case]:
    """Yield what is wrong with connections, seam by seam."""
    calls = evidence.calls.filter(~pl.col("async"))
    phases = _phase_spans(evidence)
    for (seam,), some in calls.group_by("seam", maintain_order=True):
        yield from _pool(phases, str(seam), some)
        yield from _cold(phases, str(seam), some)
        yield from _backlog(str(seam), some)
        yield from _far(str(seam), some)


def _phase_spans(evidence: Evidence) -> pl.DataFrame:
    """Give the call (`call`) that each phase span (`row`, `role`) belongs to.

    That is the call that it lies in, or in a phase span of; else the next call of its parent that starts when it is
    over (a pool's span comes before the statement's).
    """
    spans = evidence.spans.filter(pl.col("role").is_in(_PHASES)).select("row", "parent_row", "role", "end_ns")
    calls = evidence.calls.select(call="row", parent_row="parent_row", begin="start_ns")
    inside = spans.join(calls.select(parent_row="call", call="call"), on="parent_row").select("row", "call")
    waiting = calls.filter(pl.col("parent_row") >= 0)
    beside = (
        spans.filter(pl.col("role").is_in(_BEFORE))
        .join(inside, on="row", how="anti")
        .join(waiting, on="parent_row")
        .filter((pl.col("begin") >= pl.col("end_ns") - _SLACK_NS) & (pl.col("row") != pl.col("call")))
        .sort("begin")
        .unique("row", keep="first", maintain_order=True)
    )
    found = pl.concat([inside, beside.select("row", "call")])
    for _ in range(2):  # phases inside phases: a handshake in the wait for a connection
        open_ = spans.join(found, on="row", how="anti")
        below = open_.join(found.rename({"row": "parent_row"}), on="parent_row").select("row", "call")
        found = pl.concat([found, below])
    return found.join(spans.select("row", "role"), on="row").unique("row", keep="first", maintain_order=True)


def _taken_out(
    phases: pl.DataFrame, calls: pl.DataFrame, roles: tuple[str, ...], how: int, wait: pl.Expr
) -> pl.DataFrame:
    """Mark what to take out of calls: of their phase spans, or at the head of calls that have none."""
    told = calls.select("request", "row", "inner_row", wait=wait)
    of_calls = phases.filter(pl.col("role").is_in(roles)).select(row="call", phase="row")
    shown = told.join(of_calls, on="row", maintain_order="left")
    spans = shown.select("request", "wait", row="phase")
    # a phase beside the inner call (undici's, below a fetch) lies in it: both get shorter
    wrapped = pl.col("row") != pl.col("inner_row")
    bare = told.join(shown.select("row").unique(), on="row", how="anti")
    heads = pl.concat([bare.filter(~wrapped), told.filter(wrapped)]).select("request", "wait", row="inner_row")
    return pl.concat([marks(spans, how, pl.col("wait")), marks(heads, LEAD, pl.col("wait"))])


def _concurrency(calls: pl.DataFrame) -> tuple[int, int, pl.DataFrame]:
    """Give the most calls that wanted a connection at once, the most that had one, and per call how many had it."""
    demand = used = 0
    rows = []
    for _, own in calls.group_by("caller_instance", maintain_order=True):
        begin = own.get_column("start_ns").to_numpy()
        finish = own.get_column("end_ns").to_numpy()
        wanted = begin - own.get_column("pool_wait_ns").fill_null(0).to_numpy()
        demand = max(demand, _most(wanted, finish))
        used = max(used, _most(begin, finish))
        ahead = np.searchsorted(np.sort(begin), begin, "left") - np.searchsorted(np.sort(finish), wanted, "right")
        rows.append(own.select("row").with_columns(ahead=pl.Series(ahead, dtype=pl.Int64)))
    return demand, used, pl.concat(rows)


def _most(begin: np.ndarray, finish: np.ndarray) -> int:
    """Give the greatest number of intervals that are open at one moment."""
    at = np.concatenate([begin, finish])
    step = np.concatenate([np.ones(begin.size, np.int64), -np.ones(finish.size, np.int64)])
    order = np.lexsort((step, at))
    return int(np.cumsum(step[order]).max(initial=0))


def _pool(phases: pl.DataFrame, seam: str, calls: pl.DataFrame) -> Iterator[Case]:
    """A call waits for a connection while others have one: there are fewer than are wanted."""
    waiting = calls.filter(pl.col("pool_wait_ns") > 0)
    if not waiting.height:
        return
    demand, used, ahead = _concurrency(calls)
    queued = waiting.join(ahead.filter(pl.col("ahead") > 0), on="row", how="semi")
    if not queued.height:
        return
    caller, callee = str(calls["caller"][0]), str(calls["callee"][0])
    longest = queued.get_column("pool_wait_ns").max()
    yield Case(
        rule="pool_exhausted",
        route=None,
        seam=seam,
        marks=_taken_out(phases, queued, ("pool_wait", "getconn"), LEAD, pl.col("pool_wait_ns")),
        message=(
            f"{caller} has too few connections to {callee}: %requests% waited for one, %cost% each on average and "
            f"{milliseconds(_number(longest))} at most; up to {demand} calls wanted one at a time, at most {used} ran"
        ),
        next_step=advice.pool(calls, demand, used),
    )


def _cold(phases: pl.DataFrame, seam: str, calls: pl.DataFrame) -> Iterator[Case]:
    """Call after call opens a connection, where one that is kept open would do."""
    opening = pl.sum_horizontal(pl.col(_OPENING).fill_null(0))
    new = (pl.col("reused") == False) | (pl.sum_horizontal(pl.col("setup_ns", "connect_ns", "tls_ns").fill_null(0)) > 0)  # noqa: E712 - null is neither
    cold = calls.filter(new.fill_null(value=False))
    share = cold.height / calls.height
    if share < COLD_SHARE:
        return
    yield Case(
        rule="cold_connections",
        route=None,
        seam=seam,
        marks=_taken_out(phases, cold, ("dns", "connect", "tls", "setup"), WHOLE, opening),
        message=(
            f"{calls['caller'][0]} opens a new connection to {calls['callee'][0]} for {share:.0%} of its calls; "
            f"that held %requests%, %cost% each on average"
        ),
        next_step=advice.keep_alive(calls),
    )


def _backlog(seam: str, calls: pl.DataFrame) -> Iterator[Case]:
    """The callee has the request, and nobody there has taken it up."""
    queued = calls.filter(pl.col("server_queue_ns") > 0)
    if queued.height:
        yield Case(
            rule="server_backlog",
            route=None,
            seam=seam,
            marks=marks(queued, LEAD, pl.col("server_queue_ns")),
            message=(
                f"{calls['callee'][0]} lets requests wait before it takes them up: %requests% from "
                f"{calls['caller'][0]}, %cost% each on average"
            ),
            next_step=advice.backlog(calls),
        )


def _far(seam: str, calls: pl.DataFrame) -> Iterator[Case]:
    """Every call costs a long way there and back, and requests make several in a row."""
    told = calls.filter(pl.col("network_ns").is_not_null())
    trip = told.get_column("network_ns").quantile(0.1) if told.height else None
    if trip is None or trip < FAR_NS:
        return
    several = told.filter(pl.len().over("request") >= FAR_CALLS)
    if several.height:
        yield Case(
            rule="far_from_data",
            route=None,
            seam=seam,
            marks=marks(several, LEAD, pl.col("network_ns").clip(upper_bound=int(trip))),
            message=(
                f"{calls['callee'][0]} is far from {calls['caller'][0]}: {milliseconds(trip)} of way per call, and "
                f"%requests% go there several times, %cost% each on average"
            ),
            next_step=(
                f"Run {calls['caller'][0]} near {calls['callee'][0]} (or a replica near it), or ask once instead of "
                f"several times"
            ),
        )


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
