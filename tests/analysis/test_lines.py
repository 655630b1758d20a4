"""Calls that stand in line for one of a few connections, where their callers' spans end when it comes to them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

Traces = Any
CALLS, PLACES = 60, 2


def pooled(traces: Traces, told_late: Any) -> Any:
    """Calls over two connections; a caller's span ends `told_late` ms, by call, after its connection is free."""
    traces.service("web", "render")
    traces.service("api")
    free = [0.0] * PLACES
    for at in range(CALLS):
        came = 30.0 * at
        place = free.index(min(free))
        begin = max(came + 1, free[place])
        free[place] = begin + 90 + 13 * (at % 5)
        over = free[place] + told_late(at)
        traces.span("GET /", "server", "web", came, over + 1, trace=at + 1)
        traces.span("call", "client", "web", came + 0.5, over, "GET /", trace=at + 1, extent="body", peer="api")
        traces.span("answer", "server", "api", begin + 0.5, free[place] - 0.5, "call", trace=at + 1)
    return traces.told()


@pytest.mark.parametrize("late", [0, 4, 9])
def test_a_pool_is_seen_though_its_callers_tell_late_that_a_connection_is_free(many: Any, late: float) -> None:
    told = pooled(many(), lambda at: late * (at * 7 % 10) / 10)
    leading = [row["dominant"] for row in told.requests()]
    assert leading.count(("render:web", "pool_wait")) > CALLS / 2
    assert any("at most 2 calls of this caller" in text for text in told.results["inferences"]["statistic"])


def test_calls_that_a_callee_kept_while_it_stood_still_are_no_pool(many: Any) -> None:
    """A callee stops for 300 ms every two seconds: what it was at ends as it goes on, and all that came begin."""
    traces, chance, open_until = many(), np.random.default_rng(0), dict[int, float]()
    traces.service("web", "render")
    traces.service("api")
    for at, came in enumerate(np.cumsum(chance.exponential(10, 2_000)).tolist()):
        stopped = came // 2_000 * 2_000
        begin = (stopped + 300 if stopped > 0 and came < stopped + 300 else came + 0.5) + chance.uniform(0, 3)
        end = begin + chance.exponential(5)
        end += 300 if begin // 2_000 < end // 2_000 else 0
        over = end + 0.5 + chance.uniform(0, 0.3)
        port = next(port for port in range(2_000) if open_until.get(port, -1.0) < came)
        open_until[port] = over
        traces.span("GET /", "server", "web", came - 1, over + 1, trace=at + 1)
        traces.span("call", "client", "web", came, over, "GET /", trace=at + 1, extent="body", peer="api")
        traces.span("answer", "server", "api", begin, end, "call", trace=at + 1, network_peer_port=9_000 + port)
    hops = traces.told().hops()
    assert not [hop for hop in hops if hop["pool_wait"]]
    assert sum(hop["server_queue"] or 0 for hop in hops) > 20_000


def test_calls_that_begin_near_no_others_end_are_no_pool(many: Any) -> None:
    """They are late by no rule, and as many of them run as come."""
    traces = many()
    traces.service("web", "render")
    traces.service("api")
    for at in range(CALLS):
        came, wait = 37.0 * at, 1.0 if at % 3 == 0 else 60 + at * 29 % 83
        over = came + wait + 90 + at * 13 % 61
        traces.span("GET /", "server", "web", came, over + 1, trace=at + 1)
        traces.span("call", "client", "web", came + 0.5, over, "GET /", trace=at + 1, extent="body", peer="api")
        traces.span("answer", "server", "api", came + wait, over - 0.5, "call", trace=at + 1)
    assert {hop["pool_wait"] for hop in traces.told().hops()} == {None}
