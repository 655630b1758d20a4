"""System A: Next.js 16 in front of Go services and Postgres, with a worker behind an outbox and a carrier outside.

    client → web (Next.js) → orders (Go) → database (Postgres)
                               │    └→ carrier.example (third party, no spans)
                               └→ pricing (Go)          worker (Go) ← outbox in the database

What a scenario may say in its options and draws (`knobs`):
    orders, pricing, worker, carrier   further flags of those programs (lists of text)
    slow           {"report": 80}      milliseconds that statements of a route sleep
    tls            True                pricing speaks HTTPS
    wire           {"syn_ms": 60}      a TUN wire from orders to pricing
    dns            {"late_ms": 80}     orders asks a late DNS server for pricing
    before_pricing {"hello_ms": 60}    a TCP proxy before pricing
    before_orders  {"response_ms": 60} a TCP proxy before orders
    freeze         {"stop_ms": 100, "every_ms": 500}   pricing is stopped now and then
    burn           3                   busy loops on the CPU that pricing is kept on
    web            {"PROPAGATE": "off"}                further environment of the web app
    versions       ("2.3.0", "1.4.0", "0.9.0")         of web, orders, pricing
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hosts import Host
from otlp import Span, find_by_request_id
from postgres import Cluster
from scenario import Entry, Found, Knobs, Scenario
from stage import Stage, bare, run
from systems.a.asker import SECRET

HERE: Final = Path(__file__).resolve().parent
_WEB, _ORDERS, _PRICING, _CARRIER, _PROXY = 3000, 8080, 8081, 80, 9000
_CARRIER_NAME = "rates.parcelco.example"
_GO: Final = "Go 1.26 or later: https://go.dev/dl/, or `apt install golang-1.26`"
_POSTGRES: Final = "PostgreSQL 15 or later: `apt install postgresql` or `brew install postgresql@15`"


def seamed(names: Mapping[str, str], caller: str, callee: str) -> str:
    """The seam between two of the system's services, as contract §3 writes it."""
    tiers = {"web": "render"}
    return "→".join(f"{tiers.get(one, 'origin')}:{names[one]}" for one in (caller, callee))


