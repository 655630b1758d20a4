"""Traces in, results out: the one entry of the desk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis import critical, forest, hops, journeys, remarks, tables
from analysis.columns import INPUT, LINK_INPUT
from analysis.rules import NoRules, Peers, Walk
from seamscope.schema import words
from seamscope.schema.tables import OWNERS, RESULTS

if TYPE_CHECKING:
    from analysis.rules import Rules

NO_RULES: Final = NoRules()
NO_PEERS: Final = Peers()
DEFAULT_WALK: Final = Walk()

KEYS: Final = ("trace_hi", "trace_lo")

MOST_SOUGHT: Final = 32
"""Failing traces that are sought out one by one; beyond, all that fail together are set aside together."""

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


def analyse(
    spans: pl.DataFrame,
    resources: pl.DataFrame,
    links: pl.DataFrame | None = None,
    rules: Rules = NO_RULES,
    peers: Peers = NO_PEERS,
    walk: Walk = DEFAULT_WALK,
) -> Results:
    """Analyse any number of whole traces.

    Args:
        spans: columns `analysis.columns.INPUT` of `SPANS`; any order; columns may be absent.
        resources: rows of `RESOURCES`, at least those of the spans; all known ones name more services.
        links: columns `analysis.columns.LINK_INPUT` of `SPAN_LINKS`.
        rules: the operator's word on services and hosts.
        peers: hosts that are known services.
        walk: how critical paths are walked.

    A trace that makes a stage raise is set aside with the warning `stage_failed`; the others are not touched.
    """
    told = spans.select([name for name in INPUT if name in spans.columns])
    linked = _no_links() if links is None else links.select(LINK_INPUT)
    return _Desk(resources, linked, rules, peers, walk).carefully(told)


@dataclass(slots=True)
class _Desk:
    """One run: what all its traces share, and how many of them have failed."""

    resources: pl.DataFrame
    links: pl.DataFrame
    rules: Rules
    peers: Peers
    walk: Walk
    failed: int = 0

    def carefully(self, spans: pl.DataFrame) -> Results:
        """Analyse these spans; where a stage raises, find the traces that make it and set them aside."""
        if not spans.height:
            return _empty()
        try:
            return _passes(spans, self.resources, self.links, self.rules, self.peers, self.walk)
        except Exception as error:  # noqa: BLE001 - whatever it is, only its traces are set aside
            traces = spans.select(KEYS).unique(maintain_order=True)
            if traces.height == 1 or self.failed >= MOST_SOUGHT:
                self.failed += 1
                return _set_aside(traces, error)
            half = traces.height // 2
            return join([self.carefully(_those(spans, part)) for part in (traces[:half], traces[half:])])


def _those(spans: pl.DataFrame, traces: pl.DataFrame) -> pl.DataFrame:
    return spans.join(traces, on=KEYS, how="semi", maintain_order="left")


def _passes(
    spans: pl.DataFrame, resources: pl.DataFrame, links: pl.DataFrame, rules: Rules, peers: Peers, walk: Walk
) -> Results:
    found = journeys.follow(forest.grow(spans, resources), rules, peers)
    requests = critical.find_requests(found)
    segments = critical.attribute(found, requests, critical.walk(found, requests, walk))
    owners, owner_no = tables.owners_table(found)
    rows = tables.requests_table(found, requests, segments, owners, owner_no)
    return Results(
        tables={
            "requests": rows,
            "request_traces": tables.request_traces_table(rows),
            "segments": tables.segments_table(segments, owner_no),
            "hops": hops.hops_table(found, requests, owner_no),
            "warnings": remarks.warnings_table(found, requests),
            "async_work": remarks.async_table(found, requests, links),
        },
        owners=owners,
        peers=found.seams.learned,
    )


def _no_links() -> pl.DataFrame:
    return pl.DataFrame(schema={name: pl.UInt8 if name == "kind" else pl.UInt64 for name in LINK_INPUT})


def _empty() -> Results:
    return Results(
        {name: tables.table(name, {"request_no": []}) for name in RESULTS},
        pl.DataFrame(schema=tables.types_of(OWNERS)),
        pl.DataFrame(schema=journeys.PEERS),
    )


def _set_aside(traces: pl.DataFrame, error: Exception) -> Results:
    results = _empty()
    words_of_error = " ".join(f"{type(error).__name__}: {error}".split())[:MOST_WORDS]
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
    requests = results["requests"]
    kept = requests.join(traces, on=KEYS, how="semi", maintain_order="left").select("request_no")
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


OWNER_COLUMNS: Final = ("dominant_owner_no", "owner_no", "seam_no")
