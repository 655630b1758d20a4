"""Completion of the filter line."""

from __future__ import annotations

import pytest

from seamscope.selection.line import parse
from tests.tui.fakes import request_row
from tui.completion import offer, quoted, seen_values
from tui.widgets.filter_bar import check, known_keys

SEEN = {"route": ("GET /dash", "GET /orders/{id}"), "place": ("fra1", "iad1")}


@pytest.mark.parametrize(
    ("line", "best"),
    [
        ("", "route:"),
        ("pla", "place:"),
        ("shell>1s cau", "shell>1s cause:"),
        ("cause:po", "cause:pool_wait"),
        ("-cause:po", "-cause:pool_wait"),
        ("route:/da", "route:'GET /dash'"),
        ("place=ia", "place=iad1"),
        ("tier:origin place:f", "tier:origin place:fra1"),
        ("route:'GET /d", "route:'GET /dash'"),
        ("nothing_like_it", None),
        ("org_id:7", None),
    ],
)
def test_offers(line: str, best: str | None) -> None:
    assert offer(line, known_keys(), SEEN).first == best


def test_says_what_a_key_means() -> None:
    assert offer("gap>", known_keys(), SEEN).about.startswith("what the client saw")
    assert offer("org_id:", known_keys(), SEEN).about == "an attribute of a span or of its resource"


@pytest.mark.parametrize("value", ["plain", "two words", "it's", "back\\slash", 'say "no"'])
def test_quoted_values_parse_back(value: str) -> None:
    assert [term.value for term in parse(f"route:{quoted(value)}")] == [value]


def test_values_come_from_the_rows_unless_they_act() -> None:
    seen = seen_values([request_row(1), request_row(2, route="GET /\x1b[2J")])
    assert seen["route"] == ("GET /orders/{id}",)
    assert seen["place"] == ("iad1", "sin1")


def test_checks() -> None:
    assert check("route:/dash shell>500ms") == ""
    assert "unknown key" in check("rout:/dash")
