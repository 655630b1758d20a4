"""The duties of an OTLP server, one test each, over gRPC, HTTP/protobuf and HTTP/JSON.

The words are those of the protocol's specification, 1.11; `README.md` here has the table.
"""

from __future__ import annotations

import gzip
import http.client
import json
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import zstandard
from google.rpc import error_details_pb2
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from collector.doors.grpc_door import MESSAGE_BYTES
from collector.doors.http_door import BODY_BYTES
from seamscope.commands.collect_ import command
from tests.collector import traffic
from tests.collector.transports import PATHS, TRANSPORTS, encoded, read, send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from collector.serve import Collector

pytestmark = pytest.mark.xdist_group("specification")
over_each = pytest.mark.parametrize("transport", TRANSPORTS)
over_http = pytest.mark.parametrize("transport", TRANSPORTS[1:])
of_each_signal = pytest.mark.parametrize("signal", ["traces", "logs", "metrics"])
SIGNALS: dict[str, Any] = {"traces": traffic.spans, "logs": traffic.logs, "metrics": traffic.metrics}
TRACE, SPAN = "5B8EFFF798038103D269B633813FC60C", "EEE19B7EC3C1B174"


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    with traffic.running(tmp_path_factory.mktemp("specification")) as running:
        yield running


def damaged(transport: str) -> bytes:
    return encoded(transport, traffic.spans(8))[:-7]


def spoiled(seed: str) -> Any:
    """Return a request of 8 spans, 3 of which cannot be kept."""
    request = traffic.spans(8, seed=hash(seed))
    spans = request.resource_spans[0].scope_spans[0].spans
    spans[1].span_id, spans[3].trace_id, spans[5].trace_id = bytes(8), bytes(16), b"short"
    return request


def one_span(**fields: Any) -> bytes:
    span = {"traceId": TRACE, "spanId": SPAN, "name": "n", "startTimeUnixNano": "1", "endTimeUnixNano": "2", **fields}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


def row(collector: Collector, span_id: str) -> dict[str, Any]:
    """Return the stored span with an id."""
    found = collector.store.query(f"SELECT * FROM spans WHERE span_id = '{span_id.lower()}'")  # noqa: S608 - ours
    assert len(found) == 1
    return dict(found.to_dicts()[0])


@over_each
@of_each_signal
@pytest.mark.parametrize("zipped", [False, True])
def test_no_compression_and_gzip_are_supported(
    collector: Collector, transport: str, signal: str, *, zipped: bool
) -> None:
    accepted = collector.telemetry.total("accepted")
    said = send(transport, collector, SIGNALS[signal](5), signal, zipped=zipped)
    assert said.verdict == "ok"
    assert collector.telemetry.total("accepted") == accepted + 5


@over_http
@pytest.mark.parametrize("how", ["deflate", "zstd", "zstd in two frames", "gzip in two members", "x-gzip"])
def test_more_compressions_are_read_over_http(collector: Collector, transport: str, how: str) -> None:
    request = traffic.spans(64, seed=hash((transport, how)))
    data = encoded(transport, request)
    half = len(data) // 2
    zstd = zstandard.ZstdCompressor().compress
    packed = {
        "deflate": zlib.compress(data),
        "zstd": zstd(data),
        "zstd in two frames": zstd(data[:half]) + zstd(data[half:]),
        "gzip in two members": gzip.compress(data[:half]) + gzip.compress(data[half:]),
        "x-gzip": gzip.compress(data),
    }[how]
    headers = {
        **(traffic.JSON if transport == "http/json" else traffic.PROTOBUF),
        "content-encoding": how.split(maxsplit=1)[0],
    }
    assert traffic.post(collector.http, packed, headers).status == 200
    assert traffic.span_ids(request) <= traffic.stored_spans(collector.store)


@over_each
@pytest.mark.parametrize("zipped", [False, True])
def test_the_size_is_limited_also_after_decompression(collector: Collector, transport: str, *, zipped: bool) -> None:
    assert MESSAGE_BYTES == BODY_BYTES
    said = send(transport, collector, bytes(MESSAGE_BYTES + 1), zipped=zipped)
    assert said.verdict == "too large"
    assert said.delay_s is None  # with one, it would be sent again
    assert said.retry_after is None


