"""Bad input, kind by kind: what comes out sums to its horizons (`told` checks it), and a warning names what was odd.

Stages that raise are in `test_failures`, times of other decades at length in `test_moments`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from analysis import analyse
from seamscope.schema import words

if TYPE_CHECKING:
    from collections.abc import Callable

Traces = Any
EPOCH = 1_700_000_000_000_000_000
LAST = 2**63 - 2
CALLS = 12


def page(traces: Traces, trace: int = 1, begin: float = 0.0, ahead: tuple[float, float] = (0.0, 0.0)) -> None:
    """A page of 100 ms through three services; the second's and the third's clocks may be ahead."""
    second, third = begin + ahead[0], begin + ahead[1]
    traces.span("GET /", "server", "web", begin, begin + 100, trace=trace)
    traces.span("call", "client", "web", begin + 10, begin + 90, "GET /", trace=trace, peer="api")
    traces.span("GET /v1", "server", "api", second + 20, second + 80, "call", trace=trace)
    traces.span("deep", "client", "api", second + 30, second + 70, "GET /v1", trace=trace, peer="stock")
    traces.span("GET /v2", "server", "stock", third + 35, third + 65, "deep", trace=trace)


def test_cycles(traces: Traces) -> None:
    """Of one span, of two, of all the spans of a trace."""
    traces.span("own", "server", "api", 0, 10, 11, span_id=11)
    traces.span("one", "server", "api", 0, 10, 22, trace=2, span_id=21)
    traces.span("other", "client", "api", 2, 8, 21, trace=2, span_id=22)
    for at in range(500):
        traces.span(
            f"link {at}", "internal", "api", at, 1_000 - at, 1_000 + (at + 499) % 500, trace=3, span_id=1_000 + at
        )
    told = traces.told()
    assert told.warnings() == {("cycle_cut", "own"), ("cycle_cut", "one"), ("cycle_cut", "link 0")}
    assert [(row["trace_lo"], row["complete"], row["spans"]) for row in told.requests()] == [
        (1, 10, 1),
        (2, 10, 2),
        (3, 1_000, 500),
    ]


def test_duplicates_with_different_bodies(traces: Traces) -> None:
    page(traces)
    for row in list(traces.rows):
        for later in (5_000_000, 9_000_000):
            again = {**row, "end_ns": row["end_ns"] + later, "route": "/told", "name": f"{row['name']} again"}
            traces.rows.append(again)
    told = traces.told()
    request = told.request()
    assert (request["spans"], request["complete"]) == (5, 109)
    warnings = told.results["warnings"]
    assert set(warnings.get_column("code").to_list()) == {words.code(words.WARNINGS, "duplicate_conflict")}
    assert warnings.get_column("detail").to_list() == ["3 copies with different contents; the fullest was kept"] * 5


def test_zero_length_everything(traces: Traces) -> None:
    page(traces)
    for row in traces.rows:
        row["start_ns"] = row["end_ns"] = EPOCH
    told = traces.told()
    assert (told.request()["complete"], told.request()["dominant"], told.path()) == (0, None, [])
    assert [hop["gap"] for hop in told.hops()] == [0, 0]
    assert told.warnings() == set()


@pytest.mark.parametrize("children", ["sync", "beyond"])
def test_a_root_that_ends_first(traces: Traces, children: str) -> None:
    """Its work goes on after it: the answer is where its server span ends, and who went on is named."""
    traces.span("GET /", "server", "api", 0, 10)
    traces.span("work", "internal", "api", 2, 60, "GET /")
    traces.span("query", "client", "api", 20, 50, "work", role="query", db_system="postgresql")
    if children == "beyond":
        traces.span("late", "internal", "api", 70, 90, "GET /")
    told = traces.told()
    assert told.request()["complete"] == 10
    assert ("outlives_parent", "work") in told.warnings()
    assert sum(piece.ms for piece in told.path()) == 10


def test_a_hundred_thousand_children() -> None:
    count = 100_001
    at = np.arange(count, dtype=np.int64)
    spans = pl.DataFrame(
        {
            "trace_hi": pl.repeat(7, count, dtype=pl.UInt64, eager=True),
            "trace_lo": pl.repeat(7, count, dtype=pl.UInt64, eager=True),
            "span_id": (at + 1).astype(np.uint64),
            "parent_id": np.minimum(at, 1).astype(np.uint64),
            "kind": np.where(at == 0, 2, 1).astype(np.uint8),
            "start_ns": EPOCH + at * 10,
            "end_ns": EPOCH + np.where(at == 0, count * 10, at * 10 + 7),
            "resource_id": pl.repeat(1, count, dtype=pl.UInt64, eager=True),
        }
    )
    results = analyse(spans, pl.DataFrame({"resource_id": pl.Series([1], dtype=pl.UInt64), "service": ["api"]}))
    assert results["requests"].select("complete_ns", "spans").rows() == [(count * 10, count)]
    assert results["segments"].select((pl.col("end_ns") - pl.col("start_ns")).sum()).item() == count * 10
    assert results["warnings"].height == 0


def test_ids_shared_by_client_and_server(traces: Traces) -> None:
    """As Zipkin does: every call's client and server span have one id."""
    page(traces)
    number = {"GET /": 1, "call": 2, "GET /v1": 2, "deep": 3, "GET /v2": 3}
    parent = {"GET /": None, "call": 1, "GET /v1": 1, "deep": 2, "GET /v2": 2}
    for row in traces.rows:
        row["span_id"], row["parent_id"] = number[row["name"]], parent[row["name"]]
    told = traces.told()
    assert told.request()["spans"] == 5
    assert [piece[2] for piece in told.brief()] == [10, 10, 10, 5, 30, 5, 10, 10, 10]
    assert [hop["gap"] for hop in told.hops()] == [20, 10]
    assert told.warnings() == set()


