"""`seamscope trace`: text, the contract's JSON, one page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from seamscope.commands.trace_ import command
from seamscope.reading.requests import find_request, list_requests, request_detail
from seamscope.results import Selection
from seamscope.schema.words import CAUSES
from seamscope.text.paper import Paper
from seamscope.text.trace_text import trace_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from seamscope.store import Store

SEGMENT = ["start_ns", "end_ns", "span_id", "owner", "tier", "service", "seam", "cause", "evidence"]
DOCUMENT = [
    "schema", "request_id", "trace_ids", "kind", "route", "status", "final", "start_ns", "horizons", "segments",
    "by_cause", "hops", "findings", "warnings", "async",
    "unexplained", "instruments", "logs", "logs_total",
]  # fmt: skip


def run(path: Path, *arguments: str) -> str:
    done = CliRunner().invoke(command, ["--db", str(path), *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_trace_golden(example_path: Path, golden: Callable[[str], None]) -> None:
    golden(run(example_path, "req-40"))


def test_trace_of_hostile_names_golden(example: Store, golden: Callable[[str], None]) -> None:
    (row,) = list_requests(example, Selection("route:script"))
    golden(trace_text(request_detail(example, row.request_id), Paper(width=100, encoding="ascii", bounded=True)))


def test_json_has_the_contract_s_form_and_adds_up(example_path: Path) -> None:
    document: dict[str, Any] = json.loads(run(example_path, "req-40", "--json"))
    assert list(document) == DOCUMENT
    assert document["schema"] == "seamscope.request/1"
    for horizon in ("shell", "complete"):
        path = document["segments"][horizon]
        assert [list(stretch) for stretch in path] == [SEGMENT] * len(path)
        assert sum(s["end_ns"] - s["start_ns"] for s in path) == document["horizons"][f"{horizon}_ns"]
        assert sum(share["ns"] for share in document["by_cause"][horizon]) == document["horizons"][f"{horizon}_ns"]
    assert [sorted(work) for work in document["async"]] == [["link", "queue_wait_ns", "span_id", "trace_id"]]


def test_json_hops_are_rows_of_the_view(example: Store, example_path: Path) -> None:
    view = example.query("SELECT * FROM hops WHERE request_id = $id", {"id": find_request(example, "req-40")})
    document = json.loads(run(example_path, "req-40", "--json"))
    names = [name for name in view.columns if name != "start_at"]
    expected = {row["client_span_id"]: {name: row[name] for name in names} for row in view.iter_rows(named=True)}
    for hop in document["hops"]:
        assert {name: hop[name] for name in names} == expected[hop["client_span_id"]]


def test_html_is_one_file(example_path: Path, tmp_path: Path) -> None:
    run(example_path, "req-40", "--html", str(tmp_path / "one.html"))
    assert list(tmp_path.iterdir()) == [tmp_path / "one.html"]


@pytest.mark.parametrize("rows", [1, 3, 0])
def test_rows_are_limited_and_the_rest_counted(example: Store, rows: int) -> None:
    text = trace_text(request_detail(example, find_request(example, "req-40")), Paper(), rows=rows)
    drawn = sum(1 for line in text.splitlines() if "─" in line and "GET" in line) if rows else None
    assert ("more (--rows 0 shows all)" in text) == bool(rows)
    assert drawn is None or drawn <= rows


def test_an_inferred_cause_comes_with_its_statistic(tmp_path: Path) -> None:
    from tests.seamscope.conftest import MS, Scene

    scene = Scene()
    scene.page(40, pool=10.0)
    calls = [(client, ns * MS) for client, ns in zip((2, 4, 5, 2, 4, 5, 2), range(1, 8), strict=True)]
    scene.rows["inferences"].extend(
        {
            "request_no": 40,
            **scene.trace(40),
            "client_span_id": 4_000 + client,
            "cause": CAUSES.index("pool_wait"),
            "ns": ns,
            "confidence": 0.87,
            "statistic": f"at most 4 calls ran at once\x1b[2J, {ns} of them",
        }
        for client, ns in calls
    )
    with scene.store(tmp_path / "inferred.duckdb") as store:
        (row,) = list_requests(store, Selection("route:/dash"))
        detail = request_detail(store, row.request_id)
    assert [inferred.ns for inferred in detail.inferences] == sorted((ns for _, ns in calls), reverse=True)
    text = trace_text(detail, Paper())
    assert "pool_wait 7.00 ms in fetch GET /v1/orders: at most 4 calls ran at once" in text
    assert "87% sure" in text
    assert "and 2 more inferred" in text
    assert "\x1b" not in text
