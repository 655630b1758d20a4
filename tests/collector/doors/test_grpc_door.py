"""OTLP over gRPC, as the specification wants it answered."""

from __future__ import annotations

import gzip
import queue
import socket
import threading
import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.doors import grpc_door
from collector.doors.grpc_body import encoding_of
from collector.doors.grpc_door import MESSAGE_BYTES
from seamscope.errors import EndpointError, UsageError
from tests.collector import traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from collector.serve import Collector


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    with traffic.running(tmp_path_factory.mktemp("grpc")) as running:
        yield running


def works(collector: Collector, seed: str) -> None:
    """After whatever happened before, a good request is stored."""
    request = traffic.spans(8, seed=hash(seed))
    assert traffic.call(collector.grpc, request.SerializeToString()).code is grpc.StatusCode.OK
    assert traffic.span_ids(request) <= traffic.stored_spans(collector.store)


@pytest.mark.parametrize("compressed", [False, True])
def test_spans_are_stored_when_the_call_ends(collector: Collector, *, compressed: bool) -> None:
    request = traffic.spans(64, seed=10 + compressed)
    reply = traffic.call(collector.grpc, request.SerializeToString(), compressed=compressed)
    assert (reply.code, reply.data) == (grpc.StatusCode.OK, b"")  # partial_success is unset
    assert traffic.span_ids(request) <= traffic.stored_spans(collector.store)


def test_logs_are_stored_and_metrics_counted(collector: Collector) -> None:
    before = traffic.count(collector.store, "logs")
    accepted = collector.telemetry.total("accepted")
    assert traffic.call(collector.grpc, traffic.logs(5).SerializeToString(), "logs").code is grpc.StatusCode.OK
    assert traffic.call(collector.grpc, traffic.metrics(7).SerializeToString(), "metrics").code is grpc.StatusCode.OK
    assert traffic.count(collector.store, "logs") == before + 5
    assert collector.telemetry.total("accepted") == accepted + 12


@pytest.mark.parametrize("signal", ["traces", "logs", "metrics"])
def test_an_empty_request_succeeds_without_a_commit(collector: Collector, signal: str) -> None:
    before = collector.telemetry.snapshot()["commits"]
    assert traffic.call(collector.grpc, b"", signal).data == b""
    assert traffic.call(collector.grpc, b"\x0a\x00", signal).code is grpc.StatusCode.OK  # an empty envelope
    assert collector.telemetry.snapshot()["commits"] == before


def test_one_bad_span_is_rejected_alone_and_counted(collector: Collector) -> None:
    request = traffic.spans(8, seed=20)
    request.resource_spans[0].scope_spans[0].spans[2].span_id = bytes(8)
    reply = traffic.call(collector.grpc, request.SerializeToString())
    partial = ExportTraceServiceResponse.FromString(reply.data).partial_success
    assert partial.rejected_spans == 1
    assert "span_id" in partial.error_message
    assert len(traffic.span_ids(request) & traffic.stored_spans(collector.store)) == 7


def test_a_bad_log_record_is_counted_in_its_own_words(collector: Collector) -> None:
    request = traffic.logs(3)
    request.resource_logs[0].scope_logs[0].log_records[1].trace_id = b"short"
    reply = traffic.call(collector.grpc, request.SerializeToString(), "logs")
    assert reply.code is grpc.StatusCode.OK
    if reply.data:  # a record without a valid trace id may be kept without it
        assert ExportLogsServiceResponse.FromString(reply.data).partial_success.rejected_log_records <= 1


BAD = {
    "truncated": traffic.spans(8).SerializeToString()[:-7],
    "text": b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    "declared too long": b"\x0a\xff\xff\xff\xff\x0f",
    "a group": b"\x0b\x0b\x0b\x0b",
    "json": b'{"resourceSpans": []}',
    "ones": b"\xff" * 4096,
}


@pytest.mark.parametrize("what", BAD)
def test_a_body_that_cannot_be_read_is_an_invalid_argument(collector: Collector, what: str) -> None:
    reply = traffic.call(collector.grpc, BAD[what])
    assert reply.code is grpc.StatusCode.INVALID_ARGUMENT
    assert reply.details is not None
    status = status_pb2.Status.FromString(reply.details)
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert status.message == reply.message
    violation = error_details_pb2.BadRequest()
    assert status.details[0].Unpack(violation)
    assert violation.field_violations[0].description
    works(collector, what)


