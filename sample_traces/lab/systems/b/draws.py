"""What the seed draws, fault by fault: delays, sizes of pools, numbers of calls, as options of `system.py`.

FAULT_SHARE is the share of requests, by their id, that the origin's own faults touch.
"""

from __future__ import annotations

import random
from typing import Any

from scenario import Found


def also(drawn: dict[str, Any], program: str, **more: str) -> dict[str, Any]:
    """What was drawn, with more in a program's environment."""
    return {**drawn, program: {**drawn[program], **more}}


def ms(dice: random.Random, low: int, high: int) -> int:
    """Whole milliseconds between two bounds."""
    return dice.randint(low, high)


def dns(dice: random.Random) -> dict[str, Any]:
    """A resolver that answers late and remembers for a moment, and connections that are not kept for long."""
    return {"dns": {"late_ms": ms(dice, 110, 170), "cache_ms": 90}, "web": {"KEEP_ALIVE_MS": "60"}}


def connect(dice: random.Random) -> dict[str, Any]:
    """A wire that holds most SYNs, and connections that are not kept for long."""
    wire = {"syn_ms": ms(dice, 190, 260), "share": 0.6}
    return {"links": {"web>origin": wire}, "web": {"KEEP_ALIVE_MS": "60"}}


def no_keep_alive(dice: random.Random) -> dict[str, Any]:
    """A server that hangs up after each answer, at the end of a slow wire."""
    return {"links": {"web>origin": {"syn_ms": ms(dice, 70, 110)}}, "gunicorn": gunicorn(keep_alive=0)}


def tls(dice: random.Random) -> dict[str, Any]:
    """A front that ends TLS and often forgets its tickets, a held ServerHello, connections that are not kept for long."""
    front = {"hello_ms": ms(dice, 200, 270), "rotate_ms": ms(dice, 450, 650)}
    return {"tls": front, "web": {"KEEP_ALIVE_MS": "60"}}


def gunicorn(keep_alive: int = 75, threads: int = 12) -> list[str]:
    """Arguments of gunicorn with one worker of many threads."""
    return ["-k", "gthread", "--threads", str(threads), "--keep-alive", str(keep_alive)]


def undici_pool(dice: random.Random) -> dict[str, Any]:
    """A client of one or two connections, and reports that hold them."""
    size = dice.choice([1, 2])
    slow = {"REPORT_MS": str(size * ms(dice, 380, 450)), "FAULT_SHARE": "1"}
    return {"web": {"CONNECTIONS": str(size)}, "origin": slow}


def max_sockets(dice: random.Random) -> dict[str, Any]:
    """The same of `http.Agent`."""
    size = dice.choice([1, 2])
    slow = {"STOCK_MS": str(size * ms(dice, 600, 700)), "FAULT_SHARE": "0.16"}
    return {"web": {"MAX_SOCKETS": str(size)}, "origin": slow}


def sqlalchemy_pool(dice: random.Random) -> dict[str, Any]:
    """The same of SQLAlchemy."""
    size = dice.choice([1, 2])
    return {
        "origin": {"SQLALCHEMY_POOL": str(size), "REPORT_MS": str(size * ms(dice, 600, 700)), "FAULT_SHARE": "0.16"}
    }


def sqlalchemy_pool_unseen(dice: random.Random) -> dict[str, Any]:
    """The same, and SQLAlchemy makes no spans."""
    return also(sqlalchemy_pool(dice), "origin", BLIND="sqlalchemy")


def pg_pool(dice: random.Random) -> dict[str, Any]:
    """The same of pg-pool, which a Node service asks."""
    size = dice.choice([1, 2])
    return {"catalog_runs": True, "catalog": {"POOL": str(size), "SHELF_MS": str(size * ms(dice, 600, 700))}}


def _django_pool(dice: random.Random, low: int, high: int, **more: str) -> dict[str, Any]:
    size = dice.choice([1, 2])
    pool = {"DJANGO_POOL": str(size), "STOCK_MS": str(size * ms(dice, low, high)), "FAULT_SHARE": "0.8"}
    return {"origin": {**pool, **more}}


def django_pool_shown(dice: random.Random) -> dict[str, Any]:
    """The same of Django's own pool; the app makes a span of the wait."""
    return _django_pool(dice, 350, 420, POOL_SPAN="yes")


def django_pool_held(dice: random.Random) -> dict[str, Any]:
    """The same by few statements that are longer, and no span of the wait."""
    return _django_pool(dice, 600, 700)


def reconnects(dice: random.Random) -> dict[str, Any]:
    """No connection of Django outlives its request, and connecting takes long."""
    wire = {"syn_ms": ms(dice, 190, 260), "share": 0.6}
    return {"links": {"origin>db": wire}, "origin": {"CONN_MAX_AGE": "0"}}


