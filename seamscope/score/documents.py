"""A score as one JSON document, `seamscope.score/1`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seamscope.score.savings import Saving
    from seamscope.score.summary import Block, Rate, Score, Spread, Verdict


def score_document(score: Score) -> dict[str, Any]:
    """Give a score in the form of the contract; what cannot be known is null."""
    return {
        "schema": "seamscope.score/1",
        "conservation_violations": score.conservation_violations,
        "scenarios": [{**_scenario(verdict), **_block(block)} for verdict, block in score.scenarios],
        "phases": _block(score.phases),
        "blind": _block(score.blind),
        "naive": _by_variant(score.naive),
        "chance": _by_variant(score.chance),
        "savings": [_saving(one) for one in score.savings],
        "possible_findings": [
            {"scenario": one.scenario, "variant": one.variant, "rule": one.rule, "requests": one.requests}
            for one in score.possible
        ],
    }


def _saving(saving: Saving) -> dict[str, Any]:
    return {
        "scenario": saving.scenario,
        "variant": saving.variant,
        "rule": saving.rule,
        "horizon": saving.horizon,
        "requests": saving.requests,
        "matched": saving.matched,
        "foretold_ms": _ms(saving.foretold_ns),
        "measured_ms": _ms(saving.measured_ns),
        "measured_error_ms": _ms(saving.measured_error_ns),
        "error_ms": _ms(saving.error_ns),
        "right": saving.right,
    }


def _ms(ns: int | None) -> float | None:
    return None if ns is None else round(ns / 1_000_000, 3)


def _scenario(verdict: Verdict) -> dict[str, Any]:
    truth = verdict.truth
    return {
        "scenario": truth.scenario,
        "system": truth.system,
        "variant": truth.variant,
        "seed": truth.seed,
        "control": truth.control,
        "analysed_requests": verdict.stored,
        "conservation_violations": verdict.conservation_violations,
    }


def _by_variant(blocks: dict[str, Block]) -> dict[str, Any]:
    """Give the figures over everything, and below them those of each variant."""
    return {**_block(blocks["all"]), "phases": _block(blocks["phases"]), "blind": _block(blocks["blind"])}


def _block(block: Block) -> dict[str, Any]:
    return {
        "requests": block.requests,
        "judged": block.judged,
        "missed": block.missed,
        "tier_top1": _rate(block.tier_top1),
        "cause_top1": _rate(block.cause_top1),
        "answered": _rate(block.answered),
        "error_ms": _spread(block.error_ms),
        "findings_precision": _rate(block.findings_precision),
        "findings_recall": _rate(block.findings_recall),
        "findings_unlisted": block.findings_unlisted,
        "findings_possible": block.findings_possible,
        "false_causes": _rate(block.false_causes),
        "false_causes_healthy": _rate(block.false_causes_healthy),
    }


def _rate(rate: Rate | None) -> dict[str, Any] | None:
    if rate is None:
        return None
    low, high = rate.interval or (None, None)
    expected = isinstance(rate.count, float)
    interval = {"low": None, "high": None} if expected else {"low": _short(low), "high": _short(high)}
    return {"rate": _short(rate.rate), "count": _short(rate.count), "of": rate.of, **interval}


def _spread(spread: Spread) -> dict[str, Any]:
    return {
        "median": _short(spread.median_ms),
        "p95": _short(spread.p95_ms),
        "median_share": _short(spread.median_share),
        "count": spread.count,
    }


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
