"""What only many calls tell: clocks, pools, setup, the network; the same in any partition, under any clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from analysis import analyse, ceilings, clocks, passes
from seamscope.schema import words

if TYPE_CHECKING:
    from collections.abc import Callable

Traces = Any
POOL, CALLS = 2, 40


def calls(traces: Traces, waits: Any = (), shift: float = 0, **server: Any) -> Traces:
    """Requests of `web` that each make one call to `api`; `waits` before its server begins, by request."""
    traces.service("web", "render")
    traces.service("api")
    for at in range(CALLS):
        begin, wait = 200.0 * at, waits[at] if len(waits) else 1
        traces.span("GET /", "server", "web", begin, begin + 60 + wait, trace=at + 1)
        traces.span("call", "client", "web", begin + 1, begin + 52 + wait, "GET /", trace=at + 1, extent="body")
        first = begin + 1 + wait + shift
        ports = {name: values[at] for name, values in server.items()}
        traces.span("answer", "server", "api", first, first + 50, "call", trace=at + 1, extent="handler", **ports)
    return traces


def verdicts(results: Any) -> list[tuple[Any, ...]]:
    owners = results.owners.select("owner_no", "owner")
    told = (
        results["segments"]
        .join(owners, on="owner_no")
        .join(results["requests"].select("request_no", "trace_lo", "entry_span_id"), on="request_no")
    )
    columns = ["trace_lo", "entry_span_id", "horizon", "start_ns", "end_ns", "owner", "cause", "evidence"]
    return sorted(told.select(columns).rows())


@pytest.mark.parametrize("shift", [3_000, -3_000, -200])
def test_a_shifted_host_changes_no_verdict(many: Any, shift: float) -> None:
    still, moved = calls(many()).told(), calls(many(), shift=shift).told()
    assert moved.warnings() == set()
    for column in ("dominant", "complete"):
        assert [row[column] for row in still.requests()] == [row[column] for row in moved.requests()]
    for one, other in zip(still.hops(), moved.hops(), strict=True):
        assert abs(one["request_leg"] - other["request_leg"]) <= other["leg_error"] + 1e-6
        assert one["gap"] == other["gap"]


@pytest.mark.parametrize("shift", [0, 3_000, -3_000])
def test_what_a_server_waited_for_bounds_its_clock_where_its_client_ends_at_the_headers(
    traces: Traces, shift: float
) -> None:
    traces.service("edge", "edge")
    traces.service("api")
    for at in range(CALLS):
        begin, there = 400.0 * at, 1 + at % 3
        traces.span("GET /", "server", "edge", begin, begin + 62, trace=at + 1, extent="headers")
        traces.span("fetch", "client", "edge", begin + 1, begin + 61, "GET /", trace=at + 1, extent="headers")
        first = begin + 1 + there + shift
        traces.span("answer", "server", "api", first, first + 66, "fetch", trace=at + 1, extent="body")
        traces.span("SELECT", "client", "api", first + 1, first + 54, "answer", trace=at + 1, role="query",
                    db_system="postgresql", peer="db")  # fmt: skip
    told = traces.told()
    assert told.warnings() == set()
    assert {row["dominant"] for row in told.requests()} == {("data:postgres", "query")}
    legs = [hop["request_leg"] for hop in told.hops() if hop["server_span"]]
    assert all(abs(leg - (1 + at % 3)) <= 3.1 for at, leg in enumerate(legs))  # its last wait ends 3 ms before


@pytest.mark.parametrize("shift", [3_000, -3_000])
@pytest.mark.parametrize("held", ["there", "back"])
def test_a_leg_that_something_holds_on_every_call_stays_that_leg_under_any_clock(
    many: Any, shift: float, held: str
) -> None:
    """The way that nothing holds takes the same every time; the other spreads."""
    slow = [100 + 7.0 * (at % 9) for at in range(CALLS)]
    ports = [9_000 + at for at in range(CALLS)]

    def made(moved: float) -> Any:
        if held == "there":
            return calls(many(), slow, moved, network_peer_port=ports).told()
        traces = many()
        traces.service("web", "render")
        traces.service("api")
        for at in range(CALLS):
            begin = 400.0 * at
            traces.span("GET /", "server", "web", begin, begin + 60 + slow[at], trace=at + 1)
            traces.span("call", "client", "web", begin + 1, begin + 52 + slow[at], "GET /", trace=at + 1, extent="body")
            first = begin + 2 + moved
            traces.span("answer", "server", "api", first, first + 49, "call", trace=at + 1, extent="handler")
        return traces.told()

    still, moved = made(0), made(shift)
    assert [row["dominant"] for row in still.requests()] == [row["dominant"] for row in moved.requests()]
    for one, other in zip(still.hops(), moved.hops(), strict=True):
        assert abs(one["request_leg"] - other["request_leg"]) <= 2


def test_a_clock_that_jumps_moves_nothing_and_is_said(traces: Traces) -> None:
    jumps = [1.0 + 5_000 * (at % 2) for at in range(CALLS)]
    traces.service("web", "render")
    for at, jump in enumerate(jumps):
        begin = 100.0 * at
        traces.span("GET /", "server", "web", begin, begin + 60, trace=at + 1)
        traces.span("call", "client", "web", begin + 1, begin + 52, "GET /", trace=at + 1)
        traces.span("answer", "server", "api", begin + 1 + jump, begin + 50 + jump, "call", trace=at + 1)
    assert [code for code, _ in traces.told().warnings()] == ["clock_interval_empty"]


def test_a_drift_is_a_line_through_the_bounds() -> None:
    at = np.arange(0, 60_000, 500)
    drift = at // 100
    found = clocks.find_line(at, drift - 40, drift + 40)
    assert found is not None
    offset, slope, width = found
    assert slope == pytest.approx(0.01, abs=0.001)
    assert abs(offset) <= 40
    assert width <= 80
    assert clocks.find_line(at, np.where(at % 1_000, 90, -10), np.where(at % 1_000, 100, 0)) is None


def test_a_drift_steeper_than_the_bounds_are_apart_is_found_all_the_same() -> None:
    """Within a thirty-second of the time the clock gains more than the bounds leave."""
    at = np.arange(0, 6_000_000, 50_000)
    found = clocks.find_line(at, at // 100 - 20, at // 100 + 20)
    assert found is not None
    assert found[1] == pytest.approx(0.01, abs=0.0001)
    assert found[2] <= 40


def test_a_request_reaches_nobody_before_it_was_sent(traces: Traces) -> None:
    """Every call waits for a handshake; its clock gains 5 ms a second, and nothing sticks out."""
    traces.service("web", "render")
    traces.service("api")
    for at in range(CALLS):
        begin, moved = 400.0 * at, 2.0 * at - 20
        traces.span("GET /", "server", "web", begin, begin + 160, trace=at + 1)
        traces.span("call", "client", "web", begin + 1, begin + 104, "GET /", trace=at + 1, extent="body")
        traces.span("write", "client", "web", begin + 101, begin + 101.1, "call", role="send", trace=at + 1)
        first = begin + 102 + moved
        traces.span("answer", "server", "api", first, first + 1, "call", trace=at + 1, extent="body")
    legs = [hop["request_leg"] for hop in traces.told().hops() if hop["server_span"]]
    assert len(legs) == CALLS
    assert all(abs(leg - 101) <= 1.1 for leg in legs)


def test_new_ports_that_cost_more_are_setups(traces: Traces) -> None:
    fresh = [at % 2 for at in range(CALLS)]
    told = calls(traces, [80 if new else 1 for new in fresh], network_peer_port=[9_000 + at * new for at, new in
                 enumerate(fresh)]).told()  # fmt: skip
    setup = [hop["setup"] for hop in told.hops()]
    assert [value is not None for value in setup] == [new == 1 for new in fresh]
    assert all(hop["inferred"] >= hop["setup"] for hop in told.hops() if hop["setup"])
    said = told.results["inferences"].filter(pl.col("cause") == words.code(words.CAUSES, "setup"))
    assert said.height == sum(fresh)
    assert said["confidence"].min() >= ceilings.SURE
    assert "calls that took more than" in said["statistic"][0]


def test_slow_calls_on_old_connections_are_left_unexplained(traces: Traces) -> None:
    slow = [at % 2 for at in range(CALLS)]
    told = calls(traces, [80 if late else 1 for late in slow], network_peer_port=[9_000] * CALLS).told()
    assert {hop["setup"] for hop in told.hops()} == {None}
    assert max(hop["unexplained"] for hop in told.hops()) > 70


def burst(traces: Traces, *, beside: bool) -> Traces:
    """A dozen calls at once whose connections are all new, then others over one of them; `beside`, one goes quickly."""
    traces.service("web", "render")
    traces.service("api")
    plain = [(1_000.0 + 200 * at, 1, 9_000) for at in range(24)]
    quick = [(-200.0, 1, 9_000), (30.0, 1, 9_000)] if beside else []
    late = [(float(at), 300, 9_001 + at) for at in range(12)]
    for trace, (begin, wait, port) in enumerate(sorted(plain + quick + late), start=1):
        traces.span("GET /", "server", "web", begin, begin + 60 + wait, trace=trace)
        traces.span("call", "client", "web", begin + 1, begin + 52 + wait, "GET /", trace=trace, extent="body")
        first = begin + 1 + wait
        traces.span(
            "answer", "server", "api", first, first + 50, "call", trace=trace, extent="handler", network_peer_port=port
        )
    return traces


@pytest.mark.parametrize(("beside", "setups"), [(False, 0), (True, 12)])
def test_a_moment_when_all_was_late_says_nothing_of_connections(traces: Traces, beside: bool, setups: int) -> None:
    leading = [row["dominant"] for row in burst(traces, beside=beside).told().requests()]
    assert leading.count(("render:web→origin:api", "setup")) == setups


def pool(traces: Traces, held: float = 50, pooled: bool = False) -> Traces:
    """A service whose statements wait for one of two connections."""
    traces.service("api", pooled=pooled)
    free = [0.0] * POOL
    for at in range(CALLS):
        came = 12.0 * at
        begin = max(came, min(free))
        free[free.index(min(free))] = begin + held
        traces.span("GET /", "server", "api", came, begin + held + 1, trace=at + 1)
        traces.span("SELECT", "client", "api", begin, begin + held, "GET /", role="query", trace=at + 1,
                    db_system="postgresql", peer="db")  # fmt: skip
    return traces


def test_statements_that_wait_for_a_place_wait_for_the_pool(traces: Traces) -> None:
    told = pool(traces).told()
    leading = [row["dominant"] for row in told.requests()]
    assert leading.count(("origin:api", "pool_wait")) > CALLS / 2
    assert {row["statistic"].split(";")[0] for row in told.results["inferences"].to_dicts()} == {
        f"at most {POOL} statements of this caller run at once"
    }


def test_a_key_that_may_be_several_hosts_names_no_pool(traces: Traces) -> None:
    told = pool(traces, pooled=True).told()
    assert {row["dominant"][1] for row in told.requests()} <= {"compute", "query"}


def connections(traces: Traces, *, shared: bool, came_at: Callable[[int], float] = lambda at: 12.0 * at) -> Traces:
    """Calls that wait for one of two places, over the place's own connection or each over one of its own."""
    traces.service("web", "render", pooled=True)
    traces.service("api")
    free = [0.0] * POOL
    for at in range(CALLS):
        came = came_at(at)
        place = free.index(min(free))
        begin = max(came, free[place])
        free[place] = begin + 52
        traces.span("GET /", "server", "web", came, begin + 54, trace=at + 1)
        traces.span("call", "client", "web", came, begin + 52, "GET /", trace=at + 1, extent="body", peer="api")
        traces.span("answer", "server", "api", begin + 1, begin + 51, "call", trace=at + 1,
                    network_peer_port=9_000 + (place if shared else at))  # fmt: skip
    return traces


