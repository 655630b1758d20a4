"""Which findings recorded requests deserve: from what was measured, from what the code does, and from nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

LAB = Path(__file__).resolve().parents[2] / "sample_traces" / "lab"
MS = 1_000_000
NAMES = {"names": {"flags": "flags.example", "replica": "replica.example"}}


def deserved(
    lab: Any,
    system: str,
    kind: str,
    *sums: tuple[str, str, int],
    fault: Any = None,
    often: float = 9,
    knobs: Any = None,
) -> tuple[set[str], set[str]]:
    """Expected and possible findings of a request of 100 ms; what was measured in (owner, cause, milliseconds)."""
    parts, truth = lab("deserved"), lab("truth")
    measured = [truth.Measured(owner, cause, ms * MS, "") for owner, cause, ms in sums]
    asked = parts.Asked(system, kind, "phases", {**NAMES, **(knobs or {})}, measured, 100 * MS, often)
    faults = [fault] if fault else []
    found: tuple[set[str], set[str]] = parts.deserved(asked, faults, faults)
    return found


QUERY = ("data:postgres/shop", "query")


def test_what_the_code_always_does_is_expected_where_it_cost_enough(lab: Any) -> None:
    assert deserved(lab, "a", "bundle", (*QUERY, 60)) == ({"serial_fanout"}, set())
    assert deserved(lab, "a", "bundle", (*QUERY, 15)) == (set(), {"serial_fanout"})
    assert deserved(lab, "a", "compare", (*QUERY, 60)) == (set(), set())
    assert deserved(lab, "a", "bundle", ("render:web", "compute", 60)) == (set(), {"serial_fanout"})


def test_an_answer_is_uncached_where_it_is_asked_for_again(lab: Any) -> None:
    assert deserved(lab, "b", "report", (*QUERY, 60)) == ({"uncached_fetch"}, set())
    assert deserved(lab, "b", "report", (*QUERY, 60), often=1.5) == (set(), {"uncached_fetch"})


def test_what_the_seed_turned_off_was_not_done(lab: Any) -> None:
    serial = {"web": {"PANELS": "4", "FANOUT": "serial"}}
    chain = {"web": {"PANELS": "4", "FANOUT": "chain"}}
    assert "serial_fanout" in deserved(lab, "b", "overview", (*QUERY, 80), knobs=serial)[0]
    expected, possible = deserved(lab, "b", "overview", (*QUERY, 80), knobs=chain)
    assert "serial_fanout" not in expected | possible
    each = {"origin": {"RELATED_EACH": "10", "RELATED_MS": "5"}}
    fault = lab("scenario").Fault("query", QUERY[0], findings=("n_plus_one",))
    assert deserved(lab, "b", "product", (*QUERY, 70), fault=fault, knobs=each) == ({"n_plus_one"}, set())
    assert deserved(lab, "b", "product", (*QUERY, 20), fault=fault, knobs=each) == (set(), set())


def test_a_measured_wait_asks_for_its_finding_where_a_fault_makes_a_pattern_of_it(lab: Any) -> None:
    fault = lab("scenario").Fault
    wait = ("origin:orders", "pool_wait", 30)
    assert deserved(lab, "a", "report", wait, fault=fault("pool_wait", wait[0])) == ({"pool_exhausted"}, set())
    assert deserved(lab, "a", "report", wait) == (set(), {"pool_exhausted"})
    queue = ("origin:pricing", "server_queue", 30)
    starved = fault("compute", queue[0], with_causes=("server_queue",))
    assert deserved(lab, "a", "quote", queue, fault=starved) == (set(), {"server_backlog"})


def test_a_backlog_is_the_queue_that_the_fault_makes_beyond_a_healthy_leg(lab: Any) -> None:
    """Some milliseconds from the socket to the handler, here and at the other service, are what servers always take."""
    stopped = lab("scenario").Fault("server_queue", "origin:pricing", with_causes=("compute",))
    mine, small = ("origin:pricing", "server_queue", 30), ("origin:pricing", "server_queue", 19)
    other = ("origin:orders", "server_queue", 30)
    assert deserved(lab, "a", "quote", mine, fault=stopped) == ({"server_backlog"}, set())
    assert deserved(lab, "a", "quote", small, fault=stopped) == (set(), {"server_backlog"})
    assert deserved(lab, "a", "quote", other, fault=stopped) == (set(), {"server_backlog"})


def test_spans_that_have_only_lost_their_context_are_not_missing(lab: Any) -> None:
    lost = ("origin:orders", "unobserved", 60)
    fault = lab("scenario").Fault
    assert deserved(lab, "a", "report", lost, fault=fault("unobserved", lost[0]))[0] == {"missing_instrumentation"}
    apart = fault("unobserved", lost[0], always=("broken_context",))
    assert deserved(lab, "a", "report", lost, fault=apart) == ({"broken_context"}, {"missing_instrumentation"})


def test_recordings_are_judged_again_from_what_stands_beside_them(lab: Any) -> None:
    """What was measured stays to the last byte; the lists of findings are new, and what the scenario calls it today."""
    rejudge, truth, parts = lab("rejudge"), lab("truth"), lab("scenario")
    scenario = parts.Scenario("a-x", "a", "d", "t", plan=lambda *_: [], warm_up=lambda *_: [], control="a-healthy")
    entry: dict[str, Any] = {
        "key": "k/complete",
        "request": "k",
        "horizon": "complete",
        "shell_ns": None,
        "complete_ns": 100 * MS,
        "trace_ids": ["0" * 31 + "1"],
        "entry": {"service": "web", "span_id": "0" * 15 + "1"},
    }
    entry |= {"measured": [{"owner": QUERY[0], "cause": "query", "ns": 60 * MS, "source": "a timer"}], "dominant": None}
    expected = {"schema": "seamscope.truth/1", "knobs": NAMES, "requests": [{**entry, "findings": ["cold_start"]}]}
    driver = {"requests": [{"key": "k", "kind": "bundle", "path": "/bundle/1"}]}
    (again,) = rejudge.rejudged(expected, driver, scenario)["requests"]
    assert again["findings"] == ["serial_fanout"]
    assert again["possible_findings"] == []
    assert "broken_context" in again["not_findings"]
    assert {name: again[name] for name in entry} == entry
    lost = parts.Fault("unobserved", "origin:orders", recast=((QUERY[0], "*"),))
    (recast,) = rejudge.rejudged(expected, driver, replace(scenario, fault=lost))["requests"]
    assert recast["dominant"] == {"owner": "origin:orders", "cause": "unobserved"}
    assert recast["measured"] == [{**entry["measured"][0], **recast["dominant"]}]
    assert truth.written({"a": 1, "requests": [{"b": 2}]}) == '{"a":1,"requests":[\n{"b":2}\n]}\n'


def _driver(kinds: dict[str, list[int]]) -> dict[str, Any]:
    """What a stopwatch said: first bytes in milliseconds by kind."""
    each = [(kind, ms) for kind, some in kinds.items() for ms in some]
    return {
        "requests": [
            {"key": f"k{n}", "kind": kind, "status": 200, "first_byte_ns": ms * MS, "last_byte_ns": 2 * ms * MS}
            for n, (kind, ms) in enumerate(each)
        ]
    }


def _answers(driver: dict[str, Any]) -> dict[str, Any]:
    return {"requests": [{"request": one["key"], "key": f"{one['key']}/shell"} for one in driver["requests"]]}


def test_a_saving_is_what_lies_between_a_page_and_the_same_mended(lab: Any) -> None:
    savings, pair = lab("savings").savings, lab("scenario").Pair
    driver = _driver({"bundle": [190, 200, 210], "compare": [95, 100, 105], "dash": [10, 10, 10]})
    (found,) = savings([pair("serial_fanout", "bundle", "compare")], _answers(driver), driver, None)
    assert (found["rule"], found["horizon"], found["ns"]) == ("serial_fanout", "shell", 100 * MS)
    assert found["keys"] == ["k0/shell", "k1/shell", "k2/shell"]
    assert found["error_ns"] == pytest.approx(1.96 * ((100 + 25) / 3) ** 0.5 * MS, abs=1)
    (late,) = savings([pair("serial_fanout", "bundle", "compare", horizon="complete")], _answers(driver), driver, None)
    assert late["ns"] == 200 * MS
    unseen = {"requests": _answers(driver)["requests"][2:]}
    assert savings([pair("serial_fanout", "bundle", "compare")], unseen, driver, None) == []


def test_two_recordings_are_compared_only_where_they_ran_alike(lab: Any) -> None:
    savings, pair = lab("savings").savings, lab("scenario").Pair("nonessential_block", "offer", "offer", control=True)
    driver = _driver({"offer": [190, 200, 210], "dash": [50, 51, 52]})
    alike = _driver({"offer": [30, 40, 50], "dash": [45, 46, 47]})
    busier = _driver({"offer": [30, 40, 50], "dash": [20, 21, 22]})
    (found,) = savings([pair], _answers(driver), driver, alike)
    assert found["ns"] == 160 * MS
    assert savings([pair], _answers(driver), driver, busier) == []
    assert savings([pair], _answers(driver), driver, _driver({"offer": [30, 40, 50]})) == []
    assert savings([pair], _answers(driver), driver, None) == []
