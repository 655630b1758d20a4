"""What every drawn widget shares: the theme's styles, and lines built with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from tui.lines import Line

if TYPE_CHECKING:
    from rich.style import Style
    from textual.widget import Widget

    from tui.paint import Paint


class Painted(Protocol):
    """An app that knows its styles."""

    paint: Paint


def paint_of(widget: Widget) -> Paint:
    """Give the styles of the app that a widget lives in."""
    return cast("Painted", widget.app).paint


def line(widget: Widget, width: int, base: Style) -> Line:
    """Start a line for a widget."""
    return Line(width, base, ellipsis=paint_of(widget).glyphs.ellipsis)
