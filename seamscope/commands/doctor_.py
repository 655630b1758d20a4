"""`seamscope doctor`: is everything in order, and where to point an SDK."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Final

import click

from seamscope.commands.options import colour, config_option, db_option, json_option

if TYPE_CHECKING:
    from pathlib import Path

    from seamscope.health import Check

COLOURS: Final = {"ok": "green", "note": "cyan", "problem": "red"}


@click.command("doctor", epilog="Example: seamscope doctor --db traces.duckdb")
@db_option()
@config_option()
@click.option("--salvage", is_flag=True, help="First make a damaged store readable again; copies are kept.")
@json_option()
def command(db: str, config: Path, *, salvage: bool, as_json: bool) -> int:
    """Look at versions, packages, kernels, the store, its disk and its collector, and say what to do.

    Ends with the settings that point an SDK here. Exit code 3 when something is wrong.
    """
    del config
    from seamscope.health import PROBLEM, SETTINGS, checks, document, salvaged

    found = []
    for check in itertools.chain([salvaged(db)] if salvage else [], checks(db)):
        found.append(check)
        if not as_json:
            click.echo(line(check))
    if as_json:
        click.echo(json.dumps(document(found), indent=2, default=str))
    else:
        click.echo("\nWhere to point an SDK (HOST is where `seamscope collect` runs):")
        for emitter, settings in SETTINGS.items():
            click.echo(f"  {emitter}: {settings}")
    return 3 if any(check.state == PROBLEM for check in found) else 0


def line(check: Check) -> str:
    """Give one check as a line; colour only where stdout may carry it."""
    from seamscope.text.safe import safe

    mark = click.style(f"{check.state:<8}", fg=COLOURS[check.state]) if colour() else f"{check.state:<8}"
    words = f"{check.said}; {check.hint}" if check.hint else check.said
    return f"{mark}{check.name:<10} {safe(words)}"
