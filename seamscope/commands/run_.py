"""`seamscope run`: collector, recorded samples, pages, summary and explorer in one. What `make run` calls."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from seamscope.commands.collect_ import Stopping, announce, patiently, started, store_path, watch
from seamscope.commands.options import config_option, db_option, operators_rules
from seamscope.errors import StoreError
from seamscope.text.safe import safe

if TYPE_CHECKING:
    from collector.sending.stop import Stop
    from collector.serve import Collector
    from seamscope.remote import LiveCollector
    from seamscope.store import Reader


LIVE_SECONDS: Final = 30.0
"""How long recorded traffic plays before somebody's eyes."""
PLAYED: Final = "played"
"""A file in the folder of samples that names those of its folders that are played, one a line."""


def played(samples: Path) -> list[Path]:
    """Give the folders of samples that are played: those that the folder's own list names, else the folder itself."""
    listed = samples / PLAYED
    if not listed.is_file():
        return [samples]
    return [samples / name for name in listed.read_text(encoding="utf-8").split()]


def replay_samples(samples: Path, endpoint: str, *, live: bool, stopped: Stop | None = None) -> None:
    """Send the recorded traffic to a collector, as an exporter would; say on stderr what came of it."""
    from seamscope.commands.replay_ import recorded_files, send, told

    if not samples.is_dir():
        click.echo(f"no recorded samples at {safe(str(samples))}: waiting for spans", err=True)
        return
    pace = f" for {LIVE_SECONDS:.0f} seconds, as recorded" if live else ""
    click.echo(f"the store is empty: replaying {safe(str(samples))}{pace}", err=True)
    files = recorded_files(played(samples))
    tally = send(files, endpoint, live_s=LIVE_SECONDS if live else None, label="replaying", stopped=stopped)
    click.echo(told(tally), err=True)


def is_empty(reader: Reader) -> bool:
    """Tell whether a store has no span yet."""
    return bool(reader.query("SELECT count(*) = 0 AS empty FROM base.spans")["empty"][0])


def are_current(pages: Path, reader: Reader) -> bool:
    """Tell whether the pages were written after the last span came."""
    last_ns = reader.query("SELECT coalesce(max(ingested_ns), 0) AS last FROM base.spans")["last"][0]
    index = pages / "index.html"
    return index.exists() and index.stat().st_mtime_ns > last_ns


def show(reader: Reader, out: Path) -> None:
    """Print the attribution summary; write the pages, unless nothing came since they were written."""
    from seamscope.reading.reports import report
    from seamscope.text.paper import stdout_paper
    from seamscope.text.summary_text import attribution_summary

    if are_current(out, reader):
        told, pages = report(reader), f"pages, as written before: {out / 'index.html'}"
    else:
        from dashboards.write import write_dashboards
        from seamscope.reading.boundary import boundary

        seen = boundary(reader)
        written = write_dashboards(seen, out)
        told, pages = seen.report, f"{len(written)} pages: {written[0]}"
    click.echo(attribution_summary(told, stdout_paper()))
    click.echo(safe(pages))
    sys.stdout.flush()


def beside(live: LiveCollector, db: str, samples: Path, out: Path, *, once: bool) -> None:
    """Show a store through the collector that has it open, which goes on by itself."""
    from seamscope.remote import Lent

    click.echo(f"a collector (process {live.pid}) has {safe(db)} open already: reading through it", err=True)
    with Lent(live.address) as lent:
        if is_empty(lent):
            replay_samples(samples, str(live.status["grpc"]), live=not once)
            lent.analyze()
        show(lent, out)


def explore(db: str) -> None:
    """Open the explorer in a process of its own, so that its screen and the collector do not share an interpreter."""
    with subprocess.Popen([sys.executable, "-m", "seamscope", "tui", "--db", db]) as explorer:  # noqa: S603 - ourselves
        before = signal.signal(signal.SIGTERM, lambda *_: explorer.terminate())
        ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)  # the explorer has the keyboard
        logging.disable()  # the screen is the explorer's
        explorer.wait()
        logging.disable(logging.NOTSET)
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, ignored)


def alone(collector: Collector, stopping: Stopping, samples: Path, out: Path, *, once: bool) -> None:
    """Fill an empty store, and show what there is; leave off where the end is asked for meanwhile."""
    from collector.sending.stop import Stop

    stopped = Stop()
    with stopping.telling(stopped.set, collector.hurry):
        if is_empty(collector.store):
            replay_samples(samples, str(collector.grpc), live=not once, stopped=stopped)
        if not stopping.asked:
            with patiently("analysing, then writing the pages"):
                _analyze(collector, stopping)
                if not stopping.asked:
                    show(collector.store, out)


def _analyze(collector: Collector, stopping: Stopping) -> None:
    try:
        collector.analyze()
    except StoreError:
        if not stopping.asked:
            raise


def has_terminal() -> bool:
    """Tell whether somebody sits in front of this."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "") != "dumb"


@click.command("run", epilog="Example: seamscope run --once")
@db_option(remote=False)
@config_option()
@click.option("--once", is_flag=True, help="Stop after the summary.")
@click.option("--samples", type=click.Path(path_type=Path), default=Path("sample_traces"), show_default=True)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("boundary"), show_default=True, help="For the pages."
)
@click.option("--grpc", default="127.0.0.1:4317", show_default=True, metavar="HOST:PORT", help="OTLP/gRPC.")
@click.option("--http", default="127.0.0.1:4318", show_default=True, metavar="HOST:PORT", help="OTLP/HTTP.")
@click.option("--no-tui", is_flag=True, help="Stay a collector, also in a terminal.")
def command(*, db: str, config: Path, once: bool, samples: Path, out: Path, grpc: str, http: str, no_tui: bool) -> int:
    """Collector, recorded samples and explorer in one, for a first look.

    An empty store is filled by replaying the samples over OTLP/gRPC: for half a minute at the pace at which they were
    recorded, or at once with --once. Then the pages are written, the summary is
    printed, and the explorer opens; without a terminal it stays a collector until it is interrupted.
    """
    from collector.doors.addresses import Address
    from collector.serve import Plan
    from seamscope.remote import find_collector

    path, explorer = store_path(db), has_terminal() and not (once or no_tui)
    live = find_collector(path)
    if live is not None:
        beside(live, db, samples, out, once=once)
        if explorer:
            explore(db)
        return 0
    plan = Plan(path, Address.parse(grpc), Address.parse(http))
    with Stopping() as stopping, started(plan, operators_rules(config)) as collector:
        announce(collector, None)
        alone(collector, stopping, samples, out, once=once)
        if explorer and not stopping.asked:
            explore(db)
        elif not once:
            watch(collector, stopping)
    return stopping.exit_code
