"""The lab, for tests of its parts."""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LAB = Path(__file__).resolve().parents[2] / "sample_traces" / "lab"


@contextmanager
def lab_modules() -> Iterator[Callable[[str], Any]]:
    """Give a function that imports the lab's modules: parts of a program and no package, which leave nothing behind."""
    before = set(sys.modules)
    sys.path.insert(0, str(LAB))
    try:
        yield importlib.import_module
    finally:
        sys.path.remove(str(LAB))
        for name in set(sys.modules) - before:
            if "/sample_traces/lab/" in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


@pytest.fixture
def lab() -> Iterator[Callable[[str], Any]]:
    """The lab's modules by name."""
    with lab_modules() as modules:
        yield modules
