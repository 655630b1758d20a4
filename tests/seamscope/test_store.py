"""The store: what is committed is there, once, whole, and for ever; what cannot be opened says why."""

from __future__ import annotations

import ast
import os
import stat
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest

from seamscope.errors import QueryError, StoreError, StoreLockedError, StoreVersionError
from seamscope.schema.tables import ATTRIBUTES, HOP_KINDS, INGESTED, OWNERS, RESULTS, SEGMENT_KINDS
from seamscope.store import Settings, Store, StoreFile
from seamscope.store.opening import log_file, temporary_folder
from seamscope.store.tables import SCHEMA_VERSION, listed
from tests.conftest import PROJECT
from tests.seamscope.store_rows import START_NS, event, resource, rows, span, spans

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW_NS = START_NS + 3600 * 1_000_000_000
OF_THE_STORE = {"resources": ["rule_tier"], "spans": ["attribute_keys", "attribute_texts", "span_no"]}
"""Columns that are the store's own: the door does not send them."""

SQL_TYPES = {
    pa.uint8(): "UTINYINT",
    pa.uint32(): "UINTEGER",
    pa.uint64(): "UBIGINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.string(): "VARCHAR",
    ATTRIBUTES: 'STRUCT("key" VARCHAR, "value" VARCHAR)[]',
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "test.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as opened:
        yield opened


def count(store: Store | StoreFile, table: str) -> int:
    return int(store.query(f"SELECT count(*) FROM base.{table}").item())  # noqa: S608


@pytest.mark.parametrize("name", [*INGESTED, *RESULTS, "owners", "segment_kinds", "hop_kinds"])
def test_tables_and_what_stands_for_them_are_those_of_the_schema(store: Store, name: str) -> None:
    schema = {**INGESTED, **RESULTS, "owners": OWNERS, "segment_kinds": SEGMENT_KINDS, "hop_kinds": HOP_KINDS}[name]
    wanted = [(column.name, SQL_TYPES[column.type]) for column in schema]
    text = "SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name = 'base' AND table_name = $name"
    place = {"segments": "horizon_segments"}.get(name, name)
    found = store.query(f"{text} ORDER BY column_index", {"name": place}).rows()
    assert found[: len(wanted)] == wanted
    assert [column for column, _ in found[len(wanted) :]] == OF_THE_STORE.get(name, [])


def test_hot_tables_have_no_index(store: Store) -> None:
    assert store.query("SELECT * FROM duckdb_indexes()").is_empty()
    assert store.query("SELECT * FROM duckdb_constraints() WHERE schema_name = 'base'").is_empty()


@pytest.mark.parametrize("folder", ["schema", "views"])
def test_manifest_lists_its_folder(folder: str) -> None:
    assert listed(folder)


def _named_statements() -> set[str]:
    """Find the statements that code names, `{…}` in a name standing for anything."""
    names = set()
    for source in (PROJECT / "seamscope").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.count("/") == 1:
                names.add(node.value)
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                names.add(f"{node.values[0].value!s}*")
    return names


def test_every_named_statement_has_a_user() -> None:
    folder = PROJECT / "seamscope" / "sql"
    files = {str(file.relative_to(folder).with_suffix("")) for file in folder.rglob("*.sql")}
    named = _named_statements()
    loose = {name.removesuffix("*") for name in named if name.endswith("*") and "/" in name}
    unused = {file for file in files if file not in named and not any(file.startswith(start) for start in loose)}
    assert not unused


def test_new_store_is_its_owners_alone(store: Store, path: Path) -> None:
    store.commit({"spans": spans(3)}, now_ns=NOW_NS)
    for place in (path, log_file(path)):
        assert stat.S_IMODE(place.stat().st_mode) == 0o600


def test_log_stays_private_after_a_checkpoint(store: Store, path: Path) -> None:
    store.checkpoint()
    store.commit({"spans": spans(3)}, now_ns=NOW_NS)
    assert stat.S_IMODE(log_file(path).stat().st_mode) == 0o600


def test_spill_is_its_owners_alone_and_cleared(path: Path) -> None:
    spill = temporary_folder(path)
    spill.mkdir()
    (spill / "duckdb_temp_storage_DEFAULT-0.tmp").write_text("left by a killed collector")
    with Store.open(path, settings=Settings(memory_bytes=64 << 20, threads=1)) as store:
        assert not list(spill.iterdir())
        rows_of = store.stream("SELECT repeat('x', 90) || range AS t FROM range(1_000_000) ORDER BY hash(range)")
        next(rows_of)
        next(rows_of)
        assert list(spill.iterdir())
        assert stat.S_IMODE(spill.stat().st_mode) == 0o700
        rows_of.close()
    assert not spill.exists()


def test_nothing_is_spilled_to_a_link(path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    (elsewhere / "duckdb_temp_storage_DEFAULT-0.tmp").write_text("another collector's")
    temporary_folder(path).symlink_to(elsewhere)
    _spills_nothing(path, caplog)
    assert [file.name for file in elsewhere.iterdir()] == ["duckdb_temp_storage_DEFAULT-0.tmp"]
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")
def test_nothing_is_spilled_to_somebody_elses_folder(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spill = temporary_folder(path)
    spill.mkdir()
    os.chown(spill, 65534, 65534)
    _spills_nothing(path, caplog)


def _spills_nothing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Store.open(path, settings=Settings(memory_bytes=64 << 20, threads=1)) as store:
        assert "nothing is spilled" in caplog.text
        with pytest.raises(QueryError, match="memory"):
            store.query("SELECT repeat('x', 90) || range AS t FROM range(1_000_000) ORDER BY hash(range)")
        assert store.query("SELECT 1 AS one").item() == 1


def test_whoever_is_turned_away_leaves_the_writers_folder_for_spill(store: Store, path: Path) -> None:
    del store
    with pytest.raises(StoreLockedError):
        StoreFile.open(path)
    assert temporary_folder(path).is_dir()


def test_no_folder_for_spill_is_left_where_the_file_cannot_be_opened(path: Path) -> None:
    path.write_text("no store" * 4_000)
    with pytest.raises(StoreError):
        Store.open(path)
    assert not temporary_folder(path).exists()


def _full_row(schema: pa.Schema) -> dict[str, Any]:
    """Give a row with the largest value of every type."""
    values: dict[pa.DataType, Any] = {
        pa.uint8(): 2**8 - 1,
        pa.uint32(): 2**32 - 1,
        pa.uint64(): 2**64 - 1,
        pa.int16(): -(2**15),
        pa.int32(): -(2**31),
        pa.int64(): -(2**63),
        pa.float64(): 1e308,
        pa.bool_(): True,
        ATTRIBUTES: [
            {"key": "k", "value": "\x00\x1b[2J\u202e𝄞"},
            {"key": "", "value": ""},
            {"key": "n", "value": None},
        ],
    }
    return {column.name: values.get(column.type, f"{column.name}\x00é") for column in schema}


@pytest.mark.parametrize("name", ["spans", "resources", "span_events", "span_links", "logs"])
def test_every_value_comes_back(store: Store, name: str) -> None:
    given = rows(name, _full_row(rows(name).schema))
    receipt = store.commit({name: given}, now_ns=NOW_NS)
    assert receipt.rows == {name: 1}
    columns = ", ".join(f'"{column}"' for column in given.column_names)
    assert store.arrow(f"SELECT {columns} FROM base.{name}").to_pylist() == given.to_pylist()  # noqa: S608


def test_stamps_are_the_writers(store: Store) -> None:
    store.commit({"spans": spans(2), "logs": rows("logs", {"body": "hello"})}, now_ns=NOW_NS)
    store.commit({"spans": spans(2, first=2)}, now_ns=NOW_NS + 1)
    assert store.query("SELECT DISTINCT commit_no, ingested_ns FROM base.spans ORDER BY ALL").rows() == [
        (1, NOW_NS),
        (2, NOW_NS + 1),
    ]
    assert store.query("SELECT commit_no, ingested_ns FROM base.logs").rows() == [(1, NOW_NS)]


def test_commits_are_counted_on_after_a_restart(store: Store, path: Path) -> None:
    store.commit({"spans": spans(2)}, now_ns=NOW_NS)
    store.close()
    with Store.open(path) as again:
        assert again.commit({"spans": spans(2, first=2)}, now_ns=NOW_NS).commit_no == 2
        assert count(again, "spans") == 4


def test_columns_may_be_dictionaries(store: Store) -> None:
    plain = spans(4)
    place = plain.schema.get_field_index("name")
    store.commit({"spans": plain.set_column(place, "name", plain["name"].dictionary_encode())}, now_ns=NOW_NS)
    assert store.query("SELECT name FROM base.spans ORDER BY span_id")["name"].to_list() == plain["name"].to_pylist()


def test_group_is_stored_whole_or_not_at_all(store: Store) -> None:
    given = rows("span_events", event(1))
    wrong = given.set_column(given.schema.get_field_index("at_ns"), "at_ns", pa.array(["not a number"]))
    with pytest.raises(StoreError, match="cannot write"):
        store.commit({"spans": spans(3), "resources": rows("resources", resource()), "span_events": wrong}, now_ns=1)
    assert count(store, "spans") == count(store, "resources") == 0
    receipt = store.commit({"spans": spans(3), "resources": rows("resources", resource())}, now_ns=NOW_NS)
    assert receipt.rows == {"spans": 3, "resources": 1}
    assert receipt.duplicate_spans == 0


def test_unknown_table_is_a_mistake(store: Store) -> None:
    with pytest.raises(ValueError, match="metrics"):
        store.commit({"metrics": spans(1)}, now_ns=NOW_NS)


def test_empty_group_is_no_commit(store: Store) -> None:
    assert store.commit({"spans": spans(0)}, now_ns=NOW_NS).rows == {}
    assert store.commit({}, now_ns=NOW_NS).commit_no == 0


def test_log_is_folded_in_beside_commits(path: Path) -> None:
    with Store.open(path, settings=Settings(checkpoint_bytes=1)) as store:
        store.commit({"spans": spans(50)}, now_ns=NOW_NS)
        store._checkpoints._thread.join(0)
        store.commit({"spans": spans(50, first=50)}, now_ns=NOW_NS)
        assert count(store, "spans") == 100
    assert not log_file(path).exists()
    with StoreFile.open(path) as again:
        assert count(again, "spans") == 100


def test_file_is_read_beside_other_readers(store: Store, path: Path) -> None:
    store.commit({"spans": spans(2)}, now_ns=NOW_NS)
    store.close()
    with StoreFile.open(path) as one, StoreFile.open(path) as other:
        assert count(one, "spans") == count(other, "spans") == 2


def test_no_store(path: Path) -> None:
    for opening in (StoreFile.open, lambda place: Store.open(place, create=False)):
        with pytest.raises(StoreError, match=r"no store at .*; run `seamscope collect` or `seamscope import`"):
            opening(path)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no folder"):
        Store.open(tmp_path / "absent" / "test.duckdb")


def test_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder"):
        Store.open(tmp_path)


def test_link_to_nothing_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(StoreError, match="link to nothing"):
        Store.open(tmp_path / "link")
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("content", [b"PK\x03\x04 a zip, perhaps", b"text\n" * 2000, b"\x00" * 20_000])
def test_foreign_file_is_no_store(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    for opening in (Store.open, StoreFile.open):
        with pytest.raises(StoreError) as caught:
            opening(path)
        assert "is not a Seamscope store" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert path.read_bytes() == content


def test_someone_elses_duckdb_is_left_alone(path: Path) -> None:
    with duckdb.connect(path) as other:
        other.execute("CREATE TABLE mine(a INTEGER)").complete()
    for opening in (Store.open, StoreFile.open):
        with pytest.raises(StoreVersionError, match="not a Seamscope store"):
            opening(path)
    with duckdb.connect(path, read_only=True) as other:
        assert other.execute("SELECT table_name FROM duckdb_tables()").fetchall() == [("mine",)]


@pytest.mark.parametrize(("version", "hint"), [(SCHEMA_VERSION + 1, "update seamscope"), (0, "with that release")])
def test_other_releases_tables(store: Store, path: Path, version: int, hint: str) -> None:
    store.close()
    with duckdb.connect(path) as other:
        other.execute(f"UPDATE base.store SET schema_version = {version}, written_by = '9.9'").complete()  # noqa: S608
    for opening in (Store.open, StoreFile.open):
        with pytest.raises(StoreVersionError, match=hint) as caught:
            opening(path)
        assert "release 9.9" in str(caught.value)


def test_views_of_an_older_build_are_renewed(store: Store, path: Path) -> None:
    store.close()
    with duckdb.connect(path) as other:
        other.execute("UPDATE base.store SET views_digest = 'old'").complete()
        other.execute("CREATE OR REPLACE VIEW main.spans AS SELECT 1 AS old").complete()
        other.execute("DROP TABLE base.metric_points").complete()
        for column in ("correlation_id", "platform_id"):
            other.execute(f"ALTER TABLE base.logs DROP COLUMN {column}").complete()
    with Store.open(path) as again:
        again.commit({"logs": rows("logs", {"body": "hello", "correlation_id": "r-1"})}, now_ns=NOW_NS)
        again.commit({"metric_points": rows("metric_points", {"value": 12.0})}, now_ns=NOW_NS)
        assert again.query("SELECT value FROM metric_points").rows() == [(12.0,)]
        assert again.query("SELECT body, correlation_id FROM logs").rows() == [("hello", "r-1")]
        assert "trace_id" in again.query("SELECT * FROM spans").columns


def test_damaged_pages_are_never_read_as_data(store: Store, path: Path) -> None:
    store.commit({"spans": spans(2000)}, now_ns=NOW_NS)
    store.close()
    content = bytearray(path.read_bytes())
    for place in range(16_384, len(content), 8_192):
        content[place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(StoreError), StoreFile.open(path) as damaged:
        damaged.query("SELECT * FROM spans")


def test_exception_event_of_a_span_is_kept_with_it(store: Store) -> None:
    store.commit({"spans": rows("spans", span(1)), "span_events": rows("span_events", event(1))}, now_ns=NOW_NS)
    assert store.query("SELECT span_id, name FROM span_events").rows() == [("0000000000000002", "exception")]
