"""The calls of a seam together: their gaps, what is known of them, and what would tell the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seamscope.results.reports import Percentiles


@dataclass(frozen=True, slots=True)
class Lacking:
    """Something that nobody tells of a seam's calls, and the instrumentation that would."""

    tells: tuple[str, ...]
    """The phases that it would tell apart, or `server_span`, or `gap`."""
    side: str
    """Where it is to be set: `caller` or `callee`."""
    emitter: str | None
    """The instrumentation scope that sends the spans of that side now."""
    step: str
    hops: int
    """Hops on which it would tell more."""
    ns: int | None
    """Time of those hops that it could explain at most (of several that could, each is given all); None: not known."""


@dataclass(frozen=True, slots=True)
class Remainder:
    """Time of one request on a seam that nobody explains, and what would tell it."""

    seam: str
    ns: int
    lacking: tuple[Lacking, ...]
    """What may lie behind most of it first; hops and times are this request's."""


@dataclass(frozen=True, slots=True)
class SeamRow:
    """A line of `seams`."""

    seam: str
    boundary: str
    hops: int
    matched: int
    """Hops with a server span."""
    gap: Percentiles
    phases: dict[str, int]
    """Phase → summed ns over the hops where it is known."""
    gap_sum_ns: int
    explained_ns: int
    cold: int | None
    """Hops known to have opened a connection; None where no emitter says."""
    reused_known: int
    """Hops of which it is known whether their connection was reused."""
    requests: int = 0
    errors: int = 0
    gap_kinds: dict[str, int] = field(default_factory=dict)
    """Why a gap is known or null (`words.GAP_KINDS`) → hops."""
    phase_hops: dict[str, int] = field(default_factory=dict)
    """Phase → hops where it is known."""
    retried: int = 0
    """Hops with more than one attempt."""
    examples: dict[str, str] = field(default_factory=dict)
    """`p50`, `p95`, `p99`, `max` of the gap → the id of a request with that gap."""
    explained_by: dict[str, int] = field(default_factory=dict)
    """Evidence → ns of the gap that is known by it; with `unexplained` they sum to `gap_sum_ns`."""
    lacking: tuple[Lacking, ...] = ()
    """What would explain the rest, what may lie behind most time first."""
    clock_interval_ns: tuple[int, int] | None = None
    """How far the callee's clock may still be off the caller's, of the two instances with most calls; None where no
    call tells, or no constant offset fits them all."""
