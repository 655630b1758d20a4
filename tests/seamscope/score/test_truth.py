"""A truth file read, and every way in which one can be off, with the line that is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from seamscope.errors import DataError
from seamscope.score.truth import read_truth

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


def request(key: str = "r1", **changes: Any) -> dict[str, Any]:
    return {
        "key": key,
        "trace_ids": [TRACE],
        "entry": {"service": "web", "span_id": SPAN},
        "horizon": "shell",
        "shell_ns": 100,
        "complete_ns": None,
        "measured": [{"owner": "origin:orders", "cause": "pool_wait", "ns": 60, "source": "a timer"}],
        "dominant": {"owner": "origin:orders", "cause": "pool_wait"},
        "findings": ["pool_exhausted"],
        "not_findings": ["retry_storm"],
        **changes,
    }


def document(*requests: Any, **changes: Any) -> str:
    """A file as recorders write it: the head on the first line, a request on each further one."""
    head = {
        "schema": "seamscope.truth/1",
        "scenario": "s",
        "system": "A",
        "variant": "blind",
        "seed": 7,
        "control": "healthy",
        **changes,
    }
    lines = ",\n".join(json.dumps(one) for one in requests)
    return f'{json.dumps(head)[:-1]}, "requests": [\n{lines}\n]}}'


def test_a_whole_file() -> None:
    truth = read_truth(document(request("r1"), request("r2", dominant=None, findings=[])), "expected.json")
    assert (truth.scenario, truth.system, truth.variant, truth.seed, truth.healthy) == ("s", "A", "blind", 7, False)
    assert truth.requests.rows() == [
        (0, "r1", "web", SPAN, "shell", "origin:orders", "pool_wait"),
        (1, "r2", "web", SPAN, "shell", None, None),
    ]
    assert truth.traces.rows() == [(0, TRACE), (1, TRACE)]
    assert truth.measured.row(0) == (0, "origin:orders", "pool_wait", 60)
    assert truth.rules.rows() == [(0, "pool_exhausted", True), (0, "retry_storm", False), (1, "retry_storm", False)]


def test_unknown_values_are_null_and_arrows_are_spelled_either_way() -> None:
    bare = request(trace_ids=None, entry=None, findings=None, not_findings=None)
    bare["measured"] = [{"owner": "render:web->origin:orders", "cause": "tls", "ns": 1}]
    truth = read_truth(document(bare, control=None, seed=None), "expected.json")
    assert truth.healthy
    assert (truth.traces.height, truth.rules.height) == (0, 0)
    assert truth.measured.row(0)[1] == "render:web→origin:orders"


def test_a_request_may_be_told_of_once_per_horizon() -> None:
    truth = read_truth(document(request("r1"), request("r1", horizon="complete")), "x")
    assert truth.requests.get_column("horizon").to_list() == ["shell", "complete"]


def test_a_control_is_healthy() -> None:
    assert read_truth(document(request(), control="s"), "x").healthy


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": "seamscope.truth/9"}, "1: schema is 'seamscope.truth/9'"),
        ({"variant": "deaf"}, '1: variant: "deaf" is not one of phases blind'),
        ({"scenario": ""}, "1: scenario is missing"),
        ({"seed": "7"}, '1: seed is "7", not a whole number'),
        ({"control": 3}, "1: control is 3, not a text"),
    ],
)
def test_a_bad_head(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError) as raised:
        read_truth(document(request(), **changes), "there/expected.json")
    assert str(raised.value).startswith(f"there/expected.json:{words}")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"key": "r1"}, "its key was there before, with the same horizon"),
        ({"horizon": "first"}, 'horizon: "first" is not one of shell complete'),
        ({"trace_ids": ["abc"]}, 'trace_ids is "abc", not 32 hex digits'),
        ({"trace_ids": TRACE}, "not a list"),
        ({"entry": {"service": "web", "span_id": 5}}, "entry.span_id is 5, not 16 hex digits"),
        ({"shell_ns": -1}, "shell_ns is -1, not a whole number from 0"),
        ({"complete_ns": True}, "complete_ns is true, not a whole number"),
        ({"measured": [{"owner": "origin:o", "cause": "magic", "ns": 1}]}, 'cause: "magic" is not one of'),
        ({"dominant": {"owner": "orders", "cause": "query"}}, "owner 'orders' is neither tier:service"),
        ({"measured": [{"owner": "origin:o", "cause": "query"}]}, "measured: ns is missing"),
        ({"measured": ["query"]}, "measured holds something that is no object"),
        ({"dominant": {"owner": "origin:o"}}, "cause is missing"),
        ({"findings": ["slow"]}, 'findings: "slow" is not one of'),
        ({"not_findings": ["pool_exhausted"]}, "pool_exhausted is both in findings and in not_findings"),
        ({"possible_findings": ["pool_exhausted"]}, "pool_exhausted is both in findings and in possible_findings"),
    ],
)
def test_a_bad_request_is_named_with_its_line(changes: dict[str, Any], words: str) -> None:
    bad = request("r2") | changes
    with pytest.raises(DataError) as raised:
        read_truth(document(request("r1"), bad, request("r3")), "expected.json")
    assert str(raised.value).startswith(f"expected.json:3: request '{bad['key']}': ")
    assert words in str(raised.value)


def test_a_request_without_a_key_is_named_by_its_number() -> None:
    with pytest.raises(DataError, match=r"expected\.json:3: request number 2: key is missing"):
        read_truth(document(request("r1"), request("") | {"key": None}), "expected.json")
    with pytest.raises(DataError, match=r"expected\.json:2: request number 1: not an object"):
        read_truth(document(7), "expected.json")


def test_broken_json_is_named_with_line_and_column() -> None:
    whole = document(request("r1"), request("r2"))
    with pytest.raises(DataError, match=r"expected\.json:3:\d+: not JSON"):
        read_truth(whole[: whole.rindex("pool_exhausted")], "expected.json")


@pytest.mark.parametrize(
    "text", ["[]", '{"schema": "seamscope.truth/1"}', '{"schema": "seamscope.truth/1", "requests": []}']
)
def test_no_requests(text: str) -> None:
    with pytest.raises(DataError, match=r"^expected\.json:1: "):
        read_truth(text, "expected.json")


SAVING = {"rule": "serial_fanout", "horizon": "shell", "keys": ["r2"], "ns": -5, "error_ns": 2, "source": "a stopwatch"}


def test_savings_name_the_requests_that_they_were_measured_on() -> None:
    truth = read_truth(document(request("r1"), request("r2"), savings=[SAVING]), "expected.json")
    assert truth.savings.rows() == [("serial_fanout", "shell", -5, 2, [1])]
    assert read_truth(document(request("r1")), "expected.json").savings.is_empty()


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"keys": ["r3"]}, "keys of serial_fanout: none, or one that no request has"),
        ({"keys": []}, "keys of serial_fanout"),
        ({"ns": 1.5}, "ns of serial_fanout is 1.5, not a whole number"),
        ({"ns": None}, "ns of serial_fanout is null"),
        ({"rule": "slowness"}, "not one of"),
        ({"horizon": "end"}, "not one of"),
        ({"error_ns": -1}, "error_ns is -1"),
    ],
)
def test_a_saving_that_is_none(wrong: dict[str, Any], complaint: str) -> None:
    with pytest.raises(DataError, match=r"expected\.json:1: savings: ") as told:
        read_truth(document(request("r2"), savings=[{**SAVING, **wrong}]), "expected.json")
    assert complaint in str(told.value)
