"""`--record DIR`: keeps the bodies that were stored, as they were received, for `seamscope replay` and `import`.

Protobuf bodies go into `<signal>.otlp.pb`, each after its length as a varint (Java's `writeDelimitedTo`, the form that
the OpenTelemetry collector's file exporter reads too); JSON bodies go into `<signal>.otlp.ndjson`, one per line.
"""

from __future__ import annotations

import logging
import os
import shutil
from contextlib import suppress
from io import FileIO
from itertools import count
from typing import TYPE_CHECKING, Final

from collector.files import delimited, end_of_bodies, end_of_lines
from seamscope.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from collector.decoding.decode import Body, Encoding, Signal

_log = logging.getLogger(__name__)

_SUFFIX: Final = {"protobuf": "otlp.pb", "json": "otlp.ndjson"}
_END: Final = {"protobuf": end_of_bodies, "json": end_of_lines}


class Recorder:
    """Appends bodies to the files of a folder; one thread writes.

    Args:
        folder: made where it is missing, readable to its owner alone: spans may carry what others should not see.

    Raises:
        StoreError: the folder cannot be made or written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, _Recording] = {}
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot record into {folder}: {error.strerror}", "choose another --record") from None
        if not os.access(folder, os.W_OK | os.X_OK):
            raise StoreError(f"cannot record into {folder}: it is not writable", "choose another --record")

    def write(self, bodies: Sequence[Body]) -> None:
        """Append bodies and hand them to the system; where this raises, all that is kept is whole.

        A file that was moved or removed meanwhile is begun anew, so that whoever rotates logs can take it away.

        Raises:
            OSError: the folder's disk is full or gone.
        """
        self._let_go_of_moved()
        for body in bodies:
            self._file(body.signal, body.encoding).append(_record(body))

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _let_go_of_moved(self) -> None:
        for name, file in list(self._files.items()):
            if not file.is_in_place():
                _log.warning("%s was moved or removed; recording goes on in a new one", self._folder / name)
                file.close()
                del self._files[name]

    def _file(self, signal: Signal, encoding: Encoding) -> _Recording:
        name = f"{signal}.{_SUFFIX[encoding]}"
        if name not in self._files:
            self._folder.mkdir(mode=0o700, exist_ok=True)  # it may be gone with what was in it
            self._files[name] = _Recording(self._folder / name, _END[encoding])
        return self._files[name]


def _record(body: Body) -> bytes:
    if body.encoding == "protobuf":
        return delimited(body.data)
    # a line feed inside a JSON string is escaped, so these are all white space
    return body.data.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n"


def _put_aside(path: Path, begin: int) -> Path:
    """Copy what is in a file from a place on to one beside it: it may be more than one body, of a file not ours."""
    numbered = (path.with_name(f"{path.name}.cut-{number}") for number in count(1))
    place = next(each for each in numbered if not each.exists())
    place.touch(mode=0o600, exist_ok=False)
    try:
        with path.open("rb") as source, place.open("wb") as copy:
            source.seek(begin)
            shutil.copyfileobj(source, copy)
    except OSError:
        place.unlink(missing_ok=True)
        raise
    return place


class _Recording:
    """A file of whole records: of one that was cut short, by a full disk or a kill, nothing stays before the next."""

    def __init__(self, path: Path, end_of_whole: Callable[[FileIO], int]) -> None:
        self._path = path
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        self._file = FileIO(os.open(path, flags, 0o600), "r+")  # with no buffer, for that would be written at its end
        self._whole_bytes: int | None = None
        try:
            self._begin(end_of_whole(self._file))
        except BaseException:
            self._file.close()
            raise

    def _begin(self, whole_bytes: int) -> None:
        if whole_bytes != os.fstat(self._file.fileno()).st_size:
            kept = _put_aside(self._path, whole_bytes)
            _log.warning("%s: a body at its end was cut short; what there is of it is in %s", self._path, kept)
            self._whole_bytes = whole_bytes
            self._cut()

    def is_in_place(self) -> bool:
        """Tell whether the file is still what lies at its path."""
        try:
            found = self._path.lstat()
        except OSError:
            return False
        return os.path.samestat(found, os.fstat(self._file.fileno()))

    def append(self, record: bytes) -> None:
        """Append a record, or leave the file as it was."""
        self._cut()
        begin, rest = self._file.seek(0, os.SEEK_END), memoryview(record)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            self._whole_bytes = begin
            with suppress(OSError):  # then before the next record
                self._cut()
            raise

    def close(self) -> None:
        """Close the file; that a disk is gone keeps nobody from stopping."""
        with suppress(OSError):
            self._file.close()

    def _cut(self) -> None:
        """Cut off what is left of a record that could not be written whole."""
        if self._whole_bytes is not None:
            self._file.truncate(self._whole_bytes)
            self._whole_bytes = None
