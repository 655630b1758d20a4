"""From bodies to rows for the store: decode, judge, normalise, and say what became of each body."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from collector import logs, metrics
from collector.decoding import admit
from collector.decoding.decode import decode_traces
from collector.normalise import normalise
from seamscope.config import Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from collector.decoding.decode import Body

_log = logging.getLogger(__name__)

BATCH_BYTES: Final = 64 * 1024 * 1024
"""Bodies that are read together: as much as one body may have, and far from what Arrow's text columns hold."""


PARTS: Final = 64
"""Into how many parts a body is cut that cannot be read as a whole: fewer find three spans of thousands."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one body.

    Attributes:
        accepted: items (spans, log records, data points) that are in `Ingested.tables`, or only counted.
        rejected: items that are not, by reason.
        error: why nothing of the body could be read, or None; then `accepted` is 0 and `rejected` empty.
        notes: what was lost of accepted items, by kind: `odd_field` (a field of another shape than OTLP gives it was
            passed over), `cut_value` (a value was longer than `admit.AttributeLimits` lets it), `broken_link` (a
            span link whose ids are not valid).
        unkept: accepted items that are counted and not stored: data points of instruments that explain no seam.
    """

    accepted: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None
    notes: Mapping[str, int] = field(default_factory=dict)
    unkept: int = 0


@dataclass(frozen=True, slots=True)
class Ingested:
    """Rows for the store, by table name (`seamscope.schema.tables.INGESTED`), and an outcome per body in order."""

    tables: Mapping[str, pa.Table]
    outcomes: Sequence[Outcome]


def _named(names: Sequence[str], counts: NDArray[np.int64]) -> list[dict[str, int]]:
    """Return the counts of each body (row) that are not 0, by name (column)."""
    return [{name: n for name, n in zip(names, row, strict=True) if n} for row in counts.tolist()]


def _outcomes(
    accepted: NDArray[np.int64],
    rejected: Sequence[Mapping[str, int]],
    errors: Sequence[str | None],
    notes: Sequence[Mapping[str, int]],
) -> list[Outcome]:
    """Put the counts of a batch into an outcome per body."""
    return [Outcome(*counts) for counts in zip(accepted.tolist(), rejected, errors, notes, strict=True)]


_NOTES: Final = ("odd_field", "cut_value", "broken_link")


def _notes(judged: admit.Admitted) -> list[dict[str, int]]:
    """Return what was lost of accepted spans, per body."""
    flat = judged.flat
    broken = judged.keep[flat.links.span] & ~judged.keep_links
    links = np.bincount(flat.spans.body[flat.links.span[broken]], minlength=len(flat.errors))
    return _named(_NOTES, np.column_stack([flat.oddities, judged.truncated, links]))


def _traces(bodies: Sequence[Body], rules: Rules) -> Ingested:
    flat = decode_traces(bodies)
    judged = admit.admit(flat)
    kept = np.bincount(flat.spans.body[judged.keep], minlength=len(bodies))
    tables = normalise(judged.flat, judged.keep, rules, judged.keep_links) if kept.any() else {}
    rejected = _named(admit.REASONS, judged.rejected)
    return Ingested(tables, _outcomes(kept, rejected, flat.errors, _notes(judged)))


def _logs(bodies: Sequence[Body], rules: Rules) -> Ingested:
    found = logs.decode_logs(bodies, rules)
    rejected, notes = _named(logs.REASONS, found.rejected), _named(_NOTES[:1], found.oddities[:, None])
    return Ingested(found.tables, _outcomes(found.accepted, rejected, found.errors, notes))


def _metrics(bodies: Sequence[Body], rules: Rules) -> Ingested:
    found = metrics.decode_metrics(bodies, rules)
    rejected, notes = _named(metrics.REASONS, found.rejected), _named(_NOTES[:1], found.oddities[:, None])
    outcomes = _outcomes(found.accepted, rejected, found.errors, notes)
    return Ingested(
        found.tables,
        [replace(outcome, unkept=count) for outcome, count in zip(outcomes, found.unkept.tolist(), strict=True)],
    )


