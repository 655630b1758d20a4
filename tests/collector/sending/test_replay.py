"""Recorded traffic sent again: whole, in its own time or today's, and again where it was refused."""

from __future__ import annotations

import gc
import itertools
import json
import math
import os
import signal
import socket
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

from collector.decoding.decode import Body
from collector.decoding.messages import items, parse
from collector.sending.links import BusyError, link
from collector.sending.replay import IN_FLIGHT, MESSAGE_LIMIT, MESSAGES, OTHERS, Replay, Tally
from collector.sending.shifting import extent, shifted
from collector.sending.stop import Stop
from seamscope.errors import DataError, EndpointError, UsageError
from tests.collector import traffic
from tests.collector.sending.answers import answering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    from collector.serve import Collector


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    with traffic.running(tmp_path) as running:
        yield running


def bodies(count: int) -> list[Body]:
    made = [Body(traffic.spans(16, seed=seed).SerializeToString(), "protobuf", "traces") for seed in range(count)]
    made.append(Body(traffic.as_json(traffic.spans(16, seed=count)), "json", "traces"))
    made.append(Body(traffic.logs(5).SerializeToString(), "protobuf", "logs"))
    made.append(Body(traffic.metrics(3).SerializeToString(), "protobuf", "metrics"))
    return made


@pytest.mark.parametrize("door", ["grpc", "http"])
def test_everything_arrives(collector: Collector, door: str) -> None:
    to = link(str(collector.grpc) if door == "grpc" else f"http://{collector.http}")
    sent: list[Body] = []
    tally = Replay(to).run(bodies(30), sent.append)
    to.close()
    assert (tally.requests, tally.items, tally.accepted) == (33, 31 * 16 + 8, 31 * 16 + 8)
    assert len(sent) == 33
    assert traffic.count(collector.store, "spans") == 31 * 16
    assert traffic.count(collector.store, "logs") == 5


@pytest.mark.parametrize("door", ["grpc", "http"])
def test_a_request_that_no_retry_can_help_is_counted_and_the_rest_goes_on(collector: Collector, door: str) -> None:
    to = link(str(collector.grpc) if door == "grpc" else f"http://{collector.http}")
    bad = traffic.spans(4)
    bad.resource_spans[0].scope_spans[0].spans[0].span_id = b""
    mixed = [
        Body(b"\xff", "protobuf", "traces"),
        Body(bad.SerializeToString(), "protobuf", "traces"),
        Body(traffic.spans(8, seed=1).SerializeToString(), "protobuf", "traces"),
    ]
    tally = Replay(to).run(mixed, lambda _: None)
    to.close()
    assert (tally.requests, tally.failed_requests, tally.rejected, tally.accepted) == (3, 1, 1, 11)
    assert any("span_id" in why for why in tally.messages)


class Moody:
    """A link that refuses each body a few times before it passes it on."""

    def __init__(self, refusals: int, after_s: float | None) -> None:
        self._refusals = refusals
        self._after_s = after_s
        self.seen: dict[bytes, int] = {}

    def send(self, body: Body) -> tuple[int, str]:
        self.seen[body.data] = self.seen.get(body.data, 0) + 1
        if self.seen[body.data] <= self._refusals:
            raise BusyError("full", self._after_s)
        return 0, ""

    def close(self) -> None:
        pass


def test_a_refused_request_is_sent_again(collector: Collector) -> None:
    del collector
    moody = Moody(3, 0.001)
    tally = Replay(moody).run(bodies(5), lambda _: None)
    assert set(moody.seen.values()) == {4}
    assert (tally.retries, tally.failed_requests) == (3 * 8, 0)


def test_an_endpoint_that_keeps_refusing_is_given_up() -> None:
    with pytest.raises(EndpointError, match="keeps refusing"):
        Replay(Moody(10**9, 0.01), patience_s=0.05).run(bodies(5), lambda _: None)


class Refusing:
    """A link that takes nothing, and does something at every try."""

    def __init__(self, on_try: Callable[[int], object], after_s: float | None = None) -> None:
        self._on_try = on_try
        self._after_s = after_s
        self._tries = itertools.count(1)

    def send(self, body: Body) -> tuple[int, str]:
        del body
        self._on_try(next(self._tries))
        raise BusyError("full", self._after_s)

    def close(self) -> None:
        pass


def sending_threads() -> list[threading.Thread]:
    named = [thread for thread in threading.enumerate() if thread.name.startswith("replay")]
    return [thread for thread in named if thread.is_alive()]


