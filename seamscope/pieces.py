"""Pieces of one request: traces that share an id and begin near each other, whatever window they begin in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis.grouping import in_several
from analysis.stitch import MOST_PIECES
from seamscope.held import KEYS
from seamscope.statements import statement

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from seamscope.store import Store

PIECES_NS: Final = 60_000_000_000
"""Pieces of one request that share an id begin within so much of each other, or are left to their own windows."""


class Pieces:
    """What the spans of one store say of pieces; traces are rows of `roll.TRACES`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, traces: pl.DataFrame, near: Callable[[], pl.DataFrame]) -> tuple[pl.DataFrame, list[str]]:
        """Give those of the others `near` that share an id with some traces; asked for only where these have one.

        And the ids, as texts, that so many of these others carry that they are no request's (`MOST_PIECES`): nobody is
        given for their sake, or each trace with a header that never changes would bring all before it along.
        """
        ids = self._ids(traces).select("id").unique()
        if not ids.height:
            return traces.clear(), []
        others = near().join(traces, on=KEYS, how="anti")
        theirs = self._ids(others).join(ids, on="id", how="semi").unique()
        are_many = pl.len().over("id") > MOST_PIECES
        return others.join(theirs.filter(~are_many), on=KEYS, how="semi"), self._texts(traces, theirs.filter(are_many))

    def _texts(self, traces: pl.DataFrame, ids: pl.DataFrame) -> list[str]:
        if not ids.height:
            return []
        given = {"ids": ids["id"].unique().to_list(), **_bounds(traces)}
        return self._store.query_with(statement("runs/id_texts"), traces.select(KEYS), given)["id"].to_list()

    def follows(self, traces: pl.DataFrame) -> npt.NDArray[np.bool_]:
        """Mark traces that may be pieces of a request one of whose traces began one window earlier.

        `own` numbers the windows that they begin in, which reach from `begin_ns` to `end_ns`.
        """
        places = traces.select(*KEYS, "start_ns", "own", "begin_ns", "end_ns")
        shared = self.shared(traces).join(places, on=KEYS)
        there = shared.filter(pl.col("start_ns") >= pl.col("end_ns") - PIECES_NS)
        before = there.group_by("id", pl.col("own") + 1).agg(last_ns=pl.col("start_ns").max(), earlier=pl.len())
        here = shared.filter(pl.col("start_ns") < pl.col("begin_ns") + PIECES_NS)
        known = here.with_columns(pieces=pl.len().over("id", "own")).join(before, on=["id", "own"])
        is_near = pl.col("start_ns") - pl.col("last_ns") <= PIECES_NS
        found = known.filter(is_near & (pl.col("earlier") + pl.col("pieces") <= MOST_PIECES)).select(KEYS).unique()
        joined = traces.join(found.with_columns(follows=pl.lit(value=True)), on=KEYS, how="left", maintain_order="left")
        follows: npt.NDArray[np.bool_] = joined["follows"].fill_null(value=False).to_numpy()
        return follows

    def shared(self, traces: pl.DataFrame) -> pl.DataFrame:
        """Give the ids that spans of more than one of some traces carry, each once for every such trace."""
        told = self._ids(traces)
        several = in_several(*(told[name].to_numpy().view(np.int64) for name in ("id", *KEYS)))
        return told.filter(pl.Series(several)).unique()

    def _ids(self, traces: pl.DataFrame) -> pl.DataFrame:
        """Give the ids of requests that spans of some traces carry, as numbers that tell them apart, span by span."""
        if not traces.height:
            return pl.DataFrame(schema=dict.fromkeys((*KEYS, "id"), pl.UInt64))
        return self._store.query_with(statement("runs/ids"), traces.select(KEYS), _bounds(traces))


def _bounds(traces: pl.DataFrame) -> dict[str, object]:
    return {"first_commit": traces["first_commit"].min(), "last_commit": traces["last_commit"].max()}
