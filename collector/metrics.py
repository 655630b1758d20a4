"""Data points → rows for the store, of the instruments that explain seams; of all others only their number.

A metric is known by its name (`seamscope.schema.instruments`), whatever its kind; durations come out in nanoseconds.
Nothing of an instrument that is not kept is read further than it takes to count its points.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.decoding.admit import LATEST_NS, AttributeLimits, bounded, limited
from collector.decoding.columns import CellTable, attributes, doubles, enumeration
from collector.decoding.flat import FAULT_SHAPE, FAULT_TIME
from collector.decoding.signals import METRICS
from collector.logs import first_fault, lists, read
from collector.normalise import keys as spellings
from collector.normalise.redaction import redacted, secret_keys
from collector.normalise.resources import Resources
from seamscope.config import Rules
from seamscope.schema import tables
from seamscope.schema.instruments import INSTRUMENTS, UNITS_NS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from collector.decoding.decode import Body
    from collector.decoding.wire import Cells, WireLimits

    Mask = NDArray[np.bool_]
    Numbers = NDArray[np.int64]
    Reals = NDArray[np.float64]

REASONS: Final = ("invalid_field", "invalid_utf8", "time_out_of_range")
"""Why a data point is rejected; one with several faults counts under the first."""

LIMITS: Final = AttributeLimits(value_bytes=256, per_owner=16)
"""What is kept of a data point's attributes: they name a pool, its peer and a state."""
MOST_POINTS: Final = 20_000
"""Data points of one body that are kept: a process exports a few dozen of these at a time."""

_NO_VALUE: Final = 1
"""https://opentelemetry.io/docs/specs/otel/metrics/data-model/: bit 0 of the flags, no recorded value."""
_CUMULATIVE: Final = 2
_TEMPORALITIES: Final = ("unspecified", "delta", "cumulative")
_STORED: Final = pa.schema([field for field in tables.METRIC_POINTS if field.name not in {"commit_no", "ingested_ns"}])
_NAMES: Final = pa.array(list(INSTRUMENTS))
_KNOWN: Final = tuple(INSTRUMENTS.values())
_SUBJECTS: Final = pa.array([known.subject for known in _KNOWN])
_MEASURES: Final = pa.array([known.measure for known in _KNOWN])
_IS_HISTOGRAM: Final = np.array([known.histogram for known in _KNOWN])
_IS_DURATION: Final = np.array([bool(known.unit) for known in _KNOWN])
_USUAL_NS: Final = np.array([UNITS_NS.get(known.unit, 1.0) for known in _KNOWN])
_UNITS: Final = pa.array(list(UNITS_NS))
_UNIT_NS: Final = np.array(list(UNITS_NS.values()))
_STATES: Final = {"inuse": "used", "in_use": "used", "active": "used"}
"""otelsql and HTTP clients spell it otherwise than the database conventions."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Metric bodies as rows.

    Attributes:
        tables: `metric_points` and `resources`, without the columns that the store's writer sets.
        accepted: data points that were taken, per body: kept or only counted.
        unkept: those of them that were only counted.
        rejected: data points that were not taken, per body and reason: shape (bodies, len(REASONS)).
        errors: per body why nothing of it could be read, or None.
        oddities: per body, fields that were passed over for their shape.
    """

    tables: dict[str, pa.Table]
    accepted: Numbers
    unkept: Numbers
    rejected: Numbers
    errors: tuple[str | None, ...]
    oddities: Numbers


def decode_metrics(bodies: Sequence[Body], rules: Rules | None = None, limits: WireLimits | None = None) -> Metrics:
    """Return the rows of metric requests of one encoding, without what `rules` redact; together less than 256 MiB."""
    cells = read(bodies, METRICS, limits)
    metrics, points = CellTable(cells, "metrics"), CellTable(cells, "points")
    metric = points["metric"]
    which = _known(metrics)[metric]
    body = _bodies(cells)[metric]
    scale = np.where(_IS_DURATION[which], _scales(metrics.text("unit"), metric, which), 1.0)
    wanted = _wanted(cells, points, which, scale, body)
    rows, bad, resources = _rows(cells, metrics, points, which, scale, wanted, rules or Rules())
    first = first_fault(_faults(points, metrics.bad[metric] | bad), len(metric))
    keep = wanted & (first < 0)
    rejected = np.zeros((len(bodies), len(REASONS)), np.int64)
    np.add.at(rejected, (body[first >= 0], first[first >= 0]), 1)
    accepted = np.bincount(body[first < 0], minlength=len(bodies))
    kept = rows.filter(pa.array(keep[wanted]))
    found = {"metric_points": kept, "resources": resources} if kept.num_rows else {}
    unkept = accepted - np.bincount(body[keep], minlength=len(bodies))
    return Metrics(found, accepted, unkept, rejected, cells.errors, cells.oddities)


def _known(metrics: CellTable) -> Numbers:
    """Return the position of each metric's name in `INSTRUMENTS`, -1 for one that is not kept."""
    found: Numbers = pc.fill_null(pc.index_in(metrics.text("name"), value_set=_NAMES), -1).to_numpy().astype(np.int64)
    return found


def _bodies(cells: Cells) -> Numbers:
    """Return the body of each metric."""
    resource = cells.table("scopes")[cells.table("metrics")[:, 0], 0]
    found: Numbers = cells.table("resources")[resource, 0]
    return found


