"""Results on their way into the store: requests revised, windows settled, and work that earlier senders caused."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis import empty, only
from seamscope.schema import words
from seamscope.statements import statement
from seamscope.store.learned import Learned

if TYPE_CHECKING:
    from collections.abc import Iterable

    from analysis import Results
    from seamscope.store import Store
    from seamscope.taking import Taken
    from seamscope.windows import Window

KEYS: Final = ("trace_hi", "trace_lo")

NOBODY: Final = pl.DataFrame(schema={"start_ns": pl.Int64})
"""When no trace begins."""

STAGE_FAILED: Final = words.code(words.WARNINGS, "stage_failed")


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run did."""

    traces: int = 0
    spans: int = 0
    requests: int = 0
    revised: int = 0
    """Requests that took the place of stored ones."""
    set_aside: int = 0
    """Traces that no stage could digest; each has the warning `stage_failed`."""
    seconds: float = 0.0

    def __add__(self, other: RunSummary) -> RunSummary:
        """Return both runs together."""
        mine, theirs = asdict(self), asdict(other)
        return RunSummary(**{name: mine[name] + theirs[name] for name in mine})


@dataclass(frozen=True, slots=True)
class Batch:
    """Traces that were analysed together."""

    taken: Taken
    results: Results
    """Of these traces alone."""
    caused: pl.DataFrame
    """Work that the senders of their messages caused: rows of `async_work`, `sender_hi`, `sender_lo`, `sender_span`."""
    window: Window | None
    """The window that is settled with them; None: they are not final."""


def batch_of(taken: Taken, results: Results, window: Window | None) -> Batch:
    """Part what was asked for from what was read beside it."""
    caused = _caused(taken, results)
    if taken.beside.height:
        results = only(results, taken.traces)
    requests = results["requests"].with_columns(final=pl.lit(window is not None))
    return Batch(taken, replace(results, tables={**results.tables, "requests": requests}), caused, window)


def _caused(taken: Taken, results: Results) -> pl.DataFrame:
    mine = (
        results["requests"]
        .join(taken.senders, on=KEYS, how="semi")
        .select(
            "request_no",
            pl.col("trace_hi").alias("sender_hi"),
            pl.col("trace_lo").alias("sender_lo"),
            pl.col("entry_span_id").alias("sender_span"),
        )
    )
    return results["async_work"].filter(pl.col("link") == "link").join(mine, on="request_no")


def write(
    store: Store, batch: Batch, windows: tuple[set[Window], set[Window]], reopened: pl.DataFrame, *, anew: bool
) -> RunSummary:
    """Store a batch in the place of all that was known of its traces; `anew`: revisions are counted from the start.

    `windows` are those that are no longer settled, and those that are now; `reopened` says of traces that are to be
    analysed again, with what begins about when they do, their `start_ns`.
    """
    taken, tables = batch.taken, dict(batch.results.tables)
    before = _requests_of(store, taken.traces)
    if before.height and not anew:
        tables["requests"] = _revised(tables["requests"], before)
    replaces = before.get_column("request_no").unique().to_numpy() if before.height else None
    gone, settled = windows
    learned = Learned(_known_senders(store, batch.caused), _rows(settled), _rows(gone), reopened.select("start_ns"))
    store.write_results(tables, batch.results.owners, replaces, learned)
    return RunSummary(
        traces=taken.traces.height,
        spans=taken.spans.height,
        requests=tables["requests"].height,
        revised=tables["requests"].join(before, on=KEYS, how="semi").height,
        set_aside=tables["warnings"].filter(pl.col("code") == STAGE_FAILED).height,
    )


def write_aside(store: Store, traces: pl.DataFrame, results: Results) -> RunSummary:
    """Store what is left of traces that could not be processed (`analysis.set_aside`) in the place of all results."""
    before = _requests_of(store, traces)
    replaces = before.get_column("request_no").unique().to_numpy() if before.height else None
    learned = Learned(results["async_work"], _rows(()), _rows(()), NOBODY)
    store.write_results(results.tables, results.owners, replaces, learned)
    return RunSummary(traces=traces.height, set_aside=traces.height)


def tell(store: Store, windows: tuple[set[Window], set[Window]]) -> None:
    """Store which windows are no longer settled, and which are now (as `write`), where no results go with it."""
    nothing, (gone, settled) = empty(), windows
    learned = Learned(nothing["async_work"], _rows(settled), _rows(gone), NOBODY)
    store.write_results(nothing.tables, nothing.owners, None, learned)


def _requests_of(store: Store, traces: pl.DataFrame) -> pl.DataFrame:
    return store.query_with(statement("runs/stored_requests"), traces.select(KEYS))


def _rows(windows: Iterable[Window]) -> pl.DataFrame:
    schema = {"start_ns": pl.Int64, "end_ns": pl.Int64}
    return pl.DataFrame([(window.start_ns, window.end_ns) for window in sorted(windows)], schema=schema, orient="row")


def _known_senders(store: Store, caused: pl.DataFrame) -> pl.DataFrame:
    """Give work by the stored number of the request that caused it: it began with the same span, or is its only one."""
    if not caused.height:
        return caused
    asked = caused.select(pl.col("sender_hi").alias("trace_hi"), pl.col("sender_lo").alias("trace_lo")).unique()
    known = _requests_of(store, asked).with_columns(alone=pl.len().over(KEYS) == 1)
    known = known.select(
        *(pl.col(name).alias(f"sender_{name[6:]}") for name in KEYS),
        "alone",
        "entry_span_id",
        pl.col("request_no").alias("number"),
    )
    found = caused.join(known, on=["sender_hi", "sender_lo"])
    found = found.filter((pl.col("entry_span_id") == pl.col("sender_span")) | pl.col("alone"))
    return found.with_columns(request_no="number")


def _revised(requests: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """Number revisions: one more than the trace's requests had before."""
    before = stored.group_by(KEYS).agg(before=pl.col("revision").max())
    joined = requests.join(before, on=KEYS, how="left", maintain_order="left")
    revision = (pl.col("before").fill_null(0) + 1).cast(pl.Int32)
    return joined.with_columns(revision=revision).drop("before")
