"""The whole boundary at a glance: reports, seams and the requests behind their numbers, read for the static pages."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from seamscope.reading.notes import OTHER
from seamscope.reading.reports import report, seams
from seamscope.reading.request_parts import request_row
from seamscope.reading.requests import request_detail
from seamscope.results import Boundary, Selection
from seamscope.schema.words import HORIZONS
from seamscope.selection.predicate import one_environment, predicate, without_other
from seamscope.statements import statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from seamscope.results import Group, Report, RequestRow, SeamRow
    from seamscope.selection.predicate import Predicate
    from seamscope.store import Reader

PAGES: Final = 80
"""Requests that get a page of their own, at most."""

_EACH: Final = 20
_POINTS: Final = ("p95", "max", "p50", "p99")


def boundary(
    reader: Reader, selection: Selection | None = None, *, pages: int = PAGES, now_ns: int | None = None
) -> Boundary:
    """Read everything the pages draw; the requests that tables name get a page, up to `pages` of them."""
    moment = time.time_ns() if now_ns is None else now_ns
    taken, notes = one_environment(reader, selection or Selection())
    totals = report(reader, taken, by="route", now_ns=moment, notes=notes, measured=True)
    rows = tuple(seams(reader, taken, now_ns=moment))
    chosen = predicate(taken, moment)
    slowest, widest = _slowest(reader, chosen), _slowest_by_seam(reader, predicate(without_other(taken), moment))
    window = reader.query(statement("report/window", where=chosen.where), {**chosen.params, "other": OTHER})
    return Boundary(
        report=totals,
        typical=report(reader, taken, by="route", at="p95", now_ns=moment),
        seams=rows,
        slowest=slowest,
        slowest_by_seam=widest,
        details=tuple(request_detail(reader, name) for name in _named(totals, rows, slowest, pages)),
        first_start_ns=window["first_ns"][0],
        last_start_ns=window["last_ns"][0],
        coverage=_coverage(rows),
    )


def _slowest(reader: Reader, chosen: Predicate) -> dict[str, tuple[RequestRow, ...]]:
    text = statement("report/slowest", where=chosen.where)
    found: dict[str, list[RequestRow]] = defaultdict(list)
    for row in reader.query(text, {**chosen.params, "other": OTHER, "each": _EACH}).iter_rows(named=True):
        found[row["route"] or ""].append(request_row(row))
    return {route: tuple(rows) for route, rows in found.items()}


def _slowest_by_seam(reader: Reader, chosen: Predicate) -> dict[str, tuple[tuple[RequestRow, int], ...]]:
    text = statement("report/slowest_by_seam", where=chosen.where)
    found: dict[str, list[tuple[RequestRow, int]]] = defaultdict(list)
    for row in reader.query(text, {**chosen.params, "each": _EACH}).iter_rows(named=True):
        found[row["seam"]].append((request_row(row), row["widest_gap_ns"]))
    return {seam: tuple(rows) for seam, rows in found.items()}


def _named(
    totals: Report, rows: tuple[SeamRow, ...], slowest: dict[str, tuple[RequestRow, ...]], most: int
) -> list[str]:
    """Give the requests that get a page: those at percentiles first, then each route's slowest."""
    names = dict.fromkeys(_at_percentiles((totals.total, *totals.groups), rows))
    for place in range(_EACH):
        names |= dict.fromkeys(found[place].request_id for found in slowest.values() if place < len(found))
    return list(names)[:most]


def _at_percentiles(groups: tuple[Group, ...], rows: tuple[SeamRow, ...]) -> Iterator[str]:
    for point in _POINTS:
        for group in groups:
            for horizon in HORIZONS:
                if point in group.examples[horizon]:
                    yield group.examples[horizon][point]
        for row in rows:
            if point in row.examples:
                yield row.examples[point]


def _coverage(rows: tuple[SeamRow, ...]) -> dict[str, int]:
    return {
        "hops": sum(row.hops for row in rows),
        "matched": sum(row.matched for row in rows),
        "gap_known": sum(row.gap.count for row in rows),
        "reuse_known": sum(row.reused_known for row in rows),
        "gap_ns": sum(row.gap_sum_ns for row in rows),
        "gap_explained_ns": sum(row.explained_ns for row in rows),
    }
