"""What is asked of the Worker, and what is wrong in each scenario."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import tap
from scenario import Fault, Knobs, Planned, Scenario, drawn_id

_DIALECT = "Cloudflare Workers + otel-cf-workers → Lambda (Node) + instrumentation-aws-lambda"
_COLOS = {"DE": "FRA", "US": "IAD", "JP": "NRT", "BR": "GRU"}
_COUNTRIES, _WEIGHTS = ("DE", "US", "JP", "BR"), (40, 30, 20, 10)
_MIX = (("p", 62), ("cart", 22), ("stranger", 5), ("sale", 5), ("where", 6))


class Asker:
    """Makes requests as Cloudflare hands them to a Worker: with a ray, a country and a colo."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._made = 0

    def ask(self, due_s: float, kind: str) -> Planned:
        """One request of a kind."""
        dice, country = self._dice, self._dice.choices(_COUNTRIES, _WEIGHTS)[0]
        self._made += 1
        paths = {
            "p": f"/p/{dice.randint(1, 400)}",
            "cart": "/cart",
            "stranger": "/cart",
            "sale": "/sale",
            "where": "/where",
        }
        user = f"{dice.randint(1, 300)}.{dice.getrandbits(64):016x}"
        cookie = "" if kind == "stranger" else user + dice.choice(("", "; ab=a", "; ab=b"))
        blob = json.dumps(
            {"country": country, "colo": _COLOS[country], "asn": 64496, "clientTcpRtt": dice.randint(8, 60)}
        )
        ray = f"{dice.getrandbits(64):016x}-{_COLOS[country]}"
        headers = (("cf-ray", ray), ("cf-blob", blob), ("cf-ipcountry", country))
        key = f"{kind}{self._made:03}"
        return Planned(key, int(due_s * 1e9), "GET", paths[kind], drawn_id(dice), cookie, headers, b"", kind)

    def some(self, due_s: float) -> Planned:
        """One request of the usual mix."""
        kinds, weights = zip(*_MIX, strict=True)
        return self.ask(due_s, self._dice.choices(kinds, weights)[0])


def _steady(rate: float, count: int) -> Callable[[random.Random, Knobs], list[Planned]]:
    def plan(dice: random.Random, _: Knobs) -> list[Planned]:
        asker, due, made = Asker(dice), 0.0, []
        for _number in range(count):
            due += dice.expovariate(rate)
            made.append(asker.some(due))
        return made

    return plan


def _returning(dice: random.Random, knobs: Knobs) -> list[Planned]:
    """Visitors come by twos, two more come when the sandboxes of those run, and before the next all have gone."""
    asker, made = Asker(dice), []
    started_s = knobs["init_ms"] / 1000 + 0.8
    for group in range(26):
        begin = group * (started_s + knobs["idle_ms"] / 1000 + 0.3)
        made += [asker.ask(begin + 0.02 * number, dice.choice(("p", "p", "cart"))) for number in range(2)]
        made += [asker.some(begin + started_s + 0.02 * number) for number in range(2)]
    return made


def _touring(dice: random.Random, _: Knobs) -> list[Planned]:
    asker = Asker(dice)
    return [asker.some(0.01 * number) for number in range(40)]


def _scenario(name: str, title: str, **more: Any) -> Scenario:
    given: dict[str, Any] = {
        "plan": _steady(13.0, 130),
        "warm_up": _touring,
        "variant": "blind",
        "control": "c-healthy",
    }
    return Scenario(name, "c", _DIALECT, title, **{**given, **more})


_KV = "data:cloudflare-kv/SETTINGS"
_TABLE = "data:{table_host}"
_SEAM = "edge:{worker}→origin:{function}"
_HEALTHY_NOT = ("retry_storm", "pool_exhausted", "n_plus_one")


def _slow_table(dice: random.Random) -> dict[str, Any]:
    return {"table_ms": dice.randint(55, 110), "table_slow": ["products"]}


SCENARIOS = (
    _scenario("c-healthy", "none", control=None),
    _scenario(
        "c-cold-start",
        "function sandboxes started for requests",
        plan=_returning,
        at_once=6,
        draw=lambda dice: {"init_ms": dice.randint(250, 400), "idle_ms": dice.randint(200, 300)},
        options={"warm": 0, "sandboxes": 4},
        fault=Fault("cold_start", "origin:{function}", ("cold_start",), _HEALTHY_NOT),
    ),
    _scenario(
        "c-kv-slow",
        "KV slow for the settings of two countries",
        draw=lambda dice: {
            "kv_ms": dice.randint(60, 140),
            "kv_slow": [f"market:{one}" for one in dice.sample(_COUNTRIES[:3], 2)],
        },
        fault=Fault("query", _KV, (), _HEALTHY_NOT),
    ),
    _scenario(
        "c-table-slow",
        "the function's table slow",
        draw=_slow_table,
        fault=Fault("query", _TABLE, (), _HEALTHY_NOT),
    ),
    _scenario(
        "c-origin-tls-held",
        "keep-alive lost, TLS held",
        draw=lambda dice: {"wire": {"hello_ms": dice.randint(70, 130)}, "close_after": dice.choice((1, 2))},
        fault=Fault("tls", _SEAM, ("cold_connections",), _HEALTHY_NOT, with_causes=("connect",)),
    ),
    _scenario(
        "c-worker-busy",
        "the Worker computes before it fetches",
        draw=lambda dice: {"burn_ms": dice.randint(80, 130), "burn_share": dice.randint(30, 45)},
        plan=_steady(3.5, 102),
        at_once=2,
        fault=Fault("compute", "edge:{worker}", (), _HEALTHY_NOT),
    ),
    _scenario(
        "c-function-busy",
        "the function computes",
        draw=lambda dice: {"busy_ms": dice.randint(50, 90)},
        at_once=2,
        fault=Fault("compute", "origin:{function}", (), _HEALTHY_NOT),
    ),
    _scenario(
        "c-clock-frozen",
        "the Worker's clock stands still between I/O, and the function's table is slow",
        draw=_slow_table,
        taps=lambda knobs: (tap.freeze_clock(knobs["names"]["worker"]),),
        fault=Fault("query", _TABLE, (), _HEALTHY_NOT),
    ),
    _scenario(
        "c-tls-and-table",
        "TLS held on every other request, the function's table slow for carts",
        draw=lambda dice: {
            "wire": {"hello_ms": dice.randint(80, 130)},
            "table_ms": dice.randint(80, 130),
            "table_slow": ["carts"],
        },
        options={"close_after": 2},
        fault=Fault("tls", _SEAM, ("cold_connections",), _HEALTHY_NOT, with_causes=("connect",)),
        also=(Fault("query", _TABLE, (), _HEALTHY_NOT),),
    ),
    _scenario(
        "c-context-lost",
        "no traceparent to the function, the request id shared; its table slow",
        draw=_slow_table,
        options={"forward": "request_id"},
        fault=Fault("query", _TABLE, (), _HEALTHY_NOT, kinds=("p", "cart"), always=("broken_context",)),
    ),
    _scenario(
        "c-context-lost-no-id",
        "neither traceparent nor request id to the function; its table slow",
        draw=_slow_table,
        options={"forward": "none"},
        fault=Fault(
            "unobserved",
            "origin:{function}",
            (),
            _HEALTHY_NOT,
            moves=False,
            kinds=("p", "cart"),
            always=("broken_context",),
        ),
    ),
)
