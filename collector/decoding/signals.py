"""The three signals of OTLP as layouts; of metrics, what a number or a histogram's count and sum need."""

from __future__ import annotations

from typing import Final

from collector.decoding import flat
from collector.decoding.layout import (
    BYTES,
    FIXED32,
    FIXED64,
    J_BOOL,
    J_BYTES,
    J_DOUBLE,
    J_ENUM,
    J_ID,
    J_MESSAGE,
    J_MESSAGES,
    J_SIGNED,
    J_TEXT,
    J_UNSIGNED,
    MESSAGE,
    NUMBER,
    OPAQUE,
    PASS,
    REFERENCE,
    VALUE,
    VARINT,
    Field,
    layout,
)

ATTRIBUTE_COLUMNS: Final = ("owner", "key", "type", "value")
"""Columns of every attribute table; an `AnyValue` fills the last two."""


def _text(number: int, name: str, column: int = -1) -> Field:
    return Field(number, name, BYTES, PASS if column < 0 else REFERENCE, J_TEXT, column)


def _identity(number: int, name: str, column: int) -> Field:
    return Field(number, name, BYTES, REFERENCE, J_ID, column)


def _time(number: int, name: str, column: int) -> Field:
    return Field(number, name, FIXED64, NUMBER, J_UNSIGNED, column)


def _count(number: int, name: str, column: int = -1) -> Field:
    return Field(number, name, VARINT, PASS if column < 0 else NUMBER, J_UNSIGNED, column)


def _enum(number: int, name: str, column: int) -> Field:
    return Field(number, name, VARINT, NUMBER, J_ENUM, column)


def _flags(number: int, name: str, column: int = -1) -> Field:
    return Field(number, name, FIXED32, PASS if column < 0 else NUMBER, J_UNSIGNED, column)


def _one(number: int, name: str, child: str, column: int = 0) -> Field:
    return Field(number, name, BYTES, MESSAGE, J_MESSAGE, column, child)


def _many(number: int, name: str, child: str, table: int = -1) -> Field:
    return Field(number, name, BYTES, MESSAGE, J_MESSAGES, 0, child, table)


_VALUES: Final = {
    "KeyValue": (_text(1, "key", 1), _one(2, "value", "AnyValue", 2)),
    "AnyValue": (
        Field(1, "stringValue", BYTES, VALUE, J_TEXT, code=flat.STRING),
        Field(2, "boolValue", VARINT, VALUE, J_BOOL, code=flat.BOOL),
        Field(3, "intValue", VARINT, VALUE, J_SIGNED, code=flat.INT),
        Field(4, "doubleValue", FIXED64, VALUE, J_DOUBLE, code=flat.DOUBLE),
        Field(5, "arrayValue", BYTES, OPAQUE, J_MESSAGE, child="ArrayValue"),
        Field(6, "kvlistValue", BYTES, OPAQUE, J_MESSAGE, child="KeyValueList"),
        Field(7, "bytesValue", BYTES, VALUE, J_BYTES, code=flat.BYTES),
        Field(8, "stringValueStrindex", VARINT, VALUE, J_SIGNED, code=flat.EMPTY),
    ),
    "ArrayValue": (_many(1, "values", "AnyValue"),),
    "KeyValueList": (_many(1, "values", "KeyValue"),),
    "EntityRef": (_text(1, "schemaUrl"), _text(2, "type")),
}
"""Messages that all signals share. A `KeyValue` fills the columns of an attribute table."""


def _resource(attributes: int) -> tuple[Field, ...]:
    attribute = _many(1, "attributes", "KeyValue", attributes)
    return (attribute, _count(2, "droppedAttributesCount"), _many(3, "entityRefs", "EntityRef"))


def _scope(name: int = -1, version: int = -1) -> tuple[Field, ...]:
    texts = (_text(1, "name", name), _text(2, "version", version))
    return (*texts, _many(3, "attributes", "Unkept"), _count(4, "droppedAttributesCount"))


