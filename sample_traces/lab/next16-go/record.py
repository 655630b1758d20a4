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


def _quiet(received: Path, *, patience_s: float = 180.0) -> int:
    """Wait until the collector has stored all that was sent so far; the size of its recording then.

    Raises:
        CannotRecord: it stored nothing.
    """
    size, give_up = -1, time.monotonic() + patience_s
    while time.monotonic() < give_up:
        time.sleep(_FLUSH_S)
        before, size = size, received.stat().st_size if received.exists() else -1
        if size == before >= 0:
            return size
    raise CannotRecord("the collector stored nothing")


def _warm(system: System, scenario: Scenario, seed: int, witness: Path, received: Path) -> int:
    """Warm up what the scenario wants warm; where the recording begins. The collector is always warm.

    A collector that has just been installed compiles its kernels on the first bodies, for longer than exporters wait.
    """
    system.services(scenario, witness)
    Drive("127.0.0.1", system.ports.web, 3).run(scenario.warm_up(random.Random(seed + 1)))
    if scenario.cold:
        system.stop_services()
    begins = _quiet(received)
    if scenario.cold:
        system.services(scenario, witness)
    return begins


def _drive(
    system: System, scenario: Scenario, seed: int, folder: Path, witness: Path
) -> tuple[int, list[Timed], bytes]:
    """Run one scenario: when it began, the stopwatch, and the bodies received from then on."""
    received = folder / "traces.otlp.pb"
    system.collector(folder)
    begins = _warm(system, scenario, seed, witness, received)
    began = time.time_ns()
    timed = Drive("127.0.0.1", system.ports.web, scenario.at_once).run(scenario.plan(random.Random(seed)))
    time.sleep(_FLUSH_S)
    system.stop_services()
    system.stop("collector")
    return began, timed, received.read_bytes()[begins:]


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

    witness = system.work / f"{scenario.name}.witness.ndjson"
    witness.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=system.work) as scratch:
        began, timed, recording = _drive(system, scenario, seed, Path(scratch) / scenario.name, witness)
    check_leaks(recording, system.work)
    entries = traces_by_request(spans(recording))
    lost = [one.planned.path for one in timed if one.planned.request_id not in entries and one.planned.path != "/login"]
    if lost:  # /login has no proxy to put the id on a span; every other request has
        raise CannotRecord(f"the spans of {len(lost)} requests did not arrive, such as {lost[0]}; record again")
    target = out / scenario.name
    target.mkdir(parents=True, exist_ok=True)
    (target / "traces.otlp.pb.zst").write_bytes(zstandard.ZstdCompressor(level=19).compress(recording))
    _write_json(target / "driver.json", driver_json(scenario, seed, began, timed, entries))
    if scenario.fault is not None:
        _write_json(target / "expected.json", expected_json(scenario, seed, timed, entries, witness))
    joined = sum(one.planned.request_id in entries for one in timed)
    count, size = sum(1 for _ in spans(recording)), (target / "traces.otlp.pb.zst").stat().st_size
    _count_in_readme(out, scenario, len(timed), count, size)
    print(f"{scenario.name}: {len(timed)} requests, {joined} joined, {count} spans, {size} bytes", file=sys.stderr)


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
