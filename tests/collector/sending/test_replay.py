"""Recorded traffic sent again: whole, in its own time or today's, and again where it was refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

from collector.decoding.decode import Body
from collector.decoding.messages import items, parse
from collector.sending.links import BusyError, link
from collector.sending.replay import Replay
from collector.sending.shifting import extent, shifted
from seamscope.errors import DataError, EndpointError, UsageError
from tests.collector import traffic

if TYPE_CHECKING:
    from collections.abc import Iterator
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


def test_a_rate_is_kept() -> None:
    import time

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


@pytest.mark.parametrize("endpoint", ["ftp://x", "http://", "http://x:99999", "localhost", "a:b:c", "x:99999", ""])
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
    for signal, request in (("logs", traffic.logs(3)), ("metrics", traffic.metrics(3))):
        body = Body(request.SerializeToString(), "protobuf", signal)  # type: ignore[arg-type]
        moved = shifted(body, 10**9)
        pairs = zip(items(parse(body)), items(parse(moved)), strict=True)
        assert all(new.time_unix_nano - old.time_unix_nano == 10**9 for old, new in pairs)


def test_the_extent_is_that_of_all_signals() -> None:
    found = extent(bodies(2))
    assert found.first_ns == traffic.START_NS
    assert found.last_ns == traffic.START_NS + 15 * 1_000_000 + 500_000


def test_what_is_no_request_is_said_so() -> None:
    for data, encoding in ((b"\xff", "protobuf"), (b"{", "json"), (b'{"resourceSpans": 1}', "json")):
        with pytest.raises(DataError, match="traces"):
            parse(Body(data, encoding, "traces"))  # type: ignore[arg-type]
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [{"spanId": "xyz"}]}]}]}
    with pytest.raises(DataError, match="hexadecimal"):
        parse(Body(json.dumps(document).encode(), "json", "traces"))
