"""Folds the log into the file outside of commits, so that none takes longer than the next one has to wait for it.

While DuckDB folds, commits stand still. A collector's upkeep does it in small steps (`collector.upkeep.LOG_BYTES`), and
this is for stores that nobody keeps up, or a log that grows faster than it looks.
"""

from __future__ import annotations

import threading
import time
import weakref
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAUSE_SECONDS: Final = 5.0
"""At least this long between two checkpoints: one that fails on a full disk is not tried at every commit."""


class Checkpoints:
    """A thread that sleeps until the log is long enough."""

    def __init__(self, checkpoint: Callable[[], object]) -> None:
        self._checkpoint = weakref.WeakMethod(checkpoint)  # a store nobody holds any more must not live on in here
        self._wanted = threading.Event()
        self._stopped = threading.Event()
        self._last = -PAUSE_SECONDS
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    def consider(self, log: Path, limit_bytes: int) -> None:
        """Wake the thread if the log is longer than `limit_bytes`."""
        if self._wanted.is_set() or time.monotonic() - self._last < PAUSE_SECONDS:
            return
        try:
            size = log.stat().st_size
        except FileNotFoundError:
            return
        if size > limit_bytes:
            self._wanted.set()

    def stop(self) -> None:
        """Let a running checkpoint end, and the thread."""
        self._stopped.set()
        self._wanted.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():  # asked again after each: a stop during a checkpoint sets what clear() clears
            self._wanted.wait()
            if self._stopped.is_set():
                return
            checkpoint = self._checkpoint()
            if checkpoint is None:
                return
            checkpoint()
            del checkpoint
            self._last = time.monotonic()
            self._wanted.clear()
