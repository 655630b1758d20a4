"""A store that is open in this process: to write (`Store`), or only to read (`StoreFile`)."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from seamscope.store import answers, ingesting, opening, tables
from seamscope.store.reading import Cursors, Reading, batches
from seamscope.store.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import duckdb
    import numpy as np
    import polars as pl
    import pyarrow as pa

    from seamscope.store.ingesting import CommitReceipt


class _Opened(Reading):
    """A connection to the file and the cursors lent from it."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self.path = path
        self.settings = settings
        self._connect()

    def _connect(self) -> None:
        raise NotImplementedError

    def _lend(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._cursors = Cursors(connection.cursor, self.settings)
        connection.execute("SET lock_configuration = true").complete()

    def stream(self, sql: str, params: Mapping[str, object] | None = None) -> Iterator[pa.RecordBatch | pa.Schema]:
        """Run a statement of the house: no deadline, no cap on rows."""
        with self._cursors.house() as cursor:
            yield from batches(cursor, sql, params, None)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


class StoreFile(_Opened):
    """A store opened to read, while no process writes it."""

    @classmethod
    def open(cls, path: str | Path, settings: Settings | None = None) -> Self:
        """Open an existing file; `StoreError` and its kin say why it cannot be read."""
        return cls(Path(path), settings or Settings())

    def _connect(self) -> None:
        connection = opening.connect(self.path, self.settings, read_only=True)
        tables.check(connection, self.path)
        self._lend(connection)


class Store(_Opened):
    """The writer's side: one per file, in one process. Commits are safe to call from any thread, one at a time."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self._writing = threading.Lock()
        super().__init__(path, settings)

    @classmethod
    def open(cls, path: str | Path, *, create: bool = True, settings: Settings | None = None) -> Self:
        """Open a store to write, made if absent and `create`; `StoreError` and its kin say why it cannot be."""
        place = Path(path)
        if not create and not place.exists():
            raise opening.missing(place)
        return cls(place, settings or Settings())

    def _connect(self) -> None:
        connection = opening.connect(self.path, self.settings, read_only=False)
        if tables.is_empty(connection):
            tables.create(connection, time.time_ns())
        tables.check(connection, self.path)
        tables.renew_views(connection)
        self._lend(connection)
        self._ingest = ingesting.Writer(connection.cursor())
        self._answers = answers.Writer(connection.cursor())

    def commit(self, batch: Mapping[str, pa.Table], *, now_ns: int) -> CommitReceipt:
        """Store one group of spans, events, links, logs and resources (`schema.tables.INGESTED`) in one transaction.

        When it returns, the rows are on disk. When it raises, none of them is stored.
        """
        with self._writing, opening.private_files():
            return self._ingest.commit(batch, now_ns)

    def write_results(
        self,
        results: Mapping[str, pa.Table | pl.DataFrame],
        owners: pa.Table | pl.DataFrame,
        replaces: np.ndarray | None = None,
    ) -> int:
        """Store one run's rows (`schema.tables.RESULTS`) in one transaction; gives the number of local request 0.

        `request_no` in the rows counts from 0 within the run, `owner_no` is the run's own (`owners` says what it
        means). All rows of the stored numbers in `replaces` go: a revision takes the place of what it revises.
        """
        with self._writing, opening.private_files():
            return self._answers.write(results, owners, replaces)
