"""Ways to an OTLP endpoint, as `seamscope replay` needs them: send one body, say what the endpoint said."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import SplitResult, urlsplit

import grpc

from collector.decoding.messages import parse
from collector.doors import otlp_status
from collector.doors.addresses import Address
from collector.doors.grpc_door import MESSAGE_BYTES, METHODS
from collector.doors.http_door import MEDIA_TYPE, PATHS
from collector.sending.replies import Reply, read, rejections
from seamscope.errors import DataError, EndpointError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from collector.decoding.decode import Body

CONNECT_S: Final = 5.0
REQUEST_S: Final = 60.0
"""How long a request may take to be sent, and to be answered whole."""

HANG_UPS_S: Final = 10.0
"""An endpoint that has hung up for so long and never answered is given up: most such ask for TLS."""

_RETRYABLE: Final = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
_RETRYABLE_HTTP: Final = frozenset({429, 502, 503, 504})


class BusyError(Exception):
    """The endpoint wants the request again.

    Attributes:
        after_s: seconds it asked to wait; None where it did not say.
    """

    def __init__(self, message: str, after_s: float | None) -> None:
        super().__init__(message)
        self.after_s = after_s


class Link(Protocol):
    """A way to an endpoint."""

    def send(self, body: Body) -> tuple[int, str]:
        """Send one body; return how many items were rejected and why.

        Raises:
            BusyError: send it again.
            DataError: it is of no use to send it again.
        """

    def close(self) -> None:
        """Hang up."""


@dataclass(frozen=True, slots=True)
class Access:
    """What an endpoint asks for: a bearer token, and TLS with the certificate of its CA; None where it does not."""

    token: str | None = None
    tls_ca: Path | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The headers, or metadata, of each request."""
        return {"authorization": f"Bearer {self.token}"} if self.token else {}

    def roots(self) -> bytes | None:
        """Return the CA's certificate.

        Raises:
            DataError: it cannot be read, or is none.
        """
        if self.tls_ca is None:
            return None
        try:
            pem = self.tls_ca.read_bytes()
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=_ascii(pem))
        except (ssl.SSLError, ValueError):  # the latter of what is empty
            raise DataError(f"{self.tls_ca} is no certificate in PEM", "name a PEM file") from None
        except OSError as error:
            raise DataError(f"cannot read {self.tls_ca}: {error.strerror}", "name a PEM file") from None
        return pem


def _ascii(pem: bytes) -> str:
    """Return certificates as text; what else a bundle says of them may be in any letters."""
    return pem.decode("ascii", "ignore")


def _channel(endpoint: str, access: Access) -> Any:
    limits = [
        ("grpc.max_send_message_length", MESSAGE_BYTES),
        ("grpc.max_receive_message_length", MESSAGE_BYTES),
        ("grpc.enable_http_proxy", 0),  # it would ask the proxy for this machine too; nor is one asked over HTTP
    ]
    roots = access.roots()
    if roots is None:
        return grpc.insecure_channel(endpoint, options=limits)
    return grpc.secure_channel(endpoint, grpc.ssl_channel_credentials(roots), options=limits)


class GrpcLink:
    """An OTLP/gRPC endpoint, `HOST:PORT`.

    Raises:
        EndpointError: nothing answers there.
        DataError: the CA's certificate cannot be read, or is none.
    """

    def __init__(self, endpoint: str, access: Access | None = None) -> None:
        access = access or Access()
        self._metadata = tuple(access.headers.items())
        self._channel = _channel(endpoint, access)
        try:
            grpc.channel_ready_future(self._channel).result(timeout=CONNECT_S)
        except grpc.FutureTimeoutError:
            self._channel.close()
            raise EndpointError(
                f"nothing answers OTLP/gRPC at {endpoint}", "start `seamscope collect`, or name another --endpoint"
            ) from None
        self._calls = {signal: self._channel.unary_unary(path) for path, signal in METHODS.items()}

    def send(self, body: Body) -> tuple[int, str]:
        """Send one body; see `Link`."""
        data = body.data if body.encoding == "protobuf" else parse(body).SerializeToString()
        try:
            reply = self._calls[body.signal](data, timeout=REQUEST_S, metadata=self._metadata)
        except grpc.RpcError as error:
            raise self._explained(error) from None
        return rejections(body.signal, reply, MEDIA_TYPE["protobuf"])

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

    @staticmethod
    def _explained(error: Any) -> Exception:
        details = dict(error.trailing_metadata() or ()).get(otlp_status.STATUS_KEY)
        after_s = otlp_status.retry_delay_s(details)
        told = f"{error.code().name}: {error.details()}"
        exhausted = error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and after_s is not None
        return BusyError(told, after_s) if error.code() in _RETRYABLE or exhausted else DataError(told)


