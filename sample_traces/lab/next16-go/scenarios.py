"""What is asked of the system in each scenario, and what is wrong with it there. Everything follows the seed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from stopwatch import Planned

SECRET = "lab-session-secret"
ACCOUNTS = 399
PRODUCTS = 600
UNPRICED = 404  # pricing has no price list for it: one thing always fails


@dataclass(frozen=True)
class Fault:
    """The cause that the system is built to show, and what a judge should make of it.

    Attributes:
        cause: what the second instrument calls it, and the contract too.
        owner: who must act.
        finding: the rule that names it.
    """

    cause: str
    owner: str
    finding: str


@dataclass(frozen=True)
class Scenario:
    """One recording.

    Attributes:
        warm_up: requests sent before the recording begins, so that it holds steady traffic only.
        cold: the services are started anew after the warm-up, which then warms nothing but the collector.
        at_once: the most requests under way.
        orders: flags of the orders service. pricing: flags of the pricing service.
        versions: `service.version` of (edge-web, orders, pricing).
    """

    name: str
    plan: Callable[[random.Random], list[Planned]]
    warm_up: Callable[[random.Random], list[Planned]]
    at_once: int
    cold: bool = False
    orders: tuple[str, ...] = ()
    pricing: tuple[str, ...] = ()
    tls: bool = False
    versions: tuple[str, str, str] = ("2.3.0", "1.4.0", "0.9.0")
    fault: Fault | None = None


def session(user: int) -> str:
    """A session cookie's value that the proxy accepts."""
    return f"{user}." + hmac.new(SECRET.encode(), str(user).encode(), hashlib.sha256).hexdigest()[:32]


def _soft_navigation() -> tuple[str, tuple[tuple[str, str], ...]]:
    """The query and headers with which Next's router goes from /login to /dash without loading a page.

    The server answers 307 unless `_rsc` is the digest of the headers it sees (next: cache-busting-search-param.js).
    """
    came_from = ["", {"children": ["login", {"children": ["__PAGE__", {}]}]}]
    tree = quote(json.dumps(came_from, separators=(",", ":")), safe="!~*'()")
    digest = hashlib.sha256(f"0,0,{tree},/login".encode()).digest()[:12]
    headers = (("rsc", "1"), ("next-router-state-tree", tree), ("next-url", "/login"))
    return "?_rsc=" + base64.urlsafe_b64encode(digest).decode().rstrip("="), headers


class Asker:
    """Makes requests, each with a key, an id and a user drawn from the seed."""

    def __init__(self, dice: random.Random, prefix: str) -> None:
        self._dice = dice
        self._prefix = prefix
        self._made = 0

    def ask(
        self, due_s: float, path: str, *, method: str = "GET", cookie: str | None = None, soft: bool = False
    ) -> Planned:
        """One request, with the session of some user unless a cookie is given; soft as Next's router navigates."""
        self._made += 1
        own = session(self._dice.randint(1, ACCOUNTS)) if cookie is None else cookie
        request_id = str(uuid.UUID(int=self._dice.getrandbits(128), version=4))
        body: bytes = b""
        headers: tuple[tuple[str, str], ...] = ()
        if soft:
            query, headers = _soft_navigation()
            path += query
        if method == "POST":
            body = json.dumps({"skus": self._dice.sample(range(1, PRODUCTS), 3)}).encode()
            headers = (("content-type", "application/json"),)
        key = f"{self._prefix}{self._made:03}"
        return Planned(key, int(due_s * 1e9), method, path, request_id, own, headers, body)

    def some(self, due_s: float, mix: Sequence[tuple[str, int]]) -> Planned:
        """One request of a weighted mix of kinds."""
        kinds, weights = zip(*mix, strict=True)
        kind = self._dice.choices(kinds, weights)[0]
        return self.kind(due_s, kind)

    def kind(self, due_s: float, kind: str) -> Planned:
        """One request of this kind."""
        dice = self._dice
        if kind == "place":
            return self.ask(due_s, "/api/orders", method="POST")
        if kind == "soft":
            return self.ask(due_s, "/dash", soft=True)
        if kind == "stranger":
            return self.ask(due_s, "/dash", cookie="")
        if kind == "forged":
            return self.ask(due_s, "/api/orders", cookie="7." + "0" * 32)
        paths = {
            "dash": "/dash",
            "orders": "/api/orders",
            "login": "/login",
            "product": f"/product/{dice.randint(1, PRODUCTS)}",
            "missing": f"/product/{PRODUCTS + dice.randint(1, 50)}",
            "quote": f"/api/quote?sku={dice.choice([n for n in range(1, PRODUCTS) if n != UNPRICED])}",
            "unpriced": f"/api/quote?sku={UNPRICED}",
            "report": f"/reports/2026-{dice.randint(1, 7):02}",
        }
        return self.ask(due_s, paths[kind])


_TOUR = (
    "login",
    "dash",
    "soft",
    "orders",
    "product",
    "quote",
    "report",
    "place",
    "stranger",
    "forged",
    "unpriced",
    "missing",
)
_MIX = (
    ("dash", 32),
    ("soft", 5),
    ("product", 19),
    ("orders", 14),
    ("quote", 10),
    ("place", 6),
    ("report", 5),
    ("login", 3),
    ("stranger", 2),
    ("forged", 2),
    ("missing", 1),
    ("unpriced", 1),
)


def _cold(dice: random.Random) -> list[Planned]:
    asker = Asker(dice, "c")
    first = [asker.kind(0.35 * n, kind) for n, kind in enumerate(_TOUR)]
    return first + [
        asker.kind(0.35 * (len(_TOUR) + n), kind) for n, kind in enumerate(("dash", "product", "orders", "quote"))
    ]


def _touring(dice: random.Random) -> list[Planned]:
    asker = Asker(dice, "x")
    rounds = [asker.kind(0.0, kind) for _ in range(4) for kind in _TOUR]
    return [asker.kind(0.0, kind) for kind in _TOUR] + rounds


def _steady(dice: random.Random) -> list[Planned]:
    asker, due, plan = Asker(dice, "w"), 0.0, []
    for _ in range(140):
        due += dice.expovariate(9.0)
        plan.append(asker.some(due, _MIX))
    return plan


def _crowd(dice: random.Random) -> list[Planned]:
    asker = Asker(dice, "p")
    return [asker.some(0.02 * n, (("report", 8), ("dash", 2))) for n in range(72)]


def _quotes(dice: random.Random) -> list[Planned]:
    asker = Asker(dice, "t")
    return [asker.some(0.12 * n, (("quote", 14), ("dash", 3), ("product", 3))) for n in range(60)]


SCENARIOS = (
    Scenario("next16-go-cold", _cold, _touring, at_once=1, cold=True),
    Scenario("next16-go-warm", _steady, _touring, at_once=8),
    Scenario(
        "next16-go-pool",
        _crowd,
        _touring,
        at_once=12,
        orders=("-pool=2", "-report-time=70ms"),
        versions=("2.3.0", "1.5.0", "0.9.0"),
        fault=Fault("pool_wait", "origin:orders", "pool_exhausted"),
    ),
    Scenario(
        "next16-go-connect-tls",
        _quotes,
        _touring,
        at_once=4,
        pricing=("-keep-alive=false", "-sign-delay=60ms"),
        tls=True,
        versions=("2.3.0", "1.4.0", "1.0.0"),
        fault=Fault("tls", "origin:orders→origin:pricing", "cold_connections"),
    ),
)
