"""The store, lent over the network: reading calls on the OTLP/gRPC port, passed on to the socket beside the store.

All bounds of the socket's service hold here too. Only what reads is passed on; imports and analyses are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc

from seamscope.remote import HINT_KEY, SERVICE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Lending:
    """Passes `Query` and `Status` on; for one event loop, on which it is made."""

    def __init__(self, socket: Path) -> None:
        options = [("grpc.max_receive_message_length", 64 << 20), ("grpc.enable_http_proxy", 0)]
        self._channel = grpc.aio.insecure_channel(f"unix:{socket}", options=options)
        self._query = self._channel.unary_stream(f"{SERVICE}Query")
        self._status = self._channel.unary_unary(f"{SERVICE}Status")

    def handlers(self) -> dict[str, Any]:
        """Return the handler of each method."""
        return {
            f"{SERVICE}Query": grpc.unary_stream_rpc_method_handler(self._pieces),
            f"{SERVICE}Status": grpc.unary_unary_rpc_method_handler(self._answer),
            f"{SERVICE}Analyze": grpc.stream_unary_rpc_method_handler(_reads_only),
            f"{SERVICE}Import": grpc.stream_unary_rpc_method_handler(_reads_only),
        }

    async def close(self) -> None:
        """Hang up."""
        await self._channel.close()

    async def _pieces(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        call = self._query(request)
        try:
            async for piece in call:
                yield piece
        except grpc.aio.AioRpcError as error:
            await context.abort(error.code(), error.details(), _hints(error))
        finally:
            call.cancel()  # the caller may be gone

    async def _answer(self, request: bytes, context: Any) -> bytes:
        try:
            answer: bytes = await self._status(request)
        except grpc.aio.AioRpcError as error:
            await context.abort(error.code(), error.details(), _hints(error))
        return answer


def _hints(error: grpc.aio.AioRpcError) -> tuple[tuple[str, str], ...]:
    return tuple((key, value) for key, value in error.trailing_metadata() or () if key == HINT_KEY)


async def _reads_only(_messages: AsyncIterator[bytes], context: Any) -> bytes:
    hint = ((HINT_KEY, "do it on the collector's machine"),)
    await context.abort(grpc.StatusCode.PERMISSION_DENIED, "over the network this store is only read", hint)
    raise AssertionError  # abort raises
