"""Keeps pages fresh and, if asked, serves their folder on loopback, where nobody else can read it."""

from __future__ import annotations

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final

from seamscope.errors import EndpointError, SeamscopeError

if TYPE_CHECKING:
    import io
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

EVERY_SECONDS: Final = 5.0
LOOPBACK: Final = "127.0.0.1"


class _Quiet(SimpleHTTPRequestHandler):
    """Serves files, says nothing on stderr, and lets no page of another site read them."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def send_head(self) -> io.BytesIO | BinaryIO | None:
        """Answer loopback names only: a name that leads here from elsewhere is another site's trick."""
        name = (self.headers.get("Host") or "").rpartition(":")[0] or self.headers.get("Host")
        if name not in {LOOPBACK, "localhost"}:
            self.send_error(403)
            return None
        return super().send_head()

    def end_headers(self) -> None:
        """Ask for a fresh copy each time: pages are rewritten."""
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()


def server(folder: Path, port: int) -> ThreadingHTTPServer:
    """Give a server of `folder` on loopback, bound but not started; port 0 takes a free one."""
    try:
        return ThreadingHTTPServer((LOOPBACK, port), partial(_Quiet, directory=str(folder)))
    except OSError as error:
        raise EndpointError(f"cannot serve on {LOOPBACK}:{port}: {error.strerror}", "name another --port") from error


def keep(folder: Path, port: int | None, rewrite: Callable[[], object] | None, say: Callable[[str], object]) -> None:
    """Serve (`port` not None) and rewrite (`rewrite` not None, every 5 s) until interrupted.

    A store that cannot be read for a moment is said once and tried again.
    """
    served = None if port is None else server(folder, port)
    if served is not None:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        say(f"http://{LOOPBACK}:{served.server_address[1]}/index.html")
    said, never = "", threading.Event()
    try:
        while not never.wait(EVERY_SECONDS):
            said = _again(rewrite, said, say) if rewrite is not None else ""
    finally:
        if served is not None:
            served.shutdown()
            served.server_close()


def _again(rewrite: Callable[[], object], said: str, say: Callable[[str], object]) -> str:
    try:
        rewrite()
    except SeamscopeError as error:
        if str(error) != said:
            say(f"not rewritten: {error}")
        return str(error)
    return ""