def test_connections_name_a_pool_whatever_hosts_their_caller_stands_for(many: Any) -> None:
    leading = [row["dominant"] for row in connections(many(), shared=True).told().requests()]
    assert leading.count(("render:web", "pool_wait")) > CALLS / 2
    leading = [row["dominant"] for row in connections(many(), shared=False).told().requests()]
    assert leading.count(("origin:api", "server_queue")) > CALLS / 2


def test_what_stood_in_a_queue_says_nothing_of_what_connections_cost(many: Any) -> None:
    """Three late calls that met no queue are too few for that, and those that did are no evidence of it."""
    traces = connections(many(), shared=False, came_at=lambda at: max(26.0 * (at - 8), at))
    for at in range(3):
        came, trace = 10_000.0 + 500 * at, CALLS + at + 1
        traces.span("GET /", "server", "web", came, came + 94, trace=trace)
        traces.span("call", "client", "web", came, came + 92, "GET /", trace=trace, extent="body", peer="api")
        traces.span("answer", "server", "api", came + 41, came + 91, "call", trace=trace, network_peer_port=20_000 + at)
    told = traces.told()
    assert {hop["setup"] for hop in told.hops()} == {None}
    assert sorted(hop["unexplained"] or 0 for hop in told.hops())[-3:] == [40, 40, 40]


