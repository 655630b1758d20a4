"""The scenarios of system B: what is asked, what the seed draws, and what a judge should find."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from scenario import Fault, Found, Knobs, Planned, Scenario, drawn_id
from systems.b.folders import without_folders

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
        "feed": "/feed",
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


_ORIGIN, _WEB = "origin:{origin}", "render:{web}"
_SEAM = "render:{web}→origin:{origin}"
_DATA = "data:postgres/{database}"
_DATA_SEAM = f"{_ORIGIN}→{_DATA}"
_SPACES = ("namespaces",)
_CALLING = ("dash", "product", "orders", "quote", "report", "overview", "feed", "place", "digest", "stock")
_QUIET = ("retry_storm", "broken_context", "request_id_lost")
_DIALECTS = {
    "next14": "Next.js 14 + @vercel/otel → Django, psycopg, SQLAlchemy",
    "next15": "Next.js 15 + @vercel/otel → Django, psycopg, SQLAlchemy",
    "nodesdk": "Next.js 15 + Node SDK (http, undici, net, dns) → Django, psycopg, SQLAlchemy",
}


def _scenario(
    name: str,
    dialect: str,
    title: str,
    mix: Mix = STEADY,
    *,
    fault: Fault | None = None,
    traffic: Any = None,
    **more: Any,
) -> Scenario:
    """A scenario of this system; `blind` in its name makes it one."""
    options = {"dialect": dialect, **more.pop("options", {})}
    return Scenario(
        f"b-{name}",
        "b",
        _DIALECTS[dialect],
        title,
        traffic or Traffic(mix),
        Warming(mix),
        fault=fault,
        control=f"b-healthy-{dialect}" if fault else None,
        variant="blind" if name.endswith("-blind") else "phases",
        options=options,
        **more,
    )


def _also(drawn: dict[str, Any], program: str, **more: str) -> dict[str, Any]:
    """What was drawn, with more in a program's environment."""
    return {**drawn, program: {**drawn[program], **more}}


def _ms(dice: random.Random, low: int, high: int) -> int:
    return dice.randint(low, high)


# What the seed draws, fault by fault. FAULT_SHARE is the share of requests, by their id, that
# the origin's own faults touch.


def _dns(dice: random.Random) -> dict[str, Any]:
    return {"dns": {"late_ms": _ms(dice, 110, 170), "cache_ms": 90}, "web": {"KEEP_ALIVE_MS": "60"}}


def _connect(dice: random.Random) -> dict[str, Any]:
    wire = {"syn_ms": _ms(dice, 120, 180), "share": 0.6}
    return {"links": {"web>origin": wire}, "web": {"KEEP_ALIVE_MS": "60"}}


def _no_keep_alive(dice: random.Random) -> dict[str, Any]:
    return {"links": {"web>origin": {"syn_ms": _ms(dice, 70, 110)}}, "gunicorn": _gunicorn(keep_alive=0)}


def _gunicorn(keep_alive: int = 75, threads: int = 12) -> list[str]:
    return ["-k", "gthread", "--threads", str(threads), "--keep-alive", str(keep_alive)]


def _undici_pool(dice: random.Random) -> dict[str, Any]:
    size = dice.choice([1, 2])
    slow = {"REPORT_MS": str(size * _ms(dice, 380, 450)), "FAULT_SHARE": "1"}
    return {"web": {"CONNECTIONS": str(size)}, "origin": slow}


def _max_sockets(dice: random.Random) -> dict[str, Any]:
    size = dice.choice([1, 2])
    slow = {"STOCK_MS": str(size * _ms(dice, 600, 700)), "FAULT_SHARE": "0.16"}
    return {"web": {"MAX_SOCKETS": str(size)}, "origin": slow}


def _sqlalchemy_pool(dice: random.Random) -> dict[str, Any]:
    size = dice.choice([1, 2])
    return {
        "origin": {"SQLALCHEMY_POOL": str(size), "REPORT_MS": str(size * _ms(dice, 600, 700)), "FAULT_SHARE": "0.16"}
    }


def _django_pool(dice: random.Random) -> dict[str, Any]:
    size = dice.choice([1, 2])
    return {"origin": {"DJANGO_POOL": str(size), "STOCK_MS": str(size * _ms(dice, 350, 420)), "FAULT_SHARE": "0.6"}}


def _reconnects(dice: random.Random) -> dict[str, Any]:
    wire = {"syn_ms": _ms(dice, 90, 140), "share": 0.6}
    return {"links": {"origin>db": wire}, "origin": {"CONN_MAX_AGE": "0"}}


def _null_pool(dice: random.Random) -> dict[str, Any]:
    wire = {"syn_ms": _ms(dice, 110, 160), "share": 0.6}
    return {"links": {"origin>db": wire}, "origin": {"SQLALCHEMY_POOL": "0"}}


