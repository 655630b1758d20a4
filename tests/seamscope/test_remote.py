"""Two doors, the same results: what a file gives, its collector gives; what is refused here is refused there."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import grpc
import pytest

from collector.doors import grpc_door
from collector.doors.query_door import QueryDoor, serve_queries
from collector.doors.query_handlers import QueryHandlers
from seamscope import remote
from seamscope.errors import (
    EndpointError,
    EndpointSilentError,
    QueryError,
    SeamscopeError,
    StoreError,
    StoreLockedError,
)
from seamscope.remote import KEEPALIVE, Lent, find_collector, open_store, read_token, socket_path
from seamscope.store import Store, StoreFile, sandbox
from tests.conftest import PROJECT
from tests.seamscope.store_rows import START_NS, resource, rows, spans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

STATEMENTS = [
    "SELECT * FROM spans ORDER BY span_id",
    "SELECT * FROM spans LIMIT 0",
    "SELECT tier, count(*) AS n, sum(duration_ns) AS ns, avg(duration_ns) AS mean FROM spans GROUP BY ALL",
    "SELECT attributes, {'a': [1, NULL]} AS nested, NULL AS nothing FROM spans ORDER BY span_id",
    "SELECT range AS n, repeat('x', 40) AS text FROM range(100_000)",
    "DESCRIBE spans",
    "EXPLAIN SELECT 1",
    "EXPLAIN (FORMAT json) SELECT 1",
    "EXPLAIN (SELECT 1)",
    "EXPLAIN (FORMAT json /*)*/) SELECT (1)",
    "/**/" * 40 + "--\rEXPLAIN /**/ SELECT 1",
    "SELECT 'ab' GLOB ('a*')",
    "-- EXPLAIN nothing\nEXPLAIN SELECT 2",
    "FROM resources",
    "SELECT 'copy' || e'\\'copy' || $$copy$$ || $x$copy$x$ /* copy /* copy */ checkpoint() */ -- copy",
    "SELECT query FROM (SELECT 'query(1), variant' AS query)",
    "SELECT checkpoint FROM (SELECT 1 AS checkpoint)",
]
REFUSED = [
    "",
    "selec",
    "SELECT 1; SELECT 2",
    "SELECT missing FROM spans",
    "SELECT * FROM absent",
    "WITH gone AS (DELETE FROM base.spans RETURNING *) SELECT * FROM gone",
    "WITH more AS (INSERT INTO base.owners VALUES (9, 'x', 1, 'x', NULL) RETURNING *) SELECT * FROM more",
    "COPY (SELECT 1) TO '/tmp/seamscope-test-copy'",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM glob('/*')",
    "ATTACH '/tmp/seamscope-test-other.duckdb'",
    "DETACH test",
    "INSTALL httpfs",
    "LOAD json",
    "SET max_execution_time = 0",
    "SET memory_limit = '100GB'",
    "RESET memory_limit",
    "PRAGMA database_list",
    "CHECKPOINT",
    "CALL pragma_version()",
    "EXPORT DATABASE '/tmp/seamscope-test-export'",
    "CREATE TABLE mine(a INTEGER)",
    "CREATE TEMP TABLE mine AS SELECT 1",
    "UPDATE base.spans SET name = 'x'",
    "DROP VIEW spans",
    "BEGIN",
    "COMMIT",
    "PREPARE p AS SELECT 1",
    "SELECT 'text'::INTEGER",
    "EXPLAIN ANALYZE DELETE FROM base.spans",
]
DEEDS = [
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{store}' (FORMAT csv, USE_TMP_FILE false)",
    "explain/**/analyze/**/copy (SELECT 1) TO '{store}.wal' (FORMAT csv, USE_TMP_FILE false)",
    "EXPLAIN (ANALYZE, FORMAT json) COPY (SELECT 1) TO '{store}.tmp/x.csv'",
    "EXPLAIN\u00a0ANALYZE\u00a0COPY\u00a0(SELECT 1) TO '{store}' (FORMAT csv, USE_TMP_FILE false)",
    "WITH x AS (COPY (SELECT 1) TO '{store}' (FORMAT csv, USE_TMP_FILE false)) SELECT 1",
    "WITH x AS MATERIALIZED (/*'*/ copy (SELECT 'ä') TO '{store}' (FORMAT csv, USE_TMP_FILE false)) FROM x",
    "SELECT (WITH x AS (COPY (SELECT 1) TO '{store}' (FORMAT csv, USE_TMP_FILE false)) SELECT 1)",
    "WITH b AS (SELECT \u00a0e'\\' '), a AS (COPY (SELECT 7) TO '{store}' (FORMAT csv, USE_TMP_FILE false)) FROM a --'",
    "SELECT \u00a0$a$ $a$, * FROM query('SELECT 42') --$a$",
    "EXPLAIN (ANALYZE /*) SELECT 1 --*/) SET SESSION max_execution_time = 0",
    "/*/**/ EXPLAIN SELECT 1 --*/ EXPLAIN ANALYZE SET SESSION max_execution_time = 0",
    "EXPLAIN ANALYZE SET SESSION max_execution_time = 0",
    "EXPLAIN ANALYZE RESET SESSION max_execution_time",
    "EXPLAIN ANALYZE CHECKPOINT",
    "EXPLAIN ANALYZE COMMIT",
    "EXPLAIN ANALYZE ROLLBACK",
    "EXPLAIN ANALYZE VACUUM",
    "EXPLAIN ANALYZE LOAD json",
    "EXPLAIN ANALYZE CREATE TEMP TABLE x AS SELECT 1",
    "SELECT * FROM checkpoint()",
    'FROM system.main."CheckPoint" /* */ ()',
    "FROM checkpoint\u00a0()",
    "FROM checkpoint \u2060\ufeff()",
    "FROM query('SELECT * FROM check' || 'point()')",
    "SELECT octet_length(content) FROM read_blob('{store}')",
    "SELECT json_serialize_plan('FROM parquet_scan(''{store}'')')",
    "SELECT json_serialize_sql('SELECT ' || repeat('(', 1500))",
    "SELECT from_json('[]', repeat('[', 20000) || '\"INT\"' || repeat(']', 20000))",
    "SELECT (repeat('[', 100000) || repeat(']', 100000))::JSON::VARIANT",
    "SELECT TRY_CAST('[]'::JSON AS \"Variant\")",
    "SELECT sleep_ms(1)",
    'EXPLAIN (FORMAT "(", ANALYZE) SET SESSION max_execution_time = 0',
    "SELECT * FROM sniff_csv('{store}')",
    "SELECT * FROM read_duckdb('{store}', table_name = 'spans')",
]
"""They pass for reading statements: what DuckDB has open is not closed to them."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / "test.duckdb"
    with Store.open(place) as store:
        store.commit({"spans": spans(40), "resources": rows("resources", resource())}, now_ns=START_NS)
    return place


