"""Segments and hops are kept as lists, a row a request, and come back to the letter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from seamscope.reading.reports import report
from seamscope.results import Selection
from seamscope.schema.tables import HOPS, REQUESTS, SEGMENTS
from seamscope.statements import statement
from seamscope.store import Settings, Store
from seamscope.store.lists import lists
from tests.seamscope.store_rows import owner, request, rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHELL, COMPLETE = 0, 1
REQUESTS_AT_MOST = 3
FEW = st.sampled_from([0, 1, 2])
"""Small ids and times, so that rows meet in them."""
TIMES = st.sampled_from([0, 3, 5, 1 << 40, 1 << 62, -(1 << 63)])
MAYBE = st.none() | TIMES
IDS = st.sampled_from([0, 1, 2, (1 << 64) - 1])
TEXTS = st.none() | st.sampled_from(["", "a", "a longer text than twelve bytes"])

STRETCHES = st.lists(
    st.fixed_dictionaries(
        {
            "request_no": FEW,
            "horizon": st.sampled_from([SHELL, COMPLETE]),
            "start_ns": TIMES,
            "end_ns": TIMES,
            "span_id": IDS,
            "call_id": IDS,
            "owner_no": st.sampled_from([0, 1]),
            "cause": st.sampled_from([0, 17]),
            "evidence": st.sampled_from([0, 255]),
        }
    ),
    max_size=12,
)
KINDS = {"bool": st.none() | st.booleans(), "string": TEXTS, "uint64": IDS, "uint8": FEW}
CALLS = st.lists(
    st.fixed_dictionaries(
        {"request_no": FEW, "seam_no": st.sampled_from([0, 1])}
        | {
            field.name: KINDS.get(str(field.type), MAYBE if field.type != "int16" else st.none() | FEW)
            for field in HOPS
            if field.name not in {"request_no", "seam_no"}
        }
    ),
    max_size=8,
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(tmp_path_factory.mktemp("lists") / "test.duckdb") as store:
        yield store


def write(store: Store, segments: list[dict[str, Any]], hops: list[dict[str, Any]]) -> int:
    """Store rows of up to three requests; gives the number of the first."""
    found = [{**request(number), "request_no": number} for number in range(REQUESTS_AT_MOST)]
    given = {"requests": rows("requests", *found), "segments": rows("segments", *segments), "hops": rows("hops", *hops)}
    return store.write_results(given, rows("owners", owner(0, "origin:orders"), owner(1, "render:web→origin:orders")))


@given(segments=STRETCHES, hops=CALLS)
@settings(max_examples=60, deadline=None)
def test_whatever_is_kept_comes_back_to_the_letter(
    kept: Store, segments: list[dict[str, Any]], hops: list[dict[str, Any]]
) -> None:
    first = write(kept, segments, hops)
    for name, view, said in (("segments", "horizon_segments", segments), ("hops", "hops", hops)):
        text = f"SELECT * REPLACE (request_no - $first AS request_no) FROM base.{view} WHERE request_no >= $first"  # noqa: S608
        whole = pl.DataFrame(rows(name, *said))
        found = kept.query(text, {"first": first}).select(whole.columns)
        assert_frame_equal(found.sort(whole.columns), whole.sort(whole.columns))


MANY = 4000
FIRST = 1
"""The number of the first request of a store."""


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with little memory whose only request makes thousands of calls."""
    path = tmp_path_factory.mktemp("long") / "test.duckdb"
    with Store.open(path, settings=Settings(memory_bytes=64 << 20, threads=1)) as store:
        paths = stretches(*[(0, way, 2 * at + way, 2 * at + 2, 3) for way in (SHELL, COMPLETE) for at in range(MANY)])
        segments = [{**one, "span_id": at % MANY + 1, "call_id": at % MANY + 1} for at, one in enumerate(paths)]
        assert (
            write(store, segments, [hop(seam_no=1, client_span_id=at + 1, start_ns=2 * at) for at in range(MANY)])
            == FIRST
        )
        yield store


