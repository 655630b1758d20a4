"""Which findings recorded requests deserve: from what was measured, from what the code does, and from nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

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
