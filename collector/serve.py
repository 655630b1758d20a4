"""The collector assembled: store, queue, doors, queries and the settling of traces, started and stopped in order."""

from __future__ import annotations

import logging
import resource
import shutil
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Self, cast

from collector.decoding.decode import Body
from collector.doors.entry import Security, entry
from collector.doors.grpc_door import GrpcDoor
from collector.doors.http_door import HttpDoor
from collector.doors.listening import Doors
from collector.doors.query_door import serve_queries
from collector.doors.room import PATIENCE_S, Room
from collector.groups import Groups
from collector.ingest import ingest
from collector.intake import Intake, RefusedError
from collector.memory import MemoryWatch, kernels_limit, resident_bytes, shares
from collector.recorder import Recorder
from collector.self_metrics import SelfMetrics
from collector.settling import Settling
from collector.telemetry import Telemetry, by_signal
from collector.upkeep import Bounds, Upkeep
from collector.warming import warm
from seamscope.errors import SeamscopeError, StoreDamagedError
from seamscope.remote import socket_path
from seamscope.store import Settings as StoreSettings
from seamscope.store import Store
from seamscope.store.salvage import salvage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from collector.decoding.decode import Encoding, Signal
    from collector.doors.addresses import Address
    from collector.ingest import Ingested
    from seamscope.config import Config

_log = logging.getLogger(__name__)

GRACE_S: Final = 10.0
"""How long requests in flight may take to end when the collector stops."""


IMPORT_S: Final = 60.0
"""How long an imported body waits for room in the queue."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a collector is to do.

    Attributes:
        db: the store's file, made where it is missing.
        grpc: where to listen for OTLP/gRPC.
        http: where to listen for OTLP/HTTP.
        settle_s: seconds without a new span after which a trace is analysed.
        record: folder that keeps the raw bodies received; None for none.
        memory_bytes: what the process may hold (`collector.memory.shares` shares it out).
        wait_s: how long a request that comes while the queue is full waits before it is refused.
        queue_bytes: bodies held, from arrival to answer, before further ones are refused; None for its share.
        security: who may come in.
        metrics_endpoint: where to send its own metrics as OTLP; None for nowhere.
        metrics_every_s: how often.
        bounds: how long and how much it keeps.
    """

    db: Path
    grpc: Address
    http: Address
    settle_s: float = 10.0
    record: Path | None = None
    memory_bytes: int = 1 << 30
    wait_s: float = PATIENCE_S
    queue_bytes: int | None = None
    security: Security = field(default_factory=Security)
    metrics_endpoint: str | None = None
    metrics_every_s: float = 60.0
    bounds: Bounds = field(default_factory=Bounds)


