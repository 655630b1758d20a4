"""Traffic for the doors: requests as the official classes make them, ways to send them, collectors to take them."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import grpc
from google.protobuf import json_format  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from collector.doors.addresses import Address
from collector.serve import Collector, Plan
from seamscope.config import Config

if TYPE_CHECKING:
    import signal
    import ssl
    from collections.abc import Iterator, Sequence

    from seamscope.store import Store

PROJECT = Path(__file__).resolve().parents[2]
START_NS = 1_760_000_000_000_000_000
DEADLINE_S = 60.0
"""How long a program may take to start or stop before the test fails; far more than it needs."""

METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}


def _attribute(key: str, value: str | int) -> KeyValue:
    return KeyValue(
        key=key, value=AnyValue(string_value=value) if isinstance(value, str) else AnyValue(int_value=value)
    )


def spans(count: int, seed: int = 0, service: str = "orders") -> ExportTraceServiceRequest:
    """Return a request of `count` spans, eight to a trace; another seed gives other spans."""
    numbers = random.Random(f"{seed}")  # noqa: S311 - to be repeated, not to be secret
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.append(_attribute("service.name", service))
    scope = resource.scope_spans.add()
    scope.scope.name = "traffic"
    trace_id = b""
    for number in range(count):
        if number % 8 == 0:
            trace_id = numbers.randbytes(16)
        span = scope.spans.add()
        span.trace_id, span.span_id = trace_id, numbers.randbytes(8)
        span.name, span.kind = f"GET /v1/{number % 5}", 2
        span.start_time_unix_nano = START_NS + number * 1_000_000
        span.end_time_unix_nano = span.start_time_unix_nano + 500_000
        span.attributes.extend([_attribute("http.request.method", "GET"), _attribute("http.response.status_code", 200)])
    return request


def span_ids(request: ExportTraceServiceRequest) -> set[int]:
    """Return the span ids of a request as the store has them."""
    scopes = [scope for resource in request.resource_spans for scope in resource.scope_spans]
    return {int.from_bytes(span.span_id, "big") for scope in scopes for span in scope.spans}


def logs(count: int) -> ExportLogsServiceRequest:
    """Return a request of `count` log records."""
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for number in range(count):
        scope.log_records.add(time_unix_nano=START_NS + number, body=AnyValue(string_value=f"line {number}"))
    return request


def metrics(count: int) -> ExportMetricsServiceRequest:
    """Return a request of `count` data points of one gauge."""
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="load")
    for number in range(count):
        metric.gauge.data_points.add(time_unix_nano=START_NS + number, as_int=number)
    return request


def as_json(request: Any) -> bytes:
    """Return a request in OTLP's JSON: ids in hexadecimal, enums as numbers."""
    document = json_format.MessageToDict(request, use_integers_for_enums=True)

    def with_hex_ids(node: Any) -> Any:
        import base64

        if isinstance(node, list):
            return [with_hex_ids(each) for each in node]
        if isinstance(node, dict):
            return {
                key: base64.b64decode(value).hex()
                if key in {"traceId", "spanId", "parentSpanId"}
                else with_hex_ids(value)
                for key, value in node.items()
            }
        return node

    return json.dumps(with_hex_ids(document)).encode()


@dataclass(frozen=True)
class Reply:
    """What a gRPC call ended with."""

    code: grpc.StatusCode
    message: str
    data: bytes
    details: bytes | None


def call(
    address: Address,
    data: bytes,
    signal_: str = "traces",
    *,
    compressed: bool = False,
    metadata: Sequence[tuple[str, str]] = (),
    credentials: Any = None,
) -> Reply:
    """Export over gRPC once, without retries; over TLS with credentials."""
    options = [("grpc.max_send_message_length", 1 << 30)]
    secure = credentials is not None
    made = grpc.secure_channel(str(address), credentials, options) if secure else None
    with made or grpc.insecure_channel(str(address), options=options) as channel:
        export = channel.unary_unary(METHODS[signal_])
        compression = grpc.Compression.Gzip if compressed else None
        try:  # who is kept out never gets ready, so nobody waits for that over TLS
            more = {"compression": compression, "metadata": metadata, "wait_for_ready": not secure}
            data = export(data, timeout=DEADLINE_S, **more)
        except grpc.RpcError as error:
            details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
            return Reply(error.code(), error.details() or "", b"", details)
    return Reply(grpc.StatusCode.OK, "", data, None)


