"""A request body over HTTP: what it claims to be, and its bytes, inflated within a limit while they arrive."""

from __future__ import annotations

import asyncio
import io
import zlib
from email.message import Message
from typing import TYPE_CHECKING, Final, Protocol

import zstandard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from collector.doors.otlp_status import Encoding

MEDIA_TYPES: Final[dict[str, Encoding]] = {"application/x-protobuf": "protobuf", "application/json": "json"}
"""Media types that carry OTLP."""

INFLATE_STEP_BYTES: Final = 1024 * 1024
"""Bytes inflated before the event loop gets a turn."""

LEAST_STEP_BYTES: Final = 4096
"""What a step counts at least until others have their turn: one that gives nothing takes time too."""
MEMBERS: Final = 10_000
"""Members of a gzip body, or frames of a zstd one: of 64 KiB each, as blocked gzip has them, a tenth of it is enough.
An empty one is 20 bytes, and millions of them would fit."""
ZSTD_SLICE_BYTES: Final = 128
"""Bytes of zstd that are inflated at a time: four of them may stand for 128 KiB, so this gives 4 MiB at most."""

ZSTD_WINDOW_BYTES: Final = 8 * 1024 * 1024
"""Largest window of a zstd body over HTTP, by RFC 9659."""

_WINDOW_BITS: Final = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_ENCODINGS: Final = ("gzip", "deflate", "zstd", "identity")


class TooLargeError(Exception):
    """The body is over the limit, counted after decompression."""


class NoRoomError(Exception):
    """Too many bytes are on their way in at once."""


class BrokenError(Exception):
    """The body is not what its Content-Encoding says."""


class UnsupportedError(Exception):
    """The media type or the encoding is not one that is served."""


def media_type(header: str) -> Encoding:
    """Return the encoding that a Content-Type names; parameters count only where they contradict it.

    Raises:
        UnsupportedError: not a type that carries OTLP, or text in another charset than UTF-8.
    """
    try:
        kind, charset = _kind_and_charset(header)
    except (ValueError, LookupError):  # a parameter that email cannot count, or read in its own charset
        raise UnsupportedError(f"content type {header[:100]!r} cannot be read") from None
    encoding = MEDIA_TYPES.get(kind) if header else None
    if encoding is None:
        raise UnsupportedError(f"content type {header[:100]!r} is not one of {', '.join(MEDIA_TYPES)}")
    if encoding == "json" and charset not in {"utf-8", "utf8", "us-ascii"}:
        raise UnsupportedError(f"charset {charset[:100]!r} is not utf-8")
    return encoding


def _kind_and_charset(header: str) -> tuple[str, str]:
    parsed = Message()
    parsed["content-type"] = header
    return parsed.get_content_type(), parsed.get_content_charset() or "utf-8"


def content_encoding(header: str) -> str:
    """Return one of `identity`, `gzip`, `deflate` and `zstd`.

    Raises:
        UnsupportedError: any other encoding, or several.
    """
    encoding = header.strip().lower() or "identity"
    if encoding == "x-gzip":  # its older name
        return "gzip"
    if encoding not in _ENCODINGS:
        raise UnsupportedError(f"content encoding {encoding[:100]!r} is not one of {', '.join(_ENCODINGS)}")
    return encoding


class _Inflating(Protocol):
    """Takes compressed pieces, gives plain ones of a bounded size."""

    members: int
    """Members or frames that were begun."""

    def feed(self, piece: bytes) -> None:
        """Take a compressed piece."""

    def step(self) -> bytes:
        """Return the next plain piece; empty where more input is needed."""

    @property
    def more(self) -> bool:
        """Whether another step may give more without further input."""

    def end(self) -> None:
        """Raise `BrokenError` where the body is not whole."""