@over_each
def test_requests_in_flight_together_are_all_answered(collector: Collector, transport: str) -> None:
    requests = [traffic.spans(8, seed=hash((transport, number))) for number in range(40)]
    with ThreadPoolExecutor(20) as threads:
        said = list(threads.map(lambda request: send(transport, collector, request), requests))
    assert {each.verdict for each in said} == {"ok"}
    assert set().union(*map(traffic.span_ids, requests)) <= traffic.stored_spans(collector.store)


@over_each
@of_each_signal
def test_an_empty_request_succeeds(collector: Collector, transport: str, signal: str) -> None:
    for request in (SIGNALS[signal](0), b"{}" if transport == "http/json" else b""):
        said = send(transport, collector, request, signal)
        assert said.verdict == "ok"
        assert not said.reply.HasField("partial_success")


@over_each
@of_each_signal
def test_full_success_leaves_partial_success_unset(collector: Collector, transport: str, signal: str) -> None:
    said = send(transport, collector, SIGNALS[signal](5), signal)
    assert said.verdict == "ok"
    assert not said.reply.HasField("partial_success")


@over_each
def test_partial_success_counts_what_was_rejected_and_says_why(collector: Collector, transport: str) -> None:
    before = collector.telemetry.total("rejected")
    said = send(transport, collector, spoiled(transport))
    assert said.verdict == "ok"  # a failure would make the sender drop or repeat the good ones
    assert said.reply.partial_success.rejected_spans == 3
    message = said.reply.partial_success.error_message
    assert "span_id_zero: 1" in message
    assert "trace_id_zero: 1" in message
    assert "trace_id_length: 1" in message
    assert collector.telemetry.total("rejected") == before + 3


@over_each
def test_partial_success_counts_log_records(collector: Collector, transport: str) -> None:
    request = traffic.logs(3)
    request.resource_logs[0].scope_logs[0].log_records[1].trace_id = b"short"
    said = send(transport, collector, request, "logs")
    assert said.verdict == "ok"
    assert said.reply.partial_success.rejected_log_records == 1
    assert "trace_id_length" in said.reply.partial_success.error_message


@over_each
def test_a_warning_rejects_nothing_and_says_something(collector: Collector, transport: str) -> None:
    request = traffic.spans(8, seed=hash(("warning", transport)))
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.attributes.append(KeyValue(key="long", value=AnyValue(string_value="x" * 100_000)))
    said = send(transport, collector, request)
    assert said.verdict == "ok"
    assert said.reply.HasField("partial_success")
    assert said.reply.partial_success.rejected_spans == 0
    assert "cut: 1" in said.reply.partial_success.error_message
    assert traffic.span_ids(request) <= traffic.stored_spans(collector.store)


@over_each
def test_back_pressure_may_be_retried_and_names_its_delay(tmp_path: Path, transport: str) -> None:
    with traffic.running(tmp_path, queue_bytes=1, wait_s=0.0) as full, ThreadPoolExecutor(16) as threads:
        hold = threading.Barrier(16)

        def at_once(number: int) -> Any:
            hold.wait(traffic.DEADLINE_S)
            return send(transport, full, traffic.spans(200, seed=number))

        said = [each for _ in range(3) for each in threads.map(at_once, range(16))]
        refused = [each for each in said if each.verdict != "ok"]
        assert full.telemetry.total("refused") == len(refused) > 0
    for each in refused:
        assert each.verdict == "later"
        assert each.delay_s is not None
        assert 0.1 < each.delay_s <= 45  # time to recover, and not so long that a sender gives up
        assert (transport == "grpc") == (each.retry_after is None)
        assert each.retry_after is None or int(each.retry_after) >= each.delay_s
        assert each.status.message


@over_each
def test_bad_data_is_not_retried_and_says_what_is_bad(collector: Collector, transport: str) -> None:
    said = send(transport, collector, damaged(transport))
    assert said.verdict == "bad data"
    assert said.delay_s is None
    bad = said.detail(error_details_pb2.BadRequest)
    assert bad.field_violations[0].description
    assert said.status.message