def test_an_interrupt_ends_it_while_the_endpoint_refuses() -> None:
    """With one body, which was handed on when the interrupt comes; and waits go on after signals, as with Polars."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.siginterrupt(signal.SIGINT, False)
    tries = []

    def interrupt(number: int) -> None:
        tries.append(number)
        if number == 2:
            os.kill(os.getpid(), signal.SIGINT)

    try:
        with pytest.raises(KeyboardInterrupt):
            Replay(Refusing(interrupt), patience_s=traffic.DEADLINE_S).run(bodies(1)[:1], lambda _: None)
    finally:
        signal.signal(signal.SIGINT, before)
    for thread in sending_threads():
        thread.join(traffic.DEADLINE_S)
    assert not sending_threads()
    assert len(tries) < 9  # patience is enough for twice as many


class Clock(Stop):
    """Lets no time pass, and keeps how long was to be waited between tries."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        if timeout is not None and timeout > 0:
            self.waited.append(timeout)
        return self.is_set()


@pytest.mark.parametrize("after_s", [None, 0.0, -5.0, 0.001])
def test_from_try_to_try_the_wait_grows_whatever_is_asked_for(after_s: float | None) -> None:
    clock = Clock()
    Replay(Moody(5, after_s), stopped=clock).run(bodies(1)[:1], lambda _: None)
    least = [0.05, 0.1, 0.2, 0.4, 0.8]
    assert [low <= wait <= 3 * low for wait, low in zip(clock.waited, least, strict=True)] == [True] * 5


def test_what_is_asked_for_is_waited() -> None:
    clock = Clock()
    Replay(Moody(2, 7.0), stopped=clock).run(bodies(1)[:1], lambda _: None)
    assert clock.waited == [7.0, 7.0]


def test_who_asks_for_more_than_anybody_waits_is_told_of() -> None:
    with pytest.raises(EndpointError, match="left alone for 600 s, longer than"):
        Replay(Moody(2, 600.0)).run(bodies(1)[:1], lambda _: None)


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("7", 7, 7),
        ("0", 0, 0),
        ("{soon}", 1000 - traffic.DEADLINE_S, 1001),
        ("Thu, 01 Jan 1970 00:00:00 GMT", -1e11, -1e9),
        ("9" * 400, math.inf, math.inf),
    ],
)
def test_a_server_says_when_to_come_again_in_seconds_or_as_a_date(text: str, least: float, most: float) -> None:
    text = text.format(soon=formatdate(time.time() + 1000, usegmt=True))
    with answering(f"HTTP/1.1 503 Busy\r\nretry-after: {text}\r\ncontent-length: 0\r\n\r\n") as endpoint:
        to = link(endpoint)
        with pytest.raises(BusyError) as refusal:
            to.send(bodies(1)[0])
        to.close()
    assert refusal.value.after_s is not None
    assert least <= refusal.value.after_s <= most


@pytest.mark.parametrize("text", ["", "soon", "-1", "Mon, 99 Foo 1999 99:99:99 GMT"])
def test_who_does_not_say_when_to_come_again_is_asked_again(text: str) -> None:
    with answering(f"HTTP/1.1 503 Busy\r\nretry-after: {text}\r\ncontent-length: 0\r\n\r\n") as endpoint:
        to = link(endpoint)
        with pytest.raises(BusyError) as refusal:
            to.send(bodies(1)[0])
        to.close()
    assert refusal.value.after_s is None


def test_who_is_told_to_stop_waits_for_no_other_try() -> None:
    stopped = Stop()
    to = Refusing(lambda _: stopped.set(), after_s=traffic.DEADLINE_S * 10)
    tally = Replay(to, patience_s=traffic.DEADLINE_S * 20, stopped=stopped).run(bodies(20), lambda _: None)
    assert (tally.requests, tally.retries) == (0, 0)


LAST_ANSWER = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 9\r\n\r\nhalf"


@pytest.mark.parametrize("begun", [b"", LAST_ANSWER])
def test_hanging_up_ends_a_request_that_waits_for_its_answer(begun: bytes) -> None:
    ended: list[BaseException] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        to = link(f"http://127.0.0.1:{server.getsockname()[1]}")

        def send() -> None:
            try:
                to.send(bodies(1)[0])
            except BusyError as error:
                ended.append(error)

        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        taken = [server.accept()[0] for _ in range(2)]  # the first by which it was tried whether somebody answers
        assert taken[1].recv(1)
        taken[1].sendall(begun)
        to.close()
        thread.join(traffic.DEADLINE_S / 2)
        for each in taken:
            each.close()
    gc.collect()  # a socket that was left open is told of
    assert len(ended) == 1


def test_who_hung_up_opens_no_more() -> None:
    with answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n") as endpoint:
        to = link(endpoint)
        to.send(bodies(1)[0])
        to.close()
        with pytest.raises(BusyError, match="hung up"):
            to.send(bodies(1)[0])


