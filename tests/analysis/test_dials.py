"""Connections opened for a statement: told from waits for a pool, and from their caller's own time."""

from __future__ import annotations

from typing import Any

import pytest

Traces = Any
CALLS = 40
DB = {"db_system": "postgresql", "peer": "db"}


def checkouts(traces: Traces, waits: list[float], apart: float) -> Traces:
    """Requests that check a connection out (a span covers it) and hold it for one statement of 18 ms."""
    traces.service("api")
    for at, wait in enumerate(waits):
        begin = apart * at
        traces.span("GET /", "server", "api", begin, begin + wait + 20, trace=at + 1)
        traces.span(
            "connect", "client", "api", begin + 1, begin + 1 + wait, "GET /", role="getconn", trace=at + 1, **DB
        )
        traces.span("SELECT", "client", "api", begin + 1 + wait, begin + 19 + wait, "GET /", role="query",
                    trace=at + 1, **DB)  # fmt: skip
    return traces


def test_a_checkout_while_nobody_holds_a_connection_opens_one(traces: Traces) -> None:
    told = checkouts(traces, [100] * CALLS, 400).told()
    assert {row["dominant"] for row in told.requests()} == {("origin:api→data:postgres", "setup")}
    assert {(hop["setup"], hop["pool_wait"]) for hop in told.hops()} == {(100, None)}
    segments = told.results["segments"].to_dicts()
    assert {row["evidence"] for row in segments if row["end_ns"] - row["start_ns"] == 100_000_000} == {4}


def test_overlapping_checkouts_open_connections_too_where_lone_ones_do(many: Any) -> None:
    """None ends as another's statement does; but only where lone ones are long again and again is that the reason."""
    crowded: dict[str, Any] = {"waits": [100.0 if at % 2 else 97 for at in range(CALLS)], "apart": 90.5}
    leading = [row["dominant"] for row in checkouts(many(), **crowded).told().requests()]
    assert leading.count(("origin:api", "pool_wait")) == CALLS - 1
    traces = checkouts(many(), **crowded)
    for at in range(CALLS):
        begin = 10_000.0 + 400 * at
        traces.span("GET /", "server", "api", begin, begin + 120, trace=100 + at)
        traces.span("connect", "client", "api", begin + 1, begin + 101, "GET /", role="getconn", trace=100 + at, **DB)
        traces.span("SELECT", "client", "api", begin + 101, begin + 119, "GET /", role="query", trace=100 + at, **DB)
    assert {row["dominant"] for row in traces.told().requests()} == {("origin:api→data:postgres", "setup")}


def test_where_every_checkout_opens_one_the_quick_do_too_and_the_few_that_seem_lent(traces: Traces) -> None:
    """No pool at all: some connects are held, some are not, and now and then one ends as another's statement does."""
    waits = [200.0 if at % 3 else 7 for at in range(CALLS)]
    told = checkouts(traces, waits, 400)
    for at in (1, 4):
        begin = 400.0 * at + 5
        told.span("GET /", "server", "api", begin, begin + 240, trace=100 + at)
        told.span("connect", "client", "api", begin + 1, begin + 216, "GET /", role="getconn", trace=100 + at, **DB)
        told.span("SELECT", "client", "api", begin + 216, begin + 239, "GET /", role="query", trace=100 + at, **DB)
    hops = told.told().hops()
    assert not [hop for hop in hops if hop["pool_wait"]]
    assert sorted({round(hop["setup"]) for hop in hops}) == [7, 200, 215]


def test_a_kept_connection_is_handed_out_at_once(traces: Traces) -> None:
    waits = [200.0 if at % 3 else 0.3 for at in range(CALLS)]
    hops = checkouts(traces, waits, 400).told().hops()
    assert sorted({round(hop["setup"]) for hop in hops if hop["setup"]}) == [200]


def test_a_checkout_that_ends_as_another_gives_back_waited_for_the_pool(traces: Traces) -> None:
    traces.service("api")
    free = 0.0
    for at in range(CALLS):
        came = 40.0 * at
        begin = max(came + 1, free)
        free = begin + 60
        traces.span("GET /", "server", "api", came, begin + 61, trace=at + 1)
        traces.span("connect", "client", "api", came + 1, begin + 0.2, "GET /", role="getconn", trace=at + 1, **DB)
        traces.span("SELECT", "client", "api", begin + 0.2, begin + 60, "GET /", role="query", trace=at + 1, **DB)
    leading = [row["dominant"] for row in traces.told().requests()]
    assert leading.count(("origin:api", "pool_wait")) > CALLS / 2
    assert not [owner for owner, cause in leading if cause == "setup"]


KINDS = ("SELECT orders", "SELECT products", "SELECT accounts", "SELECT reviews")


def statements(traces: Traces, before: dict[str, float], *, later: float = 1, cached: bool = True) -> Traces:
    """Requests of two statements, the first `before` (ms, by what it asks) after what the request did until then."""
    traces.service("api")
    for at in range(CALLS):
        kind, begin = KINDS[at % len(KINDS)], 500.0 * at
        wait = before[kind]
        lead = begin + 3 if cached and at % len(KINDS) == 0 else begin
        first = lead + wait
        traces.span("GET /", "server", "api", begin, first + 40, trace=at + 1)
        if lead > begin:
            traces.span("GET", "client", "api", begin + 1, lead, "GET /", role="query", trace=at + 1,
                        db_system="redis", peer="cache")  # fmt: skip
        traces.span(kind, "client", "api", first, first + 5, "GET /", role="query", trace=at + 1, **DB)
        traces.span("SELECT more", "client", "api", first + 5 + later, first + 9 + later, "GET /", role="query",
                    trace=at + 1, **DB)  # fmt: skip
    return traces


def test_what_only_first_statements_pay_whatever_they_ask_is_setup(traces: Traces) -> None:
    told = statements(traces, dict.fromkeys(KINDS, 100)).told()
    assert {row["dominant"] for row in told.requests()} == {("origin:api→data:postgres", "setup")}
    assert "40 of 40 statements" in "".join(told.results["inferences"]["statistic"])
    assert [hop["setup"] for hop in told.hops() if hop["operation"] in KINDS] == [99] * CALLS


@pytest.mark.parametrize(
    ("before", "more"),
    [
        (dict(zip(KINDS, (100, 30, 220, 60), strict=True)), {}),  # each handler's own time
        (dict.fromkeys(KINDS, 100), {"later": 90}),  # every statement's
        (dict.fromkeys(KINDS, 100), {"cached": False}),  # perhaps what every handler begins with
    ],
)
def test_what_may_be_the_handlers_own_time_stays_its_own(
    traces: Traces, before: dict[str, float], more: dict[str, Any]
) -> None:
    assert {row["dominant"][1] for row in statements(traces, before, **more).told().requests()} <= {"compute", "query"}
