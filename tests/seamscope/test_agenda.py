"""The agenda of windows: when each has its turn."""

from __future__ import annotations

import numpy as np
import pytest

from seamscope.agenda import LONG_NS, Agenda
from seamscope.windows import BUCKET_NS, WINDOW_NS, Census, Window

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
SETTLE_NS = 10 * SECOND
FIRST = Window(0, WINDOW_NS)
LATER = 100 * WINDOW_NS


@pytest.fixture
def agenda() -> Agenda:
    """One window, long over, that was analysed."""
    census = Census()
    census.add(np.array([0]), np.array([1]))
    known = Agenda(census, SETTLE_NS, [FIRST])
    known.begin(0)
    return known


def turns(agenda: Agenda, *late: range) -> list[int]:
    """Let a span come in each of these minutes, look every minute, and give those in which the window had its turn."""
    found, coming = [], {minute for minutes in late for minute in minutes}
    for minute in range(max(coming) + 60):
        now_ns = LATER + minute * MINUTE
        if minute in coming:
            agenda.touch(FIRST, now_ns, now_ns)
        if agenda.due(now_ns) == [FIRST]:
            agenda.finished(FIRST)
            found.append(minute)
    return found


def test_what_comes_late_once_is_analysed_once_it_is_quiet(agenda: Agenda) -> None:
    assert turns(agenda, range(1)) == [1]
    assert not agenda.todo


def test_late_spans_without_end_are_waited_for_ever_longer_up_to_a_bound(agenda: Agenda) -> None:
    rests = np.diff([-1, *turns(agenda, range(1_800))])
    assert rests.tolist() == [21, 31, 51, 91, 171, 331, 331, 331, 331, 121]  # the last one: ten minutes of quiet


def test_after_a_rest_waits_are_short_again(agenda: Agenda) -> None:
    assert turns(agenda, range(60), range(200, 201), range(300, 330)) == [20, 51, 60, 202, 320, 335]


def test_a_window_of_which_nothing_is_left_is_forgotten_with_its_turns(agenda: Agenda) -> None:
    turns(agenda, range(60))
    agenda.touch(FIRST, LATER)
    agenda.retire({0})
    assert (agenda.todo, agenda.settled, agenda._turns, agenda._late) == ({}, set(), {}, {})


@pytest.mark.parametrize(("since_ns", "now_ns", "long"), [
    (LATER, LATER + LONG_NS, False),
    (LATER, LATER + LONG_NS + SETTLE_NS, True),
    (-LATER, LONG_NS + SETTLE_NS, False),  # its first span came early: it is over only now
    (-LATER, WINDOW_NS + LONG_NS + SETTLE_NS, True),
])  # fmt: skip
def test_how_long_a_window_waits_counts_from_its_end_on(agenda: Agenda, since_ns: int, now_ns: int, long: bool) -> None:
    agenda.touch(FIRST, since_ns, since_ns)
    assert agenda.waits_long(FIRST, now_ns) is long


def test_a_short_window_is_soon_unless_it_waits_for_long() -> None:
    census = Census(most=1)
    census.add(np.array([0, 1]), np.array([1, 1]))
    short = census.at(0)
    assert short.length_ns == BUCKET_NS
    agenda = Agenda(census, SETTLE_NS, [])
    assert not agenda.is_soon(short, 0)
    agenda.touch(short, LATER, LATER)
    assert [agenda.is_soon(short, LATER + second * SECOND) for second in (0, 79, 80)] == [True, True, False]
