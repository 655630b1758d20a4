"""Recordings played side by side, at the pace at which they were recorded."""

from __future__ import annotations

import time

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.decoding.decode import Body
from collector.sending.pacing import live, schedule
from collector.sending.shifting import shifted

S = 1_000_000_000
OLD = 1_600_000_000 * S


def body(start_s: float, end_s: float) -> Body:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.start_time_unix_nano = OLD + int(start_s * S)
    span.end_time_unix_nano = OLD + int(end_s * S)
    return Body(request.SerializeToString(), "protobuf", "traces")


def times(given: Body) -> tuple[int, int]:
    span = ExportTraceServiceRequest.FromString(given.data).resource_spans[0].scope_spans[0].spans[0]
    return span.start_time_unix_nano, span.end_time_unix_nano


@pytest.mark.parametrize(
    ("recordings", "within_s", "due_s"),
    [
        ([[(0, 1), (2, 5)]], 30, [1, 5]),
        ([[(0, 1), (2, 5)], [(100, 104)]], 30, [1, 5, 29]),
        ([[(2, 5), (0, 1)]], 30, [1, 5]),
        ([[(0, 40)], [(7, 9)]], 30, [2, 40]),
        ([[(0, 10)], [(0, 10)], [(0, 10)]], 30, [10, 20, 30]),
        ([], 30, []),
        ([[]], 30, []),
    ],
)
def test_a_body_is_due_when_its_spans_have_ended(
    recordings: list[list[tuple[float, float]]], within_s: float, due_s: list[float]
) -> None:
    line = schedule([[body(*one) for one in each] for each in recordings], int(within_s * S))
    assert [due.at_ns / S for due in line] == due_s


def test_moments_are_those_of_today_and_keep_their_distances() -> None:
    line = schedule([[body(0, 1), body(2, 5)], [body(100, 104)]], 30 * S)
    waited: list[float] = []
    before = time.time_ns()
    found = [times(shifted(*one)) for one in live(line, waited.append)]
    after = time.time_ns()
    starts = [start for start, _ in found]
    assert before <= starts[0] <= after
    assert [(start - starts[0], end - start) for start, end in found] == [(0, S), (2 * S, 3 * S), (25 * S, 4 * S)]
    assert waited == pytest.approx([1, 5, 29], abs=0.5)


def test_what_cannot_be_read_or_no_collector_takes_makes_nobody_wait() -> None:
    far = body(3, 4)
    request = ExportTraceServiceRequest.FromString(far.data)
    request.resource_spans[0].scope_spans[0].spans[0].end_time_unix_nano = 2**64 - 1
    odd = [Body(b"\xff", "protobuf", "traces"), Body(request.SerializeToString(), "protobuf", "traces")]
    line = schedule([[body(0, 1), *odd, body(2, 5)]], 30 * S)
    assert [due.at_ns / S for due in line] == [0, 1, 3, 5]
