"""OTLP over HTTP, as the specification wants it answered."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
import zlib
from typing import TYPE_CHECKING

import pytest
import zstandard
from google.protobuf import json_format  # type: ignore[import-untyped]
from google.rpc import status_pb2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.doors import http_body, http_protocol
from collector.doors.http_door import BODY_BYTES
from seamscope.errors import EndpointError
from tests.collector import traffic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from collector.serve import Collector

PROTOBUF, JSON = traffic.PROTOBUF, traffic.JSON


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    with traffic.running(tmp_path_factory.mktemp("http")) as running:
        yield running


def works(collector: Collector, seed: str) -> None:
    """After whatever happened before, a good request is stored."""
    request = traffic.spans(8, seed=hash(seed))
    assert traffic.post(collector.http, request.SerializeToString(), PROTOBUF).status == 200
    assert traffic.span_ids(request) <= traffic.stored_spans(collector.store)


def status_of(answer: traffic.Answer) -> status_pb2.Status:
    """Every error body is a google.rpc.Status in the request's encoding."""
    if answer.headers["content-type"] == "application/json":
        return json_format.Parse(answer.body, status_pb2.Status())
    assert answer.headers["content-type"] == "application/x-protobuf"
    return status_pb2.Status.FromString(answer.body)


ENCODINGS = {"identity": lambda data: data, "gzip": gzip.compress, "deflate": zlib.compress}


@pytest.mark.parametrize("compression", ENCODINGS)
@pytest.mark.parametrize("kind", ["protobuf", "json"])
def test_spans_are_stored_when_the_answer_comes(collector: Collector, compression: str, kind: str) -> None:
    request = traffic.spans(64, seed=hash((compression, kind)))
    data = request.SerializeToString() if kind == "protobuf" else traffic.as_json(request)
    headers = {**(PROTOBUF if kind == "protobuf" else JSON), "content-encoding": compression}
    answer = traffic.post(collector.http, ENCODINGS[compression](data), headers)
    assert answer.status == 200
    assert answer.headers["content-type"] == headers["content-type"]
    assert answer.body == (b"" if kind == "protobuf" else b"{}")  # partial_success is unset
    assert traffic.span_ids(request) <= traffic.stored_spans(collector.store)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", "application/json;foo=bar"])
def test_a_media_type_is_read_as_one(collector: Collector, kind: str) -> None:
    assert traffic.post(collector.http, b"{}", {"content-type": kind}).status == 200


def test_logs_are_stored_and_metrics_counted(collector: Collector) -> None:
    before, accepted = traffic.count(collector.store, "logs"), collector.telemetry.total("accepted")
    assert traffic.post(collector.http, traffic.as_json(traffic.logs(5)), JSON, "/v1/logs").status == 200
    assert traffic.post(collector.http, traffic.metrics(7).SerializeToString(), PROTOBUF, "/v1/metrics").status == 200
    assert traffic.count(collector.store, "logs") == before + 5
    assert collector.telemetry.total("accepted") == accepted + 12


@pytest.mark.parametrize(("data", "headers"), [(b"", PROTOBUF), (b"\x0a\x00", PROTOBUF), (b"", JSON), (b"{}", JSON)])
def test_an_empty_request_succeeds_without_a_commit(collector: Collector, data: bytes, headers: dict[str, str]) -> None:
    before = collector.telemetry.snapshot()["commits"]
    assert traffic.post(collector.http, data, headers).status == 200
    assert collector.telemetry.snapshot()["commits"] == before


def test_one_bad_span_is_rejected_alone_and_counted(collector: Collector) -> None:
    request = traffic.spans(8, seed=20)
    request.resource_spans[0].scope_spans[0].spans[2].span_id = bytes(8)
    answer = traffic.post(collector.http, request.SerializeToString(), PROTOBUF)
    assert answer.status == 200
    assert ExportTraceServiceResponse.FromString(answer.body).partial_success.rejected_spans == 1
    answer = traffic.post(collector.http, traffic.as_json(request), JSON)
    assert json.loads(answer.body)["partialSuccess"]["rejectedSpans"] == "1"


