"""OTLP over gRPC: raw bytes in, an answer once they are committed.

The server is asyncio's: a handler costs no thread while it waits, so a slow sender holds nobody up. Methods are
registered as stream-unary, which is the same on the wire as unary-unary and lets a handler refuse a request before
its body is read. grpcio's own concurrency limit is not used: it answers a bare RESOURCE_EXHAUSTED, which tells
senders to drop their spans.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import grpc

from collector.arriving import Arriving, SlowError, Turns
from collector.decoding.decode import Body
from collector.doors import grpc_body, otlp_status
from collector.doors.answers import Answers
from collector.doors.entry import Entry
from collector.doors.http_body import BrokenError, NoRoomError, TooLargeError
from collector.doors.lending import Lending
from collector.doors.otlp_status import Refusal
from collector.doors.peers import BusyPeerError
from collector.doors.room import Room
from collector.intake import RefusedError
from collector.timers import Timers
from seamscope.errors import EndpointError
from seamscope.remote import SERVICE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from collector.doors.addresses import Address
    from collector.doors.otlp_status import Signal
    from collector.intake import Intake
    from collector.telemetry import Telemetry

_log = logging.getLogger(__name__)

MESSAGE_BYTES: Final = 64 * 1024 * 1024
"""Largest request, after decompression (the specification's recommendation)."""

BODY_DEADLINE_S: Final = 60.0
"""How long a request's body may take to arrive."""

METHODS: Final[Mapping[str, Signal]] = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": "traces",
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export": "logs",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": "metrics",
}
"""The methods served and their signals."""

PROFILES: Final = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
"""Answered, counted, and not served."""

OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # else a second server on the port is no error and takes half of the requests
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    grpc_body.LEAVE_PACKED,
    ("grpc.max_send_message_length", 4 * 1024 * 1024),
    ("grpc.max_metadata_size", 16 * 1024),
    # else it counts streams that their client has seen end, and resets new ones without a word on when to come again:
    # 302 of 1,200 with 400 calls in flight, none without it
    ("grpc.http.overload_protection", 0),
    ("grpc.server_handshake_timeout_ms", 5_000),
    ("grpc.max_connection_idle_ms", 600_000),
    # edge runtimes and proxies ping every 10 s, also between requests; the default answers them with GOAWAY
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
)
"""What the server allows a connection."""


