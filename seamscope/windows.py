"""Windows of event time: which calls are compared with each other, whenever and in what order their spans came.

A window is ten minutes; where more begins in it than can be compared at once it is halved until each part holds less,
so what is compared follows from the stored spans alone. A trace belongs to the window in which its earliest span
starts. A window's calls are compared with those of the windows beside it: with all of them while the three together are
small, else with those that begin close to it (`analysis.Neighbours`). What is too much and begins within the shortest
window is analysed in parts (`parting`), with nobody beside it.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

WINDOW_NS: Final = 600_000_000_000
"""Ten minutes, from the epoch on (design §4)."""

BUCKETS: Final = 4_096
BUCKET_NS: Final = WINDOW_NS // BUCKETS
"""The shortest part of a window: 146 ms. What begins within one is settled together, however much it is (`parting`)."""

COMPARED_SPANS: Final = 250_000
"""A window of more spans is halved. What is known of their calls stays in memory, and their results are written
together: half a million cost 190,000 spans/s where a quarter gave 205,000."""

READ_AHEAD: Final = 3
"""Windows that are read and prepared at a time, with the one after them: while one is compared and the one before it
written, the next ones are on their way, and no core waits."""

CLOSE: Final = 4
"""Calls of large neighbours count up to so small a part of the window away."""

_FIRST_NS: Final = -(1 << 63)
_LAST_NS: Final = (1 << 63) - 1
"""The first and the last moment that there are: the windows that they lie in are shorter."""


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A stretch of event time, or one of several parts of the traces that begin in it (`parting`)."""

    start_ns: int
    end_ns: int
    part: int = 0
    parts: int = 1

    @property
    def length_ns(self) -> int:
        """How long it is."""
        return self.end_ns - self.start_ns

    @property
    def whole(self) -> Window:
        """The window that it is a part of, or itself."""
        return Window(self.start_ns, self.end_ns)

    @property
    def last(self) -> bool:
        """Whether no other part of the window comes after it."""
        return self.part == self.parts - 1

    def overlaps(self, other: Window) -> bool:
        """Tell whether both have a moment in common."""
        return self.start_ns < other.end_ns and other.start_ns < self.end_ns


class Census:
    """How many spans the traces have that begin in every bucket of event time, and the windows that follow from it."""

    def __init__(self, most: int = COMPARED_SPANS) -> None:
        self._most = most
        self._counts: dict[int, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = {}
        self._windows: dict[int, list[Window]] = {}
        self._starts: dict[int, list[int]] = {}

    def add(self, buckets: npt.NDArray[np.int64], spans: npt.NDArray[np.int64]) -> set[int]:
        """Count spans (which may be negative) by the bucket their traces begin in; give the ten minutes concerned."""
        order = np.argsort(buckets, kind="stable")
        buckets, spans = buckets[order], spans[order]
        numbers, begins = np.unique(buckets // BUCKETS, return_index=True)
        ends = [*begins[1:], len(buckets)]
        for number, begin, end in zip(numbers.tolist(), begins, ends, strict=False):  # one end more where there is none
            known, counts = self._counts.get(number, (np.zeros(0, np.int64), np.zeros(0, np.int64)))
            together = np.concatenate([known, buckets[begin:end] - number * BUCKETS])
            summed = np.bincount(together, np.concatenate([counts, spans[begin:end]])).astype(np.int64)
            self._counts[number] = summed.nonzero()[0], summed[summed.nonzero()]
            self._windows.pop(number, None)
        return set(numbers.tolist())

    def numbers(self) -> list[int]:
        """Give the ten minutes in which anything begins."""
        return sorted(self._counts)

    def drop(self, numbers: Iterable[int]) -> None:
        """Forget some ten minutes: nothing begins in them any more."""
        for number in numbers:
            self._counts.pop(number, None)
            self._windows.pop(number, None)

    def windows(self, number: int) -> list[Window]:
        """Give the windows that ten minutes are divided into, in order."""
        if number not in self._windows:
            cut = list(self._halved(number, 0, BUCKETS))
            base = number * BUCKETS
            self._windows[number] = [
                Window(max((base + low) * BUCKET_NS, _FIRST_NS), min((base + high) * BUCKET_NS, _LAST_NS))
                for low, high in cut
            ]
            self._starts[number] = [window.start_ns for window in self._windows[number]]
        return self._windows[number]

    def _halved(self, number: int, low: int, high: int) -> Iterator[tuple[int, int]]:
        if high - low == 1 or self._within(number, low, high) <= self._most:
            yield low, high
            return
        middle = (low + high) // 2
        yield from self._halved(number, low, middle)
        yield from self._halved(number, middle, high)

    def _within(self, number: int, low: int, high: int) -> int:
        if number not in self._counts:
            return 0
        known, counts = self._counts[number]
        return int(counts[np.searchsorted(known, low) : np.searchsorted(known, high)].sum())

    def spans(self, window: Window) -> int:
        """Give the spans of the traces that begin in a window."""
        number, low = divmod(window.start_ns // BUCKET_NS, BUCKETS)
        return self._within(number, low, low - (-window.length_ns // BUCKET_NS))

    def at(self, moment_ns: int) -> Window:
        """Give the window that a moment lies in."""
        number = moment_ns // WINDOW_NS
        among = self.windows(number)
        return among[bisect_right(self._starts[number], moment_ns) - 1]

    def among(self, buckets: npt.NDArray[np.int64]) -> tuple[list[Window], npt.NDArray[np.int64]]:
        """Give windows, and which of them each bucket lies in."""
        found = [window for number in np.unique(buckets // BUCKETS).tolist() for window in self.windows(number)]
        moments = np.maximum(buckets, _FIRST_NS // BUCKET_NS + 1) * BUCKET_NS
        place = np.searchsorted([window.start_ns for window in found], moments, "right") - 1
        return found, np.maximum(place, 0)

    def beside(self, window: Window) -> tuple[Window, Window]:
        """Give the windows before and after one."""
        return self.at(window.start_ns - 1), self.at(window.end_ns)

    def lending(self, window: Window) -> tuple[Window, ...]:
        """Give the windows whose calls one is compared with beside its own: none where it is a part of one."""
        return self.beside(window) if window.parts == 1 else ()

    def small(self, window: Window) -> bool:
        """Tell whether a window and those beside it are few enough spans to be compared all together."""
        return sum(self.spans(one) for one in (window, *self.beside(window))) <= self._most

    def with_those_beside(self, windows: Iterable[Window]) -> list[Window]:
        """Give windows and those beside them in order, without the empty ones."""
        together = {near for window in windows for near in (window, *self.beside(window))}
        return sorted(window for window in together if self.spans(window))