BAD = {
    "truncated": (traffic.spans(8).SerializeToString()[:-7], PROTOBUF),
    "text": (b"hello", PROTOBUF),
    "no json": (b"{", JSON),
    "no object": (b"[1]", JSON),
    "deep json": (b"[" * 100_000, JSON),
    "not gzip": (b"hello", {**PROTOBUF, "content-encoding": "gzip"}),
    "half gzip": (gzip.compress(traffic.spans(8).SerializeToString())[:-9], {**PROTOBUF, "content-encoding": "gzip"}),
    "garbage after gzip": (gzip.compress(b"") + b"garbage", {**PROTOBUF, "content-encoding": "gzip"}),
    "garbage after deflate": (zlib.compress(b"") + b"garbage", {**PROTOBUF, "content-encoding": "deflate"}),
}


@pytest.mark.parametrize("what", BAD)
def test_a_body_that_cannot_be_read_is_a_bad_request(collector: Collector, what: str) -> None:
    data, headers = BAD[what]
    answer = traffic.post(collector.http, data, headers)
    assert answer.status == 400
    assert answer.headers["content-type"] == headers["content-type"]
    status = status_of(answer)
    assert status.code == 3
    assert status.message
    works(collector, what)


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/json; charset=utf-16"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": f"application/json; charset*{'9' * 5_000}=x"},
        {},
        {**PROTOBUF, "content-encoding": "br"},
        {**PROTOBUF, "content-encoding": "gzip, gzip"},
    ],
)
def test_an_unknown_type_or_encoding_is_unsupported(collector: Collector, headers: dict[str, str]) -> None:
    answer = traffic.post(collector.http, traffic.spans(1).SerializeToString(), headers)
    assert answer.status == 415
    assert status_of(answer).message
    works(collector, str(headers))


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "PATCH"])
def test_another_method_is_not_allowed(collector: Collector, method: str) -> None:
    answer = traffic.post(collector.http, b"", PROTOBUF, method=method)
    assert answer.status == 405
    assert answer.headers["allow"] == "POST"
    if method != "HEAD":
        assert status_of(answer).message


def test_unknown_paths_and_profiles_are_not_found(collector: Collector) -> None:
    assert status_of(traffic.post(collector.http, b"", PROTOBUF, "/v1/nothing")).code == 5
    for headers in (PROTOBUF, JSON):
        answer = traffic.post(collector.http, b"{}", headers, "/v1development/profiles")
        assert (answer.status, status_of(answer).code) == (404, 12)


BOMBS = {
    "plain": (bytes(BODY_BYTES + 1), PROTOBUF),
    "gzip": (gzip.compress(bytes(BODY_BYTES + 1), 1), {**PROTOBUF, "content-encoding": "gzip"}),
    "gzip members": (gzip.compress(bytes(1 << 22), 1) * 17, {**JSON, "content-encoding": "gzip"}),
    "deflate": (zlib.compress(bytes(BODY_BYTES + 1), 1), {**JSON, "content-encoding": "deflate"}),
}


@pytest.mark.parametrize("what", BOMBS)
def test_over_the_limit_is_too_large(collector: Collector, what: str) -> None:
    data, headers = BOMBS[what]
    answer = traffic.post(collector.http, data, headers)
    assert answer.status == 413
    assert answer.headers["content-type"] == headers["content-type"]
    assert str(BODY_BYTES) in status_of(answer).message
    works(collector, what)


def test_health_is_told(collector: Collector) -> None:
    answer = traffic.post(collector.http, b"", {}, "/healthz", "GET")
    told = json.loads(answer.body)
    assert (answer.status, told["status"]) == (200, "ok")
    assert {"queue_bytes", "commit_ms", "signals"} <= set(told)


