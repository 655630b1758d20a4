"""Requests of any bytes over each transport, many at once, and the class of each answer."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Final

import grpc

from benchmarks.mutants import PATHS, SIGNALS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.mutants import Mutant

PATIENCE_S: Final = 30.0
METHODS: Final = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
GRPC_SAYS: Final = {
    grpc.StatusCode.OK: "ok",
    grpc.StatusCode.INVALID_ARGUMENT: "bad",
    grpc.StatusCode.UNAVAILABLE: "later",
}
HTTP_SAYS: Final = {200: "ok", 400: "bad", 429: "later", 503: "later"}


class OverGrpc:
    """Sends requests over one channel, all at once."""

    def __init__(self, ready: dict[str, str]) -> None:
        self._channel = grpc.insecure_channel(ready["grpc"])
        self._export = {name: self._channel.unary_unary(METHODS[name]) for name in SIGNALS}

    def say(self, mutants: Sequence[Mutant]) -> list[str]:
        """Give the answer to each: `ok`, `bad`, `later`, or another word."""
        calls = [self._export[each.signal].future(each.data, timeout=PATIENCE_S) for each in mutants]
        return [GRPC_SAYS.get(call.code(), call.code().name) for call in calls]

    def close(self) -> None:
        """Hang up."""
        self._channel.close()


class OverHttp:
    """Sends requests over as many connections, one on each."""

    def __init__(self, ready: dict[str, str], media: str) -> None:
        host, _, port = ready["http"].partition("//")[2].rpartition(":")
        self._address = (host, int(port))
        self._heads = {
            name: f"POST {PATHS[name]} HTTP/1.1\r\nhost: x\r\ncontent-type: {media}\r\ncontent-length: ".encode()
            for name in SIGNALS
        }
        self._held: list[socket.socket] = []

    def say(self, mutants: Sequence[Mutant]) -> list[str]:
        """Give the answer to each: `ok`, `bad`, `later`, or another word."""
        used = [self._connection() for _ in mutants]
        for connection, each in zip(used, mutants, strict=True):
            connection.sendall(b"%s%d\r\n\r\n%s" % (self._heads[each.signal], len(each.data), each.data))
        return [self._answer(connection) for connection in used]

    def _connection(self) -> socket.socket:
        if self._held:
            return self._held.pop()
        made = socket.create_connection(self._address, PATIENCE_S)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def _answer(self, connection: socket.socket) -> str:
        got = b""
        try:
            while (end := got.find(b"\r\n\r\n")) < 0:
                got += self._more(connection)
            head = got[:end].lower()
            size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            while len(got) < end + 4 + size:
                got += self._more(connection)
        except (OSError, ValueError) as error:
            connection.close()
            return type(error).__name__
        if b"connection: close" in head:
            connection.close()
        else:
            self._held.append(connection)
        return HTTP_SAYS.get(int(got[9:12]), got[9:12].decode())

    @staticmethod
    def _more(connection: socket.socket) -> bytes:
        got = connection.recv(1 << 16)
        if not got:
            raise ConnectionError("hung up")
        return got

    def close(self) -> None:
        """Hang up."""
        for each in self._held:
            each.close()


TRANSPORTS: Final[dict[str, tuple[str, Callable[[dict[str, str]], Any]]]] = {
    "grpc": ("protobuf", OverGrpc),
    "http/protobuf": ("protobuf", lambda ready: OverHttp(ready, "application/x-protobuf")),
    "http/json": ("json", lambda ready: OverHttp(ready, "application/json")),
}
