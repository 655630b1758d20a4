"""Sends recorded OTLP over a link, as an exporter would: several requests in flight, refused ones again."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from collector.decoding.messages import items, parse
from collector.sending.links import BusyError
from seamscope.errors import DataError, EndpointError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from collector.decoding.decode import Body
    from collector.sending.links import Link

IN_FLIGHT: Final = 8
"""Requests that are on their way at the same time."""

PATIENCE_S: Final = 120.0
"""How long one request is sent again and again before it is given up."""

MAX_BACKOFF_S: Final = 5.0


@dataclass(slots=True)
class Tally:
    """What became of what was sent; items are spans, log records and data points."""

    requests: int = 0
    items: int = 0
    rejected: int = 0
    retries: int = 0
    failed_requests: int = 0
    failed_items: int = 0
    messages: Counter[str] = field(default_factory=Counter)

    @property
    def accepted(self) -> int:
        """Items that the endpoint took."""
        return self.items - self.rejected - self.failed_items


class Replay:
    """Sends bodies over a link.

    Args:
        to: where to.
        rate: most items a second; None for as fast as the endpoint takes them.
        patience_s: see `PATIENCE_S`.
    """

    def __init__(self, to: Link, rate: float | None = None, patience_s: float = PATIENCE_S) -> None:
        self._link = to
        self._rate = rate
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self.tally = Tally()

    def run(self, bodies: Iterable[Body], on_sent: Callable[[Body], None]) -> Tally:
        """Send all bodies; return what became of them.

        Args:
            bodies: what to send.
            on_sent: called after each, from the sending threads.

        Raises:
            EndpointError: the endpoint kept refusing for `patience_s`.
        """
        room = threading.BoundedSemaphore(2 * IN_FLIGHT)
        started, due = time.monotonic(), 0.0
        with ThreadPoolExecutor(IN_FLIGHT, "replay") as threads:
            futures = []
            try:
                for body in bodies:
                    count = _count(body)
                    self._stopped.wait(max(0.0, started + due - time.monotonic()))
                    due += count / self._rate if self._rate else 0.0
                    room.acquire()
                    if self._stopped.is_set():
                        break
                    futures.append(threads.submit(self._deliver, body, count, room, on_sent))
            except BaseException:
                self._stopped.set()
                raise
        for future in futures:
            future.result()
        return self.tally

    def _deliver(
        self, body: Body, count: int, room: threading.BoundedSemaphore, on_sent: Callable[[Body], None]
    ) -> None:
        try:
            rejected, why = self._send(body)
        except DataError as error:
            self._note(count, failed=True, why=str(error))
        except EndpointError:
            self._stopped.set()
            raise
        else:
            self._note(count, rejected=rejected, why=why)
        finally:
            room.release()
        on_sent(body)

    def _send(self, body: Body) -> tuple[int, str]:
        until = time.monotonic() + self._patience_s
        backoff = 0.1
        while True:
            try:
                return self._link.send(body)
            except BusyError as error:
                wait = error.after_s if error.after_s is not None else backoff * random.uniform(0.5, 1.5)  # noqa: S311
                backoff = min(2 * backoff, MAX_BACKOFF_S)
                if time.monotonic() + wait > until or self._stopped.is_set():
                    raise EndpointError(f"the endpoint keeps refusing: {error}", "see its own log") from None
                with self._lock:
                    self.tally.retries += 1
                self._stopped.wait(wait)

    def _note(self, count: int, *, rejected: int = 0, failed: bool = False, why: str = "") -> None:
        with self._lock:
            self.tally.requests += 1
            self.tally.items += count
            self.tally.rejected += rejected
            self.tally.failed_requests += failed
            self.tally.failed_items += count if failed else 0
            if why:
                self.tally.messages[why] += 1


def _count(body: Body) -> int:
    try:
        return sum(1 for _ in items(parse(body)))
    except DataError:
        return 0  # sent all the same: the endpoint says what is wrong with it
