"""Results as tables: arrays become the columns of `seamscope.schema.tables`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from analysis.arrays import MISSING, Codes, Int32s, Int64s, Mask
from analysis.columns import texts_at
from analysis.owners import greatest_shares
from seamscope.schema import words
from seamscope.schema.tables import OWNERS, RESULTS

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from analysis.critical import Requests, Segments
    from analysis.forest import Forest
    from analysis.journeys import Journeys

DTYPES: Final = {
    "uint8": pl.UInt8,
    "uint32": pl.UInt32,
    "uint64": pl.UInt64,
    "int16": pl.Int16,
    "int32": pl.Int32,
    "int64": pl.Int64,
    "double": pl.Float64,
    "bool": pl.Boolean,
    "string": pl.String,
}
"""Arrow's names of the types in the schema, and ours."""


def types_of(schema: pa.Schema) -> pl.Schema:
    """Return the columns of a table of the schema and their types."""
    return pl.Schema({field.name: DTYPES[str(field.type)] for field in schema})


def table(name: str, values: dict[str, Any]) -> pl.DataFrame:
    """Make a table of results; columns that are not given are null."""
    types = types_of(RESULTS[name])
    height = max((len(value) for value in values.values()), default=0)
    made = []
    for column, dtype in types.items():
        value = values.get(column)
        if value is None:
            made.append(pl.Series(column, [None], dtype=dtype).new_from_index(0, height))
            continue
        series = value if isinstance(value, pl.Series) else pl.Series(value)
        made.append(series.alias(column).cast(dtype))
    return pl.DataFrame(made)


def known(values: npt.NDArray[Any], absent: int = MISSING) -> pl.Series:
    """Return numbers with the unknown ones null."""
    series = pl.Series(values)
    unknown = values == absent
    return series.set(pl.Series(unknown), None) if unknown.any() else series


def ids(values: npt.NDArray[Any]) -> pl.Series:
    """Return id bits as unsigned ids."""
    return pl.Series(np.ascontiguousarray(values).view(np.uint64))


def trace_ids(forest: Forest, rows: Int32s | Int64s) -> dict[str, pl.Series]:
    """Return both halves of the trace ids of these spans."""
    return {"trace_hi": ids(forest.spans.trace_hi[rows]), "trace_lo": ids(forest.spans.trace_lo[rows])}


def _prefer(first: pl.Series, second: pl.Series) -> pl.Series:
    return first.zip_with(first.is_not_null(), second)


def _of_resource(forest: Forest, rows: Int32s, name: str) -> pl.Series:
    frame = forest.resources.frame
    if name not in frame.columns:
        return pl.Series(name, [None], dtype=pl.String).new_from_index(0, rows.size)
    return texts_at(frame.get_column(name).cast(pl.String), forest.resource[rows])


def _route(forest: Forest, row: Int32s) -> pl.Series:
    spans = forest.spans
    told = pl.DataFrame([spans.gather(name, row).alias(name) for name in ("route", "method", "operation")])
    joined = pl.concat_str("method", "route", separator=" ")
    return told.select(
        pl.when(pl.col("route").is_not_null()).then(pl.coalesce(joined, "route")).otherwise(pl.col("operation"))
    ).to_series()


def _answered(route: pl.Series, by_middleware: Mask) -> pl.Series:
    """Keep what the middleware answered apart from the page of that route: a redirect is no fast render."""
    return (route + " (middleware)").zip_with(pl.Series(by_middleware), route) if by_middleware.any() else route


def _dominant(requests: Requests, segments: Segments, owners: pl.DataFrame) -> tuple[Int32s, Codes]:
    """Return owner and cause of the greatest share of each request's first known horizon."""
    return greatest_shares(
        requests.count,
        segments.request,
        np.where(requests.shell_evidence != words.UNKNOWN, 0, 1).astype(np.uint8),
        segments.horizon,
        segments.low,
        segments.high,
        segments.owner,
        segments.cause,
        owners.get_column("owner").rank("ordinal").cast(pl.Int64).to_numpy().copy(),
    )


def _settled(forest: Forest, requests: Requests) -> Int64s:
    """Return when the last span of each request's traces came in."""
    spans, trace = forest.spans, forest.spans.trace_of()
    settled = spans.settled[trace[requests.entry]]
    across = np.flatnonzero(forest.joined[: forest.unseen_from])
    np.maximum.at(settled, requests.number_of[across], spans.settled[trace[across]])
    return settled


