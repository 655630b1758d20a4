"""The request list: what it shows, how it follows, and what every key does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from seamscope.errors import StoreError
from seamscope.results import Selection
from tests.tui.driving import drive, explorer, press, screen_lines, screen_text, settle, until
from tests.tui.fakes import FakeSource, request_row, shop
from tui.screens.request import RequestScreen
from tui.screens.requests import PAGE, RequestsScreen
from tui.screens.totals import TotalsScreen

if TYPE_CHECKING:
    from textual.pilot import Pilot


def shown(pilot: Pilot[int]) -> RequestsScreen:
    screen = pilot.app.screen
    assert isinstance(screen, RequestsScreen)
    return screen


def test_shows_the_selection_and_its_requests() -> None:
    async def script(pilot: Pilot[int]) -> None:
        lines = screen_lines(pilot)
        assert "./seamscope.duckdb · newest" in lines[0]
        assert lines[0].rstrip().endswith("● live")
        assert "1234 requests  17 failed   shell p50 96.0 ms p95 288 ms p99 341 ms" in lines[1]
        assert "origin:orders compute 41 %" in lines[3]
        assert lines[5].startswith(" 12:01:17.290 GET /api/search")
        assert "143 ms   490 ms" in lines[5]
        assert "pool_wait     render:edge-web" in lines[5]
        assert "? Help" in lines[-1]

    drive(explorer(shop()), script)


def test_marks_what_is_not_final_and_what_is_not_known() -> None:
    source = FakeSource(rows=[request_row(5, shell_ns=None, complete_ns=None, dominant_owner=None, final=False)])

    async def script(pilot: Pilot[int]) -> None:
        line = screen_lines(pilot)[5]
        assert line.count("–") == 2
        assert "~" in line
        assert "not known" in line

    drive(explorer(source), script)


@pytest.mark.parametrize(
    ("keys", "row"),
    [("j", 1), ("jjk", 1), ("G", 59), ("Gg", 0), (["ctrl+d"], 19), (["pagedown", "pageup"], 0), (["down", "down"], 2)],
)
def test_moves(keys: list[str] | str, row: int) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, *keys)
        assert shown(pilot).list.cursor == row

    drive(explorer(shop()), script)


def test_reads_on_at_the_end() -> None:
    async def script(pilot: Pilot[int]) -> None:
        assert shown(pilot).list.count == PAGE
        await press(pilot, "G")
        await until(pilot, lambda: shown(pilot).list.count == 2 * PAGE)
        await press(pilot, "G")
        await until(pilot, lambda: shown(pilot).list.count == 650)

    drive(explorer(shop(650)), script)


def test_new_requests_leave_the_cursor_on_its_request() -> None:
    source = shop()

    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, *"jjj")
        before, line = shown(pilot).list.current, screen_lines(pilot)[8]
        source.rows += [request_row(number) for number in range(60, 64)]
        shown(pilot).poll()
        await until(pilot, lambda: shown(pilot).list.count == 64)
        await settle(pilot)
        assert shown(pilot).list.current == before
        assert screen_lines(pilot)[8] == line

    drive(explorer(source), script)


def test_at_the_top_new_requests_come_in_under_the_cursor() -> None:
    source = shop()

    async def script(pilot: Pilot[int]) -> None:
        source.rows.append(request_row(60))
        shown(pilot).poll()
        await until(pilot, lambda: shown(pilot).list.count == 61)
        assert shown(pilot).list.current == source.rows[-1]

    drive(explorer(source), script)


def test_a_list_that_a_burst_replaced_is_read_on_to_its_end() -> None:
    source = shop()

    async def script(pilot: Pilot[int]) -> None:
        source.rows += [request_row(number) for number in range(60, PAGE + 100)]
        shown(pilot).poll()
        await until(pilot, lambda: shown(pilot).list.count == PAGE)
        await press(pilot, "G")
        await until(pilot, lambda: shown(pilot).list.count == PAGE + 100)

    drive(explorer(source), script)


def test_following_stays_with_the_newest() -> None:
    source = shop()

    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, *"jj", "o", "f")
        assert "● following" in screen_text(pilot)
        assert "newest" in screen_lines(pilot)[0]
        source.rows.append(request_row(60))
        shown(pilot).poll()
        await until(pilot, lambda: shown(pilot).list.count == 61)
        assert shown(pilot).list.cursor == 0

    drive(explorer(source), script)


def test_a_revision_is_drawn_in_place() -> None:
    source = shop()

    async def script(pilot: Pilot[int]) -> None:
        source.rows[-1] = replace(source.rows[-1], status=500, revision=2)
        shown(pilot).poll()
        await until(pilot, lambda: shown(pilot).list.rows[0].status == 500)

    drive(explorer(source), script)


def test_a_hole_above_waits_for_the_user() -> None:
    source = shop()

    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, "G")
        before = shown(pilot).list.current
        source.rows += [request_row(number) for number in range(60, 60 + 2 * PAGE)]
        shown(pilot).poll()
        await until(pilot, lambda: "newer above" in screen_text(pilot))
        assert shown(pilot).list.current == before
        await press(pilot, "g")
        await until(pilot, lambda: shown(pilot).list.current == source.rows[-1])
        assert "newer above" not in screen_text(pilot)

    drive(explorer(source), script)


def test_sorts() -> None:
    source = shop()

    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, "o")
        assert "by slowest" in screen_lines(pilot)[0]
        await press(pilot, *"oo")
        assert shown(pilot).list.rows[0].complete_ns == max(row.complete_ns or 0 for row in source.rows)
        await press(pilot, *"OOO")
        assert shown(pilot).order == "newest"

    drive(explorer(source), script)


def test_other_kinds_are_hidden_until_asked_for() -> None:
    source = FakeSource(rows=[request_row(1), request_row(2, kind="other", route="load module")])

    async def script(pilot: Pilot[int]) -> None:
        assert shown(pilot).list.count == 1
        await press(pilot, "a")
        assert shown(pilot).list.count == 2
        assert "all kinds" in screen_lines(pilot)[0]

    drive(explorer(source), script)


def test_one_environment_is_taken_and_all_are_a_key_away() -> None:
    source = shop()
    source.several = True

    async def script(pilot: Pilot[int]) -> None:
        lines = screen_lines(pilot)
        assert "production" in lines[0]
        assert "environment production only" in lines[1]
        await press(pilot, "e")
        assert "all environments" in screen_lines(pilot)[0]
        await press(pilot, "e")
        assert "· production" in screen_lines(pilot)[0]

    drive(explorer(source), script)


def test_filters_with_completion() -> None:
    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, "slash", *"rou")
        assert "route:" in screen_text(pilot)
        await press(pilot, "tab", *"/da")
        assert "route:'GET /dash'" in screen_text(pilot)
        await press(pilot, *(["backspace"] * 20), *"/dash", "enter")
        assert {row.route for row in shown(pilot).list.rows} == {"GET /dash"}
        assert "/dash" in screen_lines(pilot)[0]
        await press(pilot, "escape")
        assert shown(pilot).list.count == 60

    drive(explorer(shop()), script)


def test_a_filter_that_does_not_parse_says_why_and_stays() -> None:
    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, "slash", *"shell>fast", "enter")
        assert "'fast' is not a duration; write 500ms" in screen_text(pilot)
        assert shown(pilot).wanted.filter == ""
        await press(pilot, "escape")
        assert shown(pilot).focused is shown(pilot).list

    drive(explorer(shop()), script)


def test_a_selection_without_requests_says_what_to_do() -> None:
    async def script(pilot: Pilot[int]) -> None:
        text = screen_text(pilot)
        assert "No request matches" in text
        assert "/ changes the filter, esc clears it" in text

    drive(explorer(shop(), Selection(filter="nowhere")), script)


def test_an_empty_store_says_how_to_fill_it() -> None:
    async def script(pilot: Pilot[int]) -> None:
        text = screen_text(pilot)
        assert "No requests yet" in text
        assert "seamscope collect" in text
        assert "seamscope import FILE" in text

    drive(explorer(FakeSource()), script)


def test_no_store_says_so_and_is_found_when_it_comes() -> None:
    source = FakeSource(broken=StoreError("there is no store at ./seamscope.duckdb", "seamscope collect makes one"))

    async def script(pilot: Pilot[int]) -> None:
        text = screen_text(pilot)
        assert "there is no store at ./seamscope.duckdb" in text
        assert "seamscope collect makes one" in text
        assert "cannot read" in text
        source.broken = None
        source.rows = [request_row(1)]
        shown(pilot).poll()
        await until(pilot, lambda: shown(pilot).list.count == 1)
        await settle(pilot)
        assert "● live" in screen_text(pilot)

    drive(explorer(source), script)


def test_a_collector_that_goes_leaves_what_was_read() -> None:
    source = shop()

    async def script(pilot: Pilot[int]) -> None:
        source.broken = StoreError("the collector at ./seamscope.duckdb has gone")
        shown(pilot).poll()
        await until(pilot, lambda: "out of reach, trying again" in screen_text(pilot))
        assert "the collector at ./seamscope.duckdb has gone" in screen_text(pilot)
        assert shown(pilot).list.count == 60
        source.broken = None
        shown(pilot).poll()
        await until(pilot, lambda: "● live" in screen_text(pilot))

    drive(explorer(source), script)


def test_a_collector_that_stops_leaves_its_file_and_a_word() -> None:
    source = shop()

    async def script(pilot: Pilot[int]) -> None:
        source.live = False
        shown(pilot).poll()
        await until(pilot, lambda: "collector gone: seamscope collect starts one" in screen_text(pilot))
        source.live = True
        shown(pilot).poll()
        await until(pilot, lambda: "● live" in screen_text(pilot))

    drive(explorer(source), script)


def test_something_unforeseen_does_not_end_the_explorer() -> None:
    source = shop()
    source.broken = ZeroDivisionError("nothing to divide")  # type: ignore[assignment]

    async def script(pilot: Pilot[int]) -> None:
        assert "ZeroDivisionError: nothing to divide" in screen_text(pilot)

    drive(explorer(source), script)


def test_horizon_turns_the_head_and_the_list() -> None:
    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, "s")
        assert shown(pilot).list.horizon == "complete"
        assert screen_lines(pilot)[3].lstrip().startswith("■ origin:orders compute")
        await press(pilot, "tab")
        assert shown(pilot).list.horizon == "shell"

    drive(explorer(shop()), script)


def test_copies_the_id_and_nothing_else() -> None:
    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, "y")
        current = shown(pilot).list.current
        assert current is not None
        assert pilot.app.clipboard == current.request_id

    drive(explorer(shop()), script)


def test_refuses_to_copy_what_is_no_id() -> None:
    source = FakeSource(rows=[request_row(1, request_id="\x1b]52;c;ZXZpbA==\x07")])

    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, "y")
        assert pilot.app.clipboard == ""

    drive(explorer(source), script)


def test_opens_by_key_and_by_two_clicks_and_comes_back() -> None:
    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, RequestScreen)
        await press(pilot, "q")
        await pilot.click(offset=(30, 8))
        assert shown(pilot).list.cursor == 3
        await pilot.click(offset=(30, 8), times=2)
        await settle(pilot)
        assert isinstance(pilot.app.screen, RequestScreen)

    drive(explorer(shop()), script)


def test_breakdown_narrows_the_list() -> None:
    source = shop()

    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, "b")
        screen = pilot.app.screen
        assert isinstance(screen, TotalsScreen)
        assert "GET /checkout" not in screen_text(pilot)
        await press(pilot, "b", "p", "s")
        assert "render:edge-web→origin:orders" in screen_text(pilot)
        assert ("report", Selection(), "seam", "p50", False) in source.asked
        assert screen.horizon == "complete"
        await press(pilot, "B", "j", "enter")
        assert shown(pilot).wanted.filter == "route=='POST /checkout'"

    drive(explorer(source), script)


def test_the_breakdown_shows_what_a_group_was_made_of() -> None:
    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, "b")
        text = screen_text(pilot)
        assert "GET /dash  what shell was made of, 1200 requests; led by compute 700  query 500" in text
        assert "◐ bounded" in text
        assert "92 %  96.0 ms 11.0 ms → 107 ms" in text
        assert "2400 calls" in text
        await press(pilot, "x")
        screen = pilot.app.screen
        assert isinstance(screen, RequestScreen)
        assert screen.request_id == request_row(2).request_id
        await press(pilot, "q", "s", "x")
        assert "no request stands at p95 here" in screen_text(pilot)

    drive(explorer(shop()), script)


def test_the_breakdown_says_when_it_cannot_be_read() -> None:
    source = shop()

    async def script(pilot: Pilot[int]) -> None:
        source.broken = StoreError("gone", "start it again")
        await press(pilot, "b")
        text = screen_text(pilot)
        assert "gone" in text
        assert "start it again" in text
        await press(pilot, "q")
        shown(pilot)

    drive(explorer(source), script)


def test_totals_that_cannot_be_read_again_leave_none_on_the_screen() -> None:
    source = shop()

    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, "b")
        assert "● live" in screen_lines(pilot)[0]
        source.broken, source.live = StoreError("the collector has gone"), False
        await press(pilot, "r")
        text = screen_text(pilot)
        assert "the collector has gone" in text
        assert "cannot read" in screen_lines(pilot)[0]
        assert not any(word in text for word in ("live", "1234 requests", "what shell was made of", "p95 288 ms"))
        source.broken, source.live = None, True
        await press(pilot, "r")
        assert "● live" in screen_lines(pilot)[0]
        assert "what shell was made of" in screen_text(pilot)

    drive(explorer(source), script)


def test_help_lies_over_the_list_and_goes() -> None:
    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, "question_mark")
        assert "stay with the newest" in screen_text(pilot)
        await press(pilot, "escape")
        shown(pilot)

    drive(explorer(shop()), script)


def test_theme_turns() -> None:
    async def script(pilot: Pilot[int]) -> None:
        assert pilot.app.current_theme.dark
        await press(pilot, "T")
        assert not pilot.app.current_theme.dark

    drive(explorer(shop()), script)


def test_quits_and_lets_go() -> None:
    source = shop()
    app = explorer(source)

    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, "q")

    drive(app, script)
    assert app.return_code in {0, None}
    assert source.closed
