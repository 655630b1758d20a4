"""Seamscope over recordings: what it says is what the stopwatch and the second instrument say."""

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
PLAYED: Final = (SAMPLES / "played").read_text().split()
NOW_NS: Final = 2_000_000_000_000_000_000

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The recordings that `make run` plays, in one store as it has them."""
    with Store.open(tmp_path_factory.mktemp("samples") / "samples.duckdb") as opened:
        for scenario in dict.fromkeys([*PLAYED, "a-tls-held", "a-dns-slow"]):
            taken = ingest(list(iter_bodies(SAMPLES / scenario / "traces.otlp.pb.zst")))
            assert not [one for one in taken.outcomes if one.error or one.rejected]
            opened.commit(taken.tables, now_ns=NOW_NS)
        runs.analyze(opened, everything=True)
        yield opened


@pytest.fixture(scope="module")
def requests(store: Store) -> dict[str, dict[str, Any]]:
    """Requests by the span that they enter through."""
    rows: Rows = store.query("SELECT * FROM requests").to_dicts()
    return {row["entry_span_id"]: row for row in rows}


def _beside(scenario: str, name: str) -> Rows:
    found: Rows = json.loads((SAMPLES / scenario / name).read_text())["requests"]
    return found


def _answered(scenario: str) -> Rows:
    """The answers to the last byte."""
    return [one for one in _beside(scenario, "expected.json") if one["horizon"] == "complete"]


@pytest.mark.parametrize("scenario", PLAYED)
def test_every_request_of_the_driver_is_one_request(store: Store, scenario: str) -> None:
    """Whichever of its traces it is found by: an edge makes two of a request, Next.js 14 and 15 even three."""
    rows: Rows = store.query(
        "SELECT t.trace_id, t.request_id, r.kind FROM request_traces t JOIN requests r USING (request_id)"
        " WHERE r.kind <> 'job'"
    ).to_dicts()
    kinds = {row["trace_id"]: (row["request_id"], row["kind"]) for row in rows}
    driven = [{kinds[trace] for trace in one["trace_ids"] if trace in kinds} for one in _answered(scenario)]
    assert len(driven) > 90
    assert {len(found) for found in driven} == {1}
    assert {kind for found in driven for _, kind in found} <= {"page", "api"}


def test_segments_sum_to_each_horizon(store: Store) -> None:
    rows: Rows = store.query(
        "SELECT r.request_id, s.horizon, any_value(CASE s.horizon WHEN 'shell' THEN r.shell_ns ELSE r.complete_ns END)"
        " AS whole_ns, sum(s.end_ns - s.start_ns)::BIGINT AS parts_ns"
        " FROM requests r JOIN segments s USING (request_id) GROUP BY ALL"
    ).to_dicts()
    assert len(rows) > 800
    assert [row for row in rows if row["whole_ns"] != row["parts_ns"]] == []


@pytest.mark.parametrize("scenario", ["a-healthy", "a-tls-held"])
@pytest.mark.parametrize(("horizon", "byte"), [("shell_ns", "first_byte_ns"), ("complete_ns", "last_byte_ns")])
def test_horizons_are_the_stopwatchs(
    requests: dict[str, dict[str, Any]], scenario: str, horizon: str, byte: str
) -> None:
    """The stopwatch starts before the request is on the wire, so it reads more; JavaScript's starts are whole ms."""
    stopwatch = {one["key"]: one[byte] for one in _beside(scenario, "driver.json")}
    pairs = [(stopwatch[one["request"]], requests[one["entry"]["span_id"]]) for one in _answered(scenario)]
    known = [(timed - row[horizon]) / 1e6 for timed, row in pairs if row[horizon] is not None]
    assert len(known) >= 0.9 * len(pairs)
    assert 0 < statistics.median(known) < 3
    assert sorted(known)[len(known) // 20] > -3  # of a few, the server's span ends after its last byte has left


FAULTS: Final = [("a-db-pool", "pool_wait"), ("a-tls-held", "tls"), ("a-dns-slow", "dns")]


@pytest.mark.parametrize(("scenario", "cause"), FAULTS)
def test_the_injected_cause_is_named_with_its_owner(
    requests: dict[str, dict[str, Any]], scenario: str, cause: str
) -> None:
    expected = [one for one in _answered(scenario) if one["dominant"]]
    assert {one["dominant"]["cause"] for one in expected} == {cause}
    verdicts = Counter(
        (row["dominant_owner"], row["dominant_cause"]) == (one["dominant"]["owner"], cause)
        for one in expected
        for row in [requests[one["entry"]["span_id"]]]
    )
    assert verdicts[True] >= 0.95 * len(expected) > 40


@pytest.mark.parametrize(("scenario", "cause"), FAULTS)
def test_a_cause_is_as_long_as_the_second_instrument_measured(store: Store, scenario: str, cause: str) -> None:
    segments: Rows = store.query(
        "SELECT r.entry_span_id, sum(s.end_ns - s.start_ns)::BIGINT AS ns FROM segments s"
        " JOIN requests r USING (request_id)"
        " WHERE s.cause = $cause AND s.evidence = 'measured' AND s.horizon = 'complete' GROUP BY ALL",
        {"cause": cause},
    ).to_dicts()
    seen = {row["entry_span_id"]: row["ns"] for row in segments}
    off = [
        abs(seen.get(one["entry"]["span_id"], 0) - sum(p["ns"] for p in one["measured"] if p["cause"] == cause)) / 1e6
        for one in _answered(scenario)
        if one["dominant"]
    ]
    assert statistics.median(off) < 2
    assert sorted(off)[int(0.95 * len(off))] < 12


def test_the_healthy_control_blames_no_fault(requests: dict[str, dict[str, Any]]) -> None:
    """But for a few: pgx pings a connection that was idle for a second before it lends it, inside `pool.acquire`."""
    causes = Counter(requests[one["entry"]["span_id"]]["dominant_cause"] for one in _answered("a-healthy"))
    assert not {"tls", "connect", "dns", "setup", "retry"} & set(causes)
    assert causes["pool_wait"] + causes["server_queue"] <= 0.03 * causes.total()


def test_pages_apart_from_what_only_modules_and_strays_say(store: Store) -> None:
    """Next.js sends module loads as traces of their own, and a `start response` when the proxy itself answers.

    So does the pass of 14 and 15 in which middleware runs, where it cannot be told whose it was.
    """
    others: Rows = store.query(
        "SELECT DISTINCT r.route FROM requests r JOIN spans s USING (trace_id)"
        " WHERE r.kind = 'other' AND r.service IN (SELECT service FROM requests WHERE kind = 'page')"
        " AND coalesce(attr(s.attributes, 'next.bubble'), '') <> 'true'"
    ).to_dicts()
    allowed = {"load route module", "load instrumentation module", "register instrumentation", "start response"}
    assert {row["route"] for row in others} <= allowed
