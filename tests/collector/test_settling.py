"""The analysis runs where it is in nobody's way: behind what comes in, in time and in memory."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from collector import settling
from collector.niceness import NICENESS
from collector.settling import Settling
from seamscope.config import Config
from seamscope.store import Store
from tests.seamscope.store_rows import START_NS, rows, span

if TYPE_CHECKING:
    from pathlib import Path


def filled(place: Path) -> Store:
    """Four traces of a span each that came long ago, not analysed."""
    store = Store.open(place / "test.duckdb")
    store.commit({"spans": rows("spans", *(span(number, trace_lo=number + 1) for number in range(4)))}, now_ns=START_NS)
    return store


def test_a_window_waits_while_memory_is_short_but_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "WAY_S", 0.05)
    asked: list[int] = []

    def is_tight() -> bool:
        asked.append(store.query("SELECT count(*) FROM base.requests").item())
        return len(asked) < 3

    with filled(tmp_path) as store:
        done = Settling(store, Config(), 0.0, is_tight=is_tight)._loaded().analyze()
        assert done.traces == 4
        assert asked == [0, 0, 0]  # it was in its way, then no more; one window
        asked.clear()
        monkeypatch.setattr(settling, "LOOK_S", 0.001)
        always = Settling(store, Config(), 0.0, is_tight=lambda: True)._loaded()
        assert always.analyze(everything=True).traces == 4


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has niceness of threads")
def test_who_stores_goes_first(tmp_path: Path) -> None:
    found: dict[str, int] = {}
    seen = threading.Event()

    def is_tight() -> bool:
        found[threading.current_thread().name] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        seen.set()
        return False

    with filled(tmp_path) as store:
        one = Settling(store, Config(), 0.0, is_tight=is_tight)
        one.start()
        assert seen.wait(60)
        one.stop()
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert found["settle"] == max(own, NICENESS)
