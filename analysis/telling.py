"""Pass C of some traces: the ways through their requests, and all that is told of them as tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis import critical, gaps, hops, inferred, remarks, tables
from analysis.results import Results

if TYPE_CHECKING:
    import polars as pl

    from analysis.clocks import Clocks
    from analysis.journeys import Journeys
    from analysis.patterns import Told
    from analysis.rules import Walk


@dataclass(frozen=True, slots=True)
class Ways:
    """What does not hang on what many calls tell, only on what they are and on their clocks."""

    gaps: gaps.Gaps
    requests: critical.Requests
    stretches: critical.Stretches
    rows: pl.DataFrame
    """A row per request, without what leads it."""
    traces: pl.DataFrame


def ways(found: Journeys, measured: gaps.Gaps, clocks: Clocks, walk: Walk) -> Ways:
    """Find requests and walk them."""
    requests = critical.find_requests(found)
    return Ways(
        gaps=gaps.surer(measured, found, clocks),
        requests=requests,
        stretches=critical.walk(found, requests, walk),
        rows=tables.requests_table(found.forest, requests),
        traces=tables.request_traces_table(found.forest, requests),
    )


def results(found: Journeys, ways: Ways, told: Told, odd: pl.DataFrame, links: pl.DataFrame) -> Results:
    """Return all that is told of some traces; `odd` are warnings of calls of all (`patterns.Known`)."""
    found = inferred.lay_over(found, told.marks)
    requests = ways.requests
    segments = critical.attribute(found, requests, ways.stretches)
    owners, owner_no = tables.owners_table(found)
    return Results(
        tables={
            "requests": tables.led(ways.rows, requests, segments, owners, owner_no),
            "request_traces": ways.traces,
            "segments": tables.segments_table(segments, owner_no),
            "hops": hops.hops_table(found, requests, ways.gaps, told.marks, owner_no),
            "warnings": remarks.warnings_table(found, requests, odd),
            "async_work": remarks.async_table(found, requests, links),
            "inferences": tables.inferences_table(found.forest, requests, told.said, found.calls.outer),
        },
        owners=owners,
        peers=found.seams.learned,
    )
