"""Stored rows tied together into what the rules look at: spans to their parents, calls to their spans, all to requests.

Rows are looked up by kernels and their columns put beside: a join would copy all the columns it is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis.arrays import MISSING, NONE, Int32s, Int64s
from analysis.findings.evidence import CLIENT, COLUMNS, CONSUMER, SERVER, Evidence
from analysis.findings.seeking import Seeker, turns
from analysis.findings.timeline import timeline
from analysis.findings.within import Stretches, nearest_around
from analysis.grouping import number_pairs
from seamscope.schema import words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_TRACES: Final = 8
"""Traces of one request in which a span is looked for that is not among the request's own."""

_TIER: Final = "|".join(words.TIERS)
_CALLER: Final = rf"^((?:{_TIER}):.*)→(?:{_TIER}):"
_CALLEE: Final = rf"^(?:{_TIER}):.*→((?:{_TIER}):.*)$"
_TARGET: Final = pl.col("url_full").str.replace(r"^[a-z]+://[^/]+", "").str.replace("#.*$", "")
_BY_ID: Final = pl.col("joined_by") != "trace_context"


def gather(frames: Mapping[str, pl.DataFrame], essential: Callable[..., bool | None] = lambda *_: None) -> Evidence:
    """Tie stored rows together: frames by name, with at least the columns of `COLUMNS`."""
    given = {name: frames[name].select(*columns) for name, columns in COLUMNS.items()}
    requests = given["requests"].with_row_index("request")
    traces, hops, ends, path = (_owned(given[name], requests) for name in ("traces", "hops", "ends", "path"))
    rows = _once(given["spans"]).with_row_index("row").with_columns(pl.col("row").cast(pl.Int32))
    seeker = _by_trace(rows)
    hops = hops.with_columns(
        row=pl.Series(seeker.rows(hops.get_column("trace_id"), hops.get_column("client_span_id"))),
        server_row=pl.Series(seeker.rows(hops.get_column("trace_id"), hops.get_column("server_span_id"))),
    )
    entries = seeker.rows(requests.get_column("trace_id"), requests.get_column("entry_span_id"))
    spans = _spans(rows, hops, seeker, entries, traces)
    own = _by_request(spans)
    ends = _with_row(ends, own, traces, seeker).filter(pl.col("row") != NONE)
    asked_row, asked_at, asked_by = (ends.get_column(name).to_numpy() for name in ("row", "at_ns", "request"))
    calls = _calls(hops.filter(pl.col("row") != NONE), spans)
    return Evidence(
        requests=requests.with_columns(entry_row=pl.Series(entries)),
        calls=calls,
        awaited=calls.filter(~pl.col("async")),
        path=_with_row(path, own, traces, seeker),
        spans=spans,
        warnings=_warnings(given["warnings"], spans, seeker),
        times=timeline(
            spans, asked_row.astype(np.int32), asked_at.astype(np.int64), asked_by.astype(np.int32), requests.height
        ),
        horizon_of=ends.select("request", "horizon", "horizon_ns"),
        essential=essential,
    )


def _owned(frame: pl.DataFrame, requests: pl.DataFrame) -> pl.DataFrame:
    """Add the request's number among those at hand and its route; rows of others are left out."""
    known = requests.select("request_no", "request", "route")
    told = frame.select("request_no").join(known, on="request_no", how="left", maintain_order="left")
    return frame.with_columns(told.select("request", "route")).filter(pl.col("request").is_not_null())


def _once(spans: pl.DataFrame) -> pl.DataFrame:
    """Leave out spans that came again."""
    trace, span = (
        spans.get_column(name).reinterpret(signed=True).to_numpy().copy() for name in ("trace_id", "span_id")
    )
    number, _ = number_pairs(trace, span)
    _, first = number_pairs(number.astype(np.int64), spans.get_column("kind").to_numpy().astype(np.int64))
    return spans if first.size == spans.height else spans[pl.Series(first.astype(np.uint32))]


def _by_trace(rows: pl.DataFrame) -> Seeker:
    """Find spans by trace and id; of a client and a server that share an id, the client's."""
    client = rows.get_column("kind").to_numpy() == CLIENT
    order = np.concatenate([np.flatnonzero(client), np.flatnonzero(~client)])
    return Seeker(rows.get_column("trace_id"), rows.get_column("span_id"), order)


def _by_request(spans: pl.DataFrame) -> Seeker:
    """Find spans by request and id."""
    request = spans.get_column("request")
    return Seeker(request, spans.get_column("span_id"), np.flatnonzero(request.to_numpy() != NONE))