@dataclass(frozen=True)
class Answer:
    """What an HTTP request was answered with."""

    status: int
    headers: dict[str, str]
    body: bytes


PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}


def post(
    address: Address,
    data: bytes,
    headers: dict[str, str],
    path: str = "/v1/traces",
    method: str = "POST",
    context: ssl.SSLContext | None = None,
) -> Answer:
    """Send one HTTP request on a connection of its own; over TLS with a context."""
    connection = (
        http.client.HTTPConnection(address.host, address.port, timeout=DEADLINE_S)
        if context is None
        else http.client.HTTPSConnection(address.host, address.port, timeout=DEADLINE_S, context=context)
    )
    try:
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        return Answer(answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def zipped(data: bytes) -> bytes:
    """Return bytes as `Content-Encoding: gzip` has them."""
    return gzip.compress(data, 1)


AMPLE_BYTES = 8 << 30
"""What a collector in the tests' own process may hold, whose tests hold much themselves."""


def any_port() -> Address:
    """Return a loopback address with a port that the system chooses."""
    return Address("127.0.0.1", 0)


@contextmanager
def running(folder: Path, **more: Any) -> Iterator[Collector]:
    """Run a collector in this process."""
    plan = {"grpc": any_port(), "http": any_port(), "memory_bytes": AMPLE_BYTES, **more}
    with Collector(Plan(folder / "store.duckdb", **plan), Config()) as collector:
        yield collector


def stored_spans(store: Store) -> set[int]:
    """Return the ids of the stored spans."""
    return set(store.query("SELECT span_id FROM base.spans")["span_id"].to_list())


def count(store: Store, table: str) -> int:
    """Return the rows of a table."""
    return int(store.query(f"SELECT count(*) AS rows FROM base.{table}")["rows"][0])  # noqa: S608 - ours


class Program:
    """`seamscope` in a process of its own; killed where it outlives its deadline."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        path = os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")])
        self._err = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed at the end
        self.process = subprocess.Popen(
            [sys.executable, "-m", "seamscope", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path, "SEAMSCOPE_DB": ""},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._err,
            text=True,
        )
        assert self.process.stdout is not None
        self._out = self.process.stdout
        self._watchdog = threading.Timer(DEADLINE_S, self.process.kill)
        self._watchdog.start()

    def line(self) -> str:
        """Return the next line of its output; empty at the end."""
        return self._out.readline()

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        """Wait for the end; return exit code, the rest of its output, and its errors without the word of patience."""
        out = self._out.read()
        code = self.process.wait()
        self._err.seek(0)
        err = "".join(line for line in self._err if not line.startswith("starting"))
        return code, out, err

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._watchdog.cancel()
        self._out.close()
        self._err.close()


@dataclass(frozen=True)
class Listening:
    """A `seamscope collect` that is ready."""

    program: Program
    grpc: Address
    http: Address


@contextmanager
def collecting(folder: Path, *arguments: str) -> Iterator[Listening]:
    """Run `seamscope collect` in a process of its own, on free ports, until it is ready."""
    ports = ("--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--ready-file", "ready.json")
    with Program(folder, "collect", *ports, *arguments) as program:
        program.line()  # comes once it is ready
        ready = folder / "ready.json"
        assert ready.exists(), program.end()
        about = json.loads(ready.read_text())
        yield Listening(program, Address.parse(about["grpc"]), Address.parse(about["http"].rpartition("//")[2]))
