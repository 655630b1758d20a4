"""The long forms: each is a command that is there, and takes what it is given."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmarks.soak import LONG, command
from tests.conftest import PROJECT


@pytest.mark.parametrize("name", LONG)
def test_each_is_a_command_that_takes_its_words(name: str) -> None:
    run = [sys.executable, "-m", *command(name, 0.001), "--help"]
    said = subprocess.run(run, cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True).stdout
    options = [word for word in run if word.startswith("--")]
    assert [option for option in options if option not in said] == []


def test_what_a_form_finds_is_told_and_an_unknown_one_refused() -> None:
    soak = [sys.executable, "-m", "benchmarks.soak"]
    done = subprocess.run([*soak, "kills", "--share", "0.001"], cwd=PROJECT, check=True, capture_output=True, text=True)
    assert json.loads(done.stdout)["kills"] | {"acknowledged": 0} == {
        "cycles": 1,
        "acknowledged": 0,
        "expired": 0,
        "lost": 0,
        "doubled": 0,
        "torn": 0,
        "did_not_start": 0,
        "unreadable": 0,
    }
    assert "python -m benchmarks.chaos --damages 0" in done.stderr
    assert subprocess.run([*soak, "peace"], cwd=PROJECT, check=False, capture_output=True).returncode == 2
