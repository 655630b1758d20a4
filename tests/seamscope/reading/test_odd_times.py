"""Spans of 1970 and 2262 among requests of today: what people read is of today."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from seamscope import runs
from seamscope.reading.reports import report
from seamscope.reading.requests import request_detail
from seamscope.results import Selection
from seamscope.store import Store
from tests.seamscope.test_runs import MS, commit, page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LAST = 2**63 - 2


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Seven requests of 100 ms; of four, a span has times of another decade."""
    odd = {1: (1, {"start_ns": 0}), 2: (0, {"start_ns": 0}), 3: (2, {"start_ns": 5, "end_ns": 60 * MS + 5})}
    odd[4] = (2, {"end_ns": LAST})
    with Store.open(tmp_path / "odd.duckdb") as opened:
        for trace in range(1, 8):
            rows = page(trace)
            number, times = odd.get(trace, (0, {}))
            rows[number].update(times)
            commit(opened, rows, 0)
        runs.analyze(opened)
        yield opened


def test_means_and_percentiles_are_of_the_requests_whose_times_are_known(store: Store) -> None:
    found = report(store, Selection(), measured=True)
    assert found.warnings == {"time_out_of_range": 4}
    group = found.groups[0]
    assert (group.requests, group.complete.count, group.complete.max_ns) == (7, 6, 100 * MS)
    handlers = {metric.name: metric.value for metric in found.total.metrics}
    assert handlers["regional_handler_p99_ns"] == 100 * MS


@pytest.mark.parametrize("trace", [1, 2, 3, 4])
def test_a_waterfall_spans_the_request_and_the_raw_times_are_told(store: Store, trace: int) -> None:
    found = request_detail(store, f"{9:016x}{trace:016x}-{trace * 100 + 1:016x}")
    assert max(row.start_ns + row.duration_ns for row in found.waterfall) <= 100 * MS
    assert min(row.start_ns for row in found.waterfall) >= -10 * MS
    noted = [row for row in found.waterfall if row.notes]
    assert [row.notes[0].partition(":")[0] for row in noted] == ["time_out_of_range"]
    assert any(word in noted[0].notes[0] for word in ("0 ns", "5 ns", str(LAST)))
