"""A damaged store opens again with everything that was committed before the damage, and nothing is thrown away."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from click.testing import CliRunner

from seamscope.cli import group
from seamscope.errors import StoreDamagedError, StoreError, StoreLockedError
from seamscope.store import Settings, Store, StoreFile, rescuing
from seamscope.store.log_entries import HEAD_END, TRANSACTION_END
from seamscope.store.opening import log_file
from seamscope.store.salvage import salvage
from tests.conftest import PROJECT
from tests.seamscope.store_rows import BULK, bulk, event, rows, spans

if TYPE_CHECKING:
    from pathlib import Path

WRITER = """
import os, sys
from pathlib import Path
from seamscope.store import Settings, Store
from tests.seamscope.store_rows import spans
store = Store.open(Path(sys.argv[1]), settings=Settings(checkpoint_bytes=1 << 40))
for number in range(8):
    if number == 3:
        store.checkpoint()
    store.commit({"spans": spans(20, first=20 * number)}, now_ns=number + 1)
os._exit(9)
"""
COMMITS = 8
IN_FILE = 3


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of eight commits, three in its file and five in its log."""
    path = tmp_path_factory.mktemp("killed") / "test.duckdb"
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    assert subprocess.run([sys.executable, "-c", WRITER, str(path)], env=environment, check=False).returncode == 9
    assert log_file(path).stat().st_size > 10_000
    return path


@pytest.fixture
def path(killed: Path, tmp_path: Path) -> Path:
    place = tmp_path / "test.duckdb"
    shutil.copy(killed, place)
    shutil.copy(log_file(killed), log_file(place))
    return place


def flip(place: Path, at: int) -> None:
    content = bytearray(place.read_bytes())
    content[at] ^= 0x10
    place.write_bytes(content)


def test_store_in_order_is_left_as_it_is(path: Path) -> None:
    done = salvage(path)
    assert (done.readable, done.spans, done.put_aside) == (True, 20 * COMMITS, [])


@pytest.mark.parametrize("seed", range(6))
def test_log_is_cut_where_it_is_damaged(path: Path, seed: int) -> None:
    log = log_file(path)
    size = log.stat().st_size
    at = random.Random(seed).randrange(200, size)  # noqa: S311 - a place, no secret
    damaged = bytearray(log.read_bytes())
    damaged[at] ^= 0xFF
    log.write_bytes(damaged)
    try:
        StoreFile.open(path).close()
    except StoreError as error:
        assert "salvage" in str(error)  # noqa: PT017 - some bytes tell of a torn tail, which opens
    done = salvage(path)
    assert done.readable
    assert done.spans % 20 == 0
    assert 20 * IN_FILE <= done.spans <= 20 * COMMITS
    earlier = int((COMMITS - IN_FILE) * at / size)
    assert done.spans >= 20 * (IN_FILE + earlier - 1)
    if done.put_aside:
        assert done.put_aside[0].read_bytes() == bytes(damaged)
        assert done.dropped_log_bytes > 0
    with Store.open(path) as store:
        assert store.query("SELECT max(commit_no) FROM base.spans").item() * 20 == done.spans


