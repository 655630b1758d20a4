"""What a store has seen that rules may speak of: for `seamscope init`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from seamscope.results.seen import Seen, SeenCall, SeenPeer, SeenService
from seamscope.schema.words import REQUEST_KINDS, TIERS
from seamscope.statements import statement

if TYPE_CHECKING:
    from seamscope.store.reading import Reading

MOST: Final = 50
"""Rows of each kind: a file is for reading, and a scraper's calls may name thousands of hosts."""

_PEOPLE_WAIT: Final = ("page", "api", "rpc")


def seen(reader: Reading) -> Seen:
    """Give the services, the hosts that sent no spans, and the hosts that people wait for, of a store."""
    kinds = [REQUEST_KINDS.index(kind) for kind in _PEOPLE_WAIT]
    services = reader.query(statement("rules/services"), {"most": MOST}).rows()
    peers = reader.query(statement("rules/peers"), {"most": MOST}).rows()
    calls = reader.query(statement("rules/calls"), {"most": MOST, "kinds": kinds}).rows()
    return Seen(
        services=tuple(SeenService(service, tuple(tiers)) for service, tiers in services),
        peers=tuple(SeenPeer(host, *_callee(seam), calls) for host, seam, calls in peers),
        calls=tuple(SeenCall(*row) for row in calls),
    )


def _callee(seam: str | None) -> tuple[str, str]:
    """Give tier and service of a seam's callee."""
    tier, _, service = (seam or "").rpartition("→")[2].partition(":")
    return (tier, service) if tier in TIERS else ("unknown", "")
