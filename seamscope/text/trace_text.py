"""One request as text: its horizons and what they are made of, the waterfall, the hops with their phases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from seamscope.palette import EVIDENCE_MARK, cause_hex
from seamscope.text.figures import UNKNOWN, duration, percent, plural, when
from seamscope.text.findings_text import request_findings_lines
from seamscope.text.instruments_text import testimony_lines
from seamscope.text.logs_text import LINES_SHOWN, log_lines
from seamscope.text.paper import Paper, draw, line, name, table
from seamscope.text.remainders_text import remainder_lines
from seamscope.text.report_text import bar
from seamscope.text.waterfall_text import ROWS_SHOWN, waterfall_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from seamscope.results import Hop, Inference, RequestDetail, Share

_SEAM_CELLS: Final = 44
INFERENCES_SHOWN: Final = 5


def trace_text(detail: RequestDetail, paper: Paper, *, rows: int = ROWS_SHOWN, logs: int = LINES_SHOWN) -> str:
    """Draw a whole request; at most `rows` lines of the waterfall and `logs` of its log records (0: all)."""
    parts: list[RenderableType] = [*_heading(detail), Text("")]
    for horizon in detail.by_cause:
        parts += _made_of(detail, horizon)
    if detail.inferences:
        parts += [*_inferences(detail.inferences), Text("")]
    if detail.remainders:
        parts += [*remainder_lines(detail.remainders), Text("")]
    if detail.testimonies:
        parts += [*testimony_lines(detail.testimonies), Text("")]
    if detail.findings:
        parts += [*request_findings_lines(detail.findings), Text("")]
    parts += [*waterfall_lines(detail, paper, rows=rows), _legend(detail), Text("")]
    if detail.hops:
        parts += [*_hops(detail.hops), Text("")]
    if detail.logs.total:
        parts += [*log_lines(detail.logs, shown=logs), Text("")]
    return draw(paper, *parts, *_odd(detail))


def _heading(detail: RequestDetail) -> list[Text]:
    row = detail.row
    facts = [str(row.status or ""), row.kind, row.service, row.environment or "", row.place or "", row.version or ""]
    seen = "" if row.final else "  not final: revised when its seams' windows settle"
    traces = f"{plural(len(detail.trace_ids), 'trace')}, {plural(row.spans, 'span')}"
    return [
        line(name(row.route or row.service, "bold"), "  ", name("  ".join(fact for fact in facts if fact))),
        line(f"{when(row.start_ns)}  {traces}", (seen, "yellow")),
        line("request ", row.request_id, name(f" correlation {row.correlation_id}" if row.correlation_id else "")),
    ]


def _made_of(detail: RequestDetail, horizon: str) -> list[RenderableType]:
    shares = detail.by_cause[horizon]
    whole = detail.row.shell_ns if horizon == "shell" else detail.row.complete_ns
    evidence = detail.shell_evidence if horizon == "shell" else detail.complete_evidence
    if whole is None:
        return [line((f"{horizon} ", "bold"), ("not known: no span tells it", "dim")), Text("")]
    head = line((f"{horizon} {duration(whole)}", "bold"), f" ({evidence or 'unexplained'})")
    return [head, _shares(shares, whole), Text("")]


def _shares(shares: Sequence[Share], whole: int) -> RenderableType:
    drawn = table(["", ">time", ">share", "", "cause", "owner", "known how"])
    drawn.show_header = False
    for share in shares:
        drawn.add_row(
            " ",
            duration(share.ns),
            percent(share.ns, whole),
            bar(share.ns, whole, share.cause),
            Text(share.cause, cause_hex(share.cause)),
            name(share.owner),
            Text(f"{EVIDENCE_MARK.get(share.evidence, '?')} {share.evidence}", "dim"),
        )
    return drawn


def _inferences(inferences: Sequence[Inference]) -> list[Text]:
    """Say why causes that no span tells are given: the statistic over many calls, and how sure it is."""
    lines = [
        line(
            ("≈ ", "dim"),
            (inferred.cause, cause_hex(inferred.cause)),
            f" {duration(inferred.ns)} in ",
            name(inferred.operation or f"call {inferred.client_span_id}"),
            ": ",
            name(inferred.statistic),
            (f"  {inferred.confidence:.0%} sure", "dim"),
        )
        for inferred in inferences[:INFERENCES_SHOWN]
    ]
    left = len(inferences) - INFERENCES_SHOWN
    return [*lines, Text(f"  and {left} more inferred, each with less time", "dim")] if left > 0 else lines


def _legend(detail: RequestDetail) -> Text:
    horizon = "complete" if detail.row.complete_ns is not None else "shell"
    said = line(("█ ", "bold"), (f"critical path to {horizon}   ─ span   ┄ seam (length: its gap)", "dim"))
    if any(row.is_async for row in detail.waterfall):
        said.append("   ╌ asynchronous, nobody waits for it", "dim")
    return said


def _hops(hops: Sequence[Hop]) -> list[RenderableType]:
    """Draw a line per hop, its legs and phases below it."""
    seams = max(len(hop.seam) for hop in hops)
    lines: list[RenderableType] = [line(("hops", "bold"))]
    for hop in hops:
        status = "error" if hop.error and hop.status is None else str(hop.status or "")
        seam = name(hop.seam, "dim" if hop.is_async else "")
        seam.truncate(min(seams, _SEAM_CELLS), overflow="ellipsis", pad=True)
        times = f"call {duration(hop.duration_ns)}  server {duration(hop.server_ns)}  gap {_gap(hop)}"
        operation = name(hop.operation or hop.peer)
        lines.append(line("  ", seam, "  ", operation, "  ", (status, "bold red" if hop.error else ""), "  ", times))
        lines.append(line("      ", _phases(hop)))
    return lines


def _gap(hop: Hop) -> str:
    if hop.gap_ns is None:
        return f"{UNKNOWN} ({hop.gap_kind.replace('_', ' ')})"
    legs = f"{_leg(hop.request_leg_ns, hop.leg_error_ns)} out, {_leg(hop.response_leg_ns, hop.leg_error_ns)} back"
    return f"{duration(hop.gap_ns)} ({legs})"


def _leg(ns: int | None, error_ns: int | None) -> str:
    return duration(ns) + (f" ±{duration(error_ns)}" if ns is not None and error_ns else "")


def _phases(hop: Hop) -> Text:
    said = Text(no_wrap=True, overflow="ellipsis")
    for phase, ns in hop.phases.items():
        if ns:
            said.append(f"{', ' if said else ''}{phase} ")
            said.append(duration(ns), cause_hex(phase))
    if hop.reused is not None:
        said.append(f"{', ' if said else ''}{'open' if hop.reused else 'new'} connection", "dim")
    if hop.attempts > 1:
        said.append(f"{', ' if said else ''}{hop.attempts} attempts", "yellow")
    said.append(f"{', ' if said else ''}joined by {hop.joined_by.replace('_', ' ')}", "dim")
    return said


def _odd(detail: RequestDetail) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for warning in detail.warnings:
        at = f"  span {warning.span_id}" if warning.span_id else ""
        lines.append(line(("▲ ", "yellow"), warning.code, "  ", name(warning.detail), (at, "dim")))
    for work in detail.async_work:
        waited = f" waited {duration(work.queue_wait_ns)} in the queue" if work.queue_wait_ns is not None else ""
        where = (f"  {work.trace_id}-{work.span_id}", "dim")
        lines.append(line("⇢ asynchronous work by ", name(work.link), waited, where))
    return lines
