"""Zipkin's JSON, version 2 (a list of spans, or of traces), as spans of OTLP/JSON.

Fields follow https://opentelemetry.io/docs/specs/otel/trace/sdk_exporters/zipkin/, read backwards. A span that a server
shares with its client keeps its id: the kinds tell the two apart. The local address stands for the host.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from collector.decoding.jaeger_json import KINDS, identifier, pairs, value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FIELDS: Final = frozenset(
    {
        "error",
        "otel.library.name",
        "otel.library.version",
        "otel.scope.name",
        "otel.scope.version",
        "otel.status_code",
    }
)
_US: Final = 1_000


def spans(document: Any, on_damage: Callable[[str], None]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (resource attributes, scope, span) of all spans; what is no span is told and passed over.

    Raises:
        TypeError: the document is no list.
    """
    if not isinstance(document, list):
        raise TypeError("it is no list of spans")
    for item in document:
        for span in item if isinstance(item, list) else [item]:
            try:
                yield _span(span)
            except (AttributeError, TypeError, ValueError) as error:
                on_damage(f"a span was passed over: {error}")


def _span(span: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    tags = span.get("tags") or {}
    start_ns = int(span.get("timestamp") or 0) * _US
    scope = {
        "name": str(tags.get("otel.scope.name") or tags.get("otel.library.name") or ""),
        "version": str(tags.get("otel.scope.version") or tags.get("otel.library.version") or ""),
    }
    parent = span.get("parentId")
    told = {
        "traceId": identifier(span.get("traceId"), 32),
        "spanId": identifier(span.get("id"), 16),
        "parentSpanId": identifier(parent, 16) if parent else "",
        "name": str(span.get("name") or ""),
        "kind": KINDS.get(str(span.get("kind") or "internal").lower(), 1),
        "startTimeUnixNano": str(start_ns),
        "endTimeUnixNano": str(start_ns + int(span.get("duration") or 0) * _US),
        "attributes": [*_attributes(tags), *pairs(_remote(span.get("remoteEndpoint") or {}))],
        "events": [_event(one) for one in span.get("annotations") or []],
        "status": _status(tags),
    }
    return _resource(span.get("localEndpoint") or {}), json.dumps(scope), told


def _resource(local: dict[str, Any]) -> str:
    host = local.get("ipv4") or local.get("ipv6")
    return json.dumps(pairs({"service.name": local.get("serviceName") or "", "host.name": host}))


def _remote(remote: dict[str, Any]) -> dict[str, Any]:
    return {
        "peer.service": remote.get("serviceName"),
        "network.peer.address": remote.get("ipv4") or remote.get("ipv6"),
        "network.peer.port": remote.get("port"),
    }


def _attributes(tags: dict[str, Any]) -> list[dict[str, Any]]:
    told = [{"key": str(key), "value": value(one)} for key, one in tags.items() if key not in _FIELDS]
    if "sql.query" in tags:  # Brave's word for the statement
        told.append({"key": "db.query.text", "value": value(tags["sql.query"])})
    return told


def _event(annotation: dict[str, Any]) -> dict[str, Any]:
    return {"timeUnixNano": str(int(annotation.get("timestamp") or 0) * _US), "name": str(annotation.get("value"))}


def _status(tags: dict[str, Any]) -> dict[str, Any]:
    failed = "error" in tags and tags["error"] != "false"
    said = {"OK": 1, "ERROR": 2}.get(str(tags.get("otel.status_code")))
    return {"code": said if said is not None else 2 * failed, "message": str(tags["error"]) if failed else ""}
