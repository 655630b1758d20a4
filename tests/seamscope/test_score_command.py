"""`seamscope score` over shipped recordings, and what it says to folders that are not whole."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from seamscope.commands.score_ import command
from seamscope.errors import DataError

if TYPE_CHECKING:
    from click.testing import Result

SAMPLES = Path(__file__).resolve().parents[2] / "sample_traces"
SCENARIO = SAMPLES / "a-db-pool"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    done = run(str(SCENARIO), "--json")
    assert done.exit_code == 0
    assert f"1 of 1: {SCENARIO.name}" in done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_shipped_scenario_end_to_end(document: dict[str, Any]) -> None:
    assert document["schema"] == "seamscope.score/1"
    assert document["conservation_violations"] == 0
    (scenario,) = document["scenarios"]
    told = json.loads((SCENARIO / "expected.json").read_text())
    assert scenario["scenario"] == told["scenario"]
    assert (scenario["requests"], scenario["missed"]) == (len(told["requests"]), 0)
    assert scenario["judged"] == sum(1 for one in told["requests"] if one["dominant"])


def test_it_beats_the_baseline_and_chance(document: dict[str, Any]) -> None:
    variant = document["scenarios"][0]["variant"]
    ours = document[variant]["tier_top1"]["rate"]
    assert ours >= 0.9
    assert ours > document["chance"][variant]["tier_top1"]["rate"]
    assert ours >= document["naive"][variant]["tier_top1"]["rate"]


def test_the_table_names_every_scenario() -> None:
    done = run(str(SCENARIO))
    assert done.exit_code == 0
    assert SCENARIO.name in done.stdout
    assert "naive" in done.stdout
    assert "every known horizon is the sum of its segments" in done.stdout


@pytest.mark.parametrize("scenario", ["a-serial-and-together", "b-banner-and-none"])
def test_savings_are_foretold_as_a_stopwatch_measured_them(scenario: str) -> None:
    """The same page with what holds it and without, in one recording: within 10 ms or a tenth."""
    done = run(str(SAMPLES / scenario), "--json")
    (saving,) = json.loads(done.stdout)["savings"]
    assert saving["matched"] == saving["requests"] > 40
    assert saving["measured_ms"] > 50
    assert saving["right"]
    assert abs(saving["error_ms"]) <= max(10, 0.1 * saving["measured_ms"])


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    shutil.copytree(SCENARIO, tmp_path / "one")
    return tmp_path


def test_names_of_scenarios_are_not_obeyed(copied: Path) -> None:
    (copied / "one").rename(copied / "\x1b]0;owned\x07")
    assert run(str(copied)).stderr == "1 of 1: \\x1b]0;owned\\x07\n"


def test_a_missing_truth_is_named(copied: Path) -> None:
    (copied / "one" / "expected.json").unlink()
    with pytest.raises(DataError, match=r"one/expected\.json is missing; a scenario is"):
        run(str(copied))


def test_a_missing_recording_is_named(copied: Path) -> None:
    (copied / "one" / "traces.otlp.pb.zst").unlink()
    with pytest.raises(DataError, match=r"one/traces\.otlp\.pb\.zst is missing"):
        run(str(copied))


def test_a_broken_truth_is_named_before_any_work(copied: Path) -> None:
    truth = copied / "one" / "expected.json"
    truth.write_text(re.sub(r'"horizon": ?"', '"horizon":"x', truth.read_text(), count=1))
    with pytest.raises(DataError, match=r"one/expected\.json:\d+: request '.*': horizon: "):
        run(str(copied))
    truth.write_bytes(b'{\n"a": "\xff"')
    with pytest.raises(DataError, match=r"one/expected\.json:2: not UTF-8"):
        run(str(copied))


def test_a_recording_that_cannot_be_read_is_named(copied: Path) -> None:
    (copied / "one" / "traces.otlp.pb.zst").write_bytes(b"not a recording at all")
    with pytest.raises(DataError, match=r"traces\.otlp\.pb\.zst"):
        run(str(copied))


def test_a_folder_without_scenarios(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no scenario in"):
        run(str(tmp_path))
