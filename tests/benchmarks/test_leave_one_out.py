"""How dials are turned, and which value the other systems would have chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.leave_one_out import DIALS, FIGURES_HEALTHY, ROOT, Tally, chosen, tallies, turn, worth


def tally(right: int, false_healthy: int = 0) -> Tally:
    """A hundred requests, all answered, `right` of them rightly; findings all found."""
    counts = dict.fromkeys(FIGURES_HEALTHY, 100) | {
        "cause_top1": right,
        "false_causes": 0,
        "false_causes_healthy": false_healthy,
    }
    return {name: {"count": count, "of": 100} for name, count in counts.items()}


def test_every_dial_stands_where_it_is_said_to_and_at_another_value() -> None:
    for dial in DIALS:
        text = (ROOT / Path(*dial.module.split("."))).with_suffix(".py").read_text()
        for value in dial.others:
            assert turn(text, dial.name, value) != text
            assert f"\n{dial.name}: Final = {value}\n" in turn(text, dial.name, value)


def test_a_dial_that_is_not_there_is_an_error() -> None:
    with pytest.raises(LookupError, match="no dial AWAY"):
        turn("HERE: Final = 1\n", "AWAY", "2")


def test_a_system_has_no_say_in_what_it_is_judged_with() -> None:
    judged = {
        (): {"A": tally(80), "B": tally(80)},
        (("m.X", "1"),): {"A": tally(99), "B": tally(70)},
        (("m.X", "2"),): {"A": tally(60), "B": tally(90)},
    }
    assert chosen(judged, without="B") == (("m.X", "1"),)
    assert chosen(judged, without="A") == (("m.X", "2"),)


def test_what_gains_nothing_stays_as_shipped() -> None:
    judged = {(): {"A": tally(80), "B": tally(80)}, (("m.X", "1"),): {"A": tally(80), "B": tally(99)}}
    assert chosen(judged, without="B") == ()


def test_blame_on_healthy_traffic_outweighs_what_it_gains() -> None:
    assert worth(tally(90)) > worth(tally(95, false_healthy=1))


def test_counts_are_added_up_by_system() -> None:
    figures = {name: {"count": 1, "of": 2} for name in FIGURES_HEALTHY}
    scenarios = [{"system": system, **figures} for system in ("A", "A", "B")]
    found = tallies({"scenarios": scenarios})
    assert found["A"]["answered"] == {"count": 2, "of": 4}
    assert found["B"]["answered"] == {"count": 1, "of": 2}
