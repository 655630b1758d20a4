"""Copies a store's file beside it, as a program of its own: whoever closes a file gives up all locks it has on it.

    copying.py FILE COPY HEAD_BYTES

The copy gets the first free name of COPY, COPY-2, COPY-3, unless one of those before it is such a copy; the program
prints which. A file's heads hold its random id and change with each checkpoint, so that they tell it from any other.
Other bytes do not count: an upgrade that fails leaves its own in free blocks, and each time it is tried again there
would be a copy more. It runs without this package, by its path.
"""

from __future__ import annotations

import os
import shutil
import sys
from itertools import count
from pathlib import Path


def copied(source: Path, wanted: Path, head_bytes: int) -> Path:
    """Copy a file, unless there is such a copy; give where it is. `OSError` where there cannot be one."""
    for number in count(1):
        place = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        if not os.path.lexists(place):
            _copy(source, place)
            return place
        if place.is_file() and _head(place, head_bytes) == _head(source, head_bytes):
            return place
    raise AssertionError  # there is always a next name


def _head(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def _copy(source: Path, place: Path) -> None:
    """Copy a file, all of it on disk before it has its name."""
    part = place.with_name(f"{place.name}.part")
    try:
        shutil.copyfile(source, part)
        if part.stat().st_size != source.stat().st_size:
            raise OSError("its copy is shorter")
        with part.open("rb") as copy:
            os.fsync(copy.fileno())
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)


if __name__ == "__main__":
    os.umask(0o077)
    sys.stdout.write(f"{copied(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))}\n")
