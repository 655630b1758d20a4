"""What a recording must be before it is kept: it names no machine, is whole, and its fault moved the latency."""

from __future__ import annotations

import os
import platform
import re
import socket
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scenario import CannotRecord, Scenario
from truth import last_entries

_FOLDERS = rb"/(?:work|root|home|Users|tmp|var|usr|opt|srv|private)/[\w.-]+"
_LEAD_SHARE = 0.5


def check_leaks(recording: bytes, work: Path) -> None:
    """Refuse a recording that names this machine, its user, or its folders.

    Raises:
        CannotRecord: with what was found.
    """
    machine = {socket.gethostname(), platform.node(), os.environ.get("USER", "")}
    own = {name for name in {*machine, str(work), str(Path.home()), str(Path.cwd())} if len(name) > 3}
    found = {name for name in own if name.encode() in recording}
    found |= {hit.decode() for hit in re.findall(_FOLDERS, recording)}
    if found:
        raise CannotRecord(f"the recording holds {sorted(found)}")


def check_moved(
    scenario: Scenario, driver: Mapping[str, Any], expected: Mapping[str, Any], control: Mapping[str, Any] | None
) -> str:
    """Refuse a fault that moved nothing; a line that says how far it moved what.

    Requests that the fault leads are compared, kind by kind, with the control's of the same kind; where the control
    has none, with those of the same kind that the fault did not touch.

    Raises:
        CannotRecord: too few requests are led by the fault, or they are not slower by half of what was injected.
    """
    fault = scenario.fault
    if fault is None or not fault.moves:
        return "moves nothing, by intent"
    kinds = {one["key"]: one["kind"] for one in driver["requests"]}
    led = {
        one["request"]: one
        for one in last_entries(expected)
        if one["dominant"] and (not fault.kinds or kinds[one["request"]] in fault.kinds)
    }
    if len(led) < 0.1 * len(driver["requests"]):
        raise CannotRecord(f"the fault leads only {len(led)} of {len(driver['requests'])} requests")
    causes = {fault.cause, *fault.with_causes}
    injected = [
        sum(
            part["ns"]
            for part in one["measured"]
            if part["cause"] in causes and part["owner"] == one["dominant"]["owner"]
        )
        for one in led.values()
    ]
    slower = _slower(led, driver, control)
    moved, middle = statistics.median(slower) / 1e6, statistics.median(injected) / 1e6
    said = f"{len(led)} led, injected {middle:.1f} ms, slower by {moved:.1f} ms"
    if moved < _LEAD_SHARE * middle:
        raise CannotRecord(f"the fault did not move the latency: {said}")
    return said


def _slower(led: Mapping[str, Any], driver: Mapping[str, Any], control: Mapping[str, Any] | None) -> Sequence[float]:
    usual: dict[str, list[int]] = defaultdict(list)
    for one in control["requests"] if control else ():
        usual[one["kind"]].append(one["last_byte_ns"])
    untouched: dict[str, list[int]] = defaultdict(list)
    for one in driver["requests"]:
        if one["key"] not in led:
            untouched[one["kind"]].append(one["last_byte_ns"])
    found = []
    for one in driver["requests"]:
        if one["key"] in led:
            like = usual.get(one["kind"]) or untouched.get(one["kind"])
            found.append(one["last_byte_ns"] - (statistics.median(like) if like else 0))
    return found


def check_whole(scenario: Scenario, driver: Mapping[str, Any]) -> None:
    """Refuse a recording of fewer than 100 requests, or with many failed ones.

    Raises:
        CannotRecord: with the count.
    """
    requests = driver["requests"]
    if len(requests) < 100:
        raise CannotRecord(f"{len(requests)} requests are too few")
    failed = [one for one in requests if one["status"] == 0]
    if len(failed) > 0.02 * len(requests):
        raise CannotRecord(f"{len(failed)} requests got no answer, such as {failed[0]['path']}")
