"""What the rules look at: stored results and the spans behind them, tied together by row numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from seamscope.schema import words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from analysis.findings.retiming import Timeline

CLIENT: Final = words.code(words.SPAN_KINDS, "client")
SERVER: Final = words.code(words.SPAN_KINDS, "server")
CONSUMER: Final = words.code(words.SPAN_KINDS, "consumer")

_TRACE: Final = {"trace_id": pl.UInt64}
"""A number that stands for the trace."""
COLUMNS: Final[Mapping[str, Mapping[str, Any]]] = {
    "requests": {
        "request_no": pl.Int64,
        **_TRACE,
        "entry_span_id": pl.UInt64,
        "service": pl.String,
        "route": pl.String,
        "status": pl.Int16,
        "correlation_id": pl.String,
        "start_ns": pl.Int64,
        "shell_ns": pl.Int64,
        "complete_ns": pl.Int64,
    },
    "traces": {"request_no": pl.Int64, **_TRACE},
    "hops": {
        "request_no": pl.Int64,
        **_TRACE,
        "client_span_id": pl.UInt64,
        "server_span_id": pl.UInt64,
        "seam": pl.String,
        "caller_instance": pl.String,
        "peer": pl.String,
        "operation": pl.String,
        "error": pl.Boolean,
        "attempts": pl.Int16,
        "start_ns": pl.Int64,
        "duration_ns": pl.Int64,
        "request_leg_ns": pl.Int64,
        "setup_ns": pl.Int64,
        "dns_ns": pl.Int64,
        "connect_ns": pl.Int64,
        "tls_ns": pl.Int64,
        "pool_wait_ns": pl.Int64,
        "network_ns": pl.Int64,
        "server_queue_ns": pl.Int64,
        "retry_ns": pl.Int64,
        "inferred_ns": pl.Int64,
        "reused": pl.Boolean,
        "joined_by": pl.String,
        "async": pl.Boolean,
    },
    "ends": {
        "request_no": pl.Int64,
        "horizon": pl.String,
        "span_id": pl.UInt64,
        "at_ns": pl.Int64,
        "horizon_ns": pl.Int64,
    },
    "path": {
        "request_no": pl.Int64,
        "start_ns": pl.Int64,
        "end_ns": pl.Int64,
        "span_id": pl.UInt64,
        "owner": pl.String,
        "cause": pl.String,
    },
    "spans": {
        **_TRACE,
        "span_id": pl.UInt64,
        "parent_span_id": pl.UInt64,
        "kind": pl.UInt8,
        "role": pl.String,
        "start_ns": pl.Int64,
        "end_ns": pl.Int64,
        "resource_id": pl.UInt64,
        "service": pl.String,
        "scope": pl.String,
        "operation": pl.String,
        "method": pl.String,
        "url_full": pl.String,
        "url_path": pl.String,
        "db_system": pl.String,
        "correlation_id": pl.String,
        "cache_status": pl.String,
        "cache_reason": pl.String,
        "essential": pl.Boolean,
        "cold_start": pl.Boolean,
        "cache_scope": pl.String,
        "cache_control": pl.String,
        "flag_outcome": pl.String,
    },
    "warnings": {**_TRACE, "span_id": pl.UInt64, "code": pl.String},
}
"""What is read, by the name of the frame: columns of the store's tables, words for codes."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Requests, their calls, their path and their spans; `row` numbers spans, `request` numbers requests."""

    requests: pl.DataFrame
    """Columns of `requests`, `request`, `entry_row`."""
    calls: pl.DataFrame
    """Columns of `hops`, `request`, `route`, `row` (the client span's), `server_row`, `parent_row`, `inner_row` (the
    client span that the server span hangs from), `handler_row` (the server span that the call is made in), `end_ns`,
    `caller`, `callee`, `target` (the address after the host), `target_path` (without its query), and the client span's
    `method url_full scope cache_status cache_reason essential db_system`."""
    awaited: pl.DataFrame
    """Those of `calls` that somebody waits for."""
    path: pl.DataFrame
    """Columns of `path`, `request`, `route`, `row`."""
    spans: pl.DataFrame
    """Columns of `spans`, `row`, `parent_row`, `request` (`NONE` for none), `waited`, `reached_ns` (`_reached`)."""
    warnings: pl.DataFrame
    """Columns of `warnings`, `row`, `request`."""
    times: Timeline
    horizon_of: pl.DataFrame
    """A row per question of `times`: `request`, `horizon`, `horizon_ns`."""
    essential: Callable[..., bool | None]
    """What the operator says of a call known under some names."""
