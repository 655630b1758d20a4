"""The stage: hosts, the programs that run on them, the instruments between them, and the collector that records.

For a system's `start(stage, scenario, knobs)` the whole interface is:

    web = stage.host("web")                                # a Host: .name, .address; made at the first call
    stage.start("orders", [binary, "-address", f"{orders.address}:8080"], host=orders, port=8080,
                env={"WITNESS": stage.witness("orders"), "OTEL_EXPORTER_OTLP_ENDPOINT": stage.otlp_grpc})
    stage.url(orders, 8080)                                # by name where names work, else by address
    stage.proxy("wire", on=orders, port=8081, to=(orders, 8080), request_ms=40, share=0.5)   # faults.tcp_proxy
    stage.link(web, orders, syn_ms=60)                     # address of `orders` over a TUN whose SYNs are held
    stage.dns(on=dns, answers={"orders": orders.address}, late_ms=80, asked_by=[web])        # faults.dns_server
    stage.burn(cpu=1, workers=3); stage.freeze("pricing", stop_ms=120, every_ms=600)         # faults.busy
    stage.pinned([…], cpu=1)                               # a command that stays on one CPU

Everything started here is stopped when the scene ends; what was started with `keep=True` (databases) lives until the
stage ends. Every program gets a bare environment plus `env`: nothing of the caller's own reaches a span.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hosts import Host, Network
from scenario import CannotRecord

LAB = Path(__file__).resolve().parent
TIMERS = LAB / "systems" / "witness.cjs"
"""The second instrument of Node services: a part of every such app, copied into what is built."""
_READY_S = 60.0
_COLLECTOR_READY_S = 300.0  # one that was just installed compiles its kernels first
_STOP_S = 20.0
_GRPC, _HTTP = 4317, 4318


def bare(**more: str) -> dict[str, str]:
    """An environment without the caller's own: only what tools need to be found and to cache."""
    needed = ("PATH", "HOME", "GOPATH", "GOCACHE", "GOPROXY", "GOFLAGS", "GONOSUMDB", "GONOSUMCHECK", "GOSUMDB")
    kept = {name: os.environ[name] for name in needed if name in os.environ}
    return {**kept, "LANG": "C.UTF-8", "TZ": "UTC", "NEXT_TELEMETRY_DISABLED": "1", **more}


