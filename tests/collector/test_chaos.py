"""The short form of `python -m benchmarks.chaos`: kills, damage and full disks, on a real collector."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from benchmarks import chaos, damage
from benchmarks.full_disk import full_disks
from benchmarks.ledger import Ledger, stored

if TYPE_CHECKING:
    from pathlib import Path

SHORT = ("middling requests", "during retention by age", "during its start")
SHORT_DAMAGES = ("log: a flipped bit", "log: its head", "file: cut")


def test_kills_lose_nothing_and_double_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chaos, "MOMENTS", {name: chaos.MOMENTS[name] for name in SHORT})
    done = chaos.kills(3, seed=1)
    assert done["acknowledged"] >= 12 * 512
    assert done["cycles"] == 3
    assert done["expired"] > 0
    assert {name: done[name] for name in chaos.WRONG if done.get(name)} == {}


def test_after_damage_the_service_starts_with_all_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damage, "DAMAGES", SHORT_DAMAGES)
    done = damage.damages(3, seed=2)
    assert done["trials"] == 3
    assert {name: done[name] for name in chaos.WRONG if done.get(name)} == {}
    assert done["put_aside"] >= 2


def test_a_full_disk_loses_nothing_acknowledged() -> None:
    done = full_disks(1, seed=3)
    assert (done["lost"], done["doubled"], done["torn"]) == (0, 0, 0)
    assert done["refused_requests"] > 0
    assert done["slowest_resume_s"] < 20  # the long form asks for less, on a machine that has nothing else to do


def test_what_is_lost_doubled_or_torn_is_seen(tmp_path: Path) -> None:
    """The judge itself: a store that lacks a span, has one twice, or half of a request, is told."""
    from seamscope.store import Store
    from tests.seamscope.store_rows import rows, span

    given = [span(0), span(1), span(2), span(2, name="again")]
    with Store.open(tmp_path / "s.duckdb") as store:
        store.commit({"spans": rows("spans", *given)}, now_ns=1)
    ledger = Ledger()
    ledger.note(b"", [1, 2, 99], stored=True)
    ledger.note(b"", [3, 98], stored=False)
    assert ledger.held_against(stored(tmp_path / "s.duckdb")) == {"lost": 1, "doubled": 1, "torn": 1}


@pytest.mark.parametrize("kind", damage.DAMAGES)
def test_damage_is_done_where_it_says(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "file"
    content = random.Random(1).randbytes(5_000)  # noqa: S311 - bytes, no secret
    place.write_bytes(content)
    at = damage.harm(place, kind, random.Random(2))  # noqa: S311 - likewise
    harmed = place.read_bytes()
    assert (harmed[:at], harmed != content) == (content[:at], True)
    assert Counter(harmed) != Counter(content) or len(harmed) != len(content)
