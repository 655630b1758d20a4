"""The command in a real terminal: tmux types, and reads what stands there."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE_SECONDS = 60.0
_LOOK_AGAIN = threading.Event()
START = "from seamscope.cli import tui; tui()"


class Terminal:
    """A tmux server of its own with one window."""

    def __init__(self, tmux: str, name: str, arguments: list[str], **told: str) -> None:
        self._tmux = [tmux, "-u", "-L", name]
        command = ["sh", "-c", '"$@"; echo "[ended $?]"; read _', "sh", sys.executable, "-c", START, *arguments]
        foreign = {"TMUX", "NO_COLOR", "COLUMNS", "LINES"}
        environment = {key: value for key, value in os.environ.items() if key not in foreign} | told
        start = [*self._tmux, "-f", "/dev/null", "new-session", "-d", "-x", "140", "-y", "36", *command]
        subprocess.run(start, env=environment, check=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run([*self._tmux, "kill-server"], check=False, capture_output=True)

    def _do(self, *words: str) -> str:
        return subprocess.run([*self._tmux, *words], check=True, capture_output=True, text=True).stdout

    def press(self, *keys: str) -> None:
        self._do("send-keys", *keys)

    def screen(self, *, styled: bool = False) -> str:
        return self._do("capture-pane", "-p", *(["-e"] if styled else []))

    def resize(self, columns: int, rows: int) -> None:
        self._do("resize-window", "-x", str(columns), "-y", str(rows))

    def exit_status(self) -> int:
        """Wait for the program's end; the shell around it says how it ended."""
        return int(self.until("[ended ").split("[ended ")[1].split("]")[0])

    def until(self, *words: str) -> str:
        """Wait until all words stand on the screen."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            shown = self.screen()
            if all(word in shown for word in words):
                return shown
            _LOOK_AGAIN.wait(0.1)
        raise AssertionError(f"{words} not in\n{self.screen()}")


@pytest.fixture
def tmux(requires_program: Callable[[str], str]) -> str:
    return requires_program("tmux")


def test_a_session(tmux: str, store_path: Path) -> None:
    with Terminal(tmux, f"seamscope-{os.getpid()}", ["--db", str(store_path)]) as terminal:
        terminal.until("recorded.duckdb", "GET /dash", "shell p50", "? Help")
        terminal.press("/", "kind:page", "Enter")
        terminal.until("/kind:page", "GET /dash")
        terminal.press("j", "Enter")
        terminal.until("path to shell", "origin:origin-api compute", "⇄ render:")
        assert "\x1b[" in terminal.screen(styled=True)
        terminal.press("3")
        terminal.until("phases of the gap")
        terminal.resize(80, 24)
        terminal.until("phases of the gap", "? Help")
        terminal.press("q")
        terminal.until("held by")
        terminal.press("q")
        assert terminal.exit_status() == 0


def test_no_store_and_no_colour(tmux: str, tmp_path: Path) -> None:
    arguments = ["--db", str(tmp_path / "none.duckdb"), "--ascii"]
    with Terminal(tmux, f"seamscope-none-{os.getpid()}", arguments, NO_COLOR="1") as terminal:
        shown = terminal.until("none.duckdb", "cannot read")
        assert shown.isascii()
        assert "38;" not in terminal.screen(styled=True)
        terminal.press("q")
        assert terminal.exit_status() == 0


def test_without_a_terminal_it_says_what_to_use(store_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", START, "--db", str(store_path)], capture_output=True, text=True, check=False, input=""
    )
    assert found.returncode == 2
    assert found.stderr.startswith("seamscope: the explorer needs a terminal; seamscope report")


def test_a_filter_that_does_not_parse_is_refused_at_once() -> None:
    found = subprocess.run(
        [sys.executable, "-c", START, "--filter", "shell>fast"], capture_output=True, text=True, check=False, input=""
    )
    assert found.returncode == 2
    assert "'fast' is not a duration" in found.stderr
