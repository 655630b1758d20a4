"""Messages and jobs: what was sent where, under which id, and from when on it could have been taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.normalise import keys
from collector.normalise.batch import integers, merged
from collector.normalise.choices import each_distinct, either, joined, only, scalar
from collector.normalise.roles import SYSTEMS
from collector.normalise.stores import implied
from collector.normalise.texts import readonly
from collector.normalise.values import SECOND_NS
from seamscope.schema import words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collector.normalise.batch import Batch, Columns
    from collector.normalise.texts import Mask

    I64 = NDArray[np.int64]

OPERATIONS: Final = {"publish": "send", "deliver": "process"}
"""What operations were called before → what they are called now."""

DESTINATIONS: Final = {
    "cloudflare-queues": r"^(?:queueHandler|Queues) (?P<name>.+?)(?: send(?:Batch)?)?$",
    "bullmq": r"^(?P<name>.+)\.[^.]+$",
}
"""Job system → where its span names say the queue."""

_SIDES: Final = pa.array([None, "send", "process"], pa.string())
_PRODUCER: Final = words.code(words.SPAN_KINDS, "producer")
_CONSUMER: Final = words.code(words.SPAN_KINDS, "consumer")


def _of_system(batch: Batch, name: str) -> Mask:
    mask: Mask = batch.verdicts.job_system == SYSTEMS.index(name)
    return mask


def _operation(batch: Batch) -> pa.StringArray | None:
    """Return what was done; a producer of a job system sends and a consumer processes, if it does not say."""
    stated = None
    if "messaging_operation" in batch.own:
        column = batch.own.slices("messaging_operation").array()
        stated = each_distinct(column, lambda word: OPERATIONS.get(word.lower(), word.lower()))
    is_message = (batch.verdicts.job_system > 0) | batch.own.has("messaging_system")
    sides = np.zeros(batch.rows, np.uint8)
    sides[is_message & (batch.kind == _PRODUCER)] = 1
    sides[is_message & (batch.kind == _CONSUMER)] = 2
    if not sides.any():
        return stated
    return either(stated, _SIDES.take(pa.array(sides)))


def _named_destination(batch: Batch) -> pa.StringArray | None:
    """Return the queue that a job system's span name tells."""
    found = None
    for system, pattern in DESTINATIONS.items():
        mask = _of_system(batch, system)
        if mask.any():
            names = pc.struct_field(pc.extract_regex(batch.flat.spans.name, pattern), "name")
            found = either(found, only(mask, names))
    return found


def _destination(batch: Batch) -> pa.StringArray | None:
    own = batch.own
    slots = ("messaging_destination", "bullmq_queue")
    stated = [own.slices(slot).array() if slot in own else None for slot in slots]
    river = None
    if "river_queue" in own and (mask := _of_system(batch, "river")).any():
        river = own.slices("river_queue").keep(mask).array()
    return either(*stated, river, _named_destination(batch))


def _linked_ids(batch: Batch) -> pa.StringArray | None:
    """Return the id of the message that a span links to, where it links to one message alone."""
    flat = batch.flat
    codes = [at for at, key in enumerate(flat.keys.to_pylist()) if key in keys.LINKS.meaning]
    if not codes or len(flat.links.span) == 0:
        return None
    rows = np.flatnonzero(np.isin(flat.link_attributes.key, codes))
    spans = flat.links.span[flat.link_attributes.owner[rows]]
    alone = np.bincount(spans, minlength=batch.rows) == 1
    at = np.full(batch.rows, -1, np.int64)
    at[spans] = rows
    found = flat.link_attributes.text.take(pa.array(np.where(alone, at, 0), mask=~alone))
    return only(pc.not_equal(found, scalar("")), found)


def _message_id(batch: Batch) -> pa.StringArray | None:
    own = batch.own
    found: list[pa.StringArray | None] = [
        own.slices(slot).array() for slot in ("message_id", "bullmq_id") if slot in own
    ]
    if "river_id" in own and (mask := _of_system(batch, "river")).any():
        found.append(own.slices("river_id").keep(mask).array())
    if "message_id" in batch.on_events:
        found.append(batch.on_events.slices("message_id").array())
    return either(*found, _linked_ids(batch))


def _oldest(batch: Batch) -> tuple[I64, Mask] | None:
    """Return the earliest enqueue time among a span's events (one per message of a batch)."""
    if "enqueued" not in batch.on_events:
        return None
    flat = batch.flat
    wanted = [at for at, key in enumerate(flat.keys.to_pylist()) if key in keys.ON_EVENTS["enqueued"]]
    rows = np.flatnonzero(np.isin(flat.event_attributes.key, wanted)).astype(np.int32)
    moments, present = batch.on_events.times_of(readonly(rows))
    oldest = np.full(batch.rows, np.iinfo(np.int64).max)
    spans = flat.events.span[flat.event_attributes.owner[rows[present]]]
    np.minimum.at(oldest, spans, moments[present])
    known = oldest < np.iinfo(np.int64).max
    return np.where(known, oldest, 0), known


def _enqueued(batch: Batch) -> tuple[I64, Mask] | None:
    """Return from when on a message could have been taken: its enqueue time, or the time it was put off to."""
    own = batch.own
    found = merged(own.times("enqueued"), _oldest(batch))
    found = merged(found, own.times("celery_eta"))
    countdown = own.numbers("celery_countdown", SECOND_NS)
    if countdown is not None:
        # only the producer knows what it counts down from
        producing = countdown[1] & (batch.kind == _PRODUCER)
        found = merged(found, (np.where(producing, batch.end + countdown[0], 0), producing))
    river = own.times("river_scheduled")
    if river is not None:
        found = merged(found, (river[0], river[1] & _of_system(batch, "river")))
    return found


def columns(batch: Batch) -> tuple[Columns, pa.StringArray | None]:
    """Return the columns about messages, and what each span does with them ('send orders', null without)."""
    own = batch.own
    stated = own.slices("messaging_system").array() if "messaging_system" in own else None
    system = either(stated, implied(batch.verdicts.job_system))
    operation, destination = _operation(batch), _destination(batch)
    enqueued = _enqueued(batch)
    found = {
        "messaging_system": system,
        "messaging_operation": operation,
        "messaging_destination": destination,
        "message_id": _message_id(batch),
        "enqueued_ns": None if enqueued is None else integers(*enqueued),
    }
    present = {name: column for name, column in found.items() if column is not None}
    if operation is None or destination is None:
        return present, None
    return present, joined(operation, destination)
