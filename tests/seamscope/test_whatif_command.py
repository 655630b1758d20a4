"""`seamscope whatif`: what it foretells, against what the same pages took without the block, and against a clock."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from click.testing import CliRunner

from collector.files import iter_bodies
from collector.ingest import ingest
from seamscope import evidence, runs
from seamscope.commands import whatif_
from seamscope.errors import DataError, UsageError
from seamscope.reading.reports import report
from seamscope.remote import open_store
from seamscope.store import Store

if TYPE_CHECKING:
    from tests.seamscope.conftest import Scene

SAMPLES = Path(__file__).resolve().parents[2] / "sample_traces"
NOW_NS = 2_000_000_000_000_000_000
MS = 1_000_000


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Recordings of a banner that holds a page, and of calls one after the other, analysed."""
    found = {}
    for name in ("a-nonessential", "a-serial-fanout"):
        found[name] = tmp_path_factory.mktemp("whatif") / f"{name}.duckdb"
        with Store.open(found[name]) as store:
            store.commit(ingest(list(iter_bodies(SAMPLES / name / "traces.otlp.pb.zst"))).tables, now_ns=NOW_NS)
            runs.analyze(store)
    return found


def told(path: Path, *arguments: str) -> dict[str, dict[str, Any]]:
    done = CliRunner().invoke(whatif_.command, [*arguments, "--db", str(path), "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["schema"] == "seamscope.whatif/1"
    return {row["horizon"]: row for row in document["outcomes"]}


def mean_ms(scenario: str, kind: str, byte: str) -> float:
    """What a stopwatch outside measured of the requests of one kind."""
    requests = json.loads((SAMPLES / scenario / "driver.json").read_text())["requests"]
    return float(statistics.mean(one[byte] for one in requests if one["kind"] == kind and one["status"])) / MS


@pytest.mark.parametrize("cause", ["compute", "render"])
@pytest.mark.parametrize("name", ["a-nonessential", "a-serial-fanout"])
def test_no_horizon_saves_more_of_a_cause_than_it_holds(stores: dict[str, Path], name: str, cause: str) -> None:
    with open_store(stores[name]) as reader:
        held = reader.query(
            "SELECT r.route, s.horizon, sum(s.end_ns - s.start_ns) FILTER (s.cause = $cause)::BIGINT AS ns "
            "FROM segments s JOIN requests r USING (request_id) WHERE r.kind <> 'other' GROUP BY ALL",
            {"cause": cause},
        )
    for route, horizon, ns in held.filter(pl.col("route").is_not_null()).iter_rows():
        outcome = told(stores[name], "--filter", f'route=="{route}"', "--cause", cause)[horizon]
        assert outcome["saving_ns"] <= (ns or 0) / outcome["requests"] + 1_000


@pytest.mark.parametrize(("horizon", "byte"), [("shell", "first_byte_ns"), ("complete", "last_byte_ns")])
def test_without_the_banner_the_page_takes_what_it_takes_when_that_is_quick(
    stores: dict[str, Path], horizon: str, byte: str
) -> None:
    """The saving foretold is what the stopwatch says of the same page where its banner takes no time."""
    foretold = told(stores["a-nonessential"], "--filter", "route:/offer", "--remove", "rule:nonessential_block")[
        horizon
    ]
    measured = mean_ms("a-nonessential", "offer", byte) - mean_ms("a-healthy", "offer", byte)
    assert foretold["changed"] == foretold["requests"] > 50
    assert abs(foretold["saving_ns"] / MS - measured) < max(10.0, 0.1 * measured)


def test_calls_side_by_side_cost_the_longest(stores: dict[str, Path]) -> None:
    """Three calls of about a length: two thirds of what a second instrument measured in them are gone."""
    foretold = told(stores["a-serial-fanout"], "--filter", "route:/bundle", "--parallel")["complete"]
    expected, driver = (
        json.loads((SAMPLES / "a-serial-fanout" / f"{name}.json").read_text()) for name in ("expected", "driver")
    )
    kinds = {one["key"]: one["kind"] for one in driver["requests"]}
    inside = [
        sum(part["ns"] for part in one["measured"] if not part["owner"].startswith("render:")) / MS
        for one in expected["requests"]
        if kinds[one["request"]] == "bundle" and one["horizon"] == "complete"
    ]
    assert abs(foretold["saving_ns"] / MS - statistics.mean(inside) * 2 / 3) < 10


def test_of_one_request(stores: dict[str, Path]) -> None:
    """Half of its statement's time, and not a nanosecond of what other requests took."""
    path = stores["a-nonessential"]
    with Store.open(path) as store:
        row = store.query(
            "SELECT s.request_id, sum(s.end_ns - s.start_ns)::BIGINT AS ns "
            "FROM segments s JOIN requests r USING (request_id) "
            "WHERE r.route LIKE '%/offer%' AND s.horizon = 'shell' AND s.cause = 'query' GROUP BY ALL "
            "ORDER BY ns DESC LIMIT 1"
        ).row(0, named=True)
    outcome = told(path, row["request_id"], "--cause", "query", "--by", "50")["shell"]
    assert outcome["requests"] == 1
    assert outcome["percentiles"] == {}
    assert abs(outcome["saving_ns"] - row["ns"] / 2) < 2 * MS
    assert outcome["before_ns"] - outcome["after_ns"] == outcome["saving_ns"]


def test_a_span_and_a_peer(stores: dict[str, Path]) -> None:
    """All calls of a page to its origin are more than any one of them."""
    path = stores["a-nonessential"]
    with Store.open(path) as store:
        found = store.query(
            "SELECT h.request_id, h.client_span_id, h.peer FROM hops h JOIN requests r USING (request_id) "
            "WHERE r.route LIKE '%/offer%' AND h.operation LIKE '%/banner' ORDER BY r.start_ns LIMIT 1"
        ).row(0, named=True)
    one = told(path, found["request_id"], "--remove", f"span:{found['client_span_id']}")["complete"]
    whole = told(path, found["request_id"], "--remove", f"peer:{found['peer']}")["complete"]
    assert 0 < one["saving_ns"] < whole["saving_ns"] < whole["before_ns"]


def test_as_text(stores: dict[str, Path]) -> None:
    arguments = ["--filter", "route:/offer", "--cause", "query", "--db", str(stores["a-nonessential"])]
    done = CliRunner().invoke(whatif_.command, arguments, catch_exceptions=False)
    assert "would be" in done.stdout
    assert "p95" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "nothing to change"),
        (("--remove", "rule:no_such"), "'no_such' is no rule"),
        (("--remove", "host:db"), "cannot remove 'host:db'"),
        (("--remove", "span:xyz"), "'xyz' is no span id"),
        (("--cause", "magic"), "'magic' is no cause"),
    ],
)
def test_words_that_are_none(stores: dict[str, Path], arguments: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        CliRunner().invoke(
            whatif_.command,
            [*arguments, "--db", str(stores["a-nonessential"])],
            catch_exceptions=False,
            standalone_mode=False,
        )


def test_no_request(stores: dict[str, Path]) -> None:
    with pytest.raises(DataError, match="no request to re-time"):
        CliRunner().invoke(
            whatif_.command,
            ["--filter", "route:/nowhere", "--parallel", "--db", str(stores["a-nonessential"])],
            catch_exceptions=False,
            standalone_mode=False,
        )


def _some_of_no_time(scene: Scene, folder: Path) -> Path:
    """Forty pages, of which every third took no time, and one that no sampler chose stands for ten."""
    for number in range(1, 41):
        if number % 3:
            scene.page(number, pool=float(number), weight=10.0 if number == 1 else 1.0)
        else:
            scene.request(number, 0, "GET /dash", 0, 0)
            scene.span(number, 1, 0, "web", "server", "GET /dash", 0, 0)
    scene.api(41, length=7.0, environment="preview")
    scene.store(folder / "none.duckdb").close()
    return folder / "none.duckdb"


def test_as_it_is_are_the_figures_of_the_report(scene: Scene, tmp_path: Path) -> None:
    """Of the same requests, those that took no time too, and of the same rank."""
    path = _some_of_no_time(scene, tmp_path)
    with Store.open(path) as store:
        total = report(store).total
    foretold = told(path, "--cause", "query")
    for horizon, known in (("shell", total.shell), ("complete", total.complete)):
        found = foretold[horizon]
        assert (found["requests"], found["before_ns"]) == (known.count, known.mean_ns)
        before = [found["percentiles"][at]["before_ns"] for at in ("p50", "p95", "p99")]
        assert before == [known.p50_ns, known.p95_ns, known.p99_ns]
        assert found["changed"] == known.count - 13


def test_what_is_looked_at_is_said(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MOST_REQUESTS", 30)
    path = _some_of_no_time(scene, tmp_path)
    arguments = ["--cause", "query", "--db", str(path)]
    document = json.loads(CliRunner().invoke(whatif_.command, [*arguments, "--json"], catch_exceptions=False).stdout)
    assert document["notes"] == [
        "environment production only (also here: preview; environment:* takes all)",
        "the latest 30 of 40 requests are re-timed (30 requests and 50,000 spans at most)",
        "1 request stands for more than itself (sampling): each stored request counts once",
    ]
    text = CliRunner().invoke(whatif_.command, arguments, catch_exceptions=False).stdout
    assert text.splitlines()[:3] == document["notes"]
