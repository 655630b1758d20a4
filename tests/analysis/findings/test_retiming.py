"""Requests re-timed by hand: what comes sooner when something is taken out, and what does not."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from analysis.findings.retiming import BESIDE, EARLIER, LEAD, WHOLE, Cuts
from analysis.findings.timeline import timeline
from seamscope.schema.words import SPAN_KINDS

NONE = -1


def saved(
    spans: list[tuple[int, int, int]],
    cuts: list[tuple[int, int, int]],
    asked: tuple[int, int],
    kinds: dict[int, str] | None = None,
    unwaited: tuple[int, ...] = (),
    reached: dict[int, int] | None = None,
) -> int:
    """(parent, start, end) by row; cuts (row, how, value); asked (row, moment) → how much sooner."""
    frame = pl.DataFrame(
        {
            "parent_row": pl.Series([parent for parent, _, _ in spans], dtype=pl.Int32),
            "kind": [SPAN_KINDS.index((kinds or {}).get(row, "internal")) for row in range(len(spans))],
            "start_ns": [start for _, start, _ in spans],
            "end_ns": [end for _, _, end in spans],
            "waited": [row not in unwaited for row in range(len(spans))],
            "request": pl.Series([0] * len(spans), dtype=pl.Int32),
            "reached_ns": pl.Series([(reached or {}).get(row) for row in range(len(spans))], dtype=pl.Int64),
        }
    )
    one = np.zeros(1, np.int32)
    times = timeline(frame, np.array([asked[0]], np.int32), np.array([asked[1]], np.int64), one, 1)
    rows, how, value = (list(part) for part in zip(*cuts, strict=True))
    taken = Cuts(np.array(rows, np.int32), np.array(how, np.uint8), np.array(value, np.int64))
    unit, question, ns = times.saved(one, taken, np.array([0, len(cuts)]))
    assert (list(unit), list(question)) == ([0], [0])
    return int(ns[0])


ROOT = (NONE, 0, 100)


def test_what_is_taken_out_of_a_chain_is_gone() -> None:
    chain = [ROOT, (0, 10, 40), (0, 45, 90)]
    assert saved(chain, [(1, WHOLE, 0)], (0, 100)) == 30
    assert saved(chain, [(2, WHOLE, 0)], (0, 100)) == 45
    assert saved(chain, [(1, WHOLE, 0), (2, WHOLE, 0)], (0, 100)) == 75


def test_what_runs_beside_shows_when_the_longer_is_gone() -> None:
    beside = [ROOT, (0, 10, 90), (0, 10, 60)]
    assert saved(beside, [(1, WHOLE, 0)], (0, 100)) == 30
    assert saved(beside, [(2, WHOLE, 0)], (0, 100)) == 0
    assert saved(beside, [(1, WHOLE, 0), (2, WHOLE, 0)], (0, 100)) == 80


def test_what_is_below_comes_up() -> None:
    nested = [ROOT, (0, 10, 90), (1, 20, 80), (2, 30, 70)]
    assert saved(nested, [(3, WHOLE, 0)], (0, 100)) == 40
    assert saved(nested, [(2, WHOLE, 0), (3, WHOLE, 0)], (0, 100)) == 60


def test_a_wait_at_the_head_moves_all_that_is_inside() -> None:
    waiting = [ROOT, (0, 10, 90), (1, 50, 80)]
    assert saved(waiting, [(1, LEAD, 35)], (0, 100)) == 35
    assert saved([ROOT, (0, 10, 90)], [(1, LEAD, 35)], (0, 100)) == 35
    assert saved([ROOT, (0, 10, 30)], [(1, LEAD, 35)], (0, 100)) == 20  # never more than there is


def test_a_wait_before_a_span_is_its_parents_own_time() -> None:
    """No more than the parent stood idle before it: other work goes on taking what it takes."""
    idle = [ROOT, (0, 10, 30), (0, 70, 80)]
    assert saved(idle, [(2, EARLIER, 35)], (0, 100)) == 35
    assert saved(idle, [(2, EARLIER, 60)], (0, 100)) == 40
    assert saved(idle, [(1, EARLIER, 60)], (0, 100)) == 10


def test_calls_started_together_cost_the_longest() -> None:
    serial = [ROOT, (0, 0, 30), (0, 30, 50), (0, 50, 90)]
    assert saved(serial, [(2, BESIDE, 1), (3, BESIDE, 1)], (0, 100)) == 50
    assert saved(serial, [(2, BESIDE, 1)], (0, 100)) == 20  # the third still waits for the first


def test_what_a_parent_does_between_its_calls_stays_when_they_are_started_together() -> None:
    """It makes each call itself, and has but two hands: 2 and 3 before the second and the third are its own."""
    serial = [ROOT, (0, 10, 30), (0, 32, 52), (0, 55, 75)]
    assert saved(serial, [(2, BESIDE, 1), (3, BESIDE, 1)], (0, 100)) == 40
    assert saved(serial, [(3, BESIDE, 2)], (0, 100)) == 20


def test_nobody_waits_for_what_is_not_waited_for() -> None:
    assert saved([ROOT, (0, 10, 60)], [(1, WHOLE, 0)], (0, 100), unwaited=(1,)) == 0


def test_what_outlives_its_parent_still_held_it() -> None:
    """A handler that ends on the answer's headers, while the body of its fetch is being read."""
    outliving = [ROOT, (0, 10, 80), (1, 10, 85), (2, 60, 75)]
    assert saved(outliving, [(2, LEAD, 40)], (0, 100)) == 40
    assert saved(outliving, [(3, WHOLE, 0)], (0, 100)) == 15


