#!/usr/bin/env python3
"""The README's table of scenarios, from the truth files: `python sample_traces/lab/readme_table.py sample_traces`.

Writes the rows between the README's two marks, or prints them where there is no README with marks.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import catalogue
from checks import led_and_touched
from truth import last_entries

BEGIN: Final = "<!-- scenarios: written by lab/readme_table.py -->"
END: Final = "<!-- /scenarios -->"
_HEAD: Final = (
    "| scenario | dialect | fault | injected | requests | led of touched | measured on those led (median) | control |",
    "|---|---|---|---|---|---|---|---|",
)
_DELAY: Final = re.compile(r"^-([\w-]+)=([\d.]+)ms$")


def injected(knobs: Mapping[str, Any]) -> list[str]:
    """What the seed drew that is a time: `hello 62.5 ms`, `sleep report 120 ms`, from the knobs of a recording."""

    def walk(name: str, value: Any) -> Iterator[str]:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                yield from walk(key if key.endswith("_ms") else f"{name} {key}".strip(), inner)
        elif isinstance(value, list):
            for one in value:
                found = _DELAY.match(str(one))
                if found:
                    yield f"{found[1]} {float(found[2]):g} ms"
        elif isinstance(value, int | float) and not isinstance(value, bool):
            if name.endswith("_ms"):
                yield f"{name.removesuffix('_ms').replace('_', ' ')} {value:g} ms"
            elif name.startswith("slow "):
                yield f"{name.removeprefix('slow ')} {value:g} ms"

    return [one for key, value in knobs.items() if key not in {"names", "variant"} for one in walk(key, value)]


def saw(expected: Mapping[str, Any]) -> str:
    """The median times that were measured on requests that a fault leads."""
    led = [one for one in last_entries(expected) if one["dominant"]]
    sums: dict[str, list[float]] = {}
    for one in led:
        for part in one["measured"]:
            if part["cause"] == one["dominant"]["cause"] and part["owner"] == one["dominant"]["owner"]:
                sums.setdefault(f"`{part['cause']}` of {part['owner']}", []).append(part["ns"] / 1e6)
    told = [f"{what} {statistics.median(times):.1f} ms" for what, times in sorted(sums.items())]
    return ", ".join(told) or "nothing that leads"


def leads(driver: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    """How many requests each fault leads, of how many that it touched."""
    faults = catalogue.scenarios()[expected["scenario"]].faults
    counted = [led_and_touched(fault, driver, expected) for fault in faults if fault.moves]
    return "; ".join(f"{len(led)} of {len(touched)}" for led, touched in counted) or "–"


def row(folder: Path) -> str:
    """One scenario's row."""
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    driver = json.loads((folder / "driver.json").read_text(encoding="utf-8"))
    control = f"`{expected['control']}`" if expected["control"] else "is one"
    told = ", ".join(injected(expected.get("knobs", {}))) or "–"
    cells = (f"`{folder.name}`", expected.get("dialect", ""), expected.get("fault", ""), told)
    return (
        "| "
        + " | ".join([*cells, str(len(driver["requests"])), leads(driver, expected), saw(expected), control])
        + " |"
    )


def table(samples: Path) -> str:
    """All rows, by name; controls lead their system."""
    folders = sorted(path.parent for path in samples.glob("*/expected.json"))
    known = [folder for folder in folders if "dialect" in json.loads((folder / "expected.json").read_text())]
    return "\n".join([*_HEAD, *map(row, known)])


def main() -> int:
    """Write the table into the README, or print it."""
    samples = Path(sys.argv[1] if len(sys.argv) > 1 else "sample_traces")
    readme, rows = samples / "README.md", table(samples)
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    if BEGIN not in text or END not in text:
        print(rows)
        return 0
    before, rest = text.split(BEGIN, 1)
    readme.write_text(f"{before}{BEGIN}\n{rows}\n{END}{rest.split(END, 1)[1]}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
