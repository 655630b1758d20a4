"""OTLP over HTTP/1.1: protobuf and JSON on one port, an answer once the request is committed."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import grpc
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from collector import http_body, otlp_status
from collector.answers import Answers
from collector.arriving import Arriving
from collector.decode import Body
from collector.http_protocol import DeadlineProtocol
from collector.intake import RefusedError
from collector.otlp_status import Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from collector.addresses import Address
    from collector.intake import Intake
    from collector.otlp_status import Encoding, Signal
    from collector.telemetry import Telemetry

_log = logging.getLogger(__name__)

BODY_BYTES: Final = 64 * 1024 * 1024
"""Largest body, after decompression (the specification's recommendation)."""

HEAD_BYTES: Final = 16 * 1024
KEEP_ALIVE_S: Final = 120
"""Longer than exporters' batch intervals, so that a connection is not closed under a batch on its way."""

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
    """

    def __init__(self, intake: Intake, telemetry: Telemetry, address: Address) -> None:
        self._intake = intake
        self._telemetry = telemetry
        self._address = address
        self._arriving = Arriving()

    async def start(self) -> Address:
        """Listen; return the address with its real port.

        Raises:
            EndpointError: the address cannot be had.
        """
        self._answers = Answers(asyncio.get_running_loop())
        listening = self._address.listen("OTLP/HTTP", "--http")
        listening.setblocking(False)
        config = uvicorn.Config(
            self.application(),
            http=DeadlineProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            h11_max_incomplete_event_size=HEAD_BYTES,
        )
        self._server = uvicorn.Server(config)
        config.load()
        self._server.lifespan = config.lifespan_class(config)
        await self._server.startup(sockets=[listening])
        self._serving = asyncio.create_task(self._server.main_loop())
        self._sockets = [listening]
        return replace(self._address, port=listening.getsockname()[1])

    async def stop(self, grace_s: float) -> None:
        """Take no new requests, let those in flight end, and close after `grace_s` at the latest."""
        self._server.should_exit = True
        self._server.config.timeout_graceful_shutdown = max(1, round(grace_s))
        await self._serving
        await self._server.shutdown(sockets=self._sockets)

    def application(self) -> Starlette:
        """Return the ASGI application."""
        routes = [Route(path, self._endpoint(signal), methods=["POST"]) for path, signal in PATHS.items()]
        return Starlette(
            routes=[
                *routes,
                Route("/v1development/profiles", _profiles, methods=["POST"]),
                Route("/healthz", self._healthz, methods=["GET"]),
            ],
            exception_handlers={HTTPException: _on_http_error},
        )

    async def _healthz(self, _request: Request) -> Response:
        body = json.dumps({"status": "ok", **self._telemetry.snapshot()})
        return Response(body, media_type="application/json")

    def _endpoint(self, signal: Signal) -> Callable[[Request], Awaitable[Response]]:
        async def export(request: Request) -> Response:
            try:
                return await self._export(signal, request)
            except http_body.UnsupportedError as error:
                refusal = Refusal(grpc.StatusCode.INVALID_ARGUMENT, str(error), http=415)
            except http_body.BrokenError as error:
                refusal = otlp_status.invalid(str(error))
            except http_body.TooLargeError:
                # the rest is read and dropped: closing now would reset the connection before the answer is seen
                refusal = otlp_status.too_large(BODY_BYTES)
            except http_body.NoRoomError:
                self._telemetry.refused(signal, "arriving")
                refusal = Refusal(grpc.StatusCode.UNAVAILABLE, "too much arrives at once; send this request again", 1.0)
            except RefusedError as error:
                refusal = Refusal(grpc.StatusCode.UNAVAILABLE, str(error), error.retry_after_s)
            except ClientDisconnect:
                return Response(status_code=499)  # nobody reads it
            except Exception:  # noqa: BLE001 - a 500 would tell senders to drop their spans
                _log.exception("an export failed")
                refusal = Refusal(grpc.StatusCode.UNAVAILABLE, "the collector failed; send this request again", 1.0)
            return _refused(request, refusal)

        return export

    async def _export(self, signal: Signal, request: Request) -> Response:
        encoding = http_body.media_type(request.headers.get("content-type", ""))
        compression = http_body.content_encoding(request.headers.get("content-encoding", ""))
        self._intake.check_room(signal)
        if int(request.headers.get("content-length", 0)) > BODY_BYTES:
            raise http_body.TooLargeError
        with self._arriving.body() as arrival:
            data = await http_body.read_body(request.stream(), compression, BODY_BYTES, arrival.grows)
        rejected: Mapping[str, int] = {}
        if data:
            outcome = await self._answers.of(self._intake.submit(Body(data, encoding, signal)))
            if outcome.error is not None:
                return _refused(request, otlp_status.invalid(outcome.error))
            rejected = outcome.rejected
        return Response(otlp_status.export_reply(signal, rejected, encoding=encoding), media_type=MEDIA_TYPE[encoding])


async def _profiles(request: Request) -> Response:
    return _refused(request, Refusal(grpc.StatusCode.UNIMPLEMENTED, "profiles are not collected"))
