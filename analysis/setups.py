"""Setup: connections made anew, seen in the gaps of calls that came first on them (design §4.6).

Where servers tell the port they were called from, a connection is known by it: what comes first on one may have set
it up. Elsewhere a call must have opened a connection when all that its caller had were in use, and may have after a
pause. Either way the gap must be two-humped, its slow hump on those calls; or, where every call has a connection of
its own, the way there must cost what the way back does not, and always about the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis import ceilings
from analysis.baselines import Note, Sheet, ms
from analysis.facts import SETS_UP
from seamscope.schema import words

if TYPE_CHECKING:
    from analysis.arrays import Int64s, Mask

SETUP: Final = words.code(words.CAUSES, "setup")
CONNECT: Final = words.code(words.CAUSES, "connect")
DNS: Final = words.code(words.CAUSES, "dns")

TIMERS: Final = ((1_000_000_000, CONNECT, "SYN"), (3_000_000_000, CONNECT, "SYN"), (5_000_000_000, DNS, "resolver"),
                 (7_000_000_000, CONNECT, "SYN"), (10_000_000_000, DNS, "resolver"))  # fmt: skip
"""Waits that only a timer makes: a lost SYN is sent again after 1, 3 and 7 s, a resolver asks again after 5 s."""

NEAR: Final = 0.03
"""A wait is a timer's when it is longer by no more than this part."""

FEWEST_WARM: Final = 10
MOST_OF_THEM: Final = 0.5
"""Share of calls on connections of their own that must be slow before slowness is what setting one up costs."""
PAIR: Final = ["window", "caller", "callee"]


def find(told: pl.DataFrame, slow: Mask, sheet: Sheet) -> list[Note]:
    """Find the calls whose connection was set up for them; what other patterns explain is left alone.

    `slow` marks calls of pairs that are worth a look.
    """
    if not slow.any():
        return []
    told = told.filter(slow)
    spoken = (sheet.pool_ns > 0) | (sheet.queue_ns > 0)
    known = told.filter(pl.col("served") & (pl.col("request") >= 0) & (pl.col("servers") == 1) & (pl.col("before") > 0))
    silent = known.with_columns(free=~spoken[known["row"].to_numpy()])
    told_by_client = ((pl.col("marks") & SETS_UP) != 0) | (pl.col("reused") != words.UNKNOWN)
    some = silent.group_by(PAIR).agg(
        pl.len().alias("calls"), told_by_client.any().alias("measured"), pl.col("before").median().alias("usual")
    )
    some = some.filter((pl.col("calls") >= ceilings.FEWEST) & ~pl.col("measured"))
    if not some.height:
        return []
    wanted = silent.join(some.select(PAIR), on=PAIR, how="semi").sort(*PAIR, "start", "trace_hi", "trace_lo", "span_id")
    notes = []
    for group in wanted.partition_by(PAIR, maintain_order=True):
        notes += _timers(group, sheet)
        notes += _fresh(group, sheet)
    return notes


def _timers(group: pl.DataFrame, sheet: Sheet) -> list[Note]:
    """Find waits of a timer's length; chance puts one long wait in ten there."""
    wait, rows = group["before"].to_numpy(), group["row"].to_numpy()
    free = group["free"].to_numpy() & (sheet.setup_ns[rows] == 0)
    long = free & (wait >= TIMERS[0][0] * (1 - NEAR))
    notes: list[Note] = []
    if not long.any():
        return notes
    slack = group["slack"].to_numpy() + 2 * sheet.oneway[rows]
    cause, name = np.zeros(rows.size, np.uint8), np.full(rows.size, "", object)
    for length, why, who in TIMERS:
        hit = long & (wait >= length - slack) & (wait <= length * (1 + NEAR) + slack)
        cause[hit], name[hit] = why, f"{length // 1_000_000_000} s {who}"
    hits, tries = int((cause > 0).sum()), int(long.sum())
    confidence = 1 - ceilings.luck(hits, tries, 0.1)
    if 3 * hits < 2 * tries or confidence < ceilings.SURE:
        return notes
    for timer in sorted(set(name[cause > 0])):
        at = name == timer
        sheet.setup_ns[rows[at]], sheet.setup_cause[rows[at]] = wait[at], cause[at]
        text = f"{int(at.sum())} of {tries} waits of a second and more are the {timer} timer's, to {NEAR:.0%}"
        notes.append(Note(rows[at], int(cause[at][0]), wait[at], confidence, text))
    return notes


def _fresh(group: pl.DataFrame, sheet: Sheet) -> list[Note]:
    port = group["connection"].to_numpy()
    if (port > 0).mean() >= 0.9:
        cold = ~group["connection"].is_duplicated().to_numpy() | group["connection"].is_first_distinct().to_numpy()
        if cold.mean() >= 0.9:
            return _always(group, sheet, cold)
        return _two_humps(group, sheet, cold, "on connections not seen before")
    if group["caller_host"][0] == 0 or group["sampled"].any():
        return []
    return _after_pause(group, sheet)


