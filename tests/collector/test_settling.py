"""The analysis makes way for what comes in while memory is short."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import TYPE_CHECKING

from collector import settling
from collector.settling import Settling
from seamscope.config import Config
from seamscope.store import Store
from tests.seamscope.store_rows import START_NS, rows, span

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def filled(place: Path) -> Store:
    """Four traces of a span each that came long ago, not analysed."""
    store = Store.open(place / "test.duckdb")
    store.commit({"spans": rows("spans", *(span(number, trace_lo=number + 1) for number in range(4)))}, now_ns=START_NS)
    return store


def test_a_window_waits_while_memory_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "time", SimpleNamespace(monotonic=lambda: 0.0))
    asked: list[int] = []

    def is_tight() -> bool:
        asked.append(store.query("SELECT count(*) FROM base.requests").item())
        return len(asked) < 3

    with filled(tmp_path) as store:
        done = Settling(store, Config(), 0.0, is_tight=is_tight)._loaded().analyze()
        assert done.traces == 4
        assert asked == [0, 0, 0]  # it was in its way, then no more; one window


def test_a_window_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = itertools.count()
    monkeypatch.setattr(settling, "time", SimpleNamespace(monotonic=lambda: float(next(seconds))))
    asked: list[bool] = []

    def is_tight() -> bool:
        asked.append(True)
        return len(asked) < 100  # so that it ends where it would wait for ever

    with filled(tmp_path) as store:
        assert Settling(store, Config(), 0.0, is_tight=is_tight)._loaded().analyze().traces == 4
        assert len(asked) == settling.WAY_S  # it looked once a second of the clock's; one window
