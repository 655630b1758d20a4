"""What nothing refers to any more goes, what came meanwhile stays, and what comes again is written again."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from seamscope.store import Store, dictionaries, retention
from tests.seamscope.store_rows import event, owner, request, resource, rows, span

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "test.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as opened:
        yield opened


def commit(store: Store, number: int, resource_id: int, signal: str = "spans") -> None:
    """Store a row of a signal with its resource; `number` says which, and when it came."""
    said: dict[str, Any] = {"resource_id": resource_id, "time_ns": number, "attributes": []}
    given = {
        "spans": span(number, resource_id=resource_id),
        "logs": {**said, "trace_hi": 0, "trace_lo": 0, "span_id": 0},
        "metric_points": said,
    }
    service = resource(resource_id, f"service-{resource_id}")
    store.commit({signal: rows(signal, given[signal]), "resources": rows("resources", service)}, now_ns=number)


def analysed(store: Store, entry: int, dominant: str, path: str, seam: str) -> int:
    """Store a request that spent its time with one owner, and had a hop over a seam; give its number."""
    key = {"request_no": 0, **{name: span(entry)[name] for name in ("trace_hi", "trace_lo")}}
    stretch = {"horizon": 0, "start_ns": 0, "end_ns": 100, "span_id": 0, "call_id": 0, "cause": 1, "evidence": 1}
    hop = {"client_span_id": 5, "server_span_id": 0}
    found = {
        "requests": rows("requests", request(entry, dominant_owner_no=0)),
        "request_traces": rows("request_traces", {**key, "joined_by": 0}),
        "segments": rows("segments", {**key, "owner_no": 1, **stretch}),
        "hops": rows("hops", {**key, "seam_no": 2, **hop}),
    }
    owners = rows("owners", owner(0, dominant), owner(1, path), owner(2, seam))
    return store.write_results(found, owners)


def names(store: Store, table: str, column: str) -> list[Any]:
    return store.query(f"SELECT {column} FROM base.{table} ORDER BY 1").to_series().to_list()  # noqa: S608


@pytest.mark.parametrize("signal", ["spans", "logs", "metric_points"])
def test_resources_go_with_the_last_row_that_names_them(store: Store, signal: str) -> None:
    for number, resource_id in enumerate((1, 2, 1, 3), start=1):
        commit(store, 10 * number, resource_id, signal)
    assert dictionaries.prune(store)["resources"] == 0
    retention.step(store, upto=2)
    assert dictionaries.prune(store)["resources"] == 1
    assert names(store, "resources", "resource_id") == [1, 3]


def test_a_resource_that_comes_again_is_written_again(store: Store) -> None:
    commit(store, 10, 1)
    commit(store, 20, 2)
    retention.step(store, upto=1)
    dictionaries.prune(store)
    commit(store, 30, 1)
    assert names(store, "resources", "service") == ["service-1", "service-2"]
    assert names(store, "resources", "resource_id") == [1, 2]
    assert store.query("SELECT service FROM spans ORDER BY start_ns").to_series().to_list() == [
        "service-2",
        "service-1",
    ]


def test_shapes_go_with_the_last_span_that_has_them_and_are_written_again_when_they_come_again(store: Store) -> None:
    for number, route in enumerate(("/a", "/b", "/a"), start=1):
        store.commit({"spans": rows("spans", span(10 * number, route=route))}, now_ns=number)
    assert names(store, "span_shapes", "route") == ["/a", "/b"]
    retention.step(store, upto=2)
    assert dictionaries.prune(store)["span_shapes"] == 1
    for number, route in enumerate(("/b", "/a"), start=4):
        store.commit({"spans": rows("spans", span(10 * number, route=route))}, now_ns=number)
    assert names(store, "spans", "route") == ["/a", "/a", "/b"]
    assert set(names(store, "span_shapes", "route")) == {"/a", "/b"}


def test_what_comes_while_it_is_looked_for_keeps_its_resource(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(store, 10, 1)
    commit(store, 20, 2)
    retention.step(store)
    query = store.query

    def beside(sql: str, params: None = None) -> pl.DataFrame:
        found = query(sql, params)
        if "base.resources" in sql:
            commit(store, 30, 2)
        return found

    monkeypatch.setattr(store, "query", beside)
    assert dictionaries.prune(store)["resources"] == 1
    monkeypatch.undo()
    assert names(store, "resources", "resource_id") == [2]
    assert store.query("SELECT service FROM spans").item() == "service-2"


def test_owners_and_kinds_go_with_the_last_request_that_names_them(store: Store) -> None:
    commit(store, 0, 1)
    commit(store, 10, 1)
    analysed(store, 0, "origin:a", "origin:b", "render:web→origin:a")
    analysed(store, 10, "origin:a", "origin:c", "render:web→origin:c")
    retention.step(store, upto=1)
    done = dictionaries.prune(store)
    assert (done["owners"], done["segment_kinds"], done["hop_kinds"]) == (2, 1, 1)
    assert names(store, "owners", "owner") == ["origin:a", "origin:c", "render:web→origin:c"]
    assert store.query("SELECT owner FROM segments").to_series().to_list() == ["origin:c"]
    assert store.query("SELECT seam FROM hops").to_series().to_list() == ["render:web→origin:c"]


def test_numbers_that_are_in_use_are_not_given_to_others(store: Store, path: Path) -> None:
    """Fewer rows than the largest number says must not make the next one a number that somebody has."""
    commit(store, 0, 1)
    commit(store, 10, 1)
    analysed(store, 0, "origin:a", "origin:b", "render:web→origin:a")
    analysed(store, 10, "origin:c", "origin:d", "render:web→origin:c")
    retention.step(store, upto=1)
    dictionaries.prune(store)
    analysed(store, 20, "origin:e", "origin:b", "render:web→origin:c")
    store.close()
    with Store.open(path) as again:
        analysed(again, 30, "origin:f", "origin:d", "render:web→origin:f")
        assert len(set(names(again, "owners", "owner_no"))) == len(names(again, "owners", "owner")) == 7
        text = "SELECT o.owner FROM base.segments JOIN base.owners o USING (owner_no) ORDER BY request_no"
        assert again.query(text).to_series().to_list() == ["origin:d", "origin:b", "origin:d"]
        dominant = again.query("SELECT dominant_owner FROM requests ORDER BY start_ns").to_series().to_list()
        assert dominant == ["origin:c", "origin:e", "origin:f"]


def test_findings_go_with_the_last_request_that_shows_them(store: Store) -> None:
    commit(store, 0, 1)
    number = analysed(store, 0, "origin:a", "origin:b", "render:web→origin:a")
    said = {"finding_id": ["x"], "rule": [1], "message": ["m"], "requests": [1], "cost_ns": [1]}
    shown = {"finding_id": ["x"], "request_no": [number], "cost_ns": [1], "span_ids": [[1]]}
    store.write_findings(pl.DataFrame(said), pl.DataFrame(shown))
    assert dictionaries.prune(store)["findings"] == 0
    retention.step(store)
    assert dictionaries.prune(store)["findings"] == 1
    assert names(store, "findings", "finding_id") == []


def test_commits_go_on_beside(store: Store) -> None:
    """A sender whose resource comes and goes: every stored span has its resource, once."""
    failed: list[BaseException] = []
    stop = threading.Event()

    def ingest() -> None:
        number = 0
        while not stop.is_set() and not failed:
            number += 10
            try:
                commit(store, number, 1 + number // 10 % 40)
            except BaseException as error:  # noqa: BLE001 - told below
                failed.append(error)

    thread = threading.Thread(target=ingest)
    thread.start()
    gone = 0
    while gone < 60 and not failed:
        retention.step(store)
        gone += dictionaries.prune(store)["resources"]
    stop.set()
    thread.join()
    assert failed == []
    assert len(set(names(store, "resources", "resource_id"))) == len(names(store, "resources", "resource_id"))
    assert store.query("SELECT count(*) FROM spans WHERE service IS NULL").item() == 0
    assert store.query("SELECT count(*) FROM spans").item() == store.query("SELECT count(*) FROM base.span_rows").item()


def test_every_table_that_only_grows_is_listed() -> None:
    """Tables whose rows neither a commit, nor a request, nor a look at findings brings along."""
    from seamscope.store.tables import listed

    pruned = {each.table for each in dictionaries.DICTIONARIES}
    with_rows_of_their_own = {"base", "store", "windows", *retention.all_tables()}
    assert set(listed("schema")) == pruned | with_rows_of_their_own


def test_events_do_not_keep_a_resource(store: Store) -> None:
    store.commit({"span_events": rows("span_events", event(0)), "resources": rows("resources", resource())}, now_ns=1)
    assert dictionaries.prune(store)["resources"] == 1
