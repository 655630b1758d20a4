"""A recorded run of Next.js 16 with @vercel/otel in front of FastAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from collector.decoding.decode import Body, decode_traces
from collector.normalise import normalise
from seamscope.config import Rules
from seamscope.schema import words

if TYPE_CHECKING:
    from pathlib import Path

Spans = pl.DataFrame
MS = 1_000_000


@pytest.fixture(scope="module")
def frames(captures: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    files = sorted((captures / "next16-fastapi").glob("*.pb"))
    flat = decode_traces([Body(file.read_bytes(), "protobuf", "traces") for file in files])
    made = normalise(flat, np.ones(len(flat.spans.span_id), np.bool_), Rules())
    spans = pl.DataFrame(pl.from_arrow(made["spans"]))
    resources = pl.DataFrame(pl.from_arrow(made["resources"]))
    coded = {"role": words.ROLES, "extent": words.EXTENTS, "tier_hint": words.TIERS, "kind": words.SPAN_KINDS}
    spelled = [
        pl.col(column).replace_strict(list(range(len(vocabulary))), list(vocabulary), return_dtype=pl.String)
        for column, vocabulary in coded.items()
    ]
    return spans.with_columns(spelled), resources


def _only(frame: Spans, **values: str) -> Spans:
    for column, value in values.items():
        frame = frame.filter(pl.col(column) == value)
    return frame


def test_resources(frames: tuple[Spans, Spans]) -> None:
    columns = ("service", "tier", "pooled", "language")
    rows = set(frames[1].select(columns).iter_rows())
    render, origin = words.code(words.TIERS, "render"), words.code(words.TIERS, "origin")
    assert rows == {("edge-web", render, True, "nodejs"), ("origin-api", origin, False, "python")}


def test_the_page_is_a_child_of_the_pass_that_ran_the_middleware(frames: tuple[Spans, Spans]) -> None:
    spans = frames[0]
    pages = _only(spans, name="GET /dash", scope="next.js", kind="server")
    assert len(pages) > 0
    assert set(pages["role"]) == {"request"}
    assert set(pages["extent"]) == {"body"}
    assert set(pages["operation"]) == {"GET /dash"}
    parents = spans.join(pages, left_on="span_id", right_on="parent_id", how="semi")
    assert set(parents["extent"]) == {"handler"}
    assert set(parents["name"]) == {"GET"}


def test_calls(frames: tuple[Spans, Spans]) -> None:
    calls = _only(frames[0], scope="@vercel/otel/fetch")
    assert set(calls["role"]) == {"fetch"}
    assert set(calls["extent"]) == {"body"}
    assert set(calls["operation"]) <= {"GET /v1/me", "GET /v1/org", "GET /v1/announcements"}
    assert set(zip(calls["peer"], calls["peer_port"], strict=True)) == {("127.0.0.1", 8099)}
    duration = calls["end_ns"] - calls["start_ns"]
    # Date.now() on both sides: up to a millisecond off
    assert ((calls["first_byte_ns"] - duration) <= 1 * MS).all()
    assert calls["first_byte_ns"].null_count() == 0


def test_servers(frames: tuple[Spans, Spans]) -> None:
    spans = frames[0]
    servers = _only(spans, scope="opentelemetry.instrumentation.fastapi", kind="server")
    assert set(servers["operation"]) == {"GET /v1/{name}"}
    assert set(servers["extent"]) == {"body"}
    sends = _only(spans, scope="opentelemetry.instrumentation.fastapi", kind="internal")
    assert sends["role"].value_counts().sort("role").rows() == [
        ("body", len(servers)),
        ("first_byte", len(servers)),
    ]


def test_clocks(frames: tuple[Spans, Spans]) -> None:
    spans = frames[0].with_columns(is_script=pl.col("scope").is_in(["next.js", "@vercel/otel/fetch"]))
    assert set(spans.filter("is_script")["grain_ns"]) == {MS}
    assert set(spans.filter(~pl.col("is_script"))["grain_ns"]) == {1}


def test_the_middleware_is_at_the_edge_and_the_rest_renders(frames: tuple[Spans, Spans]) -> None:
    spans = _only(frames[0], scope="next.js")
    middleware = _only(spans, role="middleware")
    assert len(middleware) > 0
    assert set(middleware["tier_hint"]) == {"edge"}
    assert set(spans.filter(pl.col("role") != "middleware")["tier_hint"]) == {"render"}


def test_cold_start_evidence(frames: tuple[Spans, Spans]) -> None:
    loads = _only(frames[0], role="module_load")
    assert {"load instrumentation module", "register instrumentation", "load route module"} <= set(loads["name"])
