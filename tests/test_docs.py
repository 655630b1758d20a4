"""The words for people tell the truth about the code."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from seamscope.cli import COMMANDS, group
from seamscope.schema import words

PROJECT = Path(__file__).resolve().parent.parent
PAGES = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "sample_traces/README.md"]


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
