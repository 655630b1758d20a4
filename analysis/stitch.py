"""Pieces of one request that lost their trace context, joined again by exact ids (design §4.3).

A piece is a trace whose root serves. It is hung under the one call of another trace with the same request or
platform id that was open when it began and that nothing else answered; under several it stays where it is, and is
counted. Next.js 14 and 15 make up to three traces of one request: the router has the server run the middleware (the
pass, `BaseServer.handleRequest` with `next.bubble`), the sandbox begins a trace of its own inside it
(`Middleware.execute`), and the router then has the page handled, again from a root. The middleware hangs under the
pass around it, and so does the page that begins right after it, of the same method and path: the shape that Next.js 16
sends in one trace. Candidates without a shared id are joined only when asked.

A client span whose parent had ended before it began, or was never received, ran in somebody else's context: undici
begins a call that waited in its pool where the pool wakes, under whichever request opened the connection. Its
server's id says whose it is, and it goes under that request's one open call in the same process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis.columns import bits
from analysis.grouping import in_several, least_tied
from seamscope.schema import words

if TYPE_CHECKING:
    from collections.abc import Sequence

KEYS: Final = ("trace_hi", "trace_lo")
IDS: Final = {"correlation_id": "request_id", "platform_id": "platform_id"}
"""Columns of ids, and what a join by them is called."""

CLIENT: Final = words.code(words.SPAN_KINDS, "client")
SERVER: Final = words.code(words.SPAN_KINDS, "server")
FETCH: Final = words.code(words.ROLES, "fetch")
REQUEST: Final = words.code(words.ROLES, "request")
MIDDLEWARE: Final = words.code(words.ROLES, "middleware")

HANDLER: Final = words.code(words.EXTENTS, "handler")

MOST_PIECES: Final = 64
"""An id on more traces than this is no request's."""

MOST_PAIRS: Final = 1 << 18
"""Pieces and calls that are held against each other at a time: 17,000 traces whose eight ids were on 45 traces each
made six million pairs, and 1.2 GB of them, at once."""

HANDOVER_NS: Final = 50_000_000
"""Next.js hands a request from its middleware to its page within this time, or it is another request."""

PASS_NS: Final = 10_000_000_000
"""No middleware is waited for longer."""
BUCKET_NS: Final = 50_000_000
"""Passes and middleware are looked for in the same stretch of this length."""

STITCHES: Final = {
    "trace_hi": pl.UInt64, "trace_lo": pl.UInt64, "span_id": pl.UInt64, "to_hi": pl.UInt64, "to_lo": pl.UInt64,
    "to_id": pl.UInt64, "joined_by": pl.UInt8,
}  # fmt: skip
"""A row per joined piece: its root, the span it hangs under (0: several would do, none is taken), and by what."""


@dataclass(frozen=True, slots=True)
class Joins:
    """Which pieces are joined to what."""

    stitches: pl.DataFrame
    """Columns `STITCHES`, those with one place to go."""
    ambiguous: pl.DataFrame
    """Likewise, those with several."""

    def groups(self, traces: pl.DataFrame) -> np.ndarray:
        """Return, for each of these traces (`KEYS`), the first row of those that joins tie it to."""
        at = traces.with_row_index("at").with_columns(pl.col("at").cast(pl.Int64))
        tied = self.stitches.select(*KEYS, "to_hi", "to_lo").unique()
        to = at.select(pl.col("trace_hi").alias("to_hi"), pl.col("trace_lo").alias("to_lo"), pl.col("at").alias("to"))
        pairs = tied.join(at, on=list(KEYS)).join(to, on=["to_hi", "to_lo"])
        one, other = (pairs.get_column(name).to_numpy() for name in ("at", "to"))
        return least_tied(one, other, traces.height)


def none() -> Joins:
    """Return no joins."""
    return Joins(pl.DataFrame(schema=STITCHES), pl.DataFrame(schema=STITCHES))


