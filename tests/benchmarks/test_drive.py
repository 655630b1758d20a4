"""Benchmarks drive any endpoint: what is sent is new and whole over each transport, what it costs is read rightly."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.drive import TRANSPORTS
from benchmarks.ingest import LINE, collector
from benchmarks.meters import GroupMeter, ProcessMeter, disk_bytes, until_idle
from benchmarks.requests import Fresh, request
from seamscope.store import StoreFile
from tests.conftest import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

SPANS, REQUESTS = 24, 30


def shape(spans: list[Any]) -> list[tuple[int, int | None]]:
    """Give which trace each span is of, and which span is its parent, by number."""
    traces = list(dict.fromkeys(span.trace_id for span in spans))
    own = {span.span_id: number for number, span in enumerate(spans)}
    return [(traces.index(span.trace_id), own.get(span.parent_span_id)) for span in spans]


def all_spans(message: Any) -> list[Any]:
    return [span for group in message.resource_spans for scope in group.scope_spans for span in scope.spans]


def test_a_fresh_request_has_other_ids_and_the_same_shape() -> None:
    dice = random.Random(1)  # noqa: S311 - no secret
    message = request(dice, SPANS)
    fresh = Fresh(message, "protobuf", dice)
    sent = [all_spans(ExportTraceServiceRequest.FromString(fresh.next())) for _ in range(3)]
    ids = Counter(span.span_id for spans in [*sent, all_spans(message)] for span in spans)
    assert len(ids) == 4 * SPANS
    assert [shape(spans) for spans in sent] == 3 * [shape(all_spans(message))]
    assert all([span.name for span in spans] == [span.name for span in all_spans(message)] for spans in sent)
    texts = Counter(request_id(span) for spans in [*sent, all_spans(message)] for span in spans)
    assert len(texts) == 4 * SPANS


def request_id(span: Any) -> str:
    return str(next(held.value.string_value for held in span.attributes if held.key.endswith("request-id")))


def test_a_fresh_request_has_just_ended() -> None:
    dice = random.Random(4)  # noqa: S311 - no secret
    message = request(dice, SPANS)
    spans = all_spans(
        ExportTraceServiceRequest.FromString(Fresh(message, "protobuf", dice).next(1_800_000_000_000_000_000))
    )
    assert max(span.end_time_unix_nano for span in spans) == 1_800_000_000_000_000_000
    moved = {
        now.start_time_unix_nano - was.start_time_unix_nano for now, was in zip(spans, all_spans(message), strict=True)
    }
    assert len(moved) == 1


def test_a_fresh_request_in_json_is_the_same() -> None:
    message = request(random.Random(1), SPANS)  # noqa: S311 - no secret
    binary = Fresh(message, "protobuf", random.Random(2)).next(1_800_000_000_000_000_000)  # noqa: S311 - likewise
    text = json.loads(Fresh(message, "json", random.Random(2)).next(1_800_000_000_000_000_000))  # noqa: S311 - likewise
    spans = [span for group in text["resourceSpans"] for scope in group["scopeSpans"] for span in scope["spans"]]
    wanted = all_spans(ExportTraceServiceRequest.FromString(binary))
    assert [
        (span["traceId"], span["spanId"], span.get("parentSpanId", ""), int(span["startTimeUnixNano"]))
        for span in spans
    ] == [
        (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), span.start_time_unix_nano)
        for span in wanted
    ]
    assert [held["value"]["stringValue"] for span in spans for held in span["attributes"] if "id" in held["key"]] == [
        request_id(span) for span in wanted
    ]


def test_each_transport_is_driven(tmp_path: Path) -> None:
    with collector(tmp_path) as ready:
        for transport in TRANSPORTS:
            endpoint = ready["grpc" if transport == "grpc" else "http"]
            words = [endpoint, str(ready["pid"]), str(REQUESTS), str(SPANS), "4", "--transport", transport]
            command = [sys.executable, "-m", "benchmarks.drive", *words]
            said = subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True).stdout
            match = LINE.search(said)
            assert match, said
            assert int(match["refused"]) == 0
            assert float(match["peak_rss_mib"]) > 50
    with StoreFile.open(tmp_path / "store.duckdb") as store:
        assert store.query("SELECT count(DISTINCT span_id) FROM base.span_rows").item() == 3 * (REQUESTS + 1) * SPANS


def test_what_is_due_later_goes_out_later() -> None:
    from benchmarks.drive import Drive

    dice = random.Random(3)  # noqa: S311 - no secret
    bodies = [Fresh(request(dice, 8), "protobuf", dice)]
    drive = Drive(lambda _: "ok", bodies, rate=200.0)
    assert drive.run(21, 60.0, 4) >= 0.1
    assert drive.answers == {"ok": 21}

    def slowly(_: bytes) -> str:
        time.sleep(0.02)
        return "no"

    slow = Drive(slowly, bodies, rate=1000.0)
    slow.run(20, 60.0, 1)
    assert slow.answers == {"no": 20}
    assert max(slow.took_s) > 0.2  # of a request that had to wait for those before it


BUSY = """
import subprocess, sys, time
end = time.process_time() + 0.3
while time.process_time() < end:
    pass
held = bytearray(60 << 20)
print("done", flush=True)
sys.stdin.read()
"""


def test_cpu_and_memory_of_a_process_and_its_children() -> None:
    child = f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {BUSY!r}]).returncode)"
    command = [sys.executable, "-c", child]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        meter = ProcessMeter(process.pid)
        assert 0.3 <= meter.cpu_s() < 3
        assert meter.peak_mib() > 60
        assert until_idle(meter, 0.2, within_s=30)
        process.communicate()


def test_a_busy_process_is_not_idle() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            assert not until_idle(ProcessMeter(process.pid), 0.2, within_s=0.5)
        finally:
            process.kill()


@pytest.mark.parametrize(
    "files",
    [
        {"cpu.stat": "usage_usec 2500000\nuser_usec 2000000\n", "memory.peak": "3145728\n"},
        {"cpuacct.usage": "2500000000\n", "memory.max_usage_in_bytes": "3145728\n"},
    ],
)
def test_control_groups_of_both_versions(tmp_path: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    meter = GroupMeter(tmp_path)
    assert (meter.cpu_s(), meter.peak_mib()) == (2.5, 3.0)


def test_a_folder_that_is_no_control_group_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no control group"):
        GroupMeter(tmp_path)


def test_bytes_on_disk_are_of_a_file_and_those_beside_it_or_of_a_folder(tmp_path: Path) -> None:
    for name in ("s.duckdb", "s.duckdb.wal", "other"):
        (tmp_path / name).write_bytes(os.urandom(8192))
    assert disk_bytes(tmp_path / "s.duckdb") == 2 * 8192
    assert disk_bytes(tmp_path) == 3 * 8192
