"""What others sent is shown, never obeyed."""

from __future__ import annotations

import json
import sys
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seamscope.text.safe import safe, safe_json


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("GET /dash", "GET /dash"),
        ("naïve – 東京 🚀", "naïve – 東京 🚀"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]52;c;ZXZpbA==\x07", "\\x1b]52;c;ZXZpbA==\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x00\x7f", "\\x00\\x7f"),
        ("evil\u202egnp.exe", "evil\\u202egnp.exe"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("half \ud800", "half \\ud800"),
        ("tag \U000e0041", "tag \\U000e0041"),
        ("heart \u2764\ufe0f", "heart \u2764"),
        ("[@click=app.quit]x[/nope]", "[@click=app.quit]x[/nope]"),
        ("", ""),
    ],
)
def test_escapes(sent: str, shown: str) -> None:
    assert safe(sent) == shown


@pytest.mark.parametrize("mark", ["\u0301", "\u0489", "\u05b4", "\u064b", "\u0e34", "\u0f74", "\U0001e8d0"])
def test_marks_do_not_pile_up(mark: str) -> None:
    assert safe("a" + mark * 500 + "b") == "a" + mark * 3 + "b"
    assert safe(f"─{mark * 5}─{mark * 2}") == f"─{mark * 3}─{mark * 2}"


def test_every_mark_may_be_one_too_many() -> None:
    marks = [letter for letter in map(chr, range(sys.maxunicode + 1)) if category(letter) in {"Mn", "Me"}]
    assert not [mark for mark in marks if len(safe(mark * 4)) != len(safe(mark)) * (3 if safe(mark) == mark else 4)]


@pytest.mark.parametrize(("limit", "shown"), [(5, "abcd…"), (6, "abcdef"), (1, "…"), (0, "")])
def test_cuts(limit: int, shown: str) -> None:
    assert safe("abcdef", limit) == shown


def test_a_long_name_costs_no_more_than_its_limit() -> None:
    assert safe("\x1b" * 65_536, 40) == "\\x1b" * 9 + "\\x1" + "…"


@given(st.text(alphabet=st.characters(codec=None), max_size=60), st.integers(0, 40))
def test_nothing_is_left_to_obey(text: str, limit: int) -> None:
    shown = safe(text)
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F or 0xD800 <= ord(c) <= 0xDFFF for c in shown)
    assert safe(shown) == shown
    assert len(safe(text, limit)) <= limit
    shown.encode()


@given(st.text(alphabet=st.characters(codec=None), max_size=60))
def test_json_reads_back_and_holds_nothing_to_obey(text: str) -> None:
    document = {"text": [text]}
    written = safe_json(json.dumps(document, ensure_ascii=False, indent=2))
    assert json.loads(written) == json.loads(json.dumps(document))
    assert not any(
        c != "\n" and (ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F or 0x202A <= ord(c) <= 0x202E) for c in written
    )
    written.encode()
