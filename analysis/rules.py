"""What the desk must be told: the operator's word on services and hosts, and which host is which service."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


class HostRule(Protocol):
    """What the operator said a called host is."""

    @property
    def tier(self) -> str | None:
        """A word of `TIERS`."""

    @property
    def service(self) -> str | None:
        """The service that the host is."""


class Rules(Protocol):
    """The operator's rules; `seamscope.config.Config` is one."""

    def service_tier(self, service: str) -> str | None:
        """Return the tier given to a whole service."""

    def peer(self, host: str) -> HostRule | None:
        """Return what a called host was said to be."""


@dataclass(frozen=True, slots=True)
class NoRules:
    """No operator's word on anything."""

    def service_tier(self, service: str) -> str | None:
        """Return None."""
        del service
        return None

    def peer(self, host: str) -> HostRule | None:
        """Return None."""
        del host
        return None


@dataclass(frozen=True, slots=True)
class Walk:
    """How the critical path is walked.

    The default lets a child that is still open at the cursor hold it (`evidence` bounded there). `strict` takes
    only children that had ended, as CRISP and Jaeger do; `overlap` is CRISP's share of the parent's length by
    which one may yet overlap the next.
    """

    strict: bool = False
    overlap: float = 0.0
    candidates: bool = False
    """Also join pieces of requests without a shared id, where but one call can have made them."""


@dataclass(frozen=True, slots=True)
class Peers:
    """Hosts known to be services, learned from calls whose server span was received."""

    services: Mapping[tuple[str, int], Collection[tuple[int, str]]] = field(default_factory=dict)
    """(host, port or 0) → every (tier code, service) that answered there; several: the host says nothing."""

    def service(self, host: str, port: int) -> tuple[int, str] | None:
        """Return (tier code, service) of a host that is known to be one service."""
        for key in ((host, port), (host, 0)):
            found = self.services.get(key, ())
            if found:
                return next(iter(found)) if len(found) == 1 else None
        return None

    def and_those(self, learned: Iterable[tuple[str, int, int, str]]) -> Peers:
        """Return a table with (host, port, tier code, service) rows added."""
        services = {key: set(found) for key, found in self.services.items()}
        for host, port, tier, service in learned:
            services.setdefault((host, port), set()).add((tier, service))
        return Peers(services)
