"""Drives an explorer the way a person does: keys, then a look at what is drawn."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from seamscope.results import Selection
from tui.app import Explorer, Look

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from textual.pilot import Pilot

    from tests.tui.fakes import FakeSource

    Script = Callable[[Pilot[int]], Awaitable[None]]


def explorer(source: FakeSource, selection: Selection | None = None, look: Look | None = None) -> Explorer:
    """Give an explorer over a source."""
    return Explorer(source, selection or Selection(), look)


async def settle(pilot: Pilot[int]) -> None:
    """Wait until no question is under way and all that was drawn is drawn."""
    for _ in range(3):
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()


async def until(pilot: Pilot[int], true: Callable[[], bool], most: int = 500) -> None:
    """Wait until something holds; an assertion where it never does."""
    for _ in range(most):
        if true():
            return
        await pilot.pause(0.01)
    raise AssertionError(screen_text(pilot))


async def press(pilot: Pilot[int], *keys: str) -> None:
    """Press keys and wait for what they bring."""
    for key in keys:
        await pilot.press(key)
    await settle(pilot)


def drive(app: Explorer, script: Script, size: tuple[int, int] = (160, 45)) -> None:
    """Run a script against an explorer of a size."""

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await settle(pilot)
            await script(pilot)

    asyncio.run(run())


def screen_lines(pilot: Pilot[int]) -> list[str]:
    """Give what is on the screen, line by line."""
    return [strip.text for strip in pilot.app.screen._compositor.render_strips()]


def screen_text(pilot: Pilot[int]) -> str:
    """Give what is on the screen."""
    return "\n".join(screen_lines(pilot))
