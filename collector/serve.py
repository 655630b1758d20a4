"""The collector assembled: store, queue, doors, queries and the settling of traces, started and stopped in order."""

from __future__ import annotations

import logging
import resource
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from collector.doors import Doors
from collector.groups import Groups
from collector.grpc_door import GrpcDoor
from collector.http_door import HttpDoor
from collector.ingest import ingest
from collector.intake import QUEUE_BYTES, Intake
from collector.recorder import Recorder
from collector.telemetry import Telemetry
from seamscope.errors import UsageError
from seamscope.store import Settings as StoreSettings
from seamscope.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from collector.addresses import Address
    from seamscope.config import Config

_log = logging.getLogger(__name__)

GRACE_S: Final = 10.0
"""How long requests in flight may take to end when the collector stops."""

MIB: Final = 1 << 20
MIN_MEMORY: Final = 256 * MIB


@dataclass(frozen=True, slots=True)
class Plan:
    """What a collector is to do.

    Attributes:
        db: the store's file, made where it is missing.
        grpc: where to listen for OTLP/gRPC.
        http: where to listen for OTLP/HTTP.
        settle_s: seconds without a new span after which a trace is analysed.
        record: folder that keeps the raw bodies received; None for none.
        memory_bytes: for DuckDB and the intake queue together (the program itself comes on top).
        public: others than this machine may connect.
    """

    db: Path
    grpc: Address
    http: Address
    settle_s: float = 10.0
    record: Path | None = None
    memory_bytes: int = 1024 * MIB
    public: bool = False

    @property
    def queue_bytes(self) -> int:
        """The intake queue's part of the memory."""
        return min(QUEUE_BYTES, self.memory_bytes // 8)


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
        self._config = config
        self._parts = ExitStack()

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
            UsageError: an address that others than this machine can reach, without `Plan.public`.
            StoreError: the store cannot be opened, or the recording not be written.
            EndpointError: an address cannot be had.
        """
        _check_loopback(self.plan)
        _raise_file_limit()
        with ExitStack() as parts:
            settings = StoreSettings(memory_bytes=self.plan.memory_bytes - self.plan.queue_bytes)
            self.store = Store.open(self.plan.db, settings=settings)
            parts.callback(self.store.close)
            intake = self._intake(parts)
            intake.start()
            parts.callback(intake.stop)
            doors = Doors(
                GrpcDoor(intake, self.telemetry, self.plan.grpc), HttpDoor(intake, self.telemetry, self.plan.http)
            )
            self.grpc, self.http = doors.open()
            parts.callback(doors.close, GRACE_S)
            self._parts = parts.pop_all()

    def stop(self) -> None:
        """Stop listening, answer what is held, analyse what has settled, and close the store."""
        self._parts.close()

    def _intake(self, parts: ExitStack) -> Intake:
        on_stored = None
        if self.plan.record is not None:
            recorder = Recorder(self.plan.record)
            parts.callback(recorder.close)
            on_stored = recorder.write
        groups = Groups(partial(ingest, rules=self._config.rules), self.store, self.telemetry)
        return Intake(groups, self.telemetry, on_stored=on_stored, queue_bytes=self.plan.queue_bytes)


def _check_loopback(plan: Plan) -> None:
    for address in (plan.grpc, plan.http):
        if not plan.public and not address.is_loopback():
            raise UsageError(
                f"{address} can be reached from other machines, without encryption or a token",
                "listen on 127.0.0.1, or say --insecure-public if the network is yours alone",
            )


def _raise_file_limit() -> None:
    """Every connection is a file; take what the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
