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
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.decoding.decode import Body, decode_traces
from collector.decoding.signals import TRACES
from collector.decoding.wire import read_wire
from collector.ingest import ingest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SPANS: Final = 512
BODIES: Final = 20
ROUNDS: Final = 12
NAMES: Final = ("GET /dash", "fetch GET https://api/v1/me", "pg.query SELECT")


def _put(attributes: Any, **values: str | int | bool) -> None:
    for name, value in values.items():
        held = attributes.add(key=name.replace("__", "-").replace("_", ".")).value
        if isinstance(value, bool):
            held.bool_value = value
        elif isinstance(value, int):
            held.int_value = value
        else:
            held.string_value = value


def _scopes(request: Any, dice: random.Random) -> list[Any]:
    found = []
    for service in ("edge-web", "origin-api"):
        group = request.resource_spans.add()
        host = f"h-{dice.randrange(5)}"
        _put(
            group.resource.attributes,
            service_name=service,
            service_version="1.2.3",
            cloud_region="fra1",
            host_name=host,
        )
        scope = group.scope_spans.add()
        scope.scope.name = "load"
        found.append(scope)
    return found


def request(dice: random.Random) -> Any:
    """Return a request of two resources; traces of eight spans, ten attributes each."""
    message = ExportTraceServiceRequest()
    scopes = _scopes(message, dice)
    start = 1_790_000_000_000_000_000
    trace_id = parent = b""
    for number in range(SPANS):
        if number % 8 == 0:
            trace_id, parent = dice.randbytes(16), b""
        span = scopes[number % 2].spans.add(trace_id=trace_id, span_id=dice.randbytes(8), parent_span_id=parent)
        parent = span.span_id
        span.name, span.kind = dice.choice(NAMES), 2 + number % 2
        span.start_time_unix_nano = start + (number % 8) * 1_000_000
        span.end_time_unix_nano = start + 100_000_000 - (number % 8) * 1_000_000
        _put(
            span.attributes,
            http_request_method="GET",
            http_response_status__code=200,
            url_full=f"https://api.internal/v1/me?x={dice.randrange(1000)}",
            http_route="/v1/me",
            server_address="api.internal",
            server_port=443,
            network_protocol_version="1.1",
            user__agent_original="Mozilla/5.0 (X11; Linux x86_64)",
            http_request_header_x__request__id=f"{dice.getrandbits(128):032x}",
            cache_hit=bool(dice.randrange(2)),
        )
    return message


def as_json(message: Any) -> bytes:
    """Return a request as OTLP/JSON: as protobuf's JSON, but with hexadecimal ids."""
    document = MessageToDict(message, use_integers_for_enums=True)
    spans = (
        (span, sent)
        for group, sent_group in zip(document["resourceSpans"], message.resource_spans, strict=True)
        for scope, sent_scope in zip(group["scopeSpans"], sent_group.scope_spans, strict=True)
        for span, sent in zip(scope["spans"], sent_scope.spans, strict=True)
    )
    for span, sent in spans:
        span |= {"traceId": sent.trace_id.hex(), "spanId": sent.span_id.hex()}
        if sent.parent_span_id:
            span["parentSpanId"] = sent.parent_span_id.hex()
    return json.dumps(document, separators=(",", ":")).encode()


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
