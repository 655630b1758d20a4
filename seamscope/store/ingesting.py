"""The writer of what the door brings: one group, one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
import pyarrow as pa

from seamscope.schema.tables import INGESTED
from seamscope.schema.words import TIERS, code
from seamscope.statements import statement
from seamscope.store.correlation import with_numbers
from seamscope.store.cursors import let_go
from seamscope.store.fingerprints import (
    APART,
    COPY,
    EVENT_SAID,
    KEY,
    LOG_SAID,
    POINT_SAID,
    SHARED,
    fingerprints,
    frame,
    of_logs,
    of_points,
)
from seamscope.store.inserting import insert, inserts_often, transaction
from seamscope.store.layout import LAYOUTS, ROWS_PER_BATCH, parts
from seamscope.store.packing import packed
from seamscope.store.receipts import CommitReceipt
from seamscope.store.shapes import SHAPE, Shaped, Shapes, digests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import duckdb

    from seamscope.store.recent import RecentItems

    U64 = np.ndarray[Any, np.dtype[np.uint64]]
    ServiceTier = Callable[[str], str | None]

REFILL_ROWS: Final = 1 << 17
REFILL_NS: Final = 10 * 60 * 1_000_000_000
"""At a start, rows of the last ten minutes before the newest are remembered, 131,072 a table at most: of spans with two
attributes in 0.14 to 0.19 s."""

FINGERPRINT: Final = "fingerprint"
"""The column that tells an item from others (`seamscope.store.fingerprints`); it is not kept."""

_TOLD_APART: Final = ("spans", "logs", "metric_points")
"""Tables whose rows are told from those that are stored."""

_SPANS: Final = LAYOUTS["spans"]
_DERIVED: Final = tuple(name for name in _SPANS.shared if name not in SHARED)

_WEAK: Final = {code(TIERS, "unknown"): 0, code(TIERS, "origin"): 1}
"""Tiers that a telling scope may raise; any other stays."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group ready to be written: what is new in it."""

    tables: dict[str, pa.Table]
    receipt: CommitReceipt
    seen: U64
    """Fingerprints of its items."""
    raised: dict[int, int] = field(default_factory=dict)
    """Resources whose tier a telling scope raised, and to what."""
    shaped: Shaped | None = None
    """Its spans and the shapes that are new with them."""


