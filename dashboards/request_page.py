"""A request's page: waterfall, seams, who held it. HTML and SVG only, one file, to be mailed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dashboards.contexts import Bar, Fact, Held, Line, Page, RequestPage
from dashboards.parts import pieces, shares_table
from dashboards.tables import Cell, Table, columns, timed, words
from seamscope.text.figures import UNKNOWN, duration, plural, when
from seamscope.text.instruments_text import VERDICTS
from seamscope.text.remainders_text import headline, steps
from seamscope.text.safe import safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seamscope.results import (
        Hop,
        Inference,
        LogLine,
        RequestDetail,
        RequestFinding,
        Testimony,
        TraceWarning,
        WaterfallRow,
    )

LINES_DRAWN: Final = 1500
LOGS_DRAWN: Final = 500
INFERENCES_DRAWN: Final = 20
_BODY_SHOWN: Final = 1000
_DEEPEST: Final = 16
_TICKS: Final = 5
_THINNEST: Final = 0.2
"""Per cent of the width: what is shorter is still seen."""


@dataclass(frozen=True, slots=True)
class _Scale:
    start_ns: int
    length_ns: int

    def at(self, ns: int) -> float:
        """Give per cent of the width."""
        return round(100 * (ns - self.start_ns) / self.length_ns, 3)

    def bar(self, look: str, start_ns: int, end_ns: int, title: str, *, thin: bool = False) -> Bar:
        start, end = self.at(start_ns), self.at(end_ns)
        return Bar(look, start, round(max(_THINNEST, end - start), 3), title, thin)


def request_page(detail: RequestDetail, links: Sequence[tuple[str, str]] = (), root: str = "") -> RequestPage:
    """Build a request's page; `links` are (words, address) of where else it is drawn."""
    row, scale = detail.row, _scale(detail)
    drawn = detail.waterfall[:LINES_DRAWN]
    return RequestPage(
        page=Page(safe(f"{row.route or row.service}"), root, _facts(detail), _notes(detail)),
        held=tuple(_held(detail, horizon) for horizon in detail.segments),
        lines=tuple(_line(found, scale) for found in drawn),
        left_out_lines=len(detail.waterfall) - len(drawn),
        ticks=_ticks(scale),
        shell_at=None if row.shell_ns is None else scale.at(row.shell_ns),
        complete_at=None if row.complete_ns is None else scale.at(row.complete_ns),
        hops=_hops(detail.hops) if detail.hops else None,
        logs=_logs(detail.logs.lines[:LOGS_DRAWN], drawn) if detail.logs.total else None,
        left_out_logs=detail.logs.total - len(detail.logs.lines[:LOGS_DRAWN]),
        findings=tuple(_finding(found) for found in detail.findings),
        inferred=tuple(_inferred(found) for found in detail.inferences[:INFERENCES_DRAWN]),
        unexplained=tuple((safe(headline(one)), tuple(map(safe, steps(one)))) for one in detail.remainders),
        instruments=tuple(_told(told) for told in detail.testimonies),
        warnings=tuple(_shown(detail)),
        async_work=detail.async_work,
        links=tuple(links),
    )


def _scale(detail: RequestDetail) -> _Scale:
    ends = [row.start_ns + row.duration_ns for row in detail.waterfall]
    horizons = [ns for ns in (detail.row.shell_ns, detail.row.complete_ns) if ns is not None]
    start = min([0, *(row.start_ns for row in detail.waterfall)])
    return _Scale(start, max([1, *horizons, *ends]) - start)


def _facts(detail: RequestDetail) -> tuple[str, ...]:
    row = detail.row
    facts = (
        f"status {row.status}" if row.status is not None else "",
        row.kind,
        row.service,
        row.environment or "",
        row.place or "",
        row.version or "",
        when(row.start_ns),
        f"{plural(len(detail.trace_ids), 'trace')}, {plural(row.spans, 'span')}",
        f"request {row.request_id}",
        f"correlation {row.correlation_id}" if row.correlation_id else "",
    )
    return tuple(safe(fact) for fact in facts if fact)


