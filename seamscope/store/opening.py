"""Opens the file: who may read it, what DuckDB may do, and what is said when it cannot be opened."""

from __future__ import annotations

import logging
import os
import re
import stat
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb

from seamscope.errors import StoreDamagedError, StoreError, StoreLockedError, StoreVersionError
from seamscope.store.log_entries import refuse_damaged_log

if TYPE_CHECKING:
    from collections.abc import Iterator

    from seamscope.store.settings import Settings

_log = logging.getLogger(__name__)

STORAGE_VERSION: Final = "v1.5.0"
"""New files take the storage format of DuckDB 1.5: anyone's 1.5 opens them, and a fault of 2.0's first months has a way
back. 2.0's own gave no smaller file (82 bytes a span of ten attributes in both) and a log longer by a sixth."""

ROW_GROUP_ROWS: Final = 8_192
"""A commit of at least so many rows is compressed and written in place at once, and its log entry is a pointer; a
smaller one is logged row by row and written again by a checkpoint. The loads of a busy collector come to some 12,000
spans a commit; with DuckDB's 122,880 rows, logging and folding them cost 18.5 s of CPU a million spans, so 11.9."""

BLOCK_BYTES: Final = 1 << 17
"""A commit's last block of a table is left half empty: 68 bytes a span after commits of 16,384, 71 of 12,000 and 84 of
8,192 with blocks of 128 KiB; with 64 KiB it is 67, 70 and 67, and a commit costs up to a fifth more CPU."""

_SCHEMA: Final = "store"
"""What DuckDB calls the file within a writer's process."""

FRESH: Final = "fresh"
"""What it calls a file that the store is written to anew."""

LOCKED: Final = (
    "enable_external_access = false",
    "allowed_configs = ['max_execution_time', 'operator_memory_limit']",
    "lock_configuration = true",
)
"""What is set once the file is open. Limits stay free, for cursors that are made later; a SELECT cannot set them."""

_SALVAGE: Final = "run `seamscope doctor --salvage`"

HEAD_BYTES: Final = 3 * 4_096
"""What lies before a file's first block: its three heads."""

_DAMAGED: Final = ("checksum", "corrupt", "read enough bytes", "serializ", "metadatareader", "no more data")
"""Words of DuckDB's that tell of a damaged file; other errors may pass, and are no reason to put a file aside."""

_SHORT: Final = ("allocate", "pin block", "reserve memory", "offload")
"""Words of DuckDB's that tell of want of memory."""

_PRIVATE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700
_HELD: Final = re.compile(r"Conflicting lock is held in (?P<program>.*?)(?: \(deleted\))? \(PID (?P<pid>\d+)\)")


_mask_lock = threading.Lock()
_mask: list[int] = []
"""The process's file mask before it was narrowed, once per thread that wants it narrow."""


@contextmanager
def private_files() -> Iterator[None]:
    """Let files that DuckDB makes meanwhile (it makes its log anew after every checkpoint) be the owner's alone."""
    with _mask_lock:
        _mask.append(_mask[0] if _mask else os.umask(0o077))
    try:
        yield
    finally:
        with _mask_lock:
            before = _mask.pop()
            if not _mask:
                os.umask(before)


def linked(path: Path) -> Path:
    """Give the file that a link leads to, else the path itself: DuckDB has its log beside the file, not the link."""
    return path.resolve() if path.is_symlink() and path.exists() else path


def log_file(path: Path) -> Path:
    """Give the log beside the store: what was committed since the last checkpoint."""
    return path.with_name(f"{path.name}.wal")


def temporary_folder(path: Path) -> Path:
    """Give the folder beside the store that takes what does not fit into memory."""
    return path.with_name(f"{path.name}.tmp")


def compacted_file(path: Path) -> Path:
    """Give the place beside the store where it is written anew (`seamscope.store.compacting`)."""
    place = path.resolve()
    return place.with_name(f"{place.name}.compact")


def remove_compacted(path: Path) -> None:
    """Remove what was written beside the store by a compaction that ended early; its caller holds the store."""
    fresh = compacted_file(path)
    for place in (fresh, log_file(fresh)):
        place.unlink(missing_ok=True)


