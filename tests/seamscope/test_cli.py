"""The front door: quick, quiet, and never a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from seamscope.cli import COMMANDS

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = ("duckdb", "grpc", "polars", "pyarrow", "numba", "numpy", "textual", "plotly", "uvicorn", "starlette")


def _seamscope(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "seamscope", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)


def test_help_lists_every_command() -> None:
    shown = _seamscope("--help")
    assert shown.returncode == 0
    assert all(f"\n  {name} " in shown.stdout for name in COMMANDS)


def test_help_loads_nothing_heavy() -> None:
    ask = (
        "import sys, json, runpy; sys.argv = ['seamscope', '--help']\n"
        "try: runpy.run_module('seamscope', run_name='__main__')\n"
        f"except SystemExit: print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    )
    shown = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True, timeout=120)
    assert json.loads(shown.stdout.splitlines()[-1]) == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("no-such-command",), 2),
        (("report", "--no-such-option"), 2),
        (("report", "--db", "absent.duckdb"), 3),
        (("trace", "abc", "--db", "absent.duckdb"), 3),
        (("sql", "SELECT 1", "--db", "absent.duckdb"), 3),
        (("dashboards", "--db", "absent.duckdb"), 3),
        (("tui", "--db", "absent.duckdb"), 2),
        (("import", "absent.json", "--db", "x.duckdb"), 3),
        (("replay", "absent.pb"), 3),
    ],
)
def test_what_cannot_run_says_so_in_words(arguments: tuple[str, ...], code: int, tmp_path: Path) -> None:
    shown = _seamscope(*arguments, cwd=tmp_path)
    assert shown.returncode == code, shown.stderr
    assert shown.stderr.strip()
    assert "Traceback" not in shown.stderr
    assert not (tmp_path / "absent.duckdb").exists()


def test_an_error_is_one_line(tmp_path: Path) -> None:
    shown = _seamscope("report", "--db", "absent.duckdb", cwd=tmp_path)
    assert len(shown.stderr.strip().splitlines()) == 1
    assert shown.stderr.startswith("seamscope: ")
