"""Old traces go as wholes with all that belongs to them, younger ones keep every row, the disk gets its room back."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from seamscope.schema.tables import INGESTED, RESULTS
from seamscope.store import Store, giving_back, retention
from seamscope.store.layout import tables_of
from tests.seamscope.store_rows import BULK, START_NS, bulk, event, owner, request, resource, rows, span

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = [table for name in (*INGESTED, *RESULTS) for table in tables_of(name)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "test.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as opened:
        yield opened


def link(number: int) -> dict[str, object]:
    key = {name: span(number)[name] for name in ("trace_hi", "trace_lo", "span_id", "kind")}
    return {**key, "linked_trace_hi": 1, "linked_trace_lo": 2, "linked_span_id": 3, "flags": 0, "attributes": []}


def log(number: int) -> dict[str, object]:
    key = {name: span(number)[name] for name in ("trace_hi", "trace_lo", "span_id")}
    return {**key, "time_ns": START_NS, "severity": 9, "body": f"line {number}", "resource_id": 1, "attributes": []}


def commit(store: Store, *numbers: int) -> int:
    """Store some spans (ten to a trace) in one commit, each with an event, a link, a log line, and something of rows
    beside; the commit comes as many nanoseconds after 1970 as its number says."""
    said = [span(number, db_system="mysql", url_full=f"http://{number}/", dns_ns=5) for number in numbers]
    given = {
        "spans": rows("spans", *said),
        "span_events": rows("span_events", *(event(number) for number in numbers)),
        "span_links": rows("span_links", *(link(number) for number in numbers)),
        "logs": rows("logs", *(log(number) for number in numbers)),
        "metric_points": rows("metric_points", *({"resource_id": 1, "time_ns": number} for number in numbers)),
        "resources": rows("resources", resource()),
    }
    last = store.query("SELECT coalesce(max(commit_no), 0) FROM base.span_rows").item()
    return store.commit(given, now_ns=int(last) + 1).commit_no


def analysed(store: Store, *entries: int, joined: int | None = None) -> None:
    """Store a request per entry span, with a row in every table; `joined`: the first also has that span's trace."""
    key = [{"request_no": n, **{k: span(e)[k] for k in ("trace_hi", "trace_lo")}} for n, e in enumerate(entries)]
    traces = [{**row, "joined_by": 0} for row in key]
    if joined is not None:
        traces.append({**traces[0], "trace_lo": span(joined)["trace_lo"]})
    stretch = {"horizon": 0, "start_ns": 0, "end_ns": 100, "span_id": 0, "call_id": 0, "cause": 1, "evidence": 1}
    hop = {"client_span_id": 5, "server_span_id": 0, "seam_no": 0, "dns_ns": 5}
    found = {
        "requests": rows("requests", *(request(e, request_no=n, dominant_owner_no=0) for n, e in enumerate(entries))),
        "request_traces": rows("request_traces", *traces),
        "segments": rows("segments", *({"request_no": row["request_no"], "owner_no": 0, **stretch} for row in key)),
        "hops": rows("hops", *({**row, **hop} for row in key)),
        "warnings": rows("warnings", *({**row, "span_id": 1, "code": 3} for row in key)),
        "async_work": rows("async_work", *({**row, "span_id": 1, "link": "link"} for row in key)),
        "inferences": rows("inferences", *({**row, "client_span_id": 5, "cause": 1, "ns": 1} for row in key)),
    }
    store.write_results(found, rows("owners", owner(0, "origin:orders")))


def content(store: Store) -> dict[str, pl.DataFrame]:
    return {table: store.query(f"SELECT * FROM base.{table} ORDER BY ALL") for table in ROWS}  # noqa: S608


def traces_of(store: Store, table: str = "span_rows") -> list[int]:
    return store.query(f"SELECT DISTINCT trace_lo FROM base.{table} ORDER BY 1").to_series().to_list()  # noqa: S608


def spans_of(done: retention.Dropped) -> int:
    return done.rows.get("spans", 0)


def counts(store: Store) -> dict[str, int]:
    return {table: frame.height for table, frame in content(store).items() if table != "resources"}