def _with_row(frame: pl.DataFrame, own: Seeker, traces: pl.DataFrame, seeker: Seeker) -> pl.DataFrame:
    """Find spans (`span_id`) of requests: among their own, else in one of their first few traces."""
    row = own.rows(frame.get_column("request"), frame.get_column("span_id"))
    lost = np.flatnonzero((row == NONE) & (frame.get_column("span_id").fill_null(0).to_numpy() != 0))
    if lost.size:
        row[lost] = _elsewhere(frame.select("request", "span_id")[lost], traces, seeker)
    return frame.with_columns(row=pl.Series(row))


def _elsewhere(wanted: pl.DataFrame, traces: pl.DataFrame, seeker: Seeker) -> Int32s:
    """Give the row of each span (`request`, `span_id`) that is in one of the first few traces of its request."""
    few = traces.select("request", "trace_id").filter(turns(traces, ["request"]) < MOST_TRACES)
    pairs = wanted.with_row_index("at").join(few, on="request", maintain_order="left_right")
    found = seeker.rows(pairs.get_column("trace_id"), pairs.get_column("span_id"))
    rows = np.full(wanted.height, NONE, np.int32)
    known = np.flatnonzero(found != NONE)[::-1]
    rows[pairs.get_column("at").to_numpy()[known]] = found[known]
    return rows


def _spans(
    rows: pl.DataFrame, hops: pl.DataFrame, seeker: Seeker, entries: Int32s, traces: pl.DataFrame
) -> pl.DataFrame:
    """Find the parents of spans (over joins across traces too), the request that each belongs to, and when it began."""
    parent = seeker.rows(rows.get_column("trace_id"), rows.get_column("parent_span_id"))
    parent[parent == np.arange(parent.size)] = NONE
    _hang_below_callers(parent, rows, hops)
    _adopt(parent, rows)
    unwaited = hops.filter(pl.col("async") & (pl.col("row") != NONE)).get_column("row").to_numpy()
    waited = rows.get_column("kind").to_numpy() != CONSUMER
    waited[unwaited] = False
    return rows.with_columns(
        parent_row=pl.Series(parent),
        request=pl.Series(_belongs(parent, rows, hops, entries, traces)),
        waited=pl.Series(waited),
        reached_ns=pl.Series(_reached(rows, hops)).replace(MISSING, None),
    )


def _reached(rows: pl.DataFrame, hops: pl.DataFrame) -> Int64s:
    """Say when calls reached their server spans, on their callers' clocks; `MISSING` where nobody knows."""
    served = rows.get_column("kind").to_numpy() == SERVER
    servers = Seeker(rows.get_column("trace_id"), rows.get_column("span_id"), np.flatnonzero(served))
    known = hops.filter(pl.col("request_leg_ns").is_not_null() & pl.col("server_span_id").is_not_null())
    same = pl.Series(servers.rows(known.get_column("trace_id"), known.get_column("server_span_id")))
    told = known.select(
        row=same, at_ns=pl.col("start_ns") + pl.col("request_leg_ns"), by_id=_BY_ID, id="server_span_id"
    )
    elsewhere = told.filter("by_id")
    if elsewhere.height:
        lone = rows.filter(pl.Series(served)).select("row", id="span_id").unique("id", keep="none")
        told = pl.concat([told, elsewhere.drop("row").join(lone, on="id").select(told.columns)])
    told = told.filter(pl.col("row") != NONE).reverse()  # of several, the first is the last to be put there
    reached = np.full(rows.height, MISSING, np.int64)
    reached[told.get_column("row").to_numpy()] = told.get_column("at_ns").to_numpy()
    return reached


def _hang_below_callers(parent: Int32s, rows: pl.DataFrame, hops: pl.DataFrame) -> None:
    """Hang server spans that have no parent of their own from the calling span: joined by an id."""
    joined = hops.filter(_BY_ID & pl.col("server_span_id").is_not_null() & (pl.col("row") != NONE))
    if not joined.height:
        return
    lone = rows.select("row", "span_id").filter(pl.Series(parent == NONE)).unique("span_id", keep="none")
    told = joined.select("server_span_id", caller="row").join(lone, left_on="server_span_id", right_on="span_id")
    told = told.unique("row", keep="first").filter(pl.col("caller") != pl.col("row"))
    parent[told.get_column("row").to_numpy()] = told.get_column("caller").to_numpy()


