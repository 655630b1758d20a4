"""Reports over many requests: owner × cause × evidence totals by group, and a row per seam.

Totals are integers that add up: the shares of a horizon sum to the summed horizon of the requests they were taken
from. Percentiles are exact (nearest rank: some request stands at each). Weights (adjusted counts of sampled traces)
are summed beside the counts; percentiles and totals are over the stored requests, one each, and a note says so.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from seamscope.errors import UsageError
from seamscope.reading.coverage import seam_rows, sides
from seamscope.reading.metrics import metrics
from seamscope.reading.notes import OTHER, counted, sampled
from seamscope.reading.report_parts import group, seam_row
from seamscope.reading.request_parts import word
from seamscope.results import Group, Report, SeamRow, Selection
from seamscope.schema.words import HORIZONS, WARNINGS
from seamscope.selection.keys import KEYS
from seamscope.selection.predicate import Predicate, one_environment, predicate, unknown_attributes, without_other
from seamscope.selection.values import nearest
from seamscope.statements import statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seamscope.store import Reader

BY: Final = ("route", "seam", "boundary", "service", "place", "version", "environment", "kind")
"""What a report groups by; `attr:KEY` besides."""

AT: Final = {"mean": None, "p50": 0.5, "p95": 0.95, "p99": 0.99}
"""Which requests the totals are taken from: all, or those nearest a percentile."""

TYPICAL_SHARE: Final = 0.01
TYPICAL_LEAST: Final = 20
"""The typical request at a percentile is the mean of 1 % of the requests, at least 20 (design §4.8)."""

CALLS_SHOWN: Final = 12
_COLUMNS: Final = {"version": "service_version"}


def report(
    reader: Reader,
    selection: Selection | None = None,
    *,
    by: str = "route",
    at: str = "mean",
    horizons: Sequence[str] = HORIZONS,
    limit: int = 100,
    now_ns: int | None = None,
    notes: tuple[str, ...] = (),
    measured: bool = False,
) -> Report:
    """Add up who and what held the requests of a selection.

    Args:
        reader: The store.
        selection: Filter line, times and environment; where several environments exist and it names none, one is
            taken and a note says which.
        by: One of `BY`, or `attr:KEY`.
        at: One of `AT`; a group with fewer than 20 requests has no typical request, and a note counts such groups.
        horizons: `shell`, `complete` or both.
        limit: Groups at most, those with most time first; a note counts the rest.
        now_ns: What ages (`15m`) count back from; the present by default.
        notes: What is already to be said about the selection.
        measured: With the boundary metrics of every group.
    """
    keys, keys_params = _keys(by)
    _check(at, horizons)
    taken, chosen_notes = one_environment(reader, selection or Selection())
    chosen = predicate(taken, time.time_ns() if now_ns is None else now_ns)
    groups, total, found = _groups(reader, chosen, keys, keys_params, at, limit)
    if measured:
        whole, each = metrics(reader, chosen, keys, keys_params)
        total = replace(total, metrics=whole)
        groups = tuple(replace(group, metrics=each.get(group.key, ())) for group in groups)
    counts = counted(reader, chosen)
    notes += chosen_notes + _notes(by, at, groups, found, counts)
    if not total.requests:
        notes += _empty(reader, taken)
    return Report(
        selection=taken,
        by=by,
        at=at,
        horizons=tuple(horizons),
        total=total,
        groups=groups,
        left_out={name: counts[name] for name in ("other", "shell_not_known", "complete_not_known") if counts[name]},
        warnings=_warnings(reader, chosen),
        notes=notes,
    )


def _keys(by: str) -> tuple[str, dict[str, object]]:
    kind, _, attribute = by.partition(":")
    if kind == "attr" and attribute:
        return statement("report/by_attribute"), {"attribute": attribute}
    if by not in BY:
        raise UsageError(f"--by {by!r} is not known{nearest(by, BY)}", f"known: {' '.join(BY)} attr:KEY")
    if by in {"seam", "boundary"}:
        return statement(f"report/by_{by}"), {}
    return statement("report/by_column", column=_COLUMNS.get(by, by)), {}


def _check(at: str, horizons: Sequence[str]) -> None:
    if at not in AT:
        raise UsageError(f"--at {at!r} is not known", f"known: {' '.join(AT)}")
    for horizon in horizons:
        if horizon not in HORIZONS:
            raise UsageError(f"{horizon!r} is no horizon", f"known: {' '.join(HORIZONS)}")


def _groups(
    reader: Reader, chosen: Predicate, keys: str, keys_params: dict[str, object], at: str, limit: int
) -> tuple[tuple[Group, ...], Group, int]:
    """Give the groups, the whole selection as one, and how many groups there are."""
    params = {
        **chosen.params,
        **keys_params,
        "other": OTHER,
        "groups": limit,
        "quantile": AT[at],
        "least": TYPICAL_LEAST,
        "share": TYPICAL_SHARE,
        "calls": CALLS_SHOWN,
    }
    rows = reader.query(statement("report/groups", where=chosen.where, keys=keys), params)
    by_number: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows.iter_rows(named=True):
        by_number[row["group_no"]].append(row)
    groups = [group(found) for number, found in sorted(by_number.items()) if number]
    found = rows["keys"][0] if len(rows) else 0
    return tuple(groups), group(by_number.get(0, [])), found


def _notes(by: str, at: str, groups: Sequence[Group], found: int, counts: dict[str, int]) -> tuple[str, ...]:
    notes = []
    if by in {"seam", "boundary"}:
        notes.append(f"a request is counted in every {by} it crosses, whole: the groups overlap")
    if found > len(groups):
        notes.append(f"{found - len(groups)} more groups with less time are left out")
    withheld = sum(1 for g in groups if at != "mean" and any(not n for n in g.requests_in.values()))
    if withheld:
        notes.append(f"the typical {at} request is withheld for {withheld} groups: it takes {TYPICAL_LEAST} requests")
    if counts["not_final"]:
        notes.append(f"{counts['not_final']} requests are not final: their seams' windows have not settled")
    weights = "weights are summed, percentiles and totals count each stored request once"
    return (*notes, *sampled(counts, weights))


def _empty(reader: Reader, selection: Selection) -> tuple[str, ...]:
    missing = unknown_attributes(reader, selection)
    if missing:
        raise UsageError(
            f"filter: no span carries an attribute {missing[0]!r}{nearest(missing[0], KEYS)}",
            "seamscope report --help lists the keys",
        )
    if not reader.query(statement("report/any_request"))["any"][0]:
        return ("the store holds no analysed request yet: seamscope analyze, or wait for traces to settle",)
    return ("no request matches",)


def _warnings(reader: Reader, chosen: Predicate) -> dict[str, int]:
    rows = reader.query(statement("report/warnings", where=chosen.where), chosen.params)
    return {word(WARNINGS, row["code"]) or "stage_failed": row["warnings"] for row in rows.iter_rows(named=True)}


def seams(reader: Reader, selection: Selection | None = None, *, now_ns: int | None = None) -> list[SeamRow]:
    """Give a row per seam that the requests of a selection cross, the one with most gap time first.

    As in totals, requests of kind `other` are left out; here only unless the filter line speaks of kinds.
    No environment is taken by default here: ask `selections.one_environment` first.
    """
    chosen = predicate(without_other(selection or Selection()), time.time_ns() if now_ns is None else now_ns)
    rows = seam_rows(reader, chosen)
    senders = sides(
        reader.query(statement("report/seam_emitters", where=chosen.where), chosen.params).iter_rows(named=True)
    )
    return [seam_row(row, senders.get(row["seam"], {})) for row in rows]
