"""The words for people tell the truth about the code."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from seamscope.cli import COMMANDS, group
from seamscope.schema import words

PROJECT = Path(__file__).resolve().parent.parent
PAGES = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "sample_traces/README.md",
    "docs/operating.md",
    "tests/collector/README.md",
    "benchmarks/RESULTS.md",
]


def _command(name: str) -> click.Command:
    found = group.get_command(click.Context(group), name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_helps_with_an_example(name: str) -> None:
    command = _command(name)
    text = command.get_help(click.Context(command, info_name=name))
    assert f"seamscope {name}" in text
    assert "Example" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_what_the_command_says(name: str) -> None:
    assert " ".join((_command(name).help or "").split("\n\n")[0].split()) == COMMANDS[name]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (PROJECT / page).read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert (PROJECT / page).parent.joinpath(target).exists(), target


def test_readme_names_the_two_commands_and_the_vocabulary() -> None:
    text = (PROJECT / "README.md").read_text()
    assert "make run" in text
    assert "make test" in text
    for word in (*words.CAUSES, *words.EVIDENCE, *words.HORIZONS):
        if word not in {"queue_wait", "job"}:
            assert re.search(rf"\b{word}\b", text), word


def test_ci_runs_the_readmes_test_command() -> None:
    assert "make test" in (PROJECT / ".ci/run").read_text()


def test_every_dependency_has_a_line_of_why() -> None:
    text = (PROJECT / "ARCHITECTURE.md").read_text()
    pinned = (PROJECT / "pyproject.toml").read_text().split("dependencies = [")[1].split("]")[0]
    for name in re.findall(r'"([a-z0-9-]+)[><=]', pinned):
        assert f"`{name}`" in text, name


def test_the_page_for_operators_names_options_that_exist() -> None:
    text = (PROJECT / "docs/operating.md").read_text() + (PROJECT / "docs/Containerfile").read_text()
    known = {option for name in COMMANDS for parameter in _command(name).params for option in parameter.opts}
    for option in re.findall(r"(?<=[\s`\"])--[a-z][a-z-]+", text.split("\nFROM")[0]):
        assert option in known, option


def test_every_metric_is_named_to_operators() -> None:
    from collector.self_metrics import METRICS

    text = (PROJECT / "docs/operating.md").read_text()
    for name in METRICS:
        assert f"`{name}`" in text or f"`{name.removeprefix('seamscope.collector')}`" in text, name


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not installed")
    unit = (PROJECT / "docs/seamscope.service").read_text().replace("/opt/seamscope/bin/seamscope", "/bin/true")
    (tmp_path / "seamscope.service").write_text(unit)
    done = subprocess.run(
        [verify, "verify", tmp_path / "seamscope.service"], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
