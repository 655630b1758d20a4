"""`seamscope report`: owner × cause × evidence totals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from seamscope.commands.options import config_option, db_option, json_option, selection_options

if TYPE_CHECKING:
    from pathlib import Path

    from seamscope.results import Report

FORMATS = ("table", "json", "markdown", "csv")


def _print(report: Report, form: str, top: int) -> str:
    if form == "json":
        from seamscope.text.json_forms import report_document, written

        return written(report_document(report))
    if form in {"markdown", "csv"}:
        from seamscope.text.report_lists import report_csv, report_markdown

        return report_csv(report) if form == "csv" else report_markdown(report, top=top)
    from seamscope.text.paper import stdout_paper
    from seamscope.text.report_text import report_text

    return report_text(report, stdout_paper(), top=top)


@click.command("report", epilog="Example: seamscope report --by seam --at p95 --filter 'route:/dash shell>500ms'")
@db_option()
@config_option()
@selection_options()
@click.option(
    "--by",
    default="route",
    show_default=True,
    metavar="route|seam|boundary|service|place|version|attr:KEY",
    help="What to group by.",
)
@click.option(
    "--at",
    type=click.Choice(["mean", "p50", "p95", "p99"]),
    default="mean",
    show_default=True,
    help="Totals over all requests, or over those nearest a percentile (1 %, at least 20).",
)
@click.option("--horizon", type=click.Choice(["shell", "complete"]), help="First byte or last byte; both by default.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True, help="How to print.")
@click.option(
    "--top", default=8, show_default=True, type=click.IntRange(1), help="Shares shown per group (table, markdown)."
)
@click.option(
    "--limit", default=40, show_default=True, type=click.IntRange(1), help="Groups, those with most time first."
)
@json_option()
def command(
    db: str,
    config: Path,
    filter_: str,
    since: str | None,
    until: str | None,
    by: str,
    at: str,
    horizon: str | None,
    form: str,
    top: int,
    limit: int,
    *,
    as_json: bool,
) -> None:
    """Owner, cause and evidence totals, percentiles of shell and complete, and the calls that held them.

    Totals are integers that sum to the horizon. The filter line takes route: kind: environment: service: place:
    version: method: status: shell> complete> spans> tier: cause: owner: evidence: stretch> seam: boundary: peer:
    operation: gap> attempts> reused: warning: id:, any attribute as KEY:VALUE, and free text; -key: is none such.
    """
    del config
    from seamscope.reading.reports import report
    from seamscope.remote import open_store
    from seamscope.results import Selection
    from seamscope.schema.words import HORIZONS

    with open_store(db) as reader:
        found = report(
            reader,
            Selection(filter_, since, until),
            by=by,
            at=at,
            horizons=(horizon,) if horizon else HORIZONS,
            limit=limit,
            measured=True,
        )
    click.echo(_print(found, "json" if as_json else form, top), nl=False)
