"""A report as Markdown, to be pasted into a ticket, and as CSV, to be taken into a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Final

from seamscope.text.figures import UNKNOWN, duration, percent
from seamscope.text.report_text import NO_KEY, SHARES_SHOWN, measured, unexplained_ns
from seamscope.text.safe import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from seamscope.results import Group, Report

_MARKUP: Final = re.compile(r"([\\`*_{}\[\]()#+!|<>~&$@:-])")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def report_markdown(report: Report, *, top: int = SHARES_SHOWN) -> str:
    """Write percentiles and the largest shares as Markdown tables; names are escaped."""
    lines = [f"Requests: {report.total.requests}", ""]
    lines += [f"- {_plain(note)}" for note in report.notes] + ([""] if report.notes else [])
    titles = [report.by, "requests"]
    titles += [f"{horizon} {point}" for horizon in report.horizons for point in ("p50", "p95", "p99")]
    lines += _rows(titles, [_overview(group, report) for group in report.groups])
    for horizon in report.horizons:
        lines += ["", f"## Who held {horizon} ({report.at})", ""]
        titles = [report.by, "cause", "owner", "known how", "mean", "share"]
        lines += _rows(titles, [row for group in report.groups for row in _shares(group, horizon, top)])
    return "\n".join(lines) + "\n"


def _overview(group: Group, report: Report) -> list[str]:
    cells = [_plain(group.key or NO_KEY), str(group.requests)]
    for horizon in report.horizons:
        found = measured(group, horizon)
        cells += [duration(ns) for ns in (found.p50_ns, found.p95_ns, found.p99_ns)]
    return cells


def _shares(group: Group, horizon: str, top: int) -> Iterable[list[str]]:
    shares, taken = group.shares[horizon], group.requests_in[horizon]
    whole = sum(share.ns for share in shares)
    key = _plain(group.key or NO_KEY)
    for share in shares[:top]:
        mean = duration(share.ns // taken)
        yield [
            key,
            share.cause.replace("_", "\\_"),
            _plain(share.owner),
            share.evidence,
            mean,
            percent(share.ns, whole),
        ]
    if shares[top:]:
        rest = sum(share.ns for share in shares[top:])
        yield [key, f"{len(shares) - top} smaller", UNKNOWN, UNKNOWN, duration(rest // taken), percent(rest, whole)]
    if whole:
        yield [key, "**unexplained in all**", UNKNOWN, UNKNOWN, duration(unexplained_ns(shares) // taken),
               percent(unexplained_ns(shares), whole)]  # fmt: skip


def _rows(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def _plain(text: str) -> str:
    """Give text that Markdown shows as it stands."""
    return _MARKUP.sub(r"\\\1", safe(text)).replace("\\-", "-").replace("\\:", ":")


def report_csv(report: Report) -> str:
    """Write a row per group, horizon, owner, cause and evidence, integer nanoseconds: RFC 4180."""
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\r\n")
    writer.writerow([*_KEYS, "requests_in", "owner", "cause", "evidence", "ns"])
    for group in report.groups:
        for horizon in report.horizons:
            writer.writerows(_csv_rows(group, horizon, report))
    return sheet.getvalue()


_KEYS: Final = ("by", "key", "at", "horizon", "requests", "errors", "p50_ns", "p95_ns", "p99_ns")


def _csv_rows(group: Group, horizon: str, report: Report) -> Iterable[list[str | int | None]]:
    found = measured(group, horizon)
    points = (found.p50_ns, found.p95_ns, found.p99_ns)
    start = [report.by, harmless(group.key), report.at, horizon, group.requests, group.errors, *points]
    for share in group.shares[horizon]:
        yield [*start, group.requests_in[horizon], harmless(share.owner), share.cause, share.evidence, share.ns]


def harmless(text: str) -> str:
    """Give text that no terminal obeys and no spreadsheet takes for a formula."""
    shown = safe(text)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