def find(spans: pl.DataFrame, *, candidates: bool = False, crowded: Sequence[str] = ()) -> Joins:
    """Find which traces are pieces of others; `candidates`: also those that no id but only one call explains.

    Of ids that are `crowded`, more traces than `MOST_PIECES` are known to carry them, though not all are here.
    """
    columns = set(spans.columns)
    serves = (pl.col("kind") == SERVER) | pl.col("role").is_in([REQUEST, MIDDLEWARE]) if "role" in columns else None
    if serves is None or not {"operation", "method"} <= columns:
        return none()
    roots = spans.filter((pl.col("parent_id") == 0) & serves)
    parts = [_by_id(spans, roots, column, crowded) for column in IDS if column in columns]
    if (roots.get_column("role") == MIDDLEWARE).any():
        found = pl.concat([*parts, _halves(roots)])
        around = _around(roots)
        found = pl.concat([_under_passes(found, around), around])
    else:
        found = pl.concat([pl.DataFrame(schema=STITCHES), *parts])
    if candidates:
        found = pl.concat([found, _by_chance(spans, roots)])
    if not found.height:
        return none()
    first = found.unique([*KEYS, "span_id"], keep="first", maintain_order=True).sort(*KEYS, "span_id")
    return Joins(first.filter(pl.col("to_id") != 0), first.filter(pl.col("to_id") == 0))


def _slack(frame: pl.DataFrame) -> pl.Expr:
    return pl.col("grain_ns").fill_null(0).cast(pl.Int64) if "grain_ns" in frame.columns else pl.lit(0)


def _plain(operation: str) -> pl.Expr:
    """Return an operation with what stands for a parameter alike in all dialects."""
    return (
        pl.col(operation).cast(pl.String).str.replace_all(r"\[[^\]]*\]|\{[^}]*\}|<[^>]*>", "{}").str.strip_suffix("/")
    )


def _path(frame: pl.DataFrame) -> pl.Expr:
    """Return the address that a span asks for or is asked for, without what follows it; null where none is told."""
    if "url_path" not in frame.columns:
        return pl.lit(None, pl.String)
    return pl.col("url_path").cast(pl.String).str.strip_suffix("/")


def _by_id(spans: pl.DataFrame, roots: pl.DataFrame, column: str, crowded: Sequence[str]) -> pl.DataFrame:
    """Join roots to calls of other traces that carry the same id."""
    nobodys = pl.Series(crowded, dtype=pl.String).implode()
    told = _of_several_traces(spans, column).filter(~pl.col("id").is_in(nobodys)).unique()
    shared = told.group_by("id").agg(pl.len().alias("traces")).filter(pl.col("traces").is_between(2, MOST_PIECES))
    told = told.join(shared.select("id"), on="id", how="semi")
    if not told.height:
        return pl.DataFrame(schema=STITCHES)
    traces = told.select(KEYS).unique()
    here = spans.join(traces, on=list(KEYS), how="semi")
    mine = roots.join(told, on=list(KEYS))
    offered = _unanswered(here).join(told, on=list(KEYS))
    asked = mine.filter(pl.col("kind") == SERVER)
    found = _under_calls(asked, offered, IDS[column], on=["id"])
    found = pl.concat([found, _whatever_the_time(_apart(asked, found), _apart(offered, found, "to_"), IDS[column])])
    astray = _under_calls(_astray(here, column), offered, IDS[column], on=["id", "resource_id"])
    settled = found.select(*KEYS, "span_id")
    beside = _under_roots(mine.join(settled, on=[*KEYS, "span_id"], how="anti"), mine, IDS[column])
    return pl.concat([found, astray, beside])