def null_pool(dice: random.Random) -> dict[str, Any]:
    """The same of SQLAlchemy."""
    wire = {"syn_ms": ms(dice, 190, 260), "share": 0.6}
    return {"links": {"origin>db": wire}, "origin": {"SQLALCHEMY_POOL": "0"}}


def one_worker(dice: random.Random) -> dict[str, Any]:
    """One worker that answers one request at a time, and reports that hold it."""
    slow = {"REPORT_MS": str(ms(dice, 300, 360)), "FAULT_SHARE": "1"}
    return {"gunicorn": ["-k", "sync", "--workers", "1"], "origin": slow, "web": {"QUEUE_HEADER": "no"}}


def one_worker_shown(dice: random.Random) -> dict[str, Any]:
    """The same, with a header that says when a request set out."""
    return {**one_worker(dice), "web": {"QUEUE_HEADER": "yes"}}


def blocked_loop(dice: random.Random) -> dict[str, Any]:
    """Every seventh or eighth page of the catalog is made without yielding."""
    return {
        "catalog_runs": True,
        "catalog": {"BUSY_MS": str(ms(dice, 400, 480)), "BUSY_EVERY": str(dice.choice([7, 8]))},
    }


def blocked_edge(dice: random.Random) -> dict[str, Any]:
    """Digests that the edge computes without yielding."""
    return {"web": {"DIGEST_MS": str(ms(dice, 170, 230))}}


def stopped(dice: random.Random) -> dict[str, Any]:
    """The worker's process is stopped now and then."""
    return {"freeze": {"stop-ms": ms(dice, 380, 460), "every-ms": 1100}}


def starved(dice: random.Random) -> dict[str, Any]:
    """Busy loops on the origin's processor, and work that needs it."""
    return {"burn": {"cpu": 0, "workers": dice.choice([3, 4])}, "origin": {"SIGN_ROUNDS": str(ms(dice, 30, 40) * 1000)}}


def serial(dice: random.Random) -> dict[str, Any]:
    """Panels that are independent of each other, asked for one after the other."""
    panels = {"PANELS": str(dice.choice([4, 5, 6])), "FANOUT": "serial"}
    return {"web": panels, "origin": {"PANEL_MS": str(ms(dice, 50, 70))}}


def chained(dice: random.Random) -> dict[str, Any]:
    """Panels that each need the one before."""
    return {**(drawn := serial(dice)), "web": {**drawn["web"], "FANOUT": "chain"}}


def each(dice: random.Random) -> dict[str, Any]:
    """A statement for each neighbour of a product."""
    more = {"RELATED_EACH": str(ms(dice, 13, 18)), "RELATED_MS": str(ms(dice, 8, 11)), "FAULT_SHARE": "0.7"}
    return {"origin": more}


def slow_query(dice: random.Random) -> dict[str, Any]:
    """Reports whose statement waits in the database."""
    return {"origin": {"REPORT_MS": str(ms(dice, 220, 320)), "FAULT_SHARE": "0.6"}}


def slow_redis(dice: random.Random) -> dict[str, Any]:
    """Somebody else's commands that hold Redis, which serves one at a time."""
    return {"hog": {"sleep_s": ms(dice, 200, 300) / 1000, "pause_s": 0.15}}


def hanging(dice: random.Random) -> dict[str, Any]:
    """Quotes that hang the first time they are asked for, and an edge that gives up and asks again."""
    patience = ms(dice, 220, 300)
    return {"web": {"QUOTE_TIMEOUT_MS": str(patience)}, "origin": {"HANG_MS": str(3 * patience), "FAULT_SHARE": "0.4"}}


def banner(dice: random.Random) -> dict[str, Any]:
    """An advertisement that takes long and is waited for."""
    return {"web": {"BANNER": "await"}, "origin": {"BANNER_MS": str(ms(dice, 180, 260))}}


def slow_jobs(dice: random.Random) -> dict[str, Any]:
    """Jobs that take long."""
    return {"jobs": {"JOB_MS": str(ms(dice, 350, 600))}}


def unlinked(_: random.Random) -> dict[str, Any]:
    """No trace context goes to the origin."""
    return {"web": {"PROPAGATE": "no"}}


def unlinked_unnamed(_: random.Random) -> dict[str, Any]:
    """The same, and the origin does not record the request id."""
    hidden = {"OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST": ""}
    return {"web": {"PROPAGATE": "no"}, "origin": hidden}


KEPT = 0.5


def sampled(_: random.Random) -> dict[str, Any]:
    """The origin samples by its own dice."""
    return {"origin": {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": str(KEPT)}}


def lost_by_sampling(found: Found) -> bool:
    """Whether the origin's sampler drops this trace: the SDK compares the last eight bytes of its id."""
    return int(found.trace_ids[0][16:], 16) >= round(KEPT * 2**64)