@pytest.fixture
def lent(path: Path) -> Iterator[QueryDoor]:
    """A store lent by this process, as a collector lends it."""
    with Store.open(path) as store:
        door = serve_queries(store, socket_path(path))
        yield door
        door.close(0)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StoreFile, Lent, Store]]:
    """One store behind its two doors (a file that is written cannot be opened, so its door has a copy)."""
    path = tmp_path_factory.mktemp("written") / "test.duckdb"
    copy = tmp_path_factory.mktemp("read") / "test.duckdb"
    with Store.open(path) as store:
        store.commit({"spans": spans(40), "resources": rows("resources", resource())}, now_ns=START_NS)
    shutil.copy(path, copy)
    with Store.open(path) as store, StoreFile.open(copy, limited=True) as file:
        door = serve_queries(store, socket_path(path))
        with open_store(path) as reader:
            assert isinstance(reader, Lent)
            yield file, reader, store
        door.close(0)


@pytest.mark.parametrize("text", STATEMENTS)
def test_both_doors_give_the_same(doors: tuple[StoreFile, Lent, Store], text: str) -> None:
    file, lent, store = doors
    assert lent.arrow(text).equals(file.arrow(text))
    assert lent.query(text).equals(store.query(text))


@pytest.mark.parametrize("text", DEEDS)
def test_what_passes_for_reading_does_nothing(doors: tuple[StoreFile, Lent, Store], text: str) -> None:
    """Refused at both doors before it is run: what is on disk stays as it is."""
    for door, path in zip(doors[:2], (doors[0].path, doors[2].path), strict=True):
        before = {file: file.read_bytes() for file in path.parent.rglob("*") if file.is_file()}
        with pytest.raises(QueryError, match=r"is not (a reading statement|allowed)"):
            door.query(text.replace("{store}", str(path)))
        assert {file: file.read_bytes() for file in path.parent.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize("text", ["SELECT " + "(" * 1_001, "SELECT 1" + " " * 65_529])
def test_what_is_heavy_to_parse_is_not_parsed(doors: tuple[StoreFile, Lent, Store], text: str) -> None:
    for door in doors:
        with pytest.raises(QueryError, match="the statement has more than"):
            door.query(text)


def test_every_table_function_was_judged(doors: tuple[StoreFile, Lent, Store]) -> None:
    """A release of DuckDB may bring others, and what they do is to be known before they may be asked."""
    names = "SELECT DISTINCT function_name FROM duckdb_functions() WHERE internal AND function_type LIKE 'table%'"
    found = set(doors[2].query(names).to_series())
    told = {name for name in found if name.startswith("duckdb_")}
    assert found - told - sandbox.READING - sandbox.DEEDS == set()
    assert not sandbox.READING & sandbox.DEEDS


def test_the_root_of_all_folders_is_no_store() -> None:
    with pytest.raises(StoreError, match="is a folder"):
        open_store("/")


def test_parameters_travel(path: Path, lent: QueryDoor) -> None:
    del lent
    given = {"id": 2**64 - 1, "text": "é'\x1b\"", "none": None, "list": [1, 2], "flag": True, "float": 0.5, "unused": 1}
    text = "SELECT $id::UBIGINT AS id, $text AS text, $none AS none, $list AS list, $flag AS flag, $float AS float"
    with open_store(path) as reader:
        assert reader.query(text, given).to_dicts() == [{name: given[name] for name in given if name != "unused"}]
        with pytest.raises(QueryError):
            reader.query("SELECT $absent", {})
        with pytest.raises(QueryError, match="cannot be sent"):
            reader.query("SELECT $x", {"x": object()})


@pytest.mark.parametrize("text", REFUSED)
def test_refused_at_both_doors_in_the_same_words(doors: tuple[StoreFile, Lent, Store], text: str) -> None:
    file, lent, store = doors
    said = []
    for reader in (file, lent, store):
        with pytest.raises(QueryError) as caught:
            reader.query(text)
        said.append(str(caught.value))
        assert said[-1]
        assert "\n" not in said[-1]
    if "DELETE" not in text and "INSERT" not in text:  # there DuckDB tells its two ways of opening apart
        assert said[0] == said[1] == said[2]
    assert store.query("SELECT count(*), count(DISTINCT name) FROM base.spans").rows() == [(40, 40)]


def test_refused_statement_left_nothing() -> None:
    for name in ("copy", "other.duckdb", "export"):
        assert not os.path.exists(f"/tmp/seamscope-test-{name}")  # noqa: PTH110, S108


def test_socket_is_its_owners_alone(path: Path, lent: QueryDoor) -> None:
    assert lent.socket == socket_path(path)
    assert stat.S_IMODE(lent.socket.stat().st_mode) == 0o600


def test_collector_is_found_by_its_socket(path: Path, lent: QueryDoor) -> None:
    found = find_collector(path)
    assert found is not None
    assert found.pid == os.getpid()
    assert found.status["db"] == str(path)
    lent.close(0)
    assert not socket_path(path).exists()
    assert find_collector(path) is None


def test_collector_is_found_through_a_link(path: Path, lent: QueryDoor, tmp_path: Path) -> None:
    del lent
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "linked.duckdb"
    link.symlink_to(path)
    assert find_collector(link) is not None
    with open_store(link) as reader:
        assert isinstance(reader, Lent)


def test_long_path_has_a_short_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 20) / ("longer" * 20)
    folder.mkdir(parents=True)
    path = folder / "test.duckdb"
    with Store.open(path) as store:
        door = serve_queries(store, socket_path(path))
        assert socket_path(path).is_symlink()
        with open_store(path) as reader:
            assert isinstance(reader, Lent)
            assert reader.query("SELECT 1 AS one").item() == 1
        door.close(0)
    assert not socket_path(path).is_symlink()


