"""`seamscope sql`: one read-only statement over the views."""

from __future__ import annotations

import itertools
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import click

from seamscope.commands.options import config_option, db_option, json_option

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

FORMATS: Final = ("table", "json", "ndjson", "csv")
TABLE_ROWS: Final = 1_000
MOST_ROWS: Final = 1_000_000


@click.command("sql", epilog="Example: seamscope sql 'SELECT route, count(*) FROM requests GROUP BY ALL' --json")
@click.argument("query")
@db_option()
@config_option()
@click.option("--format", "form", type=click.Choice(FORMATS), help="How to print; a table by default.")
@json_option()
@click.option("--ndjson", is_flag=True, help="Print one JSON object per line.")
@click.option("--limit", type=click.IntRange(1), help="Rows printed at most: 1000 of a table, else a million.")
def command(
    query: str,
    db: str,
    config: Path,
    form: str | None,
    limit: int | None,
    *,
    as_json: bool,
    ndjson: bool,
) -> None:
    """Run one read-only statement; QUERY is SQL, or - to read it from stdin.

    Views: spans, resources, span_events, span_links, logs, metric_points, errors, requests, request_traces, segments,
    hops, findings, finding_requests, warnings, async_work. Ids are hex text, times integer nanoseconds (UTC);
    attr(attributes, 'key') gives an attribute, FROM trace('id') the spans of one trace. A statement may run for 30 s,
    and reaches no file and no network.
    """
    del config
    from seamscope.remote import open_store

    chosen = form or ("ndjson" if ndjson else "json" if as_json else "table")
    text = sys.stdin.read() if query == "-" else query
    most = limit or (TABLE_ROWS if chosen == "table" else MOST_ROWS)
    with (
        open_store(db, limited=True) as reader,
        closing(reader.stream(text)) as stream,
    ):
        rows = Rows(next(stream), stream, most)
        for piece in _printed(chosen, rows):
            click.echo(piece, nl=False)
    if rows.cut:
        click.echo(f"seamscope: the first {most:,} rows; --limit gives more", err=True)


class Rows:
    """The rows of a result, up to a number of them; `cut` tells whether there were more."""

    def __init__(self, schema: pa.Schema, batches: Iterator[Any], most: int) -> None:
        self.schema = schema
        self.cut = False
        self._batches = batches
        self._left = most

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Give row by row as plain values."""
        from seamscope.text.rows_text import values

        for batch in self._batches:
            yield from values(batch.slice(0, self._left))
            self.cut = batch.num_rows > self._left
            if self.cut:
                return
            self._left -= batch.num_rows


def _printed(form: str, rows: Rows) -> Iterator[str]:
    from seamscope.text.paper import stdout_paper
    from seamscope.text.rows_text import csv_lines, json_object, rows_table, titles

    columns = titles(rows.schema)
    if form == "table":
        yield rows_table(rows.schema, list(rows), stdout_paper())
    elif form == "csv":
        yield csv_lines(itertools.chain([columns], rows))
    elif form == "ndjson":
        yield from (f"{json_object(columns, row)}\n" for row in rows)
    else:
        lines = (json_object(columns, row) for row in rows)
        first = next(lines, "")
        yield f"[{first}"
        yield from (f",\n{line}" for line in lines)
        yield "]\n"