@over_each
def test_profiles_are_not_served_and_counted(collector: Collector, transport: str) -> None:
    before = collector.telemetry.total("invalid")
    if transport == "grpc":
        import grpc

        with grpc.insecure_channel(str(collector.grpc)) as channel:
            path = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
            with pytest.raises(grpc.RpcError) as error:
                channel.unary_unary(path)(b"", timeout=traffic.DEADLINE_S)
        assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
    else:
        headers = traffic.JSON if transport == "http/json" else traffic.PROTOBUF
        answer = traffic.post(collector.http, b"", headers, "/v1development/profiles")
        assert read(answer).verdict == "not served"
    assert collector.telemetry.total("invalid") == before + 1


@over_each
def test_a_retried_request_is_stored_once(collector: Collector, transport: str) -> None:
    request = traffic.spans(8, seed=hash(("again", transport)))
    before = traffic.count(collector.store, "spans")
    for _ in range(3):
        assert send(transport, collector, request).verdict == "ok"
    assert traffic.count(collector.store, "spans") == before + 8


@over_each
def test_values_of_every_type_are_accepted(collector: Collector, transport: str) -> None:
    request = traffic.spans(1, seed=hash(("values", transport)))
    values = [
        AnyValue(),
        AnyValue(bytes_value=b"\x00\xff"),
        AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue(string_value="a"), AnyValue()])),
        AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="k", value=AnyValue(double_value=0.5))])),
        AnyValue(kvlist_value=KeyValueList()),
        AnyValue(bool_value=False),
    ]
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.attributes.extend(KeyValue(key=f"v{at}", value=value) for at, value in enumerate(values))
    said = send(transport, collector, request)
    assert said.verdict == "ok"
    assert not said.reply.HasField("partial_success")
    stored = {each["key"] for each in row(collector, span.span_id.hex())["attributes"]}
    assert {f"v{at}" for at in range(1, 6)} <= stored


@over_each
def test_unknown_fields_are_ignored(collector: Collector, transport: str) -> None:
    seed = hash(("unknown", transport))
    request = traffic.spans(8, seed=seed)
    if transport == "http/json":
        document = json.loads(traffic.as_json(request))
        document["future"] = {"deep": [1, {"x": None}]}
        document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["future"] = "x"
        data = json.dumps(document).encode()
    else:
        data = request.SerializeToString() + b"\xfa\x7f\x03abc"  # field 2047, length-delimited
    said = send(transport, collector, data)
    assert said.verdict == "ok"
    assert not said.reply.HasField("partial_success")
    assert traffic.span_ids(request) <= traffic.stored_spans(collector.store)


def test_the_default_ports_are_the_protocols() -> None:
    defaults = {parameter.name: parameter.default for parameter in command.params}
    assert (defaults["grpc"], defaults["http"]) == ("127.0.0.1:4317", "127.0.0.1:4318")


# What only HTTP asks for.


@over_http
@of_each_signal
def test_an_answer_has_the_requests_content_type(collector: Collector, transport: str, signal: str) -> None:
    sent = traffic.JSON if transport == "http/json" else traffic.PROTOBUF
    good, bad = encoded(transport, SIGNALS[signal](3)), b"\x00bad"
    for data in (good, bad):
        answer = traffic.post(collector.http, data, sent, PATHS[signal])
        assert answer.headers["content-type"] == sent["content-type"]
        read(answer, signal)  # and is that


def _answers_of_every_kind(collector: Collector, headers: dict[str, str]) -> Iterator[tuple[int, traffic.Answer]]:
    post, at = traffic.post, collector.http
    yield 400, post(at, b"\x00bad", headers)
    yield 403, post(at, b"", {**headers, "origin": "https://evil.example"})
    yield 404, post(at, b"", headers, "/v1/nothing")
    yield 404, post(at, b"", headers, "/v1development/profiles")
    yield 405, post(at, b"", headers, method="PUT")
    yield 413, post(at, gzip.compress(bytes(BODY_BYTES + 1), 1), {**headers, "content-encoding": "gzip"})
    yield 415, post(at, b"", {**headers, "content-encoding": "br"})


