"""Traces that make reading, preparing or writing raise: found by halving, and set aside so that all others live on.

The desk sets aside by itself what a stage of it cannot digest. Here is what fails around it: columns that cannot be
read together, a time that no window can have, a row that the store will not take.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis import set_aside
from seamscope.errors import QueryLaterError, StoreError
from seamscope.storing import KEYS, RunSummary, write_aside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol

    from seamscope.store import Store
    from seamscope.windows import Window

    class Attempt(Protocol):
        """Takes traces through everything by themselves."""

        def __call__(self, traces: pl.DataFrame, *, written: bool) -> None:
            """Raise what fails; `written`: results are stored."""
            ...


_log = logging.getLogger(__name__)

FAULTS: Final = (Exception, pl.exceptions.PanicException)
"""What traces may be to blame for; a panic of Polars' is none of Python's exceptions."""

NOT_THE_TRACES: Final = (StoreError, OSError)
"""What the store or the machine is to blame for: a full disk passes, and is tried again."""

MOST_LATER: Final = 30
"""Want of memory passes too; but traces that fail for it so many times in a row, a second apart, are to blame for it in
the end: all others would wait for ever."""

MOST_SOUGHT: Final = 32
"""Traces at fault that are sought one by one; beyond, those that fail together are set aside together."""


class Failed(Exception):  # noqa: N818 - says what failed; the error itself is its cause
    """Traces could not be processed together, those of `beside` only read; the error is `__cause__`."""

    def __init__(self, traces: pl.DataFrame, beside: pl.DataFrame, window: Window | None) -> None:
        super().__init__(f"{traces.height} traces")
        self.traces = traces
        self.beside = beside
        self.window = window


@contextmanager
def blaming(traces: pl.DataFrame, beside: pl.DataFrame, window: Window | None) -> Iterator[None]:
    """Say of what fails here which traces it failed with (`Failed`)."""
    try:
        yield
    except FAULTS as error:
        raise Failed(traces, beside, window) from error


class Sparing:
    """Finds the traces at fault where some failed together, and keeps count of them.

    Args:
        store: the open store.
        attempt: takes traces through everything by themselves (`written`: into the store), and raises what fails.
    """

    def __init__(self, store: Store, attempt: Attempt) -> None:
        self._store = store
        self._attempt = attempt
        self._odd: Failed | None = None
        self._put_off = 0
        self.aside = pl.DataFrame(schema=dict.fromkeys(KEYS, pl.UInt64))
        """Traces set aside, until all are analysed anew or a later process tries again."""

    def forget(self) -> None:
        """Let the traces that were set aside be tried again."""
        self.aside = self.aside.clear()

    def relieved(self) -> None:
        """Take note that nothing failed any more: what fails next does so for the first time."""
        self._odd = None
        self._put_off = 0

    def spare(self, failed: Failed) -> RunSummary:
        """Set aside the traces at fault; where each does alone what they fail to do together twice, all of them.

        What the store is to blame for is raised.
        """
        error = failed.__cause__
        if not isinstance(error, FAULTS) or isinstance(error, NOT_THE_TRACES):
            raise error or failed
        _log.error("%d traces failed together: %s", failed.traces.height, error, exc_info=error)
        self._put_off += isinstance(error, QueryLaterError)
        later: tuple[type[Exception], ...] = (QueryLaterError,) if self._put_off < MOST_LATER else ()
        found = at_fault(failed.traces, partial(self._attempt, written=True), later)
        found += at_fault(failed.beside, partial(self._attempt, written=False), later)
        if not found and isinstance(error, later):
            raise error
        if not found and self._odd is not None and failed.window == self._odd.window:
            found = [(failed.traces, error)]
        self._odd = None if found else failed
        done = RunSummary()
        for traces, why in found:
            keys = traces.select(KEYS)
            done += write_aside(self._store, keys, set_aside(keys, why, "around the analysis: "))
            self.aside = pl.concat([self.aside, keys]).unique(maintain_order=True)
            _log.warning("%d traces set aside (stage_failed): %s", keys.height, why)
        return done


def at_fault(
    traces: pl.DataFrame, attempt: Callable[[pl.DataFrame], object], later: tuple[type[Exception], ...] = ()
) -> list[tuple[pl.DataFrame, BaseException]]:
    """Find the traces that make `attempt` raise, by halving; what the store is to blame for is raised.

    `later` are errors that many traces may be to blame for, but one alone is not: it is tried again later.
    """
    found: list[tuple[pl.DataFrame, BaseException]] = []
    left = [traces] if traces.height else []
    while left:
        some = left.pop()
        try:
            attempt(some)
        except NOT_THE_TRACES:
            raise
        except FAULTS as error:
            if some.height == 1 and isinstance(error, later):
                raise
            if some.height == 1 or len(found) >= MOST_SOUGHT:
                found.append((some, error))
            else:
                left += [some[some.height // 2 :], some[: some.height // 2]]
    return found
