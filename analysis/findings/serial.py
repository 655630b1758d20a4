"""Calls made one after the other that could be made together.

That one starts as another ends does not show that it must: neither does it show that it need not. Calls count as
avoidably serial only where their order never turns over many requests, and nothing in the later one's address came
from an answer: every part of it that changes from request to request was known before (in the page's own address, or
in that of an earlier call), or is a number that always lies as far from an earlier call's of the same kind: what an
answer names follows no such rule. What may depend is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.findings import advice
from analysis.findings.cases import Case, marks, places
from analysis.findings.evidence import SERVER
from analysis.findings.retiming import BESIDE, KEEP
from analysis.findings.seeking import latest_before

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analysis.findings.evidence import Evidence

FEWEST_SEEN: Final = 20
"""Requests in which two calls must have followed each other, and never otherwise."""
PAUSE_NS: Final = 5_000_000
"""The median pause between calls that follow each other."""
CONSTANT: Final = 0.9
"""A part of an address in so many of its calls is no value that changes."""
MOSTLY: Final = 0.9
"""Part of its instances in which a call must need no answer."""
FEWEST_NUMBERS: Final = 10
"""Different numbers from which others must lie as far, to be computed from them."""
DISTANCES: Final = 2
"""Distances that a computed number may have: one, and another where it wraps around."""
NEIGHBOURS: Final = 1
"""Numbers so close may be given one after the other, and still be named by an answer."""
MOST_ANCHORS: Final = 16
"""Siblings, the first ones, beside which a call could have started."""
GRAIN_NS: Final = 1_000_000

READING: Final = ("GET", "HEAD")
"""Methods of calls whose address is all that they ask with: a body may hold what another call answered."""

_LOOKED_AT: Final = (
    *("request", "row", "parent_row", "start_ns", "end_ns"),
    *("route", "seam", "caller", "operation", "target", "scope"),
)
_STEP: Final = ["route", "operation", "previous"]
_PART: Final = r"[^/?&=#]+"
PAGING: Final = r"[?&](?i:cursor|after|before|page|page_?token|next|next_?token|continuation|offset|starting_after)="


def serial_rules(evidence: Evidence) -> Iterator[Case]:
    """Yield avoidably serial calls, route by route."""
    calls = _steps(evidence)
    pairs = _pairs(calls)
    chained = calls.join(pairs, on=["route", "operation", "previous"], how="semi", nulls_equal=False)
    if not chained.height:
        return
    placed = _anchored(evidence, calls, chained)
    for (route, seam), some in places(placed, "route", "seam"):
        names = ", ".join(str(name) for name in some.get_column("operation").unique(maintain_order=True).to_list()[:4])
        firsts = some.select("request", row="anchor").unique(maintain_order=True)
        yield Case(
            rule="serial_fanout",
            route=None if route is None else str(route),
            seam=str(seam),
            marks=pl.concat([marks(some, BESIDE, pl.col("anchor")), marks(firsts, KEEP)]),
            message=(
                f"{some['caller'][0]} makes calls one after the other whose addresses hold nothing of each other's "
                f"answers ({names}, after {some['anchor_operation'][0]}): %requests%, %cost% each on average"
            ),
            next_step=advice.together(some),
            confidence=0.7,
            first_horizon=True,
        )


def _steps(evidence: Evidence) -> pl.DataFrame:
    """Give reading HTTP calls below one span in order, each with the one before."""
    reading = pl.col("method").fill_null("GET").is_in(READING) & ~pl.col("error").fill_null(value=False)
    told = (
        evidence.awaited.filter(pl.col("url_full").is_not_null() & (pl.col("parent_row") >= 0) & reading)
        .select(*_LOOKED_AT)
        .sort("request", "parent_row", "start_ns", "row")
    )
    follows = pl.all_horizontal(pl.col("request", "parent_row") == pl.col("request", "parent_row").shift(1))
    told = told.with_columns(follows=follows.fill_null(value=False))
    before = pl.Series(latest_before(~told.get_column("follows").to_numpy(), told.get_column("end_ns").to_numpy()))
    return told.with_columns(
        previous=pl.when("follows").then(pl.col("operation").shift(1)),
        pause_ns=pl.when("follows").then(pl.col("start_ns") - before),
    )


def _pairs(calls: pl.DataFrame) -> pl.DataFrame:
    """Give pairs of operations that always follow each other at once, and never overlap or turn."""
    told = calls.filter(pl.col("previous").is_not_null())
    pairs = told.group_by("route", "operation", "previous").agg(
        seen=pl.col("request").n_unique(),
        never_overlap=(pl.col("pause_ns") >= -GRAIN_NS).all(),
        pause_ns=pl.col("pause_ns").median(),
    )
    turned = pairs.select("route", operation="previous", previous="operation").filter(
        pl.col("operation") != pl.col("previous")
    )
    good = pairs.filter((pl.col("seen") >= FEWEST_SEEN) & pl.col("never_overlap") & (pl.col("pause_ns") <= PAUSE_NS))
    return good.join(turned, on=["route", "operation", "previous"], how="anti")


def _parts(calls: pl.DataFrame) -> pl.DataFrame:
    """Give the parts of each call's address that change from request to request: `row`, `part`."""
    parts = calls.select("row", "route", "operation", part=pl.col("target").str.extract_all(_PART)).explode("part")
    distinct = parts.drop_nulls("part").unique(["row", "part"])
    key = ["route", "operation"]
    calls_of = calls.group_by(key).agg(calls=pl.len())
    share = distinct.group_by(*key, "part").agg(n=pl.len()).join(calls_of, on=key, nulls_equal=True)
    constant = share.filter(pl.col("n") >= CONSTANT * pl.col("calls"))
    return distinct.join(constant, on=[*key, "part"], how="anti", nulls_equal=True).select("row", "part")


