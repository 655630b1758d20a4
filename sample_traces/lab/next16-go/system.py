"""Builds, starts and stops what a recording needs: Postgres, two Go services, a Next.js app, Seamscope's collector."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scenarios import SECRET, Scenario

LAB = Path(__file__).resolve().parent
_POSTGRES = ("/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin")
_READY_S = 300.0  # a collector that was just installed compiles its kernels first
_STOP_S = 60.0  # the collector first answers and analyses what it holds


class CannotRecord(Exception):
    """Something that recording needs is missing or does not start."""


@dataclass(frozen=True)
class Ports:
    """Loopback ports, ten above a base."""

    base: int

    web = property(lambda self: self.base + 10)
    orders = property(lambda self: self.base + 11)
    pricing = property(lambda self: self.base + 12)
    postgres = property(lambda self: self.base + 13)
    grpc = property(lambda self: self.base + 17)
    http = property(lambda self: self.base + 18)


def find_programs() -> dict[str, str]:
    """Paths of the programs that a recording needs.

    Raises:
        CannotRecord: naming every program that is missing, and where it comes from.
    """
    wanted = {
        "node": "Node.js 20.9 or later",
        "npm": "npm 9 or later",
        "go": "Go 1.26 or later",
        "initdb": "PostgreSQL 15 or later (server)",
        "postgres": "PostgreSQL 15 or later (server)",
        "psql": "PostgreSQL's client",
    }
    places = [str(place) for pattern in _POSTGRES for place in sorted(Path("/").glob(pattern[1:]), reverse=True)]
    path = os.pathsep.join([*os.environ.get("PATH", "").split(os.pathsep), *places])
    found = {name: shutil.which(name, path=path) for name in wanted}
    missing = [f"  {name}: {wanted[name]}" for name, where in found.items() if where is None]
    if missing:
        raise CannotRecord("these programs are needed and were not found:\n" + "\n".join(missing))
    return {name: str(where) for name, where in found.items()}


def _run(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    done = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotRecord(f"{' '.join(arguments)} failed:\n{(done.stdout + done.stderr)[-3000:]}")


def _bare(**more: str) -> dict[str, str]:
    """An environment without the caller's own: only what tools need to be found and to cache."""
    needed = ("PATH", "HOME", "GOPATH", "GOCACHE", "GOPROXY", "GOFLAGS")
    kept = {name: os.environ[name] for name in needed if name in os.environ}
    return {**kept, "LANG": "C.UTF-8", "TZ": "UTC", "NEXT_TELEMETRY_DISABLED": "1", **more}


