"""A report as text: percentiles by group, then who and what held each group, and by which calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from seamscope.palette import EVIDENCE_MARK, cause_hex
from seamscope.text.figures import UNKNOWN, count, duration, percent, plural
from seamscope.text.paper import Paper, draw, line, name, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from seamscope.results import Group, HeldBy, Metric, Percentiles, Report, Share

SHARES_SHOWN: Final = 8
CALLS_SHOWN: Final = 5
BAR_CELLS: Final = 24
NO_KEY: Final = "(not known)"


def report_text(report: Report, paper: Paper, *, top: int = SHARES_SHOWN) -> str:
    """Draw a whole report; `top` shares per group and horizon, the rest in one line."""
    parts: list[RenderableType] = [*heading(report), Text("")]
    if report.total.requests:
        parts += [_overview(report), Text("")]
        for group in report.groups:
            parts += _group(group, report, top)
        parts += _metrics(report.total.metrics)
    return draw(paper, *parts)


def heading(report: Report) -> list[Text]:
    """Say what was asked, how much it covers, and what it leaves out."""
    asked = report.selection
    chosen = [f"filter {asked.filter}" if asked.filter else "", f"since {asked.since}" if asked.since else ""]
    chosen += [f"until {asked.until}" if asked.until else ""]
    told = any(note.startswith("environment ") for note in report.notes)
    chosen += [f"environment {asked.environment}" if asked.environment and not told else ""]
    lines = [line((f"By {report.by}, {_at_words(report.at)}", "bold"))]
    lines += [name(" · ".join(word for word in chosen if word), "dim")] if any(chosen) else []
    lines.append(line(plural(report.total.requests, "request"), _left_out(report)))
    lines += [name(note, "dim") for note in report.notes]
    if report.warnings:
        found = ", ".join(f"{code} {count(number)}" for code, number in report.warnings.items())
        lines.append(line(("▲ ", "yellow"), "warnings: ", found))
    return lines


def _at_words(at: str) -> str:
    return "mean of all requests" if at == "mean" else f"typical {at} request"


def _left_out(report: Report) -> str:
    words = {
        "other": "of kind other left out",
        "shell_not_known": "with unknown shell",
        "complete_not_known": "with unknown end",
    }
    said = [f"{count(number)} {words.get(what, what)}" for what, number in report.left_out.items() if number]
    return f" ({', '.join(said)})" if said else ""


def _metrics(metrics: Sequence[Metric]) -> list[RenderableType]:
    """Draw the boundary metrics that something tells of, and name the others."""
    if not metrics:
        return []
    drawn = table(["boundary metric", "of", ">value", ">count"])
    for metric in metrics:
        if metric.value is not None:
            drawn.add_row(metric.name, name(metric.label), metric_value(metric), count(metric.count))
    unknown = [metric.name for metric in metrics if metric.value is None]
    said = [Text(f"not known here: {', '.join(unknown)}", "dim")] if unknown else []
    return [Text(""), drawn, *said]


def metric_value(metric: Metric) -> str:
    """Give a metric's value as people read it; what it is in, its name says."""
    if metric.value is None:
        return UNKNOWN
    if metric.name.endswith("_ns"):
        return duration(int(metric.value))
    if metric.name.endswith("_ratio"):
        return f"{100 * metric.value:.1f} %"
    return count(metric.value) if isinstance(metric.value, int) else f"{metric.value:.2f}"


def _overview(report: Report) -> RenderableType:
    titles = [report.by, ">requests", ">5xx"]
    for horizon in report.horizons:
        titles += [f">{horizon} p50", ">p95", ">p99"]
    drawn = table(titles)
    for group in (*report.groups, *([report.total] if len(report.groups) > 1 else [])):
        key = Text("all", "bold") if group is report.total else name(group.key or NO_KEY)
        cells: list[RenderableType] = [key, count(group.requests), percent(group.errors, group.requests)]
        for horizon in report.horizons:
            cells += _percentile_cells(measured(group, horizon))
        drawn.add_row(*cells)
    return drawn


def measured(group: Group, horizon: str) -> Percentiles:
    """Give a group's percentiles of one horizon."""
    return group.shell if horizon == "shell" else group.complete


