"""Rules about the edge, its middleware and its caches; and about first requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.findings import advice
from analysis.findings.cases import Case, marks, milliseconds, places
from analysis.findings.evidence import CLIENT
from analysis.findings.retiming import KEEP, LEAD, WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analysis.findings.evidence import Evidence

BUDGET_NS: Final = 50_000_000
"""Own time at the edge that is too much: platforms stop what computes longer."""
COLD_NS: Final = 10_000_000
"""Loading that is shorter is no start: modules are looked up on every request."""
FAN_OUT: Final = 4
"""Calls of one request from the edge that belong behind it."""

_FLAGS: Final = (
    r"(?i)(growthbook|launchdarkly|statsig|unleash|flagsmith|split\.io|configcat|optimizely|devcycle|flagd|"
    r"feature[-_]?flags?|(^|[^a-z])flags?([^a-z]|$))"
)
_STATIC: Final = r"(?i)(^/_next/static/|\.(js|mjs|css|png|jpe?g|gif|svg|ico|webp|avif|woff2?|ttf|map|txt|webmanifest)$)"
_SERVERS: Final = r"(?i)(postgres|mysql|mariadb|mssql|sqlserver|oracle|mongo|cockroach|cassandra|neon|planetscale)"


def edge_rules(evidence: Evidence) -> Iterator[Case]:
    """Yield what is wrong at the edge."""
    at_edge = _at_edge(evidence)
    yield from _cold_starts(evidence)
    yield from _flags(flag_calls(evidence))
    yield from _databases(at_edge)
    yield from _fan_out(at_edge)
    yield from _budget(evidence)
    yield from _static(evidence)
    yield from _personal(evidence)


def _at_edge(evidence: Evidence) -> pl.DataFrame:
    return evidence.awaited.filter(pl.col("caller").str.starts_with("edge:"))


def _cold_starts(evidence: Evidence) -> Iterator[Case]:
    """Time spent on starting what should have been running: on the first request of a route in a process.

    And before a function answered: what lies in a call is a cold start only where the function's instance says so.
    """
    starts = evidence.path.filter((pl.col("cause") == "cold_start") & (pl.col("row") >= 0))
    if not starts.height:
        return
    called = pl.col("kind") == CLIENT
    told = called | pl.col("cold_start").fill_null(value=False) | pl.col("early").fill_null(value=False)
    cold = (
        starts.join(evidence.spans.select("row", "kind", "cold_start"), on="row")
        .join(_early(evidence), on="request", how="left")
        .filter(told)
        .group_by("request", "row", "owner", maintain_order=True)
        .agg(ns=(pl.col("end_ns") - pl.col("start_ns")).sum())
        .filter(pl.col("ns").sum().over("request", "owner") >= COLD_NS)
    )
    for (owner,), some in places(cold, "owner"):
        yield Case(
            rule="cold_start",
            route=None,
            seam=None,
            marks=marks(some, LEAD, pl.col("ns")),
            message=f"{owner} had to start before it could answer: %requests%, %cost% each on average",
            next_step=advice.cold_start(str(owner)),
            about=str(owner),
            fewest=1,
        )


def _early(evidence: Evidence) -> pl.DataFrame:
    """Mark the first request of each route in each process, and those that began before it was answered."""
    entries = evidence.spans.select("row", "resource_id")
    told = evidence.requests.join(entries, left_on="entry_row", right_on="row").sort("start_ns", "request")
    end = (pl.col("start_ns") + pl.coalesce("complete_ns", "shell_ns")).first().over("resource_id", "route")
    return told.select("request", early=pl.col("start_ns") <= end)


def flag_calls(evidence: Evidence) -> pl.DataFrame:
    """Give calls that only ask which variant to show, by the names of their peers or by what their callers say."""
    calls = evidence.awaited
    told = evidence.spans.filter(pl.col("flag_outcome").is_not_null()).get_column("row").implode()
    named = pl.concat_str("peer", "callee", "url_full", separator=" ", ignore_nulls=True).str.contains(_FLAGS)
    below = calls.filter(pl.col("parent_row").is_in(told))
    asked = [_at_edge(evidence).filter(named), below.filter(named), calls.filter(pl.col("row").is_in(told))]
    return pl.concat(asked).unique("row", maintain_order=True)


def _flags(asked: pl.DataFrame) -> Iterator[Case]:
    """Routing waits for a service that only says which variant to show."""
    for (seam,), some in places(asked, "seam"):
        yield Case(
            rule="blocking_flag_service",
            route=None,
            seam=str(seam),
            marks=marks(some, WHOLE),
            message=(
                f"{some['caller'][0]} waits for flags from {some['callee'][0]} before it routes: %requests%, %cost% "
                f"each on average"
            ),
            next_step=(
                "Keep flags in memory or in edge config and refresh them after the answer (waitUntil), with a timeout "
                "of a few milliseconds and a default"
            ),
            first_horizon=True,
        )


def _databases(at_edge: pl.DataFrame) -> Iterator[Case]:
    """A database server, called from the edge."""
    told = at_edge.filter(
        pl.col("callee").str.starts_with("data:")
        & pl.concat_str("db_system", "callee", "peer", separator=" ", ignore_nulls=True).str.contains(_SERVERS)
    )
    for (seam,), some in places(told, "seam"):
        yield Case(
            rule="edge_database",
            route=None,
            seam=str(seam),
            marks=marks(some, WHOLE),
            message=f"{some['caller'][0]} asks a database from the edge ({some['callee'][0]}): %requests%, %cost% each",
            next_step="Move the handler to the database's region, or read from a store at the edge (KV, a replica)",
        )


def _fan_out(at_edge: pl.DataFrame) -> Iterator[Case]:
    """Many calls of one request, all from the edge."""
    many = at_edge.filter(pl.len().over("request", "caller") >= FAN_OUT)
    for (route, caller), some in places(many, "route", "caller"):
        yield Case(
            rule="edge_fanout",
            route=None if route is None else str(route),
            seam=None,
            marks=marks(some, KEEP),
            message=f"{caller} makes {FAN_OUT} calls or more per request from the edge: %requests%",
            next_step="Put one endpoint near the data that makes these calls, and call that from the edge",
            material=False,
            about=str(caller),
        )


def _budget(evidence: Evidence) -> Iterator[Case]:
    """The edge computes longer than an edge should."""
    own = (
        evidence.path.filter(
            pl.col("owner").str.starts_with("edge:")
            & pl.col("cause").is_in(["compute", "middleware", "render"])
            & (pl.col("row") >= 0)
        )
        .unique(["request", "row", "start_ns", "end_ns"])
        .group_by("request", "row", "owner", "route", maintain_order=True)
        .agg(ns=(pl.col("end_ns") - pl.col("start_ns")).sum())
        .filter(pl.col("ns").sum().over("request", "owner") >= BUDGET_NS)
    )
    for (owner, route), some in places(own, "owner", "route"):
        yield Case(
            rule="edge_over_budget",
            route=None if route is None else str(route),
            seam=None,
            marks=marks(some, LEAD, pl.col("ns")),
            message=(
                f"{owner} computes for more than {milliseconds(BUDGET_NS)} of its own: %requests%, %cost% each on "
                f"average"
            ),
            next_step="Take work out of the middleware (no parsing, no crypto per request), or move it behind the edge",
            about=str(owner),
        )


def _static(evidence: Evidence) -> Iterator[Case]:
    """Middleware runs for files."""
    middleware = evidence.spans.filter((pl.col("role") == "middleware") & (pl.col("request") >= 0))
    behind = evidence.spans.filter(pl.col("request").is_in(middleware.get_column("request").unique().implode()))
    files = behind.filter(pl.col("url_path").str.contains(_STATIC)).get_column("request").unique()
    ran = middleware.filter(pl.col("request").is_in(files.implode()))
    for (service,), some in places(ran, "service"):
        yield Case(
            rule="middleware_on_static",
            route=None,
            seam=None,
            marks=marks(some, WHOLE),
            message=f"The middleware of {service} runs for static files: %requests%, %cost% each on average",
            next_step="export const config = { matcher: ['/((?!_next/static|_next/image|favicon.ico|.*\\\\..*).*)'] }",
            material=False,
            about=str(service),
        )


def _personal(evidence: Evidence) -> Iterator[Case]:
    """An answer that is one person's, from or for a cache that is everybody's."""
    shared = pl.col("cache_control").fill_null("").str.contains(r"(?i)(\bpublic\b|s-maxage)")
    personal = evidence.spans.filter((pl.col("cache_scope") == "personalised") & (pl.col("request") >= 0))
    odd = personal.filter(shared | (pl.col("cache_status") == "hit"))
    for (service, operation), some in places(odd, "service", "operation"):
        yield Case(
            rule="public_cache_of_personal",
            route=None,
            seam=None,
            marks=marks(some, KEEP),
            message=f"{operation} of {service} is personalised, and cached where all can have it: %requests%",
            next_step="Cache-Control: private, no-store, or make the cache key hold the user",
            material=False,
            about=f"{service} {operation}",
            fewest=1,
        )
