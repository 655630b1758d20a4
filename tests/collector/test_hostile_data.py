"""Spans that are well-formed requests and odd in every other way: stored as they were sent, and harmless after."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

from tests.collector import traffic
from tests.collector.transports import TRANSPORTS, encoded, send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from collector.serve import Collector

pytestmark = pytest.mark.xdist_group("hostile data")
over_each = pytest.mark.parametrize("transport", TRANSPORTS)

TEXTS = {
    "nul": "a\x00b",
    "escapes": "\x1b[2J\x1b]52;c;aGk=\x07\x9b31m",
    "bidi": "\u202egnp.exe\u2066",
    "zero width": "a\u200b\u2060\ufeffb",
    "emoji": "👩‍👩‍👧‍👦" * 9,
    "no characters": "\uffff\U0010ffff",
    "markup": "[/nope][@click=app.quit]x",
    "script": "</script><img src=x onerror=alert(1)>",
    "sql": "'; DROP TABLE spans; --",
    "wildcards": "%_\\",
    "formula": '=HYPERLINK("http://x","y")',
    "path": "../../../../etc/hosts",
    "jinja": "{{ 7 * 7 }}{% raw %}",
    "format": "%s%n{0}{self}",
    "newlines": "a\r\nb\tc\x0b\x0c\x85\u2028",
    "long": "ä" * 20_000,
}


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    with traffic.running(tmp_path_factory.mktemp("hostile")) as running:
        yield running


def stored(collector: Collector, span: Any) -> dict[str, Any]:
    found = collector.store.query("SELECT * FROM spans WHERE span_id = $id", {"id": span.span_id.hex()})
    assert len(found) == 1
    return dict(found.to_dicts()[0])


def single(seed: object, service: str = "orders") -> tuple[Any, Any]:
    request = traffic.spans(1, seed=hash(seed), service=service)
    return request, request.resource_spans[0].scope_spans[0].spans[0]


@over_each
@pytest.mark.parametrize("what", TEXTS)
def test_text_is_stored_as_it_was_sent(collector: Collector, transport: str, what: str) -> None:
    text = TEXTS[what]
    request, span = single((transport, what), service=text)
    span.name = text
    span.attributes.append(KeyValue(key=text[:999], value=AnyValue(string_value=text)))
    span.status.code, span.status.message = 2, text
    said = send(transport, collector, request)
    assert said.verdict == "ok"
    row = stored(collector, span)
    assert (row["name"], row["service"], row["status_message"]) == (text, text.strip(), text)
    assert {"key": text[:999], "value": text} in row["attributes"]
    assert traffic.count(collector.store, "spans") > 0  # nothing was dropped


NUMBERS = [math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308]


@over_each
def test_numbers_at_the_edges_are_stored(collector: Collector, transport: str) -> None:
    request, span = single(("numbers", transport))
    doubles = [AnyValue(double_value=number) for number in NUMBERS]
    integers = [AnyValue(int_value=number) for number in (-(2**63), 2**63 - 1, 0)]
    span.attributes.extend(KeyValue(key=f"n{at}", value=value) for at, value in enumerate([*doubles, *integers]))
    assert send(transport, collector, request).verdict == "ok"
    kept = {each["key"]: each["value"] for each in stored(collector, span)["attributes"]}
    found = [float(kept[f"n{at}"]) for at in range(len(NUMBERS))]
    assert [str(number) for number in found] == [str(number) for number in NUMBERS]
    assert [int(kept[f"n{len(NUMBERS) + at}"]) for at in range(3)] == [-(2**63), 2**63 - 1, 0]


TIMES = [(0, 0), (1, 2), (2**63 - 2, 2**63 - 2), (traffic.START_NS + 9, traffic.START_NS), (0, 2**63 - 2)]


@over_each
@pytest.mark.parametrize("times", TIMES)
def test_odd_times_are_stored(collector: Collector, transport: str, times: tuple[int, int]) -> None:
    request, span = single((transport, times))
    span.start_time_unix_nano, span.end_time_unix_nano = times
    said = send(transport, collector, request)
    assert said.verdict == "ok"
    assert not said.reply.HasField("partial_success")
    assert (stored(collector, span)["start_ns"], stored(collector, span)["end_ns"]) == times


@over_each
@pytest.mark.parametrize("start", [2**63 - 1, 2**63, 2**64 - 1])
def test_times_that_no_clock_shows_are_rejected_alone(collector: Collector, transport: str, start: int) -> None:
    request = traffic.spans(8, seed=hash((transport, start)))
    request.resource_spans[0].scope_spans[0].spans[4].end_time_unix_nano = start
    said = send(transport, collector, request)
    assert said.reply.partial_success.rejected_spans == 1
    assert "time_out_of_range" in said.reply.partial_success.error_message


@over_each
@pytest.mark.parametrize("length", [0, 1, 15, 17, 64])
def test_ids_of_another_length_are_rejected_alone(collector: Collector, transport: str, length: int) -> None:
    request = traffic.spans(24, seed=hash((transport, length)))
    spans = request.resource_spans[0].scope_spans[0].spans
    spans[0].trace_id = b"\x01" * length
    spans[9].span_id = b"\x01" * length
    said = send(transport, collector, request)
    assert said.verdict == "ok"
    assert said.reply.partial_success.rejected_spans == 2
    spans[0].trace_id, spans[9].span_id = bytes(16), bytes(8)
    assert len(traffic.span_ids(request) & traffic.stored_spans(collector.store)) == 22


@over_each
def test_families_without_sense_are_stored(collector: Collector, transport: str) -> None:
    request = traffic.spans(16, seed=hash(("family", transport)))
    spans = request.resource_spans[0].scope_spans[0].spans
    spans[0].parent_span_id = spans[0].span_id  # its own parent
    spans[1].parent_span_id, spans[2].parent_span_id = spans[2].span_id, spans[1].span_id
    spans[3].parent_span_id = b"\x07" * 8  # never sent
    for at in range(8, 16):
        spans[at].parent_span_id = spans[8 + (at + 1) % 8].span_id  # in a circle
    assert not send(transport, collector, request).reply.HasField("partial_success")
    assert traffic.span_ids(request) <= traffic.stored_spans(collector.store)
    collector.analyze()  # and the desk comes to an end with them
    warned = collector.store.query("SELECT DISTINCT code FROM warnings")["code"].to_list()
    assert "cycle_cut" in warned


@over_each
def test_attributes_in_the_thousands_are_bounded(collector: Collector, transport: str) -> None:
    request, span = single(("many", transport))
    span.attributes.extend(KeyValue(key=f"k{at}", value=AnyValue(int_value=at)) for at in range(10_000))
    assert send(transport, collector, request).verdict == "ok"
    assert len(stored(collector, span)["attributes"]) <= 1024


@over_each
def test_of_repeated_and_empty_keys_nothing_breaks(collector: Collector, transport: str) -> None:
    request, span = single(("keys", transport))
    span.attributes.extend(KeyValue(key="k", value=AnyValue(int_value=at)) for at in range(3))
    span.attributes.append(KeyValue(key="", value=AnyValue(string_value="nameless")))
    span.attributes.append(KeyValue(key="nothing"))
    assert send(transport, collector, request).verdict == "ok"
    query = "SELECT attr(attributes, 'k') AS last FROM spans WHERE span_id = $id"
    assert collector.store.query(query, {"id": span.span_id.hex()})["last"][0] == "2"


@over_each
def test_names_without_end_are_bounded_in_memory_and_all_stored(collector: Collector, transport: str) -> None:
    request = traffic.spans(2_000, seed=hash(("names", transport)))
    for number, span in enumerate(request.resource_spans[0].scope_spans[0].spans):
        span.name = f"GET /{transport}/{number}"
        span.attributes.append(KeyValue(key=f"{transport}-{number}", value=AnyValue(string_value=str(number))))
    assert not send(transport, collector, request).reply.HasField("partial_success")
    assert traffic.span_ids(request) <= traffic.stored_spans(collector.store)


@pytest.mark.parametrize("transport", TRANSPORTS[:2])
def test_text_that_is_no_utf8_costs_its_span_alone(collector: Collector, transport: str) -> None:
    request = traffic.spans(8, seed=hash(("utf8", transport)))
    request.resource_spans[0].scope_spans[0].spans[2].name = "GET /broken"
    data = request.SerializeToString().replace(b"GET /broken", b"GET /brok\xff\xfe")
    said = send(transport, collector, data)
    assert said.verdict == "ok"
    assert said.reply.partial_success.rejected_spans == 1
    assert "invalid_utf8" in said.reply.partial_success.error_message


@pytest.mark.parametrize("transport", TRANSPORTS[:2])
def test_a_field_of_another_wire_type_is_passed_over_and_told(collector: Collector, transport: str) -> None:
    _, span = single(("wire", transport))
    span.ClearField("kind")
    scope = (
        b"\x12" + bytes([len(span.SerializeToString()) + 3]) + span.SerializeToString() + b"\x32\x01x"
    )  # kind as text
    scopes = b"\x12" + _length(scope) + scope
    said = send(transport, collector, b"\x0a" + _length(scopes) + scopes)
    assert said.verdict == "ok"
    assert said.reply.partial_success.rejected_spans == 0
    assert "passed over: 1" in said.reply.partial_success.error_message
    assert stored(collector, span)


def _length(data: bytes) -> bytes:
    low, high = len(data) & 127, len(data) >> 7
    return bytes([low | 128, high]) if high else bytes([low])


NAMELESS = [None, AnyValue(string_value=""), AnyValue(int_value=7), AnyValue(array_value=ArrayValue()), AnyValue()]


@over_each
@pytest.mark.parametrize("at", range(len(NAMELESS)))
def test_a_service_without_a_name_has_one(collector: Collector, transport: str, at: int) -> None:
    request, span = single((transport, "nameless", at))
    attributes = request.resource_spans[0].resource.attributes
    del attributes[:]
    if (value := NAMELESS[at]) is not None:
        attributes.append(KeyValue(key="service.name", value=value))
    assert send(transport, collector, request).verdict == "ok"
    assert stored(collector, span)["service"] == "unknown_service"


@over_each
def test_odd_log_records_and_data_points_are_answered(collector: Collector, transport: str) -> None:
    logs = traffic.logs(3)
    records = logs.resource_logs[0].scope_logs[0].log_records
    records[0].severity_number = 99
    records[1].body.string_value = "x" * 1_000_000
    records[2].span_id = b"short"
    said = send(transport, collector, logs, "logs")
    assert said.verdict == "ok"
    assert said.reply.partial_success.rejected_log_records == 1
    metrics = traffic.metrics(1)
    series = metrics.resource_metrics[0].scope_metrics[0].metrics
    histogram = series.add(name="h").histogram.data_points.add(count=3, explicit_bounds=[math.nan, 1.0, -1.0])
    histogram.bucket_counts.extend([1, 2])  # two for four buckets
    histogram.exemplars.add(trace_id=b"short", as_double=math.nan)
    assert send(transport, collector, metrics, "metrics").verdict == "ok"


def test_json_that_python_reads_otherwise(collector: Collector) -> None:
    for bad in ("NaN", "Infinity", "[1,]", "{'a': 1}", "\ufeff\ufeff{}", "{} {}", '{"a": 01}', '"\\ud800"', "\x00"):
        assert send("http/json", collector, bad.encode()).verdict == "bad data", bad
    for good in ('{"a": 1e999, "b": -0}', '{"a": "\\ud800"}', '{"a": 1, "a": 2}', '\ufeff{"resourceSpans": []}'):
        assert send("http/json", collector, good.encode()).verdict == "ok", good


def test_sent_texts_find_nothing_but_themselves(collector: Collector, tmp_path: Path) -> None:
    """What was sent as a service's name is a value in every query made of it, whatever it looks like."""
    from seamscope.results import Selection
    from seamscope.selection.predicate import predicate

    request, _ = single("found", service=TEXTS["sql"])
    send("grpc", collector, encoded("grpc", request))
    before = traffic.count(collector.store, "spans")
    for text in TEXTS.values():
        collector.store.query("SELECT * FROM spans WHERE service = $text OR name LIKE $text", {"text": text})
        predicate(Selection(f"service:{json.dumps(text)}", None, None), 0)
    assert traffic.count(collector.store, "spans") == before
    del tmp_path


@over_each
def test_secrets_are_never_stored(collector: Collector, transport: str) -> None:
    request, span = single(("secrets", transport))
    secret, harmless = (f"{word} {transport}, as it was sent in whole" for word in ("a secret", "no secret"))
    listed = AnyValue(array_value=ArrayValue(values=[AnyValue(string_value=secret)]))
    span.attributes.append(KeyValue(key="http.request.header.cookie", value=listed))
    span.attributes.append(KeyValue(key="harmless", value=AnyValue(string_value=harmless)))
    assert not send(transport, collector, request).reply.HasField("partial_success")
    assert {"key": "http.request.header.cookie", "value": "[redacted]"} in stored(collector, span)["attributes"]
    files = [file.read_bytes() for file in collector.store.path.parent.iterdir() if file.is_file()]
    assert [any(text.encode() in data for data in files) for text in (secret, harmless)] == [False, True]
