"""Rows that others refer to by a number go when nothing refers to them any more.

Resources, shapes of spans, owners and kinds of stretches and hops only grow otherwise: a deployment a day is a new
resource a day. What is unused is looked for beside commits; only what came meanwhile is looked at again while commits
wait. The writers then forget what is gone, so that it is written again when it comes again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from seamscope.statements import statement

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb
    import polars as pl

    from seamscope.store.file import Store


@dataclass(frozen=True, slots=True)
class Use:
    """Where rows of a table refer to others."""

    table: str
    keys: str
    """Gives the numbers of what they refer to, as SQL."""
    since: str = "0"
    """The column whose value in new rows is larger than in all before; without one, all rows are looked at again."""


@dataclass(frozen=True, slots=True)
class Dictionary:
    """A table whose rows are there for others."""

    table: str
    key: str
    uses: tuple[Use, ...]


DICTIONARIES: Final = (
    Dictionary("findings", "finding_id", (Use("finding_requests", "finding_id"),)),
    Dictionary("segment_kinds", "kind_no", (Use("request_lists", "unnest(segment_kind)", "request_no"),)),
    Dictionary("hop_kinds", "kind_no", (Use("request_lists", "unnest(hop_kind)", "request_no"),)),
    Dictionary(
        "owners",
        "owner_no",
        (
            Use("segment_kinds", "owner_no"),
            Use("requests", "dominant_owner_no", "request_no"),
            Use("hop_kinds", "seam_no"),
        ),
    ),
    Dictionary("span_shapes", "shape_no", (Use("span_rows", "shape_no", "commit_no"),)),
    Dictionary(
        "resources",
        "resource_id",
        (
            Use("span_shapes", "resource_id"),
            Use("logs", "resource_id", "commit_no"),
            Use("metric_points", "resource_id", "commit_no"),
        ),
    ),
)
"""What refers comes before what it refers to."""


def prune(store: Store) -> dict[str, int]:
    """Delete what nothing refers to any more; give how many rows of each table that were.

    A transaction for each table, beside commits but for an instant; where it raises `StoreError`, later tables keep
    what they have.
    """
    return {each.table: _prune(store, each) for each in DICTIONARIES}


def _prune(store: Store, dictionary: Dictionary) -> int:
    known = store.last_numbers()
    unused = store.query(_unused(dictionary, f"base.{dictionary.table}", {}))
    if not unused.height:
        return 0
    return store.forget(dictionary.table, lambda cursor: _delete(cursor, dictionary, unused, known))


def _unused(dictionary: Dictionary, among: str, since: Mapping[str, int]) -> str:
    """Give the statement that finds the unused numbers among some, by rows after those of `since`."""
    uses = (
        f"SELECT {use.keys} AS used FROM base.{use.table} WHERE {use.since} >= {since.get(use.since, 0)}"  # noqa: S608 - our own names
        for use in dictionary.uses
    )
    return statement("retention/unused", key=dictionary.key, among=among, uses=" UNION ALL ".join(uses))


def _delete(
    cursor: duckdb.DuckDBPyConnection, dictionary: Dictionary, unused: pl.DataFrame, known: Mapping[str, int]
) -> set[int]:
    """Delete what is still unused, while nothing is written; give its numbers."""
    cursor.register("seemed_unused", unused.to_arrow())
    try:
        still = _unused(dictionary, "seemed_unused", known)
        text = statement("retention/forget", table=dictionary.table, key=dictionary.key, unused=still)
        return {number for (number,) in cursor.execute(text).fetchall()}
    finally:
        cursor.unregister("seemed_unused")
