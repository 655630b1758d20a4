"""Requests as the benchmarks send them: 512 spans of ten attributes, in protobuf and JSON, of ids never sent before."""

from __future__ import annotations

import json
import time
from functools import cached_property
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
    """A request that can be sent again and again, each time with other ids, and as if its spans had just ended.

    All eight-byte words of ids are changed alike, so that traces hold together, and parents stay parents. To build the
    request anew would take some hundred times as long.
    """

    def __init__(self, message: Any, encoding: str, dice: random.Random) -> None:
        self._dice = dice
        self._is_hex = encoding == "json"
        self._body = as_json(message) if self._is_hex else message.SerializeToString()
        self._ids, self._texts, self._times = _Words(), _Words(), _Words()
        self._find(message)
        self._end_ns = max(int.from_bytes(word, "little") for word in self._times.words)

    def _find(self, message: Any) -> None:
        """Find what changes, in the order in which it is sent."""
        at = 0
        spans = (span for group in message.resource_spans for scope in group.scope_spans for span in scope.spans)
        for span in spans:
            for one in (span.trace_id, span.span_id, span.parent_span_id):
                at = self._ids.find(self._body, one, one.hex().encode() if self._is_hex else one, at)
            for time_ns in (span.start_time_unix_nano, span.end_time_unix_nano):
                word = time_ns.to_bytes(8, "little")
                at = self._times.find(self._body, word, str(time_ns).encode() if self._is_hex else word, at)
            for one in (held.value.string_value for held in span.attributes if held.key.endswith("request-id")):
                at = self._texts.find(self._body, bytes.fromhex(one), one.encode(), at)

    def next(self, end_ns: int | None = None) -> bytes:
        """Give the body with new ids, its last span ending at `end_ns` (now, by default)."""
        body = np.frombuffer(self._body, np.uint8).copy()
        for words in (self._ids, self._texts):
            fresh = words.values ^ np.frombuffer(self._dice.randbytes(8), np.int64)
            words.put(body, _as_hex(fresh) if self._is_hex or words is self._texts else fresh.tobytes())
        moved = self._times.values + (time.time_ns() if end_ns is None else end_ns) - self._end_ns
        self._times.put(body, "".join(map(str, moved.tolist())).encode() if self._is_hex else moved.tobytes())
        return body.tobytes()


class _Words:
    """Eight-byte words of a body, and the stretches of it, all of one length, where they stand."""

    def __init__(self) -> None:
        self.words: list[bytes] = []
        self._places: list[int] = []
        self._width = 0

    def find(self, body: bytes, held: bytes, sent: bytes, since: int) -> int:
        """Note where the words of `held` stand, `sent` as that is; give where it ends."""
        if not held:
            return since
        at = body.index(sent, since)
        count = len(held) // 8
        self._width = len(sent) // count
        self.words += [held[8 * number : 8 * number + 8] for number in range(count)]
        self._places += [at + self._width * number for number in range(count)]
        return at + len(sent)

    @cached_property
    def values(self) -> NDArray[np.int64]:
        return np.frombuffer(b"".join(self.words), np.int64)

    @cached_property
    def _where(self) -> NDArray[np.int64]:
        return np.array(self._places, np.int64)[:, None] + np.arange(self._width)

    def put(self, body: NDArray[np.uint8], sent: bytes) -> None:
        """Overwrite them with others."""
        if self._places:
            body[self._where] = np.frombuffer(sent, np.uint8).reshape(-1, self._width)


def _as_hex(words: NDArray[np.int64]) -> bytes:
    return words.tobytes().hex().encode()
