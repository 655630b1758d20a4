"""Rules about what the spans themselves lack: context, ids, server spans, clocks that agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis.findings import advice
from analysis.findings.cases import FEWEST, MATERIAL_SHARE, Case, marks, places
from analysis.findings.retiming import KEEP
from analysis.findings.within import Stretches, only_inside

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analysis.findings.evidence import Evidence

MATCHED: Final = 0.5
"""Part of a seam's silent calls that must each have found one lone trace of the callee."""


CHAIN: Final = 3
"""Client spans, one below the other, that make one call."""


def context_rules(evidence: Evidence) -> Iterator[Case]:
    """Yield what instrumentation should be mended."""
    calls = evidence.awaited
    broken = _with_silent(calls, pl.concat([_joined_by_id(calls), _met_in_time(evidence, calls)]))
    for (seam,), some in places(broken, "seam"):
        yield Case(
            rule="broken_context",
            route=None,
            seam=str(seam),
            marks=marks(some, KEEP),
            message=(
                f"{some['caller'][0]} does not hand its trace context on to {some['callee'][0]}: the callee starts "
                f"traces of its own, %requests%"
            ),
            next_step=advice.context(some),
            material=False,
        )
    yield from _lost_ids(evidence, calls)
    yield from _unobserved(evidence, calls.join(broken.select("seam").unique(), on="seam", how="anti"))
    yield from _clocks(evidence)


def _joined_by_id(calls: pl.DataFrame) -> pl.DataFrame:
    return calls.filter(pl.col("joined_by") != "trace_context")


def _with_silent(calls: pl.DataFrame, broken: pl.DataFrame) -> pl.DataFrame:
    """Add the silent calls of seams over which context never came, though the callee answered: theirs was lost, too."""
    if not broken.height:
        return broken
    linked = (pl.col("server_row") >= 0) & (pl.col("joined_by") == "trace_context")
    never = calls.group_by("seam").agg(linked=linked.sum()).filter(pl.col("linked") == 0)
    proven = broken.group_by("seam").agg(proven=pl.len()).filter(pl.col("proven") >= FEWEST)
    silent = calls.filter(pl.col("server_row") < 0).join(never, on="seam", how="semi")
    more = silent.join(proven, on="seam", how="semi").join(broken.select("row"), on="row", how="anti")
    return pl.concat([broken, more])


def _met_in_time(evidence: Evidence, calls: pl.DataFrame) -> pl.DataFrame:
    """Give silent calls during which exactly one trace began elsewhere with the same method and path."""
    looked_at = calls.select("row", "server_row", "seam", "caller", "method", "target_path", "start_ns", "end_ns")
    silent = looked_at.filter((pl.col("server_row") < 0) & pl.col("target_path").is_not_null())
    roots = evidence.spans.filter((pl.col("parent_row") < 0) & pl.col("url_path").is_not_null())
    caller = pl.col("caller").str.replace(r"^[a-z]+:", "")
    place = only_inside(_stretches(silent, "target_path", caller), _stretches(roots, "url_path", pl.col("service")))
    met = silent.with_columns(met=pl.Series(place)).filter(pl.col("met") >= 0)
    alone = met.filter(pl.len().over("met") == 1)
    share = (
        alone.group_by("seam")
        .agg(met=pl.col("row").n_unique())
        .join(silent.group_by("seam").agg(silent=pl.len()), on="seam")
    )
    sure = share.filter(pl.col("met") >= MATCHED * pl.col("silent"))
    found = alone.join(sure, on="seam", how="semi").select("row")
    return calls.join(found, on="row", how="semi", maintain_order="left") if found.height else calls.clear()


def _stretches(rows: pl.DataFrame, path: str, service: pl.Expr) -> Stretches:
    """Give the number of a method and path, start, end and the service of each."""
    known = rows.select(
        group=pl.struct(method="method", path=path).hash().reinterpret(signed=True),
        start="start_ns",
        end="end_ns",
        whose=service.hash().reinterpret(signed=True),
    )
    return Stretches(*(known.get_column(name).to_numpy() for name in Stretches._fields))


