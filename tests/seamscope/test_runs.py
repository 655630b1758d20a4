"""Stored spans become stored results: as traces settle, again when spans come late, and the same from the start."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest
from click.testing import CliRunner

import analysis
from analysis.stitch import MOST_PIECES
from seamscope import bridge, known_hosts, roll, runs
from seamscope.batches import batches
from seamscope.bridge import Pace
from seamscope.errors import QueryLaterError, StoreError
from seamscope.schema.tables import RESOURCES, SPAN_LINKS, SPANS
from seamscope.sparing import Failed
from seamscope.store import Store
from seamscope.windows import COMPARED_SPANS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECOND = 1_000_000_000
MS = 1_000_000
START = 1_700_000_000 * SECOND
HOURS = 7_200 * SECOND

TABLES = ("requests", "segments", "hops", "warnings", "async_work", "request_traces", "inferences")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "runs.duckdb") as opened:
        yield opened


def span(trace: int, number: int, kind: int, start: int, end: int, parent: int = 0, **columns: Any) -> dict[str, Any]:
    return {
        "trace_hi": 9, "trace_lo": trace, "span_id": trace * 100 + number,
        "parent_id": trace * 100 + parent if parent else 0,
        "kind": kind, "flags": 0, "start_ns": START + start * MS, "end_ns": START + end * MS, "status": 0,
        "weight": 1.0, "resource_id": 1, "role": 0, "extent": 0, "tier_hint": 0, "grain_ns": 1,
        "operation": f"span {number}",
        **columns,
    }  # fmt: skip


def commit(store: Store, rows: list[dict[str, Any]], at_s: float, links: list[dict[str, Any]] | None = None) -> None:
    resources = [
        {"resource_id": number, "service": service, "instance": service, "pooled": False, "tier": 4}
        for number, service in ((1, "web"), (2, "orders"), (3, "auth"))
    ]
    batch = {"spans": pa.Table.from_pylist(rows, SPANS), "resources": pa.Table.from_pylist(resources, RESOURCES)}
    if links:
        batch["span_links"] = pa.Table.from_pylist(links, SPAN_LINKS)
    store.commit(batch, now_ns=START + round(at_s * SECOND))


def page(trace: int) -> list[dict[str, Any]]:
    return [
        span(trace, 1, 2, 0, 100),
        span(trace, 2, 3, 10, 90, 1, peer="10.0.0.9", peer_port=80, extent=2),
        span(trace, 3, 2, 20, 80, 2, resource_id=2),
    ]


def rows_of(store: Store) -> dict[str, pl.DataFrame]:
    found = {}
    for name in TABLES:
        frame = store.query(f"FROM {name}")
        drop = [column for column in ("revision",) if column in frame.columns]
        found[name] = frame.drop(drop).sort(pl.all()) if name != "async_work" else frame.sort(pl.all())
    return found


def assert_as_from_the_start(store: Store, settler: runs.Settler, compared_spans: int = COMPARED_SPANS) -> None:
    """What was analysed as it came is, once it has settled, what an analysis of everything at once gives."""
    settler.step(at(3_000))
    live = rows_of(store)
    assert live["requests"]["final"].all()
    runs.Settler(store, pace=Pace(compared_spans=compared_spans)).analyze(everything=True)
    again = rows_of(store)
    for name in TABLES:
        assert live[name].equals(again[name]), name


def at(seconds: float) -> int:
    return START + round(seconds * SECOND)


def test_a_trace_is_analysed_when_it_has_settled(store: Store) -> None:
    settler = runs.Settler(store)
    commit(store, page(1), 0)
    assert settler.step(at(9)).traces == 0
    done = settler.step(at(10))
    assert (done.traces, done.spans, done.requests, done.revised) == (1, 3, 1, 0)
    assert settler.step(at(30)).traces == 0
    request = store.query("SELECT * FROM requests").to_dicts()[0]
    assert (request["complete_ns"], request["revision"], request["settled_ns"]) == (100 * MS, 1, at(0))
    assert request["request_id"] == "00000000000000090000000000000001-0000000000000065"
    assert_as_from_the_start(store, settler)


def test_spans_that_go_on_coming_keep_a_trace_open(store: Store) -> None:
    settler = runs.Settler(store)
    commit(store, page(1)[:1], 0)
    settler.step(at(5))
    commit(store, page(1)[1:2], 8)
    assert settler.step(at(12)).traces == 0
    commit(store, page(1)[2:], 16)
    assert settler.step(at(25)).traces == 0
    assert settler.step(at(26)).spans == 3
    assert store.query("SELECT revision FROM requests").item() == 1


def test_late_spans_revise_a_request(store: Store) -> None:
    settler = runs.Settler(store)
    commit(store, page(1)[:2], 0)
    commit(store, page(2), 0)
    settler.step(at(20))
    assert store.query("SELECT seam FROM hops ORDER BY start_ns, client_span_id").rows()[0][0].startswith("origin:web→")
    commit(store, page(1)[2:], 100)
    done = settler.step(at(120))
    assert (done.traces, done.spans, done.revised) == (1, 3, 1)
    found = store.query("SELECT trace_id, revision, spans FROM requests ORDER BY trace_id").rows()
    assert [row[1:] for row in found] == [(2, 3), (1, 3)]
    assert store.query("SELECT count(*) FROM hops").item() == 2
    assert_as_from_the_start(store, settler)


def test_a_restart_goes_on_where_the_last_run_stopped(store: Store) -> None:
    commit(store, page(1), 0)
    runs.Settler(store).step(at(20))
    commit(store, page(2)[:2], 21)
    runs.Settler(store).step(at(22))
    commit(store, page(2)[2:], 23)
    settler = runs.Settler(store)
    assert settler.step(at(40)).traces == 1
    assert store.query("SELECT spans FROM requests ORDER BY trace_id").to_series().to_list() == [3, 3]
    assert runs.Settler(store).step(at(99)).traces == 0
    assert_as_from_the_start(store, settler)


def test_a_copy_that_came_later_does_not_keep_a_trace_open_for_ever(store: Store) -> None:
    commit(store, page(1), 0)
    settler = runs.Settler(store)
    settler.step(at(20))
    commit(store, [{**page(1)[0], "end_ns": START + 101 * MS}], 30)
    assert settler.step(at(60)).revised == 1
    assert runs.Settler(store).step(at(99)).traces == 0


def test_a_host_that_turns_out_to_be_a_service_is_one_in_what_was_analysed_before(store: Store) -> None:
    settler = runs.Settler(store)
    commit(store, page(1)[:2], 0)
    settler.step(at(20))
    assert store.query("SELECT seam FROM hops").item() == "origin:web→origin:10.0.0.9:80"
    commit(store, page(2), 30)
    done = settler.step(at(60))
    assert (done.traces, done.revised) == (2, 1)
    assert set(store.query("SELECT seam FROM hops").to_series()) == {"origin:web→origin:orders"}
    assert_as_from_the_start(store, settler)
    assert runs.Settler(store).step(at(99)).traces == 0


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("shows_it_too", [False, True])
def test_what_half_a_trace_showed_of_a_host_is_known_while_another_shows_it(
    store: Store, restarts: bool, shows_it_too: bool
) -> None:
    settler = runs.Settler(store)
    commit(store, [*page(1), *page(2)[:2], *(page(3) if shows_it_too else [])], 0)
    settler.step(at(20))
    assert set(store.query("SELECT seam FROM hops").to_series()) == {"origin:web→origin:orders"}
    commit(store, [span(1, 4, 2, 15, 85, 2, resource_id=3)], 30)
    for second in (60, 61):
        settler = runs.Settler(store) if restarts else settler
        settler.step(at(second))
    silent = "origin:10.0.0.9:80" if shows_it_too else "origin:auth"
    told = store.query("SELECT seam FROM hops WHERE server_span_id IS NULL").to_series().to_list()
    assert told == [f"origin:web→{silent}"]
    assert_as_from_the_start(store, settler)


@pytest.mark.parametrize("then", ["goes on", "fails", "restarts"])
def test_who_called_a_host_that_is_forgotten_is_analysed_again_whatever_comes_between(
    store: Store, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    """The one who called lies in a window that settled long ago, two hours before."""
    settler = runs.Settler(store)
    earlier = [{**row, "start_ns": row["start_ns"] - HOURS, "end_ns": row["end_ns"] - HOURS} for row in page(2)[:2]]
    commit(store, [*earlier, *page(1)], 0)
    for second in (20, 3_000, 3_001):
        settler.step(at(second))
    seam = "SELECT seam FROM hops WHERE server_span_id IS NULL"
    assert store.query(seam).item() == "origin:web→origin:orders"
    commit(store, [span(1, 4, 2, 15, 85, 2, resource_id=3)], 3_030)
    if then == "fails":
        with monkeypatch.context() as patched:
            patched.setattr(known_hosts.KnownHosts, "check", fails)
            with pytest.raises(QueryLaterError):
                settler.step(at(3_060))
    else:
        settler.step(at(3_060 if then == "goes on" else 9_000))
        assert settler.lag_ns(at(9_001)) == 0  # it has results; that it is to be analysed again is no lag
    settler = runs.Settler(store) if then == "restarts" else settler
    for second in (9_001, 9_002, 9_003):
        settler.step(at(second))
    assert store.query(seam).item() == "origin:web→origin:auth"


def fails(*_: Any) -> Any:
    raise QueryLaterError("no memory")


class Killed(BaseException):
    """As a process that ends here: nothing of ours catches it."""


@pytest.mark.parametrize("error", [QueryLaterError, Killed], ids=["fails", "killed"])
def test_who_called_a_host_that_is_known_now_is_analysed_again_whatever_comes_then(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def fail(*_: Any) -> None:
        raise error("then")

    settler = runs.Settler(store)
    commit(
        store, [{**row, "start_ns": row["start_ns"] - HOURS, "end_ns": row["end_ns"] - HOURS} for row in page(2)[:2]], 0
    )
    for second in (20, 3_000, 3_001):
        settler.step(at(second))
    commit(store, page(1), 3_030)  # a span of the host itself
    with monkeypatch.context() as patched:
        patched.setattr(bridge.Bridge, "_closing", fail)
        with pytest.raises(error):
            settler.step(at(3_060))
    settler = runs.Settler(store)
    for second in (9_001, 9_002):
        settler.step(at(second))
    seams = store.query("SELECT DISTINCT seam FROM hops").to_series().to_list()
    assert seams == ["origin:web→origin:orders"]


def test_who_called_a_service_that_sent_spans_between_two_runs_is_analysed_again(store: Store) -> None:
    def commit_of(rows: list[dict[str, Any]], number: int, service: str) -> None:
        resources = [{"resource_id": number, "service": service, "instance": service, "pooled": False, "tier": 4}]
        batch = {"spans": pa.Table.from_pylist(rows, SPANS), "resources": pa.Table.from_pylist(resources, RESOURCES)}
        store.commit(batch, now_ns=at(0))

    calling = span(1, 2, 3, 10, 90, 1, peer="payments.default.svc", peer_port=443, extent=2)
    commit_of([span(1, 1, 2, 0, 100), calling], 1, "web")
    runs.analyze(store)
    commit_of([span(7, 1, 2, 3_029_000, 3_029_100, resource_id=8)], 8, "payments")
    runs.analyze(store)
    assert store.query("SELECT DISTINCT seam FROM hops").to_series().to_list() == ["origin:web→origin:payments"]
    assert runs.analyze(store).traces == 0


def test_what_a_restart_knows_of_hosts(store: Store) -> None:
    commit(store, page(1), 0)
    runs.Settler(store).step(at(20))
    commit(store, page(2)[:2], 30)
    runs.Settler(store).step(at(60))
    assert set(store.query("SELECT seam FROM hops").to_series()) == {"origin:web→origin:orders"}


@pytest.mark.parametrize("silent", [0, 1], ids=["before", "after"])
def test_a_window_compared_while_another_is_written_hears_of_its_hosts(
    store: Store, monkeypatch: pytest.MonkeyPatch, silent: int
) -> None:
    """The first window is not stored before the second was compared; one of them tells who the other calls."""
    for window in (0, 1):
        rows, length = page(window + 1), 3 * 600 * SECOND * window
        moved = [{**row, "start_ns": row["start_ns"] + length, "end_ns": row["end_ns"] + length} for row in rows]
        commit(store, moved[:2] if window == silent else moved, 0)
    compared, write, compare = [threading.Event(), threading.Event()], store.write_results, analysis.compare
    turns, overlapped = iter(compared), []

    def tells(*given: Any) -> Any:
        found = compare(*given)
        next(turns, threading.Event()).set()
        return found

    def waits(*given: Any) -> int:
        overlapped.append(compared[1].wait(60))
        return write(*given)

    monkeypatch.setattr(bridge, "compare", tells)
    monkeypatch.setattr(store, "write_results", waits)
    done = runs.Settler(store).analyze()
    assert overlapped
    assert all(overlapped)
    assert set(store.query("SELECT seam FROM hops").to_series()) == {"origin:web→origin:orders"}
    assert done.traces == (2 if silent else 3)


def test_all_that_is_stored_settled_or_not(store: Store) -> None:
    commit(store, page(1), 0)
    told: list[tuple[int, int]] = []
    done = runs.analyze(store, progress=lambda now, total: told.append((now, total)))
    assert (done.traces, done.requests) == (1, 1)
    assert told[-1] == (3, 3)
    assert runs.analyze(store).traces == 0
    assert runs.analyze(store, everything=True).revised == 1
    assert store.query("SELECT revision FROM requests").item() == 1


@pytest.mark.parametrize(
    ("commits", "spans", "made"),
    [
        pytest.param([1, 1, 1, 2, 3], [60, 60, 10, 500, 1], [1, 2, 2], id="large commits are split"),
        pytest.param([1, 1, 2, 2, 3], [60, 40, 50, 50, 1], [2, 2, 1], id="as many as fit"),
        pytest.param([1, 2, 2, 3, 3], [60, 30, 20, 90, 9], [3, 2], id="a commit's traces stay together"),
        pytest.param([7, 7, 7, 7, 7], [1, 1, 1, 1, 1], [5], id="one batch"),
    ],
)
def test_batches_hold_whole_traces_and_about_so_many_spans(
    commits: list[int], spans: list[int], made: list[int]
) -> None:
    named = {"trace_hi": [0] * 5, "trace_lo": [1, 2, 3, 4, 5], "last_ns": [0] * 5}
    traces = pl.DataFrame({**named, "first_commit": commits, "spans": spans})
    found = [batch.get_column("trace_lo").to_list() for batch in batches(traces, 100)]
    assert [trace for batch in found for trace in batch] == [1, 2, 3, 4, 5]
    assert [len(batch) for batch in found] == made


def test_a_sender_whose_messages_come_in_two_batches_is_stored_once(
    store: Store,
) -> None:
    commit(store, [span(1, 1, 2, 0, 100), span(1, 2, 4, 10, 20, 1)], 0)
    settler = runs.Settler(store, pace=Pace(compared_spans=1))
    settler.analyze()
    for trace in (2, 3):
        rows, links = message(trace, 1)
        commit(store, rows, trace, links)
    settler.analyze()
    assert store.query("SELECT trace_lo, count(*) FROM base.requests GROUP BY 1 ORDER BY 1").rows() == [
        (1, 1), (2, 1), (3, 1)
    ]  # fmt: skip
    assert store.query("SELECT count(*) FROM async_work").item() == 2


def message(trace: int, sender: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    link = {
        "trace_hi": 9, "trace_lo": trace, "span_id": trace * 100 + 1, "kind": 5, "linked_trace_hi": 9,
        "linked_trace_lo": sender, "linked_span_id": sender * 100 + 2, "flags": 0,
    }  # fmt: skip
    return [span(trace, 1, 5, 200, 300)], [link]


@pytest.mark.parametrize("sender_first", [True, False])
def test_messages_find_the_request_that_sent_them_whichever_comes_first(store: Store, sender_first: bool) -> None:
    settler = runs.Settler(store)
    sender = [span(1, 1, 2, 0, 100), span(1, 2, 4, 10, 20, 1)]
    commits: list[Any] = [(sender, None), message(2, 1), message(3, 1)]
    for number, (rows, links) in enumerate(commits if sender_first else commits[::-1]):
        commit(store, rows, 20 * number, links)
        settler.step(at(20 * number + 15))
    found = store.query("SELECT request_id, trace_id, queue_wait_ns, link FROM async_work ORDER BY trace_id").rows()
    assert [(row[0][-2:], int(row[1][-1]), *row[2:]) for row in found] == [
        ("65", 2, 180 * MS, "link"),
        ("65", 3, 180 * MS, "link"),
    ]
    assert store.query("SELECT max(revision) FROM requests WHERE kind = 'job'").item() == 1
    assert_as_from_the_start(store, settler)


def test_one_who_receives_much_hides_nobody_else_who_received(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seamscope.taking.MOST_CONSUMERS", 2)
    settler, later = runs.Settler(store), 3 * 600_000
    commit(store, [span(1, 1, 2, 0, 100), span(1, 2, 4, 10, 20, 1)], 0)
    for trace, links in ((2, 3), (3, 1)):
        commit(store, [span(trace, 1, 5, later, later + 100)], 1_800, links * message(trace, 1)[1])
    settler.step(at(5_000))
    commit(store, [span(1, 3, 1, 30, 40, 1)], 5_010)
    settler.step(at(9_000))
    assert store.query("SELECT trace_lo FROM base.async_work ORDER BY ALL").to_series().to_list() == [2, 3]


def test_a_step_that_fails_is_tried_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(store, page(1), 0)
    settler = runs.Settler(store)
    whole = store.write_results

    def fails(*_: Any, **__: Any) -> int:
        raise OSError("disk full")

    monkeypatch.setattr(store, "write_results", fails)
    with pytest.raises(OSError, match="disk full"):
        settler.step(at(20))
    monkeypatch.setattr(store, "write_results", whole)
    assert settler.step(at(21)).requests == 1


@pytest.mark.parametrize(
    ("most", "compared_spans", "taken"), [(1, 99, [4, 4, 3]), (64, 14, [5, 4, 2]), (6, 99, [6, 5]), (64, 99, [11])]
)
def test_windows_left_to_the_next_step_are_known(
    store: Store, monkeypatch: pytest.MonkeyPatch, most: int, compared_spans: int, taken: list[int]
) -> None:
    monkeypatch.setattr(runs, "SMALL_WINDOWS_A_STEP", most)
    settler = runs.Settler(store, settle_ns=10 * SECOND, pace=Pace(compared_spans=compared_spans))
    for window in range(11):
        commit(store, [span(window + 1, 1, 2, window * 600_000, window * 600_000 + 5)], at_s=1)
    later = START + HOURS
    assert [(settler.step(later).spans, settler.more_is_due) for _ in taken] == [
        (spans, step < len(taken)) for step, spans in enumerate(taken, start=1)
    ]


def test_while_memory_is_short_a_step_is_a_few_windows(store: Store) -> None:
    settler = runs.Settler(store, settle_ns=10 * SECOND, pace=Pace(is_tight=lambda: True))
    for window in range(runs.WINDOWS_A_STEP + 1):
        commit(store, [span(window + 1, 1, 2, window * 600_000, window * 600_000 + 5)], at_s=1)
    assert (settler.step(START + HOURS).spans, settler.more_is_due) == (runs.WINDOWS_A_STEP, True)


def test_what_comes_late_to_an_old_window_does_not_hold_up_a_later_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "WINDOWS_A_STEP", 1)
    monkeypatch.setattr(runs, "SMALL_WINDOWS_A_STEP", 1)
    settler = runs.Settler(store, settle_ns=10 * SECOND)
    for trace, minutes in ((1, 0), (2, 30)):
        commit(store, [span(trace, 1, 2, minutes * 60_000, minutes * 60_000 + 5)], at_s=trace)
    assert (settler.step(at(7_200)).requests, settler.more_is_due) == (1, True)
    commit(store, [span(3, 1, 2, 7, 9)], at_s=7_201)  # both have settled by the next step
    done = settler.step(at(7_300))
    assert (done.requests, done.revised, settler.more_is_due) == (1, 0, True)
    assert settler.step(at(7_301)).revised == 1
    assert_as_from_the_start(store, settler)


def test_a_window_that_never_comes_to_rest_is_analysed_ever_more_seldom(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roll, "MOST_HELD", 8)
    settler = runs.Settler(store, settle_ns=240 * SECOND)
    whole = []
    for trace, minute in enumerate(range(0, 240, 3), start=1):
        commit(store, [span(trace, 1, 2, 0, 5)], at_s=60 * minute)
        if settler.step(at(60 * minute)).traces == trace:
            whole.append(minute)
    assert whole == [21, 45, 78, 132, 225]  # once over, ten minutes long, it waited for 10, 20, 40 and 80 beside that
    assert settler._known is not None
    assert settler._known.held <= 9  # what it needs is asked of the store when it has its turn
    settler.step(at(30_000))
    assert_as_from_the_start(store, settler)


def test_what_waits_for_a_short_window_that_never_comes_to_rest_is_analysed_by_itself(store: Store) -> None:
    settler = runs.Settler(store, pace=Pace(compared_spans=1))
    done = {}
    for trace, second in enumerate(range(0, 105, 5), start=1):
        commit(store, [span(trace, 1, 2, 0, 5)], at_s=second)
        done[second] = settler.step(at(second)).traces
    assert {second for second, traces in done.items() if traces} == {80, 85, 90, 95, 100}
    assert sum(done.values()) == 19  # all but those of the last ten seconds


def test_who_was_of_one_request_with_what_comes_late_keeps_its_results(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roll, "MOST_HELD", 0)
    settler = runs.Settler(store)
    commit(store, asked_and_answered(1, "of one request"), 0)
    settler.step(at(3_000))
    joined = store.query("SELECT * EXCLUDE (request_no) FROM base.request_traces")
    assert joined.height == 2
    for minute in range(51, 90, 3):
        commit(store, [span(1, 10 + minute, 1, 30, 40, 1), span(100 + minute, 1, 2, 50, 60)], at_s=60 * minute)
        settler.step(at(60 * minute + 20))
        assert store.query("SELECT count(DISTINCT request_no) FROM base.request_traces WHERE trace_lo < 3").item() == 1
        assert store.query("SELECT count(*) FROM base.request_traces WHERE trace_lo < 3").item() == 2
    settler.step(at(30_000))
    assert_as_from_the_start(store, settler)


def test_who_was_joined_with_what_came_late_keeps_its_results_once_that_has_settled(store: Store) -> None:
    most = 14
    settler = runs.Settler(store, pace=Pace(compared_spans=most))
    told: dict[str, Any] = {"method": "GET", "correlation_id": "one long request"}
    long = [span(500, 1, 2, 70_000, 172_000, role=1, **told), span(500, 2, 3, 71_000, 171_000, 1, method="GET")]
    late = {130: [span(501, 1, 2, 125_000, 126_000, role=1, resource_id=2, **told)], 175: long}
    for second in range(5, 400, 5):  # windows of a few seconds
        if second <= 200:
            commit(store, moved(second // 5), second)
        if second in late:
            commit(store, late[second], second)
        settler.step(at(second))
    known = store.query("SELECT DISTINCT trace_lo FROM base.request_traces").to_series()
    assert {500, 501} <= set(known)
    assert_as_from_the_start(store, settler, most)


@pytest.mark.parametrize("ahead_s", [1_800, 7_200, 86_400])
def test_what_is_ahead_of_its_time_is_let_go_of_and_found_again(store: Store, ahead_s: int) -> None:
    def ahead(trace: int) -> list[dict[str, Any]]:
        by_ns = ahead_s * SECOND
        return [{**row, "start_ns": row["start_ns"] + by_ns, "end_ns": row["end_ns"] + by_ns} for row in moved(trace)]

    settler = runs.Settler(store)
    for trace in range(1, 11):
        commit(store, [*moved(trace), *ahead(100 + trace)], 5 * trace)
    for second in (100, 3_000, 3_001):
        settler.step(at(second))
    assert settler._known is not None
    assert not settler._known.agenda.todo
    assert settler._known.held <= 10
    for trace in range(11, 21):  # its time has come
        commit(store, ahead(100 + trace), ahead_s + 5 * trace + 600)
    for second in (700, 3_700):
        settler.step(at(ahead_s + second))
    assert_as_from_the_start(store, settler)


def moved(trace: int) -> list[dict[str, Any]]:
    """A page, five seconds later for each trace."""
    by = 5 * trace * SECOND
    return [{**row, "start_ns": row["start_ns"] + by, "end_ns": row["end_ns"] + by} for row in page(trace)]


def test_what_comes_faster_than_it_is_analysed_waits_in_the_store(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []
    forget = roll.Roll.forget

    def counted(known: roll.Roll) -> None:
        held.append(known.held)
        forget(known)

    monkeypatch.setattr(roll, "MOST_HELD", 8)
    monkeypatch.setattr(roll, "LOOKED_COMMITS", 1)
    monkeypatch.setattr(roll.Roll, "forget", counted)
    settler = runs.Settler(store, pace=Pace(compared_spans=6))
    settler.step(at(0))
    for trace in range(1, 41):  # all of it within 205 s, the last span of each four seconds later
        commit(store, moved(trace)[:2], 5 * trace)
        commit(store, moved(trace)[2:], 5 * trace + 4)
    assert 0 < settler.step(at(300)).spans <= 6 * runs.WINDOWS_A_STEP
    assert settler.lag_ns(at(300)) > 200 * SECOND
    assert settler._known is not None
    assert settler._known.known_ns(at(300)) < at(205)  # what came last is not known, and no time counts that knows it
    steps = 1
    while settler.more_is_due:
        settler.step(at(300))
        steps += 1
    assert steps > 40 * 3 // (6 * runs.WINDOWS_A_STEP)
    assert 8 < max(held[1:]) < 20
    assert_as_from_the_start(store, settler, compared_spans=6)


def test_a_clock_that_was_ahead_does_not_hold_up_what_came_after(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll, "MOST_HELD", 8)
    monkeypatch.setattr(roll, "LOOKED_COMMITS", 1)
    settler = runs.Settler(store, pace=Pace(compared_spans=6))
    settler.step(at(0))
    for trace in range(1, 41):
        commit(store, moved(trace), 5 * trace + (3_600 if trace <= 12 else 0))
    for second in range(300, 340):
        settler.step(at(second))
    assert not settler.more_is_due
    assert store.query("SELECT count(*) FROM base.requests").item() > 20


def asked_and_answered(trace: int, id_: str, column: str = "correlation_id") -> list[dict[str, Any]]:
    """A page whose call is answered in a trace of its own: only a request's id ties them."""
    told: dict[str, Any] = {"method": "GET", column: id_}
    return [
        span(trace, 1, 2, 0, 100, role=1, **told),
        span(trace, 2, 3, 10, 90, 1, method="GET", peer="orders", extent=2),
        span(trace + 1, 1, 2, 20, 80, role=1, resource_id=2, **told),
    ]


