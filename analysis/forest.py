"""Pass A, first half: spans become trees that requests can be read from.

Repeats dropped, parents found, cycles cut, asynchronous work cut off, orphans put where they belong, callers that
nobody saw stood in for. What was odd is kept by span for the warnings.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from analysis import columns, moments, parents, shape
from analysis.grouping import number_pairs, scattered
from seamscope.schema import words

if TYPE_CHECKING:
    import numpy.typing as npt

    from analysis.arrays import Codes, Int32s, Int64s
    from analysis.columns import Spans


IDS: Final = ("trace_hi", "trace_lo", "span_id")


@dataclass(frozen=True, slots=True)
class Resources:
    """What sent the spans; arrays are by resource, `Spans.resource` points into them (the last stands for unknown)."""

    service: list[str]
    process: Int32s
    """Equal numbers: the same service on the same instance."""
    host: Int32s
    """Equal numbers: the same host; -1 where the instance is only (service, place)."""
    tier: Codes
    frame: pl.DataFrame
    known: dict[str, int]
    """Every service that ever sent spans, and its tier."""


@dataclass(frozen=True, slots=True)
class Repeats:
    """Spans that came several times with different contents."""

    span: Int32s
    copies: Int32s


@dataclass(frozen=True, slots=True)
class Forest:
    """Trees of spans. Rows from `unseen_from` on are callers that nobody saw; they have no span."""

    spans: Spans
    resources: Resources
    unseen_from: int
    parent: Int32s
    fate: Codes
    """`parents.ROOT`, `KNOWN`, `ORPHAN` or `CUT`, as the parent was found in the data."""
    cause: Int32s
    """The span that caused this one without waiting for it; -1 where there is none in the trace."""
    remote: Codes
    order: Int32s
    """Every parent before its children."""
    depth: int
    span_id: Int64s
    start: Int64s
    end: Int64s
    kind: Codes
    role: Codes
    extent: Codes
    hint: Codes
    grain: Int64s
    resource: Int32s
    repeats: Repeats
    odd: moments.Odd
    """Spans whose times were out of range."""
    joined: Codes
    """How a span's parent is known where it lies in another trace (`words.JOINED_BY`); 0 elsewhere."""

    @property
    def count(self) -> int:
        """Rows, unseen callers included."""
        return int(self.parent.size)

    def padded(self, values: npt.NDArray[Any], absent: int) -> npt.NDArray[Any]:
        """Lengthen an array by span to the forest's rows."""
        return _pad(values, self.count, absent)


def _pad(values: npt.NDArray[Any], count: int, absent: int) -> npt.NDArray[Any]:
    if values.size == count:
        return values
    return np.concatenate([values, np.full(count - values.size, absent, values.dtype)])


def match_resources(
    spans: pl.DataFrame, resources: pl.DataFrame, rows: Int64s | None = None
) -> tuple[Int32s, Resources]:
    """Number the resources of these spans; a span whose resource is not there has the unknown one."""
    ids = columns.bits(spans, "resource_id", rows)
    number, first = number_pairs(np.zeros(ids.size, np.int64), ids)
    sent = [*ids[first].view(np.uint64).tolist(), None]  # the last is the unknown one, which joins nothing
    wanted = pl.DataFrame({"resource_id": pl.Series(sent, dtype=pl.UInt64)})
    known = resources.with_columns(pl.col("resource_id").cast(pl.UInt64)).unique("resource_id", keep="any")
    frame = wanted.join(known, on="resource_id", how="left", maintain_order="left")
    return number, _resources(frame, _known(known))


def _known(resources: pl.DataFrame) -> dict[str, int]:
    if not {"service", "tier"} <= set(resources.columns):
        return {}
    tiers: dict[str, int] = {}
    for service, tier in resources.select("service", "tier").iter_rows():
        if service is not None:
            tiers[str(service)] = max(tiers.get(str(service), 0), int(tier or 0))
    return tiers


def _text(frame: pl.DataFrame, name: str) -> pl.Series:
    if name not in frame.columns:
        return pl.Series(name, [""] * frame.height, dtype=pl.String)
    return frame.get_column(name).cast(pl.String).fill_null("")


