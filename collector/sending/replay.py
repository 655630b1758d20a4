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
from collector.sending.stop import Stop, take
from seamscope.errors import DataError, EndpointError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from collector.decoding.decode import Body
    from collector.sending.links import Link

IN_FLIGHT: Final = 8
"""Requests that are on their way at the same time."""

IN_HAND: Final = 2 * IN_FLIGHT
"""Those, and what goes next."""

PATIENCE_S: Final = 120.0
"""How long one request is sent again and again before it is given up."""

BACKOFF_S: Final = 0.1
MAX_BACKOFF_S: Final = 5.0

MESSAGES: Final = 100
"""Different messages that are kept; further ones are counted together."""
MESSAGE_LIMIT: Final = 500
"""Characters of a message that are kept."""
OTHERS: Final = "other reasons"


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

    def hear(self, why: str) -> None:
        """Count what was said of a request."""
        short = why[:MESSAGE_LIMIT]
        kept = short in self.messages or len(self.messages) < MESSAGES
        self.messages[short if kept else OTHERS] += 1


class _StoppedError(Exception):
    """Nobody waits for a request any more."""


class Replay:
    """Sends bodies over a link.

    Args:
        to: where to.
        rate: most items a second; None for as fast as the endpoint takes them.
        patience_s: see `PATIENCE_S`.
        stopped: once set, nothing more is sent, and what the endpoint refuses is not sent again.
    """

    def __init__(
        self,
        to: Link,
        rate: float | None = None,
        patience_s: float = PATIENCE_S,
        stopped: Stop | None = None,
    ) -> None:
        self._link = to
        self._rate = rate
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._stopped = stopped or Stop()
        self._room = threading.Semaphore(IN_HAND)
        self._fault: BaseException | None = None
        self.tally = Tally()

    def run(self, bodies: Iterable[Body], on_sent: Callable[[Body], None]) -> Tally:
        """Send all bodies; return what became of them.

        Who interrupts it hangs up afterwards, so that no request waits for its answer.

        Args:
            bodies: what to send.
            on_sent: called after each, from the sending threads.

        Raises:
            EndpointError: the endpoint kept refusing for `patience_s`.
        """
        threads = ThreadPoolExecutor(IN_FLIGHT, "replay")
        try:
            self._feed(threads, bodies, on_sent)
        except BaseException as error:
            self._stopped.set()
            if isinstance(error, Exception):
                take(self._room, IN_HAND)
            raise
        finally:
            threads.shutdown(wait=False)
        if self._fault is not None:
            raise self._fault
        return self.tally

    def pass_over(self, why: DataError) -> None:
        """Count a request that cannot be sent."""
        self._note(0, failed=True, why=f"passed over: {why}")

    def _feed(self, threads: ThreadPoolExecutor, bodies: Iterable[Body], on_sent: Callable[[Body], None]) -> None:
        started, due = time.monotonic(), 0.0
        for body in bodies:
            count = _count(body)
            self._stopped.wait(started + due - time.monotonic())
            due += count / self._rate if self._rate else 0.0
            take(self._room)
            try:
                threads.submit(self._deliver, body, count, on_sent)
            except BaseException:
                self._room.release()
                raise
            if self._stopped.is_set():
                break
        take(self._room, IN_HAND)  # until all is answered

    def _deliver(self, body: Body, count: int, on_sent: Callable[[Body], None]) -> None:
        try:
            self._send(body, count)
            on_sent(body)
        except _StoppedError:
            pass
        except BaseException as error:  # noqa: BLE001 - told by the thread that waits for the end
            self._fault = self._fault or error
            self._stopped.set()
        finally:
            self._room.release()

    def _send(self, body: Body, count: int) -> None:
        try:
            rejected, why = self._answer(body)
        except DataError as error:
            self._note(count, failed=True, why=str(error))
        else:
            self._note(count, rejected=rejected, why=why)

    def _answer(self, body: Body) -> tuple[int, str]:
        until, backoff_s = time.monotonic() + self._patience_s, BACKOFF_S
        while not self._stopped.is_set():
            try:
                return self._link.send(body)
            except BusyError as error:
                self._wait(error, backoff_s * random.uniform(0.5, 1.5), until)  # noqa: S311
                backoff_s = min(2 * backoff_s, MAX_BACKOFF_S)
        raise _StoppedError

    def _wait(self, refusal: BusyError, backoff_s: float, until: float) -> None:
        asked_s, left_s = refusal.after_s or 0.0, until - time.monotonic()
        if not self._stopped.is_set() and asked_s > left_s:
            told = f"the endpoint asks to be left alone for {asked_s:,.0f} s, longer than anybody waits here"
            raise EndpointError(f"{told}: {refusal}", "replay later")
        if not self._stopped.is_set() and backoff_s > left_s:
            raise EndpointError(f"the endpoint keeps refusing: {refusal}", "see its own log")
        if not self._stopped.wait(max(asked_s, backoff_s)):
            with self._lock:
                self.tally.retries += 1

    def _note(self, count: int, *, rejected: int = 0, failed: bool = False, why: str = "") -> None:
        with self._lock:
            self.tally.requests += 1
            self.tally.items += count
            self.tally.rejected += rejected
            self.tally.failed_requests += failed
            self.tally.failed_items += count if failed else 0
            if why:
                self.tally.hear(why)


def _count(body: Body) -> int:
    try:
        return sum(1 for _ in items(parse(body)))
    except DataError:
        return 0  # sent all the same: the endpoint says what is wrong with it
