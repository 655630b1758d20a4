"""Where spans run and who is called: tiers, and the parties that own time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from analysis import hosts
from seamscope.kernel import kernel
from seamscope.schema import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.arrays import Codes, Int32s
    from analysis.rules import Peers, Rules

BROWSER: Final = words.code(words.TIERS, "browser")
ORIGIN: Final = words.code(words.TIERS, "origin")
DATA: Final = words.code(words.TIERS, "data")
EXTERNAL: Final = words.code(words.TIERS, "external")
UNSEEN: Final = "unknown"
"""What a service is called that nobody named."""


@kernel
def place_spans(
    order: Int32s,
    parent: Int32s,
    remote: Codes,
    kind: Codes,
    role: Codes,
    resource: Int32s,
    hint: Codes,
    ruled: Codes,
    own: Codes,
) -> Codes:
    """Return the tier of every span.

    The operator's rule for the service stands; then what the span says; then what the nearest span above it in
    the same process and resource said; then the resource's. A call made inside middleware runs where the
    middleware does, whatever its own instrumentation says. `ruled` (255: no rule) and `own` are by resource.
    """
    tier = np.empty(parent.size, np.uint8)
    said = np.zeros(parent.size, np.uint8)
    for at in range(order.size):
        row = order[at]
        above = parent[row]
        local = above >= 0 and remote[row] == 0 and resource[above] == resource[row]
        calls = kind[row] == 3 or kind[row] == 4 or role[row] == 8
        if local and calls and said[above] == 2:
            said[row] = 2
        elif hint[row] != 0:
            said[row] = hint[row]
        elif local:
            said[row] = said[above]
        if ruled[resource[row]] != 255:
            tier[row] = ruled[resource[row]]
        elif said[row] != 0:
            tier[row] = said[row]
        else:
            tier[row] = own[resource[row]]
    return tier


@dataclass(slots=True)
class Parties:
    """Every `tier:service` met so far, numbered."""

    numbers: dict[tuple[int, str], int]

    @staticmethod
    def empty() -> Parties:
        """Return a table with nobody in it."""
        return Parties({})

    def number(self, tier: int, service: str) -> int:
        """Return the number of a party, a new one for a new party."""
        return self.numbers.setdefault((tier, service), len(self.numbers))

    def of_spans(self, tier: Codes, resource: Int32s, services: Sequence[str]) -> Int32s:
        """Return the party of every span."""
        key = resource.astype(np.int64) * 8 + tier
        present = np.zeros(len(services) * 8, np.bool_)
        present[key] = True
        table = np.zeros(present.size, np.int32)
        for at in np.flatnonzero(present).tolist():
            table[at] = self.number(at % 8, services[at // 8])
        parties: Int32s = table[key]
        return parties

    def tiers(self) -> Codes:
        """Return every party's tier."""
        return np.array([tier for tier, _ in self.numbers], np.uint8)

    def labels(self) -> list[str]:
        """Return every party as text: `origin:orders`."""
        return [f"{words.TIERS[tier]}:{service}" for tier, service in self.numbers]


@dataclass(frozen=True, slots=True)
class Callee:
    """What one client span says about who it calls; None where it says nothing."""

    peer: str | None
    port: int
    system: str | None
    namespace: str | None
    broker: str | None
    rpc: str | None
    is_data: bool
    """A statement or a message by its role or kind, whatever else is said."""


def _said_by_operator(callee: Callee, rules: Rules) -> tuple[int, str] | None:
    rule = rules.peer(callee.peer) if callee.peer else None
    if rule is None or (rule.tier is None and rule.service is None):
        return None
    tier = words.code(words.TIERS, rule.tier) if rule.tier else ORIGIN
    if rule.service is None and tier == DATA and callee.system:
        return DATA, _data_name(callee)
    return tier, rule.service or callee.peer or UNSEEN


def _data_name(callee: Callee) -> str:
    if callee.system:
        system = hosts.system_name(callee.system)
        return f"{system}/{callee.namespace}" if callee.namespace else system
    if callee.broker:
        return hosts.system_name(callee.broker)
    return callee.peer or UNSEEN


def _known(host: str, port: int, peers: Peers, services: dict[str, int]) -> tuple[int, str] | None:
    learned = peers.service(host, port)
    if learned is not None:
        return learned
    bare = host.split(".", maxsplit=1)[0] if hosts.is_private(host) else host
    for name in (host, bare):
        if name in services:
            return services[name], name
    return None


def callee_party(callee: Callee, rules: Rules, peers: Peers, services: dict[str, int]) -> tuple[int, str]:
    """Return (tier code, service) of a callee that sent no spans; `services` are the known services' tiers."""
    said = _said_by_operator(callee, rules)
    if said is not None:
        return said
    if callee.system or callee.broker or callee.is_data:
        return DATA, _data_name(callee)
    if not callee.peer:
        service = callee.rpc.rsplit("/", 1)[0] if callee.rpc else UNSEEN
        return services.get(service, 0), service
    return _by_host(callee.peer, callee.port, peers, services)


def _by_host(host: str, port: int, peers: Peers, services: dict[str, int]) -> tuple[int, str]:
    if hosts.is_data_host(host):
        return DATA, host
    known = _known(host, port, peers, services)
    if known is not None:
        return known
    if hosts.is_private(host):
        return ORIGIN, f"{host}:{port}" if hosts.is_address(host) and port else host
    return EXTERNAL, host
