"""Plans of the lab's systems C, D and E: long enough, seeded, and with every name that their faults speak of."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

_LAB = Path(__file__).resolve().parents[2] / "sample_traces" / "lab"
sys.path.insert(0, str(_LAB))
import catalogue  # noqa: E402
from scenario import dice_of, knobs_of  # noqa: E402

_OWN = [one for one in catalogue.scenarios().values() if one.system in {"c", "d", "e"}]


def _made(scenario: Any, seed: int) -> tuple[dict[str, Any], list[Any]]:
    knobs = knobs_of(scenario, catalogue.system(scenario.system), seed)
    return knobs, scenario.plan(dice_of(seed, scenario.name, "plan"), knobs)


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
