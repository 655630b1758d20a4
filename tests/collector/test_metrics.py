"""Data points of pools, queues and runtimes become rows, all others are counted; protobuf and JSON alike."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from collector import metrics
from collector.decoding.decode import Body
from collector.ingest import ingest
from collector.metrics import MOST_POINTS, REASONS, decode_metrics
from seamscope.schema.instruments import INSTRUMENTS, MEASURES, SUBJECTS
from tests.collector import traffic

if TYPE_CHECKING:
    from pathlib import Path

ENCODINGS = pytest.mark.parametrize("encoding", ["protobuf", "json"])
KINDS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")


class Exporting:
    """A request of one process."""

    def __init__(self, service: str = "orders") -> None:
        self.message = ExportMetricsServiceRequest()
        group = self.message.resource_metrics.add()
        group.resource.attributes.add(key="service.name").value.string_value = service
        self.scope = group.scope_metrics.add()
        self.scope.scope.name = "pools"

    def point(self, name: str, kind: str = "gauge", unit: str = "", **fields: Any) -> Any:
        metric = self.scope.metrics.add(name=name, unit=unit)
        data = getattr(metric, kind)
        if kind in {"sum", "histogram", "exponential_histogram"}:
            data.aggregation_temporality = fields.pop("temporality", 2)
        said = fields.pop("attributes", {})
        point = data.data_points.add(**{"start_time_unix_nano": 4, "time_unix_nano": 5, **fields})
        for key, value in said.items():
            field = "int_value" if isinstance(value, int) else "string_value"
            setattr(point.attributes.add(key=key).value, field, value)
        return point

    def body(self, encoding: Any) -> Body:
        data = self.message.SerializeToString() if encoding == "protobuf" else traffic.as_json(self.message)
        return Body(data, encoding, "metrics")

    def rows(self, encoding: str) -> list[dict[str, Any]]:
        tables = decode_metrics([self.body(encoding)]).tables
        return list(tables["metric_points"].to_pylist()) if tables else []


@ENCODINGS
def test_every_field_of_a_number_arrives(encoding: str) -> None:
    sent = Exporting()
    said = {"db.client.connection.pool.name": "main", "server.address": "db-1", "server.port": 5432}
    sent.point("db.client.connection.pending_requests", "sum", as_int=12, attributes=said)
    found = decode_metrics([sent.body(encoding)])
    (row,), (resource,) = (found.tables[name].to_pylist() for name in ("metric_points", "resources"))
    assert row == {
        "resource_id": resource["resource_id"],
        "scope": "pools",
        "instrument": "db.client.connection.pending_requests",
        "subject": "db_pool",
        "measure": "waiting",
        "pool": "main",
        "state": None,
        "peer": "db-1",
        "peer_port": 5432,
        "cumulative": True,
        "started_ns": 4,
        "time_ns": 5,
        "value": 12.0,
        "count": None,
        "sum": None,
        "min": None,
        "max": None,
        "attributes": [
            {"key": "db.client.connection.pool.name", "value": "main"},
            {"key": "server.address", "value": "db-1"},
            {"key": "server.port", "value": "5432"},
        ],
    }
    assert resource["service"] == "orders"


@ENCODINGS
@pytest.mark.parametrize("kind", ["histogram", "exponential_histogram"])
def test_a_histogram_is_its_count_and_sum(encoding: str, kind: str) -> None:
    sent = Exporting()
    sent.point("db.client.connection.wait_time", kind, "s", count=3, sum=0.75, min=0.125, max=0.5, temporality=1)
    (row,) = sent.rows(encoding)
    told = {name: row[name] for name in ("value", "count", "sum", "min", "max", "cumulative")}
    assert told == {"value": None, "count": 3, "sum": 75e7, "min": 125e6, "max": 5e8, "cumulative": False}


@ENCODINGS
def test_a_summary_of_a_wait_is_its_count_and_sum(encoding: str) -> None:
    sent = Exporting()
    sent.point("db.client.connection.wait_time", "summary", count=3, sum=0.75)
    (row,) = sent.rows(encoding)
    assert (row["count"], row["sum"], row["max"]) == (3, 75e7, None)


@ENCODINGS
@pytest.mark.parametrize(
    ("name", "kind", "unit", "sent", "ns"),
    [
        ("db.client.connection.wait_time", "histogram", "s", 0.25, 25e7),
        ("db.client.connection.wait_time", "histogram", "", 0.25, 25e7),
        ("db.client.connections.wait_time", "histogram", "ms", 250, 25e7),
        ("db.client.connections.wait_time", "histogram", "", 250, 25e7),
        ("db.client.connections.wait_time", "histogram", "us", 250, 25e4),
        ("pgxpool.empty_acquire_wait_time", "sum", "ns", 250, 250),
        ("db.sql.connection.wait_duration", "sum", "ms", 250, 25e7),
        ("db.client.connections.waits_duration", "sum", "", 250, 250),
        ("nodejs.eventloop.delay.max", "gauge", "s", 0.25, 25e7),
        ("db.client.connection.count", "sum", "{connection}", 4, 4),
        ("nodejs.eventloop.utilization", "gauge", "1", 0.5, 0.5),
    ],
)
def test_durations_are_nanoseconds(encoding: str, name: str, kind: str, unit: str, sent: float, ns: float) -> None:
    exporting = Exporting()
    exporting.point(name, kind, unit, **({"count": 1, "sum": sent} if kind == "histogram" else {"as_double": sent}))
    (row,) = exporting.rows(encoding)
    assert row["sum" if kind == "histogram" else "value"] == ns


@pytest.mark.parametrize(
    ("key", "value", "state"),
    [
        ("db.client.connection.state", "idle", "idle"),
        ("state", "used", "used"),
        ("status", "inuse", "used"),
        ("http.connection.state", "active", "used"),
        ("db.client.connection.state", "odd", "odd"),
    ],
)
def test_states_of_connections(key: str, value: str, state: str) -> None:
    sent = Exporting()
    sent.point("db.client.connection.count", "sum", as_int=1, attributes={key: value})
    assert [row["state"] for row in sent.rows("protobuf")] == [state]


@ENCODINGS
def test_only_instruments_that_explain_seams_are_kept(encoding: str) -> None:
    sent = Exporting()
    for number, kind in enumerate(KINDS, 1):
        for _ in range(number):
            sent.point(f"my.{kind}", kind, attributes={"k": "v"})
    sent.point("kestrel.queued_requests", "sum", as_int=3)
    found = decode_metrics([sent.body(encoding), Exporting().body(encoding)])
    assert (found.accepted.tolist(), found.unkept.tolist(), found.rejected.sum()) == ([16, 0], [15, 0], 0)
    assert found.tables["metric_points"]["instrument"].to_pylist() == ["kestrel.queued_requests"]


@ENCODINGS
def test_where_nothing_is_sent_there_are_no_rows(encoding: str) -> None:
    found = decode_metrics([Exporting().body(encoding)])
    assert (found.tables, found.accepted.tolist()) == ({}, [0])


@ENCODINGS
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_counted_and_not_kept(encoding: str, value: float) -> None:
    sent = Exporting()
    sent.point("db.client.connection.pending_requests", as_double=value)
    sent.point("db.client.connection.wait_time", "histogram", count=1, sum=value)
    sent.point("db.client.connection.pending_requests", flags=1)
    found = decode_metrics([sent.body(encoding)])
    assert (found.tables, found.accepted.tolist(), found.unkept.tolist()) == ({}, [3], [3])


@ENCODINGS
@pytest.mark.parametrize("sent", [1e305, -1e305])
def test_what_is_no_number_of_nanoseconds_is_counted_and_not_kept(encoding: str, sent: float) -> None:
    exporting = Exporting()
    for unit in ("s", "ns"):
        exporting.point("db.client.connection.wait_time", "histogram", unit, count=3, sum=sent)
        exporting.point("nodejs.eventloop.delay.max", "gauge", unit, as_double=sent)
    found = decode_metrics([exporting.body(encoding)])
    assert [(row["value"], row["sum"]) for row in found.tables["metric_points"].to_pylist()] == [
        (None, sent),
        (sent, None),
    ]
    assert (found.accepted.tolist(), found.unkept.tolist()) == ([4], [2])


@ENCODINGS
def test_a_broken_point_is_rejected_alone(encoding: str) -> None:
    sent = Exporting()
    for time_ns in (5, 2**63, 6):
        sent.point("kestrel.queued_requests", "sum", as_int=1, time_unix_nano=time_ns)
    found = decode_metrics([sent.body(encoding), sent.body(encoding)])
    assert found.accepted.tolist() == [2, 2]
    assert dict(zip(REASONS, found.rejected[0].tolist(), strict=True))["time_out_of_range"] == 1
    assert found.tables["metric_points"]["time_ns"].to_pylist() == [5, 6, 5, 6]


@pytest.mark.parametrize("broken", ["pool name", "kestrel.queued_requests"])
def test_text_that_is_not_utf8_costs_its_points(broken: str) -> None:
    sent = Exporting()
    sent.point("db.client.connection.max", as_int=1)
    sent.point("kestrel.queued_requests", as_int=1, attributes={"pool.name": "pool name"})
    data = sent.message.SerializeToString().replace(broken.encode(), b"\xff" + broken.encode()[1:])
    found = decode_metrics([Body(data, "protobuf", "metrics")])
    assert (found.accepted.tolist(), found.rejected.sum()) == ([1], 1)
    assert found.tables["metric_points"]["instrument"].to_pylist() == ["db.client.connection.max"]


def test_json_of_other_shapes() -> None:
    points = [
        {"timeUnixNano": "5", "asInt": "7"},
        {"timeUnixNano": 6, "asInt": 8},
        {"timeUnixNano": "7", "asDouble": "9"},
        {"timeUnixNano": "8", "asDouble": "many"},
        "no point",
    ]
    metric = {"name": "kestrel.queued_requests", "sum": {"aggregationTemporality": "AGGREGATION_TEMPORALITY_CUMULATIVE",
                                                         "dataPoints": points}}  # fmt: skip
    document = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}
    found = decode_metrics([Body(json.dumps(document).encode(), "json", "metrics")])
    rows = found.tables["metric_points"].to_pylist()
    assert [(row["time_ns"], row["value"], row["cumulative"]) for row in rows] == [
        (5, 7.0, True),
        (6, 8.0, True),
        (7, 9.0, True),
        (8, 0.0, True),
    ]
    assert (found.oddities.tolist(), found.rejected.tolist()) == ([1], [[1, 0, 0]])


@ENCODINGS
def test_an_unreadable_body_harms_no_other(encoding: Any) -> None:
    sent = Exporting()
    sent.point("kestrel.queued_requests", as_int=1)
    found = decode_metrics([sent.body(encoding), Body(b"\x0b{", encoding, "metrics"), sent.body(encoding)])
    assert [error is None for error in found.errors] == [True, False, True]
    assert found.accepted.tolist() == [1, 0, 1]


def test_of_a_flood_of_points_the_first_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_POINTS == 20_000
    monkeypatch.setattr(metrics, "MOST_POINTS", 3)
    sent = Exporting()
    for number in range(5):
        sent.point("kestrel.queued_requests", as_int=number)
    found = decode_metrics([sent.body("protobuf"), sent.body("protobuf")])
    assert (found.accepted.tolist(), found.unkept.tolist()) == ([5, 5], [2, 2])
    assert found.tables["metric_points"]["value"].to_pylist() == [0.0, 1.0, 2.0] * 2


def test_long_attributes_are_cut() -> None:
    sent = Exporting()
    sent.point("kestrel.queued_requests", as_int=1, attributes={"pool.name": "p" * 1000})
    (row,) = sent.rows("protobuf")
    assert row["pool"] == "p" * 256


def test_words_of_instruments_are_of_the_vocabulary() -> None:
    assert {known.subject for known in INSTRUMENTS.values()} <= set(SUBJECTS)
    assert {known.measure for known in INSTRUMENTS.values()} <= set(MEASURES)


def test_the_published_metrics(corpus: Path) -> None:
    found = decode_metrics([Body((corpus / "otlp-examples" / "metrics.json").read_bytes(), "json", "metrics")])
    assert (found.accepted.tolist(), found.unkept.tolist(), found.errors) == ([4], [4], (None,))


def test_what_becomes_of_a_request() -> None:
    sent = Exporting()
    sent.point("kestrel.queued_requests", as_int=1)
    sent.point("my.gauge", as_int=1)
    (outcome,) = ingest([sent.body("json")]).outcomes
    assert (outcome.accepted, outcome.unkept, outcome.rejected, outcome.error) == (2, 1, {}, None)
