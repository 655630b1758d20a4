"""From a rule's marks to findings: re-timed, cut down to what matters, said in words, numbered for good."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from analysis.findings.retiming import Cuts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from analysis.findings.evidence import Evidence

MATERIAL_NS: Final = 1_000_000
MATERIAL_SHARE: Final = 0.1
"""A request counts where the finding cost it so much, and so great a part of a horizon: less is not worth the work."""
FEWEST: Final = 3
"""Requests below which nothing is said: once is an accident."""
MOST_PLACES: Final = 25
"""Places where a rule is looked into: those of most requests."""
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


def places(frame: pl.DataFrame, *keys: str) -> Iterator[tuple[tuple[Any, ...], pl.DataFrame]]:
    """Yield rows (with `request`) by place, most requests first, at most `MOST_PLACES` of them.

    Names that change with every call must not cost a finding each.
    """
    if not frame.height:
        return
    seen = frame.group_by(keys, maintain_order=True).agg(_seen=pl.col("request").n_unique())
    most = seen.sort("_seen", descending=True, maintain_order=True).head(MOST_PLACES).select(keys)
    kept = frame if most.height == seen.height else frame.join(most, on=keys, how="semi", nulls_equal=True)
    parts = kept.partition_by(keys, as_dict=True, maintain_order=True)
    for place in most.rows():
        yield place, parts[place]


def settle(evidence: Evidence, cases: Iterable[Case]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Re-time every case and give findings and their requests, columns as the tables of the store."""
    known = list(cases)
    told = _marks(known)
    costs = _counted(known, _proof(told).join(_costs(evidence, told, known), on=["case", "request"], how="left"))
    starts = evidence.requests.select("request", "request_no", "start_ns")
    costs = costs.join(starts, on="request", maintain_order="left")
    sums = costs.group_by("case").agg(
        requests=pl.len(),
        cost_ns=pl.col("cost_ns").sum(),
        since_ns=pl.col("start_ns").min(),
        until_ns=pl.col("start_ns").max(),
    )
    numbers = [_finding_id(case) for case in known]
    findings = [_finding(known[row["case"]], numbers[row["case"]], row) for row in sums.iter_rows(named=True)]
    return _findings_table(findings), _requests_table(evidence, costs, numbers)


def _marks(cases: Sequence[Case]) -> pl.DataFrame:
    """Put the marks of all cases together, those of requests that are enough for one: `MARKS` and `case`."""
    parts = [case.marks.with_columns(case=pl.lit(number, pl.Int32)) for number, case in enumerate(cases)]
    told = pl.concat(parts).filter(pl.col("row") >= 0) if parts else pl.DataFrame(schema={**MARKS, "case": pl.Int32})
    fewest = pl.Series([case.fewest for case in cases], dtype=pl.UInt32)
    enough = told.group_by("case").agg(n=pl.col("request").n_unique())
    enough = enough.filter(pl.col("n") >= fewest.gather(enough.get_column("case")))
    return told.join(enough, on="case", how="semi", maintain_order="left")


def _proof(told: pl.DataFrame) -> pl.DataFrame:
    """Give the rows that prove each case of each request."""
    return told.group_by("case", "request", maintain_order=True).agg(rows=pl.col("row").head(MOST_SPANS))


def _costs(evidence: Evidence, told: pl.DataFrame, cases: Sequence[Case]) -> pl.DataFrame:
    """Give what each case cost each request: `cost_ns`, the larger of both horizons', and `material`.

    Where nothing is taken out, nothing is said: it cost nothing.
    """
    cuts = told.filter(pl.col("how") > 0).unique(["case", "request", "row"], keep="first", maintain_order=True)
    ordered = cuts.select("case", "request").unique().sort("case", "request").with_row_index("unit")
    cuts = cuts.join(ordered, on=["case", "request"], maintain_order="left").sort("unit", maintain_order=True)
    first_cut = np.searchsorted(cuts.get_column("unit").to_numpy(), np.arange(ordered.height + 1)).astype(np.int64)
    unit, question, saved = evidence.times.saved(
        ordered.get_column("request").to_numpy().astype(np.int32),
        Cuts(*(cuts.get_column(name).to_numpy() for name in ("row", "how", "value"))),
        first_cut,
    )
    answers = ordered[unit].with_columns(saved_ns=pl.Series(np.clip(saved, 0, None)))
    answers = pl.concat([answers, evidence.horizon_of[question].select("horizon", "horizon_ns")], how="horizontal")
    first_only = [number for number, case in enumerate(cases) if case.first_horizon]
    later = (pl.col("horizon") != "shell") & pl.col("horizon").eq("shell").any().over("unit")
    kept = answers.filter(~(pl.col("case").is_in(first_only) & later)).with_columns(
        pl.min_horizontal("saved_ns", "horizon_ns").fill_null(0)
    )
    enough = (pl.col("saved_ns") >= MATERIAL_NS) & (pl.col("saved_ns") >= MATERIAL_SHARE * pl.col("horizon_ns"))
    return kept.group_by("case", "request").agg(cost_ns=pl.col("saved_ns").max(), material=enough.any())


def _counted(cases: Sequence[Case], costs: pl.DataFrame) -> pl.DataFrame:
    """Keep what counts: requests that it cost something where that is asked, and cases of enough of them."""
    always = [number for number, case in enumerate(cases) if not case.material]
    kept = costs.with_columns(pl.col("cost_ns").fill_null(0)).filter(
        pl.col("material").fill_null(value=False) | pl.col("case").is_in(always)
    )
    fewest = pl.Series([case.fewest for case in cases], dtype=pl.UInt32)
    return kept.filter(pl.len().over("case") >= fewest.gather(kept.get_column("case"))).sort("case", "request")


def _finding_id(case: Case) -> str:
    """Give a name that stays the same from run to run."""
    text = "\x1f".join((case.rule, case.route or "", case.seam or "", case.about))
    return blake2b(text.encode(), digest_size=6).hexdigest()


def _finding(case: Case, number: str, sums: Mapping[str, Any]) -> dict[str, object]:
    said = case.message.replace("%requests%", _requests(sums["requests"]))
    if sums["requests"] == 1:
        said = said.replace("%cost% each on average", "%cost%").replace("%cost% each", "%cost%")
    said = said.replace("%cost%", milliseconds(sums["cost_ns"] / sums["requests"]))
    return {
        "finding_id": number,
        "rule": case.rule,
        "route": case.route,
        "seam": case.seam,
        **{name: sums[name] for name in ("since_ns", "until_ns", "requests", "cost_ns")},
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


def _requests_table(evidence: Evidence, costs: pl.DataFrame, numbers: Sequence[str]) -> pl.DataFrame:
    ids = evidence.spans.get_column("span_id")
    named = costs.select(
        finding_id=pl.Series(numbers, dtype=pl.String).gather(costs.get_column("case")),
        request_no="request_no",
        cost_ns="cost_ns",
        rows="rows",
    ).with_row_index("at")
    spans = named.select("at", "rows").explode("rows")
    spans = (
        spans.select("at", span_ids=ids.gather(spans.get_column("rows")))
        .group_by("at", maintain_order=True)
        .agg("span_ids")
    )
    return named.join(spans, on="at", maintain_order="left").select(*REQUESTS).cast(REQUESTS)
