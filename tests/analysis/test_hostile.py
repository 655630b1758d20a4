"""What hostile, damaged and very common input must not do: cost others their answers, or hang on who came first."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from analysis import analyse, ceilings, clocks, parents, patterns
from analysis.grouping import in_several, number_pairs, scattered

Traces = Any
YEAR_MS = 365 * 86_400_000.0


def both_ways(traces: Traces) -> list[Any]:
    """What is told of the spans as they came, and as they came the other way round."""
    told = [traces.told()]
    traces.rows.reverse()
    return [*told, traces.told()]


def test_luck_is_reckoned_for_any_number_of_calls() -> None:
    assert ceilings.luck(0, 60, 0.5) == pytest.approx(1)
    assert ceilings.luck(60, 60, 0.5) == pytest.approx(0.5**60)
    assert ceilings.luck(3, 4, 0.1) == pytest.approx(4 * 0.1**3 * 0.9 + 0.1**4)
    assert ceilings.luck(500, 5_000, 0.1) == pytest.approx(0.5, abs=0.02)
    assert ceilings.luck(5_000, 5_000, 0.1) == 0


def test_calls_slow_by_the_thousand_cost_nobody_what_many_calls_tell(traces: Traces) -> None:
    for at in range(1_200):
        begin, wait = 10_000.0 * at, 1_500.0 + 7 * (at % 97)
        traces.span("call", "client", "web", begin, begin + wait + 20, trace=at + 1, extent="body")
        traces.span("answer", "server", "api", begin + wait, begin + wait + 10, "call", trace=at + 1, extent="handler")
    assert traces.told().warnings() == set()


def row_of_hosts(traces: Traces, hosts: int) -> None:
    """Each host's clock is most of a year ahead of the one before."""
    for at in range(hosts):
        ahead = 0.9 * YEAR_MS
        traces.span("call", "client", f"h{at}", 0, 8, trace=at + 1, extent="body")
        traces.span("answer", "server", f"h{at + 1}", ahead, ahead + 5, "call", trace=at + 1)


def test_clocks_in_a_row_do_not_add_up_to_no_time_at_all(traces: Traces) -> None:
    row_of_hosts(traces, 900)
    told = traces.told()
    assert told.warnings() == set()
    assert all(hop["duration"] == 8 for hop in told.hops())


