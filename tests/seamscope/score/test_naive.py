"""The baseline over small traces: self times by hand."""

from __future__ import annotations

import polars as pl

from seamscope.score.naive import naive_sums, self_times

SCHEMA = {
    "trace_id": pl.String,
    "span_id": pl.String,
    "parent_span_id": pl.String,
    "kind": pl.String,
    "role": pl.String,
    "db_system": pl.String,
    "service": pl.String,
    "tier": pl.String,
    "start_ns": pl.Int64,
    "end_ns": pl.Int64,
}


def spans(*rows: tuple[str, str | None, str, str, int, int]) -> pl.DataFrame:
    """(id, parent, kind, service, start, end); a name with `db` is a statement, one with `tls` a handshake."""
    made = [
        (
            "t",
            span,
            parent,
            kind,
            "tls" if "tls" in span else "none",
            "postgresql" if "db" in span else None,
            service,
            "render" if service == "web" else "origin",
            start,
            end,
        )
        for span, parent, kind, service, start, end in rows
    ]
    return pl.DataFrame(made, SCHEMA, orient="row")


def own(frame: pl.DataFrame) -> dict[str, int]:
    return dict(self_times(frame).select("span_id", "self_ns").rows())


def test_overlapping_children_count_once_and_only_inside_their_parent() -> None:
    frame = spans(
        ("a", None, "server", "web", 0, 100),
        ("b", "a", "client", "web", 10, 50),
        ("c", "a", "client", "web", 30, 60),
        ("d", "a", "client", "web", 35, 40),
        ("e", "a", "client", "web", 90, 150),
        ("f", "a", "client", "web", 110, 120),
    )
    assert own(frame) == {"a": 100 - 50 - 10, "b": 40, "c": 30, "d": 5, "e": 60, "f": 10}


def test_a_span_that_ends_before_it_starts_has_no_time() -> None:
    assert own(spans(("a", None, "server", "web", 50, 20), ("b", "a", "internal", "web", 20, 50))) == {"a": 0, "b": 30}


def test_the_caller_is_blamed_for_its_calls() -> None:
    frame = spans(
        ("a", None, "server", "web", 0, 100),
        ("b", "a", "client", "web", 0, 90),
        ("c", "b", "server", "orders", 40, 80),
        ("tls", "b", "internal", "web", 0, 30),
        ("db", "c", "client", "orders", 45, 75),
    )
    traces = pl.DataFrame([(0, "t")], {"no": pl.UInt32, "trace_id": pl.String}, orient="row")
    found = {(owner, cause): ns for _, owner, cause, _, ns in naive_sums(frame, traces).rows()}
    assert found == {
        ("render:web", "compute"): 10,
        ("render:web", "external_call"): 20,
        ("render:web", "tls"): 30,
        ("origin:orders", "compute"): 10,
        ("origin:orders", "query"): 30,
    }
