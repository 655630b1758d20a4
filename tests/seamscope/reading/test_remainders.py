"""One request of a recording, as people read it: what would tell the rest, and no span of another request."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from collector.importing import StoreSink, import_files
from seamscope import runs
from seamscope.config import Config
from seamscope.reading.requests import list_requests, request_detail
from seamscope.store import Store
from seamscope.text.paper import Paper
from seamscope.text.trace_text import trace_text

if TYPE_CHECKING:
    from seamscope.results import RequestDetail

SAMPLES = Path(__file__).resolve().parents[3] / "sample_traces"


DETAILS = 10


def details(recording: str, folder: Path) -> list[RequestDetail]:
    """Some requests of a recording."""
    config = Config()
    with Store.open(folder / "recorded.duckdb") as store:
        import_files(
            [SAMPLES / recording / "traces.otlp.pb.zst"],
            StoreSink(store, config.rules),
            lambda _: None,
            lambda error: pytest.fail(str(error)),
        )
        runs.analyze(store, rules=config)
        rows = list_requests(store, limit=200)
        return [request_detail(store, row.request_id) for row in rows[:: len(rows) // DETAILS]]


def test_a_waterfall_has_its_requests_own_spans_and_no_others(tmp_path: Path) -> None:
    """Calls of undici ran in the contexts of requests before, so that those share traces."""
    for detail in details("b-undici-pool-blind", tmp_path):
        drawn = [one for one in detail.waterfall if one.kind == "span"]
        assert len(drawn) == detail.row.spans, detail.row.request_id


def test_what_would_tell_the_rest_is_said_where_much_is_unexplained(tmp_path: Path) -> None:
    told = details("a-body-drips-blind", tmp_path)
    assert any(detail.remainders for detail in told)
    for detail in told:
        path = detail.segments["complete"]
        for one in detail.remainders:
            unexplained = [s for s in path if s.seam == one.seam and s.cause == "unexplained"]
            assert one.ns == sum(s.end_ns - s.start_ns for s in unexplained) >= (detail.row.complete_ns or 0) // 10
            assert one.lacking
            assert all(lacking.hops <= len(detail.hops) and lacking.step for lacking in one.lacking)
        said = trace_text(detail, Paper(width=100, encoding="utf-8", bounded=True))
        assert said.count("; what would tell it:") == len(detail.remainders)