def ready(batch: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """Do what of a commit needs no store, on any thread: bring spans into the form they are kept in, tell them apart.

    Tables without rows are left out; a batch that is ready is left as it is.
    """
    given = {name: table for name, table in batch.items() if table.num_rows}
    spans = given.get("spans")
    if spans is not None and FINGERPRINT not in spans.column_names:
        kept = packed(spans)
        shared = digests(kept, SHARED)
        told_apart = pa.array(fingerprints(kept, shared, given.get("span_events")))
        kept = with_numbers(kept)
        shapes = pa.array(shared + digests(kept, _DERIVED))
        given["spans"] = kept.append_column(FINGERPRINT, told_apart).append_column(SHAPE, shapes)
    for name, digest in (("logs", of_logs), ("metric_points", of_points)):
        if name in given and FINGERPRINT not in given[name].column_names:
            given[name] = given[name].append_column(FINGERPRINT, pa.array(digest(given[name])))
    return given


class Writer:
    """Prepares and appends groups; knows the resources and the latest spans that are stored."""

    def __init__(
        self, cursor: duckdb.DuckDBPyConnection, recent: RecentItems, service_tier: ServiceTier | None
    ) -> None:
        self._cursor = cursor
        inserts_often(cursor)
        self._recent = recent
        self._service_tier = service_tier
        self._tiers: dict[int, int] = dict(cursor.execute("SELECT resource_id, tier FROM base.resources").fetchall())
        self.commit_no = last_commit(cursor)
        """The last commit that is stored."""
        self._shapes = Shapes(last_shape(cursor))
        self._follow_rules()

    def prepare(self, batch: Mapping[str, pa.Table]) -> Group:
        """Tell what of a batch is new; nothing is written yet."""
        unknown = set(batch) - set(INGESTED)
        if unknown:
            raise ValueError(f"not tables of the store: {sorted(unknown)}")
        tables, seen, duplicates = self._without_repeats(ready(batch))
        raised: dict[int, int] = {}
        shaped = None
        if "resources" in tables:
            tables["resources"], raised = self._new_resources(tables["resources"])
        if "spans" in tables:
            shaped = self._shapes.shaped(tables["spans"])
            tables["spans"] = shaped.spans
        rows = {name: table.num_rows for name, table in tables.items() if table.num_rows}
        number = self.commit_no + 1 if rows or raised else self.commit_no
        return Group(tables, CommitReceipt(number, rows, duplicates), seen, raised, shaped)

    def write(self, group: Group, now_ns: int) -> None:
        """Write a prepared group in one transaction; where this raises, nothing of it is stored (but see `has`)."""
        stamps = {"commit_no": group.receipt.commit_no, "ingested_ns": now_ns}
        with transaction(self._cursor):
            for name in group.receipt.rows:
                for table, rows in parts(name, group.tables[name], group.receipt.commit_no).items():
                    insert(self._cursor, table, rows, stamps)
            if group.shaped is not None:
                insert(self._cursor, _SPANS.shapes, group.shaped.fresh)
            self._raise_tiers(group.raised)
        self._stored(group)

    def has(self, group: Group) -> bool:
        """Tell whether a group is in the store after all, though its commit ended in an error."""
        if self.commit_no < group.receipt.commit_no:
            return False
        self._stored(group)
        return True

    def _stored(self, group: Group) -> None:
        self.commit_no = group.receipt.commit_no
        self._recent.remember(group.seen)
        if group.shaped is not None:
            self._shapes.kept(group.shaped)
        if "resources" in group.tables:
            fresh = group.tables["resources"]
            self._tiers.update(zip(fresh["resource_id"].to_pylist(), fresh["tier"].to_pylist(), strict=True))
        self._tiers.update(group.raised)

    def forget(self, table: str, numbers: set[int]) -> None:
        """Take note that rows of a table are gone: what refers to them brings them along again."""
        if table == _SPANS.shapes:
            self._shapes.forget()
        elif table == "resources":
            self._tiers = {number: tier for number, tier in self._tiers.items() if number not in numbers}

    def close(self) -> None:
        """Close the cursor."""
        let_go([self._cursor])

    def _without_repeats(self, batch: dict[str, pa.Table]) -> tuple[dict[str, pa.Table], U64, dict[str, int]]:
        """Leave out what the store has to the last attribute, spans with their events and links."""
        kept, seen = dict(batch), [np.empty(0, np.uint64)]
        duplicates: dict[str, int] = {}
        for name in _TOLD_APART:
            if name not in batch:
                continue
            rows, told = _parted(batch[name])
            fresh = self._fresh(told)
            kept[name] = rows
            seen.append(told[fresh & (told != 0)])
            dropped = len(fresh) - int(fresh.sum())
            if dropped:
                duplicates[name] = dropped
                kept[name] = rows.filter(pa.array(fresh))
                if name == "spans":
                    beside = [each for each in ("span_events", "span_links") if each in batch]
                    kept |= {each: _of_kept(batch[each], frame(rows, KEY), fresh) for each in beside}
        return kept, np.concatenate(seen), duplicates

    def _fresh(self, told: U64) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Mark what is neither known nor a second one in this batch; a fingerprint of 0 tells nothing."""
        first = pl.Series(told).is_first_distinct().to_numpy()
        fresh: np.ndarray[Any, np.dtype[np.bool_]] = (self._recent.unseen(told) & first) | (told == 0)
        return fresh

    def _new_resources(self, resources: pa.Table) -> tuple[pa.Table, dict[int, int]]:
        """Give the resources that the store lacks, and those it has whose tier this batch raises."""
        tiers: dict[int, int] = {}
        places: dict[int, int] = {}
        pairs = zip(resources["resource_id"].to_pylist(), resources["tier"].to_pylist(), strict=True)
        for place, (number, tier) in enumerate(pairs):
            places.setdefault(number, place)
            tiers[number] = _stronger(tiers.get(number), tier or 0)
        fresh = [number for number in tiers if number not in self._tiers]
        raised = {n: t for n, t in tiers.items() if n in self._tiers and _stronger(self._tiers[n], t) != self._tiers[n]}
        rows = resources.take(pa.array([places[number] for number in fresh], pa.int64()))
        return self._ruled(_with_tiers(rows, [tiers[number] for number in fresh])), raised

    def _ruled(self, resources: pa.Table) -> pa.Table:
        codes = [self._rule(service) for service in resources["service"].to_pylist()]
        return resources.append_column("rule_tier", pa.array(codes, pa.uint8()))

    def _follow_rules(self) -> None:
        """Bring the stored resources in line with what the operator says of their services today."""
        if self._service_tier is None:
            return
        text = "SELECT resource_id, service, rule_tier FROM base.resources"
        for number, service, known in self._cursor.execute(text).fetchall():
            said = self._rule(service)
            if said != known:
                change = "UPDATE base.resources SET rule_tier = $tier WHERE resource_id = $number::UBIGINT"
                self._cursor.execute(change, {"tier": said, "number": number}).complete()

    def _rule(self, service: str | None) -> int | None:
        said = self._service_tier(service or "") if self._service_tier else None
        return None if said is None else code(TIERS, said)

    def _raise_tiers(self, raised: Mapping[int, int]) -> None:
        text = "UPDATE base.resources SET tier = $tier WHERE resource_id = $number::UBIGINT"
        for number, tier in raised.items():
            self._cursor.execute(text, {"tier": tier, "number": number}).complete()


def _parted(rows: pa.Table) -> tuple[pa.Table, U64]:
    """Part rows from their fingerprints."""
    told = rows[FINGERPRINT].to_numpy()
    return rows.drop_columns([name for name in (FINGERPRINT, COPY) if name in rows.column_names]), told


def _stronger(known: int | None, tier: int) -> int:
    """Give the tier that says more; of two that say as much, the one known first."""
    return tier if known is None or _WEAK.get(tier, 2) > _WEAK.get(known, 2) else known


def _with_tiers(resources: pa.Table, tiers: list[int]) -> pa.Table:
    place = resources.schema.get_field_index("tier")
    return resources.set_column(place, "tier", pa.array(tiers, pa.uint8()))


def _of_kept(rows: pa.Table, spans: pl.DataFrame, fresh: np.ndarray[Any, np.dtype[np.bool_]]) -> pa.Table:
    """Keep the rows (events, links) of kept spans: of a span that came n times and stays m times, the first m/n."""
    shares = (
        spans.with_columns(pl.Series("fresh", fresh))
        .group_by(KEY)
        .agg(pl.len().alias("n"), pl.col("fresh").sum().alias("m"))
    )
    of_row = frame(rows, KEY).with_columns(
        pl.len().over(KEY).alias("rows"), pl.int_range(pl.len()).over(KEY).alias("at")
    )
    joined = of_row.join(shares, on=KEY, how="left", maintain_order="left")
    keep = (joined["at"] * joined["n"] < joined["rows"] * joined["m"]).fill_null(value=True)
    return rows.filter(pa.array(keep.to_numpy()))


def last_commit(cursor: duckdb.DuckDBPyConnection) -> int:
    """Give the number of the last commit that is stored."""
    found = cursor.execute(statement("commits/last"), {"rows_per_commit": ROWS_PER_BATCH}).fetchall()
    return int(found[0][0])


def last_shape(cursor: duckdb.DuckDBPyConnection) -> int:
    """Give the greatest number of a shape that is stored, or that a stored span points to."""
    return int(cursor.execute(statement("commits/last_shape")).fetchall()[0][0])


def refill(cursor: duckdb.DuckDBPyConnection, recent: RecentItems) -> None:
    """Remember the newest stored items, so that a retry across a restart is still recognised."""
    first = _first_to_remember(cursor, "span_rows")
    if first is not None:
        spans = _since(cursor, "spans", (*SHARED, *APART), first)
        events = _since(cursor, "span_events", (*KEY, *EVENT_SAID), first)
        recent.remember(fingerprints(spans, digests(spans, SHARED), events))
    for name, said, digest in (("logs", LOG_SAID, of_logs), ("metric_points", POINT_SAID, of_points)):
        first = _first_to_remember(cursor, name)
        if first is not None:
            told = digest(_since(cursor, name, said, first))
            recent.remember(told[told != 0])


def _since(cursor: duckdb.DuckDBPyConnection, table: str, columns: tuple[str, ...], first: int) -> pa.Table:
    """Read some columns of the newest rows from a commit on; of events all, for the spans they are of are bounded."""
    most = None if table == "span_events" else REFILL_ROWS
    text = statement("commits/since", table=table, columns=", ".join(f'"{name}"' for name in columns))
    return cursor.sql(text, params={"first": first, "most": most}).to_arrow_table()


def _first_to_remember(cursor: duckdb.DuckDBPyConnection, table: str) -> int | None:
    """Give the oldest commit of the last ten minutes that one of the newest `REFILL_ROWS` rows of a table came with."""
    commits = cursor.sql(statement("commits/newest", table=table), params={"back": REFILL_NS}).pl()
    wanted = commits.filter(pl.col("rows").cum_sum() - pl.col("rows") < REFILL_ROWS)
    return wanted.get_column("commit_no").min() if wanted.height else None
