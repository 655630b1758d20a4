"""Reads from the store what the desk needs of a batch of traces, and of those that their messages tie them to.

The trace that sent a message gains the work that another did with it. So traces that received messages of the batch
are read beside it; and of analysed traces that sent the batch its messages, only this work is stored anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analysis import INPUT, LINK_INPUT
from seamscope.batches import commits
from seamscope.schema.tables import SPAN_LINKS
from seamscope.statements import statement
from seamscope.store.spans import spans_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from seamscope.store import Store

    Fresh = Callable[[pl.DataFrame], pl.DataFrame]

KEYS: Final = ("trace_hi", "trace_lo")

MOST_CONSUMERS: Final = 1_000
"""Traces that are looked up as work caused by one other trace."""

LATEST: Final = (1 << 63) - 1

_NO_LINKS: Final = pl.DataFrame(SPAN_LINKS.empty_table().select(LINK_INPUT))  # polars' own would start its threads

USUAL: Final = 0.9
"""Most traces of a batch came in a short range of commits; the others are read apart, so that it stays short."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What was read of a batch of traces."""

    traces: pl.DataFrame
    """Columns `roll.TRACES`."""
    beside: pl.DataFrame
    """Traces (`KEYS`) that are read for the work which others caused."""
    senders: pl.DataFrame
    """Those of them (`KEYS`) whose caused work is stored anew."""
    spans: pl.DataFrame
    links: pl.DataFrame
    resources: pl.DataFrame


def take(store: Store, traces: pl.DataFrame, fresh: Fresh) -> Taken:
    """Read what the analysis of some traces (`roll.TRACES`) needs.

    `fresh` gives those of them that have spans which nobody has looked at yet; it is asked only where messages are.
    """
    any_link = store.query(statement("runs/any_link")).height > 0
    nobody = traces.select(KEYS).clear()
    senders, receivers = _tied(store, traces, fresh(traces)) if any_link else (nobody, nobody)
    beside = pl.concat([senders, receivers]).unique(maintain_order=True).join(traces, on=KEYS, how="anti")
    parts = list(_parts(traces, beside))
    return Taken(
        traces=traces,
        beside=beside,
        senders=senders,
        spans=pl.concat(spans_of(store, INPUT, part, *bounds) for part, bounds in parts),
        links=_links(store, parts) if any_link else _NO_LINKS,
        resources=store.query(statement("runs/resources")),
    )


def _tied(store: Store, traces: pl.DataFrame, fresh: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give the traces that sent messages to `fresh` ones, and those that received messages of all of these."""
    senders = _asked(store, "producers", fresh) if fresh.height else fresh.select(KEYS)
    senders = senders.join(traces, on=KEYS, how="anti")
    mine = pl.concat([traces.select(KEYS), senders])
    return senders, _asked(store, "consumers", mine, {"most": MOST_CONSUMERS})


def _links(store: Store, parts: Iterable[tuple[pl.DataFrame, tuple[int, int]]]) -> pl.DataFrame:
    text = statement("runs/links", columns=", ".join(LINK_INPUT))
    return pl.concat(
        store.query_with(text, part.select(KEYS), {"first_commit": first, "last_commit": last})
        for part, (first, last) in parts
    )


def _asked(store: Store, name: str, traces: pl.DataFrame, params: dict[str, Any] | None = None) -> pl.DataFrame:
    return store.query_with(statement(f"runs/{name}"), traces.select(KEYS), params)


def _parts(traces: pl.DataFrame, beside: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, tuple[int, int]]]:
    """Split traces by where their spans are; give each part with the commits they lie in."""
    bounds = traces.select(
        low=pl.col("first_commit").quantile(1 - USUAL, "lower"), high=pl.col("last_commit").quantile(USUAL, "higher")
    )
    room = traces.select(length=pl.col("last_commit") - pl.col("first_commit")).max().item() if traces.height else 0
    low, high = bounds.row(0) if traces.height else (0, 0)
    usual = (pl.col("first_commit") >= 2 * low - high) & (pl.col("last_commit") <= 2 * high - low)
    parts = (traces.filter(usual), traces.filter(~usual)) if room > high - low else (traces,)
    for part in parts:
        if part.height:
            yield part.select(KEYS), commits(part)
    if beside.height:
        yield beside.select(KEYS), (0, LATEST)
