"""The doors together: one thread with one event loop, on which the gRPC and the HTTP server run."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

import uvloop

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from collector.doors.addresses import Address
    from collector.doors.grpc_door import GrpcDoor
    from collector.doors.http_door import HttpDoor

T = TypeVar("T")


class Doors:
    """Runs both servers; `open` and `close` may be called from any other thread."""

    def __init__(self, grpc_door: GrpcDoor, http_door: HttpDoor) -> None:
        self._grpc = grpc_door
        self._http = http_door
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="doors")

    def open(self) -> tuple[Address, Address]:
        """Listen; return the gRPC and the HTTP address with their real ports.

        Raises:
            EndpointError: an address cannot be had; none of the two is listened on then.
        """
        self._thread.start()
        try:
            return self._run(self._open())
        except BaseException:
            self._end()
            raise

    def close(self, grace_s: float) -> None:
        """Take no new requests, answer those in flight, and end after about `grace_s` at the latest."""
        self._run(self._close(grace_s))
        self._end()

    async def _open(self) -> tuple[Address, Address]:
        grpc_at = await self._grpc.start()
        try:
            http_at = await self._http.start()
        except BaseException:
            await self._grpc.stop(0)
            raise
        return grpc_at, http_at

    async def _close(self, grace_s: float) -> None:
        await asyncio.gather(self._grpc.stop(grace_s), self._http.stop(grace_s))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
