"""Which findings a request deserves, from what the second instrument measured of it and from what the apps' code does.

A fault's own findings are said beside the fault. The rest is here, and holds in every scenario of a system: what is
measured asks for a finding wherever it comes from (time in a pool for `pool_exhausted`), and what the code of a kind
of request always does (three independent fetches, one after the other) deserves its finding on good days too. Spans
and Seamscope's own output are no witnesses of either.

A fault's own findings are expected where it took a tenth of the horizon. What is said here is expected where it cost
a sixth of the horizon, as far as was measured: two instruments do not agree to the last per cent on what is worth a
tenth. It is possible where it is true of the request and cost less, or nobody measured what it cost: then it is
neither right nor wrong to name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from scenario import Fault, Knobs

OPENING = ("dns", "connect", "tls", "setup")
EDGE_BUDGET_NS = 50_000_000
LEG_LIMIT_NS = 20_000_000  # a healthy request's leg that is longer is told, and not called healthy
_LEAST_NS = 1_000_000
_OFTEN = 5  # times that one address is asked for in a recording, to be asked for again and again


class Part(Protocol):
    """Time of one owner and cause: `truth.Measured`."""

    @property
    def owner(self) -> str:
        """A `tier:service`, or a seam."""
        ...

    @property
    def cause(self) -> str:
        """A cause of contract §3."""
        ...

    @property
    def ns(self) -> int:
        """How long."""
        ...


@dataclass(frozen=True)
class Asked:
    """What there is to know of a request, beside its faults.

    Attributes:
        system: the letter of its system.
        kind: the sort of request.
        variant: `phases` or `blind`.
        knobs: what the seed drew for its scenario.
        sums: what was measured.
        ns: its horizon.
        often: how often each address of its kind is asked for in the recording, on average.
    """

    system: str
    kind: str
    variant: str
    knobs: Knobs
    sums: Sequence[Part]
    ns: int
    often: float

    def time(self, *causes: str, owner: str = "") -> int:
        """Time of these causes (of all, if none is named), of owners that end so."""
        return sum(one.ns for one in self.sums if (not causes or one.cause in causes) and one.owner.endswith(owner))

    def behind(self) -> int:
        """Time outside the tier that pages are made in: in its calls, as far as they were measured."""
        own = [one for one in self.sums if one.owner.startswith(("render:", "edge:")) and "→" not in one.owner]
        return self.time() - sum(one.ns for one in own)

    def matters(self, ns: float) -> bool:
        """Whether so much time is worth acting on, whoever measures it."""
        return ns >= _LEAST_NS and 6 * ns >= self.ns


def deserved(asked: Asked, faults: Sequence[Fault], touched: Collection[Fault]) -> tuple[set[str], set[str]]:
    """The findings that are expected of a request, and those that are possible beside them.

    Args:
        asked: the request.
        faults: what is wrong in its scenario.
        touched: those that took a tenth of its horizon.
    """
    expected = set[str]()
    for fault in faults:
        if not fault.kinds or asked.kind in fault.kinds:
            expected |= {*(fault.findings if fault in touched else ()), *fault.always}
    possible = {rule for fault in faults for rule in fault.findings if not fault.kinds or asked.kind in fault.kinds}
    costs = {**_of_code(asked), **_of_measured(asked, faults)}
    for rule, cost in costs.items():
        if cost is None:
            expected.discard(rule)
            possible.discard(rule)
        else:
            (expected if asked.matters(cost) else possible).add(rule)
    if "broken_context" in expected and "missing_instrumentation" in expected:
        expected.remove("missing_instrumentation")  # the spans are there: nothing but the context is missing
        possible.add("missing_instrumentation")
    return expected, possible - expected


def _of_measured(asked: Asked, faults: Sequence[Fault]) -> dict[str, int]:
    """Findings that are another word for a measured cause → their cost; 0 where no fault makes a pattern of it."""
    leading = {fault.cause for fault in faults}
    injected = leading.union(*(fault.with_causes for fault in faults))
    waits = {
        "pool_exhausted": asked.time("pool_wait"),
        "retry_storm": asked.time("retry"),
        "missing_instrumentation": asked.time("unobserved"),
        "cold_connections": asked.time(*OPENING),
        "server_backlog": _backlog(asked, faults),
        "cold_start": asked.time("cold_start"),
    }
    found = {rule: ns for rule, ns in waits.items() if ns}
    if asked.time("server_queue"):
        found.setdefault("server_backlog", 0)
    if "cold_connections" in found and not injected.intersection(OPENING):
        found["cold_connections"] = 0  # a pool that grows
    if "pool_exhausted" in found and "pool_wait" not in leading:
        found["pool_exhausted"] = 0  # a pool's first connections are waited for, too
    if "cold_start" in found and asked.variant == "blind":
        found["cold_start"] = 0  # nothing in the spans says that it was the first
    computed = sum(one.ns for one in asked.sums if one.owner.startswith("edge:") and one.cause in _COMPUTES)
    if 2 * computed >= EDGE_BUDGET_NS:
        found["edge_over_budget"] = computed if computed >= EDGE_BUDGET_NS else 0
    return found


def _backlog(asked: Asked, faults: Sequence[Fault]) -> int:
    """Time in the queues that faults make, where it is more than servers always take from the socket to the handler."""
    made = {fault.owner.format(**asked.knobs["names"]) for fault in faults if fault.cause == "server_queue"}
    waits = [one.ns for one in asked.sums if one.cause == "server_queue" and one.owner in made]
    return sum(ns for ns in waits if ns >= LEG_LIMIT_NS)


_COMPUTES = ("compute", "middleware", "render")


def _of_code(asked: Asked) -> dict[str, float | None]:
    """Findings that the code of this kind of request deserves → their cost as measured, 0 where that is not known."""
    return {rule: of(asked) for rule, of in _CODE.get(asked.system, {}).get(asked.kind, {}).items()}


Cost = Callable[[Asked], float | None]
"""What a finding costs a request; None where the code did not do that for this one."""


def _calls(part: float) -> Cost:
    """A part of the time in calls."""
    return lambda asked: part * asked.behind()


def _unknown(_: Asked) -> float | None:
    return 0.0


def _uncached(part: float) -> Cost:
    """The answer is everybody's, nothing keeps it, and it is asked for again and again."""
    return lambda asked: part * asked.behind() if asked.often >= _OFTEN else 0.0


