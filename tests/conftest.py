"""Fixtures that every room's tests share: where others' data lies, and programs a machine may lack."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Callable

PROJECT = Path(__file__).resolve().parent.parent

for _name in ("no_proxy", "NO_PROXY"):  # what tests talk to is on this machine
    os.environ[_name] = ",".join(filter(None, [os.environ.get(_name), "127.0.0.1", "localhost"]))

settings.register_profile("steady", derandomize=True, deadline=None, database=None)
settings.register_profile("soak", deadline=None)
settings.load_profile("soak" if os.environ.get("SEAMSCOPE_SOAK") else "steady")


def skip_or_fail(reason: str) -> None:
    """Skip with a reason a user's machine could have; a failure where everything is required."""
    if os.environ.get("SEAMSCOPE_REQUIRE_ALL") == "1":
        pytest.fail(f"required here: {reason}")
    pytest.skip(reason)


def _data(variable: str, default: str) -> Path:
    path = Path(os.environ.get(variable, PROJECT / default))
    if not path.is_dir():
        skip_or_fail(f"{path} is not there (set {variable})")
    return path


@pytest.fixture(scope="session")
def captures() -> Path:
    """The folder of recorded OTLP request bodies of other people's programs."""
    return _data("SEAMSCOPE_CAPTURES", "../shared/captures")


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of other projects' trace files."""
    return _data("SEAMSCOPE_CORPUS", "../shared/corpus")


@pytest.fixture(scope="session")
def requires_program() -> Callable[[str], str]:
    """Give a function that returns a program's path, or skips (fails where everything is required)."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            skip_or_fail(f"{name} is not installed")
        return str(path)

    return find