def places(traces: Traces, far: Any, *, called: str = "edge") -> Traces:
    """Two instances that ask one database the same; `far` are the lengths of the second one's statements."""
    traces.service("near", "edge", called="edge", instance="fra-1")
    traces.service("far", "edge", called=called, instance="sin-1")
    for at in range(CALLS):
        for which, (name, length) in enumerate((("near", 5 + at % 7), ("far", far[at]))):
            trace, begin = 2 * at + which + 1, 300.0 * at
            traces.span("GET /", "server", name, begin, begin + length + 2, trace=trace)
            traces.span("POST /sql", "client", name, begin + 1, begin + 1 + length, "GET /", role="query", trace=trace,
                        db_system="postgresql", peer="db")  # fmt: skip
    return traces


def test_what_one_place_pays_more_than_another_for_the_same_is_the_way(many: Any) -> None:
    told = places(many(), [90 + at % 7 for at in range(CALLS)]).told()
    network = [hop["network"] for hop in told.hops()]
    assert network == [85.0 if hop["caller_instance"] == "sin-1" else None for hop in told.hops()]
    assert "sent by another instance" in told.results["inferences"]["statistic"][0]
    for other in (
        places(many(), [90 if at % 4 else 6 for at in range(CALLS)]),
        places(many(), [90] * CALLS, called="x"),
    ):
        assert {hop["network"] for hop in other.told().hops()} == {None}


