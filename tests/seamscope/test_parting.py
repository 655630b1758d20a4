"""A window that time cannot cut is analysed in parts, and what is stored still follows from the spans alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analysis import passes, prepare
from seamscope import runs
from seamscope.bridge import Pace
from seamscope.parting import parted
from seamscope.store import Store
from seamscope.windows import BUCKET_NS, WINDOW_NS, Census, Window
from tests.seamscope.test_windows import (
    BORDER,
    CLIENT,
    LAST_S,
    MOST,
    ORDERS,
    SECOND,
    SERVER,
    Rows,
    assert_same,
    at_once,
    come_to_rest,
    commit,
    deal,
    pooled,
    results,
    span,
)  # fmt: skip

if TYPE_CHECKING:
    from pathlib import Path

SHORTEST: Final = Window(0, BUCKET_NS)
LONGER: Final = Window(0, 2 * BUCKET_NS)

CROWD: Final = 160
"""Traces that begin at one moment."""
FIRST: Final = 1_000

Pairs = list[tuple[int, str]]


def made(spans: list[int]) -> pl.DataFrame:
    """Return traces of so many spans, with the ids 1, 2, …."""
    columns = {"trace_hi": [0] * len(spans), "trace_lo": range(1, len(spans) + 1), "spans": spans}
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.Int64))


@pytest.mark.parametrize(
    ("window", "spans", "ids", "expected"),
    [
        pytest.param(SHORTEST, [5, 5], [], [[1, 2]], id="as many as fit"),
        pytest.param(SHORTEST, [5, 5, 1], [], [[1], [2, 3]], id="halved"),
        pytest.param(SHORTEST, [3] * 8, [], [[1, 2], [3, 4], [5, 6], [7, 8]], id="halved again"),
        pytest.param(SHORTEST, [1, 90, 1], [], [[1], [2], [3]], id="a large trace is a part"),
        pytest.param(SHORTEST, [90], [], [[1]], id="one large trace"),
        pytest.param(SHORTEST, [0] * 4, [], [[1, 2, 3, 4]], id="nothing"),
        pytest.param(
            SHORTEST, [3, 3, 3, 3], [(1, "a"), (3, "a"), (2, "b")], [[1, 3], [2, 4]], id="pieces stay together"
        ),
        pytest.param(
            SHORTEST, [2] * 6, [(5, "a"), (3, "a"), (3, "b"), (2, "b")], [[1, 2, 3, 5], [4, 6]], id="over several ids"
        ),
        pytest.param(
            SHORTEST, [4] * 4, [(1, "a"), (2, "a"), (3, "a")], [[1, 2], [3, 4]], id="too many pieces are parted"
        ),
        pytest.param(
            SHORTEST, [2] * 6, [(1, "a"), (6, "a")], [[1, 6, 2], [3, 4, 5]], id="pieces at both ends"
        ),
        pytest.param(LONGER, [5, 5, 5, 5], [], [[1, 2, 3, 4]], id="pieces that began in the next one"),
        pytest.param(LONGER, [5, 5, 5, 5, 1], [], [[1, 2], [3], [4, 5]], id="more than those can be"),
    ],
)  # fmt: skip
def test_parts_follow_from_the_traces(window: Window, spans: list[int], ids: Pairs, expected: list[list[int]]) -> None:
    traces = made(spans)
    told = pl.DataFrame(
        [(0, trace, id_) for trace, id_ in ids],
        schema={"trace_hi": pl.Int64, "trace_lo": pl.Int64, "id": pl.String},
        orient="row",
    )
    for order in (traces, traces[::-1], traces.sample(fraction=1, shuffle=True, seed=1)):
        found = parted(window, order, 10, lambda _: told)
        assert [part["trace_lo"].to_list() for part in found.values()] == (
            expected if len(expected) > 1 else [order["trace_lo"].to_list()]
        )
        assert [(one.whole, one.part, one.parts) for one in found] == [
            (window, number, len(expected)) for number in range(len(expected))
        ]
        assert [one.last for one in found] == [False] * (len(expected) - 1) + [True]


@given(spans=st.lists(st.integers(1, 40), min_size=1, max_size=60), ids=st.lists(st.integers(0, 9), max_size=60))
@settings(deadline=None)
def test_no_trace_is_lost_and_no_part_is_too_large(spans: list[int], ids: list[int]) -> None:
    traces = made(spans)
    told = made(ids).rename({"spans": "id"})
    found = list(parted(SHORTEST, traces, 30, lambda _: told).values())
    assert sorted(trace for part in found for trace in part["trace_lo"]) == traces["trace_lo"].to_list()
    assert all(part["spans"].sum() <= 30 or part.height == 1 for part in found)


def test_a_part_is_compared_with_nobody_beside_it() -> None:
    census, window = Census(10), Window(5 * WINDOW_NS, 6 * WINDOW_NS)
    assert census.lending(window) == census.beside(window)
    assert census.lending(Window(window.start_ns, window.end_ns, 0, 2)) == ()


def crowd() -> Rows:
    """Requests that begin at one moment, each in two traces that an id ties: who was asked, and who rendered the page.

    Pages call a host that one of them alone has an answer of, neither in the first part nor in the last.
    """
    rows: Rows = []
    for number in range(CROWD // 2):
        asked, page, id_ = FIRST + number, FIRST + CROWD // 2 + number, f"id-{number}"
        ends = 40 + number * 7 % 31
        rows += [
            span(asked, 1, SERVER, 5, 200, method="GET", role=1, correlation_id=id_),
            span(asked, 2, CLIENT, 5, 190, 1, extent=2, peer="pages", peer_port=80),
            span(page, 1, SERVER, 5, ends, method="GET", role=1, correlation_id=id_),
            span(page, 2, CLIENT, 5, ends - 1, 1, extent=2, peer="10.0.0.7", peer_port=81),
        ]
    return [*rows, span(FIRST + CROWD * 3 // 4 + 1, 3, SERVER, 5, 30, 2, resource_id=ORDERS), *around()]


def around() -> Rows:
    """Other requests around that moment."""
    return [row for at in range(6) for row in pooled(1 + 6 * at, -400 + 150 * at)]


def answered() -> Rows:
    """Requests of which all is known at first sight."""
    rows: Rows = []
    for trace in range(FIRST, FIRST + CROWD):
        rows += [
            span(trace, 1, SERVER, 5, 60),
            span(trace, 2, CLIENT, 5, 50, 1, peer="orders", peer_port=80, extent=2),
            span(trace, 3, SERVER, 5, 40 + trace % 7, 2, resource_id=ORDERS),
        ]
    return [*rows, *around()]


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[pl.DataFrame]:
    """What went through pass A: a row per trace of each batch, with its spans."""
    found: list[pl.DataFrame] = []
    whole = prepare

    def spy(spans: pl.DataFrame, *rest: Any, **more: Any) -> Any:
        found.append(spans.group_by("trace_lo").agg(spans=pl.len()))
        return whole(spans, *rest, **more)

    monkeypatch.setattr("seamscope.shelf.prepare", spy)
    return found


def test_what_begins_at_one_moment_is_read_in_bounded_parts_once(
    tmp_path: Path, prepared: list[pl.DataFrame], caplog: pytest.LogCaptureFixture
) -> None:
    rows = answered()
    with Store.open(tmp_path / "test.duckdb") as store:
        commit(store, rows, LAST_S)
        done = runs.Settler(store, pace=Pace(compared_spans=MOST)).analyze(everything=True)
        assert (done.spans, done.traces) == (len(rows), len({row["trace_lo"] for row in rows}))
    assert max(batch["spans"].sum() for batch in prepared) <= MOST
    crowded = pl.concat(prepared).filter(pl.col("trace_lo") >= FIRST)
    assert crowded.height == crowded["trace_lo"].n_unique() == CROWD
    assert [record.getMessage() for record in caplog.records if "parts" in record.getMessage()] == [
        "more spans than are compared at once begin within 146 ms: analysed in 4 parts"
    ]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    return at_once(tmp_path_factory.mktemp("crowd") / "all.duckdb", rows=crowd())


def test_pieces_are_joined_and_hosts_known_in_every_part(tmp_path: Path, expected: dict[str, pl.DataFrame]) -> None:
    whole = at_once(tmp_path / "whole.duckdb", most=10**6, rows=crowd())
    assert expected["request_traces"].equals(whole["request_traces"])
    assert expected["request_traces"].filter(pl.col("joined_by") == "request_id").height == CROWD // 2
    assert expected["hops"].filter(pl.col("peer") == "10.0.0.7")["seam"].unique().to_list() == [
        "origin:web→origin:orders"
    ]
    assert expected["requests"]["final"].all()


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_any_partition_of_the_parts_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: int, expected: dict[str, pl.DataFrame]
) -> None:
    monkeypatch.setattr(passes, "CHUNK_SPANS", -(-MOST // parts))
    assert_same(at_once(tmp_path / "parts.duckdb", rows=crowd()), expected)


@example(seed=0, pieces=3, restarts=True)  # half a trace shows another service at a host
@given(seed=st.integers(0, 10**6), pieces=st.integers(2, 6), restarts=st.booleans())
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_of_arrival_ends_in_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    expected: dict[str, pl.DataFrame],
    seed: int,
    pieces: int,
    restarts: bool,
) -> None:
    with Store.open(tmp_path_factory.mktemp("live") / "live.duckdb") as store:
        settler, last_s = runs.Settler(store, pace=Pace(compared_spans=MOST)), 0.0
        for last_s, rows in deal(seed, pieces, crowd()):
            commit(store, rows, last_s)
            settler.step(BORDER + round((last_s + 11) * SECOND))
            if restarts:
                settler = runs.Settler(store, pace=Pace(compared_spans=MOST))
        come_to_rest(settler, last_s)
        assert_same(results(store), expected)


@pytest.mark.parametrize("stored", [0, 1, 3])
def test_a_window_whose_parts_are_not_all_stored_is_not_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: dict[str, pl.DataFrame], stored: int
) -> None:
    with Store.open(tmp_path / "test.duckdb") as store:
        commit(store, crowd(), LAST_S)
        whole, left = store.write_results, iter(range(stored))

        def fills_up(tables: dict[str, pl.DataFrame], *given: Any, **more: Any) -> int:
            if tables["requests"]["trace_lo"].is_in(range(FIRST, FIRST + CROWD)).any() and next(left, None) is None:
                raise OSError("disk full")
            return whole(tables, *given, **more)

        monkeypatch.setattr(store, "write_results", fills_up)
        with pytest.raises(OSError, match="disk full"):
            runs.Settler(store, pace=Pace(compared_spans=MOST)).analyze()
        assert not store.query("FROM base.windows WHERE start_ns <= $at AND end_ns > $at", {"at": BORDER + 5}).height
        monkeypatch.setattr(store, "write_results", whole)
        runs.Settler(store, pace=Pace(compared_spans=MOST)).analyze()
        assert_same(results(store), expected)