def _one_worker(dice: random.Random) -> dict[str, Any]:
    slow = {"REPORT_MS": str(_ms(dice, 300, 360)), "FAULT_SHARE": "1"}
    return {"gunicorn": ["-k", "sync", "--workers", "1"], "origin": slow, "web": {"QUEUE_HEADER": "no"}}


def _one_worker_shown(dice: random.Random) -> dict[str, Any]:
    return {**_one_worker(dice), "web": {"QUEUE_HEADER": "yes"}}


def _blocked_loop(dice: random.Random) -> dict[str, Any]:
    return {
        "catalog_runs": True,
        "catalog": {"BUSY_MS": str(_ms(dice, 200, 260)), "BUSY_EVERY": str(dice.choice([6, 7]))},
    }


def _blocked_edge(dice: random.Random) -> dict[str, Any]:
    return {"web": {"DIGEST_MS": str(_ms(dice, 170, 230))}}


def _stopped(dice: random.Random) -> dict[str, Any]:
    return {"freeze": {"stop-ms": _ms(dice, 300, 380), "every-ms": 900}}


def _starved(dice: random.Random) -> dict[str, Any]:
    return {"burn": {"cpu": 0, "workers": dice.choice([8, 10])}, "origin": {"SIGN_ROUNDS": "30000"}}


def _serial(dice: random.Random) -> dict[str, Any]:
    panels = {"PANELS": str(dice.choice([4, 5, 6])), "FANOUT": "serial"}
    return {"web": panels, "origin": {"PANEL_MS": str(_ms(dice, 50, 70))}}


def _chained(dice: random.Random) -> dict[str, Any]:
    return {**(drawn := _serial(dice)), "web": {**drawn["web"], "FANOUT": "chain"}}


def _each(dice: random.Random) -> dict[str, Any]:
    more = {"RELATED_EACH": str(_ms(dice, 13, 18)), "RELATED_MS": str(_ms(dice, 8, 11)), "FAULT_SHARE": "0.7"}
    return {"origin": more}


def _slow_query(dice: random.Random) -> dict[str, Any]:
    return {"origin": {"REPORT_MS": str(_ms(dice, 220, 320)), "FAULT_SHARE": "0.6"}}


def _slow_redis(dice: random.Random) -> dict[str, Any]:
    return {"links": {"origin>cache": {"response_ms": _ms(dice, 90, 140)}}}


def _hanging(dice: random.Random) -> dict[str, Any]:
    patience = _ms(dice, 220, 300)
    return {"web": {"QUOTE_TIMEOUT_MS": str(patience)}, "origin": {"HANG_MS": str(3 * patience), "FAULT_SHARE": "0.4"}}


def _banner(dice: random.Random) -> dict[str, Any]:
    return {"web": {"BANNER": "await"}, "origin": {"BANNER_MS": str(_ms(dice, 180, 260))}}


def _slow_jobs(dice: random.Random) -> dict[str, Any]:
    return {"jobs": {"JOB_MS": str(_ms(dice, 350, 600))}}


def _unlinked(_: random.Random) -> dict[str, Any]:
    return {"web": {"PROPAGATE": "no"}}


def _unlinked_unnamed(_: random.Random) -> dict[str, Any]:
    hidden = {"OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST": ""}
    return {"web": {"PROPAGATE": "no"}, "origin": hidden}


_KEPT = 0.5


