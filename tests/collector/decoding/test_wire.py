"""The protobuf reader against the official parser: the same content, the same verdicts, whatever the bytes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

from collector.decoding import flat
from collector.decoding.decode import Body, decode_traces
from collector.decoding.signals import TRACES
from collector.decoding.wire import WireLimits, read_wire
from tests.collector.official import spans_of_body, spans_of_flat
from tests.strategies import requests

if TYPE_CHECKING:
    from pathlib import Path

    from collector.decoding.flat import FlatTraces

RELAXED = settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck), database=None)


def decode(*bodies: bytes, limits: WireLimits | None = None) -> FlatTraces:
    return decode_traces([Body(body, "protobuf", "traces") for body in bodies], limits)


def sample() -> Any:
    """Return a request that uses every field once."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add(schema_url="https://opentelemetry.io/schemas/1.44.0")
    group.resource.attributes.add(key="service.name").value.string_value = "orders"
    group.resource.dropped_attributes_count = 1
    scope = group.scope_spans.add()
    scope.scope.name, scope.scope.version = "otelhttp", "0.70"
    scope.scope.attributes.add(key="a").value.int_value = 1
    span = scope.spans.add(trace_id=bytes(range(16)), span_id=bytes(range(1, 9)), parent_span_id=bytes(range(2, 10)))
    span.name, span.kind, span.flags, span.trace_state = "GET /v1/{name}", 2, 0x301, "ot=th:8"
    span.start_time_unix_nano, span.end_time_unix_nano = 1_760_000_000_000_000_000, 1_760_000_000_000_000_005
    span.status.code, span.status.message = 2, "no"
    for value in (AnyValue(string_value="ü"), AnyValue(int_value=-5), AnyValue(double_value=0.1), AnyValue()):
        span.attributes.add(key="k").value.CopyFrom(value)
    span.attributes.add(key="list").value.array_value.values.extend([AnyValue(bytes_value=b"\xff"), AnyValue()])
    span.attributes.add(key="on").value.bool_value = True
    event = span.events.add(time_unix_nano=1_760_000_000_000_000_001, name="exception")
    event.attributes.add(key="exception.type").value.string_value = "E"
    link = span.links.add(trace_id=bytes(range(3, 19)), span_id=bytes(range(4, 12)), trace_state="a=b", flags=1)
    link.attributes.add(key="l").value.bytes_value = b"raw"
    span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count = 1, 2, 3
    return request


def test_every_field_arrives() -> None:
    body = sample().SerializeToString()
    batch = decode(body)
    assert batch.errors == (None,)
    assert batch.oddities.tolist() == [0]
    assert spans_of_flat(batch) == [spans_of_body(body)]


@RELAXED
@given(st.lists(requests(valid=False), max_size=3))
def test_content_is_what_the_official_parser_reads(messages: list[Any]) -> None:
    bodies = [message.SerializeToString() for message in messages]
    batch = decode(*bodies)
    assert batch.errors == (None,) * len(bodies)
    assert spans_of_flat(batch) == [spans_of_body(body) for body in bodies]


def test_recorded_requests_read_alike(captures: Path) -> None:
    bodies = [path.read_bytes() for path in sorted(captures.rglob("*.pb"))]
    batch = decode(*bodies)
    assert spans_of_flat(batch) == [spans_of_body(body) for body in bodies]
    assert len(batch.spans.body) > 100


def _damaged(body: bytes, dice: random.Random) -> bytes:
    """Return a body with a few bytes changed, lost, added or repeated."""
    data = bytearray(body)
    for _ in range(dice.choice([1, 1, 2, 4])):
        at, other = dice.randrange(len(data) + 1), dice.randrange(len(data) + 1)
        trick = dice.randrange(6)
        if trick == 0 and data:
            data[at % len(data)] ^= 1 << dice.randrange(8)
        elif trick == 1 and data:
            data[at % len(data)] = dice.choice([0, 1, 2, 0x0A, 0x0B, 0x12, 0x7F, 0x80, 0xFF])
        elif trick == 2:
            data[at:at] = dice.randbytes(dice.randrange(1, 5))
        elif trick == 3:
            del data[at : at + dice.randrange(1, 5)]
        elif trick == 4:
            data[at:at] = data[other : other + dice.randrange(1, 40)]
        else:
            del data[at:]
    return bytes(data)


