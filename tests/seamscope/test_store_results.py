"""Results: numbers of a run become numbers of the store, and a revision takes the place of what it revises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from seamscope.errors import StoreError
from seamscope.store import Store
from tests.seamscope.store_rows import START_NS, owner, request, resource, rows, span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SEAM = "render:web→origin:orders"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "test.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as opened:
        yield opened


def run(*entries: int, owner_no: int = 0, seam_no: int = 1) -> dict[str, pa.Table]:
    """Give the rows of a run over some requests, numbered as the desk numbers them."""
    numbered = list(enumerate(entries))
    key = [{"request_no": n, **{k: span(e)[k] for k in ("trace_hi", "trace_lo")}} for n, e in numbered]
    stretch = {"horizon": 0, "start_ns": 0, "end_ns": 100, "span_id": 0, "call_id": 0, "cause": 1, "evidence": 1}
    return {
        "requests": rows("requests", *(request(e, request_no=n, dominant_owner_no=owner_no) for n, e in numbered)),
        "request_traces": rows("request_traces", *({**row, "joined_by": 0} for row in key)),
        "segments": rows("segments", *({"request_no": n, "owner_no": owner_no, **stretch} for n, _ in numbered)),
        "hops": rows("hops", *({**row, "client_span_id": 5, "server_span_id": 0, "seam_no": seam_no} for row in key)),
        "warnings": rows("warnings", *({**row, "span_id": 1, "code": 3, "detail": "lost"} for row in key)),
        "async_work": rows("async_work", *({**row, "span_id": 1, "link": "link"} for row in key)),
    }


def owners(*texts: str) -> pa.Table:
    return rows("owners", *(owner(number, text) for number, text in enumerate(texts)))


def test_numbers_of_a_run_become_the_stores(store: Store) -> None:
    assert store.write_results(run(0, 10), owners("origin:orders", SEAM)) == 1
    assert store.write_results(run(20, owner_no=1, seam_no=0), owners(SEAM, "data:pg")) == 3
    text = "SELECT request_no, owner FROM base.segments JOIN base.owners USING (owner_no) ORDER BY ALL"
    assert store.query(text).rows() == [(1, "origin:orders"), (2, "origin:orders"), (3, "data:pg")]
    assert store.query("SELECT DISTINCT seam FROM hops").rows() == [(SEAM,)]
    assert store.query("SELECT owner FROM base.owners ORDER BY owner_no").to_series().to_list() == [
        "origin:orders",
        SEAM,
        "data:pg",
    ]


def test_numbers_go_on_after_a_restart(store: Store, path: Path) -> None:
    store.write_results(run(0), owners("origin:orders", SEAM))
    store.close()
    with Store.open(path) as again:
        assert again.write_results(run(10, owner_no=1, seam_no=0), owners(SEAM, "origin:orders")) == 2
        assert again.query("SELECT count(*) FROM base.owners").item() == 2
        assert again.query("SELECT DISTINCT dominant_owner FROM requests").to_series().to_list() == ["origin:orders"]


def test_local_numbers_need_not_be_dense(store: Store) -> None:
    sparse = rows("owners", owner(7, SEAM), owner(3, "origin:orders"))
    store.write_results(run(0, owner_no=3, seam_no=7), sparse)
    assert store.query("SELECT owner, cause FROM segments").rows() == [("origin:orders", "compute")]


def test_null_owner_stays_null(store: Store) -> None:
    results = run(0)
    none = rows("requests", request(0, dominant_owner_no=None, dominant_cause=None))
    store.write_results({**results, "requests": none}, owners("origin:orders", SEAM))
    assert store.query("SELECT dominant_owner, dominant_cause FROM requests").rows() == [(None, None)]


def test_revision_takes_the_place_of_what_it_revises(store: Store) -> None:
    store.write_results(run(0, 10, 20), owners("origin:orders", SEAM))
    first = store.write_results(run(10), owners("origin:orders", SEAM), np.array([2]))
    assert first == 4
    for table in run(0):
        assert store.query(f"SELECT request_no FROM base.{table} ORDER BY ALL").to_series().to_list() == [1, 3, 4]  # noqa: S608


def test_merge_removes_the_swallowed_request(store: Store) -> None:
    store.write_results(run(0, 10), owners("origin:orders", SEAM))
    store.write_results(run(0), owners("origin:orders", SEAM), np.array([1, 2]))
    assert store.query("SELECT count(*) FROM requests").item() == 1


def test_frames_are_taken_as_tables(store: Store) -> None:
    frames = {name: pl.DataFrame(table) for name, table in run(0).items()}
    store.write_results(frames, pl.DataFrame(owners("origin:orders", SEAM)))
    assert store.query("SELECT count(*) FROM segments").item() == 1


def test_no_rows_are_no_fault(store: Store) -> None:
    assert store.write_results({name: table.slice(0, 0) for name, table in run(0).items()}, owners()) == 1
    assert store.write_results({}, owners()) == 1


def warned(*codes: int) -> Mapping[str, pa.Table]:
    key = {name: span(0)[name] for name in ("trace_hi", "trace_lo")}
    return {"warnings": rows("warnings", *({**key, "span_id": 0, "code": code, "detail": "x"} for code in codes))}


def test_what_a_trace_was_warned_of_is_said_anew(store: Store) -> None:
    store.write_results(warned(10), owners())
    store.write_results(warned(10, 3), owners())
    assert store.query("SELECT code FROM warnings ORDER BY code").to_series().to_list() == [
        "lost_parent",
        "stage_failed",
    ]
    store.write_results(run(0), owners("origin:orders", SEAM))
    assert store.query("SELECT code, request_id IS NULL FROM warnings").rows() == [("lost_parent", False)]


def test_run_is_stored_whole_or_not_at_all(store: Store) -> None:
    store.write_results(run(0), owners("origin:orders", SEAM))
    results = run(10)
    wrong = results["async_work"].set_column(
        results["async_work"].schema.get_field_index("queue_wait_ns"), "queue_wait_ns", pa.array(["soon"])
    )
    with pytest.raises(StoreError, match="cannot write"):
        store.write_results({**results, "async_work": wrong}, owners("origin:new", SEAM), np.array([1]))
    assert store.query("SELECT request_no FROM base.requests").to_series().to_list() == [1]
    assert store.query("SELECT count(*) FROM base.owners").item() == 2
    assert store.write_results(results, owners("origin:other", SEAM)) == 2
    assert store.query("SELECT owner FROM base.owners ORDER BY owner_no").to_series().to_list()[2:] == ["origin:other"]


def tiers(store: Store) -> list[Any]:
    text = "SELECT service, tier FROM resources ORDER BY resource_id"
    return store.query(text).rows()


@pytest.mark.parametrize("weaker", ["origin", "unknown"])
@pytest.mark.parametrize("is_later", [False, True])
def test_telling_scope_raises_a_resources_tier_in_any_order(store: Store, weaker: str, is_later: bool) -> None:
    for tier in ("render", weaker) if is_later else (weaker, "render"):
        store.commit({"resources": rows("resources", resource(1, tier=tier))}, now_ns=START_NS)
    assert tiers(store) == [("web", "render")]
    receipt = store.commit({"resources": rows("resources", resource(1, tier="origin"))}, now_ns=START_NS)
    assert receipt.rows == {}


def test_resource_is_stored_once(store: Store, path: Path) -> None:
    twice = rows("resources", resource(1), resource(1, tier="render"), resource(2, "orders"))
    assert store.commit({"resources": twice}, now_ns=START_NS).rows == {"resources": 2}
    store.close()
    with Store.open(path) as again:
        assert again.commit({"resources": twice}, now_ns=START_NS).rows == {}
        assert tiers(again) == [("web", "render"), ("orders", "origin")]


def test_operators_word_on_a_service_goes_over_all(store: Store, path: Path) -> None:
    spans = rows("spans", span(0, tier_hint=3), span(1, resource_id=2))
    services = rows("resources", resource(1), resource(2, "orders"))
    store.commit({"spans": spans, "resources": services}, now_ns=START_NS)
    assert tiers(store) == [("web", "origin"), ("orders", "origin")]
    store.close()
    with Store.open(path, service_tier={"web": "edge"}.get) as again:
        again.commit({"resources": rows("resources", resource(3, "web"))}, now_ns=START_NS)
        assert tiers(again) == [("web", "edge"), ("orders", "origin"), ("web", "edge")]
        assert again.query("SELECT tier FROM spans ORDER BY span_id").to_series().to_list() == ["edge", "origin"]
    with Store.open(path, service_tier=lambda _: None) as again:
        assert tiers(again)[0] == ("web", "origin")
        assert again.query("SELECT tier FROM spans ORDER BY span_id").to_series().to_list() == ["render", "origin"]
