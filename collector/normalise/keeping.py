"""Leaving out what was not admitted: spans, and with them their attributes, events and links."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collector.decoding.flat import AttributeColumns, FlatTraces
    from collector.normalise.texts import Mask

T = TypeVar("T")


def _rows(table: T, mask: Mask) -> T:
    """Return the rows of a table of columns that `mask` names."""
    kept: dict[str, Any] = {}
    for field in fields(table):  # type: ignore[arg-type]  # every caller passes a dataclass
        column = getattr(table, field.name)
        kept[field.name] = column[mask] if isinstance(column, np.ndarray) else column.filter(pa.array(mask))
    return type(table)(**kept)


def _renumbered(mask: Mask) -> NDArray[np.uint32]:
    """Return the new position of each row that stays."""
    return (np.cumsum(mask) - 1).astype(np.uint32)


def _of_owners(table: AttributeColumns, mask: Mask) -> AttributeColumns:
    kept = _rows(table, mask[table.owner])
    return replace(kept, owner=_renumbered(mask)[kept.owner])


def kept(flat: FlatTraces, spans: Mask, links: Mask | None = None) -> FlatTraces:
    """Return the batch with only some spans, and of those only some links.

    Args:
        flat: the batch.
        spans: which of its spans stay.
        links: which of its links stay; those of spans that go, go too.
    """
    own_links = spans[flat.links.span]
    links = own_links if links is None else links & own_links
    if not spans.all():
        events = spans[flat.events.span]
        kept_events = _rows(flat.events, events)
        flat = replace(
            flat,
            spans=_rows(flat.spans, spans),
            span_attributes=_of_owners(flat.span_attributes, spans),
            events=replace(kept_events, span=_renumbered(spans)[kept_events.span]),
            event_attributes=_of_owners(flat.event_attributes, events),
        )
    if not links.all():
        flat = replace(flat, links=_rows(flat.links, links), link_attributes=_of_owners(flat.link_attributes, links))
    return replace(flat, links=replace(flat.links, span=_renumbered(spans)[flat.links.span]))
