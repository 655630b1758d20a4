"""The tables of the store as Arrow schemas: the one description that the door, the store and the desk share.

Every table lives in the DuckDB schema `base`; the views of the public interface are drawn over them.
Ids are integers here (`trace_hi`, `trace_lo`: the two big-endian halves of the 16-byte trace id; `span_id`:
the 8 bytes, big-endian; 0 means "none") and lower-case hex in the views. Times are integer nanoseconds.
Text columns may arrive dictionary-encoded.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

ATTRIBUTES: Final = pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))
"""Raw attributes in wire order; values as text, arrays and maps as JSON text."""

_TRACE: Final = [("trace_hi", pa.uint64()), ("trace_lo", pa.uint64())]

SPANS: Final = pa.schema(
    [
        *_TRACE,
        ("span_id", pa.uint64()),
        ("parent_id", pa.uint64()),
        ("kind", pa.uint8()),  # words.SPAN_KINDS
        ("flags", pa.uint32()),
        ("start_ns", pa.int64()),  # as received, never moved
        ("end_ns", pa.int64()),  # as received; may lie before start_ns
        ("status", pa.uint8()),  # words.STATUSES
        ("status_message", pa.string()),
        ("name", pa.string()),
        ("trace_state", pa.string()),
        ("weight", pa.float64()),  # adjusted count from tracestate ot=th:…; 1.0 where none is sent
        ("resource_id", pa.uint64()),  # RESOURCES.resource_id
        ("scope", pa.string()),
        ("scope_version", pa.string()),
        # what the desk reads instead of a dialect
        ("role", pa.uint8()),  # words.ROLES
        ("extent", pa.uint8()),  # words.EXTENTS: what the span's end covers
        ("tier_hint", pa.uint8()),  # words.TIERS from span facts and scope; 0 = none, the resource decides
        ("grain_ns", pa.uint32()),  # granularity of this span's clock (1 ms for JS starts)
        ("operation", pa.string()),  # low-cardinality name: 'GET /v1/{name}', 'SELECT orders', 'publish orders'
        ("method", pa.string()),
        ("route", pa.string()),  # template, sent or learned; SERVER and SSR spans
        ("http_status", pa.int16()),
        ("url_full", pa.string()),
        ("url_path", pa.string()),
        ("peer", pa.string()),  # host the span talks to: lower case, without port
        ("peer_port", pa.int32()),
        ("network_peer", pa.string()),
        ("network_peer_port", pa.int32()),  # on server spans it tells the caller's connections apart
        ("protocol_version", pa.string()),
        ("resend_count", pa.int16()),
        ("rpc_system", pa.string()),
        ("rpc_method", pa.string()),  # 'pkg.Service/Method'
        ("rpc_status", pa.string()),
        ("db_system", pa.string()),
        ("db_namespace", pa.string()),
        ("db_operation", pa.string()),
        ("db_collection", pa.string()),
        ("db_statement", pa.string()),
        ("messaging_system", pa.string()),
        ("messaging_operation", pa.string()),
        ("messaging_destination", pa.string()),
        ("message_id", pa.string()),
        ("enqueued_ns", pa.int64()),
        ("correlation_id", pa.string()),  # x-request-id and its kin
        ("platform_id", pa.string()),  # cf-ray, x-vercel-id, invocation id
        ("place", pa.string()),  # colo or region where the span says so
        ("cache_status", pa.string()),  # hit, miss, skip, …
        ("cache_reason", pa.string()),
        ("error_type", pa.string()),
        # phase evidence that events and attributes of the span itself carry (phase spans carry it by role)
        ("pool_wait_ns", pa.int64()),
        ("dns_ns", pa.int64()),
        ("connect_ns", pa.int64()),
        ("tls_ns", pa.int64()),
        ("send_ns", pa.int64()),
        ("first_byte_ns", pa.int64()),  # from the span's start to the response's first byte
        ("transfer_ns", pa.int64()),
        ("queued_at_ns", pa.int64()),  # X-Request-Start and its kin, as an absolute time
        ("reused", pa.bool_()),  # http.conn.reused
        ("was_idle", pa.bool_()),  # http.conn.wasidle
        ("idle_ns", pa.int64()),
        ("cold_start", pa.bool_()),
        ("cpu_ns", pa.int64()),
        ("wall_ns", pa.int64()),
        ("sequence", pa.int64()),  # cloudflare.invocation.sequence.number
        ("engine_ns", pa.int64()),  # the part of a statement that ran in the engine (D1 sql_duration_ms)
        ("essential", pa.bool_()),  # seamscope.essential
        # the whole of what was sent
        ("attributes", ATTRIBUTES),
        ("dropped_attributes", pa.uint32()),
        ("commit_no", pa.int64()),  # the group commit that brought the row; monotone
        ("ingested_ns", pa.int64()),
    ]
)
"""`base.spans`: a row per accepted span. `commit_no` and `ingested_ns` are set by the store's writer."""

