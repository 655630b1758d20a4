"""Traces whose calls nobody answered are asked for by the names of those who may have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from seamscope.statements import statement
from seamscope.store import Store

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ["orders", "%s", "a\r\nb", "ä" * 300, "e"]


@pytest.mark.parametrize("peers", range(3))
@pytest.mark.parametrize("services", range(len(NAMES) + 1))
def test_it_can_be_asked_with_any_number_of_names(tmp_path: Path, peers: int, services: int) -> None:
    with Store.open(tmp_path / "test.duckdb") as store:
        asked = {"peers": NAMES[:peers], "services": NAMES[:services]}
        assert store.query(statement("runs/silent_callers"), asked).is_empty()
