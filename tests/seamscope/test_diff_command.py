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

    from tests.seamscope.conftest import Scene


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


def test_environments_against_each_other(example_path: Path) -> None:
    sides = ("environment:production", "environment:preview")
    document = json.loads(run(example_path, *sides, "--json").stdout)
    assert (document["first"]["requests"], document["second"]["requests"]) == (52, 1)
    assert document["notes"] == []


def test_what_is_not_there_may_be_in_another_environment(example_path: Path) -> None:
    with pytest.raises(DataError, match=r"'status:404'.*environment production only \(also here: preview"):
        run(example_path, "kind:api", "status:404")


def test_times_of_a_side_are_within_those_of_the_selection(example_path: Path) -> None:
    begin = "2027-01-15T08:00"  # the first request's second is :01
    sides = (f"{begin}:00Z/{begin}:30Z", f"{begin}:20Z/{begin}:45Z")
    asked = ("--since", f"{begin}:10Z", "--until", f"{begin}:40Z", "--json")
    document = json.loads(run(example_path, *sides, *asked).stdout)
    assert (document["first"]["requests"], document["second"]["requests"]) == (20, 20)
    with pytest.raises(DataError, match="no request"):
        run(example_path, *sides, "--until", "2026-01-01")


def test_a_key_of_many_values_on_one_side_tells_requests_apart_not_sets(scene: Scene, tmp_path: Path) -> None:
    """A third of either set is of one organisation; the rest of the first are of one each, of the second of a few."""
    for number in range(1, 401):
        first, big = number <= 320, number % 3 == 0
        scene.request(number, 0, "GET /", None, 10, service_version="1" if first else "2")
        org = "big" if big else f"org-{number if first else number % 10}"
        scene.span(number, 1, 0, "web", "server", "GET /", 0, 10, attributes=[{"key": "org", "value": org}])
        scene.path(number, 1, [(10, "render:web", "compute", "measured", 1, 0)])
    scene.store(tmp_path / "keys.duckdb").close()
    document = json.loads(run(tmp_path / "keys.duckdb", "version:1", "version:2", "--json").stdout)
    assert {value["key"] for value in document["values"]} == {"version"}


def test_requests_that_stand_for_more_are_counted_by_side(scene: Scene, tmp_path: Path) -> None:
    for number in range(1, 6):
        scene.api(number, length=7.0, weight=4.0 if number > 3 else 1.0, service_version="2" if number > 2 else "1")
    path = tmp_path / "weights.duckdb"
    scene.store(path).close()
    said = "2 requests of B stand for more than themselves (sampling): each stored request counts once"
    assert json.loads(run(path, "version:1", "version:2", "--json").stdout)["notes"] == [said]
    assert said in run(path, "version:1", "version:2").stdout


@pytest.mark.parametrize("alike", [1, 30])
def test_nothing_is_faster_than_what_is_all_alike(scene: Scene, tmp_path: Path, alike: int) -> None:
    for number in range(alike):
        scene.api(number + 1, length=7.0)
    scene.store(tmp_path / "alike.duckdb").close()
    with pytest.raises(DataError, match="no request of this selection is faster than the p95 of its complete"):
        run(tmp_path / "alike.duckdb", "--slow", "p95")


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
