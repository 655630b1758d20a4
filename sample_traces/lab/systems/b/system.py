"""System B: Next.js 14, 15 or 15 under the plain Node SDK, in front of Django, Celery, Redis and Postgres.

What a scenario may set in its options (or draw): `dialect` (a folder of `DIALECTS`), `web`, `origin`, `jobs`,
`catalog` (environments of those programs), `gunicorn` (further arguments), `links` (caller, callee → what the wire
between them does), `dns` (what the edge's resolver does), `tls` (`hello_ms`: a front ends TLS before the origin, its
ServerHello is held unless a session is resumed, and its ticket keys change every `rotate_ms`), `burn` (as the stage takes it), `hog` (who holds Redis) and
`freeze` (options of `faults/busy.py`).
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hosts import Host
from otlp import Span, find_by_request_id
from scenario import CannotRecord, Entry, Found, Knobs, Scenario
from stage import Stage, bare, run

HERE = Path(__file__).resolve().parent
DIALECTS = ("next14", "next15", "nodesdk")
SECRET = "lab-session-secret"
_WEB, _ORIGIN, _CATALOG, _POSTGRES, _REDIS, _FRONT, _HELD = 3000, 8000, 8100, 5432, 6379, 8443, 8444
_SERVER = 2  # a span kind
_SHARED = ("app", "lab.js", "origin.js", "session.js", "middleware.js", "next.config.mjs", ".npmrc")


def _digest(*sources: Path) -> str:
    files = sorted(path for one in sources for path in ([one] if one.is_file() else one.rglob("*")) if path.is_file())
    whole = hashlib.sha256()
    for path in files:
        whole.update(path.name.encode() + path.read_bytes())
    return whole.hexdigest()


def _preloads(source: Path, dialect: str, target: Path) -> None:
    """Copy what is required before the app and is no part of its bundle: timers, and the plain Node SDK."""
    shutil.copytree(source / "lab", target / "lab", dirs_exist_ok=True)
    if dialect == "nodesdk":
        shutil.copy(source / "node" / "tracing.cjs", target)


def _fresh(folder: Path, digest: str) -> bool:
    """Whether what is built there was built from the same sources."""
    stamp = folder / ".built"
    return stamp.exists() and stamp.read_text() == digest


class Shop:
    """System B, as the recorder drives it."""

    letter = "b"
    programs: Mapping[str, str] = {
        "node": "Node.js 20.9 or later: https://nodejs.org, or apt-get install nodejs",
        "npm": "npm 9 or later, which comes with Node.js",
        "python3": "Python 3.11 or later with venv: apt-get install python3 python3-venv",
        "initdb": "PostgreSQL 15 or later: apt-get install postgresql",
        "postgres": "PostgreSQL 15 or later: apt-get install postgresql",
        "psql": "PostgreSQL's client: apt-get install postgresql-client",
        "redis-server": "Redis 7 or later: apt-get install redis-server",
        "redis-cli": "Redis's client: apt-get install redis-tools",
        "openssl": "OpenSSL: apt-get install openssl",
    }

    def __init__(self) -> None:
        self.work = Path()
        self.found: Mapping[str, str] = {}
        self.entry_services: list[str] = []

    def names(self, dice: random.Random) -> dict[str, str]:
        """What the services and the database are called in this seed."""
        shop = dice.choice(["shop", "market", "depot", "bazaar"])
        return {
            "web": dice.choice(["storefront", "edge-web", "front", "portal"]),
            "origin": f"{shop}-api",
            "jobs": f"{shop}-jobs",
            "catalog": dice.choice(["catalog", "listing", "shelves"]),
            "database": shop,
        }

    # Building

    def build(self, work: Path, found: Mapping[str, str]) -> None:
        """Install and build the three edges, the catalog, and the origin's own Python environment, once."""
        self.work, self.found = work / "b", found
        self.work.mkdir(exist_ok=True)
        for dialect in DIALECTS:
            self._build_web(dialect)
        self._build_catalog()
        self._build_origin()

    def _build_web(self, dialect: str) -> None:
        source, target = HERE / "web", self.work / dialect
        _preloads(source, dialect, target)
        locked = [source / f"package.{dialect}.json", source / f"package-lock.{dialect}.json"]
        own = [] if dialect == "nodesdk" else [source / "vercel" / "instrumentation.js"]
        sources = [*own, *(source / name for name in _SHARED)]
        digest = _digest(*locked, *sources)
        if _fresh(target, digest):
            return
        for one in sources:
            copy = shutil.copytree if one.is_dir() else shutil.copy
            shutil.rmtree(target / one.name, ignore_errors=True)
            copy(one, target / one.name)
        for path in locked:
            shutil.copy(path, target / path.name.replace(f".{dialect}", ""))
        # not `npm ci`: it refuses a lock without the optional builds for systems that this one was not written on
        run([self.found["npm"], "install"], target)
        environment = bare(NEXT_IGNORE_INCORRECT_LOCKFILE="1", SESSION_SECRET=SECRET)
        run([self.found["node"], "node_modules/next/dist/bin/next", "build"], target, environment)
        (target / ".built").write_text(digest)

    def _build_catalog(self) -> None:
        target, digest = self.work / "catalog", _digest(HERE / "catalog")
        if not _fresh(target, digest):
            shutil.copytree(HERE / "catalog", target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
            run([self.found["npm"], "install"], target)
            (target / ".built").write_text(digest)

    def _build_origin(self) -> None:
        target, wanted = self.work / "venv", HERE / "origin" / "requirements.txt"
        if not _fresh(target, _digest(wanted)):
            run([self.found["python3"], "-m", "venv", str(target)], self.work)
            run([str(target / "bin" / "python"), "-m", "pip", "install", "-q", "-r", str(wanted)], self.work)
            (target / ".built").write_text(_digest(wanted))

    # Running

    def start(self, stage: Stage, scenario: Scenario, knobs: Knobs) -> Entry:
        """Start databases (once), the origin, its worker, the catalog and the edge."""
        names = knobs["names"]
        self.entry_services = [names["web"]]
        for name in ("db", "cache", "origin", "catalog", "jobs", "web"):
            stage.host(name)
        self._postgres(stage, names["database"])
        self._redis(stage)
        self._links(stage, knobs)
        self._origin(stage, knobs)
        self._jobs(stage, knobs)
        if knobs.get("catalog_runs"):
            self._catalog(stage, knobs)
        self._web(stage, knobs)
        _wait_for(stage, "origin", _ORIGIN)  # they start side by side
        return Entry("web", _WEB)

    def during(self, stage: Stage, scenario: Scenario, knobs: Knobs) -> None:
        """Start burners, freezers, and whoever holds Redis."""
        if "hog" in knobs:
            self._hog(stage, knobs["hog"])
        if "burn" in knobs:
            stage.burn(**knobs["burn"])
        if "freeze" in knobs:
            self._freeze_worker(stage, knobs["freeze"])

    def _hog(self, stage: Stage, options: Mapping[str, float]) -> None:
        """Another client of Redis whose commands take long; all others wait behind them."""
        cache = stage.host("cache")
        command = [self.found["redis-cli"], "-h", cache.address, "-p", str(_REDIS), "-r", "-1"]
        command += ["-i", str(options["pause_s"]), "DEBUG", "SLEEP", str(options["sleep_s"])]
        stage.start("busy-redis", command, host=cache)

    def _freeze_worker(self, stage: Stage, options: Mapping[str, float]) -> None:
        """Stop the process that answers now and then: gunicorn's worker, the only child of its master."""
        master = stage.program("origin").process.pid
        worker = Path(f"/proc/{master}/task/{master}/children").read_text().split()[0]
        given = ["--pid", worker, *(part for name, value in options.items() for part in (f"--{name}", str(value)))]
        stage.instrument("busy", "busy-freeze-origin", given, host=stage.host("origin"))

    def find(self, spans: Sequence[Span]) -> dict[str, Found]:
        """Requests by the request id that the edge puts on its spans.

        Next.js 14 and 15 make traces of their own of the middleware and of the page: the entry is the page's.
        """
        every = find_by_request_id(spans, self.entry_services)
        served = [span for span in spans if span.parent_id or span.kind == _SERVER]
        pages = find_by_request_id(served, self.entry_services)
        return {name: _first(pages.get(name, one), one.trace_ids) for name, one in every.items()}

    def _links(self, stage: Stage, knobs: Knobs) -> None:
        if "dns" in knobs:
            own = {"origin": stage.host("origin").address}
            stage.dns(on=stage.host("resolver"), answers=own, asked_by=[stage.host("web")], **knobs["dns"])
        for pair, options in knobs.get("links", {}).items():
            caller, callee = pair.split(">")
            stage.link(stage.host(caller), stage.host(callee), **options)

    def _postgres(self, stage: Stage, database: str) -> None:
        host = stage.host("db")
        if not stage.runs("postgres"):
            data = self.work / "pgdata"
            shutil.rmtree(data, ignore_errors=True)
            data.mkdir(mode=0o700)
            user = "postgres" if os.geteuid() == 0 else None  # Postgres does not run as root
            if user:
                for folder in (stage.work, self.work):
                    folder.chmod(0o755)
                shutil.chown(data, user, user)
            as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
            made = [self.found["initdb"], "-D", str(data), "-U", "shop", "--auth=trust", "--no-sync", "-E", "UTF8"]
            run([*as_user, *made], self.work)
            with (data / "pg_hba.conf").open("a") as rules:
                rules.write("host all all 10.76.0.0/14 trust\n")  # hosts of the stage, and wires between them
            settings = [f"port={_POSTGRES}", f"listen_addresses={_listen(stage, host, everywhere='*')}"]
            settings += ["unix_socket_directories=", "fsync=off", "max_connections=200"]
            command = [self.found["postgres"], "-D", str(data), *(part for one in settings for part in ("-c", one))]
            stage.start("postgres", command, host=host, port=_POSTGRES, user=user, keep=True, stop_signal=2)
        self._fill(stage, host, database)

    def _fill(self, stage: Stage, host: Host, database: str) -> None:
        asking = [
            self.found["psql"],
            "-qXAtv",
            "ON_ERROR_STOP=1",
            "-h",
            host.address,
            "-p",
            str(_POSTGRES),
            "-U",
            "shop",
        ]
        there = run(host.command([*asking, "-d", "postgres", "-c", "SELECT datname FROM pg_database"]), self.work)
        if database not in there.split():
            run(host.command([*asking, "-d", "postgres", "-c", f"CREATE DATABASE {database}"]), self.work)
            run(host.command([*asking, "-d", database, "-f", str(HERE / "schema.sql")]), self.work)

    def _redis(self, stage: Stage) -> None:
        host = stage.host("cache")
        if not stage.runs("redis"):
            command = [self.found["redis-server"], "--bind", _listen(stage, host), "--port", str(_REDIS)]
            command += ["--enable-debug-command", "yes", "--save", "", "--appendonly", "no", "--protected-mode", "no"]
            stage.start("redis", command, host=host, port=_REDIS, keep=True)

    def _python(self, stage: Stage, knobs: Knobs, service: str) -> dict[str, str]:
        """The environment of the shop's Python processes."""
        return {
            "PYTHONPATH": str(HERE / "origin"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "DJANGO_SETTINGS_MODULE": "shop.settings",
            "PGHOST": stage.where(stage.host("db")),
            "PGDATABASE": knobs["names"]["database"],
            "REDIS_URL": f"redis://{stage.where(stage.host('cache'))}:{_REDIS}/0",
            "BROKER_URL": f"redis://{stage.host('cache').address}:{_REDIS}/1",
            "WARM_POOL": "yes",
            "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST": "x-request-id,x-request-start",
            **_exporting(stage, knobs["names"][service], f"host.name={service}-1,service.instance.id={service}-1"),
            "WITNESS": stage.witness(service),
        }

    def _origin(self, stage: Stage, knobs: Knobs) -> None:
        host = stage.host("origin")
        command = [str(self.work / "venv" / "bin" / "gunicorn"), "-b", f"{_listen(stage, host)}:{_ORIGIN}"]
        command += [
            "-c",
            str(HERE / "origin" / "gunicorn.conf.py"),
            "--no-control-socket",
            "--worker-tmp-dir",
            "/dev/shm",
        ]
        command += knobs.get("gunicorn", ["-k", "gthread", "--threads", "12", "--keep-alive", "75"])
        environment = {**self._python(stage, knobs, "origin"), **knobs.get("origin", {})}
        whole = (
            stage.pinned([*command, "shop.wsgi:application"], 0)
            if "burn" in knobs
            else [*command, "shop.wsgi:application"]
        )
        stage.start("origin", whole, host=host, env=environment)

    def _front(self, stage: Stage, knobs: Knobs) -> tuple[str, dict[str, str]]:
        """The origin's URL as the edge calls it, and what the edge must trust for that."""
        host, options = stage.host("origin"), knobs.get("tls")
        if options is None:
            return stage.url(host, _ORIGIN), {}
        key, certificate = self.work / "front.key", self.work / "front.crt"
        command = [self.found["openssl"], "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        command += ["-nodes", "-days", "3650", "-subj", "/CN=lab", "-keyout", str(key), "-out", str(certificate)]
        run([*command, "-addext", f"subjectAltName=DNS:{host.name},IP:{host.address}"], self.work)
        own = {
            "ADDRESS": _listen(stage, host),
            "PORT": str(_FRONT),
            "BEHIND": f"{host.address}:{_ORIGIN}",
            "TLS_KEY": str(key),
            "TLS_CERTIFICATE": str(certificate),
            "ROTATE_MS": str(options["rotate_ms"]),
        }
        stage.start("front", [self.found["node"], str(HERE / "front.cjs")], host=host, port=_FRONT, env=own)
        held = {"hello_ms": options["hello_ms"], "full_handshakes_only": True}
        stage.proxy("before-front", on=host, port=_HELD, to=(host, _FRONT), **held)
        return stage.url(host, _HELD, "https"), {"NODE_EXTRA_CA_CERTS": str(certificate)}

    def _jobs(self, stage: Stage, knobs: Knobs) -> None:
        environment = {**self._python(stage, knobs, "jobs"), "WITNESS_TIER": "worker", **knobs.get("jobs", {})}
        command = [str(self.work / "venv" / "bin" / "celery"), "-A", "shop.worker", "worker", "-n", "confirm@jobs-1"]
        command += ["--pool", "threads", "--concurrency", "4", "--without-gossip", "--without-mingle", "-l", "warning"]
        stage.start("jobs", command, host=stage.host("jobs"), env=environment)

    def _catalog(self, stage: Stage, knobs: Knobs) -> None:
        host, folder = stage.host("catalog"), self.work / "catalog"
        own = {
            "ADDRESS": _listen(stage, host),
            "PORT": str(_CATALOG),
            "WITNESS": stage.witness("catalog"),
            "PGHOST": stage.where(stage.host("db")),
            "PGDATABASE": knobs["names"]["database"],
            "PHASES": "yes" if knobs["variant"] == "phases" else "no",
        }
        telemetry = _exporting(stage, knobs["names"]["catalog"], "host.name=catalog-1,service.instance.id=catalog-1")
        command = [self.found["node"], "--require", "./tracing.cjs", "server.cjs"]
        environment = {**telemetry, **own, **knobs.get("catalog", {})}
        stage.start("catalog", command, host=host, port=_CATALOG, env=environment, cwd=folder)

    def _web(self, stage: Stage, knobs: Knobs) -> None:
        host, names, dialect = stage.host("web"), knobs["names"], knobs["dialect"]
        origin, trusted = self._front(stage, knobs)
        catalog = stage.url(stage.host("catalog"), _CATALOG)
        peers = {
            origin.partition("//")[2]: f"origin:{names['origin']}",
            catalog.partition("//")[2]: f"origin:{names['catalog']}",
        }
        own = {
            "NODE_ENV": "production",
            "SESSION_SECRET": SECRET,
            "ORIGIN_URL": origin,
            "CATALOG_URL": catalog,
            "OUR_HOSTS": f"{origin},{catalog}",
            "WITNESS": stage.witness("web"),
            "WITNESS_PEERS": json.dumps(peers),
            "KEEP_ALIVE_MS": "60000",
            "PHASES": "yes" if knobs["variant"] == "phases" else "no",
        }
        described = "host.name=web-1,service.instance.id=web-1" if dialect == "nodesdk" else ""
        preload = ["--require", "./tracing.cjs"] if dialect == "nodesdk" else []
        command = [self.found["node"], *preload, "--require", "./lab/witness.cjs", "node_modules/next/dist/bin/next"]
        command += ["start", "-p", str(_WEB), "-H", _listen(stage, host)]
        environment = {**_exporting(stage, names["web"], described), **own, **trusted, **knobs.get("web", {})}
        stage.start("web", command, host=host, port=_WEB, env=environment, cwd=self.work / dialect)


def _first(entry: Found, trace_ids: Sequence[str]) -> Found:
    """The entry, with all of the request's traces behind its own."""
    own = entry.trace_ids[0]
    return replace(entry, trace_ids=(own, *(trace for trace in trace_ids if trace != own)))


def _wait_for(stage: Stage, name: str, port: int, patience_s: float = 60.0) -> None:
    """Wait until a program that was started without waiting answers on its port."""
    host, give_up = stage.host(name), time.monotonic() + patience_s

    def answers() -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.2)
            return probe.connect_ex((host.address, port)) == 0

    while not host.run(answers):
        if not stage.runs(name) or time.monotonic() > give_up:
            raise CannotRecord(f"{name} did not start:\n{stage.said(name)}")
        time.sleep(0.05)


def _listen(stage: Stage, host: Host, everywhere: str = "0.0.0.0") -> str:
    """Every address of a namespace, so that wires of ours reach it too; else the host's own."""
    return everywhere if stage.namespaces else host.address


def _exporting(stage: Stage, service: str, described: str) -> dict[str, str]:
    """The environment that tells an SDK who it is and where spans go."""
    return {
        "OTEL_SERVICE_NAME": service,
        "OTEL_RESOURCE_ATTRIBUTES": ",".join(filter(None, [described, "deployment.environment.name=lab"])),
        "OTEL_EXPORTER_OTLP_ENDPOINT": stage.otlp_http,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_BSP_SCHEDULE_DELAY": "500",
        "OTEL_NODE_RESOURCE_DETECTORS": "env",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
    }


SYSTEM = Shop()
