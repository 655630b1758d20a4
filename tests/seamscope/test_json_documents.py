"""What `--json` prints over a recording whose callee kept some of its spans to itself: always a document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from collector.files import iter_bodies
from collector.ingest import ingest
from seamscope import runs
from seamscope.cli import group
from seamscope.store import Store

if TYPE_CHECKING:
    from tests.seamscope.conftest import Scene

SAMPLES = Path(__file__).resolve().parents[2] / "sample_traces"
NOW_NS = 2_000_000_000_000_000_000


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Traces of which the sampler of the origin kept a part, analysed."""
    path = tmp_path_factory.mktemp("json") / "sampling.duckdb"
    with Store.open(path) as store:
        store.commit(ingest(list(iter_bodies(SAMPLES / "a-sampling" / "traces.otlp.pb.zst"))).tables, now_ns=NOW_NS)
        runs.analyze(store)
    return path


def told(path: Path, *arguments: str) -> Any:
    done = CliRunner().invoke(group, [*arguments, "--db", str(path), "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        ("report",),
        ("report", "--by", "seam", "--at", "p95"),
        ("seams",),
        ("findings",),
        ("diff", "--slow", "p50"),
        ("diff", "kind:page", "kind:api"),
        ("whatif", "--parallel"),
        ("sql", "SELECT sum(duration_ns) AS ns, avg(gap_ns) AS gap_ns FROM hops"),
        ("doctor",),
    ],
    ids=" ".join,
)
def test_every_command_that_looks_at_a_store(recorded: Path, arguments: tuple[str, ...]) -> None:
    assert told(recorded, *arguments)


def test_what_calls_without_a_server_span_took_is_a_number(recorded: Path) -> None:
    lacking = [
        one for row in told(recorded, "seams")["seams"] for one in row["lacking"] if "server_span" in one["tells"]
    ]
    assert lacking
    assert all(isinstance(one["ns"], int) and one["ns"] > 0 for one in lacking)


def test_requests_and_findings_one_by_one(recorded: Path) -> None:
    for row in told(recorded, "sql", "SELECT request_id FROM requests ORDER BY complete_ns DESC LIMIT 3"):
        assert told(recorded, "trace", row["request_id"])["segments"]
    for finding in told(recorded, "findings")["findings"]:
        assert told(recorded, "findings", finding["finding_id"])["requests"]


def test_a_request_with_a_call_that_was_served_and_one_that_was_not(scene: Scene, tmp_path: Path) -> None:
    """Much of the first is unexplained, so that it is said what would tell more of the seam: of the second too."""
    seam = "render:web→origin:orders"
    scene.request(1, 0, "GET /", None, 100)
    scene.span(1, 1, 0, "web", "server", "GET /", 0, 100)
    scene.path(1, 1, [(60, seam, "unexplained", "unexplained", 2, 2), (40, seam, "unobserved", "bounded", 4, 4)])
    scene.hop(1, 2, 3, seam, "GET", 0, 60, 10, unexplained_ns=50_000_000)
    scene.hop(1, 4, 0, seam, "GET", 60, 40, None)
    path = tmp_path / "one.duckdb"
    scene.store(path).close()
    (row,) = told(path, "sql", "SELECT request_id FROM requests")
    (one,) = told(path, "trace", row["request_id"])["unexplained"]
    assert [part["ns"] for part in one["lacking"] if "server_span" in part["tells"]] == [40_000_000]
