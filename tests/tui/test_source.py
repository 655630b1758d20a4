"""The store behind the explorer: found, read, let go, found again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from seamscope.commands.tui_ import write_html, write_json
from seamscope.errors import SeamscopeError, StoreError
from seamscope.results import Selection
from seamscope.selection.predicate import EVERY_ENVIRONMENT
from seamscope.store import Store
from tests.tui.driving import drive, press, screen_text, until
from tests.tui.fakes import detail, request_row
from tui import source as source_module
from tui.app import Explorer, Look
from tui.picture import picture
from tui.screens.totals import narrowed
from tui.source import BY, ORDERS, StoreSource

if TYPE_CHECKING:
    from textual.pilot import Pilot


@pytest.fixture
def source(store_path: Path) -> StoreSource:
    return StoreSource(str(store_path), {"json": write_json, "html": write_html})


def test_reads_what_the_screens_ask_for(source: StoreSource) -> None:
    chosen, _ = source.settle(Selection())
    rows = source.page(chosen, order="newest", limit=10, other=False)
    assert len(rows) == 10
    further = source.page(chosen, order="newest", limit=10, other=False, before=rows[-1])
    assert further[0].start_ns <= rows[-1].start_ns
    assert {row.request_id for row in rows}.isdisjoint(row.request_id for row in further)
    found = source.detail(rows[0].request_id)
    drawn = next(row for row in found.waterfall if row.span_id)
    assert source.span(drawn.trace_id, str(drawn.span_id), drawn.span_kind).name == drawn.name
    assert source.live is False
    source.close()


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_is_known(source: StoreSource, order: str) -> None:
    assert source.page(Selection(), order=order, limit=5, other=True)


@pytest.mark.parametrize("by", BY)
def test_every_grouping_is_known(source: StoreSource, by: str) -> None:
    assert source.report(Selection(), by=by, at="mean", other=False).by == by


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("line", ["", "route:/ seam:*"])
def test_a_group_that_is_opened_lists_the_requests_it_was_made_of(source: StoreSource, by: str, line: str) -> None:
    whole = Selection(line, environment=EVERY_ENVIRONMENT)
    for group in source.report(whole, by=by, at="mean", other=False).groups:
        opened = narrowed(whole, by, group.key)
        assert len(source.page(opened, order="newest", limit=10_000, other=False)) == group.requests


@pytest.mark.parametrize("line", ["kind:other", "kind=other", "kind==other"])
def test_the_list_has_requests_of_kind_other_when_asked_for(source: StoreSource, line: str) -> None:
    asked = Selection(line, environment=EVERY_ENVIRONMENT)
    (listed, everything) = (source.page(asked, order="newest", limit=10_000, other=other) for other in (False, True))
    assert listed == everything
    assert listed


def test_a_file_is_let_go_while_nothing_is_asked(
    store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "IDLE_SECONDS", 0.0)
    path = Path(shutil.copy(store_path, tmp_path / "mine.duckdb"))
    source = StoreSource(str(path))
    assert source.page(Selection(), order="newest", limit=1, other=True)
    assert source.moved()
    source.rest()
    assert not source.moved()
    Store.open(path).close()
    path.touch()
    assert source.moved()
    assert source.page(Selection(), order="newest", limit=1, other=True)
    source.close()


def test_no_store_is_said_and_found_when_it_comes(store_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "later.duckdb"
    source = StoreSource(str(path))
    with pytest.raises(StoreError, match=r"later\.duckdb"):
        source.page(Selection(), order="newest", limit=1, other=True)
    shutil.copy(store_path, path)
    assert source.moved()
    assert source.page(Selection(), order="newest", limit=1, other=True)
    source.close()


def test_writes_a_request(source: StoreSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    row = source.page(Selection(), order="slowest", limit=1, other=False)[0]
    document = json.loads(Path(source.export(row.request_id, "json")).read_text(encoding="utf-8"))
    assert document["request_id"] == row.request_id
    assert "<html" in Path(source.export(row.request_id, "html")).read_text(encoding="utf-8")
    with pytest.raises(SeamscopeError, match="cannot write pdf"):
        source.export(row.request_id, "pdf")


def test_no_two_requests_share_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = StoreSource("absent.duckdb", {"json": write_json})
    monkeypatch.setattr(source, "detail", lambda asked: detail(request_row(0, request_id=asked)))
    requests = [f"{trace:032x}-{entry:016x}" for trace in (1, 2) for entry in (1, 2)]
    written = [source.export(request, "json") for request in requests]
    assert [json.loads(Path(path).read_text(encoding="utf-8"))["request_id"] for path in written] == requests


def test_the_explorer_over_a_real_store(store_path: Path) -> None:
    app = Explorer(StoreSource(str(store_path)), Selection(filter="route:/dash kind:page"))

    async def script(pilot: Pilot[int]) -> None:
        await until(pilot, lambda: "GET /dash" in screen_text(pilot))
        await press(pilot, "enter")
        await until(pilot, lambda: "path to shell" in screen_text(pilot) and "origin-api" in screen_text(pilot))
        assert "origin:origin-api compute" in screen_text(pilot)

    drive(app, script)


def test_a_picture_is_the_same_twice(store_path: Path) -> None:
    def drawn() -> str:
        return picture(StoreSource(str(store_path)), ("enter",), (120, 30), Look(), Selection())

    first = drawn()
    assert first == drawn()
    assert "path" in first
