"""`seamscope replay`: sends recorded OTLP to an endpoint."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from seamscope.commands.options import json_option
from seamscope.errors import DataError, UsageError
from seamscope.text.safe import safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from collector.decoding.decode import Body
    from collector.sending.replay import Tally
    from collector.sending.stop import Stop

STDIN: Final = Path("-")
RECORDED: Final = (".otlp.pb", ".otlp.ndjson", ".otlp.json", ".otlp.jsonl")
"""What recorded files are called in a folder, apart from `.gz` and `.zst`; other files there are not traces."""


def recorded_files(paths: Sequence[Path]) -> list[Path]:
    """Return the files to send, those of folders (and theirs) by name.

    Raises:
        DataError: a folder holds no recorded file.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(each for each in path.rglob("*") if each.is_file() and _is_recorded(each))
        if not inside:
            raise DataError(f"{path} holds no recorded OTLP", f"files there end in {', '.join(RECORDED)} (.gz, .zst)")
        found.extend(inside)
    return found


def _is_recorded(path: Path) -> bool:
    return path.name.removesuffix(".gz").removesuffix(".zst").endswith(RECORDED)


def can_be_read_again(path: Path) -> bool:
    """Tell whether a file gives the same twice, as standard input, a named pipe or `<(…)` does not."""
    return path != STDIN and path.is_file()


def bodies_of(files: Sequence[Path]) -> Iterator[Body]:
    """Yield the bodies of files in order."""
    from collector.files import iter_bodies

    for file in files:
        yield from iter_bodies("-" if file == STDIN else file)


@contextmanager
def progress(total: int | None, label: str) -> Iterator[Callable[[object], None]]:
    """Show a bar on stderr where that is a terminal; give what is called after each body.

    Args:
        total: how many bodies there are; None where nobody knows.
        label: what is going on.
    """
    if total is None or not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
        yield lambda _: bar.update(1)


def send(
    files: Sequence[Path],
    endpoint: str,
    *,
    token_file: Path | None = None,
    tls_ca: Path | None = None,
    rate: float | None = None,
    shift_to_now: bool = False,
    live_s: float | None = None,
    label: str = "replay",
    stopped: Stop | None = None,
) -> Tally:
    """Send files to an endpoint; return what became of them.

    With `live_s` the files play side by side at the pace of their recording, within so many seconds if they can.
    Once `stopped` is set, nothing more is sent.

    Raises:
        EndpointError: nothing answers there, or it keeps refusing.
        DataError: a file is no OTLP.
    """
    from collector.sending.links import Access, link
    from collector.sending.pacing import live, schedule
    from collector.sending.replay import Replay
    from collector.sending.shifting import all_shifted, extent, now_ns
    from collector.sending.stop import Stop
    from seamscope.remote import read_token

    stopped = stopped or Stop()
    to = link(endpoint, Access(read_token(token_file), tls_ca) if token_file or tls_ca else None)
    try:
        total = sum(1 for _ in bodies_of(files)) if all(map(can_be_read_again, files)) else None
        replay, bodies = Replay(to, rate, stopped=stopped), bodies_of(files)
        if live_s is not None:
            line = schedule([list(bodies_of([file])) for file in files], int(live_s * 1e9))
            bodies = all_shifted(live(line, stopped.wait), replay.pass_over)
        elif shift_to_now:
            by_ns = now_ns() - extent(bodies_of(files)).last_ns
            bodies = all_shifted(((body, by_ns) for body in bodies_of(files)), replay.pass_over)
        with progress(total, label) as on_sent:
            return replay.run(bodies, on_sent)
    finally:
        to.close()


def document(tally: Tally) -> dict[str, object]:
    """Return what became of a replay as a JSON object."""
    return {
        "requests": tally.requests,
        "items": tally.items,
        "accepted": tally.accepted,
        "rejected": tally.rejected,
        "failed_requests": tally.failed_requests,
        "retries": tally.retries,
        "messages": dict(tally.messages),
    }


def told(tally: Tally) -> str:
    """Return what became of a replay in a few lines."""
    parts = [f"{tally.requests:,} requests, {tally.accepted:,} spans, log records and data points accepted"]
    if tally.rejected:
        parts.append(f"{tally.rejected:,} rejected")
    if tally.retries:
        parts.append(f"{tally.retries:,} retries")
    if tally.failed_requests:
        parts.append(f"{tally.failed_requests:,} requests not taken")
    lines = [f"  {count} × {safe(why)}" for why, count in tally.messages.most_common(5)]
    return "\n".join([", ".join(parts), *lines])


@click.command(
    "replay",
    epilog="Example: seamscope replay sample_traces --shift-to-now --rate 2000",
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...|DIR")
@click.option(
    "--endpoint",
    default="127.0.0.1:4317",
    show_default=True,
    metavar="HOST:PORT|URL",
    help="OTLP/gRPC as HOST:PORT, OTLP/HTTP as http://HOST:PORT.",
)
@click.option("--token-file", type=click.Path(path_type=Path), metavar="FILE", help="Token that the endpoint asks for.")
@click.option("--tls-ca", type=click.Path(path_type=Path), metavar="FILE", help="Certificate of its CA; asks for TLS.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), metavar="N", help="At most N spans a second.")
@click.option("--shift-to-now", is_flag=True, help="Move all times by one amount, so that the last one is now.")
@click.option(
    "--live",
    "live_s",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="As if it happened now: at the pace of the recording, files side by side, spread over so many seconds.",
)
@json_option()
def command(
    *,
    files: tuple[Path, ...],
    endpoint: str,
    token_file: Path | None,
    tls_ca: Path | None,
    rate: float | None,
    shift_to_now: bool,
    live_s: float | None,
    as_json: bool,
) -> None:
    """Send recorded OTLP to an endpoint: files, folders of them, or - for standard input."""
    missing = [path for path in files if path != STDIN and not path.exists()]
    if missing:
        raise DataError(f"{missing[0]}: no such file or folder", "check the path")
    found = recorded_files(files)
    once = [path for path in found if not can_be_read_again(path)]
    if once and (shift_to_now or live_s is not None):
        raise UsageError("--shift-to-now and --live read everything twice", f"name a file instead of {once[0]}")
    tally = send(
        found,
        endpoint,
        token_file=token_file,
        tls_ca=tls_ca,
        rate=rate,
        shift_to_now=shift_to_now,
        live_s=live_s,
    )
    click.echo(json.dumps(document(tally)) if as_json else told(tally))
    if tally.failed_requests:
        raise DataError(f"{tally.failed_requests} of {tally.requests} requests were not taken", "see the reasons above")
