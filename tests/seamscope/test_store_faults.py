"""Faults: killed, locked out, out of disk. What was acknowledged is there afterwards, and nothing else half."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import duckdb
import pytest

from seamscope.errors import StoreDamagedError, StoreLockedError
from seamscope.store import Settings, Store, StoreFile
from seamscope.store.opening import log_file, temporary_folder
from tests.conftest import PROJECT
from tests.seamscope.store_rows import START_NS, bulk, spans

if TYPE_CHECKING:
    from pathlib import Path

WRITER = """
import sys
from pathlib import Path
from seamscope.store import Settings, Store
from tests.seamscope.store_rows import spans
store = Store.open(Path(sys.argv[1]), settings=Settings(checkpoint_bytes=int(sys.argv[2])))
print("open", flush=True)
for number in range(10_000):
    store.commit({"spans": spans(20, first=20 * number)}, now_ns=number + 1)
    print(number + 1, flush=True)
    if number % int(sys.argv[3]) == 0:
        store.open_anew_alone()
"""

NEVER = 10_000

FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from seamscope.errors import StoreError
from seamscope.store import Settings, Store
from tests.seamscope.store_rows import spans
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = Store.open(Path(sys.argv[1]), settings=Settings(checkpoint_bytes=int(sys.argv[2])))
acknowledged = refused = 0
def group(number):
    return {"spans": spans(1_500, first=1_500 * number)}
for number in range(12):
    if number == 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
    try:
        store.commit(group(number), now_ns=number + 1)
        acknowledged += 1
        store.checkpoint()
    except StoreError:
        refused += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.commit(group(10_000), now_ns=99)
found = store.query("SELECT count(DISTINCT commit_no), count(*) FROM base.spans").rows()[0]
print(acknowledged + 1, refused, *found, flush=True)
store.close()
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *(str(argument) for argument in arguments)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize(
    ("checkpoint_bytes", "opened_anew", "groups"),
    [(1 << 40, NEVER, 3), (1, NEVER, 12), (1 << 40, 1, 1), (1 << 40, 1, 4), (1, 2, 12)],
)
def test_killed_writer_loses_nothing_acknowledged(
    tmp_path: Path, checkpoint_bytes: int, opened_anew: int, groups: int
) -> None:
    path = tmp_path / "test.duckdb"
    acknowledged = 0
    process = start(WRITER, path, checkpoint_bytes, opened_anew)
    while acknowledged < groups:
        said = line(process)
        assert said, process.communicate()[1]
        acknowledged = int(said) if said.isdigit() else acknowledged
    process.send_signal(signal.SIGKILL)
    rest = process.communicate()[0].split()
    acknowledged = max([acknowledged, *(int(number) for number in rest)])
    with Store.open(path) as store:
        per_commit = store.query("SELECT commit_no, count(*) AS n FROM base.spans GROUP BY ALL ORDER BY ALL").rows()
        assert per_commit == [(number, 20) for number in range(1, len(per_commit) + 1)]
        assert acknowledged <= len(per_commit) <= acknowledged + 1
        again = store.commit({"spans": spans(20, first=20 * (acknowledged - 1))}, now_ns=START_NS)
        assert again.duplicate_spans == 20


def test_log_of_a_killed_writer_is_read_by_readers(tmp_path: Path) -> None:
    path = tmp_path / "test.duckdb"
    process = start(WRITER, path, 1 << 40, NEVER)
    while line(process) != "2":
        assert process.poll() is None
    process.kill()
    process.communicate()
    with StoreFile.open(path) as store:
        assert store.query("SELECT count(*) FROM spans").item() >= 40


def test_second_writer_is_told_who_holds_the_store(tmp_path: Path) -> None:
    path = tmp_path / "test.duckdb"
    process = start(WRITER, path, 1 << 40, NEVER)
    try:
        assert line(process) == "open"
        for opening in (Store.open, StoreFile.open):
            with pytest.raises(StoreLockedError, match=rf"is held by process {process.pid} .*; stop it"):
                opening(path)
    finally:
        process.kill()
        process.communicate()


def test_second_writer_in_this_process_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "test.duckdb"
    with Store.open(path):
        for opening in (Store.open, StoreFile.open):
            with pytest.raises(StoreLockedError, match="already open in this process"):
                opening(path)
    with Store.open(path) as again:
        assert again.query("SELECT 1 AS one").item() == 1


@pytest.mark.parametrize(("checkpoint_bytes", "failed"), [(1 << 40, "a checkpoint of"), (1, "opening")])
def test_full_disk_loses_nothing_acknowledged(tmp_path: Path, checkpoint_bytes: int, failed: str) -> None:
    process = start(FULL_DISK, tmp_path / "test.duckdb", checkpoint_bytes)
    said, complained = process.communicate(timeout=120)
    assert process.returncode == 0, complained
    acknowledged, refused, commits, rows = (int(number) for number in said.split())
    assert refused > 0
    assert failed in complained
    assert (commits, rows) == (acknowledged, 1_500 * acknowledged)


SHORTENED = """
import os, sys
from pathlib import Path
from seamscope.store import Store, retention
from tests.seamscope.store_rows import spans
path = Path(sys.argv[1])
store = Store.open(path)
largest = 0
for number in range(40):
    store.commit({"spans": spans(3_000, first=10_000 * number)}, now_ns=number + 1)
    if number % 3 == 2:
        retention.step(store, upto=number)
        store.checkpoint_alone()
    largest = max(largest, path.stat().st_size)
    if path.stat().st_size < largest:
        print(number, flush=True)
        os._exit(9)