def test_over_the_limit_is_exhausted_without_a_retry(collector: Collector) -> None:
    before = collector.telemetry.total("invalid")
    for compressed in (False, True):
        reply = traffic.call(collector.grpc, bytes(MESSAGE_BYTES + 1), compressed=compressed)
        assert reply.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert reply.details is None
    assert collector.telemetry.total("invalid") == before + 2
    works(collector, "oversize")


def test_a_call_without_a_request_is_an_invalid_argument(collector: Collector) -> None:
    before = collector.telemetry.total("invalid")
    with grpc.insecure_channel(str(collector.grpc)) as channel, pytest.raises(grpc.RpcError) as error:
        channel.stream_unary(traffic.METHODS["traces"])(iter(()), timeout=traffic.DEADLINE_S)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert collector.telemetry.total("invalid") == before + 1


def test_deflate_is_read_too(collector: Collector) -> None:
    request = traffic.spans(64, seed=77)
    with grpc.insecure_channel(str(collector.grpc)) as channel:
        export = channel.unary_unary(traffic.METHODS["traces"])
        export(request.SerializeToString(), timeout=traffic.DEADLINE_S, compression=grpc.Compression.Deflate)
    assert traffic.span_ids(request) <= traffic.stored_spans(collector.store)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_a_packed_message_that_is_cut_is_an_invalid_argument(
    collector: Collector, pack: Callable[[bytes], bytes]
) -> None:
    reply = traffic.call(collector.grpc, pack(traffic.spans(64).SerializeToString())[:-9])
    assert reply.code is grpc.StatusCode.INVALID_ARGUMENT
    assert "decompress" in reply.message or "ends too early" in reply.message
    works(collector, "cut")


def test_no_request_begins_as_packed_messages_do() -> None:
    for request in (traffic.spans(2), traffic.logs(2), traffic.metrics(2)):
        assert encoding_of(request.SerializeToString()) == "identity"
    assert {encoding_of(data) for data in (b"", b"x", b"\x1f\x8b", b"\x78\x00")} == {"identity"}


def test_hundreds_of_small_requests_in_flight_are_all_taken(collector: Collector) -> None:
    """Over one connection: a stream that its client has seen end may still be open here."""
    request = traffic.spans(1).SerializeToString()
    failed: list[grpc.RpcError] = []
    with grpc.insecure_channel(str(collector.grpc)) as channel:
        export = channel.unary_unary(traffic.METHODS["traces"])
        in_flight = deque(export.future(request, timeout=traffic.DEADLINE_S) for _ in range(250))
        for number in range(1_500):
            error = in_flight.popleft().exception()
            if error is not None:
                failed.append(error)
            if number < 1_250:
                in_flight.append(export.future(request, timeout=traffic.DEADLINE_S))
    assert failed == []


def test_a_bomb_of_items_is_refused_before_it_is_built(collector: Collector) -> None:
    spans = b"\x12\x00" * 4_000_000  # four million empty spans in eight megabytes
    scope = b"\x12" + _varint(len(spans)) + spans
    reply = traffic.call(collector.grpc, b"\x0a" + _varint(len(scope)) + scope, compressed=True)
    assert reply.code is grpc.StatusCode.INVALID_ARGUMENT
    works(collector, "items")


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def test_an_unknown_method_is_unimplemented(collector: Collector) -> None:
    with grpc.insecure_channel(str(collector.grpc)) as channel:
        profiles = channel.unary_unary("/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export")
        with pytest.raises(grpc.RpcError) as error:
            profiles(b"", timeout=traffic.DEADLINE_S)
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_text_on_the_port_harms_nobody(collector: Collector) -> None:
    for text in (b"GET /v1/traces HTTP/1.1\r\nhost: x\r\n\r\n", b"\x00" * 4096, b"\x16\x03\x01" * 99):
        with socket.create_connection((collector.grpc.host, collector.grpc.port), traffic.DEADLINE_S) as raw:
            raw.sendall(text)
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(65536):  # until it hangs up
                pass
    works(collector, "text")


def test_silent_calls_hold_nobody_up(collector: Collector) -> None:
    """Calls that never send their request would each hold a thread of grpcio's thread-pool server."""
    silent = threading.Event()

    def never() -> Iterator[bytes]:
        silent.wait(traffic.DEADLINE_S)
        yield from ()

    with grpc.insecure_channel(str(collector.grpc)) as channel:
        export = channel.stream_unary(traffic.METHODS["traces"])
        calls = [export.future(never()) for _ in range(100)]
        works(collector, "silent")
        silent.set()
        for each in calls:
            each.cancel()


