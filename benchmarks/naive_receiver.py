"""The yardstick for ingest: the same door, queue and store, with a decoder that walks protobuf objects in Python.

It does less than the collector (no checks, no dialects, a handful of promoted columns), so the ratio is on its side.
Started by `benchmarks.ingest`; prints one JSON line with its port and pid when it listens, and runs until killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.doors.addresses import Address
from collector.doors.grpc_door import GrpcDoor
from collector.groups import Groups
from collector.ingest import Ingested, Outcome
from collector.intake import Intake
from collector.telemetry import Telemetry
from seamscope.schema.tables import RESOURCES, SPANS
from seamscope.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collector.decoding.decode import Body

PROMOTED = {
    "method": "http.request.method",
    "route": "http.route",
    "http_status": "http.response.status_code",
    "url_full": "url.full",
    "peer": "server.address",
    "peer_port": "server.port",
    "protocol_version": "network.protocol.version",
    "correlation_id": "http.request.header.x-request-id",
}


def value_of(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None


def row(span: Any, resource_id: int, scope: str) -> dict[str, Any]:
    attributes = {attribute.key: value_of(attribute.value) for attribute in span.attributes}
    promoted = {column: attributes.get(key) for column, key in PROMOTED.items()}
    return {
        "trace_hi": int.from_bytes(span.trace_id[:8], "big"),
        "trace_lo": int.from_bytes(span.trace_id[8:], "big"),
        "span_id": int.from_bytes(span.span_id, "big"),
        "parent_id": int.from_bytes(span.parent_span_id, "big"),
        "kind": span.kind,
        "flags": span.flags,
        "start_ns": span.start_time_unix_nano,
        "end_ns": span.end_time_unix_nano,
        "status": span.status.code,
        "status_message": span.status.message,
        "name": span.name,
        "weight": 1.0,
        "resource_id": resource_id,
        "scope": scope,
        "role": 0,
        "extent": 0,
        "tier_hint": 0,
        "grain_ns": 1,
        "attributes": [{"key": key, "value": str(value)} for key, value in attributes.items()],
        "dropped_attributes": span.dropped_attributes_count,
        **promoted,
    }


def walk(bodies: Sequence[Body]) -> Ingested:
    """Decode bodies as one does at first."""
    rows: list[dict[str, Any]] = []
    resources: dict[int, dict[str, Any]] = {}
    outcomes = []
    for body in bodies:
        before = len(rows)
        for resource_spans in ExportTraceServiceRequest.FromString(body.data).resource_spans:
            told = {attribute.key: value_of(attribute.value) for attribute in resource_spans.resource.attributes}
            resource_id = hash(tuple(sorted(told.items()))) & (2**63 - 1)
            resources[resource_id] = {"resource_id": resource_id, "service": told.get("service.name"), "tier": 7}
            for scope_spans in resource_spans.scope_spans:
                rows += [row(span, resource_id, scope_spans.scope.name) for span in scope_spans.spans]
        outcomes.append(Outcome(len(rows) - before))
    names = [name for name in SPANS.names if name not in {"commit_no", "ingested_ns"}]
    schema = pa.schema([SPANS.field(name) for name in names])
    tables = {"resources": pa.Table.from_pylist(list(resources.values()), RESOURCES)}
    return Ingested({"spans": pa.Table.from_pylist(rows, schema), **tables}, outcomes)


async def serve(folder: Path) -> None:
    telemetry = Telemetry()
    with Store.open(folder / "naive.duckdb") as store:
        intake = Intake(Groups(walk, store, telemetry), telemetry)
        intake.start()
        door = GrpcDoor(intake, telemetry, Address("127.0.0.1", 0))
        address = await door.start()
        print(json.dumps({"grpc": str(address), "pid": os.getpid()}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
