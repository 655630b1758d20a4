"""The word that ends a replay, and waits that hear an interrupt meanwhile."""

from __future__ import annotations

import threading
import time
from typing import Final

LOOK_S: Final = 0.2
"""A wait for a lock is cut into pieces so long: Polars, once loaded, has the system take up such a wait again after a
signal, and Ctrl-C would be heard at its end only."""


class Stop(threading.Event):
    """An event whose waits an interrupt ends."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait, for seconds; tell whether it is set."""
        until = time.monotonic() + timeout if timeout is not None else float("inf")
        while not super().wait(min(LOOK_S, max(0.0, until - time.monotonic()))):
            if time.monotonic() >= until:
                return False
        return True


def take(room: threading.Semaphore, count: int = 1) -> None:
    """Take so much of some room, once there is as much."""
    for _ in range(count):
        while not room.acquire(timeout=LOOK_S):
            pass
