"""Strategies of OTLP trace requests, as messages of the official classes; every room's property tests share them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

INT64 = st.integers(-(2**63), 2**63 - 1)
TIME_NS = st.one_of(st.integers(0, 2**63 - 2), st.integers(1_700_000_000_000_000_000, 1_800_000_000_000_000_000))
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
KEYS = st.one_of(
    st.sampled_from(["http.route", "url.full", "service.name", "http.request.method", "db.system", "server.port", "k"]),
    st.text(max_size=8),
)
TRACE_IDS = st.binary(min_size=16, max_size=16).filter(any)
SPAN_IDS = st.binary(min_size=8, max_size=8).filter(any)


def _scalars() -> st.SearchStrategy[Any]:
    return st.one_of(
        st.just(AnyValue()),
        TEXT.map(lambda text: AnyValue(string_value=text)),
        st.booleans().map(lambda value: AnyValue(bool_value=value)),
        INT64.map(lambda value: AnyValue(int_value=value)),
        st.floats().map(lambda value: AnyValue(double_value=value)),
        st.binary(max_size=12).map(lambda value: AnyValue(bytes_value=value)),
    )


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(inner, max_size=4).map(lambda values: AnyValue(array_value=ArrayValue(values=values)))
    pairs = st.lists(st.builds(KeyValue, key=TEXT, value=inner), max_size=3)
    return st.one_of(lists, pairs.map(lambda values: AnyValue(kvlist_value=KeyValueList(values=values))))


VALUES = st.recursive(_scalars(), _nested, max_leaves=5)
"""Values of attributes: scalars of every type, nothing, and arrays and maps of them."""

ATTRIBUTES = st.lists(st.builds(KeyValue, key=KEYS, value=VALUES), max_size=3)


def spans(*, valid: bool = True) -> st.SearchStrategy[Any]:
    """Return spans; those that are not `valid` may have ids of any length, zero ids and any time."""
    trace_ids, span_ids, times = TRACE_IDS, SPAN_IDS, TIME_NS
    if not valid:
        trace_ids = st.one_of(trace_ids, st.binary(max_size=20), st.just(bytes(16)))
        span_ids = st.one_of(span_ids, st.binary(max_size=300), st.just(bytes(8)))
        times = st.one_of(times, st.integers(0, 2**64 - 1))
    event = st.builds(Span.Event, time_unix_nano=times, name=TEXT, attributes=ATTRIBUTES)
    link = st.builds(
        *(Span.Link,),
        trace_id=trace_ids,
        span_id=span_ids,
        trace_state=TEXT,
        attributes=ATTRIBUTES,
        flags=st.integers(0, 2**32 - 1),
    )
    return st.builds(
        *(Span,),
        trace_id=trace_ids,
        span_id=span_ids,
        parent_span_id=st.one_of(st.just(b""), span_ids),
        trace_state=TEXT,
        flags=st.integers(0, 2**32 - 1),
        name=TEXT,
        kind=st.integers(0, 5),
        start_time_unix_nano=times,
        end_time_unix_nano=times,
        attributes=ATTRIBUTES,
        dropped_attributes_count=st.integers(0, 2**32 - 1),
        events=st.lists(event, max_size=2),
        links=st.lists(link, max_size=2),
        status=st.builds(Status, message=TEXT, code=st.integers(0, 2)),
    )


def requests(*, valid: bool = True) -> st.SearchStrategy[Any]:
    """Return `ExportTraceServiceRequest` messages with several resources and scopes."""
    scope = st.builds(InstrumentationScope, name=TEXT, version=TEXT, attributes=ATTRIBUTES)
    scope_spans = st.builds(ScopeSpans, scope=scope, spans=st.lists(spans(valid=valid), max_size=3), schema_url=TEXT)
    resource = st.builds(Resource, attributes=ATTRIBUTES, dropped_attributes_count=st.integers(0, 9))
    resource_spans = st.builds(
        ResourceSpans, resource=resource, scope_spans=st.lists(scope_spans, max_size=2), schema_url=TEXT
    )
    return st.builds(ExportTraceServiceRequest, resource_spans=st.lists(resource_spans, max_size=2))
