"""Literal scenarios judged by hand."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from seamscope.score import judging
from seamscope.score.owners import standing
from seamscope.score.truth import MEASURED, REQUESTS, RULES, TRACES, Truth

MS = 1_000_000
SEAM = "render:web→origin:orders"


def truth(
    leads: list[tuple[str, str] | None],
    measured: list[tuple[int, str, str, int]] = (),  # type: ignore[assignment]
    rules: list[tuple[int, str, bool | None]] = (),  # type: ignore[assignment]
    variant: str = "phases",
    **changes: Any,
) -> Truth:
    requests = [(no, f"r{no}", "web", f"{no:016x}", "shell", *(lead or (None, None))) for no, lead in enumerate(leads)]
    return Truth(
        **{
            "scenario": "s",
            "system": "A",
            "variant": variant,
            "seed": 7,
            "control": "h",
            "requests": pl.DataFrame(requests, REQUESTS, orient="row"),
            "traces": pl.DataFrame([(no, f"{no:032x}") for no in range(len(leads))], TRACES, orient="row"),
            "measured": pl.DataFrame(list(measured), MEASURED, orient="row"),
            "rules": pl.DataFrame(list(rules), RULES, orient="row"),
            **changes,
        }
    )


def sums(*rows: tuple[int, str, str, str, int]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), judging.SUMS, orient="row")


def judged(told: Truth, answer: pl.DataFrame, horizon_ns: int = 100 * MS) -> list[dict[str, Any]]:
    everything = told.requests.select("no")
    horizons = everything.with_columns(horizon_ns=pl.lit(horizon_ns, pl.Int64))
    return judging.judge(told, everything, answer, horizons).to_dicts()


@pytest.mark.parametrize(
    ("owner", "where"),
    [
        ("origin:orders", "origin"),
        (SEAM, "render→origin"),
        ("data:postgres/app", "data"),
        ("external:a:b", "external"),
        ("edge:a:b→data:c→origin:d", "edge→origin"),
        ("orders", None),
    ],
)
def test_standing(owner: str, where: str | None) -> None:
    assert pl.select(standing(pl.lit(owner))).item() == where


def test_the_largest_sum_is_the_answer_over_all_its_evidence() -> None:
    told = truth([("origin:orders", "pool_wait")], [(0, "origin:orders", "pool_wait", 60 * MS)])
    answer = sums(
        (0, "origin:orders", "pool_wait", "measured", 30 * MS),
        (0, "origin:orders", "pool_wait", "bounded", 25 * MS),
        (0, "origin:orders", "compute", "bounded", 40 * MS),
    )
    row = judged(told, answer)[0]
    assert (row["answer_cause"], row["tier_right"], row["cause_right"], row["answered"]) == (
        "pool_wait",
        True,
        True,
        True,
    )
    assert (row["injected_ns"], row["attributed_ns"], row["error_ns"]) == (60 * MS, 55 * MS, 5 * MS)


def test_the_tier_counts_and_for_a_seam_its_boundary() -> None:
    told = truth([(SEAM, "network"), (SEAM, "network"), (SEAM, "network")])
    answer = sums(
        (0, "render:site→origin:stock", "network", "inferred", 5),
        (1, "origin:orders", "network", "inferred", 5),
        (2, "edge:web→origin:orders", "compute", "inferred", 5),
    )
    assert [row["tier_right"] for row in judged(told, answer)] == [True, False, False]
    assert [row["cause_right"] for row in judged(told, answer)] == [True, True, False]


@pytest.mark.parametrize(
    ("cause", "lead", "answered"),
    [
        ("unexplained", "query", False),
        ("unobserved", "query", False),
        ("unobserved", "unobserved", True),
        ("query", "compute", True),
    ],
)
def test_what_counts_as_an_answer(cause: str, lead: str, answered: bool) -> None:
    row = judged(truth([("origin:orders", lead)]), sums((0, "origin:orders", cause, "bounded", 9)))[0]
    assert row["answered"] is answered


@pytest.mark.parametrize("lead", ["dns", "connect", "tls"])
def test_setup_is_right_only_where_nothing_tells_its_parts_apart(lead: str) -> None:
    measured = [(0, SEAM, "connect", 10 * MS), (0, SEAM, "tls", 30 * MS)]
    answer = sums((0, SEAM, "setup", "inferred", 45 * MS))
    blind = judged(truth([(SEAM, lead)], measured, variant="blind"), answer)[0]
    assert (blind["cause_right"], blind["injected_ns"], blind["attributed_ns"]) == (True, 40 * MS, 45 * MS)
    assert judged(truth([(SEAM, lead)], measured), answer)[0]["cause_right"] is False


def test_naming_the_wrong_part_is_wrong_even_blind() -> None:
    row = judged(truth([(SEAM, "tls")], variant="blind"), sums((0, SEAM, "dns", "measured", 9)))[0]
    assert row["cause_right"] is False


def test_a_request_that_was_not_found_is_wrong_unanswered_and_wholly_in_error() -> None:
    told = truth([("origin:orders", "query"), None], [(0, "origin:orders", "query", 7 * MS)])
    nobody = pl.DataFrame(schema={"no": pl.UInt32})
    rows = judging.judge(
        told, nobody, sums(), pl.DataFrame(schema={"no": pl.UInt32, "horizon_ns": pl.Int64})
    ).to_dicts()
    assert [row["matched"] for row in rows] == [False, False]
    assert (rows[0]["answered"], rows[0]["tier_right"], rows[0]["error_ns"]) == (False, False, 7 * MS)
    assert (rows[1]["judged"], rows[1]["error_ns"]) == (False, None)


@pytest.mark.parametrize(
    ("ns", "evidence", "seen", "horizon_ms", "is_false"),
    [
        (12 * MS, "inferred", 0, 100, True),
        (12 * MS, "bounded", 0, 100, False),  # arithmetic, not a guess
        (9 * MS, "inferred", 0, 100, False),  # too short
        (12 * MS, "inferred", 0, 1000, False),  # too small a part
        (12 * MS, "inferred", 5 * MS, 100, False),  # it was there, and not much shorter
        (60 * MS, "inferred", 1 * MS, 100, True),  # it was there, but nothing like it
    ],
)
def test_false_causes(ns: int, evidence: str, seen: int, horizon_ms: int, is_false: bool) -> None:
    told = truth([None], [(0, "origin:orders", "pool_wait", seen)])
    row = judged(told, sums((0, "origin:orders", "pool_wait", evidence, ns)), horizon_ms * MS)[0]
    assert row["false_cause"] is is_false


def test_an_inferred_setup_that_was_a_handshake_is_not_false() -> None:
    measured = [(0, SEAM, "tls", 50 * MS)]
    answer = sums((0, SEAM, "setup", "inferred", 50 * MS))
    assert judged(truth([None], measured, variant="blind"), answer)[0]["false_cause"] is False
    assert judged(truth([None], measured), answer)[0]["false_cause"] is True


def test_findings_are_right_missed_forbidden_or_unlisted() -> None:
    told = truth([None, None], rules=[(0, "pool_exhausted", True), (0, "retry_storm", False), (1, "n_plus_one", True)])
    given = pl.DataFrame(
        [(0, "pool_exhausted"), (0, "pool_exhausted"), (0, "retry_storm"), (1, "cold_start")],
        {"no": pl.UInt32, "rule": pl.String},
        orient="row",
    )
    assert judging.judge_findings(told, given).rows() == [
        (0, "pool_exhausted", "right"),
        (0, "retry_storm", "forbidden"),
        (1, "cold_start", "unlisted"),
        (1, "n_plus_one", "missed"),
    ]


def test_what_is_true_but_was_not_measured_counts_neither_way() -> None:
    told = truth([None, None], rules=[(0, "serial_fanout", None), (0, "n_plus_one", None), (1, "n_plus_one", None)])
    given = pl.DataFrame([(0, "serial_fanout"), (1, "cold_start")], {"no": pl.UInt32, "rule": pl.String}, orient="row")
    assert judging.judge_findings(told, given).rows() == [
        (0, "serial_fanout", "possible"),
        (1, "cold_start", "unlisted"),
    ]


def test_findings_are_a_requests_whatever_the_horizon() -> None:
    told = truth([None, None], rules=[(0, "retry_storm", False), (1, "retry_storm", True), (1, "n_plus_one", True)])
    both = told.requests.with_columns(key=pl.lit("same"), horizon=pl.Series(["shell", "complete"]))
    told = Truth(**{**{name: getattr(told, name) for name in Truth.__slots__}, "requests": both})
    given = pl.DataFrame([(0, "retry_storm"), (1, "retry_storm")], {"no": pl.UInt32, "rule": pl.String}, orient="row")
    assert judging.judge_findings(told, given).rows() == [(0, "n_plus_one", "missed"), (0, "retry_storm", "right")]


def test_what_was_measured_somewhere_is_no_false_cause_anywhere() -> None:
    told = truth([None], [(0, "seams of web", "network", 30 * MS)])
    row = judged(told, sums((0, SEAM, "network", "inferred", 35 * MS)))[0]
    assert row["false_cause"] is False


CANDIDATES = {
    "request_id": pl.String,
    "trace_id": pl.String,
    "entry_span_id": pl.String,
    "service": pl.String,
    "kind": pl.String,
    "start_ns": pl.Int64,
}


def matched(told: Truth, *rows: tuple[str, int, str, str, str, int]) -> dict[int, str]:
    frame = pl.DataFrame(
        [(one, f"{trace:032x}", entry, service, kind, at) for one, trace, entry, service, kind, at in rows],
        CANDIDATES,
        orient="row",
    )
    return dict(judging.match(told, frame).rows())


def test_of_several_requests_of_a_trace_the_entrys_is_taken() -> None:
    told = truth([None])
    first, entry = ("first", 0, "aa", "web", "page", 1), ("entry", 0, f"{0:016x}", "jobs", "job", 9)
    assert matched(told, first, entry) == {0: "entry"}


def test_else_the_services_else_the_first() -> None:
    told = truth([None])
    late, early = ("late", 0, "aa", "web", "page", 5), ("early", 0, "bb", "web", "page", 3)
    stray, other = ("stray", 0, "cc", "orders", "api", 1), ("other", 0, "dd", "web", "other", 0)
    assert matched(told, late, early, stray, other) == {0: "early"}
    assert matched(told, stray) == {0: "stray"}
    assert matched(told, ("elsewhere", 7, "aa", "web", "page", 1)) == {}


def test_two_requests_of_the_truth_are_never_one() -> None:
    told = truth([None, None])
    both = [("merged", 0, "aa", "web", "page", 1), ("merged", 1, "aa", "web", "page", 1)]
    assert matched(told, *both) == {0: "merged"}
    other = told.requests.with_columns(horizon=pl.Series(["shell", "complete"]))
    told = Truth(**{**{name: getattr(told, name) for name in Truth.__slots__}, "requests": other})
    assert matched(told, *both) == {0: "merged", 1: "merged"}


def test_chance_is_an_even_guess_over_what_the_scenario_shows() -> None:
    told = truth([(SEAM, "tls")], [(0, SEAM, "tls", 5), (0, "data:pg", "query", 1)], variant="blind")
    answer = sums(
        (0, "data:pg", "query", "bounded", 5),
        (0, "render:web", "render", "bounded", 5),
        (0, SEAM, "setup", "inferred", 2),
    )
    row = judging.chance(told, answer).to_dicts()[0]
    assert row["cause"] == pytest.approx(2 / 4)  # tls and setup, of tls query render setup
    assert row["tier"] == pytest.approx(1 / 3)