def _leaf(dice: random.Random) -> bytes:
    """Return a field that is right in its grammar, though maybe not in its place."""
    number, wire = dice.randrange(1, 20), dice.choice([0, 1, 2, 2, 5])
    payload = {0: dice.choice([b"\x01", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"]), 1: dice.randbytes(8)}.get(wire)
    if payload is None:
        payload = dice.randbytes(4) if wire == 5 else b"\x02ab"
    tag = number << 3 | wire
    return (bytes([tag]) if tag < 128 else bytes([tag & 127 | 128, tag >> 7])) + payload


def _with_stray_fields(message: Any, dice: random.Random) -> Any:
    """Return a copy in which messages have further fields behind their own, known ones and unknown ones."""
    copy = type(message)()
    copy.CopyFrom(message)
    for _ in range(dice.randrange(1, 4)):
        target = copy
        while dice.random() < 0.8:
            inner = [
                each
                for field, value in target.ListFields()
                if field.message_type
                for each in (value if field.is_repeated else [value])
            ]
            if not inner:
                break
            target = dice.choice(inner)
        target.MergeFromString(target.SerializeToString()[: dice.choice([0, 10**9])])
        _append(target, _leaf(dice))
    return copy


def _append(message: Any, field: bytes) -> None:
    try:
        message.MergeFromString(field)
    except DecodeError:
        return


def _refused(batch: FlatTraces) -> str:
    assert batch.errors[0] is not None
    return "refused"


def _agree(body: bytes) -> str:
    """Compare verdict and content; return which of the ways of agreeing it was."""
    batch = decode(body)
    try:
        expected = spans_of_body(body)
    except DecodeError as error:
        # text that is not UTF-8 costs us a span at most, the official parser the body
        return "invalid text" if batch.errors[0] is None and "utf-8" in str(error).lower() else _refused(batch)
    if batch.errors[0] is not None:
        assert "group" in batch.errors[0] or "too deep" in batch.errors[0], batch.errors[0]
        return "stricter"
    if spans_of_flat(batch) != [expected]:
        assert batch.oddities[0] > 0, body.hex()  # a list or map sent twice is replaced, not merged
        return "replaced"
    return "equal"


def test_damaged_requests_get_the_official_verdict() -> None:
    dice = random.Random(20)  # noqa: S311 - seeded
    seeds = [sample().SerializeToString()]
    seen: dict[str, int] = {}
    for _ in range(1_500):
        found = _agree(_damaged(dice.choice(seeds), dice))
        seen[found] = seen.get(found, 0) + 1
    assert seen["refused"] > 100
    assert seen["equal"] > 100


def test_stray_fields_read_as_the_official_parser_reads_them() -> None:
    dice = random.Random(21)  # noqa: S311 - seeded
    seen: dict[str, int] = {}
    for _ in range(500):
        found = _agree(_with_stray_fields(sample(), dice).SerializeToString())
        seen[found] = seen.get(found, 0) + 1
    assert seen["equal"] > 100


@RELAXED
@given(st.binary(max_size=200))
def test_any_bytes_give_columns_or_an_error(body: bytes) -> None:
    good = sample().SerializeToString()
    batch = decode(good, body, good)
    assert batch.errors[0] is None
    assert batch.errors[2] is None
    by_body = spans_of_flat(batch)
    assert by_body[0] == by_body[2] == spans_of_body(good)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"\x0a", "cut off"),
        (b"\x0a\x05\x0a", "cut off"),
        (b"\x0a" + b"\xff" * 9 + b"\x01", "too many bytes"),
        (b"\x08" + b"\xff" * 11, "too many bytes"),
        (b"\x00\x00", "tag"),
        (b"\x0f\x00", "tag"),
        (b"\x0b\x0c", "group"),
        (b"\x0a\x80", "cut off"),
        (b"\x0a\xff\xff\xff\xff\x7f", "cut off"),
        (sample().SerializeToString()[:-1], "cut off"),
    ],
)
def test_a_malformed_body_says_why_and_where(body: bytes, words: str) -> None:
    (error,) = decode(body).errors
    assert error is not None
    assert words in error
    assert "byte" in error


def _nested_value(depth: int) -> bytes:
    request = sample()
    value = AnyValue(string_value="deep")
    for _ in range(depth):
        value = AnyValue(array_value=ArrayValue(values=[value]))
    request.resource_spans[0].scope_spans[0].spans[0].attributes.append(KeyValue(key="deep", value=value))
    return bytes(request.SerializeToString())


def test_values_nest_thirty_two_deep_and_no_deeper() -> None:
    body = _nested_value(32)
    assert spans_of_flat(decode(body)) == [spans_of_body(body)]
    (error,) = decode(_nested_value(33)).errors
    assert error is not None
    assert "too deep" in error


def test_a_bomb_of_nesting_is_an_error() -> None:
    body = b""
    for _ in range(5_000):  # AnyValue{array_value{values
        inner = b"\x0a" + _size(len(body)) + body
        body = b"\x2a" + _size(len(inner)) + inner
    attribute = b"\x12" + _size(len(body)) + body
    span = b"\x4a" + _size(len(attribute)) + attribute
    for tag in (b"\x12", b"\x12", b"\x0a"):
        span = tag + _size(len(span)) + span
    (error,) = decode(span).errors
    assert error is not None
    assert "too deep" in error


