"""`seamscope tui`, also `trace-tui`: the explorer."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

import click

from seamscope.commands.options import config_option, db_option, selection_options
from seamscope.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from seamscope.results import RequestDetail
    from tui.app import Look


def write_json(detail: RequestDetail, path: Path) -> None:
    """Write one request as `seamscope trace --json` prints it."""
    from seamscope.text.json_forms import request_document, written

    path.write_text(written(request_document(detail)), encoding="utf-8")


def write_html(detail: RequestDetail, path: Path) -> None:
    """Write one request as `seamscope trace --html` does."""
    from dashboards.write import write_request

    write_request(detail, path)


def look(theme: str | None, *, ascii_only: bool) -> Look:
    """Read from the terminal what it can show, and from its user what they like."""
    from tui.app import Look
    from tui.glyphs import ASCII, choose
    from tui.themes import is_dark

    told = {**os.environ, **({"SEAMSCOPE_THEME": theme} if theme else {})}
    stream = sys.__stderr__
    glyphs = ASCII if ascii_only else choose(stream.encoding if stream else None, os.environ.get("TERM"))
    return Look(dark=is_dark(told), colour="NO_COLOR" not in os.environ, glyphs=glyphs)


def check(filter_: str, since: str | None, until: str | None) -> None:
    """Refuse a selection that does not parse, or a place without a terminal, before the screen is taken over."""
    if filter_ or since or until:
        from seamscope.results import Selection
        from seamscope.selection.predicate import predicate

        predicate(Selection(filter_, since, until), 0)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("the explorer needs a terminal", "seamscope report and seamscope trace print the same results")


@click.command("tui", epilog="Example: seamscope tui --db traces.duckdb --since 15m --filter 'shell>500ms'")
@db_option()
@config_option()
@selection_options()
@click.option("--theme", type=click.Choice(["dark", "light"]), help="Ground; by default as the terminal says.")
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII alone.")
def command(
    db: str,
    config: Path,
    filter_: str,
    since: str | None,
    until: str | None,
    theme: str | None,
    *,
    ascii_only: bool,
) -> int:
    """The explorer: requests as they come in, and for each the tier, the seam and the cause that made it slow.

    With a live collector it follows. Inside it, ? shows every key.
    """
    del config
    check(filter_, since, until)
    gc.disable()  # what is imported stays: looking for garbage costs the start 5 %; on again at the first frame
    from seamscope.results import Selection
    from tui.app import Explorer
    from tui.source import StoreSource

    source = StoreSource(db, {"json": write_json, "html": write_html})
    return Explorer(source, Selection(filter_, since, until), look(theme, ascii_only=ascii_only)).run() or 0
