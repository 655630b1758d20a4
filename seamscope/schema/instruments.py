"""The instruments whose data points are kept: those that see a wait between tiers from its own side.

Names are those of the OpenTelemetry semantic conventions 1.44, of what they replaced, and of the libraries that count
their pools under names of their own (pgxpool and otelpgx, XSAM/otelsql, redisotel). What an instrument says is in two
words, so that nobody behind the door has to know its name: whose (`SUBJECTS`) and what (`MEASURES`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SUBJECTS: Final = ("db_pool", "http_pool", "server", "runtime", "function", "network")
"""What an instrument watches: a database client's connection pool, an HTTP client's, a server's own queue, the runtime
that everything in a process waits for, a function's instances, the way there."""

MEASURES: Final = (
    "waiting",  # how many wait at this moment
    "wait_time",  # how long each waited
    "waited",  # how long all have waited together
    "waits",  # how many have waited
    "connections",  # how many connections there are; `state` says idle or used
    "most",  # how many there may be
    "least_idle",
    "most_idle",
    "timeouts",  # how many waited in vain
    "create_time",  # how long each new connection took
    "use_time",  # how long each was had
    "lifetime",
    "active",  # how many are worked on at this moment
    "held",  # how long nothing else could run, at most, since the last time it was told
    "held_time",  # how long each time nothing else could run
    "busy",  # the share of the time that it was busy
    "time",
    "starts",
)


@dataclass(frozen=True, slots=True)
class Instrument:
    """What an instrument says."""

    subject: str
    measure: str
    unit: str = ""
    """Of a duration, where the sender names none: `s`, `ms`, `ns`; empty for a count."""
    histogram: bool = False


def _pool(prefix: str, unit: str, count: str) -> dict[str, Instrument]:
    return {
        f"{prefix}.{count}": Instrument("db_pool", "connections"),
        f"{prefix}.idle.max": Instrument("db_pool", "most_idle"),
        f"{prefix}.idle.min": Instrument("db_pool", "least_idle"),
        f"{prefix}.max": Instrument("db_pool", "most"),
        f"{prefix}.pending_requests": Instrument("db_pool", "waiting"),
        f"{prefix}.timeouts": Instrument("db_pool", "timeouts"),
        f"{prefix}.create_time": Instrument("db_pool", "create_time", unit, histogram=True),
        f"{prefix}.wait_time": Instrument("db_pool", "wait_time", unit, histogram=True),
        f"{prefix}.use_time": Instrument("db_pool", "use_time", unit, histogram=True),
    }


INSTRUMENTS: Final[dict[str, Instrument]] = {
    **_pool("db.client.connections", "ms", "usage"),
    **_pool("db.client.connection", "s", "count"),
    # redisotel
    "db.client.connections.waits": Instrument("db_pool", "waits"),
    "db.client.connections.waits_duration": Instrument("db_pool", "waited", "ns"),
    # XSAM/otelsql, over database/sql
    "db.sql.connection.open": Instrument("db_pool", "connections"),
    "db.sql.connection.max_open": Instrument("db_pool", "most"),
    "db.sql.connection.wait": Instrument("db_pool", "waits"),
    "db.sql.connection.wait_duration": Instrument("db_pool", "waited", "ms"),
    # otelpgx, over pgxpool
    "pgxpool.acquired_connections": Instrument("db_pool", "connections"),
    "pgxpool.max_connections": Instrument("db_pool", "most"),
    "pgxpool.empty_acquire": Instrument("db_pool", "waits"),
    "pgxpool.empty_acquire_wait_time": Instrument("db_pool", "waited", "ns"),
    # HTTP clients
    "http.client.open_connections": Instrument("http_pool", "connections"),
    "http.client.connection.duration": Instrument("http_pool", "lifetime", "s", histogram=True),
    "http.client.active_requests": Instrument("http_pool", "active"),
    "http.client.request.time_in_queue": Instrument("http_pool", "wait_time", "s", histogram=True),
    "dns.lookup.duration": Instrument("network", "time", "s", histogram=True),
    # servers
    "http.server.active_requests": Instrument("server", "active"),
    "kestrel.queued_connections": Instrument("server", "waiting"),
    "kestrel.queued_requests": Instrument("server", "waiting"),
    "kestrel.tls_handshake.duration": Instrument("network", "time", "s", histogram=True),
    "aspnetcore.rate_limiting.queued_requests": Instrument("server", "waiting"),
    "aspnetcore.rate_limiting.request.time_in_queue": Instrument("server", "wait_time", "s", histogram=True),
    # runtimes
    "nodejs.eventloop.delay.max": Instrument("runtime", "held", "s"),
    "nodejs.eventloop.utilization": Instrument("runtime", "busy"),
    "go.schedule.duration": Instrument("runtime", "held_time", "s", histogram=True),
    "jvm.gc.duration": Instrument("runtime", "held_time", "s", histogram=True),
    # functions
    "faas.coldstarts": Instrument("function", "starts"),
    "faas.init_duration": Instrument("function", "create_time", "s", histogram=True),
}
"""Name as it is sent → what it says."""

UNITS_NS: Final = {"s": 1e9, "ms": 1e6, "us": 1e3, "µs": 1e3, "ns": 1.0}
"""Units of durations; they are kept in nanoseconds."""
