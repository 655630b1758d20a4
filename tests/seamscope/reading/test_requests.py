"""Requests as people see them: lists, search, the waterfall's order, sums that add up."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from seamscope.errors import DataError, UsageError
from seamscope.reading.requests import ORDERS, find_request, find_requests, list_requests, request_detail, span_detail
from seamscope.results import Selection

if TYPE_CHECKING:
    from seamscope.results import RequestDetail
    from seamscope.store import Store

TRACE_40 = "abcd000000000028ffff000000000028"
ID_40 = f"{TRACE_40}-0000000000000fa1"


@pytest.fixture(scope="module")
def detail(example: Store) -> RequestDetail:
    return request_detail(example, ID_40)


def test_newest_first(example: Store) -> None:
    rows = list_requests(example, limit=5)
    assert [row.start_ns for row in rows] == sorted((row.start_ns for row in rows), reverse=True)
    assert len(rows) == 5


@pytest.mark.parametrize("order", ORDERS)
def test_pages_of_a_list_join_without_gap_or_overlap(example: Store, order: str) -> None:
    whole = list_requests(example, limit=100, order=order)
    paged = list_requests(example, limit=7, order=order)
    while True:
        more = list_requests(example, limit=7, order=order, before=paged[-1])
        if not more:
            break
        paged += more
    assert paged == whole


def test_order_that_does_not_exist(example: Store) -> None:
    with pytest.raises(UsageError, match="no order"):
        list_requests(example, order="best")


@pytest.mark.parametrize(
    "text",
    [TRACE_40, TRACE_40.upper(), TRACE_40[:16], ID_40, "req-40", f"{40 * 100 + 3:016x}", f" {TRACE_40} "],
)
def test_request_is_found_by_what_a_person_has(example: Store, text: str) -> None:
    assert find_request(example, text) == ID_40


def test_a_beginning_that_fits_several_names_them(example: Store) -> None:
    with pytest.raises(UsageError, match=r"52 requests.*and 42 more") as caught:
        find_request(example, "abcd")
    assert "\x1b" not in str(caught.value)
    assert "\u202e" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "nothing", "ffff" * 8, "0" * 16, "'; DROP TABLE base.spans; --"])
def test_nothing_found_is_said(example: Store, text: str) -> None:
    with pytest.raises(DataError, match="no request with the id"):
        find_request(example, text)
    assert find_requests(example, text) == []


def test_segments_are_contiguous_and_sum_to_the_horizon(example: Store) -> None:
    for row in list_requests(example, limit=100):
        found = request_detail(example, row.request_id)
        for horizon, ns in (("shell", row.shell_ns), ("complete", row.complete_ns)):
            path = found.segments[horizon]
            assert sum(stretch.end_ns - stretch.start_ns for stretch in path) == (ns or 0)
            assert all(first.end_ns == second.start_ns for first, second in pairwise(path))
            assert sum(share.ns for share in found.by_cause[horizon]) == (ns or 0)


def test_waterfall_is_depth_first_with_the_seam_between_client_and_server(detail: RequestDetail) -> None:
    assert [(row.kind, row.depth, row.name) for row in detail.waterfall] == [
        ("span", 0, "GET /dash"),
        ("span", 1, "fetch GET /v1/orders"),
        ("seam", 2, "render:web→origin:orders"),
        ("span", 3, "GET /v1/orders"),
        ("span", 4, "SELECT orders"),
        ("span", 1, "fetch GET /v1/me"),
        ("seam", 2, "render:web→origin:auth"),
        ("span", 3, "GET /v1/me"),
    ]


def test_every_stretch_of_the_path_is_drawn_once(detail: RequestDetail) -> None:
    drawn = sorted(stretch for row in detail.waterfall for stretch in row.critical)
    assert drawn == [(stretch.start_ns, stretch.end_ns) for stretch in detail.segments["complete"]]
    assert all(len(row.critical) == len(row.causes) for row in detail.waterfall)


def test_a_hop_without_a_server_is_on_its_client(detail: RequestDetail) -> None:
    found = {row.name: row.hop for row in detail.waterfall if row.kind == "span"}
    assert found["SELECT orders"] is not None
    assert found["SELECT orders"].gap_kind == "no_server_span"
    assert found["fetch GET /v1/me"] is None


def test_async_work_and_warnings_come_with_the_request(example: Store, detail: RequestDetail) -> None:
    assert [work.queue_wait_ns for work in detail.async_work] == [5_000_000]
    (row,) = list_requests(example, Selection("warning:outlives_parent"))
    hostile = request_detail(example, row.request_id)
    assert [warning.code for warning in hostile.warnings] == ["outlives_parent"]
    assert [row.notes for row in hostile.waterfall if row.notes] != []


def test_span_is_whole(example: Store) -> None:
    span = span_detail(example, TRACE_40, f"{4004:016x}")
    assert (span.name, span.kind, span.service, span.tier) == ("SELECT orders", "client", "orders", "origin")
    assert span.parent_span_id == f"{4003:016x}"
    assert span.attributes == (("org_id", "1"),)
    assert span.resource == (("service.name", "orders"),)
    with pytest.raises(DataError):
        span_detail(example, TRACE_40, "f" * 16)


@pytest.mark.parametrize("text", ["nonsense", "12-34-56", "", TRACE_40, f"{TRACE_40}-zz", f"{'f' * 32}-{'f' * 16}"])
def test_request_that_is_not_there(example: Store, text: str) -> None:
    with pytest.raises(DataError):
        request_detail(example, text)
