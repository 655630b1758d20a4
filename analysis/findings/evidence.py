"""What the rules look at: stored results and the spans behind them, tied together by row numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis.arrays import NONE, Int32s, Int64s, Mask
from analysis.findings.retiming import Timeline, timeline
from seamscope.schema import words

if TYPE_CHECKING:
    from collections.abc import Callable

_TIER: Final = "|".join(words.TIERS)
_CALLER: Final = rf"^((?:{_TIER}):.*)→(?:{_TIER}):"
_CALLEE: Final = rf"^(?:{_TIER}):.*→((?:{_TIER}):.*)$"

REQUEST_COLUMNS: Final = (
    "request_no",
    "request_id",
    "trace_id",
    "entry_span_id",
    "kind",
    "service",
    "route",
    "status",
    "correlation_id",
    "start_ns",
    "shell_ns",
    "complete_ns",
)
SPAN_COLUMNS: Final = (
    "trace_id",
    "span_id",
    "parent_span_id",
    "kind",
    "role",
    "start_ns",
    "end_ns",
    "status",
    "service",
    "tier",
    "scope",
    "operation",
    "method",
    "http_status",
    "url_full",
    "url_path",
    "db_system",
    "db_statement",
    "correlation_id",
    "cache_status",
    "cache_reason",
    "essential",
    "cache_scope",
    "cache_control",
    "flag_outcome",
)
"""Columns of the `spans` view, and three attributes."""
HOP_COLUMNS: Final = (
    "request_id",
    "trace_id",
    "client_span_id",
    "server_span_id",
    "seam",
    "boundary",
    "caller_instance",
    "callee_instance",
    "peer",
    "operation",
    "status",
    "error",
    "attempts",
    "start_ns",
    "duration_ns",
    "server_ns",
    "gap_ns",
    "setup_ns",
    "dns_ns",
    "connect_ns",
    "tls_ns",
    "pool_wait_ns",
    "network_ns",
    "server_queue_ns",
    "retry_ns",
    "reused",
    "joined_by",
    "async",
)
SEGMENT_COLUMNS: Final = ("request_id", "horizon", "start_ns", "end_ns", "span_id", "owner", "cause")
WARNING_COLUMNS: Final = ("trace_id", "span_id", "code")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Requests, their calls, their path and their spans; `row` numbers spans, `request` numbers requests."""

    requests: pl.DataFrame
    """`REQUEST_COLUMNS`, `request`, `entry_row`."""
    calls: pl.DataFrame
    """`HOP_COLUMNS`, `request`, `route`, `row` (the client span's), `server_row`, `parent_row`, `caller`, `callee`, and
    the client span's `method url_full statement scope cache_status cache_reason essential`."""
    path: pl.DataFrame
    """`SEGMENT_COLUMNS`, `request`, `route`, `row`; of both horizons."""
    spans: pl.DataFrame
    """`SPAN_COLUMNS` with `kind` as code, `row`, `parent_row`, `request`, `waited`."""
    warnings: pl.DataFrame
    """`WARNING_COLUMNS`, `row`, `request`, `route`."""
    times: Timeline
    horizon_of: pl.DataFrame
    """A row per question of `times`: `request`, `horizon`, `horizon_ns`."""
    essential: Callable[..., bool | None]
    """What the operator says of a call known under some names."""


def gather(
    requests: pl.DataFrame,
    hops: pl.DataFrame,
    segments: pl.DataFrame,
    spans: pl.DataFrame,
    warnings: pl.DataFrame,
    essential: Callable[..., bool | None] = lambda *_: None,
) -> Evidence:
    """Tie stored rows together (columns as named above; more do no harm)."""
    told = requests.select(REQUEST_COLUMNS).with_row_index("request")
    rows = _spans(spans.select(SPAN_COLUMNS), told, hops)
    found = _lookup(rows)
    told = _with_row(told, found, "entry_span_id", "entry_row")
    path = _path(segments, told, found)
    asked, horizon_of = _questions(path, told)
    return Evidence(
        requests=told,
        calls=_calls(hops, told, rows, found),
        path=path,
        spans=rows,
        warnings=_warnings(warnings, rows, told, found),
        times=timeline(rows, *asked),
        horizon_of=horizon_of,
        essential=essential,
    )


def _lookup(rows: pl.DataFrame) -> pl.DataFrame:
    """Give the row of each (trace, span); of a client and a server that share an id, the client's."""
    client = words.code(words.SPAN_KINDS, "client")
    found = rows.sort(pl.col("kind") != client, "row").unique(["trace_id", "span_id"], keep="first")
    return found.select("trace_id", "span_id", "row")


def _with_row(frame: pl.DataFrame, found: pl.DataFrame, column: str, name: str) -> pl.DataFrame:
    named = found.rename({"span_id": column, "row": name})
    joined = frame.join(named, on=["trace_id", column], how="left", maintain_order="left")
    return joined.with_columns(pl.col(name).fill_null(NONE))


