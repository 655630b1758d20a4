"""A trace that makes a stage raise is set aside; the others do not notice."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from analysis import analyse
from seamscope.schema import words

if TYPE_CHECKING:
    import polars as pl

Traces = Any


@pytest.mark.parametrize("stage", ["forest.grow", "critical.find_requests"])
def test_a_trace_that_makes_a_stage_raise_is_set_aside_and_the_rest_live_on(
    traces: Traces, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    for trace in range(1, 12):
        traces.span("GET /", "server", "api", 0, 10 * trace, trace=trace)
    spans, resources, links = traces.frames()
    module, name = stage.split(".")
    room = import_module(f"analysis.{module}")
    whole = getattr(room, name)

    def fails(rows: Any, *rest: Any) -> Any:
        frame = rows if stage == "forest.grow" else rows.forest.spans.frame
        if frame.get_column("trace_lo").is_in([7]).any():
            raise ValueError("a stage\ncannot digest this")
        return whole(rows, *rest)

    monkeypatch.setattr(room, name, fails)
    results = analyse(spans, resources, links)
    assert sorted(results["requests"].get_column("trace_lo").to_list()) == [1, 2, 3, 4, 5, 6, 8, 9, 10, 11]
    assert results["requests"].get_column("request_no").to_list() == list(range(10))
    warning = results["warnings"].to_dicts()
    assert [(row["trace_lo"], row["request_no"], row["detail"]) for row in warning] == [
        (7, None, "ValueError: a stage cannot digest this")
    ]
    owners = results.owners.get_column("owner_no").to_list()
    assert owners == list(range(len(owners)))
    assert results["segments"].join(results.owners, on="owner_no", how="anti").height == 0


def test_when_nothing_works_the_search_ends(traces: Traces, monkeypatch: pytest.MonkeyPatch) -> None:
    for trace in range(1, 2_000):
        traces.span("GET /", "server", "api", 0, 10, trace=trace)
    tried = []

    def fails(rows: pl.DataFrame, *_: Any) -> Any:
        tried.append(rows.height)
        raise RuntimeError("no")

    monkeypatch.setattr("analysis.forest.grow", fails)
    results = analyse(*traces.frames())
    failed = words.code(words.WARNINGS, "stage_failed")
    assert results["warnings"].get_column("code").to_list() == [failed] * 1_999
    assert len(tried) < 200


def test_requests_live_on_without_what_many_calls_tell(traces: Traces, monkeypatch: pytest.MonkeyPatch) -> None:
    traces.span("GET /", "server", "api", 0, 10)

    def fails(*_: Any) -> Any:
        raise RuntimeError("no")

    monkeypatch.setattr("analysis.patterns.settle", fails)
    results = analyse(*traces.frames())
    assert results["requests"].get_column("complete_ns").to_list() == [10_000_000]
    assert results["warnings"].get_column("detail").to_list() == ["comparing calls: RuntimeError: no"]


def test_nothing_in_nothing_out(traces: Traces) -> None:
    traces.span("GET /", "server", "api", 0, 10)
    spans, resources, _ = traces.frames()
    results = analyse(spans.clear(), resources)
    assert {name: table.height for name, table in results.tables.items()} == dict.fromkeys(results.tables, 0)


def test_columns_that_are_absent_count_as_null(traces: Traces) -> None:
    traces.span("GET /", "server", "api", 0, 10)
    spans, resources, _ = traces.frames()
    least = ["trace_hi", "trace_lo", "span_id", "parent_id", "kind", "start_ns", "end_ns", "resource_id"]
    results = analyse(spans.select(least), resources.select("resource_id"))
    assert results["requests"].select("complete_ns", "service", "weight").rows() == [(10_000_000, "unknown", 1.0)]
