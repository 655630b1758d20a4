"""Attempts that were given up, and sent again."""

from __future__ import annotations

from typing import Any

import pytest

from seamscope.schema import words

Traces = Any
ERROR = words.code(words.STATUSES, "error")
SEAM = "origin:api→origin:orders"


def attempts(
    traces: Traces, *, again: float = 62, failed: bool = True, operation: str = "GET /v1", **server: Any
) -> Any:
    """A handler whose first call to orders ends at 60; a second one of `operation` follows from `again` to 80."""
    traces.span("GET /", "server", "api", 0, 100, extent="handler")
    given_up = {"status": ERROR} if failed else {}
    traces.span(
        "first", "client", "api", 10, 60, "GET /", peer="orders", operation="GET /v1", extent="body", **given_up
    )
    traces.span("second", "client", "api", again, 80, "GET /", peer="orders", operation=operation, extent="body")
    for name, client, start, end in (
        ("hangs", "first", *server.get("hangs", (20, 300))),
        ("answers", "second", 64, 78),
    ):
        traces.span(name, "server", "orders", start, end, client, extent="handler")
    return traces.told()


def test_a_call_that_failed_and_was_sent_again_is_its_callers_retry(traces: Traces) -> None:
    told = attempts(traces)
    assert told.brief() == [
        ("origin:api", "compute", 10),
        ("origin:api", "retry", 50),
        ("origin:api", "compute", 2),
        (SEAM, "unexplained", 2),
        ("origin:orders", "compute", 14),
        (SEAM, "unexplained", 2),
        ("origin:api", "compute", 20),
    ]
    assert {piece.evidence for piece in told.path() if piece.cause == "retry"} == {"bounded"}


def test_what_the_server_did_for_it_was_in_vain(traces: Traces) -> None:
    told = attempts(traces, hangs=(20, 50))
    assert ("origin:api", "retry", 50) in told.brief()
    assert sum(ms for owner, _, ms in told.brief() if owner == "origin:orders") == 14


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"failed": False}, id="it did not fail"),
        pytest.param({"again": 40}, id="the other ran beside it"),
        pytest.param({"operation": "GET /v2"}, id="the other asked for something else"),
    ],
)
def test_nothing_else_is_a_retry(traces: Traces, change: dict[str, Any]) -> None:
    told = attempts(traces, hangs=(20, 50), **change)
    assert "retry" not in {cause for _, cause, _ in told.brief()}


def test_measured_phases_of_a_given_up_attempt_stay(traces: Traces) -> None:
    traces.span("GET /", "server", "api", 0, 100, extent="handler")
    more = {"peer": "orders", "operation": "GET /v1", "extent": "body"}
    traces.span("first", "client", "api", 10, 60, "GET /", status=ERROR, **more)
    traces.span("dns", "internal", "api", 12, 40, "first", role="dns")
    traces.span("second", "client", "api", 60, 80, "GET /", **more)
    told = traces.told().brief()
    assert [(cause, ms) for _, cause, ms in told if cause in {"dns", "retry"}] == [
        ("retry", 2),
        ("dns", 28),
        ("retry", 20),
    ]
