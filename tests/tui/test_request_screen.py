"""One request: its verdict, ribbons, waterfall, tables and pane, and what every key does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from seamscope.errors import SeamscopeError, StoreError
from tests.tui.driving import drive, explorer, press, screen_lines, screen_text, settle, until
from tests.tui.fakes import FakeSource, big_detail, detail, request_row, shop, span_id, trace_id
from tui.screens.request import RequestScreen
from tui.widgets.find_bar import FindBar
from tui.widgets.path_ribbons import PathRibbons
from tui.widgets.span_pane import SpanPane
from tui.widgets.tables import HopTable, OddList, SegmentTable
from tui.widgets.waterfall import Waterfall

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from tests.tui.driving import Script


def on_request(script: Script, source: FakeSource | None = None, size: tuple[int, int] = (160, 45)) -> None:
    """Run a script with a request open."""

    async def opened(pilot: Pilot[int]) -> None:
        await press(pilot, "enter")
        await until(pilot, lambda: shown(pilot).detail is not None)
        await settle(pilot)
        await script(pilot)

    drive(explorer(source or shop()), opened, size)


def shown(pilot: Pilot[int]) -> RequestScreen:
    screen = pilot.app.screen
    assert isinstance(screen, RequestScreen)
    return screen


def waterfall(pilot: Pilot[int]) -> Waterfall:
    return shown(pilot).query_one(Waterfall)


def row_name(pilot: Pilot[int]) -> str:
    current = waterfall(pilot).current
    assert current is not None
    return current.name


def test_says_what_it_was_and_who_held_it() -> None:
    async def script(pilot: Pilot[int]) -> None:
        lines = screen_lines(pilot)
        assert lines[0].split()[:3] == ["GET", "/api/search", "200"]
        assert lines[0].rstrip().endswith("2025-12-01 12:01:17.290Z")
        assert f"trace {trace_id(59)} and 1 joined trace  14 spans  id req-000059  final" in lines[1]
        assert lines[2].startswith(" shell 144 ms measured: ■ 28 % data:postgres/app query 41.0 ms ●")
        assert "+ 6 more causes" in lines[3]
        assert lines[4].startswith(" 1 waterfall 17  2 segments 13  3 hops 4  4 odd 3  5 logs 5")
        assert lines[5].startswith(" path to shell")
        assert "144 ms" in lines[5]

    on_request(script)


def test_draws_spans_seams_marks_and_asynchronous_work() -> None:
    async def script(pilot: Pilot[int]) -> None:
        text = screen_text(pilot)
        assert "⇄ render:edge-web→origin:orders" in text
        assert "⇢ process mail" in text
        assert "✗ GET /v1/recommendations" in text
        assert "▲ clock ahead" in text
        assert "◆" in text
        assert "▾ " in text
        assert "▴" in text
        assert "╌╌╌" in text

    on_request(script)


def test_what_is_on_the_path_is_drawn_on_its_row() -> None:
    async def script(pilot: Pilot[int]) -> None:
        held = waterfall(pilot).path
        assert held is not None
        names = [shown(pilot).detail.waterfall[row].name for row in held.rows]  # type: ignore[union-attr]
        assert "SELECT orders" in names
        assert "render:edge-web→origin:orders" in names
        assert "serialise" not in names
        assert sum(s.end_ns - s.start_ns for s in held.segments) == 144_000_000

    on_request(script)


def test_the_other_horizon() -> None:
    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, "s")
        assert "complete 340 ms bounded:" in screen_text(pilot)
        assert "2 segments 18" in screen_text(pilot)
        await press(pilot, "s")
        assert "shell 144 ms measured:" in screen_text(pilot)

    on_request(script)


def test_an_unknown_horizon_is_not_a_zero() -> None:
    source = shop(1)
    source.whole = detail()
    source.whole = replace(
        source.whole,
        row=replace(source.whole.row, shell_ns=None),
        segments={"shell": (), "complete": source.whole.segments["complete"]},
        by_cause={"shell": (), "complete": source.whole.by_cause["complete"]},
        shell_evidence=None,
    )

    async def script(pilot: Pilot[int]) -> None:
        assert shown(pilot).horizon == "complete"
        await press(pilot, "s", "2")
        assert "shell is not known" in screen_text(pilot)
        assert "This horizon is not known, so it has no segments" in screen_text(pilot)

    on_request(script, source)


def test_folds_and_unfolds() -> None:
    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, *"jjj", "space")
        assert waterfall(pilot).count == 12
        assert "▸ fetch GET" in screen_text(pilot)
        await press(pilot, "l")
        assert waterfall(pilot).count == 17
        await press(pilot, "l")
        assert row_name(pilot).startswith("render:edge-web→")
        await press(pilot, "h", "h")
        assert waterfall(pilot).count == 13
        assert row_name(pilot).startswith("fetch GET")
        await press(pilot, "L", "H")
        assert waterfall(pilot).count == 3
        await press(pilot, "L")
        assert waterfall(pilot).count == 17

    on_request(script)


def test_h_goes_to_the_parent_from_a_leaf() -> None:
    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, "j", "h")
        assert row_name(pilot) == "GET /dash"

    on_request(script)


def test_n_and_p_walk_the_path_even_where_it_is_folded() -> None:
    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, "H", *"nnnnnnnn")
        ribbons = shown(pilot).query_one(PathRibbons)
        assert ribbons.segment is not None
        assert ribbons.segment.cause == "compute"
        assert row_name(pilot) == "GET /v1/orders"
        assert "▲ compute 12.0 ms, measured" in screen_text(pilot)
        await press(pilot, "p")
        assert row_name(pilot) == "render:edge-web→origin:orders"
        await press(pilot, *"ppppppp")
        assert row_name(pilot) == "render route (app) /dash"

    on_request(script)


def test_a_stretch_without_a_span_moves_the_pointer_alone() -> None:
    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, "s", "p")
        segment = shown(pilot).query_one(PathRibbons).segment
        assert segment is not None
        assert segment.span_id is None
        assert row_name(pilot) == "GET /dash"

    on_request(script)


def test_path_only() -> None:
    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, "c")
        text = screen_text(pilot)
        assert "serialise" not in text
        assert "SELECT orders" in text
        assert "path only: c shows all" in text
        await press(pilot, "s")
        assert "GET /v1/recommendations" in screen_text(pilot)
        await press(pilot, "c")
        assert "serialise" in screen_text(pilot)

    on_request(script)


def test_zoom_spreads_a_span_over_the_width() -> None:
    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, *"jjj", "z")
        axis = waterfall(pilot).axis
        assert (axis.start_ns, axis.end_ns) == (11_500_000, 133_000_000)
        assert shown(pilot).query_one(PathRibbons).axis == axis
        await press(pilot, "escape")
        assert (waterfall(pilot).axis.start_ns, waterfall(pilot).axis.end_ns) == (0, 340_000_000)
        await press(pilot, "Z")
        assert waterfall(pilot).axis.end_ns == 144_000_000

    on_request(script)


def test_finds_spans() -> None:
    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, "slash", *"orders")
        assert row_name(pilot).startswith("fetch GET")
        await press(pilot, "enter")
        assert row_name(pilot) == "render:edge-web→origin:orders"
        await press(pilot, "escape")
        assert shown(pilot).focused is waterfall(pilot)
        await press(pilot, "escape")
        assert waterfall(pilot).needle == ""
        await press(pilot, "slash", *"nowhere", "enter")
        assert "not found" in screen_text(pilot)

    on_request(script)


def test_the_pane_shows_all_that_is_known_of_a_span() -> None:
    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, "j", "j")
        await until(pilot, lambda: "AppRender.fetch" in screen_text(pilot))
        text = screen_text(pilot)
        assert "render:edge-web" in text
        assert f"span         {span_id(2)}" in text
        assert "next.span_type AppRender.fetch" in text
        assert "exception.type TimeoutError" in text
        assert "scope        @vercel/otel 2.1.0" in text
        assert "resource 2" in text

    on_request(script)


def test_the_pane_shows_a_seam_with_its_legs_and_phases() -> None:
    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, *"jjjj")
        text = screen_text(pilot)
        assert "what the client saw and the server did not" in text
        assert "gap          39.5 ms, measured" in text
        assert "there        34.5 ms ± 400 µs" in text
        assert "connection   opened for this call" in text
        assert "tls          17.0 ms" in text

    on_request(script)


def test_searches_the_pane() -> None:
    async def script(pilot: Pilot[int]) -> None:
        await until(pilot, lambda: "AppRender.fetch" in screen_text(pilot))
        await press(pilot, "enter")
        pane = shown(pilot).query_one(SpanPane)
        assert pane.has_focus
        await press(pilot, "slash", *"status_code", "enter")
        assert [line.label for line in pane.lines_drawn if line.label] == ["attributes", "http.response.status_code"]
        assert not shown(pilot).query_one(FindBar).display
        await press(pilot, "escape")
        assert pane.needle == ""
        await press(pilot, "tab")
        assert waterfall(pilot).has_focus

    on_request(script)


@pytest.mark.parametrize(
    ("key", "table", "words"),
    [
        ("2", SegmentTable, ["from ms", "17.0 ms", "12 %", "● measured"]),
        ("3", HopTable, ["phases of the gap", "39.5 ms", "dns 1.20 ms", "no server span"]),
        ("4", OddList, ["lost_parent", "two spans name a parent", "asynchronous work"]),
    ],
)
def test_tables(key: str, table: type[SegmentTable], words: list[str]) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, key)
        assert shown(pilot).query_one(table).has_focus
        text = screen_text(pilot)
        for word in words:
            assert word in text
        await press(pilot, "1")
        assert waterfall(pilot).has_focus

    on_request(script)


def test_tables_lead_the_pane() -> None:
    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, "3", "j")
        assert row_name(pilot) == "SELECT orders"
        await press(pilot, "2", "j", "j")
        assert row_name(pilot).startswith("fetch GET")
        assert "▲ pool_wait" in screen_text(pilot)
        await press(pilot, "4")
        assert row_name(pilot) == "clock ahead"

    on_request(script)


def test_the_list_can_be_walked_from_inside() -> None:
    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, "right_square_bracket")
        await until(pilot, lambda: shown(pilot).detail is not None)
        assert shown(pilot).request_id.startswith(trace_id(58))
        await press(pilot, "left_square_bracket", "left_square_bracket")
        await until(pilot, lambda: shown(pilot).detail is not None)
        assert shown(pilot).request_id.startswith(trace_id(59))

    on_request(script)


@pytest.mark.parametrize("view", "15")
def test_nothing_of_a_request_stands_under_the_name_of_another_that_cannot_be_read(view: str) -> None:
    source = shop()

    async def script(pilot: Pilot[int]) -> None:
        await until(pilot, lambda: "AppRender.fetch" in screen_text(pilot))
        await press(pilot, view)
        source.broken = StoreError("the collector has gone", "seamscope collect starts one")
        await press(pilot, "right_square_bracket", "n", "c", "z", "slash", *"render", "enter", "escape")
        await until(pilot, lambda: "the collector has gone" in screen_text(pilot))
        assert trace_id(58) in screen_text(pilot)
        text = screen_text(pilot)
        assert [word for word in ("AppRender", "orders", "stock", "outlives", "No ") if word in text] == []
        source.broken = None
        await press(pilot, "r", view)
        assert len(waterfall(pilot).rows) == len(detail().waterfall)

    on_request(script, source)


def test_copies_span_and_trace_ids() -> None:
    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, "j", "y")
        assert pilot.app.clipboard == span_id(11)
        await press(pilot, "Y")
        assert pilot.app.clipboard == trace_id(59)

    on_request(script)


def test_exports() -> None:
    source = shop()

    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, "x")
        assert ("export", source.rows[59].request_id, "html") in source.asked
        assert "wrote request-" in screen_text(pilot)
        source.broken = SeamscopeError("the disk is full", "make room")  # type: ignore[assignment]
        await press(pilot, "X")
        assert "the disk is full; make room" in screen_text(pilot)

    on_request(script, source)


def test_a_request_that_has_gone_says_so() -> None:
    source = shop()

    async def script(pilot: Pilot[int]) -> None:
        source.rows.clear()
        await press(pilot, "r")
        text = screen_text(pilot)
        assert "no request" in text
        assert "r tries again, q goes back" in text

    on_request(script, source)


def test_a_span_that_cannot_be_read_says_so_in_its_pane() -> None:
    source = shop()

    async def script(pilot: Pilot[int]) -> None:
        await until(pilot, lambda: "AppRender.fetch" in screen_text(pilot))
        source.broken = StoreError("the collector has gone")
        await press(pilot, "j")
        await until(pilot, lambda: "the collector has gone" in screen_text(pilot))

    on_request(script, source)


def test_a_narrow_screen_has_the_pane_below_on_request() -> None:
    async def script(pilot: Pilot[int]) -> None:
        pane = shown(pilot).query_one(SpanPane)
        assert pane.region.width == 0
        await press(pilot, "enter")
        assert pane.region.width == 80
        assert pane.region.y > waterfall(pilot).region.y
        await press(pilot, "d")
        assert pane.region.height == 0
        assert "? Help" in screen_lines(pilot)[-1]

    on_request(script, size=(80, 24))


def test_a_hundred_thousand_spans_open_and_scroll() -> None:
    source = FakeSource(rows=[request_row(0)], whole=big_detail(100_000))

    async def script(pilot: Pilot[int]) -> None:
        assert waterfall(pilot).count == 100_000
        await press(pilot, "G")
        assert "step 99999" in screen_text(pilot)
        await press(pilot, "pageup", "g", "H")
        assert waterfall(pilot).count < 100_000
        await press(pilot, "L", "c")
        assert waterfall(pilot).count == 1
        await press(pilot, "c", "slash", *"step 77777")
        assert row_name(pilot) == "step 77777"
        assert "step 77777" in screen_text(pilot)

    on_request(script, source)
