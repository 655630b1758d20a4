"""Which of the things that are kept once have a number, by a digest of 64 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    I64 = np.ndarray[Any, np.dtype[np.int64]]
    U64 = np.ndarray[Any, np.dtype[np.uint64]]

MOST_KNOWN: Final = 1 << 17
"""Things that are remembered, in 2 MiB; past that all are forgotten, and one that comes again is kept once more."""


class Known:
    """Numbers by digest; they count up from `last_no`."""

    def __init__(self, last_no: int) -> None:
        self._last_no = last_no
        self.forget()

    def forget(self) -> None:
        """Take nothing for kept; numbers go on."""
        self._digests, self._numbers = np.empty(0, np.uint64), np.empty(0, np.int64)

    def numbers(self, digests: U64) -> tuple[I64, I64]:
        """Give the number of each of some digests, and the positions of those that have theirs from now on."""
        found = self._found(digests)
        new = np.flatnonzero(found == 0)
        found[new] = np.arange(self._last_no + 1, self._last_no + 1 + len(new))
        return found, new

    def keep(self, digests: U64, numbers: I64) -> None:
        """Remember new ones, of ascending numbers, now that they are stored."""
        if not len(numbers):
            return
        self._last_no = max(self._last_no, int(numbers[-1]))
        if len(self._digests) + len(numbers) > MOST_KNOWN:
            self.forget()
        digests, numbers = np.append(self._digests, digests), np.append(self._numbers, numbers)
        order = np.argsort(digests, kind="stable")
        self._digests, self._numbers = digests[order], numbers[order]

    def _found(self, wanted: U64) -> I64:
        """Give numbers by digest, 0 for those that are not known."""
        if not len(self._digests):
            return np.zeros(len(wanted), np.int64)
        at = np.minimum(np.searchsorted(self._digests, wanted), len(self._digests) - 1)
        return np.where(self._digests[at] == wanted, self._numbers[at], 0)
