"""Brings a damaged store back: all that was committed before the damage, and nothing thrown away.

DuckDB refuses a log with one bad byte as a whole, and names where it is: the log is cut there, its copy put aside. Of
a file whose own blocks are damaged, what can be read is written to a new one (`seamscope.store.rescuing`); where
nothing can, it is put aside, so that a new one can take its place.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final

from seamscope.errors import StoreDamagedError, StoreError, StoreLockedError, StoreVersionError
from seamscope.store.file import refuse_written
from seamscope.store.log_entries import has_head
from seamscope.store.opened import StoreFile
from seamscope.store.opening import linked, log_file, missing
from seamscope.store.rescuing import rescue
from seamscope.store.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_POSITION: Final = re.compile(r"entry at byte position (\d+)")
_TRIES: Final = 8
"""Damaged entries after one another; every cut removes at least one."""


@dataclass(slots=True)
class Salvaged:
    """What was done to a store."""

    readable: bool = True
    """Whether it can be opened now; if not, it was put aside whole."""
    spans: int = 0
    """Spans in it now."""
    lost_rows: int = 0
    """Rows of all tables that lay in damaged blocks."""
    dropped_log_bytes: int = 0
    """Length of the log from the damage on: what was committed in it is lost."""
    put_aside: list[Path] = field(default_factory=list)
    """Copies of what was damaged, as it was."""

    def __str__(self) -> str:
        """Say it in one line."""
        kept = f"{self.spans:,} spans kept" if self.readable else "nothing of it can be read, a new store begins"
        lost = f"{self.lost_rows:,} rows could not be read, results are made anew; " if self.lost_rows else ""
        aside = ", ".join(str(place) for place in self.put_aside) or "its place"
        return f"{kept}; {lost}{self.dropped_log_bytes:,} bytes of log dropped; as it was it is in {aside}"


def salvage(path: Path) -> Salvaged:
    """Make a store readable again; one in order is left as it is.

    Raises:
        StoreLockedError: it is written meanwhile, or salvaged by another process.
        StoreError: something else stood in the way.
    """
    if not path.exists():
        raise missing(path)
    path = linked(path)
    refuse_written(path)
    with _alone(path):
        return _salvaged(path)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep others from salvaging a store meanwhile; what a kill leaves of this holds nobody up."""
    place = path.with_name(f"{path.name}.salvage")
    try:
        lock = place.open("ab")
    except OSError as error:
        raise StoreError(f"cannot write beside {path}: {error.strerror}", "see its folder and its disk") from None
    with lock:
        if not _is_mine(lock):
            raise StoreLockedError(f"{path} is being salvaged by another process", "wait until it is done")
        try:
            yield
        finally:
            place.unlink(missing_ok=True)


def _is_mine(lock: IO[bytes]) -> bool:
    """Lock a file; tell whether it could be, and is still there: who had it before removes it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without such locks
        return True
    return os.fstat(lock.fileno()).st_nlink > 0


def _salvaged(path: Path) -> Salvaged:
    done = Salvaged()
    for _ in range(_TRIES):
        try:
            with StoreFile.open(path) as store:  # only to read: what is damaged is kept as it was
                if store.is_readable():
                    done.spans = int(store.query("SELECT count(*) FROM base.span_rows").item())
                    return done
            break
        except StoreVersionError:
            return done  # whoever opens it to write upgrades it
        except StoreError as error:
            if not _is_of_damage(error):
                raise
            if not _mend(path, str(error.__cause__ or error), done):
                break
    _rescue(path, done)
    return done


def _is_of_damage(error: StoreError) -> bool:
    """Tell damage from what may pass, as a full disk or another writer: that is no reason to put a file aside."""
    return isinstance(error, StoreDamagedError) or "is not a Seamscope store" in str(error)


def _rescue(path: Path, done: Salvaged) -> None:
    """Write what can be read to a new file; put the file aside whole where nothing can."""
    kept = _free_name(path, "corrupt")
    had_log = log_file(path).exists()
    try:
        rescued = rescue(path, kept, Settings())
    except StoreError as error:
        if not _is_of_damage(error):
            raise
        _put_file_aside(path, done)
        return
    done.spans, done.lost_rows = rescued.spans, rescued.lost_rows
    done.put_aside += [kept, log_file(kept)] if had_log else [kept]


def _mend(path: Path, words: str, done: Salvaged) -> bool:
    """Cut the log where it is damaged, or take it away where it is no log of this file; False if it is not the log."""
    log = log_file(path)
    if not log.exists() or "is not a valid DuckDB database" in words:
        return False
    position = _POSITION.search(words)
    at = int(position[1]) if position and has_head(log) else 0
    if not at and has_head(log) and "WAL" not in words:
        return False
    done.dropped_log_bytes += log.stat().st_size - at
    copy = _free_name(log, "damaged")
    if not at:
        log.rename(copy)
        done.put_aside.append(copy)
        return True
    if not done.put_aside:
        shutil.copy2(log, copy)
        done.put_aside.append(copy)
    with log.open("r+b") as opened:
        opened.truncate(at)
    return True


def _put_file_aside(path: Path, done: Salvaged) -> None:
    done.readable = False
    for place in (path, log_file(path)):
        if place.exists():
            copy = _free_name(place, "corrupt")
            place.rename(copy)
            done.put_aside.append(copy)


def _free_name(place: Path, why: str) -> Path:
    number = 1
    while (found := place.with_name(f"{place.name}.{why}-{number}")).exists() or log_file(found).exists():
        number += 1
    return found
