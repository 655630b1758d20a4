"""`seamscope import`: brings files of spans into a store."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seamscope.commands.options import config_option, db_option, json_option, operators_rules
from seamscope.errors import DataError, UsageError
from seamscope.text.safe import safe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from collector.decoding.decode import Body
    from collector.importing import Sink, Tally
    from collector.ingest import Outcome

    Analysis = Callable[[], Mapping[str, Any]]


class _Target(ExitStack):
    """The live collector of a store, or the store itself; opened when the first bodies come, so not for nothing."""

    def __init__(self, db: str, config: Path) -> None:
        super().__init__()
        if db.startswith("grpc://"):
            raise UsageError("import writes into a file, or beside its live collector", "send it there with replay")
        self._db = db
        self._config = config
        self._sink: Sink | None = None
        self.analysis: Analysis | None = None

    def take(self, bodies: Sequence[Body]) -> tuple[Sequence[Outcome], int | None]:
        """Store bodies."""
        if self._sink is None:
            self._sink, self.analysis = self._beside_collector() or self._on_file()
        return self._sink.take(bodies)

    def _beside_collector(self) -> tuple[Sink, Analysis] | None:
        from collector.importing import CollectorSink
        from seamscope.remote import Lent, find_collector

        collector = find_collector(self._db)
        if collector is None:
            return None
        lent = self.enter_context(Lent(collector.address))
        return CollectorSink(lent), lent.analyze

    def _on_file(self) -> tuple[Sink, Analysis]:
        from collector.importing import StoreSink
        from seamscope import runs
        from seamscope.store import Store

        rules = operators_rules(self._config)
        store = self.enter_context(Store.open(self._db, service_tier=rules.service_tier))
        return StoreSink(store, rules.rules), lambda: asdict(runs.analyze(store, rules=rules))


def _progress(tally: Tally) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{tally.requests:,} requests, {tally.items:,} items", nl=False, err=True)


def _told(tally: Tally, analysis: Mapping[str, Any] | None) -> str:
    """Return what became of an import in a few lines."""
    names = {"traces": "spans", "logs": "log records", "metrics": "data points"}
    accepted = [f"{count:,} {names[signal]}" for signal, count in tally.accepted.items() if count]
    lines = [f"{', '.join(accepted) or 'nothing'} accepted from {tally.requests:,} requests"]
    if tally.duplicates:
        lines.append(f"  {tally.duplicates:,} items were there before")
    lines += [f"  {count:,} rejected: {reason}" for reason, count in tally.rejected.most_common()]
    lines += [f"  {count:,} noted: {kind}" for kind, count in tally.notes.most_common()]
    if tally.unreadable:
        lines.append(f"  {tally.unreadable:,} requests could not be read")
    lines += [f"  {count:,} × {safe(message)}" for message, count in tally.messages.items()]
    if analysis is not None:
        lines.append(f"{analysis['requests']:,} requests analysed, {analysis['revised']:,} of them revised")
    return "\n".join(lines)


def _import(files: Sequence[Path], db: str, config: Path, *, analyse: bool) -> tuple[Tally, Mapping[str, Any] | None]:
    from collector.importing import import_files

    errors: list[DataError] = []
    with _Target(db, config) as target:
        tally = import_files(files, target, _progress, errors.append)
        if sys.stderr.isatty() and tally.requests:
            click.echo(err=True)
        if tally.requests == 0 and len(errors) <= 1:
            raise errors[0] if errors else DataError(f"nothing to import in {', '.join(map(str, files))}")
        for error in errors:
            click.echo(f"seamscope: {safe(str(error))}", err=True)
        return tally, target.analysis() if analyse and tally.items and target.analysis is not None else None


@click.command(
    "import",
    epilog="Example: seamscope import traces.otlp.pb.zst exported.json - < more.ndjson",
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@db_option(remote=False)
@config_option()
@click.option("--no-analyze", is_flag=True, help="Only store; analyse later with seamscope analyze.")
@json_option()
@click.pass_context
def command(
    ctx: click.Context, files: tuple[Path, ...], db: str, config: Path, no_analyze: bool, as_json: bool
) -> None:
    """Bring files of spans into a store.

    FILE is OTLP as protobuf (one request, or many each after its length), JSON or NDJSON; or what Jaeger or Zipkin
    (v2) keep as JSON; also .gz or .zst, or - for standard input. The form is found out. Beside a live collector, the
    collector stores them.
    """
    tally, analysis = _import(files, db, config, analyse=not no_analyze)
    if not tally.requests:
        ctx.exit(DataError.exit_code)
    document = {**tally.document(), "analysis": None if analysis is None else dict(analysis)}
    click.echo(json.dumps(document) if as_json else _told(tally, analysis))
    if tally.failed or (tally.unreadable and not tally.items):
        ctx.exit(DataError.exit_code)