def build(work: Path, programs: Mapping[str, str], ports: Ports) -> None:
    """Build the app and the services in the work folder, once."""
    web = work / "edge-web"
    if not (web / ".next" / "BUILD_ID").exists():
        shutil.copytree(
            LAB / "edge-web", web, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules", ".next")
        )
        # not `npm ci`: it refuses a lock without the optional builds for systems that this one was not written on
        _run([programs["npm"], "install"], web, _bare())
        _run([programs["npm"], "run", "build"], web, _bare(ORIGIN_URL=f"http://localhost:{ports.orders}"))
    (work / "bin").mkdir(exist_ok=True)
    _run([programs["go"], "build", "-trimpath", "-o", f"{work / 'bin'}{os.sep}", "./cmd/..."], LAB / "origin", _bare())


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class System:
    """The running programs of one scenario; leaving the context stops every one of them."""

    work: Path
    programs: Mapping[str, str]
    ports: Ports
    seamscope: Sequence[str]
    _running: list[tuple[str, subprocess.Popen[bytes]]] = field(default_factory=list)

    def __enter__(self) -> System:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_services()
        self.stop("collector")
        self.stop("postgres")

    def postgres(self) -> None:
        """Start a fresh database with the shop in it."""
        data, run = self.work / "pgdata", self.work / "pgrun"
        for folder in (data, run):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
        user: str | None = None
        if os.geteuid() == 0:  # Postgres does not run as root
            user = "postgres"
            self.work.chmod(0o711)
            for folder in (data, run):
                shutil.chown(folder, user, user)
        initdb = [self.programs["initdb"], "-D", str(data), "-U", "shop", "--auth=trust", "--no-sync", "-E", "UTF8"]
        made = subprocess.run(initdb, env=_bare(), capture_output=True, text=True, user=user, check=False)
        if made.returncode:
            raise CannotRecord(f"initdb failed: {made.stderr[-2000:]}")
        port = str(self.ports.postgres)
        settings = [f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={run}", "fsync=off"]
        command = [self.programs["postgres"], "-D", str(data), *(part for one in settings for part in ("-c", one))]
        self._start("postgres", command, _bare(), self.ports.postgres, user=user)
        asking = [self.programs["psql"], "-qXv", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", port, "-U", "shop"]
        _run([*asking, "-d", "postgres", "-c", "CREATE DATABASE shop"], self.work, _bare())
        _run([*asking, "-d", "shop", "-f", str(LAB / "schema.sql")], self.work, _bare())

    def collector(self, folder: Path) -> None:
        """Start `seamscope collect`, recording into the folder; it analyses nothing while we measure."""
        database, ready = self.work / f"{folder.name}.duckdb", self.work / "collector.ready"
        for left in [*self.work.glob(f"{folder.name}.duckdb*"), *self.work.glob(ready.name)]:
            left.unlink()
        command = [*self.seamscope, "collect", "--db", str(database), "--grpc", f"127.0.0.1:{self.ports.grpc}"]
        command += ["--http", f"127.0.0.1:{self.ports.http}", "--record", str(folder)]
        command += ["--settle", "1h", "--ready-file", str(ready)]
        self._start("collector", command, dict(os.environ), self.ports.http, ready=ready)

    def services(self, scenario: Scenario, witness: Path) -> None:
        """Start pricing, orders and the app as the scenario wants them."""
        web, orders, pricing = scenario.versions
        certificate = self.work / "pricing.pem"
        certificate.unlink(missing_ok=True)
        secure = ["-tls-certificate-out", str(certificate)] if scenario.tls else []
        command = [str(self.work / "bin" / "pricing"), "-address", f"127.0.0.1:{self.ports.pricing}"]
        command += [*secure, *scenario.pricing]
        self._start("pricing", command, self._go("pricing", pricing), self.ports.pricing)
        trust = ["-trust", str(certificate)] if scenario.tls else []
        command = [str(self.work / "bin" / "orders"), "-address", f"127.0.0.1:{self.ports.orders}"]
        command += ["-database", f"postgres://shop@localhost:{self.ports.postgres}/shop", *trust, *scenario.orders]
        command += ["-pricing", f"http{'s' if scenario.tls else ''}://localhost:{self.ports.pricing}"]
        self._start("orders", command, {**self._go("orders", orders), "WITNESS": str(witness)}, self.ports.orders)
        self._web(web)

    def _web(self, version: str) -> None:
        environment = _bare(
            ORIGIN_URL=f"http://localhost:{self.ports.orders}",
            SESSION_SECRET=SECRET,
            NODE_ENV="production",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{self.ports.http}",
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            OTEL_RESOURCE_ATTRIBUTES=f"service.version={version},deployment.environment.name=lab",
            OTEL_BSP_SCHEDULE_DELAY="1000",
        )
        next_start = ["node_modules/next/dist/bin/next", "start", "-H", "127.0.0.1", "-p", str(self.ports.web)]
        command = [self.programs["node"], *next_start]
        self._start("edge-web", command, environment, self.ports.web, folder=self.work / "edge-web")

    def _go(self, name: str, version: str) -> dict[str, str]:
        described = f"service.version={version},service.instance.id={name}-1,host.name=origin-1"
        return _bare(
            OTEL_SERVICE_NAME=name,
            OTEL_RESOURCE_ATTRIBUTES=f"{described},deployment.environment.name=lab",
            OTEL_BSP_SCHEDULE_DELAY="1000",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{self.ports.grpc}",
        )

    def _start(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        port: int,
        *,
        folder: Path | None = None,
        user: str | None = None,
        ready: Path | None = None,
    ) -> None:
        if _answers(port):
            raise CannotRecord(f"port {port}, wanted for {name}, is taken; choose another --port-base")
        with (self.work / f"{name}.log").open("ab") as log:
            where = folder or self.work
            process = subprocess.Popen(command, cwd=where, env=environment, stdout=log, stderr=log, user=user)
        self._running.append((name, process))
        give_up = time.monotonic() + _READY_S
        while not (ready.exists() if ready else _answers(port)):
            if process.poll() is not None or time.monotonic() > give_up:
                raise CannotRecord(f"{name} did not start:\n{self.said(name)}")
            time.sleep(0.02)

    def said(self, name: str) -> str:
        """The end of what a program wrote."""
        return (self.work / f"{name}.log").read_text(errors="replace")[-2000:]

    def stop_services(self) -> None:
        """Stop those that send spans; each sends its last ones as it ends."""
        for name in ("edge-web", "orders", "pricing"):
            self.stop(name)

    def stop(self, name: str) -> None:
        """Ask one program to end, and wait until it has."""
        for entry in [one for one in self._running if one[0] == name]:
            self._running.remove(entry)
            process = entry[1]
            process.send_signal(signal.SIGINT if name == "postgres" else signal.SIGTERM)
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def seamscope_command(given: str) -> list[str]:
    """How to call Seamscope: as given, else this interpreter's own."""
    return given.split() if given else [sys.executable, "-m", "seamscope"]