def test_where_no_thread_can_be_started_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(ThreadPoolExecutor, "submit", fails)
    with pytest.raises(RuntimeError, match="new thread"):
        Replay(Moody(0, None)).run(bodies(2), lambda _: None)


def test_nothing_is_kept_of_what_was_sent() -> None:
    kept = []

    def many() -> Iterator[Body]:
        yield from itertools.repeat(Body(b"", "protobuf", "traces"), 1_000)
        kept.append(sum(isinstance(each, Future) for each in gc.get_objects()))

    before = sum(isinstance(each, Future) for each in gc.get_objects())
    assert Replay(Moody(0, None)).run(many(), lambda _: None).requests == 1_000
    assert kept[0] - before <= 4 * IN_FLIGHT


def test_messages_are_kept_within_bounds() -> None:
    tally = Tally()
    for number in range(MESSAGES + 50):
        tally.hear(f"{number} {'x' * 2 * MESSAGE_LIMIT}")
    tally.hear(f"7 {'x' * 2 * MESSAGE_LIMIT}")
    assert len(tally.messages) == MESSAGES + 1
    assert tally.messages[OTHERS] == 50
    assert {len(each) for each in tally.messages if each != OTHERS} == {MESSAGE_LIMIT}
    assert tally.messages.total() == MESSAGES + 51


def test_a_fault_of_the_link_ends_it_and_is_told() -> None:
    def fail(_: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Replay(Refusing(fail)).run(bodies(50), lambda _: None)


def test_a_rate_is_kept() -> None:
    started = time.monotonic()
    tally = Replay(Moody(0, None), rate=400).run(bodies(5)[:5], lambda _: None)
    assert tally.items == 80
    assert time.monotonic() - started >= 4 * 16 / 400  # the last body leaves after those before it had their time


def test_where_nothing_answers_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.sending.links.CONNECT_S", 0.2)
    with traffic.running(tmp_path) as collector:
        gone = collector.grpc, collector.http
    with pytest.raises(EndpointError, match="nothing answers"):
        link(str(gone[0]))
    with pytest.raises(EndpointError, match="nothing answers"):
        link(f"http://{gone[1]}")


@pytest.mark.parametrize(
    "endpoint",
    [
        "ftp://x",
        "http://",
        "http://x:99999",
        "http://a..b:4318",
        f"http://{'a' * 64}:4318",
        "http://ho st:4318",
        "http://x:4318/a b",
        "http://x:4318/\u00fc",
        "http://x\t:4318",
        "http://[::1:4318",
        "localhost",
        "a:b:c",
        "x:99999",
        "",
    ],
)
def test_what_is_no_endpoint_is_said_so(endpoint: str) -> None:
    with pytest.raises(UsageError, match="is not an"):
        link(endpoint)


@pytest.mark.parametrize("door", ["grpc", "http"])
def test_no_proxy_comes_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: str) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "no_grpc_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with traffic.running(tmp_path) as collector:
        to = link(str(collector.grpc) if door == "grpc" else f"http://{collector.http}")
        assert to.send(bodies(1)[0]) == (0, "")
        to.close()


