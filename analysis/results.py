"""What the desk gives, and how results are put together and cut."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import polars as pl

from analysis import journeys, tables
from seamscope.schema import words
from seamscope.schema.tables import OWNERS, RESULTS

KEYS: Final = ("trace_hi", "trace_lo")

OWNER_COLUMNS: Final = ("dominant_owner_no", "owner_no", "seam_no")

MOST_WORDS: Final = 300
"""Characters of an error that a warning keeps."""


@dataclass(frozen=True, slots=True)
class Results:
    """The desk's rows; `request_no` counts from 0, `owner_no` points into `owners`."""

    tables: dict[str, pl.DataFrame]
    """By name, columns as `seamscope.schema.tables.RESULTS`."""
    owners: pl.DataFrame
    """Columns as `seamscope.schema.tables.OWNERS`."""
    peers: pl.DataFrame
    """Hosts that turned out to be services: `peer`, `port`, `tier`, `service`, `hops`."""

    def __getitem__(self, name: str) -> pl.DataFrame:
        """Return a table of results."""
        return self.tables[name]


@cache
def empty() -> Results:
    """Return results of nothing, the same each time."""
    return Results(
        {name: tables.table(name, {"request_no": []}) for name in RESULTS},
        pl.DataFrame(schema=tables.types_of(OWNERS)),
        pl.DataFrame(schema=journeys.PEERS),
    )


def set_aside(traces: pl.DataFrame, error: BaseException, while_: str = "") -> Results:
    """Return what is left of traces that no stage could digest: a warning each."""
    results = empty()
    words_of_error = " ".join(f"{while_}{type(error).__name__}: {error}".split())[:MOST_WORDS]
    warning = tables.table(
        "warnings",
        {
            "trace_hi": traces.get_column("trace_hi"),
            "trace_lo": traces.get_column("trace_lo"),
            "span_id": [0] * traces.height,
            "code": [words.code(words.WARNINGS, "stage_failed")] * traces.height,
            "detail": [words_of_error] * traces.height,
        },
    )
    return Results({**results.tables, "warnings": warning}, results.owners, results.peers)


def join(parts: list[Results]) -> Results:
    """Put results of disjoint traces together, requests and owners renumbered."""
    if len(parts) == 1:
        return parts[0]
    moved: dict[str, list[pl.DataFrame]] = {name: [] for name in RESULTS}
    owners, requests, owned = [], 0, 0
    for part in parts:
        for name, frame in part.tables.items():
            numbers = [pl.col("request_no") + requests]
            numbers += [pl.col(column) + owned for column in frame.columns if column in OWNER_COLUMNS]
            moved[name].append(frame.with_columns(numbers))
        owners.append(part.owners.with_columns(pl.col("owner_no") + owned))
        requests += part["requests"].height
        owned += part.owners.height
    return Results(
        {name: pl.concat(frames) for name, frames in moved.items()},
        pl.concat(owners),
        pl.concat([part.peers for part in parts]),
    )


def only(results: Results, traces: pl.DataFrame) -> Results:
    """Keep the requests of some traces (`trace_hi`, `trace_lo`), renumbered; work that others caused goes too."""
    mine = results["request_traces"].join(traces, on=KEYS, how="semi").select("request_no").unique()
    kept = results["requests"].select("request_no").join(mine, on="request_no", how="semi", maintain_order="left")
    kept = kept.with_row_index("number").with_columns(pl.col("number").cast(pl.Int64))
    tables_ = {}
    for name, frame in results.tables.items():
        told = frame.join(kept, on="request_no", how="inner", maintain_order="left")
        lone = (
            frame.filter(pl.col("request_no").is_null()).join(traces, on=KEYS, how="semi")
            if name == "warnings"
            else None
        )
        told = told.with_columns(request_no=pl.col("number")).drop("number")
        tables_[name] = told if lone is None else pl.concat([told, lone])
    return Results(tables_, results.owners, results.peers)
