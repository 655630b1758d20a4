"""Two doors to a store, the same results: the file when nobody writes it, else the collector that does.

A collector lends its store over gRPC, on a Unix socket beside the file (found by itself, for the file's owner alone)
and, where it is told to, over TCP to holders of a read token. A query is one message of JSON; its answer is an Arrow
stream in pieces.
"""

from __future__ import annotations

import io
import json
import os
import socket
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import pyarrow as pa

from seamscope.errors import DataError, EndpointError, EndpointSilentError, QueryError, SeamscopeError, StoreError
from seamscope.store import StoreFile
from seamscope.store.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import grpc

    from seamscope.store.reading import Stream

SERVICE: Final = "/seamscope.v1.Store/"
"""Methods: Query (one request, a stream of Arrow pieces), Import (a stream of pieces, one answer), Analyze, Status."""

HINT_KEY: Final = "seamscope-hint"
"""Trailing metadata of a failed call: what to do next."""

PIECE_BYTES: Final = 1 << 20
"""Messages of a stream are at most this long."""

KEEPALIVE: Final = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.ping_timeout_ms", 10_000),  # else a ping has a minute, whatever the timeout above says
)
"""Of a connection over TCP: where a network falls silent, only a ping that is not answered tells of it."""

ANSWER_SECONDS: Final = 5.0
"""Who does not say by then what it is, is taken for silent."""

_CONNECT_SECONDS: Final = 1.0


def socket_path(db: str | Path) -> Path:
    """Give the place of the socket beside a store's file."""
    place = Path(db).resolve()
    if not place.name:
        raise StoreError(f"{place} is a folder", "name a file, for example --db seamscope.duckdb")
    return place.with_name(f"{place.name}.sock")


@dataclass(frozen=True, slots=True)
class LiveCollector:
    """A collector that answers, and what it said of itself."""

    address: str
    """`unix:PATH` or `HOST:PORT`."""
    status: Mapping[str, Any]
    """`pid`, `version`, `db`, and what else the collector counts."""

    @property
    def pid(self) -> int:
        """Its process."""
        return int(self.status.get("pid", 0))


def find_collector(db: str | Path) -> LiveCollector | None:
    """Find the collector that writes a store, by its socket; None when there is none, or only a dead one's socket.

    `EndpointSilentError` when one listens there and does not answer in time: it may be busy, and has the store.
    """
    address = _answering_socket(Path(db))
    if address is None:
        return None
    with Lent(address) as lent:
        try:
            return LiveCollector(address, lent.status(timeout_seconds=ANSWER_SECONDS))
        except EndpointSilentError:
            raise
        except EndpointError:
            return None


def _answering_socket(db: Path) -> str | None:
    """Give the address of a socket that somebody listens on; one left over by a killed collector refuses."""
    place = socket_path(db)
    try:
        target = place.resolve(strict=True)
        found = target.stat()
    except OSError:
        return None
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid not in {os.geteuid(), _owner(db)}:
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_CONNECT_SECONDS)
        try:
            probe.connect(str(target))
        except OSError:
            return None
    return f"unix:{target}"


def _owner(db: Path) -> int:
    try:
        return db.stat().st_uid
    except OSError:
        return os.geteuid()


def open_store(
    target: str | Path, *, token: str | None = None, tls_ca: Path | None = None, limited: bool = False
) -> StoreFile | Lent:
    """Open a store to read: a file (through its collector, if one is live), or `grpc://HOST:PORT` of a collector.

    `token` and `tls_ca` are for a remote one; by default those that `--token-file` and `--tls-ca` left on `target`,
    then `$SEAMSCOPE_TOKEN`. `limited` bounds statements on a file as a collector
    bounds them: in time, memory and rows. `StoreError` when there is no store or its file cannot be read,
    `EndpointError` when nobody answers, `EndpointSilentError` when somebody listens and does not answer in time.
    """
    text = str(target)
    if text.startswith("grpc://"):
        token = token or read_token(getattr(target, "token_file", None))
        lent = Lent(_host_and_port(text), token=token, tls_ca=tls_ca or getattr(target, "tls_ca", None))
        return lent.checked()
    address = _answering_socket(Path(text))
    if address is not None:
        try:
            return Lent(address).checked()
        except EndpointSilentError:
            raise
        except EndpointError:  # it went away between the two looks: then the file is free
            pass
    return StoreFile.open(text, limited=limited)


def read_token(file: Path | None) -> str | None:
    """Give the read token: the first of a file (as the collector's is written), else `$SEAMSCOPE_TOKEN`, else none."""
    if file is None:
        return _sendable(os.environ.get("SEAMSCOPE_TOKEN", "").strip(), "$SEAMSCOPE_TOKEN") or None
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"cannot read the token in {file}: {error}", "name a file with the token alone") from error
    lines = ((number, line.strip()) for number, line in enumerate(text.split("\n"), 1))
    found = ((number, line) for number, line in lines if line and not line.startswith("#"))
    return next((_sendable(line, f"{file}, line {number}") for number, line in found), None)


def _sendable(token: str, where: str) -> str:
    if not (token.isascii() and token.isprintable()):
        raise StoreError(f"{where}: the token has characters that no header can carry", "it is written in ASCII")
    return token


def _host_and_port(target: str) -> str:
    address = target.removeprefix("grpc://").rstrip("/")
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise StoreError(f"{target} is not an address", "write grpc://HOST:PORT")
    return address


