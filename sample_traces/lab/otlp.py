"""Recorded bodies, read and written with the official messages: spans for the truth, whole bodies for the taps."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from scenario import Found

REQUEST_ID = "http.request.header.x-request-id"
_SERVER_KIND = 2


@dataclass(frozen=True)
class Span:
    """One recorded span. `text` holds its text attributes, and the first entry of those that are lists of text."""

    service: str
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    start_ns: int
    end_ns: int
    text: dict[str, str]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def bodies(recording: bytes) -> Iterator[ExportTraceServiceRequest]:
    """The bodies of a size-delimited recording."""
    at = 0
    while at < len(recording):
        size, at = _varint(recording, at)
        yield ExportTraceServiceRequest.FromString(recording[at : at + size])
        at += size


def from_json(recording: str) -> Iterator[ExportTraceServiceRequest]:
    """The bodies of a recording of OTLP/JSON, one per line (edge SDKs speak nothing else)."""
    for line in recording.splitlines():
        document = json.loads(line)
        for resource_spans in document.get("resourceSpans", ()):
            for scope_spans in resource_spans.get("scopeSpans", ()):
                for span in scope_spans.get("spans", ()):
                    _ids_in_base64(span)
        yield ParseDict(document, ExportTraceServiceRequest(), ignore_unknown_fields=True)


def _ids_in_base64(span: dict[str, Any]) -> None:
    """OTLP/JSON writes ids in hex, where protobuf's own JSON has base64."""
    for part in (span, *span.get("links", ())):
        for name in ("traceId", "spanId", "parentSpanId"):
            if part.get(name):
                part[name] = base64.b64encode(bytes.fromhex(part[name])).decode()


def delimited(messages: Iterable[ExportTraceServiceRequest]) -> bytes:
    """The recording of these bodies: each after its length as a varint."""
    whole = bytearray()
    for message in messages:
        data = message.SerializeToString()
        size = len(data)
        while size > 0x7F:
            whole.append(size & 0x7F | 0x80)
            size >>= 7
        whole.append(size)
        whole += data
    return bytes(whole)


def service_of(attributes: Iterable[object]) -> str:
    """`service.name` among resource attributes."""
    return _texts(attributes).get("service.name", "")


def _texts(attributes: Iterable[object]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in attributes:
        value = pair.value  # type: ignore[attr-defined]
        if value.HasField("array_value") and value.array_value.values:
            value = value.array_value.values[0]
        if value.HasField("string_value"):
            found[pair.key] = value.string_value  # type: ignore[attr-defined]
    return found


def spans(messages: Iterable[ExportTraceServiceRequest]) -> Iterator[Span]:
    """Every span of these bodies."""
    for message in messages:
        for resource_spans in message.resource_spans:
            service = service_of(resource_spans.resource.attributes)
            for scope_spans in resource_spans.scope_spans:
                for raw in scope_spans.spans:
                    yield Span(
                        service,
                        raw.trace_id.hex(),
                        raw.span_id.hex(),
                        raw.parent_span_id.hex(),
                        raw.name,
                        raw.kind,
                        raw.start_time_unix_nano,
                        raw.end_time_unix_nano,
                        _texts(raw.attributes),
                    )


def find_by_request_id(recorded: Sequence[Span], entry_services: Sequence[str]) -> dict[str, Found]:
    """For each request id that a span carries: the traces that carry it, and the entry among their spans.

    The entry is the earliest span without a parent of the first of `entry_services` that has one.
    """
    carried: dict[str, dict[str, None]] = {}
    roots: dict[str, list[Span]] = {}
    for span in recorded:
        if REQUEST_ID in span.text:
            carried.setdefault(span.text[REQUEST_ID], {})[span.trace_id] = None
        if not span.parent_id:
            roots.setdefault(span.trace_id, []).append(span)
    found: dict[str, Found] = {}
    for request_id, traces in carried.items():
        candidates = [span for trace in traces for span in roots.get(trace, ()) if span.service in entry_services]
        if candidates:
            entry = min(candidates, key=lambda span: (entry_services.index(span.service), span.start_ns))
            ordered = (entry.trace_id, *(trace for trace in traces if trace != entry.trace_id))
            found[request_id] = Found(ordered, entry.service, entry.span_id)
    return found
