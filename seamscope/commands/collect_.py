"""`seamscope collect`: the receiver."""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import click

from seamscope.allocators import keep_little
from seamscope.commands.options import config_option, db_option, operators_rules
from seamscope.commands.quantities import age, duration, memory, size
from seamscope.errors import UsageError
from seamscope.text.safe import safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from collector.serve import Collector, Plan
    from seamscope.config import Config

FILE: Final = click.Path(path_type=Path)
PATIENCE_S: Final = 2.0
LOOK_S: Final = 0.1
STARTING: Final = "starting; the first start of an installation compiles its decoder"

os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # before grpc is loaded; else a stranger's handshake is a line of log


def store_path(db: str) -> Path:
    """Return the file of `--db`; a collector writes it itself, so a remote one will not do."""
    if db.startswith("grpc://"):
        raise UsageError(f"{db} is another collector's store", "name a file: --db PATH")
    return Path(db)


class Stopping:
    """SIGTERM and SIGINT as an event, inside a `with` block; a second one ends the process at once.

    Attributes:
        exit_code: 0, or 130 once SIGINT came.
    """

    def __init__(self) -> None:
        self.exit_code = 0
        self._asked = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """Take the signals."""
        # a pipe, for no lock is safe in a handler: the thread that it interrupts may hold it, and would wait for ever
        self._awake, self._wake = os.pipe()
        self._poll = select.poll()
        self._poll.register(self._awake, select.POLLIN)
        for each in (signal.SIGTERM, signal.SIGINT):
            self._before[each] = signal.signal(each, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        """Give them back."""
        for each, handler in self._before.items():
            signal.signal(each, handler)
        os.close(self._awake)
        os.close(self._wake)

    def _on_signal(self, number: int, _frame: Any) -> None:
        if self._asked:
            os._exit(130)  # what was acknowledged is on disk already
        self.exit_code = 130 if number == signal.SIGINT else 0
        self._asked = True
        os.write(self._wake, b"\0")

    @property
    def asked(self) -> bool:
        """Whether the end was asked for."""
        return self._asked

    def wait(self, timeout_s: float) -> bool:
        """Wait; tell whether the end was asked for."""
        self._poll.poll(timeout_s * 1e3)
        return self._asked

    @contextmanager
    def telling(self, *told: Callable[[], object]) -> Iterator[None]:
        """Call these, from another thread, where the end is asked for before or inside."""
        over = threading.Event()
        thread = threading.Thread(target=self._tell, args=(told, over), name="stopping")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _tell(self, told: Sequence[Callable[[], object]], over: threading.Event) -> None:
        while not self._asked:
            if over.wait(LOOK_S):
                return
        for each in told:
            each()


@contextmanager
def patiently(words: str) -> Iterator[None]:
    """Say on stderr what takes so long, where it does."""
    timer = threading.Timer(PATIENCE_S, lambda: click.echo(f"{words} …", err=True))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


ROOMY_BYTES: Final = 2 << 30
"""With less, Polars gives freed memory back soon, to stay within it (`seamscope.allocators`)."""


@contextmanager
def started(plan: Plan, config: Config, *, as_json: bool = False) -> Iterator[Collector]:
    """Run a collector; `as_json`: its complaints are JSON objects, one a line."""
    if plan.memory_bytes < ROOMY_BYTES:
        keep_little()
    from collector.doors.complaints import complain_to
    from collector.serve import Collector

    debug = bool((click.get_current_context().find_root().obj or {}).get("debug"))
    complain_to(sys.stderr, debug=debug, as_json=as_json)
    collector = Collector(plan, config)
    with patiently(STARTING):
        collector.start()
    try:
        with _spared_garbage_collector():
            yield collector
    finally:
        collector.stop()


@contextmanager
def _spared_garbage_collector() -> Iterator[None]:
    """Let it pass over what is loaded by now, which stays.

    Else it goes through 170,000 objects every few thousand requests, while every thread waits: 100 ms and more each
    time, 49 µs of the doors' thread for each request of 10 spans; so 14 ms at most, and 22 µs.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()  # else DuckDB's binding finds objects at the interpreter's end, and takes them for leaks


def announce(collector: Collector, ready_file: Path | None) -> None:
    """Say where the collector listens and how to look at what it gets; scripts read the ready file instead."""
    db = safe(str(collector.plan.db))
    if ready_file is not None:
        _write_ready(collector, ready_file)
    tell_service_manager("READY=1")
    click.echo(f"OTLP/gRPC on {collector.grpc}, OTLP/HTTP on {collector.http_url}, into {db}")
    click.echo(f"look: {'trace-tui' if db == 'seamscope.duckdb' else f'trace-tui --db {db}'}")
    sys.stdout.flush()


def tell_service_manager(state: str) -> None:
    """Tell systemd how far the service is (sd_notify), where systemd started it."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    if not place.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, suppress(OSError):
        notify.connect(place.replace("@", "\0", 1) if place.startswith("@") else place)
        notify.sendall(state.encode())


def _check_ready(ready_file: Path) -> None:
    """Refuse what could not be written, before anything is started."""
    folder = ready_file.parent
    if not folder.is_dir():
        raise UsageError(f"cannot write {ready_file}: there is no folder {folder}", "make it, or choose another")
    if ready_file.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        what = "it is a folder" if ready_file.is_dir() else f"{folder} is not writable"
        raise UsageError(f"cannot write {ready_file}: {what}", "choose another --ready-file")


def _write_ready(collector: Collector, ready_file: Path) -> None:
    about = {
        "pid": os.getpid(),
        "grpc": str(collector.grpc),
        "http": collector.http_url,
        "db": str(collector.plan.db.resolve()),
    }
    written = ready_file.with_name(f"{ready_file.name}.{os.getpid()}")
    written.write_text(json.dumps(about) + "\n", encoding="utf-8")
    written.replace(ready_file)


def status_line(collector: Collector) -> str:
    """Return what the collector does in one line."""
    counts = collector.telemetry
    parts = [f"{counts.total('accepted'):,} stored"]
    for name in ("rejected", "refused", "invalid"):
        count = counts.total(name)
        if count:
            parts.append(f"{count:,} {name}{' requests' if name != 'rejected' else ''}")
    if counts.held_bytes:
        parts.append(f"{counts.held_bytes / 2**20:.1f} MiB waiting")
    return ", ".join(parts)


def watch(collector: Collector, stopping: Stopping) -> None:
    """Stay until the end is asked for, with one status line where stderr is a terminal."""
    shown = ""
    while not stopping.wait(1.0):
        line = status_line(collector) if sys.stderr.isatty() else ""
        if line != shown:
            click.echo(f"\r\x1b[2K{line}", nl=False, err=True)
            shown = line
    if shown:
        click.echo(err=True)


@click.command(
    "collect",
    epilog="Example: seamscope collect --db traces.duckdb, and OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 "
    "for the programs to look at.",
)
@db_option(remote=False)
@config_option()
@click.option(
    "--grpc", default="127.0.0.1:4317", show_default=True, metavar="HOST:PORT", help="OTLP/gRPC; port 0: any."
)
@click.option(
    "--http", default="127.0.0.1:4318", show_default=True, metavar="HOST:PORT", help="OTLP/HTTP; port 0: any."
)
@click.option("--token-file", type=FILE, metavar="FILE", help="Tokens that senders must show, one per line.")
@click.option("--read-token-file", type=FILE, metavar="FILE", help="Tokens that let readers in over the network.")
@click.option("--tls-cert", type=FILE, metavar="PEM", help="Certificate of both doors; read again when it changes.")
@click.option("--tls-key", type=FILE, metavar="PEM", help="Its key.")
@click.option("--tls-client-ca", type=FILE, metavar="PEM", help="Clients must show a certificate of this CA (mTLS).")
@click.option("--cors-origin", multiple=True, metavar="ORIGIN", help="Web origin whose pages may send; repeatable.")
@click.option("--insecure-public", is_flag=True, help="Let other machines connect without TLS or without a token.")
@click.option(
    "--settle",
    default="10s",
    show_default=True,
    callback=duration("0s", "7d"),
    help="Quiet time before a trace is analysed.",
)
@click.option("--retention-age", callback=age, metavar="TIME", help="Delete traces this long after their last span.")
@click.option("--retention-size", callback=size, metavar="SIZE", help="Delete the oldest traces beyond this size.")
@click.option("--record", type=click.Path(path_type=Path), metavar="DIR", help="Also keep the raw bodies received.")
@click.option("--max-memory", default="1GiB", show_default=True, callback=memory, help="What the process may hold.")
@click.option("--metrics-endpoint", metavar="HOST:PORT|URL", help="Send the collector's own metrics there, as OTLP.")
@click.option(
    "--metrics-every", default="60s", show_default=True, callback=duration("1s", "1d"), help="How often, from 1s to 1d."
)
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True, help="On stderr.")
@click.option("--ready-file", type=click.Path(path_type=Path), metavar="FILE", help="Written as JSON once ready.")
def command(
    *,
    db: str,
    config: Path,
    grpc: str,
    http: str,
    token_file: Path | None,
    read_token_file: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_client_ca: Path | None,
    cors_origin: tuple[str, ...],
    insecure_public: bool,
    settle: float,
    retention_age: float | None,
    retention_size: int | None,
    record: Path | None,
    max_memory: int,
    metrics_endpoint: str | None,
    metrics_every: float,
    log_format: str,
    ready_file: Path | None,
) -> int:
    """Run the receiver: OTLP over gRPC and HTTP into a store.

    An exporter's request is answered when its spans are on disk. Stop it with SIGTERM or Ctrl-C: it answers what it
    holds, analyses what has settled, and closes the store.

    Other machines may connect only with TLS and with a token or a certificate. Readers elsewhere need a token of their
    own: seamscope report --db grpc://HOST:4317 --token-file FILE --tls-ca FILE.
    """
    from collector.doors.addresses import Address
    from collector.doors.entry import Security
    from collector.sending.links import check_endpoint
    from collector.serve import Plan
    from collector.upkeep import Bounds

    if metrics_endpoint is not None:
        check_endpoint(metrics_endpoint)
    if ready_file is not None:
        _check_ready(ready_file)
    plan = Plan(
        db=store_path(db),
        grpc=Address.parse(grpc),
        http=Address.parse(http),
        settle_s=settle,
        record=record,
        memory_bytes=max_memory,
        security=Security(
            token_file, read_token_file, tls_cert, tls_key, tls_client_ca, cors_origin, insecure_public=insecure_public
        ),
        metrics_endpoint=metrics_endpoint,
        metrics_every_s=metrics_every,
        bounds=Bounds(retention_age, retention_size),
    )
    with Stopping() as stopping, started(plan, operators_rules(config), as_json=log_format == "json") as collector:
        announce(collector, ready_file)
        watch(collector, stopping)
        tell_service_manager("STOPPING=1")
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)
    return stopping.exit_code
