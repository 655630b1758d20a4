"""Which attribute keys mean the same thing: the table that ends the difference between conventions.

A slot is one meaning; its keys are listed best first (the current OpenTelemetry convention, then what it replaced,
then what platforms send). Where a span has several of them, the first listed wins; where it has one key twice, the
last one does. An empty text says nothing and never wins (`@vercel/otel` sends `net.peer.port=''`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from collector.normalise import values
from collector.normalise.texts import Slices, Texts, readonly
from seamscope.kernel import kernel

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from collector.decoding.flat import AttributeColumns
    from collector.normalise.texts import I32, U8, Mask

    I64 = NDArray[np.int64]
    U32 = NDArray[np.uint32]

HTTP: Final[dict[str, tuple[str, ...]]] = {
    "method": ("http.request.method", "http.method"),
    "status": ("http.response.status_code", "http.status_code"),
    "url": ("url.full", "http.url"),
    "path": ("url.path", "http.target"),
    "scheme": ("url.scheme", "http.scheme"),
    "route": ("http.route", "next.route", "vercel.matched_path"),
    "template": ("url.template",),
    "resend": ("http.request.resend_count", "http.resend_count", "retry.count"),
    "protocol": ("network.protocol.version", "http.flavor", "net.protocol.version", "http.protocol"),
    "rsc": ("next.rsc",),
}

NETWORK: Final[dict[str, tuple[str, ...]]] = {
    "server_host": ("server.address",),
    "server_port": ("server.port",),
    "peer_host": ("net.peer.name", "net.sock.peer.name"),
    "peer_port": ("net.peer.port",),
    "own_host": ("net.host.name",),
    "own_port": ("net.host.port",),
    "host_header": ("http.host",),
    "peer_service": ("service.peer.name", "peer.service"),
    "network_peer": (
        "network.peer.address",
        "net.sock.peer.addr",
        "net.peer.ip",
        "upstream_address",
        "http.remote",
        "peer.address",
    ),
    "network_peer_port": ("network.peer.port", "net.sock.peer.port", "client.port"),
}

RPC: Final[dict[str, tuple[str, ...]]] = {
    "rpc_system": ("rpc.system.name", "rpc.system"),
    "rpc_service": ("rpc.service",),
    "rpc_method": ("rpc.method",),
    "rpc_path": ("grpc.path",),
    "rpc_status": (
        "rpc.response.status_code",
        "rpc.status_code",
        "rpc.grpc.status_code",
        "grpc.status_code",
        "grpc.status",
    ),
}

DATABASE: Final[dict[str, tuple[str, ...]]] = {
    "db_system": ("db.system.name", "db.system", "db.type"),
    "db_namespace": ("db.namespace", "db.name", "db.redis.database_index"),
    "db_operation": ("db.operation.name", "db.operation"),
    "db_collection": ("db.collection.name", "db.sql.table", "db.mongodb.collection", "db.cassandra.table"),
    "db_statement": ("db.query.text", "db.statement"),
    "db_url": ("db.connection_string",),
    "engine": ("cloudflare.d1.response.sql_duration_ms", "db.cf.d1.duration"),
    "attempts": ("cloudflare.d1.response.total_attempts",),
}

MESSAGING: Final[dict[str, tuple[str, ...]]] = {
    "messaging_system": ("messaging.system",),
    "messaging_operation": ("messaging.operation.type", "messaging.operation", "messaging.operation.name"),
    "messaging_destination": (
        "messaging.destination.name",
        "messaging.destination",
        "cloudflare.queue.name",
        "queue.name",
        "celery.queue",
    ),
    "message_id": ("messaging.message.id", "messaging.message_id"),
    "enqueued": (
        "messaging.servicebus.message.enqueued_time",
        "messaging.eventhubs.message.enqueued_time",
        "messaging.rocketmq.message.delivery_timestamp",
    ),
    "celery_eta": ("celery.eta",),
    "celery_countdown": ("celery.countdown",),
    "celery_retries": ("celery.retries",),
    "bullmq_queue": ("bullmq.queue.name",),
    "bullmq_id": ("bullmq.job.id",),
    "bullmq": (
        "bullmq.job.name",
        "bullmq.queue.operation",
        "bullmq.job.attempts.made",
        "bullmq.job.processed.timestamp",
        "bullmq.job.attempt_finished_timestamp",
        "bullmq.job.attempt.finished.timestamp",
    ),
    # River's keys are everyday words: they count only in its scope
    "river_queue": ("queue",),
    "river_id": ("id",),
    "river_scheduled": ("scheduled_at", "created_at"),
    "river_attempt": ("attempt",),
}

CORRELATION: Final[dict[str, tuple[str, ...]]] = {
    "request_id": (
        "http.request.header.x-request-id",
        "guid:x-request-id",
        "http.request.header.x-correlation-id",
        "http.request_id",
        "request_id",
        "request.id",
        "correlation_id",
        "correlation.id",
    ),
    "ray_id": ("cloudflare.ray_id", "http.request.header.cf-ray"),
    "vercel_id": ("vercel.request_id", "http.request.header.x-vercel-id"),
    "invocation_id": ("faas.invocation_id", "faas.execution"),
}

PLATFORM: Final[dict[str, tuple[str, ...]]] = {
    "place": ("cloudflare.colo", "net.colo", "vercel.edge_region", "cloud.region"),
    "proxy_zone": ("zone",),
    "cache_status": (
        "next.fetch.cache_status",
        "cache.response.cache_status",
        "cloudflare.kv.response.cache_status",
        "db.cf.kv.cache_status",
        "http.response.header.cf-cache-status",
        "http.response.header.x-vercel-cache",
        "http.response.header.x-nextjs-cache",
        "http.response.header.x-cache",
    ),
    "cache_hit": ("cache.hit",),
    "cache_reason": ("next.fetch.cache_reason",),
    "error_type": ("error.type", "dns.error_name", "pgx.sql_state"),
    "outcome": ("cloudflare.outcome",),
    "response_flags": ("response_flags",),
    "cold_start": ("faas.coldstart",),
    "cpu": ("cloudflare.cpu_time_ms",),
    "wall": ("cloudflare.wall_time_ms",),
    "sequence": ("cloudflare.invocation.sequence.number",),
}

PHASES: Final[dict[str, tuple[str, ...]]] = {
    "reused": ("http.conn.reused",),
    "was_idle": ("http.conn.wasidle",),
    "idle": ("http.conn.idletime",),
    "headers_after": ("http.response_time",),
    "first_byte": ("cloudflare.response.time_to_first_byte_ms",),
    "queued_at": ("http.request.header.x-request-start", "http.request.header.x-queue-start"),
    "queued_for": ("http.server.request.time_in_queue",),
    "essential": ("seamscope.essential",),
}

MARKS: Final[dict[str, tuple[str, ...]]] = {
    "span_type": ("next.span_type",),
    "category": ("next.span_category",),
    "bubbled": ("next.bubble",),
    "asgi_event": ("asgi.event.type",),
    "phase": ("seamscope.phase",),
    "component": ("component",),
    "trigger": ("cloudflare.handler_type", "faas.trigger"),
}
"""Attributes whose value decides what a span is."""

ON_EVENTS: Final[dict[str, tuple[str, ...]]] = {
    "exception": ("exception.type",),
    "reused": ("http.conn.reused",),
    "was_idle": ("http.conn.wasidle",),
    "idle": ("http.conn.idletime",),
    "message_id": ("queue.message_id",),
    "enqueued": ("queue.message_timestamp",),
}

ON_LOGS: Final[dict[str, tuple[str, ...]]] = {
    "request_id": (
        *CORRELATION["request_id"],
        "x-request-id",
        "x_request_id",
        "request-id",
        "requestId",
        "reqId",
        "x-correlation-id",
        "correlation-id",
        "correlationId",
    ),
    "ray_id": (*CORRELATION["ray_id"], "cf-ray", "cf_ray"),
    "vercel_id": (*CORRELATION["vercel_id"], "x-vercel-id", "x_vercel_id"),
    "invocation_id": (*CORRELATION["invocation_id"], "aws_request_id", "awsRequestId"),
}
"""Loggers name ids as their users like: in snake_case (structlog, zap), in camelCase (pino, winston), as the header."""

ON_POINTS: Final[dict[str, tuple[str, ...]]] = {
    "pool": ("db.client.connection.pool.name", "db.client.connections.pool.name", "pool.name", "pool_name"),
    "state": ("db.client.connection.state", "http.connection.state", "db.client.connections.state", "state", "status"),
    "peer": ("server.address", "net.peer.name"),
    "peer_port": ("server.port", "net.peer.port"),
}

ON_LINKS: Final[dict[str, tuple[str, ...]]] = {"message_id": ("messaging.message.id",)}

SPAN_SLOTS: Final = HTTP | NETWORK | RPC | DATABASE | MESSAGING | CORRELATION | PLATFORM | PHASES | MARKS

_HEADERS: Final = ("http.request.header.", "http.response.header.")


def canonical(key: str) -> str:
    """Return a key as the table spells it: header names in lower case, with dashes (Python sends underscores)."""
    if key.startswith(_HEADERS):
        return key.lower().replace("_", "-")
    return key


@dataclass(frozen=True)
class Vocabulary:
    """The slots of one kind of owner, as numbers."""

    slots: tuple[str, ...]
    meaning: dict[str, tuple[int, int]]
    """Canonical key → (slot, rank); rank 0 wins."""

    @classmethod
    def of(cls, table: dict[str, tuple[str, ...]]) -> Vocabulary:
        """Number the slots of `table`."""
        meaning = {key: (number, rank) for number, keys in enumerate(table.values()) for rank, key in enumerate(keys)}
        return cls(tuple(table), meaning)


SPANS: Final = Vocabulary.of(SPAN_SLOTS)
POINTS: Final = Vocabulary.of(ON_POINTS)
LOGS: Final = Vocabulary.of(ON_LOGS)
EVENTS: Final = Vocabulary.of(ON_EVENTS)
LINKS: Final = Vocabulary.of(ON_LINKS)


@kernel
def _scatter(owner: U32, key: I32, offsets: I32, slot_of: I32, rank_of: I32, index: NDArray[np.int32]) -> None:
    """Write each wanted attribute's row to index[slot, owner]: the best rank wins, then the last row."""
    for row in range(len(key)):
        code = key[row]
        slot = slot_of[code]
        if slot < 0 or offsets[row + 1] == offsets[row]:
            continue
        have = index[slot, owner[row]]
        if have < 0 or rank_of[key[have]] >= rank_of[code]:
            index[slot, owner[row]] = row


