"""A store of an older release: upgraded by who writes, told of by who reads, and a copy of it kept as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from seamscope import cli, runs
from seamscope.errors import StoreError, StoreVersionError
from seamscope.statements import statement
from seamscope.store import Store, StoreFile, opening, tables, upgrading
from tests.seamscope.store_rows import rows, span

OLD = (4, 5, 6)
"""Schemas that can be upgraded."""
STORES = Path(__file__).parent / "stores"
VALUES = {
    "BIGINT": "5",
    "UBIGINT": "7",
    "INTEGER": "3",
    "UINTEGER": "2",
    "SMALLINT": "200",
    "UTINYINT": "1",
    "DOUBLE": "1.0",
    "BOOLEAN": "true",
    "VARCHAR": "'text''é'",
    'STRUCT("key" VARCHAR, "value" VARCHAR)[]': "[{'key': 'a', 'value': 'b'}]",
}
"""A value of every type, as SQL writes it."""


def value_of(kind: str) -> str:
    return VALUES[kind] if kind in VALUES else f"[{VALUES[kind.removesuffix('[]')]}]"


def filled(connection: duckdb.DuckDBPyConnection, table: str, **said: object) -> None:
    """Insert a row with a value in every column."""
    text = "SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name = 'base' AND table_name = $name"
    columns = connection.execute(text, {"name": table}).fetchall()
    values = ", ".join(repr(said[name]) if name in said else value_of(kind) for name, kind in columns)
    connection.execute(f"INSERT INTO base.{table} VALUES ({values})").complete()  # noqa: S608 - ours


def names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    found = connection.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'base'").fetchall()
    return [name for (name,) in found]


@pytest.fixture(params=OLD)
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def old(tmp_path: Path, version: int) -> Path:
    """A store of an older schema with a row or two in every table, some of them in its log."""
    path = tmp_path / "old.duckdb"
    connection = duckdb.connect(path, config={"storage_compatibility_version": opening.STORAGE_VERSION})
    for text in connection.extract_statements((STORES / f"schema_{version}.sql").read_text()):
        connection.execute(text).complete()
    for name in names(connection):
        said = {"schema_version": version, "written_by": "0.0.4"} if name == "store" else {}
        filled(connection, name, **said)
    connection.execute("CHECKPOINT").complete()
    filled(connection, "span_rows", span_no=6, span_id=8, start_ns=9, attribute_keys="k", attribute_texts="v")
    filled(connection, "requests", request_no=41)
    connection.close()
    return path


OF_SPANS = ("span_rows", "span_network", "span_database", "span_details")
"""Tables that spans were kept in up to schema 5."""


def whole_spans(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Give spans with all their columns, whatever the schema."""
    present = set(names(connection))
    beside = [f"base.{name} USING (span_no)" for name in (*OF_SPANS[1:], "span_texts") if name in present]
    beside += ["base.span_shapes USING (shape_no)"] if "span_shapes" in present else []
    views = connection.execute("SELECT 1 FROM duckdb_views() WHERE schema_name = 'base' AND view_name = 'spans'")
    rows = "base.spans" if views.fetchall() else " LEFT JOIN ".join([f"base.{OF_SPANS[0]}", *beside])
    columns = "*" if rows == "base.spans" else "* EXCLUDE (shape_no)" if "span_shapes" in present else "*"
    text = f"SELECT {columns} FROM {rows} ORDER BY span_no"  # noqa: S608 - ours
    found: list[dict[str, Any]] = connection.sql(text).to_arrow_table().to_pylist()
    return found


def carried(path: Path) -> dict[str, list[dict[str, Any]]]:
    with duckdb.connect(path, read_only=True) as connection:
        found = {"spans": whole_spans(connection)}
        carried_over = upgrading.CARRIED - {"store"} - {*OF_SPANS, "span_shapes", "span_texts"}
        for name in sorted(carried_over & set(names(connection))):
            result = connection.sql(f"SELECT * FROM base.{name} ORDER BY ALL").to_arrow_table()  # noqa: S608
            found[name] = result.to_pylist()
        return found


def test_what_senders_brought_is_kept_and_results_are_made_anew(old: Path) -> None:
    before = carried(old)
    Store.open(old).close()
    kept = carried(old)
    with Store.open(old) as store:
        assert store.query("SELECT schema_version, last_request_no FROM base.store").row(0) == (
            tables.SCHEMA_VERSION,
            41,
        )
        for name in set(tables.listed("schema")) - upgrading.CARRIED - {"base"}:
            assert store.query(f"SELECT * FROM base.{name}").is_empty(), name  # noqa: S608
        assert store.query("SELECT count(*) FROM spans").item() == 2
        assert store.query("SELECT * FROM duckdb_views() WHERE view_name = 'gone'").is_empty()
        assert store.commit({"spans": rows("spans", span(1))}, now_ns=9).rows == {"spans": 1}
        assert runs.analyze(store).spans == 3
        assert store.query("SELECT min(request_no) FROM base.requests").item() > 41
    for name, found in before.items():
        for row, was in zip(kept[name], found, strict=True):
            assert {key: row[key] for key in was} == was


