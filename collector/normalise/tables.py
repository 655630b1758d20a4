"""The normaliser: a decoded batch becomes rows of the store's tables, every dialect in one set of plain columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.normalise import correlation, evidence, http, keys, messaging, stores
from collector.normalise.batch import Batch
from collector.normalise.choices import valid
from collector.normalise.facts import judge
from collector.normalise.keeping import kept
from collector.normalise.keys import Promoted
from collector.normalise.redaction import redacted_traces, shown
from collector.normalise.resources import Resources, list_column
from collector.normalise.routes import NAMES, templates
from collector.normalise.sampling import weights
from collector.normalise.scopes import FAMILIES, family
from collector.normalise.texts import Texts
from collector.normalise.values import MILLISECOND_NS, SECOND_NS
from seamscope.schema import words
from seamscope.schema.tables import SPAN_EVENTS, SPAN_LINKS, SPANS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collector.decoding.flat import AttributeColumns, FlatTraces
    from collector.normalise.batch import Columns
    from collector.normalise.texts import Mask
    from seamscope.config import Rules

    U8 = NDArray[np.uint8]

WRITERS_COLUMNS: Final = frozenset({"commit_no", "ingested_ns"})
"""Columns that the store's writer adds."""

_SCRIPTS: Final = ("next", "vercel_fetch", "node_", "web_", "ioredis", "prisma", "fastly", "workers")
GRAINS_NS: Final = {
    **{name: MILLISECOND_NS for name in FAMILIES if name.startswith(_SCRIPTS)},
    "nginx": MILLISECOND_NS,
    "river": SECOND_NS,
}
"""Granularity of the clocks of families whose resource may not say that they run on JavaScript (`@vercel/otel` names
no SDK), and of those that are coarser than their language."""


def _schema(whole: pa.Schema) -> pa.Schema:
    return pa.schema([field for field in whole if field.name not in WRITERS_COLUMNS])


SPAN_ROWS: Final = _schema(SPANS)
EVENT_ROWS: Final = _schema(SPAN_EVENTS)
LINK_ROWS: Final = _schema(SPAN_LINKS)


def _codes(sent: NDArray[np.int32], known: int) -> U8:
    """Return codes below `known`; what is not a known code is 0."""
    return np.where((sent >= 0) & (sent < known), sent, 0).astype(np.uint8)


def _texts(column: pa.StringArray) -> pa.StringArray | None:
    """Return a text column with empty texts as null; None where all are empty."""
    texts = Texts.of(column)
    if texts.offsets[0] == texts.offsets[-1]:
        return None
    slices = texts.slices()
    return slices.keep(slices.length > 0).array()


def _attributes(flat: FlatTraces, table: AttributeColumns, owners: int) -> pa.ListArray:
    """Return the raw attributes of each owner, in wire order."""
    bounds = np.zeros(owners + 1, np.int32)
    np.cumsum(np.bincount(table.owner, minlength=owners), out=bounds[1:])
    return list_column(bounds, flat.keys.take(pa.array(table.key)), shown(table))


def _grains(batch: Batch) -> NDArray[np.uint32]:
    """Return the granularity of each span's clock, in nanoseconds."""
    flat = batch.flat
    by_resource = np.array([resource.grain_ns for resource in batch.resources.distinct], np.uint32)
    names = flat.scopes.name.to_pylist()
    by_scope = np.array([GRAINS_NS.get(family(name, ""), 1) for name in names], np.uint32)
    grains: NDArray[np.uint32] = np.maximum(
        by_resource[batch.resources.which][flat.spans.resource], by_scope[flat.spans.scope]
    )
    return grains


def _operations(batch: Batch, choices: list[pa.StringArray | None]) -> pa.StringArray:
    """Return what each span does: the last of `choices` that knows, else the span's name with ids taken out."""
    chosen = np.zeros(batch.rows, np.uint8)
    free = ~batch.verdicts.keeps_name
    columns = [column for column in choices if column is not None]
    for number, column in enumerate(columns, start=1):
        chosen[free & valid(column)] = number
    names = Texts.of(batch.flat.spans.name).slices().keep(chosen == 0)
    cleaned = templates(names, NAMES)
    if not columns:
        return cleaned
    return pc.choose(pa.array(chosen), cleaned, *columns)


def _identity(batch: Batch) -> Columns:
    """Return the columns that every span has."""
    flat, verdicts = batch.flat, batch.verdicts
    spans = flat.spans
    return {
        "trace_hi": pa.array(spans.trace_hi),
        "trace_lo": pa.array(spans.trace_lo),
        "span_id": pa.array(spans.span_id),
        "parent_id": pa.array(spans.parent_id),
        "kind": pa.array(batch.kind),
        "flags": pa.array(spans.flags),
        "start_ns": pa.array(batch.start),
        "end_ns": pa.array(batch.end),
        "status": pa.array(_codes(spans.status, len(words.STATUSES))),
        "name": spans.name,
        "weight": pa.array(weights(Texts.of(spans.trace_state))),
        "resource_id": pa.array(batch.resources.ids[spans.resource]),
        "role": pa.array(verdicts.role),
        "extent": pa.array(verdicts.extent),
        "tier_hint": pa.array(verdicts.tier),
        "grain_ns": pa.array(_grains(batch)),
        "attributes": _attributes(flat, flat.span_attributes, batch.rows),
        "dropped_attributes": pa.array(spans.dropped_attributes),
    }


