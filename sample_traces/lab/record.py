#!/usr/bin/env python3
"""Records sample traces with the lab: `make record SCENARIO=a-healthy,a-dns-slow SEED=7 OUT=elsewhere`.

Builds a system's apps, starts them on hosts of their own with Seamscope's own collector, injects one fault, sends
seeded requests with a stopwatch, stops everything, and writes per scenario `traces.otlp.pb.zst` (the bodies received,
each after its length as a varint), `driver.json` (the stopwatch) and `expected.json` (what a second instrument
measured). A scenario that fails is left out, the others go on, and what failed is told at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import catalogue
import checks
import truth
import witness
from hosts import Network, namespaces_allowed
from otlp import bodies, delimited, from_json, spans
from scenario import CannotRecord, Entry, Found, Knobs, Planned, Scenario, System, dice_of, knobs_of
from stage import Stage, find_programs, tag_of
from stopwatch import Drive, Timed

_QUIET_S = 1.3  # SDKs are told to export every half second
_PATIENCE_S = 180.0  # a collector that was just installed compiles its kernels on the first bodies


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("sample_traces"), help="gets one folder per scenario")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--scenario", default="", help="names, beginnings with *, or systems, with commas; empty: all")
    parser.add_argument("--work", type=Path, help="keep what is built here, to record again without building")
    parser.add_argument("--list", action="store_true", help="name the scenarios and stop")
    parser.add_argument("--no-namespaces", action="store_true", help="hosts are loopback addresses")
    parser.add_argument("--seamscope", default="", help="the command that collects (default: this Python's seamscope)")
    return parser.parse_args()


@dataclass
class Recorded:
    """One scenario as it was just recorded."""

    began_ns: int
    timed: list[Timed]
    recording: bytes
    lines: dict[str, list[witness.Line]]


def _sizes(received: Path) -> tuple[int, int]:
    """How much was recorded so far as protobuf, and as JSON."""
    protobuf, text = (path.stat().st_size if path.exists() else 0 for path in (received, _as_json(received)))
    return protobuf, text


def _as_json(received: Path) -> Path:
    return received.with_suffix(".ndjson")


def _since(received: Path, begins: tuple[int, int]) -> bytes:
    """What was recorded since then, all of it as protobuf."""
    recording, text = (
        path.read_bytes()[at:] if path.exists() else b""
        for path, at in zip((received, _as_json(received)), begins, strict=True)
    )
    return recording + delimited(from_json(text.decode()))


def _quiet(received: Path) -> tuple[int, int]:
    """Wait until nothing arrives any more; the sizes of the recording then.

    Raises:
        CannotRecord: nothing arrived at all.
    """
    sizes, give_up = (-1, -1), time.monotonic() + _PATIENCE_S
    while time.monotonic() < give_up:
        time.sleep(_QUIET_S)
        before, sizes = sizes, _sizes(received)
        if sizes == before and max(sizes) > 0:
            return sizes
    raise CannotRecord("the collector stored nothing")


def _filled_in(plan: list[Planned], entry: Entry) -> list[Planned]:
    """The plan with what only a build knows."""

    def fill(text: str) -> str:
        for placeholder, value in entry.filled_in.items():
            text = text.replace(placeholder, value)
        return text

    return [
        replace(
            one,
            headers=tuple((name, fill(value)) for name, value in one.headers),
            body=fill(one.body.decode("latin-1")).encode("latin-1"),
        )
        for one in plan
    ]


def _run(stage: Stage, system: System, scenario: Scenario, knobs: Knobs, seed: int) -> Recorded:
    received = stage.collector()
    stage.begin_scene()
    client = stage.host("client")
    try:
        entry = system.start(stage, scenario, knobs)
        address, dice = stage.host(entry.host).address, dice_of(seed, scenario.name, "warm up")
        warming = Drive(address, entry.port, 4, entry.host_header, client.enter)
        warming.run(_filled_in(scenario.warm_up(dice, knobs), entry))
        if scenario.cold:
            stage.end_scene()
        begins = _quiet(received)
        if scenario.cold:
            stage.begin_scene()
            system.start(stage, scenario, knobs)
        plan = _filled_in(scenario.plan(dice_of(seed, scenario.name, "plan"), knobs), entry)
        drive = Drive(address, entry.port, scenario.at_once, entry.host_header, client.enter)
        system.during(stage, scenario, knobs)
        began = time.time_ns()
        timed = drive.run(plan)
        _quiet(received)
    finally:
        stage.end_scene()
    time.sleep(0.3)
    lines = witness.by_request(witness.read(stage.scene))
    return Recorded(began, timed, _since(received, begins), lines)


def _still_there(found: dict[str, Found], recording: bytes) -> dict[str, Found]:
    """Requests whose entry span is in the recording after the taps."""
    there = {(span.trace_id, span.span_id) for span in spans(bodies(recording))}
    return {key: one for key, one in found.items() if (one.trace_ids[0], one.span_id) in there}


def _record(stage: Stage, system: System, scenario: Scenario, seed: int, out: Path) -> str:
    """Record one scenario and keep it if it is sound; a line about it."""
    import zstandard

    knobs = knobs_of(scenario, system, seed)
    done = _run(stage, system, scenario, knobs, seed)
    tapped = list(bodies(done.recording))
    found = system.find(list(spans(tapped)))
    for tap in scenario.taps(knobs):
        tapped = tap(tapped)
    recording = delimited(tapped) if scenario.taps(knobs) else done.recording
    checks.check_leaks(recording, stage.work)
    found = _still_there(found, recording)
    driver = truth.driver_json(scenario, seed, done.began_ns, done.timed, found)
    expected = truth.expected_json(scenario, seed, knobs, done.timed, found, done.lines)
    control = _beside(out, scenario.control)
    expected = truth.with_savings(expected, scenario, driver, control)
    packed = zstandard.ZstdCompressor(level=19).compress(recording)
    try:
        checks.check_whole(scenario, driver)
        said = checks.check_moved(scenario, driver, expected, control)
    except CannotRecord:  # kept apart, so that one can look why
        _keep(stage.work / "refused" / scenario.name, packed, driver, expected)
        raise
    _keep(out / scenario.name, packed, driver, expected)
    count = sum(1 for _ in spans(bodies(recording)))
    joined = sum(one["trace_id"] is not None for one in driver["requests"])
    return f"{len(done.timed)} requests, {joined} joined, {count} spans, {len(packed)} bytes; {said}"


def _beside(out: Path, name: str | None) -> dict[str, Any] | None:
    path = out / (name or "") / "driver.json"
    if name is None or not path.exists():
        return None
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def _keep(target: Path, packed: bytes, driver: dict[str, Any], expected: dict[str, Any]) -> None:
    """Write the folder whole or not at all."""
    half = target.with_name(f".{target.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    (half / "traces.otlp.pb.zst").write_bytes(packed)
    for name, document in (("driver", driver), ("expected", expected)):
        (half / f"{name}.json").write_text(truth.written(document), encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    half.rename(target)


def _with_controls(wanted: Sequence[Scenario], out: Path, seed: int) -> list[Scenario]:
    """The scenarios, and before them the controls that this seed has not recorded yet."""
    every, ordered = catalogue.scenarios(), {}
    for one in wanted:
        if one.control is not None and one.control not in {other.name for other in wanted}:
            beside = _beside(out, one.control)
            if beside is None or beside["seed"] != seed:
                ordered[one.control] = every[one.control]
    return [*ordered.values(), *wanted]


@contextlib.contextmanager
def _work_folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="lab-") as scratch:
        Path(scratch).chmod(0o755)  # databases run as users of their own
        yield Path(scratch).resolve()


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _session(stage: Stage, wanted: Sequence[Scenario], seed: int, out: Path) -> dict[str, str]:
    """Record scenario after scenario; what failed, by name."""
    failed: dict[str, str] = {}
    built: set[str] = set()
    for scenario in wanted:
        started = time.monotonic()
        try:
            if "namespaces" in scenario.needs and not stage.namespaces:
                raise CannotRecord("needs network namespaces (run as root with iproute2)")
            system = catalogue.system(scenario.system)
            if scenario.system not in built:
                system.build(stage.work, find_programs(system.programs))
                built.add(scenario.system)
                started = time.monotonic()
            said = _record(stage, system, scenario, seed, out)
        except (CannotRecord, OSError, KeyError, ValueError) as error:
            failed[scenario.name] = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)
            said = f"NOT RECORDED: {failed[scenario.name]}"
        _tell(f"{scenario.name}: {said} ({time.monotonic() - started:.0f} s)")
    return failed


def _list() -> None:
    for one in catalogue.scenarios().values():
        print(f"{one.name:<32} {one.variant:<7} {one.title}")


def main() -> int:
    """Record what was asked for; 3 with the reasons where something could not be recorded."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is stopped and removed
    seamscope = arguments.seamscope.split() or [sys.executable, "-m", "seamscope"]
    try:
        if arguments.list:
            _list()
            return 0
        wanted = _with_controls(catalogue.chosen(arguments.scenario), arguments.out, arguments.seed)
        for letter in sorted({one.system for one in wanted}):
            find_programs(catalogue.system(letter).programs)
        allowed = not arguments.no_namespaces and namespaces_allowed()
        if not allowed:
            _tell(
                "record: no network namespaces here: hosts are loopback addresses; faults that need them are left out"
            )
        with _work_folder(arguments.work) as work, Stage(work, Network(tag_of(work), allowed), seamscope) as stage:
            failed = _session(stage, wanted, arguments.seed, arguments.out)
    except (CannotRecord, ImportError) as error:
        _tell(f"record: {error}")
        return 3
    for name, reason in failed.items():
        _tell(f"record: {name} was not recorded: {reason.splitlines()[0] if reason else 'no reason'}")
    return 3 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
