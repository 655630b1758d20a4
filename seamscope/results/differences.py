"""Two sets of requests held against each other."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SetOfRequests:
    """One side of a comparison."""

    name: str
    requests: int
    mean_ns: int
    """Of the horizon, rounded down."""


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """What one owner and cause take per request in either set; the rows' times sum to the sets' means."""

    owner: str
    cause: str
    first_ns: int
    second_ns: int
    delta_ns: int
    mix_ns: int
    """Of it, what the routes' shares moved."""
    rate_ns: int
    """Of it, what the routes' own means moved; mix and rate sum to the difference, within rounding."""
    low_ns: int | None
    high_ns: int | None
    """95 % bootstrap interval of the difference; None where a set has too few requests to tell."""


@dataclass(frozen=True, slots=True)
class ValueApart:
    """A value that the two sets carry in shares that are apart."""

    key: str
    value: str
    first_requests: int
    second_requests: int
    first_share: float
    second_share: float


@dataclass(frozen=True, slots=True)
class Difference:
    """The second set of requests held against the first."""

    horizon: str
    first: SetOfRequests
    second: SetOfRequests
    delta_ns: int
    """Of the means; the rows' differences sum to it exactly."""
    low_ns: int | None
    high_ns: int | None
    mix_ns: int
    rate_ns: int
    rows: tuple[DifferenceRow, ...]
    values: tuple[ValueApart, ...]
    notes: tuple[str, ...] = ()