def _percentile_cells(found: Percentiles) -> list[str]:
    return [duration(ns) for ns in (found.p50_ns, found.p95_ns, found.p99_ns)]


def _group(group: Group, report: Report, top: int) -> list[RenderableType]:
    parts: list[RenderableType] = [name(group.key or NO_KEY, "bold")]
    for horizon in report.horizons:
        parts += horizon_lines(group, horizon, report.at, top)
    return [*parts, Text("")]


def horizon_lines(group: Group, horizon: str, at: str, top: int = SHARES_SHOWN) -> list[RenderableType]:
    """Say what one horizon of a group is made of, and which calls held it."""
    known, taken = measured(group, horizon).count, group.requests_in.get(horizon, 0)
    if not known:
        return [line("  ", horizon, (" not known: no span tells it", "dim"))]
    if not taken:
        return [line("  ", horizon, (f" typical {at} withheld: only {plural(known, 'request')}", "dim"))]
    shares = group.shares[horizon]
    whole = sum(share.ns for share in shares)
    mean = f"{duration(whole // taken)} on average over {plural(taken, 'request')}"
    said = f", nearest {at} {duration(_at_ns(group, horizon, at))}" if at != "mean" else ""
    unknown = f"; {percent(unexplained_ns(shares), whole)} unexplained"
    head = line("  ", (f"{horizon} ", "bold"), mean, said, unknown, _led(group, horizon))
    return [head, _shares(shares, whole, taken, top), *_calls(group.held_by.get(horizon, ()), taken)]


def unexplained_ns(shares: Sequence[Share]) -> int:
    """Give the time that nobody can explain."""
    return sum(share.ns for share in shares if share.cause == "unexplained")


def _at_ns(group: Group, horizon: str, at: str) -> int | None:
    found = measured(group, horizon)
    return {"p50": found.p50_ns, "p95": found.p95_ns, "p99": found.p99_ns}.get(at)


def _led(group: Group, horizon: str) -> str:
    led = group.led_by.get(horizon, ())[:3]
    return f"; led by {', '.join(f'{cause} in {count(n)}' for cause, n in led)}" if led else ""


def _shares(shares: Sequence[Share], whole: int, taken: int, top: int) -> RenderableType:
    drawn = table(["", ">mean", ">share", "", "cause", "owner", "known how"])
    drawn.show_header = False
    for share in shares[:top]:
        drawn.add_row(
            "   ",
            duration(share.ns // taken),
            percent(share.ns, whole),
            bar(share.ns, whole, share.cause),
            Text(share.cause, cause_hex(share.cause)),
            name(share.owner),
            Text(f"{EVIDENCE_MARK.get(share.evidence, '?')} {share.evidence}", "dim"),
        )
    rest = shares[top:]
    if rest:
        ns = sum(share.ns for share in rest)
        drawn.add_row("   ", duration(ns // taken), percent(ns, whole), "", Text(f"{len(rest)} smaller", "dim"), "", "")
    return drawn


def bar(ns: int, whole: int, cause: str, cells: int = BAR_CELLS) -> Text:
    """Draw a share of `whole`, half cells apart; what is unexplained is drawn as dots, not as a fill."""
    halves = round(2 * cells * ns / whole) if whole else 0
    if cause in {"unexplained", "unobserved"}:
        return Text("┄" * max(1, halves // 2), cause_hex(cause))
    return Text("█" * (halves // 2) + ("▌" if halves % 2 else ""), cause_hex(cause))


def _calls(calls: Sequence[HeldBy], taken: int) -> list[RenderableType]:
    if not calls:
        return []
    kept = sorted(calls, key=lambda call: -call.mean_ns * call.requests)[:CALLS_SHOWN]
    drawn = table(["", ">", ">", "", "", ""])
    drawn.show_header = False
    for place, call in enumerate(sorted(kept, key=lambda call: call.order), start=1):
        share = "" if call.requests == taken else f"in {percent(call.requests, taken)} of them"
        repeated = f" ×{call.calls / call.requests:.1f}" if call.calls > call.requests else ""
        drawn.add_row(
            "    held by", f"{place}.", duration(call.mean_ns), name((call.operation or "a call") + repeated),
            name(call.seam or UNKNOWN, "dim"), Text(share, "dim"),
        )  # fmt: skip
    return [drawn]
