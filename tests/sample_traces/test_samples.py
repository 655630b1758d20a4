"""The recordings are whole, say nothing of the machine they were made on, and agree with their second instrument."""

from __future__ import annotations

import io
import json
import re
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import zstandard
from google.protobuf.internal.decoder import _DecodeVarint32  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SAMPLES: Final = Path(__file__).resolve().parents[2] / "sample_traces"
LAB: Final = SAMPLES / "lab" / "next16-go"
SCENARIOS: Final = sorted(path.parent.name for path in SAMPLES.glob("*/traces.otlp.pb.zst"))
FAULTY: Final = sorted(path.parent.name for path in SAMPLES.glob("*/expected.json"))
REQUEST_ID: Final = "http.request.header.x-request-id"
SERVER: Final = 2
RESOURCE_KEYS: Final = {
    "cloud.provider",
    "deployment.environment.name",
    "host.name",
    "node.env",
    "process.runtime.name",
    "service.instance.id",
    "service.name",
    "service.version",
    "telemetry.sdk.language",
    "telemetry.sdk.name",
    "telemetry.sdk.version",
    "vercel.runtime",
}
"""What a resource may say: services and SDKs, and nothing that a host or process detector finds out."""


@dataclass(frozen=True)
class Span:
    service: str
    scope: str
    resource: dict[str, Any]
    attributes: dict[str, Any]
    raw: Any

    @property
    def duration_ns(self) -> int:
        return int(self.raw.end_time_unix_nano - self.raw.start_time_unix_nano)


def _value(any_value: Any) -> Any:
    kind = any_value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in any_value.array_value.values]
    return getattr(any_value, kind) if kind else None


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


@cache
def recording(scenario: str) -> bytes:
    packed = (SAMPLES / scenario / "traces.otlp.pb.zst").read_bytes()
    return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed)).read()


@cache
def bodies(scenario: str) -> list[bytes]:
    data, at, found = recording(scenario), 0, []
    while at < len(data):
        size, at = _DecodeVarint32(data, at)
        found.append(data[at : at + size])
        at += size
    assert at == len(data)
    return found


@cache
def spans(scenario: str) -> list[Span]:
    found = []
    for body in bodies(scenario):
        for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = _attributes(resource_spans.resource.attributes)
            for scope_spans in resource_spans.scope_spans:
                scope, service = scope_spans.scope.name, resource["service.name"]
                found += [Span(service, scope, resource, _attributes(raw.attributes), raw) for raw in scope_spans.spans]
    return found


@cache
def traces(scenario: str) -> dict[str, list[Span]]:
    by_trace = defaultdict(list)
    for span in spans(scenario):
        by_trace[span.raw.trace_id.hex()].append(span)
    return by_trace


@cache
def beside(scenario: str, name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((SAMPLES / scenario / name).read_text())
    return document


def test_the_readme_lists_the_recordings() -> None:
    text = (SAMPLES / "README.md").read_text()
    listed = dict(re.findall(r"^\| `(next16-go-[\w-]+)` \| (.*?) \|", text, flags=re.MULTILINE))
    assert sorted(listed) == SCENARIOS
    for scenario in SCENARIOS:
        row = re.search(rf"^\| `{scenario}` \| (\d+) \| ([\d,]+) \| ([\d,]+) \|", text, flags=re.MULTILINE)
        assert row is not None
        requests, count, size = (int(cell.replace(",", "")) for cell in row.groups())
        assert requests == len(beside(scenario, "driver.json")["requests"])
        assert count == len(spans(scenario))
        assert size == (SAMPLES / scenario / "traces.otlp.pb.zst").stat().st_size


def test_the_recordings_are_small() -> None:
    assert (
        sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file() and "lab" not in path.parts)
        < 6_000_000
    )


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_span_is_whole(scenario: str) -> None:
    ids = Counter((span.raw.trace_id, span.raw.span_id) for span in spans(scenario))
    assert max(ids.values()) == 1
    for span in spans(scenario):
        assert len(span.raw.trace_id) == 16
        assert any(span.raw.trace_id)
        assert len(span.raw.span_id) == 8
        assert any(span.raw.span_id)
        assert span.raw.name
        assert span.duration_ns >= 0
    assert {span.service for span in spans(scenario)} == {"edge-web", "orders", "pricing"}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_parent_was_received(scenario: str) -> None:
    for trace in traces(scenario).values():
        known = {span.raw.span_id for span in trace} | {b""}
        assert {span.raw.parent_span_id for span in trace} <= known


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_nothing_of_a_machine_is_in_the_bytes(scenario: str) -> None:
    data = recording(scenario)
    assert not re.findall(rb"/(?:work|root|home|Users|tmp|var|usr|opt|srv|private)/[\w.-]+", data)
    assert set(re.findall(rb"\b\d+\.\d+\.\d+\.\d+\b", data)) <= {b"127.0.0.1"}
    for span in spans(scenario):
        assert set(span.resource) <= RESOURCE_KEYS
        assert span.resource.get("host.name") in {None, "origin-1"}
        assert span.resource["deployment.environment.name"] == "lab"