def _around(request: str, signal: str, items: str, item: str, attributes: int) -> dict[str, tuple[Field, ...]]:
    """Return the messages around a signal's items: request, resources, scopes (tables 0, 1; items are table 2)."""
    of_resource, of_scope = f"Resource{signal}", f"Scope{signal}"
    return {
        request: (_many(1, f"resource{signal}", of_resource, 0),),
        of_resource: (_one(1, "resource", "Resource"), _many(2, f"scope{signal}", of_scope, 1), _text(3, "schemaUrl")),
        "Resource": _resource(attributes),
        of_scope: (_one(1, "scope", "Scope"), _many(2, items, item, 2), _text(3, "schemaUrl")),
        "Scope": _scope(1, 2),
    }


_UNKEPT: Final = {
    "Unkept": (_text(1, "key"), _one(2, "value", "UnkeptValue")),
    "UnkeptValue": (
        _text(1, "stringValue"),
        Field(2, "boolValue", VARINT, PASS, J_BOOL),
        Field(3, "intValue", VARINT, PASS, J_SIGNED),
        Field(4, "doubleValue", FIXED64, PASS, J_DOUBLE),
        _one(5, "arrayValue", "UnkeptValues"),
        _one(6, "kvlistValue", "UnkeptMap"),
        Field(7, "bytesValue", BYTES, PASS, J_BYTES),
    ),
    "UnkeptValues": (_many(1, "values", "UnkeptValue"),),
    "UnkeptMap": (_many(1, "values", "Unkept"),),
}
"""Attributes that are checked and counted like others, but have no column: those of scopes."""

TRACES: Final = layout(
    {
        **_around("ExportTraceServiceRequest", "Spans", "spans", "Span", 5),
        "Span": (
            _identity(1, "traceId", 1),
            _identity(2, "spanId", 2),
            _text(3, "traceState", 3),
            _identity(4, "parentSpanId", 4),
            _text(5, "name", 5),
            _enum(6, "kind", 6),
            _time(7, "startTimeUnixNano", 7),
            _time(8, "endTimeUnixNano", 8),
            _many(9, "attributes", "KeyValue", 6),
            _count(10, "droppedAttributesCount", 9),
            _many(11, "events", "Event", 3),
            _count(12, "droppedEventsCount", 10),
            _many(13, "links", "Link", 4),
            _count(14, "droppedLinksCount", 11),
            _one(15, "status", "Status", 12),
            _flags(16, "flags", 14),
        ),
        "Status": (_text(2, "message", 0), _enum(3, "code", 1)),
        "Event": (
            _time(1, "timeUnixNano", 1),
            _text(2, "name", 2),
            _many(3, "attributes", "KeyValue", 7),
            _count(4, "droppedAttributesCount"),
        ),
        "Link": (
            _identity(1, "traceId", 1),
            _identity(2, "spanId", 2),
            _text(3, "traceState", 3),
            _many(4, "attributes", "KeyValue", 8),
            _count(5, "droppedAttributesCount"),
            _flags(6, "flags", 4),
        ),
        **_VALUES,
        **_UNKEPT,
    },
    {
        "resources": ("body",),
        "scopes": ("resource", "name", "version"),
        "spans": (
            *("scope", "trace_id", "span_id", "trace_state", "parent_id", "name", "kind", "start", "end"),
            *("dropped_attributes", "dropped_events", "dropped_links", "status_message", "status", "flags", "faults"),
        ),
        "events": ("span", "time", "name"),
        "links": ("span", "trace_id", "span_id", "trace_state", "flags"),
        "resource_attributes": ATTRIBUTE_COLUMNS,
        "span_attributes": ATTRIBUTE_COLUMNS,
        "event_attributes": ATTRIBUTE_COLUMNS,
        "link_attributes": ATTRIBUTE_COLUMNS,
    },
)
"""`ExportTraceServiceRequest` and `TracesData`, which are the same on the wire."""


