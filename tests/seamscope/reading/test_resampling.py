"""Two sets compared: what adds up, what is mix and what is rate, and how sure the difference is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seamscope.reading.resampling import LEAST, Blocks, compare, dealt, shares_apart
from seamscope.score.summary import Rate


def blocks(requests: list[list[int]], sums: list[list[list[int]]]) -> Blocks:
    return Blocks(np.array(requests, np.int64), np.array(sums, np.int64))


@pytest.mark.parametrize(
    ("first", "second", "mix", "rate"),
    [
        pytest.param(([10, 0], [100, 0]), ([10, 0], [150, 0]), 0, 5, id="one route became slower: rate"),
        pytest.param(([9, 1], [90, 100]), ([1, 9], [10, 900]), 72, 0, id="more of the slow route: mix"),
        pytest.param(([10, 0], [100, 0]), ([5, 5], [50, 500]), 45, 0, id="a new route is mix"),
        pytest.param(([5, 5], [50, 500]), ([10, 0], [100, 0]), -45, 0, id="a route that is gone is mix"),
    ],
)
def test_mix_and_rate(
    first: tuple[list[int], list[int]], second: tuple[list[int], list[int]], mix: float, rate: float
) -> None:
    one, other = (blocks([requests], [[[ns] for ns in sums]]) for requests, sums in (first, second))
    compared = compare(one, other)
    assert compared.mix_ns[0] == pytest.approx(mix)
    assert compared.rate_ns[0] == pytest.approx(rate)


@given(
    arrays(np.int64, (4, 3), elements=st.integers(1, 9)),
    arrays(np.int64, (4, 3), elements=st.integers(1, 9)),
    arrays(np.int64, (4, 3, 2), elements=st.integers(0, 10**12)),
    arrays(np.int64, (4, 3, 2), elements=st.integers(0, 10**12)),
)
def test_parts_sum_to_the_means_and_mix_and_rate_to_the_difference(
    requests_a: np.ndarray, requests_b: np.ndarray, sums_a: np.ndarray, sums_b: np.ndarray
) -> None:
    compared = compare(Blocks(requests_a, sums_a), Blocks(requests_b, sums_b))
    assert int(compared.first_ns.sum()) == int(sums_a.sum()) // int(requests_a.sum())
    assert int(compared.second_ns.sum()) == int(sums_b.sum()) // int(requests_b.sum())
    moved = sums_b.sum((0, 1)) / requests_b.sum() - sums_a.sum((0, 1)) / requests_a.sum()
    assert compared.mix_ns + compared.rate_ns == pytest.approx(moved, rel=1e-6, abs=1)


def test_noise_is_within_the_interval_and_a_shift_outside() -> None:
    dice = np.random.default_rng(3)
    noise = dice.integers(90, 110, (2, 200))
    still = [Blocks(np.ones((200, 1), np.int64), one[:, None, None]) for one in noise]
    moved = Blocks(still[1].requests, still[1].sums_ns + 10)
    same, shifted = compare(still[0], still[1]), compare(still[0], moved)
    assert same.interval
    assert shifted.interval
    assert same.interval.low_ns[0] < 0 < same.interval.high_ns[0]
    assert 0 < shifted.interval.low_ns[0] < 10 + same.interval.high_ns[0]


def test_intervals_do_not_change_from_run_to_run() -> None:
    one = blocks([[1]] * LEAST, [[[ns]] for ns in range(LEAST)])
    first, again = (compare(one, one).interval for _ in range(2))
    assert first
    assert again
    assert np.array_equal(first.low_ns, again.low_ns)


@pytest.mark.parametrize(("least", "told"), [(1, False), (LEAST - 1, False), (LEAST, True)])
def test_a_few_requests_on_either_side_tell_no_interval(least: int, *, told: bool) -> None:
    few, many = (blocks([[1]] * count, [[[ns]] for ns in range(count)]) for count in (least, 5 * LEAST))
    assert all((compare(*sides).interval is not None) is told for sides in ((few, many), (many, few)))


def test_rows_are_dealt_out() -> None:
    rows = {"block": [0, 0, 2], "stratum": [0, 0, 1], "part": [-1, 1, -1], "requests": [4, 0, 2], "ns": [9, 7, 9]}
    found = dealt({name: np.array(values) for name, values in rows.items()}, strata=2, parts=2, blocks=3)
    assert found.requests.tolist() == [[4, 0], [0, 2]]
    assert found.sums_ns.tolist() == [[[0, 7], [0, 0]], [[0, 0], [0, 0]]]


@pytest.mark.parametrize(
    ("first", "second", "apart"), [((0, 10), (5, 10), False), ((0, 10), (9, 10), True), ((90, 100), (5, 100), True)]
)
def test_shares_are_apart_when_their_intervals_are(
    first: tuple[int, int], second: tuple[int, int], *, apart: bool
) -> None:
    assert shares_apart(Rate(*first), Rate(*second)) is apart
    assert shares_apart(Rate(*second), Rate(*first)) is apart
