"""Findings as text: what, where, how often, what it costs, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from seamscope.text.figures import duration, percent, plural, when
from seamscope.text.paper import Paper, draw, line, name, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from seamscope.results import Finding, FindingRequest, RequestFinding


def findings_text(findings: Sequence[Finding], paper: Paper, notes: Sequence[str] = ()) -> str:
    """Draw a list of findings, costliest first."""
    parts: list[RenderableType] = [name(note, "dim") for note in notes]
    if not findings:
        return draw(paper, *parts, Text("nothing found in this selection"))
    for finding in findings:
        parts += [*_finding(finding), Text("")]
    return draw(paper, *parts, Text("Costs are re-timed one finding at a time and do not add up.", "dim"))


def finding_text(finding: Finding, requests: Sequence[FindingRequest], paper: Paper) -> str:
    """Draw one finding and the requests behind it."""
    drawn = table(["request", ">cost", ">shell", ">complete", "route", "proof"])
    for request in requests:
        more = len(request.span_ids) - 1
        proof = f"{request.span_ids[0]}{f' and {more} more' if more else ''}" if request.span_ids else ""
        drawn.add_row(
            request.request_id,
            duration(request.cost_ns),
            duration(request.shell_ns),
            duration(request.complete_ns),
            name(request.route),
            proof,
        )
    left = finding.requests - len(requests)
    rest = [Text(f"and {plural(left, 'request')} more; --limit shows them", "dim")] if left > 0 else []
    return draw(paper, *_finding(finding), Text(""), drawn, *rest)


def request_findings_lines(findings: Sequence[RequestFinding]) -> list[Text]:
    """Give the lines of what one request should be acted on for."""
    lines: list[Text] = []
    for finding in findings:
        cost = f"  {duration(finding.cost_ns)} of this request" if finding.cost_ns else ""
        lines += [
            line(("● ", "red"), (finding.rule, "bold"), cost, (f"  {finding.finding_id}", "dim")),
            line("  ", name(finding.said)),
            line("  → ", name(finding.next_step)),
        ]
    return lines


def _finding(finding: Finding) -> list[Text]:
    where = " · ".join(part for part in (finding.route, finding.seam) if part)
    mean = finding.cost_ns // finding.requests if finding.requests else 0
    cost = f"{duration(finding.cost_ns)} in all, {duration(mean)} each" if finding.cost_ns else "no time of its own"
    return [
        line((finding.rule, "bold"), "  ", name(where), (f"  {finding.finding_id}", "dim")),
        line("  ", name(finding.said)),
        *(line(("  ◈ ", "dim"), name(sentence)) for sentence in finding.instruments),
        line("  → ", name(finding.next_step)),
        line((f"  {plural(finding.requests, 'request')}, {cost}; {_sure(finding)}; {_when(finding)}", "dim")),
    ]


def _sure(finding: Finding) -> str:
    return f"confidence {percent(round(100 * finding.confidence), 100)}"


def _when(finding: Finding) -> str:
    return f"{when(finding.since_ns)} to {when(finding.until_ns)}"
