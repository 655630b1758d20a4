"""The calls behind the query door: bytes in, a query or a callable of the collector's, bytes out.

`QueryHandlers` may also be added to a server that listens on TCP: with a read token of its own, and then for reading
only. Everything that can go wrong is told in a status that `seamscope.remote` turns back into the same error.
"""

from __future__ import annotations

import hmac
import io
import json
import logging
import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

import grpc
import pyarrow as pa

from seamscope import __version__
from seamscope.errors import DataError, QueryError, SeamscopeError
from seamscope.remote import HINT_KEY, PIECE_BYTES, SERVICE
from seamscope.store.cursors import BUSY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from seamscope.store import Store

_log = logging.getLogger(__name__)

BODY_BYTES: Final = 64 << 20
"""The longest request body that `Import` takes."""

WAIT_SECONDS: Final = 10.0
"""How long a query waits for a cursor before it is told that the store is busy."""

STALLED_SECONDS: Final = 30.0
"""Who takes no rows for so long is hung up on: until then nobody else has the cursor, nor can the file be let go."""

PLACES: Final = 24
"""Calls that are worked on or wait for a cursor at once, apart from `Status`; further ones are sent away at once."""

_DETAILS: Final = 4_000
"""Characters of an error's words that a trailer may carry."""


class ImportBody(Protocol):
    """Stores one OTLP request body and says what became of it."""

    def __call__(self, data: bytes, *, encoding: str, signal: str) -> Mapping[str, object]:
        """Give `accepted`, `rejected` by reason, `notes` by kind, and `error` (None, or why nothing could be read)."""
        ...


@dataclass(frozen=True, slots=True)
class Calls:
    """What the collector does for its callers, apart from queries; None where it does not."""

    on_import: ImportBody | None = None
    on_analyze: Callable[[bool], Mapping[str, object]] | None = None
    """Analyses what has settled (True: everything from the start) and says what it did."""
    on_status: Callable[[], Mapping[str, object]] | None = None
    """Adds the collector's own counters to the status."""


