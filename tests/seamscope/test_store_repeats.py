"""Re-sent spans: the very same is left out and counted, anything that differs is kept; the memory is bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seamscope.store import Settings, Store
from seamscope.store.recent import RecentItems
from tests.seamscope.store_rows import START_NS, attributes, event, rows, span, spans

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW_NS = START_NS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "test.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as opened:
        yield opened


def stored(store: Store, table: str = "spans") -> int:
    return int(store.query(f"SELECT count(*) FROM base.{table}").item())  # noqa: S608


def test_retry_is_left_out_and_counted(store: Store) -> None:
    store.commit({"spans": spans(20)}, now_ns=NOW_NS)
    receipt = store.commit({"spans": spans(30)}, now_ns=NOW_NS)
    assert (receipt.rows, receipt.duplicate_spans) == ({"spans": 10}, 20)
    again = store.commit({"spans": spans(30)}, now_ns=NOW_NS)
    assert (again.rows, again.duplicate_spans, again.commit_no) == ({}, 30, 2)
    assert stored(store) == 30


def test_retry_in_one_group_is_left_out(store: Store) -> None:
    twice = rows("spans", span(1), span(1), span(2))
    events = rows("span_events", event(1), event(1), event(2))
    receipt = store.commit({"spans": twice, "span_events": events}, now_ns=NOW_NS)
    assert (receipt.rows, receipt.duplicate_spans) == ({"spans": 2, "span_events": 2}, 1)
    once = {"spans": rows("spans", span(1)), "span_events": rows("span_events", event(1))}
    assert store.commit(once, now_ns=NOW_NS).duplicate_spans == 1
    assert stored(store, "span_events") == 2


def test_retry_is_recognised_after_a_restart(store: Store, path: Path) -> None:
    group = {"spans": spans(20), "span_events": rows("span_events", event(3), event(3, name="again"))}
    store.commit(group, now_ns=NOW_NS)
    store.close()
    with Store.open(path) as again:
        receipt = again.commit(group, now_ns=NOW_NS)
        assert (receipt.rows, receipt.duplicate_spans) == ({}, 20)


def test_a_clock_that_was_ahead_makes_nothing_forgotten(store: Store, path: Path) -> None:
    for number, ahead_ns in enumerate((0, 3_600_000_000_000, 0)):
        store.commit({"spans": spans(20, first=20 * number)}, now_ns=NOW_NS + number + ahead_ns)
    store.close()
    with Store.open(path) as again:
        for number in range(3):
            assert again.commit({"spans": spans(20, first=20 * number)}, now_ns=NOW_NS).duplicate_spans == 20


def line(number: int, **said: Any) -> dict[str, Any]:
    times = {"time_ns": START_NS + number, "observed_ns": START_NS + number}
    told = {"trace_hi": 7, "trace_lo": 1, "span_id": 1, "severity": 9, "body": f"line {number}", "resource_id": 1}
    return {**times, **told, "attributes": attributes(code=str(number)), **said}


def point(number: int, **said: Any) -> dict[str, Any]:
    told = {"resource_id": 1, "instrument": "db.client.connection.count", "value": 3.0, "started_ns": START_NS}
    return {**told, "time_ns": START_NS + number, "attributes": attributes(state="used"), **said}


@pytest.mark.parametrize(("signal", "made"), [("logs", line), ("metric_points", point)])
def test_retry_of_other_signals_is_left_out_and_counted(store: Store, path: Path, signal: str, made: Any) -> None:
    first = {signal: rows(signal, *(made(number) for number in range(20)))}
    more = {signal: rows(signal, *(made(number) for number in range(30)))}
    assert store.commit(first, now_ns=NOW_NS).duplicates == {}
    receipt = store.commit(more, now_ns=NOW_NS)
    assert (receipt.rows, receipt.duplicates) == ({signal: 10}, {signal: 20})
    store.close()
    with Store.open(path) as again:
        receipt = again.commit(more, now_ns=NOW_NS)
        assert (receipt.rows, receipt.duplicates) == ({}, {signal: 30})
        assert stored(again, signal) == 30
        other = {signal: rows(signal, made(3, resource_id=2), made(3, attributes=[]))}
        assert again.commit(other, now_ns=NOW_NS).duplicates == {}


@pytest.mark.parametrize(("signal", "made"), [("spans", span), ("logs", line), ("metric_points", point)])
@pytest.mark.parametrize(("wanted", "remembered"), [(15, [0, 15]), (20, [0, 20]), (30, [10, 20]), (50, [20, 20])])
def test_after_a_restart_the_newest_are_remembered_whatever_came_at_once(
    path: Path, signal: str, made: Any, wanted: int, remembered: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seamscope.store.ingesting.REFILL_ROWS", wanted)
    groups = [{signal: rows(signal, *(made(number) for number in range(first, first + 20)))} for first in (0, 20)]
    with Store.open(path) as store:
        for group in groups:
            store.commit(group, now_ns=NOW_NS)
    with Store.open(path) as again:
        assert [again.commit(group, now_ns=NOW_NS).duplicates.get(signal, 0) for group in groups] == remembered


def test_the_same_line_twice_in_one_request_is_two_lines(store: Store, path: Path) -> None:
    twice = rows("logs", line(1), line(1), line(2)).append_column("copy", pa.array([0, 1, 0], pa.uint32()))
    receipt = store.commit({"logs": pa.concat_tables([twice, twice])}, now_ns=NOW_NS)
    assert (receipt.rows, receipt.duplicates) == ({"logs": 3}, {"logs": 3})
    store.close()
    with Store.open(path) as again:
        assert again.commit({"logs": twice}, now_ns=NOW_NS).duplicates == {"logs": 3}


def test_lines_that_say_no_time_are_never_taken_for_a_retry(store: Store, path: Path) -> None:
    timeless = {"logs": rows("logs", line(1, time_ns=0, observed_ns=0), line(1, time_ns=None, observed_ns=None))}
    for _ in range(2):
        assert store.commit(timeless, now_ns=NOW_NS).duplicates == {}
    store.close()
    with Store.open(path) as again:
        assert again.commit(timeless, now_ns=NOW_NS).duplicates == {}
        assert stored(again, "logs") == 6


def test_spelling_of_columns_is_no_difference(store: Store) -> None:
    plain = spans(5)
    store.commit({"spans": plain}, now_ns=NOW_NS)
    place = plain.schema.get_field_index("name")
    coded = plain.set_column(place, "name", plain["name"].dictionary_encode())
    assert store.commit({"spans": coded}, now_ns=NOW_NS).duplicate_spans == 5


def test_what_the_door_derives_is_no_difference(store: Store) -> None:
    store.commit({"spans": rows("spans", span(1))}, now_ns=NOW_NS)
    ruled = rows("spans", span(1, tier_hint=3, operation="GET /{id}", role=1))
    assert store.commit({"spans": ruled}, now_ns=NOW_NS).duplicate_spans == 1


@pytest.mark.parametrize(
    "change",
    [
        {"kind": 3},
        {"end_ns": START_NS},
        {"name": "other"},
        {"status": 2},
        {"status_message": "boom"},
        {"parent_id": 99},
        {"resource_id": 2},
        {"attributes": attributes(http__route="/x")},
        {"attributes": attributes(http__route="/x1", number="")},
        {"attributes": []},
        {"dropped_attributes": 1},
    ],
)
def test_different_body_is_kept(store: Store, change: dict[str, Any]) -> None:
    store.commit({"spans": rows("spans", span(1))}, now_ns=NOW_NS)
    receipt = store.commit({"spans": rows("spans", span(1, **change))}, now_ns=NOW_NS)
    assert (receipt.rows, receipt.duplicate_spans) == ({"spans": 1}, 0)


@pytest.mark.parametrize("events", [[event(1), event(1, name="two")], [event(1, at_ns=5)], []])
def test_different_events_are_a_different_body(store: Store, events: list[dict[str, Any]]) -> None:
    group = {"spans": rows("spans", span(1)), "span_events": rows("span_events", event(1))}
    store.commit(group, now_ns=NOW_NS)
    other = {"spans": rows("spans", span(1)), "span_events": rows("span_events", *events)}
    assert store.commit(other, now_ns=NOW_NS).duplicate_spans == 0


def test_events_and_links_of_what_is_kept_are_kept(store: Store) -> None:
    store.commit({"spans": spans(2), "span_events": rows("span_events", event(0))}, now_ns=NOW_NS)
    key = {name: span(2)[name] for name in ("trace_hi", "trace_lo", "span_id", "kind")}
    link = {**key, "linked_trace_hi": 1, "linked_trace_lo": 2, "linked_span_id": 3}
    group = {
        "spans": spans(3),
        "span_events": rows("span_events", event(0), event(2)),
        "span_links": rows("span_links", link),
    }
    receipt = store.commit(group, now_ns=NOW_NS)
    assert receipt.rows == {"spans": 1, "span_events": 1, "span_links": 1}
    assert stored(store, "span_events") == 2


def test_window_is_bounded(path: Path) -> None:
    with Store.open(path, settings=Settings(remembered_items=10)) as store:
        for first in range(0, 50, 5):
            store.commit({"spans": spans(5, first=first)}, now_ns=NOW_NS)
        assert store.commit({"spans": spans(5, first=45)}, now_ns=NOW_NS).duplicate_spans == 5
        assert store.commit({"spans": spans(5, first=0)}, now_ns=NOW_NS).duplicate_spans == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 40), max_size=12, unique=True), max_size=20), st.integers(1, 16))
def test_remembers_the_latest_and_forgets_the_oldest(groups: list[list[int]], window: int) -> None:
    recent = RecentItems(window)
    given_so_far: list[int] = []
    for group in groups:
        numbers = np.array(group, np.uint64) * np.uint64(0x9E37_79B9_7F4A_7C15)
        unseen = recent.unseen(numbers).tolist()
        for number, is_new in zip(group, unseen, strict=True):
            if number in given_so_far[-window:] and number + 1 > 1:
                assert not is_new
            if number not in given_so_far and number + 1 > 1:
                assert is_new
        fresh = [number for number, is_new in zip(group, unseen, strict=True) if is_new]
        recent.remember(numbers[np.array(unseen, bool)] if unseen else numbers)
        given_so_far += fresh


def test_memory_is_bounded() -> None:
    recent = RecentItems(1000)
    for first in range(0, 100_000, 700):
        recent.remember(np.arange(first + 1, first + 701, dtype=np.uint64))
    assert len(recent._young) + len(recent._old) <= 8192


def test_a_transaction_left_open_by_a_failure_is_undone_before_the_next(tmp_path: Path) -> None:
    with Store.open(tmp_path / "test.duckdb") as store:
        cursor = store._ingest._cursor
        cursor.begin()
        with pytest.raises(duckdb.Error):
            cursor.execute("SELECT error('no memory')").fetchall()
        store.commit({"spans": spans(3)}, now_ns=START_NS)
        assert store.query("SELECT count(*) FROM base.spans").item() == 3