def test_spans_of_1970_and_2262(traces: Traces) -> None:
    page(traces)
    traces.rows[1]["start_ns"] = 0
    traces.rows[3]["end_ns"] = LAST
    traces.rows[4].update(start_ns=LAST - 30_000_000, end_ns=LAST)
    told = traces.told()
    assert told.request()["complete"] == 100
    assert told.warnings() == {("time_out_of_range", name) for name in ("call", "deep", "GET /v2")}


@pytest.mark.parametrize("ahead", [(5_000.0, -3_000.0), (-700.0, 700.0), (90_000.0, 90_500.0)])
def test_one_host_with_three_clocks(many: Callable[[], Traces], ahead: tuple[float, float]) -> None:
    """Three machines of one name, or processes whose clocks left the host's: each keeps its own time."""

    def told(offsets: tuple[float, float]) -> Any:
        traces = many()
        for service in ("web", "api", "stock"):
            traces.service(service, instance="localhost")
        for trace in range(CALLS):
            page(traces, trace + 1, 200.0 * trace, offsets)
        return traces.told()

    apart, right = told(ahead), told((0.0, 0.0))
    assert right.warnings() == set()
    assert {code for code, _ in apart.warnings()} == {"clock_interval_empty"}
    details = apart.results["warnings"].get_column("detail").to_list()
    assert all(detail.startswith("localhost is one host by name, and its processes keep ") for detail in details)
    assert [row["complete"] for row in apart.requests()] == [100] * CALLS
    assert Counter(hop["gap"] for hop in apart.hops()) == {20: CALLS, 10: CALLS}
    for entry in ("origin:api", "origin:stock"):
        assert own_ms(apart)[entry] == own_ms(right)[entry]


def own_ms(told: Any) -> Counter[str]:
    """Milliseconds of all requests by owner."""
    found: Counter[str] = Counter()
    for owner_no, start, end in told.results["segments"].select("owner_no", "start_ns", "end_ns").iter_rows():
        found[told.owners[owner_no]] += end - start
    return found


def test_a_healthy_request_beside_all_of_them_is_as_it_is_alone(many: Callable[[], Traces]) -> None:
    alone = many()
    page(alone, 99)
    beside = many()
    page(beside, 99)
    page(beside, 1)
    beside.rows[5].update(start_ns=0, end_ns=LAST)
    beside.rows.append({**beside.rows[6], "end_ns": LAST - 1})
    beside.rows[8]["parent_id"] = "GET /v2"
    beside.span("root", "server", "web", 0, 0, trace=2)
    beside.span("child", "internal", "web", -10, -20, "root", trace=2)

    def of(told: Any) -> list[tuple[Any, ...]]:
        mine = next(row["request_no"] for row in told.requests() if row["trace_lo"] == 99)
        rows = told.results["segments"].filter(pl.col("request_no") == mine)
        return [
            (told.owners[owner], *rest)
            for owner, *rest in rows.select(
                "owner_no", "horizon", "start_ns", "end_ns", "cause", "evidence"
            ).iter_rows()
        ]

    assert of(alone.told()) == of(beside.told())
