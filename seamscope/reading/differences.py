"""Two sets of requests held against each other: what the second spends more of, and what sets it apart."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from seamscope.errors import DataError, UsageError
from seamscope.reading.notes import OTHER, counted, sampled
from seamscope.reading.request_parts import word
from seamscope.reading.resampling import compare, dealt, shares_apart
from seamscope.results import Difference, DifferenceRow, Selection, SetOfRequests, ValueApart
from seamscope.schema.words import CAUSES, HORIZONS
from seamscope.score.summary import Rate
from seamscope.selection.predicate import Predicate, names_environment, one_environment, predicate
from seamscope.selection.values import time_ns
from seamscope.statements import statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seamscope.reading.resampling import Compared
    from seamscope.store import Reader

BLOCKS: Final = 500
"""Blocks that a set is dealt out over: with fewer requests than that each is a block of its own."""
STRATA: Final = 60
"""Routes that are told apart as mix; the rest, those with fewest requests, are one."""
SLOW: Final = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99}
LEAST_CARRIERS: Final = 5
"""Requests of the second set that must carry a value before it is said to set that set apart."""
DISTINCT: Final = 200
"""A key with more values than this in both sets together tells requests apart, not sets."""
LONGEST: Final = 200
VALUES_SHOWN: Final = 12


def selection_of(text: str, within: Selection, now_ns: int) -> Selection:
    """Read one side of `diff`: `FROM/TO` (times), or a filter line (`version:1.4.0`), inside a selection."""
    begin, slash, end = text.partition("/")
    if slash and _is_time(begin, now_ns) and _is_time(end, now_ns):
        since, until = [begin, *filter(None, [within.since])], [end, *filter(None, [within.until])]
        at = partial(time_ns, now_ns=now_ns)
        return replace(within, since=max(since, key=at), until=min(until, key=at))
    return replace(within, filter=f"{within.filter} {text}".strip())


def _is_time(text: str, now_ns: int) -> bool:
    try:
        time_ns(text, now_ns)
    except UsageError:
        return False
    return True


def difference(
    reader: Reader, first: str, second: str, within: Selection, *, horizon: str = "complete", now_ns: int | None = None
) -> Difference:
    """Hold the requests of `second` against those of `first`, both inside `within`.

    Of several environments one is taken, unless `within` or either side names its own.

    Raises:
        UsageError: a side cannot be read, or the horizon is none.
        DataError: a side has no request with that horizon.
    """
    now = time.time_ns() if now_ns is None else now_ns
    named = any(names_environment(selection_of(text, within, now)) for text in (first, second))
    taken, notes = (within, ()) if named else one_environment(reader, within)
    sides = [predicate(selection_of(text, taken, now), now) for text in (first, second)]
    missing = [f"no request with a known {horizon} matches {text!r}" for text in (first, second)]
    return _difference(reader, (first, second), (sides[0], sides[1]), horizon, notes, missing)


def slow_against_rest(
    reader: Reader, slow: str, within: Selection, *, horizon: str = "complete", now_ns: int | None = None
) -> Difference:
    """Hold the requests at or above a percentile (`p95`) of a selection against the rest of it.

    Raises:
        UsageError: the percentile is not one of `SLOW`.
        DataError: the selection has no request with that horizon, or none below the percentile.
    """
    if slow not in SLOW:
        raise UsageError(f"--slow {slow!r} is not known", f"known: {' '.join(SLOW)}")
    now = time.time_ns() if now_ns is None else now_ns
    taken, notes = one_environment(reader, within)
    chosen = predicate(taken, now)
    params = {**chosen.params, "other": OTHER, "quantile": SLOW[slow]}
    found = reader.query(_statement("threshold", horizon, chosen), params)["ns"][0]
    if found is None:
        raise DataError(f"no request of this selection has a known {horizon}")
    limit = {**chosen.params, "slow_ns": found}
    rest, above = (
        Predicate(f"({chosen.where}) AND r.{horizon}_ns {sign} $slow_ns", limit) for sign in ("<", ">=")
    )  # fmt: skip
    missing = [f"no request of this selection is faster than the {slow} of its {horizon}"] * 2
    return _difference(reader, (f"below {slow}", f"{slow} and above"), (rest, above), horizon, notes, missing)


def _statement(name: str, horizon: str, chosen: Predicate) -> str:
    if horizon not in HORIZONS:
        raise UsageError(f"{horizon!r} is no horizon", f"known: {' '.join(HORIZONS)}")
    return statement(f"difference/{name}", horizon=horizon, where=chosen.where)


def _difference(
    reader: Reader,
    names: tuple[str, str],
    sides: tuple[Predicate, Predicate],
    horizon: str,
    notes: tuple[str, ...],
    missing: Sequence[str],
) -> Difference:
    """Compare two sets; `missing` says what it means that one or the other is empty."""
    rows = [_sums(reader, side, horizon) for side in sides]
    for words, found in zip(missing, rows, strict=True):
        if not found.height:
            raise DataError(words, "; ".join(notes))
    counts = [int(found["requests"].sum()) for found in rows]
    together = _numbered(pl.concat([found.with_columns(side=pl.lit(n)) for n, found in enumerate(rows)]))
    parts = together.filter(pl.col("part") >= 0).unique("part").sort("part").select("owner", "cause")
    shape = {"strata": int(together["stratum"].max()) + 1, "parts": parts.height, "blocks": BLOCKS}  # type: ignore[arg-type]
    first, second = (
        dealt({name: part[name].to_numpy() for name in ("block", "stratum", "part", "requests", "ns")}, **shape)
        for part in (together.filter(pl.col("side") == n) for n in (0, 1))
    )
    values = _values(reader, sides, horizon, counts)
    said = notes + _weights(reader, sides)
    return _told(names, counts, horizon, compare(first, second), parts, values, said)


def _weights(reader: Reader, sides: tuple[Predicate, Predicate]) -> tuple[str, ...]:
    said = (
        sampled(counted(reader, side), "each stored request counts once", f" of {letter}")
        for letter, side in zip("AB", sides, strict=True)
    )
    return tuple(chain.from_iterable(said))


def _sums(reader: Reader, side: Predicate, horizon: str) -> pl.DataFrame:
    params = {**side.params, "other": OTHER, "blocks": BLOCKS, "horizon": HORIZONS.index(horizon)}
    return reader.query(_statement("sums", horizon, side), params)


def _numbered(rows: pl.DataFrame) -> pl.DataFrame:
    """Number routes (rare ones as one) and parts; a row that counts requests has part -1."""
    common = rows.group_by("route").agg(pl.col("requests").sum()).sort("requests", "route", descending=[True, False])
    strata = common.select("route").with_row_index("stratum").with_columns(pl.col("stratum").clip(0, STRATA - 1))
    parts = rows.select("owner", "cause").drop_nulls().unique().sort("owner", "cause").with_row_index("part")
    numbered = rows.join(strata, on="route").join(parts, on=["owner", "cause"], how="left")
    return numbered.with_columns(
        pl.col("part").cast(pl.Int64).fill_null(-1), pl.col("stratum").cast(pl.Int64), pl.col("ns").fill_null(0)
    )


def _told(
    names: tuple[str, str],
    counts: list[int],
    horizon: str,
    compared: Compared,
    parts: pl.DataFrame,
    values: tuple[ValueApart, ...],
    notes: tuple[str, ...],
) -> Difference:
    interval = compared.interval
    rows = [
        DifferenceRow(
            owner=owner,
            cause=word(CAUSES, cause) or "unexplained",
            first_ns=int(compared.first_ns[n]),
            second_ns=int(compared.second_ns[n]),
            delta_ns=int(compared.second_ns[n] - compared.first_ns[n]),
            mix_ns=round(compared.mix_ns[n]),
            rate_ns=round(compared.rate_ns[n]),
            low_ns=None if interval is None else round(interval.low_ns[n]),
            high_ns=None if interval is None else round(interval.high_ns[n]),
        )
        for n, (owner, cause) in enumerate(parts.iter_rows())
    ]
    sides = [
        SetOfRequests(name, count, int(whole.sum()))
        for name, count, whole in zip(names, counts, (compared.first_ns, compared.second_ns), strict=True)
    ]
    return Difference(
        horizon=horizon,
        first=sides[0],
        second=sides[1],
        delta_ns=sides[1].mean_ns - sides[0].mean_ns,
        low_ns=None if interval is None else round(interval.total_low_ns),
        high_ns=None if interval is None else round(interval.total_high_ns),
        mix_ns=round(float(np.sum(compared.mix_ns))),
        rate_ns=round(float(np.sum(compared.rate_ns))),
        rows=tuple(sorted(rows, key=lambda row: (-abs(row.delta_ns), row.owner, row.cause))),
        values=values,
        notes=notes,
    )


def _values(
    reader: Reader, sides: tuple[Predicate, Predicate], horizon: str, counts: list[int]
) -> tuple[ValueApart, ...]:
    """Give values whose shares in the two sets are apart, those furthest apart first."""
    more: dict[str, Any] = {"other": OTHER, "distinct": DISTINCT + 1, "longest": LONGEST}
    first, second = (reader.query(_statement("values", horizon, side), {**side.params, **more}) for side in sides)
    joined = second.join(first, on=["key", "value"], how="full", coalesce=True, suffix="_first").fill_null(0)
    joined = joined.filter(pl.len().over("key") <= DISTINCT)
    found = []
    for key, value, there, here in joined.select("key", "value", "requests_first", "requests").iter_rows():
        if max(here, there) >= LEAST_CARRIERS and shares_apart(Rate(there, counts[0]), Rate(here, counts[1])):
            found.append(ValueApart(key, value, there, here, there / counts[0], here / counts[1]))
    found.sort(key=lambda one: (-abs(one.second_share - one.first_share), one.key, one.value))
    return tuple(found[:VALUES_SHOWN])
