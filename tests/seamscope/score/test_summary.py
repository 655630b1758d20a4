"""Rates, intervals and totals."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from seamscope.score.documents import score_document
from seamscope.score.savings import Saving
from seamscope.score.summary import Possible, Rate, Verdict, score
from seamscope.score.truth import MEASURED, REQUESTS, RULES, TRACES, Truth
from seamscope.text.paper import Paper
from seamscope.text.score_text import score_text

MS = 1_000_000
ROW = {
    "no": 0,
    "key": "r",
    "matched": True,
    "judged": True,
    "answered": True,
    "tier_right": True,
    "cause_right": True,
    "injected_ns": 100 * MS,
    "attributed_ns": 100 * MS,
    "error_ns": 0,
    "false_cause": False,
}


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(28, 28, 0.8794, 1.0), (0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (95, 100, 0.8882, 0.9785)],
)
def test_wilsons_interval(count: int, of: int, low: float, high: float) -> None:
    interval = Rate(count, of).interval
    assert interval == pytest.approx((low, high), abs=5e-5)


def test_of_nothing_no_rate_is_known() -> None:
    assert (Rate(0, 0).rate, Rate(0, 0).interval) == (None, None)


def verdict(rows: list[dict[str, Any]], variant: str, findings: list[str] | None = None, **changes: Any) -> Verdict:
    truth = Truth(
        "s-" + variant,
        "A",
        variant,
        7,
        "h",
        pl.DataFrame(schema=REQUESTS),
        pl.DataFrame(schema=TRACES),
        pl.DataFrame(schema=MEASURED),
        pl.DataFrame(schema=RULES),
    )
    said = [(0, "pool_exhausted", one) for one in findings or []]
    ours = pl.DataFrame([{**ROW, **row} for row in rows])
    return Verdict(
        **{
            "truth": truth,
            "stored": len(rows),
            "conservation_violations": 0,
            "ours": ours,
            "naive": ours.with_columns(tier_right=False),
            "findings": pl.DataFrame(said, {"no": pl.UInt32, "rule": pl.String, "verdict": pl.String}, orient="row"),
            "guess": pl.DataFrame({"no": [0, 1], "cause": [0.25, 0.5], "tier": [0.5, 0.5]}),
            **changes,
        }
    )


def test_totals_by_variant() -> None:
    phases = verdict(
        [
            {},
            {"cause_right": False, "error_ns": 10 * MS},
            {"answered": False, "tier_right": False, "error_ns": 100 * MS},
        ],
        "phases",
        ["right", "right", "missed", "forbidden", "unlisted"],
    )
    blind = verdict(
        [{"false_cause": True}, {"judged": False, "matched": False, "error_ns": None}],
        "blind",
        conservation_violations=2,
    )
    total = score([phases, blind])
    found = total.phases
    assert (found.tier_top1, found.cause_top1, found.answered) == (Rate(2, 3), Rate(1, 2), Rate(2, 3))
    assert (found.error_ms.count, found.error_ms.median_ms, found.error_ms.median_share) == (3, 10.0, 0.1)
    assert (found.findings_precision, found.findings_recall, found.findings_unlisted) == (Rate(2, 4), Rate(2, 3), 1)
    assert (total.blind.requests, total.blind.judged, total.blind.missed) == (2, 1, 1)
    assert (total.blind.false_causes, total.blind.false_causes_healthy) == (Rate(1, 2), Rate(0, 0))
    assert total.naive["all"].tier_top1 == Rate(0, 4)
    assert total.chance["blind"].cause_top1 == Rate(0.75, 2)
    assert total.conservation_violations == 2


def test_a_healthy_controls_false_causes_are_counted_apart() -> None:
    healthy = verdict([{"false_cause": True}, {}], "phases")
    healthy = Verdict(
        **{name: getattr(healthy, name) for name in Verdict.__slots__ if name != "truth"},
        truth=Truth(**{**{name: getattr(healthy.truth, name) for name in Truth.__slots__}, "control": None}),
    )
    assert score([healthy]).phases.false_causes_healthy == Rate(1, 2)


def test_the_document_and_the_table() -> None:
    total = score([verdict([{}, {"answered": False}], "phases", ["right"])])
    document = score_document(total)
    assert document["phases"]["answered"] == {"rate": 0.5, "count": 1, "of": 2, "low": 0.094531, "high": 0.905469}
    assert document["phases"]["error_ms"] == {"median": 0.0, "p95": 0.0, "median_share": 0.0, "count": 2}
    assert document["blind"]["tier_top1"] == {"rate": None, "count": 0, "of": 0, "low": None, "high": None}
    assert document["chance"]["cause_top1"] == {"rate": 0.375, "count": 0.75, "of": 2, "low": None, "high": None}
    assert document["naive"]["findings_recall"] is None
    assert document["scenarios"][0]["scenario"] == "s-phases"
    text = score_text(total, Paper())
    assert "s-phases" in text
    assert "9.5–90.5" in text
    assert "blind" not in text.split("all scenarios")[1].split("every known")[0]


def test_what_counts_neither_way_is_counted_by_rule_and_scenario() -> None:
    total = score([verdict([{}], "phases", ["right", "possible", "possible"]), verdict([{}], "blind")])
    assert total.possible == (Possible("s-phases", "phases", "pool_exhausted", 2),)
    assert (total.phases.findings_possible, total.blind.findings_possible) == (2, 0)
    assert total.phases.findings_precision == Rate(1, 1)
    document = score_document(total)
    assert document["possible_findings"] == [
        {"scenario": "s-phases", "variant": "phases", "rule": "pool_exhausted", "requests": 2}
    ]
    assert "counts neither way" in score_text(total, Paper())


def test_savings_stand_beside_what_was_measured() -> None:
    near = Saving("s-phases", "phases", "serial_fanout", "shell", 60, 59, 99 * MS, 97 * MS, 5 * MS)
    total = score([verdict([{}], "phases", savings=(near,))])
    assert score_document(total)["savings"] == [
        {
            "scenario": "s-phases",
            "variant": "phases",
            "rule": "serial_fanout",
            "horizon": "shell",
            "requests": 60,
            "matched": 59,
            "foretold_ms": 99.0,
            "measured_ms": 97.0,
            "measured_error_ms": 5.0,
            "error_ms": 2.0,
            "right": True,
        }
    ]
    assert "97.0 ± 5.0 ms" in score_text(total, Paper())
