"""A file as a stream of its content: `.gz` and `.zst` found by their first bytes, memory holds a piece at a time."""

from __future__ import annotations

import gzip
import re
import zlib
from typing import TYPE_CHECKING, Any, Final, cast

import zstandard

if TYPE_CHECKING:
    from io import BufferedReader

INFLATED_BYTES: Final = 64 * 1024 * 1024 * 1024
"""Bytes that a compressed file may unfold to: a bomb ends here, not the disk."""
_CHUNK: Final = 1024 * 1024
_HEAD: Final = 64 * 1024
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_ZEROS: Final = re.compile(rb"\0*")
_UNPACKING: Final = (OSError, EOFError, zlib.error, zstandard.ZstdError)


class Unpacked:
    """A file, unpacked: reads like one, and notes instead of raising where its packing is damaged.

    Attributes:
        position: bytes taken.
        damage: why nothing more can be unpacked; None where all could be.
    """

    def __init__(self, packed: BufferedReader) -> None:
        magic = packed.peek(4)[:4]
        unpacked: Any = packed
        if magic.startswith(_GZIP):
            unpacked = gzip.GzipFile(fileobj=packed)
        elif magic.startswith(_ZSTD):
            unpacked = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
        self._unpacked = unpacked
        self._ahead = bytearray()
        self._taken = 0
        self._unfolded = 0
        self.position = 0
        self.damage: str | None = None

    def _more(self) -> bool:
        """Read a further piece; False at the end or where the file is damaged."""
        if self.damage is not None:
            return False
        try:
            piece = self._unpacked.read1(_CHUNK)  # not read, which forgets what came before damage
        except _UNPACKING as error:
            self.damage = f"it cannot be unpacked beyond byte {self._unfolded}: {error}"
            return False
        self._unfolded += len(piece)
        if self._unfolded > INFLATED_BYTES:
            self.damage = f"it unfolds to more than {INFLATED_BYTES} bytes"
            return False
        del self._ahead[: self._taken]
        self._taken = 0
        self._ahead += piece
        return bool(piece)

    def _have(self, size: int) -> int:
        """Read until `size` bytes lie ahead; return how many of them do."""
        while len(self._ahead) - self._taken < size and self._more():
            pass
        return min(size, len(self._ahead) - self._taken)

    def peek(self, size: int) -> bytes:
        """Return up to `size` bytes without taking them."""
        size = self._have(size)
        return bytes(memoryview(self._ahead)[self._taken : self._taken + size])

    def take(self, size: int) -> bytes:
        """Take up to `size` bytes."""
        taken = self.peek(size)
        self._taken += len(taken)
        self.position += len(taken)
        return taken

    def zeros(self) -> int:
        """Take the zeros that lie ahead; return how many."""
        begin = self.position
        while self._have(1):
            size = cast("re.Match[bytes]", _ZEROS.match(self._ahead, self._taken)).end() - self._taken
            self._taken += size
            self.position += size
            if self._taken < len(self._ahead):
                break
        return self.position - begin

    def line(self, limit: int) -> bytes:
        """Take a line with its line feed, or `limit` bytes of it."""
        size, searched = _HEAD, 0
        while True:
            have = self._have(size)
            end = self._ahead.find(b"\n", self._taken + searched, self._taken + have)
            if end >= 0 or have < size or size >= limit:
                return self.take(end + 1 - self._taken if end >= 0 else have)
            searched, size = have, min(2 * size, limit)