class Promoted:
    """The attributes of a batch by meaning: per slot that occurs, the attribute row of each owner.

    Attributes:
        owners: number of owners, the length of every column given out.
    """

    def __init__(
        self, table: AttributeColumns, owner: NDArray[np.uint32], keys: pa.StringArray, owners: int, words: Vocabulary
    ) -> None:
        """Find the slots of `words` that `table` has; `owner` gives each attribute's owner, below `owners`."""
        self.owners = owners
        self._table = table
        self._texts = Texts.of(table.text)
        self._kinds = readonly(table.type)
        self._numbers = readonly(table.number)
        slot_of, rank_of, names = _meanings(keys, words)
        index = np.full((len(names), owners), -1, np.int32)
        if names and len(table.key):
            _scatter(readonly(owner), readonly(table.key), self._texts.offsets, slot_of, rank_of, index)
        self._rows = {name: readonly(index[at]) for at, name in enumerate(names)}

    def __contains__(self, slot: str) -> bool:
        """Tell whether a key of `slot` occurs in the batch."""
        return slot in self._rows

    def rows(self, slot: str) -> I32 | None:
        """Return the attribute row of each owner (-1: none), or None where no owner has the slot."""
        return self._rows.get(slot)

    def has(self, slot: str) -> Mask:
        """Return which owners have `slot`."""
        rows = self._rows.get(slot)
        return np.zeros(self.owners, np.bool_) if rows is None else rows >= 0

    def slices(self, slot: str) -> Slices:
        """Return the slot's text; of an array of texts (captured headers), the first one."""
        rows = self._rows.get(slot)
        if rows is None:
            nothing = np.full(self.owners, -1, np.int32)
            return Slices(self._texts.data, readonly(nothing * 0), readonly(nothing))
        start, length = _cut(rows, self._kinds, self._texts.data, self._texts.offsets)
        return Slices(self._texts.data, readonly(start), readonly(length))

    def numbers(self, slot: str, scale: int = 1) -> tuple[I64, Mask] | None:
        """Return the slot's numbers times `scale`, and which owners have one; None where nobody does."""
        rows = self._rows.get(slot)
        if rows is None:
            return None
        return values.numbers(rows, self._kinds, self._numbers, self._texts.data, self._texts.offsets, scale)

    def flags(self, slot: str) -> tuple[Mask, Mask] | None:
        """Return the slot's truth values, and which owners have one; None where nobody does."""
        rows = self._rows.get(slot)
        if rows is None:
            return None
        return values.flags(rows, self._kinds, self._numbers, self._texts.data, self._texts.offsets)

    def times(self, slot: str) -> tuple[I64, Mask] | None:
        """Return the slot's moments in nanoseconds since 1970, and which owners have one; None where nobody does."""
        rows = self._rows.get(slot)
        return None if rows is None else self.times_of(rows)

    def times_of(self, rows: I32) -> tuple[I64, Mask]:
        """Return the moments that attribute rows hold."""
        return values.times(rows, self._kinds, self._numbers, self._texts.data, self._texts.offsets)

    def go_durations(self, slot: str) -> tuple[I64, Mask] | None:
        """Return the slot's durations as Go writes them, in nanoseconds; None where nobody has one."""
        rows = self._rows.get(slot)
        return None if rows is None else values.go_durations(rows, self._texts.data, self._texts.offsets)