def test_a_call_that_ends_just_before_the_span_inside_it_waited_for_that() -> None:
    """The fetch ends, and then undici's span in it does; name and connection were got long before, beside it."""
    fetch = [ROOT, (0, 10, 90), (1, 10, 91), (1, 10, 15), (2, 20, 85)]
    assert saved(fetch, [(4, LEAD, 40)], (0, 100)) == 40
    shell = [ROOT, (0, 10, 90), (1, 10, 99), (1, 10, 85)]  # what ended last is nearer: the other goes on streaming
    assert saved(shell, [(2, WHOLE, 0)], (0, 90)) == 0


def test_a_mark_set_meanwhile_holds_nothing() -> None:
    """Next.js notes near the end, beside the render, that it had looked for components."""
    ms = 1_000_000
    marked = [(NONE, 0, 100 * ms), (0, 10 * ms, 90 * ms), (1, 20 * ms, 70 * ms), (0, 80 * ms, 80 * ms + 5000)]
    assert saved(marked, [(2, WHOLE, 0)], (0, 100 * ms)) == 50 * ms
    beside = [*marked[:3], (0, 75 * ms, 85 * ms)]  # ten milliseconds of work are no mark
    assert saved(beside, [(2, WHOLE, 0)], (0, 100 * ms)) == 5 * ms


def test_what_is_streamed_after_its_parent_did_not_hold_it() -> None:
    """A page's shell is rendered while the call for a part that comes later has just begun."""
    streamed = [ROOT, (0, 10, 30), (1, 12, 22), (1, 24, 90)]
    assert saved(streamed, [(3, WHOLE, 0)], (0, 35)) == 0
    assert saved(streamed, [(2, WHOLE, 0)], (0, 35)) == 10


def test_a_moment_inside_a_span_moves_with_what_came_before_it() -> None:
    shell = [ROOT, (0, 10, 30), (0, 60, 90)]
    assert saved(shell, [(1, WHOLE, 0)], (0, 50)) == 20
    assert saved(shell, [(2, WHOLE, 0)], (0, 50)) == 0


@pytest.mark.parametrize("off", [0, 3_000_000_000, -3_000_000_000])
def test_a_callees_clock_does_not_matter(off: int) -> None:
    ms = 1_000_000
    spans = [
        (NONE, 0, 100 * ms),
        (0, 10 * ms, 90 * ms),
        (1, 20 * ms + off, 80 * ms + off),
        (2, 30 * ms + off, 70 * ms + off),
    ]
    kinds = {0: "server", 1: "client", 2: "server"}
    assert saved(spans, [(3, WHOLE, 0)], (0, 100 * ms), kinds) == 40 * ms


def test_a_callee_is_where_its_call_reached_it() -> None:
    """No span sticks out: its clock is a few milliseconds behind, and it seems to begin during the handshake."""
    spans = [(NONE, 0, 100), (0, 0, 100), (1, 10, 70), (1, 65, 85)]
    kinds = {1: "client", 2: "client", 3: "server"}
    assert saved(spans, [(2, WHOLE, 0)], (0, 100), kinds) == 0
    assert saved(spans, [(2, WHOLE, 0)], (0, 100), kinds, reached={3: 75}) == 60


def test_a_mark_set_during_a_call_does_not_hold_what_waits_for_the_call() -> None:
    """Next.js 14 and 15 note modules loaded while the page waits for its fetch."""
    ms = 1_000_000
    marked = [(NONE, 0, 100 * ms), (0, 10 * ms, 90 * ms), (1, 20 * ms, 80 * ms), (0, 70 * ms, 70 * ms + 5000)]
    assert saved(marked, [(2, WHOLE, 0)], (0, 100 * ms)) == 60 * ms


def test_what_starts_on_a_whole_millisecond_may_have_followed_what_ends_within_it() -> None:
    """JavaScript's spans start on whole milliseconds, and end on parts of them."""
    ms, part = 1_000_000, 300_000
    spans = [(NONE, 0, 100 * ms), (0, 10 * ms, 50 * ms + part), (0, 50 * ms, 90 * ms)]
    assert saved(spans, [(1, WHOLE, 0)], (0, 100 * ms)) == 40 * ms + part
    finer = [*spans[:2], (0, 50 * ms + 7, 90 * ms)]
    assert saved(finer, [(1, WHOLE, 0)], (0, 100 * ms)) == 0


def test_cycles_and_empty_spans_come_to_an_end() -> None:
    assert saved([(1, 0, 10), (0, 0, 10), (0, 5, 5)], [(2, WHOLE, 0)], (0, 10)) == 0


def test_a_deep_tree_needs_no_recursion() -> None:
    deep = [(row - 1, row, 200_000 - row) for row in range(50_000)]
    assert saved(deep, [(49_999, LEAD, 77)], (0, 200_000)) == 77


def test_savings_never_exceed_what_was_taken_out_and_never_hurt() -> None:
    dice = np.random.default_rng(7)
    for _ in range(200):
        spans = [ROOT]
        for _ in range(12):
            parent = int(dice.integers(0, len(spans)))
            low, high = spans[parent][1], spans[parent][2]
            start, end = sorted(int(one) for one in dice.integers(low, high + 1, 2))
            spans.append((parent, start, end))
        row = int(dice.integers(1, len(spans)))
        found = saved(spans, [(row, WHOLE, 0)], (0, 100))
        assert 0 <= found <= spans[row][2] - spans[row][1]
