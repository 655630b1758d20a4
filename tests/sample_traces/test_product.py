"""Seamscope over the recordings: what it says is what the stopwatch and the second instrument say."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from collector.files import iter_bodies
from collector.ingest import ingest
from seamscope import runs
from seamscope.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES: Final = Path(__file__).resolve().parents[2] / "sample_traces"
SCENARIOS: Final = sorted(path.parent.name for path in SAMPLES.glob("*/traces.otlp.pb.zst"))
FAULTY: Final = sorted(path.parent.name for path in SAMPLES.glob("*/expected.json"))
NOW_NS: Final = 2_000_000_000_000_000_000

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """All recordings in one store, as `make run` has them."""
    with Store.open(tmp_path_factory.mktemp("samples") / "samples.duckdb") as opened:
        for scenario in SCENARIOS:
            taken = ingest(list(iter_bodies(SAMPLES / scenario / "traces.otlp.pb.zst")))
            assert not [one for one in taken.outcomes if one.error or one.rejected]
            opened.commit(taken.tables, now_ns=NOW_NS)
        runs.analyze(opened, everything=True)
        yield opened


@pytest.fixture(scope="module")
def requests(store: Store) -> dict[str, dict[str, Any]]:
    """Requests by trace id; every trace here is one request."""
    rows: Rows = store.query("SELECT * FROM requests").to_dicts()
    by_trace = {row["trace_id"]: row for row in rows}
    assert len(by_trace) == len(rows)
    return by_trace


def _beside(scenario: str, name: str) -> Rows:
    found: Rows = json.loads((SAMPLES / scenario / name).read_text())["requests"]
    return found


def test_every_request_of_the_driver_is_one_request(requests: dict[str, dict[str, Any]]) -> None:
    driven = [one["trace_id"] for scenario in SCENARIOS for one in _beside(scenario, "driver.json") if one["trace_id"]]
    assert set(driven) <= set(requests)
    assert {requests[trace]["kind"] for trace in driven} <= {"page", "api"}


def test_segments_sum_to_each_horizon(store: Store) -> None:
    rows: Rows = store.query(
        "SELECT r.request_id, s.horizon, any_value(CASE s.horizon WHEN 'shell' THEN r.shell_ns ELSE r.complete_ns END)"
        " AS whole_ns, sum(s.end_ns - s.start_ns)::BIGINT AS parts_ns"
        " FROM requests r JOIN segments s USING (request_id) GROUP BY ALL"
    ).to_dicts()
    assert len(rows) > 400
    assert [row for row in rows if row["whole_ns"] != row["parts_ns"]] == []


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize(("horizon", "byte"), [("shell_ns", "first_byte_ns"), ("complete_ns", "last_byte_ns")])
def test_horizons_are_the_stopwatchs(
    requests: dict[str, dict[str, Any]], scenario: str, horizon: str, byte: str
) -> None:
    """The stopwatch starts before the request is on the wire, so it reads more; JavaScript's starts are whole ms."""
    pairs = [(one[byte], requests[one["trace_id"]]) for one in _beside(scenario, "driver.json") if one["trace_id"]]
    known = [(stopwatch - row[horizon]) / 1e6 for stopwatch, row in pairs if row[horizon] is not None]
    assert len(known) >= 0.95 * len(pairs)
    assert 0 < statistics.median(known) < 3
    assert min(known) > -3


@pytest.mark.parametrize("scenario", FAULTY)
def test_the_injected_cause_is_named_with_its_owner(requests: dict[str, dict[str, Any]], scenario: str) -> None:
    expected = [one for one in _beside(scenario, "expected.json") if one["dominant"]]
    verdicts = Counter(
        (row["dominant_owner"], row["dominant_cause"]) == (one["dominant"]["owner"], one["dominant"]["cause"])
        for one in expected
        for row in [requests[one["trace_ids"][0]]]
    )
    assert verdicts[True] >= 0.95 * len(expected)


@pytest.mark.parametrize(("scenario", "cause"), [("next16-go-pool", "pool_wait"), ("next16-go-connect-tls", "tls")])
def test_a_cause_is_as_long_as_the_second_instrument_measured(store: Store, scenario: str, cause: str) -> None:
    segments: Rows = store.query(
        "SELECT r.trace_id, s.horizon, sum(s.end_ns - s.start_ns)::BIGINT AS ns FROM segments s JOIN requests r"
        " USING (request_id) WHERE s.cause = $cause AND s.evidence = 'measured' GROUP BY ALL",
        {"cause": cause},
    ).to_dicts()
    seen = {(row["trace_id"], row["horizon"]): row["ns"] for row in segments}
    off = [
        abs(seen.get((one["trace_ids"][0], one["horizon"]), 0) - part["ns"]) / 1e6
        for one in _beside(scenario, "expected.json")
        for part in one["measured"]
        if part["cause"] == cause
    ]
    assert statistics.median(off) < 2
    assert sorted(off)[int(0.95 * len(off))] < 8


def test_the_healthy_control_blames_no_fault(requests: dict[str, dict[str, Any]]) -> None:
    """But for a few: pgx pings a connection that was idle for a second before it lends it, inside `pool.acquire`."""
    causes = Counter(
        requests[one["trace_id"]]["dominant_cause"]
        for one in _beside("next16-go-warm", "driver.json")
        if one["trace_id"]
    )
    assert not {"tls", "connect", "dns", "setup", "server_queue", "retry"} & set(causes)
    assert causes["pool_wait"] <= 0.03 * causes.total()


def test_pages_apart_from_what_only_modules_and_strays_say(store: Store) -> None:
    """Next.js sends module loads as traces of their own, and a `start response` when the proxy itself answers."""
    others: Rows = store.query("SELECT route, count(*) AS n FROM requests WHERE kind = 'other' GROUP BY ALL").to_dicts()
    allowed = {"load route module", "load instrumentation module", "register instrumentation", "start response"}
    assert {row["route"] for row in others} <= allowed