class Lent(Reading):
    """A store read through its collector; also the calls of commands that write."""

    def __init__(self, address: str, *, token: str | None = None, tls_ca: Path | None = None) -> None:
        self.address = address
        self._metadata = [("authorization", f"Bearer {token}")] if token else []
        self._channel = _channel(address, tls_ca)

    def checked(self) -> Self:
        """Make sure that somebody answers; `EndpointError` if not."""
        try:
            self.status(timeout_seconds=ANSWER_SECONDS)
        except BaseException:
            self.close()
            raise
        return self

    def stream(self, sql: str, params: Mapping[str, object] | None = None) -> Stream:
        """Run one reading statement over there: the schema of its result, then its batches."""
        with self._told(), self._query(sql, params) as pieces:
            reader = pa.ipc.open_stream(io.BufferedReader(_Pieces(pieces), PIECE_BYTES))
            yield reader.schema
            yield from reader

    @contextmanager
    def _query(self, sql: str, params: Mapping[str, object] | None) -> Iterator[Iterable[bytes]]:
        call = self._channel.unary_stream(f"{SERVICE}Query")(_packed(sql, params), metadata=self._metadata)
        try:
            yield call
        finally:
            call.cancel()

    def status(self, timeout_seconds: float | None = None) -> dict[str, Any]:
        """Ask what the collector says of itself: `pid`, `version`, `db` and its counters."""
        return self._ask("Status", {}, timeout_seconds)

    def analyze(self, *, everything: bool = False) -> dict[str, Any]:
        """Have it analyse what has settled (`everything`: again from the start) and give what it did."""
        return self._ask("Analyze", {"all": everything}, None)

    def import_body(self, data: bytes, *, encoding: str, signal: str) -> dict[str, Any]:
        """Have it store one OTLP request body; gives `accepted`, `rejected` by reason, `notes` by kind, and `error`."""
        call = self._channel.stream_unary(f"{SERVICE}Import")
        with self._told():
            answer: dict[str, Any] = json.loads(call(_pieces_of(data, encoding, signal), metadata=self._metadata))
        return answer

    def close(self) -> None:
        """Let go of the connection."""
        self._channel.close()

    def _ask(self, method: str, question: dict[str, object], timeout_seconds: float | None) -> dict[str, Any]:
        call = self._channel.unary_unary(f"{SERVICE}{method}")
        with self._told():
            answer: dict[str, Any] = json.loads(
                call(json.dumps(question).encode(), timeout=timeout_seconds, metadata=self._metadata)
            )
        return answer

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn a failed call into the error that the other door would have raised."""
        import grpc

        try:
            yield
        except grpc.RpcError as error:
            raise _meant(error, self.address) from None


def _channel(address: str, tls_ca: Path | None) -> grpc.Channel:
    import grpc

    options = [("grpc.max_receive_message_length", 64 << 20), ("grpc.enable_http_proxy", 0)]
    if not address.startswith("unix:"):  # of a dead peer on this machine the kernel tells
        options += KEEPALIVE
    if tls_ca is None:
        return grpc.insecure_channel(address, options=options)
    try:
        roots = tls_ca.read_bytes()
    except OSError as error:
        raise StoreError(f"cannot read {tls_ca}: {error.strerror}", "name the CA's certificate in PEM") from error
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(roots), options=options)


def _meant(error: Any, address: str) -> SeamscopeError:
    import grpc

    code, said = error.code(), error.details() or ""
    hint = dict(error.trailing_metadata() or ()).get(HINT_KEY, "")
    gone = EndpointError(f"no collector answers at {address} ({code.name.lower()})", "is it running?")
    if "ping timeout" in said or "keepalive timeout" in said:
        gone = EndpointError(f"the connection to {address} went silent", "is the network up? then ask again")
    show_one = "give a read token with --token-file or $SEAMSCOPE_TOKEN"
    silent = f"the collector at {address} does not answer in time"
    lends_not = f"what answers at {address} does not lend its store"
    return {
        grpc.StatusCode.INVALID_ARGUMENT: QueryError(said, hint),
        grpc.StatusCode.RESOURCE_EXHAUSTED: QueryError(said, hint),
        grpc.StatusCode.CANCELLED: QueryError("the rows were not taken in time", "ask again, or for fewer"),
        grpc.StatusCode.UNAUTHENTICATED: EndpointError(f"{address} wants a read token", show_one),
        grpc.StatusCode.PERMISSION_DENIED: EndpointError(f"{address}: {said}", hint or show_one),
        grpc.StatusCode.DEADLINE_EXCEEDED: EndpointSilentError(
            silent, "it is busy or stopped: try again, or see its log"
        ),
        grpc.StatusCode.DATA_LOSS: DataError(said, hint),
        grpc.StatusCode.INTERNAL: StoreError(said, hint),
        grpc.StatusCode.UNIMPLEMENTED: EndpointError(lends_not, "is it a collector with --read-token-file?"),
    }.get(code, gone)


def _packed(sql: str, params: Mapping[str, object] | None) -> bytes:
    try:
        return json.dumps({"sql": sql, "params": dict(params or {})}).encode()
    except TypeError as error:
        raise QueryError(f"a parameter cannot be sent: {error}", "use numbers, text, booleans or lists") from None


def _pieces_of(data: bytes, encoding: str, signal: str) -> Iterator[bytes]:
    yield json.dumps({"encoding": encoding, "signal": signal}).encode()
    for start in range(0, len(data), PIECE_BYTES):
        yield data[start : start + PIECE_BYTES]


class _Pieces(io.RawIOBase):
    """The pieces of an answer as one file to read from."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._left = memoryview(b"")

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill from the piece at hand, or the next; 0 at the end."""
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = memoryview(piece)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
