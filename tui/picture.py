"""Pictures of the explorer over a store, without a terminal: `python -m tui.picture --db X --out docs/explorer.svg`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from seamscope.results import Selection
from tui.app import Explorer, Look
from tui.source import Source, StoreSource

PATIENCE_SECONDS = 20.0


async def _drawn(app: Explorer, keys: tuple[str, ...], size: tuple[int, int]) -> str:
    async with app.run_test(size=size) as pilot:
        for key in ("", *keys):
            if key:
                await pilot.press(key)
            await pilot.pause(0.3)
            await asyncio.wait_for(app.workers.wait_for_complete(), PATIENCE_SECONDS)
            await pilot.pause()
        return app.export_screenshot(title=app.source.name)


def picture(source: Source, keys: tuple[str, ...], size: tuple[int, int], look: Look, selection: Selection) -> str:
    """Give the SVG of what stands on the screen after some keys; the same store and keys give the same picture."""
    return asyncio.run(_drawn(Explorer(source, selection, look), keys, size))


@click.command()
@click.option("--db", default="./seamscope.duckdb", show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
@click.option("--keys", default="enter", show_default=True, help="Keys to press, with commas between them.")
@click.option("--filter", "filter_", default="", metavar="EXPR")
@click.option("--size", type=(int, int), default=(150, 42), show_default=True, help="Columns and rows.")
@click.option("--light", is_flag=True)
def main(db: str, out: Path, keys: str, filter_: str, size: tuple[int, int], *, light: bool) -> None:
    """Draw the explorer over a store after some keys, as SVG."""
    pressed = tuple(key for key in keys.split(",") if key)
    svg = picture(StoreSource(db), pressed, size, Look(dark=not light), Selection(filter_))
    out.write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
