"""What the lab does without starting anything: plans follow the seed, its reader agrees with the official parser."""

from __future__ import annotations

import importlib
import io
import json
import random
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zstandard
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES = Path(__file__).resolve().parents[2] / "sample_traces"
LAB = SAMPLES / "lab" / "next16-go"


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The lab's modules by name: they are a program's parts and no package."""
    monkeypatch.syspath_prepend(str(LAB))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if LAB.name in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def _dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - a plan is to be repeated, not to be secret


def test_a_plan_follows_its_seed(lab: Any) -> None:
    for scenario in lab("scenarios").SCENARIOS:
        plan = scenario.plan(_dice(7))
        assert plan == scenario.plan(_dice(7))
        assert plan != scenario.plan(_dice(8))
        assert [one.due_ns for one in plan] == sorted(one.due_ns for one in plan)


def test_every_recorded_request_is_the_seeds(lab: Any) -> None:
    for scenario in lab("scenarios").SCENARIOS:
        recorded = json.loads((SAMPLES / scenario.name / "driver.json").read_text())
        planned = [(one.key, one.method, one.path, one.request_id) for one in scenario.plan(_dice(recorded["seed"]))]
        assert planned == [(one["key"], one["method"], one["path"], one["request_id"]) for one in recorded["requests"]]


def test_the_lab_reads_bytes_as_the_official_parser_does(lab: Any) -> None:
    packed = (SAMPLES / "next16-go-cold" / "traces.otlp.pb.zst").read_bytes()
    data = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed)).read()
    reader = lab("otlp_bytes")
    own = [(span.trace_id, span.span_id, span.parent_id, span.name, span.start_ns) for span in reader.spans(data)]
    official = [
        (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), span.name, span.start_time_unix_nano)
        for body in reader.bodies(data)
        for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope_spans in resource_spans.scope_spans
        for span in scope_spans.spans
    ]
    assert own == official


@pytest.mark.parametrize("secret", ["/root/app/.next/server.js", "/home/someone/x", "/var/build-1"])
def test_a_recording_that_names_a_folder_is_refused(lab: Any, secret: str) -> None:
    truth = lab("truth")
    with pytest.raises(truth.Leak, match="holds"):
        truth.check_leaks(b"\x0aexception at " + secret.encode(), Path("/nowhere-else"))


def _serve(answers: list[bytes]) -> int:
    """A server for one connection that gives these answers to these many requests."""
    listener = socket.create_server(("127.0.0.1", 0))

    def talk() -> None:
        with listener, listener.accept()[0] as connection:
            for answer in answers:
                connection.recv(65536)
                connection.sendall(answer)

    threading.Thread(target=talk, daemon=True).start()
    return int(listener.getsockname()[1])


def test_the_stopwatch_reads_answers_of_both_lengths(lab: Any) -> None:
    stopwatch = lab("stopwatch")
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n"
    port = _serve(
        [chunked, b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno!", b"HTTP/1.1 304 Not Modified\r\n\r\n"]
    )
    client = stopwatch.Client("127.0.0.1", port)
    timed = [client.send(stopwatch.Planned(f"k{n}", 0, "GET", "/", f"id{n}"), 0) for n in range(3)]
    client.close()
    assert [(one.status, one.bytes_received) for one in timed] == [(200, 11), (404, 3), (304, 0)]
    assert all(0 < one.first_byte_ns <= one.last_byte_ns for one in timed)


def test_it_says_which_programs_are_missing(tmp_path: Path) -> None:
    arguments = [sys.executable, str(LAB / "record.py"), "--out", str(tmp_path)]
    done = subprocess.run(arguments, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "go: Go 1.26 or later" in done.stderr
    assert "node: Node.js 20.9 or later" in done.stderr
    assert "Traceback" not in done.stderr
