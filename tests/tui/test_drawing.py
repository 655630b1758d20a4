"""Tracks, ribbons, lines and verdicts: what is drawn is to scale, fits, and says the result's own numbers."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seamscope.schema import words
from tests.tui.fakes import MS, detail, segments
from tui.formats import clock, date, offset
from tui.glyphs import ASCII, UNICODE, choose
from tui.lines import Line, cells, cut_middle, cut_seam, fit, wrap
from tui.paint import Paint
from tui.paths import Path
from tui.plain import ascii_only
from tui.ribbons import LETTERS, Stretch, joined, meter, ribbon
from tui.themes import is_dark
from tui.track import Track, ticks
from tui.verdict import verdict

PAINT = Paint()
INK = PAINT.cause("compute")


def drawn(track: Track) -> str:
    return "".join(character for character, _ in track.cells)


@pytest.mark.parametrize(
    ("start", "end", "cells_drawn"),
    [
        (0, 80, "██████████"),
        (0, 40, "█████     "),
        (0, 44, "█████▌    "),
        (4, 40, "▐████     "),
        (0, 1, "▏         "),
        (79, 80, "         ▐"),
        (41, 44, "     ▍    "),
        (40, 40, "     ▏    "),
        (90, 99, "          "),
        (-20, 16, "██        "),
    ],
)
def test_blocks_are_to_scale(start: int, end: int, cells_drawn: str) -> None:
    track = Track(10, 0, 80, UNICODE)
    track.block(start, end, INK)
    assert drawn(track) == cells_drawn


def test_lines_marks_and_edges() -> None:
    track = Track(10, 0, 100, UNICODE)
    track.line(-10, 55, "─", None)
    track.mark(90, "◆", None)
    track.edges(-10, 120, INK)
    assert drawn(track) == "◂─────   ▸"


@given(
    st.integers(0, 200),
    st.integers(-100, 400),
    st.integers(-100, 400),
    st.integers(1, 300),
    st.sampled_from([UNICODE, ASCII]),
)
def test_strokes_never_leave_the_track(width: int, start: int, end: int, length: int, glyphs: object) -> None:
    track = Track(width, 0, length, glyphs)  # type: ignore[arg-type]
    start, end = min(start, end), max(start, end)
    track.line(start, end, "─", None)
    track.block(start, end, INK)
    track.mark(start, "◆", None)
    track.edges(start, end, INK)
    track.text(width - 3, "text", None)
    assert len(drawn(track)) == width


@given(st.integers(0, 10**12), st.integers(1, 10**12), st.integers(1, 30))
def test_ticks_are_round_and_few(start: int, length: int, most: int) -> None:
    found = ticks(start, start + length, most)
    assert all(start <= tick <= start + length for tick in found)
    assert len(found) <= most + 2
    steps = {str(after - tick).rstrip("0") for tick, after in itertools.pairwise(found)}
    assert len(steps) <= 1
    assert steps <= {"1", "2", "5"}


def test_a_ribbon_labels_what_has_room() -> None:
    stretches = [Stretch(0, 70 * MS, "origin:orders", "compute"), Stretch(70 * MS, 100 * MS, "data:pg", "query")]
    text = "".join(character for character, _ in ribbon(stretches, Track(60, 0, 100 * MS, UNICODE), PAINT))
    assert "origin:orders compute 70.0 ms" in text
    assert "query 30.0 ms" in text


def test_a_ribbon_without_colour_is_written_in_letters() -> None:
    plain = Paint(plain=True)
    stretches = [Stretch(0, 50, "a", "tls"), Stretch(50, 100, "b", "query")]
    assert "".join(character for character, _ in ribbon(stretches, Track(10, 0, 100, UNICODE), plain)) == "tttttQQQQQ"


def test_every_cause_has_a_letter_of_its_own() -> None:
    assert set(LETTERS) == set(words.CAUSES)
    assert len(set(LETTERS.values())) == len(LETTERS)


def test_neighbours_of_one_cause_are_one() -> None:
    assert len(joined([Stretch(0, 5, "a", "tls"), Stretch(5, 9, "a", "tls"), Stretch(9, 12, "b", "tls")])) == 2


@pytest.mark.parametrize(
    ("shell", "complete", "shown"),
    [(50, 100, "━━━━━─────"), (None, 50, "━━━━━     "), (None, None, "          "), (50, 200, "━━━━━────▸")],
)
def test_meters(shell: int | None, complete: int | None, shown: str) -> None:
    assert "".join(character for character, _ in meter(shell, complete, 100, 10, "tls", PAINT)) == shown


@given(st.text(max_size=40), st.integers(0, 60))
def test_a_line_is_exactly_as_wide_as_asked(text: str, width: int) -> None:
    out = Line(width, PAINT.row(here=False)).add(text).column(text, 10).to(30).add(text)
    assert out.strip().cell_length == width
    assert sum(segment.cell_length for segment in out.strip()) == width


@given(st.text(alphabet="ab東京", max_size=30), st.integers(1, 20))
def test_wrapping_loses_nothing(text: str, width: int) -> None:
    pieces = wrap(text, max(width, 2))
    assert "".join(pieces) == text
    assert all(cells(piece) <= max(width, 2) for piece in pieces)


def test_fits_to_the_cell() -> None:
    assert fit("abcdef", 4) == "abc…"
    assert fit("ab", 4, right=True) == "  ab"
    assert cells(fit("東京都庁", 6)) == 6
    assert fit("abc", 0) == ""


def test_an_address_is_cut_in_its_middle() -> None:
    assert cut_middle("fetch GET http://orders.internal/v1/orders", 24) == "fetch GET …nal/v1/orders"
    assert cut_middle("short", 24) == "short"
    assert cells(cut_middle("取得 http://orders.internal/v1/orders", 20)) == 20


def test_a_seam_is_cut_on_both_sides() -> None:
    assert cut_seam("render:edge-web→origin:orders", 21) == "render:ed…→origin:or…"
    assert cut_seam("render:web→data:postgres/app", 60) == "render:web→data:postgres/app"
    assert cells(cut_seam("a:b→origin:a-very-long-service", 12)) == 12


def test_verdict_names_the_largest_first_and_counts_the_rest() -> None:
    lines = ["".join(text for text, _ in line) for line in verdict(detail(), "shell", 150, 2, PAINT)]
    assert lines[0].startswith("shell 144 ms measured: ■ 28 % data:postgres/app query 41.0 ms ●")
    assert lines[-1].endswith("+ 7 more causes") or lines[-1].endswith("+ 6 more causes")
    assert all(cells(line) <= 165 for line in lines)


def test_the_path_is_where_the_result_says() -> None:
    whole = detail()
    path = Path(whole, "complete")
    assert path.segments == segments(340)
    for row in whole.waterfall:
        if row.kind == "seam":
            assert all(segment.seam for segment in path.stretches(row))
    assert path.row_of(path.segments[-1]) is None


@pytest.mark.parametrize(
    ("encoding", "term", "glyphs"),
    [("utf-8", "xterm-256color", UNICODE), ("UTF-8", "linux", ASCII), ("latin-1", "xterm", ASCII), (None, None, ASCII)],
)
def test_the_terminal_decides_the_glyphs(encoding: str | None, term: str | None, glyphs: object) -> None:
    assert choose(encoding, term) is glyphs


@pytest.mark.parametrize(
    ("told", "dark"),
    [
        ({}, True),
        ({"COLORFGBG": "0;15"}, False),
        ({"COLORFGBG": "15;0"}, True),
        ({"SEAMSCOPE_THEME": "light", "COLORFGBG": "15;0"}, False),
    ],
)
def test_the_terminal_decides_the_ground(told: dict[str, str], dark: bool) -> None:
    assert is_dark(told) is dark


def test_ascii_keeps_widths() -> None:
    assert ascii_only("a→b 東 é …█") == "a>b ?? ? ~ "


def test_times() -> None:
    at = 1_764_590_400_123_456_789
    assert clock(at) == "12:00:00.123"
    assert clock(at, 0) == "12:00:00"
    assert clock(at, 9) == "12:00:00.123456789"
    assert date(at) == "2025-12-01"
    assert offset(-3 * MS) == "-3.00 ms"
    assert offset(3 * MS) == "+3.00 ms"
