"""Real SDKs against real doors: what their exporters send is in the store."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as over_grpc
from opentelemetry.exporter.otlp.proto.http import Compression as HttpCompression
from opentelemetry.exporter.otlp.proto.http import trace_exporter as over_http
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import SpanKind

from tests.collector import traffic
from tests.conftest import skip_or_fail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.sdk.trace.export import SpanExporter

    from collector.serve import Collector

NODE = Path(__file__).with_name("node")
ROWS = "SELECT name, kind, trace_hi, trace_lo, span_id, parent_id, resource_id FROM base.spans ORDER BY start_ns"


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    with traffic.running(tmp_path) as running:
        yield running


def grpc_plain(collector: Collector) -> SpanExporter:
    return over_grpc.OTLPSpanExporter(endpoint=f"http://{collector.grpc}", insecure=True)


def grpc_gzip(collector: Collector) -> SpanExporter:
    import grpc

    compression = grpc.Compression.Gzip
    return over_grpc.OTLPSpanExporter(endpoint=f"http://{collector.grpc}", insecure=True, compression=compression)


def http_with(compression: HttpCompression) -> Callable[[Collector], SpanExporter]:
    def make(collector: Collector) -> SpanExporter:
        return over_http.OTLPSpanExporter(endpoint=f"http://{collector.http}/v1/traces", compression=compression)

    return make


EXPORTERS = {
    "grpc": grpc_plain,
    "grpc gzip": grpc_gzip,
    "http": http_with(HttpCompression.NoCompression),
    "http gzip": http_with(HttpCompression.Gzip),
    "http deflate": http_with(HttpCompression.Deflate),
}


@pytest.mark.parametrize("name", EXPORTERS)
def test_what_the_python_sdk_sends_is_stored(collector: Collector, name: str) -> None:
    provider = TracerProvider(resource=Resource.create({"service.name": "checkout", "service.version": "7"}))
    provider.add_span_processor(BatchSpanProcessor(EXPORTERS[name](collector)))
    tracer = provider.get_tracer("shop", "1.0")
    with tracer.start_as_current_span("GET /cart", kind=SpanKind.SERVER) as server:
        server.set_attributes({"http.request.method": "GET", "http.route": "/cart", "http.response.status_code": 200})
        with tracer.start_as_current_span("SELECT", kind=SpanKind.CLIENT) as client:
            client.add_event("retry", {"attempt": 1})
    assert provider.force_flush()
    provider.shutdown()
    rows = collector.store.query(ROWS).to_dicts()
    assert [(row["name"], row["kind"]) for row in rows] == [("GET /cart", 2), ("SELECT", 3)]
    parent, child = rows
    assert child["parent_id"] == parent["span_id"] == server.get_span_context().span_id
    assert (parent["trace_hi"] << 64) + parent["trace_lo"] == server.get_span_context().trace_id
    resource = collector.store.query("SELECT service, service_version FROM base.resources").row(0)
    assert resource == ("checkout", "7")
    assert traffic.count(collector.store, "span_events") == 1


def test_an_exporter_that_is_sent_away_comes_back_and_loses_nothing(tmp_path: Path) -> None:
    """The queue holds one request of several: the SDK waits as RetryInfo says and sends again."""
    provider = TracerProvider()
    spans = [provider.get_tracer("t").start_span(f"span {number}") for number in range(400)]
    for span in spans:
        span.end()
    with traffic.running(tmp_path, queue_bytes=1) as collector:
        exporters = [grpc_plain(collector), *[http_with(HttpCompression.Gzip)(collector) for _ in range(3)]]
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(len(exporters)) as threads:
            parts: list[Any] = [spans[100 * at : 100 * at + 100] for at in range(len(exporters))]
            results = list(threads.map(lambda exporter, part: exporter.export(part), exporters, parts))
        assert results == [SpanExportResult.SUCCESS] * len(exporters)
        assert traffic.count(collector.store, "spans") == 400
        for exporter in exporters:
            exporter.shutdown()


@pytest.fixture(scope="session")
def node_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the Node SDK installed."""
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json", "send.mjs"):
        shutil.copy(NODE / name, folder)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=240)
    if done.returncode:
        skip_or_fail(f"npm cannot install the Node SDK: {done.stderr.strip()[-300:]}")
    return folder


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf", "http/json"])
def test_what_the_node_sdk_sends_is_stored(
    collector: Collector,
    protocol: str,
    requires_program: Callable[[str], str],
    request: pytest.FixtureRequest,
) -> None:
    node = requires_program("node")
    requires_program("npm")
    folder = request.getfixturevalue("node_project")
    endpoint = f"http://{collector.grpc}" if protocol == "grpc" else f"http://{collector.http}"
    told = subprocess.run(
        [node, "send.mjs"],
        cwd=folder,
        env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol},
        check=True,
        capture_output=True,
        text=True,
        timeout=traffic.DEADLINE_S,
    )
    sent = json.loads(told.stdout)
    rows = collector.store.query(ROWS).to_dicts()
    assert {f"{row['span_id']:016x}": row["name"] for row in rows} == {span["id"]: span["name"] for span in sent}
    assert {f"{row['trace_hi']:016x}{row['trace_lo']:016x}" for row in rows} == {span["trace"] for span in sent}
    assert collector.store.query("SELECT service FROM base.resources").row(0) == ("edge-web",)
