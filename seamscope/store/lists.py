"""How segments and hops are kept: as lists, one row a request (`base.request_lists`, `base.hop_details`).

Rows of their own took 69 MB a million spans, and all results 1.8 s of CPU to write. As lists they take 28 MB, and 1.0
s, 0.35 of it to make the lists. Sums over all of them are read as fast. What makes the difference:

- stretches tile a request's time, so that only their beginnings are kept, and a mark where one has no successor;
- a stretch on both paths is one, and what stretches are (whose, why, how known) is a number in `base.segment_kinds`;
- what a hop has in common with many (seam, hosts, operation, status) is a number in `base.hop_kinds`: as seven lists,
  four of texts, it took 0.45 s of 1.7 to write;
- the ids of spans are random and cannot be compressed: each is kept once a request, and elsewhere its place;
- what follows from the rest of a hop is left out where it does (`FOLLOWS`), and with it most that is not told.

The views `base.horizon_segments`, `base.segments` and `base.hops` put it together again, to the letter.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
import pyarrow as pa

from seamscope.store.layout import FOLLOWS, LISTED, OF_KIND
from seamscope.store.list_kernels import boundaries, horizons_of, numbered, places, tiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Int64s = npt.NDArray[np.int64]
    Digests = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a stretch is."""

    horizons: int
    """Bit 0: on the shell's path, bit 1: on complete's."""
    owner_no: int
    cause: int
    evidence: int

    def rows(self, number: int) -> list[dict[str, int]]:
        """Give its rows of `base.segment_kinds`."""
        said = {"kind_no": number, "owner_no": self.owner_no, "cause": self.cause, "evidence": self.evidence}
        return [{**said, "horizon": horizon} for horizon in (0, 1) if self.horizons >> horizon & 1]


@dataclass(frozen=True, slots=True)
class HopKinds:
    """What hops are, once each."""

    rows: pl.DataFrame
    """Columns of `base.hop_kinds`, but for their numbers."""
    digests: Digests


@dataclass(frozen=True, slots=True)
class Lists:
    """Segments and hops in the form they are kept in."""

    tables: dict[str, pa.Table]
    """`request_lists` and `hop_details`, those with rows; `segment_kind` has its place in `kinds` plus 1, or 0, and
    `hop_kind` its place in `hop_kinds` plus 1."""
    kinds: list[Kind]
    hop_kinds: HopKinds

    def numbered(self, segment_kinds: Sequence[int], hop_kinds: Int64s) -> dict[str, pa.Table]:
        """Give the tables with the store's own numbers of these kinds."""
        rows = self.tables.get("request_lists")
        if rows is None:
            return self.tables
        for name, numbers in {"segment_kind": segment_kinds, "hop_kind": hop_kinds}.items():
            of_kind = np.array([0, *numbers], np.uint32)
            local = rows[name].combine_chunks()
            lists_ = pa.ListArray.from_arrays(local.offsets, pa.array(of_kind[local.values.to_numpy()]))
            rows = rows.set_column(rows.schema.get_field_index(name), name, lists_)
        return {**self.tables, "request_lists": rows}


def lists(segments: pl.DataFrame, hops: pl.DataFrame, requests: pl.DataFrame) -> Lists:
    """Give what requests consist of as lists; columns as `schema.tables`, `requests` for the traces they are of."""
    segments, hops = _by_request(segments), _by_request(hops)
    numbers, first_row, hop_offsets = boundaries(_values(segments, "request_no"), _values(hops, "request_no"))
    path, rows = _paths(segments, first_row)
    span, call = _values(segments, "span_id"), _values(segments, "call_id")
    of_hop, hop_kinds = _hop_kinds(hops)
    ends = np.stack([_values(hops, "client_span_id"), _values(hops, "server_span_id")])
    of_tile, of_end, ids, of_call, id_offsets = places(path.offsets, rows, span, call, hop_offsets, ends, _SEED)
    listed = {
        "request_no": pa.array(numbers),
        "at_ns": _list(path.offsets, path.at),
        "segment_kind": _list(path.offsets, path.kind),
        "place": _list(path.offsets, of_tile),
        "span_ids": _list(id_offsets, ids),
        "call_place": _list(id_offsets, of_call),
        "client_place": _list(hop_offsets, of_end[0]),
        "server_place": _list(hop_offsets, of_end[1]),
        "hop_kind": _list(hop_offsets, of_hop),
        **{name: _list(hop_offsets, hops.get_column(name)) for name in LISTED},
    }
    tables = {"request_lists": pa.table(listed), "hop_details": _details(hops, requests, numbers, hop_offsets)}
    return Lists({name: table for name, table in tables.items() if table.num_rows}, path.kinds, hop_kinds)


MOST_NS: Final = 1 << 58
"""What is longer than nine years is not reckoned with: the sum of all phases must fit."""

_SEED: Final = np.uint64(secrets.randbits(64))
_SEEDS: Final = {name: secrets.randbits(63) for name in OF_KIND}
"""Drawn by chance in every process, so that nobody can send two kinds of hops that look the same."""