RESOURCES: Final = pa.schema(
    [
        ("resource_id", pa.uint64()),  # hash of the attributes; the same resource has the same id for ever
        ("service", pa.string()),
        ("service_version", pa.string()),
        ("environment", pa.string()),
        ("instance", pa.string()),  # host key: host.id, host.name, k8s.pod.uid, faas.instance, service.instance.id
        ("pooled", pa.bool_()),  # no host key was sent: instance is (service, place)
        ("place", pa.string()),
        ("tier", pa.uint8()),  # words.TIERS by the resource's own attributes
        ("language", pa.string()),
        ("sdk", pa.string()),
        ("attributes", ATTRIBUTES),
    ]
)
"""`base.resources`: a row per distinct resource; tier may be raised when a batch shows a telling scope."""

SPAN_EVENTS: Final = pa.schema(
    [
        *_TRACE,
        ("span_id", pa.uint64()),
        ("kind", pa.uint8()),
        ("at_ns", pa.int64()),
        ("name", pa.string()),
        ("attributes", ATTRIBUTES),
        ("commit_no", pa.int64()),
    ]
)

SPAN_LINKS: Final = pa.schema(
    [
        *_TRACE,
        ("span_id", pa.uint64()),
        ("kind", pa.uint8()),
        ("linked_trace_hi", pa.uint64()),
        ("linked_trace_lo", pa.uint64()),
        ("linked_span_id", pa.uint64()),
        ("flags", pa.uint32()),
        ("attributes", ATTRIBUTES),
        ("commit_no", pa.int64()),
    ]
)

LOGS: Final = pa.schema(
    [
        *_TRACE,
        ("span_id", pa.uint64()),
        ("time_ns", pa.int64()),
        ("observed_ns", pa.int64()),
        ("severity", pa.uint8()),
        ("severity_text", pa.string()),
        ("event_name", pa.string()),
        ("body", pa.string()),
        ("resource_id", pa.uint64()),
        ("scope", pa.string()),
        ("correlation_id", pa.string()),  # x-request-id and its kin
        ("platform_id", pa.string()),  # cf-ray, x-vercel-id, invocation id
        ("attributes", ATTRIBUTES),
        ("commit_no", pa.int64()),
        ("ingested_ns", pa.int64()),
    ]
)

METRIC_POINTS: Final = pa.schema(
    [
        ("resource_id", pa.uint64()),
        ("scope", pa.string()),
        ("instrument", pa.string()),  # as it was sent: a key of instruments.INSTRUMENTS
        ("subject", pa.string()),  # instruments.SUBJECTS
        ("measure", pa.string()),  # instruments.MEASURES
        ("pool", pa.string()),
        ("state", pa.string()),  # idle or used
        ("peer", pa.string()),
        ("peer_port", pa.int32()),
        ("cumulative", pa.bool_()),  # counted since started_ns; else since the point before
        ("started_ns", pa.int64()),
        ("time_ns", pa.int64()),
        ("value", pa.float64()),  # of a gauge or sum; durations in nanoseconds, here and below
        ("count", pa.int64()),  # of a histogram, as are those below
        ("sum", pa.float64()),
        ("min", pa.float64()),
        ("max", pa.float64()),
        ("attributes", ATTRIBUTES),
        ("commit_no", pa.int64()),
        ("ingested_ns", pa.int64()),
    ]
)
"""`base.metric_points`: a row per data point of the instruments that are kept."""

OWNERS: Final = pa.schema(
    [
        ("owner_no", pa.uint32()),
        ("owner", pa.string()),  # 'origin:orders' or 'render:web→origin:orders'
        ("tier", pa.uint8()),  # 255 where a seam owns
        ("service", pa.string()),  # null where a seam owns
        ("seam", pa.string()),  # null where a tier owns
    ]
)
"""`base.owners`: the owners of segments and the seams of hops, once each."""

REQUESTS: Final = pa.schema(
    [
        ("request_no", pa.int64()),  # store-wide number; a revision takes a new one
        *_TRACE,
        ("entry_span_id", pa.uint64()),
        ("kind", pa.uint8()),  # words.REQUEST_KINDS
        ("service", pa.string()),
        ("route", pa.string()),  # 'GET /dash'
        ("method", pa.string()),
        ("status", pa.int16()),
        ("environment", pa.string()),
        ("place", pa.string()),
        ("service_version", pa.string()),
        ("correlation_id", pa.string()),
        ("start_ns", pa.int64()),
        ("shell_ns", pa.int64()),  # from start_ns; null where it cannot be known
        ("complete_ns", pa.int64()),
        ("shell_evidence", pa.uint8()),  # 255 where the horizon is null
        ("complete_evidence", pa.uint8()),
        ("dominant_owner_no", pa.uint32()),  # of the first known horizon; null where none is known
        ("dominant_cause", pa.uint8()),
        ("weight", pa.float64()),
        ("spans", pa.int32()),
        ("final", pa.bool_()),
        ("revision", pa.int32()),
        ("settled_ns", pa.int64()),
    ]
)

