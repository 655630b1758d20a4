"""How a seam's gap is known, and what would tell the rest, from hand-made hops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from seamscope.reading.coverage import Side, lacking
from seamscope.reading.reports import seams
from seamscope.schema.words import GAP_KINDS

if TYPE_CHECKING:
    from seamscope.store import Store

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
