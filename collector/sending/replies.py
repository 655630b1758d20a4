"""What an endpoint answers: over HTTP read within bounds of time and size, and understood as far as it can be."""

from __future__ import annotations

import http.client
import io
import json
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import json_format  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from google.rpc import status_pb2

from collector.doors import otlp_status
from collector.doors.http_door import MEDIA_TYPE

if TYPE_CHECKING:
    import socket

    from collector.decoding.decode import Signal

REPLY_BYTES: Final = 4 << 20
"""Bytes of an answer that are read: what OTLP asks clients to take at most."""
_QUOTED: Final = 300
"""Characters that are told of an answer which is no OTLP."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer over HTTP; `content` is at most `REPLY_BYTES` of it, `media_type` empty where it names none."""

    status: int
    media_type: str
    retry_after: str
    content: bytes

    @property
    def after_s(self) -> float | None:
        """The seconds that `Retry-After` asks for, which are a number or a date; None where it asks for none."""
        if self.retry_after.isdecimal():
            return float(self.retry_after)
        try:
            return parsedate_to_datetime(self.retry_after).timestamp() - time.time()
        except (TypeError, ValueError, OverflowError):
            return None

    @property
    def error(self) -> str:
        """What it says of an error: the message of its `google.rpc.Status`, else what stands there."""
        words = _status_message(self) or self.content[:_QUOTED].decode(errors="replace").strip()
        return f"HTTP {self.status}: {words[:_QUOTED]}" if words else f"HTTP {self.status}"


class _Until(io.RawIOBase):
    """What comes over a socket until a moment; afterwards it raises `TimeoutError`, however lively the other side."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        self._sock = sock
        self._until = until
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left_s)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Give what `http.client` asks a socket for."""
        return io.BufferedReader(self)


def read(connection: http.client.HTTPConnection, until: float) -> Reply:
    """Read the answer to a request, until a moment of `time.monotonic`; hang up where more of it may come.

    Raises:
        OSError: it did not come, or not in time.
        HTTPException: it is cut off, or not HTTP.
    """

    def response_class(sock: socket.socket, **more: Any) -> http.client.HTTPResponse:
        return http.client.HTTPResponse(_Until(sock, until), **more)  # type: ignore[arg-type]

    connection.response_class = response_class  # type: ignore[assignment]
    response = connection.getresponse()
    try:
        content = response.read(REPLY_BYTES)
        if response.length and len(content) < REPLY_BYTES:
            raise http.client.IncompleteRead(content, response.length)
    finally:
        if not response.isclosed():
            response.close()
            connection.close()
    media_type = response.headers.get_content_type() if "content-type" in response.headers else ""
    return Reply(response.status, media_type, response.headers.get("retry-after", ""), content)


def _status_message(reply: Reply) -> str:
    try:
        if reply.media_type == MEDIA_TYPE["protobuf"]:
            return str(status_pb2.Status.FromString(reply.content).message)
        said = json.loads(reply.content) if reply.media_type == MEDIA_TYPE["json"] else None
    except (DecodeError, ValueError, RecursionError):
        return ""
    return str(said.get("message", "")) if isinstance(said, dict) else ""


def rejections(signal: Signal, content: bytes, media_type: str) -> tuple[int, str]:
    """Return how many items the answer to a request that was taken rejects, and why.

    One that cannot be read rejects none, for the endpoint has taken the request, and sending it again would double it.
    """
    if content.strip() in {b"", b"{}"}:
        return 0, ""
    reply_type, count = otlp_status.REPLIES[signal]
    message = reply_type()
    try:
        if media_type == MEDIA_TYPE["json"]:
            json_format.Parse(content, message, ignore_unknown_fields=True)
        elif media_type == MEDIA_TYPE["protobuf"]:
            message.ParseFromString(content)
        else:
            return 0, f"taken, but answered as {media_type[:_QUOTED]}, which is not OTLP"
    except (DecodeError, json_format.ParseError, ValueError, RecursionError):
        return 0, "taken, but the answer is not OTLP"
    return getattr(message.partial_success, count), message.partial_success.error_message