def test_nothing_of_a_machine_is_in_the_lab() -> None:
    for path in LAB.rglob("*"):
        if path.is_file() and not {"node_modules", ".next", "__pycache__"} & set(path.parts):
            data = path.read_bytes()
            assert b"\0" not in data, path
            assert len(data) < 200_000, path
            assert not re.findall(rb"/(?:work|root|home)/\w|registry\.npmjs|proxy\.golang", data), path
    assert '"resolved"' not in (LAB / "edge-web" / "package-lock.json").read_text()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_stopwatch_is_sound(scenario: str) -> None:
    driver = beside(scenario, "driver.json")
    assert driver["scenario"] == scenario
    requests = driver["requests"]
    for name in ("key", "request_id"):
        assert len({one[name] for one in requests}) == len(requests)
    assert all(0 < one["first_byte_ns"] <= one["last_byte_ns"] for one in requests)
    untraced = {one["path"] for one in requests if one["trace_id"] is None}
    assert untraced <= {"/login"}
    values = {value for span in spans(scenario) for value in span.attributes.values() if isinstance(value, str)}
    assert not values & {one["key"] for one in requests}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_request_id_is_in_its_trace(scenario: str) -> None:
    for one in beside(scenario, "driver.json")["requests"]:
        if one["trace_id"] is not None:
            trace = traces(scenario)[one["trace_id"]]
            carried = [span.attributes[REQUEST_ID] for span in trace if REQUEST_ID in span.attributes]
            assert all(one["request_id"] in carrier for carrier in carried)
            assert carried


def _span_clock(trace: list[Span]) -> tuple[int, int]:
    """First and last byte as Next.js saw them, from the receipt of the request."""
    own = [span.raw for span in trace if span.service == "edge-web"]
    start = min(raw.start_time_unix_nano for raw in own)
    first = min(raw.end_time_unix_nano for raw in own if raw.name == "start response")
    last = max(raw.end_time_unix_nano for raw in own if raw.kind == SERVER)
    return first - start, last - start


@pytest.mark.parametrize("scenario", [one for one in SCENARIOS if one != "next16-go-cold"])
def test_spans_agree_with_the_stopwatch(scenario: str) -> None:
    first, last = [], []
    for one in beside(scenario, "driver.json")["requests"]:
        trace = traces(scenario).get(one["trace_id"], [])
        if any(span.raw.name == "start response" for span in trace):
            shell, complete = _span_clock(trace)
            first.append((one["first_byte_ns"] - shell) / 1e6)
            last.append((one["last_byte_ns"] - complete) / 1e6)
    assert len(first) > 40
    assert 0 < statistics.median(first) < 3
    assert 0 < statistics.median(last) < 3


@pytest.mark.parametrize("scenario", FAULTY)
def test_the_answers_follow_their_own_rules(scenario: str) -> None:
    truth = beside(scenario, "expected.json")
    assert truth["schema"] == "seamscope.truth/1"
    stopwatch = {one["key"]: one for one in beside(scenario, "driver.json")["requests"]}
    for one in truth["requests"]:
        assert one["trace_ids"] == [stopwatch[one["key"]]["trace_id"]]
        entry = [span for span in traces(scenario)[one["trace_ids"][0]] if not span.raw.parent_span_id]
        assert [(span.service, span.raw.span_id.hex()) for span in entry] == [tuple(one["entry"].values())]
        if one["dominant"] is not None:
            horizon = one[f"{one['horizon']}_ns"]
            led = [part["ns"] for part in one["measured"] if part["cause"] == one["dominant"]["cause"]]
            rest = [part["ns"] for part in one["measured"] if part["cause"] != one["dominant"]["cause"]]
            assert led[0] * 2 >= horizon
            assert led[0] >= 2 * max(rest)
    assert sum(one["dominant"] is not None for one in truth["requests"]) >= 0.8 * len(truth["requests"])


PHASES: Final = {"pool_wait": "pool.acquire", "connect": "http.connect", "tls": "http.tls"}


@pytest.mark.parametrize("scenario", FAULTY)
def test_the_second_instrument_agrees_with_the_phase_spans(scenario: str) -> None:
    """Only where the horizon holds every call, so that both count the same ones."""
    compared: Counter[str] = Counter()
    for one in beside(scenario, "expected.json")["requests"]:
        trace = traces(scenario)[one["trace_ids"][0]]
        if any(span.attributes.get("http.target") == "/dash" for span in trace):
            continue
        for part in one["measured"]:
            if part["cause"] in PHASES:
                seen = sum(span.duration_ns for span in trace if span.raw.name == PHASES[part["cause"]])
                assert abs(seen - part["ns"]) < 3_000_000
                compared[part["cause"]] += 1
    assert sum(compared.values()) > 40


def test_no_connection_is_kept_where_none_is_kept() -> None:
    got = [span for span in spans("next16-go-connect-tls") if span.raw.name == "http.getconn"]
    assert len(got) >= 60
    assert all(span.attributes["http.conn.reused"] is False for span in got)
    assert all(span.duration_ns > 60_000_000 for span in got)


def test_the_control_is_healthy() -> None:
    warm = spans("next16-go-warm")
    reused = [span.attributes["http.conn.reused"] for span in warm if span.raw.name == "http.getconn"]
    assert all(reused)
    assert statistics.median(span.duration_ns for span in warm if span.raw.name == "pool.acquire") < 100_000
    assert not [span for span in warm if span.raw.name == "register instrumentation"]


def test_a_cold_start_is_cold() -> None:
    names = Counter(span.raw.name for span in spans("next16-go-cold"))
    assert names["register instrumentation"] == 1
    assert names["load instrumentation module"] == 1
    assert names["connect"] >= 1
    assert names["http.connect"] >= 1
