"""The scenarios of system A. What is wrong is said in `draw`; how a judge should see it, in `fault`."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import tap
from scenario import Fault, Found, Knobs, Pair, Planned, Scenario
from systems.a.asker import Mix, among, bursts, opening, steady, touring

_DIALECT: Final = "Next.js 16 + @vercel/otel → Go otelhttp + otelhttptrace, otelpgx"
_BLIND: Final = "Next.js 16 + @vercel/otel → Go otelhttp, otelpgx without pool spans"
_EVERYDAY: Final[Mix] = {
    "dash": 15, "soft": 5, "product": 15, "orders": 14, "quote": 14, "place": 6, "action": 3, "report": 7, "login": 2,
    "stranger": 2, "forged": 2, "missing": 1, "unpriced": 1, "bundle": 5, "trail": 5, "compare": 5, "offer": 5,
    "catalog": 5, "account": 6, "shipping": 5,
}  # fmt: skip
_ORDERS, _PRICING, _DATA = "origin:{orders}", "origin:{pricing}", "data:postgres/{db}"
_SEAM, _WEB_SEAM = "origin:{orders}→origin:{pricing}", "render:{web}→origin:{orders}"
_HEALTH: Final = ("retry_storm", "broken_context", "request_id_lost")

Plan = Callable[[random.Random, Knobs], list[Planned]]
Draw = Callable[[random.Random], dict[str, Any]]


def _tour(dice: random.Random, _: Knobs) -> list[Planned]:
    return touring(dice)


def _mostly(kind: str, *, part: int = 60, count: int = 110, per_s: float = 10.0) -> Plan:
    """Traffic of which this part of a hundred is of the kind that the fault hits."""
    rest = {"dash": 10, "orders": 10, "product": 8, "quote": 8, "report": 4, "catalog": 3, "account": 3}
    mix = {name: weight for name, weight in rest.items() if name != kind}
    scale = (100 - part) / sum(mix.values())
    whole = {kind: part * 10, **{name: max(1, round(weight * scale * 10)) for name, weight in mix.items()}}
    return lambda dice, _: steady(dice, whole, count, per_s)


def _either(held: str, mended: str, *, count: int = 150, per_s: float = 9.0) -> Plan:
    """Two pages in turn, and a few others among them."""
    return lambda dice, _: steady(dice, {held: 42, mended: 42, "dash": 6, "orders": 6, "quote": 4}, count, per_s)


def _crowds(kind: str, *, each: int, rounds: int = 6) -> Plan:
    """Crowds of one kind, and calm between."""
    calm = {"dash": 2, "orders": 2, kind: 1}
    return lambda dice, _: bursts(dice, {kind: 1}, rounds=rounds, each=each, calm=calm)


def _scenario(name: str, title: str, plan: Plan, draw: Draw, fault: Fault | None, **more: Any) -> Scenario:
    whole = {"dialect": _DIALECT, "warm_up": _tour, "control": "a-healthy", **more}
    return Scenario(name=f"a-{name}", system="a", title=title, plan=plan, draw=draw, fault=fault, **whole)


def _blind(seen: Scenario, **more: Any) -> Scenario:
    """The same fault where the instrumentation has no phase spans."""
    control = None if seen.control is None else "a-healthy-blind"
    return replace(seen, name=f"{seen.name}-blind", variant="blind", dialect=_BLIND, control=control, **more)


def _both(*arguments: Any, **more: Any) -> tuple[Scenario, Scenario]:
    seen = _scenario(*arguments, **more)
    return seen, _blind(seen)


def _pick(dice: random.Random, low: float, high: float) -> float:
    return round(dice.uniform(low, high), 1)


# Healthy

_HEALTHY = Scenario(
    name="a-healthy",
    system="a",
    dialect=_DIALECT,
    title="nothing: the control",
    plan=lambda dice, _: steady(dice, _EVERYDAY, 170, 11.0),
    warm_up=_tour,
    at_once=6,
)

# Setting up connections: orders → pricing. Pricing keeps no connection open, so that every call pays.

_CLOSES = ["-keep-alive=false"]
_COLD = ("cold_connections",)


def _dns(dice: random.Random) -> dict[str, Any]:
    late = {"late_ms": _pick(dice, 80, 150), "cache_ms": _pick(dice, 30, 60), "salt": dice.randint(0, 999)}
    return {"pricing": _CLOSES, "dns": late}


def _held(dice: random.Random) -> dict[str, Any]:
    return {"pricing": _CLOSES, "wire": {"syn_ms": _pick(dice, 60, 140), "share": 0.7, "salt": dice.randint(0, 999)}}


def _hello(dice: random.Random) -> dict[str, Any]:
    return {"pricing": _CLOSES, "tls": True, "before_pricing": {"hello_ms": _pick(dice, 60, 140)}}


def _keep_alive_lost(dice: random.Random) -> dict[str, Any]:
    signing = f"-sign-delay={_pick(dice, 60, 110)}ms"
    wire = {"syn_ms": _pick(dice, 12, 24)}
    return {"pricing": [*_CLOSES, signing], "tls": True, "wire": wire, "versions": ("2.3.0", "1.4.0", "1.0.0")}


_NAMED = ("namespaces",)
_SETUP = (
    *_both("dns-slow", "DNS answers late, cached for a moment", _mostly("quote"), _dns,
           Fault("dns", _SEAM, findings=_COLD, not_findings=_HEALTH), needs=_NAMED),
    *_both("connect-held", "SYNs are held on the wire", _mostly("quote"), _held,
           Fault("connect", _SEAM, findings=_COLD, not_findings=_HEALTH), needs=_NAMED),
    *_both("tls-held", "ServerHello is held", _mostly("quote"), _hello,
           Fault("tls", _SEAM, findings=_COLD, not_findings=_HEALTH)),
    *_both("keepalive-lost", "the callee closes each connection: connect and TLS every time", _mostly("quote"),
           _keep_alive_lost, Fault("tls", _SEAM, findings=_COLD, not_findings=_HEALTH, with_causes=("connect",)),
           needs=_NAMED),
)  # fmt: skip

# Waiting for a turn


def _client_pool(dice: random.Random) -> dict[str, Any]:
    connections, pause = dice.choice([1, 2]), _pick(dice, 44, 52)
    flags = [f"-pricing-connections={connections}"]
    return {"orders": flags, "pricing": [f"-pause={pause * connections:.1f}ms"]}


def _db_pool(dice: random.Random) -> dict[str, Any]:
    connections = dice.choice([1, 2])
    return {"orders": [f"-pool={connections}"], "slow": {"report": round(connections * _pick(dice, 38, 50), 1)}}


def _accept_queue(dice: random.Random) -> dict[str, Any]:
    slots = dice.choice([1, 2])
    return {"pricing": [*_CLOSES, f"-slots={slots}", f"-pause={slots * _pick(dice, 38, 50):.1f}ms"]}


def _starved(dice: random.Random) -> dict[str, Any]:
    return {"pricing": [f"-work={dice.randint(60, 90) * 1000}"], "burn": dice.choice([3, 4, 5])}


def _stopped(dice: random.Random) -> dict[str, Any]:
    rhythm = {"stop_ms": _pick(dice, 180, 260), "every_ms": _pick(dice, 420, 560), "salt": dice.randint(0, 999)}
    return {"pricing": ["-pause=8ms"], "freeze": rhythm}


def _db_pool_held(dice: random.Random) -> dict[str, Any]:
    connections = dice.choice([1, 2])
    return {"orders": [f"-pool={connections}"], "slow": {"report": round(connections * _pick(dice, 50, 60), 1)}}


_POOL = Fault("pool_wait", _ORDERS, findings=("pool_exhausted",), not_findings=_HEALTH)
_DB_POOL = _scenario("db-pool", "the pgx pool is exhausted by slow reports", _crowds("report", each=16), _db_pool,
                     _POOL, at_once=24)  # fmt: skip
_WAITING = (
    *_both("client-pool", "MaxConnsPerHost of the Go client is too small", _crowds("quote", each=28, rounds=4),
           _client_pool, _POOL, at_once=30),
    _DB_POOL,
    _blind(_DB_POOL, plan=_crowds("report", each=21, rounds=5), draw=_db_pool_held),
    *_both("accept-queue", "the callee has few workers: connections wait in its backlog", _crowds("quote", each=16),
           _accept_queue,
           Fault("server_queue", _PRICING, findings=("server_backlog",), not_findings=_HEALTH), at_once=24),
    *_both("starved", "the callee shares its CPU with busy loops", _mostly("quote", per_s=7.0), _starved,
           Fault("compute", _PRICING, not_findings=_HEALTH, with_causes=("server_queue",))),
    *_both("stopped", "the callee is stopped now and then (SIGSTOP)", _mostly("quote", part=80), _stopped,
           Fault("server_queue", _PRICING, not_findings=_HEALTH, with_causes=("compute",))),
)  # fmt: skip

# What the code asks for


def _slow(route: str, low: float, high: float) -> Draw:
    return lambda dice: {"slow": {route: _pick(dice, low, high)}}


_NOT_SERIAL = (*_HEALTH, "serial_fanout")
_QUERY = Fault("query", _DATA, not_findings=_HEALTH)
_REPORT = replace(_QUERY, kinds=("report",))
_CODE = (
    _scenario("serial-fanout", "three independent calls one after the other", _mostly("bundle"), _slow("stock", 35, 60),
              replace(_QUERY, findings=("serial_fanout",), kinds=("bundle",))),
    _scenario("true-dependency", "three calls that each need the last answer", _mostly("trail"), _slow("stock", 35, 60),
              replace(_QUERY, not_findings=_NOT_SERIAL, kinds=("trail",))),
    _scenario("siblings", "three calls at once, all awaited", _mostly("compare"), _slow("stock", 80, 130),
              replace(_QUERY, not_findings=_NOT_SERIAL, kinds=("compare",))),
    _scenario("nonessential", "a banner that nobody needs holds the shell", _mostly("offer"), _slow("banner", 80, 140),
              replace(_QUERY, findings=("nonessential_block",), kinds=("offer",)),
              pairs=(Pair("nonessential_block", "offer", "offer", control=True),)),
    *_both("serial-and-together", "the same calls one after the other on one page, at once on another",
           _either("bundle", "compare"), _slow("stock", 35, 60),
           replace(_QUERY, findings=("serial_fanout",), kinds=("bundle",)),
           pairs=(Pair("serial_fanout", "bundle", "compare"),)),
    _scenario("banner-and-none", "a banner that nobody needs holds one page, and another is the same without it",
              _either("offer", "deal"), _slow("banner", 80, 140),
              replace(_QUERY, findings=("nonessential_block",), kinds=("offer",)),
              warm_up=lambda dice, _: touring(dice, also=("deal",)),
              pairs=(Pair("nonessential_block", "offer", "deal"),)),
    _scenario("uncached", "a public list fetched anew for each visitor", _mostly("catalog"), _slow("catalog", 80, 140),
              replace(_QUERY, findings=("uncached_fetch",), kinds=("catalog",))),
    _scenario("duplicate", "proxy and page make the same call", _mostly("account"), _slow("me", 45, 80),
              replace(_QUERY, findings=("duplicate_call",), kinds=("account",))),
    *_both("n-plus-one", "a statement per neighbour", _mostly("product"), _slow("stars", 6, 11),
           replace(_QUERY, findings=("n_plus_one",), kinds=("product",))),
    *_both("slow-query", "one slow statement", _mostly("report"), _slow("report", 90, 160), _REPORT),
    *_both("third-party", "a carrier outside answers late", _mostly("shipping"),
           lambda dice: {"carrier": [f"-takes={_pick(dice, 90, 160)}ms"]},
           Fault("external_call", "external:rates.parcelco.example", not_findings=_HEALTH), needs=_NAMED),
)  # fmt: skip

# A process that has just started


def _just_started(dice: random.Random, _: Knobs) -> list[Planned]:
    rest = {"quote": 4, "orders": 4, "dash": 3, "product": 3, "catalog": 1}
    return opening(dice, "quote", crowd=28, mix=rest, count=80, per_s=12.0)


_COLD_START = _scenario(
    "cold-start", "new processes: the price lists are loaded when they are first asked for", _just_started,
    lambda dice: {"pricing": [f"-cold={_pick(dice, 1800, 2600)}ms"]},
    Fault("cold_start", _PRICING, findings=("cold_start",), not_findings=_HEALTH), at_once=32, cold=True,
)  # fmt: skip
_STARTS = (
    _COLD_START,
    _blind(_COLD_START, fault=Fault("cold_start", _PRICING, not_findings=_HEALTH),
           draw=lambda dice: {"pricing": [f"-cold={_pick(dice, 1800, 2600)}ms", "-show-cold=false"]}),
)  # fmt: skip

# The path between


def _on_pricing(**options: tuple[float, float] | Any) -> Draw:
    def draw(dice: random.Random) -> dict[str, Any]:
        drawn = {name: _pick(dice, *value) if isinstance(value, tuple) else value for name, value in options.items()}
        return {"before_pricing": {**drawn, "salt": dice.randint(0, 999)}}

    return draw


def _retry(dice: random.Random) -> dict[str, Any]:
    held = {"request_ms": 600, "once": True, "share": 0.7, "request_cause": "injected", "salt": dice.randint(0, 999)}
    return {"orders": [f"-pricing-timeout={_pick(dice, 80, 130)}ms"], "before_pricing": held}


def _on_orders(**options: Any) -> Draw:
    inner = _on_pricing(**options)
    return lambda dice: {"before_orders": inner(dice)["before_pricing"]}


_NETWORK = Fault("network", _SEAM, not_findings=_HEALTH)
_PATH = (
    *_both("request-leg", "requests are held on their way", _mostly("quote"),
           _on_pricing(request_ms=(60, 120), share=0.8), _NETWORK),
    *_both("response-leg", "answers are held on their way", _mostly("quote"),
           _on_pricing(response_ms=(60, 120), share=0.8), _NETWORK),
    *_both("retry", "a first attempt times out, the second passes", _mostly("quote"), _retry,
           Fault("retry", _ORDERS, not_findings=_HEALTH)),
    *_both("body-drips", "the answer's body drips on its way", _mostly("quote"),
           _on_pricing(drip_ms=(60, 120), share=0.8), Fault("transfer", _SEAM, not_findings=_HEALTH)),
    _scenario("page-body-drips", "the body drips between page and origin", _mostly("orders"),
              _on_orders(drip_ms=(70, 130), share=0.8), Fault("transfer", _WEB_SEAM, not_findings=_HEALTH),
              variant="blind"),
    _scenario("page-legs", "both legs between page and origin are held", _mostly("orders"),
              _on_orders(request_ms=(30, 60), response_ms=(30, 60), share=0.8),
              Fault("network", _WEB_SEAM, not_findings=_HEALTH), variant="blind"),
)  # fmt: skip

# What is wrong with the spans, not with the requests

_SLOW_REPORT = _slow("report", 90, 150)
_CLOCKS = ("clock_conflict",)


def _lost(share: float) -> Callable[[Found], bool]:
    return lambda found: tap.keeps(bytes.fromhex(found.trace_ids[0]), share, 5)


def _drop_servers(knobs: Knobs) -> Sequence[tap.Tap]:
    return [tap.drop_spans(knobs["names"]["pricing"], chosen=lambda span: tap.keeps(span.trace_id, 0.7, 5))]


_MIDDLE = ("render route", "executing api route", "resolve page components", "build component tree")


def _drop_middle(knobs: Knobs) -> Sequence[tap.Tap]:
    def chosen(span: Any) -> bool:
        return span.name.startswith(_MIDDLE) and tap.keeps(span.trace_id, 0.6, 6)

    return [tap.drop_spans(knobs["names"]["web"], chosen=chosen)]


def _sampled(knobs: Knobs) -> Sequence[tap.Tap]:
    names: Mapping[str, str] = knobs["names"]
    return [tap.sample(names["web"], share=0.85, salt=1), tap.sample(names["orders"], share=0.5, salt=2),
            tap.sample(names["pricing"], share=0.5, salt=3)]  # fmt: skip


def _unsampled_orders(found: Found) -> bool:
    return not tap.keeps(bytes.fromhex(found.trace_ids[0]), 0.5, 2)


_ALL_OF_ORDERS = ((_ORDERS, "*"), (_PRICING, "*"), (_DATA, "*"), (_SEAM, "*"))
_SPANS = (
    _scenario("clock-ahead", "the origin's clock is 3 s ahead, and a statement is slow", _mostly("report"),
              _SLOW_REPORT, _REPORT, taps=lambda knobs: [tap.shift_clock(knobs["names"]["orders"], by_ms=3000)]),
    _scenario("clock-behind", "pricing's clock is 200 ms behind, and requests to it are held", _mostly("quote"),
              _on_pricing(request_ms=(60, 120), share=0.8), _NETWORK,
              taps=lambda knobs: [tap.shift_clock(knobs["names"]["pricing"], by_ms=-200)]),
    _scenario("clock-drifts", "the origin's clock gains 2 ms a second, and a statement is slow", _mostly("report"),
              _SLOW_REPORT, _REPORT,
              taps=lambda knobs: [tap.drift_clock(knobs["names"]["orders"], ppm=2000, from_ms=-9)]),
    _scenario("server-lost", "most spans of pricing never arrive, and it is slow", _mostly("quote"),
              lambda dice: {"pricing": [f"-pause={_pick(dice, 70, 130)}ms"]},
              Fault("unobserved", _PRICING, not_findings=_HEALTH, recast=((_PRICING, "*"),), recast_when=_lost(0.7)),
              taps=_drop_servers),
    _scenario("parent-lost", "spans between the page and its calls never arrive", _mostly("report"), _SLOW_REPORT,
              _REPORT, taps=_drop_middle),
    _scenario("context-lost", "no trace context crosses the seam; the request id does", _mostly("report"), _SLOW_REPORT,
              Fault("query", _DATA, always=("broken_context",), not_findings=("retry_storm",)),
              options={"web": {"PROPAGATE": "off"}}),
    _scenario("context-lost-no-id", "neither trace context nor request id crosses the seam", _mostly("report"),
              _SLOW_REPORT,
              Fault("unobserved", _ORDERS, always=("broken_context",), not_findings=("retry_storm",),
                    recast=_ALL_OF_ORDERS),
              options={"web": {"PROPAGATE": "off", "SHARE_REQUEST_ID": "off"}}),
    _scenario("sampling", "tiers keep different traces", _mostly("report", count=150, per_s=14.0), _SLOW_REPORT,
              Fault("unobserved", _ORDERS, recast=_ALL_OF_ORDERS, recast_when=_unsampled_orders), taps=_sampled),
    _scenario("late-spans", "the origin's spans arrive after all others", _mostly("report"), _SLOW_REPORT, _REPORT,
              taps=lambda knobs: [tap.late(knobs["names"]["orders"])]),
    _scenario("async-job", "a job behind an outbox is slow: nobody waits for it", _mostly("place"),
              lambda dice: {"worker": [f"-takes={_pick(dice, 250, 400)}ms"]}, None),
)  # fmt: skip

# Two at once


def _reports_and_quotes(dice: random.Random, _: Knobs) -> list[Planned]:
    crowds = bursts(dice, {"report": 1}, rounds=3, each=22, calm={"orders": 1}, every_s=3.0)
    return among(dice, crowds, {"quote": 9, "orders": 1}, 5.0, 46)


def _halves(dice: random.Random, _: Knobs) -> list[Planned]:
    return steady(dice, {"report": 40, "quote": 42, "dash": 6, "orders": 7, "product": 5}, 104, 9.0)


def _slow_and_held(dice: random.Random) -> dict[str, Any]:
    return {**_slow("report", 100, 160)(dice), **_on_pricing(response_ms=(80, 130))(dice)}


def _pool_and_dns(dice: random.Random) -> dict[str, Any]:
    drawn = {**_db_pool_held(dice), **_dns(dice)}
    return {**drawn, "dns": {**drawn["dns"], "late_ms": _pick(dice, 130, 190)}}


_TWO = (
    *_both("pool-and-dns", "the pgx pool is exhausted by slow reports, and DNS answers late", _reports_and_quotes,
           _pool_and_dns, _POOL, also=(Fault("dns", _SEAM, findings=_COLD, not_findings=_HEALTH),), at_once=24,
           needs=_NAMED),
    *_both("query-and-response-leg", "one slow statement, and answers are held on their way elsewhere", _halves,
           _slow_and_held, _REPORT, also=(_NETWORK,)),
    *_both("drift-and-tls", "pricing's clock gains 3 ms a second, and ServerHello is held", _mostly("quote", count=102),
           _hello, Fault("tls", _SEAM, findings=_COLD, not_findings=_HEALTH),
           taps=lambda knobs: [tap.drift_clock(knobs["names"]["pricing"], ppm=3000, from_ms=-12)]),
)  # fmt: skip

SCENARIOS: Final = (
    _HEALTHY, replace(_blind(_HEALTHY), control=None), *_SETUP, *_WAITING, *_CODE, *_STARTS, *_PATH, *_SPANS, *_TWO,
)  # fmt: skip
