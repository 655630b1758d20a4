#!/usr/bin/env python3
"""Says anew what leads recorded requests and which findings they deserve: `lab/rejudge.py [DIR]`.

What was measured stays as it is, but for the words that a scenario has for it today (`Fault.recast`); `dominant`,
`findings`, `possible_findings` and `not_findings` of each `expected.json` are made again from that, and `savings` from
the stopwatch's times, its own and its control's.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import catalogue
import truth
from scenario import Found, Scenario

_LISTS = ("findings", "possible_findings", "not_findings")


def rejudged(expected: dict[str, Any], driver: dict[str, Any], scenario: Scenario) -> dict[str, Any]:
    """The document with its lists of findings made again."""
    kinds = {one["key"]: one["kind"] for one in driver["requests"]}
    knobs = expected["knobs"]
    often = truth.asked_often((one["kind"], one["path"]) for one in driver["requests"])

    def again(entry: dict[str, Any]) -> dict[str, Any]:
        kind = kinds[entry["request"]]
        sums = [truth.Measured(**one) for one in entry["measured"]]
        found = Found(tuple(entry["trace_ids"]), **entry["entry"])
        for fault in scenario.faults:
            sums = truth.recast(sums, fault, found, knobs)
        ns = entry[f"{entry['horizon']}_ns"]
        lists = truth.findings(scenario, kind, knobs, sums, ns, often[kind])
        lead = {"measured": [asdict(one) for one in sums], "dominant": truth.dominant(sums, ns, scenario, knobs)}
        return {**{name: value for name, value in entry.items() if name not in _LISTS}, **lead, **lists}

    return {**expected, "requests": [again(entry) for entry in expected["requests"]]}


def _driver(recording: Path) -> dict[str, Any] | None:
    """What the stopwatch said, if it was recorded."""
    path = recording / "driver.json"
    found: dict[str, Any] | None = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    return found


def main() -> int:
    """Rewrite what differs, and say how many did."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1]
    scenarios, changed = catalogue.scenarios(), 0
    for path in sorted(folder.glob("*/expected.json")):
        scenario = scenarios.get(path.parent.name)
        if scenario is None:
            continue
        before = path.read_text(encoding="utf-8")
        driver = _driver(path.parent)
        control = _driver(folder / scenario.control) if scenario.control else None
        assert driver is not None, f"{path.parent} has no driver.json"
        again = truth.with_savings(rejudged(json.loads(before), driver, scenario), scenario, driver, control)
        after = truth.written(again, compact=before.startswith('{"schema":"'))
        if after != before:
            path.write_text(after, encoding="utf-8")
            changed += 1
    print(f"{changed} of the answers changed", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
