"""`seamscope diff`: two sets of requests held against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from seamscope.commands.options import config_option, db_option, json_option, selection_options
from seamscope.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from seamscope.results import Difference, Selection


def _found(db: str, sides: tuple[str, ...], slow: str | None, within: Selection, horizon: str) -> Difference:
    from seamscope.reading.differences import difference, slow_against_rest
    from seamscope.remote import open_store

    if (slow is None) != (len(sides) == 2):
        raise UsageError("give two sets, or --slow alone", "seamscope diff version:1.4.0 version:1.5.0")
    with open_store(db) as reader:
        if slow is not None:
            return slow_against_rest(reader, slow, within, horizon=horizon)
        return difference(reader, sides[0], sides[1], within, horizon=horizon)


@click.command(
    "diff",
    epilog="Examples: seamscope diff version:1.4.0 version:1.5.0 · seamscope diff 2h/1h 1h/0s · "
    "seamscope diff --slow p95 --filter route:/dash",
)
@click.argument("sides", nargs=-1, metavar="[A B]")
@click.option("--slow", metavar="p95", help="The slowest of the selection against the rest of it, instead of A and B.")
@click.option("--horizon", type=click.Choice(["shell", "complete"]), default="complete", show_default=True)
@click.option("--top", default=12, show_default=True, type=click.IntRange(1), help="Owners and causes shown.")
@db_option()
@config_option()
@selection_options()
@json_option()
def command(
    sides: tuple[str, ...],
    slow: str | None,
    horizon: str,
    top: int,
    db: str,
    config: Path,
    filter_: str,
    since: str | None,
    until: str | None,
    *,
    as_json: bool,
) -> None:
    """What one set of requests spends more of than another.

    A and B are filters (version:1.5.0, 'route:/dash place:fra1') or times (FROM/TO). Differences by owner and cause sum
    to the difference of the means, with 95 % bootstrap intervals (from 20 requests a side on); mix (other routes) and
    rate (slower routes) apart.
    """
    del config
    from seamscope.results import Selection

    found = _found(db, sides, slow, Selection(filter_, since, until), horizon)
    if as_json:
        import dataclasses

        from seamscope.text.json_forms import written

        text = written({"schema": "seamscope.difference/1", **dataclasses.asdict(found)})
    else:
        from seamscope.text.difference_text import difference_text
        from seamscope.text.paper import stdout_paper

        text = difference_text(found, stdout_paper(), top=top)
    click.echo(text, nl=False)
