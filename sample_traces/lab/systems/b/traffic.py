"""What is asked of system B: kinds of requests, mixed and spread over time as the seed says."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from collections.abc import Sequence

from scenario import Knobs, Planned, drawn_id

SECRET = "lab-session-secret"
ACCOUNTS, PRODUCTS = 399, 600
Mix = Sequence[tuple[str, int]]
STEADY: Mix = (
    ("dash", 26),
    ("product", 18),
    ("orders", 14),
    ("quote", 12),
    ("report", 8),
    ("overview", 6),
    ("feed", 6),
    ("place", 5),
    ("digest", 4),
    ("stock", 4),
    ("stranger", 2),
)


def session(user: int) -> str:
    """A session cookie's value that the middleware accepts."""
    return f"{user}." + hmac.new(SECRET.encode(), str(user).encode(), hashlib.sha256).hexdigest()[:32]


def _ask(dice: random.Random, key: str, due_s: float, kind: str) -> Planned:
    """One request of a kind, by some user."""
    sku, user = dice.randint(1, PRODUCTS), session(dice.randint(1, ACCOUNTS))
    paths = {
        "dash": "/dash",
        "product": f"/product/{sku}",
        "orders": "/api/orders",
        "quote": f"/api/quote?sku={sku}",
        "report": f"/reports/2026-{dice.randint(1, 5):02}",
        "overview": "/overview",
        "together": "/overview/together",
        "feed": "/feed",
        "plain": "/feed/plain",
        "place": "/api/orders",
        "digest": "/api/digest",
        "stock": f"/api/stock?sku={sku}",
        "catalog": f"/api/catalog?shelf={sku % 30}",
        "stranger": "/dash",
    }
    place = kind == "place"
    return Planned(
        key,
        int(due_s * 1e9),
        "POST" if place else "GET",
        paths[kind],
        drawn_id(dice),
        "" if kind == "stranger" else user,
        (("content-type", "application/json"),) if place else (),
        json.dumps({"skus": dice.sample(range(1, PRODUCTS), 3)}).encode() if place else b"",
        kind,
    )


class Traffic:
    """A plan: so many requests of a mix, so many a second, at random moments."""

    def __init__(self, mix: Mix, count: int = 120, per_s: float = 11.0) -> None:
        self.mix, self.count, self.per_s = mix, count, per_s

    def __call__(self, dice: random.Random, knobs: Knobs) -> list[Planned]:
        """The requests in order."""
        kinds, weights = zip(*self.mix, strict=True)
        due, plan = 0.0, []
        for number in range(self.count):
            due += dice.expovariate(self.per_s)
            plan.append(_ask(dice, f"r{number:03}", due, dice.choices(kinds, weights)[0]))
        return plan


class Warming:
    """Each kind of the mix, three times, with nobody waiting between."""

    def __init__(self, mix: Mix) -> None:
        self.mix = mix

    def __call__(self, dice: random.Random, knobs: Knobs) -> list[Planned]:
        """The requests in order."""
        kinds = [kind for kind, _ in self.mix] * 3
        return [_ask(dice, f"w{number}", 0.02 * number, kind) for number, kind in enumerate(kinds)]
