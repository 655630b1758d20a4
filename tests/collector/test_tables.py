"""The tables of this room's README name tests that exist, and leave no row out."""

from __future__ import annotations

import re
from pathlib import Path

ROOM = Path(__file__).resolve().parent
TEXT = (ROOM / "README.md").read_text()


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`(?:([\w./]+\.py)::)?(test_\w+)`", TEXT)
    assert len(named) > 100
    for file, name in named:
        source = (ROOM / (file or "test_specification.py")).read_text()
        assert re.search(rf"^(async )?def {name}\(", source, re.MULTILINE), f"{file}::{name}"


def test_every_attack_has_its_row() -> None:
    rows = re.findall(r"^\| (\d[\d, ]*) \|", TEXT, re.MULTILINE)
    numbers = sorted(int(number) for row in rows for number in row.split(","))
    assert numbers == list(range(1, 67))


def test_every_row_names_a_test() -> None:
    rows = [
        line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith(("| ---", "| #", "| duty"))
    ]
    assert len(rows) > 90
    assert [row for row in rows if not re.search(r"`(?:[\w./]+::)?test_\w+`", row)] == []


def test_every_test_of_a_duty_is_in_the_table() -> None:
    source = (ROOM / "test_specification.py").read_text()
    for name in re.findall(r"^def (test_\w+)\(", source, re.MULTILINE):
        assert f"`{name}`" in TEXT, name
