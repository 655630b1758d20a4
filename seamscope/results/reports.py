"""Many requests in groups: percentiles, totals by owner, cause and evidence, calls that held them, metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seamscope.results.requests import Share


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Exact percentiles of a horizon or a gap, and the number of values behind them."""

    count: int
    mean_ns: int | None
    p50_ns: int | None
    p95_ns: int | None
    p99_ns: int | None
    max_ns: int | None


@dataclass(frozen=True, slots=True)
class HeldBy:
    """A call that held the horizon of a group's requests: its stretches on the critical path."""

    operation: str
    seam: str | None
    requests: int
    """Requests whose critical path runs through this call."""
    mean_ns: int
    """Mean stretch on the path over those requests."""
    order: int
    """Its usual place among the calls of the path (0 = first), by mean start."""
    mean_start_ns: int
    mean_end_ns: int
    calls: int = 0
    """Calls over those requests; more than `requests` where a request makes the call several times."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A boundary metric of some requests."""

    name: str
    """Ends in its unit: `_ns`, `_ratio`; else a number."""
    label: str | None
    """Which database, seam, tier or cache scope it is of; None where it is of all."""
    value: float | int | None
    """None: nobody tells what it is made of."""
    count: int
    """Requests, calls or spans that it is made of."""
    definition: str


@dataclass(frozen=True, slots=True)
class Group:
    """The requests of one route, seam, boundary, service, place or attribute value, and what held them."""

    key: str
    requests: int
    weight: float
    errors: int
    shell: Percentiles
    complete: Percentiles
    shares: dict[str, tuple[Share, ...]]
    """`shell`, `complete` → totals; they sum to the summed horizon of the `requests_in` requests."""
    requests_in: dict[str, int]
    """`shell`, `complete` → how many requests the shares are totals of."""
    held_by: dict[str, tuple[HeldBy, ...]] = field(default_factory=dict)
    dominant: dict[str, tuple[str, str] | None] = field(default_factory=dict)
    """`shell`, `complete` → (owner, cause) with the largest total."""
    led_by: dict[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    """`shell`, `complete` → (cause, requests in which this cause is the largest), over the `requests_in` requests."""
    examples: dict[str, dict[str, str]] = field(default_factory=dict)
    """`shell`, `complete` → `p50`, `p95`, `p99`, `max` → the request id that stands exactly there."""
    metrics: tuple[Metric, ...] = ()
    """The boundary metrics, where they were asked for."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a report was asked for."""

    filter: str = ""
    since: str | None = None
    until: str | None = None
    environment: str | None = None
    """The environment that was taken; set also where several exist and one was taken by default."""


@dataclass(frozen=True, slots=True)
class Report:
    """Owner × cause × evidence totals of a selection, by groups."""

    selection: Selection
    by: str
    at: str
    """`mean`, `p50`, `p95` or `p99`: which requests the shares are taken from."""
    horizons: tuple[str, ...]
    total: Group
    groups: tuple[Group, ...]
    left_out: dict[str, int]
    """Requests of kind `other`, not final, … that the figures leave out, counted."""
    warnings: dict[str, int]
    """Warning code → count in the selection."""
    notes: tuple[str, ...] = ()