def test_a_full_queue_is_unavailable_with_a_delay(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    request = traffic.spans(400, seed=40).SerializeToString()
    with traffic.running(tmp_path, queue_bytes=len(request) + 1) as collector, ThreadPoolExecutor(32) as threads:
        answers = list(threads.map(lambda _: traffic.post(collector.http, request, PROTOBUF), range(64)))
        refused = [answer for answer in answers if answer.status != 200]
        assert collector.telemetry.total("refused") == len(refused)
        assert collector.telemetry.total("accepted") == 400 * (64 - len(refused))
    for answer in refused:
        assert answer.status in {429, 503}  # of one address, of all
        assert int(answer.headers["retry-after"]) >= 1
        assert status_of(answer).code == 14


def test_a_port_in_use_is_said_so(collector: Collector, tmp_path: Path) -> None:
    with pytest.raises(EndpointError, match=f"{collector.http}.*use"), traffic.running(tmp_path, http=collector.http):
        pass


def dawdle(collector: Collector, sent: bytes) -> bytes:
    """Send the beginning of a request and nothing more; return what comes until the other side hangs up."""
    with socket.create_connection((collector.http.host, collector.http.port), traffic.DEADLINE_S) as raw:
        raw.sendall(sent)
        received = b""
        while piece := raw.recv(65536):
            received += piece
        return received


HEAD = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 9\r\n"


@pytest.mark.parametrize("sent", [b"", b"POST /v1/tra", HEAD, HEAD + b"\r\n", HEAD + b"\r\nabcd"])
def test_a_connection_that_dawdles_is_closed(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(http_protocol.DeadlineProtocol, "head_s", 0.05)
    monkeypatch.setattr(http_protocol.DeadlineProtocol, "request_s", 0.05)
    with contextlib.suppress(ConnectionResetError):
        assert dawdle(collector, sent) == b""
    monkeypatch.undo()
    works(collector, repr(sent))


def test_a_second_request_that_dawdles_is_closed_too(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol.DeadlineProtocol, "head_s", 0.2)
    first = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    with contextlib.suppress(ConnectionResetError):
        assert dawdle(collector, first + b"POST /v1/tra").startswith(b"HTTP/1.1 200")


def test_connections_have_a_limit(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "CONNECTIONS", 0)
    assert dawdle(collector, b"") == b""
    monkeypatch.undo()
    works(collector, "limit")


TEXTS = [
    (b"\x00" * 100 + b"\r\n\r\n", 400),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 404),
    (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 99_999, 431),
    (b"GET / HTTP/1.1\r\na: " + b"b" * 999_999, 431),
]


@pytest.mark.parametrize(("text", "status"), TEXTS)
def test_text_on_the_port_is_answered_before_it_ends(collector: Collector, text: bytes, status: int) -> None:
    """The answer is not lost in a reset by what still comes, and nothing waits for a deadline."""
    assert dawdle(collector, text).startswith(b"HTTP/1.1 %d" % status)
    works(collector, "text")


def go_on(raw: socket.socket) -> None:
    while True:
        raw.sendall(b"more")


def test_who_goes_on_after_an_answer_is_closed(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "LINGER_S", 0.05)
    with socket.create_connection((collector.http.host, collector.http.port), traffic.DEADLINE_S) as raw:
        raw.sendall(b"no HTTP\r\n\r\n")
        assert raw.recv(9) == b"HTTP/1.1 "
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            go_on(raw)
    works(collector, "more")


def test_a_body_that_breaks_off_half_way_ends_its_call(collector: Collector) -> None:
    said = dawdle(collector, HEAD.replace(b"content-length: 9", b"transfer-encoding: chunked") + b"\r\nno chunk\r\n")
    assert said.startswith(b"HTTP/1.1 400")
    assert said.count(b"HTTP/1.1") == 1
    works(collector, "half-way")


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 1000):
        yield data[at : at + 1000]


@pytest.mark.anyio
async def test_inflating_stops_at_the_limit() -> None:
    plain = bytes(range(256)) * 40
    packed = gzip.compress(plain)
    assert await http_body.read_body(pieces(packed), "gzip", len(plain)) == plain
    with pytest.raises(http_body.TooLargeError):
        await http_body.read_body(pieces(packed), "gzip", len(plain) - 1)
    assert await http_body.read_body(pieces(packed + packed), "gzip", 2 * len(plain)) == plain + plain
    assert await http_body.read_body(pieces(b""), "gzip", 10) == b""


@pytest.mark.anyio
@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstandard.compress)])
async def test_empty_members_are_counted_and_let_others_have_their_turn(
    encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    """Each gives nothing and takes time; millions of them fit into a body."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    beside = asyncio.create_task(others())
    few = pack(b"") * (http_body.MEMBERS - 1) + pack(b"x")
    assert await http_body.read_body(pieces(few), encoding, 9) == b"x"
    assert turns > http_body.MEMBERS // 300
    with pytest.raises(http_body.BrokenError, match="more than 10,000 members"):
        await http_body.read_body(pieces(pack(b"") + few), encoding, 9)
    beside.cancel()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