@pytest.mark.parametrize(
    ("asked", "rows_"),
    [
        (statement("request/segments"), 2 * MANY),
        (statement("request/hops"), MANY),
        (statement("request/inferences"), 0),
        (statement("findings/ends", chosen="r.request_no = $request_no"), 2),
        (statement("findings/hops", chosen="r.request_no = $request_no"), MANY),
        ("SELECT * FROM segments WHERE $request_no > 0 ORDER BY ALL", 2 * MANY),
        ("SELECT * FROM hops WHERE $request_no > 0 ORDER BY ALL", MANY),
    ],
)
def test_a_request_with_thousands_of_calls_is_read_in_little_memory(long: Store, asked: str, rows_: int) -> None:
    assert long.query(asked, {"request_no": FIRST}).height == rows_


def test_a_request_with_thousands_of_calls_is_summed_up_in_little_memory(long: Store) -> None:
    assert report(long, Selection()).total.requests == REQUESTS_AT_MOST


def stretches(*given: tuple[int, int, int, int, int]) -> list[dict[str, Any]]:
    """Rows of (request, horizon, start, end, cause); span, call, owner and evidence are the same throughout."""
    names = ("request_no", "horizon", "start_ns", "end_ns", "cause")
    same = {"span_id": 1 << 63, "call_id": 0, "owner_no": 1, "evidence": 1}
    return [dict(zip(names, row, strict=True)) | same for row in given]


@pytest.mark.parametrize(
    ("given", "kept_once"),
    [
        ([(1, 0, 0, 5, 3), (1, 1, 0, 5, 3)], [3]),
        ([(1, 0, 0, 5, 3), (1, 1, 0, 5, 4)], [1, 2]),
        ([(1, 0, 0, 5, 3), (1, 1, 0, 6, 3)], [1, 2]),
        ([(1, 0, 0, 5, 3), (2, 1, 0, 5, 3)], [1, 2]),
        ([(1, 0, 0, 2, 3), (1, 0, 2, 5, 3), (1, 1, 0, 2, 3), (1, 1, 2, 9, 3)], [3, 1, 2]),
        ([(1, 0, 2, 5, 3), (1, 1, 0, 2, 3), (1, 1, 2, 5, 3)], [3, 2]),
        ([(1, 1, 0, 5, 3), (2, 0, 0, 5, 3), (2, 1, 0, 5, 3)], [2, 3]),
        ([], []),
    ],
)
def test_equal_stretches_of_both_paths_become_one(
    tmp_path: Path, given: list[tuple[int, int, int, int, int]], kept_once: list[int]
) -> None:
    with Store.open(tmp_path / "test.duckdb") as store:
        write(store, stretches(*given), [])
        found = store.query("SELECT horizons FROM base.segments ORDER BY request_no").get_column("horizons")
        assert sorted(found.to_list()) == sorted(kept_once)


def of(*given: tuple[int, int, int, int, int]) -> dict[str, list[Any]]:
    """Give the lists of some stretches of one request."""
    frames = [pl.DataFrame(schema.empty_table()) for schema in (HOPS, REQUESTS)]
    found = lists(pl.DataFrame(rows("segments", *stretches(*given))), *frames).tables["request_lists"]
    return {name: found[name].to_pylist()[0] for name in ("at_ns", "segment_kind", "span_ids", "place")}


def test_a_path_is_the_beginnings_of_its_stretches_and_its_end() -> None:
    assert of((0, 0, 0, 5, 3), (0, 0, 5, 9, 4), (0, 0, 9, 9, 3)) == {
        "at_ns": [0, 5, 9, 9],
        "segment_kind": [1, 2, 1, 0],
        "span_ids": [1 << 63],
        "place": [1, 1, 1, 0],
    }