def sync(place: Path) -> None:
    """Have a file, or the names in a folder, on disk before this returns."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def spill_folder(path: Path) -> Path | None:
    """Make the folder for spill, the owner's alone; None where there can be none: statements have memory alone then.

    In a folder that others may write to, one of them may have made it first, to read or change what is spilled.
    """
    folder = temporary_folder(path)
    try:
        with suppress(FileExistsError):
            folder.mkdir(mode=_PRIVATE_FOLDER)
        found = folder.lstat()
        owners = {os.geteuid(), path.stat().st_uid if path.exists() else os.geteuid()}
    except OSError:
        return None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners:
        _log.warning("nothing is spilled to %s: it is a link, or somebody else's; remove it", folder)
        return None
    with suppress(OSError):
        folder.chmod(_PRIVATE_FOLDER)
    return folder


def _spilled(folder: Path | None) -> list[Path]:
    """Give what other processes left in the folder for spill."""
    mine = f"duckdb_temp_{os.getpid()}_"
    found = folder.glob("duckdb_temp_*") if folder is not None else ()
    return [file for file in found if not file.name.startswith(mine)]


def remove_spill_folder(path: Path) -> None:
    """Remove the folder for spill if nothing is in it."""
    with suppress(OSError):
        temporary_folder(path).rmdir()


def connect(path: Path, settings: Settings, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Open the file, made if absent and not `read_only`; anything that stands in the way is a `StoreError`."""
    _refuse_odd_places(path, read_only=read_only)
    refuse_damaged_log(log_file(path), _SALVAGE)
    spill = spill_folder(path)
    left_by_a_kill = [] if read_only else _spilled(spill)  # looked for first: to read the log may spill already
    try:
        with private_files():
            connection = (_opened if read_only else _attached)(path, settings, spill)
    except duckdb.Error as error:
        failed = explained(path, error)
        if not isinstance(failed, StoreLockedError):  # whoever holds the file spills there
            remove_spill_folder(path)
        raise failed from error
    if not read_only:
        _make_private(path)
        with suppress(OSError):
            remove_compacted(path)
            for left in left_by_a_kill:
                left.unlink(missing_ok=True)
    return connection


def _limits(
    settings: Settings, spill: Path | None, *, read_only: bool
) -> dict[str, str | bool | int | float | list[str]]:
    return {
        "memory_limit": f"{settings.memory_bytes}B",
        "threads": settings.threads_for(read_only=read_only),
        "temp_directory": str(spill or ""),  # nothing is spilled to an empty one
        "max_temp_directory_size": f"{settings.spill_bytes}B",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "allow_persistent_secrets": False,
        "python_enable_replacements": False,
    }


def _opened(path: Path, settings: Settings, spill: Path | None) -> duckdb.DuckDBPyConnection:
    """Open a file to read."""
    config = {"access_mode": "READ_ONLY", **_limits(settings, spill, read_only=True)}
    connection = duckdb.connect(path, config=config)
    _lock(connection)
    return connection


