"""`seamscope diff` as people and programs read it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from seamscope.commands.diff_ import command
from seamscope.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result


def run(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, ["--db", str(path), *arguments], catch_exceptions=False)


def test_diff_golden(example_path: Path, golden: Callable[[str], None]) -> None:
    golden(run(example_path, "route:/dash", "kind:api").stdout)


@pytest.mark.parametrize("horizon", ["shell", "complete"])
@pytest.mark.parametrize(
    "sides", [("route:/dash", "kind:page"), ("--slow", "p50"), ("2026-01-01/2100-01-01", "kind:page")]
)
def test_differences_sum(example_path: Path, horizon: str, sides: tuple[str, ...]) -> None:
    document = json.loads(run(example_path, *sides, "--horizon", horizon, "--json").stdout)
    assert document["schema"] == "seamscope.difference/1"
    assert document["first"]["requests"] > 0
    for side in ("first", "second"):
        assert sum(row[f"{side}_ns"] for row in document["rows"]) == document[side]["mean_ns"]
    assert sum(row["delta_ns"] for row in document["rows"]) == document["delta_ns"]
    assert document["delta_ns"] == document["second"]["mean_ns"] - document["first"]["mean_ns"]
    assert document["mix_ns"] + document["rate_ns"] == pytest.approx(
        document["delta_ns"], abs=len(document["rows"]) + 2
    )


def test_slow_requests_are_those_at_or_above_the_percentile(example_path: Path) -> None:
    document = json.loads(run(example_path, "--slow", "p50", "--json").stdout)
    assert document["second"]["mean_ns"] > document["first"]["mean_ns"]


def test_a_difference_of_a_few_requests_is_never_sure(example_path: Path) -> None:
    sides = ("route:/dash", "kind:api")  # 40 and 10 requests
    document = json.loads(run(example_path, *sides, "--json").stdout)
    assert {(row["low_ns"], row["high_ns"]) for row in (document, *document["rows"])} == {(None, None)}
    text = run(example_path, *sides).stdout
    assert "95 %: too few to tell" in text
    assert text.count("too few to tell") == 1 + len(document["rows"])


def test_a_difference_of_enough_requests_has_an_interval(example_path: Path) -> None:
    document = json.loads(run(example_path, "--slow", "p50", "--json").stdout)
    assert 0 < document["low_ns"] <= document["delta_ns"] <= document["high_ns"]
    assert "too few to tell" not in run(example_path, "--slow", "p50").stdout


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((), UsageError, "two sets"),
        (("route:/dash",), UsageError, "two sets"),
        (("a", "b", "--slow", "p95"), UsageError, "two sets"),
        (("--slow", "p12"), UsageError, "not known"),
        (("route:/dash", "route:/nowhere"), DataError, "'route:/nowhere'"),
        (("--slow", "p95", "--filter", "route:/nowhere"), DataError, "no request"),
    ],
)
def test_what_cannot_be_compared_says_so(
    example_path: Path, arguments: tuple[str, ...], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        run(example_path, *arguments)
