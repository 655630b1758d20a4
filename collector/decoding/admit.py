"""The judge at the door: which spans of a batch are kept, and why the others are not.

Every check is a mask over columns. A span is rejected alone; its neighbours are not touched. What is odd but can be
kept is kept as it was sent: an end before its start, a repeated attribute key, an unknown kind.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.decoding import flat as columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from collector.decoding.flat import AttributeColumns, FlatTraces

    Mask = NDArray[np.bool_]

LATEST_NS: Final = np.uint64(2**63 - 2)
"""Latest time that is kept, in 2262: DuckDB takes the nanosecond after it for infinity, which no view can show."""

REASONS: Final = (
    "invalid_field",
    "invalid_utf8",
    "trace_id_length",
    "trace_id_zero",
    "span_id_length",
    "span_id_zero",
    "parent_id_length",
    "time_out_of_range",
)
"""Why a span is rejected; a span with several faults counts under the first."""


@dataclass(frozen=True, slots=True)
class AttributeLimits:
    """What is kept of attributes: bytes of a value, and attributes of one span, event, link or resource.

    Also bytes of a scope's name and of its version: each is sent once, and stands in the row of every span.
    """

    value_bytes: int = 64 * 1024
    per_owner: int = 1024
    name_bytes: int = 256


@dataclass(frozen=True, slots=True)
class Admitted:
    """A judged batch.

    Attributes:
        flat: the batch with long values and names of scopes cut, and event times held to `LATEST_NS`; the same rows
            in the same order, apart from attributes beyond `AttributeLimits.per_owner`: those of spans are counted as
            dropped.
        keep: a mask over `flat.spans`.
        keep_links: a mask over `flat.links`: links of kept spans whose ids are valid.
        rejected: spans not kept, per body and reason: shape (bodies, len(REASONS)).
        truncated: values, and names and versions of scopes, that were cut, per body.
    """

    flat: FlatTraces
    keep: Mask
    keep_links: Mask
    rejected: NDArray[np.int64]
    truncated: NDArray[np.int64]


def _span_faults(flat: FlatTraces) -> Iterator[Mask]:
    """Yield a mask per entry of `REASONS`, in that order."""
    spans = flat.spans
    yield (spans.faults & (columns.FAULT_ID | columns.FAULT_SHAPE)) != 0
    yield (spans.faults & columns.FAULT_UTF8) != 0
    yield spans.trace_id_len != 16
    yield (spans.trace_hi | spans.trace_lo) == 0
    yield spans.span_id_len != 8
    yield spans.span_id == 0
    yield (spans.parent_id_len != 8) & (spans.parent_id_len != 0)
    yield ((spans.faults & columns.FAULT_TIME) != 0) | (np.maximum(spans.start, spans.end) > LATEST_NS)


def _first_fault(flat: FlatTraces) -> NDArray[np.int8]:
    """Return per span the position in `REASONS` of its first fault, -1 for none."""
    first = np.full(len(flat.spans.body), -1, np.int8)
    for at, mask in enumerate(_span_faults(flat)):
        first[mask & (first < 0)] = at
    return first


def _valid_links(flat: FlatTraces, keep: Mask) -> Mask:
    links = flat.links
    whole = (links.trace_id_len == 16) & (links.span_id_len == 8)
    named = ((links.trace_hi | links.trace_lo) != 0) & (links.span_id != 0)
    mask: Mask = whole & named & keep[links.span]
    return mask


def bounded(text: pa.StringArray, limit: int) -> tuple[pa.StringArray, NDArray[np.int64]]:
    """Return the texts cut to `limit` bytes, at a character's edge, and which rows were longer."""
    long_rows = np.flatnonzero(pc.binary_length(text).to_numpy(zero_copy_only=False) > limit)
    return (_cut(text, long_rows, limit) if len(long_rows) else text), long_rows


def _cut(text: pa.StringArray, long_rows: NDArray[np.int64], limit: int) -> pa.StringArray:
    cut = [text[int(row)].as_py().encode()[:limit].decode(errors="ignore") for row in long_rows]
    mask = np.zeros(len(text), np.bool_)
    mask[long_rows] = True
    return pc.replace_with_mask(text, pa.array(mask), pa.array(cut, pa.string()))


