"""Compiled code made ready before the doors open, so that no sender waits for the compiler.

The first start of an installation compiles the decoder's kernels, which takes a while; later ones only load them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf import json_format  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from collector.decoding.decode import Body

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from collector.decoding.decode import Signal


def _attributes() -> list[KeyValue]:
    text = AnyValue(string_value="GET")
    values = {
        "http.request.method": text,
        "url.full": AnyValue(string_value="https://api.internal/v1/me?x=1"),
        "http.response.status_code": AnyValue(int_value=200),
        "http.route": AnyValue(string_value="/v1/me"),
        "http.request.header.x-request-id": AnyValue(string_value="0" * 32),
        "db.query.text": AnyValue(string_value="SELECT 1"),
        "ratio": AnyValue(double_value=0.5),
        "hit": AnyValue(bool_value=True),
        "raw": AnyValue(bytes_value=b"x"),
        "list": AnyValue(array_value=ArrayValue(values=[text])),
        "map": AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="a", value=text)])),
    }
    return [KeyValue(key=key, value=value) for key, value in values.items()]


def _traces() -> Any:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value="warming")))
    for kind in range(1, 6):
        span = resource.scope_spans.add().spans.add(name="GET /v1/me", kind=kind)
        span.trace_id, span.span_id = b"\x01" * 16, bytes([kind] * 8)
        span.start_time_unix_nano, span.end_time_unix_nano = 1, 2
        span.attributes.extend(_attributes())
        span.events.add(time_unix_nano=1, name="exception", attributes=_attributes())
        span.links.add(trace_id=b"\x01" * 16, span_id=b"\x01" * 8, attributes=_attributes())
    return request


def _logs() -> Any:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=1)
    record.body.string_value = "warming"
    record.attributes.extend(_attributes())
    return request


def _metrics() -> Any:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="http.client.open_connections")
    metric.gauge.data_points.add(time_unix_nano=1, as_int=1, attributes=_attributes())
    return request


def warm(ingest: Callable[[Sequence[Body]], object]) -> None:
    """Run requests of every signal and encoding through the decoder, and drop what comes of them."""
    requests: dict[Signal, Any] = {"traces": _traces(), "logs": _logs(), "metrics": _metrics()}
    for signal, request in requests.items():
        ingest([Body(request.SerializeToString(), "protobuf", signal)])
        ingest([Body(json_format.MessageToJson(request, use_integers_for_enums=True).encode(), "json", signal)])
