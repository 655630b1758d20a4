"""What is asked of the gate, and what is wrong in each scenario."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from folders import without_folders
from scenario import Fault, Knobs, Planned, Scenario, drawn_id

_DIALECT = "Next.js 16 proxy (GrowthBook SDK) + @vercel/otel → Node SDK"
_MIX = (("item", 52), ("price", 20), ("account", 12), ("stranger", 6), ("asset", 10))
_WITH_ASSETS = (("item", 38), ("asset", 42), ("price", 12), ("account", 8))
Mix = tuple[tuple[str, int], ...]
_BUILT_IN = re.compile(r"(?:/[^\s()/:]+)+/d/web/")
"""The folder of the app."""


class Asker:
    """Makes requests of people and of their browsers."""

    def __init__(self, dice: random.Random, knobs: Knobs) -> None:
        self._dice = dice
        self._no_cdn = "asset_ms" in knobs
        self._made = 0

    def some(self, due_s: float, mix: Mix) -> Planned:
        """One request of a mix."""
        dice = self._dice
        kinds, weights = zip(*mix, strict=True)
        kind: str = dice.choices(kinds, weights)[0]
        self._made += 1
        paths = {
            "item": f"/item/{dice.randint(1, 400)}",
            "stranger": f"/item/{dice.randint(1, 400)}",
            "price": f"/api/price?id={dice.randint(1, 400)}",
            "account": "/api/account",
            "asset": f"/assets/{dice.choice(('logo', 'badge'))}.svg",
        }
        cookie = "" if kind == "stranger" else f"{dice.randint(1, 300)}.{dice.getrandbits(64):016x}"
        headers = (("x-no-cdn", "1"),) if kind == "asset" and self._no_cdn else ()
        due_ns = int(due_s * 1e9)
        return Planned(f"{kind}{self._made:03}", due_ns, "GET", paths[kind], drawn_id(dice), cookie, headers, b"", kind)


def _steady(rate: float, count: int, mix: Mix = _MIX) -> Callable[[random.Random, Knobs], list[Planned]]:
    def plan(dice: random.Random, knobs: Knobs) -> list[Planned]:
        asker, due, made = Asker(dice, knobs), 0.0, []
        for _number in range(count):
            due += dice.expovariate(rate)
            made.append(asker.some(due, mix))
        return made

    return plan


def _touring(dice: random.Random, knobs: Knobs) -> list[Planned]:
    asker = Asker(dice, knobs)
    return [asker.some(0.02 * number, _MIX) for number in range(40)]


def _scenario(name: str, title: str, **more: Any) -> Scenario:
    given: dict[str, Any] = {"plan": _steady(9.0, 110), "warm_up": _touring, "control": "d-healthy", "variant": "blind"}
    given["taps"] = lambda _: (partial(without_folders, folder=_BUILT_IN, instead="/app/"),)
    return Scenario(name, "d", _DIALECT, title, **{**given, **more})


_FLAGS = "external:{flags}"
_NOT = ("retry_storm", "pool_exhausted", "n_plus_one", "broken_context")


SCENARIOS = (
    _scenario("d-healthy", "none", control=None),
    _scenario(
        "d-flag-slow",
        "flag service slow for some",
        draw=lambda dice: {"flags_ms": dice.randint(150, 320), "flags_share": round(dice.uniform(0.35, 0.6), 2)},
        fault=Fault("external_call", _FLAGS, ("blocking_flag_service",), _NOT),
    ),
    _scenario(
        "d-flag-timeout-default",
        "flag service slower than the middleware waits: the default page",
        draw=lambda dice: {
            "flags_ms": 900,
            "flags_share": round(dice.uniform(0.35, 0.6), 2),
            "flags_timeout_ms": dice.randint(140, 300),
        },
        fault=Fault("external_call", _FLAGS, ("blocking_flag_service",), _NOT),
    ),
    _scenario(
        "d-flag-down",
        "flag service refuses connections: the default page at once",
        options={"flags_refuse": True},
        fault=Fault("external_call", _FLAGS, (), _NOT, moves=False),
    ),
    _scenario(
        "d-flag-errors",
        "flag service answers 503 to some: the default page",
        draw=lambda dice: {"flags_down": True, "flags_share": round(dice.uniform(0.4, 0.7), 2)},
        fault=Fault("external_call", _FLAGS, (), _NOT, moves=False),
    ),
    _scenario(
        "d-middleware-busy",
        "the middleware computes",
        draw=lambda dice: {"busy_ms": dice.randint(60, 110), "busy_share": dice.randint(30, 50)},
        plan=_steady(7.0, 102),
        at_once=2,
        fault=Fault("middleware", "edge:{web}", (), _NOT),
    ),
    _scenario(
        "d-busy-and-flag-slow",
        "the middleware computes and holds up whoever comes, and the flag service is slow for some",
        draw=lambda dice: {
            "busy_ms": dice.randint(90, 130),
            "busy_share": dice.randint(22, 30),
            "flags_ms": dice.randint(220, 320),
            "flags_share": round(dice.uniform(0.25, 0.35), 2),
        },
        plan=_steady(6.0, 104),
        at_once=3,
        fault=Fault("middleware", "edge:{web}", (), _NOT),
        also=(Fault("external_call", _FLAGS, ("blocking_flag_service",), _NOT),),
    ),
    _scenario(
        "d-middleware-on-static",
        "static assets go through the middleware, which works for each",
        draw=lambda dice: {"asset_ms": dice.randint(30, 50)},
        plan=_steady(9.0, 110, _WITH_ASSETS),
        at_once=3,
        fault=Fault("middleware", "edge:{web}", (), _NOT, kinds=("asset",), always=("middleware_on_static",)),
    ),
    _scenario(
        "d-public-cache-of-personal",
        "somebody's own data marked public for caches",
        options={"public_account": True},
        fault=Fault(
            "compute", "render:{web}", (), _NOT, moves=False, kinds=("account",), always=("public_cache_of_personal",)
        ),
    ),
)