def test_what_fails_of_patterns_leaves_the_clocks(traces: Traces, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Any:
        raise ValueError("no pattern")

    for at in range(3):
        traces.span("call", "client", "web", 0, 100, trace=at + 1, extent="body")
        first = 5_000 + 9 * at
        traces.span("answer", "server", "api", first, first + 50, "call", trace=at + 1, extent="handler")
    still = analyse(*traces.frames())
    monkeypatch.setattr(patterns, "settle", fails)
    failed = analyse(*traces.frames())
    assert failed["warnings"].get_column("detail").to_list() == ["comparing calls: ValueError: no pattern"]
    assert failed["hops"].drop("hop_no", strict=False).equals(still["hops"].drop("hop_no", strict=False))


def test_the_larger_group_of_hosts_stays_where_it_is() -> None:
    hosts = 300
    pairs = {"one": [-at - 1 for at in range(hosts)], "other": [9] * hosts, "offset": list(range(hosts))}
    rest = {"slope": [0.0] * hosts, "width": list(range(hosts)), "verdict": ["offset"] * hosts}
    placed = clocks._place(pl.DataFrame({**pairs, **rest}))
    assert {placed[9][1] - placed[-at - 1][1] for at in (0, 7, 299)} == {0, 7, 299}
    assert all(placed[9][1] - placed[-at - 1][1] == at for at in range(hosts))
    assert len({group for group, *_ in placed.values()}) == 1


def test_a_clock_that_gains_more_than_time_itself_is_no_drift() -> None:
    at = np.arange(0, 64_000, 1_000)
    assert clocks.find_line(at, 2 * at - 5, 2 * at + 5) is None
    assert clocks.find_line(at, at // 2 - 5, at // 2 + 5) is not None


def test_an_adopted_call_is_no_part_of_what_its_server_passes_on(traces: Traces) -> None:
    traces.span("proxy", "server", "edge", 0, 20)
    traces.span("GET /", "server", "api", 1, 7, "proxy")
    traces.span("query", "client", "edge", 8, 18, 99, flags=0x100, peer="db.example.com")
    one, other = both_ways(traces)
    assert one.brief() == other.brief()
    assert ("external:db.example.com", "external_call", 10) in one.brief()


def test_of_client_spans_that_end_together_the_outer_one_ends_the_call(traces: Traces) -> None:
    traces.span("GET /", "server", "web", 0, 20)
    traces.span("fetch", "client", "web", 1, 10, "GET /", extent="body", grain_ns=1_000_000)
    traces.span("http", "client", "web", 2, 10, "fetch", extent="headers", grain_ns=1_000_000)
    traces.span("answer", "server", "api", 3, 9, "http", extent="body")
    one, other = both_ways(traces)
    assert one.hops() == other.hops()
    assert (one.hops()[0]["gap_kind"], one.hops()[0]["gap"]) == ("measured", 3)


def test_a_first_byte_after_the_end_is_no_time_to_go_by(traces: Traces) -> None:
    traces.span("call", "client", "web", 0, 9, extent="body", first_byte_ns=3_600_000)
    traces.span("answer", "server", "api", 1, 4, "call", extent="headers")
    hop = traces.told().hop("call")
    assert (hop["gap"], hop["gap_kind"], hop["response_leg"]) == (None, "unmeasurable", None)


def test_of_orphans_of_one_extent_the_first_by_id_holds_the_other(traces: Traces) -> None:
    for name, number in (("GET /a", 8), ("GET /b", 4)):
        traces.span(name, "server", "api", 0, 5, 1, span_id=number, flags=0x100)
    one, other = both_ways(traces)
    assert [row["entry"] for row in one.requests()] == [row["entry"] for row in other.requests()] == ["GET /b"]


def test_times_at_the_end_of_all_time_keep_their_length(traces: Traces) -> None:
    traces.span("early", "server", "web", 0, 4)
    traces.span("late", "server", "api", 0, 0)
    traces.rows[0] |= {"start_ns": 1_000, "end_ns": 5_000}
    traces.rows[1] |= {"start_ns": 2**63 - 2, "end_ns": 2**63 - 2}
    assert sorted(row["complete"] for row in traces.told().requests()) == [0, 0.004]


def test_which_copy_of_a_span_is_kept_does_not_hang_on_what_else_is_there(traces: Traces) -> None:
    for at in range(40):
        traces.span("GET /", "server", "web", 0, 100, trace=at + 1)
        for status in (200 + at, 400 + at):
            copy = {"span_id": 7, "http_status": status, "operation": "call"}
            traces.span(f"call {status}", "client", "web", 10, 50, "GET /", trace=at + 1, **copy)
    spans, resources, _ = traces.frames()
    alone = analyse(spans, resources)["hops"].sort("trace_lo").get_column("status")
    another = spans.head(1).with_columns(trace_lo=pl.lit(99, pl.UInt64), db_system=pl.lit("x"))
    among = (
        analyse(pl.concat([spans, another], how="diagonal"), resources)["hops"].sort("trace_lo").get_column("status")
    )
    assert alone.to_list() == among.to_list()


def test_equal_pairs_have_equal_numbers_whatever_they_are_scattered_by() -> None:
    high, low = np.array([0, 0, 5, 0, 5, -1]), np.array([0, 7, 7, 7, 7, 0])
    number, first = number_pairs(high, low)
    assert (number.tolist(), first.tolist()) == ([0, 1, 2, 1, 2, 3], [0, 1, 2, 5])
    assert in_several(np.array([0, 4, 4, 6, 6]), np.arange(5), np.zeros(5, np.int64)).tolist() == [
        False, True, True, True, True,
    ]  # fmt: skip


def meeting(count: int) -> Any:
    """Ids that all have one place in any table."""
    undo = pow(-4658895280553007687, -1, 2**64)
    mixed = [((at << 29 | at) * undo) % 2**64 for at in range(1, count + 1)]
    return np.array([(each >> 32) << 32 | (each ^ each >> 32) & 0xFFFFFFFF for each in mixed if each < 2**63], np.int64)


def test_ids_made_to_meet_do_not() -> None:
    ids, mask = meeting(4_000), 2**13 - 1
    assert {parents._slot_of(each, mask) for each in ids} == {0}
    assert len({parents._slot_of(each, mask) for each in scattered(ids)}) > ids.size / 2
    assert scattered(np.zeros(1, np.int64)).tolist() == [0]
