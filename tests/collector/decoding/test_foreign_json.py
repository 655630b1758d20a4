"""Traces of Jaeger and Zipkin, retold as OTLP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from collector.decoding.decode import Body
from collector.decoding.foreign_json import BODY_SPANS, bodies, format_of
from collector.files import iter_bodies
from collector.ingest import ingest

if TYPE_CHECKING:
    from pathlib import Path

JAEGER = {
    "data": [
        {
            "traceID": "ab",
            "processes": {
                "p1": {"serviceName": "edge", "tags": [{"key": "hostname", "type": "string", "value": "web-1"}]}
            },
            "spans": [
                {
                    "traceID": "ab",
                    "spanID": "2",
                    "flags": 1,
                    "operationName": "GET /dash",
                    "references": [
                        {"refType": "CHILD_OF", "traceID": "ab", "spanID": "1"},
                        {"refType": "FOLLOWS_FROM", "traceID": "cd", "spanID": "9"},
                    ],
                    "startTime": 1_700_000_000_000_001,
                    "duration": 250,
                    "tags": [
                        {"key": "span.kind", "type": "string", "value": "client"},
                        {"key": "error", "type": "bool", "value": True},
                        {"key": "http.status_code", "type": "int64", "value": 502},
                        {"key": "ratio", "type": "float64", "value": 0.5},
                        {"key": "otel.scope.name", "type": "string", "value": "otelhttp"},
                    ],
                    "logs": [
                        {
                            "timestamp": 1_700_000_000_000_100,
                            "fields": [{"key": "event", "value": "retry"}, {"key": "n", "value": 2}],
                        }
                    ],
                    "processID": "p1",
                }
            ],
        }
    ]
}
ZIPKIN = [
    {
        "traceId": "5af7183fb1d4cf5f",
        "id": "352bff9a74ca9ad2",
        "parentId": "6b221d5bc9e6496c",
        "kind": "SERVER",
        "shared": True,
        "name": "get /api",
        "timestamp": 1_556_604_172_355_737,
        "duration": 1_431,
        "localEndpoint": {"serviceName": "backend", "ipv4": "192.168.99.1"},
        "remoteEndpoint": {"serviceName": "db", "ipv4": "172.19.0.2", "port": 5432},
        "annotations": [{"timestamp": 1_556_604_172_356_000, "value": "wire.send"}],
        "tags": {"http.method": "GET", "error": "timeout"},
    }
]


def retold(document: Any) -> tuple[list[tuple[Any, Any, Any]], list[str]]:
    """The (resource, scope, span) of a document, and what was complained of."""
    said: list[str] = []
    data = json.dumps(document).encode()
    form = format_of(data)
    assert form is not None
    told = [
        (resource["resource"], scope["scope"], span)
        for body in bodies(data, form, said.append)
        for resource in json.loads(body)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    return told, said


def attributes(pairs: Any) -> dict[str, Any]:
    return {pair["key"]: pair["value"] for pair in pairs}


def test_a_span_of_jaeger() -> None:
    ((resource, scope, span),), said = retold(JAEGER)
    assert not said
    assert attributes(resource["attributes"]) == {
        "service.name": {"stringValue": "edge"},
        "host.name": {"stringValue": "web-1"},
        "hostname": {"stringValue": "web-1"},
    }
    assert scope == {"name": "otelhttp", "version": ""}
    assert (span["traceId"], span["spanId"]) == ("ab".rjust(32, "0"), "2".rjust(16, "0"))
    assert span["parentSpanId"] == "1".rjust(16, "0")
    assert (span["name"], span["kind"], span["flags"]) == ("GET /dash", 3, 1)
    assert (span["startTimeUnixNano"], span["endTimeUnixNano"]) == ("1700000000000001000", "1700000000000251000")
    assert span["status"] == {"code": 2, "message": ""}
    assert attributes(span["attributes"]) == {
        "error": {"boolValue": True},
        "http.status_code": {"intValue": "502"},
        "ratio": {"doubleValue": 0.5},
    }
    (event,) = span["events"]
    assert (event["name"], attributes(event["attributes"])) == ("retry", {"n": {"intValue": "2"}})
    assert span["links"] == [{"traceId": "cd".rjust(32, "0"), "spanId": "9".rjust(16, "0")}]


def test_a_span_of_zipkin() -> None:
    ((resource, _, span),), said = retold(ZIPKIN)
    assert not said
    assert attributes(resource["attributes"]) == {
        "service.name": {"stringValue": "backend"},
        "host.name": {"stringValue": "192.168.99.1"},
    }
    assert span["kind"] == 2
    assert int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"]) == 1_431_000
    assert span["status"] == {"code": 2, "message": "timeout"}
    assert attributes(span["attributes"]) == {
        "http.method": {"stringValue": "GET"},
        "peer.service": {"stringValue": "db"},
        "network.peer.address": {"stringValue": "172.19.0.2"},
        "network.peer.port": {"intValue": "5432"},
    }
    assert [event["name"] for event in span["events"]] == ["wire.send"]


@pytest.mark.parametrize(
    ("document", "accepted", "told"),
    [
        ([*ZIPKIN, 7, None, {"traceId": "1", "timestamp": "x"}], 1, 3),
        ([ZIPKIN, ZIPKIN], 2, 0),
        ({"data": [*JAEGER["data"], 7, {"traceID": "1"}]}, 1, 2),
        ({"data": [{**JAEGER["data"][0], "processes": None}]}, 1, 0),
        ({"data": [{"traceID": "1", "spans": [{"tags": [1]}, "x"]}, *JAEGER["data"]]}, 1, 2),
    ],
)
def test_what_is_no_span_is_told_and_its_neighbours_kept(document: Any, accepted: int, told: int) -> None:
    found, said = retold(document)
    assert len(found) == accepted
    assert len(said) == told


def test_large_documents_become_several_bodies() -> None:
    spans = [{**ZIPKIN[0], "id": f"{number:x}"} for number in range(1, BODY_SPANS + 2)]
    found = list(bodies(json.dumps(spans).encode(), "Zipkin", pytest.fail))
    assert len(found) == 2


@pytest.mark.parametrize("missing", ["id", "traceId"])
def test_what_lacks_its_heart_is_rejected_by_the_door(missing: str) -> None:
    poor = {name: value for name, value in ZIPKIN[0].items() if name != missing}
    (body,) = bodies(json.dumps([poor, ZIPKIN[0]]).encode(), "Zipkin", pytest.fail)
    (outcome,) = ingest([Body(body, "json", "traces")]).outcomes
    assert outcome.accepted == 1
    assert sum(outcome.rejected.values()) == 1


def test_ids_that_are_not_hexadecimal_stay_apart_and_tied() -> None:
    family = [{**ZIPKIN[0], "id": "G"}, {**ZIPKIN[0], "id": "H", "parentId": "G"}]
    (_, _, first), (_, _, second) = retold(family)[0]
    assert first["spanId"] != second["spanId"]
    assert second["parentSpanId"] == first["spanId"]


def test_others_examples_are_stored_whole(corpus: Path) -> None:
    for folder in ("zipkin", "crisp"):
        for path in sorted((corpus / folder).glob("*.json")):
            document = json.loads(path.read_text())
            spans = (
                document if isinstance(document, list) else [span for one in document["data"] for span in one["spans"]]
            )
            outcomes = ingest(list(iter_bodies(path))).outcomes
            assert sum(outcome.accepted for outcome in outcomes) == len(spans), path.name