def test_dead_collectors_socket_is_ignored_and_replaced(path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(socket_path(path)))
    left.close()
    assert find_collector(path) is None
    with open_store(path) as reader:
        assert isinstance(reader, StoreFile)
    with Store.open(path) as store:
        door = serve_queries(store, socket_path(path))
        assert find_collector(path) is not None
        door.close(0)


@pytest.fixture
def stopped(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A store whose collector listens and says nothing."""
    monkeypatch.setattr(remote, "ANSWER_SECONDS", 0.2)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(socket_path(path)))
        listening.listen()
        yield path


@pytest.mark.parametrize("look", [find_collector, open_store])
def test_a_collector_that_does_not_answer_is_not_taken_for_dead(stopped: Path, look: Callable[[Path], object]) -> None:
    with pytest.raises(EndpointSilentError, match=r"does not answer in time; .*try again"):
        look(stopped)


KILLED = """
import sys
from pathlib import Path
from collector.doors.query_door import serve_queries
from seamscope.remote import socket_path
from seamscope.store import Store
path = Path(sys.argv[1])
store = Store.open(path)
door = serve_queries(store, socket_path(path))
print("ready", flush=True)
sys.stdin.read()
"""


def test_killed_collector_leaves_a_readable_store(path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(path)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    found = find_collector(path)
    assert found is not None
    assert found.pid == process.pid
    with open_store(path) as reader:
        assert reader.query("SELECT count(*) FROM spans").item() == 40
    process.kill()
    process.communicate()
    assert socket_path(path).exists()
    assert find_collector(path) is None
    with open_store(path) as reader:
        assert reader.query("SELECT count(*) FROM spans").item() == 40


def test_plain_file_at_the_sockets_place_is_no_collector(path: Path) -> None:
    socket_path(path).write_text("no socket")
    assert find_collector(path) is None
    with Store.open(path) as store, pytest.raises(EndpointError, match="cannot listen"):
        serve_queries(store, socket_path(path))
    assert socket_path(path).read_text() == "no socket"


def test_writer_without_a_door_is_named(path: Path) -> None:
    with Store.open(path), pytest.raises(StoreLockedError):
        open_store(path)


def test_no_store_anywhere(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="run `seamscope collect` or `seamscope import`"):
        open_store(tmp_path / "absent.duckdb")


@pytest.mark.parametrize("target", ["grpc://", "grpc://localhost", "grpc://host:port"])
def test_odd_addresses(target: str) -> None:
    with pytest.raises(StoreError, match="write grpc://HOST:PORT"):
        open_store(target)


def test_nobody_answers() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(EndpointError, match=f"127.0.0.1:{port}"):
        open_store(f"grpc://127.0.0.1:{port}")


@contextmanager
def served(path: Path) -> Iterator[int]:
    """A store lent over TCP, at a port that any number of pings may come to."""
    options = [("grpc.http2.min_ping_interval_without_data_ms", 1), ("grpc.http2.max_ping_strikes", 0)]
    with Store.open(path) as store:
        server = grpc.server(ThreadPoolExecutor(4), handlers=[QueryHandlers(store)], options=options)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield port
        server.stop(0).wait()


def forward(source: socket.socket, target: socket.socket, silent: threading.Event) -> None:
    """Pass on what comes, until the network falls silent: no byte more, and no word of an end."""
    with suppress(OSError):
        while (data := source.recv(1 << 16)) and not silent.is_set():
            target.sendall(data)


def test_a_reader_notices_that_the_network_fell_silent(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "KEEPALIVE", tuple((key, min(value, 300)) for key, value in KEEPALIVE))
    silent, pool = threading.Event(), ThreadPoolExecutor(1)
    with ExitStack() as opened, served(path) as port, socket.create_server(("127.0.0.1", 0)) as listening:
        reading = pool.submit(open_store, f"grpc://127.0.0.1:{listening.getsockname()[1]}")
        near = opened.enter_context(listening.accept()[0])
        far = opened.enter_context(socket.create_connection(("127.0.0.1", port)))
        for source, target in ((near, far), (far, near)):
            threading.Thread(target=forward, args=(source, target, silent), daemon=True).start()
        with reading.result() as reader:
            rows = reader.stream("SELECT repeat('x', 200) || range AS text FROM range(400_000)")
            next(rows)
            silent.set()
            with pytest.raises(EndpointError, match="went silent"):
                pool.submit(list, rows).result(30)


def test_the_collector_allows_its_readers_pings() -> None:
    allowed = dict(grpc_door.OPTIONS)
    assert allowed["grpc.keepalive_permit_without_calls"]
    assert allowed["grpc.http2.min_ping_interval_without_data_ms"] < dict(KEEPALIVE)["grpc.keepalive_time_ms"]


def test_token_is_read_from_file_or_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEAMSCOPE_TOKEN", raising=False)
    assert read_token(None) is None
    monkeypatch.setenv("SEAMSCOPE_TOKEN", "from-environment")
    assert read_token(None) == "from-environment"
    (tmp_path / "token").write_text("secret\n")
    assert read_token(tmp_path / "token") == "secret"
    with pytest.raises(SeamscopeError, match="cannot read the token"):
        read_token(tmp_path / "absent")


def test_a_byte_order_mark_is_no_part_of_a_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\ufeffsecret\r\n", encoding="utf-8")
    assert read_token(tmp_path / "token") == "secret"


@pytest.mark.parametrize("token", ["s\0ecret", "s\u00e9cret", "sec\tret"])
def test_a_token_that_no_header_can_carry_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    (tmp_path / "token").write_text(f"# \u00e9\n{token}\n", encoding="utf-8")
    with pytest.raises(SeamscopeError, match="line 2: the token has characters that no header"):
        read_token(tmp_path / "token")
    monkeypatch.setattr(os, "environ", {"SEAMSCOPE_TOKEN": token})
    with pytest.raises(SeamscopeError, match="SEAMSCOPE_TOKEN: the token has characters"):
        read_token(None)


def test_result_left_early_frees_the_cursor(path: Path, lent: QueryDoor) -> None:
    del lent
    with open_store(path) as reader:
        for _ in range(4):
            stream = reader.stream("SELECT range FROM range(3_000_000)")
            next(stream)
            next(stream)
            stream.close()
        assert reader.query("SELECT 1 AS one").item() == 1
