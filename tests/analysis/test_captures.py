"""Recorded Next.js 16 in front of FastAPI: what a person would say of these traces, the desk says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from analysis import Results, analyse
from collector.files import iter_bodies
from collector.ingest import ingest
from seamscope.schema import words

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MS = 1_000_000


@pytest.fixture(scope="module")
def frames(captures: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    bodies = [body for file in sorted((captures / "next16-fastapi").glob("*.pb")) for body in iter_bodies(file)]
    tables = ingest(bodies).tables
    return pl.DataFrame(tables["spans"]), pl.DataFrame(tables["resources"])


@pytest.fixture(scope="module")
def results(frames: tuple[pl.DataFrame, pl.DataFrame]) -> Results:
    return analyse(*frames)


def dashes(results: Results) -> pl.DataFrame:
    page = words.code(words.REQUEST_KINDS, "page")
    return results["requests"].filter((pl.col("route") == "GET /dash") & (pl.col("kind") == page))


def test_everything_is_a_request_and_segments_sum(results: Results) -> None:
    assert results["requests"].height == 39
    for code, horizon in enumerate(words.HORIZONS):
        summed = (
            results["segments"]
            .filter(pl.col("horizon") == code)
            .group_by("request_no")
            .agg(total=(pl.col("end_ns") - pl.col("start_ns")).sum())
        )
        known = (
            results["requests"].filter(pl.col(f"{horizon}_ns").is_not_null()).join(summed, on="request_no", how="left")
        )
        assert (known.get_column(f"{horizon}_ns") == known.get_column("total")).all()


def test_a_page_is_its_render_not_its_four_millisecond_root(results: Results) -> None:
    pages = dashes(results)
    assert pages.height == 15
    assert pages.get_column("shell_ns").is_between(140 * MS, 285 * MS).all()
    assert pages.get_column("complete_ns").is_between(440 * MS, 570 * MS).all()
    measured = words.code(words.EVIDENCE, "measured")
    assert (pages.get_column("shell_evidence") == measured).all()
    assert (pages.get_column("complete_evidence") == measured).all()


def test_the_serial_fetches_hold_the_shell_and_the_suspended_one_the_end(
    results: Results, frames: tuple[pl.DataFrame, pl.DataFrame]
) -> None:
    operations = frames[0].select(call_id="span_id", operation="operation")
    called = results["segments"].join(operations, on="call_id").join(dashes(results), on="request_no", how="semi")
    held = called.group_by("request_no", "horizon").agg(pl.col("operation").unique(maintain_order=True))
    told = dict.fromkeys([(row[1], tuple(row[2])) for row in held.rows()])
    assert set(told) == {
        (0, ("GET /v1/me", "GET /v1/org")),
        (1, ("GET /v1/me", "GET /v1/org", "GET /v1/announcements")),
    }


def test_the_origin_computes_most_of_it(results: Results) -> None:
    owners = dict(results.owners.select("owner_no", "owner").rows())
    pages = dashes(results)
    assert {owners[number] for number in pages.get_column("dominant_owner_no")} == {"origin:origin-api"}
    assert set(pages.get_column("dominant_cause")) == {words.code(words.CAUSES, "compute")}


def test_module_loads_are_kept_apart(results: Results) -> None:
    others = results["requests"].filter(pl.col("kind") == words.code(words.REQUEST_KINDS, "other"))
    assert set(others.get_column("route")) == {
        "load instrumentation module",
        "load route module",
        "register instrumentation",
    }


def test_healthy_traffic_gives_no_warning_and_no_negative_phase(results: Results) -> None:
    assert results["warnings"].height == 0
    hops = results["hops"]
    numbers = [name for name in hops.columns if name.endswith("_ns")]
    assert hops.filter(pl.any_horizontal(pl.col(numbers) < 0)).height == 0
    assert hops.height == 60
    assert hops.get_column("server_span_id").gt(0).all()


def test_renamed_services_move_no_time(
    results: Results, frames: tuple[pl.DataFrame, pl.DataFrame], check_same: Callable[[Results, Results], None]
) -> None:
    spans, resources = frames
    renamed = resources.with_columns(service=pl.col("service").replace({"edge-web": "a", "origin-api": "b"}))
    check_same(results, analyse(spans, renamed))


@pytest.mark.parametrize("factor", [0.5, 3])
def test_slower_and_faster_clocks_tell_the_same_story(
    results: Results, frames: tuple[pl.DataFrame, pl.DataFrame], factor: float
) -> None:
    spans, resources = frames
    base = spans.select(pl.col("start_ns").min()).item()
    times = [(base + ((pl.col(name) - base) * factor).cast(pl.Int64)).alias(name) for name in ("start_ns", "end_ns")]
    lengths = [(pl.col("first_byte_ns") * factor).cast(pl.Int64)]
    grain = [(pl.col("grain_ns") * factor).cast(pl.UInt32)]
    scaled = analyse(spans.with_columns(*times, *lengths, *grain), resources)
    for name in ("kind", "route", "dominant_cause"):
        assert scaled["requests"].get_column(name).to_list() == results["requests"].get_column(name).to_list()


@pytest.fixture
def check_same() -> Callable[[Results, Results], None]:
    def check(one: Results, other: Results) -> None:
        columns: list[Any] = ["request_no", "horizon", "start_ns", "end_ns", "cause", "evidence", "span_id"]
        assert one["segments"].select(columns).equals(other["segments"].select(columns))

    return check


def test_a_redirect_of_the_proxy_is_not_a_render(results: Results) -> None:
    requests = results["requests"]
    answered = requests.filter(pl.col("route") == "GET /dash (middleware)")
    assert answered.height == 3
    assert (answered.get_column("complete_ns") < 5 * MS).all()
    rendered = requests.filter(pl.col("route") == "GET /dash")
    assert rendered.height == 15
    assert rendered.get_column("complete_ns").is_between(300 * MS, 600 * MS).all()