class SystemA:
    """See the module's text."""

    letter = "a"
    programs: Mapping[str, str] = {
        "node": "Node.js 20.9 or later: `apt install nodejs` or https://nodejs.org",
        "npm": "npm 9 or later: `apt install npm`, or with Node.js",
        "go": _GO,
        "initdb": _POSTGRES,
        "postgres": _POSTGRES,
        "psql": _POSTGRES,
    }

    def __init__(self) -> None:
        self._found: Mapping[str, str] = {}

    def names(self, dice: random.Random) -> dict[str, str]:
        """Services, database and route prefix of this seed."""
        return {
            "web": dice.choice(["edge-web", "storefront", "shop-web", "www"]),
            "orders": dice.choice(["orders", "order-api", "checkout", "sales"]),
            "pricing": dice.choice(["pricing", "prices", "quote-svc", "tariffs"]),
            "worker": dice.choice(["fulfil", "order-jobs", "dispatcher"]),
            "db": dice.choice(["shop", "store", "commerce", "market"]),
            "prefix": dice.choice(["/v1", "/v2", "/api/v1", "/internal"]),
        }

    def build(self, work: Path, found: Mapping[str, str]) -> None:
        """Build the web app once; the Go programs are built anew, which is quick."""
        self._found = found
        web = work / "a-web"
        if not (web / ".next" / "BUILD_ID").exists():
            ignored = shutil.ignore_patterns("node_modules", ".next")
            shutil.copytree(HERE / "edge-web", web, dirs_exist_ok=True, ignore=ignored)
            # not `npm ci`: it refuses a lock without the optional builds for systems that this one was not written on
            run([found["npm"], "install"], web)
            run([found["npm"], "run", "build"], web)
        (work / "bin").mkdir(exist_ok=True)
        run([found["go"], "build", "-trimpath", "-o", f"{work / 'bin'}/", "./cmd/..."], HERE / "origin")
        Cluster(work / "a-postgres", found).build(HERE / "schema.sql")

    def start(self, stage: Stage, scenario: Scenario, knobs: Knobs) -> Entry:
        """Database, carrier, pricing, orders, worker, web: callees first."""
        names = knobs["names"]
        web, orders, pricing = (stage.host(names[one]) for one in ("web", "orders", "pricing"))
        database = Cluster(stage.work / "a-postgres", self._found).start(stage, stage.host("database"), names["db"])
        self._carrier(stage, orders, knobs)
        pricing_url = self._pricing(stage, orders, pricing, knobs)
        self._orders(stage, orders, database, pricing_url, knobs, phases=scenario.variant == "phases")
        self._worker(stage, stage.host(names["worker"]), database, knobs)
        self._web(stage, web, self._before_orders(stage, orders, knobs), knobs)
        return Entry(names["web"], _WEB, filled_in={"{action}": _action(stage.work / "a-web")})

    def during(self, stage: Stage, scenario: Scenario, knobs: Knobs) -> None:
        """Freezers and burners begin with the traffic that is recorded."""
        del scenario
        if "freeze" in knobs:
            stage.freeze(knobs["names"]["pricing"], **knobs["freeze"])
        if "burn" in knobs:
            stage.burn(cpu=1, workers=knobs["burn"])

    def find(self, spans: Sequence[Span]) -> dict[str, Found]:
        """Requests by the id that the proxy puts on the root span; their entry is the web app's root."""
        web = [span.service for span in spans if span.text.get("process.runtime.name") or "next.span_type" in span.text]
        return find_by_request_id(spans, list(dict.fromkeys(web)))

    def _carrier(self, stage: Stage, orders: Host, knobs: Knobs) -> None:
        host = stage.host("carrier")
        command = [str(stage.work / "bin" / "carrier"), "-address", f"{host.address}:{_CARRIER}"]
        env = {"WITNESS": stage.witness("carrier")}
        stage.start("carrier", [*command, *knobs.get("carrier", ())], host=host, port=_CARRIER, env=env)
        stage.network.names(orders, {_CARRIER_NAME: host.address})

    def _pricing(self, stage: Stage, orders: Host, pricing: Host, knobs: Knobs) -> str:
        """Start pricing and what stands before it; its URL as orders calls it."""
        names, work = knobs["names"], stage.work
        certificate, secure = work / "pricing.pem", bool(knobs.get("tls"))
        certificate.unlink(missing_ok=True)
        listen = "0.0.0.0" if stage.namespaces else pricing.address
        command = [str(work / "bin" / "pricing"), "-address", f"{listen}:{_PRICING}", *knobs.get("pricing", ())]
        if secure:
            command += ["-tls-certificate-out", str(certificate), "-tls-name", stage.where(pricing)]
        if "burn" in knobs:
            command = stage.pinned(command, 1)
        env = self._go(stage, names["pricing"], knobs, 2)
        stage.start(names["pricing"], command, host=pricing, port=_PRICING, env=env)
        port = _PRICING
        if "before_pricing" in knobs:
            owner = seamed(names, "orders", "pricing")
            stage.proxy(
                "before-pricing", on=pricing, port=_PROXY, to=(pricing, port), owner=owner, **knobs["before_pricing"]
            )
            port = _PROXY
        if "wire" in knobs:
            stage.link(orders, pricing, **knobs["wire"])
        if "dns" in knobs:
            host = stage.host("resolver")
            stage.dns(on=host, answers={pricing.name: pricing.address}, asked_by=[orders], **knobs["dns"])
        return stage.url(pricing, port, "https" if secure else "http")

    def _orders(self, stage: Stage, host: Host, database: str, pricing_url: str, knobs: Knobs, *, phases: bool) -> None:
        names = knobs["names"]
        listen = "0.0.0.0" if stage.namespaces else host.address
        command = [str(stage.work / "bin" / "orders"), "-address", f"{listen}:{_ORDERS}", "-prefix", names["prefix"]]
        command += ["-database", database, "-pricing", pricing_url, "-pricing-owner", f"origin:{names['pricing']}"]
        carrier = _CARRIER_NAME if stage.namespaces else stage.host("carrier").address
        command += ["-carrier", f"http://{carrier}", f"-phases={str(phases).lower()}"]
        command += ["-trust", str(stage.work / "pricing.pem")] if knobs.get("tls") else []
        slow = ",".join(f"{route}={ms}" for route, ms in knobs.get("slow", {}).items())
        command += [*(["-slow", slow] if slow else []), *knobs.get("orders", ())]
        stage.start(names["orders"], command, host=host, port=_ORDERS, env=self._go(stage, names["orders"], knobs, 1))

    def _before_orders(self, stage: Stage, orders: Host, knobs: Knobs) -> str:
        if "before_orders" not in knobs:
            return stage.url(orders, _ORDERS)
        owner, options = seamed(knobs["names"], "web", "orders"), knobs["before_orders"]
        stage.proxy("before-orders", on=orders, port=_PROXY, to=(orders, _ORDERS), owner=owner, **options)
        return stage.url(orders, _PROXY)

    def _worker(self, stage: Stage, host: Host, database: str, knobs: Knobs) -> None:
        name = knobs["names"]["worker"]
        command = [str(stage.work / "bin" / "worker"), "-database", database, *knobs.get("worker", ())]
        stage.start(name, command, host=host, env=self._go(stage, name, knobs, 1))

    def _web(self, stage: Stage, host: Host, origin: str, knobs: Knobs) -> None:
        names = knobs["names"]
        env = bare(
            WEB_NAME=names["web"],
            WEB_OWNER=f"render:{names['web']}",
            ORIGIN_URL=origin,
            ORIGIN_PREFIX=names["prefix"],
            SESSION_SECRET=SECRET,
            NODE_ENV="production",
            WITNESS=stage.witness(names["web"]),
            WITNESS_OWNERS=json.dumps({origin.split("//")[1]: f"origin:{names['orders']}"}),
            OTEL_EXPORTER_OTLP_ENDPOINT=stage.otlp_http,
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            OTEL_RESOURCE_ATTRIBUTES=f"service.version={_version(knobs, 0)},deployment.environment.name=lab",
            OTEL_BSP_SCHEDULE_DELAY="500",
            **knobs.get("web", {}),
        )
        listen = "0.0.0.0" if stage.namespaces else host.address
        command = [self._found["node"], "node_modules/next/dist/bin/next", "start", "-H", listen, "-p", str(_WEB)]
        stage.start(names["web"], command, host=host, port=_WEB, env=env, cwd=stage.work / "a-web")

    def _go(self, stage: Stage, name: str, knobs: Knobs, version: int) -> dict[str, str]:
        described = f"service.version={_version(knobs, version)},service.instance.id={name}-1,host.name={name}-host"
        return {
            "WITNESS": stage.witness(name),
            "OTEL_SERVICE_NAME": name,
            "OTEL_RESOURCE_ATTRIBUTES": f"{described},deployment.environment.name=lab",
            "OTEL_BSP_SCHEDULE_DELAY": "500",
            "OTEL_EXPORTER_OTLP_ENDPOINT": stage.otlp_grpc,
            "GODEBUG": "netdns=go",
        }


def _version(knobs: Knobs, which: int) -> str:
    versions: Sequence[Any] = knobs.get("versions", ("2.3.0", "1.4.0", "0.9.0"))
    return str(versions[which])


def _action(web: Path) -> str:
    """The id that the build gave the app's one server action."""
    manifest = json.loads((web / ".next" / "server" / "server-reference-manifest.json").read_text())
    return next(iter(manifest["node"]), "")


SYSTEM: Final = SystemA()
