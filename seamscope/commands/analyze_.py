"""`seamscope analyze`: analyses what has settled, through a live collector or on the file."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from seamscope.commands.options import config_option, db_option, json_option, operators_rules

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from seamscope.runs import Progress


@click.command("analyze", epilog="Example: seamscope analyze --all --db traces.duckdb")
@db_option()
@config_option()
@click.option("--all", "everything", is_flag=True, help="Everything again from the start, with today's rules.")
@json_option()
def command(db: str, config: Path, everything: bool, as_json: bool) -> None:
    """Analyse what has come in and is not yet analysed.

    A collector does this by itself as traces settle; beside a live one, the work is done there. Requests whose window
    of event time has not settled are analysed as if nothing more came, and are final until something does.
    """
    done = _through_collector(db, everything=everything)
    if done is None:
        done = _on_file(db, config, everything=everything)
    click.echo(json.dumps(done) if as_json else _told(done))


def _through_collector(db: str, *, everything: bool) -> Mapping[str, Any] | None:
    from seamscope.remote import Lent, find_collector, open_store

    if db.startswith("grpc://"):
        with open_store(db) as lent:
            return lent.analyze(everything=everything) if isinstance(lent, Lent) else None
    collector = find_collector(db)
    if collector is None:
        return None
    with Lent(collector.address) as lent:
        return lent.analyze(everything=everything)


def _on_file(db: str, config: Path, *, everything: bool) -> Mapping[str, Any]:
    from seamscope import runs
    from seamscope.store import Store

    rules = operators_rules(config)
    with Store.open(db, create=False, service_tier=rules.service_tier) as store:
        return asdict(runs.analyze(store, everything=everything, rules=rules, progress=_bar()))


def _bar() -> Progress | None:
    """Return what draws progress on stderr, where somebody looks at it."""
    if not sys.stderr.isatty():
        return None

    def draw(done: int, total: int) -> None:
        click.echo(f"\r{done:,} of {total:,} spans", nl=done >= total, err=True)

    return draw


def _told(done: Mapping[str, Any]) -> str:
    text = f"{done['requests']:,} requests from {done['spans']:,} spans in {done['seconds']:.1f} s"
    if done["revised"]:
        text += f", {done['revised']:,} of them revised"
    if done["set_aside"]:
        text += f"; {done['set_aside']:,} traces set aside (see the view warnings, stage_failed)"
    return text
