"""`seamscope doctor`: says what is in order, names what is not, and what to do."""

from __future__ import annotations

import json
import socket
from importlib import metadata
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from collector.doors.query_door import serve_queries
from seamscope import health, remote
from seamscope.cli import group
from seamscope.remote import LiveCollector, find_collector, socket_path
from seamscope.store import Store
from tests.seamscope.store_rows import START_NS, spans

if TYPE_CHECKING:
    from pathlib import Path


def run(*words: str) -> Result:
    return CliRunner().invoke(group, ["doctor", *words], catch_exceptions=False, standalone_mode=False)


def examined(db: Path) -> tuple[dict[str, dict[str, Any]], int]:
    result = run("--db", str(db), "--json")
    document = json.loads(result.stdout)
    assert document["schema"] == "seamscope.doctor/1"
    checks = {check["name"]: check for check in document["checks"]}
    assert document["problems"] == sum(check["state"] == "problem" for check in checks.values())
    return checks, result.return_value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / "test.duckdb"
    with Store.open(place) as store:
        store.commit({"spans": spans(30)}, now_ns=START_NS)
    return place


def test_store_in_order(path: Path) -> None:
    checks, code = examined(path)
    assert code == 0
    assert checks["store"]["state"] == "ok"
    assert checks["store"]["facts"]["spans"] == 30
    assert checks["store"]["facts"]["oldest_ns"] == START_NS
    assert checks["collector"]["state"] == "note"
    assert checks["libraries"]["facts"]["duckdb"] == metadata.version("duckdb")
    assert checks["kernels"]["facts"]["modules"] > 0


def test_text_form_ends_in_settings(path: Path) -> None:
    result = run("--db", str(path))
    assert "ok      store" in result.stdout
    for emitter in health.SETTINGS:
        assert emitter in result.stdout


def test_no_store_yet_is_no_problem(tmp_path: Path) -> None:
    checks, code = examined(tmp_path / "absent.duckdb")
    assert code == 0
    assert checks["store"]["state"] == "note"


def test_foreign_file_is_a_problem(tmp_path: Path) -> None:
    place = tmp_path / "notes.duckdb"
    place.write_text("my notes" * 4000)
    place.chmod(0o644)
    checks, code = examined(place)
    assert code == 3
    assert "is not a Seamscope store" in checks["store"]["said"]
    assert checks["privacy"]["state"] == "problem"
    assert "chmod 600" in checks["privacy"]["hint"]


def test_missing_folder_is_a_problem(tmp_path: Path) -> None:
    checks, code = examined(tmp_path / "absent" / "test.duckdb")
    assert code == 3
    assert checks["disk"]["state"] == "problem"


def test_full_disk_is_a_problem(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "FREE_BYTES", 1 << 60)
    checks, code = examined(path)
    assert code == 3
    assert "make room" in checks["disk"]["hint"]


def test_live_collector_is_asked(path: Path) -> None:
    with Store.open(path) as store:
        door = serve_queries(store, socket_path(path))
        checks, code = examined(path)
        live = find_collector(path)
        door.close(0)
    assert code == 0
    assert live is not None
    assert checks["collector"]["said"] == f"process {live.pid} answers at unix:{socket_path(path)}"
    assert checks["store"]["facts"]["spans"] == 30


def test_collector_that_does_not_answer_is_a_problem(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "ANSWER_SECONDS", 0.2)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(socket_path(path)))
        listening.listen()
        checks, code = examined(path)
    assert code == 3
    assert checks["collector"]["state"] == checks["store"]["state"] == "problem"
    assert "does not answer in time" in checks["collector"]["said"]


def test_writer_that_lends_nothing_is_named(path: Path) -> None:
    with Store.open(path):
        checks, code = examined(path)
    assert code == 0
    assert checks["store"]["state"] == "note"
    assert "already open in this process" in checks["store"]["said"]


def test_collectors_own_ports_must_answer() -> None:
    with socket.socket() as listening, socket.socket() as silent:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        silent.bind(("127.0.0.1", 0))
        addresses = {
            "grpc": f"127.0.0.1:{listening.getsockname()[1]}",
            "http": f"http://127.0.0.1:{silent.getsockname()[1]}",
        }
        found = list(health.ports(LiveCollector("unix:x", addresses)))
    assert [check.state for check in found] == ["ok", "problem"]


def test_second_owner_of_a_package_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = dict.fromkeys(health.PACKAGES, ("seamscope", "seamscope"))
    monkeypatch.setattr(metadata, "packages_distributions", lambda: {**ours, "tui": ("seamscope", "other")})
    check = health.owners()
    assert check.state == "problem"
    assert check.said == "tui is in other and seamscope"
    monkeypatch.setattr(metadata, "packages_distributions", lambda: ours)
    assert health.owners().state == "ok"
    monkeypatch.setattr(metadata, "packages_distributions", dict)
    assert health.owners().state == "note"


def test_old_library_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: "1.4.4" if name == "duckdb" else "99.0")
    old = next(iter(health.dependencies()))
    assert old.state == "problem"
    assert "duckdb is missing or too old" in old.hint
