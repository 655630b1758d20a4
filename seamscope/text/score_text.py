"""A score as text: a row per scenario, then the totals with the baseline and chance beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from seamscope.text.figures import UNKNOWN, count, plural
from seamscope.text.paper import Paper, draw, line, name, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType
    from rich.table import Table

    from seamscope.score.savings import Saving
    from seamscope.score.summary import Block, Possible, Rate, Score

_TITLES = [
    ">requests",
    ">judged",
    ">missed",
    ">tier",
    ">cause",
    ">answered",
    ">error p50",
    ">p95",
    ">false",
    ">findings right",
    ">found",
]

_MOST = 4
"""Scenarios that are named beside a rule."""


def score_text(score: Score, paper: Paper) -> str:
    """Draw a score."""
    drawn = table(["scenario", "variant", *_TITLES])
    for verdict, block in score.scenarios:
        drawn.add_row(name(verdict.truth.scenario), verdict.truth.variant, *_cells(block))
    parts: list[RenderableType] = [drawn, Text(""), _totals(score), Text("")]
    if score.savings:
        parts += [_savings(score.savings), Text("")]
    if score.possible:
        parts += [_possible(score.possible), Text("")]
    return draw(paper, *parts, *_words(score))


def _savings(savings: Sequence[Saving]) -> Table:
    """Draw what was foretold beside what was measured."""
    drawn = table(["saving", "variant", "finding", "horizon", ">requests", ">foretold", ">measured", ">off by", ""])
    for one in savings:
        give_or_take = "" if one.measured_error_ns is None else f" ± {one.measured_error_ns / 1e6:.1f}"
        drawn.add_row(
            name(one.scenario),
            one.variant,
            one.rule,
            one.horizon,
            count(one.requests),
            _ns(one.foretold_ns),
            f"{one.measured_ns / 1e6:.1f}{give_or_take} ms",
            _ns(one.error_ns),
            "right" if one.right else Text("wrong", "bold red"),
        )
    return drawn


def _possible(possible: Sequence[Possible]) -> Table:
    """Draw findings that count neither way, rule by rule, and where."""
    drawn = table(["counts neither way", ">requests", "in"])
    for rule in sorted({one.rule for one in possible}):
        own = sorted((one for one in possible if one.rule == rule), key=lambda one: (-one.requests, one.scenario))
        where = ", ".join(f"{one.scenario} {one.requests}" for one in own[:_MOST])
        more = f" and {len(own) - _MOST} more" if len(own) > _MOST else ""
        drawn.add_row(rule, count(sum(one.requests for one in own)), name(where + more))
    return drawn


def _ns(ns: int | None) -> str:
    return UNKNOWN if ns is None else f"{ns / 1e6:.1f} ms"


def _totals(score: Score) -> Table:
    drawn = table(["all scenarios", "", *_TITLES])
    for variant, block in (("phases", score.phases), ("blind", score.blind)):
        if not block.requests:
            continue
        drawn.add_row(Text(f"with {variant}" if variant == "phases" else variant, "bold"), "seamscope", *_cells(block))
        drawn.add_row("", "95 %", *_intervals(block))
        drawn.add_row("", "naive", *_cells(score.naive[variant]))
        drawn.add_row("", "chance", *_cells(score.chance[variant]))
    return drawn


def _words(score: Score) -> list[Text]:
    violations = score.conservation_violations
    said = "every known horizon is the sum of its segments"
    if violations:
        said = f"{plural(violations, 'horizon')} whose segments do not add up"
    return [
        line((said, "bold red" if violations else "")),
        line(("judged: one measured cause leads · cause: of the answered · false: inferred, and not measured", "dim")),
        line(("counts neither way: true of the request, of a cost that is little or that nobody measured", "dim")),
        line(("naive: self time per service, the caller blamed for its client spans · chance: an even guess", "dim")),
    ]


def _cells(block: Block) -> list[str]:
    return [
        count(block.requests),
        count(block.judged),
        count(block.missed),
        _share(block.tier_top1),
        _share(block.cause_top1),
        _share(block.answered),
        _ms(block.error_ms.median_ms),
        _ms(block.error_ms.p95_ms),
        _share(block.false_causes),
        _share(block.findings_precision),
        _share(block.findings_recall),
    ]


def _intervals(block: Block) -> list[str]:
    rates = [block.tier_top1, block.cause_top1, block.answered]
    findings = [block.false_causes, block.findings_precision, block.findings_recall]
    return ["", "", "", *map(_interval, rates), "", "", *map(_interval, findings)]


def _share(rate: Rate | None) -> str:
    return UNKNOWN if rate is None or rate.rate is None else f"{100 * rate.rate:.1f} %"


def _interval(rate: Rate | None) -> str:
    if rate is None or rate.interval is None:
        return UNKNOWN
    low, high = rate.interval
    return f"{100 * low:.1f}–{100 * high:.1f}"


def _ms(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.2f} ms"
