"""How fast bodies become columns: the compiled readers against the official protobuf objects, json, and ptars.

    python -m benchmarks.decode

Bodies hold 512 spans of 10 attributes, as a collector in production would batch them. Figures are spans per second of
one thread's CPU time, the best of several rounds. ptars (protobuf → nested Arrow, in Rust) is measured where it is
installed; it is no dependency. `ptars` is its decoding alone, `ptars_flat` with the attributes brought into one table.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import random
import time
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.requests import SPANS, as_json, request
from collector.decoding.decode import Body, decode_traces
from collector.decoding.signals import TRACES
from collector.decoding.wire import read_wire
from collector.ingest import ingest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BODIES: Final = 20
ROUNDS: Final = 12


def _best(contenders: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return spans per second of CPU time in each one's fastest round.

    They take turns, so that what else the machine does meets all of them; a first round, which may compile, does not
    count.
    """
    fastest = dict.fromkeys(contenders, float("inf"))
    for work in contenders.values():
        work()
    for _ in range(ROUNDS):
        for name, work in contenders.items():
            began = time.thread_time()
            work()
            fastest[name] = min(fastest[name], time.thread_time() - began)
    return {name: round(BODIES * SPANS / seconds) for name, seconds in fastest.items()}


def _walk(bodies: Sequence[bytes]) -> object:
    """Read bodies into lists the way a first implementation would: objects, span by span."""
    rows, attributes = [], []
    for body in bodies:
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in group.scope_spans:
                for span in scope.spans:
                    ids = (span.trace_id, span.span_id, span.parent_span_id)
                    rows.append((*ids, span.name, span.kind, span.start_time_unix_nano, span.end_time_unix_nano))
                    attributes += [
                        (pair.key, str(getattr(pair.value, pair.value.WhichOneof("value")))) for pair in span.attributes
                    ]
    keys, texts = zip(*attributes, strict=True)
    return pa.array(keys), pa.array(texts), rows


def _ptars(bodies: Sequence[bytes]) -> dict[str, Callable[[], object]]:
    """Return what ptars does, where it is installed."""
    if importlib.util.find_spec("ptars") is None:
        return {}
    descriptor = ExportTraceServiceRequest.DESCRIPTOR
    handler = importlib.import_module("ptars").HandlerPool([descriptor.file]).get_for_message(descriptor)

    def flattened() -> object:
        column = handler.list_to_record_batch(list(bodies)).column(0)
        for _ in range(3):
            structs = pc.list_flatten(column)
            lists = [field.name for field in structs.type if field.name in {"scope_spans", "spans", "attributes"}]
            column = pc.struct_field(structs, lists[0])
        return pc.list_parent_indices(column), pc.list_flatten(column).flatten()

    return {"ptars": lambda: handler.list_to_record_batch(list(bodies)), "ptars_flat": flattened}


def main() -> None:
    """Measure and print one JSON object: spans per second."""
    dice = random.Random(1)
    messages = [request(dice) for _ in range(BODIES)]
    wire = [message.SerializeToString() for message in messages]
    text = [as_json(message) for message in messages]
    traces = {
        "protobuf": [Body(body, "protobuf", "traces") for body in wire],
        "json": [Body(body, "json", "traces") for body in text],
    }
    figures = {
        "bytes_per_span_protobuf": sum(map(len, wire)) / BODIES / SPANS,
        "bytes_per_span_json": sum(map(len, text)) / BODIES / SPANS,
        **_best(
            {
                "protobuf_cells": lambda: read_wire(wire, TRACES),
                "protobuf": lambda: decode_traces(traces["protobuf"]),
                "json": lambda: decode_traces(traces["json"]),
                "protobuf_ingest": lambda: ingest(traces["protobuf"]),
                "json_ingest": lambda: ingest(traces["json"]),
                "official_parser": lambda: [ExportTraceServiceRequest.FromString(body) for body in wire],
                "official_objects": lambda: _walk(wire),
                "python_json": lambda: [json.loads(body) for body in text],
                **_ptars(wire),
            }
        ),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
