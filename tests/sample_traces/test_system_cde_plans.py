"""Plans of the lab's systems C, D and E: long enough, seeded, and with every name that their faults speak of."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sample_traces.conftest import lab_modules


def _lab() -> tuple[Any, dict[str, Any], list[Any]]:
    """The lab's words, its systems C, D and E, and their scenarios."""
    with lab_modules() as lab:
        catalogue = lab("catalogue")
        systems = {letter: catalogue.system(letter) for letter in "cde"}
        own = [one for one in catalogue.scenarios().values() if one.system in systems]
        return lab("scenario"), systems, own


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
