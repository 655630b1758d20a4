"""Requests with something wrong in them, and what the official parsers say of them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn

from google.protobuf import json_format  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from google.protobuf.unknown_fields import UnknownFieldSet  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.files import iter_bodies

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

    Signal = Literal["traces", "logs", "metrics"]

SIGNALS: Final[tuple[Signal, ...]] = ("traces", "logs", "metrics")
PATHS: Final = {"traces": "/v1/traces", "logs": "/v1/logs", "metrics": "/v1/metrics"}
MESSAGES: Final[dict[str, Any]] = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}
SAMPLES: Final = Path(__file__).resolve().parent.parent / "sample_traces"
LARGEST: Final = 1_500
"""Bytes of the largest recorded request that is mutated: many small ones find more than few large ones."""

DEEPEST: Final = 32
"""So deep may values nest by Seamscope's documentation; protobuf's own parsers end at a hundred messages."""

NOW_NS: Final = 1_790_000_000_000_000_000
_POINT: Final = {5: None, 6: None, 7: None, 8: None}
_UNREAD: Final = {1: {2: {2: {5: {1: {5: None}}, 7: {1: {5: None}}, 9: {1: _POINT}, 10: None, 11: None}}}}
"""Of metrics, by field numbers: exemplars, buckets, and the kinds of point that are only counted are passed over."""

_IDS: Final = frozenset({"traceId", "spanId", "parentSpanId"})
_BYTES: Final = (0, 1, 2, 0x0A, 0x0B, 0x0C, 0x12, 0x1A, 0x22, 0x7F, 0x80, 0xFF)
_TEXTS: Final = tuple(b'" { } [ ] , : \\ null 1e999 - \\ud800 \xff NaN 0'.split())
_MEMBERS: Final = tuple(b'5 {} [] "" null {"key":"k"} {"stringValue":""} 1e9'.split())
_MANY: Final = (2, 40, 1_500)
"""How often what is repeated is: a buffer that is sized for what is usual ends between them."""
_VALUES: Final = tuple(b'null {} [] "" -1 1.5 true "x" 18446744073709551616'.split())


class Wanted(Enum):
    """What the answer must be."""

    OK = "ok"
    BAD = "bad"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Mutant:
    """A request as it is sent."""

    signal: Signal
    encoding: str
    data: bytes


def _attributes(to: Any) -> None:
    to.add(key="http.route").value.string_value = "/v1/{näme}"
    to.add(key="http.response.status_code").value.int_value = -200
    to.add(key="ratio").value.double_value = 0.25
    to.add(key="hit").value.bool_value = True
    to.add(key="raw").value.bytes_value = b"\xff\x00"
    to.add(key="list").value.array_value.values.add().string_value = "a"
    to.add(key="map").value.kvlist_value.values.add(key="k").value.int_value = 7
    to.add(key="nothing")


def _traces() -> Any:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add(schema_url="https://opentelemetry.io/schemas/1.44.0")
    group.resource.attributes.add(key="service.name").value.string_value = "orders"
    scope = group.scope_spans.add()
    scope.scope.name, scope.scope.version = "otelhttp", "0.70"
    span = scope.spans.add(trace_id=bytes(range(16)), span_id=bytes(range(1, 9)), parent_span_id=bytes(range(2, 10)))
    span.name, span.kind, span.flags, span.trace_state = "GET /v1/{name}", 2, 0x301, "ot=th:fffffffffffff8"
    span.start_time_unix_nano, span.end_time_unix_nano = NOW_NS, NOW_NS + 5_000_000
    span.status.code, span.status.message = 2, "no"
    span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count = 1, 2, 3
    _attributes(span.attributes)
    _attributes(span.events.add(time_unix_nano=NOW_NS + 1, name="exception").attributes)
    span.links.add(trace_id=bytes(range(3, 19)), span_id=bytes(range(4, 12)), trace_state="a=b", flags=1)
    return request


def _logs() -> Any:
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    group.resource.attributes.add(key="service.name").value.string_value = "orders"
    record = group.scope_logs.add().log_records.add(time_unix_nano=NOW_NS, observed_time_unix_nano=NOW_NS)
    record.severity_number, record.severity_text, record.event_name = 17, "ERROR", "checkout.failed"
    record.trace_id, record.span_id, record.flags = bytes(range(16)), bytes(range(1, 9)), 1
    record.body.kvlist_value.values.add(key="said").value.string_value = "nö"
    _attributes(record.attributes)
    return request


def _metrics() -> Any:
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    gauge = metrics.add(name="db.client.connection.count", unit="1").gauge.data_points
    _attributes(gauge.add(time_unix_nano=NOW_NS, as_int=3).attributes)
    total = metrics.add(name="http.client.open_connections").sum
    total.aggregation_temporality, total.is_monotonic = 2, False
    total.data_points.add(time_unix_nano=NOW_NS, as_double=1.5).exemplars.add(span_id=bytes(range(1, 9)), as_int=1)
    metrics.add(name="db.client.connection.wait_time").histogram.data_points.add(
        time_unix_nano=NOW_NS, count=3, sum=0.5, bucket_counts=[1, 2], explicit_bounds=[0.1]
    )
    sketch = metrics.add(name="e").exponential_histogram.data_points.add(time_unix_nano=NOW_NS, count=1, scale=3)
    sketch.positive.offset, sketch.zero_threshold = -2, 0.5
    metrics.add(name="s").summary.data_points.add(time_unix_nano=NOW_NS, count=1).quantile_values.add(quantile=0.5)
    return request


def _small(message: Any, size: int) -> bool:
    return 0 < int(message.ByteSize()) <= size


@cache
def seeds() -> tuple[tuple[Signal, bytes], ...]:
    """Give requests in order: one of each signal with every field in it, empty ones, and recorded ones."""
    made: list[tuple[Signal, Any]] = [("traces", _traces()), ("logs", _logs()), ("metrics", _metrics())]
    for place in sorted(SAMPLES.glob("*/*.pb.zst")):
        for taken, body in enumerate(iter_bodies(place)):
            message = MESSAGES[body.signal].FromString(body.data)
            if _small(message, LARGEST):
                made.append((body.signal, message))
            if taken > 20:
                break
    return tuple((signal, message.SerializeToString()) for signal, message in made)


def as_json(signal: Signal, data: bytes) -> bytes:
    """Give a request as OTLP/JSON: as protobuf's, but with hexadecimal ids."""
    document = json_format.MessageToDict(MESSAGES[signal].FromString(data), use_integers_for_enums=True)
    return json.dumps(_ids(document, lambda text: base64.b64decode(text).hex()), separators=(",", ":")).encode()


