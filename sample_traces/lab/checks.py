"""What a recording must be before it is kept: it names no machine, is whole, and its fault moved the latency."""

from __future__ import annotations

import os
import platform
import re
import socket
import statistics
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from scenario import CannotRecord, Fault, Scenario
from truth import filled, last_entries

_FOLDERS = rb"/(?:work|root|home|Users|tmp|var|usr|opt|srv|private)/[\w.-]+"
_LEAD_SHARE = 0.5
_TOUCHED_NS, _TOUCHED_SHARE = 20_000_000, 0.1
"""A fault that took less of a request is not said to have touched it."""


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

    Requests that a fault leads are compared, kind by kind, with the control's of the same kind; where the control
    has none, with those of the same kind that no fault leads. Of two faults each must do so.

    Raises:
        CannotRecord: too few requests are led by the fault, or they are not slower by half of what was injected.
    """
    moving = [fault for fault in scenario.faults if fault.moves]
    if not moving:
        return "moves nothing, by intent"
    enough = 0.1 * len(driver["requests"]) / len(moving)
    return "; ".join(_moved(fault, driver, expected, control, enough) for fault in moving)


def _moved(
    fault: Fault,
    driver: Mapping[str, Any],
    expected: Mapping[str, Any],
    control: Mapping[str, Any] | None,
    enough: float,
) -> str:
    led, touched = led_and_touched(fault, driver, expected)
    if len(led) < enough:
        raise CannotRecord(f"the fault leads only {len(led)} of {len(driver['requests'])} requests")
    slower = _slower(led, driver, control)
    moved, middle = statistics.median(slower) / 1e6, statistics.median(led.values()) / 1e6
    said = f"{len(led)} led of {len(touched)} touched, injected {middle:.1f} ms, slower by {moved:.1f} ms"
    if moved < _LEAD_SHARE * middle:
        raise CannotRecord(f"the fault did not move the latency: {said}")
    return said


def led_and_touched(
    fault: Fault, driver: Mapping[str, Any], expected: Mapping[str, Any]
) -> tuple[dict[str, int], set[str]]:
    """The requests that a fault leads, with its nanoseconds on each, and those that it touched at their last horizon.

    Only kinds of requests that the fault is meant for count.
    """
    kinds = {one["key"]: one["kind"] for one in driver["requests"]}
    owner, causes = filled(fault.owner, expected["knobs"]), {fault.cause, *fault.with_causes}
    led, touched = dict[str, int](), set[str]()
    for one in last_entries(expected):
        if fault.kinds and kinds[one["request"]] not in fault.kinds:
            continue
        own = _of(one, owner, causes)
        dominant = one["dominant"] or {"owner": "", "cause": ""}
        if dominant["owner"] == owner and dominant["cause"] in causes:
            led[one["request"]] = own
        if one["request"] in led or own >= max(_TOUCHED_NS, _TOUCHED_SHARE * _horizon_ns(one)):
            touched.add(one["request"])
    return led, touched


def _of(entry: Mapping[str, Any], owner: str, causes: Collection[str]) -> int:
    """Measured nanoseconds of an owner's causes."""
    return sum(part["ns"] for part in entry["measured"] if part["owner"] == owner and part["cause"] in causes)


def _horizon_ns(entry: Mapping[str, Any]) -> int:
    return int(entry[f"{entry['horizon']}_ns"])


def _slower(led: Collection[str], driver: Mapping[str, Any], control: Mapping[str, Any] | None) -> Sequence[float]:
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
