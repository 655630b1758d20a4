"""Requests to the shop, drawn from the dice: who asks, for what, and when."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from scenario import Planned, drawn_id

SECRET: Final = "lab-session-secret"
ACCOUNTS: Final = 399
PRODUCTS: Final = 600
UNPRICED: Final = 404  # pricing has no price list for it: one thing always fails
Mix = Mapping[str, int]


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
    """Makes requests, each with a key, an id and a user drawn from the dice."""

    def __init__(self, dice: random.Random, prefix: str) -> None:
        self._dice = dice
        self._prefix = prefix
        self._made = 0

    def _ask(
        self,
        kind: str,
        due_s: float,
        path: str,
        *,
        method: str = "GET",
        cookie: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
    ) -> Planned:
        self._made += 1
        own = session(self._dice.randint(1, ACCOUNTS)) if cookie is None else cookie
        key = f"{self._prefix}{self._made:03}"
        return Planned(key, int(due_s * 1e9), method, path, drawn_id(self._dice), own, headers, body, kind)

    def kind(self, kind: str, due_s: float) -> Planned:
        """One request of a kind."""
        dice = self._dice
        if kind == "place":
            order = json.dumps({"skus": dice.sample(range(1, PRODUCTS), 3)}).encode()
            json_type = (("content-type", "application/json"),)
            return self._ask(kind, due_s, "/api/orders", method="POST", headers=json_type, body=order)
        if kind == "action":
            return self._action(due_s)
        if kind == "soft":
            query, headers = _soft_navigation()
            return self._ask(kind, due_s, "/dash" + query, headers=headers)
        if kind == "stranger":
            return self._ask(kind, due_s, "/dash", cookie="")
        if kind == "forged":
            return self._ask(kind, due_s, "/api/orders", cookie="7." + "0" * 32)
        product = dice.randint(1, PRODUCTS)
        paths = {
            "dash": "/dash",
            "orders": "/api/orders",
            "login": "/login",
            "product": f"/product/{product}",
            "missing": f"/product/{PRODUCTS + 1 + product % 50}",
            "quote": f"/api/quote?sku={product if product != UNPRICED else 1}",
            "unpriced": f"/api/quote?sku={UNPRICED}",
            "report": f"/reports/2026-{dice.randint(1, 7):02}",
            "bundle": f"/bundle/{product}",
            "trail": f"/trail/{product}",
            "compare": f"/compare/{product}",
            "offer": f"/offer/{product}",
            "deal": f"/deal/{product}",
            "catalog": "/catalog",
            "account": "/account",
            "shipping": f"/shipping/{product}",
        }
        return self._ask(kind, due_s, paths[kind])

    def _action(self, due_s: float) -> Planned:
        """A form sent to a server action without JavaScript. The build knows the action's id."""
        mark = f"lab{self._dice.getrandbits(64):016x}"
        fields = {"$ACTION_ID_{action}": "", "sku": str(self._dice.randint(1, PRODUCTS))}
        parts = [f'--{mark}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()]
        body = "".join([*parts, f"--{mark}--\r\n"]).encode()
        headers = (("content-type", f"multipart/form-data; boundary={mark}"),)
        return self._ask("action", due_s, "/cart", method="POST", headers=headers, body=body)


def _some(dice: random.Random, mix: Mix) -> str:
    return dice.choices(list(mix), list(mix.values()))[0]


def steady(dice: random.Random, mix: Mix, count: int, per_s: float) -> list[Planned]:
    """So many requests of a mix at a steady rate, as strangers to each other arrive."""
    asker, due, plan = Asker(dice, "s"), 0.0, []
    for _ in range(count):
        due += dice.expovariate(per_s)
        plan.append(asker.kind(_some(dice, mix), due))
    return plan


def bursts(
    dice: random.Random, mix: Mix, *, rounds: int, each: int, calm: Mix, every_s: float = 1.6, within_s: float = 0.12
) -> list[Planned]:
    """Crowds that arrive nearly at once, with calm requests between them."""
    asker = Asker(dice, "b")
    dues: list[tuple[float, Mix]] = []
    for number in range(rounds):
        begin = number * every_s
        dues += [(begin + dice.uniform(0, within_s), mix) for _ in range(each)]
        dues += [(begin + every_s * share, calm) for share in (0.75, 0.9)]
    return [asker.kind(_some(dice, kinds), due) for due, kinds in sorted(dues, key=lambda one: one[0])]


def opening(dice: random.Random, kind: str, *, crowd: int, mix: Mix, count: int, per_s: float) -> list[Planned]:
    """A crowd of one kind that stood at the door when it opened, and steady requests three seconds later."""
    first = bursts(dice, {kind: 1}, rounds=1, each=crowd, calm={kind: 1}, within_s=0.9)
    return [*first, *(replace(one, due_ns=one.due_ns + 3_000_000_000) for one in steady(dice, mix, count, per_s))]


def among(dice: random.Random, crowds: Sequence[Planned], mix: Mix, per_s: float, count: int) -> list[Planned]:
    """Crowds, and between them steady requests of a mix."""
    return sorted([*crowds, *steady(dice, mix, count, per_s)], key=lambda one: one.due_ns)


TOUR: Final[Sequence[str]] = (
    "login", "dash", "soft", "orders", "product", "quote", "report", "place", "action", "stranger", "forged",
    "unpriced", "missing", "bundle", "trail", "compare", "offer", "catalog", "account", "shipping",
)  # fmt: skip


def touring(dice: random.Random, rounds: int = 3, also: Sequence[str] = ()) -> list[Planned]:
    """Each kind several times, as fast as answers come."""
    asker = Asker(dice, "x")
    return [asker.kind(kind, 0.0) for _ in range(rounds) for kind in (*TOUR, *also)]
