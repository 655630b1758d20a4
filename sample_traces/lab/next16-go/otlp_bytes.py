"""Just enough of the protobuf wire to read a recording back without a package: span ids, names and text attributes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

Field = tuple[int, int | bytes]


@dataclass(frozen=True)
class Span:
    """One recorded span. `text` holds its text attributes, and the first entry of those that are lists of text."""

    service: str
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    start_ns: int
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


def bodies(recording: bytes) -> Iterator[bytes]:
    """The bodies of a size-delimited recording."""
    at = 0
    while at < len(recording):
        size, at = _varint(recording, at)
        yield recording[at : at + size]
        at += size


def fields(message: bytes) -> Iterator[Field]:
    """Field numbers and raw values, in the order they were written."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        if tag & 7 == 0:
            value, at = _varint(message, at)
            yield tag >> 3, value
        else:
            size, at = (8, at) if tag & 7 == 1 else (4, at) if tag & 7 == 5 else _varint(message, at)
            yield tag >> 3, message[at : at + size]
            at += size


def _submessages(message: bytes, number: int) -> Iterator[bytes]:
    return (value for found, value in fields(message) if found == number and isinstance(value, bytes))


def _text_of(value: bytes) -> str | None:
    for number, inner in fields(value):
        if number == 1 and isinstance(inner, bytes):
            return inner.decode()
        if number == 5 and isinstance(inner, bytes):
            return next((_text_of(entry) for entry in _submessages(inner, 1)), None)
    return None


def _attributes(message: bytes, number: int) -> dict[str, str]:
    found = {}
    for pair in _submessages(message, number):
        key = next(_submessages(pair, 1), b"").decode()
        text = _text_of(next(_submessages(pair, 2), b""))
        if text is not None:
            found[key] = text
    return found


def _span(service: str, message: bytes) -> Span:
    raw = {number: value for number, value in fields(message) if isinstance(value, bytes)}
    return Span(
        service=service,
        trace_id=raw.get(1, b"").hex(),
        span_id=raw.get(2, b"").hex(),
        parent_id=raw.get(4, b"").hex(),
        name=raw.get(5, b"").decode(),
        start_ns=int.from_bytes(raw.get(7, b""), "little"),
        text=_attributes(message, 9),
    )


def spans(recording: bytes) -> Iterator[Span]:
    """Every span of a size-delimited recording of ExportTraceServiceRequest bodies."""
    for body in bodies(recording):
        for resource_spans in _submessages(body, 1):
            resource = next(_submessages(resource_spans, 1), b"")
            service = _attributes(resource, 1).get("service.name", "")
            for scope_spans in _submessages(resource_spans, 2):
                for message in _submessages(scope_spans, 2):
                    yield _span(service, message)
