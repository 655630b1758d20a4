"""Whose instruments are heard about a request's wait, and what people see of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner

from dashboards.write import request_html
from seamscope.commands.findings_ import command as findings_command
from seamscope.reading.requests import find_request, request_detail
from seamscope.schema.words import FINDINGS
from seamscope.text.json_forms import request_document
from seamscope.text.paper import Paper
from seamscope.text.trace_text import trace_text
from tests.seamscope.conftest import EPOCH_NS, MS, Scene

if TYPE_CHECKING:
    from pathlib import Path

    from seamscope.results import RequestDetail
    from seamscope.store import Store

START_NS = EPOCH_NS + 40_000 * MS
SEAM = "origin:orders→data:postgres/app"
GAUGE = "db.client.connection.pending_requests"
ORDERS = 2
"""The resource of the service that waits."""


def sample(value: float, at_ms: float, **said: Any) -> dict[str, Any]:
    return {"resource_id": ORDERS, "instrument": GAUGE, "subject": "db_pool", "measure": "waiting", "pool": "main",
            "cumulative": True, "started_ns": 0, "time_ns": START_NS + round(at_ms * MS), "value": float(value),
            "attributes": [], **said}  # fmt: skip


def scene_with(*points: dict[str, Any]) -> Scene:
    """A page whose second service waits 100 ms for a connection, from 20 ms on."""
    scene = Scene()
    scene.page(40, pool=100.0, correlation_id="req-40")
    scene.rows["metric_points"].extend(points)
    return scene


def detail_of(path: Path, *points: dict[str, Any]) -> RequestDetail:
    with scene_with(*points).store(path / "pools.duckdb") as store:
        return request_detail(store, find_request(store, "req-40"))


def heard(detail: RequestDetail) -> list[tuple[str, str, str]]:
    return [(told.verdict, told.instrument, told.sentence) for told in detail.testimonies]


def test_the_pools_own_gauge_confirms_its_wait(tmp_path: Path) -> None:
    found = detail_of(tmp_path, sample(12, 60))
    (told,) = found.testimonies
    assert (told.seam, told.operation, told.cause, told.ns) == (SEAM, "SELECT orders", "pool_wait", 100 * MS)
    assert (told.client_span_id, told.pool, told.at_ns) == (f"{4004:016x}", "main", START_NS + 60 * MS)
    assert heard(found) == [("confirms", GAUGE, "12 waiting while it waited")]
    assert f"pool_wait 100 ms in SELECT orders confirmed by {GAUGE} of main: 12 waiting while it waited" in trace_text(
        found, Paper()
    )
    (document,) = request_document(found)["instruments"]
    assert (document["verdict"], document["sentence"]) == ("confirms", "12 waiting while it waited")
    assert f"confirmed by {GAUGE} of main: 12 waiting while it waited" in request_html(found)


def test_it_contradicts_where_nobody_waited(tmp_path: Path) -> None:
    found = detail_of(tmp_path, sample(0, 60))
    assert heard(found) == [("contradicts", GAUGE, "nobody waiting while it waited")]
    assert "contradicted by" in trace_text(found, Paper())


def test_a_sample_of_the_query_says_nothing_of_the_wait_before_it(tmp_path: Path) -> None:
    assert heard(detail_of(tmp_path, sample(0, 125))) == []


def test_the_attribution_stays_whatever_they_say(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    silent, contradicted = detail_of(tmp_path / "a"), detail_of(tmp_path / "b", sample(0, 60))
    assert (silent.segments, silent.by_cause, silent.testimonies) == (contradicted.segments, contradicted.by_cause, ())


def test_another_service_says_nothing(tmp_path: Path) -> None:
    assert heard(detail_of(tmp_path, sample(12, 60, resource_id=1))) == []


def test_another_kind_of_pool_says_nothing(tmp_path: Path) -> None:
    assert heard(detail_of(tmp_path, sample(12, 60, subject="http_pool"))) == []


def test_of_several_pools_the_one_that_is_named(tmp_path: Path) -> None:
    both = [sample(12, 60, pool="postgres://db-1:5432/app"), sample(0, 60, pool="postgres://db-1:5432/reports")]
    assert heard(detail_of(tmp_path, *both)) == [("confirms", GAUGE, "12 waiting while it waited")]


def test_of_several_pools_that_may_be_meant_none(tmp_path: Path) -> None:
    assert heard(detail_of(tmp_path, sample(12, 60, pool="a"), sample(0, 60, pool="b"))) == []


def test_a_hostile_pool_name_is_harmless(tmp_path: Path) -> None:
    found = detail_of(tmp_path, sample(12, 60, pool="\x1b[2J<script>alert(1)</script>\u202e"))
    assert "\x1b" not in trace_text(found, Paper())
    assert "\u202e" not in trace_text(found, Paper())
    assert "<script>alert" not in request_html(found)


def finding_document(path: Path, *points: dict[str, Any]) -> dict[str, Any]:
    """Give the finding of an exhausted pool as `seamscope findings --json` prints it."""
    file = path / "pools.duckdb"
    with scene_with(*points).store(file) as store:
        add_finding(store)
    done = CliRunner().invoke(findings_command, ["--db", str(file), "--json"], catch_exceptions=False)
    (found,) = json.loads(done.stdout)["findings"]
    return dict(found)


def add_finding(store: Store) -> None:
    import polars as pl

    number = store.query("SELECT request_no FROM base.requests").item()
    finding = {"finding_id": "f00d", "rule": FINDINGS.index("pool_exhausted"), "route": None, "seam": SEAM,
               "since_ns": START_NS, "until_ns": START_NS, "requests": 1, "cost_ns": 100 * MS, "confidence": 0.9,
               "message": "too few connections", "next_step": "more"}  # fmt: skip
    request = {"finding_id": "f00d", "request_no": number, "cost_ns": 100 * MS, "span_ids": [4004]}
    columns = store.query("SELECT * FROM base.findings LIMIT 0").schema
    of_requests = store.query("SELECT * FROM base.finding_requests LIMIT 0").schema
    store.write_findings(
        pl.DataFrame([{name: finding.get(name) for name in columns}], schema=columns),
        pl.DataFrame([{name: request.get(name) for name in of_requests}], schema=of_requests),
    )


def test_a_finding_says_what_the_pools_own_gauge_said(tmp_path: Path) -> None:
    found = finding_document(tmp_path, sample(0, 10), sample(12, 60), sample(3, 110))
    assert found["instruments"] == [f"{GAUGE} said 12 waiting at 2027-01-15 08:00:40.060Z, above 0 in 2 of 3 samples"]


def test_a_finding_that_the_gauge_contradicts(tmp_path: Path) -> None:
    found = finding_document(tmp_path, sample(0, 10), sample(0, 60))
    assert found["instruments"] == [f"contradicted: {GAUGE} said nobody waiting in all 2 samples of that time"]


def test_a_finding_without_instruments(tmp_path: Path) -> None:
    assert finding_document(tmp_path)["instruments"] == []
