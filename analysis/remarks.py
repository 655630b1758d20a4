"""What was odd, as rows: warnings, and the work that requests caused and did not wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from analysis import extents, horizons, parents
from analysis.arrays import MISSING, Int32s, Int64s
from analysis.columns import bits
from analysis.tables import ids, known, table, trace_ids
from seamscope.schema import words

if TYPE_CHECKING:
    import numpy.typing as npt

    from analysis.critical import Requests
    from analysis.forest import Forest
    from analysis.journeys import Journeys

NO_ROWS: Final = table("warnings", {"request_no": []})


def _rows(
    forest: Forest, requests: Requests, spans: npt.NDArray[Any], code: str, details: pl.Series | str
) -> pl.DataFrame:
    if not spans.size:
        return NO_ROWS
    detail = details if isinstance(details, pl.Series) else pl.Series([details]).new_from_index(0, spans.size)
    return table(
        "warnings",
        {
            "request_no": requests.number_of[spans],
            **trace_ids(forest, spans),
            "span_id": ids(forest.span_id[spans]),
            "code": np.full(spans.size, words.code(words.WARNINGS, code), np.uint8),
            "detail": detail,
        },
    )


def _said(template: str, **numbers: npt.NDArray[Any]) -> pl.Series:
    frame = pl.DataFrame({name: pl.Series(values) for name, values in numbers.items()})
    return frame.select(pl.format(template, *numbers)).to_series() if frame.height else pl.Series([], dtype=pl.String)


def _lost(forest: Forest, requests: Requests) -> pl.DataFrame:
    rows = np.flatnonzero(forest.fate == parents.ORPHAN).astype(np.int32)
    told = forest.spans.flags[rows] & 0x300
    what = np.select(
        [told == 0x300, told == 0x100],
        ["the remote parent was never received", "the local parent is missing: late or dropped"],
        "the parent was never received; the flags do not say whether it was remote",
    )
    return _rows(forest, requests, rows, "lost_parent", pl.Series(what.astype(object), dtype=pl.String))


def _out_of_range(forest: Forest, requests: Requests) -> pl.DataFrame:
    odd = forest.odd
    what = pl.Series(
        [
            "",
            "starts at {} ns (since 1970), years from the rest of its trace; taken to start with what it called",
            "ends at {} ns (since 1970), years from the rest of its trace; taken to end with what it called",
            "lies at {} ns (since 1970), years from the rest of its trace; moved to it, its length kept",
        ]
    )
    told = pl.DataFrame({"what": what[pl.Series(odd.which)], "ns": odd.told_ns})
    said = told.select(pl.col("what").str.replace("{}", pl.col("ns").cast(pl.String), literal=True)).to_series()
    return _rows(forest, requests, odd.span, "time_out_of_range", said)


def _outlived(journeys: Journeys, requests: Requests) -> pl.DataFrame:
    forest, times = journeys.forest, journeys.times
    asked = (forest.remote == 0) & (times.unawaited == 0) & (journeys.phase == 0)
    rows = extents.outliving(asked, forest.parent, times.end, times.lifted, forest.grain, forest.unseen_from)
    over = times.end[rows] - times.lifted[forest.parent[rows]]
    return _rows(forest, requests, rows, "outlives_parent", _said("ends {} ns after its parent", over=over))


def _unmeasurable(journeys: Journeys, requests: Requests) -> pl.DataFrame:
    forest, spans = journeys.forest, journeys.forest.spans
    zero = horizons.unmeasurable(journeys)
    marks = (spans.role == words.code(words.ROLES, "first_byte")) | (spans.role == words.code(words.ROLES, "body"))
    rows = np.flatnonzero(zero[: spans.count] & ~marks).astype(np.int32)
    return _rows(
        forest,
        requests,
        rows,
        "unmeasurable_edge_time",
        "zero length: the runtime's clock stands still between I/O, so its CPU time is not in its spans",
    )


def _told(forest: Forest, requests: Requests, warnings: pl.DataFrame) -> pl.DataFrame:
    """Return what was found odd of spans of these traces before."""
    if not warnings.height:
        return NO_ROWS
    keys = pl.DataFrame(
        {
            **trace_ids(forest, np.arange(forest.unseen_from, dtype=np.int32)),
            "span_id": ids(forest.span_id[: forest.unseen_from]),
            "request_no": requests.number_of[: forest.unseen_from],
            "kind": forest.kind[: forest.unseen_from],
        }
    )
    wanted = ["trace_hi", "trace_lo", "span_id"]
    shown = keys.join(warnings, on=wanted, how="inner").sort("kind").unique([*wanted, "detail"], keep="last")
    told = shown.sort(*wanted, "detail")
    return table("warnings", {name: told.get_column(name) for name in ("request_no", *wanted, "code", "detail")})


def ambiguous(pieces: pl.DataFrame) -> pl.DataFrame:
    """Return a row per piece that several calls may have made: ids of its root, code and detail."""
    code = words.code(words.WARNINGS, "ambiguous_join")
    text = "several open calls carry the same id; the piece was left on its own"
    keys = pieces.select("trace_hi", "trace_lo", "span_id")
    return keys.with_columns(detail=pl.lit(text), code=pl.lit(code, pl.UInt8))


def warnings_table(journeys: Journeys, requests: Requests, told: pl.DataFrame) -> pl.DataFrame:
    """Return a row per odd thing; `told` as `clocks.warnings_of` and `ambiguous`."""
    forest = journeys.forest
    spans = forest.spans
    backwards = np.flatnonzero(spans.raw_end < spans.start).astype(np.int32)
    early = spans.start[backwards] - spans.raw_end[backwards]
    cut = np.flatnonzero(forest.fate == parents.CUT).astype(np.int32)
    repeats = forest.repeats
    return pl.concat(
        [
            _rows(forest, requests, cut, "cycle_cut", "the span was its own ancestor; its parent was cut"),
            _rows(
                forest,
                requests,
                repeats.span,
                "duplicate_conflict",
                _said("{} copies with different contents; the fullest was kept", copies=repeats.copies),
            ),
            _rows(
                forest,
                requests,
                backwards,
                "end_before_start",
                _said("ends {} ns before it starts; taken as zero length", early=early),
            ),
            _out_of_range(forest, requests),
            _lost(forest, requests),
            _unmeasurable(journeys, requests),
            _outlived(journeys, requests),
            _told(forest, requests, told),
        ]
    )


def _linked(journeys: Journeys, links: pl.DataFrame) -> tuple[Int32s, Int32s]:
    """Return (consumer, linked span) pairs among the spans at hand."""
    forest = journeys.forest
    empty = np.empty(0, np.int32), np.empty(0, np.int32)
    if not links.height:
        return empty
    keys = pl.DataFrame(
        {
            "hi": forest.spans.gather("trace_hi", np.arange(forest.unseen_from)),
            "lo": forest.spans.gather("trace_lo", np.arange(forest.unseen_from)),
            "id": ids(forest.span_id[: forest.unseen_from]),
            "kind": forest.kind[: forest.unseen_from],
            "row": np.arange(forest.unseen_from, dtype=np.int32),
        }
    )
    told = links.select(
        pl.col("trace_hi").alias("hi"),
        pl.col("trace_lo").alias("lo"),
        pl.col("span_id").alias("id"),
        pl.col("kind"),
        pl.col("linked_trace_hi").alias("hi2"),
        pl.col("linked_trace_lo").alias("lo2"),
        pl.col("linked_span_id").alias("id2"),
    )
    consumers = told.join(keys.filter(pl.col("kind") == 5), on=["hi", "lo", "id", "kind"])
    producers = (
        keys.rename({"hi": "hi2", "lo": "lo2", "id": "id2", "row": "to"})
        .sort("kind")
        .unique(["hi2", "lo2", "id2"], keep="last", maintain_order=True)
    )
    pairs = consumers.join(producers.drop("kind"), on=["hi2", "lo2", "id2"]).unique(["row", "to"]).sort("row", "to")
    if not pairs.height:
        return empty
    return pairs.get_column("row").to_numpy().astype(np.int32), pairs.get_column("to").to_numpy().astype(np.int32)


def async_table(journeys: Journeys, requests: Requests, links: pl.DataFrame) -> pl.DataFrame:
    """Return a row per piece of work that a request caused and did not wait for."""
    forest, times = journeys.forest, journeys.times
    caused = np.flatnonzero((forest.cause >= 0) & (journeys.tier[: forest.count] != 1)).astype(np.int32)
    by_link, to = _linked(journeys, links)
    above = np.maximum(forest.parent, 0)
    fresh = (times.unawaited == 1) & ((forest.parent < 0) | (times.unawaited[above] == 0))
    background = np.flatnonzero(fresh).astype(np.int32)
    span = np.concatenate([caused, by_link, background])
    origin = np.concatenate([forest.cause[caused], to, background])
    waited = np.concatenate(
        [_waits(forest, caused, forest.cause[caused]), _waits(forest, by_link, to), np.full(background.size, MISSING)]
    )
    kinds = ["parent"] * caused.size + ["link"] * by_link.size + ["background"] * background.size
    return table(
        "async_work",
        {
            "request_no": requests.number_of[origin],
            **trace_ids(forest, span),
            "span_id": ids(forest.span_id[span]),
            "queue_wait_ns": known(waited),
            "link": pl.Series(kinds, dtype=pl.String),
        },
    )


def _waits(forest: Forest, consumer: Int32s, producer: Int32s) -> Int64s:
    """Return how long each message waited: since it was enqueued, else since its producer was done."""
    enqueued = forest.spans.column("enqueued_ns")[consumer]
    since = np.where(enqueued != MISSING, enqueued, forest.end[producer])
    wait = forest.start[consumer] - since
    return np.where(wait >= 0, wait, np.where(wait > -1_000_000, 0, MISSING))


__all__ = ["async_table", "bits", "warnings_table"]