def _resources(frame: pl.DataFrame, known: dict[str, int]) -> Resources:
    service, instance = _text(frame, "service"), _text(frame, "instance")
    pooled = columns.numbers(frame, "pooled", np.uint8, 1) == 1
    process = pl.struct(service.alias("s"), instance.alias("i")).rank("dense")
    keys = pl.DataFrame({"s": service, "i": instance})
    host = keys.select(pl.col("i").rank("dense")).to_series().to_numpy().astype(np.int32)
    unknown = np.array([not text for text in instance.to_list()])
    return Resources(
        service=[name or "unknown" for name in service.to_list()],
        process=keys.select(process).to_series().to_numpy().astype(np.int32),
        host=np.where(pooled | unknown, -1, host).astype(np.int32),
        tier=columns.numbers(frame, "tier", np.uint8),
        frame=frame,
        known=known,
    )


def _fullness(frame: pl.DataFrame) -> pl.DataFrame:
    filled = pl.sum_horizontal(pl.all().is_not_null())
    length = pl.col("end_ns").cast(pl.Int64) - pl.col("start_ns").cast(pl.Int64)
    return frame.select(
        filled=filled,
        length=length,
        start=pl.col("start_ns"),
        parent=pl.col("parent_id"),
        row=_content(frame),
    )


def _content(frame: pl.DataFrame) -> pl.Expr:
    """Number rows by what they say: a column that is null in all rows is not always there, and changes nothing."""
    told = [name for name in columns.INPUT if name in frame.columns]
    texts = (pl.col(name).cast(pl.String).hash(zlib.crc32(name.encode())) for name in told)
    said = [pl.when(pl.col(name).is_null()).then(0).otherwise(text) for name, text in zip(told, texts, strict=True)]
    return pl.fold(pl.lit(0, pl.UInt64), lambda one, other: one ^ other, said)


def _drop_repeats(spans: Spans, repeat_of: Int32s) -> tuple[Spans, Repeats]:
    """Keep the fullest of the copies of a span; of equals, one that does not depend on their order."""
    copy = np.flatnonzero(repeat_of >= 0)
    original = np.unique(repeat_of[copy])
    row = np.concatenate([original, copy])
    stamps = [name for name in ("commit_no", "ingested_ns") if name in spans.frame.columns]
    frame = spans.of(row).drop(stamps)
    told = pl.DataFrame({"at": row, "original": np.concatenate([original, repeat_of[copy]])})
    ranked = pl.concat([told, _fullness(frame)], how="horizontal").sort(
        "original", "filled", "length", "start", "parent", "row", descending=[False, True, True, False, False, False]
    )
    kept = ranked.group_by("original", maintain_order=True).agg(pl.col("at").first(), copies=pl.col("row").n_unique())
    dropped = np.zeros(spans.count, np.bool_)
    dropped[row] = True
    winners = kept.get_column("at").to_numpy()
    dropped[winners] = False
    moved = np.cumsum(~dropped) - 1
    odd = kept.filter(pl.col("copies") > 1)
    repeats = Repeats(
        moved[odd.get_column("at").to_numpy()].astype(np.int32), odd.get_column("copies").to_numpy().astype(np.int32)
    )
    return columns.without(spans, dropped), repeats


def _resolved(spans: Spans) -> tuple[Int32s, Codes, Int32s, int]:
    return parents.resolve(spans.offsets, scattered(spans.span_id), scattered(spans.parent_id), spans.kind)


def _parents(spans: Spans) -> tuple[Spans, Int32s, Codes, Repeats]:
    parent, fate, repeat_of, repeated = _resolved(spans)
    repeats = Repeats(np.empty(0, np.int32), np.empty(0, np.int32))
    if repeated:
        spans, repeats = _drop_repeats(spans, repeat_of)
        parent, fate, _, _ = _resolved(spans)
    parents.cut_cycles(spans.start, spans.span_id, spans.kind, parent, fate)
    return spans, parent, fate, repeats


