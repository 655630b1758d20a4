"""What `seamscope doctor` looks at: each check says what it found, and what to do where something is wrong."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import socket
import sys
from collections import Counter
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from seamscope import __version__
from seamscope.errors import EndpointSilentError, SeamscopeError, StoreLockedError
from seamscope.statements import statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from seamscope.remote import LiveCollector

OK: Final = "ok"
NOTE: Final = "note"
PROBLEM: Final = "problem"

PACKAGES: Final = ("analysis", "collector", "dashboards", "seamscope", "tui")
"""The names that the wheel installs: generic ones, so another wheel may overwrite them without a word."""

DEPENDENCIES: Final = ("duckdb", "polars", "pyarrow", "numba", "numpy", "grpcio", "protobuf", "textual", "plotly")
LEAST: Final = {"duckdb": (2, 0), "grpcio": (1, 84)}
"""Below these, data is lost (DuckDB 1.4 on a full disk) or a small body can fill the memory (gRPC)."""

FREE_BYTES: Final = 512 << 20
"""A disk with less than this left will soon refuse commits."""

WHY: Final = (
    "`seamscope sql \"FROM warnings WHERE code = 'stage_failed'\"` says why, `seamscope analyze --all` tries them again"
)

PORTS: Final = {"OTLP/gRPC": 4317, "OTLP/HTTP": 4318}

SETTINGS: Final = {
    "Next.js (@vercel/otel)": "OTEL_EXPORTER_OTLP_ENDPOINT=http://HOST:4318; propagate to your own hosts: "
    "registerOTel({instrumentationConfig: {fetch: {propagateContextUrls: ['*']}}})",
    "Vercel Trace Drain": "custom endpoint http(s)://HOST:4318/v1/traces; there is no OTLP/gRPC",
    "Cloudflare Workers": "observability.traces.destinations: OTLP/JSON to http(s)://HOST:4318/v1/traces; "
    "'Forward to origin' must be switched on",
    "Deno": "OTEL_DENO=true OTEL_EXPORTER_OTLP_ENDPOINT=http://HOST:4318",
    "Node": "OTEL_EXPORTER_OTLP_ENDPOINT=http://HOST:4318; instrumentation-net and -dns give connect, tls and dns",
    "Go": "otlptracegrpc to HOST:4317 (WithInsecure on loopback); otelhttptrace gives dns, connect, tls and pool waits",
    "Python (Django, FastAPI)": "OTEL_EXPORTER_OTLP_ENDPOINT=http://HOST:4317 OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
    "OpenTelemetry Collector": "exporters: otlp: {endpoint: HOST:4317, tls: {insecure: true}}",
}
"""Where to point an emitter, and what makes its waits visible."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: str
    """`ok`, `note` (nothing to act on) or `problem`."""
    said: str
    hint: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def checks(db: str) -> Iterator[Check]:
    """Look at the program, its packages, its kernels, the store at `db` and its collector, one after the other."""
    yield program()
    yield from dependencies()
    yield owners()
    yield kernels()
    yield from store_and_collector(db)


def document(found: list[Check]) -> dict[str, Any]:
    """Give the checks in the form `seamscope.doctor/1`."""
    return {
        "schema": "seamscope.doctor/1",
        "version": __version__,
        "problems": sum(check.state == PROBLEM for check in found),
        "checks": [asdict(check) for check in found],
        "sdk_settings": SETTINGS,
    }


def program() -> Check:
    """Which release runs on which Python."""
    facts = {"seamscope": __version__, "python": platform.python_version(), "platform": platform.platform()}
    state = OK if sys.version_info >= (3, 11) else PROBLEM
    return Check("program", state, f"seamscope {__version__} on Python {facts['python']}", facts=facts)


def dependencies() -> Iterator[Check]:
    """Which releases of the libraries are installed, and whether one is known to lose data or memory."""
    installed = {name: _version(name) for name in DEPENDENCIES}
    words = ", ".join(f"{name} {found or 'missing'}" for name, found in installed.items())
    old = [name for name, found in installed.items() if found is None or _numbers(found) < LEAST.get(name, (0,))]
    if old:
        yield Check(
            "libraries", PROBLEM, words, f"reinstall seamscope: {', '.join(old)} is missing or too old", installed
        )
    else:
        yield Check("libraries", OK, words, facts=installed)
    yield _protobuf()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def _protobuf() -> Check:
    kind = importlib.import_module("google.protobuf.internal.api_implementation").Type()
    if kind == "upb":
        return Check("protobuf", OK, "compiled (upb)")
    return Check("protobuf", PROBLEM, f"the {kind} implementation", "unset PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION")