REQUEST_TRACES: Final = pa.schema(
    [("request_no", pa.int64()), *_TRACE, ("joined_by", pa.uint8())]  # words.JOINED_BY
)

SEGMENTS: Final = pa.schema(
    [
        ("request_no", pa.int64()),
        ("horizon", pa.uint8()),  # words.HORIZONS
        ("start_ns", pa.int64()),  # from the request's start
        ("end_ns", pa.int64()),
        ("span_id", pa.uint64()),  # 0 = a stretch without a span
        ("call_id", pa.uint64()),  # outermost client span of the entry's own calls that this stretch lies in; 0 = none
        ("owner_no", pa.uint32()),
        ("cause", pa.uint8()),  # words.CAUSES
        ("evidence", pa.uint8()),  # words.EVIDENCE
    ]
)

SEGMENT_KINDS: Final = pa.schema(
    [
        ("kind_no", pa.uint32()),
        ("horizon", pa.uint8()),
        ("owner_no", pa.uint32()),
        ("cause", pa.uint8()),
        ("evidence", pa.uint8()),
    ]
)
"""`base.segment_kinds`: what stretches of the path are, once each; a row per horizon whose path they are on."""

HOPS: Final = pa.schema(
    [
        ("request_no", pa.int64()),
        *_TRACE,
        ("client_span_id", pa.uint64()),
        ("server_span_id", pa.uint64()),  # 0 = the callee sent nothing
        ("seam_no", pa.uint32()),  # OWNERS.owner_no
        ("caller_instance", pa.string()),
        ("callee_instance", pa.string()),
        ("peer", pa.string()),
        ("operation", pa.string()),  # the client span's
        ("status", pa.int16()),
        ("error", pa.bool_()),
        ("attempts", pa.int16()),
        ("start_ns", pa.int64()),  # absolute, the client's clock
        ("duration_ns", pa.int64()),  # the outermost client span's
        ("server_ns", pa.int64()),  # null without a server span
        ("gap_ns", pa.int64()),
        ("gap_kind", pa.uint8()),  # words.GAP_KINDS
        ("request_leg_ns", pa.int64()),
        ("response_leg_ns", pa.int64()),
        ("leg_error_ns", pa.int64()),
        *[
            (f"{phase}_ns", pa.int64())
            for phase in (
                "setup",
                "dns",
                "connect",
                "tls",
                "pool_wait",
                "send",
                "network",
                "server_queue",
                "transfer",
                "retry",
                "unexplained",
            )
        ],
        # how what is explained is known; what is left of it was measured, or told by a linked trace
        ("header_ns", pa.int64()),
        ("bounded_ns", pa.int64()),
        ("inferred_ns", pa.int64()),
        ("reused", pa.bool_()),
        ("joined_by", pa.uint8()),
        ("async", pa.bool_()),  # asynchronous work: linked, never on the path
    ]
)

HOP_KINDS: Final = pa.schema(
    [
        ("kind_no", pa.uint32()),
        *(
            HOPS.field(name)
            for name in ("seam_no", "caller_instance", "callee_instance", "peer", "operation", "status", "gap_kind")
        ),
    ]
)
"""`base.hop_kinds`: what many hops say alike, kept once."""

WARNING_ROWS: Final = pa.schema(
    [
        ("request_no", pa.int64()),  # null where the trace gave no request
        *_TRACE,
        ("span_id", pa.uint64()),
        ("code", pa.uint8()),  # words.WARNINGS
        ("detail", pa.string()),
    ]
)

ASYNC_WORK: Final = pa.schema(
    [
        ("request_no", pa.int64()),
        *_TRACE,
        ("span_id", pa.uint64()),
        ("queue_wait_ns", pa.int64()),
        ("link", pa.string()),  # how it is known: parent, link, background
    ]
)

INFERENCES: Final = pa.schema(
    [
        ("request_no", pa.int64()),
        *_TRACE,
        ("client_span_id", pa.uint64()),
        ("cause", pa.uint8()),  # words.CAUSES
        ("ns", pa.int64()),
        ("confidence", pa.float64()),  # 0 to 1: the lower end of Wilson's 95 % interval, or 1 less the odds of luck
        ("statistic", pa.string()),  # one sentence
    ]
)

INGESTED: Final = {
    "spans": SPANS,
    "resources": RESOURCES,
    "span_events": SPAN_EVENTS,
    "span_links": SPAN_LINKS,
    "logs": LOGS,
    "metric_points": METRIC_POINTS,
}
"""Tables that the door fills."""

RESULTS: Final = {
    "requests": REQUESTS,
    "request_traces": REQUEST_TRACES,
    "segments": SEGMENTS,
    "hops": HOPS,
    "warnings": WARNING_ROWS,
    "async_work": ASYNC_WORK,
    "inferences": INFERENCES,
}
"""Tables that the desk fills; `request_no` ties them together, and a revision replaces all rows of its number."""
