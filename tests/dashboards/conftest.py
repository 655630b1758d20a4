"""The pages of the example store, written once, and a browser that says what goes wrong."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dashboards.write import write_dashboards
from seamscope.reading.boundary import boundary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from seamscope.results import Boundary

EXAMPLE = Path(__file__).resolve().parent.parent / "seamscope" / "conftest.py"


def _scene() -> Any:
    spec = importlib.util.spec_from_file_location("example_scene", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.example_scene()


@pytest.fixture(scope="session")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Boundary:
    """The example store's boundary."""
    with _scene().store(tmp_path_factory.mktemp("pages") / "example.duckdb") as opened:
        return boundary(opened)


@pytest.fixture(scope="session")
def pages(seen: Boundary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of pages."""
    out = tmp_path_factory.mktemp("boundary")
    write_dashboards(seen, out)
    return out


@pytest.fixture(scope="module")  # its event loop must be gone before other rooms start theirs
def _chromium() -> Iterator[Callable[[str], Any]]:
    """Give a function that starts a program as a headless browser, once for all tests."""
    from playwright import sync_api

    started: list[Any] = []

    def start(program: str) -> Any:
        if not started:
            launch = playwright.chromium.launch
            started.append(launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"]))
        return started[0]

    with sync_api.sync_playwright() as playwright:
        yield start
        for opened in started:
            opened.close()


@pytest.fixture
def browser(_chromium: Callable[[str], Any], requires_program: Callable[[str], str]) -> Any:
    """A headless Chromium."""
    return _chromium(requires_program("chromium"))
