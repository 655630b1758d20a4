"""One group of bodies on its way into the store, and what is left of it when something fails.

A fault is narrowed down to the bodies that carry it: a group that cannot be decoded or committed is halved until the
culprits stand alone. Where every part fails, it is the store, not a body.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final, Protocol

from collector.ingest import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from collector.decoding.decode import Body
    from collector.ingest import Ingested
    from collector.telemetry import Telemetry

    Settled = Outcome | BaseException
    """What became of a body: its outcome once committed, or why the store did not take it."""

_log = logging.getLogger(__name__)

FAILED_COMMITS: Final = 16
"""Failed commits after which the other parts of one group are not tried: enough to find a few culprits, few enough
not to hold up everybody else while a disk is full."""


class Receipt(Protocol):
    """What a commit says."""

    @property
    def duplicates(self) -> Mapping[str, int]:
        """Rows that were in the store already, by table."""


class Commits(Protocol):
    """The store, as far as the door needs it."""

    def commit(self, batch: Mapping[str, pa.Table], *, now_ns: int) -> Receipt:
        """Commit all tables in one transaction; raise where none of it is stored."""


class Groups:
    """Decodes groups of bodies and commits them.

    Args:
        ingest: decodes and normalises bodies (`collector.ingest.ingest` with the operator's rules).
        store: where they are committed.
        telemetry: what is counted.
    """

    def __init__(self, ingest: Callable[[Sequence[Body]], Ingested], store: Commits, telemetry: Telemetry) -> None:
        self._ingest = ingest
        self._store = store
        self._telemetry = telemetry

    def decode(self, bodies: Sequence[Body]) -> Ingested | None:
        """Return the rows of a group, or None where it can only be decoded in parts."""
        started = time.perf_counter_ns()
        try:
            return self._ingest(bodies)
        except BaseException:  # noqa: BLE001 - whatever it was, a panic of Polars' too, it must not stop the loop
            _log.exception("decoding %d requests together failed", len(bodies))
            return None
        finally:
            self._telemetry.worked("decode", time.perf_counter_ns() - started)

    def settle(self, bodies: Sequence[Body], ingested: Ingested | None) -> list[Settled]:
        """Commit a decoded group, in parts where it must be; return what became of each body, in order."""
        if ingested is not None:
            error = self._commit(ingested)
            if error is None:
                return list(ingested.outcomes)
            _log.error("a commit of %d requests failed: %s", len(bodies), error)
            if len(bodies) == 1:
                return [error]
        return self._in_parts(bodies, [FAILED_COMMITS])

    def _in_parts(self, bodies: Sequence[Body], left: list[int]) -> list[Settled]:
        half = (len(bodies) + 1) // 2
        parts = [part for part in (bodies[:half], bodies[half:]) if part]
        return [settled for part in parts for settled in self._part(part, left)]

    def _part(self, bodies: Sequence[Body], left: list[int]) -> list[Settled]:
        fault: BaseException | None
        try:
            ingested = self._ingest(bodies)
        except BaseException as error:  # noqa: BLE001 - whatever it was, it must not stop the loop
            if len(bodies) == 1:
                is_short = isinstance(error, MemoryError)  # that passes: the body is to come again
                return [error if is_short else Outcome(error=f"the request cannot be read ({type(error).__name__})")]
            return self._in_parts(bodies, left)
        fault = self._commit(ingested)
        if fault is None:
            return list(ingested.outcomes)
        left[0] -= 1
        return self._in_parts(bodies, left) if len(bodies) > 1 and left[0] > 0 else [fault] * len(bodies)

    def _commit(self, ingested: Ingested) -> BaseException | None:
        """Commit; return why it failed, if it did."""
        if not any(table.num_rows for table in ingested.tables.values()):
            return None
        started = time.perf_counter_ns()
        try:
            receipt = self._store.commit(ingested.tables, now_ns=time.time_ns())
        except BaseException as error:  # noqa: BLE001 - whatever the store stumbled over, it must not stop the loop
            self._telemetry.committed(time.perf_counter_ns() - started, ok=False)
            return error
        self._telemetry.committed(time.perf_counter_ns() - started, ok=True, duplicates=receipt.duplicates)
        return None
