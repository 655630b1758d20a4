"""What an outside client sends a collector, what was acknowledged, and how a store is held against it."""

from __future__ import annotations

import json
import random
import signal
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from seamscope.store import StoreFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from benchmarks.forked import Child, Nursery

EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
DEADLINE_S: Final = 60.0
NAMES: Final = ("GET /dash", "fetch GET", "pg.query SELECT")
OF_TRACE: Final = 8
"""Spans of a trace."""


class StartError(Exception):
    """A collector did not start; what it said."""


def body(dice: random.Random, spans: int) -> tuple[bytes, list[int]]:
    """Give a request of new spans, eight to a trace, and their ids."""
    message = ExportTraceServiceRequest()
    resource_spans = message.resource_spans.add()
    resource_spans.resource.attributes.add(key="service.name").value.string_value = "chaos"
    scope = resource_spans.scope_spans.add()
    ids = []
    for number in range(spans):
        if number % OF_TRACE == 0:
            trace = dice.randbytes(16)
        span = scope.spans.add(trace_id=trace, span_id=dice.randbytes(8), name=NAMES[number % 3], kind=2)
        span.start_time_unix_nano = 1_790_000_000_000_000_000 + number * 1_000_000
        span.end_time_unix_nano = span.start_time_unix_nano + 500_000
        ids.append(int.from_bytes(span.span_id, "big"))
    return message.SerializeToString(), ids


@dataclass
class Ledger:
    """What an outside client knows of its requests."""

    acknowledged: list[tuple[float, list[int]]] = field(default_factory=list)
    """When (monotonic seconds), and the spans' ids."""
    unanswered: list[tuple[bytes, list[int]]] = field(default_factory=list)
    expired: set[int] = field(default_factory=set)
    """Spans that were acknowledged, and that a collector with a bound on age may have deleted since."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, data: bytes, ids: list[int], *, stored: bool) -> None:
        """Note what became of a request."""
        with self.lock:
            if stored:
                self.acknowledged.append((time.monotonic(), ids))
            else:
                self.unanswered.append((data, ids))

    def expire(self, before_s: float) -> None:
        """Note that what was acknowledged before a moment may be gone."""
        old = [ids for at, ids in self.acknowledged if at < before_s]
        self.acknowledged = [(at, ids) for at, ids in self.acknowledged if at >= before_s]
        self.expired.update(one for ids in old for one in ids)

    def held_against(self, there: Mapping[int, int]) -> dict[str, int]:
        """Say what is wrong with a store that holds each span so often.

        Lost: acknowledged, not expired, and not there. Doubled: there more than once. Torn: of a request without an
        answer, which is there whole or not at all, a part.
        """
        sure = [one for _, ids in self.acknowledged for one in ids]
        return {
            "lost": sum(one not in there for one in sure),
            "doubled": sum(count > 1 for count in there.values()),
            "torn": sum(0 < sum(one in there for one in ids) < len(ids) for _, ids in self.unanswered),
        }


class Collector:
    """A collector over `FOLDER/s.duckdb`, and what it says."""

    def __init__(
        self,
        nursery: Nursery,
        folder: Path,
        options: Sequence[str] = (),
        dials: Mapping[str, float] | None = None,
    ) -> None:
        self._ready = folder / "ready.json"
        self._ready.unlink(missing_ok=True)
        self._said = folder / "said"
        ports = ("--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--ready-file", str(self._ready))
        command = ("collect", "--db", str(folder / "s.duckdb"), *ports, *options)
        self.process: Child = nursery.start(command, self._said, dials)

    def endpoint(self) -> str:
        """Give its gRPC address (see `ready`)."""
        return str(self.ready()["grpc"])

    def ready(self) -> dict[str, str]:
        """Wait until it is ready; give its addresses.

        Raises:
            StartError: it ended, or is not ready after a minute.
        """
        until = time.monotonic() + DEADLINE_S
        while not self._ready.exists():
            if self.process.poll() is not None or time.monotonic() > until:
                self.end(signal.SIGKILL)
                raise StartError(self.said()[-600:])
            time.sleep(0.002)
        addresses: dict[str, str] = json.loads(self._ready.read_text())
        return addresses

    def said(self) -> str:
        """Give all that it, and those before it, said."""
        return self._said.read_text()

    def end(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)


def send(endpoint: str, ledger: Ledger, seed: int, spans: int, stop: threading.Event) -> None:
    """Send request after request until told, or until nobody answers."""
    dice = random.Random(seed)
    with grpc.insecure_channel(endpoint) as channel:
        export = channel.unary_unary(EXPORT)
        while not stop.is_set():
            data, ids = body(dice, spans)
            try:
                export(data, timeout=DEADLINE_S)
            except grpc.RpcError as error:
                ledger.note(data, ids, stored=False)
                if error.details() and "send this request again" in str(error.details()):
                    stop.wait(0.05)
                    continue
                return
            ledger.note(data, ids, stored=True)


@contextmanager
def load(endpoint: str, ledger: Ledger, seed: int, spans: int, senders: int = 3) -> Iterator[None]:
    """Have senders send during a block."""
    stop = threading.Event()
    threads = [
        threading.Thread(target=send, args=(endpoint, ledger, 1_000 * seed + number, spans, stop))
        for number in range(senders)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def wait_for(ledger: Ledger, answers: int, process: Child) -> None:
    """Wait until so many requests more were acknowledged."""
    until = time.monotonic() + DEADLINE_S
    wanted = len(ledger.acknowledged) + answers
    while len(ledger.acknowledged) < wanted and process.poll() is None and time.monotonic() < until:
        time.sleep(0.002)


def stored(db: Path) -> Counter[int]:
    """Give how often each span id is stored."""
    with StoreFile.open(db) as store:
        found = store.query("SELECT span_id, count(*) AS n FROM base.span_rows GROUP BY span_id")
    return Counter(dict(found.iter_rows()))


def send_again(nursery: Nursery, folder: Path, ledger: Ledger) -> None:
    """Start the collector, send again what had no answer, as an exporter does, and stop it in order."""
    collector = Collector(nursery, folder)
    waiting, ledger.unanswered = ledger.unanswered, []
    with grpc.insecure_channel(collector.endpoint()) as channel:
        export = channel.unary_unary(EXPORT)
        for data, ids in waiting:
            export(data, timeout=DEADLINE_S)
            ledger.note(data, ids, stored=True)
    collector.end(signal.SIGTERM)
