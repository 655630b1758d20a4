"""`seamscope findings` over a store that was imported, and the findings of one request."""

from __future__ import annotations

import json
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from collector.files import iter_bodies
from collector.ingest import ingest
from seamscope import findings, runs
from seamscope.commands import findings_, trace_
from seamscope.errors import DataError, UsageError
from seamscope.remote import open_store
from seamscope.store import Store

if TYPE_CHECKING:
    import polars as pl

SAMPLES = Path(__file__).resolve().parents[2] / "sample_traces"
SAMPLE = SAMPLES / "a-db-pool" / "traces.otlp.pb.zst"
NOW_NS = 2_000_000_000_000_000_000


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of a pool that has too few connections, analysed."""
    path = tmp_path_factory.mktemp("findings") / "pool.duckdb"
    with Store.open(path) as store:
        store.commit(ingest(list(iter_bodies(SAMPLE))).tables, now_ns=NOW_NS)
        runs.analyze(store)
    return path


def run(pool: Path, *arguments: str, command: Any = findings_.command) -> str:
    done = CliRunner().invoke(command, [*arguments, "--db", str(pool)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def listed(pool: Path, *arguments: str) -> list[dict[str, Any]]:
    document = json.loads(run(pool, *arguments, "--json"))
    assert document["schema"] == "seamscope.findings/1"
    rows: list[dict[str, Any]] = document["findings"]
    return rows


def test_the_pool_comes_first_with_its_setting(pool: Path) -> None:
    first, *others = listed(pool)
    assert first["rule"] == "pool_exhausted"
    assert "→data:postgres" in first["seam"]
    assert "pool_max_conns=" in first["next_step"]
    assert all(first["cost_ns"] >= other["cost_ns"] for other in others)


def test_as_text(pool: Path) -> None:
    text = run(pool)
    assert text.startswith("pool_exhausted  origin:orders→data:postgres")
    assert "Costs are re-timed one finding at a time and do not add up." in text


def test_one_json_object_a_line(pool: Path) -> None:
    lines = run(pool, "--ndjson").splitlines()
    assert [json.loads(line)["rule"] for line in lines] == [row["rule"] for row in listed(pool)]


def test_a_message_of_more_requests_than_were_asked_for_says_so(pool: Path) -> None:
    some = ("--filter", "route:/reports shell>500ms", "--rule", "pool_exhausted")
    (whole,), (slow,) = listed(pool, "--rule", "pool_exhausted"), listed(pool, *some)
    assert slow["requests"] < slow["requests_in_all"] == whole["requests_in_all"] == whole["requests"]
    assert slow["message"] == whole["message"]
    said = f"  over all requests: {whole['message'][:40]}"
    assert said in run(pool, *some)
    assert said in run(pool, whole["finding_id"], *some[:2])
    assert said not in run(pool)


def test_by_rule_and_by_filter(pool: Path) -> None:
    assert {row["rule"] for row in listed(pool, "--rule", "pool_exhausted")} == {"pool_exhausted"}
    assert listed(pool, "--filter", "route:/nowhere") == []
    assert "nothing found" in run(pool, "--filter", "route:/nowhere")
    whole, slow = listed(pool)[0], listed(pool, "--filter", "route:/reports shell>500ms")[0]
    assert 0 < slow["requests"] < whole["requests"]
    assert 0 < slow["cost_ns"] < whole["cost_ns"]
    with pytest.raises(UsageError, match="'pool_exausted' is no rule"):
        run(pool, "--rule", "pool_exausted")


def test_the_requests_of_one(pool: Path) -> None:
    finding = listed(pool)[0]
    document = json.loads(run(pool, finding["finding_id"][:6], "--json", "--limit", "1000"))
    costs = [request["cost_ns"] for request in document["requests"]]
    assert (len(costs), sum(costs)) == (finding["requests"], finding["cost_ns"])
    assert costs == sorted(costs, reverse=True)
    assert all(request["span_ids"] for request in document["requests"])
    text = run(pool, finding["finding_id"], "--limit", "2")
    assert f"and {finding['requests'] - 2} requests more" in text
    with pytest.raises(DataError, match="no finding 'ffffffffffff'"):
        run(pool, "ffffffffffff")


def test_a_requests_own(pool: Path, tmp_path: Path) -> None:
    finding = json.loads(run(pool, listed(pool)[0]["finding_id"], "--json"))
    worst = finding["requests"][0]
    document = json.loads(run(pool, worst["request_id"], "--json", command=trace_.command))
    assert document["findings"][0]["rule"] == "pool_exhausted"
    assert document["findings"][0]["cost_ns"] == worst["cost_ns"]
    assert document["findings"][0]["span_ids"] == worst["span_ids"]
    page = tmp_path / "page.html"
    run(pool, worst["request_id"], "--html", str(page), command=trace_.command)
    text = run(pool, worst["request_id"], command=trace_.command)
    assert "● pool_exhausted" in text
    said = f"over all requests: {document['findings'][0]['message'][:40]}"
    assert said in text
    assert said in unescape(page.read_text(encoding="utf-8"))


def test_a_cost_is_what_the_pool_took(pool: Path) -> None:
    """Taking the waits out of a request that made one call leaves the rest of it as it was."""
    with open_store(pool) as reader:
        rows = reader.query(
            "SELECT q.cost_ns, s.ns FROM finding_requests q JOIN findings f USING (finding_id)"
            " JOIN (SELECT request_id, sum(end_ns - start_ns)::BIGINT AS ns FROM segments WHERE cause = 'pool_wait'"
            " AND horizon = 'complete' GROUP BY ALL) s USING (request_id) WHERE f.rule = 'pool_exhausted'"
        )
    assert rows.height > 50
    off = (rows.get_column("cost_ns") - rows.get_column("ns")).abs() / rows.get_column("ns")
    assert off.median() == pytest.approx(0, abs=0.02)


def test_findings_follow_revisions(pool: Path, tmp_path: Path) -> None:
    with Store.open(tmp_path / "again.duckdb") as store:
        assert findings.refresh(store) == 0
        store.commit(ingest(list(iter_bodies(SAMPLE))).tables, now_ns=NOW_NS)
        runs.analyze(store)
        before = store.query("SELECT * FROM findings ORDER BY finding_id")
        runs.analyze(store, everything=True)
        after = store.query("SELECT * FROM findings ORDER BY finding_id")
        lost = store.query("SELECT count(*) AS n FROM base.finding_requests ANTI JOIN base.requests USING (request_no)")
    assert before.equals(after)
    assert lost.item() == 0
    with open_store(pool) as reader:
        assert reader.query("SELECT * FROM findings ORDER BY finding_id").equals(before)


def test_a_rule_that_fails_leaves_the_results_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: object) -> tuple[pl.DataFrame, pl.DataFrame]:
        raise ZeroDivisionError

    monkeypatch.setattr("analysis.findings.find", fails)
    with Store.open(tmp_path / "fails.duckdb") as store:
        store.commit(ingest(list(iter_bodies(SAMPLE))).tables, now_ns=NOW_NS)
        assert runs.analyze(store).requests > 50
    assert "findings could not be drawn" in caplog.text


def test_it_is_drawn_anew_after_a_pause_only(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[object] = []
    clock = [0.0]
    monkeypatch.setattr(findings, "refresh", lambda *_: drawn.append(1))
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    conclusions = findings.Conclusions(store=None)  # type: ignore[arg-type]
    for seconds, requests, times in ((1, 0, 0), (2, 5, 1), (3, 5, 1), (3 + findings.PAUSE_SECONDS, 0, 2)):
        clock[0] = float(seconds)
        conclusions.after(requests)
        assert len(drawn) == times
    conclusions.after(1, at_once=True)
    assert len(drawn) == 3


@pytest.mark.parametrize(
    ("wall", "process", "cores", "pause"),
    [
        pytest.param(0.5, 0.4, 2, findings.PAUSE_SECONDS, id="cheap"),
        pytest.param(1.0, 1.8, 2, 1.8 * findings.PATIENCE, id="two threads at work"),
        pytest.param(1.0, 9.0, 4, 4.0 * findings.PATIENCE, id="no more than all cores"),
    ],
)
def test_findings_take_a_small_part_of_a_core(
    monkeypatch: pytest.MonkeyPatch, wall: float, process: float, cores: int, pause: float
) -> None:
    clocks = {"monotonic": 100.0, "process_time": 50.0}
    drawn: list[float] = []

    def draw(*_: object) -> None:
        drawn.append(clocks["monotonic"])
        clocks["monotonic"] += wall
        clocks["process_time"] += process

    monkeypatch.setattr(findings, "refresh", draw)
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    monkeypatch.setattr("time.monotonic", lambda: clocks["monotonic"])
    monkeypatch.setattr("time.process_time", lambda: clocks["process_time"])
    conclusions = findings.Conclusions(store=None)  # type: ignore[arg-type]
    conclusions.after(1)
    for early in (0.01, 0.0):
        clocks["monotonic"] = 100.0 + wall + pause - early
        conclusions.after(1)
    assert drawn == [100.0, 100.0 + wall + pause]
