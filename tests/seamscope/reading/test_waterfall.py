"""The waterfall on trees that real data brings: cycles, shared ids, lost parents, depth."""

from __future__ import annotations

from typing import Any

from seamscope.reading.waterfall import waterfall
from seamscope.results import AsyncWork, Hop, RequestRow
from seamscope.schema.words import SPAN_KINDS

TRACE = "0" * 31 + "1"


def span(span_id: int, parent: int, name: str, start: int = 0, end: int = 10, kind: str = "internal") -> dict[str, Any]:
    return {
        "trace_hi": 0, "trace_lo": 1, "span_id": span_id, "parent_id": parent, "kind": SPAN_KINDS.index(kind),
        "start_ns": start, "end_ns": end, "status": 0, "name": name, "tier": 0, "service": "web",
    }  # fmt: skip


def request(entry: int) -> RequestRow:
    request_id = f"{TRACE}-{entry:016x}"
    return RequestRow(request_id, TRACE, "page", "web", "/", None, 200, None, None, 0, None, 10, None, None, 1, True, 0)


def hop(client: int, server: int | None, *, is_async: bool = False, trace_id: str = TRACE) -> Hop:
    return Hop(
        client_span_id=f"{client:016x}", server_span_id=f"{server:016x}" if server else None, trace_id=trace_id,
        seam="render:web→origin:api", boundary="render→origin", operation=None, peer=None, status=None, attempts=1,
        start_ns=0, duration_ns=10, server_ns=None, gap_ns=None, gap_kind="measured", request_leg_ns=None,
        response_leg_ns=None, leg_error_ns=None, phases={}, reused=None, joined_by="trace_context", is_async=is_async,
    )  # fmt: skip


def names(
    rows: list[dict[str, Any]], *, hops: tuple[Hop, ...] = (), entry: int = 1, **more: Any
) -> list[tuple[int, str]]:
    drawn = waterfall(request(entry), rows, more.get("others", []), hops, (), (), more.get("async_work", ()))
    return [(row.depth, row.name) for row in drawn]


def test_cycle_is_drawn_once() -> None:
    rows = [span(1, 0, "entry"), span(2, 3, "b"), span(3, 2, "c"), span(4, 4, "self")]
    assert sorted(name for _, name in names(rows)) == ["b", "c", "entry", "self"]


def test_lost_parents_follow_the_entry() -> None:
    assert names([span(1, 0, "entry"), span(2, 99, "orphan"), span(3, 2, "below")]) == [
        (0, "entry"),
        (0, "orphan"),
        (1, "below"),
    ]


def test_a_deep_chain_is_no_stack_overflow() -> None:
    rows = [span(number, number - 1, str(number)) for number in range(1, 20_001)]
    assert names(rows)[-1] == (19_999, "20000")


def test_another_request_of_the_trace_is_left_to_its_own_page() -> None:
    rows = [span(1, 0, "entry"), span(2, 1, "mine"), span(3, 0, "other entry"), span(4, 3, "theirs")]
    assert names(rows, others=[(TRACE, f"{3:016x}")]) == [(0, "entry"), (1, "mine")]


def test_what_lies_above_the_entry_is_left_out_where_a_request_is_nested() -> None:
    rows = [span(1, 0, "outer"), span(2, 1, "entry"), span(3, 2, "mine")]
    assert names(rows, entry=2, others=[(TRACE, f"{1:016x}")]) == [(0, "entry"), (1, "mine")]


def test_an_id_that_client_and_server_share() -> None:
    rows = [
        span(1, 0, "entry"),
        span(2, 1, "call", kind="client"),
        span(2, 1, "served", kind="server"),
        span(3, 2, "work"),
    ]
    assert names(rows, hops=(hop(2, 2),)) == [
        (0, "entry"),
        (1, "call"),
        (2, "render:web→origin:api"),
        (3, "served"),
        (4, "work"),
    ]


def test_a_server_of_another_trace_hangs_below_the_client_that_called_it() -> None:
    foreign = {**span(5, 0, "served", kind="server"), "trace_lo": 2}
    assert names([span(1, 0, "entry"), span(2, 1, "call", kind="client"), foreign], hops=(hop(2, 5),)) == [
        (0, "entry"),
        (1, "call"),
        (2, "render:web→origin:api"),
        (3, "served"),
    ]


def test_asynchronous_work_marks_all_below_it() -> None:
    rows = [span(1, 0, "entry"), span(2, 1, "publish"), span(3, 2, "process"), span(4, 1, "waited for")]
    work = (AsyncWork(TRACE, f"{2:016x}", None, "parent"),)
    drawn = waterfall(request(1), rows, [], (), (), (), work)
    assert {row.name: row.is_async for row in drawn} == {
        "entry": False,
        "publish": True,
        "process": True,
        "waited for": False,
    }
