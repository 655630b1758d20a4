"""Spans as emitters send them: built as protobuf, decoded and normalised by the real thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

from collector.decoding.decode import Body, decode_traces
from collector.normalise import normalise
from seamscope.config import Rules
from seamscope.schema import words

if TYPE_CHECKING:
    from collector.decoding.flat import FlatTraces

START_NS = 1_800_000_000_000_000_000
KINDS = {name: number for number, name in enumerate(words.SPAN_KINDS)}
CODED = {"role": words.ROLES, "extent": words.EXTENTS, "tier_hint": words.TIERS, "kind": words.SPAN_KINDS}

Row = dict[str, Any]
Attributes = Mapping[str, Any]


def any_value(value: object) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[any_value(entry) for entry in value]))
    return AnyValue(string_value=str(value))


def key_values(attributes: Attributes | Sequence[tuple[str, Any]]) -> list[KeyValue]:
    pairs = attributes.items() if isinstance(attributes, Mapping) else attributes
    return [KeyValue(key=key, value=any_value(value)) for key, value in pairs]


def add_span(request: Any, given: Mapping[str, Any], number: int) -> None:
    """Add a span of its own resource and scope; `given` is what the fixture `emit` takes."""
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.extend(key_values(given.get("resource", {})))
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = given.get("scope", "")
    scope_spans.scope.version = given.get("version", "")
    span = scope_spans.spans.add()
    span.trace_id = (number + 1).to_bytes(16, "big")
    span.span_id = (number + 1).to_bytes(8, "big")
    span.name = given.get("name", "")
    span.kind = KINDS[given.get("kind", "internal")]
    span.start_time_unix_nano = START_NS
    span.end_time_unix_nano = START_NS + given.get("duration_ns", 50_000_000)
    span.trace_state = given.get("trace_state", "")
    span.attributes.extend(key_values(given.get("attributes", {})))
    for name, after_ns, *attributes in given.get("events", ()):
        event = span.events.add(name=name, time_unix_nano=START_NS + after_ns)
        event.attributes.extend(key_values(attributes[0] if attributes else {}))
    for attributes in given.get("links", ()):
        link = span.links.add(trace_id=b"\x01" * 16, span_id=b"\x02" * 8)
        link.attributes.extend(key_values(attributes))


def encoded(spans: Sequence[Mapping[str, Any]], first: int = 0) -> Body:
    request = ExportTraceServiceRequest()
    for number, given in enumerate(spans, start=first):
        add_span(request, given, number)
    return Body(request.SerializeToString(), "protobuf", "traces")


def tables_of(bodies: Sequence[Body], rules: Rules | None = None) -> dict[str, Any]:
    flat = decode_traces(bodies)
    return normalise(flat, np.ones(len(flat.spans.span_id), np.bool_), rules or Rules())


def in_words(row: Row) -> Row:
    """Spell out the codes of a row of `spans`."""
    return row | {column: vocabulary[row[column]] for column, vocabulary in CODED.items()}


@pytest.fixture
def emit_all() -> Callable[..., list[Row]]:
    """Give a function: spans as keyword dictionaries (see `emit`) → their rows, codes in words."""

    def normalised(*spans: Mapping[str, Any], rules: Rules | None = None) -> list[Row]:
        return [in_words(row) for row in tables_of([encoded(spans)], rules)["spans"].to_pylist()]

    return normalised


@pytest.fixture
def emit(emit_all: Callable[..., list[Row]]) -> Callable[..., Row]:
    """Give a function: one span → its row.

    It takes scope, version, name, kind (a word), resource, attributes, events (name, ns after the start, attributes),
    links (attributes each), trace_state, duration_ns, and rules.
    """

    def one(rules: Rules | None = None, **given: Any) -> Row:
        return emit_all(given, rules=rules)[0]

    return one


@pytest.fixture
def check(emit: Callable[..., Row]) -> Callable[[Mapping[str, Any], Mapping[str, Any]], None]:
    """Give a function that holds a span's columns against a literal table."""

    def holds(given: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
        row = emit(**given)
        assert {column: row[column] for column in expected} == dict(expected)

    return holds


@pytest.fixture
def resource_of() -> Callable[..., Row]:
    """Give a function: resource attributes (and the scope seen with them) → the row of `resources`, tier in words."""

    def one(attributes: Attributes, scope: str = "") -> Row:
        rows = tables_of([encoded([{"resource": attributes, "scope": scope}])])["resources"].to_pylist()
        assert len(rows) == 1
        row: Row = rows[0]
        return row | {"tier": words.TIERS[row["tier"]]}

    return one


@pytest.fixture
def tables() -> Callable[..., dict[str, Any]]:
    """Give a function: lists of spans, one per request body → the tables."""

    def whole(*requests: Sequence[Mapping[str, Any]], rules: Rules | None = None) -> dict[str, Any]:
        firsts = np.cumsum([0, *(len(request) for request in requests)])
        return tables_of([encoded(spans, int(at)) for spans, at in zip(requests, firsts[:-1], strict=True)], rules)

    return whole


@pytest.fixture
def flat_of() -> Callable[..., FlatTraces]:
    """Give a function: spans → the decoded batch."""

    def decoded(spans: Sequence[Mapping[str, Any]]) -> FlatTraces:
        return decode_traces([encoded(spans)])

    return decoded
