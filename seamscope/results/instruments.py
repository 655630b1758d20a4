"""What a process's own instruments said of a wait."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Testimony:
    """What one instrument of the pool or server said at the time of a call's wait."""

    client_span_id: str
    """Of the call that waited."""
    seam: str
    operation: str | None
    cause: str
    """`pool_wait` or `server_queue`."""
    ns: int
    """The wait."""
    verdict: str
    """`confirms`, `contradicts`, or `says` where it decides nothing."""
    instrument: str
    pool: str | None
    at_ns: int
    """When it was read, absolute, by its own process's clock."""
    sentence: str
