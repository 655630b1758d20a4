"""Where a door listens: `HOST:PORT`, and whether only this machine can reach it."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import Any

from seamscope.errors import EndpointError, UsageError

BACKLOG = 2048
"""Connections that may wait to be accepted."""

PORT_DIGITS = 5


@dataclass(frozen=True, slots=True)
class Address:
    """A host (name or IP address, without brackets) and a port (0 takes a free one)."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return it as it is written in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `HOST:PORT` or `[IPv6]:PORT`.

        Raises:
            UsageError: it is neither.
        """
        host, colon, port = text.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        is_port = port.isdecimal() and len(port) <= PORT_DIGITS and int(port) <= 65535
        if not colon or not is_port or not host or (":" in host and not bracketed):
            raise UsageError(f"{text!r} is not an address", "write HOST:PORT, for example 127.0.0.1:4317")
        return cls(host[1:-1] if bracketed else host, int(port))

    def listen(self, what: str, option: str) -> socket.socket:
        """Return a socket that listens here.

        Args:
            what: what is listened for, for the words of an error.
            option: which option chose the address, likewise.

        Raises:
            EndpointError: the address cannot be had.
        """
        try:
            family = self._found()[0][0]
            return socket.create_server((self.host, self.port), family=family, backlog=BACKLOG)
        except OSError as error:
            raise EndpointError(
                f"cannot listen on {self} for {what}: {error.strerror or error}",
                f"stop what uses the port, or choose another with {option} HOST:PORT",
            ) from None

    def is_loopback(self) -> bool:
        """Tell whether only this machine can reach it.

        Raises:
            EndpointError: the host has no address.
        """
        try:
            found = self._found()
        except OSError as error:
            raise EndpointError(f"{self.host} has no address: {error.strerror or error}", "check the name") from None
        return all(ipaddress.ip_address(str(each[4][0]).partition("%")[0]).is_loopback for each in found)

    def _found(self) -> list[tuple[Any, ...]]:
        """Return what the system knows of the host; `OSError` where it knows nothing."""
        try:
            return list(socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM))
        except UnicodeError:
            raise OSError("a part of the name is empty or too long") from None
