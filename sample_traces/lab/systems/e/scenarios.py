"""What is asked of the two places, and what is wrong in each scenario."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from scenario import Fault, Knobs, Planned, Scenario, drawn_id

_DIALECT = "Deno (OTEL_DENO) → Node SDK → SQL over HTTP (Neon driver)"
_MIX = (("catalog", 44), ("orders", 22), ("place", 12), ("quote", 18), ("ping", 4))
Mix = tuple[tuple[str, int], ...]


class Asker:
    """Makes requests, each to one of the two places."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._made = 0

    def some(self, due_s: float, mix: Mix) -> Planned:
        """One request of a mix; its kind says at which place, where that matters."""
        dice = self._dice
        kinds, weights = zip(*mix, strict=True)
        kind: str = dice.choices(kinds, weights)[0]
        place = dice.choice("01")
        self._made += 1
        user = dice.randint(1, 300)
        paths = {
            "catalog": f"/catalog/{dice.randint(1, 500)}",
            "orders": f"/orders/{user}",
            "place": f"/orders/{user}",
            "quote": f"/quote/{dice.randint(1, 500)}",
            "ping": "/ping/here",
        }
        method = "POST" if kind == "place" else "GET"
        key, due_ns = f"{kind}{self._made:03}", int(due_s * 1e9)
        label = f"{kind}-{'near' if place == '0' else 'far'}"
        return Planned(key, due_ns, method, paths[kind], drawn_id(dice), "", (("x-place", place),), b"", label)


def _steady(rate: float, count: int, mix: Mix = _MIX) -> Callable[[random.Random, Knobs], list[Planned]]:
    def plan(dice: random.Random, _: Knobs) -> list[Planned]:
        asker, due, made = Asker(dice), 0.0, []
        for _number in range(count):
            due += dice.expovariate(rate)
            made.append(asker.some(due, mix))
        return made

    return plan


def _touring(dice: random.Random, _: Knobs) -> list[Planned]:
    asker = Asker(dice)
    return [asker.some(0.02 * number, _MIX) for number in range(40)]


def _scenario(name: str, title: str, **more: Any) -> Scenario:
    given: dict[str, Any] = {
        "plan": _steady(13.0, 130),
        "warm_up": _touring,
        "control": "e-healthy",
        "variant": "blind",
        "horizon": "shell",
    }
    return Scenario(name, "e", _DIALECT, title, **{**given, **more})


def _phases(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "variant": "phases", "control": "e-healthy-phases"}


_REPLICA, _PRIMARY, _PARTNER = "data:{replica}", "data:{primary}", "external:{partner}"
_TO_REPLICA = "edge:{edge}→data:{replica}"
_TO_PRIMARY = "origin:{region}→data:{primary}"
_TO_PARTNER = "origin:{region}→external:{partner}"
_NOT = ("retry_storm", "pool_exhausted", "broken_context")
_CONNECT: dict[str, Any] = {
    "draw": lambda dice: {"syn_ms": dice.randint(70, 140), "partner_closes": True},
    "plan": _steady(12.0, 125, (("catalog", 25), ("quote", 60), ("orders", 15))),
    "fault": Fault("connect", _TO_PARTNER, ("cold_connections",), _NOT),
    "needs": ("namespaces",),
}


def _share(dice: random.Random) -> float:
    return round(dice.uniform(0.35, 0.6), 2)


SCENARIOS = (
    _scenario("e-healthy", "none", control=None),
    _scenario("e-healthy-phases", "none", control=None, variant="phases"),
    _scenario(
        "e-far-replica",
        "one place far from the replica",
        draw=lambda dice: {"distance_ms": {"wireb": dice.randint(35, 70)}},
        fault=Fault("network", _TO_REPLICA, (), _NOT),
    ),
    _scenario(
        "e-far-from-data",
        "the region far from its primary, several round trips for one page",
        draw=lambda dice: {"distance_ms": {"wirep": dice.randint(14, 26)}},
        fault=Fault("network", _TO_PRIMARY, ("far_from_data",), _NOT, kinds=("orders-near", "orders-far")),
    ),
    _scenario(
        "e-http-database-slow",
        "statements slow in the replica",
        draw=lambda dice: {"replica_ms": dice.randint(60, 130), "replica_share": _share(dice)},
        fault=Fault("query", _REPLICA, (), _NOT),
    ),
    _scenario(
        "e-primary-slow",
        "statements slow in the primary",
        draw=lambda dice: {"primary_ms": dice.randint(30, 60), "primary_share": _share(dice)},
        fault=Fault("query", _PRIMARY, (), (*_NOT, "far_from_data")),
    ),
    _scenario(
        "e-third-party-slow",
        "the partner slow",
        draw=lambda dice: {"partner_ms": dice.randint(120, 260), "partner_share": _share(dice)},
        plan=_steady(13.0, 130, (("catalog", 34), ("orders", 16), ("quote", 46), ("ping", 4))),
        fault=Fault("external_call", _PARTNER, (), _NOT),
    ),
    _scenario(
        "e-partner-and-primary",
        "the partner slow, and statements slow in the primary",
        draw=lambda dice: {
            "partner_ms": dice.randint(120, 260),
            "partner_share": _share(dice),
            "primary_ms": dice.randint(30, 60),
            "primary_share": _share(dice),
        },
        plan=_steady(13.0, 130, (("catalog", 20), ("orders", 34), ("quote", 42), ("ping", 4))),
        fault=Fault("external_call", _PARTNER, (), _NOT),
        also=(Fault("query", _PRIMARY, (), (*_NOT, "far_from_data")),),
    ),
    _scenario(
        "e-queue-write",
        "the job behind the queue slow: nobody waits",
        draw=lambda dice: {"job_ms": dice.randint(150, 300)},
        plan=_steady(13.0, 130, (("catalog", 30), ("place", 40), ("orders", 20), ("ping", 10))),
        fault=Fault("job", "worker:{worker}", (), (*_NOT, "server_backlog"), moves=False),
    ),
    _scenario("e-connect-held", "connects to the partner held, keep-alive lost", **_phases(_CONNECT)),
    _scenario("e-connect-held-blind", "connects to the partner held, keep-alive lost", **_CONNECT),
)
