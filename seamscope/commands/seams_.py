"""`seamscope seams`: a row per seam."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from seamscope.commands.options import config_option, db_option, json_option, selection_options

if TYPE_CHECKING:
    from pathlib import Path


@click.command("seams", epilog="Example: seamscope seams --since 1h --filter 'boundary:render->origin'")
@db_option()
@config_option()
@selection_options()
@json_option()
def command(db: str, config: Path, filter_: str, since: str | None, until: str | None, *, as_json: bool) -> None:
    """A row per seam: hops, gap percentiles, share explained, server spans, connections, phases.

    The gap is what the client saw and the server did not. Below the table stands, per seam, how the gap is known
    (measured, from a header, bounded, inferred) and which instrumentation would tell what is not told. Asynchronous
    hops are left out, and those of requests of kind other unless the filter speaks of kinds.
    """
    del config
    from seamscope.reading.reports import seams
    from seamscope.remote import open_store
    from seamscope.results import Selection
    from seamscope.selection.predicate import one_environment

    with open_store(db) as reader:
        selection, notes = one_environment(reader, Selection(filter_, since, until))
        rows = seams(reader, selection)
    if as_json:
        from seamscope.text.json_forms import seams_document, written

        text = written(seams_document(rows, notes))
    else:
        from seamscope.text.paper import stdout_paper
        from seamscope.text.seams_text import seams_text

        text = seams_text(rows, stdout_paper(), notes)
    click.echo(text, nl=False)