@np.errstate(over="ignore")  # what is too large in nanoseconds is infinite
def _wanted(cells: Cells, points: CellTable, which: Numbers, scale: Reals, body: Numbers) -> Mask:
    """Mark the points that are kept if nothing is wrong with them: of known instruments, finite as it is stored."""
    value, total = (doubles(cells, points[name]) * scale for name in ("double", "sum"))
    finite = np.isfinite(value) & np.isfinite(total)
    wanted: Mask = (which >= 0) & finite & (points["flags"] & _NO_VALUE == 0) & (points["faults"] == 0)
    wanted &= points["count"] >= 0
    rank = np.cumsum(wanted)
    before = np.zeros(len(cells.errors) + 1, np.int64)
    np.add.at(before, body[wanted] + 1, 1)
    return wanted & (rank - np.cumsum(before)[body] <= MOST_POINTS)


def _faults(points: CellTable, bad: Mask) -> Iterator[Mask]:
    """Yield a mask per entry of `REASONS`, in that order."""
    faults = points["faults"]
    yield (faults & FAULT_SHAPE) != 0
    yield bad
    yield ((faults & FAULT_TIME) != 0) | (np.maximum(points.u64("start"), points.u64("time")) > LATEST_NS)


def _rows(
    cells: Cells, metrics: CellTable, points: CellTable, which: Numbers, scale: Reals, wanted: Mask, rules: Rules
) -> tuple[pa.Table, Mask, pa.Table]:
    """Return the rows of the wanted points, which of all points have text that is not UTF-8, and the resources."""
    at = np.flatnonzero(wanted)
    keys, ((of_resources, _), (own, bad_text)) = attributes(
        cells, ("resource_attributes", "point_attributes"), {"point_attributes": wanted}
    )
    bad = np.zeros(len(wanted), np.bool_)
    bad[own.owner[bad_text]] = True
    place = (np.cumsum(wanted) - 1).astype(np.uint32)
    secret = secret_keys(keys, rules.redact)
    own = redacted(limited(replace(own, owner=place[own.owner]), LIMITS)[0], secret)
    of_resources = redacted(limited(of_resources, AttributeLimits())[0], secret)
    resources = Resources(of_resources, keys, len(cells.table("resources")))
    scopes, metric = CellTable(cells, "scopes"), points["metric"][at]
    scope = metrics.u32("scope")[metric]
    columns = {
        "resource_id": resources.ids[scopes.u32("resource")[scope]],
        "scope": bounded(scopes.text("name"), LIMITS.name_bytes)[0].take(pa.array(scope)),
        **_values(cells, metrics, points, which[at], scale[at], at),
        **_dimensions(spellings.Promoted(own, own.owner, keys, len(at), spellings.POINTS)),
        "attributes": lists(own, keys, len(at)),
    }
    table = pa.table({name: columns[name] for name in _STORED.names}, schema=_STORED)
    return table, bad, resources.table() if len(at) else pa.table({})


@np.errstate(over="ignore")  # what is too large in nanoseconds is infinite
def _values(
    cells: Cells, metrics: CellTable, points: CellTable, which: Numbers, scale: Reals, at: NDArray[np.intp]
) -> dict[str, pa.Array]:
    """Return what the points say; durations in nanoseconds, a histogram's count and sum instead of a value."""
    metric = points["metric"][at]
    names = pa.array(which)
    integer, whole = points["integer"][at], doubles(cells, points["double"])[at]
    count = points["count"][at]
    spread = _IS_HISTOGRAM[which] | (count > 0)
    value = np.where(integer != 0, integer.astype(np.float64), whole) * scale
    temporality = enumeration(cells, metrics["temporality"], _TEMPORALITIES, "aggregation_temporality_")[metric]
    found = {
        "instrument": _NAMES.take(names),
        "subject": _SUBJECTS.take(names),
        "measure": _MEASURES.take(names),
        "cumulative": pa.array(temporality == _CUMULATIVE),
        "started_ns": pa.array(points["start"][at]),
        "time_ns": pa.array(points["time"][at]),
        "value": pa.array(value, mask=spread),
        "count": pa.array(count, mask=~spread),
    }
    least, most, total = (doubles(cells, points[name])[at] * scale for name in ("min", "max", "sum"))
    told = spread & (most != 0) & np.isfinite(least) & np.isfinite(most)  # without an upper end, neither was sent
    return {
        **found,
        "sum": pa.array(total, mask=~spread),
        "min": pa.array(least, mask=~told),
        "max": pa.array(most, mask=~told),
    }


def _scales(units: pa.StringArray, metric: Numbers, which: Numbers) -> Reals:
    """Return how many nanoseconds a point's unit is: the metric's, else the instrument's usual one."""
    found = pc.fill_null(pc.index_in(units, value_set=_UNITS), -1).to_numpy()[metric]
    return np.where(found >= 0, _UNIT_NS[found], _USUAL_NS[which])


def _dimensions(own: spellings.Promoted) -> dict[str, Any]:
    """Return which pool, in what state, to whom."""
    none = pa.nulls(own.owners, pa.string())
    said = {slot: own.slices(slot).array() if slot in own else none for slot in ("pool", "state", "peer")}
    states = pc.dictionary_encode(said["state"])
    spelled = pa.array([_STATES.get(state, state) for state in states.dictionary.to_pylist()], pa.string())
    found = own.numbers("peer_port")
    ports = pa.nulls(own.owners, pa.int32())
    if found is not None:
        ports = pa.array(np.clip(found[0], 0, 65_535).astype(np.int32), mask=~found[1])
    return {**said, "state": spelled.take(states.indices), "peer_port": ports}