CONSTANT = (
    ("healthcheck", "correlation_id"),
    ("5f0c954e-6a11-4d4f-a7c3-0123456789ab", "correlation_id"),
    ("5f0c954e6a114d4fa7c30123456789ab", "correlation_id"),
    ("fra1::healthcheck", "platform_id"),
)


@pytest.mark.parametrize(("id_", "column"), CONSTANT)
def test_an_id_that_many_carry_brings_nobody_along_and_joins_nobody(store: Store, id_: str, column: str) -> None:
    settler = runs.Settler(store)
    commit(store, asked_and_answered(801, "whose answer says what the host is"), 0)
    for trace in range(1, 2 * MOST_PIECES, 2):
        commit(store, asked_and_answered(trace, id_, column), 0)
    settler.step(at(10))
    assert store.query("SELECT count(*) FROM requests").item() == 2 * MOST_PIECES + 1
    commit(store, asked_and_answered(901, id_, column), 12)
    commit(store, asked_and_answered(903, "of one request"), 12)
    done = settler.step(at(22))
    assert (done.traces, done.requests, done.revised) == (4, 3, 0)
    assert_as_from_the_start(store, settler)


def test_an_id_brings_along_whoever_it_was_a_request_of(store: Store) -> None:
    settler = runs.Settler(store)
    commit(store, asked_and_answered(801, "whose answer says what the host is"), 0)
    for trace in range(1, 10, 2):
        commit(store, asked_and_answered(trace, f"number {trace}")[:2], 0)
    settler.step(at(10))
    assert store.query("SELECT count(*) FROM requests").item() == 6
    commit(store, asked_and_answered(3, "number 3")[2:], 12)
    done = settler.step(at(22))
    assert (done.traces, done.requests, done.revised) == (2, 1, 1)
    assert_as_from_the_start(store, settler)


