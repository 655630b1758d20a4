"""What the store takes apart comes back whole: attributes as two texts, rare columns in tables beside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from seamscope.schema.tables import ATTRIBUTES, HOPS, INGESTED, RESULTS, SPANS
from seamscope.store import Store
from seamscope.store.layout import FOLLOWS, LAYOUTS, LISTED, OF_KIND, ROWS_PER_BATCH, parts, tables_of
from seamscope.store.packing import REFERENCES, packed
from seamscope.store.spans import spans_of
from tests.seamscope.store_rows import START_NS, rows, span

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTILE = st.text(st.sampled_from("\x1b\x1fnse a\x00é'"), max_size=6)
PAIRS = st.lists(st.fixed_dictionaries({"key": HOSTILE, "value": st.none() | HOSTILE}), max_size=4)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(tmp_path_factory.mktemp("packed") / "test.duckdb") as store:
        yield store


@given(lists=st.lists(PAIRS, min_size=1, max_size=6))
@settings(max_examples=100, deadline=None)
def test_attributes_come_back_to_the_letter(kept: Store, lists: list[object]) -> None:
    first = int(kept.query("SELECT count(*) FROM base.span_rows").item())
    spans = rows("spans", *({**span(first + number), "attributes": said} for number, said in enumerate(lists)))
    commit = kept.commit({"spans": spans}, now_ns=START_NS).commit_no
    text = "SELECT attributes FROM base.spans WHERE commit_no = $commit ORDER BY span_no"
    assert kept.query(text, {"commit": commit})["attributes"].to_list() == lists


LONG = st.text(st.sampled_from("\x1b\x1fcipes é"), min_size=7, max_size=9)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_values_that_columns_have_too_come_back_to_the_letter(kept: Store, data: st.DataObject) -> None:
    first = int(kept.query("SELECT count(*) FROM base.span_rows").item())
    said = []
    for number in range(data.draw(st.integers(1, 5))):
        columns = {name: data.draw(st.none() | LONG) for name in REFERENCES}
        values = st.sampled_from([*columns.values(), None, "\x1bc", "x"]) | LONG
        pairs = [{"key": key, "value": data.draw(values)} for key in data.draw(st.lists(HOSTILE, max_size=4))]
        said.append({**span(first + number), **columns, "attributes": pairs})
    commit = kept.commit({"spans": rows("spans", *said)}, now_ns=START_NS).commit_no
    one = "base.attribute(attribute_keys, attribute_texts, correlation_id, platform_id, url_path, attributes[-1].key)"
    text = f"SELECT attributes, {one} AS last FROM base.spans WHERE commit_no = $commit ORDER BY span_no"  # noqa: S608
    found = kept.query(text, {"commit": commit})
    assert found["attributes"].to_list() == [row["attributes"] for row in said]
    assert found["last"].to_list() == [row["attributes"][-1]["value"] if row["attributes"] else None for row in said]


def test_a_value_that_a_column_has_too_is_kept_once() -> None:
    long = "0123456789abcdef"
    pairs = [[{"key": "id", "value": long}, {"key": "other", "value": long[::-1]}, {"key": "path", "value": "/a"}]] * 2
    columns = {"correlation_id": [long, None], "platform_id": [long, long], "url_path": ["/a", "/a"]}
    kept = packed(pa.table({**columns, "attributes": pa.array(pairs, ATTRIBUTES)}))
    assert kept["attribute_texts"].to_pylist() == [f"\x1b{sign}\x1f{long[::-1]}\x1f/a" for sign in "ci"]


@given(lists=st.lists(PAIRS, max_size=40), cut=st.integers(0, 40))
@settings(max_examples=100, deadline=None)
def test_rows_with_the_same_keys_share_an_entry(lists: list[list[dict[str, str]]], cut: int) -> None:
    column = pa.array(lists, ATTRIBUTES).slice(cut)
    keys = packed(pa.table({"attributes": column}))["attribute_keys"].combine_chunks()
    told = ["\x1f".join(_escaped(pair["key"]) for pair in pairs) if pairs else None for pairs in lists[cut:]]
    assert keys.to_pylist() == told
    assert len(keys.dictionary) == len({tuple(pair["key"] for pair in pairs) for pairs in lists[cut:]})


def _escaped(text: str) -> str:
    return text.replace("\x1b", "\x1be").replace("\x1f", "\x1bs")


@pytest.mark.parametrize(
    ("said", "keys", "texts"),
    [
        ([], None, None),
        ([("", "")], "", ""),
        ([("a", "1"), ("b", None)], "a\x1fb", "1\x1f\x1bn"),
        ([("a\x1fb", "\x1bn")], "a\x1bsb", "\x1ben"),
    ],
)
def test_how_attributes_are_kept(said: list[tuple[str, str]], keys: str | None, texts: str | None) -> None:
    pairs = [{"key": key, "value": value} for key, value in said]
    kept = packed(pa.table({"attributes": pa.array([pairs], ATTRIBUTES)}))
    assert kept.to_pylist() == [{"attribute_keys": keys, "attribute_texts": texts}]


def test_a_slice_of_a_table_is_packed_by_itself() -> None:
    column = pa.array([[{"key": name, "value": name}] for name in "abc"], ATTRIBUTES)
    assert packed(pa.table({"attributes": column}).slice(1, 1)).to_pylist() == [
        {"attribute_keys": "b", "attribute_texts": "b"}
    ]


def test_a_row_without_a_list_keeps_nothing_that_lies_behind_it() -> None:
    pairs = pa.array([{"key": name, "value": name} for name in "abc"], ATTRIBUTES.value_type)
    hidden = pa.ListArray.from_arrays(pa.array([0, 1, 2, 3], pa.int32()), pairs, mask=pa.array([False, True, False]))
    assert packed(pa.table({"attributes": hidden}))["attribute_texts"].to_pylist() == ["a", None, "c"]


def test_every_column_is_kept_once() -> None:
    listed = [column for columns in LAYOUTS["spans"].sides.values() for column in columns]
    assert len(listed) == len(set(listed))
    assert set(listed) <= set(SPANS.names)


def test_every_column_of_hops_is_listed_or_follows() -> None:
    kept = {*LISTED, *OF_KIND, *FOLLOWS}
    assert len(kept) == len(LISTED) + len(OF_KIND) + len(FOLLOWS)
    assert set(HOPS.names) - kept == {"request_no", "client_span_id", "server_span_id"}


@pytest.mark.parametrize("name", [*INGESTED, *RESULTS])
def test_the_tables_are_there(tmp_path: Path, name: str) -> None:
    with Store.open(tmp_path / "test.duckdb") as store:
        for table in tables_of(name):
            assert store.query(f"SELECT * FROM base.{table}").is_empty()  # noqa: S608


def test_rows_beside_are_those_with_something_to_say() -> None:
    given = pa.table(
        {
            "trace_lo": [7, 7, 8],
            "dns_ns": pa.array([None, 5, None], pa.int64()),
            "tls_ns": pa.array([None, None, 0], pa.int64()),
            "db_system": pa.array([None, None, None], pa.string()),
        }
    )
    found = parts("spans", given, 2)
    first = 2 * ROWS_PER_BATCH
    assert set(found) == {"span_rows", "span_details"}
    assert found["span_rows"].to_pydict() == {"trace_lo": [7, 7, 8], "span_no": [first, first + 1, first + 2]}
    assert found["span_details"].to_pydict() == {
        "span_no": [first + 1, first + 2],
        "dns_ns": [5, None],
        "tls_ns": [None, 0],
    }


def test_spans_come_back_with_every_column(tmp_path: Path) -> None:
    said = [span(1, dns_ns=0, db_system="postgresql"), span(2), span(3, url_full="http://x/", reused=False)]
    with Store.open(tmp_path / "test.duckdb") as store:
        store.commit({"spans": rows("spans", *said)}, now_ns=START_NS)
        found = store.query("SELECT dns_ns, db_system, url_full, reused FROM base.spans ORDER BY span_id").rows()
    assert found == [(0, "postgresql", None, None), (None, None, None, None), (None, None, "http://x/", False)]


def test_a_batch_made_ready_beforehand_is_stored_alike(tmp_path: Path) -> None:
    given = {"spans": rows("spans", span(1), span(2, attributes=[])), "logs": rows("logs")}
    with Store.open(tmp_path / "test.duckdb") as store:
        ready = store.ready(given)
        assert set(ready) == {"spans"}
        assert store.ready(ready) == ready
        store.commit(ready, now_ns=START_NS)
        assert store.commit(given, now_ns=START_NS).duplicate_spans == 2
        assert store.query("SELECT span_id, len(attributes) AS n FROM base.spans ORDER BY ALL").rows() == [
            (2, 2),
            (3, 0),
        ]


@pytest.mark.parametrize(
    "said", [{}, {"dns_ns": 5}, {"db_system": "mysql", "url_full": "http://x/", "reused": True, "essential": False}]
)
def test_spans_are_read_as_the_view_gives_them(tmp_path: Path, said: dict[str, object]) -> None:
    given = [span(number, **(said if number % 3 else {})) for number in range(40)]
    with Store.open(tmp_path / "test.duckdb") as store:
        store.commit({"spans": rows("spans", *given[:25])}, now_ns=START_NS)
        store.commit({"spans": rows("spans", *given[25:])}, now_ns=START_NS)
        columns = [name for name in SPANS.names if name != "attributes"]
        listed = ", ".join(columns)
        whole = store.query(f"SELECT {listed} FROM base.spans WHERE trace_lo IN (2, 3) ORDER BY span_no")  # noqa: S608
        traces = whole.select("trace_hi", "trace_lo").unique()
        read = spans_of(store, columns, traces, 0, 9).sort("span_id")
        assert_frame_equal(read, whole.sort("span_id"))
        assert spans_of(store, columns, traces, 2, 2).height == 5
        assert spans_of(store, columns, traces, 3, 9).schema == whole.schema