@over_http
def test_every_error_is_a_status_with_a_message(collector: Collector, transport: str) -> None:
    headers = traffic.JSON if transport == "http/json" else traffic.PROTOBUF
    for status, answer in _answers_of_every_kind(collector, headers):
        said = read(answer)
        assert answer.status == status
        assert said.content_type == headers["content-type"]
        assert said.status.message
        assert said.status.code
        assert said.retry_after is None  # none of these helps to send again


def test_even_what_is_no_http_is_answered_with_a_status(collector: Collector) -> None:
    import socket

    with closing(socket.create_connection((collector.http.host, collector.http.port), traffic.DEADLINE_S)) as raw:
        raw.sendall(b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: many\r\n\r\n")
        answer = http.client.HTTPResponse(raw, method="POST")
        answer.begin()
        found = traffic.Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    assert read(found).verdict == "bad data"


def test_protobuf_and_json_share_a_port_and_a_connection(collector: Collector) -> None:
    connection = http.client.HTTPConnection(collector.http.host, collector.http.port, timeout=traffic.DEADLINE_S)
    with closing(connection):
        for number in range(6):
            transport = TRANSPORTS[1 + number % 2]
            headers = traffic.JSON if transport == "http/json" else traffic.PROTOBUF
            connection.request("POST", "/v1/traces", encoded(transport, traffic.spans(8, seed=number)), headers)
            used = connection.sock
            answer = connection.getresponse()
            assert (answer.status, answer.getheader("content-type")) == (200, headers["content-type"])
            answer.read()
            assert connection.sock is used  # kept alive


# What only JSON asks for.


def test_ids_are_hexadecimal_in_either_case(collector: Collector) -> None:
    for span_id in ("AbCdEf0123456789", "fedcba9876543210"):
        link = {"traceId": TRACE.lower(), "spanId": SPAN}
        said = send("http/json", collector, one_span(spanId=span_id, parentSpanId=SPAN, links=[link]))
        assert said.verdict == "ok"
        assert not said.reply.HasField("partial_success")
        stored = row(collector, span_id)
        assert (stored["trace_id"], stored["parent_span_id"]) == (TRACE.lower(), SPAN.lower())


def test_ids_in_base64_are_rejected_by_the_span(collector: Collector) -> None:
    said = send("http/json", collector, one_span(traceId="W47/95gDgQPSabYzgT/GDA==", spanId="7uGbfsPBsXQ="))
    assert said.verdict == "ok"
    assert said.reply.partial_success.rejected_spans == 1


def test_enums_are_integers_and_words_are_taken_as_meant(collector: Collector) -> None:
    kinds: list[tuple[int | str, str]] = [(2, "server"), ("SPAN_KIND_CLIENT", "client"), ("server", "server")]
    for number, (sent, stored) in enumerate(kinds):  # the last is how a Vercel drain writes it
        span_id = f"{number + 1:016x}"
        status = {"code": "STATUS_CODE_ERROR" if isinstance(sent, str) else 2}
        said = send("http/json", collector, one_span(spanId=span_id, kind=sent, status=status))
        assert said.verdict == "ok"
        assert not said.reply.HasField("partial_success")
        assert row(collector, span_id)["kind"] == stored
        assert row(collector, span_id)["status"] == "error"


def test_keys_are_in_lower_camel_case_only(collector: Collector) -> None:
    said = send("http/json", collector, one_span(spanId="00000000000000aa", parent_span_id=SPAN))
    assert said.verdict == "ok"
    assert row(collector, "00000000000000aa")["parent_span_id"] is None  # an unknown field
    assert send("http/json", collector, b'{"resource_spans": [{"scope_spans": [{"spans": [{}]}]}]}').verdict == "ok"


def test_integers_are_texts_or_numbers(collector: Collector) -> None:
    for number, sent in enumerate(["1760000000000000001", 1760000000000000001]):
        span_id = f"{number + 0xB0:016x}"
        value = {"intValue": str(sent) if number else -5}
        fields = {
            "spanId": span_id,
            "startTimeUnixNano": sent,
            "endTimeUnixNano": sent,
            "attributes": [{"key": "n", "value": value}],
        }
        assert send("http/json", collector, one_span(**fields)).verdict == "ok"
        assert row(collector, span_id)["start_ns"] == 1760000000000000001