def _adopt(parent: Int32s, rows: pl.DataFrame) -> None:
    """Hang spans whose parent was lost from the shortest server span of their service around them, if there is one."""
    lost = rows.filter(pl.Series(parent == NONE) & pl.col("parent_span_id").is_not_null())
    traces = lost.get_column("trace_id").unique()
    around = (
        rows.filter((pl.col("kind") == SERVER) & pl.col("trace_id").is_in(traces.implode())) if lost.height else lost
    )
    if not around.height:
        return
    place = nearest_around(_stretches(lost), _stretches(around))
    found = np.where(place == NONE, NONE, around.get_column("row").to_numpy()[place])
    parent[lost.get_column("row").to_numpy()] = found


def _stretches(rows: pl.DataFrame) -> Stretches:
    group = rows.select(pl.struct("trace_id", "service").hash().reinterpret(signed=True)).to_series().to_numpy()
    start, end, row = (rows.get_column(name).to_numpy() for name in ("start_ns", "end_ns", "row"))
    return Stretches(group, start, end, row.astype(np.int64))


def _belongs(parent: Int32s, rows: pl.DataFrame, hops: pl.DataFrame, entries: Int32s, traces: pl.DataFrame) -> Int32s:
    """Give the request of each span: that of the nearest call or entry above it, else the only one of its trace."""
    request = np.full(rows.height, NONE, np.int32)
    called = hops.select("row", "request").filter(pl.col("row") != NONE)
    request[called.get_column("row").to_numpy()] = called.get_column("request").to_numpy()
    known = np.flatnonzero(entries != NONE)
    request[entries[known]] = known
    _from_above(request, parent)
    if (request != NONE).all():
        return request
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


def _nearest(spans: pl.DataFrame, marked: Int32s) -> Int32s:
    """Give the nearest server span, or marked one, that each span is in or is; `NONE` where there is none."""
    served = spans.get_column("kind").to_numpy() == SERVER
    nearest = np.where(served, np.arange(spans.height), NONE).astype(np.int32)
    nearest[marked] = marked
    _from_above(nearest, spans.get_column("parent_row").to_numpy())
    return nearest


def _calls(hops: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    row, server = (hops.get_column(name).to_numpy() for name in ("row", "server_row"))
    own = spans.select(
        "parent_row", "method", "url_full", "scope", "cache_status", "cache_reason", "essential", "db_system"
    )[hops.get_column("row")]
    own = own.with_columns(essential=pl.coalesce("essential", _said_within(spans, row)))
    inner = np.where(server == NONE, NONE, spans.get_column("parent_row").to_numpy()[server])
    told = pl.concat([hops, own], how="horizontal").with_columns(
        inner_row=pl.Series(np.where(inner == NONE, row, inner)),
        handler_row=pl.Series(_nearest(spans, np.empty(0, np.int32))[row]),
        end_ns=pl.col("start_ns") + pl.col("duration_ns"),
    )
    told = _named(told, "seam", caller=pl.col("seam").str.extract(_CALLER), callee=pl.col("seam").str.extract(_CALLEE))
    return _named(told, "url_full", target=_TARGET, target_path=_TARGET.str.replace(r"\?.*$", ""))


def _said_within(spans: pl.DataFrame, calls: Int32s) -> pl.Series:
    """Give what users said (`essential`) on client spans within each call's: one call may be a chain of them."""
    said = spans.select("kind", "essential", "row").filter(
        (pl.col("kind") == CLIENT) & pl.col("essential").is_not_null()
    )
    if not said.height:
        return pl.Series([None], dtype=pl.Boolean).new_from_index(0, calls.size)
    whose = _nearest(spans, calls)[said.get_column("row").to_numpy()]
    first = said.select("essential", row=pl.Series(whose)).unique("row", keep="first", maintain_order=True)
    told = pl.DataFrame({"row": calls}).join(first, on="row", how="left", maintain_order="left")
    return told.get_column("essential")


def _named(rows: pl.DataFrame, column: str, **parts: pl.Expr) -> pl.DataFrame:
    """Give parts of a text to every row, each text read once."""
    texts = rows.select(column).unique().with_columns(**parts)
    told = rows.select(column).join(texts, on=column, how="left", nulls_equal=True, maintain_order="left")
    return rows.with_columns(told.select(*parts))


def _warnings(warnings: pl.DataFrame, spans: pl.DataFrame, seeker: Seeker) -> pl.DataFrame:
    row = pl.Series(seeker.rows(warnings.get_column("trace_id"), warnings.get_column("span_id")), dtype=pl.Int32)
    told = warnings.with_columns(row=row).filter(pl.col("row") != NONE)
    told = told.with_columns(request=spans.get_column("request").gather(told.get_column("row")))
    return told.filter(pl.col("request") != NONE)