def _sampled(_: random.Random) -> dict[str, Any]:
    return {"origin": {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": str(_KEPT)}}


def _lost_by_sampling(found: Found) -> bool:
    """Whether the origin's sampler drops this trace: the SDK compares the last eight bytes of its id."""
    return int(found.trace_ids[0][16:], 16) >= round(_KEPT * 2**64)


_CALLS: Mix = (("orders", 8), ("quote", 8), ("product", 4), ("dash", 2))
_REPORTS: Mix = (("report", 16), ("orders", 3), ("quote", 3))
_BEHIND_REPORTS: Mix = (("report", 3), ("orders", 6), ("quote", 6), ("product", 2))
_STOCKS: Mix = (("stock", 14), ("orders", 3), ("quote", 3))
_AMONG_STOCKS: Mix = (("stock", 5), ("orders", 7), ("product", 5), ("digest", 2))
_COLD = Fault("connect", _SEAM, ("cold_connections",), _QUIET, with_causes=("tls", "dns"))
_DNS = Fault("dns", _SEAM, (), (*_QUIET, "pool_exhausted"))
_CLIENT_POOL = Fault("pool_wait", _WEB, ("pool_exhausted",), (*_QUIET, "server_backlog"))
_DATABASE_POOL = Fault("pool_wait", _ORIGIN, ("pool_exhausted",), _QUIET)
_BACKLOG = Fault("server_queue", _ORIGIN, ("server_backlog",), _QUIET)
_SLOW_DATA = Fault("query", _DATA, (), (*_QUIET, "pool_exhausted"))

SCENARIOS: tuple[Scenario, ...] = (
    _scenario("healthy-next14", "next14", "healthy"),
    _scenario("healthy-next15", "next15", "healthy"),
    _scenario("healthy-nodesdk", "nodesdk", "healthy"),
    _scenario("dns-slow", "nodesdk", "name lookups are slow", _CALLS, fault=_DNS, draw=_dns, needs=_SPACES),
    _scenario("dns-slow-blind", "nodesdk", "name lookups are slow", _CALLS, fault=_DNS, draw=_dns, needs=_SPACES),
    _scenario("dns-slow-next14-blind", "next14", "name lookups are slow", _CALLS, fault=_DNS, draw=_dns, needs=_SPACES),
    _scenario("connect-held", "nodesdk", "connects are held", _CALLS, fault=_COLD, draw=_connect, needs=_SPACES),
    _scenario("connect-held-blind", "next15", "connects are held", _CALLS, fault=_COLD, draw=_connect, needs=_SPACES),
    _scenario(
        "keepalive-lost",
        "nodesdk",
        "the origin hangs up after each answer",
        _CALLS,
        fault=_COLD,
        draw=_no_keep_alive,
        needs=_SPACES,
    ),
    _scenario(
        "keepalive-lost-blind",
        "next14",
        "the origin hangs up after each answer",
        _CALLS,
        fault=_COLD,
        draw=_no_keep_alive,
        needs=_SPACES,
    ),
    _scenario(
        "undici-pool-blind",
        "nodesdk",
        "undici has 1 or 2 connections, slow reports hold them",
        _BEHIND_REPORTS,
        fault=_CLIENT_POOL,
        draw=_undici_pool,
        at_once=12,
    ),
    _scenario(
        "undici-pool-next15-blind",
        "next15",
        "undici has 1 or 2 connections, slow reports hold them",
        _BEHIND_REPORTS,
        fault=_CLIENT_POOL,
        draw=_undici_pool,
        at_once=12,
    ),
    _scenario(
        "agent-pool-blind",
        "nodesdk",
        "an http.Agent has 1 or 2 sockets, slow answers hold them",
        _STOCKS,
        fault=_CLIENT_POOL,
        draw=_max_sockets,
        at_once=10,
    ),
    _scenario(
        "sqlalchemy-pool",
        "next15",
        "SQLAlchemy has 1 or 2 connections, slow reports hold them",
        _REPORTS,
        fault=_DATABASE_POOL,
        draw=_sqlalchemy_pool,
        at_once=10,
    ),
    _scenario(
        "sqlalchemy-pool-blind",
        "next14",
        "SQLAlchemy has 1 or 2 connections, and no spans",
        _REPORTS,
        fault=_DATABASE_POOL,
        draw=lambda dice: _also(_sqlalchemy_pool(dice), "origin", BLIND="sqlalchemy"),
        at_once=10,
    ),
    _scenario(
        "django-pool",
        "next15",
        "Django's pool has 1 or 2 connections; a span of the app's own shows the wait",
        _AMONG_STOCKS,
        fault=_DATABASE_POOL,
        at_once=10,
        draw=lambda dice: _also(_django_pool(dice), "origin", POOL_SPAN="yes"),
    ),
    _scenario(
        "django-pool-blind",
        "nodesdk",
        "Django's pool has 1 or 2 connections; nothing shows the wait",
        _AMONG_STOCKS,
        fault=_DATABASE_POOL,
        draw=_django_pool,
        at_once=10,
    ),
    _scenario(
        "db-reconnects-blind",
        "next15",
        "CONN_MAX_AGE=0: Django connects for each request, and connects are held",
        _CALLS,
        fault=replace(_COLD, owner=_DATA_SEAM),
        draw=_reconnects,
        needs=_SPACES,
    ),
    _scenario(
        "db-reconnects",
        "nodesdk",
        "SQLAlchemy without a pool connects for each report, and connects are held",
        _REPORTS,
        fault=replace(_COLD, owner=_DATA_SEAM),
        draw=_null_pool,
        needs=_SPACES,
    ),
    _scenario(
        "accept-queue",
        "nodesdk",
        "one gunicorn worker, slow reports hold it; X-Request-Start tells",
        _BEHIND_REPORTS,
        fault=_BACKLOG,
        draw=_one_worker_shown,
        at_once=12,
    ),
    _scenario(
        "accept-queue-blind",
        "next15",
        "one gunicorn worker, slow reports hold it",
        _BEHIND_REPORTS,
        fault=_BACKLOG,
        draw=_one_worker,
        at_once=12,
    ),
    _scenario(
        "loop-blocked-origin",
        "nodesdk",
        "a Node origin makes some answers without yielding",
        (("catalog", 17), ("orders", 3), ("quote", 2)),
        fault=replace(_BACKLOG, owner="origin:{catalog}"),
        draw=_blocked_loop,
        at_once=8,
    ),
    _scenario(
        "loop-blocked-edge",
        "next15",
        "the edge computes without yielding",
        (("digest", 9), ("orders", 4), ("quote", 4)),
        fault=Fault("compute", _WEB, (), (*_QUIET, "server_backlog"), kinds=("digest",)),
        draw=_blocked_edge,
        at_once=3,
        traffic=Traffic((("digest", 9), ("orders", 4), ("quote", 4)), 110, 8.0),
    ),
    _scenario(
        "stopped",
        "next14",
        "the worker is stopped now and then",
        _CALLS,
        fault=replace(_BACKLOG, findings=()),
        draw=_stopped,
    ),
    _scenario(
        "cpu-starved",
        "next15",
        "the origin's processor is taken by others",
        (("quote", 16), ("orders", 4), ("product", 2)),
        fault=Fault("compute", _ORIGIN, (), _QUIET),
        draw=_starved,
    ),
    _scenario(
        "serial-fanout",
        "next15",
        "independent panels, asked for one after the other",
        (("overview", 12), ("orders", 5)),
        fault=replace(_SLOW_DATA, findings=("serial_fanout",), kinds=("overview",)),
        draw=_serial,
    ),
    _scenario(
        "true-dependency",
        "next14",
        "panels that each need the last one's answer",
        (("overview", 12), ("orders", 5)),
        fault=replace(_SLOW_DATA, not_findings=(*_QUIET, "serial_fanout")),
        draw=_chained,
    ),
    _scenario(
        "n-plus-one",
        "nodesdk",
        "a statement per neighbour",
        (("product", 12), ("orders", 4), ("quote", 4)),
        fault=replace(_SLOW_DATA, findings=("n_plus_one",), kinds=("product",)),
        draw=_each,
    ),
    _scenario("slow-query", "next14", "a statement is slow", _REPORTS, fault=_SLOW_DATA, draw=_slow_query),
    _scenario(
        "slow-redis",
        "nodesdk",
        "Redis answers late",
        (("quote", 14), ("orders", 4), ("product", 3)),
        fault=replace(_SLOW_DATA, owner="data:redis/0"),
        draw=_slow_redis,
        needs=_SPACES,
    ),
    _scenario(
        "retry",
        "nodesdk",
        "an attempt hangs, is given up, and made again",
        (("quote", 14), ("orders", 4), ("product", 3)),
        fault=Fault("retry", _WEB, ("retry_storm",), ("broken_context",)),
        draw=_hanging,
        taps=lambda _: (without_folders,),
        at_once=8,
    ),
    _scenario(
        "nonessential",
        "next15",
        "an advertisement holds the shell",
        (("feed", 12), ("orders", 4), ("dash", 3)),
        fault=replace(_SLOW_DATA, findings=("nonessential_block",), kinds=("feed",)),
        draw=_banner,
    ),
    _scenario(
        "context-lost",
        "next15",
        "no trace context goes to the origin, the request id does",
        fault=Fault("query", _DATA, (), ("request_id_lost",), moves=False, always=("broken_context",), kinds=_CALLING),
        draw=_unlinked,
    ),
    _scenario(
        "context-lost-unnamed",
        "next14",
        "neither trace context nor request id is seen at the origin",
        fault=Fault(
            "unobserved",
            _ORIGIN,
            (),
            (),
            moves=False,
            always=("broken_context",),
            kinds=_CALLING,
            recast={"compute": "unobserved", "server_queue": "unobserved"},
        ),
        draw=_unlinked_unnamed,
    ),
    _scenario(
        "slow-job",
        "nodesdk",
        "Celery jobs are slow, and nobody waits for them",
        (("place", 10), ("orders", 6), ("dash", 3)),
        fault=Fault("job", "worker:{jobs}", (), _QUIET, moves=False),
        draw=_slow_jobs,
    ),
    _scenario(
        "sampled-apart",
        "nodesdk",
        "the origin keeps half of the traces, the edge keeps all",
        fault=Fault(
            "unobserved",
            _ORIGIN,
            (),
            ("broken_context",),
            moves=False,
            recast={"compute": "unobserved", "server_queue": "unobserved"},
            recast_when=_lost_by_sampling,
        ),
        draw=_sampled,
    ),
)
