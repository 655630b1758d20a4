"""An HTTP client with a stopwatch: when the first byte of an answer came, and when the last.

Written for the lab so that nothing between the socket and the clock buffers: urllib and http.client read ahead.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from scenario import Planned

_IDLE_LIMIT_NS = 3_000_000_000  # Next.js closes an idle connection after five seconds


@dataclass(frozen=True)
class Timed:
    """What came of it: nanoseconds from the moment before the request was written.

    Attributes:
        started_ns: from the start of the scenario. written_ns: the same moment on the monotonic clock.
        status: 0 where no answer came.
    """

    planned: Planned
    status: int
    started_ns: int
    written_ns: int
    first_byte_ns: int
    last_byte_ns: int
    bytes_received: int


@dataclass
class Client:
    """One keep-alive connection to one server; not shared between threads."""

    host: str
    port: int
    host_header: str = ""
    _socket: socket.socket | None = None
    _last_used_ns: int = 0
    _held: bytes = b""

    def send(self, planned: Planned, scenario_start_ns: int) -> Timed:
        """Send one request and time its answer.

        Raises:
            OSError: the server is not there, or hung up before the answer was whole.
        """
        connection = self._connection()
        message = _message(planned, self.host_header or f"{self.host}:{self.port}")
        started = time.monotonic_ns()
        connection.sendall(message)
        self._held = connection.recv(65536)
        first = time.monotonic_ns()
        if not self._held:
            raise ConnectionError(f"no answer to {planned.method} {planned.path}")
        status, headers = self._head()
        size = len(self._body(status, headers))
        last = time.monotonic_ns()
        self._last_used_ns = last
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Timed(planned, status, started - scenario_start_ns, started, first - started, last - started, size)

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connection(self) -> socket.socket:
        if self._socket is not None and time.monotonic_ns() - self._last_used_ns > _IDLE_LIMIT_NS:
            self.close()
        if self._socket is None:
            self._socket = socket.create_connection((self.host, self.port), timeout=30)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._socket

    def _more(self) -> None:
        assert self._socket is not None
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("the server hung up in the middle of an answer")
        self._held += data

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._held:
            self._more()
        taken, self._held = self._held.split(mark, 1)
        return taken

    def _exactly(self, size: int) -> bytes:
        while len(self._held) < size:
            self._more()
        taken, self._held = self._held[:size], self._held[size:]
        return taken

    def _head(self) -> tuple[int, dict[str, str]]:
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        pairs = (line.split(":", 1) for line in lines[1:])
        return int(lines[0].split(" ")[1]), {name.strip().lower(): value.strip() for name, value in pairs}

    def _body(self, status: int, headers: dict[str, str]) -> bytes:
        if status in {204, 304}:
            return b""
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return self._exactly(int(headers.get("content-length", "0")))
        whole = b""
        while size := int(self._until(b"\r\n").split(b";")[0], 16):
            whole += self._exactly(size)
            self._until(b"\r\n")
        self._until(b"\r\n")
        return whole


def _message(planned: Planned, host: str) -> bytes:
    headers = [("host", host), ("user-agent", "lab-driver/1"), ("x-request-id", planned.request_id)]
    headers += [("cookie", f"session={planned.cookie}")] if planned.cookie else []
    headers += [("content-length", str(len(planned.body)))] if planned.body else []
    lines = [
        f"{planned.method} {planned.path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in [*headers, *planned.headers]),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + planned.body


@dataclass
class Drive:
    """Sends planned requests when they are due, at most `at_once` at a time.

    Attributes:
        enter: called first in each thread that sends; a host's `enter` makes it send from there.
    """

    host: str
    port: int
    at_once: int
    host_header: str = ""
    enter: Callable[[], None] = lambda: None
    _clients: threading.local = field(default_factory=threading.local)

    def run(self, plan: Sequence[Planned]) -> list[Timed]:
        """Send them all; the answers in the plan's order."""
        start = time.monotonic_ns()
        with ThreadPoolExecutor(self.at_once, initializer=self.enter) as pool:
            waiting = []
            for planned in plan:
                time.sleep(max(0, start + planned.due_ns - time.monotonic_ns()) / 1e9)
                waiting.append(pool.submit(self._send, planned, start))
            return [one.result() for one in waiting]

    def _send(self, planned: Planned, start: int) -> Timed:
        if not hasattr(self._clients, "own"):
            self._clients.own = Client(self.host, self.port, self.host_header)
        client: Client = self._clients.own
        began = time.monotonic_ns()
        try:
            return client.send(planned, start)
        except (OSError, ValueError):  # told as a request without an answer; too many of them refuse the recording
            client.close()
            return Timed(planned, 0, began - start, began, 1, time.monotonic_ns() - began, 0)
