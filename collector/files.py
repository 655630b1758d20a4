"""Files of OTLP."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import IO


def _varint(number: int) -> bytes:
    """Return a number as a protobuf varint."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def write_delimited(file: IO[bytes], body: bytes) -> None:
    """Append a body to a recorded file: its length as a protobuf varint, then its bytes, in one write."""
    file.write(_varint(len(body)) + body)