def _web(asked: Asked) -> Mapping[str, str]:
    found: Mapping[str, str] = asked.knobs.get("web", {})
    return found


def _panels(asked: Asked) -> float | None:
    """Panels one after the other, of which all but one could have been asked for beside it."""
    panels = int(_web(asked).get("PANELS", "3"))
    return asked.behind() * (panels - 1) / panels if _web(asked).get("FANOUT") == "serial" else None


def _banner(asked: Asked) -> float | None:
    """The banner before the visitor's name: half of the calls."""
    return asked.behind() / 2 if _web(asked).get("BANNER") == "await" else 0.0


def _banner_first(asked: Asked) -> float | None:
    """Neither needs the other's answer; how long the shorter of them took was not measured apart."""
    return 0.0 if _web(asked).get("BANNER") == "await" else None


def _flags(asked: Asked) -> float | None:
    return asked.time("external_call", owner=asked.knobs["names"]["flags"])


def _at_the_replica(asked: Asked) -> float | None:
    return asked.time(owner=asked.knobs["names"]["replica"])


def _neighbours(asked: Asked) -> float | None:
    """One statement for the product, one for the shelf, and one for each of 14 neighbours, all but one too many."""
    return asked.time("query") * 13 / 16


def _each(asked: Asked) -> float | None:
    """A statement for each neighbour, where the origin was told so, for the part of the requests that it touches."""
    sizes = asked.knobs.get("origin", {})
    least = float(sizes.get("RELATED_EACH", 0)) * float(sizes.get("RELATED_MS", 0)) * 1e6
    return asked.time("query") if 0 < least <= asked.time("query") else None


_GATE: Mapping[str, Cost] = {"blocking_flag_service": _flags, "nonessential_block": _unknown}
_CODE: Mapping[str, Mapping[str, Mapping[str, Cost]]] = {
    "a": {
        "bundle": {"serial_fanout": _calls(2 / 3)},
        "offer": {"nonessential_block": _calls(1 / 2), "serial_fanout": _unknown},
        "catalog": {"uncached_fetch": _uncached(1)},
        "account": {"duplicate_call": _calls(1 / 2)},
        "product": {"n_plus_one": _neighbours},
        "dash": {"serial_fanout": _unknown},  # its picks wait for the orders, and need only the user's number
        "trail": {"duplicate_call": _unknown},  # a trail may come back to where it was
    },
    "b": {
        "overview": {"serial_fanout": _panels, "uncached_fetch": _uncached(1)},
        "together": {"uncached_fetch": _uncached(1)},
        "report": {"uncached_fetch": _uncached(1)},
        "product": {"n_plus_one": _each},
        "feed": {"uncached_fetch": _banner, "serial_fanout": _banner_first},
        "dash": {"serial_fanout": _unknown},
    },
    "d": {kind: _GATE for kind in ("item", "price", "account")},
    "e": {f"catalog-{place}": {"edge_database": _at_the_replica} for place in ("near", "far")},
}