def _finding(found: RequestFinding) -> tuple[str, str, str]:
    cost = f"{duration(found.cost_ns)} of this request" if found.cost_ns else "no time of its own"
    return f"{found.rule}, {cost}", safe(found.said), safe(found.next_step)


def _inferred(found: Inference) -> str:
    where = found.operation or f"call {found.client_span_id}"
    return safe(f"{found.cause} {duration(found.ns)} in {where}: {found.statistic} ({found.confidence:.0%} sure)")


def _notes(detail: RequestDetail) -> tuple[str, ...]:
    return () if detail.row.final else ("not final: revised when its seams' windows settle",)


def _held(detail: RequestDetail, horizon: str) -> Held:
    ns = detail.row.shell_ns if horizon == "shell" else detail.row.complete_ns
    evidence = detail.shell_evidence if horizon == "shell" else detail.complete_evidence
    if ns is None:
        return Held(horizon, (), "", (), None, missing="not known: no span tells when it was reached")
    shares = detail.by_cause[horizon]
    facts = (Fact("", duration(ns), about=f"{ns} ns"),)
    return Held(horizon, facts, f"known how: {evidence}", pieces(shares), shares_table(horizon, shares))


def _line(row: WaterfallRow, scale: _Scale) -> Line:
    return Line(
        kind=row.kind,
        depth=min(row.depth, _DEEPEST),
        name=safe(row.name),
        who=safe(row.service or ""),
        tier=row.tier,
        length=duration(row.hop.gap_ns if row.hop is not None else None)
        if row.kind == "seam"
        else duration(row.duration_ns),
        held=_held_by(row),
        is_async=row.is_async,
        failed=row.status == "error",
        bars=tuple(_bars(row, scale)),
        notes=tuple(map(safe, row.notes)),
        about=_about(row),
        anchor=f"span-{row.span_id}" if row.span_id else "",
    )


def _held_by(row: WaterfallRow) -> str:
    totals: dict[str, int] = {}
    for (start, end), cause in zip(row.critical, row.causes, strict=True):
        totals[cause] = totals.get(cause, 0) + end - start
    return ", ".join(f"{cause} {duration(totals[cause])}" for cause in sorted(totals, key=lambda c: (-totals[c], c)))


def _about(row: WaterfallRow) -> str:
    if row.kind == "seam" and row.hop is not None:
        return _phases(row.hop)
    return f"{row.span_kind} {row.tier} {duration(row.start_ns)} after the start"


def _bars(row: WaterfallRow, scale: _Scale) -> list[Bar]:
    end = row.start_ns + row.duration_ns
    if row.kind == "seam":
        bars = [scale.bar("leg", start, stop, what, thin=True) for start, stop, what in _legs(row, end)]
    else:
        look = "loose" if row.is_async else f"t-{row.tier}"
        bars = [
            scale.bar(f"open {look}", row.start_ns, end, f"{safe(row.name)} {duration(row.duration_ns)}", thin=True)
        ]
    for (start, stop), cause in zip(row.critical, row.causes, strict=True):
        bars.append(scale.bar(f"c-{cause}", start, stop, f"{cause} {duration(stop - start)}"))
    return bars


def _legs(row: WaterfallRow, end: int) -> list[tuple[int, int, str]]:
    hop = row.hop
    if hop is None or hop.request_leg_ns is None or hop.response_leg_ns is None:
        return [(row.start_ns, end, "seam: where its gap lies is not known")]
    out, back = max(0, hop.request_leg_ns), max(0, hop.response_leg_ns)
    return [
        (row.start_ns, row.start_ns + out, f"request leg {_leg(hop.request_leg_ns, hop.leg_error_ns)}"),
        (end - back, end, f"response leg {_leg(hop.response_leg_ns, hop.leg_error_ns)}"),
    ]