class _Methods(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio ships no types
    """Finds a method's handler; for a caller who may not, one that refuses before the body is read."""

    def __init__(self, door: GrpcDoor, handlers: Mapping[str, Any]) -> None:
        self._door = door
        self._handlers = handlers

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        method = handler_call_details.method
        if method == PROFILES:
            return grpc.stream_unary_rpc_method_handler(_refusing(self._door.no_profiles()))
        found = self._handlers.get(method)
        if found is None:
            return None
        shown = [value for key, value in handler_call_details.invocation_metadata or () if key == "authorization"]
        refusal = self._door.refusal(method, shown)
        return found if refusal is None else grpc.stream_unary_rpc_method_handler(_refusing(refusal))


class GrpcDoor:
    """The OTLP/gRPC server.

    Args:
        intake: takes the bodies.
        telemetry: what is counted.
        address: where to listen; port 0 takes a free one.
        entry: who may come in.
        lent: the socket beside the store, for readers with a token; None where the store is not lent.
        room: where requests wait that come while the queue is full; one for both doors.
        streams: calls of one connection that may be open at once; further ones wait at their sender.
    """

    def __init__(
        self,
        intake: Intake,
        telemetry: Telemetry,
        address: Address,
        entry: Entry | None = None,
        lent: Path | None = None,
        room: Room | None = None,
        streams: int = 256,
    ) -> None:
        self._intake = intake
        self._streams = streams
        self._room = room or Room(intake)
        self._telemetry = telemetry
        self._address = address
        self._entry = entry or Entry()
        self._lent = lent
        self._lending: Lending | None = None

    async def start(self) -> Address:
        """Listen; return the address with its real port.

        Raises:
            EndpointError: the address cannot be had.
        """
        self._answers = Answers(asyncio.get_running_loop())
        self._turns = Turns(is_short=self._intake.is_short)
        self._deadlines = Timers(BODY_DEADLINE_S)
        self._arriving = Arriving()
        self._server = grpc.aio.server(options=(*OPTIONS, ("grpc.max_concurrent_streams", self._streams)))
        self._server.add_generic_rpc_handlers((_Methods(self, self._handlers()),))
        self._address.listen("OTLP/gRPC", "--grpc").close()  # grpcio would say why it cannot on stderr, at length
        try:
            port = self._add_port()
        except RuntimeError as error:
            raise EndpointError(f"cannot listen on {self._address} for OTLP/gRPC: {error}", "try again") from None
        await self._server.start()
        return replace(self._address, port=port)

    def _add_port(self) -> int:
        certificates = self._entry.certificates
        if certificates is None:
            return int(self._server.add_insecure_port(str(self._address)))
        return int(self._server.add_secure_port(str(self._address), certificates.server_credentials()))

    def _handlers(self) -> dict[str, Any]:
        handlers = {
            path: grpc.stream_unary_rpc_method_handler(self.handler(signal)) for path, signal in METHODS.items()
        }
        if self._lent is not None and self._entry.guard.lends:
            self._lending = Lending(self._lent)
            handlers |= self._lending.handlers()
        return handlers

    def no_profiles(self) -> Refusal:
        """Count a request of profiles, and return its refusal."""
        self._telemetry.unreadable("profiles")
        return otlp_status.NO_PROFILES

    def refusal(self, method: str, shown: Sequence[str | bytes]) -> Refusal | None:
        """Return why a caller may not go on, by the `authorization` metadata shown; None where they may."""
        reads = method.startswith(SERVICE)
        refusal = self._entry.guard.refusal(shown, "read" if reads else "ingest")
        if refusal is not None:
            self._telemetry.denied("read" if reads else METHODS[method], refusal.code.name.lower())
        return refusal

    async def stop(self, grace_s: float) -> None:
        """Take no new requests, let those in flight end, and close after `grace_s` at the latest."""
        await self._server.stop(grace_s)
        if self._lending is not None:
            await self._lending.close()

    def handler(self, signal: Signal) -> Any:
        """Return the coroutine function that serves one signal."""

        async def export(_messages: AsyncIterator[bytes], context: Any) -> bytes:
            try:
                return await self._export(signal, context)
            except Exception as error:  # noqa: BLE001 - it would read as UNKNOWN, which tells senders to drop their spans
                refusal = self._why(signal, error)
            await _abort(context, refusal)
            raise AssertionError  # abort raises

        return export

    def _why(self, signal: Signal, error: Exception) -> Refusal:
        """Return what a sender is told about an error, and count it."""
        match error:
            case _InvalidError():
                return otlp_status.invalid(str(error))
            case BrokenError() | TooLargeError():
                self._telemetry.unreadable(signal)
                whole = isinstance(error, TooLargeError)
                return otlp_status.too_large(MESSAGE_BYTES) if whole else otlp_status.invalid(str(error))
            case NoRoomError() | SlowError() | BusyPeerError():
                self._telemetry.refused(signal, "peer" if isinstance(error, BusyPeerError) else "arriving")
                words = str(error) or "too much arrives at once; send this request again"
                return Refusal(grpc.StatusCode.UNAVAILABLE, words, 1.0)
            case RefusedError():
                _log.warning("requests are sent away for now: %s", error)
                return Refusal(grpc.StatusCode.UNAVAILABLE, str(error), error.retry_after_s)
            case TimeoutError():
                self._telemetry.refused(signal, "arriving")
                return Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "the request's body did not arrive in time")
        _log.error("an export failed", exc_info=error)
        return Refusal(grpc.StatusCode.UNAVAILABLE, "the collector failed; send this request again", 1.0)

    async def _export(self, signal: Signal, context: Any) -> bytes:
        host = _host(context.peer())
        with self._entry.peers.call(host) as share:
            async with self._room.place(host, signal, context.time_remaining()) as place:
                data = await self._message(context)
                if grpc_body.encoding_of(data) != "identity":
                    with self._arriving.body() as arrival:
                        data = await grpc_body.unpacked(data, MESSAGE_BYTES, arrival.grows)
                share.grow(len(data))
                place.arrived(len(data))
                return await self._stored(signal, data) if data else b""

    async def _message(self, context: Any) -> bytes:
        with self._deadlines.deadline():
            # not through the iterator, which keeps the message it gave until the garbage collector comes by
            data = await self._turns.read(context.read)
        if data is grpc.aio.EOF:  # so too where it was too large as it came, or its caller left: nothing tells which
            raise BrokenError("the call carried no request")
        return bytes(data)

    async def _stored(self, signal: Signal, data: bytes) -> bytes:
        answer = self._answers.expect()
        self._intake.take(Body(data, "protobuf", signal), answer)
        outcome = await answer.given
        if outcome.error is not None:
            raise _InvalidError(outcome.error)
        return otlp_status.export_reply(signal, outcome.rejected, otlp_status.warning_of(outcome.notes))


@lru_cache(1024)  # a connection's is asked for with each of its requests
def _host(peer: str) -> str:
    """Return the address in `ipv4:127.0.0.1:4317` or `ipv6:%5B::1%5D:4317`, as the other door has it."""
    return unquote(peer.partition(":")[2]).rpartition(":")[0].strip("[]")


async def _abort(context: Any, refusal: Refusal) -> None:
    # grpcio says no more than the code where a message is too large as it came
    bare = refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    details = () if bare else ((otlp_status.STATUS_KEY, otlp_status.status_bytes(refusal)),)
    await context.abort(refusal.code, refusal.message, details)


def _refusing(refusal: Refusal) -> Any:
    """Return a handler that reads nothing."""

    async def refuse(_messages: AsyncIterator[bytes], context: Any) -> bytes:
        _log.warning("a request from %s was turned away: %s", context.peer(), refusal.message)
        await _abort(context, refusal)
        raise AssertionError  # abort raises

    return refuse


class _InvalidError(Exception):
    """The body was taken apart, and counted, and cannot be read."""
