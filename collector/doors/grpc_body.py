"""A message over gRPC, unpacked here and within the limit.

grpcio would inflate a packed message before anybody could count it, and then hold it three times while it hands it
over: as its own slices, as an object per slice, and as the bytes they are joined to. So it is told to leave messages
as they came, and only what was small on the wire passes through it. It does not tell a handler which encoding a call
named; the first bytes do, for no OTLP request begins with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from collector.doors.http_body import read_body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

LEAVE_PACKED: Final = ("grpc.per_message_decompression", 0)
"""The server option that this module needs."""

_PIECE_BYTES: Final = 64 * 1024
_GZIP: Final = b"\x1f\x8b\x08"
"""How gzip begins; as protobuf, it would be a field of a wire type that there is not."""
_DEFLATE: Final = 0x78
"""How zlib's deflate begins; as protobuf, it would be field 15, which no OTLP request has. A checksum is in the next
byte."""


def encoding_of(data: bytes) -> str:
    """Return one of `identity`, `gzip` and `deflate`: what grpcio's clients can send."""
    if data[:3] == _GZIP:
        return "gzip"
    if data[:1] == b"\x78" and len(data) > 1 and (_DEFLATE << 8 | data[1]) % 31 == 0:
        return "deflate"
    return "identity"


async def unpacked(data: bytes, limit_bytes: int, has_room: Callable[[int], bool]) -> bytes:
    """Return a message without its compression; errors and arguments as `http_body.read_body`."""
    encoding = encoding_of(data)
    return data if encoding == "identity" else await read_body(_pieces(data), encoding, limit_bytes, has_room)


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), _PIECE_BYTES):
        yield data[at : at + _PIECE_BYTES]
