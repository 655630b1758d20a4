"""Which spans are kept, which are not and why, and what is cut off attributes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.decoding.admit import REASONS, Admitted, AttributeLimits, admit
from collector.decoding.decode import Body, decode_traces
from tests.strategies import requests

TRACE, SPAN = bytes(range(1, 17)), bytes(range(1, 9))


def request(*spans: dict[str, Any]) -> Any:
    """Return a request of valid spans, but for what is given."""
    message = ExportTraceServiceRequest()
    scope = message.resource_spans.add().scope_spans.add()
    for number, fields in enumerate(spans, 1):
        valid = {"trace_id": TRACE, "span_id": number.to_bytes(8, "big"), "start_time_unix_nano": 5}
        scope.spans.add(**{**valid, **fields})
    return message


def judge(*messages: Any, limits: AttributeLimits | None = None) -> Admitted:
    bodies = [Body(message.SerializeToString(), "protobuf", "traces") for message in messages]
    return admit(decode_traces(bodies), limits)


def rejected(judged: Admitted, body: int = 0) -> dict[str, int]:
    return {reason: int(count) for reason, count in zip(REASONS, judged.rejected[body], strict=True) if count}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"trace_id": b""}, "trace_id_length"),
        ({"trace_id": b"x"}, "trace_id_length"),
        ({"trace_id": bytes(15)}, "trace_id_length"),
        ({"trace_id": bytes(17)}, "trace_id_length"),
        ({"trace_id": bytes(16 + 256)}, "trace_id_length"),
        ({"trace_id": bytes(16)}, "trace_id_zero"),
        ({"span_id": b""}, "span_id_length"),
        ({"span_id": b"1234567"}, "span_id_length"),
        ({"span_id": b"123456789"}, "span_id_length"),
        ({"span_id": bytes(8)}, "span_id_zero"),
        ({"parent_span_id": b"1234567"}, "parent_id_length"),
        ({"parent_span_id": b"1" * 16}, "parent_id_length"),
        ({"start_time_unix_nano": 2**63}, "time_out_of_range"),
        ({"end_time_unix_nano": 2**64 - 1}, "time_out_of_range"),
    ],
)
def test_a_broken_span_is_rejected_alone(fields: dict[str, Any], reason: str) -> None:
    judged = judge(request({}, fields, {}), request({}))
    assert judged.keep.tolist() == [True, False, True, True]
    assert rejected(judged) == {reason: 1}
    assert rejected(judged, body=1) == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"start_time_unix_nano": 9, "end_time_unix_nano": 1},
        {"start_time_unix_nano": 0, "end_time_unix_nano": 0},
        {"end_time_unix_nano": 2**63 - 2},
        {"name": ""},
        {"name": "x" * 70_000},
        {"kind": 77},
        {"parent_span_id": bytes(8)},
        {"parent_span_id": SPAN, "span_id": SPAN},
    ],
)
def test_what_is_only_odd_is_kept(fields: dict[str, Any]) -> None:
    judged = judge(request(fields))
    assert judged.keep.tolist() == [True]
    assert rejected(judged) == {}


def test_a_span_with_several_faults_counts_once() -> None:
    assert rejected(judge(request({"trace_id": b"x", "span_id": b"", "start_time_unix_nano": 2**64 - 1}))) == {
        "trace_id_length": 1
    }


def test_text_that_is_not_utf8_costs_one_span() -> None:
    data = request({"name": "before"}, {"name": "broken"}, {"name": "after"}).SerializeToString()
    judged = admit(decode_traces([Body(data.replace(b"broken", b"br\xffken"), "protobuf", "traces")]))
    assert judged.keep.tolist() == [True, False, True]
    assert rejected(judged) == {"invalid_utf8": 1}


def test_links_need_valid_ids_and_a_kept_span() -> None:
    message = request({}, {"trace_id": b""})
    first, second = message.resource_spans[0].scope_spans[0].spans
    first.links.add(trace_id=TRACE, span_id=SPAN)
    first.links.add(trace_id=b"short", span_id=SPAN)
    first.links.add(trace_id=TRACE, span_id=bytes(8))
    second.links.add(trace_id=TRACE, span_id=SPAN)
    assert judge(message).keep_links.tolist() == [True, False, False, False]


def test_event_times_stay_below_what_the_store_holds() -> None:
    message = request({})
    message.resource_spans[0].scope_spans[0].spans[0].events.add(time_unix_nano=2**64 - 1)
    assert judge(message).flat.events.time.tolist() == [2**63 - 2]


def test_long_values_are_cut_at_a_character_and_counted() -> None:
    message = request({}, {})
    first, second = message.resource_spans[0].scope_spans[0].spans
    first.attributes.add(key="a").value.string_value = "12345678é"
    first.attributes.add(key="b").value.string_value = "123456789"
    second.attributes.add(key="c").value.string_value = "x" * 100
    message.resource_spans[0].resource.attributes.add(key="d").value.string_value = "y" * 11
    judged = judge(request({}), message, limits=AttributeLimits(value_bytes=9))
    assert judged.flat.span_attributes.text.to_pylist() == ["12345678", "123456789", "x" * 9]
    assert judged.flat.resource_attributes.text.to_pylist() == ["y" * 9]
    assert judged.truncated.tolist() == [0, 3]


def test_long_names_of_scopes_are_cut_and_counted_for_who_sent_them() -> None:
    message, empty = request({}), ExportTraceServiceRequest()
    message.resource_spans[0].scope_spans[0].scope.name = "n" * 10
    empty.resource_spans.add().scope_spans.add().scope.version = "v" * 10
    judged = judge(request({}), message, empty, limits=AttributeLimits(name_bytes=9))
    assert judged.flat.scopes.name.to_pylist() == ["", "n" * 9, ""]
    assert judged.truncated.tolist() == [0, 1, 0]


def test_attributes_beyond_the_limit_are_dropped_and_counted() -> None:
    message = request({}, {"dropped_attributes_count": 2**32 - 2}, {})
    spans = message.resource_spans[0].scope_spans[0].spans
    for number in range(5):
        spans[0].attributes.add(key=f"k{number}")
        spans[1].attributes.add(key=f"k{number}")
    spans[2].attributes.add(key="k0")
    judged = judge(message, limits=AttributeLimits(per_owner=2))
    assert judged.flat.span_attributes.owner.tolist() == [0, 0, 1, 1, 2]
    assert judged.flat.spans.dropped_attributes.tolist() == [3, 2**32 - 1, 0]


def test_repeated_keys_are_all_kept() -> None:
    message = request({})
    for text in ("first", "second"):
        message.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="k").value.string_value = text
    assert judge(message).flat.span_attributes.text.to_pylist() == ["first", "second"]


@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck), database=None)
@given(requests(valid=False))
def test_every_span_is_kept_or_counted(message: Any) -> None:
    judged = judge(message)
    spans = [span for group in message.resource_spans for scope in group.scope_spans for span in scope.spans]
    assert len(spans) == judged.keep.sum() + judged.rejected.sum()
    for span, keep in zip(spans, judged.keep, strict=True):
        valid = len(span.trace_id) == 16 and any(span.trace_id) and len(span.span_id) == 8 and any(span.span_id)
        valid = valid and len(span.parent_span_id) in {0, 8}
        assert keep == (valid and max(span.start_time_unix_nano, span.end_time_unix_nano) < 2**63 - 1)