LOGS: Final = layout(
    {
        **_around("ExportLogsServiceRequest", "Logs", "logRecords", "LogRecord", 3),
        "LogRecord": (
            _time(1, "timeUnixNano", 1),
            _enum(2, "severityNumber", 2),
            _text(3, "severityText", 3),
            _one(5, "body", "AnyValue", 4),
            _many(6, "attributes", "KeyValue", 4),
            _count(7, "droppedAttributesCount"),
            _flags(8, "flags"),
            _identity(9, "traceId", 6),
            _identity(10, "spanId", 7),
            _time(11, "observedTimeUnixNano", 8),
            _text(12, "eventName", 9),
        ),
        **_VALUES,
        **_UNKEPT,
    },
    {
        "resources": ("body",),
        "scopes": ("resource", "name", "version"),
        "logs": (
            *("scope", "start", "severity", "severity_text", "body_type", "body", "trace_id", "span_id", "end"),
            *("event_name", "faults"),
        ),
        "resource_attributes": ATTRIBUTE_COLUMNS,
        "log_attributes": ATTRIBUTE_COLUMNS,
    },
)
"""`ExportLogsServiceRequest`. `start` is the record's time, `end` the time it was observed."""


def _real(number: int, name: str, column: int) -> Field:
    return Field(number, name, FIXED64, NUMBER, J_DOUBLE, column)


def _point(attributes: int, *own: Field) -> tuple[Field, ...]:
    """Return a data point: its times are fields 2 and 3 of every kind."""
    times = (_time(2, "startTimeUnixNano", 1), _time(3, "timeUnixNano", 2))
    return (_many(attributes, "attributes", "KeyValue", 5), *times, *own)


def _points(point: str) -> tuple[Field, ...]:
    return (_many(1, "dataPoints", point, 3),)


_SPREAD: Final = (_time(4, "count", 5), _real(5, "sum", 6))
_TEMPORALITY: Final = _enum(2, "aggregationTemporality", 3)

METRICS: Final = layout(
    {
        **_around("ExportMetricsServiceRequest", "Metrics", "metrics", "Metric", 4),
        "Metric": (
            *(_text(1, "name", 1), _text(2, "description"), _text(3, "unit", 2)),
            *(_one(5, "gauge", "Gauge"), _one(7, "sum", "Sum"), _one(9, "histogram", "Histogram")),
            *(_one(10, "exponentialHistogram", "ExponentialHistogram"), _one(11, "summary", "Summary")),
            _many(12, "metadata", "Unkept"),
        ),
        "Gauge": _points("NumberDataPoint"),
        "Sum": (*_points("NumberDataPoint"), _TEMPORALITY, Field(3, "isMonotonic", VARINT, PASS, J_BOOL)),
        "Histogram": (*_points("HistogramDataPoint"), _TEMPORALITY),
        "ExponentialHistogram": (*_points("ExponentialHistogramDataPoint"), _TEMPORALITY),
        "Summary": _points("SummaryDataPoint"),
        "NumberDataPoint": _point(
            *(7, _real(4, "asDouble", 3), Field(6, "asInt", FIXED64, NUMBER, J_SIGNED, 4), _count(8, "flags", 9))
        ),
        "HistogramDataPoint": _point(
            *(9, *_SPREAD, _count(10, "flags", 9), _real(11, "min", 7), _real(12, "max", 8)),
        ),
        "ExponentialHistogramDataPoint": _point(
            *(1, *_SPREAD, _count(10, "flags", 9), _real(12, "min", 7), _real(13, "max", 8)),
        ),
        "SummaryDataPoint": _point(7, *_SPREAD, _count(8, "flags", 9)),
        **_VALUES,
        **_UNKEPT,
    },
    {
        "resources": ("body",),
        "scopes": ("resource", "name", "version"),
        "metrics": ("scope", "name", "unit", "temporality"),
        "points": ("metric", "start", "time", "double", "integer", "count", "sum", "min", "max", "flags", "faults"),
        "resource_attributes": ATTRIBUTE_COLUMNS,
        "point_attributes": ATTRIBUTE_COLUMNS,
    },
)
"""`ExportMetricsServiceRequest`. Buckets, quantiles and exemplars are passed over."""
