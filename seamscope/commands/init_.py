"""`seamscope init`: a `seamscope.toml` to begin with."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from seamscope.commands.options import db_named_by_environment, db_option, json_option
from seamscope.errors import SeamscopeError

if TYPE_CHECKING:
    from seamscope.results.seen import Seen

STDOUT: Final = Path("-")


@click.command("init", epilog="Example: seamscope init --db traces.duckdb, then look at ./seamscope.toml")
@db_option()
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("seamscope.toml"),
    show_default=True,
    metavar="FILE",
    help="The file to write, or - to print it.",
)
@json_option()
@click.pass_context
def command(context: click.Context, db: str, config: Path, *, as_json: bool) -> None:
    """Write a seamscope.toml to begin with, from what the store has seen.

    Every line of it is a comment: the services and the tier each was found in, the hosts that send no spans, the calls
    that pages wait for. Take away the '#' of those that you change. A file that is there already is left alone. Without
    a store the lines are examples.
    """
    from seamscope.text.rules_toml import rules_toml

    _must_be_free(config)
    found = _seen(db, named=_was_named(context))
    text = rules_toml(found)
    if config != STDOUT:
        _write(config, text)
    if as_json:
        from seamscope.text.json_forms import written

        document = {"schema": "seamscope.init/1", "config": str(config), **dataclasses.asdict(found)}
        click.echo(written(document), nl=False)
    else:
        click.echo(text if config == STDOUT else _told(db, config, found), nl=config != STDOUT)


def _was_named(context: click.Context) -> bool:
    """Tell whether somebody said which store: then it must be there."""
    return context.get_parameter_source("db") is not click.core.ParameterSource.DEFAULT or db_named_by_environment()


def _must_be_free(config: Path) -> None:
    if config != STDOUT and config.exists():
        raise SeamscopeError(
            f"{config} is there already", "--config - prints what would be written, and writes nothing"
        )


def _seen(db: str, *, named: bool) -> Seen:
    from seamscope.reading.seen import seen
    from seamscope.remote import find_collector, open_store
    from seamscope.results.seen import Seen as Nothing

    if not named and not Path(db).exists() and find_collector(db) is None:
        return Nothing()
    with open_store(db) as reader:
        return seen(reader)


def _write(config: Path, text: str) -> None:
    try:
        with config.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise SeamscopeError(
            f"{config} cannot be written: {error.strerror}", "name another file: --config FILE"
        ) from None


def _told(db: str, config: Path, found: Seen) -> str:
    from seamscope.text.safe import safe

    if not (found.services or found.peers or found.calls):
        return f"{safe(str(config))}: examples only, for there is nothing in {safe(db)} yet"
    counts = f"{len(found.services)} services, {len(found.peers)} hosts without spans, {len(found.calls)} called hosts"
    return f"{safe(str(config))}: {counts}; all of it commented out"
