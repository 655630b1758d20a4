"""Bearer tokens: read from files, read again when a file changes, compared in constant time.

A token for sending and one for reading are never the same right: whoever may send must not read what others sent.
"""

from __future__ import annotations

import codecs
import hashlib
import hmac
import logging
import time
from typing import TYPE_CHECKING, Final, Literal

import grpc

from collector.doors.otlp_status import Refusal
from seamscope.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    Right = Literal["ingest", "read"]

_log = logging.getLogger(__name__)

LEAST_CHARACTERS: Final = 16
"""Shorter ones can be guessed."""

LOOK_S: Final = 1.0
"""A file is looked at for changes at most this often."""


def _digest(token: bytes) -> bytes:
    """All tokens compare as texts of one length."""
    return hashlib.sha256(token).digest()


def _read(file: Path) -> tuple[bytes, ...]:
    try:
        text = file.read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        raise DataError(f"cannot read the tokens in {file}: {error.strerror}", "name a file of this user's") from None
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    tokens = [(number, line) for number, line in lines if line and not line.startswith(b"#")]
    if not tokens:
        raise DataError(f"{file} has no token", "write one per line: openssl rand -hex 32")
    for number, token in tokens:
        _check(file, number, token)
    return tuple(_digest(token) for _, token in tokens)


def _check(file: Path, number: int, token: bytes) -> None:
    if not (token.isascii() and token.decode("ascii").isprintable()):
        unsendable = f"{file}, line {number}: a token has characters that no header can carry"
        raise DataError(unsendable, "write it in ASCII: openssl rand -hex 32")
    if len(token) < LEAST_CHARACTERS:
        short = f"{file} has a token of fewer than {LEAST_CHARACTERS} characters"
        raise DataError(short, "make one that cannot be guessed: openssl rand -hex 32")


class TokenFile:
    """The tokens of one file, one per line; empty lines and those that start with # are passed over.

    A changed file is read again within `LOOK_S`. One that cannot be read, or is empty (it may be half written), is
    complained about, the tokens before it stay, and it is tried again.

    Raises:
        DataError: the file cannot be read, has no token, or one that can be guessed or never be shown.
    """

    def __init__(self, file: Path, look_s: float = LOOK_S) -> None:
        self._file = file
        self._look_s = look_s
        self._seen = self._stamp()
        self._digests = _read(file)
        self._looked = time.monotonic()

    def has(self, token: bytes) -> bool:
        """Tell whether a token is one of them; takes as long for every one of the same length."""
        self._refresh()
        shown = _digest(token)
        found = False
        for digest in self._digests:
            found |= hmac.compare_digest(digest, shown)
        return found

    def _stamp(self) -> tuple[int, int, int]:
        try:
            found = self._file.stat()
        except OSError:
            return 0, 0, 0
        return found.st_ctime_ns, found.st_size, found.st_ino  # changes with the content, the mode and the owner

    def _refresh(self) -> None:
        now = time.monotonic()
        if now - self._looked < self._look_s:
            return
        self._looked, stamp = now, self._stamp()
        if stamp == self._seen:
            return
        try:
            self._digests = _read(self._file)
        except DataError as error:
            _log.error("the tokens stay as they were: %s", error)
        else:
            self._seen = stamp


def _shown(headers: Sequence[str | bytes]) -> bytes | None:
    """Return the token of an `Authorization` header; None where there is none, several, or another scheme."""
    if len(headers) != 1:
        return None
    header = headers[0]
    raw = header.encode("utf-8", "surrogateescape") if isinstance(header, str) else bytes(header)
    scheme, _, token = raw.partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" and token.strip() else None


class Guard:
    """Decides who may send and who may read, by the `Authorization` headers of a request, before its body is read.

    Args:
        ingest: tokens that senders must show; None where whoever reaches the door may send.
        read: tokens that readers must show; None where nobody may read over the network.
    """

    def __init__(self, ingest: TokenFile | None = None, read: TokenFile | None = None) -> None:
        self._files: dict[Right, TokenFile | None] = {"ingest": ingest, "read": read}

    @property
    def lends(self) -> bool:
        """Whether anybody may read over the network."""
        return self._files["read"] is not None

    @property
    def asks_senders(self) -> bool:
        """Whether senders must show a token."""
        return self._files["ingest"] is not None

    def refusal(self, headers: Sequence[str | bytes], right: Right) -> Refusal | None:
        """Return why a request may not go on; None where it may."""
        wanted = self._files[right]
        if wanted is None:
            return None if right == "ingest" else Refusal(grpc.StatusCode.UNIMPLEMENTED, "this store is not lent")
        token = _shown(headers)
        if token is not None and wanted.has(token):
            return None
        if token is not None and any(other.has(token) for other in self._others(wanted)):
            return Refusal(grpc.StatusCode.PERMISSION_DENIED, f"this token is not one to {_DOES[right]} with")
        return Refusal(grpc.StatusCode.UNAUTHENTICATED, f"a token to {_DOES[right]} with is wanted: {SCHEME}")

    def _others(self, wanted: TokenFile) -> Iterable[TokenFile]:
        return (each for each in self._files.values() if each is not None and each is not wanted)


SCHEME: Final = "Authorization: Bearer TOKEN"
_DOES: Final[dict[Right, str]] = {"ingest": "send", "read": "read"}
