"""Savings foretold, held against savings measured: the same page with what holds it, and without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

RIGHT_NS: Final = 10_000_000
RIGHT_SHARE: Final = 0.1
"""A saving is right where it is so near to the measured one, or within so great a part of it."""


@dataclass(frozen=True, slots=True)
class Saving:
    """What mending one thing saves a request of one recording, on average."""

    scenario: str
    variant: str
    rule: str
    horizon: str
    requests: int
    """Requests that the stopwatch measured."""
    matched: int
    """Those of them that were re-timed."""
    foretold_ns: int | None
    """None where none could be."""
    measured_ns: int
    measured_error_ns: int | None
    """Half of the measured one's interval of 95 %: a difference of two means."""

    @property
    def error_ns(self) -> int | None:
        """How far the foretold saving is from the measured one."""
        return None if self.foretold_ns is None else self.foretold_ns - self.measured_ns

    @property
    def right(self) -> bool:
        """Whether that is near enough."""
        error = self.error_ns
        return error is not None and abs(error) <= max(RIGHT_NS, RIGHT_SHARE * abs(self.measured_ns))
