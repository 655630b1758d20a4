"""A store that is open to be written: one process writes it, and reads beside."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TypeVar

import duckdb
import polars as pl
import pyarrow as pa

from seamscope.errors import QueryLaterError, StoreError, StoreLockedError
from seamscope.store import opening, tables
from seamscope.store.checkpoints import Checkpoints
from seamscope.store.inserting import transaction
from seamscope.store.opened import Opened
from seamscope.store.reading import batches
from seamscope.store.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np

    from seamscope.store.cursors import ReadingCursor
    from seamscope.store.ingesting import ServiceTier
    from seamscope.store.learned import Learned
    from seamscope.store.receipts import CommitReceipt

T = TypeVar("T")

_log = logging.getLogger(__name__)

HELD_OF_ROW_BYTES: Final = 6
"""What DuckDB goes on holding of each row that came in, beside its limit, until the file is closed: 50 KB of every
8,192. Opened anew every 3,000,000 spans, a process that only committed stayed at 245 MiB; else it held 305 after
12,600,000."""
HELD_OF_WRITE_BYTES: Final = 32 << 10
"""What it holds at most of each transaction that deletes too, be its rows few or many: results of 430,000 rows written
in the place of themselves took 4.0 MiB more of the C library's memory in 69 of them, 6.7 in 153 and 20.8 in 691; each
time anew, 69 took up to 2.0 and 153 up to 4.2. Opening the file anew gave it back. 8,000 commits of 20 spans took 2."""

_MOMENT_SECONDS: Final = 1.0
"""How long the file waits for guests to end when it is to be opened anew and there is no hurry."""

_WRITTEN: set[Path] = set()
"""Stores that this process writes: DuckDB would open a file twice in one process, and two writers number alike."""


def refuse_written(path: Path) -> None:
    """Raise `StoreLockedError` where this process writes the store."""
    if path.resolve() in _WRITTEN:
        raise StoreLockedError(f"{path} is already open in this process", "close it first")


class Store(Opened):
    """The writer's side: one per file, in one process. Its methods may be called from any thread.

    A write that returns is on disk; one that raises left nothing behind (`commit` tells of an exception). Should DuckDB
    give up on the open file (a checkpoint that failed on a full disk), the store opens it anew and finds out by itself
    what was stored.
    """

    def __init__(self, path: Path, settings: Settings, service_tier: ServiceTier | None) -> None:
        from seamscope.store.recent import RecentItems

        self._service_tier = service_tier
        self._recent = RecentItems(settings.remembered_items)
        self._concluding, self._committing, self._writing = (threading.RLock() for _ in range(3))
        self._is_torn = False
        self.held_bytes = 0
        """What DuckDB holds beside its limit, by estimate, of what was written since the file was opened."""
        self._place = path.resolve()
        refuse_written(path)
        _WRITTEN.add(self._place)
        try:
            super().__init__(path, settings)
            self._refill()
        except BaseException:
            _WRITTEN.discard(self._place)
            raise
        self._checkpoints = Checkpoints(self._checkpoint)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        create: bool = True,
        settings: Settings | None = None,
        service_tier: ServiceTier | None = None,
    ) -> Self:
        """Open a store to write, made if absent and `create`; `StoreError` and its kin say why it cannot be.

        `service_tier` gives the tier that the operator's rules give to a service as a whole, or None; with it, the
        stored resources are brought in line with today's rules.
        """
        place = Path(path)
        if not create and not place.exists():
            raise opening.missing(place)
        return cls(place, settings or Settings(), service_tier)

    def _connect(self) -> None:
        from seamscope.store import answers, ingesting

        connection = opening.connect(self.path, self.settings, read_only=False)
        with self._closing_where_it_fails(connection):
            self._identity = opening.identity(self.path)
            opening.refuse_cut_file(connection, self.path)
            tables.prepare(connection, self.path, time.time_ns())
            self._ingest = ingesting.Writer(opening.cursor(connection), self._recent, self._service_tier)
            self._answers = answers.Writer(opening.cursor(connection))
        self._lend(connection, partial(opening.cursor, connection))

    def _refill(self) -> None:
        from seamscope.store import ingesting

        try:
            with self._cursors.house() as cursor:
                ingesting.refill(cursor, self._recent)
        except duckdb.Error as error:
            self._let_go()
            raise opening.explained(self.path, error) from error

    @contextmanager
    def _reading(self) -> Iterator[ReadingCursor]:
        """Lend a cursor; a file that DuckDB turns out to have given up is opened anew, though nobody writes to it."""
        connection = self._connection
        try:
            with super()._reading() as lent:
                yield lent
        except QueryLaterError as error:
            if isinstance(error.__cause__, duckdb.Error):
                self._reopen_if_given_up(connection, error.__cause__)
            raise

    def query_with(self, sql: str, wanted: pl.DataFrame, params: Mapping[str, object] | None = None) -> pl.DataFrame:
        """Run one reading statement that may also read some rows, as `wanted`: long lists make slow parameters."""
        with self._reading() as lent, lent.wanted.told(wanted.to_arrow()):
            schema, *rows = batches(lent.cursor, sql, params, None)
            return pl.DataFrame(pa.Table.from_batches(rows, schema))

    @staticmethod
    def ready(batch: Mapping[str, pa.Table]) -> Mapping[str, pa.Table]:
        """Do beforehand, in any thread, what `commit` would do of a batch without the store: a third of its work."""
        from seamscope.store import ingesting

        return ingesting.ready(batch)

    def commit(self, batch: Mapping[str, pa.Table], *, now_ns: int) -> CommitReceipt:
        """Store one group of spans, events, links, logs and resources (`schema.tables.INGESTED`) in one transaction.

        What is among the latest items to the last attribute is left out and counted (a client's retry). When
        it returns, the rows are on disk; when it raises `StoreError`, none of them is, or they are known when they come
        again: where a commit ended in an error that leaves this open, and the file could not be opened to look.
        """
        with self._committing, opening.private_files():
            opening.refuse_lost_file(self.path, self._identity)
            self._mend()
            group = self._ingest.prepare(batch)
            if group.receipt.rows or group.raised:
                self._durably(lambda: self._ingest.write(group, now_ns), lambda: self._ingest.has(group))
                self.held_bytes += HELD_OF_ROW_BYTES * sum(group.receipt.rows.values())
        self._checkpoints.consider(opening.log_file(self.path), self.settings.checkpoint_bytes)
        return group.receipt

    def write_results(
        self,
        results: Mapping[str, pa.Table | pl.DataFrame],
        owners: pa.Table | pl.DataFrame,
        replaces: np.ndarray | None = None,
        learned: Learned | None = None,
    ) -> int:
        """Store one run's rows (`schema.tables.RESULTS`) in one transaction; gives the number of local request 0.

        `request_no` in the rows counts from 0 within the run, `owner_no` is the run's own (`owners` says what it
        means). All rows of the stored numbers in `replaces` go: a revision takes the place of what it revises.
        `learned` is stored with them.
        """
        with self._concluding, opening.private_files():
            self._mend()
            first, last = self._answers.next_numbers(results)
            self._durably(
                self._alone(lambda: self._answers.write(results, owners, replaces, learned)),
                lambda: first <= last <= self._answers.request_no,
            )
        self._checkpoints.consider(opening.log_file(self.path), self.settings.checkpoint_bytes)
        return first

    def write_findings(self, findings: pl.DataFrame, requests: pl.DataFrame) -> None:
        """Store findings and their requests (columns as `base.findings`, `base.finding_requests`) for all before."""
        from seamscope.store.conclusions import replace_findings

        def write() -> None:
            with self._cursors.house() as cursor:
                replace_findings(cursor, findings, requests)

        with self._concluding, opening.private_files():
            self._durably(self._alone(write), lambda: False)

    def transact(self, work: Callable[[duckdb.DuckDBPyConnection], T], *, no_commits: bool = False) -> T:
        """Run `work` in one transaction on a cursor of its own, beside commits; where it raises, nothing has changed.

        Where it changes rows that a commit may change too, `no_commits` lets these wait.
        """
        connection = self._connection
        self.held_bytes += HELD_OF_WRITE_BYTES
        waiting = self._silence() if no_commits else nullcontext()
        try:
            with waiting, opening.private_files(), self._cursors.house() as cursor, transaction(cursor):
                return work(cursor)
        except duckdb.Error as error:
            if self._was_given_up(error) or opening.is_unsure(error):
                self._reopen_once(connection, error)
            raise self._unwritten(error) from error

    def last_numbers(self) -> dict[str, int]:
        """Give the last numbers of commits and requests: whatever is written from now on has larger ones."""
        return {"commit_no": self._ingest.commit_no, "request_no": self._answers.request_no}

    def forget(self, table: str, work: Callable[[duckdb.DuckDBPyConnection], set[int]]) -> int:
        """Run `work` (as `transact` does), which deletes rows that others refer to; the writers forget their numbers.

        Nothing is written meanwhile. Gives how many there were.
        """
        with self._silence():
            gone = self.transact(work)
            self._ingest.forget(table, gone)
            self._answers.forget(table, gone)
        return len(gone)

    def log_bytes(self) -> int:
        """Give the length of the log: what was committed since the last checkpoint."""
        try:
            return opening.log_file(self.path).stat().st_size
        except FileNotFoundError:
            return 0

    def checkpoint(self) -> None:
        """Fold the log into the file now."""
        self._checkpoint()

    def checkpoint_alone(self) -> bool:
        """Fold the log in while nobody reads or writes: only then is the room of deleted rows free.

        Guests are let end, after a while told to; False, and nothing is done, where they do not, or where it fails.
        """
        with self._cursors.between_guests() as alone, self._silence():
            return alone and self._checkpoint()

    def open_anew_alone(self, *, insist: bool = False) -> bool:
        """Close the file and open it anew while nobody reads or writes: what DuckDB held of it is free then.

        False, and nothing is done, where a guest does not end within a second; those who `insist` stop what it runs. A
        statement of the house that runs is stopped.
        """
        alone_soon = self._cursors.between_guests(_MOMENT_SECONDS, insist=insist)
        with alone_soon as alone, self._silence(), opening.private_files():
            if alone:
                opening.refuse_lost_file(self.path, self._identity)
                self._reopen()
            return alone

    def close(self) -> None:
        """Fold the log into the file and close it."""
        self._checkpoints.stop()
        with self._silence(), opening.private_files():
            self._let_go()
        _WRITTEN.discard(self._place)

    @contextmanager
    def _silence(self) -> Iterator[None]:
        """Let nobody write meanwhile, neither what comes in nor what is made of it.

        Locks are always taken in the order `_concluding`, `_committing`, `_writing`: the first is held by who writes
        results or findings, also while it tries again, the second by who commits what came in, the third while results
        or findings are written. So no client waits for results, and the file is opened anew while nobody writes.
        """
        with self._committing, self._writing:
            yield

    def _alone(self, write: Callable[[], object]) -> Callable[[], object]:
        """Hold the lock of results while these are written, and not between two tries."""

        def held() -> object:
            with self._writing:
                self.held_bytes += HELD_OF_WRITE_BYTES
                return write()

        return held

    def _durably(self, write: Callable[[], object], is_stored: Callable[[], bool]) -> None:
        """Write, and once more where the file had to be opened anew: memory ran out, or DuckDB gave up on the file.

        Where memory is short, guests give way.
        """
        with ExitStack() as giving_way:
            if self._failed(write, is_stored, giving_way) and (error := self._failed(write, is_stored, giving_way)):
                raise self._unwritten(error) from error

    def _failed(
        self, write: Callable[[], object], is_stored: Callable[[], bool], giving_way: ExitStack
    ) -> duckdb.Error | None:
        """Write; give the error if the rows are not there now, and a second try may help.

        They may be there though: a commit may be on disk that ended in an error.
        """
        connection = self._connection
        try:
            write()
        except duckdb.Error as error:
            short = opening.was_short_of_memory(error)
            if not (short or self._was_given_up(error)) and self._connection is connection:
                raise self._unwritten(error) from error
            with self._cursors.without_guests() if short else nullcontext():
                self._reopen_once(connection, error)
                if short:
                    giving_way.enter_context(self._cursors.without_guests())
            return None if is_stored() else error
        return None

    def _unwritten(self, error: duckdb.Error) -> StoreError:
        return StoreError(f"cannot write to {self.path}: {opening.said(error)}")

    def _let_go(self) -> None:
        self._ingest.close()
        self._answers.close()
        super().close()

    def _mend(self) -> None:
        """Open the file anew where that failed the last time: what is on disk gives the next numbers."""
        if self._is_torn:
            with self._silence():
                if self._is_torn:  # nobody did meanwhile
                    self._reopen()

    def _reopen(self) -> None:
        was_torn, self._is_torn = self._is_torn, True
        last_commit = self._ingest.commit_no
        self._let_go()
        self._connect()
        self._ingest.commit_no = max(self._ingest.commit_no, last_commit)  # one that left no row had a number too
        if was_torn:
            self._refill()  # what a commit left that was not known to be stored
        self._is_torn = False
        self.held_bytes = 0

    def _was_given_up(self, error: duckdb.Error) -> bool:
        """Tell whether the file must be opened anew, or could not be when it last had to."""
        return self._is_torn or opening.was_given_up(error)

    def _checkpoint(self) -> bool:
        """Fold the log in; tell whether that was done."""
        connection = self._connection
        try:
            with opening.private_files(), self._cursors.house() as cursor:
                cursor.execute("CHECKPOINT").complete()
        except duckdb.Error as error:
            _log.warning("a checkpoint of %s failed: %s", self.path, opening.said(error))
            self._reopen_if_given_up(connection, error)
            return False
        return True

    def _reopen_if_given_up(self, connection: duckdb.DuckDBPyConnection, error: duckdb.Error) -> None:
        if self._was_given_up(error):
            self._reopen_once(connection, error)

    def _reopen_once(self, connection: duckdb.DuckDBPyConnection, error: duckdb.Error) -> None:
        """Open the file anew, unless somebody did since it was opened as `connection`."""
        with self._silence(), opening.private_files():
            if self._connection is connection or self._is_torn:
                _log.warning("opening %s anew: %s", self.path, opening.said(error))
                self._reopen()