def owners() -> Check:
    """Whether each of our package names belongs to our distribution alone."""
    found = metadata.packages_distributions()
    facts = {name: sorted(set(found.get(name, ()))) for name in PACKAGES}
    shared = [name for name, distributions in facts.items() if len(distributions) > 1]
    if shared:
        said = "; ".join(f"{name} is in {' and '.join(facts[name])}" for name in shared)
        return Check("packages", PROBLEM, said, "install seamscope in an environment of its own (pipx, uv tool)", facts)
    if not any(facts.values()):
        return Check("packages", NOTE, "run from a checkout, not installed", facts=facts)
    return Check("packages", OK, "each name has one owner", facts=facts)


def kernels() -> Check:
    """Whether the kernels have been compiled on this machine."""
    sources = [path for name in PACKAGES for path in _folder(name).rglob("*.py") if "\n@kernel" in _text(path)]
    done = [path for path in sources if _is_compiled(path)]
    facts = {"compiled": len(done), "modules": len(sources)}
    if len(done) < len(sources):
        return Check(
            "kernels", NOTE, f"{len(done)} of {len(sources)} modules compiled, the rest at first use", "", facts
        )
    return Check("kernels", OK, f"all {len(sources)} modules compiled", facts=facts)


def _folder(package: str) -> Path:
    return Path(__file__).resolve().parent.parent / package


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _is_compiled(source: Path) -> bool:
    """Look for numba's index of a module: beside it, in $NUMBA_CACHE_DIR, or in the user's cache."""
    elsewhere = os.environ.get("NUMBA_CACHE_DIR")
    user = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "numba"
    folders = [source.parent / "__pycache__", user] + ([Path(elsewhere)] if elsewhere else [])
    return any(any(folder.rglob(f"{source.stem}.*.nbi")) for folder in folders if folder.is_dir())


def salvaged(db: str) -> Check:
    """Make a damaged store readable again, and say what was done; refuses beside a writer."""
    from seamscope.remote import find_collector
    from seamscope.store.salvage import salvage

    live = None if db.startswith("grpc://") else find_collector(db)
    if db.startswith("grpc://") or live is not None:
        who = f"process {live.pid}" if live else "another machine's collector"
        raise StoreLockedError(f"{db} is open in {who}", f"stop it first (kill {live.pid})" if live else "name a file")
    done = salvage(Path(db))
    facts = {**asdict(done), "put_aside": [str(place) for place in done.put_aside]}
    if not done.put_aside:
        return Check("salvage", OK, "nothing is damaged", facts=facts)
    kept = f"{done.spans:,} spans kept" if done.readable else "nothing of it can be read"
    aside = f"{_megabytes(done.dropped_log_bytes)} of log dropped; put aside: {', '.join(facts['put_aside'])}"
    return Check("salvage", NOTE if done.readable else PROBLEM, f"{kept}; {aside}", facts=facts)


def store_and_collector(db: str) -> Iterator[Check]:
    """Whether the store can be read, what is in it, whether its disk has room, and whether a collector is live."""
    yield _store(db)
    if db.startswith("grpc://"):
        return
    yield _disk(Path(db))
    if Path(db).exists():
        yield _mode(Path(db))
    yield from _collector_and_ports(db)


def _collector_and_ports(db: str) -> Iterator[Check]:
    from seamscope.remote import find_collector

    live = None
    try:
        live = find_collector(db)
    except EndpointSilentError as error:
        yield Check("collector", PROBLEM, str(error.args[0]), error.hint)
    else:
        yield collector(live)
    yield from ports(live)


def _store(db: str) -> Check:
    from seamscope.remote import open_store

    if not db.startswith("grpc://") and not Path(db).exists():
        return Check("store", NOTE, f"none at {db} yet", "run `seamscope collect` or `seamscope import`")
    try:
        with open_store(db) as reader:
            facts = reader.query(statement("doctor/store")).to_dicts()[0]
    except StoreLockedError as error:
        return Check("store", NOTE, str(error.args[0]), error.hint)
    except SeamscopeError as error:
        return Check("store", PROBLEM, str(error.args[0]), error.hint)
    said = f"{db}: {facts['spans']:,} spans, {facts['requests']:,} requests, {_megabytes(facts['file_bytes'])}"
    said += f" ({_megabytes(facts['free_bytes'])} of it free), schema {facts['schema_version']}"
    if facts["set_aside"]:
        return Check(
            "store", NOTE, f"{said}; {facts['set_aside']:,} traces set aside: analysing them fails", WHY, facts
        )
    return Check("store", OK, said, facts=facts)


def _megabytes(size: int | None) -> str:
    return f"{(size or 0) / 1e6:,.1f} MB"