def test_where_paths_part_a_mark_says_that_nothing_begins() -> None:
    shared, shell, rest = (0, 0, 0, 5, 3), (0, 0, 5, 9, 3), [(0, 1, 0, 5, 3), (0, 1, 5, 7, 3), (0, 1, 7, 20, 4)]
    assert of(shared, shell, *rest)["at_ns"] == [0, 5, 9, 5, 7, 20]
    assert of(shared, shell, *rest)["segment_kind"] == [1, 2, 0, 3, 4, 0]


def hop(**said: Any) -> dict[str, Any]:
    """A call that says nothing but what follows from its times and its server's."""
    legs = {"request_leg_ns": 4, "response_leg_ns": 6, "leg_error_ns": 6}
    times = {"start_ns": 5, "duration_ns": 30, "server_ns": 20, "gap_ns": 10, "unexplained_ns": 7, **legs}
    known = {"network_ns": 3, "inferred_ns": 3, "error": False, "attempts": 1, "joined_by": 0, "async": False}
    return {"request_no": 0, "trace_hi": 7, "trace_lo": 1, "client_span_id": 3, **times, **known, **said}


@pytest.mark.parametrize(
    ("said", "beside"),
    [
        ({}, set()),
        ({"pool_wait_ns": 2, "unexplained_ns": 5}, set()),
        ({"gap_ns": None}, {"gap_ns", "response_leg_ns", "unexplained_ns"}),
        ({"dns_ns": 0}, {"dns_ns"}),
        ({"attempts": None}, {"attempts"}),
        ({"trace_lo": 2}, {"trace_lo"}),
    ],
)
def test_what_follows_from_the_rest_is_left_out(said: dict[str, Any], beside: set[str]) -> None:
    requests = pl.DataFrame(rows("requests", request(0), {**request(1), "request_no": 1}))
    hops = [hop(), hop(**said), hop(request_no=1)]
    found = lists(pl.DataFrame(SEGMENTS.empty_table()), pl.DataFrame(rows("hops", *hops)), requests)
    table = found.tables.get("hop_details")
    assert (set(table.column_names) - {"request_no"} if table else set()) == beside
    if table:
        assert table["request_no"].to_pylist() == [0]


def test_a_kind_of_stretch_has_one_number_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "test.duckdb"
    for _ in range(2):
        with Store.open(path) as store:
            write(store, stretches((0, 0, 0, 5, 3)), [])
            write(store, stretches((0, 0, 0, 5, 3), (0, 1, 0, 5, 3)), [])
    with Store.open(path) as store:
        kinds = store.query("SELECT kind_no, horizon, cause FROM base.segment_kinds ORDER BY ALL")
    assert kinds.rows() == [(1, 0, 3), (2, 0, 3), (2, 1, 3)]


def test_hops_alike_have_one_kind_which_is_written_again_once_it_is_forgotten(tmp_path: Path) -> None:
    def of_kind(**said: Any) -> dict[str, Any]:
        return hop(seam_no=1, peer="orders", operation="GET /v1", status=200, gap_kind=1, **said)

    with Store.open(tmp_path / "test.duckdb") as store:
        for _ in range(2):
            write(
                store,
                [],
                [
                    of_kind(),
                    of_kind(request_no=1, start_ns=9),
                    of_kind() | {"peer": None},
                    of_kind() | {"status": None},
                ],
            )
        kinds = store.query("SELECT peer, status FROM base.hop_kinds ORDER BY ALL").rows()
        assert kinds == [("orders", 200), ("orders", None), (None, 200)]
        store.forget("hop_kinds", lambda _: {1, 2, 3})
        write(store, [], [of_kind()])
        assert store.query("SELECT count(*), count(DISTINCT kind_no) FROM base.hop_kinds").rows() == [(4, 4)]
        told = store.query("SELECT peer, operation, status, count(*) FROM base.hops GROUP BY ALL ORDER BY ALL").rows()
    assert told == [("orders", "GET /v1", 200, 5), ("orders", "GET /v1", None, 2), (None, "GET /v1", 200, 2)]