def _lost_ids(evidence: Evidence, calls: pl.DataFrame) -> Iterator[Case]:
    """A tier that has a request id, and a callee that has another."""
    answered = calls.select("request", "row", "server_row", "seam", "caller", "callee").filter(
        pl.col("server_row") >= 0
    )
    ids = evidence.spans.get_column("correlation_id")
    own, callee = (ids.gather(answered.get_column(name)) for name in ("row", "server_row"))
    entry = evidence.requests.get_column("correlation_id").gather(answered.get_column("request"))
    replaced = answered.filter(pl.select(pl.coalesce(own, entry) != callee).to_series())
    for (seam,), some in places(replaced, "seam"):
        yield Case(
            rule="request_id_lost",
            route=None,
            seam=str(seam),
            marks=marks(some, KEEP),
            message=f"{some['callee'][0]} has another request id than {some['caller'][0]} sent or had: %requests%",
            next_step=f"Send x-request-id from {some['caller'][0]}, and let {some['callee'][0]} keep the one it gets",
            material=False,
        )


def _unobserved(evidence: Evidence, calls: pl.DataFrame) -> Iterator[Case]:
    """Time in a service that sent no server span for it."""
    length = evidence.horizon_of.group_by("request").agg(horizon_ns=pl.col("horizon_ns").max())
    lost = (
        _of_calls(evidence.path.filter(pl.col("cause") == "unobserved"), evidence)
        .group_by("request", "row")
        .agg(ns=(pl.col("end_ns") - pl.col("start_ns")).sum())
        .join(length, on="request")
        .filter(pl.col("ns") >= MATERIAL_SHARE * pl.col("horizon_ns"))
    )
    counted = calls.group_by("seam").agg(seen=(pl.col("server_row") >= 0).sum(), calls=pl.len())
    told = calls.select("request", "row", "seam", "caller", "callee").join(
        lost.select("request", "row"), on=["request", "row"], how="semi", maintain_order="left"
    )
    told = told.join(counted, on="seam", maintain_order="left")
    for (seam,), some in places(told, "seam"):
        seen, all_of = some.select("seen", "calls").row(0)
        yield Case(
            rule="missing_instrumentation",
            route=None,
            seam=str(seam),
            marks=marks(some, KEEP),
            message=(
                f"{some['callee'][0]} sent no span for calls that held %requests%; of {all_of} calls over this seam "
                f"{seen} have one"
            ),
            next_step=advice.uninstrumented(some, seen),
            material=False,
        )


def _of_calls(stretches: pl.DataFrame, evidence: Evidence) -> pl.DataFrame:
    """Put stretches that lie in the inner spans of a call (undici's, below a fetch) on the call's own: `row`."""
    parent = evidence.spans.get_column("parent_row").to_numpy()
    outermost = np.zeros(parent.size, np.bool_)
    outermost[evidence.calls.get_column("row").to_numpy()] = True
    row = stretches.get_column("row").to_numpy().copy()
    for _ in range(CHAIN):
        inner = np.flatnonzero(row >= 0)
        inner = inner[~outermost[row[inner]] & (parent[row[inner]] >= 0)]
        row[inner] = parent[row[inner]]
    return stretches.with_columns(row=pl.Series(row))


def _clocks(evidence: Evidence) -> Iterator[Case]:
    """Hosts whose clocks no constant offset brings together."""
    odd = evidence.warnings.filter(pl.col("code") == "clock_interval_empty")
    if not odd.height:
        return
    both = pl.concat(
        [
            evidence.calls.select("seam", "row"),
            evidence.calls.select("seam", row="server_row").filter(pl.col("row") >= 0),
        ]
    ).unique("row")
    told = odd.join(both, on="row", how="left", maintain_order="left")
    for (seam,), some in places(told, "seam"):
        where = "Two hosts" if seam is None else f"The hosts on both sides of {seam}"
        yield Case(
            rule="clock_conflict",
            route=None,
            seam=None if seam is None else str(seam),
            marks=marks(some, KEEP),
            message=f"{where} have clocks that no constant offset brings together: %requests%",
            next_step="Let both keep time with NTP or chrony, and give every instance a host.id or service.instance.id",
            material=False,
        )
