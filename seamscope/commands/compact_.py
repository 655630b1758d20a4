"""`seamscope compact`: the store, written anew without its free space."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seamscope.commands.options import db_option, json_option
from seamscope.errors import StoreLockedError, UsageError
from seamscope.text.safe import safe

if TYPE_CHECKING:
    from seamscope.store.compacting import Compacted, Progress


@click.command("compact", epilog="Example: seamscope compact --db traces.duckdb")
@db_option(remote=False)
@json_option()
def command(db: str, as_json: bool) -> None:
    """Write the store anew without its free space, and in larger pieces.

    The new file is written beside the old one, which it replaces at the end, in one step; until then the old one stays
    as it is, whatever happens. So there must be room for both. Not beside a collector: stop that first (a running one
    gives room back by itself, but keeps smaller pieces).
    """
    from seamscope.remote import find_collector
    from seamscope.store.compacting import compact

    if db.startswith("grpc://"):
        raise UsageError(f"{db} is another collector's store", "name a file: --db PATH")
    live = find_collector(db)
    if live is not None:
        raise StoreLockedError(f"{db} is open in process {live.pid}", f"stop it first (kill {live.pid})")
    done = compact(Path(db), _bar())
    click.echo(json.dumps(asdict(done)) if as_json else _told(db, done))


def _bar() -> Progress | None:
    """Return what draws progress on stderr, where somebody looks at it."""
    if not sys.stderr.isatty():
        return None

    def draw(done: int, total: int) -> None:
        click.echo(f"\r{done:,} of {total:,} rows", nl=done >= total, err=True)

    return draw


def _told(db: str, done: Compacted) -> str:
    sizes = f"{done.before_bytes / 1e6:,.1f} MB before, {done.after_bytes / 1e6:,.1f} MB now"
    return f"{safe(db)}: {sizes}; {done.spans:,} spans in {done.seconds:.1f} s"
