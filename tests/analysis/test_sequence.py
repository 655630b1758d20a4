"""One order for calls, however they came in."""

from __future__ import annotations

import numpy as np

from analysis.sequence import settle_ties


def test_calls_that_start_together_stand_in_the_order_of_their_ids() -> None:
    random = np.random.default_rng(7)
    start = np.repeat(random.integers(0, 50, 40), random.integers(1, 60, 40)).astype(np.int64)
    high, low = random.integers(0, 2**64, (2, start.size), np.uint64)
    high[::3] = high[0]
    low[::6] = low[0]
    span = random.permutation(start.size).astype(np.uint64) << np.uint64(50)
    order = np.argsort(start, kind="stable")
    settle_ties(order, start, high, low, span)
    assert order.tolist() == np.lexsort((span, low, high, start)).tolist()


def test_none_and_one() -> None:
    for size in (0, 1):
        ids = np.zeros(size, np.uint64)
        order = np.arange(size)
        settle_ties(order, np.zeros(size, np.int64), ids, ids, ids)
        assert order.tolist() == list(range(size))