def _of_several_traces(spans: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return ids (`id`) with the traces that carry them, where more than one trace does: few of most ids."""
    ids = spans.get_column(column)
    keys = np.where(ids.is_null().to_numpy(), 0, ids.hash(23).to_numpy().view(np.int64) | 1)
    shared = in_several(keys, bits(spans, "trace_hi"), bits(spans, "trace_lo"))
    return spans.filter(pl.Series(shared)).select(*KEYS, pl.col(column).cast(pl.String).alias("id"))


def _apart(spans: pl.DataFrame, found: pl.DataFrame, side: str = "") -> pl.DataFrame:
    """Return the spans that no join names yet on this side."""
    hi, lo, at = ("to_hi", "to_lo", "to_id") if side else (*KEYS, "span_id")
    named = found.select(pl.col(hi).alias("trace_hi"), pl.col(lo).alias("trace_lo"), pl.col(at).alias("span_id"))
    return spans.join(named, on=[*KEYS, "span_id"], how="anti")


def _whatever_the_time(asked: pl.DataFrame, calls: pl.DataFrame, how: str) -> pl.DataFrame:
    """Hang a root under a call of its id where each is the other's only choice: their hosts' clocks may be apart.

    Of all that share the id, or of those that ask for the same; and none that was longer at it than the call was.
    """
    mine = asked.select(
        *KEYS, "id", "span_id", "resource_id", length=pl.col("end_ns") - pl.col("start_ns"), slack=_slack(asked),
        asked=_plain("operation"), path=_path(asked),
    )  # fmt: skip
    theirs = calls.select(
        *(pl.col(key).alias(f"to_{key[6:]}") for key in KEYS), "id", pl.col("span_id").alias("to_id"),
        room=pl.col("end_ns") - pl.col("start_ns"), there=pl.col("resource_id"), offered=_plain("operation"),
        offered_path=_path(calls),
    )  # fmt: skip
    could = (
        (pl.col("resource_id") != pl.col("there"))
        & ((pl.col("trace_hi") != pl.col("to_hi")) | (pl.col("trace_lo") != pl.col("to_lo")))
        & (pl.col("length") <= pl.col("room") + pl.col("slack"))
    )
    alone = [
        one
        for part in _portions(mine, theirs, ["id"], ["id"])
        for one in _alone(part.join(theirs, on="id").filter(could))
    ]
    return _one_each(pl.concat(alone).unique([*KEYS, "span_id", "to_id"], maintain_order=True), how)


def _alone(pairs: pl.DataFrame) -> tuple[pl.DataFrame, ...]:
    """Return the pairs that are their id's only one, or the only one of its that asks for the same."""
    same, there = pl.col("asked") == pl.col("offered"), pl.col("path") == pl.col("offered_path")
    return (
        pairs.filter(pl.len().over("id") == 1),
        pairs.filter(same).filter(pl.len().over("id", "asked") == 1),
        pairs.filter(there).filter(pl.len().over("id", "path") == 1),
    )


def _astray(here: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return client spans that ran in another request's context, with the `id` that their own server tells."""
    clients = here.filter((pl.col("kind") == CLIENT) & (pl.col("role") == 0) & (pl.col("parent_id") != 0))
    above = here.select(*KEYS, pl.col("span_id").alias("parent_id"), pl.col("end_ns").alias("over")).unique(
        [*KEYS, "parent_id"], keep="first"
    )
    known = clients.join(above, on=[*KEYS, "parent_id"], how="left")
    stray = known.filter(pl.col("over").is_null() | (pl.col("over") + _slack(known) < pl.col("start_ns"))).drop("over")
    answers = here.filter(pl.col("kind") == SERVER).select(
        *KEYS, pl.col("parent_id").alias("span_id"), pl.col(column).cast(pl.String).alias("id")
    )
    return stray.join(answers.drop_nulls("id").unique(), on=[*KEYS, "span_id"])


def _unanswered(here: pl.DataFrame) -> pl.DataFrame:
    """Return client spans without a server span below, each innermost of its chain."""
    clients = here.filter((pl.col("kind") == CLIENT) & pl.col("role").is_in([0, FETCH]))
    below = here.filter((pl.col("kind") == SERVER) | ((pl.col("kind") == CLIENT) & pl.col("role").is_in([0, FETCH])))
    answered = below.select(*KEYS, pl.col("parent_id").alias("span_id"))
    return clients.join(answered, on=[*KEYS, "span_id"], how="anti")


def _under_calls(mine: pl.DataFrame, calls: pl.DataFrame, how: str, on: list[str]) -> pl.DataFrame:
    """Hang roots under the one call that was open when they began; 0 where several were, and nothing tells which."""
    slack = _slack(mine)
    asked = mine.select(
        *KEYS, *on, "span_id", pl.col("start_ns").alias("begin"), pl.col("end_ns").alias("done"),
        _plain("operation").alias("asked"), slack.alias("mine"), _path(mine).alias("path"),
    )  # fmt: skip
    offered = calls.select(
        *on, *(pl.col(key).alias(f"to_{key[6:]}") for key in KEYS), pl.col("span_id").alias("to_id"),
        pl.col("start_ns").alias("open"), pl.col("end_ns").alias("shut"), _plain("operation").alias("offered"),
        _slack(calls).alias("theirs"), _path(calls).alias("offered_path"),
    )  # fmt: skip
    was_open = (
        ((pl.col("trace_hi") != pl.col("to_hi")) | (pl.col("trace_lo") != pl.col("to_lo")))
        & (pl.col("open") <= pl.col("begin") + pl.col("mine") + pl.col("theirs"))
        & (pl.col("begin") <= pl.col("shut") + pl.col("mine") + pl.col("theirs"))
    )
    found = [
        _best(part.join(offered, on=on).filter(was_open), how)
        for part in _portions(asked, offered, on, [*KEYS, "span_id"])
    ]
    return pl.concat([pl.DataFrame(schema=STITCHES), *found])


def _best(pairs: pl.DataFrame, how: str) -> pl.DataFrame:
    """Keep the calls that fit each root best: of the same path, of the same operation, around it."""
    alike = (pl.col("asked") == pl.col("offered")).fill_null(value=False).cast(pl.Int8) * 2
    fits = (pl.col("done") <= pl.col("shut") + pl.col("mine") + pl.col("theirs")).cast(pl.Int8)
    there = (pl.col("path") == pl.col("offered_path")).fill_null(value=False).cast(pl.Int8) * 4
    ranked = pairs.with_columns(rank=alike + fits + there)
    best = ranked.filter(pl.col("rank") == pl.col("rank").max().over([*KEYS, "span_id"]))
    return _one_each(best, how)


def _portions(mine: pl.DataFrame, theirs: pl.DataFrame, on: list[str], whole: list[str]) -> list[pl.DataFrame]:
    """Cut what is joined `on` some columns so that a join has few pairs; rows of the same `whole` stay together."""
    sizes = mine.join(theirs.group_by(on).agg(pl.len().alias("pairs")), on=on)
    if sizes.get_column("pairs").sum() <= MOST_PAIRS:
        return [mine]
    parts = sizes.group_by(whole, maintain_order=True).agg(pl.col("pairs").sum())
    parts = parts.select(*whole, part=pl.col("pairs").cum_sum() // MOST_PAIRS)
    return mine.join(parts, on=whole).partition_by("part", include_key=False, maintain_order=True)


def _one_each(best: pl.DataFrame, how: str) -> pl.DataFrame:
    several = pl.len().over([*KEYS, "span_id"]) > 1
    code = words.code(words.JOINED_BY, how)
    told = best.with_columns(
        **{name: pl.when(several).then(0).otherwise(name) for name in ("to_hi", "to_lo", "to_id")},
        joined_by=pl.lit(code, pl.UInt8),
    ).unique([*KEYS, "span_id"], keep="first")
    return told.select(pl.col(name).cast(dtype) for name, dtype in STITCHES.items())


def _under_roots(mine: pl.DataFrame, roots: pl.DataFrame, how: str) -> pl.DataFrame:
    """Hang roots under the middleware's of the same process and id that began before them."""
    guards = roots.filter(pl.col("role") == MIDDLEWARE).select(
        "id", "resource_id", *(pl.col(key).alias(f"to_{key[6:]}") for key in KEYS),
        pl.col("span_id").alias("to_id"), pl.col("start_ns").alias("open"),
    )  # fmt: skip
    asked = mine.filter(pl.col("role") == REQUEST).select(*KEYS, "id", "span_id", pl.col("start_ns").alias("begin"))
    pairs = asked.join(guards, on="id").filter(pl.col("open") <= pl.col("begin"))
    return _one_each(
        pairs.filter((pl.col("trace_hi") != pl.col("to_hi")) | (pl.col("trace_lo") != pl.col("to_lo"))), how
    )


def _halves(roots: pl.DataFrame) -> pl.DataFrame:
    """Put the two traces together that Next.js 14 and 15 make of one request, where each is the other's only choice."""
    same = [pl.col("method"), _plain("operation").str.strip_prefix("middleware ").alias("asked")]
    guards = roots.filter(pl.col("role") == MIDDLEWARE).select(
        *same, *(pl.col(key).alias(f"to_{key[6:]}") for key in KEYS), pl.col("span_id").alias("to_id"),
        pl.col("start_ns").alias("open"), pl.col("end_ns").alias("shut"), _slack(roots).alias("slack"),
    )  # fmt: skip
    asked = roots.filter((pl.col("role") == REQUEST) & ~_is_pass(roots)).select(
        *KEYS, *same, "span_id", pl.col("start_ns").alias("begin")
    )
    near = (
        asked.sort("begin").join_asof(
            guards.sort("open"),
            left_on="begin",
            right_on="open",
            by=["method", "asked"],
            tolerance=HANDOVER_NS + 10**9,
            check_sortedness=False,
        )
        if guards.height and asked.height
        else None
    )
    if near is None:
        return pl.DataFrame(schema=STITCHES)
    near = near.drop_nulls("to_id").filter(
        (pl.col("begin") >= pl.col("shut") - 2 * pl.col("slack")) & (pl.col("begin") <= pl.col("shut") + HANDOVER_NS)
    )
    alone = pl.len().over("to_hi", "to_lo", "to_id") == 1
    return _one_each(near.filter(alone), "candidate")


def _is_pass(roots: pl.DataFrame) -> pl.Expr:
    """Return whether each root is the pass that only ran the middleware: nobody else's request ends where that does."""
    if "extent" not in roots.columns:
        return pl.lit(value=False)
    return (pl.col("role") == REQUEST) & (pl.col("kind") == SERVER) & (pl.col("extent") == HANDLER)


def _around(roots: pl.DataFrame) -> pl.DataFrame:
    """Hang middleware under the pass of the same method and path around it, where each is the other's only choice.

    The pass awaits the middleware (next/dist/server/next-server.js, `handleCatchallMiddlewareRequest`), in one process:
    it is open from before the middleware's start until after its end, to within what their clock can tell.
    """
    same = [pl.col("method"), _plain("operation").str.strip_prefix("middleware ").alias("asked")]
    slack = _slack(roots)
    passes = roots.filter(_is_pass(roots) & (pl.col("end_ns") - pl.col("start_ns") <= PASS_NS)).select(
        *same, *(pl.col(key).alias(f"to_{key[6:]}") for key in KEYS), pl.col("span_id").alias("to_id"),
        open=pl.col("start_ns") - slack, shut=pl.col("end_ns") + slack,
    )  # fmt: skip
    guards = roots.filter((pl.col("role") == MIDDLEWARE) & (pl.col("kind") != SERVER)).select(
        *KEYS, *same, "span_id", begin=pl.col("start_ns") + slack, done=pl.col("end_ns") - slack,
    )  # fmt: skip
    if not passes.height or not guards.height:
        return pl.DataFrame(schema=STITCHES)
    spread = passes.with_columns(
        bucket=pl.int_ranges(pl.col("open") // BUCKET_NS, pl.col("shut") // BUCKET_NS + 2)
    ).explode("bucket")
    pairs = guards.with_columns(bucket=pl.col("begin") // BUCKET_NS).join(spread, on=["method", "asked", "bucket"])
    pairs = pairs.filter((pl.col("open") <= pl.col("begin")) & (pl.col("done") <= pl.col("shut")))
    alone = (pl.len().over(*KEYS, "span_id") == 1) & (pl.len().over("to_hi", "to_lo", "to_id") == 1)
    return _one_each(pairs.filter(alone), "candidate")


def _under_passes(found: pl.DataFrame, around: pl.DataFrame) -> pl.DataFrame:
    """Hang what would go under middleware under the pass around that, which is its request's top."""
    guard = [pl.col(name).alias(at) for name, at in zip((*KEYS, "span_id"), ("to_hi", "to_lo", "to_id"), strict=True)]
    tops = around.select(*guard, pl.col("to_hi").alias("hi"), pl.col("to_lo").alias("lo"), pl.col("to_id").alias("top"))
    moved = found.join(tops, on=["to_hi", "to_lo", "to_id"], how="left", maintain_order="left")
    return moved.with_columns(
        to_hi=pl.coalesce("hi", "to_hi"), to_lo=pl.coalesce("lo", "to_lo"), to_id=pl.coalesce("top", "to_id")
    ).select(*STITCHES)


def _by_chance(spans: pl.DataFrame, roots: pl.DataFrame) -> pl.DataFrame:
    """Join roots to the only call that was open, had no answer, and asked for the same."""
    asked = roots.with_columns(plain=_plain("operation"))
    calls = _unanswered(spans).with_columns(plain=_plain("operation"))
    return _under_calls(asked.filter(pl.col("kind") == SERVER), calls, "candidate", on=["plain"])
