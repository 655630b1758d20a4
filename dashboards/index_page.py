"""`index.html`: the whole boundary at a glance; what is unexplained is as visible as what is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards.contexts import Chart, Fact, IndexPage
from dashboards.figures import made_of, percentile_spans, seam_phases
from dashboards.parts import POINTS, held, page, points, requests_table
from dashboards.tables import Cell, Table, columns, ratio, timed, words
from seamscope.schema.words import HORIZONS
from seamscope.text.figures import count, duration, percent, plural, when
from seamscope.text.report_text import metric_value

if TYPE_CHECKING:
    from dashboards.addresses import Addresses
    from seamscope.results import Boundary, Group, Report, SeamRow

NO_ROUTE = "(no route)"
SLOWEST_SHOWN = 20
_REASONS = {
    "client_ends_at_headers": "client ends at headers",
    "server_outlives_client": "server outlives client",
    "no_server_span": "no server span",
    "unmeasurable": "caller's clock stands still",
    "overlapping": "several servers",
}


def index_page(seen: Boundary, where: Addresses) -> IndexPage:
    """Build the index from a boundary."""
    report = seen.report
    return IndexPage(
        page=page("Boundary", report, "", _window(seen)),
        held=tuple(held(report.total, horizon, "mean", where) for horizon in HORIZONS),
        made_of=tuple(_made_of(which, horizon, where) for which in (report, seen.typical) for horizon in HORIZONS),
        percentiles=Chart(
            "percentiles",
            "Shell and complete, by route",
            "Exact percentiles; a number leads to the request that stands there.",
            percentile_spans(report.groups, where.route),
            percentiles_table(report, where),
        ),
        metrics=metrics_table(report.total),
        seams=seams_table(seen.seams, where),
        seams_chart=Chart(
            "seam-phases",
            "phases",
            "What the client saw and the server did not, by phase: mean per hop.",
            seam_phases(seen.seams, where.seam),
            phases_table(seen.seams, where),
        ),
        unknown=_unknown(seen),
        warnings=_warnings(report),
        slowest=_slowest(seen, where),
    )


def _window(seen: Boundary) -> tuple[str, ...]:
    requests = plural(seen.report.total.requests, "request")
    if seen.first_start_ns is None or seen.last_start_ns is None:
        return (requests,)
    return (requests, f"{when(seen.first_start_ns)} to {when(seen.last_start_ns)}")


def _made_of(report: Report, horizon: str, where: Addresses) -> Chart:
    figure = made_of(report.groups, horizon, where.route)
    about = "mean over all requests" if report.at == "mean" else f"the typical {report.at} request"
    return Chart(
        name=f"{horizon}-{report.at}",
        title=horizon,
        about=f"{horizon}, {about}",
        figure=figure,
        table=_make_up_table(report, horizon, where) if figure else None,
        group="made-of",
        variant=report.at,
    )


def _make_up_table(report: Report, horizon: str, where: Addresses) -> Table:
    rows = tuple(
        (
            words(group.key or NO_ROUTE, where.route(group.key) or None),
            Cell(share.cause, swatch=f"c-{share.cause}"),
            words(share.owner),
            Cell(share.evidence),
            timed(share.ns // group.requests_in[horizon]),
            Cell(count(group.requests_in[horizon]), group.requests_in[horizon]),
        )
        for group in report.groups
        for share in group.shares[horizon]
    )
    titles = columns(report.by, "cause", "owner", "known how", ">mean|mean_ns", ">requests")
    return Table(f"{report.by}-{horizon}-{report.at}", titles, rows)


def percentiles_table(report: Report, where: Addresses) -> Table:
    """Give percentiles of both horizons by group; each leads to the request that stands there."""
    titles = [report.by, ">requests", ">5xx|5xx_ratio"]
    titles += [f">{horizon} {point}|{horizon}_{point}_ns" for horizon in HORIZONS for point in ("p50", "p95", "p99")]
    rows = tuple(_percentile_row(group, where) for group in report.groups)
    return Table(f"{report.by}-percentiles", columns(*titles), rows)


def _percentile_row(group: Group, where: Addresses) -> tuple[Cell, ...]:
    cells = [
        words(group.key or NO_ROUTE, where.route(group.key) or None),
        Cell(count(group.requests), group.requests, where.route(group.key) or None),
        ratio(group.errors, group.requests),
    ]
    for horizon in HORIZONS:
        examples = group.examples.get(horizon, {})
        for point, ns in points(getattr(group, horizon)).items():
            cells.append(timed(ns, where.request(examples.get(point))))
    return tuple(cells)


def metrics_table(group: Group) -> Table | None:
    """Give the boundary metrics of a group, each with its count and what it says."""
    rows = tuple(
        (
            Cell(metric.name),
            words(metric.label or ""),
            Cell(metric_value(metric), "" if metric.value is None else metric.value),
            Cell(count(metric.count), metric.count),
            Cell(metric.definition),
        )
        for metric in group.metrics
    )
    return Table("metrics", columns("metric", "of", ">value", ">count", "~definition"), rows) if rows else None


def seams_table(rows: tuple[SeamRow, ...], where: Addresses) -> Table:
    """Give a row per seam: hops, gap percentiles, what explains the gap, coverage, reuse."""
    titles = columns(
        "seam",
        ">hops",
        ">errors",
        *(f">gap {point}|gap_{point}_ns" for point in POINTS),
        ">explained|explained_ratio",
        ">server span|server_span_ratio",
        ">new connections|new_connections_ratio",
    )
    return Table("seams", titles, tuple(_seam_row(row, where) for row in rows))


def phases_table(rows: tuple[SeamRow, ...], where: Addresses) -> Table:
    """Give a row per seam and phase that is known there."""
    drawn = tuple(
        (
            words(row.seam, where.seam(row.seam) or None),
            Cell(phase, swatch=f"c-{phase}"),
            timed(ns // row.hops),
            Cell(count(row.phase_hops[phase]), row.phase_hops[phase]),
        )
        for row in rows
        for phase, ns in row.phases.items()
    )
    return Table("seam-phases", columns("seam", "phase", ">mean per hop|mean_per_hop_ns", ">known on hops"), drawn)


def _seam_row(row: SeamRow, where: Addresses) -> tuple[Cell, ...]:
    gaps = [timed(ns, where.request(row.examples.get(point))) for point, ns in points(row.gap).items()]
    return (
        words(row.seam, where.seam(row.seam) or None),
        Cell(count(row.hops), row.hops, where.seam(row.seam) or None),
        Cell(count(row.errors), row.errors),
        *gaps,
        ratio(row.explained_ns, row.gap_sum_ns, drawn=True),
        ratio(row.matched, row.hops, drawn=True),
        ratio(row.cold, row.reused_known),
    )


def _unknown(seen: Boundary) -> tuple[Fact, ...]:
    report, covered = seen.report, seen.coverage
    facts = [_unexplained(report.total, horizon) for horizon in HORIZONS]
    hops = covered["hops"]
    facts.append(
        Fact("hops without a server span", percent(hops - covered["matched"], hops), about=f"of {count(hops)}")
    )
    gap = covered["gap_ns"]
    facts.append(
        Fact("of all gap time unexplained", percent(gap - covered["gap_explained_ns"], gap), about=duration(gap))
    )
    unknown_reuse = Fact("hops whose connection is unknown", percent(hops - covered["reuse_known"], hops))
    facts += [unknown_reuse, *_null_gaps(seen, hops)]
    names = {"other": "requests of kind other left out", "shell_not_known": "requests with unknown shell"}
    names["complete_not_known"] = "requests with unknown end"
    return (*facts, *(Fact(names.get(what, what), count(number)) for what, number in report.left_out.items()))


def _unexplained(total: Group, horizon: str) -> Fact:
    shares = total.shares[horizon]
    whole = sum(share.ns for share in shares)
    lost = sum(share.ns for share in shares if share.cause == "unexplained")
    return Fact(f"of {horizon} time unexplained", percent(lost, whole), about=duration(lost))


def _null_gaps(seen: Boundary, hops: int) -> list[Fact]:
    totals: dict[str, int] = {}
    for row in seen.seams:
        for kind, number in row.gap_kinds.items():
            totals[kind] = totals.get(kind, 0) + number
    told = [(kind, number) for kind, number in sorted(totals.items()) if kind in _REASONS and kind != "no_server_span"]
    return [
        Fact(f"hops: {_REASONS[kind]}", percent(number, hops), about=f"{count(number)} hops") for kind, number in told
    ]


def _warnings(report: Report) -> Table | None:
    if not report.warnings:
        return None
    rows = tuple((Cell(code), Cell(count(number), number)) for code, number in report.warnings.items())
    return Table("warnings", columns("warning", ">times"), rows)


def _slowest(seen: Boundary, where: Addresses) -> Table | None:
    rows = [row for found in seen.slowest.values() for row in found]
    rows.sort(key=lambda row: (-(row.complete_ns or row.shell_ns or 0), row.request_id))
    if not rows:
        return None
    return requests_table("slowest-requests", [(row, None) for row in rows[:SLOWEST_SHOWN]], where)