@pytest.mark.parametrize(("slower", "leads"), [(True, "server_queue"), (False, "network")])
def test_a_callee_that_is_slower_itself_where_calls_waited_longer_is_no_slow_way(
    traces: Traces, slower: bool, leads: str
) -> None:
    traces.service("web", "render")
    traces.service("api")
    for at in range(3 * CALLS):
        begin, wait = 37.0 * at, 1.0 if at % 4 == 0 else 80 + (at * 17) % 60
        took = wait / 2 if slower else 10 + (at * 29) % 7
        over = begin + wait + took
        traces.span("GET /", "server", "web", begin, over + 2, trace=at + 1)
        traces.span("call", "client", "web", begin, over + 1, "GET /", trace=at + 1, extent="body", peer="api")
        traces.span(
            "answer", "server", "api", begin + wait, over, "call", trace=at + 1, network_peer_port=9_000 + at % 8
        )
    late = [row["dominant"][1] for row in traces.told().requests() if row["complete"] > 50]
    assert late.count(leads) > 2 * CALLS - 10
    assert {"server_queue", "network"} & set(late) == {leads}


@pytest.mark.parametrize("factor", [0.5, 3])
def test_a_pool_is_a_pool_at_any_pace(many: Any, factor: float) -> None:
    frames = pool(many()).frames()
    times = [(pl.col(name) * factor).cast(pl.Int64) for name in ("start_ns", "end_ns")]
    base = frames[0].select(pl.col("start_ns").min()).item()
    moved = frames[0].with_columns(pl.col("start_ns", "end_ns") - base).with_columns(times)
    one, other = analyse(*frames), analyse(moved.with_columns(pl.col("start_ns", "end_ns") + base), *frames[1:])
    assert one["requests"]["dominant_cause"].to_list() == other["requests"]["dominant_cause"].to_list()


@pytest.mark.parametrize("sample", ["a-db-pool", "a-tls-held"])
@pytest.mark.parametrize("parts", [2, 7])
def test_any_partition_gives_the_same_rows(
    recorded: Any, sample: str, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = recorded(sample)
    whole = analyse(*frames)
    monkeypatch.setattr(passes, "CHUNK_SPANS", -(-frames[0].height // parts))
    apart = analyse(*frames)
    assert verdicts(whole) == verdicts(apart)
    for name in ("hops", "inferences", "warnings"):
        told = [results[name].drop("request_no", "seam_no", strict=False).rows() for results in (whole, apart)]
        assert sorted(told[0], key=repr) == sorted(told[1], key=repr), name