def _known(evidence: Evidence, calls: pl.DataFrame) -> pl.DataFrame:
    """Give parts of the addresses of the request itself, and of what had begun before its calls: `request`, `part`."""
    first = calls.group_by("request").agg(first_ns=pl.col("start_ns").min())
    address = pl.coalesce(pl.col("url_full").str.replace(r"^[a-z]+://[^/]+", ""), "url_path")
    request = pl.col("request").cast(pl.UInt32, strict=False)
    before = evidence.spans.select(request, "start_ns", "kind", address=address).join(first, on="request")
    earlier = (pl.col("start_ns") < pl.col("first_ns")) | (
        (pl.col("kind") == SERVER) & (pl.col("start_ns") == pl.col("first_ns"))
    )
    return (
        before.filter(earlier & pl.col("address").is_not_null())
        .select("request", part=pl.col("address").str.extract_all(_PART))
        .explode("part")
        .unique()
    )


def _computed(calls: pl.DataFrame, parts: pl.DataFrame, unknown: pl.DataFrame) -> pl.DataFrame:
    """Give calls that need one number, and earlier ones of their kind from whose it was computed: `row`, `earlier`."""
    kind = ["request", "parent_row", "operation"]
    told = calls.select(*kind, "route", "row", place=pl.col("row").cum_count().over(kind))
    told = told.filter(pl.col("place") <= MOST_ANCHORS)
    later = told.join(_lone_numbers(unknown), on="row")
    first = told.join(_lone_numbers(parts), on="row").rename({"row": "earlier", "number": "from"})
    pairs = later.join(first.rename({"place": "after"}), on=[*kind, "route"], nulls_equal=True)
    pairs = pairs.filter(pl.col("after") < pl.col("place")).with_columns(distance=pl.col("number") - pl.col("from"))
    step = ["route", "operation", "place", "after"]
    rules = pairs.group_by(step).agg(
        pl.len().alias("seen"),
        pl.col("distance").n_unique().alias("distances"),
        pl.col("from").n_unique().alias("numbers"),
        pl.col("distance").abs().min().alias("least"),
    )
    sure = rules.filter(
        (pl.col("seen") >= FEWEST_SEEN)
        & (pl.col("distances") <= DISTANCES)
        & (pl.col("numbers") >= FEWEST_NUMBERS)
        & (pl.col("least") > NEIGHBOURS)
    )
    return pairs.join(sure, on=step, how="semi", nulls_equal=True).select("row", "earlier")


def _lone_numbers(parts: pl.DataFrame) -> pl.DataFrame:
    """Give the part of each call's address (`row`, `part`) where there is but one, and that is a number: `number`."""
    numbers = parts.with_columns(number=pl.col("part").cast(pl.Int64, strict=False))
    return numbers.filter((pl.len().over("row") == 1) & pl.col("number").is_not_null()).select("row", "number")


def _anchored(evidence: Evidence, calls: pl.DataFrame, chained: pl.DataFrame) -> pl.DataFrame:
    """Give each later call the first of its siblings that it could have started beside: `anchor`.

    That is the first whose address has all that this one's needs. One that has no other such sibling than itself
    waits for an answer, or may: it is left out.
    """
    parts = _parts(calls)
    asked = parts.join(chained.select("row", "request", "parent_row", "start_ns"), on="row")
    unknown = asked.join(_known(evidence, calls), on=["request", "part"], how="anti")
    computed = _computed(calls, parts, unknown)
    siblings = calls.filter(pl.col("row").cum_count().over("request", "parent_row") <= MOST_ANCHORS).select(
        "request", "parent_row", earlier="row", earlier_ns="start_ns", anchor_operation="operation"
    )
    needs = unknown.group_by("row").agg(needs=pl.col("part").n_unique())
    has = (
        unknown.join(siblings, on=["request", "parent_row"])
        .filter(pl.col("earlier_ns") <= pl.col("start_ns"))
        .join(parts.rename({"row": "earlier"}), on=["earlier", "part"], how="semi")
        .group_by("row", "earlier")
        .agg(has=pl.col("part").n_unique())
    )
    has = pl.concat([has, computed.select("row", "earlier", has=pl.lit(1, pl.UInt32))])
    has = has.group_by("row", "earlier").agg(pl.col("has").max())
    pairs = (
        chained.filter(~pl.col("target").str.contains(PAGING))
        .join(siblings, on=["request", "parent_row"])
        .filter(pl.col("earlier_ns") <= pl.col("start_ns"))
        .join(needs, on="row", how="left")
        .join(has, on=["row", "earlier"], how="left")
        .filter(pl.col("has").fill_null(0) >= pl.col("needs").fill_null(0))
        .sort("row", "earlier_ns", "earlier")
        .unique("row", keep="first", maintain_order=True)
    )
    free = pairs.filter(pl.col("earlier") != pl.col("row")).rename({"earlier": "anchor"})
    # where the same call often needs an answer, one that seems not to is luck
    all_of = chained.group_by(_STEP).agg(all_of=pl.len())
    mostly = free.group_by(_STEP).agg(free=pl.len()).join(all_of, on=_STEP, nulls_equal=True)
    return free.join(mostly.filter(pl.col("free") >= MOSTLY * pl.col("all_of")), on=_STEP, how="semi", nulls_equal=True)