def _meanings(keys: pa.StringArray, words: Vocabulary) -> tuple[I32, I32, list[str]]:
    """Return per key code its slot (among those that occur, -1 none) and rank, and the names of those slots."""
    found = [words.meaning.get(canonical(key)) for key in keys.to_pylist()]
    occurring = sorted({pair[0] for pair in found if pair is not None})
    number = {slot: at for at, slot in enumerate(occurring)}
    slot_of = np.array([-1 if pair is None else number[pair[0]] for pair in found], np.int32)
    rank_of = np.array([0 if pair is None else pair[1] for pair in found], np.int32)
    return readonly(slot_of), readonly(rank_of), [words.slots[slot] for slot in occurring]


@kernel
def _cut(rows: I32, kinds: U8, data: U8, offsets: I32) -> tuple[I32, I32]:
    """Return where each row's text lies; of a JSON list, where its first entry does. Length -1: no row."""
    start = np.zeros(len(rows), np.int32)
    length = np.full(len(rows), -1, np.int32)
    for i in range(len(rows)):
        row = rows[i]
        if row < 0:
            continue
        at = offsets[row]
        end = offsets[row + 1]
        if kinds[row] == 6 and end - at > 2:
            at += 1
            quoted = data[at] == 34
            at += 1 if quoted else 0
            stop = at
            while stop < end and not (data[stop] == 34 if quoted else (data[stop] == 44 or data[stop] == 93)):
                stop += 1
            end = stop
        if end > at:
            start[i] = at
            length[i] = end - at
    return start, length