def test_once_time_is_up_no_further_window_is_begun(store: Store) -> None:
    begun: list[int] = []
    for window in range(4):
        commit(store, [span(window + 1, 1, 2, window * 600_000, window * 600_000 + 5)], at_s=1)
    pressed = runs.Settler(
        store, settle_ns=10 * SECOND, pace=Pace(make_way=lambda: begun.append(1), is_over=lambda: len(begun) > 2)
    )
    assert pressed.step(START + HOURS).requests == 2
    assert store.query("SELECT count(*) FROM requests").item() == 2  # what was begun is stored
    assert pressed.step(START + HOURS).requests == 0
    assert len(begun) == 3  # nothing was looked at any more
    later = runs.Settler(store, settle_ns=10 * SECOND)
    done = later.step(START + HOURS)
    assert done.requests - done.revised == 2
    assert_as_from_the_start(store, later)


def test_once_time_is_up_no_further_part_is_begun(store: Store) -> None:
    for trace in range(1, 7):
        commit(store, page(trace), 0)
    stored = "SELECT count(*) FROM requests"
    pressed = runs.Settler(store, pace=Pace(compared_spans=6, is_over=lambda: store.query(stored).item() > 0))
    begun = pressed.step(at(11)).requests
    assert 0 < begun == store.query(stored).item() < 6
    later = runs.Settler(store, pace=Pace(compared_spans=6))
    done = later.step(at(12))
    assert done.requests - done.revised == 6 - begun
    assert_as_from_the_start(store, later, compared_spans=6)


