"""The analysis follows what settles, makes way for what comes in while memory is short, and ends when it is told to."""

from __future__ import annotations

import itertools
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from collector import settling
from collector.doors.listening import Doors
from collector.settling import Settling
from seamscope.config import Config
from seamscope.runs import Settler
from seamscope.store import Store
from tests.collector.traffic import running
from tests.seamscope.store_rows import START_NS, rows, span

if TYPE_CHECKING:
    from pathlib import Path


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


def analysed(store: Store) -> int:
    return int(store.query("SELECT count(*) FROM requests").item())


@pytest.mark.parametrize(
    ("spans", "took_s", "settle_s", "expected"),
    [
        (0, 0.01, 10.0, 1.0),  # nothing was to be done
        (16, 0.02, 10.0, 1.0),
        (16, 0.2, 10.0, 2.0),
        (16, 0.2, 0.0, 1.0),  # who wants traces settled at once wants them at once
        (settling.FEW_SPANS - 1, 3.0, 10.0, 5.0),
        (settling.FEW_SPANS - 1, 3.0, 60.0, 5.0),
        (settling.FEW_SPANS, 3.0, 10.0, 1.0),  # much comes: no time to lose
    ],
)
def test_a_step_of_few_spans_is_followed_by_a_rest(spans: int, took_s: float, settle_s: float, expected: float) -> None:
    assert settling.rested_s(spans, took_s, settle_s) == pytest.approx(expected)


def test_it_follows_until_it_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "EVERY_S", 0.001)
    with filled(tmp_path) as store:
        following = Settling(store, Config(), 0.0)
        following.start()
        until = time.monotonic() + 60
        while not analysed(store) and time.monotonic() < until:
            following._stopped.wait(0.005)
        following.stop()
        assert not following._thread.is_alive()
        assert analysed(store) == 4


def test_a_desk_that_cannot_be_loaded_is_said_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "EVERY_S", 0.001)
    let = threading.Event()

    class Unloadable(Settler):
        def __init__(self, *given: Any) -> None:
            if not let.is_set():
                raise OSError(24, "Too many open files")
            super().__init__(*given)

    monkeypatch.setattr("seamscope.runs.Settler", Unloadable)
    with filled(tmp_path) as store:
        following = Settling(store, Config(), 0.0)
        told = [following.failing()]
        following.start()
        for is_done in (following.failing, lambda: analysed(store)):
            until = time.monotonic() + 60
            while not is_done() and following._thread.is_alive() and time.monotonic() < until:
                following._stopped.wait(0.005)
            told.append(following.failing())
            let.set()
        found = analysed(store)
        following.stop()
        assert (told, found) == ([0, 1, 0], 4)


@pytest.mark.parametrize(("last_s", "expected"), [(60.0, 4), (-1.0, 0)])
def test_a_stop_analyses_what_there_is_time_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last_s: float, expected: int
) -> None:
    monkeypatch.setattr(settling, "EVERY_S", 1e9)
    monkeypatch.setattr(settling, "LAST_S", last_s)
    with filled(tmp_path) as store:
        following = Settling(store, Config(), 0.0)
        following.start()
        following.stop()
        assert analysed(store) == expected
        assert Settling(store, Config(), 0.0)._loaded().step().requests == 4 - expected  # the next start goes on


def test_time_counts_from_the_begin_of_the_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def noting(name: str, method: Any) -> Any:
        def note(*given: Any) -> Any:
            told.append(name)
            return method(*given)

        return note

    monkeypatch.setattr(Settling, "hurry", noting("hurry", Settling.hurry))
    monkeypatch.setattr(Doors, "close", noting("doors", Doors.close))
    with running(tmp_path):
        pass
    assert told == ["hurry", "doors", "hurry"]