class Collector:
    """A running collector; use it in a `with` block, or call `start` and `stop`.

    Attributes:
        plan: what it was asked to do.
        telemetry: what it counts.
        store: the open store (after `start`).
        grpc: the gRPC address with its real port (after `start`).
        http: the HTTP address with its real port (after `start`).
    """

    store: Store
    grpc: Address
    http: Address

    def __init__(self, plan: Plan, config: Config) -> None:
        self.plan = plan
        self.telemetry = Telemetry()
        self._shares = shares(plan.memory_bytes, kernels_limit())
        self._queue_bytes = plan.queue_bytes or self._shares.queue_bytes
        self._watch = MemoryWatch(self._shares.limit_bytes)
        self._config = config
        self._stopping = threading.Event()
        self._parts = ExitStack()
        self._telling: SelfMetrics | None = None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def start(self) -> None:
        """Open the store and the doors, the doors last: whoever can connect is served.

        Raises:
            SeamscopeError: a library is known to lose data or memory.
            UsageError: an address that others than this machine can reach, without TLS and a token.
            DataError: a token file or a certificate is not what it should be.
            StoreError: the store cannot be opened, or the recording not be written.
            EndpointError: an address cannot be had.
        """
        _check_libraries()
        _check_addresses(self.plan)
        self._entry = entry(self.plan.security, self._queue_bytes)
        _raise_file_limit()
        with ExitStack() as parts:
            self._open_store(parts)
            warm(self._ingest)
            self._settle(parts)
            self._keep_up(parts)
            self._intake = self._make_intake(parts)
            self._lend(parts)
            self._tell(parts)
            self._intake.start()
            parts.callback(self._intake.stop)
            self._open_doors(parts)
            parts.callback(self._settling.hurry)  # first of all: what ends after it waits for the analysis
            self._parts = parts.pop_all()

    def stop(self) -> None:
        """Stop listening, answer what is held, analyse what settled while there is time, and close the store."""
        self._stopping.set()
        self._parts.close()
        if self._telling is not None:
            self._telling.stop()

    def analyze(self) -> Mapping[str, object]:
        """Analyse all that is stored, settled or not; say what was done (as `seamscope.runs.RunSummary`).

        Raises:
            StoreError: the collector is stopping, and not all was.
        """
        return self._settling.analyze(everything=False)

    def hurry(self) -> None:
        """Begin to stop: nothing more is analysed in a few seconds, and `analyze` gives up."""
        self._settling.hurry()

    def _ingest(self, bodies: Sequence[Body]) -> Ingested:
        ingested = ingest(bodies, self._config.rules)
        return replace(ingested, tables=self.store.ready(ingested.tables))

    def _open_store(self, parts: ExitStack) -> None:
        held = self._shares
        settings = StoreSettings(memory_bytes=held.duckdb_bytes, guest_memory_bytes=held.guest_bytes)
        try:
            self.store = Store.open(self.plan.db, settings=settings, service_tier=self._config.service_tier)
        except StoreDamagedError as error:
            _log.error("%s", error.args[0])
            _log.error("%s is mended: %s", self.plan.db, salvage(self.plan.db))
            self.store = Store.open(self.plan.db, settings=settings, service_tier=self._config.service_tier)
        parts.callback(self.store.close)

    def _settle(self, parts: ExitStack) -> None:
        held = self._shares
        amounts = held.compared_spans, held.read_ahead
        self._settling = Settling(self.store, self._config, self.plan.settle_s, *amounts, self._watch.presses)
        self._settling.start()
        parts.callback(self._settling.stop)
        self.telemetry.looks_at("analysis_lag_s", lambda: round(self._settling.lag_s(), 3))
        self.telemetry.looks_at("analysis_failing", self._settling.failing)
        self.telemetry.looks_at("analysis_set_aside", self._settling.set_aside)
        self.telemetry.looks_at("free_disk_bytes", lambda: _free_bytes(self.plan.db))

    def _keep_up(self, parts: ExitStack) -> None:
        self._upkeep = Upkeep(self.store, self._settling, self.plan.bounds)
        self._upkeep.start()
        parts.callback(self._upkeep.stop)
        self.telemetry.looks_at("expired_items", lambda: by_signal(self._upkeep.expired))

    def _lend(self, parts: ExitStack) -> None:
        lent = serve_queries(
            self.store,
            socket_path(self.plan.db),
            on_import=self._import,
            on_analyze=self._settling.analyze,
            on_status=self.status,
        )
        parts.callback(lent.close)

    def _make_intake(self, parts: ExitStack) -> Intake:
        on_stored = None
        if self.plan.record is not None:
            recorder = Recorder(self.plan.record)
            parts.callback(recorder.close)
            on_stored = recorder.write
        groups = Groups(self._ingest, self.store, self.telemetry)
        self.telemetry.looks_at("resident_bytes", resident_bytes)
        return Intake(
            groups,
            self.telemetry,
            on_stored=on_stored,
            queue_bytes=self._queue_bytes,
            group_bytes=self._shares.group_bytes,
            room=self._watch.room,
        )

    def _open_doors(self, parts: ExitStack) -> None:
        lent = socket_path(self.plan.db).resolve()
        room = Room(self._intake, self.plan.wait_s)
        grpc_door = GrpcDoor(
            self._intake, self.telemetry, self.plan.grpc, self._entry, lent, room, self._shares.streams
        )
        doors = Doors(grpc_door, HttpDoor(self._intake, self.telemetry, self.plan.http, self._entry, room))
        self.grpc, self.http = doors.open()
        parts.callback(doors.close, GRACE_S)

    def _tell(self, parts: ExitStack) -> None:
        if self.plan.metrics_endpoint is not None:
            self._telling = SelfMetrics(self.telemetry, self.plan.metrics_endpoint, self.plan.metrics_every_s)
            self._telling.start()
            parts.callback(self._telling.end)  # it sends while the rest ends

    @property
    def http_url(self) -> str:
        """Where OTLP/HTTP is listened for, as a URL."""
        return f"http{'s' if self.plan.security.tls_cert else ''}://{self.http}"

    def status(self) -> Mapping[str, object]:
        """Return where it listens and what it counts, as JSON."""
        listening = {"grpc": str(self.grpc), "http": self.http_url} if hasattr(self, "http") else {}
        return {**listening, "telemetry": self.telemetry.snapshot()}

    def _import(self, data: bytes, *, encoding: str, signal: str) -> Mapping[str, object]:
        """Store a body for `seamscope import`, which waits where an exporter would be sent away."""
        body = Body(data, cast("Encoding", encoding), cast("Signal", signal))
        until = time.monotonic() + IMPORT_S
        while True:
            try:
                outcome = self._intake.submit(body).result()
            except RefusedError as error:
                if time.monotonic() > until or self._stopping.wait(min(error.retry_after_s, 0.2)):
                    raise
            else:
                rejected, notes = dict(outcome.rejected), dict(outcome.notes)
                return {"accepted": outcome.accepted, "rejected": rejected, "notes": notes, "error": outcome.error}


def _check_libraries() -> None:
    """Refuse to run on libraries that `seamscope doctor` would call a problem."""
    from seamscope.health import PROBLEM, dependencies

    for check in dependencies():
        if check.state == PROBLEM:
            raise SeamscopeError(f"not with these libraries: {check.said}", check.hint)


def _check_addresses(plan: Plan) -> None:
    """Refuse what cannot be, before a store is made."""
    plan.security.check((plan.grpc, plan.http))
    for address, what, option in ((plan.grpc, "OTLP/gRPC", "--grpc"), (plan.http, "OTLP/HTTP", "--http")):
        address.listen(what, option).close()


def _free_bytes(db: Path) -> int:
    try:
        return shutil.disk_usage(db.resolve().parent).free
    except OSError:  # the folder is gone
        return 0


def _raise_file_limit() -> None:
    """Every connection is a file; take what the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
