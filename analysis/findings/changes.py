"""What if: changes to requests as marks, and the requests re-timed with all of them together."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from analysis.findings.cases import MARKS, marks
from analysis.findings.retiming import BESIDE, LEAD, WHOLE, Cuts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from analysis.findings.cases import Case
    from analysis.findings.evidence import Evidence

Rules = tuple["Callable[[Evidence], Iterator[Case]]", ...]


def without_rule(evidence: Evidence, rules: Rules, rule: str) -> pl.DataFrame:
    """Mark what the findings of one rule would take out, of every request."""
    cases = chain.from_iterable(part(evidence) for part in rules)
    return together(case.marks for case in cases if case.rule == rule)


def together(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Put marks together."""
    found = list(parts)
    return pl.concat(found) if found else pl.DataFrame(schema=MARKS)


def without_spans(evidence: Evidence, span_ids: Collection[int]) -> pl.DataFrame:
    """Mark spans by their ids."""
    wanted = pl.Series(list(span_ids), dtype=pl.UInt64)
    return marks(evidence.spans.filter((pl.col("request") >= 0) & pl.col("span_id").is_in(wanted.implode())), WHOLE)


def without_peer(evidence: Evidence, host: str) -> pl.DataFrame:
    """Mark the calls to a host, or to a service by its name or with its tier."""
    callee = pl.col("callee").fill_null("")
    named = (pl.col("peer") == host) | (callee == host) | (callee.str.replace("^[a-z]+:", "") == host)
    return marks(evidence.calls.filter(named.fill_null(value=False) & ~pl.col("async")), WHOLE)


def side_by_side(evidence: Evidence) -> pl.DataFrame:
    """Mark calls of one parent that began when another had ended: all begin beside the first of their parent."""
    siblings = ["request", "parent_row"]
    ordered = (
        evidence.calls.filter(~pl.col("async") & (pl.col("parent_row") >= 0))
        .sort(*siblings, "start_ns", "row")
        .with_columns(
            first=pl.col("row").first().over(siblings),
            ended_ns=pl.col("end_ns").cum_min().shift(1).over(siblings),
        )
    )
    return marks(ordered.filter(pl.col("start_ns") >= pl.col("ended_ns")), BESIDE, pl.col("first"))


def shortened(evidence: Evidence, told: pl.DataFrame, stretches: pl.DataFrame, part: float) -> pl.DataFrame:
    """Re-time every request with its marks, and with stretches of a cause shorter by a part of them (as `retimed`).

    `stretches` are those on each horizon's path: `request_no`, `horizon`, `span_id`, `ns`. Each horizon is re-timed
    with its own, and comes no sooner for them than they are shorter: where in its span a stretch lies is not known
    to the model, which takes it out before all that the span does.
    """
    rows = retimed(evidence, told)
    for (horizon,), own in stretches.group_by("horizon", maintain_order=True):
        both = retimed(evidence, pl.concat([told, _with_less(evidence, own, part)]))
        most = own.group_by("request_no").agg(most=(pl.col("ns").sum() * part).cast(pl.Int64))
        capped = rows.join(most, on="request_no", how="left", maintain_order="left").with_columns(
            least=pl.col("after_ns") - pl.col("most").fill_null(0), sooner=both["after_ns"], touched=both["changed"]
        )
        of_horizon = pl.col("horizon") == horizon
        rows = capped.select(
            "request_no",
            "horizon",
            "before_ns",
            after_ns=pl.when(of_horizon).then(pl.max_horizontal("sooner", "least")).otherwise("after_ns"),
            changed=pl.when(of_horizon).then("touched").otherwise("changed"),
        )
    return rows


def _with_less(evidence: Evidence, stretches: pl.DataFrame, part: float) -> pl.DataFrame:
    """Mark spans whose stretches are shorter by a part of them."""
    own = evidence.spans.select(pl.col("request").cast(pl.UInt32, strict=False), "span_id", "row").drop_nulls()
    told = stretches.join(evidence.requests.select("request_no", "request"), on="request_no").join(
        own.unique(["request", "span_id"], keep="first", maintain_order=True), on=["request", "span_id"]
    )
    return marks(told, LEAD, (pl.col("ns") * part).cast(pl.Int64))


def retimed(evidence: Evidence, told: pl.DataFrame) -> pl.DataFrame:
    """Re-time every request with its marks: a row per horizon, `request_no horizon before_ns after_ns changed`."""
    cuts = told.filter((pl.col("row") >= 0) & (pl.col("how") > 0))
    cuts = cuts.unique(["request", "row"], keep="first", maintain_order=True).sort("request", maintain_order=True)
    whose = cuts.get_column("request").to_numpy().astype(np.int32)
    requests = np.unique(whose)
    _, question, saved = evidence.times.saved(
        requests,
        Cuts(*(cuts.get_column(name).to_numpy() for name in ("row", "how", "value"))),
        np.append(np.searchsorted(whose, requests), whose.size).astype(np.int64),
    )
    sooner = np.zeros(evidence.horizon_of.height, np.int64)
    sooner[question] = np.clip(saved, 0, None)
    horizons = evidence.horizon_of.join(
        evidence.requests.select("request", "request_no"), on="request", maintain_order="left"
    )
    return horizons.select(
        "request_no",
        "horizon",
        before_ns="horizon_ns",
        after_ns=pl.col("horizon_ns") - pl.min_horizontal(pl.Series(sooner), "horizon_ns"),
        changed=pl.col("request").is_in(pl.Series(requests, dtype=pl.UInt32).implode()),
    )


def carried_over(told: pl.DataFrame, there: Evidence, here: Evidence) -> pl.DataFrame:
    """Give marks of the same requests and spans as other evidence numbers them; those it does not have are left out."""
    requests = there.requests.select("request", "request_no").join(
        here.requests.select("request_no", here="request"), on="request_no"
    )
    rows = _rows(there).join(_rows(here).rename({"row": "here_row"}), on=["trace_id", "span_id", "kind"])
    kept = told.join(requests, on="request", maintain_order="left").join(rows, on="row", maintain_order="left")
    beside = rows.select(value=pl.col("row").cast(pl.Int64), beside=pl.col("here_row").cast(pl.Int64))
    kept = kept.join(beside, on="value", how="left", maintain_order="left")
    value = pl.when(pl.col("how") == BESIDE).then(pl.col("beside").fill_null(-1)).otherwise("value")
    return kept.select(request="here", row="here_row", how="how", value=value)


def _rows(evidence: Evidence) -> pl.DataFrame:
    return evidence.spans.select("row", "trace_id", "span_id", "kind")