def _traces_in_parts(body: Body, rules: Rules) -> Ingested:
    """Read what can be read of a body's spans; those at fault are rejected."""
    judged = admit.admit(decode_traces([body]))
    parts, failed = _halved(judged, rules)
    if not parts:
        raise ValueError("none of its spans")
    judged.keep[failed] = False
    judged.rejected[0, admit.REASONS.index("invalid_field")] += len(failed)
    tables = {name: pa.concat_tables(part[name] for part in parts) for name in parts[0]}
    rejected = _named(admit.REASONS, judged.rejected)
    outcomes = _outcomes(np.array([judged.keep.sum()]), rejected, judged.flat.errors, _notes(judged))
    return Ingested(tables, outcomes)


def _halved(judged: admit.Admitted, rules: Rules) -> tuple[list[dict[str, pa.Table]], NDArray[np.intp]]:
    """Read spans that fail together half by half; give what was read, and those that fail alone or were not reached."""
    parts: list[dict[str, pa.Table]] = []
    alone, todo = [np.zeros(0, np.intp)], [np.flatnonzero(judged.keep)]
    for _ in range(PARTS):
        if not todo:
            break
        rows = todo.pop()
        part = np.zeros(len(judged.keep), np.bool_)
        part[rows] = True
        try:
            parts.append(normalise(judged.flat, part, rules, judged.keep_links & part[judged.flat.links.span]))
        except MemoryError:  # no fault of theirs
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the spans beside it must not suffer
            if len(rows) > 1:
                todo += np.array_split(rows, 2)
            else:
                alone.append(rows)
    return parts, np.concatenate([*alone, *todo])


_READERS: Final[dict[str, Callable[[Sequence[Body], Rules], Ingested]]] = {
    "traces": _traces,
    "logs": _logs,
    "metrics": _metrics,
}


def _batches(bodies: Sequence[Body]) -> Iterator[list[int]]:
    """Yield the positions of bodies that can be read together: one signal, one encoding, at most `BATCH_BYTES`."""
    alike = defaultdict(list)
    for position, body in enumerate(bodies):
        alike[body.signal, body.encoding].append(position)
    for key in sorted(alike, reverse=True):  # traces first: their scopes may tell a resource's tier
        batch: list[int] = []
        size = 0
        for position in alike[key]:
            if batch and size + len(bodies[position].data) > BATCH_BYTES:
                yield batch
                batch, size = [], 0
            batch.append(position)
            size += len(bodies[position].data)
        yield batch


def _safely(bodies: Sequence[Body], rules: Rules) -> list[Ingested]:
    """Read a batch; where it fails as a whole, each of its bodies alone, so that one cannot harm another."""
    try:
        return [_READERS[bodies[0].signal](bodies, rules)]
    except MemoryError:  # no fault of theirs
        raise
    except Exception:  # noqa: BLE001 - whatever it is, the bodies beside it must not suffer
        _log.exception("%d bodies could not be read", len(bodies))
    if len(bodies) > 1:
        return [one for body in bodies for one in _safely([body], rules)]
    return [_in_parts(bodies[0], rules)]


def _in_parts(body: Body, rules: Rules) -> Ingested:
    """Read what can be read of a body that fails as a whole."""
    try:
        if body.signal == "traces":
            return _traces_in_parts(body, rules)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - then it is not its spans
        _log.exception("a request could not be read")
    return Ingested({}, [Outcome(error="the collector could not read this request")])


def ingest(bodies: Sequence[Body], rules: Rules | None = None) -> Ingested:
    """Read bodies of any signal and encoding. Never raises for what a body holds."""
    outcomes: list[Outcome] = [Outcome()] * len(bodies)
    parts = defaultdict(list)
    for batch in _batches(bodies):
        found = _safely([bodies[position] for position in batch], rules or Rules())
        for position, outcome in zip(batch, (o for one in found for o in one.outcomes), strict=True):
            outcomes[position] = outcome
        for one in found:
            for name, table in one.tables.items():
                parts[name].append(table)
    return Ingested({name: pa.concat_tables(tables) for name, tables in parts.items()}, outcomes)
