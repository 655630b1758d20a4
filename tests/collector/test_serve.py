"""The collector as a whole: it stops in order, survives kill -9, and two of them do not get in each other's way."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import grpc
import pytest

from seamscope.errors import EndpointError, SeamscopeError, StoreLockedError
from seamscope.store import Store
from tests.collector import traffic

if TYPE_CHECKING:
    from pathlib import Path

    from collector.doors.addresses import Address


def send_until_refused(address: Address, start: int, acknowledged: set[int], busy: threading.Barrier) -> None:
    """Send request after request; note the spans of those that were acknowledged."""
    with grpc.insecure_channel(str(address)) as channel:
        export = channel.unary_unary(traffic.METHODS["traces"])
        for number in range(start, start + 100_000):
            request = traffic.spans(64, seed=number)
            try:
                export(request.SerializeToString(), timeout=traffic.DEADLINE_S)
            except grpc.RpcError:
                return
            acknowledged |= traffic.span_ids(request)
            if number == start + 3:
                busy.wait(traffic.DEADLINE_S)


def load(address: Address, senders: int = 4) -> tuple[list[threading.Thread], list[set[int]]]:
    """Start senders; return once all of them have had answers, while they go on."""
    acknowledged: list[set[int]] = [set() for _ in range(senders)]
    busy = threading.Barrier(senders + 1)
    threads = [
        threading.Thread(target=send_until_refused, args=(address, 1_000_000 * each, acknowledged[each], busy))
        for each in range(senders)
    ]
    for thread in threads:
        thread.start()
    busy.wait(traffic.DEADLINE_S)
    return threads, acknowledged


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    with traffic.collecting(tmp_path, "--db", "store.duckdb") as listening:
        threads, acknowledged = load(listening.grpc)
        listening.program.process.kill()
        for thread in threads:
            thread.join()
    known = set().union(*acknowledged)
    with Store.open(tmp_path / "store.duckdb") as store:
        stored = traffic.stored_spans(store)
        traces = store.query("SELECT count(*) AS n FROM base.spans GROUP BY trace_hi, trace_lo")["n"]
    assert len(known) >= 4 * 4 * 64
    assert known <= stored
    assert set(traces.to_list()) == {8}  # no torn request


def test_a_stop_under_load_answers_what_it_holds(tmp_path: Path) -> None:
    with traffic.running(tmp_path) as collector:
        threads, acknowledged = load(collector.grpc)
    for thread in threads:
        thread.join()
    with Store.open(tmp_path / "store.duckdb") as store:
        assert set().union(*acknowledged) <= traffic.stored_spans(store)


def test_a_restart_goes_on_where_it_stopped(tmp_path: Path) -> None:
    for seed in range(2):
        with traffic.running(tmp_path) as collector:
            traffic.call(collector.grpc, traffic.spans(8, seed=seed).SerializeToString())
            assert traffic.count(collector.store, "spans") == 8 * (seed + 1)


def test_a_retry_after_a_restart_is_recognised(tmp_path: Path) -> None:
    data = traffic.spans(8).SerializeToString()
    for _ in range(2):
        with traffic.running(tmp_path) as collector:
            assert traffic.call(collector.grpc, data).code is grpc.StatusCode.OK
            assert traffic.count(collector.store, "spans") == 8


def test_a_second_collector_names_the_first(tmp_path: Path) -> None:
    with traffic.collecting(tmp_path, "--db", "store.duckdb") as first:
        with (
            pytest.raises(StoreLockedError, match=str(first.program.process.pid)),
            traffic.running(tmp_path),
        ):
            pass
        request = traffic.spans(8)
        assert traffic.call(first.grpc, request.SerializeToString()).code is grpc.StatusCode.OK


def test_a_start_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    before = threading.active_count()
    (tmp_path / "other").mkdir()
    with traffic.running(tmp_path) as first:
        with pytest.raises(EndpointError), traffic.running(tmp_path / "other", http=first.http):
            pass
        with Store.open(tmp_path / "other" / "store.duckdb") as store:  # let go of, and whole
            assert traffic.count(store, "spans") == 0
    assert threading.active_count() <= before + 1  # grpc keeps a poller


def test_both_doors_feed_one_store(tmp_path: Path) -> None:
    with traffic.running(tmp_path) as collector:
        traffic.call(collector.grpc, traffic.spans(8, seed=1).SerializeToString())
        traffic.post(collector.http, traffic.as_json(traffic.spans(8, seed=2)), traffic.JSON)
        assert traffic.count(collector.store, "spans") == 16
        services = collector.store.query("SELECT DISTINCT service FROM base.resources")["service"].to_list()
        assert services == ["orders"]


def test_libraries_that_are_known_to_lose_data_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from seamscope import health

    monkeypatch.setattr(health, "LEAST", {"duckdb": (99, 0)})
    with pytest.raises(SeamscopeError, match=r"not with these libraries.*duckdb"), traffic.running(tmp_path):
        pass
    assert not (tmp_path / "store.duckdb").exists()


def test_a_second_interrupt_ends_it_at_once_and_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    import signal

    request = traffic.spans(64)
    with traffic.collecting(tmp_path, "--db", "store.duckdb") as listening:
        assert traffic.call(listening.grpc, request.SerializeToString()).code is grpc.StatusCode.OK
        for _ in range(2):
            listening.program.send(signal.SIGINT)
        assert listening.program.end()[0] in {130, -signal.SIGINT}
    with Store.open(tmp_path / "store.duckdb") as store:
        assert traffic.span_ids(request) <= traffic.stored_spans(store)