def _attached(path: Path, settings: Settings, spill: Path | None) -> duckdb.DuckDBPyConnection:
    """Open a file to write; only a file that is attached can have its own size of row groups.

    Row groups stay as they were written (`max_vacuum_tasks`): to merge them is to write them twice.
    """
    connection = _unlocked(settings, spill)
    try:
        _attach(connection, path, _SCHEMA, ROW_GROUP_ROWS)
        connection.execute(f"USE {_SCHEMA}").complete()
        _lock(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def two(
    path: Path, fresh: Path, settings: Settings, row_group_rows: int, *, read_only: bool = False
) -> duckdb.DuckDBPyConnection:
    """Open a store (`store`, to read at will) and a new file beside it (`fresh`); the store is the one in use."""
    connection = _unlocked(settings, spill_folder(path))
    try:
        _attach(connection, path, _SCHEMA, ROW_GROUP_ROWS, read_only=read_only)
        _attach(connection, fresh, FRESH, row_group_rows)
        connection.execute(f"USE {_SCHEMA}").complete()
    except BaseException:
        connection.close()
        raise
    return connection


def _unlocked(settings: Settings, spill: Path | None) -> duckdb.DuckDBPyConnection:
    backstop = 8 * settings.checkpoint_bytes  # `Checkpoints` comes first
    config = {**_limits(settings, spill, read_only=False), "wal_autocheckpoint": f"{backstop}B", "max_vacuum_tasks": 0}
    return duckdb.connect(config=config)


def _attach(
    connection: duckdb.DuckDBPyConnection, path: Path, name: str, row_group_rows: int, *, read_only: bool = False
) -> None:
    options = "READ_ONLY" if read_only else f"ROW_GROUP_SIZE {row_group_rows}"
    if not path.exists():  # of a file that is there, the version can only be raised, and the blocks stay
        options += f", STORAGE_VERSION '{STORAGE_VERSION}', BLOCK_SIZE {BLOCK_BYTES}"
    quoted = str(path).replace("'", "''")
    connection.execute(f"ATTACH '{quoted}' AS {name} ({options})").complete()


def cursor(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Give a cursor of a writer's connection, which does not inherit what database it uses."""
    made = connection.cursor()
    made.execute(f"USE {_SCHEMA}").complete()
    return made


def _lock(connection: duckdb.DuckDBPyConnection) -> None:
    """Take from the connection, and all cursors made from it, every way out of the file; only limits may be set."""
    (locked,) = connection.execute("SELECT current_setting('lock_configuration')").fetchall()[0]
    if locked:  # a second reader of one file in one process shares the first one's
        return
    for setting in LOCKED:
        connection.execute(f"SET {setting}").complete()


def _refuse_odd_places(path: Path, *, read_only: bool) -> None:
    if path.is_dir():
        raise StoreError(f"{path} is a folder", "name a file, for example --db seamscope.duckdb")
    if read_only and not path.exists():
        raise missing(path)
    if not path.parent.is_dir():
        raise StoreError(f"no folder {path.parent} for the store {path.name}", "make it, or name another --db")
    if path.is_symlink() and not path.exists():
        raise StoreError(f"{path} is a link to nothing", "remove the link, or name another --db")


def refuse_cut_file(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Refuse a file that ends before its rows do: DuckDB would open it, and fail once it reads what is cut off.

    It may be shorter than its blocks: a checkpoint writes how many there are, then takes free ones off the end.
    """
    text = "SELECT block_size, total_blocks FROM pragma_database_size() WHERE database_name = current_database()"
    block_bytes, blocks = connection.execute(text).fetchall()[0]
    size = path.stat().st_size
    if size >= HEAD_BYTES + block_bytes * blocks:
        return
    least = HEAD_BYTES + block_bytes * (_last_used_block(connection) + 1)
    if size < least:
        raise StoreDamagedError(f"{path} is cut off: {size:,} bytes of at least {least:,}", _SALVAGE)


def identity(path: Path) -> tuple[int, int] | None:
    """Give what tells a file from any other at its place; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def refuse_lost_file(path: Path, opened: tuple[int, int] | None) -> None:
    """Refuse to write to a file that was moved or deleted while it is open: whoever opens the place would not find it.

    A look takes 2 µs.
    """
    if identity(path) != opened:
        raise StoreError(f"{path} is no longer the file that was opened", "put it back, or start the collector anew")


def _last_used_block(connection: duckdb.DuckDBPyConnection) -> int:
    """Give the number of the last block that holds something; -1 where none does."""
    used = [connection.execute("SELECT max(block_id) FROM pragma_metadata_info()").fetchall()[0][0]]
    tables = "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = current_database()"
    blocks = "SELECT max(block_id), max(list_max(additional_block_ids)) FROM pragma_storage_info($table)"
    for schema, name in connection.execute(tables).fetchall():
        used += connection.execute(blocks, {"table": f'"{schema}"."{name}"'}).fetchall()[0]
    return max((number for number in used if number is not None), default=-1)


def missing(path: Path) -> StoreError:
    """Say that there is no store."""
    return StoreError(f"no store at {path}", "run `seamscope collect` or `seamscope import`, or name another --db")


def _make_private(path: Path) -> None:
    for name in (path, log_file(path)):
        if name.exists() and name.stat().st_mode & 0o077:
            name.chmod(_PRIVATE)


def said(error: duckdb.Error) -> str:
    """Give DuckDB's words in one line, without what it says to whoever runs DuckDB by hand."""
    return " ".join(str(error).split("Possible solutions:")[0].split())[:300]


def was_given_up(error: duckdb.Error) -> bool:
    """Tell whether DuckDB gave up on the whole file (a checkpoint that failed), which then must be opened anew."""
    return isinstance(error, duckdb.FatalException) or "has been invalidated" in str(error)


def was_short_of_memory(error: duckdb.Error) -> bool:
    """Tell whether memory ran out; a commit that ended so may be on disk (`is_unsure`)."""
    return isinstance(error, duckdb.OutOfMemoryException) or is_unsure(error)


def is_unsure(error: duckdb.Error) -> bool:
    """Tell whether a commit ended in want of memory: it has that error's words, and not its class."""
    return isinstance(error, duckdb.TransactionException) and any(words in str(error) for words in _SHORT)


def explained(path: Path, error: duckdb.Error) -> StoreError:
    """Say in one line why the file cannot be opened, and what to do."""
    text = " ".join(str(error).split())
    held = _HELD.search(text)
    if held:
        return StoreLockedError(
            f"{path} is held by process {held['pid']} ({Path(held['program']).name})",
            f"stop it (kill {held['pid']}), or read through it if it is a collector",
        )
    if "not a valid DuckDB database file" in text:
        return StoreError(f"{path} is not a Seamscope store", "name another --db, or move that file away")
    if "newer version of DuckDB" in text or ("version number" in text and "can only read" in text):
        return StoreVersionError(f"{path} was written by a newer DuckDB", "update seamscope: pip install -U seamscope")
    if "different configuration" in text or "is already attached" in text:
        return StoreLockedError(f"{path} is already open in this process", "close it first")
    if was_short_of_memory(error):
        return StoreError(f"{path} cannot be opened with so little memory: {text[:200]}", "give it more: --max-memory")
    return _of_damage(path, text)


def _of_damage(path: Path, text: str) -> StoreError:
    """Tell damage from what may pass."""
    if "WAL" in text or "wal" in text.rsplit("/", maxsplit=1)[-1]:
        return StoreDamagedError(f"the log of {path} is damaged: {text[:200]}", _SALVAGE)
    if any(sign in text.lower() for sign in _DAMAGED):
        return StoreDamagedError(f"{path} is damaged: {text[:300]}", _SALVAGE)
    return StoreError(f"cannot open {path}: {text[:300]}", "see its folder, its disk and the memory; then `doctor`")
