"""Log records → rows for the store, by the same kernels as spans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from collector.decoding.admit import LATEST_NS, AttributeLimits, bounded, limited
from collector.decoding.columns import CellTable, attributes, enumeration, ids, values
from collector.decoding.flat import FAULT_ID, FAULT_SHAPE, FAULT_TIME
from collector.decoding.otlp_json import read_json
from collector.decoding.signals import LOGS
from collector.decoding.wire import read_wire
from collector.normalise import correlation
from collector.normalise import keys as spellings
from collector.normalise.redaction import redacted, secret_keys, shown
from collector.normalise.resources import Resources, list_column
from seamscope.config import Rules
from seamscope.schema import tables
from seamscope.store.fingerprints import COPY, copies

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from collector.decoding.decode import Body
    from collector.decoding.flat import AttributeColumns
    from collector.decoding.layout import Layout
    from collector.decoding.wire import Cells, WireLimits

    Mask = NDArray[np.bool_]

REASONS: Final = ("invalid_field", "invalid_utf8", "trace_id_length", "span_id_length", "time_out_of_range")
"""Why a log record is rejected; a record with several faults counts under the first."""

SEVERITIES: Final = (
    "unspecified",
    *(f"{word}{step}" for word in ("trace", "debug", "info", "warn", "error", "fatal") for step in ("", 2, 3, 4)),
)
"""The words of `SeverityNumber`, which JSON may use instead of 0 to 24."""

_STORED: Final = pa.schema([field for field in tables.LOGS if field.name not in {"commit_no", "ingested_ns"}])


@dataclass(frozen=True, slots=True)
class Logs:
    """Log bodies as rows.

    Attributes:
        tables: `logs` and `resources`, without the columns that the store's writer sets; a record that is in its body
            more than once says which one it is (`seamscope.store.fingerprints.COPY`).
        accepted: records kept, per body.
        rejected: records not kept, per body and reason: shape (bodies, len(REASONS)).
        errors: per body why nothing of it could be read, or None.
        oddities: per body, fields that were passed over for their shape.
    """

    tables: dict[str, pa.Table]
    accepted: NDArray[np.int64]
    rejected: NDArray[np.int64]
    errors: tuple[str | None, ...]
    oddities: NDArray[np.int64]


def read(bodies: Sequence[Body], layout: Layout, limits: WireLimits | None = None) -> Cells:
    """Read bodies of one encoding."""
    reader = read_json if bodies[0].encoding == "json" else read_wire
    return reader([body.data for body in bodies], layout, limits)


def _faults(table: CellTable, bad: Mask, lengths: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> Iterator[Mask]:
    """Yield a mask per entry of `REASONS`, in that order; a record without a trace is as good as one with."""
    faults = table["faults"]
    yield (faults & (FAULT_ID | FAULT_SHAPE)) != 0
    yield bad
    yield (lengths[0] != 16) & (lengths[0] != 0)
    yield (lengths[1] != 8) & (lengths[1] != 0)
    yield ((faults & FAULT_TIME) != 0) | (np.maximum(table.u64("start"), table.u64("end")) > LATEST_NS)


def first_fault(masks: Iterator[Mask], rows: int) -> NDArray[np.int8]:
    """Return per row the position of the first mask that holds, -1 for none."""
    first = np.full(rows, -1, np.int8)
    for at, mask in enumerate(masks):
        first[mask & (first < 0)] = at
    return first


def lists(table: AttributeColumns, keys: pa.StringArray, rows: int) -> pa.ListArray:
    """Return attributes as one list of {key, value} per owner."""
    bounds = np.searchsorted(table.owner, np.arange(rows + 1)).astype(np.int32)
    return list_column(bounds, keys.take(pa.array(table.key)), shown(table))


def _records(cells: Cells, rules: Rules, limits: AttributeLimits) -> tuple[dict[str, Any], NDArray[np.int8], Resources]:
    """Return the columns of all records, the position of each one's first fault in `REASONS`, and the resources."""
    table, scopes = CellTable(cells, "logs"), CellTable(cells, "scopes")
    rows = len(table.bad)
    keys, ((resource_attributes, _), (its_attributes, bad)) = attributes(
        cells, ("resource_attributes", "log_attributes")
    )
    secret = secret_keys(keys, rules.redact)
    of_resources = redacted(limited(resource_attributes, limits)[0], secret)
    resources = Resources(of_resources, keys, len(cells.table("resources")))
    trace_hi, trace_lo, trace_length, bad_trace = ids(cells, table["trace_id"], 16)
    _, span_id, span_length, bad_span = ids(cells, table["span_id"], 8)
    body, bad_body = values(cells, table["body_type"].astype(np.uint8), table["body"], table["body"].copy())
    own = redacted(limited(its_attributes, limits)[0], secret)
    said = correlation.columns(spellings.Promoted(own, own.owner, keys, rows, spellings.LOGS))
    none = pa.nulls(rows, pa.string())
    severity = enumeration(cells, table["severity"], SEVERITIES, "severity_number_")
    columns = {
        "trace_hi": trace_hi,
        "trace_lo": trace_lo,
        "span_id": span_id,
        "time_ns": table.u64("start").view(np.int64),
        "observed_ns": table.u64("end").view(np.int64),
        "severity": np.where((severity >= 0) & (severity <= 255), severity, 0).astype(np.uint8),
        "severity_text": table.text("severity_text"),
        "event_name": table.text("event_name"),
        "body": bounded(body, limits.value_bytes)[0],
        "resource_id": resources.ids[scopes.u32("resource")[table.u32("scope")]],
        "scope": bounded(scopes.text("name"), limits.name_bytes)[0].take(pa.array(table.u32("scope"))),
        "correlation_id": said.get("correlation_id", none),
        "platform_id": said.get("platform_id", none),
        "attributes": lists(own, keys, rows),
    }
    wrong = table.bad | bad_body
    wrong[its_attributes.owner[bad]] = True
    table["faults"][bad_trace | bad_span] |= FAULT_ID
    return columns, first_fault(_faults(table, wrong, (trace_length, span_length)), rows), resources


def decode_logs(bodies: Sequence[Body], rules: Rules | None = None, limits: WireLimits | None = None) -> Logs:
    """Return the rows of log requests of one encoding, without what `rules` redact; together less than 256 MiB."""
    cells = read(bodies, LOGS, limits)
    columns, first, resources = _records(cells, rules or Rules(), AttributeLimits())
    scope = cells.table("logs")[:, 0]
    body = cells.table("resources")[cells.table("scopes")[scope, 0], 0]
    keep = first < 0
    rejected = np.zeros((len(bodies), len(REASONS)), np.int64)
    np.add.at(rejected, (body[~keep], first[~keep]), 1)
    logs = pa.table({name: pa.array(column) for name, column in columns.items()}, schema=_STORED)
    kept = logs if keep.all() else logs.filter(pa.array(keep))
    kept = kept.append_column(COPY, copies(kept, body[keep]).to_arrow())
    found = {"logs": kept, "resources": resources.table()} if kept.num_rows else {}
    return Logs(found, np.bincount(body[keep], minlength=len(bodies)), rejected, cells.errors, cells.oddities)