def _disk(db: Path) -> Check:
    from seamscope.store.opening import linked, log_file

    db = linked(db)
    folder = db.resolve().parent
    if not folder.is_dir():
        return Check("disk", PROBLEM, f"no folder {folder}", "make it, or name another --db")
    free = shutil.disk_usage(folder).free
    sizes = {path.name: path.stat().st_size for path in (db, log_file(db)) if path.exists()}
    facts = {"free_bytes": free, "files": sizes}
    if free < FREE_BYTES:
        return Check(
            "disk", PROBLEM, f"{_megabytes(free)} free in {folder}", "make room: commits will be refused", facts
        )
    if not os.access(folder, os.W_OK):
        return Check("disk", PROBLEM, f"{folder} is not writable", "a store needs its log beside it", facts)
    return Check("disk", OK, f"{_megabytes(free)} free in {folder}", facts=facts)


def _mode(db: Path) -> Check:
    mode = db.stat().st_mode & 0o777
    if mode & 0o077:
        return Check("privacy", PROBLEM, f"{db} can be opened by others (mode {mode:o})", f"chmod 600 {db}")
    return Check("privacy", OK, f"{db} is its owner's alone (mode {mode:o})")


def collector(live: LiveCollector | None) -> Check:
    """Whether a collector writes this store and answers on its socket."""
    if live is None:
        return Check("collector", NOTE, "none writes this store", "start one with `seamscope collect`")
    said = f"process {live.pid} answers at {live.address}"
    counts = live.status.get("telemetry")
    if not isinstance(counts, dict):
        return Check("collector", OK, said, facts=dict(live.status))
    fails = _fails(counts) or counts.get("analysis_failing")
    state, hint = (PROBLEM, "see its log, and the disk") if fails else (OK, "")
    return Check("collector", state, f"{said}; {_counted(counts)}", hint, dict(live.status))


def _fails(counts: Mapping[str, Any]) -> bool:
    return bool(counts.get("failed_commits")) and not counts.get("storing", True)


def _counted(counts: Mapping[str, Any]) -> str:
    """Give in a line what a collector has counted since its start."""
    signals = list(counts.get("signals", {}).values())

    def total(name: str) -> int:
        return sum(each.get(name, 0) for each in signals)

    parts = [
        f"{total('requests'):,} requests ({_megabytes(total('request_bytes'))})",
        f"{total('accepted'):,} items accepted ({total('duplicates'):,} sent again, {total('unkept'):,} only counted)",
        f"{_by_reason(each['rejected'] for each in signals)} rejected",
        f"{_by_reason(each['refused_requests'] for each in signals)} requests refused",
        f"{total('invalid_requests'):,} invalid",
        f"{_by_reason([counts.get('denied_requests', {})])} denied",
        f"{_megabytes(counts.get('queue_bytes'))} in its queue",
    ]
    slow = (counts.get("commit_ms") or {}).get("p99")
    parts += [f"commits p99 {slow:.0f} ms"] if slow is not None else []
    parts += [f"analysis {counts['analysis_lag_s']:.0f} s behind"] if "analysis_lag_s" in counts else []
    parts += ["analysis fails and is tried again"] if counts.get("analysis_failing") else []
    parts += [f"{counts['analysis_set_aside']:,} traces set aside"] if counts.get("analysis_set_aside") else []
    expired = sum(counts.get("expired_items", {}).values())
    parts += [f"{expired:,} items expired"] if expired else []
    parts += [f"{_megabytes(counts['free_disk_bytes'])} of disk free"] if "free_disk_bytes" in counts else []
    return ", ".join(parts)


def _by_reason(counted: Iterable[Mapping[str, int]]) -> str:
    """Give a count, and where it is not 0 of what."""
    reasons = sum((Counter(each) for each in counted), Counter[str]())
    said = ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common())
    return f"{reasons.total():,} ({said})" if said else "0"


def ports(live: LiveCollector | None) -> Iterator[Check]:
    """Whether somebody listens on the OTLP ports: the collector's own where it says them, else the usual ones."""
    said = dict(live.status) if live else {}
    for name, usual in PORTS.items():
        address = said.get(name.removeprefix("OTLP/").lower())
        host, _, port = str(address or f"127.0.0.1:{usual}").rpartition("/")[2].rpartition(":")
        answers = _listens(host.strip("[]") or "127.0.0.1", int(port))
        if live is not None and address and not answers:
            yield Check(name, PROBLEM, f"the collector does not answer on {address}", "restart it")
        else:
            yield Check(name, OK if answers else NOTE, f"{host}:{port} {'answers' if answers else 'is free'}")


def _listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1.0):
            return True
    except OSError:
        return False
