"""What the rules look at: stored results and the spans behind them, tied together by row numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from analysis.arrays import NONE, Int32s
from analysis.findings.timeline import timeline
from analysis.findings.within import Stretches, nearest_around
from analysis.grouping import number_pairs
from seamscope.schema import words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from analysis.findings.retiming import Timeline

CLIENT: Final = words.code(words.SPAN_KINDS, "client")
SERVER: Final = words.code(words.SPAN_KINDS, "server")
CONSUMER: Final = words.code(words.SPAN_KINDS, "consumer")

MOST_TRACES: Final = 8
"""Traces of one request in which a span is looked for that is not among the request's own."""

_TIER: Final = "|".join(words.TIERS)
_CALLER: Final = rf"^((?:{_TIER}):.*)→(?:{_TIER}):"
_CALLEE: Final = rf"^(?:{_TIER}):.*→((?:{_TIER}):.*)$"

_REACHED: Final = pl.col("start_ns") + pl.col("request_leg_ns")

_AFTER_HOST: Final = r"^[a-z]+://[^/]+"

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
    `caller`, `callee`, `target` (the address after the host), and the client span's
    `method url_full scope cache_status cache_reason essential db_system`."""
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


def gather(frames: Mapping[str, pl.DataFrame], essential: Callable[..., bool | None] = lambda *_: None) -> Evidence:
    """Tie stored rows together: frames by name, with at least the columns of `COLUMNS`."""
    given = {name: frames[name].select(*columns) for name, columns in COLUMNS.items()}
    requests = given["requests"].with_row_index("request")
    traces = _owned(given["traces"], requests)
    spans, found = _spans(given["spans"], requests, traces, given["hops"])
    ends = _with_own_row(_owned(given["ends"], requests), traces, spans, found).filter(pl.col("row") != NONE)
    asked_row, asked_at, asked_by = (ends.get_column(name).to_numpy() for name in ("row", "at_ns", "request"))
    return Evidence(
        requests=_with_row(requests, found, "entry_span_id", "entry_row"),
        calls=_calls(_owned(given["hops"], requests), spans, found),
        path=_with_own_row(_owned(given["path"], requests), traces, spans, found),
        spans=spans,
        warnings=_warnings(given["warnings"], spans, found),
        times=timeline(
            spans, asked_row.astype(np.int32), asked_at.astype(np.int64), asked_by.astype(np.int32), requests.height
        ),
        horizon_of=ends.select("request", "horizon", "horizon_ns"),
        essential=essential,
    )


def _owned(frame: pl.DataFrame, requests: pl.DataFrame) -> pl.DataFrame:
    return frame.join(requests.select("request_no", "request", "route"), on="request_no", maintain_order="left")


def _lookup(spans: pl.DataFrame) -> pl.DataFrame:
    """Give the row of each (trace, span); of a client and a server that share an id, the client's."""
    told = spans.select("trace_id", "span_id", "row", other=pl.col("kind") != CLIENT)
    return told.sort("other", "row").unique(["trace_id", "span_id"], keep="first").drop("other")


def _with_row(frame: pl.DataFrame, found: pl.DataFrame, column: str, name: str) -> pl.DataFrame:
    asked = frame.select("trace_id", span_id=column)  # apart: a join copies every column it is given
    rows = asked.join(found, on=["trace_id", "span_id"], how="left", maintain_order="left").get_column("row")
    return frame.with_columns(rows.fill_null(NONE).alias(name))