def run(arguments: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a build step and give what it wrote.

    Raises:
        CannotRecord: it failed; with the end of what it wrote.
    """
    env = bare() if environment is None else environment
    done = subprocess.run(arguments, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotRecord(f"{' '.join(arguments)} failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


@dataclass
class Program:
    """A running program of the stage."""

    name: str
    process: subprocess.Popen[bytes]
    host: Host
    keep: bool = False
    stop_signal: int = signal.SIGTERM


@dataclass
class Stage:
    """The running world of one recording session; leaving the context stops and removes all of it.

    Attributes:
        work: folder of what is built and written; the same folder is used again by the next session.
        network: its hosts.
        seamscope: the command that is Seamscope.
    """

    work: Path
    network: Network
    seamscope: Sequence[str]
    programs: list[Program] = field(default_factory=list)
    scene: Path = field(init=False)
    _witnesses: int = 0

    def __post_init__(self) -> None:
        self.scene = self.work / "scene"

    def __enter__(self) -> Stage:
        self.network.__enter__()
        self.host("collector")  # the first address, so that systems' addresses follow their own order
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._stop_all(self.programs)
        finally:
            self.network.__exit__()

    # Hosts

    @property
    def namespaces(self) -> bool:
        """Whether hosts are network namespaces."""
        return self.network.namespaces

    def host(self, name: str) -> Host:
        """The host of this name; made at the first call. Names are letters and digits, at most 12."""
        return self.network.host(name)

    def where(self, host: Host) -> str:
        """How others call a host: its name where names resolve, else its address."""
        return host.name if self.namespaces else host.address

    def url(self, host: Host, port: int, scheme: str = "http") -> str:
        """The URL of a service on a host, as others should call it."""
        return f"{scheme}://{self.where(host)}:{port}"

    # Programs

    def witness(self, name: str) -> str:
        """Path of the file that a program appends its witness lines to (environment variable `WITNESS`)."""
        return str(self.scene / f"{name}.witness.ndjson")

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        host: Host,
        env: Mapping[str, str] | None = None,
        port: int | None = None,
        ready: Path | None = None,
        cwd: Path | None = None,
        user: str | None = None,
        keep: bool = False,
        stop_signal: int = signal.SIGTERM,
        ready_s: float = _READY_S,
    ) -> Program:
        """Start a program on a host and wait until its port answers, or until the file `ready` exists.

        Args:
            name: unique on the stage; its log is `<work>/<name>.log`.
            user: run as this user (databases refuse root).
            keep: it outlives the scene.

        Raises:
            CannotRecord: it ended, or did not answer in time; with the end of its log.
        """
        as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        whole = host.command([*as_user, *command])
        with (self.work / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                whole, cwd=cwd or self.work, env=bare(**(env or {})), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        program = Program(name, process, host, keep, stop_signal)
        self.programs.append(program)
        give_up = time.monotonic() + ready_s
        while not self._is_ready(host, port, ready):
            if process.poll() is not None or time.monotonic() > give_up:
                raise CannotRecord(f"{name} did not start:\n{self.said(name)}")
            time.sleep(0.02)
        return program

    def _is_ready(self, host: Host, port: int | None, ready: Path | None) -> bool:
        if ready is not None:
            return ready.exists()
        return port is None or host.run(lambda: _answers(host.address, port))

    def program(self, name: str) -> Program:
        """A running program by its name.

        Raises:
            CannotRecord: none of that name runs.
        """
        for one in self.programs:
            if one.name == name and one.process.poll() is None:
                return one
        raise CannotRecord(f"{name} is not running:\n{self.said(name)}")

    def runs(self, name: str) -> bool:
        """Whether a program of this name is running."""
        return any(one.name == name and one.process.poll() is None for one in self.programs)

    def said(self, name: str) -> str:
        """The end of what a program wrote."""
        log = self.work / f"{name}.log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else ""

    def stop(self, name: str) -> None:
        """Ask one program to end, and wait until it has."""
        self._stop_all([one for one in self.programs if one.name == name])

    def _stop_all(self, programs: Sequence[Program]) -> None:
        """Ask all of them at once; those that send spans flush meanwhile."""
        doomed = list(programs)[::-1]
        for one in doomed:
            if one.process.poll() is None:
                one.process.send_signal(signal.SIGCONT)  # a stopped process would not hear
                one.process.send_signal(one.stop_signal)
        give_up = time.monotonic() + _STOP_S
        for one in doomed:
            try:
                one.process.wait(max(0.1, give_up - time.monotonic()))
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()
            if one in self.programs:
                self.programs.remove(one)

    def begin_scene(self) -> None:
        """Clear the scene: no witness lines, and only kept programs run."""
        self.end_scene()
        shutil.rmtree(self.scene, ignore_errors=True)
        self.scene.mkdir(parents=True)
        self.scene.chmod(0o777)  # programs that run as other users write witness lines too
        self.network.forget_names()

    def end_scene(self) -> None:
        """Stop all that is not kept: first instruments of the fault, so that nothing stays frozen, then programs."""
        self._stop_all([one for one in self.programs if not one.keep and one.name.startswith("busy-")])
        self._stop_all([one for one in self.programs if not one.keep])

    # The collector

    @property
    def otlp_grpc(self) -> str:
        """Where OTLP/gRPC is taken, as `http://address:port`."""
        return f"http://{self.host('collector').address}:{_GRPC}"

    @property
    def otlp_http(self) -> str:
        """Where OTLP/HTTP is taken, as `http://address:port` (SDKs append /v1/traces)."""
        return f"http://{self.host('collector').address}:{_HTTP}"

    def collector(self) -> Path:
        """Start Seamscope's own collector, recording; the file that grows with the bodies it stored."""
        folder, host = self.work / "recorded", self.host("collector")
        if not self.runs("collector"):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            ready = folder / "ready"
            command = [*self.seamscope, "collect", "--db", str(folder / "lab.duckdb"), "--record", str(folder)]
            command += ["--grpc", f"{host.address}:{_GRPC}", "--http", f"{host.address}:{_HTTP}", "--settle", "600"]
            if not host.address.startswith("127."):
                command += ["--insecure-public"]
            where = LAB.parents[1]
            self.start(
                "collector",
                [*command, "--ready-file", str(ready)],
                host=host,
                ready=ready,
                cwd=where,
                keep=True,
                ready_s=_COLLECTOR_READY_S,
            )
        return folder / "traces.otlp.pb"

    # Instruments

    def instrument(
        self, module: str, name: str, options: Sequence[str], *, host: Host, port: int | None = None
    ) -> Program:
        """Start a module of `faults` as a process on a host; it appends to its own witness file."""
        command = [sys.executable, str(LAB / "faults" / f"{module}.py"), *options, "--witness", self.witness(name)]
        ready = self.scene / f"{name}.ready"
        return self.start(name, [*command, "--ready", str(ready)], host=host, ready=ready, port=port)

    def proxy(self, name: str, *, on: Host, port: int, to: tuple[Host, int], **options: Any) -> str:
        """A TCP proxy on a host (options: `faults/tcp_proxy.py`, `-` written `_`); gives its address:port."""
        there = f"{to[0].address}:{to[1]}"
        given = ["--listen", f"{on.address}:{port}", "--to", there, *_as_options(options)]
        self.instrument("tcp_proxy", name, given, host=on)
        return f"{on.address}:{port}"

    def dns(
        self, *, on: Host, answers: Mapping[str, str], asked_by: Sequence[Host], name: str = "dns", **options: Any
    ) -> None:
        """A DNS server on a host for these names, and these hosts made to ask it for them (late answers: `late_ms`).

        Raises:
            CannotRecord: hosts are loopback addresses here.
        """
        given = [part for host, address in answers.items() for part in ("--answer", f"{host}={address}")]
        self.instrument("dns_server", name, ["--listen", f"{on.address}:53", *given, *_as_options(options)], host=on)
        for host in asked_by:
            self.network.resolver(host, on.address)
            self.network.names(host, dict.fromkeys(answers))

    def link(self, caller: Host, callee: Host, *, name: str = "", **options: Any) -> str:
        """A point-to-point wire of ours between two hosts (TUN); the callee's address over it.

        The callee must listen on 0.0.0.0. Programs that start later on `caller` know the callee's name by it.

        Raises:
            CannotRecord: hosts are loopback addresses here.
        """
        if caller.namespace is None or callee.namespace is None:
            raise CannotRecord("holding connects needs network namespaces (run as root with iproute2)")
        number = self.network.next_link()
        near, far = f"10.78.{number}.1", f"10.78.{number}.2"
        called = name or f"wire-{caller.name}-{callee.name}"
        given = ["--near", f"{caller.namespace}={near}", "--far", f"{callee.namespace}={far}", "--number", str(number)]
        root = Host("root", "127.0.0.1", None)
        self.instrument("tun_forwarder", called, [*given, *_as_options(options)], host=root)
        self.network.names(caller, {callee.name: far})
        return far

    def burn(self, *, cpu: int, workers: int = 2, on: Host | None = None, **options: Any) -> None:
        """Burn one CPU with as many busy loops; programs `pinned` there starve."""
        given = ["--burn", str(workers), "--cpu", str(cpu), *_as_options(options)]
        self.instrument("busy", f"busy-burn-{cpu}", given, host=on or self.host("collector"))

    def freeze(self, program: str, *, stop_ms: float, every_ms: float, **options: Any) -> None:
        """Stop a running program for `stop_ms` in every `every_ms` (SIGSTOP, SIGCONT), and log when."""
        found = self.program(program)
        given = ["--pid", str(found.process.pid), "--stop-ms", str(stop_ms), "--every-ms", str(every_ms)]
        self.instrument("busy", f"busy-freeze-{program}", [*given, *_as_options(options)], host=found.host)

    def pinned(self, command: Sequence[str], cpu: int) -> list[str]:
        """The command, kept on one CPU (where the machine has it and taskset is there)."""
        can = shutil.which("taskset") and cpu < (os.cpu_count() or 1)
        return ["taskset", "-c", str(cpu), *command] if can else list(command)


def _as_options(options: Mapping[str, Any]) -> list[str]:
    given: list[str] = []
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            given.append(flag)
        elif value is not False and value is not None:
            given += [flag, str(value)]
    return given


def _answers(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((address, port)) == 0


def find_programs(wanted: Mapping[str, str]) -> dict[str, str]:
    """Paths of programs by name.

    Args:
        wanted: program → how to install it.

    Raises:
        CannotRecord: naming every program that is missing, and its install line.
    """
    known = (
        "/usr/lib/postgresql/*/bin",
        "/usr/local/pgsql/bin",
        "/usr/local/go/bin",
        "/opt/homebrew/opt/postgresql*/bin",
    )
    places = [str(place) for pattern in known for place in sorted(Path("/").glob(pattern[1:]), reverse=True)]
    path = os.pathsep.join([*os.environ.get("PATH", "").split(os.pathsep), *places])
    found = {name: shutil.which(name, path=path) for name in wanted}
    missing = [f"  {name}: {wanted[name]}" for name, where in found.items() if where is None]
    if missing:
        raise CannotRecord("these programs are needed and were not found:\n" + "\n".join(missing))
    return {name: str(where) for name, where in found.items()}


def tag_of(work: Path) -> str:
    """Tells the namespaces of two work folders apart: up to five letters and digits of the folder's name."""
    import hashlib

    letters = re.sub(r"[^a-z0-9]", "", work.name.lower())[:2]
    return letters + hashlib.sha256(str(work.resolve()).encode()).hexdigest()[:3]