"""


def test_killed_after_its_file_was_shortened_it_opens(tmp_path: Path) -> None:
    """The file's head tells of the blocks that the checkpoint then took off its end."""
    path = tmp_path / "test.duckdb"
    process = start(SHORTENED, path)
    said, wrong = process.communicate(timeout=60)
    assert process.returncode == 9, wrong
    size = path.stat().st_size
    with StoreFile.open(path) as file:
        text = "SELECT block_size * total_blocks FROM pragma_database_size()"
        assert file.query(text).item() > size
    with Store.open(path) as store:
        assert store.query("SELECT count(*) FROM spans WHERE name IS NOT NULL").item() == 3_000
        assert store.query("SELECT max(commit_no) FROM spans").item() == int(said) + 1


def test_file_that_lacks_a_block_with_rows_is_told(tmp_path: Path) -> None:
    path = tmp_path / "test.duckdb"
    with Store.open(path) as store:
        store.commit({"spans": spans(20_000)}, now_ns=1)
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(StoreDamagedError, match=r"cut off|enough bytes"):
        StoreFile.open(path)


def test_a_log_that_does_not_fit_into_memory_is_read(tmp_path: Path) -> None:
    path, killed = tmp_path / "test.duckdb", tmp_path / "killed.duckdb"
    commits, rows = 16, 3_000
    with Store.open(path, settings=Settings(checkpoint_bytes=1 << 30)) as store:
        for number in range(commits):
            store.commit({"spans": bulk(number)["spans"].slice(0, rows)}, now_ns=number + 1)
        shutil.copy(path, killed)
        shutil.copy(log_file(path), log_file(killed))
    temporary_folder(killed).mkdir()
    left = temporary_folder(killed) / "duckdb_temp_1_0_storage_DEFAULT-0.tmp"
    left.write_text("of the one that was killed")
    small = Settings(memory_bytes=24 << 20, checkpoint_bytes=1 << 30)
    with Store.open(killed, settings=small) as store:
        assert list(temporary_folder(killed).iterdir())
        assert not left.exists()
        assert store.query("SELECT count(DISTINCT span_id) FROM base.span_rows").item() == commits * rows
        store.checkpoint()
        assert store.commit({"spans": spans(20)}, now_ns=99).rows["spans"] == 20


def test_a_join_that_spills_finds_every_row(tmp_path: Path) -> None:
    """DuckDB issue 25702: a filter of the first part of a join's smaller side was put to rows of the others."""
    with duckdb.connect(tmp_path / "spilled.duckdb", config={"threads": 1}) as connection:
        connection.execute("CREATE TABLE few AS SELECT range % 2000 AS number FROM range(1_000_000)")
        connection.execute("CREATE TABLE many AS SELECT range % 4000 AS number FROM range(2_000_000)")
        connection.execute("SET memory_limit = '25MB'")
        found = connection.execute("SELECT count(*) FROM many WHERE number IN (SELECT number FROM few)").fetchone()
    assert found == (1_000_000,)