def _rows(table: AttributeColumns, mask: Mask) -> AttributeColumns:
    """Return the rows of `table` that `mask` names."""
    kept: dict[str, Any] = {}
    for field in fields(table):
        column = getattr(table, field.name)
        kept[field.name] = column[mask] if isinstance(column, np.ndarray) else column.filter(pa.array(mask))
    return replace(table, **kept)


def _place_in_owner(owner: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return each row's position among the rows of its owner, from 0; `owner` is ascending."""
    rows = np.arange(len(owner))
    first = np.ones(len(owner), np.bool_)
    first[1:] = owner[1:] != owner[:-1]
    place: NDArray[np.int64] = rows - np.maximum.accumulate(np.where(first, rows, 0))
    return place


def limited(
    table: AttributeColumns, limits: AttributeLimits
) -> tuple[AttributeColumns, NDArray[np.uint32], NDArray[np.uint32]]:
    """Return the table within its limits, the owners that lost an attribute, and the owners of values cut."""
    gone = np.zeros(0, np.uint32)
    if len(table.owner) > limits.per_owner:
        beyond = _place_in_owner(table.owner) >= limits.per_owner
        if beyond.any():
            gone = table.owner[beyond]
            table = _rows(table, ~beyond)
    text, long_rows = bounded(table.text, limits.value_bytes)
    return replace(table, text=text), gone, table.owner[long_rows]


def _bodies_of_owners(flat: FlatTraces) -> dict[str, NDArray[np.uint32]]:
    """Return per attribute table the body of each owner."""
    body = flat.spans.body
    return {
        "resource_attributes": flat.resources.body,
        "span_attributes": body,
        "event_attributes": body[flat.events.span],
        "link_attributes": body[flat.links.span],
    }


def _limit_attributes(flat: FlatTraces, limits: AttributeLimits) -> tuple[FlatTraces, NDArray[np.int64]]:
    """Return the batch with its attributes within limits, and how many values were cut per body."""
    truncated = np.zeros(len(flat.errors), np.int64)
    dropped = flat.spans.dropped_attributes
    tables: dict[str, Any] = {}
    for name, body_of in _bodies_of_owners(flat).items():
        tables[name], gone, cut = limited(getattr(flat, name), limits)
        np.add.at(truncated, body_of[cut], 1)
        if name == "span_attributes" and len(gone):
            lost = np.bincount(gone, minlength=len(dropped)).astype(np.uint64)
            dropped = np.minimum(dropped + lost, 2**32 - 1).astype(np.uint32)
    return replace(flat, spans=replace(flat.spans, dropped_attributes=dropped), **tables), truncated


def _limit_scopes(flat: FlatTraces, limits: AttributeLimits) -> tuple[FlatTraces, NDArray[np.int64]]:
    """Return the batch with the names and versions of its scopes within limits, and how many were cut per body."""
    name, long_names = bounded(flat.scopes.name, limits.name_bytes)
    version, long_versions = bounded(flat.scopes.version, limits.name_bytes)
    body_of = np.full(len(name), len(flat.errors))  # of a scope without spans, nobody's
    body_of[flat.spans.scope] = flat.spans.body
    bodies = body_of[np.concatenate([long_names, long_versions])]
    cut = np.bincount(bodies, minlength=len(flat.errors) + 1)[:-1]
    return replace(flat, scopes=replace(flat.scopes, name=name, version=version)), cut


def admit(flat: FlatTraces, limits: AttributeLimits | None = None) -> Admitted:
    """Judge a batch; see `Admitted`."""
    first = _first_fault(flat)
    keep: Mask = first < 0
    rejected = np.zeros((len(flat.errors), len(REASONS)), np.int64)
    np.add.at(rejected, (flat.spans.body[~keep], first[~keep]), 1)
    limits = limits or AttributeLimits()
    judged, values = _limit_attributes(flat, limits)
    judged, names = _limit_scopes(judged, limits)
    events = replace(flat.events, time=np.minimum(flat.events.time, LATEST_NS))
    return Admitted(replace(judged, events=events), keep, _valid_links(flat, keep), rejected, values + names)