def _stitched(spans: Spans, stitches: pl.DataFrame, parent: Int32s, fate: Codes) -> Codes:
    """Hang pieces of requests where they belong, in place; return by span how it was joined (`words.JOINED_BY`)."""
    joined = np.zeros(spans.count, np.uint8)
    if not stitches.height:
        return joined
    keys = pl.DataFrame({"kind": spans.kind, **{name: getattr(spans, name).view(np.uint64) for name in IDS}})
    keys = keys.with_row_index("row")
    there = keys.select(
        pl.col("trace_hi").alias("to_hi"), pl.col("trace_lo").alias("to_lo"), pl.col("span_id").alias("to_id"),
        pl.col("row").alias("to"),
    )  # fmt: skip
    pairs = stitches.join(keys, on=["trace_hi", "trace_lo", "span_id"]).join(there, on=["to_hi", "to_lo", "to_id"])
    pairs = pairs.sort("kind", "to").unique("row", keep="first").sort("row")
    row, to = (pairs.get_column(name).to_numpy().astype(np.int32) for name in ("row", "to"))
    parent[row], fate[row] = to, parents.KNOWN
    joined[row] = pairs.get_column("joined_by").to_numpy()
    parents.cut_cycles(spans.start, spans.span_id, spans.kind, parent, fate)
    return joined


def grow(
    frame: pl.DataFrame, resources_frame: pl.DataFrame, stitches: pl.DataFrame, rows: Int64s | None = None
) -> Forest:
    """Make the forest of some whole traces, all of the frame or some of its rows.

    `stitches` join pieces of requests (`stitch.STITCHES`).
    """
    resource, resources = match_resources(frame, resources_frame, rows)
    spans, parent, fate, repeats = _parents(columns.by_trace(frame, resource, rows))
    process = resources.process[spans.resource]
    spans, odd = moments.mended(spans, parent, process)
    joined = _stitched(spans, stitches, parent, fate)
    tier = np.where(spans.tier_hint != 0, spans.tier_hint, resources.tier[spans.resource])
    remote = shape.mark_boundaries(parent, spans.kind, spans.role, spans.flags, process)
    cause = shape.cut_asynchronous(parent, spans.kind, remote, tier)
    shape.adopt_orphans(
        spans.offsets,
        spans.start,
        spans.end,
        spans.span_id,
        spans.flags,
        spans.kind,
        spans.role,
        process,
        fate,
        parent,
    )
    remote = shape.mark_boundaries(parent, spans.kind, spans.role, spans.flags, process)
    unseen, callers = shape.join_lost_callers(
        spans.offsets, spans.start, spans.end, spans.span_id, spans.kind, fate, parent
    )
    return _stand_in(spans, resources, repeats, odd, joined, parent, fate, cause, remote, unseen, callers)


def _stand_in(
    spans: Spans,
    resources: Resources,
    repeats: Repeats,
    odd: moments.Odd,
    joined: Codes,
    parent: Int32s,
    fate: Codes,
    cause: Int32s,
    remote: Codes,
    unseen: Int32s,
    callers: int,
) -> Forest:
    """Put a row without a span above server spans whose caller nobody saw."""
    count = spans.count + callers
    start, end = _pad(spans.start, count, np.iinfo(np.int64).max), _pad(spans.end, count, 0)
    if callers:
        under = np.flatnonzero(unseen >= 0)
        above = spans.count + unseen[under]
        np.minimum.at(start, above, spans.start[under])
        np.maximum.at(end, above, spans.end[under])
        parent[under] = above
        remote[under] = 1
    parent = _pad(parent, count, -1)
    order, depth = shape.order_down(parent)
    return Forest(
        spans=spans,
        resources=resources,
        unseen_from=spans.count,
        parent=parent,
        fate=_pad(fate, count, parents.ROOT),
        cause=_pad(cause, count, -1),
        remote=_pad(remote, count, 0),
        order=order,
        depth=depth,
        span_id=_pad(spans.span_id, count, 0),
        start=start,
        end=end,
        kind=_pad(spans.kind, count, words.code(words.SPAN_KINDS, "unspecified")),
        role=_pad(spans.role, count, words.code(words.ROLES, "none")),
        extent=_pad(spans.extent, count, words.code(words.EXTENTS, "unknown")),
        hint=_pad(spans.tier_hint, count, 0),
        grain=_pad(spans.grain, count, 0),
        resource=_pad(spans.resource, count, len(resources.service) - 1),
        repeats=repeats,
        odd=odd,
        joined=_pad(joined, count, 0),
    )
