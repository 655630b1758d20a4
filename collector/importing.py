"""`seamscope import`: files of OTLP into a store, through the collector that has it open or by ourselves."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from collector.files import BodyFile
from collector.ingest import Outcome, ingest
from seamscope.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from collector.decoding.decode import Body
    from seamscope.config import Rules
    from seamscope.remote import Lent
    from seamscope.store import Store

GROUP_BYTES: Final = 8 * 1024 * 1024
"""Bodies that are stored together; a larger one is a group of its own."""
BODY_HELD_BYTES: Final = 1024
"""What a body and its outcome take besides its content: a million empty ones took 800 MB."""
MESSAGES: Final = 20
"""Different complaints that are kept word by word; further ones are only counted."""


@dataclass(slots=True)
class Tally:
    """What became of what was in the files."""

    files: int = 0
    requests: int = 0
    accepted: Counter[str] = field(default_factory=Counter)
    """Items per signal."""
    rejected: Counter[str] = field(default_factory=Counter)
    """Items per reason."""
    notes: Counter[str] = field(default_factory=Counter)
    """What was lost of accepted items, by kind (`collector.ingest.Outcome.notes`)."""
    duplicates: int | None = 0
    """Items that the store had already, among the accepted; None where a collector stores them: it tells its senders no
    such number."""
    unreadable: int = 0
    """Requests of which nothing could be read."""
    messages: Counter[str] = field(default_factory=Counter)
    """Why requests could not be read, and what files have lost."""
    failed: dict[str, str] = field(default_factory=dict)
    """Files that could not be read at all, and why."""

    @property
    def items(self) -> int:
        """Items accepted, of all signals."""
        return sum(self.accepted.values())

    def note(self, body: Body, outcome: Outcome) -> None:
        """Count one body."""
        self.requests += 1
        self.accepted[body.signal] += outcome.accepted
        self.rejected.update(outcome.rejected)
        self.notes.update(outcome.notes)
        if outcome.error is not None:
            self.unreadable += 1
            self.complain(outcome.error)

    def complain(self, message: str) -> None:
        """Keep a message, if there are not too many."""
        if message in self.messages or len(self.messages) < MESSAGES:
            self.messages[message] += 1

    def document(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "files": self.files,
            "requests": self.requests,
            "accepted": {signal: count for signal, count in self.accepted.items() if count},
            "duplicates": self.duplicates,
            "rejected": dict(self.rejected),
            "notes": dict(self.notes),
            "unreadable_requests": self.unreadable,
            "messages": dict(self.messages),
            "failed": self.failed,
        }


class Sink(Protocol):
    """Where bodies go."""

    def take(self, bodies: Sequence[Body]) -> tuple[Sequence[Outcome], int | None]:
        """Store bodies; return an outcome per body, and how many items were there before: None where none can tell."""


class StoreSink:
    """A store that this process writes."""

    def __init__(self, store: Store, rules: Rules) -> None:
        self._store = store
        self._rules = rules

    def take(self, bodies: Sequence[Body]) -> tuple[Sequence[Outcome], int]:
        """Read and commit bodies as one group."""
        ingested = ingest(bodies, self._rules)
        if not any(table.num_rows for table in ingested.tables.values()):
            return ingested.outcomes, 0
        receipt = self._store.commit(ingested.tables, now_ns=time.time_ns())
        return ingested.outcomes, sum(receipt.duplicates.values())


class CollectorSink:
    """A store that a live collector writes."""

    def __init__(self, lent: Lent) -> None:
        self._lent = lent

    def take(self, bodies: Sequence[Body]) -> tuple[Sequence[Outcome], None]:
        """Hand bodies over, one by one."""
        return [self._hand_over(body) for body in bodies], None

    def _hand_over(self, body: Body) -> Outcome:
        try:
            answer = self._lent.import_body(body.data, encoding=body.encoding, signal=body.signal)
        except DataError as why:  # it is too long for the collector; the next one need not be
            return Outcome(error=str(why))
        error = answer.get("error")
        rejected, notes = (dict(answer.get(name) or {}) for name in ("rejected", "notes"))
        return Outcome(int(answer.get("accepted", 0)), rejected, error or None, notes)


def groups(bodies: Iterable[Body]) -> Iterator[list[Body]]:
    """Yield bodies in groups that take `GROUP_BYTES` at most."""
    group: list[Body] = []
    size = 0
    for body in bodies:
        takes = len(body.data) + BODY_HELD_BYTES
        if group and size + takes > GROUP_BYTES:
            yield group
            group, size = [], 0
        group.append(body)
        size += takes
    if group:
        yield group


def import_files(
    files: Iterable[Path | str],
    sink: Sink,
    on_progress: Callable[[Tally], None],
    on_failure: Callable[[DataError], None],
) -> Tally:
    """Bring files into a store.

    What was read of a file before its damage stays. `on_progress` is called after every group, `on_failure` with the
    error of each file that could not be read; the others are read all the same.
    """
    tally = Tally()
    for file in files:
        tally.files += 1
        try:
            for group in groups(BodyFile(file, tally.complain)):
                _import(group, sink, tally)
                on_progress(tally)
        except DataError as error:
            tally.failed[str(file)] = str(error)
            on_failure(error)
    return tally


def _import(group: Sequence[Body], sink: Sink, tally: Tally) -> None:
    outcomes, duplicates = sink.take(group)
    known = tally.duplicates is not None and duplicates is not None
    tally.duplicates = (tally.duplicates or 0) + (duplicates or 0) if known else None
    for body, outcome in zip(group, outcomes, strict=True):
        tally.note(body, outcome)
