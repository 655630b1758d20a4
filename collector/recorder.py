"""`--record DIR`: keeps the bodies that were stored, as they were received, for `seamscope replay` and `import`.

Protobuf bodies go into `<signal>.otlp.pb`, each after its length as a varint (Java's `writeDelimitedTo`, the form that
the OpenTelemetry collector's file exporter reads too); JSON bodies go into `<signal>.otlp.ndjson`, one per line.
"""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Final

from collector.files import write_delimited
from seamscope.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from collector.decoding.decode import Body

_SUFFIX: Final = {"protobuf": "otlp.pb", "json": "otlp.ndjson"}


class Recorder:
    """Appends bodies to the files of a folder; one thread writes.

    Args:
        folder: made where it is missing, readable to its owner alone: spans may carry what others should not see.

    Raises:
        StoreError: the folder cannot be made or written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, IO[bytes]] = {}
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot record into {folder}: {error.strerror}", "choose another --record") from None
        if not os.access(folder, os.W_OK | os.X_OK):
            raise StoreError(f"cannot record into {folder}: it is not writable", "choose another --record")

    def write(self, bodies: Sequence[Body]) -> None:
        """Append bodies and hand them to the system.

        Raises:
            OSError: the folder's disk is full or gone.
        """
        for body in bodies:
            file = self._file(f"{body.signal}.{_SUFFIX[body.encoding]}")
            if body.encoding == "protobuf":
                write_delimited(file, body.data)
            else:  # a line feed inside a JSON string is escaped, so these are all white space
                file.write(body.data.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n")
        for file in self._files.values():
            file.flush()

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _file(self, name: str) -> IO[bytes]:
        if name not in self._files:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
            self._files[name] = os.fdopen(os.open(self._folder / name, flags, 0o600), "ab")
        return self._files[name]
