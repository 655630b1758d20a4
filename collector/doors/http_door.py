"""OTLP over HTTP/1.1: protobuf and JSON on one port, an answer once the request is committed."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import grpc
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from collector.arriving import Arriving
from collector.decoding.decode import Body
from collector.doors import http_body, otlp_status
from collector.doors.answers import Answers
from collector.doors.entry import Entry
from collector.doors.http_server import HEAD_BYTES, HttpServer
from collector.doors.otlp_status import Refusal
from collector.doors.peers import BusyPeerError
from collector.doors.room import Room
from collector.intake import RefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from collector.doors.addresses import Address
    from collector.doors.otlp_status import Encoding, Signal
    from collector.intake import Intake
    from collector.telemetry import Telemetry

_log = logging.getLogger(__name__)

BODY_BYTES: Final = 64 * 1024 * 1024
"""Largest body, after decompression (the specification's recommendation)."""

PATHS: Final[Mapping[str, Signal]] = {"/v1/traces": "traces", "/v1/logs": "logs", "/v1/metrics": "metrics"}
"""The paths served and their signals."""

MEDIA_TYPE: Final[Mapping[Encoding, str]] = {name: media for media, name in http_body.MEDIA_TYPES.items()}


def _reply_encoding(request: Request) -> Encoding:
    """Return the encoding of errors: the request's, JSON where that is none."""
    try:
        return http_body.media_type(request.headers.get("content-type", ""))
    except http_body.UnsupportedError:
        return "json"


def _refused(request: Request, refusal: Refusal, headers: dict[str, str] | None = None) -> Response:
    encoding = _reply_encoding(request)
    sent = dict(headers or {})
    if refusal.retry_after_s is not None:
        sent["retry-after"] = refusal.retry_after_header
    if refusal.code is grpc.StatusCode.UNAUTHENTICATED:
        sent["www-authenticate"] = "Bearer"
    content = otlp_status.status_bytes(refusal, encoding)
    return Response(content, refusal.http_status, sent, MEDIA_TYPE[encoding])


async def _on_http_error(request: Request, error: Exception) -> Response:
    """Answer what the router refuses: an unknown path, another method."""
    known = error if isinstance(error, HTTPException) else HTTPException(500)
    code = grpc.StatusCode.NOT_FOUND if known.status_code == 404 else grpc.StatusCode.UNIMPLEMENTED
    refusal = Refusal(code, f"{request.method} {request.url.path}: {known.detail}", http=known.status_code)
    return _refused(request, refusal, dict(known.headers or {}))


class HttpDoor:
    """The OTLP/HTTP server.

    Args:
        intake: takes the bodies.
        telemetry: what `/healthz` shows.
        address: where to listen; port 0 takes a free one.
        entry: who may come in.
        room: where requests wait that come while the queue is full; one for both doors.
    """

    def __init__(
        self,
        intake: Intake,
        telemetry: Telemetry,
        address: Address,
        entry: Entry | None = None,
        room: Room | None = None,
    ) -> None:
        self._intake = intake
        self._room = room or Room(intake)
        self._telemetry = telemetry
        self._address = address
        self._entry = entry or Entry()
        self._arriving = Arriving()

    async def start(self) -> Address:
        """Listen; return the address with its real port.

        Raises:
            EndpointError: the address cannot be had.
        """
        self._answers = Answers(asyncio.get_running_loop())
        listening = self._address.listen("OTLP/HTTP", "--http")
        certificates = self._entry.certificates
        context = certificates.context() if certificates is not None else None
        self._server = HttpServer(self.application(), listening, context)
        await self._server.start()
        return replace(self._address, port=listening.getsockname()[1])

    async def stop(self, grace_s: float) -> None:
        """Take no new requests, let those in flight end, and close after `grace_s` at the latest."""
        await self._server.stop(grace_s)

    def application(self) -> Starlette:
        """Return the ASGI application."""
        routes = [Route(path, self._endpoint(signal), methods=["POST"]) for path, signal in PATHS.items()]
        return Starlette(
            routes=[
                *routes,
                Route("/v1development/profiles", self._profiles, methods=["POST"]),
                Route("/healthz", self._healthz, methods=["GET"]),
            ],
            exception_handlers={HTTPException: _on_http_error},
            middleware=_cors(self._entry.origins),
        )

    async def _profiles(self, request: Request) -> Response:
        self._telemetry.unreadable("profiles")
        return _refused(request, otlp_status.NO_PROFILES)

    async def _healthz(self, request: Request) -> Response:
        """Tell whether commits succeed; the counts only to whoever may know them."""
        well = self._telemetry.storing
        document: dict[str, object] = {"status": "ok" if well else "failing"}
        if self._may_look(request):
            document |= self._telemetry.snapshot()
        return Response(json.dumps(document), 200 if well else 503, media_type="application/json")

    def _may_look(self, request: Request) -> bool:
        """Show counts to holders of a read token; without any tokens, to this machine, and not to its web pages."""
        guard = self._entry.guard
        if guard.lends or guard.asks_senders:
            return guard.lends and guard.refusal(request.headers.getlist("authorization"), "read") is None
        from_a_page = "origin" in request.headers or not _names_this_machine(request.url.hostname or "")
        return self._address.is_loopback() and not from_a_page

    def _check_sender(self, request: Request) -> None:
        """Raise `_DeniedError` for a sender who may not, before the body is read."""
        _check_head(request)
        refusal = self._entry.guard.refusal(request.headers.getlist("authorization"), "ingest")
        origin = request.headers.get("origin")
        origins = self._entry.origins
        if refusal is None and origin is not None and origin not in origins and "*" not in origins:
            words = f"pages of {origin[:200]} may not send; allow them with --cors-origin"
            refusal = Refusal(grpc.StatusCode.PERMISSION_DENIED, words)
        if refusal is not None:
            raise _DeniedError(refusal)

    def _endpoint(self, signal: Signal) -> Callable[[Request], Awaitable[Response]]:
        async def export(request: Request) -> Response:
            try:
                return await self._export(signal, request)
            except ClientDisconnect:
                return Response(status_code=499)  # nobody reads it
            except _DeniedError as error:
                self._telemetry.denied(signal, error.refusal.code.name.lower())
                host = request.client.host if request.client else "somewhere"
                _log.warning("a request from %s was turned away: %s", host, error.refusal.message)
                return _refused(request, error.refusal, error.headers)
            except Exception as error:  # noqa: BLE001 - a 500 would tell senders to drop their spans
                return _refused(request, self._refusal(signal, error))

        return export

    def _refusal(self, signal: Signal, error: Exception) -> Refusal:
        """Return what a sender is told about an error, and count it."""
        match error:
            case http_body.UnsupportedError() | http_body.BrokenError() | http_body.TooLargeError():
                self._telemetry.unreadable(signal)
                return _unreadable(error)
            case http_body.NoRoomError():
                self._telemetry.refused(signal, "arriving")
                return Refusal(grpc.StatusCode.UNAVAILABLE, "too much arrives at once; send this request again", 1.0)
            case BusyPeerError():
                self._telemetry.refused(signal, "peer")
                return Refusal(grpc.StatusCode.UNAVAILABLE, str(error), 1.0, http=429)
            case RefusedError():
                _log.warning("requests are sent away for now: %s", error)
                return Refusal(grpc.StatusCode.UNAVAILABLE, str(error), error.retry_after_s)
        _log.error("an export failed", exc_info=error)
        return Refusal(grpc.StatusCode.UNAVAILABLE, "the collector failed; send this request again", 1.0)

    async def _export(self, signal: Signal, request: Request) -> Response:
        self._check_sender(request)
        encoding = http_body.media_type(request.headers.get("content-type", ""))
        compression = http_body.content_encoding(request.headers.get("content-encoding", ""))
        if int(request.headers.get("content-length", 0)) > BODY_BYTES:
            raise http_body.TooLargeError
        host = request.client.host if request.client else ""
        with self._entry.peers.call(host) as share:
            async with self._room.place(host, signal) as place:
                with self._arriving.body() as arrival:

                    def has_room(size: int) -> bool:
                        share.grow(size)
                        return arrival.grows(size)

                    data = await http_body.read_body(request.stream(), compression, BODY_BYTES, has_room)
                place.arrived(len(data))
                return await self._stored(signal, encoding, data, request)

    async def _stored(self, signal: Signal, encoding: Encoding, data: bytes, request: Request) -> Response:
        rejected: Mapping[str, int] = {}
        warning = ""
        if data:
            answer = self._answers.expect()
            self._intake.take(Body(data, encoding, signal), answer)
            outcome = await answer.given
            if outcome.error is not None:
                return _refused(request, otlp_status.invalid(outcome.error))
            rejected, warning = outcome.rejected, otlp_status.warning_of(outcome.notes)
        reply = otlp_status.export_reply(signal, rejected, warning, encoding)
        return Response(reply, media_type=MEDIA_TYPE[encoding])


def _check_head(request: Request) -> None:
    """Refuse heads that are long (h11 bounds only those that come in pieces), or that a proxy may read otherwise."""
    size = sum(len(name) + len(value) for name, value in request.headers.raw)
    if size > HEAD_BYTES:
        raise _DeniedError(otlp_status.LONG_HEAD)
    if "content-length" in request.headers and "transfer-encoding" in request.headers:
        raise _DeniedError(otlp_status.invalid("both Content-Length and Transfer-Encoding"), hang_up=True)


def _unreadable(error: Exception) -> Refusal:
    if isinstance(error, http_body.TooLargeError):
        # the rest is read and dropped: closing now would reset the connection before the answer is seen
        return otlp_status.too_large(BODY_BYTES)
    if isinstance(error, http_body.UnsupportedError):
        return Refusal(grpc.StatusCode.INVALID_ARGUMENT, str(error), http=415)
    return otlp_status.invalid(str(error))


class _DeniedError(Exception):
    """Not to be read any further; with `hang_up`, nor is what follows on its connection."""

    def __init__(self, refusal: Refusal, *, hang_up: bool = False) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
        self.headers = {"connection": "close"} if hang_up else {}


def _cors(origins: tuple[str, ...]) -> list[Middleware]:
    """Return what answers browsers' preflights for the origins allowed; nothing does where none is."""
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["POST"],
            allow_headers=["*"],
            allow_private_network=True,
            expose_headers=["retry-after"],
        )
    ]


def _names_this_machine(host: str) -> bool:
    """Tell whether a Host header is no name that somebody else's DNS may have pointed here."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host == "localhost"
    return True
