"""`seamscope findings`: what a person should act on."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from seamscope.commands.options import config_option, db_option, json_option, selection_options

if TYPE_CHECKING:
    from pathlib import Path

    from seamscope.results import Selection
    from seamscope.store import Reader


def _document(kind: str, **parts: Any) -> str:
    from seamscope.text.json_forms import written

    return written({"schema": f"seamscope.{kind}/1", **parts})


def _list(reader: Reader, selection: Selection, rule: str | None, form: str) -> str:
    from seamscope.reading.findings import list_findings
    from seamscope.selection.predicate import one_environment

    selection, notes = one_environment(reader, selection)
    found = list_findings(reader, selection, rule=rule)
    if form == "text":
        from seamscope.text.findings_text import findings_text
        from seamscope.text.paper import stdout_paper

        return findings_text(found, stdout_paper(), notes)
    rows = [dataclasses.asdict(finding) for finding in found]
    if form == "ndjson":
        import json

        from seamscope.text.safe import safe_json

        return "".join(f"{safe_json(json.dumps(row, ensure_ascii=False))}\n" for row in rows)
    return _document("findings", notes=list(notes), findings=rows)


def _one(reader: Reader, selection: Selection, finding_id: str, limit: int, form: str) -> str:
    from seamscope.reading.findings import find_finding, finding_requests

    finding = find_finding(reader, finding_id, selection)
    requests = finding_requests(reader, finding, selection, limit=limit)
    if form == "text":
        from seamscope.text.findings_text import finding_text
        from seamscope.text.paper import stdout_paper

        return finding_text(finding, requests, stdout_paper())
    rows = [dataclasses.asdict(request) for request in requests]
    return _document("finding", finding=dataclasses.asdict(finding), requests=rows)


@click.command("findings", epilog="Example: seamscope findings --rule pool_exhausted --filter 'route:/reports'")
@click.argument("id_", metavar="[ID]", required=False)
@db_option()
@config_option()
@selection_options()
@click.option("--rule", metavar="NAME", help="Only findings of this rule, such as n_plus_one.")
@click.option("--limit", default=40, show_default=True, type=click.IntRange(1), help="Requests shown of one finding.")
@json_option()
@click.option("--ndjson", is_flag=True, help="Print one JSON object a line.")
def command(
    id_: str | None,
    db: str,
    config: Path,
    filter_: str,
    since: str | None,
    until: str | None,
    rule: str | None,
    limit: int,
    *,
    as_json: bool,
    ndjson: bool,
) -> None:
    """What to act on, costliest first: where, how many requests, what it costs, and the next step.

    With ID (or its beginning) the requests behind one finding, and the spans that prove it. A cost is what re-timing
    the request without it saves; costs of different findings do not add up.
    """
    del config
    from seamscope.remote import open_store
    from seamscope.results import Selection

    form = "ndjson" if ndjson else "json" if as_json else "text"
    with open_store(db) as reader:
        selection = Selection(filter_, since, until)
        text = _one(reader, selection, id_, limit, form) if id_ else _list(reader, selection, rule, form)
    click.echo(text, nl=False)