class QueryHandlers(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio ships no types
    """Handlers of `seamscope.v1.Store` for a threaded gRPC server.

    Args:
        store: the store to lend.
        calls: what the collector does for its callers; without, it only reads.
        token: what a caller must show (`authorization: Bearer …`); without, whoever reaches the server may call.
    """

    def __init__(self, store: Store, calls: Calls | None = None, token: str | None = None) -> None:
        self._store = store
        self._calls = calls or Calls()
        self._token = token
        self._places = threading.BoundedSemaphore(PLACES)
        self._handlers = {
            f"{SERVICE}Query": grpc.unary_stream_rpc_method_handler(self._query),
            f"{SERVICE}Status": grpc.unary_unary_rpc_method_handler(_answering(self._status)),
            f"{SERVICE}Analyze": grpc.unary_unary_rpc_method_handler(_answering(self._analyze)),
            f"{SERVICE}Import": grpc.stream_unary_rpc_method_handler(_answering(self._import)),
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """Give a method's handler; without the token, one that refuses before it reads anything."""
        found = self._handlers.get(handler_call_details.method)
        if found is None or self._may(handler_call_details.invocation_metadata):
            return found
        return grpc.stream_stream_rpc_method_handler(_refuse)

    def _may(self, metadata: tuple[tuple[str, str | bytes], ...]) -> bool:
        if self._token is None:
            return True
        shown = dict(metadata or ()).get("authorization", "")
        wanted = f"Bearer {self._token}".encode()
        return hmac.compare_digest(shown.encode() if isinstance(shown, str) else shown, wanted)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Take a place for a call; `QueryError` when there is none, so that a thread is left for `Status`."""
        if not self._places.acquire(blocking=False):
            raise QueryError(*BUSY)
        try:
            yield
        finally:
            self._places.release()

    def _query(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        failed: Exception | None = None
        try:
            text, params = _question(request)
            with self._place(), self._store.guest(WAIT_SECONDS, context.cancel) as guest:
                context.add_callback(guest.cancel)
                if context.is_active():
                    yield from _taken(_pieces(guest.stream(text, params)), context)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller must get a status that can be told
            failed = error
        if failed is not None:
            _abort(context, failed)

    def _status(self, request: bytes) -> Mapping[str, object]:
        del request
        more = self._calls.on_status() if self._calls.on_status else {}
        return {"pid": os.getpid(), "version": __version__, "db": str(self._store.path), **more}

    def _analyze(self, request: bytes) -> Mapping[str, object]:
        if self._calls.on_analyze is None:
            raise _AbsentError
        with self._place():
            return self._calls.on_analyze(bool(_read(request).get("all")))

    def _import(self, pieces: Iterator[bytes]) -> Mapping[str, object]:
        if self._calls.on_import is None:
            raise _AbsentError
        with self._place():
            head = _read(next(pieces, b""))
            return self._calls.on_import(_gathered(pieces), encoding=head["encoding"], signal=head["signal"])


class _AbsentError(Exception):
    """This server does not do that."""


def _answering(call: Callable[[Any], Mapping[str, object]]) -> Callable[[Any, grpc.ServicerContext], bytes]:
    """Make a handler of a call: its answer as JSON, its error as a status."""

    def handle(request: Any, context: grpc.ServicerContext) -> bytes:
        try:
            return json.dumps(dict(call(request)), default=str).encode()
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller must get a status that can be told
            failed = error
        _abort(context, failed)

    return handle


def _read(request: bytes) -> dict[str, Any]:
    try:
        question = json.loads(request)
    except ValueError:
        question = None
    if not isinstance(question, dict):
        raise QueryError("the request is not a JSON object", "use the same release on both sides")
    return question


def _question(request: bytes) -> tuple[str, dict[str, object]]:
    question = _read(request)
    text, params = question.get("sql"), question.get("params") or {}
    if not isinstance(text, str) or not isinstance(params, dict):
        raise QueryError("the request has no text of a statement", "use the same release on both sides")
    return text, params


def _gathered(pieces: Iterator[bytes]) -> bytes:
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > BODY_BYTES:
            raise DataError(f"a request body of more than {BODY_BYTES >> 20} MiB", "split it")
    return bytes(body)


class _Sink(io.RawIOBase):
    """Holds what was written until it is sent."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def drain(self) -> Iterator[bytes]:
        """Give what is there in pieces short enough for a message."""
        data = b"".join(self._parts)
        self._parts.clear()
        for start in range(0, len(data), PIECE_BYTES):
            yield data[start : start + PIECE_BYTES]


def _pieces(stream: Iterator[pa.RecordBatch | pa.Schema]) -> Iterator[bytes]:
    """Give a result as one Arrow IPC stream."""
    sink = _Sink()
    with pa.ipc.new_stream(pa.PythonFile(sink, "w"), next(stream)) as writer:
        for batch in stream:
            writer.write_batch(batch)
            yield from sink.drain()
    yield from sink.drain()


def _taken(pieces: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
    """Give the same pieces; hang up where one is not taken for a while."""
    for piece in pieces:
        patience = threading.Timer(STALLED_SECONDS, context.cancel)
        patience.daemon = True
        patience.start()
        try:
            yield piece
        finally:
            patience.cancel()


def _refuse(requests: Iterator[bytes], context: grpc.ServicerContext) -> NoReturn:
    del requests
    context.abort(grpc.StatusCode.UNAUTHENTICATED, "a read token is wanted")
    raise AssertionError  # abort raises


def _abort(context: grpc.ServicerContext, error: Exception) -> NoReturn:
    """End a call with the status that stands for an error."""
    code, words, hint = _status_of(error)
    if hint:
        context.set_trailing_metadata(((HINT_KEY, hint.encode("ascii", "replace").decode()),))
    context.abort(code, words[:_DETAILS])
    raise AssertionError  # abort raises


def _status_of(error: Exception) -> tuple[grpc.StatusCode, str, str]:
    """Give the status, words and hint that `seamscope.remote` makes the same error of."""
    words, hint = (error.args[0], error.hint) if isinstance(error, SeamscopeError) else (type(error).__name__, "")
    if isinstance(error, QueryError):
        return grpc.StatusCode.INVALID_ARGUMENT, words, hint
    if isinstance(error, DataError):
        return grpc.StatusCode.DATA_LOSS, words, hint
    if isinstance(error, SeamscopeError):
        return grpc.StatusCode.INTERNAL, words, hint
    if isinstance(error, _AbsentError):
        return grpc.StatusCode.UNIMPLEMENTED, "this collector does not do that", ""
    _log.exception("a call failed", exc_info=error)
    return grpc.StatusCode.INTERNAL, f"the collector failed ({words})", "see the collector's log"