def test_the_copy_is_the_old_store(old: Path, version: int) -> None:
    before = carried(old)
    Store.open(old).close()
    backup = upgrading.backup_file(old, version)
    assert backup.name == f"old.duckdb.schema-{version}"
    assert carried(backup) == before
    assert backup.stat().st_mode & 0o777 == 0o600
    with duckdb.connect(backup, read_only=True) as connection:
        assert connection.execute("SELECT schema_version, written_by FROM base.store").fetchall() == [
            (version, "0.0.4")
        ]
        assert connection.execute("SELECT count(*) FROM base.requests").fetchall() == [(2,)]
    again = backup.stat().st_mtime_ns
    Store.open(old).close()
    assert backup.stat().st_mtime_ns == again


def test_a_copy_is_kept_once_and_no_other_file_for_it(old: Path, version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    backup, content = upgrading.backup_file(old, version), checkpointed(old)
    backup.write_bytes(bytes(len(content)))
    backup.with_name(f"{backup.name}-2").write_bytes(b"shorter")
    monkeypatch.setattr(upgrading, "_make_results_anew", broken)
    for _ in range(2):
        with pytest.raises(StoreError, match=rf"cannot upgrade .*a copy as it was is in .*{backup.name}-3"):
            Store.open(old)
        with old.open("ab") as file:  # blocks that hold nothing, as one that was cut short leaves them
            file.write(bytes(1 << 18))
    kept = {place.name[len(backup.name) :]: place.read_bytes() for place in old.parent.glob(f"{backup.name}*")}
    assert kept == {"": bytes(len(content)), "-2": b"shorter", "-3": content}


def checkpointed(path: Path) -> bytes:
    with duckdb.connect(path) as connection:
        connection.execute("CHECKPOINT").complete()
    return path.read_bytes()


def broken(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("SELECT no_such_column FROM base.store").complete()


def test_readers_are_told_what_to_do(old: Path, version: int, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StoreVersionError, match=rf"release 0\.0\.4 \(schema {version}; .*; run `seamscope analyze`"):
        StoreFile.open(old)
    assert cli._call(["report", "--db", str(old)]) == 3
    assert capfd.readouterr().err.count("\n") == 1
    assert cli._call(["analyze", "--db", str(old), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["spans"] == 2
    assert cli._call(["report", "--db", str(old)]) == 0


def test_an_upgrade_that_fails_leaves_the_store_as_it_was(
    old: Path, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = carried(old)
    whole = statement

    def broken(name: str, /, **pieces: str) -> str:
        return "SELECT no_such_column FROM base.store" if name == "schema/findings" else whole(name, **pieces)

    monkeypatch.setattr(upgrading, "statement", broken)
    with pytest.raises(StoreError, match=r"cannot upgrade .*no_such_column"):
        Store.open(old)
    assert carried(old) == before
    with duckdb.connect(old, read_only=True) as connection:
        assert connection.execute("SELECT schema_version FROM base.store").fetchall() == [(version,)]
    monkeypatch.setattr(upgrading, "statement", whole)
    Store.open(old).close()


def test_without_room_for_the_copy_nothing_is_changed(old: Path, version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _place: type("Usage", (), {"free": 1_000}))
    with pytest.raises(StoreError, match="no room to upgrade"):
        Store.open(old)
    assert not upgrading.backup_file(old, version).exists()


@pytest.mark.parametrize(("other", "words"), [(1, "read it with that release"), (99, "update seamscope to 0.0.4")])
def test_a_schema_that_is_too_old_or_newer_is_left_alone(old: Path, other: int, words: str) -> None:
    with duckdb.connect(old) as connection:
        connection.execute("UPDATE base.store SET schema_version = $v", {"v": other}).complete()
    content = old.read_bytes()
    for opener in (Store.open, StoreFile.open):
        with pytest.raises(StoreVersionError, match=words):
            opener(old)
    assert old.read_bytes() == content
    assert list(old.parent.iterdir()) == [old]


def test_steps_change_what_is_carried(old: Path, version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = statement

    def with_step(name: str, /, **pieces: str) -> str:
        step = "UPDATE base.span_rows SET name = 'changed'; DELETE FROM base.logs;"
        return step + whole(name, **pieces) if name == f"upgrades/from_{version}" else whole(name, **pieces)

    monkeypatch.setattr(upgrading, "statement", with_step)
    with Store.open(old) as store:
        assert store.query("SELECT DISTINCT name FROM base.span_rows").rows() == [("changed",)]
        assert store.query("SELECT * FROM base.logs").is_empty()
