"""The wheel: exactly five names, each with one owner, every file that is not Python inside, and it runs elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
NAMES = {"seamscope", "collector", "analysis", "tui", "dashboards"}

pytestmark = pytest.mark.xdist_group("wheel")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy of the tracked files, with the pinned build backend."""
    source = tmp_path_factory.mktemp("source")
    for name in (*NAMES, "pyproject.toml", "README.md", "LICENSE"):
        path = PROJECT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source / name)
    out = tmp_path_factory.mktemp("dist")
    build = "import hatchling.build as b, sys; print(b.build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, str(out)], cwd=source, check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


def _members(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_top_level_names(wheel: Path) -> None:
    found = {name.split("/")[0] for name in _members(wheel)}
    assert {name for name in found if not name.endswith(".dist-info")} == NAMES


@pytest.mark.parametrize("suffix", [".sql", ".tcss", ".j2", ".css"])
def test_files_that_are_not_python_are_inside(wheel: Path, suffix: str) -> None:
    inside = {name for name in _members(wheel) if name.endswith(suffix)}
    tracked = {
        str(path.relative_to(PROJECT))
        for package in NAMES
        for path in (PROJECT / package).rglob(f"*{suffix}")
        if "__pycache__" not in path.parts
    }
    assert tracked
    assert inside == tracked


def test_no_index_address_in_pinned_files() -> None:
    for path in [*(PROJECT / "requirements").glob("*.txt"), *PROJECT.rglob("package-lock*.json")]:
        if "node_modules" not in path.parts and ".venv" not in path.parts:
            assert "://" not in path.read_text(), path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an empty environment outside the checkout; return its bin folder."""
    home = tmp_path_factory.mktemp("elsewhere")
    venv.create(home / "env", with_pip=True, symlinks=True)
    pip = [str(home / "env/bin/python"), "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", str(PROJECT / "requirements/run.txt")], check=True, cwd=home)
    subprocess.run([*pip, "--no-deps", str(wheel)], check=True, cwd=home)
    return home / "env/bin"


def _run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "SEAMSCOPE"))}
    return subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300)


def test_runs_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    shown = _run(str(installed / "seamscope"), "--version", cwd=tmp_path)
    assert (shown.returncode, shown.stdout.startswith("seamscope")) == (0, True), shown.stderr
    body = {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "orders"}}]},
                "scopeSpans": [
                    {
                        "spans": [
                            {
                                "traceId": "5b8efff798038103d269b633813fc60c",
                                "spanId": "eee19b7ec3c1b174",
                                "name": "GET /v1/orders",
                                "kind": 2,
                                "startTimeUnixNano": "1544712660000000000",
                                "endTimeUnixNano": "1544712661000000000",
                            }
                        ]
                    }
                ],
            }
        ]
    }
    (tmp_path / "one.json").write_text(json.dumps(body))
    seamscope = str(installed / "seamscope")
    brought = _run(seamscope, "import", "one.json", "--db", "t.duckdb", cwd=tmp_path)
    assert brought.returncode == 0, brought.stderr
    asked = _run(seamscope, "sql", "--db", "t.duckdb", "--json", "SELECT name FROM spans", cwd=tmp_path)
    assert (asked.returncode, json.loads(asked.stdout)) == (0, [{"name": "GET /v1/orders"}]), asked.stderr


def test_each_name_has_one_owner(installed: Path, tmp_path: Path) -> None:
    ask = (
        "import importlib.metadata as m, json; owners = m.packages_distributions();"
        f"print(json.dumps({{name: owners[name] for name in {sorted(NAMES)}}}))"
    )
    shown = _run(str(installed / "python"), "-c", ask, cwd=tmp_path)
    assert json.loads(shown.stdout) == {name: ["seamscope"] for name in NAMES}
