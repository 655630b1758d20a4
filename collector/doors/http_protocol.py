"""uvicorn's HTTP/1.1 protocol with deadlines: a connection that dawdles over a request is closed.

uvicorn bounds only the idle time between requests. Here a request's head must arrive within `HEAD_S` of its first
byte (or of the connection), the whole of it within `REQUEST_S`, and connections beyond `CONNECTIONS`, or beyond
`PEER_CONNECTIONS` of one address, are closed at once. A sender that loses its connection sends again, by the
specification.

What is no HTTP is answered, and what still comes of it is dropped for `LINGER_S`: a connection that is closed over
unread bytes is reset, and the answer may be lost with it (RFC 9112, section 9.6).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from collector.doors import otlp_status

if TYPE_CHECKING:
    import asyncio

HEAD_S: Final = 10.0
REQUEST_S: Final = 60.0
LINGER_S: Final = 2.0
CONNECTIONS: Final = 1000
PEER_CONNECTIONS: Final = 500

_MAY_ANSWER: Final = frozenset({h11.IDLE, h11.SEND_RESPONSE})
_ARRIVED: Final = frozenset({h11.DONE, h11.MUST_CLOSE, h11.CLOSED, h11.ERROR})


class DeadlineProtocol(H11Protocol):
    """One connection and its two deadlines."""

    head_s = HEAD_S
    request_s = REQUEST_S

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._in_head = False
        self._lingers = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the first deadline, or close where there are too many connections."""
        super().connection_made(cast("asyncio.Transport", transport))
        if len(self.connections) > CONNECTIONS or self._of_this_address() > PEER_CONNECTIONS:
            self.transport.close()
            return
        self._arm(self.head_s, in_head=True)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP as every other error is answered: with a `google.rpc.Status`."""
        if self.conn.our_state not in _MAY_ANSWER:
            self.transport.abort()
            return
        refusal = _refusal(sys.exception(), msg)
        body = otlp_status.status_bytes(refusal, "json")
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        answer = h11.Response(status_code=refusal.http_status, headers=headers)
        for event in (answer, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self._linger()

    def _linger(self) -> None:
        """Take no more of this connection, and close it when the other side has, or after a while."""
        self._lingers = True
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.transport.resume_reading()
        self._disarm()
        self._deadline = self.loop.call_later(LINGER_S, self.transport.abort)

    def _of_this_address(self) -> int:
        host = self.client and self.client[0]
        others = [getattr(each, "client", None) for each in self.connections]
        return sum(other is not None and other[0] == host for other in others)

    def data_received(self, data: bytes) -> None:
        """Take bytes, then see how far the request has come."""
        if not self._lingers:
            super().data_received(data)
            self._watch()

    def on_response_complete(self) -> None:
        """Go on to the next request, part of which may be here already."""
        super().on_response_complete()
        self._watch()

    def _watch(self) -> None:
        state = self.conn.their_state
        if self._lingers:
            return
        if state in _ARRIVED:
            self._disarm()
        elif state is h11.IDLE:
            self._watch_head()
        elif self._in_head or self._deadline is None:
            self._arm(self.request_s, in_head=False)

    def _watch_head(self) -> None:
        if self.conn.trailing_data[0]:
            if self._deadline is None or not self._in_head:
                self._arm(self.head_s, in_head=True)
        else:
            self._disarm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._disarm()
        super().connection_lost(exc)

    def _arm(self, seconds: float, *, in_head: bool) -> None:
        self._disarm()
        self._in_head = in_head
        self._deadline = self.loop.call_later(seconds, self.transport.abort)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _refusal(error: BaseException | None, words: str) -> otlp_status.Refusal:
    """Return what is wrong with a head: h11 tells one that is too long by the status it suggests."""
    too_long = isinstance(error, h11.RemoteProtocolError) and error.error_status_hint == otlp_status.LONG_HEAD.http
    return otlp_status.LONG_HEAD if too_long else otlp_status.invalid(words)
