"""What one address may have on its way at a time, so that no single sender takes the room of all others."""

from __future__ import annotations

from typing import Final, Self

from collector.intake import QUEUE_BYTES
from seamscope.errors import SeamscopeError

PEER_CALLS: Final = 1024
ALL_CALLS: Final = 4096
"""Requests in flight: each costs some tens of KiB before its body comes."""

SHARE: Final = 0.75
"""Of the queue's bytes, what one address may hold: a gateway that sends for everybody keeps nearly all of them."""


class BusyPeerError(SeamscopeError):
    """An address has too much on its way; it sends this request again."""


class Peers:
    """Counts what each address has in flight; for one event loop.

    Args:
        queue_bytes: bytes of bodies that the queue holds.
        calls: requests of one address.
        all_calls: requests of all addresses.
    """

    def __init__(self, queue_bytes: int = QUEUE_BYTES, calls: int = PEER_CALLS, all_calls: int = ALL_CALLS) -> None:
        self._most_bytes = int(queue_bytes * SHARE)
        self._most_calls = calls
        self._all_calls = all_calls
        self._calls: dict[str, int] = {}
        self._bytes: dict[str, int] = {}
        self._in_flight = 0

    def call(self, host: str) -> Share:
        """Return a block, during which a request is counted."""
        return Share(self, host)

    def begin(self, host: str) -> None:
        """Count a request.

        Raises:
            BusyPeerError: there are too many.
        """
        calls = self._calls.get(host, 0)
        if calls >= self._most_calls or self._in_flight >= self._all_calls:
            raise BusyPeerError("too many requests are in flight; send this request again")
        self._calls[host] = calls + 1
        self._in_flight += 1

    def end(self, host: str, size: int) -> None:
        """Count it no longer, nor its bytes."""
        self._in_flight -= 1
        _lower(self._calls, host, 1)
        _lower(self._bytes, host, size)

    def add(self, host: str, size: int, own: int) -> bool:
        """Count bytes of an address; tell whether there was room for them.

        Args:
            host: whose.
            size: bytes that come on top.
            own: what the same request holds already: a request alone may be of any size that the doors take.
        """
        held = self._bytes.get(host, 0)
        if held > own and held + size > self._most_bytes:
            return False
        self._bytes[host] = held + size
        return True


class Share:
    """One request of an address, counted during a `with` block."""

    __slots__ = ("_host", "_peers", "size")

    def __init__(self, peers: Peers, host: str) -> None:
        self._peers = peers
        self._host = host
        self.size = 0

    def __enter__(self) -> Self:
        """Count it; raises as `Peers.begin`."""
        self._peers.begin(self._host)
        return self

    def __exit__(self, *_: object) -> None:
        """Count it no longer."""
        self._peers.end(self._host, self.size)

    def grow(self, size: int) -> None:
        """Count bytes of its body.

        Raises:
            BusyPeerError: its address has too many on their way.
        """
        if not self._peers.add(self._host, size, self.size):
            raise BusyPeerError("your address has too many bytes in flight; send this request again")
        self.size += size


def _lower(counts: dict[str, int], host: str, by: int) -> None:
    left = counts.pop(host, 0) - by
    if left > 0:
        counts[host] = left