def timed() -> ExportTraceServiceRequest:
    request = traffic.spans(3)
    span = request.resource_spans[0].scope_spans[0].spans[0]
    at = traffic.START_NS
    span.events.add(time_unix_nano=at + 7, name="event")
    seconds = f"t={at // 10**9}.{at % 10**9 // 10**6:03d}"
    header = ArrayValue(values=[AnyValue(string_value=seconds)])
    span.attributes.extend(
        [
            KeyValue(key="http.request.header.x-request-start", value=AnyValue(array_value=header)),
            KeyValue(key="bullmq.job.processed.timestamp", value=AnyValue(int_value=at // 10**6)),
            KeyValue(key="queue.message_timestamp", value=AnyValue(string_value="2025-10-09T08:53:20.250Z")),
            KeyValue(key="messaging.servicebus.message.enqueued_time", value=AnyValue(string_value="soon")),
            KeyValue(key="order", value=AnyValue(int_value=at // 10**6)),
        ]
    )
    request.resource_spans[0].scope_spans[0].spans[1].end_time_unix_nano = 0
    return request


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_a_shift_moves_every_moment_and_no_distance(encoding: str) -> None:
    by_ns = 86_400 * 10**9 + 5_000_000
    request = timed()
    data = request.SerializeToString() if encoding == "protobuf" else traffic.as_json(request)
    before = request.resource_spans[0].scope_spans[0].spans
    moved = parse(shifted(Body(data, encoding, "traces"), by_ns))  # type: ignore[arg-type]
    after = moved.resource_spans[0].scope_spans[0].spans
    for old, new in zip(before, after, strict=True):
        assert new.start_time_unix_nano - old.start_time_unix_nano == by_ns
        assert new.end_time_unix_nano - old.end_time_unix_nano == (by_ns if old.end_time_unix_nano else 0)
    assert after[0].events[0].time_unix_nano - before[0].events[0].time_unix_nano == by_ns
    values = {each.key: each.value for each in after[0].attributes}
    at = traffic.START_NS + by_ns
    header = values["http.request.header.x-request-start"].array_value.values[0].string_value
    assert header == f"t={at // 10**9}.{at % 10**9 // 10**6:03d}"
    assert values["bullmq.job.processed.timestamp"].int_value == at // 10**6
    assert values["queue.message_timestamp"].string_value == "2025-10-10T08:53:20.255Z"
    assert values["messaging.servicebus.message.enqueued_time"].string_value == "soon"
    assert values["order"].int_value == traffic.START_NS // 10**6


def test_logs_and_metrics_move_too() -> None:
    for kind, request in (("logs", traffic.logs(3)), ("metrics", traffic.metrics(3))):
        body = Body(request.SerializeToString(), "protobuf", kind)  # type: ignore[arg-type]
        moved = shifted(body, 10**9)
        pairs = zip(items(parse(body)), items(parse(moved)), strict=True)
        assert all(new.time_unix_nano - old.time_unix_nano == 10**9 for old, new in pairs)


def test_the_extent_is_that_of_all_signals() -> None:
    found = extent(bodies(2))
    assert found.first_ns == traffic.START_NS
    assert found.last_ns == traffic.START_NS + 15 * 1_000_000 + 500_000


def test_what_is_no_request_is_said_so() -> None:
    for data, encoding in ((b"\xff", "protobuf"), (b"{", "json"), (b"null", "json"), (b'{"resourceSpans": 1}', "json")):
        with pytest.raises(DataError, match="traces"):
            parse(Body(data, encoding, "traces"))  # type: ignore[arg-type]
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [{"spanId": "xyz"}]}]}]}
    with pytest.raises(DataError, match="hexadecimal"):
        parse(Body(json.dumps(document).encode(), "json", "traces"))


def test_json_is_read_as_the_collector_reads_it() -> None:
    span = {"traceId": "ab" * 16, "span_id": "cd" * 8, "parentSpanId": None, "kind": "Server"}
    more = {**span, "kind": "SPAN_KIND_CLIENT", "status": {"code": "error"}, "attributes": [{"key": "kind"}]}
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [span, more, {"kind": "3"}, {"kind": "odd"}]}]}]}
    found = list(items(parse(Body(json.dumps(document).encode(), "json", "traces"))))
    assert [each.kind for each in found] == [2, 3, 3, 0]
    assert [each.status.code for each in found] == [0, 2, 0, 0]
    assert (found[0].span_id, found[0].parent_span_id) == (b"\xcd" * 8, b"")


def with_attribute(key: str, value: AnyValue) -> ExportTraceServiceRequest:
    request = traffic.spans(1)
    request.resource_spans[0].scope_spans[0].spans[0].attributes.append(KeyValue(key=key, value=value))
    return request


@pytest.mark.parametrize(
    "value",
    [
        AnyValue(int_value=2**63 - 1),
        AnyValue(int_value=20251009),
        AnyValue(int_value=-5),
        AnyValue(string_value="9999999999999999999"),
        AnyValue(string_value="9999-12-31T23:59:59Z"),
    ],
)
def test_a_value_that_cannot_be_moved_stays(value: AnyValue) -> None:
    request = with_attribute("queue.message_timestamp", value)
    moved = parse(shifted(Body(request.SerializeToString(), "protobuf", "traces"), 10**17))
    span = moved.resource_spans[0].scope_spans[0].spans[0]
    assert span.attributes[-1].value == value
    assert span.start_time_unix_nano == traffic.START_NS + 10**17


def test_a_number_that_moves_back_to_the_epoch_keeps_its_form() -> None:
    request = with_attribute("queue.message_timestamp", AnyValue(string_value="1760000000.250"))
    moved = parse(shifted(Body(request.SerializeToString(), "protobuf", "traces"), -traffic.START_NS))
    assert moved.resource_spans[0].scope_spans[0].spans[0].attributes[-1].value.string_value == "0.250"


def test_a_moment_that_no_collector_takes_stays_and_is_no_end() -> None:
    request = traffic.spans(2)
    request.resource_spans[0].scope_spans[0].spans[0].end_time_unix_nano = 2**64 - 1
    body = Body(request.SerializeToString(), "protobuf", "traces")
    assert extent([body]).last_ns == traffic.START_NS + 1_500_000
    first, second = parse(shifted(body, 10**9)).resource_spans[0].scope_spans[0].spans
    assert first.end_time_unix_nano == 2**64 - 1
    assert second.end_time_unix_nano == traffic.START_NS + 1_500_000 + 10**9
