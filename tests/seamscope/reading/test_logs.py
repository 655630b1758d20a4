"""A request's log records: which are its, in which order, how many, and what of them reaches a person."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from click.testing import CliRunner

from dashboards.request_page import request_page
from seamscope.commands.trace_ import command
from seamscope.reading.logs import LONGEST, MOST_LINES, NEAR_NS, level
from seamscope.reading.requests import find_request, request_detail
from seamscope.schema.tables import LOGS
from seamscope.text.json_forms import request_document, written
from seamscope.text.paper import Paper
from seamscope.text.trace_text import trace_text
from tests.seamscope.conftest import EPOCH_NS, MS, Scene

if TYPE_CHECKING:
    from pathlib import Path

    from seamscope.results import RequestDetail

START_NS = EPOCH_NS + 40_000 * MS
HOSTILE = "\x1b[2J\x1b]52;c;eA==\x07<script>alert(1)</script>\u202e\x9b31m=cmd|'/c calc'!A1"


def record(body: str, at_ms: float, **said: Any) -> dict[str, Any]:
    return {"trace_hi": 0, "trace_lo": 0, "span_id": 0, "time_ns": START_NS + round(at_ms * MS), "observed_ns": 0,
            "severity": 9, "body": body, "resource_id": 1, "attributes": [], **said}  # fmt: skip


def detail_of(
    path: Path, *records: dict[str, Any], scene: Scene | None = None, wanted: str = "req-40"
) -> RequestDetail:
    scene = scene or one_page()
    scene.rows["logs"].extend(records)
    with scene.store(path / "logs.duckdb") as store:
        return request_detail(store, find_request(store, wanted))


def one_page() -> Scene:
    scene = Scene()
    scene.page(40, pool=10.0, correlation_id="req-40")
    return scene


@pytest.mark.parametrize("id_", ["r-1", "0af7651916cd43dd8448eb211c80319c", "0af76519-16cd-43dd-8448-eb211c80319c"])
def test_records_with_an_id_of_a_span_are_the_requests(tmp_path: Path, id_: str) -> None:
    scene = one_page()
    scene.rows["spans"][-1]["correlation_id"] = id_
    found = detail_of(tmp_path, record("by id", 25, correlation_id=id_), record("another", 25), scene=scene)
    assert [(line.body, line.joined_by) for line in found.logs.lines] == [("by id", "request_id")]


def test_records_of_the_trace_and_of_the_id_are_the_requests(tmp_path: Path) -> None:
    trace = Scene.trace(40)
    found = detail_of(
        tmp_path,
        record("by span", 30, **trace, span_id=4003, severity=17),
        record("by trace", 20, **trace),
        record("by id", 25, correlation_id="req-40", resource_id=2),
        record("by id, of a trace nobody sent", 26, trace_hi=1, trace_lo=2, correlation_id="req-40"),
        record("another id", 25, correlation_id="req-41"),
        record("another trace", 25, **Scene.trace(41)),
        record("the same id, much later", NEAR_NS / MS + 1_000, correlation_id="req-40"),
        record("observed only", 0, **trace, time_ns=0, observed_ns=START_NS + 40 * MS),
    )
    assert [(line.body, line.joined_by, line.offset_ns // MS) for line in found.logs.lines] == [
        ("by trace", "trace_context", 20),
        ("by id", "request_id", 25),
        ("by id, of a trace nobody sent", "request_id", 26),
        ("by span", "trace_context", 30),
        ("observed only", "trace_context", 40),
    ]
    assert found.logs.total == 5
    by_span = found.logs.lines[3]
    assert (by_span.level, by_span.service, by_span.span_id) == ("error", "web", f"{4003:016x}")


def test_a_platforms_id_of_a_span_joins_too(tmp_path: Path) -> None:
    scene = one_page()
    scene.rows["spans"][2]["platform_id"] = "8f3c2d1e0a9b7c65"
    found = detail_of(tmp_path, record("at the edge", 1, platform_id="8f3c2d1e0a9b7c65"), scene=scene)
    assert [(line.body, line.joined_by) for line in found.logs.lines] == [("at the edge", "platform_id")]


def test_of_two_requests_in_one_trace_each_has_its_own(tmp_path: Path) -> None:
    scene = one_page()
    scene.request(41, 1, "GET /api/me", None, 5.0, **Scene.trace(40))
    scene.rows["request_traces"][-1].update(Scene.trace(40))
    scene.span(41, 1, 0, "web", "server", "GET /api/me", 0, 5, **Scene.trace(40), correlation_id="req-41")
    scene.path(41, 1, [(5.0, "render:web", "compute", "measured", 1, 0)])
    trace = Scene.trace(40)
    records = [record("page", 1, **trace, span_id=4001), record("api", 2, **trace, span_id=4101)]
    records += [record("page, by id", 4, correlation_id="req-40"), record("api, by id", 4, correlation_id="req-41")]
    found = detail_of(tmp_path, *records, record("either", 3, **trace), scene=scene, wanted=f"{4001:016x}")
    assert [line.body for line in found.logs.lines] == ["page", "either", "page, by id"]


@pytest.mark.parametrize(
    ("severity", "text", "word"),
    [(1, "", "trace"), (4, "", "trace"), (5, "", "debug"), (9, "", "info"), (13, "WARNING", "warn"),
     (17, "", "error"), (20, "", "error"), (24, "", "fatal"), (25, "Odd", "odd"), (0, "NOTICE", "notice"),
     (0, "", ""), (None, None, "")],
)  # fmt: skip
def test_levels(severity: int | None, text: str | None, word: str) -> None:
    assert level(severity, text) == word


@pytest.fixture(scope="module")
def flooded(tmp_path_factory: pytest.TempPathFactory) -> RequestDetail:
    """A request with 100,000 records."""
    path = tmp_path_factory.mktemp("flood") / "logs.duckdb"
    count = 100_000
    columns = {name: [None] * count for name in LOGS.names}
    columns["time_ns"] = [START_NS + number for number in range(count)]  # type: ignore[misc]
    columns["body"] = [f"record {number}" for number in range(count)]  # type: ignore[misc]
    for name, value in {**Scene.trace(40), "span_id": 4003, "resource_id": 1}.items():
        columns[name] = [value] * count  # type: ignore[list-item]
    with one_page().store(path) as store:
        store.commit({"logs": pa.table(columns, LOGS)}, now_ns=EPOCH_NS)
        return request_detail(store, find_request(store, "req-40"))


def test_of_a_flood_the_first_are_shown_and_the_rest_counted(flooded: RequestDetail) -> None:
    assert (len(flooded.logs.lines), flooded.logs.total) == (MOST_LINES, 100_000)
    assert [line.body for line in flooded.logs.lines[:2]] == ["record 0", "record 1"]
    text = trace_text(flooded, Paper())
    assert "the first 20 of 100 000 records; --logs 0 shows 1,000" in text
    assert "record 19" in text
    assert "record 20" not in text
    everything = trace_text(flooded, Paper(), logs=0)
    assert "the first 1,000 of 100 000 records; seamscope sql has the rest" in everything
    page = request_page(flooded)
    assert page.logs is not None
    assert (len(page.logs.rows), page.left_out_logs) == (500, 99_500)
    document = request_document(flooded)
    assert (len(document["logs"]), document["logs_total"]) == (MOST_LINES, 100_000)


def test_a_long_body_is_cut_and_said(tmp_path: Path) -> None:
    found = detail_of(tmp_path, record("x" * (LONGEST + 7), 1, **Scene.trace(40)))
    (line,) = found.logs.lines
    assert (len(line.body), line.left_out_characters) == (LONGEST, 7)


def test_text_of_one_request(tmp_path: Path) -> None:
    path = tmp_path / "logs.duckdb"
    scene = one_page()
    scene.rows["logs"] += [
        record("stock is short", 31.25, **Scene.trace(40), span_id=4003, severity=13, resource_id=2),
        record("paid", 62, correlation_id="req-40"),
    ]
    scene.store(path).close()
    done = CliRunner().invoke(command, ["--db", str(path), "req-40"], catch_exceptions=False)
    assert done.output[done.output.index("logs ") :].splitlines()[:3] == [
        "logs  2 records",
        "   +31.2 ms  warn   orders  stock is short",
        "   +62.0 ms  info   web     paid  by request id",
    ]


def test_json_of_one_request(tmp_path: Path) -> None:
    told = record("paid", 62, **Scene.trace(40), attributes=[{"key": "sum", "value": "7"}])
    (line,) = request_document(detail_of(tmp_path, told))["logs"]
    assert line == {
        "at_ns": START_NS + 62 * MS,
        "offset_ns": 62 * MS,
        "level": "info",
        "service": "web",
        "body": "paid",
        "left_out_characters": 0,
        "event_name": None,
        "trace_id": "abcd000000000028ffff000000000028",
        "span_id": None,
        "correlation_id": None,
        "scope": None,
        "attributes": [{"key": "sum", "value": "7"}],
        "joined_by": "trace_context",
    }


def test_hostile_records_are_harmless_everywhere(tmp_path: Path) -> None:
    from dashboards.write import request_html

    texts = dict.fromkeys(("body", "severity_text", "event_name", "scope", "correlation_id"), HOSTILE)
    pairs = [{"key": HOSTILE, "value": HOSTILE}]
    hostile = record("", 1, **Scene.trace(40), severity=0, attributes=pairs)
    found = detail_of(tmp_path, {**hostile, **texts})
    text = trace_text(found, Paper())
    assert "script" in text
    assert not any(ord(sign) < 32 or 0x7F <= ord(sign) < 0xA0 or sign == "\u202e" for sign in text if sign != "\n")
    html = request_html(found)
    assert "<script>alert" not in html
    assert not any(ord(sign) < 32 or sign == "\u202e" for sign in html if sign not in "\n\t")
    page = request_page(found)
    assert page.logs is not None
    assert "\x1b" not in page.logs.csv
    assert not any(part.startswith("=") for row in page.logs.csv.splitlines() for part in row.split(","))
    assert json.loads(written(request_document(found)))["logs"][0]["body"] == HOSTILE


def test_a_formula_is_text_in_csv(tmp_path: Path) -> None:
    page = request_page(detail_of(tmp_path, record("=1+1", 1, **Scene.trace(40))))
    assert page.logs is not None
    assert "'=1+1" in page.logs.csv