@dataclass(frozen=True, slots=True)
class _Path:
    offsets: Int64s
    at: Int64s
    kind: npt.NDArray[np.uint32]
    kinds: list[Kind]


def _paths(segments: pl.DataFrame, first_row: Int64s) -> tuple[_Path, Int64s]:
    """Lay stretches end to end by request; gives with them their rows."""
    start, end, owner, cause, evidence = (
        _values(segments, name) for name in ("start_ns", "end_ns", "owner_no", "cause", "evidence")
    )
    horizon, span, call = (_values(segments, name) for name in ("horizon", "span_id", "call_id"))
    bits = horizons_of(first_row, horizon, start, end, span, call, owner, cause, evidence)
    at, rows, natures, offsets = tiles(first_row, bits, start, end, owner, cause, evidence)
    kind, found = numbered(natures, _SEED)
    return _Path(offsets, at, kind, [_kind(int(one)) for one in found]), rows


def _kind(nature: int) -> Kind:
    """Take apart what `tiles` says of a stretch."""
    return Kind(nature & 3, nature >> 18, nature >> 10 & 255, nature >> 2 & 255)


def _hop_kinds(hops: pl.DataFrame) -> tuple[npt.NDArray[np.uint32], HopKinds]:
    """Number hops by what they have in common with others, from 1; 0 is no digest, so that each has a number."""
    each = [pl.col(name).hash(seed) for name, seed in _SEEDS.items()]
    digests = hops.select(pl.sum_horizontal(each) | 1).to_series().to_numpy()
    kind, found = numbered(digests.view(np.int64), _SEED)
    row = np.empty(found.size, np.uint32)
    row[kind - 1] = np.arange(kind.size, dtype=np.uint32)
    return kind, HopKinds(hops.select(OF_KIND)[row], found.view(np.uint64))


def _details(hops: pl.DataFrame, requests: pl.DataFrame, numbers: Int64s, offsets: Int64s) -> pa.Table:
    """Give the lists beside: of each column those of the requests in which it does not follow from the rest."""
    said = _told(hops, requests)
    counts = np.diff(offsets)
    owner = np.repeat(np.arange(numbers.size), counts)
    told = {name: np.bincount(owner[off], minlength=numbers.size) > 0 for name, off in said.items() if off.any()}
    if not told:
        return pa.table({"request_no": pa.array([], pa.int64())})
    kept = np.logical_or.reduce(list(told.values()))
    columns = {"request_no": pa.array(numbers[kept])}
    for name, mine in told.items():
        values = hops.get_column(name)
        rest = values if mine.all() else values.filter(pl.Series(mine[owner]))
        begin = np.append(0, np.cumsum(np.where(mine, counts, 0)[kept]))
        columns[name] = _list(begin, rest, pa.array(~mine[kept]))
    return pa.table(columns)


def _told(hops: pl.DataFrame, requests: pl.DataFrame) -> dict[str, npt.NDArray[np.bool_]]:
    """Tell for each column of `FOLLOWS` which hops say something else."""
    own = requests.select("request_no", own_trace_hi="trace_hi", own_trace_lo="trace_lo")
    traces = hops.select("request_no").join(own, on="request_no", how="left", maintain_order="left")
    whole = hops.with_columns(traces.get_columns()[1:])
    others = [
        pl.col(name).ne_missing(pl.sql_expr(text)).alias(name)
        for name, text in FOLLOWS.items()
        if text != "NULL" or hops.get_column(name).null_count() < hops.height
    ]
    told = {column.name: column.to_numpy() for column in whole.select(others)}
    if _is_impossible(hops):
        told |= {name: np.ones(hops.height, np.bool_) for name, text in FOLLOWS.items() if "-" in text}
    return told


def _is_impossible(hops: pl.DataFrame) -> bool:
    """Tell whether times are so long that their differences may not fit: DuckDB raises then, where polars goes on."""
    lengths = pl.col([name for name in hops.columns if name.endswith("_ns") and name != "start_ns"])
    extremes = (*hops.select(lengths.max()).row(0), *hops.select(lengths.min()).row(0))
    return any(abs(length) > MOST_NS for length in extremes if length is not None)


def _by_request(rows: pl.DataFrame) -> pl.DataFrame:
    """Bring a request's rows side by side, in the order they came."""
    return rows if rows.get_column("request_no").is_sorted() else rows.sort("request_no", maintain_order=True)


def _values(rows: pl.DataFrame, name: str) -> Any:
    column = rows.get_column(name)
    return (column.fill_null(0) if column.null_count() else column).to_numpy()


def _list(offsets: Int64s, values: Any, absent: pa.Array | None = None) -> pa.ListArray:
    """Give lists of values; `absent` tells which of them are null."""
    flat = values.to_arrow() if isinstance(values, pl.Series) else pa.array(values)
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), flat, mask=absent)