class _Zlib:
    """gzip, whose members may follow each other, and deflate; pieces of at most `INFLATE_STEP_BYTES`."""

    def __init__(self, encoding: str) -> None:
        self._bits = _WINDOW_BITS[encoding]
        self._several = encoding == "gzip"
        self._inflater = zlib.decompressobj(self._bits)
        self._rest = b""
        self.members = 1

    def feed(self, piece: bytes) -> None:
        self._rest += piece

    def step(self) -> bytes:
        if self._inflater.eof and self._rest:
            if not self._several:
                raise BrokenError("bytes follow the end of the compressed body")
            self._inflater = zlib.decompressobj(self._bits)
            self.members += 1
        try:
            plain = self._inflater.decompress(self._rest, INFLATE_STEP_BYTES)
        except zlib.error as error:
            raise BrokenError(f"the body cannot be decompressed: {error}") from None
        self._rest = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail
        return plain

    @property
    def more(self) -> bool:
        return bool(self._rest)

    def end(self) -> None:
        if not self._inflater.eof:
            raise BrokenError("the compressed body ends too early")


class _Zstd:
    """zstd, whose frames may follow each other; pieces of what `ZSTD_SLICE_BYTES` stand for."""

    def __init__(self) -> None:
        self._rest = memoryview(b"")
        self._inflater = self._fresh()
        self.members = 1

    @staticmethod
    def _fresh() -> zstandard.ZstdDecompressionObj:
        return zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES).decompressobj()

    def feed(self, piece: bytes) -> None:
        self._rest = memoryview(bytes(self._rest) + piece)

    def step(self) -> bytes:
        if self._inflater.eof:
            self._inflater = self._fresh()
            self.members += 1
        some = self._rest[:ZSTD_SLICE_BYTES]
        try:
            plain: bytes = self._inflater.decompress(some)
        except zstandard.ZstdError as error:
            raise BrokenError(f"the body cannot be decompressed: {error}") from None
        self._rest = self._rest[len(some) - len(self._inflater.unused_data) :]
        return plain

    @property
    def more(self) -> bool:
        return bool(self._rest)

    def end(self) -> None:
        if not self._inflater.eof:
            raise BrokenError("the compressed body ends too early")


def _inflating(encoding: str) -> _Inflating | None:
    if encoding == "identity":
        return None
    return _Zstd() if encoding == "zstd" else _Zlib(encoding)


async def read_body(
    pieces: AsyncIterator[bytes], encoding: str, limit_bytes: int, has_room: Callable[[int], bool] = lambda _: True
) -> bytes:
    """Read a body whole, decompressed.

    Args:
        pieces: as they arrive.
        encoding: of `content_encoding`.
        limit_bytes: most bytes after decompression.
        has_room: told how many bytes come on top; False where there is no room for them now.

    Raises:
        TooLargeError: over the limit; nothing beyond it was inflated.
        NoRoomError: `has_room` said so.
        BrokenError: not decompressible.
    """
    body = _Body(limit_bytes, has_room)
    inflating = _inflating(encoding)
    begun, since = False, 0
    async for piece in pieces:
        begun |= bool(piece)
        if inflating is None:
            body.add(piece)
            continue
        inflating.feed(piece)
        since = await _inflate(inflating, body, since)
    if inflating is not None and begun:
        inflating.end()
    return body.whole()


async def _inflate(inflating: _Inflating, body: _Body, since: int) -> int:
    """Inflate what was fed; takes and gives the bytes since others had their turn."""
    while inflating.more:
        plain = inflating.step()
        body.add(plain)
        if inflating.members > MEMBERS:
            raise BrokenError(f"the compressed body has more than {MEMBERS:,} members")
        since += max(len(plain), LEAST_STEP_BYTES)
        if since >= INFLATE_STEP_BYTES:
            since = 0
            await asyncio.sleep(0)
    return since


class _Body:
    def __init__(self, limit_bytes: int, has_room: Callable[[int], bool]) -> None:
        self._data = io.BytesIO()  # gives what it gathered without a copy
        self._limit = limit_bytes
        self._has_room = has_room

    def add(self, piece: bytes) -> None:
        if self._data.tell() + len(piece) > self._limit:
            raise TooLargeError
        if not self._has_room(len(piece)):
            raise NoRoomError
        self._data.write(piece)

    def whole(self) -> bytes:
        return self._data.getvalue()
