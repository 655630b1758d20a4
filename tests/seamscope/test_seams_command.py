"""`seamscope seams` as people and programs read it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from click.testing import CliRunner

from seamscope.commands.seams_ import command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def run(path: Path, *arguments: str) -> str:
    done = CliRunner().invoke(command, ["--db", str(path), *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_seams_golden(example_path: Path, golden: Callable[[str], None]) -> None:
    golden(run(example_path))


def test_json(example_path: Path) -> None:
    document = json.loads(run(example_path, "--json", "--filter", "boundary:render->origin"))
    assert document["schema"] == "seamscope.seams/1"
    assert {row["boundary"] for row in document["seams"]} == {"render→origin", "origin→data"}
    for row in document["seams"]:
        assert sum(row["gap_kinds"].values()) == row["hops"]


def test_no_seam(example_path: Path) -> None:
    assert "no hop crosses a seam" in run(example_path, "--filter", "route:/nowhere")
