"""What spans share is kept once, and every span finds its own again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seamscope.errors import StoreError
from seamscope.schema.tables import SPANS
from seamscope.store import Store, ingesting, inserting
from seamscope.store import known as known_things
from seamscope.store.layout import LAYOUTS
from seamscope.store.shapes import SHAPE, Shapes, digests
from tests.seamscope.store_rows import START_NS, rows, span

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LAYOUT = LAYOUTS["spans"]
TEXT = st.none() | st.text(st.sampled_from("ab\x00é"), max_size=3)
SHARED = st.fixed_dictionaries(
    {
        "kind": st.integers(1, 3),
        "resource_id": st.sampled_from([0, 1, 1 << 63]),
        "weight": st.sampled_from([1.0, 2.5]),
        "http_status": st.none() | st.sampled_from([200, -1]),
        "reused": st.none() | st.booleans(),
        "operation": TEXT,
        "route": TEXT,
        "db_system": TEXT,
    }
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(tmp_path_factory.mktemp("shapes") / "test.duckdb") as store:
        yield store


def shapes_in(store: Store) -> int:
    return int(store.query("SELECT count(*) FROM base.span_shapes").item())


@given(said=st.lists(SHARED, min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_every_span_comes_back_with_what_it_shares(kept: Store, said: list[dict[str, Any]]) -> None:
    first = int(kept.query("SELECT count(*) FROM base.span_rows").item())
    spans = rows("spans", *({**span(first + number), **one} for number, one in enumerate(said)))
    commit = kept.commit({"spans": spans}, now_ns=START_NS).commit_no
    names = list(said[0])
    text = f"SELECT {', '.join(names)} FROM base.spans WHERE commit_no = $commit ORDER BY span_no"  # noqa: S608
    assert kept.query(text, {"commit": commit}).to_dicts() == said
    distinct = f"SELECT count(*) FROM (SELECT DISTINCT * EXCLUDE (shape_no) FROM base.{LAYOUT.shapes})"  # noqa: S608
    assert shapes_in(kept) == kept.query(distinct).item()


def test_a_lost_shapes_number_is_not_given_to_another(tmp_path: Path) -> None:
    path = tmp_path / "test.duckdb"
    with Store.open(path) as store:
        store.commit({"spans": rows("spans", span(1, route="/old"))}, now_ns=START_NS)
    with duckdb.connect(path) as connection:
        connection.execute(f"DELETE FROM base.{LAYOUT.shapes}").complete()  # noqa: S608
    with Store.open(path) as store:
        store.commit({"spans": rows("spans", span(2, route="/new"))}, now_ns=START_NS)
        assert store.query("SELECT route FROM base.spans ORDER BY span_id").to_series().to_list() == [None, "/new"]


def test_a_shape_is_kept_once_for_all_commits_of_a_writer_and_once_more_after_a_start(tmp_path: Path) -> None:
    path = tmp_path / "test.duckdb"
    with Store.open(path) as store:
        for number in range(3):
            store.commit({"spans": rows("spans", span(2 * number), span(2 * number + 1))}, now_ns=START_NS)
        assert shapes_in(store) == 1
    with Store.open(path) as store:
        store.commit({"spans": rows("spans", span(7), span(8, route="/other"))}, now_ns=START_NS)
        assert store.query("SELECT list(shape_no ORDER BY shape_no) FROM base.span_shapes").item().to_list() == [
            1,
            2,
            3,
        ]
        assert store.query("SELECT route, count(*) FROM base.spans GROUP BY ALL ORDER BY ALL").height == 2


def test_a_commit_that_failed_leaves_its_shapes_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    insert = inserting.insert

    def failing(cursor: Any, name: str, *rest: Any) -> int:
        if name == LAYOUT.shapes:
            raise duckdb.IOException("no room")
        return insert(cursor, name, *rest)

    with Store.open(tmp_path / "test.duckdb") as store:
        monkeypatch.setattr(ingesting, "insert", failing)
        with pytest.raises(StoreError, match="no room"):
            store.commit({"spans": rows("spans", span(1))}, now_ns=START_NS)
        monkeypatch.setattr(ingesting, "insert", insert)
        assert store.query("SELECT count(*) FROM base.span_rows").item() == 0
        store.commit({"spans": rows("spans", span(1, route="/kept"))}, now_ns=START_NS)
        assert store.query("SELECT route FROM base.spans").rows() == [("/kept",)]


def test_the_same_is_the_same_however_its_columns_come() -> None:
    plain = pa.table({"operation": ["a", None, "b"], "kind": pa.array([1, 1, 2], pa.uint8())})
    words = plain.set_column(0, "operation", plain["operation"].combine_chunks().dictionary_encode())
    absent = plain.append_column("route", pa.array([None, None, None], pa.string()))
    assert digests(plain).tolist() == digests(words).tolist() == digests(absent).tolist()
    assert digests(plain.slice(2)).tolist() == digests(plain).tolist()[2:]


@pytest.mark.parametrize("name", LAYOUT.shared)
def test_a_difference_in_any_column_makes_another_shape(name: str) -> None:
    if name not in SPANS.names:
        column = pa.array(["a", "b", None], pa.string())
    else:
        values = {pa.string(): ["", "b", None], pa.bool_(): [True, False, None], pa.float64(): [1.0, 2.0, None]}
        column = pa.array(values.get(SPANS.field(name).type, [0, 1, None]), SPANS.field(name).type)
    assert len(set(digests(pa.table({name: column})).tolist())) == 3


def test_values_of_two_columns_are_not_mistaken_for_each_other() -> None:
    crossed = pa.table({"method": ["a", "b"], "route": ["b", "a"], "kind": [1, 2], "role": [2, 1]})
    assert len(set(digests(crossed).tolist())) == 2


def test_past_what_is_remembered_all_is_forgotten_and_numbers_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_things, "MOST_KNOWN", 3)
    known = Shapes(10)

    def brought(*told: int) -> list[int]:
        spans = pa.table({"kind": told, SHAPE: np.array(told, np.uint64)})
        found = known.shaped(spans)
        known.kept(found)
        return [int(number) for number in found.spans["shape_no"].to_pylist()]

    assert brought(5, 7, 5) == [11, 12, 11]
    assert brought(7, 6) == [12, 13]
    assert brought(8, 7) == [14, 12]
    assert brought(7, 8) == [15, 14]
