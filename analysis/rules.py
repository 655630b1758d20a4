"""What the desk must be told: the operator's word on services and hosts, and which host is which service."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


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

    def peer(self, host: str) -> HostRule | None:
        """Return None."""
        del host


@dataclass(frozen=True, slots=True)
class Walk:
    """How the critical path is walked.

    The default lets a child that is still open at the cursor hold it (`evidence` bounded there). `strict` takes
    only children that had ended, as CRISP and Jaeger do; `overlap` is CRISP's share of the parent's length by
    which one may yet overlap the next.
    """

    strict: bool = False
    overlap: float = 0.0


@dataclass(frozen=True, slots=True)
class Peers:
    """Hosts known to be services, learned from calls whose server span was received."""

    services: Mapping[tuple[str, int], tuple[int, str]] = field(default_factory=dict)
    """(host, port or 0) → (tier code, service)."""
