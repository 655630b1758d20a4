"""Fingerprints of the latest items: what tells a client's retry from something new, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seamscope.kernel import kernel

if TYPE_CHECKING:
    U64 = np.ndarray[Any, np.dtype[np.uint64]]
    Mask = np.ndarray[Any, np.dtype[np.bool_]]

_FIRST_SLOTS = 1 << 12


@kernel
def _slot(slots: U64, fingerprint: np.uint64) -> np.uint64:
    """Give the slot that holds `fingerprint`, or the empty one where it belongs (linear probing, 0 is empty)."""
    last = np.uint64(len(slots) - 1)
    at = fingerprint & last
    while slots[at] != 0 and slots[at] != fingerprint:
        at = (at + np.uint64(1)) & last
    return at


@kernel
def _unseen(young: U64, old: U64, fingerprints: U64, unseen: Mask) -> None:
    """Mark the fingerprints that neither generation holds."""
    for place in range(len(fingerprints)):
        wanted = fingerprints[place]
        unseen[place] = young[_slot(young, wanted)] == 0 and old[_slot(old, wanted)] == 0


@kernel
def _insert(slots: U64, fingerprints: U64) -> int:
    """Add fingerprints to a table with room for them; gives how many were new."""
    added = 0
    for place in range(len(fingerprints)):
        at = _slot(slots, fingerprints[place])
        if slots[at] == 0:
            slots[at] = fingerprints[place]
            added += 1
    return added


class RecentItems:
    """A set that forgets: at least the latest `window` fingerprints are known, at most twice as many.

    Two generations of open addressing, filled to three quarters; when the young one is full it becomes the old one.
    Window and table are made for each other: 32 MiB for a window of 3 × 2^19, which is 21 bytes an item.
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self._young = _empty(_FIRST_SLOTS)
        self._old = _empty(1)
        self._held = 0

    def unseen(self, fingerprints: U64) -> Mask:
        """Tell which fingerprints are not known; nothing is remembered by asking."""
        unseen = np.empty(len(fingerprints), np.bool_)
        _unseen(self._young, self._old, _never_zero(fingerprints), unseen)
        return unseen

    def remember(self, fingerprints: U64) -> None:
        """Remember fingerprints, oldest first; those beyond the window push the oldest generation out."""
        wanted = _never_zero(fingerprints)
        for start in range(0, len(wanted), self._window):
            self._take(wanted[start : start + self._window])

    def _take(self, fingerprints: U64) -> None:
        if self._held + len(fingerprints) > self._window:
            self._old, self._young, self._held = self._young, _empty(_FIRST_SLOTS), 0
        while 4 * (self._held + len(fingerprints)) > 3 * len(self._young):
            self._grow()
        self._held += _insert(self._young, fingerprints)

    def _grow(self) -> None:
        wider = _empty(2 * len(self._young))
        _insert(wider, self._young[self._young != 0])
        self._young = wider


def _empty(slots: int) -> U64:
    return np.zeros(slots, np.uint64)


def _never_zero(fingerprints: U64) -> U64:
    return np.maximum(fingerprints, np.uint64(1))
