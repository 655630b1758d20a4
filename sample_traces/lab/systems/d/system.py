"""System D: Next.js middleware that asks a flag service before it routes, in front of a Node origin."""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from hosts import Host
from otlp import Span, find_by_request_id
from scenario import Entry, Found, Knobs, Scenario
from stage import TIMERS, Stage, run

_HERE = Path(__file__).resolve().parent
_WEB_PORT, _ORIGIN_PORT, _FLAGS_PORT = 3000, 8080, 80
_NPM = "apt-get install nodejs npm (Node.js 20.9 or later)"


class FlagsBeforeRouting:
    """Next.js proxy (GrowthBook SDK) → flag service; page → origin."""

    letter = "d"
    programs: Mapping[str, str] = {"node": _NPM, "npm": _NPM}

    def names(self, dice: random.Random) -> dict[str, str]:
        """Service names, and the host name of the flag service."""
        company = dice.choice(("acme", "orchard", "northwind"))
        return {
            "web": dice.choice(("gate", "shop-web", "www")),
            "origin": dice.choice(("items", "inventory", "core-api")),
            "flags": dice.choice((f"growthbook.{company}.example", f"flags.{company}.example")),
        }

    def build(self, work: Path, found: Mapping[str, str]) -> None:
        """Install and build, once."""
        for part in ("origin", "web"):
            target = work / "d" / part
            fresh = not (target / "node_modules" / ".package-lock.json").exists()
            shutil.copytree(
                _HERE / part, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules", ".next")
            )
            if fresh:
                run([found["npm"], "install", "--no-audit", "--no-fund"], target)
        shutil.copy(TIMERS, work / "d" / "origin")
        web = work / "d" / "web"
        if _built_before(web):
            return
        run([found["npm"], "run", "build"], web)

    def start(self, stage: Stage, scenario: Scenario, knobs: Knobs) -> Entry:
        """Start the flag service, the origin and the app."""
        web, flags, origin = (stage.host(name) for name in ("web", "flags", "origin"))
        names = knobs["names"]
        others = {one.name: one.address for one in stage.network.hosts.values()}
        stage.network.names(web, {**others, names["flags"]: flags.address})
        self._flags(stage, flags, knobs)
        self._origin(stage, origin, knobs)
        self._web(stage, web, flags, origin, knobs)
        return Entry("web", _WEB_PORT, "www.shop.example")

    def during(self, stage: Stage, scenario: Scenario, knobs: Knobs) -> None:
        """Nothing: every fault of this system is there from the start."""

    def find(self, spans: Sequence[Span]) -> dict[str, Found]:
        """By the request id that the middleware puts on its span."""
        return find_by_request_id(spans, sorted({one.service for one in spans if one.text.get("next.span_type")}))

    def _flags(self, stage: Stage, host: Host, knobs: Knobs) -> None:
        if knobs.get("flags_refuse"):
            return  # nothing listens: the connection is refused
        env = {
            "ADDRESS": host.address,
            "PORT": str(_FLAGS_PORT),
            "SLOW_MS": str(knobs.get("flags_ms", 0)),
            "SHARE": str(knobs.get("flags_share", 0)),
            **({"DOWN": "1"} if knobs.get("flags_down") else {}),
        }
        stage.start("flags", ["node", str(_HERE / "flags" / "flags.mjs")], host=host, port=_FLAGS_PORT, env=env)

    def _origin(self, stage: Stage, host: Host, knobs: Knobs) -> None:
        folder = stage.work / "d" / "origin"
        env = {
            "ADDRESS": host.address,
            "PORT": str(_ORIGIN_PORT),
            "WORK_MS": str(knobs.get("work_ms", 4)),
            "HOST_NAME": "origin-1",
            "OTEL_SERVICE_NAME": knobs["names"]["origin"],
            "OTEL_EXPORTER_OTLP_ENDPOINT": stage.otlp_http,
            "WITNESS": stage.witness("origin"),
        }
        command = ["node", "--require", str(folder / "otel.cjs"), str(folder / "server.cjs")]
        stage.start("origin", command, host=host, port=_ORIGIN_PORT, env=env)

    def _web(self, stage: Stage, web: Host, flags: Host, origin: Host, knobs: Knobs) -> None:
        names, folder = knobs["names"], stage.work / "d" / "web"
        flags_host = names["flags"] if stage.namespaces else flags.address
        env = {
            "NODE_ENV": "production",
            "OTEL_SERVICE_NAME": names["web"],
            "OTEL_RESOURCE_ATTRIBUTES": "service.version=8.0.1,deployment.environment.name=lab",
            "OTEL_EXPORTER_OTLP_ENDPOINT": stage.otlp_http,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_BSP_SCHEDULE_DELAY": "500",
            "ORIGIN_URL": stage.url(origin, _ORIGIN_PORT),
            "FLAGS_URL": f"http://{flags_host}",
            "FLAGS_OWNER": f"external:{names['flags']}",
            "FLAGS_TIMEOUT_MS": str(knobs.get("flags_timeout_ms", 2000)),
            "BUSY_MS": str(knobs.get("busy_ms", 0)),
            "BUSY_SHARE": str(knobs.get("busy_share", 100)),
            "ASSET_MS": str(knobs.get("asset_ms", 0)),
            "WITNESS": stage.witness("web"),
            **({"PUBLIC_ACCOUNT": "1"} if knobs.get("public_account") else {}),
        }
        command = ["node", "node_modules/next/dist/bin/next", "start", "-H", web.address, "-p", str(_WEB_PORT)]
        stage.start("web", command, host=web, port=_WEB_PORT, env=env, cwd=folder)


def _built_before(web: Path) -> bool:
    """Whether what is built is newer than every source."""
    mark = web / ".next" / "BUILD_ID"
    if not mark.exists():
        return False
    sources = [path for path in _HERE.joinpath("web").rglob("*") if path.suffix in {".ts", ".tsx", ".json"}]
    return all(path.stat().st_mtime <= mark.stat().st_mtime for path in sources)


SYSTEM = FlagsBeforeRouting()
