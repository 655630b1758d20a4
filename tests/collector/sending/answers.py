"""Endpoints that answer whatever a test says, byte for byte."""

from __future__ import annotations

import socketserver
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Serve = Callable[[socketserver.StreamRequestHandler], None]


def take(request: socketserver.StreamRequestHandler) -> bool:
    """Take one request from a connection; False where none comes any more."""
    size, line = 0, request.rfile.readline()
    if not line:
        return False
    while line.strip():
        name, _, value = line.partition(b":")
        size = int(value) if name.lower() == b"content-length" else size
        line = request.rfile.readline()
    return len(request.rfile.read(size)) == size


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


@contextmanager
def serving(serve: Serve) -> Iterator[str]:
    """Serve each connection with a function; give the URL."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):  # the client hung up
                serve(self)

    with _Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def answering(reply: str | bytes) -> Iterator[str]:
    """Answer each request with these bytes; give the URL."""

    def serve(request: socketserver.StreamRequestHandler) -> None:
        while take(request):
            request.wfile.write(reply if isinstance(reply, bytes) else reply.encode())

    with serving(serve) as url:
        yield url
