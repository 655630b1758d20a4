"""`seamscope compact`: the same rows in a smaller file, and the old file as it was whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from seamscope import cli
from seamscope.errors import StoreError, StoreLockedError
from seamscope.schema.tables import INGESTED, RESULTS
from seamscope.store import Settings, Store, StoreFile, compacting, opening, retention
from seamscope.store.layout import tables_of
from tests.collector import traffic
from tests.conftest import PROJECT
from tests.seamscope.store_rows import bulk, event, owner, request, resource, rows, span

if TYPE_CHECKING:
    from pathlib import Path

ROWS = ["owners", "span_shapes", *(table for name in (*INGESTED, *RESULTS) for table in tables_of(name))]

KILLED = """
import os, signal, sys
from pathlib import Path
from seamscope.store import compacting
when = int(sys.argv[2])
def progress(done, total):
    global when
    when -= 1
    if not when:
        os.kill(os.getpid(), signal.SIGKILL)
if not when:
    compacting._replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
compacting.CHUNK_ROWS = 4096
compacting.compact(Path(sys.argv[1]), progress)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store of which half has gone, with something in every kind of table."""
    place = tmp_path / "test.duckdb"
    with Store.open(place) as store:
        for number in range(1, 5):
            store.commit(bulk(number), now_ns=number)
        given = [span(1, db_system="mysql", url_full="http://x/", trace_state="a=b"), span(2)]
        more = {"span_events": rows("span_events", event(1)), "resources": rows("resources", resource())}
        store.commit({"spans": rows("spans", *given), **more}, now_ns=5)
        entry = request(1, dominant_owner_no=0)
        store.write_results({"requests": rows("requests", entry)}, rows("owners", owner(0, "origin:orders")))
        retention.step(store, upto=2, rows=1 << 30)
    return place


def content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with StoreFile.open(path) as store:
        tables = {table: store.query(f"SELECT * FROM base.{table} ORDER BY ALL").rows() for table in ROWS}  # noqa: S608
        return {**tables, "store": store.query("SELECT * FROM base.store").rows()}


def left(path: Path) -> list[str]:
    return sorted(place.name for place in path.parent.iterdir())


def test_the_same_rows_in_less_room(path: Path) -> None:
    before = content(path)
    seen: list[tuple[int, int]] = []
    done = compacting.compact(path, lambda *counts: seen.append(counts))
    assert content(path) == before
    assert (done.spans, done.after_bytes) == (2 * 8_192 + 2, path.stat().st_size)
    assert done.after_bytes < 0.7 * done.before_bytes
    assert seen[-1][0] == seen[-1][1] == sum(len(found) for name, found in before.items() if name != "store")
    assert left(path) == ["test.duckdb"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_store_goes_on_where_it_was(path: Path) -> None:
    compacting.compact(path)
    with Store.open(path) as store:
        assert store.commit({"spans": rows("spans", span(1, db_system="mysql"))}, now_ns=6).commit_no == 6
        assert store.commit(bulk(9), now_ns=7).rows["spans"] == 8_192
        retention.step(store, upto=4, rows=1 << 30)
        assert store.checkpoint_alone()
        assert store.query("SELECT count(*) FROM spans").item() == 8_192 + 3
        assert store.write_results({"requests": rows("requests", request(1))}, rows("owners")) == 2


@pytest.mark.parametrize("when", [1, 3, 0])
def test_a_kill_leaves_the_old_file(path: Path, when: int) -> None:
    before = content(path)
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", KILLED, str(path), str(when)]
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    assert "test.duckdb.compact" in left(path)
    assert content(path) == before
    Store.open(path).close()
    assert left(path) == ["test.duckdb"]
    compacting.compact(path)
    assert content(path) == before


def test_a_new_file_that_lacks_rows_is_not_taken(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(path)
    monkeypatch.setattr(compacting, "_end", lambda _connection, _name: 1)
    monkeypatch.setattr(compacting, "CHUNK_ROWS", 100)
    with pytest.raises(StoreError, match="not the same rows in span_rows; the old one stays"):
        compacting.compact(path)
    assert (content(path), left(path)) == (before, ["test.duckdb"])


def test_without_room_nothing_is_begun(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _place: type("Usage", (), {"free": 1_000}))
    with pytest.raises(StoreError, match="MB are wanted for the new file"):
        compacting.compact(path)
    assert left(path) == ["test.duckdb"]


def test_not_beside_a_writer(path: Path) -> None:
    with Store.open(path), pytest.raises(StoreLockedError):
        compacting.compact(path)
    connection = opening.two(path, opening.compacted_file(path), Settings(), 8_192)
    try:
        with pytest.raises(StoreLockedError):
            Store.open(path)
    finally:
        connection.close()


def test_command(path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli._call(["compact", "--db", str(path), "--json"]) == 0
    done = json.loads(capfd.readouterr().out)
    assert done["spans"] == 2 * 8_192 + 2
    assert cli._call(["compact", "--db", str(path)]) == 0
    assert "16,386 spans" in capfd.readouterr().out
    path = path.rename(tmp_path / "\x1b[2J.duckdb")
    assert cli._call(["compact", "--db", str(path)]) == 0
    assert "/\\x1b[2J.duckdb: " in capfd.readouterr().out
    assert cli._call(["compact", "--db", str(tmp_path / "absent.duckdb")]) == 3
    assert cli._call(["compact", "--db", "grpc://somewhere:1"]) == 2
    capfd.readouterr()
    with traffic.collecting(tmp_path, "--db", "live.duckdb") as listening:
        assert cli._call(["compact", "--db", str(tmp_path / "live.duckdb")]) == 3
        err = capfd.readouterr().err
    assert f"process {listening.program.process.pid}" in err
    assert err.count("\n") == 1