def test_old_traces_go_with_all_that_belongs_to_them(store: Store) -> None:
    for number in (0, 10, 20):
        commit(store, number, number + 1)
        analysed(store, number)
    before = content(store)
    done = retention.step(store, upto=2)
    assert (done.upto, spans_of(done), done.requests) == (2, 4, 2)
    assert done.traces.sort("trace_lo").rows() == [(7, 1), (7, 2)]
    assert all(traces_of(store, table) == [3] for table in ("span_rows", "span_events", "logs", "requests"))
    after = content(store)
    for table, frame in after.items():
        if table != "resources":
            share = 2 if table in {"span_rows", "span_texts", "span_details"} else None
            assert frame.height == (share or before[table].height // 3), table
    assert retention.step(store, upto=2).upto == 0


def test_what_is_left_is_what_would_have_been_stored_alone(tmp_path: Path, store: Store) -> None:
    for number in (0, 10, 20):
        commit(store, number)
    retention.step(store, upto=2)
    with Store.open(tmp_path / "alone.duckdb") as other:
        for number in (0, 10, 20):
            commit(other, number)
        expected = {
            table: frame.filter(pl.col("trace_lo") == 3)
            for table, frame in content(other).items()
            if frame.schema.get("trace_lo") == pl.UInt64
        }
    left = content(store)
    for table, frame in expected.items():
        assert_frame_equal(left[table], frame)


@pytest.mark.parametrize("moved", [0, 10_000])
def test_a_trace_that_went_on_stays_whole(store: Store, monkeypatch: pytest.MonkeyPatch, moved: int) -> None:
    monkeypatch.setattr(retention, "MOVED_ROWS", moved)
    commit(store, 0, 10, 11)
    commit(store, 20)
    commit(store, 1)
    analysed(store, 0, 10, 20)
    before = content(store)
    done = retention.step(store, upto=2)
    assert (spans_of(done), done.traces.height, done.requests) == (3, 2, 2)
    after = content(store)
    for table, frame in before.items():
        if frame.schema.get("trace_lo") == pl.UInt64:
            assert_frame_equal(after[table], frame.filter(pl.col("trace_lo") == 1), check_row_order=False)
    assert after["span_texts"]["url_full"].sort().to_list() == ["http://0/", "http://1/"]
    assert store.query("SELECT count(*) FROM spans WHERE db_system = 'mysql'").item() == 2


def test_traces_of_one_request_go_together(store: Store) -> None:
    commit(store, 0)
    commit(store, 10)
    commit(store, 20)
    commit(store, 30)
    analysed(store, 0, joined=10)
    analysed(store, 10, joined=30)
    analysed(store, 20)
    done = retention.step(store, upto=3)
    assert (done.traces.rows(), done.requests) == ([(7, 3)], 1)
    assert traces_of(store) == traces_of(store, "request_traces") == [1, 2, 4]
    assert retention.step(store, upto=4).requests == 2
    assert counts(store) == dict.fromkeys(counts(store), 0)


def test_what_stays_does_not_hold_up_what_comes_after_it(store: Store) -> None:
    commit(store, 0)
    commit(store, 10)
    commit(store, 1)
    first = retention.step(store, upto=2, rows=3)
    assert (first.upto, spans_of(first)) == (1, 0)
    second = retention.step(store, after=first.upto, upto=2, rows=3)
    assert (second.upto, spans_of(second)) == (2, 1)
    last = retention.step(store, after=second.upto, upto=3)
    assert (last.upto, spans_of(last)) == (3, 2)


def test_log_lines_of_a_trace_that_went_on_stay_with_it(store: Store) -> None:
    lone = {"trace_hi": 0, "trace_lo": 0, "span_id": 0, "time_ns": 1, "resource_id": 1, "attributes": []}
    store.commit({"logs": rows("logs", lone, {**log(0), "body": "ahead of its trace"})}, now_ns=1)
    commit(store, 0)
    commit(store, 1)
    done = retention.step(store, upto=2, rows=1)
    assert (done.upto, done.rows) == (1, {"spans": 0, "logs": 1, "metric_points": 0})
    done = retention.step(store, after=1, upto=2)
    assert (done.upto, done.rows) == (2, {"spans": 0, "logs": 0, "metric_points": 1})
    assert store.query("SELECT commit_no FROM base.logs ORDER BY 1").to_series().to_list() == [1, 2, 3]
    assert retention.step(store).rows == {"spans": 2, "logs": 3, "metric_points": 1}


def test_numbers_of_what_is_gone_are_not_given_again(store: Store, path: Path) -> None:
    commit(store, 0)
    commit(store, 10)
    analysed(store, 0)
    analysed(store, 10)
    retention.step(store)
    store.close()
    with Store.open(path) as again:
        assert commit(again, 20) == 3
        assert again.write_results({}, rows("owners")) == 3


def test_age_is_the_arrivals_and_a_clock_set_back_lets_nothing_go_early(store: Store) -> None:
    for number, now_ns in enumerate((100, 200, 50, 300)):
        store.commit({"spans": rows("spans", span(10 * number))}, now_ns=now_ns)
    assert [retention.expired(store, since, 400) for since in (100, 101, 200, 201, 300, 301)] == [0, 1, 1, 3, 3, 4]


def test_what_came_while_the_clock_was_ahead_goes_with_what_came_after_it(store: Store) -> None:
    for number, now_ns in enumerate((100, 9_000, 200, 300, 9_500)):
        store.commit({"spans": rows("spans", span(10 * number))}, now_ns=now_ns)
    assert [retention.expired(store, since, 400) for since in (100, 101, 200, 201, 301)] == [0, 1, 1, 3, 4]
    assert retention.expired(store, 9_600, 9_700) == 5


def test_an_empty_store_has_nothing_to_drop(store: Store) -> None:
    assert retention.expired(store, 1 << 60, 1 << 61) == 0
    assert retention.step(store) == retention.Dropped()
    assert giving_back.step(store).rows >= 1  # the row about the store itself


def test_the_file_gives_its_room_back(store: Store, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(giving_back, "SLACK_BYTES", 1 << 19)
    for number in range(1, 7):
        store.commit(bulk(number), now_ns=number)
    store.checkpoint()
    full = path.stat().st_size
    kept = store.query("SELECT * FROM base.spans WHERE commit_no > 4 ORDER BY span_no")
    retention.step(store, upto=4, rows=1 << 30)
    assert store.checkpoint_alone()
    assert giving_back.usage(store).is_slack
    steps = 0
    while giving_back.usage(store).is_slack:
        giving_back.step(store)
        assert store.checkpoint_alone()
        steps += 1
        assert steps < 10
    assert path.stat().st_size < 1.5 * full / 3
    assert_frame_equal(store.query("SELECT * FROM base.spans ORDER BY span_no"), kept)
    store.commit(bulk(7), now_ns=7)
    assert store.query("SELECT count(*) FROM base.spans").item() == 3 * BULK


def test_commits_go_on_beside(store: Store) -> None:
    store.commit(bulk(1), now_ns=1)
    numbers = iter(range(100, 10_000, 10))
    stop, failed = threading.Event(), []

    def ingest() -> None:
        while not stop.is_set():
            try:
                store.commit({"spans": rows("spans", span(next(numbers)))}, now_ns=2)
            except Exception as error:  # noqa: BLE001 - told below
                failed.append(error)

    thread = threading.Thread(target=ingest)
    thread.start()
    gone = retention.step(store, upto=1, rows=1 << 30).rows["spans"]
    while giving_back.step(store).was_far:
        store.checkpoint_alone()
    stop.set()
    thread.join()
    assert (gone, failed) == (BULK, [])
    assert store.query("SELECT count(*), count(DISTINCT span_id) FROM base.span_rows").row(0) == 2 * (
        (next(numbers) - 100) // 10,
    )


def test_the_store_is_alone_when_its_guests_have_ended(store: Store) -> None:
    commit(store, 0)
    with store.guest() as guest:
        reading = guest.stream("SELECT * FROM range(100000000) a, range(1000) b")
        next(reading)
        alone: list[bool] = []
        waiting = threading.Thread(target=lambda: alone.append(store.checkpoint_alone()))
        waiting.start()
        reading.close()
    waiting.join()
    assert alone == [True]
