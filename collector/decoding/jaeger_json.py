"""Jaeger's JSON (what its UI downloads and its query API answers) as spans of OTLP/JSON.

Tags that Jaeger's exporters made of OpenTelemetry's own fields go back to where they came from:
https://opentelemetry.io/docs/specs/otel/trace/sdk_exporters/jaeger/. A reference that is no CHILD_OF is a link.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

KINDS: Final = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
_STATUSES: Final = {"OK": 1, "ERROR": 2}
_FIELDS: Final = frozenset(
    {
        "internal.span.format",
        "otel.library.name",
        "otel.library.version",
        "otel.scope.name",
        "otel.scope.version",
        "otel.status_code",
        "otel.status_description",
        "span.kind",
        "w3c.tracestate",
    }
)
"""Tags that are fields of a span in OTLP."""
_HEX: Final = frozenset("0123456789abcdef")
_US: Final = 1_000


def spans(document: Any, on_damage: Callable[[str], None]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (resource attributes, scope, span) of all traces of a document; what is no span is told and passed over.

    Raises:
        TypeError: the document holds no list of traces.
    """
    for trace in _traces(document):
        processes = trace.get("processes") if isinstance(trace, dict) else None
        if not isinstance(trace, dict) or not isinstance(trace.get("spans"), list):
            on_damage("a trace without a list of spans was passed over")
            continue
        resources = {name: _resource(one) for name, one in (processes if isinstance(processes, dict) else {}).items()}
        for span in trace["spans"]:
            try:
                resource = resources.get(span.get("processID")) or _resource(span.get("process"))
                yield resource, *_span(span)
            except (AttributeError, TypeError, ValueError) as error:
                on_damage(f"a span was passed over: {error}")


def _traces(document: Any) -> list[Any]:
    data = document.get("data", [document]) if isinstance(document, dict) else document
    if not isinstance(data, list):
        raise TypeError("its `data` is no list of traces")
    return data


def _resource(process: Any) -> str:
    if not isinstance(process, dict):
        return "[]"
    named = {"key": "service.name", "value": {"stringValue": str(process.get("serviceName") or "")}}
    tags = [_attribute(tag) for tag in process.get("tags") or []]
    hosts = [{**tag, "key": "host.name"} for tag in tags if tag["key"] == "hostname"]
    return json.dumps([named, *hosts, *tags])


def _span(span: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    tags = span.get("tags") or []
    said = {tag["key"]: tag.get("value") for tag in tags}
    start_ns = int(span.get("startTime") or 0) * _US
    parent, links = _references(span)
    name = said.get("otel.scope.name") or said.get("otel.library.name") or ""
    version = said.get("otel.scope.version") or said.get("otel.library.version") or ""
    return json.dumps({"name": str(name), "version": str(version)}), {
        "traceId": identifier(span.get("traceID"), 32),
        "spanId": identifier(span.get("spanID"), 16),
        "parentSpanId": parent,
        "flags": int(span.get("flags") or 0) & 0xFF,
        "traceState": str(said.get("w3c.tracestate") or ""),
        "name": str(span.get("operationName") or ""),
        "kind": KINDS.get(str(said.get("span.kind")).lower(), 1),
        "startTimeUnixNano": str(start_ns),
        "endTimeUnixNano": str(start_ns + int(span.get("duration") or 0) * _US),
        "attributes": [_attribute(tag) for tag in tags if tag["key"] not in _FIELDS],
        "events": [_event(log) for log in span.get("logs") or []],
        "links": links,
        "status": _status(said),
    }


def _status(said: dict[str, Any]) -> dict[str, Any]:
    failed = said.get("error") in (True, "true")
    code = _STATUSES.get(str(said.get("otel.status_code")), 2 if failed else 0)
    return {"code": code, "message": str(said.get("otel.status_description") or "")}


def _references(span: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """Give the parent's id ('' for none) and the links."""
    told = span.get("references") or []
    parents = [one for one in told if one.get("refType") == "CHILD_OF" and one.get("traceID") == span.get("traceID")]
    parent = parents[0].get("spanID") if parents else span.get("parentSpanID")
    links = [
        {"traceId": identifier(one.get("traceID"), 32), "spanId": identifier(one.get("spanID"), 16)}
        for one in told
        if one not in parents[:1]
    ]
    return identifier(parent, 16) if parent else "", links


def _event(log: dict[str, Any]) -> dict[str, Any]:
    fields = log.get("fields") or []
    named = next((str(one.get("value")) for key in ("event", "message") for one in fields if one["key"] == key), "log")
    rest = [_attribute(field) for field in fields if field["key"] != "event"]
    return {"timeUnixNano": str(int(log.get("timestamp") or 0) * _US), "name": named, "attributes": rest}


def _attribute(tag: dict[str, Any]) -> dict[str, Any]:
    return {"key": str(tag["key"]), "value": value(tag.get("value"))}


def value(given: Any) -> dict[str, Any]:
    """Give a JSON value as OTLP/JSON's AnyValue; lists and objects as their text."""
    if isinstance(given, bool):
        return {"boolValue": given}
    if isinstance(given, int) and -(1 << 63) <= given < 1 << 63:
        return {"intValue": str(given)}
    if isinstance(given, float):
        return {"doubleValue": given}
    return {"stringValue": given if isinstance(given, str) else json.dumps(given)}


def identifier(given: Any, digits: int) -> str:
    """Give an id with the leading zeros that other tools leave away; one that is not hexadecimal as its digest."""
    text = str(given or "").lower()
    if not _HEX.issuperset(text) or len(text) > digits:  # made by hand, or by a tool with ids of its own
        return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=digits // 2).hexdigest()
    return text.rjust(digits, "0")


def pairs(given: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """Give a map as OTLP/JSON's attributes, those without a value left out."""
    return [{"key": str(key), "value": value(one)} for key, one in given.items() if one is not None]
