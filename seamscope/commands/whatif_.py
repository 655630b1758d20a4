"""`seamscope whatif`: what requests would take if something changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from seamscope.commands.options import config_option, db_option, json_option, operators_rules, selection_options

if TYPE_CHECKING:
    from pathlib import Path

_EXAMPLE = "Example: seamscope whatif --filter 'route:/bundle' --remove rule:serial_fanout"


@click.command("whatif", epilog=_EXAMPLE)
@click.argument("id_", metavar="[ID]", required=False)
@db_option()
@config_option()
@selection_options()
@click.option("--remove", multiple=True, metavar="WHAT", help="rule:NAME, span:ID or peer:HOST; may be repeated.")
@click.option("--parallel", is_flag=True, help="Begin calls of one parent together, whatever they need.")
@click.option("--cause", metavar="CAUSE", help="Shorten the time of one cause, such as query.")
@click.option(
    "--by", default=100.0, show_default=True, type=click.FloatRange(0, 100), help="By so many per cent, with --cause."
)
@json_option()
def command(
    id_: str | None,
    db: str,
    config: Path,
    filter_: str,
    since: str | None,
    until: str | None,
    remove: tuple[str, ...],
    cause: str | None,
    by: float,
    *,
    parallel: bool,
    as_json: bool,
) -> None:
    """What requests would take without something, with calls side by side, or with less of a cause.

    ID is one request (a trace id or its beginning, a request id); without it the latest requests of the filter are
    re-timed, 5,000 at most. What follows moves up, and what ran beside shows: a saving is never more than was held.
    """
    from seamscope.reading.request_search import find_request
    from seamscope.reading.whatif import Change, outcome_rows, what_if
    from seamscope.remote import open_store
    from seamscope.results import Selection

    change = Change(remove, parallel, cause, by)
    essential = operators_rules(config).is_essential
    with open_store(db) as reader:
        request = find_request(reader, id_) if id_ else None
        selection = Selection(filter_, since, until)
        found = what_if(reader, change, selection, request_id=request, essential=essential)
    if as_json:
        from seamscope.text.json_forms import written

        asked = {"request_id": request, "filter": filter_, "remove": list(remove), "parallel": parallel}
        told = {**asked, "cause": cause, "by_percent": by if cause else None}
        document = {"schema": "seamscope.whatif/1", "change": told, "notes": list(found.notes)}
        click.echo(written({**document, "outcomes": outcome_rows(found.outcomes)}), nl=False)
    else:
        from seamscope.text.paper import stdout_paper
        from seamscope.text.whatif_text import whatif_text

        click.echo(whatif_text(found.outcomes, stdout_paper(), found.notes), nl=False)