def apart(trace: int) -> list[dict[str, Any]]:
    """A page, ten minutes after the one before: so far apart windows are long, and settle late."""
    by = 600 * trace * SECOND
    return [{**row, "start_ns": row["start_ns"] + by, "end_ns": row["end_ns"] + by} for row in page(trace)]


def test_once_time_is_up_no_further_traces_are_begun(store: Store) -> None:
    for trace in range(1, 7):
        commit(store, apart(trace), 0)
    by_window, stored = "SELECT count(*) FROM base.windows", "SELECT count(*) FROM requests"
    pressed = runs.Settler(store, pace=Pace(compared_spans=3, is_over=lambda: store.query(stored).item() > 0))
    begun = pressed.step(at(11)).requests
    assert 0 < begun == store.query(stored).item() < 6
    assert store.query(by_window).item() == 0  # trace by trace
    later = runs.Settler(store, pace=Pace(compared_spans=3))
    done = later.step(at(12))
    assert done.requests - done.revised == 6 - begun
    later.step(at(HOURS / SECOND))
    assert_as_from_the_start(store, later, compared_spans=3)


def test_a_step_under_way_is_no_failure(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(store, page(1), 0)
    seen: list[bool] = []
    compare = analysis.compare

    def looks(*given: Any) -> Any:
        seen.append(settler.failing)
        return compare(*given)

    monkeypatch.setattr(bridge, "compare", looks)
    settler = runs.Settler(store)
    settler.step(at(11))
    assert seen
    assert not any(seen)


def test_once_time_is_up_nobody_looks_whose_fault_a_failure_is(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(store, page(1), 0)
    tried: list[int] = []

    def fails(*_: Any) -> Any:
        tried.append(1)
        raise ValueError("no")

    monkeypatch.setattr(bridge, "compare", fails)
    pressed = runs.Settler(store, pace=Pace(is_over=lambda: bool(tried)))
    with pytest.raises(Failed):
        pressed.step(at(11))
    assert (len(tried), pressed.failing) == (1, True)


def test_who_wanted_all_analysed_is_told_that_time_was_up(store: Store) -> None:
    begun: list[int] = []
    for window in range(3):
        commit(store, [span(window + 1, 1, 2, window * 600_000, window * 600_000 + 5)], at_s=1)
    pressed = runs.Settler(store, pace=Pace(make_way=lambda: begun.append(1), is_over=lambda: len(begun) > 1))
    with pytest.raises(StoreError, match="not all is analysed"):
        pressed.analyze()
    assert store.query("SELECT count(*) FROM requests").item() == 1
    with pytest.raises(StoreError, match="not all is analysed"):
        pressed.analyze(everything=True)
    done = runs.Settler(store).analyze()
    assert done.requests - done.revised == 2


def test_the_command_tells_what_it_did(tmp_path: Path) -> None:
    from seamscope.commands.analyze_ import command

    place = tmp_path / "cli.duckdb"
    with Store.open(place) as store:
        commit(store, page(1), 0)
    run = CliRunner().invoke(command, ["--db", str(place)], catch_exceptions=False)
    assert run.output.startswith("1 requests from 3 spans in ")
    again = CliRunner().invoke(command, ["--db", str(place), "--all", "--json"], catch_exceptions=False)
    assert '"revised": 1' in again.output
