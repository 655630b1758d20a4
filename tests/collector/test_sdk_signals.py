"""Real SDKs' logs and metrics against real doors: what their exporters send is in the store, or counted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc import _log_exporter as logs_over_grpc
from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as metrics_over_grpc
from opentelemetry.exporter.otlp.proto.http import _log_exporter as logs_over_http
from opentelemetry.exporter.otlp.proto.http import metric_exporter as metrics_over_http
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from collector.doors.otlp_status import REPLIES
from tests.collector import traffic
from tests.collector.transports import TRANSPORTS, send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from opentelemetry.sdk._logs.export import LogRecordExporter
    from opentelemetry.sdk.metrics.export import MetricExporter

    from collector.serve import Collector
    from tests.collector.transports import Transport

RESOURCE = Resource.create({"service.name": "checkout", "host.name": "h-1"})


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    with traffic.running(tmp_path) as running:
        yield running


def counted(collector: Collector, signal: str) -> dict[str, Any]:
    """Return what the collector counted of a signal."""
    signals: Any = collector.telemetry.snapshot()["signals"]
    return {name: signals[signal][name] for name in ("accepted", "rejected", "refused_requests", "invalid_requests")}


def log_exporter(collector: Collector, over: str) -> LogRecordExporter:
    if over == "grpc":
        return logs_over_grpc.OTLPLogExporter(endpoint=f"http://{collector.grpc}", insecure=True)
    return logs_over_http.OTLPLogExporter(endpoint=f"http://{collector.http}/v1/logs")


@pytest.mark.parametrize("over", ["grpc", "http"])
def test_logs_of_the_python_sdk_are_stored(collector: Collector, over: str) -> None:
    provider = LoggerProvider(resource=RESOURCE)
    provider.add_log_record_processor(BatchLogRecordProcessor(log_exporter(collector, over)))
    logger = provider.get_logger("shop")
    with TracerProvider().get_tracer("shop").start_as_current_span("GET /cart") as span:
        logger.emit(
            LogRecord(
                timestamp=traffic.START_NS,
                severity_number=SeverityNumber.WARN,
                severity_text="WARNING",
                body="stock is short",
                attributes={"request_id": "r-1", "items": 3},
            )
        )
    logger.emit(LogRecord(timestamp=traffic.START_NS + 1, body={"paid": True, "sums": [1, 2]}, event_name="paid"))
    assert provider.force_flush()
    provider.shutdown()
    rows = collector.store.query(
        "SELECT trace_id, span_id, time_ns, severity, severity_text, event_name, body, service, scope, correlation_id,"
        " attr(attributes, 'items') AS items FROM logs ORDER BY time_ns"
    ).rows()
    trace_id, span_id = (f"{span.get_span_context().trace_id:032x}", f"{span.get_span_context().span_id:016x}")
    start = traffic.START_NS
    assert rows == [
        (trace_id, span_id, start, 13, "WARNING", "", "stock is short", "checkout", "shop", "r-1", "3"),
        (None, None, start + 1, 0, "", "paid", '{"paid":true,"sums":[1,2]}', "checkout", "shop", None, None),
    ]
    assert counted(collector, "logs") == {"accepted": 2, "rejected": {}, "refused_requests": {}, "invalid_requests": 0}


def metric_exporter(collector: Collector, over: str) -> MetricExporter:
    if over == "grpc":
        return metrics_over_grpc.OTLPMetricExporter(endpoint=f"http://{collector.grpc}", insecure=True)
    return metrics_over_http.OTLPMetricExporter(endpoint=f"http://{collector.http}/v1/metrics")


@pytest.mark.parametrize("over", ["grpc", "http"])
def test_metrics_of_the_python_sdk_are_stored_or_counted(collector: Collector, over: str) -> None:
    reader = PeriodicExportingMetricReader(metric_exporter(collector, over), export_interval_millis=3_600_000)
    provider = MeterProvider([reader], RESOURCE)
    meter = provider.get_meter("pool")
    pool = {"db.client.connection.pool.name": "main"}
    meter.create_up_down_counter("db.client.connection.pending_requests").add(12, pool)
    connections = meter.create_up_down_counter("db.client.connection.count")
    connections.add(4, {**pool, "db.client.connection.state": "used"})
    waits = meter.create_histogram("db.client.connection.wait_time", "s")
    for seconds in (0.25, 0.5):
        waits.record(seconds, pool)
    meter.create_counter("shop.orders").add(1)
    meter.create_histogram("http.server.request.duration", "s").record(0.1)
    assert provider.force_flush()
    provider.shutdown()
    rows = collector.store.query(
        "SELECT instrument, subject, measure, service, instance, pool, state, value, count, sum, min, max, cumulative"
        " FROM metric_points WHERE time_ns = (SELECT min(time_ns) FROM metric_points) ORDER BY instrument"
    ).rows()
    who, name = ("checkout", "h-1", "main"), "db.client.connection"
    assert rows == [
        (f"{name}.count", "db_pool", "connections", *who, "used", 4.0, None, None, None, None, True),
        (f"{name}.pending_requests", "db_pool", "waiting", *who, None, 12.0, None, None, None, None, True),
        (f"{name}.wait_time", "db_pool", "wait_time", *who, None, None, 2, 75e7, 25e7, 5e8, True),
    ]
    signals: Any = collector.telemetry.snapshot()["signals"]
    stored = traffic.count(collector.store, "metric_points")
    assert signals["metrics"]["accepted"] == stored + signals["metrics"]["unkept"]
    assert (stored, signals["metrics"]["unkept"]) in {(3, 2), (6, 4)}  # a shutdown may export once more
    assert counted(collector, "metrics")["rejected"] == {}


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("signal", ["logs", "metrics"])
def test_sent_is_stored_and_rejected_and_refused(tmp_path: Path, transport: Transport, signal: str) -> None:
    """Eight items that can be kept and one that cannot, from several at once, into a queue that holds one request."""

    def request(number: int) -> Any:
        made: Any = traffic.logs(9) if signal == "logs" else traffic.metrics(9)
        if signal == "logs":
            items = made.resource_logs[0].scope_logs[0].log_records
        else:
            metric = made.resource_metrics[0].scope_metrics[0].metrics[0]
            metric.name = "kestrel.queued_requests"
            items = metric.gauge.data_points
        for item in items:  # no two requests bring the same ones
            item.time_unix_nano += number
        items[4].time_unix_nano = 2**63
        return made

    with traffic.running(tmp_path, queue_bytes=1) as collector, ThreadPoolExecutor(8) as threads:
        said = list(threads.map(lambda number: send(transport, collector, request(number), signal), range(24)))
        taken = [each.reply.partial_success for each in said if each.verdict == "ok"]
        refused = [each for each in said if each.verdict == "later"]
        assert taken
        assert len(taken) + len(refused) == 24
        assert all(each.delay_s for each in refused)
        field = REPLIES[signal][1]
        assert {getattr(partial, field) for partial in taken} == {1}
        assert {partial.error_message for partial in taken} == {"rejected by reason: time_out_of_range: 1"}
        stored = traffic.count(collector.store, {"logs": "logs", "metrics": "metric_points"}[signal])
        assert stored == 8 * len(taken)
        counts = counted(collector, signal)
        assert (counts["accepted"], counts["rejected"]) == (stored, {"time_out_of_range": len(taken)})
        assert sum(counts["refused_requests"].values()) == len(refused)