def _named(batch: Batch) -> Columns:
    """Return texts that a span or its scope may have."""
    flat = batch.flat
    of_span = pa.array(flat.spans.scope)
    found = {
        "status_message": _texts(flat.spans.status_message),
        "trace_state": _texts(flat.spans.trace_state),
        "scope": _texts(flat.scopes.name),
        "scope_version": _texts(flat.scopes.version),
        "place": correlation.place(batch),
    }
    present = {name: column for name, column in found.items() if column is not None}
    return present | {name: present[name].take(of_span) for name in ("scope", "scope_version") if name in present}


def _span_columns(batch: Batch) -> Columns:
    web, requests = http.columns(batch)
    data, statements = stores.database_columns(batch)
    calls = stores.rpc_columns(batch)
    jobs, messages = messaging.columns(batch)
    operation = _operations(batch, [requests, statements, messages, calls.get("rpc_method")])
    ids = correlation.columns(batch.own)
    found = {**_identity(batch), **_named(batch), **web, **data, **calls, **jobs, **ids, **evidence.columns(batch)}
    return found | {"operation": operation}


def _table(columns: Columns, schema: pa.Schema, rows: int) -> pa.Table:
    """Return a table of `schema`; columns that are not there are null."""
    arrays = [columns[field.name] if field.name in columns else pa.nulls(rows, field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _events(flat: FlatTraces, kind: U8) -> pa.Table:
    span = flat.events.span
    columns = {
        "trace_hi": pa.array(flat.spans.trace_hi[span]),
        "trace_lo": pa.array(flat.spans.trace_lo[span]),
        "span_id": pa.array(flat.spans.span_id[span]),
        "kind": pa.array(kind[span]),
        "at_ns": pa.array(flat.events.time.view(np.int64)),
        "name": flat.events.name,
        "attributes": _attributes(flat, flat.event_attributes, len(span)),
    }
    return _table(columns, EVENT_ROWS, len(span))


def _links(flat: FlatTraces, kind: U8) -> pa.Table:
    links = flat.links
    columns = {
        "trace_hi": pa.array(flat.spans.trace_hi[links.span]),
        "trace_lo": pa.array(flat.spans.trace_lo[links.span]),
        "span_id": pa.array(flat.spans.span_id[links.span]),
        "kind": pa.array(kind[links.span]),
        "linked_trace_hi": pa.array(links.trace_hi),
        "linked_trace_lo": pa.array(links.trace_lo),
        "linked_span_id": pa.array(links.span_id),
        "flags": pa.array(links.flags),
        "attributes": _attributes(flat, flat.link_attributes, len(links.span)),
    }
    return _table(columns, LINK_ROWS, len(links.span))


def _resource_rows(flat: FlatTraces, resources: Resources) -> pa.Table:
    """Return the resources that kept spans have; a resource that showed Next.js renders."""
    count = len(resources.distinct)
    of_span = resources.which[flat.spans.resource]
    is_next = np.array([family(name, "") == "next" for name in flat.scopes.name.to_pylist()], np.bool_)
    renders = np.bincount(of_span[is_next[flat.spans.scope]], minlength=count) > 0
    return resources.table(np.bincount(of_span, minlength=count) > 0, renders)


def normalise(flat: FlatTraces, keep: Mask, rules: Rules, keep_links: Mask | None = None) -> dict[str, pa.Table]:
    """Turn a decoded batch into rows of the store's tables.

    Args:
        flat: the batch.
        keep: which of its spans were admitted; times of these fit into 63 bits.
        rules: the operator's rules about span names, scopes, services and secrets.
        keep_links: which of its links were admitted; None is all that belong to kept spans.

    Returns:
        `spans`, `resources`, `span_events` and `span_links` as in `seamscope.schema.tables`, without the columns
        that the store's writer adds. Rows are in the order of the batch; a resource appears once.
    """
    flat = redacted_traces(kept(flat, keep, keep_links), rules)
    spans = flat.spans
    count = len(spans.span_id)
    own = Promoted(flat.span_attributes, flat.span_attributes.owner, flat.keys, count, keys.SPANS)
    of_events = flat.events.span[flat.event_attributes.owner]
    resources = Resources(flat.resource_attributes, flat.keys, len(flat.resources.body))
    kind = _codes(spans.kind, len(words.SPAN_KINDS))
    batch = Batch(
        flat=flat,
        own=own,
        on_events=Promoted(flat.event_attributes, of_events, flat.keys, count, keys.EVENTS),
        resources=resources,
        kind=kind,
        start=spans.start.view(np.int64),
        end=spans.end.view(np.int64),
        verdicts=judge(flat, own, resources, kind, rules),
    )
    return {
        "spans": _table(_span_columns(batch), SPAN_ROWS, count),
        "resources": _resource_rows(flat, resources),
        "span_events": _events(flat, kind),
        "span_links": _links(flat, kind),
    }
