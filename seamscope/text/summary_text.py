"""The attribution summary: who held the busiest routes and by which calls, short enough to read at 3 a.m."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from seamscope.palette import cause_hex
from seamscope.text.figures import duration, percent, plural
from seamscope.text.paper import Paper, draw, line, name
from seamscope.text.report_text import NO_KEY, heading, measured

if TYPE_CHECKING:
    from rich.console import RenderableType

    from seamscope.results import Group, HeldBy, Report, Share

ROUTES_SHOWN: Final = 6
_HELD: Final = 2
_CALLS: Final = 3


def attribution_summary(report: Report, paper: Paper, *, routes: int = ROUTES_SHOWN) -> str:
    """Draw the summary of a report by route: percentiles, the largest owners and causes, the calls that held it."""
    parts: list[RenderableType] = [*heading(report)[1:], Text("")]
    for group in report.groups[:routes]:
        parts += _route(group, report)
    if len(report.groups) > routes:
        parts.append(line((f"{plural(len(report.groups) - routes, 'route')} more: seamscope report --by route", "dim")))
    return draw(paper, *parts)


def _route(group: Group, report: Report) -> list[RenderableType]:
    errors = f", {percent(group.errors, group.requests)} answered 5xx" if group.errors else ""
    lines: list[RenderableType] = [
        line(name(group.key or NO_KEY, "bold"), (f"  {plural(group.requests, 'request')}{errors}", "dim"))
    ]
    for horizon in report.horizons:
        lines += _horizon(group, horizon)
    return [*lines, Text("")]


def _horizon(group: Group, horizon: str) -> list[RenderableType]:
    found, shares = measured(group, horizon), group.shares[horizon]
    if not found.count:
        return [line(f"  {horizon:<8} ", ("not known: no span tells it", "dim"))]
    head = line(f"  {horizon:<8} p50 {duration(found.p50_ns):>8}  p95 {duration(found.p95_ns):>8}", "  held by ")
    whole = sum(share.ns for share in shares)
    for place, share in enumerate(shares[:_HELD]):
        head.append_text(_share(share, whole, ", " if place else ""))
    calls = sorted(group.held_by.get(horizon, ()), key=lambda call: -call.mean_ns * call.requests)[:_CALLS]
    in_order = sorted(calls, key=lambda call: call.order)
    return [head, *([_calls(in_order)] if in_order else [])]


def _share(share: Share, whole: int, lead: str) -> Text:
    return line(lead, (share.cause, cause_hex(share.cause)), " ", name(share.owner), f" {percent(share.ns, whole)}")


def _calls(calls: list[HeldBy]) -> Text:
    said = line(("           in calls ", "dim"))
    for place, call in enumerate(calls):
        said.append(", then " if place else "", "dim")
        said.append_text(name(call.operation or call.seam or "a call"))
        said.append(f" {duration(call.mean_ns)}")
    return said
