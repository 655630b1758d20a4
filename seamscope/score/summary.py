"""Verdicts added up: rates with their 95 % intervals, medians, and the blocks that `seamscope score` prints."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from seamscope.score.savings import Saving
    from seamscope.score.truth import Truth

_Z: Final = 1.959963984540054
"""The normal distribution's 97.5 % point."""
_VERDICTS: Final = ("right", "missed", "forbidden", "unlisted", "possible")


@dataclass(frozen=True, slots=True)
class Rate:
    """So many of so many, and where the true rate lies with 95 % confidence; of nothing, it is not known."""

    count: float
    """A whole number, but for the expected count of a guess."""
    of: int

    @property
    def rate(self) -> float | None:
        """The share."""
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's score interval."""
        if not self.of:
            return None
        share, square = self.count / self.of, _Z * _Z / self.of
        centre = (share + square / 2) / (1 + square)
        half = _Z * sqrt(share * (1 - share) / self.of + square / (4 * self.of)) / (1 + square)
        return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True, slots=True)
class Spread:
    """Errors of so many requests."""

    count: int
    median_ms: float | None
    p95_ms: float | None
    median_share: float | None
    """The median error as a part of what was injected."""


@dataclass(frozen=True, slots=True)
class Block:
    """How good the answers to some requests are."""

    requests: int
    judged: int
    """Requests in which one cause leads."""
    missed: int
    """Requests of the truth that no analysed request matches; they count as wrong and unanswered."""
    tier_top1: Rate
    cause_top1: Rate
    """Of the answered ones."""
    answered: Rate
    error_ms: Spread
    findings_precision: Rate | None
    findings_recall: Rate | None
    findings_unlisted: int | None
    """Findings that the truth names neither as right nor as wrong; they count against precision."""
    findings_possible: int | None
    """Findings that count neither way: true of the request, and of a cost that is little or was not measured."""
    false_causes: Rate | None
    """Requests with one."""
    false_causes_healthy: Rate | None
    """The same over the healthy controls."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One scenario, judged."""

    truth: Truth
    stored: int
    """Analysed requests, those of no concern to the truth too."""
    conservation_violations: int
    ours: pl.DataFrame
    """As `judging.judge` gives it."""
    naive: pl.DataFrame
    findings: pl.DataFrame
    """As `judging.judge_findings` gives it."""
    guess: pl.DataFrame
    """As `judging.chance` gives it."""
    savings: tuple[Saving, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """Everything that `seamscope score` prints."""

    scenarios: tuple[tuple[Verdict, Block], ...]
    conservation_violations: int
    phases: Block
    blind: Block
    naive: dict[str, Block]
    """`all`, `phases`, `blind`."""
    chance: dict[str, Block]
    savings: tuple[Saving, ...]
    possible: tuple[Possible, ...]


@dataclass(frozen=True, slots=True)
class Possible:
    """Findings of one rule in one scenario that count neither way: true of the request, and nobody knows their cost."""

    scenario: str
    variant: str
    rule: str
    requests: int


def score(verdicts: Sequence[Verdict]) -> Score:
    """Add up all scenarios."""
    by_variant = {
        "all": verdicts,
        "phases": [one for one in verdicts if one.truth.variant == "phases"],
        "blind": [one for one in verdicts if one.truth.variant == "blind"],
    }
    return Score(
        scenarios=tuple((one, ours([one])) for one in verdicts),
        conservation_violations=sum(one.conservation_violations for one in verdicts),
        phases=ours(by_variant["phases"]),
        blind=ours(by_variant["blind"]),
        naive={name: naive(some) for name, some in by_variant.items()},
        chance={name: chance(some) for name, some in by_variant.items()},
        savings=tuple(saving for one in verdicts for saving in one.savings),
        possible=tuple(found for one in verdicts for found in _possible(one)),
    )


def _possible(verdict: Verdict) -> list[Possible]:
    """Count the findings of a scenario that count neither way, rule by rule."""
    told = verdict.findings.filter(pl.col("verdict") == "possible").group_by("rule").agg(pl.len()).sort("rule")
    return [Possible(verdict.truth.scenario, verdict.truth.variant, rule, number) for rule, number in told.iter_rows()]


def ours(verdicts: Sequence[Verdict]) -> Block:
    """Add up what Seamscope answered."""
    rows = _together(one.ours for one in verdicts)
    healthy = _together(one.ours for one in verdicts if one.truth.healthy)
    said = _together(one.findings for one in verdicts)
    counts = {name: _count(said, pl.col("verdict") == name) for name in _VERDICTS}
    given = counts["right"] + counts["forbidden"] + counts["unlisted"]
    return _block(
        rows,
        findings_precision=Rate(counts["right"], given),
        findings_recall=Rate(counts["right"], counts["right"] + counts["missed"]),
        findings_unlisted=counts["unlisted"],
        findings_possible=counts["possible"],
        false_causes=Rate(_count(rows, pl.col("false_cause")), rows.height),
        false_causes_healthy=Rate(_count(healthy, pl.col("false_cause")), healthy.height),
    )


def naive(verdicts: Sequence[Verdict]) -> Block:
    """Add up what the baseline answered; it has no findings, and infers nothing."""
    return _block(_together(one.naive for one in verdicts))


def chance(verdicts: Sequence[Verdict]) -> Block:
    """Add up what guessing is expected to get; it always answers."""
    rows = _together(one.ours for one in verdicts)
    guess = _together(one.guess for one in verdicts)
    count = guess.height
    return Block(
        requests=rows.height,
        judged=count,
        missed=0,
        tier_top1=Rate(float(guess.get_column("tier").sum()) if count else 0, count),
        cause_top1=Rate(float(guess.get_column("cause").sum()) if count else 0, count),
        answered=Rate(count, count),
        error_ms=Spread(0, None, None, None),
        findings_precision=None,
        findings_recall=None,
        findings_unlisted=None,
        findings_possible=None,
        false_causes=None,
        false_causes_healthy=None,
    )


def _block(
    rows: pl.DataFrame,
    findings_precision: Rate | None = None,
    findings_recall: Rate | None = None,
    findings_unlisted: int | None = None,
    findings_possible: int | None = None,
    false_causes: Rate | None = None,
    false_causes_healthy: Rate | None = None,
) -> Block:
    judged = rows.filter(pl.col("judged")) if rows.height else rows
    answered = _count(judged, pl.col("answered"))
    return Block(
        requests=rows.height,
        judged=judged.height,
        missed=_count(rows, ~pl.col("matched")),
        tier_top1=Rate(_count(judged, pl.col("tier_right")), judged.height),
        cause_top1=Rate(_count(judged, pl.col("answered") & pl.col("cause_right")), answered),
        answered=Rate(answered, judged.height),
        error_ms=_spread(judged),
        findings_precision=findings_precision,
        findings_recall=findings_recall,
        findings_unlisted=findings_unlisted,
        findings_possible=findings_possible,
        false_causes=false_causes,
        false_causes_healthy=false_causes_healthy,
    )


def _together(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    found = [frame for frame in frames if frame.height]
    return pl.concat(found) if found else pl.DataFrame()


def _count(rows: pl.DataFrame, condition: pl.Expr) -> int:
    return rows.filter(condition).height if rows.height else 0


def _spread(judged: pl.DataFrame) -> Spread:
    if not judged.height:
        return Spread(0, None, None, None)
    error = judged.get_column("error_ns") / 1_000_000
    share = judged.filter(pl.col("injected_ns") > 0).select(pl.col("error_ns") / pl.col("injected_ns")).to_series()
    return Spread(
        count=judged.height,
        median_ms=_quantile(error, 0.5),
        p95_ms=_quantile(error, 0.95),
        median_share=_quantile(share, 0.5),
    )


def _quantile(values: pl.Series, at: float) -> float | None:
    found = values.quantile(at, "linear")
    return None if found is None else float(found)