def _with_own_row(frame: pl.DataFrame, traces: pl.DataFrame, spans: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Find spans (`span_id`) of requests: among their own, else in one of their first few traces."""
    own = spans.select(pl.col("request").cast(pl.UInt32, strict=False), "span_id", "row").drop_nulls("request")
    own = own.unique(["request", "span_id"], keep="first", maintain_order=True)
    joined = frame.join(own, on=["request", "span_id"], how="left", maintain_order="left")
    if joined.get_column("row").null_count():
        wanted = joined.filter(pl.col("row").is_null()).select("request", "span_id").unique()
        few = traces.filter(pl.col("trace_id").cum_count().over("request") <= MOST_TRACES)
        other = wanted.join(few, on="request").join(found, on=["trace_id", "span_id"])
        other = other.select("request", "span_id", other="row").unique(["request", "span_id"])
        joined = joined.join(other, on=["request", "span_id"], how="left", maintain_order="left")
        joined = joined.with_columns(row=pl.coalesce("row", "other")).drop("other")
    return joined.with_columns(pl.col("row").fill_null(NONE))


def _once(spans: pl.DataFrame) -> pl.DataFrame:
    """Leave out spans that came again."""
    trace, span = (
        spans.get_column(name).reinterpret(signed=True).to_numpy().copy() for name in ("trace_id", "span_id")
    )
    number, _ = number_pairs(trace, span)
    _, first = number_pairs(number.astype(np.int64), spans.get_column("kind").to_numpy().astype(np.int64))
    return spans if first.size == spans.height else spans[pl.Series(first.astype(np.uint32))]


def _spans(
    spans: pl.DataFrame, requests: pl.DataFrame, traces: pl.DataFrame, hops: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Number spans, find their parents (over joins across traces too) and the request that each belongs to.

    Gives with them the row of each (trace, span).
    """
    rows = _once(spans).with_row_index("row").with_columns(pl.col("row").cast(pl.Int32))
    found = _lookup(rows)
    rows = _with_row(rows, found, "parent_span_id", "parent_row")
    own = pl.col("parent_row") == pl.col("row")
    rows = rows.with_columns(parent_row=pl.when(own).then(NONE).otherwise("parent_row"))
    callers = _callers_of_roots(hops, rows, found)
    if callers.height:
        rows = rows.join(callers, on="row", how="left", maintain_order="left").with_columns(
            parent_row=pl.coalesce("caller_row", "parent_row")
        )
    rows = _adopted(rows)
    unwaited = _with_row(hops.filter(pl.col("async")), found, "client_span_id", "row").get_column("row")
    rows = rows.drop("caller_row", strict=False).with_columns(
        request=pl.Series(_belongs(rows, requests, traces, hops, found)),
        waited=~pl.col("row").is_in(unwaited.implode()) & (pl.col("kind") != CONSUMER),
    )
    reached = rows.select("row").join(_reached(rows, hops), on="row", how="left", maintain_order="left")
    return rows.with_columns(reached.get_column("reached_ns")), found


def _reached(rows: pl.DataFrame, hops: pl.DataFrame) -> pl.DataFrame:
    """Say when calls reached their server spans, on their callers' clocks: `row`, `reached_ns`."""
    servers = rows.filter(pl.col("kind") == SERVER).select("trace_id", "row", server_span_id="span_id")
    known = hops.filter(pl.col("request_leg_ns").is_not_null())
    same = known.join(servers, on=["trace_id", "server_span_id"]).select("row", reached_ns=_REACHED)
    elsewhere = known.filter(pl.col("joined_by") != "trace_context").join(
        servers.unique("server_span_id", keep="none"), on="server_span_id"
    )
    return pl.concat([same, elsewhere.select("row", reached_ns=_REACHED)]).unique("row", keep="first")


def _callers_of_roots(hops: pl.DataFrame, rows: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Give the calling span of server spans that have no parent of their own: joined by an id."""
    joined = hops.filter((pl.col("joined_by") != "trace_context") & pl.col("server_span_id").is_not_null())
    pairs = _with_row(joined, found, "client_span_id", "caller_row").select("server_span_id", "caller_row")
    servers = rows.filter(pl.col("parent_row") == NONE).select("row", "span_id").unique("span_id", keep="none")
    told = pairs.join(servers, left_on="server_span_id", right_on="span_id").select("row", "caller_row").unique("row")
    return told.filter((pl.col("caller_row") != NONE) & (pl.col("caller_row") != pl.col("row")))


def _adopted(rows: pl.DataFrame) -> pl.DataFrame:
    """Hang spans whose parent was lost from the shortest server span of their service around them, if there is one."""
    lost = rows.filter((pl.col("parent_row") == NONE) & pl.col("parent_span_id").is_not_null())
    traces = lost.get_column("trace_id").unique()
    around = rows.filter((pl.col("kind") == SERVER) & pl.col("trace_id").is_in(traces.implode()))
    if not around.height:
        return rows
    place = nearest_around(_stretches(lost), _stretches(around))
    up = rows.get_column("parent_row").to_numpy().copy()
    up[lost.get_column("row").to_numpy()] = np.where(place == NONE, NONE, around.get_column("row").to_numpy()[place])
    return rows.with_columns(parent_row=pl.Series(up))


def _stretches(rows: pl.DataFrame) -> Stretches:
    group = rows.select(pl.struct("trace_id", "service").hash().reinterpret(signed=True)).to_series().to_numpy()
    start, end, row = (rows.get_column(name).to_numpy() for name in ("start_ns", "end_ns", "row"))
    return Stretches(group, start, end, row.astype(np.int64))


def _belongs(
    rows: pl.DataFrame, requests: pl.DataFrame, traces: pl.DataFrame, hops: pl.DataFrame, found: pl.DataFrame
) -> Int32s:
    """Give the request of each span: that of the nearest call or entry above it, else the only one of its trace."""
    entries = _with_row(requests, found, "entry_span_id", "row").filter(pl.col("row") != NONE)
    called = _with_row(_owned(hops, requests), found, "client_span_id", "row").filter(pl.col("row") != NONE)
    request = np.full(rows.height, NONE, np.int32)
    request[called.get_column("row").to_numpy()] = called.get_column("request").to_numpy()
    request[entries.get_column("row").to_numpy()] = entries.get_column("request").to_numpy()
    _from_above(request, rows.get_column("parent_row").to_numpy())
    only = traces.unique(["trace_id", "request"]).unique("trace_id", keep="none").select("trace_id", only="request")
    alone = rows.select("trace_id").join(only, on="trace_id", how="left", maintain_order="left")
    other = alone.get_column("only").cast(pl.Int32).fill_null(NONE).to_numpy()
    return np.where(request == NONE, other, request).astype(np.int32)


def _from_above(known: Int32s, parent: Int32s) -> None:
    """Give every span that has none (`NONE`) what the nearest span above it has."""
    up = parent.astype(np.int32)
    for _ in range(max(known.size, 2).bit_length()):  # pointers double their reach in every round
        open_ = np.flatnonzero((known == NONE) & (up != NONE))
        if not open_.size:
            break
        above = up[open_]
        known[open_] = known[above]
        up[open_] = up[above]


def _handlers(spans: pl.DataFrame) -> Int32s:
    """Give the server span that each span is in or is, `NONE` where there is none."""
    served = spans.get_column("kind").to_numpy() == SERVER
    handler = np.where(served, np.arange(spans.height), NONE).astype(np.int32)
    _from_above(handler, spans.get_column("parent_row").to_numpy())
    return handler


def _calls(hops: pl.DataFrame, spans: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    told = _with_row(hops, found, "client_span_id", "row").filter(pl.col("row") != NONE)
    told = _with_row(told, found, "server_span_id", "server_row")
    own = spans.select(
        "parent_row", "method", "url_full", "scope", "cache_status", "cache_reason", "essential", "db_system"
    )[told.get_column("row")]
    own = own.with_columns(essential=pl.coalesce("essential", _said_within(spans, told)))
    server = told.get_column("server_row").to_numpy()
    inner = np.where(server == NONE, NONE, spans.get_column("parent_row").to_numpy()[server])
    told = pl.concat([told, own], how="horizontal").with_columns(
        inner_row=pl.Series(np.where(inner == NONE, told.get_column("row").to_numpy(), inner)),
        handler_row=pl.Series(_handlers(spans)[told.get_column("row").to_numpy()]),
        end_ns=pl.col("start_ns") + pl.col("duration_ns"),
    )
    told = _named(told, "seam", caller=pl.col("seam").str.extract(_CALLER), callee=pl.col("seam").str.extract(_CALLEE))
    return _named(told, "url_full", target=pl.col("url_full").str.replace(_AFTER_HOST, "").str.replace("#.*$", ""))


def _said_within(spans: pl.DataFrame, calls: pl.DataFrame) -> pl.Series:
    """Give what users said (`essential`) on client spans within each call's: one call may be a chain of them."""
    whose = np.where(spans.get_column("kind").to_numpy() == SERVER, np.arange(spans.height), NONE).astype(np.int32)
    whose[calls.get_column("row").to_numpy()] = calls.get_column("row").to_numpy()
    _from_above(whose, spans.get_column("parent_row").to_numpy())
    said = spans.select("kind", "essential", row=pl.Series(whose)).filter(
        (pl.col("kind") == CLIENT) & pl.col("essential").is_not_null()
    )
    first = said.unique("row", keep="first", maintain_order=True).select("row", "essential")
    return calls.select("row").join(first, on="row", how="left", maintain_order="left").get_column("essential")


def _named(rows: pl.DataFrame, column: str, **parts: pl.Expr) -> pl.DataFrame:
    """Give parts of a text to every row, each text read once."""
    texts = rows.select(column).unique().with_columns(**parts)
    return rows.join(texts, on=column, how="left", nulls_equal=True, maintain_order="left")


def _warnings(warnings: pl.DataFrame, spans: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    told = _with_row(warnings, found, "span_id", "row").filter(pl.col("row") != NONE)
    return told.join(spans.select("row", "request"), on="row").filter(pl.col("request") != NONE)
