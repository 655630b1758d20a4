"""The thread that has traces analysed as they settle. The desk's code is loaded there, after the doors are open."""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Final

from seamscope import code_pages
from seamscope.allocators import give_back
from seamscope.windows import COMPARED_SPANS, READ_AHEAD

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import polars as pl

    from seamscope.config import Config
    from seamscope.runs import Settler
    from seamscope.store import Store

_log = logging.getLogger(__name__)

WAY_S: Final = 2.0
"""While memory is short, a window waits so long at most: what comes in goes first, but not for ever."""

LOOK_S: Final = 0.02

EVERY_S: Final = 1.0
"""From the end of a step to the next one, at least."""

FEW_SPANS: Final = 10_000
"""What a step takes by itself, some 0.2 s of CPU, is more than what it takes to analyse so many spans."""

REST: Final = 10
LONGEST_REST_S: Final = 5.0
"""After a step of few spans comes a rest so many times as long, half the settle time at most, for more to settle
meanwhile: with one a second, a request a second took a fifth of a core."""

LAST_S: Final = 5.0
"""Once the collector is to stop, windows and batches of traces begin for so long; Docker gives ten seconds."""


class Settling:
    """Analyses what has settled, again and again.

    Args:
        store: the open store.
        config: the operator's rules.
        settle_s: how long no span may have come for a trace before it is analysed.
        compared_spans: how many are analysed together (`seamscope.windows`).
        read_ahead: how many windows of so many are read and prepared at a time.
        is_tight: tells whether others want memory, of which the process holds nearly all it may.
    """

    def __init__(
        self,
        store: Store,
        config: Config,
        settle_s: float,
        compared_spans: int = COMPARED_SPANS,
        read_ahead: int = READ_AHEAD,
        is_tight: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._config = config
        self._settle_s = settle_s
        self._compared_spans, self._read_ahead = compared_spans, read_ahead
        self._is_tight = is_tight
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._over_s = math.inf
        self._unloadable = False
        self._thread = threading.Thread(target=self._follow, name="settle")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def hurry(self) -> None:
        """Begin nothing more from `LAST_S` seconds on; what then is not analysed is left to the next start."""
        self._over_s = min(self._over_s, time.monotonic() + LAST_S)

    def stop(self) -> None:
        """End the thread, then analyse what has settled meanwhile, as far as there is time."""
        self.hurry()
        self._stopped.set()
        self._thread.join()
        try:
            self._loaded().step()
        except BaseException:  # noqa: BLE001 - the store must still be closed in order
            _log.exception("what has settled could not be analysed; `seamscope analyze` will")
        self._over_s = -math.inf  # whoever waited for that step to end must not begin

    def analyze(self, everything: bool) -> Mapping[str, object]:
        """Analyse all that is stored, settled or not; `everything`: again from the start. Say what was done.

        Raises:
            StoreError: the collector is stopping, and not all was.
        """
        return asdict(self._loaded().analyze(everything=everything))

    def rest(self, work: Callable[[], pl.DataFrame]) -> None:
        """Do `work` on the store while nothing is analysed (see `seamscope.runs.Settler.rest`)."""
        self._loaded().rest(work)

    def retire(self) -> None:
        """Forget what of event time is no longer stored (see `seamscope.runs.Settler.retire`)."""
        self._loaded().retire()

    def lag_s(self) -> float:
        """Return for how long, in seconds, the trace that settled first has waited to be analysed."""
        settler = self.__dict__.get("_settler")  # loading it is not this caller's business
        return settler.lag_ns(time.time_ns()) / 1e9 if settler is not None else 0.0

    def failing(self) -> int:
        """Return 1 where the last step failed, or the desk could not be loaded, which the next one tries again."""
        settler = self.__dict__.get("_settler")
        return int(self._unloadable if settler is None else settler.failing)

    def set_aside(self) -> int:
        """Return how many traces were set aside since the start, because processing them fails."""
        settler = self.__dict__.get("_settler")
        return settler.set_aside if settler is not None else 0

    def _make_way(self) -> None:
        until = min(time.monotonic() + WAY_S, self._over_s)
        while self._is_tight() and time.monotonic() < until:
            if self._stopped.wait(LOOK_S):
                return

    def _is_over(self) -> bool:
        return time.monotonic() > self._over_s

    def _follow(self) -> None:
        """Step until stopped; with the first step that has nothing to do, memory goes back to the system."""
        busy, rest_s = False, EVERY_S
        while not self._stopped.wait(rest_s):
            began = time.monotonic()
            rest_s = EVERY_S
            try:
                settler = self._loaded()
                done = settler.step()
                if busy and not done.traces:
                    give_back()
                    code_pages.let_go()
                busy = done.traces > 0
                if not settler.more_is_due:
                    rest_s = rested_s(done.spans, time.monotonic() - began, self._settle_s)
            except BaseException:  # noqa: BLE001 - the loop lives on, and the next step tries again
                _log.exception("settled traces could not be analysed")

    def _loaded(self) -> Settler:
        with self._lock:
            try:
                return self._settler
            except BaseException:
                self._unloadable = True
                raise

    @cached_property
    def _settler(self) -> Settler:
        from seamscope.bridge import Pace
        from seamscope.runs import Settler

        pace = Pace(
            compared_spans=self._compared_spans,
            read_ahead=self._read_ahead,
            make_way=self._make_way,
            is_tight=self._is_tight,
            is_over=self._is_over,
        )
        return Settler(self._store, self._config, int(self._settle_s * 1e9), pace)


def rested_s(spans: int, took_s: float, settle_s: float) -> float:
    """Give how long to wait after a step of so many spans that took so long: little is not worth a step of its own."""
    if not 0 < spans < FEW_SPANS:
        return EVERY_S
    return max(EVERY_S, min(REST * took_s, settle_s / 2, LONGEST_REST_S))
