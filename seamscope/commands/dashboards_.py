"""`seamscope dashboards`: static pages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from seamscope.commands.options import config_option, db_option, json_option, selection_options
from seamscope.text.safe import safe

if TYPE_CHECKING:
    from seamscope.results import Selection


def _write(db: str, selection: Selection, out: Path, pages: int) -> list[Path]:
    from dashboards.write import write_dashboards
    from seamscope.reading.boundary import boundary
    from seamscope.remote import open_store

    with open_store(db) as reader:
        seen = boundary(reader, selection, pages=pages)
    return write_dashboards(seen, out)


@click.command("dashboards", epilog="Example: seamscope dashboards --out boundary --since 24h")
@db_option()
@config_option()
@selection_options()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("boundary"), show_default=True)
@click.option("--requests", default=80, show_default=True, type=click.IntRange(0), help="Requests that get a page.")
@click.option("--watch", is_flag=True, help="Write again whenever the store has changed.")
@click.option("--serve", is_flag=True, help="Serve the folder on loopback until interrupted.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Port of --serve; a free one by default.")
@json_option()
def command(
    db: str,
    config: Path,
    filter_: str,
    since: str | None,
    until: str | None,
    out: Path,
    requests: int,
    port: int,
    *,
    watch: bool,
    serve: bool,
    as_json: bool,
) -> None:
    """Static pages of the same results: the boundary at a glance, and a page per route, seam and request.

    They work offline, ask nothing of anyone, and are the same bytes for the same data.
    """
    del config
    from seamscope.results import Selection

    selection = Selection(filter_, since, until)
    pages = _write(db, selection, out, requests)
    if as_json:
        from seamscope.text.json_forms import written

        click.echo(written({"schema": "seamscope.pages/1", "pages": [str(page) for page in pages]}), nl=False)
    else:
        click.echo(f"{len(pages)} pages: {safe(str(pages[0]))}")
    if watch or serve:
        from dashboards.serve import keep

        again = (lambda: _write(db, selection, out, requests)) if watch else None
        keep(out, port if serve else None, again, lambda words: click.echo(safe(words)))