def _size(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _wrapped(content: bytes, *tags: bytes) -> bytes:
    for tag in reversed(tags):
        content = tag + _size(len(content)) + content
    return content


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("resources", b"\x0a\x00" * 100),
        ("scopes", _wrapped(b"\x12\x00" * 100, b"\x0a")),
        ("spans", _wrapped(b"\x12\x00" * 100, b"\x0a", b"\x12")),
        ("attributes", _wrapped(b"\x4a\x00" * 100, b"\x0a", b"\x12", b"\x12")),
        ("events", _wrapped(b"\x5a\x00" * 100, b"\x0a", b"\x12", b"\x12")),
        ("links", _wrapped(b"\x6a\x00" * 100, b"\x0a", b"\x12", b"\x12")),
    ],
)
def test_a_bomb_of_empty_items_is_refused_before_it_is_built(name: str, body: bytes) -> None:
    del name
    bounded = WireLimits(groups=99, records=99, attributes=99)
    batch = decode(body, sample().SerializeToString(), limits=bounded)
    assert batch.errors[0] is not None
    assert "more items" in batch.errors[0]
    assert len(batch.spans.body) == 1  # the neighbour's
    assert decode(body, limits=WireLimits(groups=100, records=100, attributes=100)).errors == (None,)


def test_the_shipped_limits_stop_eight_megabytes_of_empty_spans() -> None:
    (error,) = decode(_wrapped(b"\x12\x00" * 4_000_000, b"\x0a", b"\x12")).errors
    assert error is not None
    assert "more items" in error


def test_a_bomb_inside_a_value_or_a_scope_is_refused() -> None:
    empties = b"\x0a\x00" * 10_000_000
    for tags in (
        (b"\x0a", b"\x12", b"\x12", b"\x4a", b"\x12", b"\x2a"),
        (b"\x0a", b"\x12", b"\x0a", b"\x1a", b"\x12", b"\x2a"),
    ):
        (error,) = decode(_wrapped(empties, *tags)).errors
        assert error is not None
        assert "more items" in error


def test_text_that_is_not_utf8_marks_its_span_alone() -> None:
    good, bad = (
        sample().SerializeToString(),
        sample().SerializeToString().replace(b"exception.type", b"exception\xfftype"),
    )
    batch = decode(good, bad)
    assert batch.errors == (None, None)
    assert (batch.spans.faults & flat.FAULT_UTF8).tolist() == [0, flat.FAULT_UTF8]
    assert "exception\ufffdtype" in batch.keys.to_pylist()


@pytest.mark.parametrize(
    "word", [b"no", b"GET /v1/{name}", b"ot=th:8", b"a=b", b"exception", b"E", b"list", b"\xc3\xbc"]
)
def test_every_text_of_a_span_is_checked(word: bytes) -> None:
    body = sample().SerializeToString()
    at = body.rindex(bytes([len(word)]) + word) + 1
    bad = body[:at] + b"\xfe" + body[at + 1 :]
    assert (decode(bad).spans.faults & flat.FAULT_UTF8).all()


def test_text_of_a_resource_that_is_not_utf8_is_repaired() -> None:
    batch = decode(sample().SerializeToString().replace(b"orders", b"ord\xc3rs"))
    assert batch.resource_attributes.text.to_pylist() == ["ord\ufffdrs"]
    assert not batch.spans.faults.any()


@RELAXED
@given(st.binary(max_size=40))
def test_repaired_text_is_what_python_makes_of_it(data: bytes) -> None:
    span = b"\x2a" + _size(len(data)) + data
    batch = decode(_wrapped(span, b"\x0a", b"\x12", b"\x12"))
    assert batch.spans.name.to_pylist() == [data.decode("utf-8", "replace")]
    assert bool(batch.spans.faults[0] & flat.FAULT_UTF8) == (
        b"\xef\xbf\xbd" not in data and "\ufffd" in batch.spans.name[0].as_py()
    )


def test_a_known_field_of_another_wire_type_is_counted() -> None:
    batch = decode(_wrapped(b"\x10\x05", b"\x0a", b"\x12"))  # spans as a number
    assert batch.oddities.tolist() == [1]
    assert batch.errors == (None,)


def test_a_batch_counts_from_body_to_body() -> None:
    body = sample().SerializeToString()
    batch = decode(body, b"", body)
    assert batch.spans.body.tolist() == [0, 2]
    assert batch.resources.body.tolist() == [0, 2]
    assert batch.keys.to_pylist().count("service.name") == 1


def test_codes_of_keys() -> None:
    batch = decode(sample().SerializeToString())
    codes = batch.codes(["service.name", "nothing", "on"])
    assert codes[1] == -1
    assert [batch.keys[int(code)].as_py() for code in codes[[0, 2]]] == ["service.name", "on"]


def test_many_keys_get_codes_of_their_own() -> None:
    request = sample()
    names = [f"key.{number}" for number in range(5_000)] * 2
    for name in names:
        request.resource_spans[0].scope_spans[0].spans[0].attributes.add(key=name)
    batch = decode(request.SerializeToString())
    sent = batch.keys.take(batch.span_attributes.key).to_pylist()
    assert sent[-len(names) :] == names
    assert len(set(batch.keys.to_pylist())) == len(batch.keys)


def test_nothing_gives_nothing() -> None:
    assert len(decode().spans.body) == 0
    assert decode(b"").errors == (None,)
    assert np.array_equal(read_wire([], TRACES).bases[-1:], [0])
