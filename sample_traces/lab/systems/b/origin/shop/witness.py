"""The second instrument of the origin: timers on the monotonic clock that know nothing of spans.

What is written and what it means: the lab's `witness.py`.
"""

from __future__ import annotations

import contextlib
import contextvars
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

SERVICE = os.environ.get("OTEL_SERVICE_NAME", "shop-api")
OWN = f"{os.environ.get('WITNESS_TIER', 'origin')}:{SERVICE}"
DATABASE = f"data:postgres/{os.environ.get('PGDATABASE', 'shop')}"
_PATH = os.environ.get("WITNESS", "")
_LEAST_NS = 100_000  # what is shorter than a tenth of a millisecond is nobody's wait

_about: contextvars.ContextVar[tuple[str, str]] = contextvars.ContextVar("about", default=("", ""))
_lock = threading.Lock()
_file = open(_PATH, "a", buffering=1, encoding="utf-8") if _PATH else None  # noqa: SIM115 - as long as the process lives


def note(cause: str, owner: str, start_ns: int, end_ns: int, source: str, **more: Any) -> None:
    """Write one interval of the request under way."""
    request_id, call = _about.get()
    if _file is None or not request_id:
        return
    line = {"request_id": request_id, "call": call, "owner": owner, "cause": cause, "start_ns": start_ns}
    with _lock:
        _file.write(json.dumps({**line, "end_ns": end_ns, "source": source, **more}) + "\n")


@contextlib.contextmanager
def timed(cause: str, owner: str, source: str) -> Iterator[None]:
    """Note how long the block took."""
    began = time.monotonic_ns()
    try:
        yield
    finally:
        ended = time.monotonic_ns()
        if ended - began >= _LEAST_NS:
            note(cause, owner, began, ended, source)


@contextlib.contextmanager
def about(request_id: str, call: str = "") -> Iterator[None]:
    """What is noted in the block belongs to this request, and this call of it."""
    token = _about.set((request_id, call))
    try:
        yield
    finally:
        _about.reset(token)


def request_id() -> str:
    """The request that is being answered."""
    return _about.get()[0]


def watched(application: Callable[..., Any]) -> Callable[..., Any]:
    """A WSGI application whose handler time is noted, from its first line to its last."""

    def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        began = time.monotonic_ns()
        with about(environ.get("HTTP_X_REQUEST_ID", ""), environ.get("HTTP_X_LAB_CALL", "")):
            answer = application(environ, start_response)
            note("handler", OWN, began, time.monotonic_ns(), "the handler's first and last line")
        return answer

    return call


def watch_django() -> None:
    """Time Django's statements, its connects, and the wait for its pool, around the driver."""
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.backends.utils import CursorWrapper

    seam = f"{OWN}→{DATABASE}"
    execute, connect = CursorWrapper._execute, BaseDatabaseWrapper.connect  # noqa: SLF001 - no public hook sees both

    def timed_execute(self: Any, *arguments: Any) -> Any:
        with timed("query", DATABASE, "a timer around the statement"):
            return execute(self, *arguments)

    def timed_connect(self: Any) -> Any:
        pooled = bool(self.settings_dict.get("OPTIONS", {}).get("pool"))
        cause, owner = ("pool_wait", OWN) if pooled else ("connect", seam)
        with timed(cause, owner, "a timer around taking a connection" if pooled else "a timer around the dial"):
            return connect(self)

    CursorWrapper._execute = timed_execute  # noqa: SLF001
    BaseDatabaseWrapper.connect = timed_connect
