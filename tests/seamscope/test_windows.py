"""What is stored in the end follows from the spans alone: not from how they were cut, nor from when they came."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis import passes
from seamscope import bridge, findings, roll, runs
from seamscope.bridge import Pace
from seamscope.schema.tables import RESOURCES, SPAN_LINKS, SPANS
from seamscope.store import Store, retention
from seamscope.windows import BUCKET_NS, BUCKETS, READ_AHEAD, WINDOW_NS, Census, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SAMPLES: Final = Path(__file__).resolve().parents[2] / "sample_traces"
MS: Final = 1_000_000
SECOND: Final = 1_000 * MS
BORDER: Final = 2_900_000 * WINDOW_NS
"""Where a window begins; the traffic lies around it."""

MOST: Final = 150
"""Spans of a window from which on it is cut here."""

SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5
WEB, ORDERS, AUTH = 1, 2, 3

Rows = list[dict[str, Any]]


def span(
    trace: int, number: int, kind: int, start: float, end: float, parent: int = 0, **columns: Any
) -> dict[str, Any]:
    """A span of milliseconds around the border."""
    return {
        "trace_hi": 9, "trace_lo": trace, "span_id": trace * 100 + number, "kind": kind, "flags": 0,
        "parent_id": trace * 100 + parent if parent else 0,
        "start_ns": BORDER + round(start * MS), "end_ns": BORDER + round(end * MS), "status": 0, "weight": 1.0,
        "resource_id": WEB, "role": 0, "extent": 0, "tier_hint": 0, "grain_ns": 1, "operation": f"span {number}",
        **columns,
    }  # fmt: skip


def pooled(first: int, begin: float) -> Rows:
    """Six requests at once for a service that this caller has two connections to, so that they wait in pairs."""
    rows: Rows = []
    for number in range(6):
        trace, came = first + number, begin + number * 0.3
        began = begin + 2 + number // 2 * 21 + number % 2 * 6
        rows += [
            span(trace, 1, SERVER, came, began + 25),
            span(trace, 2, CLIENT, came + 0.5, began + 21, 1, peer="orders", peer_port=80, extent=2),
            span(trace, 3, SERVER, began, began + 20, 2, resource_id=ORDERS, network_peer_port=9_000 + number % 2),
        ]
    return rows


def dialled(trace: int, begin: float, *, cold: bool) -> Rows:
    """A request whose call needs a new connection now and then, and that calls a host nobody knows at first."""
    dial, port = (31.0, 7_000 + trace) if cold else (0.0, 6_000)
    id_ = f"id-{trace // 2}" if trace % 4 < 2 else f"{trace // 2:032x}"
    return [
        span(trace, 1, SERVER, begin, begin + 90, correlation_id=id_),
        span(trace, 2, CLIENT, begin + 1, begin + 14 + dial, 1, peer="10.0.0.9", peer_port=80, extent=2),
        span(trace, 3, SERVER, begin + 2 + dial, begin + 13 + dial, 2, resource_id=AUTH, network_peer_port=port),
        span(trace, 4, CLIENT, begin + 50, begin + 60, 1, peer="10.0.0.9", peer_port=80, extent=2),
    ]


def traffic() -> tuple[Rows, Rows]:
    """Spans and links of some 200 requests on both sides of a border, and a few at other times."""
    rows: Rows = []
    for at in range(20):
        rows += pooled(1 + 6 * at, -2_000 + 200 * at)
    for at in range(60):
        rows += dialled(200 + at, -30_000 + 1_000 * at, cold=at % 3 == 0)
    for at in range(4):
        rows += dialled(300 + at, 700_000 * (at + 1), cold=False)
    rows += [span(200, 5, PRODUCER, -29_950, -29_949, 1), span(400, 1, CONSUMER, 900_000, 900_100)]
    link = {
        "trace_hi": 9, "trace_lo": 400, "span_id": 40_001, "kind": CONSUMER, "linked_trace_hi": 9,
        "linked_trace_lo": 200, "linked_span_id": 20_005, "flags": 0,
    }  # fmt: skip
    return rows, [link]


SPANS_MADE, LINKS_MADE = traffic()
LAST_S: Final = 2_801


def commit(store: Store, rows: Rows, at_s: float) -> None:
    """Store spans (and the links of those among them) as if they came then."""
    resources = [
        {"resource_id": number, "service": service, "instance": f"{service}-1", "pooled": False, "tier": 4}
        for number, service in ((WEB, "web"), (ORDERS, "orders"), (AUTH, "auth"))
        if any(row["resource_id"] == number for row in rows)
    ]
    batch = {"spans": pa.Table.from_pylist(rows, SPANS), "resources": pa.Table.from_pylist(resources, RESOURCES)}
    here = {row["span_id"] for row in rows}
    links = [link for link in LINKS_MADE if link["span_id"] in here]
    if links:
        batch["span_links"] = pa.Table.from_pylist(links, SPAN_LINKS)
    store.commit(batch, now_ns=BORDER + round(at_s * SECOND))


TABLES: Final = (
    "requests", "segments", "hops", "warnings", "async_work", "request_traces", "inferences", "findings",
    "finding_requests",
)  # fmt: skip
ARRIVAL: Final = {"revision", "settled_at", "settled_ns", "request_no"}


def results(store: Store) -> dict[str, pl.DataFrame]:
    """All that is shown of a store but when it came to be."""
    findings.refresh(store)
    found = {name: store.query(f"FROM {name}") for name in TABLES}
    return {name: rows.drop(ARRIVAL & set(rows.columns)).sort(pl.all()) for name, rows in found.items()}


def assert_same(one: dict[str, pl.DataFrame], other: dict[str, pl.DataFrame]) -> None:
    for name in TABLES:
        assert one[name].equals(other[name]), f"{name}\n{one[name]}\n{other[name]}"


def come_to_rest(settler: runs.Settler, from_s: float) -> None:
    """Step through the time after the last span until nothing is left to do."""
    for later in itertools.count(1):
        if not settler.step(BORDER + round((from_s + 1_300 * later) * SECOND)).spans and later > 2:
            return


def at_once(
    path: Path, most: int = MOST, rows: Rows = SPANS_MADE, read_ahead: int = READ_AHEAD
) -> dict[str, pl.DataFrame]:
    """What an analysis of everything gives."""
    with Store.open(path) as store:
        commit(store, rows, LAST_S)
        runs.Settler(store, pace=Pace(compared_spans=most, read_ahead=read_ahead)).analyze(everything=True)
        return results(store)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    return at_once(tmp_path_factory.mktemp("expected") / "all.duckdb")


def test_the_traffic_has_patterns_and_is_cut(expected: dict[str, pl.DataFrame]) -> None:
    """What the comparisons below are worth."""
    census = Census(MOST)
    starts: dict[int, int] = {}
    for row in SPANS_MADE:
        starts[row["trace_lo"]] = min(starts.get(row["trace_lo"], row["start_ns"]), row["start_ns"])
    census.add(np.array(list(starts.values())) // BUCKET_NS, np.full(len(starts), 4))
    assert sum(1 for number in census.numbers() for one in census.windows(number) if census.spans(one)) > 8
    causes = expected["inferences"].group_by("cause").len().rows()
    assert {cause for cause, _ in causes} >= {"pool_wait", "setup", "network"}
    assert expected["findings"].height
    assert expected["async_work"].height
    assert expected["requests"]["final"].all()


@pytest.mark.parametrize("read_ahead", [0, 1])
def test_however_many_windows_are_read_ahead_they_give_the_same(
    tmp_path: Path, expected: dict[str, pl.DataFrame], read_ahead: int
) -> None:
    assert_same(at_once(tmp_path / "all.duckdb", read_ahead=read_ahead), expected)


def test_with_none_read_ahead_a_window_is_written_before_the_next_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def noting(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def work(*given: Any, **named: Any) -> Any:
            done = real(*given, **named)
            seen.append(name)
            return done

        return work

    for name in ("compare", "write"):
        monkeypatch.setattr(bridge, name, noting(name, getattr(bridge, name)))
    at_once(tmp_path / "all.duckdb", read_ahead=0)
    assert len(seen) > 16
    assert seen == ["compare", "write"] * (len(seen) // 2)


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_any_partition_of_a_window_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: int, whole: dict[str, pl.DataFrame]
) -> None:
    monkeypatch.setattr(passes, "CHUNK_SPANS", -(-len(SPANS_MADE) // parts))
    assert_same(at_once(tmp_path / "parts.duckdb", most=10**6), whole)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    """Windows of ten minutes, none of them cut."""
    return at_once(tmp_path_factory.mktemp("whole") / "all.duckdb", most=10**6)


def deal(seed: int, pieces: int, rows: Rows = SPANS_MADE) -> Iterator[tuple[float, Rows]]:
    """Deal spans out to commits in any order: most soon after they ended, some much later, some twice."""
    dice = random.Random(seed)  # noqa: S311 - dealt alike every time
    dealt: dict[int, Rows] = {}
    slot = LAST_S * SECOND // pieces
    for row in dice.sample(rows, len(rows)):
        soon = max(0, row["end_ns"] - BORDER) // slot
        late = dice.choices((0, dice.randrange(pieces), 3 * pieces), (80, 15, 5))[0]
        dealt.setdefault(soon + late, []).append(row)
        if dice.random() < 0.1:
            dealt.setdefault(soon + late + dice.randrange(3), []).append(row)
    for turn in sorted(dealt):
        yield (turn + 1) * slot / SECOND, dealt[turn]


@given(
    seed=st.integers(0, 10**6),
    pieces=st.integers(2, 6),
    restarts=st.booleans(),
    every=st.sampled_from([1, 3]),
    held=st.sampled_from([5, roll.MOST_HELD]),
)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_of_arrival_ends_in_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    expected: dict[str, pl.DataFrame],
    seed: int,
    pieces: int,
    restarts: bool,
    every: int,
    held: int,
) -> None:
    last_s = 0.0
    with (
        Store.open(tmp_path_factory.mktemp("live") / "live.duckdb") as store,
        mock.patch.multiple(roll, MOST_HELD=held, LOOKED_COMMITS=1),
    ):
        settler = runs.Settler(store, pace=Pace(compared_spans=MOST))
        for turn, (at_s, rows) in enumerate(deal(seed, pieces)):
            commit(store, rows, at_s)
            if turn % every == 0:
                settler.step(BORDER + round((at_s + 11) * SECOND))
            last_s = at_s
            if restarts:
                settler = runs.Settler(store, pace=Pace(compared_spans=MOST))
        come_to_rest(settler, last_s)
        assert_same(results(store), expected)


@pytest.mark.parametrize("scenario", ["a-client-pool-blind"])
def test_so_it_is_with_a_recording(tmp_path: Path, scenario: str) -> None:
    from collector.files import iter_bodies
    from collector.ingest import ingest

    tables = ingest(list(iter_bodies(SAMPLES / scenario / "traces.otlp.pb.zst"))).tables
    spans, others = tables["spans"], {name: rows for name, rows in tables.items() if name != "spans"}
    end_ns, dice = max(spans["end_ns"].to_pylist()), random.Random(11)  # noqa: S311 - dealt alike every time
    turns = pa.array([dice.choices(range(6), (30, 20, 20, 15, 10, 5))[0] for _ in range(spans.num_rows)])
    with Store.open(tmp_path / "live.duckdb") as live, Store.open(tmp_path / "all.duckdb") as once:
        once.commit(tables, now_ns=end_ns)
        runs.Settler(once, pace=Pace(compared_spans=1_000)).analyze(everything=True)
        settler = runs.Settler(live, pace=Pace(compared_spans=1_000))
        live.commit(others, now_ns=end_ns)
        for turn in range(6):
            now_ns = end_ns + turn**4 * 10 * SECOND  # the last ones come when all before are final
            live.commit({"spans": spans.filter(pc.equal(turns, turn))}, now_ns=now_ns)
            settler.step(now_ns + 11 * SECOND)
        for later in (1, 2, 3):
            settler.step(now_ns + later * 1_300 * SECOND)
        assert_same(results(live), results(once))


def test_a_request_is_final_when_its_window_and_the_next_are_over(tmp_path: Path) -> None:
    with Store.open(tmp_path / "live.duckdb") as store:
        settler = runs.Settler(store)
        commit(store, pooled(1, 5_000), 6)
        assert settler.step(BORDER + 20 * SECOND).requests == 6
        assert not store.query("SELECT bool_or(final) FROM requests").item()
        assert settler.step(BORDER + 1_209 * SECOND).requests == 0
        assert settler.step(BORDER + 1_211 * SECOND).requests == 6
        assert store.query("SELECT bool_and(final), max(revision) FROM requests").row(0) == (True, 2)
        for later_s in (1_212, 2_000, 9_999):
            assert settler.step(BORDER + later_s * SECOND).requests == 0
        assert runs.Settler(store).step(BORDER + 20_000 * SECOND).requests == 0


def test_what_stays_away_for_longer_and_longer_has_its_window_analysed_ever_more_rarely(tmp_path: Path) -> None:
    with Store.open(tmp_path / "live.duckdb") as store:
        settler = runs.Settler(store)
        commit(store, pooled(1, 5_000), 6)
        settler.step(BORDER + 1_300 * SECOND)
        again = 0
        for turn in range(60):  # a late span every quarter of a minute
            commit(store, dialled(500 + turn, 6_000, cold=False), 1_400 + 15 * turn)
            again += settler.step(BORDER + (1_412 + 15 * turn) * SECOND).requests > 3
        assert again <= 8
        come_to_rest(settler, 2_400)
        assert store.query("SELECT bool_and(final) FROM requests").item()


def test_windows_whose_spans_are_gone_are_forgotten(tmp_path: Path) -> None:
    day = 86_400 * 1_000.0
    with Store.open(tmp_path / "live.duckdb") as store:
        settler = runs.Settler(store)
        for number, begin in enumerate((0.0, day, 2 * day), start=1):
            if number == 3:
                settler.rest(lambda: retention.step(store, upto=1).traces)
                settler.retire()
            commit(store, dialled(2 * number, begin, cold=False), begin / 1_000 + 1)
            come_to_rest(settler, begin / 1_000 + 1)
        roll = settler._known
        assert roll is not None
        first = BORDER // WINDOW_NS
        expected = [first + days * 144 for days in (1, 2)]
        assert roll.census.numbers() == expected
        stored = store.query("SELECT start_ns FROM base.windows ORDER BY 1").to_series().to_list()
        assert stored == [number * WINDOW_NS for number in expected]
        assert runs.Settler(store).step(BORDER + 10 * round(day * MS)).spans == 0


def test_windows_are_ten_minutes_or_halves_of_them_that_hold_no_more_than_is_compared() -> None:
    census = Census(100)
    number = 5
    first = number * BUCKETS
    assert census.windows(number) == [Window(number * WINDOW_NS, (number + 1) * WINDOW_NS)]
    census.add(np.array([first, first + 1, first + BUCKETS - 1]), np.array([60, 40, 1]))
    half = WINDOW_NS // 2
    start = number * WINDOW_NS
    assert census.windows(number)[-1] == Window(start + half, start + WINDOW_NS)
    assert [census.spans(window) for window in census.windows(number)] == [100, 1]
    census.add(np.array([first]), np.array([41]))
    assert census.windows(number)[0] == Window(start, start + BUCKET_NS)
    assert census.beside(census.windows(number)[0]) == (Window(start - WINDOW_NS, start), census.windows(number)[1])
    census.add(np.array([first]), np.array([-41]))
    assert len(census.windows(number)) == 2


def test_the_last_moment_there_is_has_a_window() -> None:
    last = (1 << 63) - 1
    census = Census()
    census.add(np.array([last // BUCKET_NS]), np.array([7]))
    window = census.at(last)
    assert (window.end_ns, census.spans(window), census.beside(window)[1]) == (last, 7, window)