def _leg(ns: int | None, error_ns: int | None) -> str:
    return duration(ns) + (f" ±{duration(error_ns)}" if ns is not None and error_ns else "")


def _ticks(scale: _Scale) -> tuple[tuple[float, str], ...]:
    """Give round times over the width."""
    rough = scale.length_ns / _TICKS
    size = 10 ** (len(str(int(rough))) - 1)
    step = next(step for step in (size, 2 * size, 5 * size, 10 * size) if step >= rough)
    first = -(-scale.start_ns // step) * step
    times = range(first, scale.start_ns + scale.length_ns + 1, step)
    return tuple((scale.at(ns), duration(ns) if ns else "0") for ns in times)


def _hops(hops: Sequence[Hop]) -> Table:
    titles = columns(
        "seam",
        "operation",
        ">status",
        ">call|call_ns",
        ">server|server_ns",
        ">gap|gap_ns",
        ">request leg|request_leg_ns",
        ">response leg|response_leg_ns",
        "~phases",
        "joined by",
    )
    return Table("hops", titles, tuple(_hop(hop) for hop in hops))


def _hop(hop: Hop) -> tuple[Cell, ...]:
    return (
        words(hop.seam),
        words(hop.operation or hop.peer),
        Cell("error" if hop.error and hop.status is None else str(hop.status or UNKNOWN)),
        timed(hop.duration_ns),
        timed(hop.server_ns),
        Cell(
            duration(hop.gap_ns) if hop.gap_ns is not None else hop.gap_kind.replace("_", " "),
            hop.gap_ns if hop.gap_ns is not None else "",
        ),
        Cell(_leg(hop.request_leg_ns, hop.leg_error_ns), hop.request_leg_ns if hop.request_leg_ns is not None else ""),
        Cell(
            _leg(hop.response_leg_ns, hop.leg_error_ns), hop.response_leg_ns if hop.response_leg_ns is not None else ""
        ),
        Cell(_phases(hop)),
        Cell(hop.joined_by.replace("_", " ")),
    )


def _phases(hop: Hop) -> str:
    known = [f"{phase} {duration(ns)}" for phase, ns in hop.phases.items() if ns]
    if hop.reused is not None:
        known.append("open connection" if hop.reused else "new connection")
    return ", ".join([*known, f"{hop.attempts} attempts"] if hop.attempts > 1 else known)


def _told(told: Testimony) -> str:
    call, pool = told.operation or f"call {told.client_span_id}", f" of {told.pool}" if told.pool else ""
    heard = f"{VERDICTS[told.verdict]} by {told.instrument}{pool}: {told.sentence}"
    return safe(f"{told.cause} {duration(told.ns)} in {call}, {heard}")


def _logs(lines: Sequence[LogLine], drawn: Sequence[WaterfallRow]) -> Table:
    """Give the records; one of a span that is drawn leads there."""
    spans = {row.span_id for row in drawn if row.span_id}
    titles = columns(">after the start|after_the_start_ns", "level", "service", "~record", "span", "joined by")
    return Table("logs", titles, tuple(_log(entry, spans) for entry in lines))


def _log(entry: LogLine, spans: set[str]) -> tuple[Cell, ...]:
    said = entry.body or entry.event_name or ""
    shown = f"{said[:_BODY_SHOWN]}…" if len(said) > _BODY_SHOWN else said
    return (
        timed(entry.offset_ns),
        words(entry.level),
        words(entry.service),
        Cell(safe(shown), safe(said)),
        Cell(
            entry.span_id or UNKNOWN, entry.span_id or "", f"#span-{entry.span_id}" if entry.span_id in spans else None
        ),
        Cell(entry.joined_by.replace("_", " ")),
    )


def _shown(detail: RequestDetail) -> list[TraceWarning]:
    return [dataclasses.replace(warning, detail=safe(warning.detail)) for warning in detail.warnings]