def _ids(node: Any, change: Any) -> Any:
    if isinstance(node, list):
        return [_ids(each, change) for each in node]
    if isinstance(node, dict):
        return {key: change(value) if key in _IDS else _ids(value, change) for key, value in node.items()}
    return node


def trace_ids(signal: Signal, data: bytes) -> frozenset[bytes]:
    """Give the traces of a request."""
    if signal != "traces":
        return frozenset()
    message = ExportTraceServiceRequest.FromString(data)
    return frozenset(span.trace_id for group in message.resource_spans for s in group.scope_spans for span in s.spans)


class Mutants:
    """Makes mutants of one encoding, each of traces of its own; one in eight requests is whole."""

    def __init__(self, dice: random.Random, encoding: str) -> None:
        self._dice = dice
        self._encoding = encoding
        whole = seeds()
        self._seeds = [(s, as_json(s, data)) for s, data in whole] if encoding == "json" else list(whole)
        self._traces = [trace_ids(*each) for each in whole]

    def next(self) -> Mutant:
        """Give the next one."""
        number = self._dice.randrange(3 if self._dice.random() < 0.2 else len(self._seeds))
        signal, data = self._seeds[number]
        for trace in self._traces[number]:
            fresh = self._dice.randbytes(16)
            was, now = (trace.hex().encode(), fresh.hex().encode()) if self._encoding == "json" else (trace, fresh)
            data = data.replace(was, now)
        way = self._dice.random()
        if way > 0.12:
            if self._encoding == "json":
                data = _text_changed(data, self._dice)
            else:
                data = _damaged(data, self._dice) if way < 0.6 else _refielded(data, self._dice, 0)
        return Mutant(signal, self._encoding, data)


