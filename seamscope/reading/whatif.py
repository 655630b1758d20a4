"""What requests would take if something were not there, side by side, or shorter: re-timed, not subtracted."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from seamscope import evidence as stored
from seamscope.errors import DataError, UsageError
from seamscope.results import Selection
from seamscope.schema.words import CAUSES, FINDINGS, HORIZONS
from seamscope.selection.predicate import predicate
from seamscope.statements import statement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from analysis.findings import Evidence
    from seamscope.store import Reader

_SPAN_ID: Final = re.compile(r"[0-9a-f]{16}")
_ID: Final = "base.request_text(r.trace_hi, r.trace_lo, r.entry_span_id)"
_MANNERS: Final = ("rule", "span", "peer")
AT: Final = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Change:
    """What is asked: any of these, together."""

    remove: tuple[str, ...] = ()
    """`rule:NAME`, `span:ID`, `peer:HOST`."""
    parallel: bool = False
    """Calls of one parent that follow each other would begin together, whatever they need of each other's answers."""
    cause: str | None = None
    by_percent: float = 100.0
    """Part of the time of `cause` that would be gone."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One horizon of the chosen requests, as it was and as it would be."""

    horizon: str
    requests: int
    """Requests whose horizon is known."""
    changed: int
    """Those among them that hold something of what would change."""
    before_ns: int
    """The mean; of one request, its horizon."""
    after_ns: int
    saving_ns: int
    percentiles: tuple[tuple[float, int, int], ...]
    """Percentile, before, after; empty for one request."""


def what_if(
    reader: Reader,
    change: Change,
    selection: Selection | None = None,
    *,
    request_id: str | None = None,
    among: Sequence[str] | None = None,
    essential: Callable[..., bool | None] | None = None,
    now_ns: int | None = None,
) -> tuple[Outcome, ...]:
    """Re-time the latest requests of a selection, or one, with everything in `change` at once; a row per horizon.

    `among` are ids of requests: of the selection only these.

    Raises:
        UsageError: nothing is asked for, or in words that are none.
        DataError: there is no such request.
    """
    _check(change)
    where, params = _where(selection or Selection(), request_id, now_ns)
    if among is not None:
        where, params = f"({where}) AND list_contains($among, {_ID})", {**params, "among": list(among)}
    requests = stored.latest(reader, where, params)
    if not requests.height:
        raise DataError("no request to re-time in this selection", "seamscope report shows what the store holds")
    chosen = f"r.request_no IN ({', '.join(str(int(number)) for number in requests.get_column('request_no'))})"
    evidence = stored.gathered(reader, requests, chosen, {}, essential)
    from analysis.findings import changes

    told = changes.together(_taken_out(reader, evidence, change, essential))
    if change.cause is None:
        rows = changes.retimed(evidence, told)
    else:
        stretches = reader.query(statement("findings/stretches", chosen=chosen), {"cause": change.cause})
        rows = changes.shortened(evidence, told, stretches, change.by_percent / 100)
    return tuple(_outcome(rows, horizon, one=request_id is not None) for horizon in HORIZONS if _has(rows, horizon))


def _check(change: Change) -> None:
    if not change.remove and not change.parallel and change.cause is None:
        raise UsageError("nothing to change", "--remove rule:NAME|span:ID|peer:HOST, --parallel, or --cause C --by PCT")
    if change.cause is not None and change.cause not in CAUSES:
        raise UsageError(f"{change.cause!r} is no cause", f"known: {' '.join(CAUSES)}")
    for text in change.remove:
        manner, _, name = text.partition(":")
        if manner not in _MANNERS or not name:
            raise UsageError(f"cannot remove {text!r}", "rule:NAME, span:ID or peer:HOST")
        if manner == "rule" and name not in FINDINGS:
            raise UsageError(f"{name!r} is no rule", f"known: {' '.join(FINDINGS)}")
        if manner == "span" and not _SPAN_ID.fullmatch(name.lower()):
            raise UsageError(f"{name!r} is no span id", "16 hex digits")


def _where(selection: Selection, request_id: str | None, now_ns: int | None) -> tuple[str, Mapping[str, object]]:
    if request_id is not None:
        return f"{_ID} = $request_id", {"request_id": request_id}
    chosen = predicate(selection, time.time_ns() if now_ns is None else now_ns)
    return f"({chosen.where}) AND base.request_kind_word(r.kind) <> 'other'", chosen.params


def _taken_out(
    reader: Reader, evidence: Evidence, change: Change, essential: Callable[..., bool | None] | None
) -> list[pl.DataFrame]:
    from analysis.findings import changes

    named: dict[str, list[str]] = {manner: [] for manner in _MANNERS}
    for text in change.remove:
        manner, _, name = text.partition(":")
        named[manner].append(name)
    told = [changes.without_peer(evidence, host) for host in named["peer"]]
    if named["span"]:
        told.append(changes.without_spans(evidence, [int(name, 16) for name in named["span"]]))
    told += [_without_rule(reader, evidence, rule, essential) for rule in named["rule"]]
    if change.parallel:
        told.append(changes.side_by_side(evidence))
    return told


def _without_rule(
    reader: Reader, evidence: Evidence, rule: str, essential: Callable[..., bool | None] | None
) -> pl.DataFrame:
    """Mark what a rule finds in these requests: among the latest ones too, as a pattern takes many to be seen."""
    from analysis.findings import RULES, changes

    own = changes.without_rule(evidence, RULES, rule)
    around = stored.read(reader, essential)
    if around is None:
        return own
    wide = changes.without_rule(around, RULES, rule)
    return pl.concat([changes.carried_over(wide, around, evidence), own])


def _has(rows: pl.DataFrame, horizon: str) -> bool:
    return bool((rows.get_column("horizon") == horizon).any())


def _outcome(rows: pl.DataFrame, horizon: str, *, one: bool) -> Outcome:
    own = rows.filter(pl.col("horizon") == horizon)
    before, after = (_mean(own.get_column(name)) for name in ("before_ns", "after_ns"))
    return Outcome(
        horizon=horizon,
        requests=own.height,
        changed=int(own.get_column("changed").sum()),
        before_ns=before,
        after_ns=after,
        saving_ns=before - after,
        percentiles=() if one else tuple((at, *_at(own, at)) for at in AT),
    )


def _mean(values: pl.Series) -> int:
    return int(values.sum()) // max(values.len(), 1)


def _at(rows: pl.DataFrame, at: float) -> tuple[int, int]:
    before, after = (rows.get_column(name).quantile(at, "nearest") for name in ("before_ns", "after_ns"))
    return int(before or 0), int(after or 0)


def outcome_rows(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Give outcomes as the JSON document shows them."""
    return [
        {
            "horizon": one.horizon,
            "requests": one.requests,
            "changed": one.changed,
            "before_ns": one.before_ns,
            "after_ns": one.after_ns,
            "saving_ns": one.saving_ns,
            "percentiles": {
                f"p{round(100 * at)}": {"before_ns": before, "after_ns": after} for at, before, after in one.percentiles
            },
        }
        for one in outcomes
    ]