def _after_pause(group: pl.DataFrame, sheet: Sheet) -> list[Note]:
    """Find the pause after which calls are slow; calls that find no connection free count as after the longest."""
    start, release = group["start"].to_numpy(), np.sort(group["end"].to_numpy())
    ended = np.searchsorted(release, start, "right")
    open_now = np.arange(start.size) - ended
    most = np.maximum.accumulate(np.concatenate([[0], open_now[:-1] + 1])) if start.size else open_now
    never = open_now >= most
    pause = np.where(never | (ended == 0), np.inf, start - release[np.maximum(ended - 1, 0)])
    wait = group["before"].to_numpy()
    best: tuple[float, float] | None = None
    for cut in np.unique(np.quantile(pause, np.linspace(0.05, 0.95, 19), method="lower")):
        cold = pause >= cut
        found = _humps(wait, cold, group["slack"].to_numpy())
        if found is not None and (best is None or found[0] > best[0]):
            best = found[0], float(cut)
    if best is None:
        return []
    where = "when no connection was free" if np.isinf(best[1]) else f"after {ms(best[1])} and more without a call"
    return _two_humps(group, sheet, pause >= best[1], where)


def _humps(wait: Int64s, cold: Mask, slack: Int64s) -> tuple[float, float, float] | None:
    """Return confidence, the usual wait of warm calls, and from when on a call is slow; None without a slow hump.

    Not every new connection must be slow, but what is slow must be a new connection.
    """
    if cold.sum() < ceilings.FEWEST or (~cold).sum() < FEWEST_WARM:
        return None
    warm = float(np.median(wait[~cold]))
    least = 2 * float(np.quantile(wait[~cold], 0.9)) + 2 * float(slack.max())
    late = wait > least
    if (late & cold).sum() < ceilings.FEWEST:
        return None
    return ceilings.wilson(float((late & cold).sum()), float(late.sum())), warm, least


def _two_humps(group: pl.DataFrame, sheet: Sheet, cold: Mask, where: str) -> list[Note]:
    wait, rows = group["before"].to_numpy(), group["row"].to_numpy()
    found = _humps(wait, cold, group["slack"].to_numpy())
    if found is None:
        return []
    _, warm, least = found
    late = wait > least
    alone = int((late & ~cold).sum())
    told = _told_apart(group["start"].to_numpy(), wait, late, cold)
    confidence = ceilings.wilson(float(told), float(told + alone))
    if told < ceilings.FEWEST or confidence < ceilings.SURE:
        return []
    at = cold & late & group["free"].to_numpy() & (sheet.setup_ns[rows] == 0)
    ns = np.maximum(wait - round(warm), 0)
    text = (
        f"of {int(late.sum())} calls that took more than {ms(least)} to reach the server {int((late & cold).sum())} "
        f"came {where}, as did {int(cold.sum())} of {cold.size} in all; the others usually took {ms(warm)}"
    )
    return _write(sheet, rows[at], ns[at], confidence, text)


def _told_apart(start: Int64s, wait: Int64s, late: Mask, cold: Mask) -> int:
    """Count the late calls on new connections that speak of connections, not of a moment when everything was late.

    One does where a call on another connection, made after it, reached the server before half its wait was over. Those
    without, that waited together, are one: as well their caller may have had no time for any of them (a burst of
    requests at a process that has just begun, whose connections are all new).
    """
    begin, until = start[late & cold], (start + wait)[late & cold]
    quick, came = start[~late & ~cold], (start + wait)[~late & ~cold]
    soonest = np.append(np.minimum.accumulate(came[::-1])[::-1], np.iinfo(np.int64).max)
    told = soonest[np.searchsorted(quick, begin, "left")] <= begin + (until - begin) // 2
    together = np.cumsum(np.concatenate([[True], begin[1:] > np.maximum.accumulate(until)[:-1]])) - 1
    return int(np.maximum(np.bincount(together, told), 1).sum())


def _always(group: pl.DataFrame, sheet: Sheet, cold: Mask) -> list[Note]:
    """Judge calls that never share a connection: what most way there cost, about the same, and no way back, is setup.

    Some may be quick all the same: a name that was looked up a moment before, a session that was resumed. What waited
    for a pool or in a queue says nothing of what connections cost.
    """
    cold, group = cold[group["free"].to_numpy()], group.filter("free")
    if not group.height:
        return []
    wait, back, rows = group["before"].to_numpy(), group["response"].to_numpy(), group["row"].to_numpy()
    way, grain = float(np.median(back)), float(group["slack"].max())  # type: ignore[arg-type]  # of numbers, so a number
    late = wait > 4 * way + 2 * grain
    if late.sum() < ceilings.FEWEST or late.mean() < MOST_OF_THEM:
        return []
    usual, least = float(np.median(wait[late])), float(np.quantile(wait[late], 0.25))
    confidence = ceilings.wilson(float(cold.sum()), float(cold.size))
    if least < usual / 2 or confidence < ceilings.SURE:
        return []
    at = late & (sheet.setup_ns[rows] == 0)
    ns = np.maximum(wait - round(way), 0)
    text = (
        f"{int(cold.sum())} of {cold.size} calls came over a connection of their own; {int(late.sum())} of them took "
        f"{ms(usual)} to reach the server, three in four at least {ms(least)}, and the way back {ms(way)}"
    )
    return _write(sheet, rows[at], ns[at], confidence, text)


def _write(sheet: Sheet, rows: Int64s, ns: Int64s, confidence: float, text: str) -> list[Note]:
    some = ns > 0
    sheet.setup_ns[rows[some]], sheet.setup_cause[rows[some]] = ns[some], SETUP
    return [Note(rows[some], SETUP, ns[some], confidence, text)] if some.any() else []
