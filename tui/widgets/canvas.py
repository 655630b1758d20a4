"""What every drawn widget shares: the theme's styles, and lines built with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from tui.lines import Line

if TYPE_CHECKING:
    from rich.style import Style
    from textual.widget import Widget

    from tui.paint import Paint


class Painted(Protocol):
    """An app that knows its styles and has a line to say things on."""

    paint: Paint

    def say(self, text: str, *, wrong: bool = False) -> None:
        """Tell the user something in passing."""
        ...

    def copy_to_clipboard(self, text: str) -> None:
        """Copy through the terminal."""
        ...


def explorer_of(widget: Widget) -> Painted:
    """Give the app that a widget lives in."""
    return cast("Painted", widget.app)


def paint_of(widget: Widget) -> Paint:
    """Give the styles of the app that a widget lives in."""
    return explorer_of(widget).paint


def line(widget: Widget, width: int, base: Style) -> Line:
    """Start a line for a widget."""
    return Line(width, base, ellipsis=paint_of(widget).glyphs.ellipsis)
