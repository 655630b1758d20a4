"""Log records become rows, data points are counted; protobuf and JSON alike."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from collector.decoding.decode import Body
from collector.logs import REASONS, decode_logs
from tests.collector import traffic

if TYPE_CHECKING:
    from pathlib import Path

TRACE, SPAN = bytes(range(1, 17)), bytes(range(1, 9))


def request(*records: dict[str, Any]) -> Any:
    message = ExportLogsServiceRequest()
    group = message.resource_logs.add()
    group.resource.attributes.add(key="service.name").value.string_value = "orders"
    scope = group.scope_logs.add()
    scope.scope.name = "logger"
    for fields in records:
        scope.log_records.add(**fields)
    return message


def full() -> Any:
    message = request({"time_unix_nano": 5, "observed_time_unix_nano": 6, "trace_id": TRACE, "span_id": SPAN})
    record = message.resource_logs[0].scope_logs[0].log_records[0]
    record.severity_number, record.severity_text, record.event_name = 17, "ERROR", "payment.failed"
    record.body.string_value = "no Ünicorns"
    record.attributes.add(key="code").value.int_value = 7
    record.attributes.add(key="why").value.array_value.values.add(string_value="x")
    return message


ENCODINGS = pytest.mark.parametrize("encoding", ["protobuf", "json"])


def body(message: Any, encoding: Any, signal: Any = "logs") -> Body:
    return Body(message.SerializeToString() if encoding == "protobuf" else as_json(message), encoding, signal)


def as_json(message: Any) -> bytes:
    return traffic.as_json(message)


@ENCODINGS
def test_every_field_of_a_record_arrives(encoding: str) -> None:
    found = decode_logs([body(full(), encoding)])
    (row,) = found.tables["logs"].to_pylist()
    (resource,) = found.tables["resources"].to_pylist()
    assert row == {
        "trace_hi": int.from_bytes(TRACE[:8], "big"),
        "trace_lo": int.from_bytes(TRACE[8:], "big"),
        "span_id": int.from_bytes(SPAN, "big"),
        "time_ns": 5,
        "observed_ns": 6,
        "severity": 17,
        "severity_text": "ERROR",
        "event_name": "payment.failed",
        "body": "no Ünicorns",
        "resource_id": resource["resource_id"],
        "scope": "logger",
        "correlation_id": None,
        "platform_id": None,
        "attributes": [{"key": "code", "value": "7"}, {"key": "why", "value": '["x"]'}],
        "copy": 0,
    }
    assert resource["service"] == "orders"


@ENCODINGS
@pytest.mark.parametrize(
    ("key", "value", "column", "found"),
    [
        ("http.request.header.x-request-id", "r-1", "correlation_id", "r-1"),
        ("http.request.header.X_Request_Id", "r-1", "correlation_id", "r-1"),
        ("x-request-id", "r-1", "correlation_id", "r-1"),
        ("request_id", "r-1", "correlation_id", "r-1"),
        ("reqId", "r-1", "correlation_id", "r-1"),
        ("correlationId", "r-1", "correlation_id", "r-1"),
        ("cf-ray", "8f3c2d1e0a9b7c65-AMS", "platform_id", "8f3c2d1e0a9b7c65"),
        ("x-vercel-id", "fra1::iad1::abc-17", "platform_id", "abc-17"),
        ("awsRequestId", "79b4f56e", "platform_id", "79b4f56e"),
        ("my_request_id", "r-1", "correlation_id", None),
        ("request_id", "", "correlation_id", None),
    ],
)
def test_ids_that_loggers_write_are_found(encoding: str, key: str, value: str, column: str, found: str | None) -> None:
    message = request({}, {})
    message.resource_logs[0].scope_logs[0].log_records[1].attributes.add(key=key).value.string_value = value
    rows = decode_logs([body(message, encoding)]).tables["logs"]
    assert rows[column].to_pylist() == [None, found]


@ENCODINGS
def test_a_record_without_a_trace_is_a_record(encoding: str) -> None:
    found = decode_logs([body(request({"time_unix_nano": 5}), encoding)])
    assert found.accepted.tolist() == [1]
    assert found.tables["logs"]["trace_hi"].to_pylist() == [0]


@ENCODINGS
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"trace_id": b"short"}, "trace_id_length"),
        ({"span_id": b"short"}, "span_id_length"),
        ({"time_unix_nano": 2**63}, "time_out_of_range"),
    ],
)
def test_a_broken_record_is_rejected_alone(encoding: str, fields: dict[str, Any], reason: str) -> None:
    found = decode_logs([body(request({}, fields, {}), encoding), body(request({}), encoding)])
    assert found.accepted.tolist() == [2, 1]
    assert {name: int(count) for name, count in zip(REASONS, found.rejected[0], strict=True) if count} == {reason: 1}
    assert found.tables["logs"].num_rows == 3


def test_text_that_is_not_utf8_costs_one_record() -> None:
    message = request({"severity_text": "before"}, {"severity_text": "broken"})
    data = message.SerializeToString().replace(b"broken", b"br\xffken")
    found = decode_logs([Body(data, "protobuf", "logs")])
    assert (found.accepted.tolist(), found.rejected.sum()) == ([1], 1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"stringValue": "s"}, "s"),
        ({"intValue": "5"}, "5"),
        ({"boolValue": True}, "true"),
        ({"doubleValue": 0.5}, "0.5"),
        ({"kvlistValue": {"values": [{"key": "a", "value": {"intValue": 1}}]}}, '{"a":1}'),
        ({}, ""),
    ],
)
def test_bodies_of_every_type(value: dict[str, Any], text: str) -> None:
    document = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": value}]}]}]}
    found = decode_logs([Body(json.dumps(document).encode(), "json", "logs")])
    assert found.tables["logs"]["body"].to_pylist() == [text]


@pytest.mark.parametrize(
    ("sent", "stored"),
    [("SEVERITY_NUMBER_ERROR", 17), ("error", 17), ("SEVERITY_NUMBER_FATAL4", 24), ("Trace", 1), ("loud", 0), ("", 0)],
)
def test_a_severity_may_be_a_word(sent: str, stored: int) -> None:
    document = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"severityNumber": sent}]}]}]}
    found = decode_logs([Body(json.dumps(document).encode(), "json", "logs")])
    assert found.errors == (None,)
    assert found.tables["logs"]["severity"].to_pylist() == [stored]


@pytest.mark.parametrize(("sent", "stored"), [(9, 9), (99, 99), (300, 0), (-1, 0)])
def test_a_severity_that_no_byte_holds_is_none(sent: int, stored: int) -> None:
    document = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"severityNumber": sent}]}]}]}
    found = decode_logs([Body(json.dumps(document).encode(), "json", "logs")])
    assert found.tables["logs"]["severity"].to_pylist() == [stored]


def test_a_long_body_is_cut() -> None:
    message = request({})
    message.resource_logs[0].scope_logs[0].log_records[0].body.string_value = "x" * 1_000_000
    (text,) = decode_logs([body(message, "protobuf")]).tables["logs"]["body"].to_pylist()
    assert text == "x" * 65_536


@ENCODINGS
def test_an_unreadable_body_harms_no_other(encoding: Any) -> None:
    found = decode_logs([body(full(), encoding), Body(b"\x0b{", encoding, "logs"), body(full(), encoding)])
    assert [error is None for error in found.errors] == [True, False, True]
    assert found.accepted.tolist() == [1, 0, 1]


def test_published_examples(corpus: Path) -> None:
    for name, words in (("logs.json", "Example log record"), ("events.json", None)):
        found = decode_logs([Body((corpus / "otlp-examples" / name).read_bytes(), "json", "logs")])
        assert found.errors == (None,)
        assert found.accepted.tolist() == [1]
        if words:
            assert found.tables["logs"]["body"].to_pylist() == [words]
