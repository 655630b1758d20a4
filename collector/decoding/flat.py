"""What a decoder makes of a batch of trace requests: columns only, one shape for protobuf and JSON.

Fixed-width columns are numpy arrays, text columns are `pyarrow.StringArray` without nulls and always valid UTF-8.
Rows refer to each other by position: `SpanColumns.resource` is a row of `ResourceColumns`, `AttributeColumns.owner`
a row of whatever the attributes belong to. Nothing is judged here: `admit` decides which spans are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    U8 = NDArray[np.uint8]
    U32 = NDArray[np.uint32]
    U64 = NDArray[np.uint64]
    I32 = NDArray[np.int32]
    I64 = NDArray[np.int64]

EMPTY: Final = 0
"""A value that is not set."""
STRING: Final = 1
BOOL: Final = 2
INT: Final = 3
DOUBLE: Final = 4
BYTES: Final = 5
ARRAY: Final = 6
KVLIST: Final = 7
REDACTED: Final = 8
"""A value that was struck out (`collector.normalise.redaction`): its text is empty, as if none had been sent."""

FAULT_UTF8: Final = 1
"""`SpanColumns.faults`: text of the span, its events, links or attributes was not UTF-8 (it reads U+FFFD here)."""
FAULT_ID: Final = 2
"""`SpanColumns.faults`: an id is not hexadecimal (JSON)."""
FAULT_SHAPE: Final = 4
"""`SpanColumns.faults`: a field has the wrong shape, such as a number where an object belongs (JSON)."""
FAULT_TIME: Final = 8
"""`SpanColumns.faults`: a time is not an unsigned 64-bit number (JSON)."""


@dataclass(frozen=True, slots=True)
class SpanColumns:
    """A row per span, grouped by body in wire order.

    Ids are big-endian integers of the bytes sent where their length is right, else 0; `*_len` is the number of
    bytes sent (255 for more). Times are unsigned nanoseconds as sent. `kind` and `status` are as sent, not checked.
    """

    body: U32
    resource: U32
    scope: U32
    trace_hi: U64
    trace_lo: U64
    span_id: U64
    parent_id: U64
    trace_id_len: U8
    span_id_len: U8
    parent_id_len: U8
    faults: U8
    start: U64
    end: U64
    kind: I32
    flags: U32
    status: I32
    dropped_attributes: U32
    dropped_events: U32
    dropped_links: U32
    name: pa.StringArray
    status_message: pa.StringArray
    trace_state: pa.StringArray


@dataclass(frozen=True, slots=True)
class ScopeColumns:
    """A row per instrumentation scope of a request; the same scope of two requests has two rows."""

    name: pa.StringArray
    version: pa.StringArray


@dataclass(frozen=True, slots=True)
class ResourceColumns:
    """A row per resource of a request; the same resource of two requests has two rows."""

    body: U32


@dataclass(frozen=True, slots=True)
class EventColumns:
    """A row per span event; `span` is ascending."""

    span: U32
    time: U64
    name: pa.StringArray


@dataclass(frozen=True, slots=True)
class LinkColumns:
    """A row per span link; `span` is ascending. Ids and lengths as in `SpanColumns`."""

    span: U32
    trace_hi: U64
    trace_lo: U64
    span_id: U64
    trace_id_len: U8
    span_id_len: U8
    flags: U32
    trace_state: pa.StringArray


@dataclass(frozen=True, slots=True)
class AttributeColumns:
    """A row per attribute; `owner` is ascending, rows of one owner are in wire order, repeated keys are all there.

    `key` is a row of `FlatTraces.keys`; `type` is one of `EMPTY … REDACTED`. `text` is the value's canonical text:
    ints decimal, doubles shortest round-trip, bools `true` or `false`, bytes base64, arrays and maps JSON, an
    empty value the empty string. `number` is the value of an int, 0 or 1 of a bool, the IEEE bits of a double
    (see `doubles`), else 0.
    """

    owner: U32
    key: I32
    type: U8
    number: I64
    text: pa.StringArray

    @property
    def doubles(self) -> NDArray[np.float64]:
        """`number` read as doubles (no copy); only rows of type `DOUBLE` mean anything."""
        return self.number.view(np.float64)


@dataclass(frozen=True, slots=True)
class FlatTraces:
    """A batch of trace requests as columns.

    `errors` has an entry per body: why nothing of it could be read, or None. `oddities` counts per body what was
    passed over without harm: known fields of the wrong wire type or shape.
    """

    keys: pa.StringArray
    spans: SpanColumns
    scopes: ScopeColumns
    resources: ResourceColumns
    events: EventColumns
    links: LinkColumns
    resource_attributes: AttributeColumns
    span_attributes: AttributeColumns
    event_attributes: AttributeColumns
    link_attributes: AttributeColumns
    errors: tuple[str | None, ...]
    oddities: I64

    def codes(self, names: Sequence[str]) -> I32:
        """Return the code in `keys` of each name, -1 where the batch does not have that key."""
        found = pc.index_in(pa.array(names, pa.string()), value_set=self.keys)
        codes: I32 = pc.fill_null(found, -1).to_numpy(zero_copy_only=False)
        return codes


T = TypeVar("T")

TABLES: Final = ("spans", "scopes", "resources", "events", "links")
ATTRIBUTE_TABLES: Final = ("resource_attributes", "span_attributes", "event_attributes", "link_attributes")

_WIDTHS: Final[dict[str, Any]] = {"U8": np.uint8, "U32": np.uint32, "U64": np.uint64, "I32": np.int32, "I64": np.int64}


def _empty_columns(kind: type[T]) -> T:
    columns = {}
    for field in fields(kind):  # type: ignore[arg-type]  # every caller passes a dataclass
        width = _WIDTHS.get(str(field.type))
        columns[field.name] = pa.array([], pa.string()) if width is None else np.zeros(0, width)
    return kind(**columns)


def empty(bodies: int = 0) -> FlatTraces:
    """Return the columns of `bodies` requests without a single item."""
    attributes = _empty_columns(AttributeColumns)
    return FlatTraces(
        keys=pa.array([], pa.string()),
        spans=_empty_columns(SpanColumns),
        scopes=_empty_columns(ScopeColumns),
        resources=_empty_columns(ResourceColumns),
        events=_empty_columns(EventColumns),
        links=_empty_columns(LinkColumns),
        resource_attributes=attributes,
        span_attributes=attributes,
        event_attributes=attributes,
        link_attributes=attributes,
        errors=(None,) * bodies,
        oddities=np.zeros(bodies, np.int64),
    )


def _join(columns: Sequence[Any]) -> Any:
    if isinstance(columns[0], np.ndarray):
        return np.concatenate(columns)
    return pa.concat_arrays(columns)


def _stack(tables: Sequence[T], shifts: Mapping[str, Sequence[int]]) -> T:
    """Put tables of one kind under each other; the columns named in `shifts` move by that much per table."""
    columns: dict[str, Any] = {}
    for field in fields(tables[0]):  # type: ignore[arg-type]  # every caller passes dataclasses
        parts = [getattr(table, field.name) for table in tables]
        if field.name in shifts:
            parts = [part + part.dtype.type(by) for part, by in zip(parts, shifts[field.name], strict=True)]
        columns[field.name] = _join(parts)
    return type(tables[0])(**columns)


def _starts(flats: Sequence[FlatTraces], size: Callable[[FlatTraces], int]) -> list[int]:
    sizes = [size(flat) for flat in flats]
    return [sum(sizes[:at]) for at in range(len(sizes))]


def _shared_keys(flats: Sequence[FlatTraces]) -> tuple[pa.StringArray, list[I32]]:
    """Return one list of keys for all, and per batch the new code of each old one."""
    coded = pc.dictionary_encode(pa.concat_arrays([flat.keys for flat in flats]))
    codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int32)
    ends = np.cumsum([len(flat.keys) for flat in flats])
    return coded.dictionary, np.split(codes, ends[:-1])


def concat(flats: Sequence[FlatTraces]) -> FlatTraces:
    """Put batches under each other; bodies, resources, scopes and keys are renumbered to go on from the last batch."""
    if not flats:
        return empty()
    if len(flats) == 1:
        return flats[0]
    keys, codes = _shared_keys(flats)
    starts = {
        "body": _starts(flats, lambda flat: len(flat.errors)),
        "resource": _starts(flats, lambda flat: len(flat.resources.body)),
        "scope": _starts(flats, lambda flat: len(flat.scopes.name)),
        "span": _starts(flats, lambda flat: len(flat.spans.body)),
        "event": _starts(flats, lambda flat: len(flat.events.span)),
        "link": _starts(flats, lambda flat: len(flat.links.span)),
    }
    joined: dict[str, Any] = {}
    for name in TABLES:
        shifts = {column: starts[column] for column in ("body", "resource", "scope", "span")}
        joined[name] = _stack([getattr(flat, name) for flat in flats], shifts)
    for name in ATTRIBUTE_TABLES:
        tables = [getattr(flat, name) for flat in flats]
        recoded = [replace(table, key=new[table.key]) for table, new in zip(tables, codes, strict=True)]
        joined[name] = _stack(recoded, {"owner": starts[name.removesuffix("_attributes")]})
    errors = tuple(error for flat in flats for error in flat.errors)
    return FlatTraces(keys=keys, errors=errors, oddities=np.concatenate([f.oddities for f in flats]), **joined)
