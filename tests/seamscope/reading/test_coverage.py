"""How a seam's gap is known, and what would tell the rest, from hand-made hops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from seamscope.reading.coverage import Side, lacking
from seamscope.reading.reports import seams
from seamscope.results import Selection
from seamscope.schema.words import GAP_KINDS, WARNINGS

if TYPE_CHECKING:
    from pathlib import Path

    from seamscope.store import Store
    from tests.seamscope.conftest import Scene

MS = 1_000_000
GO = Side("go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp", "go")
FETCH = Side("@vercel/otel/fetch", "nodejs")
DJANGO = Side("opentelemetry.instrumentation.django", "python")


def told(seam: str, **known: Any) -> dict[str, Any]:
    """A row of `report/seams.sql` of ten calls with a gap of which nothing is known."""
    return {
        "seam": seam, "hops": 10, "matched": 10, "gap_kinds": [0], "gap_kind_hops": [10], "out_ns": 0, "out_hops": 0,
        "back_ns": 0, "back_hops": 0, "header_ns": 0, "reused_known": 0, "pool_wait_hops": 0, "transfer_hops": 0,
        "unmatched_ns": 0, **known,
    }  # fmt: skip


def test_what_is_known_of_a_gap_and_how_sums_to_it(example: Store) -> None:
    found = {row.seam: row for row in seams(example)}
    for row in found.values():
        assert sum(row.explained_by.values()) == row.gap_sum_ns
    assert found["render:web→origin:orders"].explained_by == {"bounded": 41 * 6 * MS, "unexplained": 41 * 2 * MS}
    assert found["render:web→origin:auth"].explained_by == {"measured": 41 * 4 * MS, "inferred": 41 * 2 * MS}
    assert found["origin:orders→data:postgres/app"].explained_by == {}


def test_only_what_lies_on_a_leg_can_be_told_of_it(example: Store) -> None:
    (queue, transfer) = next(row for row in seams(example) if row.seam == "render:web→origin:orders").lacking
    assert (queue.tells, queue.ns, queue.hops) == (("server_queue",), 41 * 2 * MS, 41)
    assert (transfer.tells, transfer.ns, transfer.hops) == (("transfer",), 41 * 2 * MS, 41)


@pytest.mark.parametrize(
    ("sender", "words"),
    [(GO, "otelhttptrace.NewClientTrace"), (FETCH, "@opentelemetry/instrumentation-net"), (None, "seamscope.phase")],
)
def test_connections_are_told_in_the_words_of_the_caller(sender: Side | None, words: str) -> None:
    row = told("render:web→origin:orders", out_ns=7, out_hops=3, header_ns=1)
    (one,) = lacking(row, {"caller": sender} if sender else {})
    assert one.tells == ("dns", "connect", "tls", "pool_wait")
    assert (one.side, one.hops, one.ns, one.emitter) == ("caller", 3, 7, sender and sender.scope)
    assert words in one.step


def test_a_client_that_tells_of_its_connections_is_not_asked_to() -> None:
    row = told("render:web→origin:orders", out_ns=7, out_hops=3, reused_known=1)
    (one,) = lacking(row, {"callee": DJANGO})
    assert one.tells == ("server_queue",)
    assert "HTTP_CAPTURE_HEADERS_SERVER_REQUEST" in one.step
    assert lacking({**row, "header_ns": 1}, {}) == ()


@pytest.mark.parametrize(
    ("matched", "words"), [(0, "instrumentation of origin:orders"), (4, "the sampler of origin:orders")]
)
def test_callees_that_send_nothing_or_some(matched: int, words: str) -> None:
    row = told("render:web→origin:orders", matched=matched, gap_kinds=[4], gap_kind_hops=[10], unmatched_ns=5)
    (one,) = lacking(row, {"caller": GO})
    assert (one.tells, one.side, one.hops, one.ns) == (("server_span",), "callee", 10 - matched, 5)
    assert one.step.startswith(words)


def test_nobody_asks_a_database_or_a_third_party_for_spans() -> None:
    nothing = {"matched": 0, "gap_kinds": [4], "gap_kind_hops": [10], "unmatched_ns": 5}
    pgx = {"caller": Side("github.com/exaring/otelpgx", "go")}
    (pool,) = lacking(told("origin:orders→data:postgres/app", **nothing), pgx)
    assert (pool.tells, pool.ns) == (("pool_wait",), None)
    assert "pgxpool" in pool.step
    assert lacking(told("origin:orders→data:postgres/app", **nothing, pool_wait_hops=1), pgx) == ()
    assert lacking(told("origin:orders→external:api.example", **nothing), {"caller": GO}) == ()


def test_calls_that_end_at_the_headers() -> None:
    kinds = {"gap_kinds": [GAP_KINDS.index("client_ends_at_headers")], "gap_kind_hops": [6]}
    row = told("render:web→origin:orders", **kinds)
    (one,) = lacking(row, {"caller": Side("next.js", "nodejs"), "callee": DJANGO})
    assert (one.side, one.hops) == ("caller", 6)
    (one,) = lacking(row, {"caller": Side("opentelemetry.instrumentation.httpx", "python"), "callee": DJANGO})
    assert (one.side, one.emitter) == ("callee", DJANGO.scope)


def test_clocks_of_the_instances_with_most_calls(example: Store) -> None:
    found = {row.seam: row.clock_interval_ns for row in seams(example)}
    assert found["render:web→origin:auth"] == (-MS * 3 // 2, MS * 9 // 2)  # the legs of the fastest call
    assert found["render:web→origin:orders"] is None  # nobody says which instance it is


AUTH = "render:web→origin:auth"


def clocks(scene: Scene, folder: Path, *legs: tuple[int, int, int], misfit: bool = False) -> tuple[int, int] | None:
    """Give the interval of two instances from calls of these legs and their errors, in ms."""
    for number, (out, back, error) in enumerate(legs, start=1):
        scene.request(number, 0, "GET /", None, 50)
        scene.span(number, 1, 0, "web", "server", "GET /", 0, 50)
        own = {"request_leg_ns": out * MS, "response_leg_ns": back * MS, "leg_error_ns": error * MS}
        instances = {"caller_instance": "web-1", "callee_instance": "auth-1"}
        scene.hop(number, 2, 3, AUTH, "GET", 0, 50, 50 - out - back, **own, **instances)
    if misfit:
        where = {"request_no": len(legs), **scene.trace(len(legs)), "span_id": len(legs) * 100 + 2}
        scene.rows["warnings"].append({**where, "code": WARNINGS.index("clock_interval_empty"), "detail": ""})
    with scene.store(folder / "clocks.duckdb") as store:
        first = Selection(until="2027-01-15T08:00:03Z")  # the first two
        (all_, some) = (seams(store, selection)[0].clock_interval_ns for selection in (Selection(), first))
        assert not misfit or some is None, "what does not fit is none of what is asked for"
        return all_ and (all_[0] // MS, all_[1] // MS)


@pytest.mark.parametrize(
    ("legs", "interval"),
    [
        pytest.param([(2, 9, 9), (7, 3, 7), (9, 9, 9)], (-3, 2), id="the narrowest of all calls"),
        pytest.param([(2, 9, 9), (7, 0, 7), (9, 8, 9)], (-7, 2), id="a leg cut to 0 may be off by its error"),
        pytest.param([(10, 0, 10), (0, 12, 12), (8, 1, 8)], (-8, 8), id="cut on either side, off by the error"),
    ],
)
def test_clocks_agree_no_better_than_the_legs_are_known(
    scene: Scene, tmp_path: Path, legs: list[tuple[int, int, int]], interval: tuple[int, int]
) -> None:
    assert clocks(scene, tmp_path, *legs) == interval


def test_nothing_is_said_of_clocks_that_no_offset_fits(scene: Scene, tmp_path: Path) -> None:
    assert clocks(scene, tmp_path, (5, 3, 5), (10, 0, 10), (0, 10, 10), misfit=True) is None
