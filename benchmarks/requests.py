"""Requests as the benchmarks send them: 512 spans of ten attributes, in protobuf and JSON, of ids never sent before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    import random

    from numpy.typing import NDArray

SPANS: Final = 512
START_NS: Final = 1_790_000_000_000_000_000
NAMES: Final = ("GET /dash", "fetch GET https://api/v1/me", "pg.query SELECT")


def _put(attributes: Any, **values: str | int | bool) -> None:
    for name, value in values.items():
        held = attributes.add(key=name.replace("__", "-").replace("_", ".")).value
        if isinstance(value, bool):
            held.bool_value = value
        elif isinstance(value, int):
            held.int_value = value
        else:
            held.string_value = value


def _scopes(request: Any, dice: random.Random) -> list[Any]:
    found = []
    for service in ("edge-web", "origin-api"):
        group = request.resource_spans.add()
        host = f"h-{dice.randrange(5)}"
        _put(
            group.resource.attributes,
            service_name=service,
            service_version="1.2.3",
            cloud_region="fra1",
            host_name=host,
        )
        scope = group.scope_spans.add()
        scope.scope.name = "load"
        found.append(scope)
    return found


def request(dice: random.Random, spans: int = SPANS, start: int = START_NS) -> Any:
    """Return a request of two resources; traces of eight spans, ten attributes each."""
    message = ExportTraceServiceRequest()
    scopes = _scopes(message, dice)
    trace_id = parent = b""
    for number in range(spans):
        if number % 8 == 0:
            trace_id, parent = dice.randbytes(16), b""
        span = scopes[number % 2].spans.add(trace_id=trace_id, span_id=dice.randbytes(8), parent_span_id=parent)
        parent = span.span_id
        span.name, span.kind = dice.choice(NAMES), 2 + number % 2
        span.start_time_unix_nano = start + (number % 8) * 1_000_000
        span.end_time_unix_nano = start + 100_000_000 - (number % 8) * 1_000_000
        _put(
            span.attributes,
            http_request_method="GET",
            http_response_status__code=200,
            url_full=f"https://api.internal/v1/me?x={dice.randrange(1000)}",
            http_route="/v1/me",
            server_address="api.internal",
            server_port=443,
            network_protocol_version="1.1",
            user__agent_original="Mozilla/5.0 (X11; Linux x86_64)",
            http_request_header_x__request__id=f"{dice.getrandbits(128):032x}",
            cache_hit=bool(dice.randrange(2)),
        )
    return message


def as_json(message: Any) -> bytes:
    """Return a request as OTLP/JSON: as protobuf's JSON, but with hexadecimal ids."""
    document = MessageToDict(message, use_integers_for_enums=True)
    spans = (
        (span, sent)
        for group, sent_group in zip(document["resourceSpans"], message.resource_spans, strict=True)
        for scope, sent_scope in zip(group["scopeSpans"], sent_group.scope_spans, strict=True)
        for span, sent in zip(scope["spans"], sent_scope.spans, strict=True)
    )
    for span, sent in spans:
        span |= {"traceId": sent.trace_id.hex(), "spanId": sent.span_id.hex()}
        if sent.parent_span_id:
            span["parentSpanId"] = sent.parent_span_id.hex()
    return json.dumps(document, separators=(",", ":")).encode()


class Fresh:
    """A request that can be sent again and again, each time with other ids.

    All eight-byte words of ids are changed alike, so that traces hold together, and parents stay parents. To build the
    request anew would take some hundred times as long.
    """

    def __init__(self, message: Any, encoding: str, dice: random.Random) -> None:
        self._dice = dice
        self._is_hex = encoding == "json"
        self._body = as_json(message) if self._is_hex else message.SerializeToString()
        words, places = self._ids(message)
        self._words = np.frombuffer(b"".join(words), np.uint8).reshape(-1, 8)
        width = 16 if self._is_hex else 8
        self._places: NDArray[np.int64] = np.array(places)[:, None] + np.arange(width)

    def _ids(self, message: Any) -> tuple[list[bytes], list[int]]:
        words, places, at = list[bytes](), list[int](), 0
        for group in message.resource_spans:
            for span in (span for scope in group.scope_spans for span in scope.spans):
                for one in (span.trace_id, span.span_id, span.parent_span_id):
                    at = self._body.index(one.hex().encode() if self._is_hex else one, at)
                    for half in range(0, len(one), 8):
                        words.append(one[half : half + 8])
                        places.append(at + half * (2 if self._is_hex else 1))
                    at += len(one)
        return words, places

    def next(self) -> bytes:
        """Give the body with new ids."""
        body = np.frombuffer(self._body, np.uint8).copy()
        fresh = self._words ^ np.frombuffer(self._dice.randbytes(8), np.uint8)
        if self._is_hex:
            fresh = np.frombuffer(fresh.tobytes().hex().encode(), np.uint8).reshape(-1, 16)
        body[self._places] = fresh
        return body.tobytes()