def _damaged(body: bytes, dice: random.Random) -> bytes:
    """Change, lose, add or repeat a few bytes."""
    data = bytearray(body)
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        at, trick = dice.randrange(len(data) + 1), dice.randrange(6)
        if trick == 0 and data:
            data[at % len(data)] ^= 1 << dice.randrange(8)
        elif trick == 1 and data:
            data[at % len(data)] = dice.choice(_BYTES)
        elif trick == 2:
            data[at:at] = dice.randbytes(dice.randrange(1, 5))
        elif trick == 3:
            del data[at : at + dice.randrange(1, 5)]
        elif trick == 4:
            other = dice.randrange(len(data) + 1)
            data[at:at] = data[other : other + dice.randrange(1, 40)]
        elif dice.random() < 0.2:
            del data[at:]
    return bytes(data)


def _text_changed(body: bytes, dice: random.Random) -> bytes:
    """Damage JSON, or change a word or a number of it into another so that it stays JSON more often."""
    if dice.random() < 0.4:
        return _damaged(body, dice)
    data = bytearray(body)
    for _ in range(dice.choice((1, 1, 2))):
        at, way = dice.randrange(len(data) + 1), dice.random()
        if way < 0.1:  # a list gets more members
            at = data.find(b"[", at) + 1 or at
            data[at:at] = (dice.choice(_MEMBERS) + b",") * dice.choice(_MANY)
        elif way < 0.55:
            at = data.find(b'"', at) + 1 or at
            data[at : at + dice.randrange(3)] = dice.choice(_TEXTS)
        else:  # a value becomes another one
            at = data.find(b":", at) + 1 or len(data)
            end = min((end for end in (data.find(b",", at), data.find(b"}", at)) if end >= 0), default=len(data))
            data[at:end] = dice.choice(_VALUES)
    return bytes(data)


