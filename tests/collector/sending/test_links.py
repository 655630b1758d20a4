"""What is made of the answers of an endpoint, which may be anything."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import pytest
import trustme
from google.rpc import status_pb2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.decoding.decode import Body
from collector.sending import links
from collector.sending.links import Access, BusyError, link
from collector.sending.replay import Replay
from collector.sending.replies import REPLY_BYTES
from seamscope.errors import DataError, EndpointError
from tests.collector import traffic
from tests.collector.sending.answers import answering, serving, take

if TYPE_CHECKING:
    import socketserver
    from pathlib import Path

BODY = Body(traffic.spans(4).SerializeToString(), "protobuf", "traces")


def reply(status: str, media_type: str, content: bytes) -> bytes:
    named = f"content-type: {media_type}\r\n" if media_type else ""
    return f"HTTP/1.1 {status}\r\n{named}content-length: {len(content)}\r\n\r\n".encode() + content


def sent(answer: bytes) -> tuple[int, str]:
    with answering(answer) as endpoint:
        to = link(endpoint)
        try:
            return to.send(BODY)
        finally:
            to.close()


def partial() -> ExportTraceServiceResponse:
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = 3
    response.partial_success.error_message = "odd"
    return response


PROTOBUF, JSON = "application/x-protobuf", "application/json"
ODD = {"partialSuccess": {"rejectedSpans": "3", "errorMessage": "odd", "more": 1}, "took": 5}
NOT_OTLP = "taken, but the answer is not OTLP"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (reply("200 OK", PROTOBUF, b""), (0, "")),
        (reply("200 OK", PROTOBUF, partial().SerializeToString()), (3, "odd")),
        (reply("200 OK", "", partial().SerializeToString()), (3, "odd")),
        (reply("200 OK", f"{JSON}; charset=utf-8", json.dumps(ODD).encode()), (3, "odd")),
        (reply("200 OK", JSON, b'{"partialSuccess":{}}'), (0, "")),
        (reply("202 Accepted", "", b""), (0, "")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", (0, "")),
        (reply("200 OK", PROTOBUF, b"\xff" * 9), (0, NOT_OTLP)),
        (reply("200 OK", JSON, b"OK"), (0, NOT_OTLP)),
        (reply("200 OK", JSON, b"[" * 100_000), (0, NOT_OTLP)),
        (reply("200 OK", "text/html", b"<html>ok</html>"), (0, "taken, but answered as text/html, which is not OTLP")),
    ],
)
def test_what_was_taken_counts_as_taken_whatever_is_answered(answer: bytes, told: tuple[int, str]) -> None:
    assert sent(answer) == told


def test_an_answer_that_is_no_otlp_leaves_the_tally_whole() -> None:
    with answering(reply("200 OK", "text/plain", b"OK")) as endpoint:
        to = link(endpoint)
        tally = Replay(to).run([BODY] * 3, lambda _: None)
        to.close()
    assert (tally.requests, tally.accepted) == (3, 12)
    assert sum(tally.messages.values()) == 3


STATUS = status_pb2.Status(code=3, message="no such field")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (reply("400 Bad Request", PROTOBUF, STATUS.SerializeToString()), "HTTP 400: no such field"),
        (reply("400 Bad Request", JSON, b'{"code": 3, "message": "no such field"}'), "HTTP 400: no such field"),
        (reply("400 Bad Request", JSON, b'{"error": "odd"}'), 'HTTP 400: {"error": "odd"}'),
        (reply("400 Bad Request", PROTOBUF, b"plain words\n"), "HTTP 400: plain words"),
        (reply("413 Too Large", "text/plain", b"x" * 9_000), f"HTTP 413: {'x' * 300}"),
        (reply("404 Not Found", "text/html", b""), "HTTP 404"),
        (reply("308 Permanent Redirect", "", b""), "HTTP 308"),
    ],
)
def test_an_error_is_told_in_the_words_of_the_endpoint(answer: bytes, told: str) -> None:
    with pytest.raises(DataError) as error:
        sent(answer)
    assert str(error.value) == told


def test_a_refusal_is_told_in_the_words_of_the_endpoint() -> None:
    with pytest.raises(BusyError, match=r"^HTTP 503: no such field$"):
        sent(reply("503 Busy", PROTOBUF, STATUS.SerializeToString()))


def test_an_answer_that_is_cut_off_may_have_been_none() -> None:
    def serve(request: socketserver.StreamRequestHandler) -> None:
        take(request)
        request.wfile.write(reply("200 OK", PROTOBUF, bytes(9))[:-1])

    with serving(serve) as endpoint:
        to = link(endpoint)
        with pytest.raises(BusyError, match="IncompleteRead"):
            to.send(BODY)
        to.close()


@pytest.mark.parametrize(
    ("said", "told"),
    [(b"\x15\x03\x03\x00\x02\x02\x46", "does not answer in HTTP"), (b"", "hangs up without an answer")],
)
def test_what_is_not_http_is_not_asked_for_long(monkeypatch: pytest.MonkeyPatch, said: bytes, told: str) -> None:
    """A door that asks for TLS answers with an alert, or not at all."""
    monkeypatch.setattr(links, "HANG_UPS_S", 0.01)
    tries = []

    def serve(request: socketserver.StreamRequestHandler) -> None:
        if take(request):
            tries.append(request.client_address)
            request.wfile.write(said)

    with serving(serve) as endpoint:
        to = link(endpoint)
        with pytest.raises(EndpointError, match=rf"{told}.*https://"):
            Replay(to).run([BODY], lambda _: None)
        to.close()
    assert len(tries) <= 2


def test_who_answered_never_may_hang_up_for_a_while() -> None:
    """So does what forwards to an endpoint that is only starting."""
    tries = []

    def serve(request: socketserver.StreamRequestHandler) -> None:
        while take(request):
            tries.append(1)
            if len(tries) < 4:
                return
            request.wfile.write(reply("200 OK", PROTOBUF, b""))

    with serving(serve) as endpoint:
        to = link(endpoint)
        assert Replay(to).run([BODY], lambda _: None).requests == 1
        to.close()


def test_who_answered_once_may_hang_up_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "HANG_UPS_S", 0.0)
    hangs_up = threading.Event()

    def serve(request: socketserver.StreamRequestHandler) -> None:
        while take(request) and not hangs_up.is_set():
            request.wfile.write(reply("200 OK", PROTOBUF, b""))

    with serving(serve) as endpoint:
        to = link(endpoint)
        assert to.send(BODY) == (0, "")
        hangs_up.set()
        for _ in range(3):
            with pytest.raises(BusyError):
                to.send(BODY)
        hangs_up.clear()
        assert to.send(BODY) == (0, "")
        to.close()


@pytest.mark.parametrize("endpoint", ["127.0.0.1:1", "https://127.0.0.1:1"])
@pytest.mark.parametrize(
    "pem", [b"", b"garbage\n", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_certificate_is_said_so(tmp_path: Path, endpoint: str, pem: bytes) -> None:
    (tmp_path / "ca.pem").write_bytes(pem)
    with pytest.raises(DataError, match=r"ca\.pem is no certificate in PEM"):
        link(endpoint, Access(None, tmp_path / "ca.pem"))


@pytest.mark.parametrize("content", [b"", b"{}", b" {}\n"])
@pytest.mark.parametrize("kind", [PROTOBUF, "text/plain"])
def test_an_empty_answer_says_nothing(content: bytes, kind: str) -> None:
    with answering(reply("200 OK", kind, content)) as endpoint:
        to = link(endpoint)
        assert to.send(BODY) == (0, "")
        to.close()


def test_a_certificate_may_be_described_in_any_letters(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes("# Főtanúsítvány\n".encode() + trustme.CA().cert_pem.bytes())
    assert Access(None, file).roots() == file.read_bytes()


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
LITTLE = b"1;" + b"x" * 10_000 + b"\r\n\0\r\n"


@pytest.mark.parametrize(("first", "again"), [(b"", CONTINUE), (HEAD, LITTLE)])
def test_an_answer_without_end_is_waited_for_so_long(
    monkeypatch: pytest.MonkeyPatch, first: bytes, again: bytes
) -> None:
    monkeypatch.setattr("collector.sending.links.REQUEST_S", 0.2)

    def serve(request: socketserver.StreamRequestHandler) -> None:
        take(request)
        request.wfile.write(first)
        until = time.monotonic() + traffic.DEADLINE_S / 4
        while time.monotonic() < until:
            request.wfile.write(again)

    with serving(serve) as endpoint:
        to = link(endpoint)
        with pytest.raises(BusyError, match="timed out"):
            to.send(BODY)
        to.close()


def test_of_a_long_answer_only_the_beginning_is_read() -> None:
    written = []

    def serve(request: socketserver.StreamRequestHandler) -> None:
        while take(request):
            request.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 400000000\r\n\r\n")
            for _ in range(400):
                request.wfile.write(bytes(1_000_000))
                written.append(1_000_000)

    with serving(serve) as endpoint:
        to = link(endpoint)
        assert [to.send(BODY) for _ in range(2)] == [(0, NOT_OTLP)] * 2
        to.close()
    assert sum(written) < 20 * REPLY_BYTES
