"""Correlation ids are kept as numbers where they are 128 bits in hex, and always come back to the letter."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seamscope.reading.request_search import find_request
from seamscope.store import Store
from seamscope.store.spans import spans_of
from tests.seamscope.conftest import Scene
from tests.seamscope.store_rows import START_NS, rows, span

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEX = "0af7651916cd43dd8448eb211c80319c"
DASHED = str(UUID(HEX))
ALMOST = [HEX.upper(), DASHED.upper(), HEX[:-1], HEX + "0", f"{HEX[:-1]}g", DASHED.replace("-", "_"), f"{{{DASHED}}}"]
ALMOST += [f"{HEX[:7]}-{HEX[7:11]}-{HEX[11:15]}-{HEX[15:19]}-{HEX[19:]}", "0" * 36, "é" * 16, "\x00" * 32, "", "r-1"]
NUMBERS = st.uuids(version=None)
IDS = st.none() | NUMBERS.map(str) | NUMBERS.map(lambda number: number.hex) | st.sampled_from(ALMOST)
OF_SPANS = "SELECT correlation_id FROM base.{} WHERE commit_no = $commit ORDER BY span_no"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(tmp_path_factory.mktemp("ids") / "test.duckdb") as store:
        yield store


@given(ids=st.lists(IDS, min_size=1, max_size=9), referred=st.booleans())
@settings(max_examples=100, deadline=None)
def test_ids_come_back_to_the_letter(kept: Store, ids: list[str | None], referred: bool) -> None:
    first = int(kept.query("SELECT count(*) FROM base.span_rows").item())
    said = [
        {**span(first + number), "correlation_id": id_, "attributes": [{"key": "id", "value": id_}] * referred}
        for number, id_ in enumerate(ids)
    ]
    commit = kept.commit({"spans": rows("spans", *said)}, now_ns=START_NS).commit_no
    for table in ("spans", "shaped_spans"):
        assert kept.query(OF_SPANS.format(table), {"commit": commit})["correlation_id"].to_list() == ids
    text = "SELECT attributes FROM base.spans WHERE commit_no = $commit ORDER BY span_no"
    assert kept.query(text, {"commit": commit})["attributes"].to_list() == [row["attributes"] for row in said]
    traces = pl.DataFrame([{"trace_hi": row["trace_hi"], "trace_lo": row["trace_lo"]} for row in said]).unique()
    traces = traces.cast(pl.UInt64)
    read = spans_of(kept, ["span_id", "correlation_id"], traces, commit, commit).sort("span_id")
    assert read["correlation_id"].to_list() == ids


def test_what_is_no_such_number_stays_a_text(tmp_path: Path) -> None:
    ids = [HEX, DASHED, *ALMOST]
    with Store.open(tmp_path / "test.duckdb") as store:
        store.commit({"spans": rows("spans", *(span(n, correlation_id=id_) for n, id_ in enumerate(ids)))}, now_ns=1)
        text = "SELECT correlation_uuid::VARCHAR AS number, correlation_id FROM base.span_rows ORDER BY span_no"
        assert store.query(text).rows() == [(DASHED, None), (DASHED, None), *((None, id_) for id_ in ALMOST)]


def test_a_retry_across_a_restart_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "test.duckdb"
    sent = rows("spans", span(0, correlation_id=HEX), span(1, correlation_id=DASHED), span(2, correlation_id="r-1"))
    with Store.open(path) as store:
        store.commit({"spans": sent}, now_ns=1)
    with Store.open(path) as store:
        assert store.commit({"spans": sent}, now_ns=2).duplicates == {"spans": 3}


@pytest.mark.parametrize("id_", [HEX, DASHED, "r-1"])
def test_a_request_is_found_by_an_id_that_only_a_span_of_it_carries(tmp_path: Path, id_: str) -> None:
    scene = Scene()
    scene.page(40, pool=10.0)
    scene.page(41, pool=10.0)
    scene.rows["spans"][-1]["correlation_id"] = id_
    with scene.store(tmp_path / "test.duckdb") as store:
        assert find_request(store, id_).startswith(f"{41 | 0xABCD << 48:016x}")