def requests_table(forest: Forest, requests: Requests) -> pl.DataFrame:
    """Return a row per request, without what leads it."""
    spans = forest.spans
    entry = requests.entry
    naming = np.where(requests.naming >= 0, requests.naming, entry)
    method = _prefer(spans.gather("method", naming), spans.gather("method", entry))
    status = _prefer(spans.gather("http_status", naming), spans.gather("http_status", entry))
    belongs = requests.number_of[: forest.unseen_from]
    correlation = spans.gather("correlation_id", entry)
    return table(
        "requests",
        {
            "request_no": np.arange(requests.count),
            **trace_ids(forest, entry),
            "entry_span_id": ids(forest.span_id[entry]),
            "kind": requests.kind,
            "service": texts_at(pl.Series(forest.resources.service, dtype=pl.String), forest.resource[entry]),
            "route": _answered(_prefer(_route(forest, naming), _route(forest, entry)), requests.by_middleware),
            "method": method,
            "status": status,
            "environment": _of_resource(forest, entry, "environment"),
            "place": _prefer(spans.gather("place", entry), _of_resource(forest, entry, "place")),
            "service_version": _of_resource(forest, entry, "service_version"),
            "correlation_id": correlation,
            "start_ns": forest.start[requests.top],
            "shell_ns": known(np.where(requests.shell == MISSING, MISSING, requests.shell - requests.start)),
            "complete_ns": known(np.where(requests.complete == MISSING, MISSING, requests.complete - requests.start)),
            "shell_evidence": requests.shell_evidence,
            "complete_evidence": requests.complete_evidence,
            "weight": spans.column("weight", np.float64, 1)[entry],
            "spans": np.bincount(belongs, minlength=requests.count),
            "final": np.ones(requests.count, np.bool_),
            "revision": np.ones(requests.count, np.int32),
            "settled_ns": _settled(forest, requests),
        },
    )


def led(
    rows: pl.DataFrame, requests: Requests, segments: Segments, owners: pl.DataFrame, owner_no: Int64s
) -> pl.DataFrame:
    """Return rows of requests with what leads them."""
    owner, cause = _dominant(requests, segments, owners)
    return rows.with_columns(
        dominant_owner_no=known(np.where(owner >= 0, owner_no[owner], MISSING)).cast(pl.UInt32),
        dominant_cause=known(cause, words.UNKNOWN),
    )


def segments_table(segments: Segments, owner_no: Int64s) -> pl.DataFrame:
    """Return a row per segment."""
    return table(
        "segments",
        {
            "request_no": segments.request,
            "horizon": segments.horizon,
            "start_ns": segments.low,
            "end_ns": segments.high,
            "span_id": ids(segments.span_id),
            "call_id": ids(segments.call_id),
            "owner_no": owner_no.astype(np.uint32)[segments.owner],
            "cause": segments.cause,
            "evidence": segments.evidence,
        },
    )


def owners_table(journeys: Journeys) -> tuple[pl.DataFrame, Int64s]:
    """Return a row per owner that anything may name, and the number in it of every party, then every seam."""
    parties = journeys.parties
    labels = parties.labels()
    pairs = journeys.seams.pairs.tolist()
    seams = [f"{labels[caller]}→{labels[callee]}" for caller, callee in pairs]
    unknown = words.UNKNOWN
    frame = pl.DataFrame(
        {
            "owner": labels + seams,
            "tier": [tier for tier, _ in parties.numbers] + [unknown] * len(seams),
            "service": [service for _, service in parties.numbers] + [None] * len(seams),
            "seam": [None] * len(labels) + seams,
        },
        schema_overrides={"service": pl.String, "seam": pl.String, "owner": pl.String},
    ).with_row_index("owner_no")
    return frame.cast(types_of(OWNERS)).select(OWNERS.names), np.arange(frame.height, dtype=np.int64)


def request_traces_table(forest: Forest, requests: Requests) -> pl.DataFrame:
    """Return the traces of every request, and how each was joined to it: its own by trace context."""
    spans = forest.spans
    number, trace = requests.number_of[: forest.unseen_from], spans.trace_of()
    own = pl.DataFrame({"request_no": np.arange(requests.count), "trace": trace[requests.entry], "joined_by": 0})
    across = np.flatnonzero(forest.joined[: forest.unseen_from])
    if across.size:
        told = {"request_no": number[across], "trace": trace[across], "joined_by": forest.joined[across]}
        both = pl.concat([own, pl.DataFrame(told)], how="vertical_relaxed")
        own = both.unique(["request_no", "trace"], keep="first", maintain_order=True).sort("request_no")
    first = spans.offsets[:-1][own.get_column("trace").to_numpy()]
    return table(
        "request_traces",
        {
            "request_no": own.get_column("request_no"),
            **trace_ids(forest, first),
            "joined_by": own.get_column("joined_by"),
        },
    )


def inferences_table(forest: Forest, requests: Requests, said: pl.DataFrame, outer: Int32s) -> pl.DataFrame:
    """Return a row per inferred cause of a call (`patterns.SAID`); `outer` are the calls' spans."""
    row = outer[said.get_column("call").to_numpy()]
    return table(
        "inferences",
        {
            "request_no": requests.number_of[row],
            **trace_ids(forest, row),
            "client_span_id": ids(forest.span_id[row]),
            **{name: said.get_column(name) for name in ("cause", "ns", "confidence", "statistic")},
        },
    )