def _spans(spans: pl.DataFrame, requests: pl.DataFrame, hops: pl.DataFrame) -> pl.DataFrame:
    """Number spans, find their parents (over joins across traces too) and the request that each belongs to."""
    kind = pl.col("kind").replace_strict(
        {name: code for code, name in enumerate(words.SPAN_KINDS)}, default=0, return_dtype=pl.UInt8
    )
    rows = (
        spans.unique(["trace_id", "span_id", "kind"], keep="first", maintain_order=True)
        .with_columns(kind)
        .with_row_index("row")
        .with_columns(pl.col("row").cast(pl.Int32))
    )
    found = _lookup(rows)
    rows = _with_row(rows, found, "parent_span_id", "parent_row")
    rows = rows.with_columns(
        parent_row=pl.when(pl.col("parent_row") == pl.col("row")).then(NONE).otherwise("parent_row")
    )
    callers = _callers_of_roots(hops, rows, found)
    rows = rows.join(callers, on="row", how="left", maintain_order="left").with_columns(
        parent_row=pl.when(pl.col("parent_row") == NONE)
        .then(pl.col("caller_row").fill_null(NONE))
        .otherwise("parent_row")
    )
    belongs = _belongs(rows, requests, found)
    unwaited = _with_row(hops.filter(pl.col("async")), found, "client_span_id", "row").get_column("row")
    consumer = words.code(words.SPAN_KINDS, "consumer")
    return rows.drop("caller_row").with_columns(
        request=pl.Series(belongs),
        waited=~pl.col("row").is_in(unwaited.implode()) & (pl.col("kind") != consumer),
    )


def _callers_of_roots(hops: pl.DataFrame, rows: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Give the calling span of server spans that have no parent of their own: joined by an id."""
    joined = hops.filter((pl.col("joined_by") != "trace_context") & pl.col("server_span_id").is_not_null())
    pairs = _with_row(joined, found, "client_span_id", "caller_row").select("server_span_id", "caller_row")
    servers = rows.filter(pl.col("parent_row") == NONE).select("row", "span_id")
    return pairs.join(servers, left_on="server_span_id", right_on="span_id").select("row", "caller_row").unique("row")


def _belongs(rows: pl.DataFrame, requests: pl.DataFrame, found: pl.DataFrame) -> Int32s:
    """Give the request of each span: that of the nearest entry above it; NONE where there is none."""
    entries = _with_row(requests, found, "entry_span_id", "entry_row").filter(pl.col("entry_row") != NONE)
    request = np.full(rows.height, NONE, np.int32)
    request[entries.get_column("entry_row").to_numpy()] = entries.get_column("request").to_numpy()
    up = rows.get_column("parent_row").to_numpy().astype(np.int32)
    while True:  # pointers double their reach in every round
        open_ = (request == NONE) & (up != NONE)
        if not open_.any():
            return request
        before = (request.copy(), up.copy())
        request[open_] = before[0][before[1][open_]]
        up[open_] = before[1][before[1][open_]]
        if np.array_equal(up, before[1]) and np.array_equal(request, before[0]):
            return request


def _of_requests(frame: pl.DataFrame, requests: pl.DataFrame) -> pl.DataFrame:
    return frame.join(requests.select("request_id", "request", "route"), on="request_id", maintain_order="left")


def _calls(hops: pl.DataFrame, requests: pl.DataFrame, rows: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    told = _of_requests(hops.select(HOP_COLUMNS), requests)
    told = _with_row(told, found, "client_span_id", "row").filter(pl.col("row") != NONE)
    told = _with_row(told, found, "server_span_id", "server_row")
    facts = rows.select(
        "row",
        "parent_row",
        "method",
        "url_full",
        "scope",
        "cache_status",
        "cache_reason",
        "essential",
        "db_system",
        statement="db_statement",
    )
    return told.join(facts, on="row", maintain_order="left").with_columns(
        end_ns=pl.col("start_ns") + pl.col("duration_ns"),
        caller=pl.col("seam").str.extract(_CALLER),
        callee=pl.col("seam").str.extract(_CALLEE),
    )


def _path(segments: pl.DataFrame, requests: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    told = segments.select(SEGMENT_COLUMNS).join(
        requests.select("request_id", "request", "route", "trace_id"), on="request_id", maintain_order="left"
    )
    in_trace = _with_row(told, found, "span_id", "row")
    alone = found.unique("span_id", keep="none").select("span_id", other="row")
    both = in_trace.join(alone, on="span_id", how="left", maintain_order="left")
    row = pl.when(pl.col("row") == NONE).then(pl.col("other").fill_null(NONE)).otherwise("row")
    return both.with_columns(row=row).drop("other")


def _questions(path: pl.DataFrame, requests: pl.DataFrame) -> tuple[tuple[Int32s, Int64s], pl.DataFrame]:
    """Ask when each known horizon would come: in the last span of its path."""
    last = (
        path.filter(pl.col("row") != NONE)
        .sort("request", "horizon", "end_ns")
        .group_by("request", "horizon", maintain_order=True)
        .agg(pl.col("row").last(), pl.col("end_ns").last())
    )
    asked = last.join(
        requests.select("request", "shell_ns", "complete_ns", begin_ns="start_ns"),
        on="request",
        maintain_order="left",
    ).with_columns(horizon_ns=pl.when(pl.col("horizon") == "shell").then("shell_ns").otherwise("complete_ns"))
    rows = asked.get_column("row").to_numpy().astype(np.int32)
    at = (asked.get_column("begin_ns") + asked.get_column("end_ns")).to_numpy().astype(np.int64)
    return (rows, at), asked.select("request", "horizon", "horizon_ns")


def _warnings(warnings: pl.DataFrame, rows: pl.DataFrame, requests: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    told = _with_row(warnings.select(WARNING_COLUMNS), found, "span_id", "row").filter(pl.col("row") != NONE)
    owned = told.join(rows.select("row", "request"), on="row").filter(pl.col("request") != NONE)
    return owned.join(requests.select(pl.col("request").cast(pl.Int32), "route"), on="request")


def rows_of(spans: pl.DataFrame, requests: pl.Series) -> Mask:
    """Mark the spans of some requests."""
    mask: Mask = spans.get_column("request").is_in(requests.cast(pl.Int32).implode()).to_numpy()
    return mask
