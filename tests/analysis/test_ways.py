"""The way between two sides: what every call of a pair pays alike, and not what their programs take over each."""

from __future__ import annotations

from typing import Any

import pytest

Traces = Any
CALLS = 40


def calls(traces: Traces, there: Any, back: Any) -> Any:
    """Calls that reach their server after `there` ms and hear from it after `back`, by call."""
    traces.service("web", "render")
    traces.service("api")
    for at in range(CALLS):
        begin, first = 400.0 * at, 400.0 * at + 1 + there(at)
        over = first + 10 + back(at)
        traces.span("GET /", "server", "web", begin, over + 1, trace=at + 1)
        traces.span("call", "client", "web", begin + 1, over, "GET /", trace=at + 1, extent="body")
        traces.span("answer", "server", "api", first, first + 10, "call", trace=at + 1)
    return traces.told()


def spread(least: float, width: float) -> Any:
    """Times from `least` on, evenly `width` wide."""
    return lambda at: least + width * (at * 17 % CALLS) / CALLS


@pytest.mark.parametrize("times", [0.1, 1, 3])
def test_a_way_that_every_call_pays_alike_is_network(many: Any, times: float) -> None:
    told = calls(many(), spread(20 * times, times), spread(20 * times, times))
    for hop in told.hops():
        assert hop["network"] == pytest.approx(2 * 19.7 * times, abs=0.1 * times)
    assert statistic(told) == (
        f"the fastest tenth of 40 calls needs at least {20.075 * times:.3g} ms each way, "
        f"and the usual one at least {0.4 * times:.3g} ms more"
    )


@pytest.mark.parametrize("times", [0.1, 1, 3])
def test_what_varies_as_much_as_it_takes_is_no_way(many: Any, times: float) -> None:
    """A busy program takes 2 to 10 ms over a call, at both ends: no network is told of it, at no pace."""
    told = calls(many(), spread(2 * times, 8 * times), spread(2 * times, 9 * times))
    assert {hop["network"] for hop in told.hops()} == {None}


def test_the_direction_that_varies_less_shows_the_way(many: Any) -> None:
    """An answer whose end is told late varies, and so does not what went there."""
    told = calls(many(), spread(20, 1), spread(20, 60))
    assert {round(hop["network"]) for hop in told.hops()} == {39}


def test_no_leg_is_given_more_than_the_lesser_of_both(many: Any) -> None:
    told = calls(many(), spread(20, 1), spread(2, 0.1))
    assert {round(hop["network"]) for hop in told.hops()} == {4}
    assert "needs at least 2.01 ms each way, and the usual one at least 0.04 ms more" in statistic(told)


def statistic(told: Any) -> str:
    (text,) = set(told.results["inferences"]["statistic"].to_list())
    return str(text)
