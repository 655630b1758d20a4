"""TLS for both doors: a certificate and its key, optionally a CA that clients' certificates must come from (mTLS).

The files are looked at when somebody connects, so a renewed certificate is used without a restart. A pair that does
not fit together (it may be half renewed) is complained about and tried again, and the one before it stays.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import grpc

from seamscope.errors import DataError, SeamscopeError

if TYPE_CHECKING:
    from pathlib import Path

_log = logging.getLogger(__name__)

LOOK_S: Final = 1.0
"""The files are looked at for changes at most this often."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What the files hold at one time."""

    context: ssl.SSLContext
    for_grpc: Any


class Certificates:
    """The certificate, key and client CA of the doors.

    Args:
        cert: the certificate's chain, PEM.
        key: its private key, PEM, without a passphrase.
        client_ca: clients must show a certificate of one of these CAs; None where they need none.

    Raises:
        DataError: a file cannot be read, or they do not fit together.
    """

    def __init__(self, cert: Path, key: Path, client_ca: Path | None = None, look_s: float = LOOK_S) -> None:
        self._cert, self._key, self._client_ca = cert, key, client_ca
        self._look_s = look_s
        self._lock = threading.Lock()
        self._seen = self._stamp()
        self._loaded = self._load()
        self._looked = time.monotonic()

    def server_credentials(self) -> Any:
        """Return grpc's credentials of a server, which follow the files."""
        mutual = self._client_ca is not None
        return grpc.dynamic_ssl_server_credentials(
            self._loaded.for_grpc, lambda: self.current().for_grpc, require_client_authentication=mutual
        )

    def context(self) -> ssl.SSLContext:
        """Return a context of a server, which follows the files."""
        return _Following(self)

    def current(self) -> _Loaded:
        """Return what the files hold now, or held when they last fitted together; from any thread."""
        with self._lock:
            now = time.monotonic()
            if now - self._looked >= self._look_s:
                self._looked = now
                self._refresh()
            return self._loaded

    def _refresh(self) -> None:
        stamp = self._stamp()
        if stamp == self._seen:
            return
        try:
            self._loaded = self._load()
        except SeamscopeError as error:
            _log.error("the certificate stays as it was: %s", error)
        else:
            self._seen = stamp

    def _stamp(self) -> tuple[tuple[int, int, int], ...]:
        return tuple(_stamp_of(file) for file in (self._cert, self._key, self._client_ca) if file is not None)

    def _load(self) -> _Loaded:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        chain, key = _bytes(self._cert), _bytes(self._key)
        roots = _bytes(self._client_ca) if self._client_ca is not None else None
        try:
            context.load_cert_chain(self._cert, self._key, password="")
            if roots is not None:
                context.load_verify_locations(cadata=roots.decode())
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ValueError) as error:
            words = f"{self._cert}, {self._key} and the client CA do not fit together: {error}"
            raise DataError(words, "name a PEM certificate and its key") from None
        return _Loaded(context, grpc.ssl_server_certificate_configuration([(key, chain)], root_certificates=roots))


class _Following(ssl.SSLContext):
    """Begins each connection with the certificates of that moment."""

    _certificates: Certificates

    def __new__(cls, certificates: Certificates) -> Self:
        made = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        made._certificates = certificates
        return made

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """Begin a connection."""
        return self._certificates.current().context.wrap_bio(*args, **kwargs)


def _stamp_of(file: Path) -> tuple[int, int, int]:
    try:
        found = file.stat()
    except OSError:
        return 0, 0, 0
    return found.st_ctime_ns, found.st_size, found.st_ino  # changes with the content, the mode and the owner


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror}", "name a PEM file of this user's") from None
