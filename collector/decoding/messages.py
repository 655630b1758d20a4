"""Requests as official protobuf objects, for the paths where a person waits and not a stream: replaying, converting."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import json_format  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from seamscope.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from collector.decoding.decode import Body, Signal

REQUESTS: Final[Mapping[Signal, Any]] = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}
"""The request message of each signal."""

_IDS: Final = frozenset({"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"})
_WORDS: Final = {"kind": "SPAN_KIND_", "code": "STATUS_CODE_"}
"""Enumerations, whose words the collector takes in any case, with or without these prefixes."""
_METRIC_KINDS: Final = ("gauge", "sum", "histogram", "exponential_histogram", "summary")


def parse(body: Body) -> Any:
    """Return the request message of a body.

    Raises:
        DataError: the body is not one.
    """
    message = REQUESTS[body.signal]()
    try:
        if body.encoding == "protobuf":
            message.ParseFromString(body.data)
        else:
            json_format.ParseDict(_as_protobuf_has_it(json.loads(body.data)), message, ignore_unknown_fields=True)
    except (DecodeError, json_format.ParseError, TypeError, ValueError, RecursionError) as error:
        raise DataError(f"not an OTLP {body.signal} request in {body.encoding}: {error}") from None
    return message


def _as_protobuf_has_it(node: Any) -> Any:
    """Return OTLP's JSON as protobuf's: ids in base64 instead of hexadecimal, enumerations in their whole words."""
    if isinstance(node, list):
        return [_as_protobuf_has_it(each) for each in node]
    if isinstance(node, dict):
        return {key: _value(key, value) for key, value in node.items()}
    return node


def _value(key: str, value: Any) -> Any:
    if key in _IDS:
        return _binary_id(value)
    if key in _WORDS and isinstance(value, str) and not value.isdecimal():
        return _WORDS[key] + value.upper().removeprefix(_WORDS[key])
    return _as_protobuf_has_it(value)


def _binary_id(text: Any) -> str | None:
    try:
        return base64.b64encode(binascii.unhexlify(text)).decode() if text is not None else None
    except (TypeError, binascii.Error) as error:
        raise ValueError(f"{text!r} is not a hexadecimal id") from error


def items(message: Any) -> Iterator[Any]:
    """Yield the spans, log records or metric data points of a request message."""
    for resource in _resources(message):
        for scope in _scopes(resource):
            yield from _items_of_scope(scope)


def _resources(message: Any) -> Any:
    for field in ("resource_spans", "resource_logs", "resource_metrics"):
        if hasattr(message, field):
            return getattr(message, field)
    raise TypeError(type(message).__name__)


def _scopes(resource: Any) -> Any:
    for field in ("scope_spans", "scope_logs", "scope_metrics"):
        if hasattr(resource, field):
            return getattr(resource, field)
    raise TypeError(type(resource).__name__)


def _items_of_scope(scope: Any) -> Iterator[Any]:
    if hasattr(scope, "spans"):
        yield from scope.spans
    elif hasattr(scope, "log_records"):
        yield from scope.log_records
    else:
        for metric in scope.metrics:
            for kind in _METRIC_KINDS:
                if metric.HasField(kind):
                    yield from getattr(metric, kind).data_points
