"""Who may come in at both doors: over which network, with which token or certificate, and how much at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from collector.doors.certificates import Certificates
from collector.doors.peers import Peers
from collector.doors.tokens import Guard, TokenFile
from seamscope.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from collector.doors.addresses import Address


_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@\s*A-Z]+")


@dataclass(frozen=True, slots=True)
class Security:
    """What the operator asked for.

    Attributes:
        token_file: tokens that senders must show; None for none.
        read_token_file: tokens that readers over the network must show; None where nobody may read so.
        tls_cert: the doors' certificate, PEM; None for plain text.
        tls_key: its key.
        tls_client_ca: clients must show a certificate of this CA.
        origins: web origins whose pages may send, such as `https://app.example`; `*` for any.
        insecure_public: others than this machine may connect, without TLS or without a token.
    """

    token_file: Path | None = None
    read_token_file: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    origins: tuple[str, ...] = ()
    insecure_public: bool = False

    def check(self, addresses: Iterable[Address]) -> None:
        """Refuse what does not fit together, or would let strangers in.

        Raises:
            UsageError: such a case, and what to say instead.
            EndpointError: a host has no address.
        """
        for origin in self.origins:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                words = f"--cors-origin {origin!r} is no origin, as a browser names it"
                raise UsageError(words, "write https://app.example, with its port where it has one and no path, or *")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise UsageError("--tls-cert and --tls-key go together", "give both")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise UsageError("--tls-client-ca needs --tls-cert and --tls-key", "give all three")
        known = self.token_file is not None or self.tls_client_ca is not None
        if self.insecure_public or (self.tls_cert is not None and known):
            return
        for address in addresses:
            if not address.is_loopback():
                lacking = [] if self.tls_cert else ["encryption (--tls-cert, --tls-key)"]
                lacking += [] if known else ["a token (--token-file) or client certificates (--tls-client-ca)"]
                raise UsageError(
                    f"{address} can be reached from other machines, without {' and without '.join(lacking)}",
                    "add it, listen on 127.0.0.1, or say --insecure-public if the network is yours alone",
                )


@dataclass(frozen=True, slots=True)
class Entry:
    """What both doors ask before they read a request.

    Attributes:
        guard: who may send and who may read.
        peers: how much of one address.
        certificates: for TLS; None for plain text.
        origins: web origins whose pages may send.
    """

    guard: Guard = field(default_factory=Guard)
    peers: Peers = field(default_factory=Peers)
    certificates: Certificates | None = None
    origins: tuple[str, ...] = ()


def entry(security: Security, queue_bytes: int) -> Entry:
    """Read the files that the operator named.

    Raises:
        DataError: one cannot be read, or is not what it should be.
    """
    ingest, read = (
        TokenFile(file) if file is not None else None for file in (security.token_file, security.read_token_file)
    )
    certificates = None
    if security.tls_cert is not None and security.tls_key is not None:
        certificates = Certificates(security.tls_cert, security.tls_key, security.tls_client_ca)
    return Entry(Guard(ingest, read), Peers(queue_bytes), certificates, security.origins)
