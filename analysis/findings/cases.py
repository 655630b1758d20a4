"""From a rule's marks to findings: re-timed, cut down to what matters, said in words, numbered for good."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from analysis.findings.evidence import rows_of
from analysis.findings.retiming import Cuts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from analysis.findings.evidence import Evidence

MATERIAL_NS: Final = 1_000_000
MATERIAL_SHARE: Final = 0.1
"""A request counts where the finding cost it so much, and so great a part of a horizon: less is not worth the work."""
FEWEST: Final = 3
"""Requests below which nothing is said: once is an accident."""
MOST_SPANS: Final = 64
"""Spans kept as proof of one request."""

MARKS: Final = {"request": pl.UInt32, "row": pl.Int32, "how": pl.UInt8, "value": pl.Int64}
"""A row per span that proves a finding: its request and row, and what is to be taken out (`retiming`)."""


@dataclass(frozen=True, slots=True)
class Case:
    """One rule at one place, before it is known what it costs."""

    rule: str
    """A word of `FINDINGS`."""
    route: str | None
    seam: str | None
    marks: pl.DataFrame
    """Columns `MARKS`."""
    message: str
    """In words; `%requests%` and `%cost%` stand for what is only known later."""
    next_step: str
    confidence: float = 0.9
    material: bool = True
    """Whether a request counts only where it cost something; what is wrong in itself always counts."""
    about: str = ""
    """What else tells it from other findings of the rule there: an operation, a host."""
    fewest: int = FEWEST
    first_horizon: bool = False
    """Whether only the first byte counts, where it is known."""


def marks(frame: pl.DataFrame, how: int, value: pl.Expr | int = 0) -> pl.DataFrame:
    """Make marks of rows with `request` and `row`."""
    amount = value if isinstance(value, pl.Expr) else pl.lit(value)
    return frame.select(
        pl.col("request").cast(pl.UInt32),
        pl.col("row").cast(pl.Int32),
        how=pl.lit(how, pl.UInt8),
        value=amount.cast(pl.Int64),
    )


def settle(evidence: Evidence, cases: Iterable[Case]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Re-time every case and give findings and their requests, columns as the tables of the store."""
    findings, requests = [], []
    for case in cases:
        costs = _costs(evidence, case)
        if costs.height < case.fewest:
            continue
        number = _finding_id(case)
        findings.append(_finding(evidence, case, number, costs))
        requests.append(costs.select(pl.lit(number).alias("finding_id"), "request", "cost_ns", "rows"))
    return _findings_table(findings), _requests_table(evidence, requests)


def _costs(evidence: Evidence, case: Case) -> pl.DataFrame:
    """Give each marked request's cost, the larger of both horizons', and the rows that prove it."""
    told = case.marks.filter(pl.col("row") >= 0)
    whom = told.get_column("request").unique()
    asked = evidence.horizon_of.get_column("request").is_in(whom.implode()).to_numpy()
    cuts = told.filter(pl.col("how") > 0).unique(["row"], keep="first", maintain_order=True)
    saved = evidence.times.saved(
        Cuts(*(cuts.get_column(name).to_numpy() for name in ("row", "how", "value"))),
        rows_of(evidence.spans, whom),
        asked,
    )
    horizons = evidence.horizon_of.with_columns(saved_ns=pl.Series(np.clip(saved, 0, None))).filter(pl.Series(asked))
    if case.first_horizon:
        horizons = horizons.sort("request", "horizon", descending=[False, True]).unique("request", keep="first")
    kept = horizons.with_columns(saved_ns=pl.min_horizontal("saved_ns", "horizon_ns").fill_null(0))
    enough = (pl.col("saved_ns") >= MATERIAL_NS) & (pl.col("saved_ns") >= MATERIAL_SHARE * pl.col("horizon_ns"))
    cost = kept.group_by("request").agg(cost_ns=pl.col("saved_ns").max(), material=enough.any())
    proof = told.group_by("request", maintain_order=True).agg(rows=pl.col("row").head(MOST_SPANS))
    joined = proof.join(cost, on="request", how="left", maintain_order="left").with_columns(
        pl.col("cost_ns").fill_null(0), pl.col("material").fill_null(value=False)
    )
    return joined.filter("material") if case.material else joined


def _finding_id(case: Case) -> str:
    """Give a name that stays the same from run to run."""
    text = "\x1f".join((case.rule, case.route or "", case.seam or "", case.about))
    return blake2b(text.encode(), digest_size=6).hexdigest()


def _finding(evidence: Evidence, case: Case, number: str, costs: pl.DataFrame) -> dict[str, object]:
    starts = evidence.requests.join(costs, on="request", how="semi").get_column("start_ns")
    cost = int(costs.get_column("cost_ns").sum())
    said = case.message.replace("%requests%", _requests(costs.height)).replace(
        "%cost%", milliseconds(cost / costs.height)
    )
    return {
        "finding_id": number,
        "rule": case.rule,
        "route": case.route,
        "seam": case.seam,
        "since_ns": starts.min(),
        "until_ns": starts.max(),
        "requests": costs.height,
        "cost_ns": cost,
        "confidence": case.confidence,
        "message": said,
        "next_step": case.next_step,
    }


def _requests(number: int) -> str:
    return "1 request" if number == 1 else f"{number} requests"


def milliseconds(ns: float) -> str:
    """Give a duration in words, in whole milliseconds from ten on."""
    return f"{ns / 1e6:.0f} ms" if ns >= 10e6 else f"{ns / 1e6:.1f} ms"


_FINDING: Final[dict[str, Any]] = {
    "finding_id": pl.String,
    "rule": pl.String,
    "route": pl.String,
    "seam": pl.String,
    "since_ns": pl.Int64,
    "until_ns": pl.Int64,
    "requests": pl.Int64,
    "cost_ns": pl.Int64,
    "confidence": pl.Float64,
    "message": pl.String,
    "next_step": pl.String,
}
FINDINGS: Final = pl.Schema(_FINDING)
_REQUEST: Final[dict[str, Any]] = {
    "finding_id": pl.String,
    "request_no": pl.Int64,
    "cost_ns": pl.Int64,
    "span_ids": pl.List(pl.UInt64),
}
REQUESTS: Final = pl.Schema(_REQUEST)


def _findings_table(findings: list[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(findings, schema=FINDINGS).sort("cost_ns", "finding_id", descending=[True, False])


def _requests_table(evidence: Evidence, parts: list[pl.DataFrame]) -> pl.DataFrame:
    if not parts:
        return pl.DataFrame(schema=REQUESTS)
    proof = pl.concat(parts).join(
        evidence.requests.select("request", "request_no"), on="request", maintain_order="left"
    )
    ids = evidence.spans.select(rows="row", span_ids="span_id")
    named = proof.explode("rows").join(ids, on="rows", maintain_order="left")
    grouped = named.group_by("finding_id", "request_no", "cost_ns", maintain_order=True).agg("span_ids")
    return grouped.select(*REQUESTS).cast(REQUESTS)
