"""Traces that cannot be processed are set aside; windows after theirs go on, and people are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from click.testing import CliRunner

from analysis import prepare
from seamscope import health, runs, shelf, sparing
from seamscope.cli import group
from seamscope.errors import QueryLaterError
from seamscope.remote import LiveCollector
from seamscope.store import Store
from seamscope.taking import take
from tests.seamscope.test_runs import at, commit, page, span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from seamscope.taking import Fresh

BEGINNING = -(1 << 63)
LATER_MS = 3 * 600_000
WHOLE = prepare
ASIDE = "SELECT trace_id[-1:] FROM warnings WHERE code = 'stage_failed' ORDER BY ALL"
FINAL = "SELECT trace_id[-1:], final FROM requests ORDER BY ALL"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "test.duckdb") as opened:
        yield opened


def later(trace: int) -> list[dict[str, Any]]:
    """Return a trace of three windows later."""
    return [span(trace, 1, 2, LATER_MS, LATER_MS + 50)]


def fails_with(
    *traces: int, together: bool = False, fault: type[BaseException] = pl.exceptions.SchemaError
) -> Callable[..., Any]:
    """Return a `prepare` that raises where one of some traces is among those it gets, or only all `together`."""

    def fails(spans: pl.DataFrame, *rest: Any, **more: Any) -> Any:
        found = set(spans.get_column("trace_lo").to_list()) & set(traces)
        if found == set(traces) if together else found:
            raise fault("columns that\nnobody can read")
        return WHOLE(spans, *rest, **more)

    return fails


@pytest.mark.parametrize("fault", [pl.exceptions.SchemaError, pl.exceptions.PanicException])
def test_windows_after_one_that_fails_are_analysed(
    store: Store, monkeypatch: pytest.MonkeyPatch, fault: type[BaseException]
) -> None:
    for trace in (1, 2, 3):
        commit(store, page(trace), 0)
    commit(store, later(4), 0)
    monkeypatch.setattr(shelf, "prepare", fails_with(2, fault=fault))
    settler = runs.Settler(store)
    done = settler.step(at(9_000))
    assert done.set_aside == settler.set_aside == 1
    assert settler.lag_ns(at(9_000)) == 0
    assert store.query(ASIDE).rows() == [("2",)]
    assert store.query("SELECT detail FROM warnings").item() == (
        f"around the analysis: {fault.__name__}: columns that nobody can read"
    )
    assert store.query(FINAL).rows() == [("1", True), ("3", True), ("4", True)]
    assert settler.step(at(9_100)).traces == 0


def test_a_trace_set_aside_as_it_settled_leaves_the_others_to_settle(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "prepare", fails_with(2))
    settler = runs.Settler(store)
    commit(store, [*page(1), *page(2)], 0)
    assert settler.step(at(20)).set_aside == 1
    commit(store, [*page(3), *page(2)[:1]], 21)
    assert settler.step(at(40)).set_aside == 0
    assert settler.step(at(3_000)).set_aside == 0
    assert store.query(FINAL).rows() == [("1", True), ("3", True)]
    assert store.query(ASIDE).rows() == [("2",)]


@pytest.mark.parametrize("restarts", [False, True])
def test_what_came_late_while_memory_was_short_is_final_in_the_end(
    store: Store, monkeypatch: pytest.MonkeyPatch, restarts: bool
) -> None:
    faults = [QueryLaterError("no memory")]

    def fails_once(*given: Any, **more: Any) -> Any:
        if faults:
            raise faults.pop()
        return WHOLE(*given, **more)

    settler = runs.Settler(store)
    commit(store, [*page(1)[:2], *page(3)], 0)
    for second in (20, 3_000, 3_001):
        settler.step(at(second))
    commit(store, [*page(1)[2:], span(5, 1, 2, 3_020_000, 3_020_050)], 3_030)
    monkeypatch.setattr(shelf, "prepare", fails_once)
    with pytest.raises(QueryLaterError):
        settler.step(at(3_041))
    settler = runs.Settler(store) if restarts else settler
    for second in (3_042, 9_000, 9_001):
        settler.step(at(second))
    assert store.query(FINAL).rows() == [("1", True), ("3", True), ("5", True)]


def test_results_that_a_trace_had_make_room_for_the_warning(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(store, [*page(1), *page(2)], 0)
    settler = runs.Settler(store)
    settler.step(at(20))
    monkeypatch.setattr(shelf, "prepare", fails_with(2))
    assert settler.step(at(3_000)).set_aside == 1
    assert store.query(FINAL).rows() == [("1", True)]


def test_what_fails_beside_a_window_is_not_blamed_on_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    settler = runs.Settler(store)
    commit(store, page(1), 0)
    settler.step(at(3_000))
    commit(store, [span(2, 1, 2, 600_000, 600_050), span(3, 1, 2, 600_000, 600_070)], 3_001)
    monkeypatch.setattr(shelf, "prepare", fails_with(1))
    settler.step(at(9_000))
    assert store.query(ASIDE).rows() == [("1",)]
    assert store.query(FINAL).rows() == [("2", True), ("3", True)]


def test_what_fails_together_and_not_alone_is_set_aside_together(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(store, [*page(1), *page(2)], 0)
    commit(store, later(4), 0)
    monkeypatch.setattr(shelf, "prepare", fails_with(1, 2, together=True))
    assert runs.Settler(store).step(at(9_000)).set_aside == 2
    assert store.query(FINAL).rows() == [("4", True)]


def test_what_failed_once_is_no_traces_fault(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(store, [*page(1), *page(2)], 0)
    tried: list[int] = []

    def fails(spans: pl.DataFrame, *rest: Any, **more: Any) -> Any:
        tried.append(spans.height)
        if len(tried) == 1:
            raise MemoryError
        return WHOLE(spans, *rest, **more)

    monkeypatch.setattr(shelf, "prepare", fails)
    assert runs.Settler(store).step(at(9_000)).set_aside == 0
    assert store.query(FINAL).rows() == [("1", True), ("2", True)]


@pytest.mark.parametrize("kind", [OSError, QueryLaterError])
def test_a_store_that_cannot_be_read_is_no_traces_fault(
    store: Store, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    commit(store, page(1), 0)
    settler = runs.Settler(store)

    def fails(*_: Any) -> Any:
        raise kind("no such device")

    monkeypatch.setattr(shelf, "take", fails)
    for second in (3_000, 3_001):
        with pytest.raises(kind, match="no such device"):
            settler.step(at(second))
    assert settler.failing is True
    assert settler.lag_ns(at(3_001)) == (3_001 - 10) * 1_000_000_000
    monkeypatch.setattr(shelf, "take", take)
    assert settler.step(at(3_002)).requests == 1
    assert (settler.failing, settler.set_aside, settler.lag_ns(at(3_003))) == (False, 0, 0)


def test_traces_that_do_not_fit_together_are_halved(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(store, [*page(1), *page(2)], 0)
    settler = runs.Settler(store)

    def fits(at_hand: Store, traces: pl.DataFrame, fresh: Fresh) -> Any:
        if traces.height > 1:
            raise QueryLaterError("no memory")
        return take(at_hand, traces, fresh)

    monkeypatch.setattr(shelf, "take", fits)
    with pytest.raises(QueryLaterError):
        settler.step(at(20))
    assert store.query("SELECT count(*) FROM requests").item() == 2
    assert settler.set_aside == 0


def test_one_that_never_fits_does_not_hold_up_the_others(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(store, page(1), 0)
    commit(store, later(2), 0)
    settler = runs.Settler(store)

    def fits(at_hand: Store, traces: pl.DataFrame, fresh: Fresh) -> Any:
        if traces.filter(pl.col("trace_lo") == 1).height:
            raise QueryLaterError("no memory")
        return take(at_hand, traces, fresh)

    monkeypatch.setattr(shelf, "take", fits)
    for second in range(1, sparing.MOST_LATER):
        with pytest.raises(QueryLaterError):
            settler.step(at(9_000 + second))
    assert settler.step(at(9_100)).set_aside == settler.set_aside == 1
    assert store.query(FINAL).rows() == [("2", True)]


def test_all_anew_tries_them_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(store, [*page(1), *page(2)], 0)
    monkeypatch.setattr(shelf, "prepare", fails_with(2))
    settler = runs.Settler(store)
    assert settler.analyze().set_aside == 1
    monkeypatch.setattr(shelf, "prepare", WHOLE)
    assert settler.analyze().traces == 0
    assert settler.analyze(everything=True).set_aside == 0
    assert store.query(FINAL).rows() == [("1", True), ("2", True)]
    assert store.query(ASIDE).height == 0


def test_the_search_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparing, "MOST_SOUGHT", 2)
    tried = []

    def fails(traces: pl.DataFrame) -> None:
        tried.append(traces.height)
        raise ValueError

    found = sparing.at_fault(pl.DataFrame({"trace": range(1_000)}), fails)
    assert sum(traces.height for traces, _ in found) == 1_000
    assert len(tried) < 30


def test_the_first_moment_that_there_is_stops_nobody(store: Store) -> None:
    """Times that no exporter may send, but that a store can hold."""
    odd = [{**one, "start_ns": BEGINNING, "end_ns": BEGINNING + 5} for one in page(1)]
    commit(store, [*odd, *page(2)], 0)
    assert runs.Settler(store).step(at(9_000)).set_aside == 0
    assert store.query(FINAL).rows() == [("1", True), ("2", True)]


def test_doctor_counts_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "told.duckdb"
    monkeypatch.setattr(shelf, "prepare", fails_with(2))
    with Store.open(place) as store:
        commit(store, [*page(1), *page(2)], 0)
        runs.analyze(store)
    shown = CliRunner().invoke(group, ["doctor", "--db", str(place)], catch_exceptions=False).output
    assert "1 traces set aside: analysing them fails" in shown
    assert "WHERE code = 'stage_failed'" in shown


def test_doctor_says_that_the_analysis_fails() -> None:
    counts = {"signals": {}, "queue_bytes": 0, "analysis_lag_s": 70.2, "analysis_failing": 1, "analysis_set_aside": 3}
    check = health.collector(LiveCollector("unix:x", {"telemetry": counts}))
    assert check.state == health.PROBLEM
    assert "analysis 70 s behind, analysis fails and is tried again, 3 traces set aside" in check.said