class HttpLink:
    """An OTLP/HTTP endpoint, `http://HOST:PORT`; one connection per thread.

    Raises:
        EndpointError: nothing answers there.
        DataError: the CA's certificate cannot be read, or is none.
    """

    def __init__(self, endpoint: str, access: Access | None = None) -> None:
        access = access or Access()
        parts = _url(endpoint)
        self._endpoint, self._answered, self._closed = endpoint, False, False
        self._hint = "see its own log" if parts.scheme == "https" else "write https:// where it asks for TLS"
        self._headers = access.headers
        self._connect: Callable[..., http.client.HTTPConnection] = http.client.HTTPConnection
        if parts.scheme == "https":
            roots = access.roots()
            context = ssl.create_default_context(cadata=_ascii(roots) if roots else None)
            self._connect = partial(http.client.HTTPSConnection, context=context)
        self._host, self._port, self._path = parts.hostname or "", parts.port, parts.path.rstrip("/")
        self._of_thread = threading.local()
        self._sockets: dict[int, socket.socket] = {}
        """By thread: the one it uses. A connection forgets its own while it reads an answer that is its last."""
        try:
            self._open(self._connection())
        except OSError as error:
            hint = "start `seamscope collect`, or name another --endpoint"
            raise EndpointError(f"nothing answers at {endpoint}: {error.strerror or error}", hint) from None

    def send(self, body: Body) -> tuple[int, str]:
        """Send one body; see `Link`."""
        connection = self._connection()
        try:
            reply = self._exchange(connection, body)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._explained(error) from None
        self._answered = True
        if reply.status in _RETRYABLE_HTTP:
            raise BusyError(reply.error, reply.after_s)
        if not 200 <= reply.status < 300:
            raise DataError(reply.error)
        return rejections(body.signal, reply.content, reply.media_type or MEDIA_TYPE[body.encoding])

    def _exchange(self, connection: http.client.HTTPConnection, body: Body) -> Reply:
        path = next(path for path, signal in PATHS.items() if signal == body.signal)
        until = time.monotonic() + REQUEST_S
        self._open(connection)
        connection.sock.settimeout(REQUEST_S)
        headers = {"content-type": MEDIA_TYPE[body.encoding], **self._headers}
        connection.request("POST", self._path + path, body.data, headers)
        return read(connection, until)

    def _open(self, connection: http.client.HTTPConnection) -> None:
        if connection.sock is None:
            connection.connect()
        self._sockets[threading.get_ident()] = connection.sock
        if self._closed:
            raise ConnectionAbortedError("hung up")

    def _explained(self, error: Exception) -> Exception:
        """Return what a failed exchange means: another try, unless nobody there speaks HTTP."""
        if isinstance(error, (ConnectionResetError, BrokenPipeError)):
            first_s = self._of_thread.__dict__.setdefault("first_hang_up_s", time.monotonic())
            if not self._answered and time.monotonic() - first_s >= HANG_UPS_S:
                return EndpointError(f"{self._endpoint} hangs up without an answer", self._hint)
        elif not isinstance(error, (OSError, http.client.IncompleteRead)):
            return EndpointError(f"{self._endpoint} does not answer in HTTP: {str(error)[:100]}", self._hint)
        return BusyError(str(error) or type(error).__name__, None)

    def close(self) -> None:
        """Hang up, also where another thread waits for an answer."""
        self._closed = True
        for sock in list(self._sockets.values()):
            with suppress(OSError):  # the endpoint hung up first
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()  # and not the connection, which a thread that uses it would open again

    def _connection(self) -> http.client.HTTPConnection:
        if not hasattr(self._of_thread, "connection"):
            self._of_thread.connection = self._connect(self._host, self._port, timeout=CONNECT_S)
        found: http.client.HTTPConnection = self._of_thread.connection
        return found


def _url(endpoint: str) -> SplitResult:
    with suppress(ValueError):  # of a host or a port that is none
        parts = urlsplit(endpoint)
        (parts.hostname or "").encode("idna")
        written = endpoint.isprintable() and " " not in endpoint and parts.path.isascii()
        if written and parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0:
            return parts
    raise UsageError(f"{endpoint!r} is not an endpoint", "write HOST:PORT or http://HOST:PORT")


def check_endpoint(endpoint: str) -> None:
    """Refuse what `link` could never connect to.

    Raises:
        UsageError: it is neither `HOST:PORT` nor a URL.
    """
    if "://" in endpoint:
        _url(endpoint)
    else:
        Address.parse(endpoint)


def link(endpoint: str, access: Access | None = None) -> Link:
    """Connect to an endpoint: `HOST:PORT` over gRPC, `http://…` or `https://…` over HTTP."""
    check_endpoint(endpoint)
    return HttpLink(endpoint, access) if "://" in endpoint else GrpcLink(endpoint, access)
