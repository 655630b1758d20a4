"""The scenarios of system B: what a judge should find in each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from folders import without_folders
from scenario import Fault, Pair, Scenario
from systems.b import draws
from systems.b.traffic import STEADY, Mix, Traffic, Warming

_ORIGIN, _WEB = "origin:{origin}", "render:{web}"
_SEAM = "render:{web}→origin:{origin}"
_CACHE = "data:redis/0"
_DATA = "data:postgres/{database}"
_DATA_SEAM = f"{_ORIGIN}→{_DATA}"
_SPACES = ("namespaces",)
_CALLING = ("dash", "product", "orders", "quote", "report", "overview", "feed", "place", "digest", "stock")
_UNSEEN = tuple(
    [(_ORIGIN, cause) for cause in ("compute", "server_queue", "pool_wait")]
    + [(_DATA, "query"), (_CACHE, "query"), (_DATA_SEAM, "connect")]
)
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


def _same(value: Any) -> tuple[Any, Any]:
    return value, value


def _both(
    name: str,
    dialects: tuple[str, str],
    titles: tuple[str, str],
    mixes: tuple[Mix, Mix],
    drawn: tuple[Any, Any],
    **more: Any,
) -> tuple[Scenario, Scenario]:
    """A fault with phase spans, and blind: each half in a dialect, with a title, a mix and a draw of its own."""
    names = (name, f"{name}-blind")
    seen, blind = (
        _scenario(*half[:-1], draw=half[-1], **more) for half in zip(names, dialects, titles, mixes, drawn, strict=True)
    )
    return seen, blind


_CALLS: Mix = (("orders", 8), ("quote", 8), ("product", 4), ("dash", 2))
_REPORTS: Mix = (("report", 16), ("orders", 3), ("quote", 3))
_BEHIND_REPORTS: Mix = (("report", 3), ("orders", 6), ("quote", 6), ("product", 2))
_STOCKS: Mix = (("stock", 14), ("orders", 3), ("quote", 3))
_AMONG_STOCKS: Mix = (("stock", 5), ("orders", 7), ("product", 5), ("digest", 2))
_AMONG_FEW_STOCKS: Mix = (("stock", 3), ("orders", 9), ("product", 6), ("digest", 1))
_QUOTES: Mix = (("quote", 14), ("orders", 4), ("product", 3))
_PANELS: Mix = (("overview", 12), ("orders", 5))
_DIGESTS: Mix = (("digest", 6), ("orders", 6), ("quote", 5))
_STARVED: Mix = (("quote", 16), ("orders", 4), ("product", 2))
_SDK_THEN_15, _SDK_THEN_14 = ("nodesdk", "next15"), ("nodesdk", "next14")
_COLD = Fault("connect", _SEAM, ("cold_connections",), _QUIET, with_causes=("tls", "dns"))
# the timer is around the whole checkout, as is SQLAlchemy's one span: neither tells name, connect and handshake apart
_OPENED = Fault("setup", _DATA_SEAM, ("cold_connections",), _QUIET, recast=((_DATA_SEAM, "connect"),))
_DNS = Fault("dns", _SEAM, (), (*_QUIET, "pool_exhausted"))
_CLIENT_POOL = Fault("pool_wait", _WEB, ("pool_exhausted",), (*_QUIET, "server_backlog"))
_DATABASE_POOL = Fault("pool_wait", _ORIGIN, ("pool_exhausted",), _QUIET)
_BACKLOG = Fault("server_queue", _ORIGIN, ("server_backlog",), _QUIET)
_SLOW_DATA = Fault("query", _DATA, (), (*_QUIET, "pool_exhausted"))

_SETUP = (
    *_both("dns-slow", _same("nodesdk"), _same("name lookups are slow"), _same(_CALLS), _same(draws.dns), fault=_DNS,
           needs=_SPACES),
    _scenario("dns-slow-next14-blind", "next14", "name lookups are slow", _CALLS, fault=_DNS, draw=draws.dns,
              needs=_SPACES),
    *_both("connect-held", _SDK_THEN_15, _same("connects are held"), _same(_CALLS), _same(draws.connect), fault=_COLD,
           needs=_SPACES),
    *_both("tls-held", _SDK_THEN_15, _same("ServerHello is held, but for sessions that are resumed"), _same(_CALLS),
           _same(draws.tls), fault=replace(_COLD, cause="tls", with_causes=("connect", "dns"))),
    *_both("keepalive-lost", _SDK_THEN_14, _same("the origin hangs up after each answer"), _same(_CALLS),
           _same(draws.no_keep_alive), fault=_COLD, needs=_SPACES),
    _scenario("db-reconnects", "nodesdk", "SQLAlchemy without a pool connects for each report, and connects are held",
              _REPORTS, fault=_OPENED, draw=draws.null_pool, needs=_SPACES),
    _scenario("db-reconnects-blind", "next15", "CONN_MAX_AGE=0: Django connects for each request, and connects are held",
              _CALLS, fault=replace(_COLD, owner=_DATA_SEAM), draw=draws.reconnects, needs=_SPACES),
)  # fmt: skip

_WAITING = (
    _scenario("undici-pool-blind", "nodesdk", "undici has 1 or 2 connections, slow reports hold them", _BEHIND_REPORTS,
              fault=_CLIENT_POOL, draw=draws.undici_pool, at_once=12),
    _scenario("undici-pool-next15-blind", "next15", "undici has 1 or 2 connections, slow reports hold them",
              _BEHIND_REPORTS, fault=_CLIENT_POOL, draw=draws.undici_pool, at_once=12),
    _scenario("agent-pool-blind", "nodesdk", "an http.Agent has 1 or 2 sockets, slow answers hold them", _STOCKS,
              fault=_CLIENT_POOL, draw=draws.max_sockets, at_once=10),
    *_both("sqlalchemy-pool", ("next15", "next14"),
           ("SQLAlchemy has 1 or 2 connections, slow reports hold them",
            "SQLAlchemy has 1 or 2 connections, and no spans"),
           _same(_REPORTS), (draws.sqlalchemy_pool, draws.sqlalchemy_pool_unseen), fault=_DATABASE_POOL, at_once=10),
    *_both("django-pool", ("next15", "nodesdk"),
           ("Django's pool has 1 or 2 connections; a span of the app's own shows the wait",
            "Django's pool has 1 or 2 connections; nothing shows the wait"),
           (_AMONG_STOCKS, _AMONG_FEW_STOCKS), (draws.django_pool_shown, draws.django_pool_held),
           fault=_DATABASE_POOL, at_once=10),
    *_both("pg-pool", _same("nodesdk"),
           ("a Node service's pg-pool has 1 or 2 connections", "a Node service's pg-pool has 1 or 2 connections, unseen"),
           _same((("catalog", 16), ("orders", 3), ("quote", 3))), _same(draws.pg_pool),
           fault=replace(_DATABASE_POOL, owner="origin:{catalog}"), at_once=12),
    *_both("accept-queue", _SDK_THEN_15,
           ("one gunicorn worker, slow reports hold it; X-Request-Start tells",
            "one gunicorn worker, slow reports hold it"),
           _same(_BEHIND_REPORTS), (draws.one_worker_shown, draws.one_worker), fault=_BACKLOG, at_once=12),
    _scenario("loop-blocked-origin", "nodesdk", "a Node origin makes some answers without yielding",
              (("catalog", 17), ("orders", 3), ("quote", 2)), fault=replace(_BACKLOG, owner="origin:{catalog}"),
              draw=draws.blocked_loop, at_once=8),
    _scenario("loop-blocked-edge", "next15", "the edge computes without yielding", _DIGESTS,
              fault=Fault("compute", _WEB, (), (*_QUIET, "server_backlog"), kinds=("digest",)),
              draw=draws.blocked_edge, at_once=2, traffic=Traffic(_DIGESTS, 100, 6.0)),
    _scenario("stopped", "next14", "the worker is stopped now and then", _CALLS,
              fault=replace(_BACKLOG, findings=(), with_causes=("compute",)), draw=draws.stopped),
    _scenario("cpu-starved", "next15", "the origin's processor is taken by others", _STARVED,
              fault=Fault("compute", _ORIGIN, (), _QUIET, with_causes=("server_queue",)), draw=draws.starved,
              traffic=Traffic(_STARVED, 100, 5.5)),
)  # fmt: skip

_CODE = (
    _scenario("serial-fanout", "next15", "independent panels, asked for one after the other", _PANELS,
              fault=replace(_SLOW_DATA, findings=("serial_fanout",), kinds=("overview",)), draw=draws.serial),
    _scenario("true-dependency", "next14", "panels that each need the last one's answer", _PANELS,
              fault=replace(_SLOW_DATA, not_findings=(*_QUIET, "serial_fanout")), draw=draws.chained),
    _scenario("n-plus-one", "nodesdk", "a statement per neighbour", (("product", 12), ("orders", 4), ("quote", 4)),
              fault=replace(_SLOW_DATA, findings=("n_plus_one",), kinds=("product",)), draw=draws.each),
    _scenario("slow-query", "next14", "a statement is slow", _REPORTS, fault=_SLOW_DATA, draw=draws.slow_query),
    _scenario("slow-redis", "nodesdk", "others' commands hold Redis", _QUOTES,
              fault=replace(_SLOW_DATA, owner=_CACHE), draw=draws.slow_redis),
    _scenario("retry", "nodesdk", "an attempt hangs, is given up, and made again", _QUOTES,
              fault=Fault("retry", _WEB, ("retry_storm",), ("broken_context",)), draw=draws.hanging,
              taps=lambda _: (without_folders,), at_once=8),
    _scenario("nonessential", "next15", "an advertisement holds the shell", (("feed", 12), ("orders", 4), ("dash", 3)),
              fault=replace(_SLOW_DATA, findings=("nonessential_block",), kinds=("feed",)), draw=draws.banner,
              pairs=(Pair("nonessential_block", "feed", "feed", control=True),)),
    _scenario("serial-and-together", "next15", "the same panels one after the other on one page, at once on another",
              (("overview", 6), ("together", 6), ("orders", 3)), draw=draws.serial,
              fault=replace(_SLOW_DATA, findings=("serial_fanout",), kinds=("overview",)),
              traffic=Traffic((("overview", 6), ("together", 6), ("orders", 3)), 104, 6.0),
              pairs=(Pair("serial_fanout", "overview", "together"),)),
    _scenario("banner-and-none", "nodesdk", "an advertisement holds one page, and another is the same without it",
              (("feed", 6), ("plain", 6), ("orders", 2)), draw=draws.banner,
              fault=replace(_SLOW_DATA, findings=("nonessential_block",), kinds=("feed",)),
              traffic=Traffic((("feed", 6), ("plain", 6), ("orders", 2)), 130, 9.0),
              pairs=(Pair("nonessential_block", "feed", "plain"),)),
)  # fmt: skip

_LOST = Fault("unobserved", _ORIGIN, moves=False, recast=_UNSEEN)
_SPANS = (
    _scenario("context-lost", "next15", "no trace context goes to the origin, the request id does",
              fault=Fault("query", _DATA, (), ("request_id_lost",), moves=False, always=("broken_context",),
                          kinds=_CALLING), draw=draws.unlinked),
    _scenario("context-lost-unnamed", "next14", "neither trace context nor request id is seen at the origin",
              fault=replace(_LOST, always=("broken_context",), kinds=_CALLING), draw=draws.unlinked_unnamed),
    _scenario("slow-job", "nodesdk", "Celery jobs are slow, and nobody waits for them",
              (("place", 10), ("orders", 6), ("dash", 3)),
              fault=Fault("job", "worker:{jobs}", (), _QUIET, moves=False), draw=draws.slow_jobs),
    _scenario("sampled-apart", "nodesdk", "the origin keeps half of the traces, the edge keeps all",
              fault=replace(_LOST, not_findings=("broken_context",), recast_when=draws.lost_by_sampling),
              draw=draws.sampled),
)  # fmt: skip

SCENARIOS: tuple[Scenario, ...] = (
    _scenario("healthy-next14", "next14", "healthy"),
    _scenario("healthy-next15", "next15", "healthy"),
    _scenario("healthy-nodesdk", "nodesdk", "healthy", (*STEADY, ("catalog", 6)), options={"catalog_runs": True}),
    *_SETUP,
    *_WAITING,
    *_CODE,
    *_SPANS,
)
