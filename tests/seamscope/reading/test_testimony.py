"""What instruments say of a wait: confirmed, contradicted, or nothing where their readings do not reach."""

from __future__ import annotations

import math
from typing import Any

import pytest

from seamscope.reading.testimony import Point, Wait, said

S, MS = 1_000_000_000, 1_000_000
START = 1_000 * S
WAIT = Wait(ns=200 * MS, begin_ns=START, end_ns=START + 200 * MS, exact=True, whose="calls")
AROUND = Wait(ns=200 * MS, begin_ns=START - 200 * MS, end_ns=START + 300 * MS, exact=False, whose="calls")


def point(measure: str, at: float, **told: Any) -> Point:
    """Give a point `at` seconds after the wait began."""
    fields = {"instrument": f"i.{measure}", "measure": measure, "state": None, "cumulative": True,
              "started_ns": 0, "time_ns": START + round(at * S), "value": None, "count": None, "sum": None}  # fmt: skip
    return Point(**{**fields, **told})


def heard(points: list[Point], wait: Wait = WAIT) -> list[tuple[str, str]]:
    return [(each.verdict, each.sentence) for each in said(points, wait)]


@pytest.mark.parametrize(
    ("samples", "wait", "expected"),
    [
        ([(0.1, 12)], WAIT, [("confirms", "12 waiting while it waited")]),
        ([(0.1, 12)], AROUND, [("confirms", "12 waiting during the call")]),
        ([(-3, 12)], WAIT, [("confirms", "12 waiting 3.00 s before it")]),
        ([(4.2, 1), (20, 9)], WAIT, [("confirms", "1 waiting 4.00 s after it")]),
        ([(0.1, 0)], WAIT, [("contradicts", "nobody waiting while it waited")]),
        ([(0.1, 0)], AROUND, []),
        ([(-3, 0)], WAIT, []),
        ([(-16, 12), (16, 12)], WAIT, []),
        ([], WAIT, []),
    ],
)
def test_a_gauge_of_those_who_wait(
    samples: list[tuple[float, float]], wait: Wait, expected: list[tuple[str, str]]
) -> None:
    assert heard([point("waiting", at, value=value) for at, value in samples], wait) == expected


def histogram(at: float, count: int, total_ms: float, **told: Any) -> Point:
    return point("wait_time", at, count=count, sum=total_ms * MS, **told)


def all_waited(count: int, total: str, around: str) -> str:
    return f"{count} calls waited {total} in all in the {around} around it"


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([histogram(-4, 10, 50), histogram(6, 14, 850)], [("confirms", all_waited(4, "800 ms", "10.0 s"))]),
        ([histogram(-4, 10, 50), histogram(6, 14, 51)], [("contradicts", all_waited(4, "1.00 ms", "10.0 s"))]),
        ([histogram(-4, 10, 50), histogram(6, 14, 120)], []),
        ([histogram(6, 14, 850)], []),
        ([histogram(-4, 10, 50)], []),
        ([histogram(-4, 10, 50), histogram(130, 14, 850)], []),
        ([histogram(-4, 10, 50), histogram(6, 4, 10, started_ns=START - S)],
         [("contradicts", all_waited(4, "10.0 ms", "7.00 s"))]),
        ([histogram(-4, 10, 50), histogram(6, 4, 10)], []),
        ([histogram(6, 3, 300, cumulative=False, started_ns=START - 4 * S)],
         [("confirms", all_waited(3, "300 ms", "10.0 s"))]),
        ([histogram(6, 3, 300, cumulative=False, started_ns=START + 1)], []),
    ],
)  # fmt: skip
def test_a_histogram_of_waits(points: list[Point], expected: list[tuple[str, str]]) -> None:
    assert heard(points) == expected


@pytest.mark.parametrize(
    ("measure", "values", "expected"),
    [
        ("waits", (5, 7), [("confirms", "2 of the calls waited in the 10.0 s around it")]),
        ("waits", (5, 5), [("contradicts", "none of the calls waited in the 10.0 s around it")]),
        ("waited", (5 * MS, 405 * MS), [("confirms", "all calls waited 400 ms in all in the 10.0 s around it")]),
        ("waited", (5 * MS, 6 * MS), [("contradicts", "all calls waited 1.00 ms in all in the 10.0 s around it")]),
        ("timeouts", (1, 3), [("confirms", "2 waited in vain in the 10.0 s around it")]),
        ("timeouts", (1, 1), []),
    ],
)
def test_counters(measure: str, values: tuple[float, float], expected: list[tuple[str, str]]) -> None:
    assert heard([point(measure, at, value=value) for at, value in zip((-4, 6), values, strict=True)]) == expected


def test_a_pool_without_a_connection_left() -> None:
    points = [point("connections", 0.1, value=4, state="used"), point("most", -30, value=4)]
    assert heard(points) == [("confirms", "all 4 connections in use while it waited")]
    assert heard([points[0]]) == []
    assert heard([point("connections", 0.1, value=3, state="used"), points[1]]) == []


def test_a_connection_that_lies_idle_contradicts_only_while_it_waited() -> None:
    idle = [point("connections", 0.1, value=2, state="idle")]
    assert heard(idle) == [("contradicts", "2 connections idle while it waited")]
    assert heard(idle, AROUND) == []
    assert heard([point("connections", 1, value=2, state="idle")]) == []


def test_a_runtime_that_was_held() -> None:
    sentence = "nothing else could run for 240 ms at most, up to 800 ms after it"
    assert heard([point("held", -1, value=900 * MS), point("held", 1, value=240 * MS)]) == [("confirms", sentence)]
    assert heard([point("held", 1, value=90 * MS)]) == []
    assert heard([point("held", 130, value=240 * MS)]) == []


@pytest.mark.parametrize("odd", [math.inf, -math.inf, math.nan, 1e305])
@pytest.mark.parametrize("measure", ["waiting", "connections", "most", "held", "active", "waits", "waited", "timeouts"])
def test_what_cannot_be_is_passed_over(measure: str, odd: float) -> None:
    around = [point(measure, at, value=odd) for at in (-4, 0.1, 6)]
    assert heard(around) == []
    assert heard([point(measure, at, sum=odd, count=1) for at in (-4, 0.1, 6)]) == []


def test_what_cannot_be_hides_nothing_beside_it() -> None:
    points = [histogram(-4, 10, 50), histogram(-3, 12, math.inf), histogram(6, 14, 850)]
    assert heard(points) == [("confirms", all_waited(4, "800 ms", "10.0 s"))]


def test_what_decides_comes_first() -> None:
    points = [point("active", 0, value=32), point("waiting", 0.1, value=0), point("timeouts", -1, value=0),
              point("timeouts", 1, value=1)]  # fmt: skip
    assert [each.verdict for each in said(points, WAIT)] == ["confirms", "contradicts", "says"]
