"""Makes the tables and views of a new store, and tells whether an old one's are ours."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import duckdb

from seamscope import __version__
from seamscope.errors import StoreError, StoreVersionError
from seamscope.schema import words
from seamscope.statements import statement
from seamscope.store.layout import FOLLOWS

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA_VERSION: Final = 7
"""Raised when a table changes; views and macros are renewed by themselves, and so is what `sql/added` adds."""

ADDED_TABLES: Final = ("metric_points",)
"""Tables that builds of this schema have added: their DDL does nothing where they are there."""

VOCABULARIES: Final = (
    "TIERS",
    "CAUSES",
    "EVIDENCE",
    "HORIZONS",
    "REQUEST_KINDS",
    "SPAN_KINDS",
    "STATUSES",
    "GAP_KINDS",
    "JOINED_BY",
    "WARNINGS",
    "FINDINGS",
    "ROLES",
    "EXTENTS",
)
"""The tuples of `seamscope.schema.words` that views turn codes into words with."""


def listed(folder: str) -> list[str]:
    """Give the names in `seamscope/sql/<folder>/_order`; they and the folder's files must be the same."""
    place = files("seamscope").joinpath("sql", folder)
    names = place.joinpath("_order").read_text(encoding="utf-8").split()
    present = {item.name.removesuffix(".sql") for item in place.iterdir() if item.name.endswith(".sql")}
    if present != set(names) or len(names) != len(present):
        raise StoreError(f"sql/{folder}/_order and its files differ: {sorted(present ^ set(names))}")
    return names


def table_statements() -> list[str]:
    """Give the DDL of the tables, in order."""
    return [statement(f"schema/{name}") for name in listed("schema")]


def added_statements() -> list[str]:
    """Give the DDL of what builds of this schema have added to its tables; each does nothing where it is there."""
    tables = [statement(f"schema/{name}") for name in ADDED_TABLES]
    return [*tables, *(statement(f"added/{name}") for name in listed("added"))]


def view_statements() -> list[str]:
    """Give the DDL of the macros and views, in order, the vocabularies and what follows from the rest written in."""
    pieces = {name: _list(getattr(words, name)) for name in VOCABULARIES}
    pieces |= {f"hop_{column}": text for column, text in FOLLOWS.items()}
    return [statement(f"views/{name}", **pieces) for name in listed("views")]


def _list(vocabulary: tuple[str, ...]) -> str:
    return "[" + ", ".join(f"'{word}'" for word in vocabulary) + "]"


def views_digest() -> str:
    """Give a digest that changes with any view, macro, word or addition."""
    return hashlib.sha256("\n".join([*added_statements(), *view_statements()]).encode()).hexdigest()[:16]


def create(connection: duckdb.DuckDBPyConnection, now_ns: int) -> None:
    """Make tables and views in an empty file, in one transaction."""
    connection.begin()
    for text in [*table_statements(), *view_statements()]:
        connection.execute(text).complete()
    row = "INSERT INTO base.store VALUES ($version, $digest, $by, $now, 0, 0)"
    values = {"version": SCHEMA_VERSION, "digest": views_digest(), "by": __version__, "now": now_ns}
    connection.execute(row, values).complete()
    connection.commit()
    connection.execute("CHECKPOINT").complete()


def prepare(connection: duckdb.DuckDBPyConnection, path: Path, now_ns: int) -> None:
    """Make a new file a store; hold an old one to this release's tables and renew its views."""
    from seamscope.store import upgrading

    if is_empty(connection):
        create(connection, now_ns)
    version, _ = written_by(connection, path)
    if upgrading.can_upgrade(version):
        upgrading.upgrade(connection, path, version)
    check(connection, path)
    renew_views(connection)


def is_empty(connection: duckdb.DuckDBPyConnection) -> bool:
    """Tell whether the file holds no table of anyone's."""
    return not connection.execute("SELECT 1 FROM duckdb_tables() WHERE NOT internal LIMIT 1").fetchall()


def written_by(connection: duckdb.DuckDBPyConnection, path: Path) -> tuple[int, str]:
    """Give the schema of a store and the release that made it; `StoreError` where it is none."""
    try:
        found = connection.execute("SELECT schema_version, written_by FROM base.store").fetchall()
    except duckdb.CatalogException as error:
        hint = "name another --db; this DuckDB file is someone else's"
        raise StoreVersionError(f"{path} is a DuckDB file, not a Seamscope store", hint) from error
    if len(found) != 1:
        raise StoreError(f"{path} does not say which release wrote it", "run `seamscope doctor`")
    return int(found[0][0]), str(found[0][1])


def check(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Raise `StoreVersionError` unless the tables are this release's."""
    from seamscope.store.upgrading import can_upgrade

    version, by = written_by(connection, path)
    if version == SCHEMA_VERSION:
        return
    said = f"{path} has tables of release {by} (schema {version}; this is {SCHEMA_VERSION})"
    if version > SCHEMA_VERSION:
        raise StoreVersionError(said, f"update seamscope to {by} or later")
    if can_upgrade(version):
        raise StoreVersionError(said, "run `seamscope analyze` or `seamscope collect`: it is upgraded, and a copy kept")
    raise StoreVersionError(said, "import its raw bodies into a new store, or read it with that release")


def renew_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring the views and macros of an older build of the same schema up to date."""
    (digest,) = connection.execute("SELECT views_digest FROM base.store").fetchall()[0]
    if digest == views_digest():
        return
    connection.begin()
    for text in [*added_statements(), *view_statements()]:
        connection.execute(text).complete()
    connection.execute("UPDATE base.store SET views_digest = $digest", {"digest": views_digest()}).complete()
    connection.commit()
    connection.execute("CHECKPOINT").complete()
