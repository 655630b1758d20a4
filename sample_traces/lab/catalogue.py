"""Every scenario of every system: `systems/<letter>/scenarios.py` has `SCENARIOS`, `system.py` has `SYSTEM`."""

from __future__ import annotations

import importlib
from pathlib import Path

from scenario import CannotRecord, Scenario, System

_SYSTEMS = Path(__file__).resolve().parent / "systems"


def letters() -> list[str]:
    """The systems that are here."""
    return sorted(path.parent.name for path in _SYSTEMS.glob("*/scenarios.py"))


def scenarios() -> dict[str, Scenario]:
    """All scenarios by name, system by system, controls first.

    Raises:
        CannotRecord: two have one name, or a control is missing.
    """
    found: dict[str, Scenario] = {}
    for letter in letters():
        own = importlib.import_module(f"systems.{letter}.scenarios").SCENARIOS
        for one in sorted(own, key=lambda scenario: scenario.control is not None):
            if one.name in found:
                raise CannotRecord(f"two scenarios are called {one.name}")
            found[one.name] = one
    for one in found.values():
        if one.control is not None and one.control not in found:
            raise CannotRecord(f"{one.name}: its control {one.control} is no scenario")
    return found


def system(letter: str) -> System:
    """The system of this letter."""
    module = importlib.import_module(f"systems.{letter}.system")
    own: System = module.SYSTEM
    return own


def chosen(names: str) -> list[Scenario]:
    """The scenarios asked for: names, systems (`a`), or beginnings that end in `*`, with commas between; empty: all.

    Raises:
        CannotRecord: a name that nothing has, with those that are close.
    """
    every = scenarios()
    if not names.strip():
        return list(every.values())
    wanted: dict[str, Scenario] = {}
    for asked in filter(None, (part.strip() for part in names.replace(" ", ",").split(","))):
        fits = {name: one for name, one in every.items() if asked in {name, one.system}}
        if asked.endswith("*"):
            fits = {name: one for name, one in every.items() if name.startswith(asked[:-1])}
        if not fits:
            near = [name for name in every if asked.split("-")[-1] in name][:8]
            raise CannotRecord(f"no scenario {asked!r}; there are {', '.join(near or list(every)[:8])} … (--list)")
        wanted |= fits
    return list(wanted.values())
