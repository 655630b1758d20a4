"""Rows of the report statements as the objects that people see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from seamscope.hexadecimal import request_id
from seamscope.reading.coverage import lacking
from seamscope.reading.request_parts import PHASES, boundary, word
from seamscope.results import Group, HeldBy, Percentiles, SeamRow, Share
from seamscope.schema.words import CAUSES, EVIDENCE, GAP_KINDS, HORIZONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from seamscope.reading.coverage import Side

POINTS: Final = ("p50", "p95", "p99", "max")
"""Where an example request is named."""

NO_VALUES: Final = Percentiles(count=0, mean_ns=None, p50_ns=None, p95_ns=None, p99_ns=None, max_ns=None)


def group(rows: Sequence[Mapping[str, Any]]) -> Group:
    """Make one group from its rows of `report/groups.sql` (a row per known horizon, one where none is known)."""
    known = {HORIZONS[row["horizon"]]: row for row in rows if row["horizon"] is not None}
    first: Mapping[str, Any] = rows[0] if rows else {"key": None, "requests": 0, "weight": 0.0, "errors": 0}
    shares = {name: _shares(row) for name, row in known.items()}
    return Group(
        key=first["key"] or "",
        requests=first["requests"],
        weight=first["weight"] or 0.0,
        errors=first["errors"],
        shell=_percentiles(known.get("shell")),
        complete=_percentiles(known.get("complete")),
        shares={name: shares.get(name, ()) for name in HORIZONS},
        requests_in={name: known[name]["requests_in"] if name in known else 0 for name in HORIZONS},
        held_by={name: _held_by(known.get(name)) for name in HORIZONS},
        dominant={name: _dominant(shares.get(name, ())) for name in HORIZONS},
        led_by={name: _led_by(known.get(name)) for name in HORIZONS},
        examples={name: examples(known[name]) if name in known else {} for name in HORIZONS},
    )


def _percentiles(row: Mapping[str, Any] | None) -> Percentiles:
    if row is None:
        return NO_VALUES
    p50, p95, p99 = row["q_ns"]
    return Percentiles(row["known"], row["mean_ns"], p50, p95, p99, row["max_ns"])


def _shares(row: Mapping[str, Any]) -> tuple[Share, ...]:
    return tuple(
        Share(
            share["owner"],
            word(CAUSES, share["cause"]) or "unexplained",
            word(EVIDENCE, share["evidence"]) or "unexplained",
            share["ns"],
        )
        for share in row["shares"] or ()
    )


def _dominant(shares: Sequence[Share]) -> tuple[str, str] | None:
    totals: dict[tuple[str, str], int] = {}
    for share in shares:
        key = (share.owner, share.cause)
        totals[key] = totals.get(key, 0) + share.ns
    return max(sorted(totals), key=totals.__getitem__, default=None)


def _held_by(row: Mapping[str, Any] | None) -> tuple[HeldBy, ...]:
    return tuple(
        HeldBy(
            operation=call["operation"] or "",
            seam=call["seam"],
            requests=call["requests"],
            mean_ns=call["mean_ns"],
            order=order,
            mean_start_ns=call["start_ns"],
            mean_end_ns=call["end_ns"],
            calls=call["calls"],
        )
        for order, call in enumerate((row and row["held_by"]) or ())
    )


def _led_by(row: Mapping[str, Any] | None) -> tuple[tuple[str, int], ...]:
    return tuple(
        (word(CAUSES, led["cause"]) or "unexplained", led["requests"]) for led in (row and row["led_by"]) or ()
    )


def examples(row: Mapping[str, Any]) -> dict[str, str]:
    """Give `p50 p95 p99 max` → the id of a request that stands there."""
    return {point: request_id(*row[point].values()) for point in POINTS if row[point] is not None}


def _explained_by(row: Mapping[str, Any]) -> dict[str, int]:
    """Give evidence → ns of the gap, what is not explained beside it."""
    told = {name: int(row[f"{name}_ns"]) for name in ("header", "bounded", "inferred")}
    explained = int(row["explained_ns"] or 0)
    measured = explained - sum(told.values())
    found = {"measured": measured, **told, "unexplained": int(row["gap_sum_ns"] or 0) - explained}
    return {name: ns for name, ns in found.items() if ns}


def seam_row(row: Mapping[str, Any], senders: Mapping[str, Side]) -> SeamRow:
    """Make a line of `seams` from a row of `report/seams.sql` and who sends the spans on its sides."""
    gaps, total = row["gaps"], int(row["gap_sum_ns"] or 0)
    p50, p95, p99 = row["q_ns"] or (None, None, None)
    return SeamRow(
        seam=row["seam"],
        boundary=boundary(row["seam"]),
        hops=row["hops"],
        matched=row["matched"],
        gap=Percentiles(gaps, total // gaps if gaps else None, p50, p95, p99, row["max_ns"]),
        phases={phase: int(row[f"{phase}_sum"]) for phase in PHASES if row[f"{phase}_hops"]},
        gap_sum_ns=total,
        explained_ns=int(row["explained_ns"] or 0),
        cold=row["cold"] if row["reused_known"] else None,
        reused_known=row["reused_known"],
        requests=row["requests"],
        errors=row["errors"],
        gap_kinds={
            word(GAP_KINDS, code) or "unmeasurable": hops
            for code, hops in zip(row["gap_kinds"] or (), row["gap_kind_hops"] or (), strict=True)
        },
        phase_hops={phase: row[f"{phase}_hops"] for phase in PHASES if row[f"{phase}_hops"]},
        retried=row["retried"],
        examples=examples(row),
        explained_by=_explained_by(row),
        lacking=lacking(row, senders),
        clock_interval_ns=None if row["clock_low_ns"] is None else (row["clock_low_ns"], row["clock_high_ns"]),
    )
