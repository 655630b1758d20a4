"""Parts that several pages have: a horizon with who held it, tables of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards.contexts import Call, Fact, Held, Page, Piece
from dashboards.figures import share_pieces
from dashboards.tables import Cell, Table, columns, ratio, timed, words
from seamscope.palette import EVIDENCE_MARK
from seamscope.text.figures import UNKNOWN, count, duration, percent, plural, when
from seamscope.text.safe import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dashboards.addresses import Addresses
    from seamscope.results import Group, HeldBy, Percentiles, Report, RequestRow, Share

SHORT_ID: Final = 12
"""Digits of a trace id shown in lists; `seamscope trace` takes a beginning."""

POINTS: Final = ("p50", "p95", "p99")


def page(title: str, report: Report, root: str, more: Sequence[str] = ()) -> Page:
    """Give what every page of a folder says at its top."""
    asked = report.selection
    facts = [
        f"filter {asked.filter}" if asked.filter else "",
        f"environment {asked.environment}" if asked.environment else "",
    ]
    return Page(
        safe(title), root, tuple(safe(fact) for fact in (*more, *facts) if fact), tuple(map(safe, report.notes))
    )


def points(found: Percentiles) -> dict[str, int | None]:
    """Give `p50 p95 p99` → ns."""
    return {"p50": found.p50_ns, "p95": found.p95_ns, "p99": found.p99_ns}


def held(group: Group, horizon: str, at: str, where: Addresses) -> Held:
    """Give one horizon of a group: percentiles that lead to their requests, make-up, the calls that held it."""
    found: Percentiles = getattr(group, horizon)
    examples = group.examples.get(horizon, {})
    facts = tuple(Fact(point, duration(ns), where.request(examples.get(point))) for point, ns in points(found).items())
    taken, shares = group.requests_in.get(horizon, 0), group.shares.get(horizon, ())
    if not taken:
        return Held(horizon, facts, "", (), None, missing=_missing(found, at))
    whole = sum(share.ns for share in shares)
    return Held(
        horizon=horizon,
        facts=facts,
        about=_about(group, horizon, at, whole, taken),
        pieces=pieces(shares, taken),
        table=shares_table(f"{horizon}-{at}", shares, taken),
        calls=calls(group.held_by.get(horizon, ()), whole // taken, taken),
    )


def _missing(found: Percentiles, at: str) -> str:
    if not found.count:
        return "not known: no span tells when it was reached"
    return f"withheld: the typical {at} request takes 20 requests, there are {found.count}"


def _about(group: Group, horizon: str, at: str, whole: int, taken: int) -> str:
    which = f"the {plural(taken, 'request')} nearest {at}" if at != "mean" else plural(taken, "request")
    led = ", ".join(f"{cause} in {count(n)}" for cause, n in group.led_by.get(horizon, ())[:3])
    return f"{duration(whole // taken)} on average over {which}" + (f"; led by {led}" if led else "")


def pieces(shares: Sequence[Share], taken: int = 1) -> tuple[Piece, ...]:
    """Give a bar's pieces from outside to inside, what nobody knows last."""
    drawn, at = [], 0.0
    for cause, owner, evidence, part, ns in share_pieces(shares):
        title = f"{cause} {safe(owner)}: {duration(ns // max(1, taken))} ({evidence})"
        drawn.append(Piece(cause, evidence, title, round(100 * at, 3), round(100 * part, 3)))
        at += part
    return tuple(drawn)


def shares_table(name: str, shares: Sequence[Share], taken: int = 1) -> Table:
    """Give owner × cause × evidence with the mean over `taken` requests."""
    whole = sum(share.ns for share in shares)
    rows = tuple(
        (
            Cell(share.cause, swatch=f"c-{share.cause}"),
            timed(share.ns // taken),
            ratio(share.ns, whole, drawn=True),
            words(share.owner),
            Cell(f"{EVIDENCE_MARK.get(share.evidence, '?')} {share.evidence}", share.evidence),
        )
        for share in shares
    )
    mean = ">mean|mean_ns" if taken > 1 else ">time|time_ns"
    return Table(name, columns("cause", mean, ">share|share_ratio", "owner", "known how"), rows)


def calls(found: Iterable[HeldBy], horizon_ns: int, taken: int) -> tuple[Call, ...]:
    """Give the calls that held a horizon in their usual order, placed on its scale."""
    scale = 100 / max(1, horizon_ns)
    return tuple(
        Call(
            operation=safe(call.operation or "a call")
            + (f" ×{call.calls / call.requests:.1f}" if call.calls > call.requests else ""),
            seam=safe(call.seam or UNKNOWN),
            mean=duration(call.mean_ns),
            requests="in all" if call.requests == taken else f"in {percent(call.requests, taken)}",
            start=round(min(100, max(0, call.mean_start_ns * scale)), 3),
            length=round(max(0.3, min(100, (call.mean_end_ns - call.mean_start_ns) * scale)), 3),
        )
        for call in found
    )


def requests_table(
    name: str, rows: Iterable[tuple[RequestRow, int | None]], where: Addresses, extra: str = ""
) -> Table:
    """Give a list of requests that leads to their pages; `extra` titles a duration of its own."""
    titles = [
        "request",
        "route",
        "started|start_ns",
        ">status",
        ">shell|shell_ns",
        ">complete|complete_ns",
        "held most by",
    ]
    drawn = tuple(
        (
            Cell(f"{row.request_id[:SHORT_ID]}…", row.request_id, where.request(row.request_id)),
            words(row.route, where.route(row.route) or None),
            Cell(when(row.start_ns), row.start_ns),
            Cell(str(row.status or UNKNOWN), row.status if row.status is not None else ""),
            timed(row.shell_ns),
            timed(row.complete_ns),
            words(f"{row.dominant_cause or UNKNOWN} {row.dominant_owner or ''}", swatch=f"c-{row.dominant_cause}"),
            *((timed(own),) if extra else ()),
        )
        for row, own in rows
    )
    return Table(name, columns(*titles, *([f">{extra}|{extra}_ns"] if extra else [])), drawn)
