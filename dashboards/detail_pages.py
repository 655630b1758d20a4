"""Pages about one route and about one seam."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards.contexts import Fact, GroupPage, SeamPage
from dashboards.index_page import NO_ROUTE, metrics_table
from dashboards.parts import held, page, pieces, points, requests_table
from dashboards.tables import Cell, Table, columns, ratio, timed, words
from seamscope.reading.request_parts import PHASES
from seamscope.results import Share
from seamscope.schema.words import HORIZONS
from seamscope.text.figures import count, duration, percent, plural

if TYPE_CHECKING:
    from dashboards.addresses import Addresses
    from seamscope.results import Boundary, Group, SeamRow


def route_page(seen: Boundary, group: Group, where: Addresses) -> GroupPage:
    """Build a route's page."""
    typical = next((found for found in seen.typical.groups if found.key == group.key), None)
    slowest = seen.slowest.get(group.key, ())
    return GroupPage(
        page=page(group.key or NO_ROUTE, seen.report, where.root, (plural(group.requests, "request"),)),
        facts=(
            Fact("requests", count(group.requests)),
            Fact("answered 5xx", percent(group.errors, group.requests), about=count(group.errors)),
        ),
        held=tuple(held(group, horizon, "mean", where) for horizon in HORIZONS),
        typical=tuple(held(typical, horizon, "p95", where) for horizon in HORIZONS) if typical else (),
        metrics=metrics_table(group),
        slowest=requests_table("slowest-requests", [(row, None) for row in slowest], where) if slowest else None,
    )


def seam_page(seen: Boundary, row: SeamRow, where: Addresses) -> SeamPage:
    """Build a seam's page."""
    widest = seen.slowest_by_seam.get(row.seam, ())
    shares = [Share(row.seam, phase, "measured", row.phases[phase]) for phase in PHASES if row.phases.get(phase)]
    return SeamPage(
        page=page(row.seam, seen.report, where.root, (plural(row.hops, "hop"), plural(row.requests, "request"))),
        facts=_facts(row, where),
        pieces=pieces(shares, row.hops),
        phases=_phases(row),
        gaps=_gap_kinds(row),
        known_by=_known_by(row),
        lacking=_lacking(row),
        widest=requests_table("widest-gaps", widest, where, extra="gap") if widest else None,
    )


def _facts(row: SeamRow, where: Addresses) -> tuple[Fact, ...]:
    gaps = [
        Fact(f"gap {point}", duration(ns), where.request(row.examples.get(point)))
        for point, ns in (*points(row.gap).items(), ("max", row.gap.max_ns))
    ]
    return (
        *gaps,
        Fact("of the gap explained", percent(row.explained_ns, row.gap_sum_ns), about=duration(row.gap_sum_ns)),
        Fact(
            "hops with a server span",
            percent(row.matched, row.hops),
            about=f"{count(row.matched)} of {count(row.hops)}",
        ),
        Fact(
            "opened a connection",
            percent(row.cold, row.reused_known),
            about=f"known for {count(row.reused_known)} hops",
        ),
        Fact("clocks agree within", _interval(row), about="of the two instances with most hops"),
        Fact("failed", percent(row.errors, row.hops), about=count(row.errors)),
        Fact("tried more than once", percent(row.retried, row.hops), about=count(row.retried)),
    )


def _interval(row: SeamRow) -> str:
    if row.clock_interval_ns is None:
        return "not known"
    low, high = row.clock_interval_ns
    return f"{duration(low)} to +{duration(high)}"


def _phases(row: SeamRow) -> Table:
    rows = tuple(
        (
            Cell(phase, swatch=f"c-{phase}"),
            timed(row.phases[phase] // row.hops if phase in row.phases else None),
            Cell(count(row.phase_hops.get(phase, 0)), row.phase_hops.get(phase, 0)),
        )
        for phase in PHASES
    )
    return Table("phases", columns("phase", ">mean per hop|mean_per_hop_ns", ">known on hops"), rows)


def _gap_kinds(row: SeamRow) -> Table:
    rows = tuple((Cell(kind.replace("_", " ")), Cell(count(hops), hops)) for kind, hops in row.gap_kinds.items())
    return Table("gaps", columns("how the gap is known, or why not", ">hops"), rows)


def _known_by(row: SeamRow) -> Table | None:
    rows = tuple((Cell(evidence), timed(ns), ratio(ns, row.gap_sum_ns)) for evidence, ns in row.explained_by.items())
    return (
        Table("known-by", columns("how the gap is known", ">time|time_ns", ">of the gap|of_the_gap_ratio"), rows)
        if rows
        else None
    )


def _lacking(row: SeamRow) -> Table | None:
    rows = tuple(
        (
            Cell(", ".join(one.tells).replace("_", " ")),
            timed(one.ns),
            Cell(count(one.hops), one.hops),
            Cell(one.side),
            words(one.step),
        )
        for one in row.lacking
    )
    titles = columns("not told", ">time, at most|time_at_most_ns", ">hops", "to be set at", "~what would tell it")
    return Table("lacking", titles, rows) if rows else None
