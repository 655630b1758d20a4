"""`seamscope report` as people and programs read it."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from seamscope.commands.diff_ import command as diff
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
    from tests.seamscope.conftest import Scene

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


@pytest.mark.parametrize(
    "arguments", [(), ("--json",), ("--format", "markdown"), ("--format", "csv"), ("--by", "attr:org_id")]
)
def test_nothing_a_terminal_obeys_is_printed(example_path: Path, arguments: tuple[str, ...]) -> None:
    text = run(example_path, *arguments)
    assert not [letter for letter in FORBIDDEN if letter in text.replace("\r\n", "\n")]


def test_times_that_no_request_takes_do_not_end_the_report(tmp_path: Path, scene: Scene) -> None:
    """A span that began in 1970, as one does whose start was never set: a few of them sum to more than 64 bits hold."""
    for number in range(1, 8):
        scene.page(number, pool=5.0)
    for number in range(8, 12):
        scene.api(number, length=4e12)
    scene.store(tmp_path / "odd.duckdb").close()
    for by in ("route", "seam", "service"):
        run(tmp_path / "odd.duckdb", "--by", by)
    groups = {group["key"]: group for group in json.loads(run(tmp_path / "odd.duckdb", "--json"))["groups"]}
    assert groups["GET /dash"]["requests"] == 7
    assert groups["GET /api/me"]["horizons"]["complete"]["mean_ns"] == 4_000_000_000_000 * 1_000_000
    difference = CliRunner().invoke(diff, ["--db", str(tmp_path / "odd.duckdb"), "--slow", "p95"])
    assert difference.exit_code == 0, difference.output


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
