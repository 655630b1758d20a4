"""Plans of the lab's systems C, D and E: long enough, seeded, and with every name that their faults speak of."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

_LAB = Path(__file__).resolve().parents[2] / "sample_traces" / "lab"


def _lab() -> tuple[Any, dict[str, Any], list[Any]]:
    """The lab's words, its systems C, D and E, and their scenarios: parts of a program, which leave nothing behind."""
    before = set(sys.modules)
    sys.path.insert(0, str(_LAB))
    try:
        catalogue = importlib.import_module("catalogue")
        systems = {letter: catalogue.system(letter) for letter in "cde"}
        own = [one for one in catalogue.scenarios().values() if one.system in systems]
        return importlib.import_module("scenario"), systems, own
    finally:
        sys.path.remove(str(_LAB))
        for name in set(sys.modules) - before:
            if "/sample_traces/lab/" in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


_WORDS, _SYSTEMS, _OWN = _lab()


def _made(scenario: Any, seed: int) -> tuple[dict[str, Any], list[Any]]:
    knobs = _WORDS.knobs_of(scenario, _SYSTEMS[scenario.system], seed)
    return knobs, scenario.plan(_WORDS.dice_of(seed, scenario.name, "plan"), knobs)


@pytest.mark.parametrize("scenario", _OWN, ids=lambda one: one.name)
def test_a_plan_is_long_enough_ordered_and_its_keys_differ(scenario: Any) -> None:
    _, plan = _made(scenario, 7)
    assert len(plan) >= 100
    assert [one.due_ns for one in plan] == sorted(one.due_ns for one in plan)
    assert len({one.key for one in plan}) == len({one.request_id for one in plan}) == len(plan)


@pytest.mark.parametrize("scenario", _OWN, ids=lambda one: one.name)
def test_the_same_seed_plans_the_same_and_another_does_not(scenario: Any) -> None:
    assert _made(scenario, 7) == _made(scenario, 7)
    assert _made(scenario, 7)[1] != _made(scenario, 8)[1]


@pytest.mark.parametrize("scenario", [one for one in _OWN if one.fault], ids=lambda one: one.name)
def test_a_faults_owner_is_named_by_the_seed_and_its_kinds_are_asked_for(scenario: Any) -> None:
    knobs, plan = _made(scenario, 7)
    assert "{" not in scenario.fault.owner.format(**knobs["names"])
    assert set(scenario.fault.kinds) <= {one.kind for one in plan}
