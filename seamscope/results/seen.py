"""What a store has seen that the operator's rules may speak of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SeenService:
    """A service that sent spans."""

    service: str
    tiers: tuple[str, ...]
    """Where it was found to run; `unknown` where nothing said so."""


@dataclass(frozen=True, slots=True)
class SeenPeer:
    """A host that was called and sent no spans of those calls."""

    host: str
    tier: str
    """What it was taken for."""
    service: str
    """The name that its seam gives it."""
    calls: int


@dataclass(frozen=True, slots=True)
class SeenCall:
    """A host that requests of people called while they waited."""

    host: str
    requests: int


@dataclass(frozen=True, slots=True)
class Seen:
    """Services, silent hosts and called hosts of a store; empty where there is no store yet."""

    services: tuple[SeenService, ...] = ()
    peers: tuple[SeenPeer, ...] = ()
    calls: tuple[SeenCall, ...] = ()
