"""The recordings are whole, say nothing of the machine they were made on, and agree with their second instrument."""

from __future__ import annotations

import io
import json
import re
import statistics
from collections import defaultdict
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
import zstandard
from google.protobuf.internal.decoder import _DecodeVarint32  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from seamscope.score import truth

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES: Final = Path(__file__).resolve().parents[2] / "sample_traces"
SCENARIOS: Final = sorted(path.parent.name for path in SAMPLES.glob("*/traces.otlp.pb.zst"))
HEALTHY: Final = [name for name in SCENARIOS if name.startswith(("a-healthy", "b-healthy"))]
REQUEST_ID: Final = "http.request.header.x-request-id"
SERVER: Final = 2
LIMIT_BYTES: Final = 25_000_000


class Span(NamedTuple):
    service: str
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


def recording(scenario: str) -> bytes:
    packed = (SAMPLES / scenario / "traces.otlp.pb.zst").read_bytes()
    return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed)).read()


def bodies(scenario: str) -> Iterator[Any]:
    """By the official parser: nothing of Seamscope's own reader is in these tests."""
    data, at = recording(scenario), 0
    while at < len(data):
        size, at = _DecodeVarint32(data, at)
        assert at + size <= len(data)
        yield ExportTraceServiceRequest.FromString(data[at : at + size])
        at += size


@cache
def spans(scenario: str) -> list[Span]:
    found = []
    for body in bodies(scenario):
        for resource_spans in body.resource_spans:
            service = _attributes(resource_spans.resource.attributes)["service.name"]
            for scope_spans in resource_spans.scope_spans:
                found += [Span(service, _attributes(raw.attributes), raw) for raw in scope_spans.spans]
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


# Every folder


def test_every_folder_is_a_whole_recording() -> None:
    whole = {"traces.otlp.pb.zst", "driver.json", "expected.json"}
    folders = [path for path in SAMPLES.iterdir() if path.is_dir() and path.name != "lab"]
    assert {path.name: {file.name for file in path.iterdir()} for path in folders} == dict.fromkeys(SCENARIOS, whole)


def test_the_recordings_are_small() -> None:
    files = [path for path in SAMPLES.rglob("*") if path.is_file() and path.relative_to(SAMPLES).parts[0] != "lab"]
    assert sum(path.stat().st_size for path in files) < LIMIT_BYTES


def test_the_readme_has_a_row_for_every_recording() -> None:
    text = (SAMPLES / "README.md").read_text()
    rows = re.findall(
        r"^\| `([a-e]-[\w-]+)` \| (.+) \| (.+) \| .+ \| (\d+) \| [^|]+ \| .+ \| .+ \|$", text, re.MULTILINE
    )
    told = {name: (dialect, fault, int(requests)) for name, dialect, fault, requests in rows}
    assert told == {
        name: (expected["dialect"], expected["fault"], len(beside(name, "driver.json")["requests"]))
        for name in SCENARIOS
        for expected in [beside(name, "expected.json")]
    }


def test_what_run_plays_is_there() -> None:
    played = (SAMPLES / "played").read_text().split()
    assert set(played) <= set(SCENARIOS)
    assert sum(len(spans(name)) for name in played) < 13_000
    assert len({name[0] for name in played}) >= 3


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_span_is_whole(scenario: str) -> None:
    ids = []
    for body in bodies(scenario):
        for resource_spans in body.resource_spans:
            for scope_spans in resource_spans.scope_spans:
                for raw in scope_spans.spans:
                    ids.append((raw.trace_id, raw.span_id))
                    assert raw.name
                    assert raw.end_time_unix_nano >= raw.start_time_unix_nano
    assert len(ids) > 300
    assert len(set(ids)) == len(ids)
    assert {(len(trace), len(span)) for trace, span in ids} == {(16, 8)}
    assert all(any(trace) and any(span) for trace, span in ids)


MAY_NAME: Final = re.compile(r"[\w-]+-(?:host|1)")
"""The hosts and instances that the lab makes up; a machine that records has another name."""
RESOURCE_KEYS: Final = re.compile(
    r"(?:cloud|deno|deployment|faas|service|telemetry|worker)\..+|aws\.log\..+|node\.env|process\.runtime\.name"
    r"|process\.runtime\.version|vercel\.(?:runtime|region)|host\.name"
)
"""What a resource may say: services, runtimes and SDKs, and nothing that a host or process detector finds out."""


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_nothing_of_a_machine_is_in_a_recording(scenario: str) -> None:
    for data in [recording(scenario), *((SAMPLES / scenario / f"{name}.json").read_bytes() for name in TOLD)]:
        assert not re.findall(rb"/(?:work|root|home|Users|tmp|usr|opt|srv|private)/[\w.-]+", data)
        assert {
            one for one in re.findall(rb"\b\d+\.\d+\.\d+\.\d+\b", data) if not one.startswith(LAB_ADDRESSES)
        } == set()
    for body in bodies(scenario):
        for resource_spans in body.resource_spans:
            resource = _attributes(resource_spans.resource.attributes)
            assert not [key for key in resource if not RESOURCE_KEYS.fullmatch(key)]
            assert MAY_NAME.fullmatch(resource.get("host.name", "origin-1"))
            assert resource.get("deployment.environment.name", "lab") == "lab"


