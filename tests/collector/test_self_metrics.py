"""What the collector tells of itself: counts that add up, in `/healthz`, as OTLP and in its log."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from collector.doors.listening import Doors
from collector.ingest import Outcome
from collector.self_metrics import METRICS, SelfMetrics, request
from collector.telemetry import FAILING_NS, Telemetry
from seamscope import health
from seamscope.remote import find_collector
from seamscope.store import Store
from tests.collector import traffic
from tests.collector.transports import TRANSPORTS, encoded, send

if TYPE_CHECKING:
    from pathlib import Path

    from collector.decoding.decode import Body


def values(message: ExportMetricsServiceRequest) -> dict[tuple[str, ...], float]:
    """Return each data point by its metric's name and its attributes' values."""
    found: dict[tuple[str, ...], float] = {}
    for metric in message.resource_metrics[0].scope_metrics[0].metrics:
        series = metric.gauge.data_points if metric.HasField("gauge") else metric.sum.data_points
        for point in series:
            of = sorted((each.key, each.value.string_value) for each in point.attributes)
            name = (metric.name.removeprefix("seamscope.collector."), *(value for _, value in of))
            found[name] = point.as_int if point.WhichOneof("value") == "as_int" else point.as_double
    return found


def starts(message: ExportMetricsServiceRequest) -> set[int]:
    """Return when the sums of a message began."""
    metrics = message.resource_metrics[0].scope_metrics[0].metrics
    return {point.start_time_unix_nano for metric in metrics for point in metric.sum.data_points}


def test_every_count_is_a_metric() -> None:
    telemetry = Telemetry()
    telemetry.looks_at("free_disk_bytes", lambda: 7)
    telemetry.looks_at("expired_items", lambda: {"traces": 3})
    telemetry.looks_at("resident_bytes", lambda: 8)
    telemetry.looks_at("analysis_lag_s", lambda: 1.5)
    telemetry.looks_at("analysis_failing", lambda: 1)
    telemetry.looks_at("analysis_set_aside", lambda: 2)
    telemetry.received("traces", 100)
    telemetry.answered("traces", Outcome(accepted=5, rejected={"span_id_zero": 2}))
    telemetry.refused("traces", "queue_full")
    telemetry.unreadable("logs")
    telemetry.denied("traces", "unauthenticated")
    telemetry.committed(2_000_000, ok=True, duplicates={"spans": 1})
    telemetry.committed(4_000_000, ok=False)
    telemetry.holds(9)
    message = request(telemetry.snapshot(), traffic.START_NS, traffic.START_NS + 1)
    found = values(message)
    assert found.pop(("uptime",)) >= 0
    assert found.pop(("commit.duration", "p50")) == found.pop(("commit.duration", "p99")) == 4.0
    assert found.pop(("commit.duration", "max")) == 4.0
    zeros = {key for key, value in found.items() if value == 0}
    assert {key: value for key, value in found.items() if value} == {
        ("requests", "traces"): 1,
        ("request.size", "traces"): 100,
        ("items.accepted", "traces"): 5,
        ("items.rejected", "span_id_zero", "traces"): 2,
        ("requests.refused", "queue_full", "traces"): 1,
        ("requests.invalid", "logs"): 1,
        ("requests.denied", "unauthenticated", "traces"): 1,
        ("items.duplicate", "traces"): 1,
        ("commits", "ok"): 1,
        ("commits", "failed"): 1,
        ("queue.size",): 9,
        ("analysis.failing",): 1,
        ("analysis.lag",): 1.5,
        ("analysis.set_aside",): 2,
        ("disk.free",): 7,
        ("items.expired", "traces"): 3,
        ("memory.resident",): 8,
    }
    assert zeros == {(name, "logs") for name in ("requests", "request.size", "items.accepted")} | {
        ("requests.invalid", "traces"),
        ("items.unkept", "logs"),
        ("items.duplicate", "logs"),
        ("items.unkept", "traces"),
    }
    assert {metric.name for metric in message.resource_metrics[0].scope_metrics[0].metrics} == METRICS.keys()


def test_doctor_and_the_metrics_tell_the_same(tmp_path: Path) -> None:
    """Received, accepted, rejected and refused by reason, the queue, commits, the analysis' lag, the disk."""
    data = traffic.spans(16)
    data.resource_spans[0].scope_spans[0].spans[3].span_id = bytes(8)
    with traffic.running(tmp_path) as running:
        for _ in range(2):
            traffic.call(running.grpc, data.SerializeToString())
        running.telemetry.refused("traces", "queue_full")
        told = running.telemetry.snapshot()
        said = health.collector(find_collector(running.plan.db)).said
    found = values(request(told, 1, 2))
    (reason,) = told["signals"]["traces"]["rejected"]  # type: ignore[index]
    assert found["requests", "traces"] == 2
    assert found["request.size", "traces"] == 2 * len(data.SerializeToString())
    assert found["items.accepted", "traces"] == 30
    assert found["items.duplicate", "traces"] == 15
    assert found["items.rejected", reason, "traces"] == 2
    assert found["requests.refused", "queue_full", "traces"] == 1
    assert {("queue.size",), ("commit.duration", "p99"), ("analysis.lag",), ("disk.free",)} <= found.keys()
    assert "2 requests (0.0 MB), 30 items accepted (15 sent again, 0 only counted)" in said
    assert (
        f"2 ({reason} 2) rejected, 1 (queue_full 1) requests refused, 0 invalid, 0 denied, 0.0 MB in its queue" in said
    )
    assert re.search(r"commits p99 \d+ ms, analysis \d+ s behind, [\d,.]+ MB of disk free", said)