def test_many_in_flight_are_all_answered(collector: Collector) -> None:
    requests = [traffic.spans(16, seed=1000 + number) for number in range(96)]
    with grpc.insecure_channel(str(collector.grpc)) as channel:
        export = channel.unary_unary(traffic.METHODS["traces"])
        calls = [export.future(request.SerializeToString(), timeout=traffic.DEADLINE_S) for request in requests]
        assert {call.result() for call in calls} == {b""}
    assert set().union(*map(traffic.span_ids, requests)) <= traffic.stored_spans(collector.store)


def test_a_client_that_leaves_does_not_stop_the_commit(collector: Collector) -> None:
    request = traffic.spans(8, seed=30)
    with grpc.insecure_channel(str(collector.grpc)) as channel:
        call = channel.unary_unary(traffic.METHODS["traces"]).future(request.SerializeToString())
        call.cancel()
    works(collector, "cancelled")


def test_a_full_queue_is_unavailable_with_a_delay(tmp_path: Path) -> None:
    request = traffic.spans(400, seed=40).SerializeToString()
    with traffic.running(tmp_path, queue_bytes=len(request) + 1) as collector, ThreadPoolExecutor(32) as threads:
        replies = list(threads.map(lambda _: traffic.call(collector.grpc, request), range(64)))
        refused = [reply for reply in replies if reply.code is not grpc.StatusCode.OK]
        counts = collector.telemetry
        assert counts.total("refused") == len(refused)
        assert counts.total("accepted") == 400 * (64 - len(refused))
    assert {reply.code for reply in refused} <= {grpc.StatusCode.UNAVAILABLE}
    for reply in refused:
        status = status_pb2.Status.FromString(reply.details or b"")
        delay = error_details_pb2.RetryInfo()
        assert status.details[0].Unpack(delay)
        assert delay.retry_delay.ToNanoseconds() > 0


def test_a_port_in_use_is_said_so(collector: Collector, tmp_path: Path) -> None:
    with (
        pytest.raises(EndpointError, match=f"{collector.grpc}.*in use"),
        traffic.running(tmp_path, grpc=collector.grpc),
    ):
        pass


def test_others_than_this_machine_are_kept_out(tmp_path: Path) -> None:
    from collector.doors.addresses import Address

    with pytest.raises(UsageError, match="insecure-public"), traffic.running(tmp_path, grpc=Address("0.0.0.0", 0)):  # noqa: S104
        pass
    assert not (tmp_path / "store.duckdb").exists()


def test_a_body_that_dawdles_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_door, "BODY_DEADLINE_S", 0.2)
    done = threading.Event()

    def nothing() -> Iterator[bytes]:
        done.wait(traffic.DEADLINE_S)
        yield from ()

    with traffic.running(tmp_path) as collector, grpc.insecure_channel(str(collector.grpc)) as channel:
        with pytest.raises(grpc.RpcError) as error:
            channel.stream_unary(traffic.METHODS["traces"])(nothing(), timeout=traffic.DEADLINE_S)
        done.set()
        assert error.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED  # which a sender may repeat
        assert error.value.details() == "the request's body did not arrive in time"
        assert collector.telemetry.total("refused") == 1


def test_slow_bodies_are_sent_away_while_memory_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """grpcio holds what came of a body that does not come to its end, and no count of the queue's knows of it."""
    monkeypatch.setattr("collector.arriving.SLOW", 1)
    monkeypatch.setattr("collector.intake.Intake.is_short", lambda _: True)
    done = threading.Event()

    def nothing() -> Iterator[bytes]:
        done.wait(traffic.DEADLINE_S)
        yield from ()

    with traffic.running(tmp_path) as collector, grpc.insecure_channel(str(collector.grpc)) as channel:
        export = channel.stream_unary(traffic.METHODS["traces"])
        calls = [export.future(nothing(), timeout=traffic.DEADLINE_S) for _ in range(3)]
        ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for call in calls:
            call.add_done_callback(ended.put)
        codes = [ended.get(timeout=traffic.DEADLINE_S).code() for _ in range(2)]
        assert codes == [grpc.StatusCode.UNAVAILABLE] * 2
        assert collector.telemetry.total("refused") == 2
        done.set()


def test_an_address_is_one_at_both_doors() -> None:
    assert grpc_door._host("ipv4:127.0.0.1:50123") == "127.0.0.1"
    assert grpc_door._host("ipv6:%5B2001:db8::1%5D:50123") == "2001:db8::1"
