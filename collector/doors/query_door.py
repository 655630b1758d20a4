"""The store, lent to other processes on a Unix socket beside it, which only the store's owner can open.

Queries are answered as Arrow streams; commands that write (`import`, `analyze`) ask the collector to do it. Each
query is one statement in a read-only transaction on one of few cursors, bounded in time, memory and rows: no reader
can fail a commit. A query whose caller is gone is stopped.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc

from collector.doors.query_handlers import PLACES, Calls, QueryHandlers
from seamscope.errors import EndpointError
from seamscope.store.opening import private_files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from collector.doors.query_handlers import ImportBody
    from seamscope.store import Store

THREADS: Final = PLACES + 8
"""For calls that have a place, and for those that are answered at once: whoever asks whether a collector lives must not
wait behind queries."""

NICENESS: Final = 10
"""Of the threads that run statements: a tenth of what a thread that stores gets, where both want a core."""

LONGEST_SOCKET: Final = 100
"""A socket's path may have 107 bytes; beside a store with a longer one lies a link to a socket elsewhere."""

OPTIONS: Final = (("grpc.max_receive_message_length", 4 << 20), ("grpc.max_concurrent_streams", 64))


class QueryDoor:
    """The service on its socket; `close` ends it."""

    def __init__(self, server: grpc.Server, socket: Path, listening: Path) -> None:
        self._server = server
        self.socket = socket
        """What lies beside the store: the socket, or a link to it."""
        self._listening = listening

    def close(self, grace_seconds: float = 2.0) -> None:
        """Take no new calls, stop those that still run after the grace, and remove the socket."""
        self._server.stop(grace_seconds).wait()
        for place in (self.socket, self._listening):
            with suppress(FileNotFoundError):
                place.unlink()


def serve_queries(
    store: Store,
    socket_path: Path,
    *,
    on_import: ImportBody | None = None,
    on_analyze: Callable[[bool], Mapping[str, object]] | None = None,
    on_status: Callable[[], Mapping[str, object]] | None = None,
) -> QueryDoor:
    """Serve a store at `seamscope.remote.socket_path(db)`; `EndpointError` when no socket can be had there."""
    handlers = QueryHandlers(store, Calls(on_import, on_analyze, on_status))
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="queries", initializer=_step_back)
    server = grpc.server(pool, handlers=[handlers], options=OPTIONS)
    listening = _short(socket_path)
    try:
        _make_way(socket_path)
        _make_way(listening)
        with private_files():
            server.add_insecure_port(f"unix:{listening}")
        listening.chmod(0o600)
        if listening != socket_path:
            socket_path.symlink_to(listening)
    except (OSError, RuntimeError) as error:
        raise EndpointError(f"cannot listen on {socket_path}: {error}", "is its folder writable?") from error
    server.start()
    return QueryDoor(server, socket_path, listening)


def _step_back() -> None:
    """Let whoever stores go first: this thread runs where others leave room. Only Linux has niceness of threads."""
    if sys.platform == "linux":
        own = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), max(own, NICENESS))


def _short(place: Path) -> Path:
    """Give the socket's real place: itself, or a short one in a folder of this user's for a path that is too long."""
    if len(os.fsencode(place)) <= LONGEST_SOCKET:
        return place
    folder = Path(tempfile.gettempdir()) / f"seamscope-{os.geteuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise EndpointError(f"{folder} is not this user's alone", "remove it")
    return folder / f"{hashlib.sha256(os.fsencode(place)).hexdigest()[:16]}.sock"


def _make_way(place: Path) -> None:
    """Remove the socket of a collector that was killed; the store's lock says that no other one lives."""
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(place.lstat().st_mode) or place.is_symlink():
            place.unlink()
