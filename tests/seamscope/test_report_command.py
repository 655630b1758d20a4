"""`seamscope report` as people and programs read it."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from seamscope.commands.report_ import command
from seamscope.reading.reports import report
from seamscope.results import Selection
from seamscope.text.json_forms import report_document, written
from seamscope.text.paper import Paper
from seamscope.text.report_text import report_text
from seamscope.text.summary_text import attribution_summary

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from seamscope.store import Store

FORBIDDEN = [chr(code) for code in (*range(9), *range(11, 32), *range(127, 160), 0x202E)]


def run(path: Path, *arguments: str) -> str:
    done = CliRunner().invoke(command, ["--db", str(path), *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


GOLDENS = {
    "by_route": (),
    "at_p95": ("--at", "p95"),
    "by_seam": ("--by", "seam", "--horizon", "shell"),
    "markdown": ("--format", "markdown"),
}


@pytest.mark.parametrize("arguments", GOLDENS.values(), ids=GOLDENS)
def test_report_golden(example_path: Path, golden: Callable[[str], None], arguments: tuple[str, ...]) -> None:
    golden(run(example_path, *arguments))


def test_summary_golden(example: Store, golden: Callable[[str], None]) -> None:
    golden(attribution_summary(report(example), Paper(), routes=3))


@pytest.mark.parametrize("arguments", [(), ("--format", "markdown"), ("--format", "csv"), ("--by", "attr:org_id")])
def test_nothing_a_terminal_obeys_is_printed(example_path: Path, arguments: tuple[str, ...]) -> None:
    text = run(example_path, *arguments)
    assert not [letter for letter in FORBIDDEN if letter in text.replace("\r\n", "\n")]


def test_json_is_one_document_that_adds_up(example_path: Path) -> None:
    document: dict[str, Any] = json.loads(run(example_path, "--json"))
    assert document["schema"] == "seamscope.report/1"
    for group in (document["total"], *document["groups"]):
        for horizon in group["horizons"].values():
            assert sum(share["ns"] for share in horizon["shares"]) == horizon["sum_ns"]


def test_json_keeps_hostile_names_as_they_were_sent(example: Store) -> None:
    document = report_document(report(example, Selection("route:script")))
    assert "\x1b" in document["groups"][0]["key"]
    assert "\x1b" not in written(document)  # JSON writes it as an escape
    assert json.loads(written(document)) == document


def test_csv_and_json_agree(example_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run(example_path, "--format", "csv"))))
    document = json.loads(run(example_path, "--json"))
    shares = [s["ns"] for g in document["groups"] for h in g["horizons"].values() for s in h["shares"]]
    assert [int(row["ns"]) for row in rows] == shares


def test_csv_runs_no_formula() -> None:
    from seamscope.text.report_lists import harmless

    assert [harmless(text) for text in ("=1+1", "@x", "-x", "+x", "GET /")] == ["'=1+1", "'@x", "'-x", "'+x", "GET /"]


def test_ascii_terminal_gets_ascii(example: Store) -> None:
    text = report_text(report(example), Paper(encoding="ascii"))
    assert text.isascii()
    assert "render:web->origin:orders" in text


def test_colour_only_where_asked(example: Store) -> None:
    assert "\x1b[" not in report_text(report(example), Paper())
    coloured = report_text(report(example), Paper(colour=True))
    assert "\x1b[" in coloured
    assert "\x1b]0;owned" not in coloured


def test_a_terminal_s_width_is_kept(example: Store) -> None:
    text = report_text(report(example), Paper(width=72, bounded=True))
    assert max(map(len, text.splitlines())) <= 72


def test_empty_store_says_what_to_do(tmp_path: Path) -> None:
    from seamscope.store import Store

    Store.open(tmp_path / "empty.duckdb").close()
    assert "seamscope analyze" in run(tmp_path / "empty.duckdb")
