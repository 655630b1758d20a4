#!/usr/bin/env python3
"""Records the sample traces of Next.js 16 in front of Go: `python record.py --out sample_traces --seed 7`.

Starts Postgres, two Go services, a Next.js app and Seamscope's own collector on loopback, sends seeded requests with a
stopwatch, stops everything, and writes per scenario `traces.otlp.pb.zst` (the bodies as received, each after its length
as a varint), `driver.json` (the stopwatch) and, where a second instrument timed the cause, `expected.json`.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from otlp_bytes import spans
from scenarios import SCENARIOS, Scenario
from stopwatch import Drive, Timed
from system import CannotRecord, Ports, System, build, find_programs, seamscope_command
from truth import Leak, check_leaks, driver_json, expected_json, traces_by_request

_FLUSH_S = 2.5  # both SDKs are told to export every second


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder that gets one folder per scenario")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--scenario", action="append", choices=[one.name for one in SCENARIOS], help="only this (repeatable)"
    )
    parser.add_argument("--work", type=Path, help="keep what is built here, to record again without building")
    parser.add_argument("--port-base", type=int, default=20800)
    parser.add_argument(
        "--seamscope", default="", help="the command that collects (default: this Python's own seamscope)"
    )
    return parser.parse_args()


def _drive(system: System, scenario: Scenario, seed: int, folder: Path) -> tuple[int, list[Timed], Path]:
    """Run one scenario; the recording is in the folder when this returns."""
    witness = system.work / f"{scenario.name}.witness.ndjson"
    witness.unlink(missing_ok=True)
    if scenario.warm_up is None:
        system.collector(folder)
    system.services(scenario, witness)
    if scenario.warm_up is not None:
        system.collector(folder.with_name("warm-up"))
        Drive("127.0.0.1", system.ports.web, 3).run(scenario.warm_up(random.Random(seed + 1)))
        time.sleep(_FLUSH_S)
        system.stop("collector")
        system.collector(folder)
    began = time.time_ns()
    timed = Drive("127.0.0.1", system.ports.web, scenario.at_once).run(scenario.plan(random.Random(seed)))
    time.sleep(_FLUSH_S)
    for name in ("edge-web", "orders", "pricing", "collector"):
        system.stop(name)
    return began, timed, witness


def _write_json(path: Path, document: dict[str, Any]) -> None:
    requests = document.pop("requests")
    head = json.dumps(document, ensure_ascii=False)[:-1]
    lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in requests)
    path.write_text(f'{head}, "requests": [\n{lines}\n]}}\n', encoding="utf-8")


def _count_in_readme(out: Path, scenario: Scenario, requests: int, recorded: int, size: int) -> None:
    """Write a scenario's numbers into its row of the README beside the recordings, if there is one."""
    readme = out / "README.md"
    if readme.exists():
        row = re.compile(rf"^(\| `{scenario.name}` \|).*?\|.*?\|.*?\|", flags=re.MULTILINE)
        text = row.sub(rf"\1 {requests} | {recorded:,} | {size:,} |", readme.read_text(encoding="utf-8"))
        readme.write_text(text, encoding="utf-8")


def _record(system: System, scenario: Scenario, seed: int, out: Path) -> None:
    import zstandard

    with tempfile.TemporaryDirectory(dir=system.work) as scratch:
        received = Path(scratch) / scenario.name
        began, timed, witness = _drive(system, scenario, seed, received)
        recording = (received / "traces.otlp.pb").read_bytes()
    check_leaks(recording, system.work)
    entries = traces_by_request(spans(recording))
    target = out / scenario.name
    target.mkdir(parents=True, exist_ok=True)
    (target / "traces.otlp.pb.zst").write_bytes(zstandard.ZstdCompressor(level=19).compress(recording))
    _write_json(target / "driver.json", driver_json(scenario, seed, began, timed, entries))
    if scenario.fault is not None:
        _write_json(target / "expected.json", expected_json(scenario, seed, timed, entries, witness))
    joined = sum(one.planned.request_id in entries for one in timed)
    recorded, size = sum(1 for _ in spans(recording)), (target / "traces.otlp.pb.zst").stat().st_size
    _count_in_readme(out, scenario, len(timed), recorded, size)
    print(f"{scenario.name}: {len(timed)} requests, {joined} joined, {recorded} spans, {size} bytes", file=sys.stderr)


def main() -> int:
    """Record what was asked for; 3 with one reason where that cannot be done."""
    arguments = _arguments()
    ports = Ports(arguments.port_base)
    wanted = [one for one in SCENARIOS if not arguments.scenario or one.name in arguments.scenario]
    try:
        import zstandard  # noqa: F401 - said here, before anything is built

        programs = find_programs()
        with tempfile.TemporaryDirectory() as scratch:
            work = (arguments.work or Path(scratch)).resolve()
            work.mkdir(parents=True, exist_ok=True)
            build(work, programs, ports)
            for scenario in wanted:
                with System(work, programs, ports, seamscope_command(arguments.seamscope)) as system:
                    system.postgres()
                    _record(system, scenario, arguments.seed, arguments.out)
    except (CannotRecord, Leak, ImportError) as error:
        print(f"record: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
