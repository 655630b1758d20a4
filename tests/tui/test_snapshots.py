"""Pictures of every screen, for people to look at; a change is looked at before it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from seamscope.errors import StoreError
from tests.tui.driving import explorer, press, settle
from tests.tui.fakes import FakeSource, shop
from tui.app import Look
from tui.glyphs import ASCII

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.pilot import Pilot

WIDE, NARROW = (160, 40), (80, 24)
SHOTS: dict[str, tuple[list[str], tuple[int, int], Look]] = {
    "list": ([], WIDE, Look()),
    "list_narrow": ([], NARROW, Look()),
    "list_light": (["s"], WIDE, Look(dark=False)),
    "filter": (["slash", *"cause:p"], WIDE, Look()),
    "breakdown": (["b"], WIDE, Look()),
    "request": (["enter", "j", "j", "j", "j"], WIDE, Look()),
    "request_narrow": (["enter", "n"], NARROW, Look()),
    "request_wide": (["enter", "s", "c"], (200, 60), Look()),
    "request_light": (["enter"], WIDE, Look(dark=False)),
    "request_plain": (["enter", "n"], WIDE, Look(colour=False)),
    "request_ascii": (["enter", "n"], WIDE, Look(glyphs=ASCII)),
    "zoom": (["enter", "j", "j", "j", "z"], WIDE, Look()),
    "segments": (["enter", "2", "j"], WIDE, Look()),
    "hops": (["enter", "3"], (200, 40), Look()),
    "odd": (["enter", "4"], WIDE, Look()),
    "logs": (["enter", "5", "j"], WIDE, Look()),
    "help": (["question_mark"], WIDE, Look()),
}


@pytest.mark.parametrize("name", SHOTS)
def test_screen(name: str, snap_compare: Callable[..., bool]) -> None:
    keys, size, look = SHOTS[name]

    async def before(pilot: Pilot[int]) -> None:
        await settle(pilot)
        await press(pilot, *keys)
        await pilot.pause(0.2)
        await settle(pilot)

    app: Any = explorer(shop(), look=look)
    assert snap_compare(app, terminal_size=size, run_before=before)


@pytest.mark.parametrize("name", ["empty", "missing"])
def test_empty_states(name: str, snap_compare: Callable[..., bool]) -> None:
    error = StoreError(
        "there is no store at ./seamscope.duckdb", "seamscope collect or seamscope import FILE makes one"
    )
    source = FakeSource(broken=error if name == "missing" else None)
    assert snap_compare(explorer(source), terminal_size=NARROW, run_before=settle)
