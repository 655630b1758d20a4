"""System C: a Cloudflare Worker in workerd in front of a function under the Lambda instrumentation."""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hosts import Host
from otlp import Span, find_by_request_id
from scenario import Entry, Found, Knobs, Scenario
from stage import TIMERS, Stage, run

_HERE = Path(__file__).resolve().parent
_WORKER_PORT, _KV_PORT, _TABLE_PORT, _FUNCTION_PORT = 8787, 8081, 8000, 443
_NPM = "apt-get install nodejs npm (Node.js 20.9 or later)"

_WORKERD = """using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "worker.js", esModule = embed "worker.js")],
      compatibilityDate = "2026-07-01",
      compatibilityFlags = ["nodejs_compat"],
      globalOutbound = "internet",
      bindings = [{bindings}],
    )),
    (name = "kv", external = (address = "{kv}", http = ())),
    (name = "internet", network = (
      allow = ["public", "private"],
      tlsOptions = (trustBrowserCas = false, trustedCertificates = [embed "function.crt"]),
    )),
  ],
  sockets = [(name = "http", address = "{listen}", http = (cfBlobHeader = "cf-blob"), service = "main")],
);
"""


class WorkerAndFunction:
    """Worker → function URL → table; the Worker's settings in KV, and the visitor's country from the platform."""

    letter = "c"
    programs: Mapping[str, str] = {"node": _NPM, "npm": _NPM, "openssl": "apt-get install openssl"}

    def names(self, dice: random.Random) -> dict[str, str]:
        """Service names, the region, and the host name of the function's URL."""
        region = dice.choice(("eu-central-1", "us-east-1", "ap-southeast-2"))
        letters = "".join(dice.choice("abcdefghijklmnopqrstuvwxyz234567") for _ in range(24))
        return {
            "worker": dice.choice(("storefront", "shop-edge", "front-door")),
            "function": dice.choice(("catalog", "products-api", "shop-lambda")),
            "region": region,
            "url_host": f"{letters}.lambda-url.{region}.on.aws",
            "table_host": f"dynamodb.{region}.amazonaws.com",
            "table": dice.choice(("shop", "catalog-prod", "items")),
        }

    def build(self, work: Path, found: Mapping[str, str]) -> None:
        """Install and bundle, once."""
        for part in ("worker", "lambda"):
            target = work / "c" / part
            fresh = not (target / "node_modules" / ".package-lock.json").exists()
            shutil.copytree(_HERE / part, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
            if fresh:
                run([found["npm"], "install", "--no-audit", "--no-fund"], target)
        shutil.copy(TIMERS, work / "c" / "lambda")
        run([found["npm"], "run", "build"], work / "c" / "worker")

    def start(self, stage: Stage, scenario: Scenario, knobs: Knobs) -> Entry:
        """Start stores, the function and the Worker."""
        pop, hosts = stage.host("pop"), {name: stage.host(name) for name in ("kv", "function", "table", "wire")}
        self._stores(stage, hosts, knobs)
        self._function(stage, hosts["function"], hosts["table"], knobs)
        front = self._front(stage, hosts["function"], knobs)
        others = {one.name: one.address for one in stage.network.hosts.values()}
        stage.network.names(pop, {**others, knobs["names"]["url_host"]: front.address})
        self._worker(stage, pop, hosts["kv"], front, knobs)
        return Entry("pop", _WORKER_PORT, "www.shop.example")

    def during(self, stage: Stage, scenario: Scenario, knobs: Knobs) -> None:
        """Nothing: every fault of this system is there from the start."""

    def find(self, spans: Sequence[Span]) -> dict[str, Found]:
        """By the request id that the Worker puts on its root."""
        return find_by_request_id(
            spans, sorted({one.service for one in spans if one.name.startswith(("fetch", "GET "))})
        )

    def _stores(self, stage: Stage, hosts: Mapping[str, Host], knobs: Knobs) -> None:
        for store, port in (("kv", _KV_PORT), ("table", _TABLE_PORT)):
            env = {
                "STORE": store,
                "ADDRESS": hosts[store].address,
                "PORT": str(port),
                "FAST_MS": "2",
                "SLOW_MS": str(knobs.get(f"{store}_ms", 0)),
                "SLOW_KEYS": ",".join(knobs.get(f"{store}_slow", ())),
            }
            stage.start(store, ["node", str(_HERE / "stores" / "stores.mjs")], host=hosts[store], port=port, env=env)

    def _certificate(self, stage: Stage, names: Mapping[str, str], addresses: Sequence[str]) -> Path:
        folder = stage.work / "c" / "tls"
        folder.mkdir(parents=True, exist_ok=True)
        key, certificate = folder / "function.key", folder / "function.crt"
        alternatives = ",".join([f"DNS:{names['url_host']}", *(f"IP:{address}" for address in addresses)])
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        command += ["-days", "3650", "-subj", "/CN=lab", "-addext", f"subjectAltName={alternatives}"]
        run([*command, "-keyout", str(key), "-out", str(certificate)], folder)
        return certificate

    def _function(self, stage: Stage, host: Host, table: Host, knobs: Knobs) -> None:
        names = knobs["names"]
        known = {one.name: one.address for one in stage.network.hosts.values()}
        stage.network.names(host, {**known, names["table_host"]: table.address})
        certificate = self._certificate(stage, names, [host.address, stage.host("wire").address])
        table_host = names["table_host"] if stage.namespaces else table.address
        env = {
            "ADDRESS": host.address,
            "PORT": str(_FUNCTION_PORT),
            "RUNTIME_API": f"{host.address}:9000",
            "TLS_KEY": str(certificate.with_suffix(".key")),
            "TLS_CERTIFICATE": str(certificate),
            "OTEL_SERVICE_NAME": names["function"],
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{host.address}:4318",
            "COLLECTOR": stage.otlp_http,
            "SERVICE_VERSION": "3.1.0",
            "AWS_REGION": names["region"],
            "TABLE_NAME": names["table"],
            "TABLE_URL": f"http://{table_host}:{_TABLE_PORT}/",
            "TABLE_OWNER": table_owner(names),
            "OWN_NAME": f"origin:{names['function']}",
            "SEAM": f"edge:{names['worker']}→origin:{names['function']}",
            "INIT_MS": str(knobs.get("init_ms", 0)),
            "BUSY_MS": str(knobs.get("busy_ms", 0)),
            "CLOSE_AFTER": str(knobs.get("close_after", 1_000_000)),
            "WARM": str(knobs.get("warm", 6)),
            "SANDBOXES": str(knobs.get("sandboxes", 12)),
            "IDLE_MS": str(knobs.get("idle_ms", 600000)),
            "WITNESS": stage.witness("function"),
        }
        program = str(stage.work / "c" / "lambda" / "service.cjs")
        stage.start("function", ["node", program], host=host, port=_FUNCTION_PORT, env=env)

    def _front(self, stage: Stage, function: Host, knobs: Knobs) -> Host:
        """Where the function's host name leads: to it, or to a proxy on the wire before it."""
        options: dict[str, Any] = dict(knobs.get("wire", {}))
        wire = stage.host("wire")
        if not options:
            return function
        stage.proxy("front", on=wire, port=_FUNCTION_PORT, to=(function, _FUNCTION_PORT), **options)
        return wire

    def _worker(self, stage: Stage, pop: Host, kv: Host, front: Host, knobs: Knobs) -> None:
        names, folder = knobs["names"], stage.work / "c" / "worker" / "dist"
        shutil.copy(stage.work / "c" / "tls" / "function.crt", folder)
        text = {
            "ORIGIN_URL": f"https://{names['url_host'] if stage.namespaces else front.address}",
            "OTLP_URL": f"{stage.otlp_http}/v1/traces",
            "SERVICE": names["worker"],
            "VERSION": "5.2.0",
            "KV_OWNER": "data:cloudflare-kv/SETTINGS",
            "BURN_MS": str(knobs.get("burn_ms", 0)),
            "BURN_SHARE": str(knobs.get("burn_share", 100)),
            "FORWARD": str(knobs.get("forward", "all")),
        }
        bindings = [f'(name = "{name}", text = "{value}")' for name, value in text.items()]
        bindings.append('(name = "SETTINGS", kvNamespace = "kv")')
        listen, kv_address = f"{pop.address}:{_WORKER_PORT}", f"{kv.address}:{_KV_PORT}"
        config = _WORKERD.format(bindings=", ".join(bindings), kv=kv_address, listen=listen)
        (folder / "config.capnp").write_text(config)
        workerd = next((folder.parent / "node_modules" / "@cloudflare").glob("workerd-*/bin/workerd"))
        command = ["node", str(folder.parent / "run.mjs"), str(workerd), str(folder / "config.capnp")]
        stage.start("worker", command, host=pop, port=_WORKER_PORT, env={"WITNESS": stage.witness("worker")})


def table_owner(names: Mapping[str, str]) -> str:
    """How the table is owned: it is known by its host name alone."""
    return f"data:{names['table_host']}"


SYSTEM = WorkerAndFunction()
