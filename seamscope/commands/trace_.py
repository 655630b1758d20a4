"""`seamscope trace`: one request."""

from __future__ import annotations

from pathlib import Path

import click

from seamscope.commands.options import config_option, db_option, json_option
from seamscope.text.safe import safe


@click.command("trace", epilog="Example: seamscope trace 4bf92f35 --html slow.html")
@click.argument("id_", metavar="ID")
@db_option()
@config_option()
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write one self-contained page.")
@click.option("--rows", default=120, show_default=True, type=click.IntRange(0), help="Waterfall lines; 0 for all.")
@click.option("--logs", default=20, show_default=True, type=click.IntRange(0), help="Log records; 0 for all.")
@json_option()
def command(id_: str, db: str, config: Path, html: Path | None, rows: int, logs: int, *, as_json: bool) -> None:
    """One request: its waterfall with its seams, its critical path, and who and what held it.

    ID is a trace id or its beginning, a request id, a correlation id, or the id of a span inside it.
    """
    del config
    from seamscope.reading.requests import find_request, request_detail
    from seamscope.remote import open_store

    with open_store(db) as reader:
        detail = request_detail(reader, find_request(reader, id_))
    if html is not None:
        from dashboards.write import write_request

        write_request(detail, html)
        click.echo(f"wrote {safe(str(html))}", err=True)
    if as_json:
        from seamscope.text.json_forms import request_document, written

        click.echo(written(request_document(detail)), nl=False)
    elif html is None:
        from seamscope.text.paper import stdout_paper
        from seamscope.text.trace_text import trace_text

        click.echo(trace_text(detail, stdout_paper(), rows=rows, logs=logs), nl=False)
