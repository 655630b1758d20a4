"""What the official protobuf classes make of a request, in the same plain form as what our columns hold."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.decoding.flat import ARRAY, BOOL, BYTES, DOUBLE, EMPTY, INT, KVLIST, STRING, AttributeColumns, FlatTraces

TYPES = {
    None: EMPTY,
    "string_value": STRING,
    "bool_value": BOOL,
    "int_value": INT,
    "double_value": DOUBLE,
    "bytes_value": BYTES,
    "array_value": ARRAY,
    "kvlist_value": KVLIST,
    "string_value_strindex": EMPTY,
}


def double_text(value: float) -> str:
    if math.isfinite(value):
        return str(pc.cast(pa.scalar(value), pa.string()).as_py())
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def json_text(value: Any) -> str:
    """Return a nested `AnyValue` as JSON without blanks."""
    which = value.WhichOneof("value")
    held: Any = None if TYPES[which] == EMPTY else getattr(value, which)
    if TYPES[which] == ARRAY:
        return "[" + ",".join(json_text(each) for each in held.values) + "]"
    if TYPES[which] == KVLIST:
        return "{" + ",".join(f"{_quoted(pair.key)}:{json_text(pair.value)}" for pair in held.values) + "}"
    if TYPES[which] == DOUBLE:
        return double_text(held) if math.isfinite(held) else _quoted(double_text(held))
    return json.dumps(base64.b64encode(held).decode() if isinstance(held, bytes) else held, ensure_ascii=False)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def value_text(value: Any) -> str:
    which = value.WhichOneof("value")
    kind = TYPES[which]
    if kind in {ARRAY, KVLIST}:
        return json_text(value)
    if kind == DOUBLE:
        return double_text(value.double_value)
    if kind == EMPTY:
        return ""
    held = getattr(value, which)
    if kind == BOOL:
        return "true" if held else "false"
    return base64.b64encode(held).decode() if kind == BYTES else str(held)


def attributes(pairs: Any) -> list[tuple[str, int, str]]:
    return [(pair.key, TYPES[pair.value.WhichOneof("value")], value_text(pair.value)) for pair in pairs]


def _id(sent: bytes, size: int) -> tuple[int, int]:
    return (int.from_bytes(sent, "big") if len(sent) == size else 0, min(len(sent), 255))


def _span(span: Any) -> dict[str, Any]:
    return {
        "trace": _id(span.trace_id, 16),
        "span": _id(span.span_id, 8),
        "parent": _id(span.parent_span_id, 8),
        "times": (span.start_time_unix_nano, span.end_time_unix_nano),
        "kind": span.kind,
        "flags": span.flags,
        "status": (span.status.code, span.status.message),
        "texts": (span.name, span.trace_state),
        "dropped": (span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count),
        "attributes": attributes(span.attributes),
        "events": [(event.time_unix_nano, event.name, attributes(event.attributes)) for event in span.events],
        "links": [
            (_id(link.trace_id, 16), _id(link.span_id, 8), link.trace_state, link.flags, attributes(link.attributes))
            for link in span.links
        ],
    }


def spans_of_message(message: Any) -> list[dict[str, Any]]:
    """Return every span of a request with its resource's attributes and its scope."""
    return [
        {
            **_span(span),
            "resource": attributes(group.resource.attributes),
            "scope": (scope.scope.name, scope.scope.version),
        }
        for group in message.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def spans_of_body(body: bytes) -> list[dict[str, Any]]:
    """Return every span of a request in protobuf; what the official parser raises is not caught."""
    return spans_of_message(ExportTraceServiceRequest.FromString(body))


def _by_owner(flat: FlatTraces, table: AttributeColumns, owners: int) -> list[list[tuple[str, int, str]]]:
    keys = flat.keys.to_pylist()
    found: list[list[tuple[str, int, str]]] = [[] for _ in range(owners)]
    assert (table.owner[1:] >= table.owner[:-1]).all()
    for owner, key, kind, text in zip(table.owner, table.key, table.type, table.text.to_pylist(), strict=True):
        found[owner].append((keys[key], int(kind), text))
    return found


def spans_of_flat(flat: FlatTraces) -> list[list[dict[str, Any]]]:
    """Return every span of a batch, per body."""
    spans, events, links = flat.spans, flat.events, flat.links
    resource_attributes = _by_owner(flat, flat.resource_attributes, len(flat.resources.body))
    span_attributes = _by_owner(flat, flat.span_attributes, len(spans.body))
    event_attributes = _by_owner(flat, flat.event_attributes, len(events.span))
    link_attributes = _by_owner(flat, flat.link_attributes, len(links.span))
    span_events: list[list[Any]] = [[] for _ in spans.body]
    for at, owner in enumerate(events.span):
        span_events[owner].append((int(events.time[at]), events.name[at].as_py(), event_attributes[at]))
    span_links: list[list[Any]] = [[] for _ in spans.body]
    for at, owner in enumerate(links.span):
        trace = (int(links.trace_hi[at]) << 64 | int(links.trace_lo[at]), int(links.trace_id_len[at]))
        linked = (int(links.span_id[at]), int(links.span_id_len[at]))
        span_links[owner].append(
            (trace, linked, links.trace_state[at].as_py(), int(links.flags[at]), link_attributes[at])
        )
    found: list[list[dict[str, Any]]] = [[] for _ in flat.errors]
    for at, body in enumerate(spans.body):
        assert flat.resources.body[spans.resource[at]] == body
        found[body].append(
            {
                "trace": (int(spans.trace_hi[at]) << 64 | int(spans.trace_lo[at]), int(spans.trace_id_len[at])),
                "span": (int(spans.span_id[at]), int(spans.span_id_len[at])),
                "parent": (int(spans.parent_id[at]), int(spans.parent_id_len[at])),
                "times": (int(spans.start[at]), int(spans.end[at])),
                "kind": int(spans.kind[at]),
                "flags": int(spans.flags[at]),
                "status": (int(spans.status[at]), spans.status_message[at].as_py()),
                "texts": (spans.name[at].as_py(), spans.trace_state[at].as_py()),
                "dropped": (
                    int(spans.dropped_attributes[at]),
                    int(spans.dropped_events[at]),
                    int(spans.dropped_links[at]),
                ),
                "attributes": span_attributes[at],
                "events": span_events[at],
                "links": span_links[at],
                "resource": resource_attributes[spans.resource[at]],
                "scope": (flat.scopes.name[spans.scope[at]].as_py(), flat.scopes.version[spans.scope[at]].as_py()),
            }
        )
    return found


def _double(held: float) -> float | str:
    if math.isfinite(held):
        return held
    return "NaN" if math.isnan(held) else "Infinity" if held > 0 else "-Infinity"


def _value(value: Any) -> dict[str, Any]:
    which: Any = value.WhichOneof("value")
    forms: dict[str | None, Any] = {
        None: lambda _: {},
        "string_value": lambda held: {"stringValue": held},
        "bool_value": lambda held: {"boolValue": held},
        "int_value": lambda held: {"intValue": str(held)},
        "double_value": lambda held: {"doubleValue": _double(held)},
        "bytes_value": lambda held: {"bytesValue": base64.b64encode(held).decode()},
        "array_value": lambda held: {"arrayValue": {"values": [_value(each) for each in held.values]}},
        "kvlist_value": lambda held: {"kvlistValue": {"values": _pairs(held.values)}},
    }
    made: dict[str, Any] = forms[which](getattr(value, which) if which else None)
    return made


def _pairs(pairs: Any) -> list[dict[str, Any]]:
    return [{"key": pair.key, "value": _value(pair.value)} for pair in pairs]


def _json_span(span: Any) -> dict[str, Any]:
    return {
        "traceId": span.trace_id.hex().upper(),
        "spanId": span.span_id.hex(),
        "parentSpanId": span.parent_span_id.hex(),
        "traceState": span.trace_state,
        "flags": span.flags,
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.start_time_unix_nano),
        "endTimeUnixNano": span.end_time_unix_nano,
        "attributes": _pairs(span.attributes),
        "droppedAttributesCount": span.dropped_attributes_count,
        "events": [
            {"timeUnixNano": str(event.time_unix_nano), "name": event.name, "attributes": _pairs(event.attributes)}
            for event in span.events
        ],
        "droppedEventsCount": span.dropped_events_count,
        "links": [
            {
                "traceId": link.trace_id.hex(),
                "spanId": link.span_id.hex(),
                "traceState": link.trace_state,
                "flags": link.flags,
                "attributes": _pairs(link.attributes),
            }
            for link in span.links
        ],
        "droppedLinksCount": span.dropped_links_count,
        "status": {"code": span.status.code, "message": span.status.message},
    }


def otlp_json(message: Any) -> dict[str, Any]:
    """Return a request as OTLP/JSON writes it."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _pairs(group.resource.attributes)},
                "scopeSpans": [
                    {
                        "scope": {"name": scope.scope.name, "version": scope.scope.version},
                        "spans": [_json_span(span) for span in scope.spans],
                        "schemaUrl": scope.schema_url,
                    }
                    for scope in group.scope_spans
                ],
            }
            for group in message.resource_spans
        ]
    }
