"""What requests would take if something were not there, side by side, or shorter: re-timed, not subtracted."""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from seamscope import evidence as stored
from seamscope.errors import DataError, UsageError
from seamscope.reading.notes import counted, sampled
from seamscope.results import Selection
from seamscope.schema.words import CAUSES, FINDINGS, HORIZONS
from seamscope.selection.predicate import Predicate, one_environment, predicate
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
class Foretold:
    """What a change would come to."""

    outcomes: tuple[Outcome, ...]
    """A row per horizon."""
    notes: tuple[str, ...]


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
) -> Foretold:
    """Re-time the latest requests of a selection, or one, with everything in `change` at once.

    Where several environments exist and the selection names none, one is taken and a note says which. `among` are ids
    of requests, of whatever environment: of the selection only these.

    Raises:
        UsageError: nothing is asked for, or in words that are none.
        DataError: there is no such request.
    """
    _check(change)
    where, params, notes = _where(reader, selection or Selection(), request_id, among, now_ns)
    requests = stored.latest(reader, where, params)
    if not requests.height:
        raise DataError("no request to re-time in this selection", "seamscope report shows what the store holds")
    rows = _with_those_of_no_time(requests, _retimed(reader, requests, change, essential))
    one = request_id is not None
    outcomes = tuple(_outcome(rows, horizon, one=one) for horizon in HORIZONS if _has(rows, horizon))
    if not outcomes:
        raise DataError("of no request in this selection is known how long it took", "seamscope report shows what is")
    said = () if one else _notes(counted(reader, Predicate(where, dict(params))), requests.height)
    return Foretold(outcomes, notes + said)


def _retimed(
    reader: Reader, requests: pl.DataFrame, change: Change, essential: Callable[..., bool | None] | None
) -> pl.DataFrame:
    chosen = f"r.request_no IN ({', '.join(str(int(number)) for number in requests.get_column('request_no'))})"
    evidence = stored.gathered(reader, requests, chosen, {}, essential)
    from analysis.findings import changes

    told = changes.together(_taken_out(reader, evidence, change, essential))
    if change.cause is None:
        return changes.retimed(evidence, told)
    stretches = reader.query(statement("findings/stretches", chosen=chosen), {"cause": change.cause})
    return changes.shortened(evidence, told, stretches, change.by_percent / 100)


def _with_those_of_no_time(requests: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Give every known horizon: one that nothing lies on (of 0 ns) has nothing to re-time, and stays as it is."""
    lengths = requests.select("request_no", pl.col("shell_ns").alias("shell"), pl.col("complete_ns").alias("complete"))
    known = lengths.unpivot(index="request_no", variable_name="horizon", value_name="before_ns").drop_nulls()
    told = known.join(rows.drop("before_ns"), on=["request_no", "horizon"], how="left", maintain_order="left")
    return told.with_columns(
        pl.col("after_ns").fill_null(pl.col("before_ns")), pl.col("changed").fill_null(value=False)
    )


def _notes(counts: dict[str, int], taken: int) -> tuple[str, ...]:
    found = counts["requests"]
    most = f"{stored.MOST_REQUESTS:,} requests and {stored.MOST_SPANS:,} spans at most"
    cut = (f"the latest {taken:,} of {found:,} requests are re-timed ({most})",) if found > taken else ()
    return cut + sampled(counts, "each stored request counts once")


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


def _where(
    reader: Reader, selection: Selection, request_id: str | None, among: Sequence[str] | None, now_ns: int | None
) -> tuple[str, Mapping[str, object], tuple[str, ...]]:
    """Give the condition over `base.requests r`, its values, and what is to be said of it."""
    if request_id is not None:
        return f"{_ID} = $request_id", {"request_id": request_id}, ()
    taken, notes = (selection, ()) if among is not None else one_environment(reader, selection)
    chosen = predicate(taken, time.time_ns() if now_ns is None else now_ns)
    where = f"({chosen.where}) AND base.request_kind_word(r.kind) <> 'other'"
    if among is None:
        return where, chosen.params, notes
    return f"({where}) AND list_contains($among, {_ID})", {**chosen.params, "among": list(among)}, ()


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
    """Give the values at a percentile, before and after: the nearest rank, as reports give it (`quantile_disc`)."""
    place = max(1, rows.height - math.floor(rows.height - rows.height * at)) - 1
    before, after = (rows.get_column(name).sort()[place] for name in ("before_ns", "after_ns"))
    return int(before), int(after)


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