def test_a_store_behind_a_link_has_its_log_beside_itself(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere" / "link.duckdb"
    link.parent.mkdir()
    link.symlink_to(path)
    flip(log_file(path), log_file(path).stat().st_size - 100)
    done = salvage(link)
    assert done.readable
    assert done.spans == 20 * (COMMITS - 1)
    assert link.is_symlink()
    assert [found.parent for found in done.put_aside] == [path.parent]
    with Store.open(link) as store:
        assert store.log_bytes() == log_file(path).stat().st_size
        assert store.query("SELECT count(*) FROM base.span_rows").item() == done.spans


@pytest.mark.parametrize("whole", range(COMMITS - IN_FILE))
@pytest.mark.parametrize("byte", [3, 7])
def test_a_length_that_passes_the_end_is_told_from_a_commit_cut_short(path: Path, whole: int, byte: int) -> None:
    """DuckDB leaves out all behind such a length in silence, whole transactions too."""
    log = log_file(path)
    content = log.read_bytes()
    at = content.index(HEAD_END) + len(HEAD_END)
    for _ in range(whole):
        at = content.index(TRANSACTION_END, at) + len(TRANSACTION_END)
    flip(log, at + byte)
    damaged = log.read_bytes()
    for opening in (StoreFile.open, Store.open):
        with pytest.raises(StoreDamagedError, match=f"byte position {at} .*; run `seamscope doctor --salvage`"):
            opening(path)
    done = salvage(path)
    assert (done.readable, done.spans, done.dropped_log_bytes) == (True, 20 * (IN_FILE + whole), len(damaged) - at)
    assert done.put_aside[0].read_bytes() == damaged
    with Store.open(path) as store:
        assert store.query("SELECT max(commit_no) FROM base.spans").item() == IN_FILE + whole


def test_a_log_whose_last_commit_was_cut_short_is_sound(path: Path) -> None:
    log = log_file(path)
    for cut in (1, len(TRANSACTION_END), 200, 500):
        os.truncate(log, log.stat().st_size - cut)
        with StoreFile.open(path) as store:
            assert store.query("SELECT count(*) FROM base.spans").item() >= 20 * (COMMITS - 2)
    assert salvage(path).put_aside == []


def test_log_without_a_head_is_not_taken_for_an_empty_one(path: Path) -> None:
    flip(log_file(path), 0)
    damaged = log_file(path).read_bytes()
    for opening in (StoreFile.open, Store.open):
        with pytest.raises(StoreError, match="damaged at its beginning; run `seamscope doctor --salvage`"):
            opening(path)
    assert log_file(path).read_bytes() == damaged
    done = salvage(path)
    assert (done.readable, done.spans, done.dropped_log_bytes) == (True, 20 * IN_FILE, len(damaged))
    assert done.put_aside[0].read_bytes() == damaged


def test_log_of_another_file_is_put_aside(path: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    other = tmp_path / "other.duckdb"
    subprocess.run([sys.executable, "-c", WRITER, str(other)], env=environment, check=False)
    log_file(other).replace(log_file(path))
    with pytest.raises(StoreError, match=r"log of .* is damaged"):
        StoreFile.open(path)
    done = salvage(path)
    assert (done.readable, done.spans) == (True, 20 * IN_FILE)


@pytest.mark.parametrize("damage", ["head", "foreign", "empty"])
def test_damaged_file_is_put_aside_whole(path: Path, damage: str) -> None:
    if damage == "head":
        flip(path, 100)
    else:
        path.write_bytes(b"text" * 5000 if damage == "foreign" else b"x")
    before = (path.read_bytes(), log_file(path).read_bytes())
    done = salvage(path)
    assert not done.readable
    assert sorted(place.read_bytes() for place in done.put_aside) == sorted(before)
    assert not path.exists()
    assert not log_file(path).exists()
    with Store.open(path) as store:
        assert store.query("SELECT count(*) FROM spans").item() == 0


def test_refuses_beside_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "test.duckdb"
    with Store.open(path), pytest.raises(StoreLockedError):
        salvage(path)
    with pytest.raises(StoreError, match="no store at"):
        salvage(tmp_path / "absent.duckdb")


def test_command(path: Path) -> None:
    flip(log_file(path), log_file(path).stat().st_size // 2)
    words = ["doctor", "--salvage", "--db", str(path), "--json"]
    result = CliRunner().invoke(group, words, catch_exceptions=False, standalone_mode=False)
    checks = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert result.return_value == 0
    assert checks["salvage"]["facts"]["spans"] == checks["store"]["facts"]["spans"] > 0


LARGE = """
import os, sys
from pathlib import Path
from seamscope.store import Store
from tests.seamscope.store_rows import spans
store = Store.open(Path(sys.argv[1]))
for number in range(6):
    store.commit({"spans": spans(9_000, first=9_000 * number)}, now_ns=number + 1)
store.commit({"spans": spans(20, first=60_000)}, now_ns=7)
os._exit(9)
"""
LARGE_SPANS = 6 * 9_000 + 20


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of which most lies in blocks of its file, and the last commit in its log."""
    path = tmp_path_factory.mktemp("large") / "test.duckdb"
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    subprocess.run([sys.executable, "-c", LARGE, str(path)], env=environment, check=False)
    return path


def test_of_a_damaged_file_what_can_be_read_is_kept(large: Path, tmp_path: Path) -> None:
    kept = []
    size = large.stat().st_size
    for number, at in enumerate(range(300_000, size, size // 4)):
        path = tmp_path / str(number) / "test.duckdb"
        path.parent.mkdir()
        shutil.copy(large, path)
        shutil.copy(log_file(large), log_file(path))
        flip(path, at)
        damaged = (path.read_bytes(), log_file(path).read_bytes())
        done = salvage(path)
        with Store.open(path) as store:
            assert store.is_readable()
            assert store.query("SELECT count(*) FROM spans").item() == done.spans
            store.commit({"spans": spans(20, first=70_000)}, now_ns=8)
        if done.readable and done.put_aside:
            assert done.lost_rows > 0
            assert [place.read_bytes() for place in done.put_aside] == list(damaged)
            kept.append(done.spans)
    assert kept
    assert all(LARGE_SPANS - 20_000 <= spans_kept <= LARGE_SPANS for spans_kept in kept)


TABLES = "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'base'"
BLOCKS = "SELECT row_group_id, block_id, additional_block_ids FROM pragma_storage_info($table) WHERE block_id >= 0"


def place_of_last_rows(path: Path, table: str) -> int:
    """Give a place in a block where nothing lies but rows of a table's last group."""
    groups: dict[int, set[int]] = {}
    others: set[int] = set()
    with duckdb.connect(path, read_only=True) as connection:
        (size,) = connection.execute("SELECT block_size FROM pragma_database_size()").fetchall()[0]
        for (name,) in connection.execute(TABLES).fetchall():
            for group_no, block, more in connection.execute(BLOCKS, {"table": f"base.{name}"}).fetchall():
                (groups.setdefault(group_no, set()) if name == table else others).update({block, *(more or [])})
    own = groups.pop(max(groups)).difference(others, *groups.values())
    return 3 * 4_096 + min(own) * int(size) + 5_000


def test_of_lost_spans_nothing_is_left_that_a_new_one_would_take_for_its_own(tmp_path: Path) -> None:
    path = tmp_path / "test.duckdb"
    lost = bulk(3)["spans"].slice(0, 1_000)
    key = {name: lost[name][0].as_py() for name in ("trace_hi", "trace_lo", "span_id")}
    link = {**key, "kind": 5, "linked_trace_hi": 1, "linked_trace_lo": 1, "linked_span_id": 1, "flags": 0}
    beside = {"span_events": rows("span_events", event(0, **key)), "span_links": rows("span_links", link)}
    with Store.open(path) as store:
        for number, group in enumerate((bulk(1), bulk(2), {"spans": lost, **beside})):
            store.commit(group, now_ns=number + 1)
    flip(path, place_of_last_rows(path, "span_rows"))
    done = salvage(path)
    assert BULK < done.spans <= 2 * BULK
    assert done.lost_rows == 2 * (2 * BULK + len(lost) - done.spans) + 2  # with their texts, the event and the link
    with Store.open(path) as store:
        assert store.commit({"spans": spans(10)}, now_ns=4).commit_no == 3
        assert store.query("SELECT db_statement FROM base.spans WHERE commit_no = 3").rows() == [(None,)] * 10
        assert all(store.query(f"SELECT * FROM base.{name}").is_empty() for name in beside)  # noqa: S608


@pytest.fixture
def damaged(large: Path, tmp_path: Path) -> Path:
    """A store with a damaged block, and its log."""
    path = tmp_path / "test.duckdb"
    shutil.copy(large, path)
    shutil.copy(log_file(large), log_file(path))
    flip(path, path.stat().st_size // 2)
    return path


def test_two_do_not_salvage_at_once(damaged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = [damaged.read_bytes(), log_file(damaged).read_bytes()]

    def beside(*given: Any) -> rescuing.Rescued:
        with pytest.raises(StoreLockedError, match="is being salvaged by another process; wait"):
            salvage(damaged)
        return rescuing.rescue(*given)

    monkeypatch.setattr("seamscope.store.salvage.rescue", beside)
    done = salvage(damaged)
    assert [place.read_bytes() for place in done.put_aside] == before
    assert set(damaged.parent.iterdir()) == {damaged, *done.put_aside}
    assert salvage(damaged).spans == done.spans


def test_what_was_put_aside_before_is_not_written_over(damaged: Path) -> None:
    before, kept = damaged.read_bytes(), damaged.with_name("test.duckdb.corrupt-1")
    kept.write_bytes(b"before")
    with pytest.raises(FileExistsError):
        rescuing.rescue(damaged, kept, Settings())
    assert (damaged.read_bytes(), kept.read_bytes()) == (before, b"before")
    log_file(damaged.with_name("test.duckdb.corrupt-2")).write_bytes(b"before")
    assert salvage(damaged).put_aside[0].name == "test.duckdb.corrupt-3"


FULL = """
import resource, sys
from pathlib import Path
from seamscope.errors import StoreDamagedError, StoreError
from seamscope.store.salvage import salvage
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
try:
    salvage(Path(sys.argv[1]))
except StoreError as error:
    print(error)
"""


def test_where_there_is_no_room_a_damaged_file_stays(damaged: Path) -> None:
    before = (damaged.read_bytes(), log_file(damaged).read_bytes())
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", FULL, str(damaged)]
    said = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    assert "see its folder, its disk" in said
    assert (damaged.read_bytes(), log_file(damaged).read_bytes()) == before
    assert sorted(damaged.parent.iterdir()) == [damaged, log_file(damaged)]
    assert salvage(damaged).spans >= LARGE_SPANS - 20_000
