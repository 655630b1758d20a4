"""Stretches in which a callee stood still: whose waits they are, and whose not."""

from __future__ import annotations

import numpy as np

from analysis import episodes


def stood(*calls: tuple[int, int, bool]) -> list[int]:
    """(came, began, connection was there before) in the order in which they came."""
    came, began, clean = (np.array(part) for part in zip(*calls, strict=True))
    return list(episodes.stood(came.astype(np.int64), began.astype(np.int64), clean.astype(np.bool_)))


STOP = ((0, 400, True), (100, 403, True), (250, 405, True))


def test_what_waited_together_waited_for_the_callee() -> None:
    assert stood(*STOP) == [400, 303, 155]


def test_one_that_had_to_open_a_connection_waited_for_the_callee_while_others_did() -> None:
    assert stood(*STOP, (300, 410, False)) == [400, 303, 155, 105]


def test_one_that_went_on_waiting_for_something_else_is_left_alone() -> None:
    assert stood(*STOP, (300, 700, False)) == [400, 303, 155, 0]
    assert stood((0, 90, False), *((came + 100, began + 100, True) for came, began, _ in STOP))[0] == 0


def test_a_short_wait_by_itself_is_something_else() -> None:
    assert stood(*STOP, (600, 630, True), (610, 635, True), (900, 1250, True)) == [400, 303, 155, 0, 0, 350]


def test_nobody_whose_connection_was_there_says_nothing() -> None:
    assert stood((0, 400, False), (10, 401, False)) == [0, 0]