TOLD: Final = ("driver", "expected")
LAB_ADDRESSES: Final = (b"127.0.0.", b"10.77.", b"10.78.")
"""Loopback, and the bridge and wires that the lab makes for itself."""


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_stopwatch_is_sound(scenario: str) -> None:
    driver = beside(scenario, "driver.json")
    assert driver["scenario"] == scenario
    requests = driver["requests"]
    assert len(requests) >= 100
    assert len({one["key"] for one in requests}) == len(requests)
    answered = [one for one in requests if one["status"]]
    assert len(answered) >= 0.98 * len(requests)
    assert all(0 < one["first_byte_ns"] <= one["last_byte_ns"] for one in answered)
    assert all(one["started_ns"] < later["started_ns"] + 5e9 for one, later in pairwise(requests))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_answers_follow_their_own_rules(scenario: str) -> None:
    document = beside(scenario, "expected.json")
    assert truth.read_truth((SAMPLES / scenario / "expected.json").read_text(), scenario).variant == document["variant"]
    stopwatch = {one["key"]: one for one in beside(scenario, "driver.json")["requests"]}
    led = set()
    for one in document["requests"]:
        timed = stopwatch[one["request"]]
        assert (one["shell_ns"], one["complete_ns"]) == (timed["first_byte_ns"], timed["last_byte_ns"])
        assert timed["trace_id"] in {None, *one["trace_ids"]}
        horizon = one[f"{one['horizon']}_ns"]
        assert all(0 < part["ns"] <= 1.01 * horizon for part in one["measured"])
        if one["dominant"] is not None:
            measured = {(part["owner"], part["cause"]): part["ns"] for part in one["measured"]}
            lead = measured.pop((one["dominant"]["owner"], one["dominant"]["cause"]))
            assert lead * 2 >= horizon
            assert lead >= 2 * max(measured.values(), default=0)
            led.add(one["request"])
    assert not (led and document["control"] is None)


def test_a_fault_that_leads_does_so_in_many_requests() -> None:
    """Some lead nowhere by intent: samplers that disagree, jobs that nobody waits for, a mistake that costs no time."""
    faulty = [beside(name, "expected.json") for name in SCENARIOS if beside(name, "expected.json")["control"]]
    led = [len({one["request"] for one in document["requests"] if one["dominant"]}) for document in faulty]
    assert sum(count >= 10 for count in led) >= 0.85 * len(faulty)


# A handful, in depth


@pytest.mark.parametrize("scenario", HEALTHY)
def test_every_parent_was_received(scenario: str) -> None:
    for trace in traces(scenario).values():
        known = {span.raw.span_id for span in trace} | {b""}
        assert {span.raw.parent_span_id for span in trace} <= known


@pytest.mark.parametrize("scenario", HEALTHY)
def test_keys_stay_with_the_driver_and_request_ids_go_along(scenario: str) -> None:
    requests = beside(scenario, "driver.json")["requests"]
    values = {value for span in spans(scenario) for value in span.attributes.values() if isinstance(value, str)}
    assert not values & {one["key"] for one in requests}
    assert {one["path"] for one in requests if one["trace_id"] is None} <= {"/login"}
    for one in requests:
        if one["trace_id"] is not None:
            trace = traces(scenario)[one["trace_id"]]
            carried = [span.attributes[REQUEST_ID] for span in trace if REQUEST_ID in span.attributes]
            assert any(one["request_id"] in carrier for carrier in carried)


def _span_clock(trace: list[Span]) -> tuple[int, int]:
    """First and last byte as Next.js saw them, from the receipt of the request."""
    first = min(
        (span for span in trace if span.raw.name == "start response"), key=lambda span: span.raw.end_time_unix_nano
    )
    own = [span.raw for span in trace if span.service == first.service]
    start = min(raw.start_time_unix_nano for raw in own)
    last = max(raw.end_time_unix_nano for raw in own if raw.kind == SERVER)
    return first.raw.end_time_unix_nano - start, last - start


@pytest.mark.parametrize("scenario", ["a-healthy", "a-tls-held"])
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


PHASES: Final = {"pool_wait": "pool.acquire", "dns": "http.dns", "tls": "http.tls"}


@pytest.mark.parametrize(
    ("scenario", "cause"), [("a-db-pool", "pool_wait"), ("a-tls-held", "tls"), ("a-dns-slow", "dns")]
)
def test_the_second_instrument_agrees_with_the_phase_spans(scenario: str, cause: str) -> None:
    """Only where the fault leads and the horizon is the last byte, so that both count the same calls."""
    off = []
    for one in beside(scenario, "expected.json")["requests"]:
        led = one["dominant"] == {"owner": (one["dominant"] or {}).get("owner"), "cause": cause}
        if led and one["horizon"] == "complete":
            trace = traces(scenario)[one["trace_ids"][0]]
            seen = sum(span.duration_ns for span in trace if span.raw.name == PHASES[cause])
            off.append(abs(seen - sum(part["ns"] for part in one["measured"] if part["cause"] == cause)) / 1e6)
    assert len(off) > 40
    assert statistics.median(off) < 1
    assert sorted(off)[int(0.9 * len(off))] < 5


def test_no_connection_is_kept_where_none_is_kept() -> None:
    asked = [span for span in spans("a-tls-held") if span.raw.name == "http.tls"]
    assert len(asked) >= 60
    held_ms = beside("a-tls-held", "expected.json")["knobs"]["before_pricing"]["hello_ms"]
    assert all(span.duration_ns > held_ms * 1e6 for span in asked)


def test_the_control_is_healthy() -> None:
    healthy = spans("a-healthy")
    got = [span.attributes["http.conn.reused"] for span in healthy if span.raw.name == "http.getconn"]
    assert statistics.mean(got) > 0.9
    assert statistics.median(span.duration_ns for span in healthy if span.raw.name == "pool.acquire") < 1_000_000
    assert not [span for span in healthy if span.raw.name == "register instrumentation"]
