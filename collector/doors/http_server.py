"""uvicorn, run on the doors' event loop, over a socket that is listened on already."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from collector.doors.addresses import BACKLOG
from collector.doors.http_protocol import DeadlineProtocol

if TYPE_CHECKING:
    import socket
    import ssl

HEAD_BYTES: Final = 16 * 1024
"""Longest head of a request."""

KEEP_ALIVE_S: Final = 120
"""Longer than exporters' batch intervals, so that a connection is not closed under a batch on its way."""

HANDSHAKE_S: Final = 5.0
"""How long a TLS handshake may take."""


class HttpServer:
    """Serves an ASGI application.

    Args:
        application: what answers.
        listening: the socket; closed at the end.
        context: for TLS; None for plain text.
    """

    def __init__(self, application: Any, listening: socket.socket, context: ssl.SSLContext | None = None) -> None:
        self._listening = listening
        self._context = context
        listening.setblocking(False)
        self._server = uvicorn.Server(
            uvicorn.Config(
                application,
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
        )

    async def start(self) -> None:
        """Take connections."""
        server, config = self._server, self._server.config
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[])
        listening = await asyncio.get_running_loop().create_server(
            self._connection,
            sock=self._listening,
            backlog=BACKLOG,
            ssl=self._context,
            ssl_handshake_timeout=HANDSHAKE_S if self._context else None,
        )
        server.servers = [listening]
        self._serving = asyncio.create_task(server.main_loop())

    async def stop(self, grace_s: float) -> None:
        """Take no new requests, let those in flight end, and close after `grace_s` at the latest."""
        self._server.should_exit = True
        self._server.config.timeout_graceful_shutdown = max(1, round(grace_s))
        await self._serving
        await self._server.shutdown(sockets=[self._listening])

    def _connection(self) -> asyncio.Protocol:
        server = self._server
        return DeadlineProtocol(server.config, server.server_state, server.lifespan.state)
