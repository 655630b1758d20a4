"""What others call their spans reaches the screen as text, and only as text."""

from __future__ import annotations

import threading
from dataclasses import fields, is_dataclass, replace
from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest

from tests.tui.driving import drive, explorer, press, screen_text, settle, until
from tests.tui.fakes import FakeSource, detail, request_row, shop
from tui.app import Look
from tui.glyphs import ASCII
from tui.screens.request import RequestScreen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.pilot import Pilot

    from seamscope.results import SpanDetail

HOSTILE = {
    "escape": "\x1b[31;1mred\x1b]0;owned\x07\x1b]52;c;ZXZpbA==\x07\x1bP1$r\x1b\\",
    "c1": "\x9b2J\x90q\x9dtitle\x9c\x85next",
    "c0": "a\x00b\x08\x08\rc\nd\te\x7f",
    "markup": "[/nope][bold red]x[@click=app.quit]y[/][link=http://evil]z",
    "bidi": "admin\u202egnp.exe\u2066\u200f\u200b\ufeff",
    "wide": "東京都🚀👩‍👩‍👧‍👦é" + "e" + "\u0301" * 200,
    "surrogate": "half \ud800 a pair",
    "long": "x\x1b" * 32_768,
    "empty": "",
}
KEPT = {
    *(
        "request_id",
        "trace_id",
        "trace_ids",
        "span_id",
        "parent_span_id",
        "client_span_id",
        "server_span_id",
        "call_id",
    ),
    *("kind", "cause", "evidence", "tier", "gap_kind", "joined_by", "status", "span_kind", "code"),
    *("shell_evidence", "complete_evidence", "link", "causes", "verdict"),
}
"""Fields that the house fills: ids in hex, words of the vocabulary."""


def spoiled(value: Any, texts: Iterator[str], name: str = "") -> Any:
    """Put the next of the texts into every place of a result that others can fill."""
    if isinstance(value, str):
        if name == "seam":
            return f"origin:{next(texts)}→data:{next(texts)}"
        return value if name in KEPT else f"origin:{next(texts)}" if name.endswith("owner") else next(texts)
    if isinstance(value, tuple):
        return tuple(spoiled(part, texts, name) for part in value)
    if isinstance(value, dict):
        return {key: spoiled(part, texts, name) for key, part in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: spoiled(getattr(value, f.name), texts, f.name) for f in fields(value)})
    return value


class HostileSource(FakeSource):
    """Every text that others can fill is a hostile one."""

    texts: Iterator[str] = iter(())

    def span(self, trace: str, identity: str, kind: str | None) -> SpanDetail:
        """Give a hostile span."""
        found: SpanDetail = spoiled(super().span(trace, identity, kind), self.texts)
        return replace(found, trace_id=trace, span_id=identity)


def hostile(*texts: str) -> HostileSource:
    """Give a source in which these texts take turns."""
    turns = cycle(texts)
    source = HostileSource(rows=[spoiled(request_row(number), turns) for number in range(30)])
    source.whole = spoiled(detail(), turns)
    source.texts = turns
    return source


def assert_harmless(pilot: Pilot[int]) -> None:
    for strip in pilot.app.screen._compositor.render_strips():
        for segment in strip:
            assert not any(ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F for c in segment.text), repr(segment.text)
            assert not any(0x202A <= ord(c) <= 0x202E or 0xD800 <= ord(c) <= 0xDFFF for c in segment.text)
            assert not (segment.style and segment.style.link)
            segment.text.encode()
        assert strip.cell_length <= pilot.app.size.width


WALK = ("j", "jj", "s", "n", "jj", "2", "3", "4", "5", "1", ["enter"], "G", "y", "x")


@pytest.mark.parametrize("first", [0, 4])
def test_nothing_that_acts_reaches_a_strip(first: int) -> None:
    texts = [*HOSTILE.values()]

    async def script(pilot: Pilot[int]) -> None:
        assert_harmless(pilot)
        for keys in (["slash", *"ro"], ["tab"], ["escape"], ["b"], ["q"], ["enter"]):
            await press(pilot, *keys)
            assert_harmless(pilot)
        await until(pilot, lambda: isinstance(pilot.app.screen, RequestScreen))
        for walked in WALK:
            await press(pilot, *walked)
            assert_harmless(pilot)

    drive(explorer(hostile(*texts[first:], *texts[:first])), script)


@pytest.mark.parametrize("size", [(80, 24), (40, 12), (200, 60)])
def test_wide_characters_fit_every_size(size: tuple[int, int]) -> None:
    async def script(pilot: Pilot[int]) -> None:
        assert_harmless(pilot)
        await press(pilot, "enter", "enter")
        assert_harmless(pilot)
        await press(pilot, "b")
        assert_harmless(pilot)

    drive(explorer(hostile(HOSTILE["wide"])), script, size)


def test_markup_is_drawn_as_it_was_sent() -> None:
    async def script(pilot: Pilot[int]) -> None:
        assert "[/nope][bold red]x[@click=" in screen_text(pilot)
        await pilot.click(offset=(45, 8))
        assert pilot.app.is_running

    drive(explorer(hostile(HOSTILE["markup"])), script)


def test_an_ascii_terminal_gets_ascii() -> None:
    async def script(pilot: Pilot[int]) -> None:
        for keys in ([], ["b"], ["q", "slash"], ["escape", "enter"], ["n"], ["3"], ["question_mark"]):
            await press(pilot, *keys)
            drawn = pilot.app.screen._compositor.render_strips()
            assert all(strip.text.isascii() for strip in drawn), "\n".join(strip.text for strip in drawn)
        await press(pilot, "escape", "1")
        assert "render:edge-web->origin:orders" in screen_text(pilot)

    drive(explorer(shop(), look=Look(glyphs=ASCII)), script)


def test_no_colour_means_none() -> None:
    async def script(pilot: Pilot[int]) -> None:
        for keys in ([], ["enter"], ["n"], ["2"]):
            await press(pilot, *keys)
            for strip in pilot.app.screen._compositor.render_strips():
                for segment in strip:
                    colours = (segment.style.color, segment.style.bgcolor) if segment.style else ()
                    assert all(colour is None or colour.is_default for colour in colours), segment
        assert "tttt" in screen_text(pilot).replace(" ", "") or "ttt" in screen_text(pilot)

    drive(explorer(shop(), look=Look(colour=False)), script)


def test_leaves_no_thread_behind() -> None:
    before = threading.active_count()

    async def script(pilot: Pilot[int]) -> None:
        await press(pilot, "enter", "j", "q", "b", "q", "r")
        await settle(pilot)

    drive(explorer(shop()), script)
    assert threading.active_count() == before