def test_another_collector_takes_them(tmp_path: Path) -> None:
    (tmp_path / "watcher").mkdir()
    with traffic.running(tmp_path / "watcher") as watcher:
        for endpoint in (str(watcher.grpc), f"http://{watcher.http}"):
            before = watcher.telemetry.total("accepted")
            with traffic.running(tmp_path, metrics_endpoint=endpoint, metrics_every_s=3600.0) as running:
                traffic.call(running.grpc, traffic.spans(8).SerializeToString())
            assert watcher.telemetry.total("accepted") > before + 10  # the last are sent at the stop


def test_where_nobody_takes_them_the_collector_lives_on(caplog: pytest.LogCaptureFixture) -> None:
    telling = SelfMetrics(Telemetry(), "http://127.0.0.1:9", 3600.0)
    telling.start()
    telling.stop()
    assert "could not be sent" in caplog.text


def test_an_endpoint_that_dawdles_keeps_no_stop_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doors close first, all else ends, and only then is it waited for."""
    said: list[str] = []
    began, ended = threading.Event(), threading.Event()

    def noting(of: type, name: str) -> None:
        method = getattr(of, name)

        def note(*given: Any) -> Any:
            said.append(f"{of.__name__}.{name}")
            return method(*given)

        monkeypatch.setattr(of, name, note)

    def dawdle(_: SelfMetrics) -> None:
        said.append("sends")
        began.set()
        ended.wait(traffic.DEADLINE_S)

    monkeypatch.setattr("collector.self_metrics.LAST_S", 0.0)
    monkeypatch.setattr(SelfMetrics, "send", dawdle)
    noting(Doors, "close")
    noting(Store, "close")
    noting(SelfMetrics, "stop")
    with traffic.running(tmp_path, metrics_endpoint="127.0.0.1:9", metrics_every_s=3600.0):
        pass
    assert began.wait(traffic.DEADLINE_S)
    ended.set()
    assert said.index("Doors.close") < said.index("sends")
    assert said.index("Store.close") < said.index("SelfMetrics.stop")


def test_sums_begin_at_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Body] = []

    def send(body: Body) -> tuple[int, str]:
        sent.append(body)
        return 0, ""

    way = SimpleNamespace(send=send, close=lambda: None)
    monkeypatch.setattr("collector.self_metrics.link", lambda _: way)
    telling = SelfMetrics(Telemetry(), "somewhere:4317", 3600.0)
    telling.send()
    telling.send()
    first, second = (ExportMetricsServiceRequest.FromString(body.data) for body in sent)
    assert starts(first) == starts(second)
    assert len(starts(first)) == 1


class Nonsense(BaseHTTPRequestHandler):
    """Answers 200 with what is no message."""

    came: Queue[str] = Queue()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"\xff" * 9)
        self.came.put(self.path)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_an_endpoint_that_answers_nonsense_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    with HTTPServer(("127.0.0.1", 0), Nonsense) as server:
        threading.Thread(target=server.serve_forever).start()
        telling = SelfMetrics(Telemetry(), f"http://127.0.0.1:{server.server_port}", 0.001)
        telling.start()
        assert [Nonsense.came.get(timeout=traffic.DEADLINE_S) for _ in range(3)] == ["/v1/metrics"] * 3
        telling.stop()
        server.shutdown()
    assert "said: taken, but the answer is not OTLP" in caplog.text


def test_whatever_is_sent_is_counted_somewhere(tmp_path: Path) -> None:
    """Items sent = accepted + rejected; accepted = stored + duplicates; requests = answered + refused + invalid."""
    with traffic.running(tmp_path) as running:
        requests = 0
        for number, transport in enumerate(TRANSPORTS):
            good = traffic.spans(16, seed=number)
            good.resource_spans[0].scope_spans[0].spans[3].span_id = bytes(8)
            for data in (good, good, traffic.spans(0), encoded(transport, good)[:-3]):
                send(transport, running, data)
                requests += 1
        told: dict[str, Any] = running.telemetry.snapshot()
        traces = told["signals"]["traces"]
        assert traces["accepted"] + sum(traces["rejected"].values()) == 3 * 2 * 16
        assert traces["accepted"] == traffic.count(running.store, "spans") + traces["duplicates"]
        assert traces["invalid_requests"] == 3
        assert traces["requests"] + sum(traces["refused_requests"].values()) in {requests, requests - 2}  # empty: none
        assert told["free_disk_bytes"] > 0
        assert told["analysis_lag_s"] >= 0


@pytest.mark.parametrize("deleted", [False, True])
def test_a_store_that_is_gone_from_its_place_acknowledges_nothing(tmp_path: Path, deleted: bool) -> None:
    with traffic.running(tmp_path) as running:
        place = running.plan.db
        assert traffic.call(running.grpc, traffic.spans(8).SerializeToString()).code is grpc.StatusCode.OK
        kept = place.rename(place.with_suffix(".away"))
        if deleted:
            place.touch()
        refused = traffic.call(running.grpc, traffic.spans(8, seed=2).SerializeToString())
        assert refused.code is grpc.StatusCode.UNAVAILABLE
        assert traffic.post(running.http, b"", {}, "/healthz", "GET").status == 503
        kept.rename(place)
        assert traffic.call(running.grpc, traffic.spans(8, seed=2).SerializeToString()).code is grpc.StatusCode.OK
        assert traffic.post(running.http, b"", {}, "/healthz", "GET").status == 200
        assert traffic.count(running.store, "spans") == 16


def test_health_is_red_while_nothing_can_be_stored(tmp_path: Path) -> None:
    with traffic.running(tmp_path) as running:
        running.telemetry.committed(1, ok=False)
        answer = traffic.post(running.http, b"", {}, "/healthz", "GET")
        assert (answer.status, json.loads(answer.body)["status"]) == (503, "failing")
        traffic.call(running.grpc, traffic.spans(8).SerializeToString())
        answer = traffic.post(running.http, b"", {}, "/healthz", "GET")
        assert (answer.status, json.loads(answer.body)["status"]) == (200, "ok")


def test_health_is_not_red_for_ever_where_nobody_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is sent nothing for being red brings no commit about that succeeds."""
    telemetry, now_ns = Telemetry(), [1_000 * FAILING_NS]
    monkeypatch.setattr("collector.telemetry.time.monotonic_ns", lambda: now_ns[0])
    said = []
    for later_ns in (0, FAILING_NS, FAILING_NS + 1):
        telemetry.committed(1, ok=False)
        now_ns[0] += later_ns
        said.append(telemetry.storing)
    assert said == [False, False, True]
