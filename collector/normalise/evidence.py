"""Evidence of phases, cold starts, caches and errors that a span carries itself, in attributes or events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from collector.normalise import phases
from collector.normalise.batch import integers, merged, truths
from collector.normalise.choices import each_distinct, either
from collector.normalise.texts import LOWER
from collector.normalise.values import MILLISECOND_NS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collector.normalise.batch import Batch, Columns
    from collector.normalise.keys import Promoted
    from collector.normalise.texts import Mask

    I64 = NDArray[np.int64]

MILLISECONDS: Final = {"cpu_ns": "cpu", "wall_ns": "wall", "engine_ns": "engine"}
"""Column → slot that holds milliseconds."""
TRUTHS: Final = {"cold_start": "cold_start", "essential": "essential"}
_MISS_OR_HIT: Final = pa.array(["miss", "hit"], pa.string())
FINE: Final = frozenset({"ok", "unknown"})
"""Outcomes of a Workers invocation that are no error."""


def _known(pair: tuple[I64, Mask] | None) -> tuple[I64, Mask] | None:
    """Return durations with the negative ones taken out."""
    return None if pair is None else (np.maximum(pair[0], 0), pair[1] & (pair[0] >= 0))


def _first_byte(batch: Batch) -> tuple[I64, Mask] | None:
    """Return when the first byte came after the span's start, as an attribute says."""
    edge = batch.own.numbers("first_byte", MILLISECOND_NS)
    return _known(merged(edge, batch.own.numbers("headers_after", MILLISECOND_NS)))


def _phases(batch: Batch, timeline: phases.Timeline) -> Columns:
    told = phases.phases(timeline, batch.start, batch.verdicts.entry)
    pairs: dict[str, tuple[I64, Mask] | None] = {name: (values, values >= 0) for name, values in told.items()}
    pairs["first_byte"] = merged(_first_byte(batch), pairs.get("first_byte"))
    return {f"{name}_ns": integers(*pair) for name, pair in pairs.items() if pair is not None and pair[1].any()}


def _queued(batch: Batch) -> tuple[I64, Mask] | None:
    """Return when a request joined the queue before the server, by its header or by the time it waited."""
    waited = batch.own.numbers("queued_for", MILLISECOND_NS)
    since = None if waited is None else (batch.start - waited[0], waited[1] & (waited[0] >= 0))
    return merged(batch.own.times("queued_at"), since)


def _flags(first: Promoted, second: Promoted, slot: str) -> tuple[Mask, Mask] | None:
    mine, other = first.flags(slot), second.flags(slot)
    if mine is None or other is None:
        return mine or other
    return np.where(mine[1], mine[0], other[0]), mine[1] | other[1]


def _connection(batch: Batch, timeline: phases.Timeline) -> Columns:
    """Return what is known of the connection: reused, idle before, and for how long."""
    found: Columns = {}
    reused = _flags(batch.own, batch.on_events, "reused")
    if "requestStart" in timeline:
        by_marks = phases.reused(timeline)
        reused = by_marks if reused is None else (np.where(reused[1], reused[0], by_marks[0]), reused[1] | by_marks[1])
    idle = _flags(batch.own, batch.on_events, "was_idle")
    if reused is not None:
        found["reused"] = truths(*reused)
    if idle is not None:
        found["was_idle"] = truths(*idle)
    idle_for = merged(batch.own.go_durations("idle"), batch.on_events.go_durations("idle"))
    if idle_for is not None:
        found["idle_ns"] = integers(*idle_for)
    return found


def _cache(batch: Batch) -> pa.StringArray | None:
    own = batch.own
    stated = own.slices("cache_status").array(LOWER) if "cache_status" in own else None
    hit = own.flags("cache_hit")
    if hit is None:
        return stated
    said = pa.array(np.where(hit[0], 1, 0), mask=~hit[1])
    return either(stated, _MISS_OR_HIT.take(said))


def _error(batch: Batch) -> pa.StringArray | None:
    """Return what went wrong: as stated, as thrown, as the platform or the proxy has it."""
    own, events = batch.own, batch.on_events
    stated = own.slices("error_type").array() if "error_type" in own else None
    thrown = events.slices("exception").array() if "exception" in events else None
    outcome = flags = None
    if "outcome" in own:
        outcome = each_distinct(own.slices("outcome").array(), lambda word: None if word in FINE else word)
    if "response_flags" in own:
        flags = each_distinct(own.slices("response_flags").array(), lambda word: None if word == "-" else word)
    return either(stated, thrown, outcome, flags)


def columns(batch: Batch) -> Columns:
    """Return the columns of evidence."""
    own = batch.own
    events = batch.flat.events
    timeline = phases.Timeline(events.name, events.span, events.time.view(np.int64), batch.rows)
    found: Columns = {**_phases(batch, timeline), **_connection(batch, timeline)}
    for column, slot in MILLISECONDS.items():
        pair = _known(own.numbers(slot, MILLISECOND_NS))
        if pair is not None:
            found[column] = integers(*pair)
    for column, slot in TRUTHS.items():
        said = own.flags(slot)
        if said is not None:
            found[column] = truths(*said)
    sequence, queued = own.numbers("sequence"), _queued(batch)
    if sequence is not None:
        found["sequence"] = integers(*sequence)
    if queued is not None:
        found["queued_at_ns"] = integers(*queued)
    texts = {
        "cache_status": _cache(batch),
        "cache_reason": own.slices("cache_reason").array() if "cache_reason" in own else None,
        "error_type": _error(batch),
    }
    return found | {name: column for name, column in texts.items() if column is not None}
