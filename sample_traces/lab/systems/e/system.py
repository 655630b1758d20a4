"""System E: two places of an edge in Deno, a region, a replica and a primary over HTTP, a partner and a queue."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from hosts import Host
from otlp import Span, find_by_request_id
from scenario import Entry, Found, Knobs, Scenario
from stage import TIMERS, Stage, run

_HERE = Path(__file__).resolve().parent
_PORT, _HTTP = 8080, 80
_NPM = "apt-get install nodejs npm (Node.js 20.9 or later)"
_HOSTS = ("router", "popa", "popb", "region", "replica", "primary", "partner", "queue", "wirea", "wireb", "wirep")


class TwoPlaces:
    """Edge places (Deno) → replica over HTTP, or region (Node) → primary over HTTP, partner, queue → worker."""

    letter = "e"
    programs: Mapping[str, str] = {"node": _NPM, "npm": _NPM}

    def names(self, dice: random.Random) -> dict[str, str]:
        """Service names, places, and the host names of what is not ours."""
        near, far = dice.sample(("fra", "iad", "sin", "gru", "syd"), 2)
        project = f"ep-{dice.choice(('quiet', 'amber', 'still'))}-{dice.choice(('lake', 'field', 'hill'))}"
        return {
            "edge": dice.choice(("pop", "edge-api", "front")),
            "region": dice.choice(("orders-api", "commerce", "backend")),
            "worker": dice.choice(("fulfilment", "mailer")),
            "near": near,
            "far": far,
            "replica": f"{project}-replica-{dice.getrandbits(24):06x}.eu-central-1.aws.neon.tech",
            "primary": f"{project}-{dice.getrandbits(24):06x}.us-east-2.aws.neon.tech",
            "partner": dice.choice(("api.paylane.example", "quotes.rateboard.example")),
            "queue": "qstash.upstash.io",
        }

    def build(self, work: Path, found: Mapping[str, str]) -> None:
        """Install, once."""
        for part in ("edge", "region"):
            target = work / "e" / part
            fresh = not (target / "node_modules" / ".package-lock.json").exists()
            shutil.copytree(_HERE / part, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
            if fresh:
                run([found["npm"], "install", "--no-audit", "--no-fund"], target)
        shutil.copy(TIMERS, work / "e" / "region")

    def start(self, stage: Stage, scenario: Scenario, knobs: Knobs) -> Entry:
        """Start what is outside, the wires, the region, the worker, and the two places."""
        hosts = {name: stage.host(name) for name in _HOSTS}
        self._outside(stage, hosts, knobs)
        self._wires(stage, hosts, knobs)
        self._know(stage, hosts, knobs)
        self._region(stage, hosts, knobs)
        for place in ("popa", "popb"):
            self._place(stage, hosts[place], hosts, knobs)
        env = {"PLACES": f"{hosts['popa'].address}:{_PORT},{hosts['popb'].address}:{_PORT}"}
        self._one_outside(stage, "router", hosts["router"], _PORT, env)
        return Entry("router", _PORT, "www.shop.example")

    def during(self, stage: Stage, scenario: Scenario, knobs: Knobs) -> None:
        """Nothing: every fault of this system is there from the start."""

    def find(self, spans: Sequence[Span]) -> dict[str, Found]:
        """By the request id that the edge puts on its root."""
        return find_by_request_id(
            spans, sorted({one.service for one in spans if "seamscope.edge.decision" in one.text})
        )

    def _one_outside(
        self, stage: Stage, role: str, host: Host, port: int, env: Mapping[str, str], name: str = ""
    ) -> None:
        given = {"ROLE": role, "ADDRESS": "0.0.0.0" if stage.namespaces else host.address, "PORT": str(port), **env}  # noqa: S104 - a namespace of its own
        called = name or role
        given["WITNESS"] = stage.witness(called)
        stage.start(called, ["node", str(_HERE / "outside" / "outside.mjs")], host=host, port=port, env=given)

    def _outside(self, stage: Stage, hosts: Mapping[str, Host], knobs: Knobs) -> None:
        names = knobs["names"]
        for role, name, tier in (
            ("sql", "replica", "data"),
            ("sql", "primary", "data"),
            ("partner", "partner", "external"),
        ):
            env = {
                "OWN_NAME": f"{tier}:{names[name]}",
                "FAST_MS": str(knobs.get("fast_ms", {}).get(name, 2)),
                "SLOW_MS": str(knobs.get(f"{name}_ms", 0)),
                "SHARE": str(knobs.get(f"{name}_share", 0)),
                **({"CLOSES": "1"} if knobs.get("partner_closes") else {}),
            }
            self._one_outside(stage, role, hosts[name], _HTTP, env, name)
        self._one_outside(stage, "queue", hosts["queue"], _HTTP, {})

    def _wires(self, stage: Stage, hosts: Mapping[str, Host], knobs: Knobs) -> None:
        """Distance: from each place to the replica, and from the region to the primary."""
        names = knobs["names"]
        seams = {
            "wirea": ("replica", f"edge:{names['edge']}→data:{names['replica']}"),
            "wireb": ("replica", f"edge:{names['edge']}→data:{names['replica']}"),
            "wirep": ("primary", f"origin:{names['region']}→data:{names['primary']}"),
        }
        for wire, (to, seam) in seams.items():
            each_ms = knobs.get("distance_ms", {}).get(wire, 0.5)
            options = {"request_ms": each_ms, "response_ms": each_ms, "spread": 0.04, "owner": seam}
            stage.proxy(wire, on=hosts[wire], port=_HTTP, to=(hosts[to], _HTTP), **options)

    def _know(self, stage: Stage, hosts: Mapping[str, Host], knobs: Knobs) -> None:
        """Let each program find what it calls, by the name that people would see."""
        names, own = knobs["names"], {one.name: one.address for one in stage.network.hosts.values()}
        partner = hosts["partner"].address
        if "syn_ms" in knobs:
            partner = stage.link(hosts["region"], hosts["partner"], name="far-partner", syn_ms=knobs["syn_ms"])
        stage.network.names(hosts["popa"], {**own, names["replica"]: hosts["wirea"].address})
        stage.network.names(hosts["popb"], {**own, names["replica"]: hosts["wireb"].address})
        regional = {
            names["primary"]: hosts["wirep"].address,
            names["partner"]: partner,
            names["queue"]: hosts["queue"].address,
        }
        stage.network.names(hosts["region"], {**own, **regional})

    def _region(self, stage: Stage, hosts: Mapping[str, Host], knobs: Knobs) -> None:
        names, folder, host = knobs["names"], stage.work / "e" / "region", hosts["region"]
        shared = {
            "HOST_NAME": "region-1",
            "REGION": "us-east-2",
            "OTEL_EXPORTER_OTLP_ENDPOINT": stage.otlp_http,
            "QUEUE_URL": f"http://{names['queue'] if stage.namespaces else hosts['queue'].address}",
            **({"PHASES": "1"} if knobs["variant"] == "phases" else {}),
        }
        own = {
            "ADDRESS": host.address,
            "PORT": str(_PORT),
            "OTEL_SERVICE_NAME": names["region"],
            "PRIMARY_URL": f"http://{names['primary'] if stage.namespaces else hosts['wirep'].address}",
            "PARTNER_URL": f"http://{names['partner'] if stage.namespaces else hosts['partner'].address}",
            "PARTNER_SEAM": partner_seam(names),
            **({"PARTNER_CLOSES": "1"} if knobs.get("partner_closes") else {}),
            "WITNESS": stage.witness("region"),
        }
        node = ["node", "--require", str(folder / "otel.cjs")]
        stage.start("region", [*node, str(folder / "server.cjs")], host=host, port=_PORT, env={**shared, **own})
        job = {"OTEL_SERVICE_NAME": names["worker"], "JOB_MS": str(knobs.get("job_ms", 5))}
        stage.start("worker", [*node, str(folder / "worker.cjs")], host=host, env={**shared, **job})

    def _place(self, stage: Stage, pop: Host, hosts: Mapping[str, Host], knobs: Knobs) -> None:
        names, folder = knobs["names"], stage.work / "e" / "edge"
        place, wire = ("near", "wirea") if pop.name == "popa" else ("far", "wireb")
        replica = names["replica"] if stage.namespaces else hosts[wire].address
        described = f"cloud.region={names[place]},service.instance.id={names['edge']}-{names[place]}-1"
        env = {
            "ADDRESS": pop.address,
            "PORT": str(_PORT),
            "PLACE": names[place],
            "MONOTONIC_OFFSET_NS": str(time.monotonic_ns() - time.time_ns()),
            "OTEL_DENO": "true",
            "OTEL_DENO_CONSOLE": "ignore",
            "OTEL_SERVICE_NAME": names["edge"],
            "OTEL_RESOURCE_ATTRIBUTES": f"{described},deno.app.slug={names['edge']},deployment.environment.name=lab",
            "OTEL_EXPORTER_OTLP_ENDPOINT": stage.otlp_http,
            "OTEL_METRIC_EXPORT_INTERVAL": "3600000",
            "OTEL_BSP_SCHEDULE_DELAY": "500",
            "DENO_NO_UPDATE_CHECK": "1",
            "DENO_DIR": str(stage.work / "e" / "deno"),
            "REGION_URL": stage.url(hosts["region"], _PORT),
            "REPLICA_URL": f"http://{replica}",
            "WITNESS": stage.witness(pop.name),
        }
        program = next((folder / "node_modules" / "@deno").glob("*/deno"))
        command = [str(program), "run", "--allow-all", "--node-modules-dir=manual", "--no-lock", "main.ts"]
        stage.start(pop.name, command, host=pop, port=_PORT, env=env, cwd=folder)


def partner_seam(names: Mapping[str, str]) -> str:
    """The seam between the region and its partner."""
    return f"origin:{names['region']}→external:{names['partner']}"


SYSTEM = TwoPlaces()
