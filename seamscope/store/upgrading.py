"""A store of an older release becomes one of this release: what senders brought is kept, results are made anew.

A step from one schema to the next is `seamscope/sql/upgrades/from_<schema>.sql`: the changes to the tables that the
door fills, none where only those of results changed. The file is copied first, and changed in one transaction.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import duckdb

from seamscope import __version__
from seamscope.errors import StoreError
from seamscope.schema.tables import INGESTED
from seamscope.statements import statement
from seamscope.store import tables
from seamscope.store.inserting import transaction
from seamscope.store.layout import LAYOUTS, tables_of
from seamscope.store.opening import HEAD_BYTES

_log = logging.getLogger(__name__)

CARRIED: Final = frozenset(
    {
        "store",
        *(table for name in INGESTED for table in tables_of(name)),
        *(layout.shapes for layout in LAYOUTS.values()),
    }
)
"""Tables whose rows are kept."""

_COPYING: Final = Path(__file__).with_name("copying.py")


def can_upgrade(version: int) -> bool:
    """Tell whether there is a way from an older schema to this release's."""
    return version < tables.SCHEMA_VERSION and set(range(version, tables.SCHEMA_VERSION)) <= _steps()


def backup_file(path: Path, version: int) -> Path:
    """Give the place of the copy of a store as it was before it was upgraded."""
    place = path.resolve()
    return place.with_name(f"{place.name}.schema-{version}")


def upgrade(connection: duckdb.DuckDBPyConnection, path: Path, version: int) -> None:
    """Copy an open store and bring its tables up to date; where this raises, it is as it was."""
    connection.execute("CHECKPOINT").complete()
    backup = _copy(path.resolve(), backup_file(path, version))
    try:
        with transaction(connection):
            for addition in tables.added_statements():  # an early build of its schema may lack them
                connection.execute(addition).complete()
            for number in range(version, tables.SCHEMA_VERSION):
                for step in connection.extract_statements(statement(f"upgrades/from_{number}")):
                    connection.execute(step).complete()
            _make_results_anew(connection)
        connection.execute("CHECKPOINT").complete()
    except duckdb.Error as error:
        words = " ".join(str(error).split())[:300]
        raise StoreError(f"cannot upgrade {path}: {words}", f"a copy as it was is in {backup}") from error
    told = "%s was upgraded from schema %d to %d; as it was it is in %s. Its requests are being analysed anew"
    _log.warning(told, path, version, tables.SCHEMA_VERSION, backup)


def _steps() -> set[int]:
    return {int(name.removeprefix("from_")) for name in tables.listed("upgrades")}


def _copy(path: Path, backup: Path) -> Path:
    """Copy the file (`copying`) where there is room; give where the copy is."""
    size, free = path.stat().st_size, shutil.disk_usage(path.parent).free
    if free < size and not backup.exists():
        wanted = f"{size / 1e6:,.0f} MB are wanted for a copy, {free / 1e6:,.0f} MB are free"
        raise StoreError(f"no room to upgrade {path}: {wanted}", "make room")
    command = [sys.executable, "-I", str(_COPYING), str(path), str(backup), str(HEAD_BYTES)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - our own program
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["the copying was ended"])[-1]
        raise StoreError(f"{path} cannot be copied before its upgrade: {said}", "make room, or copy it yourself")
    return Path(done.stdout.removesuffix("\n"))


def _make_results_anew(connection: duckdb.DuckDBPyConnection) -> None:
    """Put this release's empty tables in the place of all that is not carried over; numbers go on."""
    connection.execute(statement("upgrading/numbers"), {"version": tables.SCHEMA_VERSION, "by": __version__}).complete()
    for kind, name in connection.execute(statement("upgrading/present")).fetchall():
        if name not in CARRIED:
            quoted = '"' + name.replace('"', '""') + '"'
            connection.execute(f"DROP {kind} {'base.' if kind == 'TABLE' else 'main.'}{quoted}").complete()
    for name in tables.listed("schema"):
        if name not in CARRIED:
            connection.execute(statement(f"schema/{name}")).complete()