def _refielded(body: bytes, dice: random.Random, depth: int) -> bytes:
    """Drop, repeat, move or change one field somewhere, with the lengths around it set right."""
    fields = _fields(body)
    if not fields:
        return body + _stray(dice)
    at = dice.randrange(len(fields))
    number, wire, payload = fields[at]
    if wire == 2 and depth < 12 and dice.random() < 0.85 and _fields(payload):
        fields[at] = (number, wire, _refielded(payload, dice, depth + 1))
        return b"".join(map(_field, fields))
    trick = dice.randrange(6)
    if trick == 0:
        del fields[at]
    elif trick == 1:
        fields[at:at] = [fields[at]] * dice.choice((1, 1, *_MANY[: 3 if len(payload) < LARGEST // 10 else 1]))
    elif trick == 2:
        fields[at] = (dice.choice((number + 1, number - 1 or 1, 15, 16, 19_000, (1 << 29) - 1)), wire, payload)
    elif trick == 3:
        fields[at] = (number, 2, payload + dice.randbytes(dice.randrange(1, 12)))
    elif trick == 4:
        fields.insert(at, fields.pop())
    else:
        return b"".join(map(_field, fields[:at])) + _stray(dice) + b"".join(map(_field, fields[at:]))
    return b"".join(map(_field, fields))


def _stray(dice: random.Random) -> bytes:
    """Give a field that is right in its grammar, though maybe not in its place; now and then a group."""
    number, wire = dice.randrange(1, 20), dice.choice((0, 1, 2, 2, 5, 3))
    if wire == 3:
        return _varint(number << 3 | 3) + _varint(number << 3 | 4)
    payload = {0: dice.choice((b"\x01", b"\xff" * 9 + b"\x01")), 1: dice.randbytes(8), 5: dice.randbytes(4)}
    return _field((number, wire, payload.get(wire, b"ab")))


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes((*found, value))


def _field(field: tuple[int, int, bytes]) -> bytes:
    number, wire, payload = field
    return _varint(number << 3 | wire) + (_varint(len(payload)) if wire == 2 else b"") + payload


def _fields(body: bytes) -> list[tuple[int, int, bytes]]:
    """Read fields: number, wire type, and what is in it; nothing where it is no message."""
    found, at = [], 0
    while at < len(body):
        tag, at = _read_varint(body, at)
        wire, start = tag & 7, at
        if wire == 0:
            _, at = _read_varint(body, at)
        elif wire == 2:
            size, start = _read_varint(body, at)
            at = start + size
        else:
            at += {1: 8, 5: 4}.get(wire, len(body) + 1)
        if not tag >> 3 or at > len(body):
            return []
        found.append((tag >> 3, wire, body[start:at]))
    return found


def _read_varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(body):
        byte = body[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128 or shift > 63:
            return value, at
    return value, len(body) + 1


def wanted(mutant: Mutant, *, was_taken: bool) -> Wanted:
    """Give what the official parsers make of a request, as far as it matters to one that was taken, or not."""
    return _wanted_of_json(mutant, was_taken=was_taken) if mutant.encoding == "json" else _wanted_of_wire(mutant)


def _wanted_of_wire(mutant: Mutant) -> Wanted:
    try:
        MESSAGES[mutant.signal].FromString(mutant.data)
    except DecodeError as error:
        is_open = "utf-8" in str(error).lower() or (mutant.signal == "metrics" and _reads_without(mutant.data))
        return Wanted.EITHER if is_open else Wanted.BAD
    return Wanted.OK


def _reads_without(data: bytes) -> bool:
    """Tell whether a request of metrics can be read without what is passed over."""
    try:
        ExportMetricsServiceRequest.FromString(_stripped(data, _UNREAD))
    except DecodeError:
        return False
    return True


def _stripped(body: bytes, unread: Mapping[int, Any]) -> bytes:
    """Leave out fields; `unread` says of each number what of it is left out, None for all."""
    found = bytearray()
    for number, wire, payload in _fields(body) or ():
        inner = unread.get(number, {})
        if inner is not None or wire != 2:
            found += _field((number, wire, _stripped(payload, inner) if inner and wire == 2 else payload))
    return bytes(found) if found or not body else body


def _wanted_of_json(mutant: Mutant, *, was_taken: bool) -> Wanted:
    if not mutant.data:
        return Wanted.EITHER
    text = mutant.data.decode(errors="replace")
    try:
        document = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return Wanted.BAD
    if was_taken or "\ufffd" in text or not isinstance(document, dict):
        return Wanted.EITHER
    try:
        hexed = _ids(document, lambda text: base64.b64encode(bytes.fromhex(text)).decode())
        json_format.ParseDict(hexed, MESSAGES[mutant.signal](), ignore_unknown_fields=True)
    except (json_format.ParseError, ValueError, TypeError, AttributeError, RecursionError, SystemError):
        return Wanted.EITHER  # SystemError: a key that is half of a surrogate pair
    return Wanted.OK


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)


def is_stricter(mutant: Mutant) -> bool:
    """Tell whether a request that protobuf reads holds a group, or values nested too deep."""
    if mutant.encoding == "json":
        return False
    return _is_odd([MESSAGES[mutant.signal].FromString(mutant.data)], 0)


def _is_odd(messages: Sequence[Any], depth: int) -> bool:
    if depth > DEEPEST:
        return bool(messages)
    for message in messages:
        if any(field.wire_type == 3 for field in UnknownFieldSet(message)):
            return True
        for field, value in message.ListFields():
            if field.message_type and _is_odd(value if field.is_repeated else [value], depth + 1):
                return True
    return False
