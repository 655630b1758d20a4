"""The names of a request's views, and how much is in each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.message import Message
from textual.widget import Widget

from tui.widgets.canvas import line, paint_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual import events
    from textual.strip import Strip


class TabBar(Widget):
    """One line; a number key or a click shows a view."""

    ALLOW_SELECT: ClassVar[bool] = False

    @dataclass
    class Picked(Message):
        """A view was clicked."""

        name: str

    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__(id="tabs")
        self.names = names
        """View → its title."""
        self.counts: dict[str, str] = {}
        self.active = next(iter(names))
        self.note = ""
        self._starts: list[tuple[int, str]] = []

    def clear(self) -> None:
        """Say nothing of how much there is."""
        self.counts = {}
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the names."""
        del y
        paint = paint_of(self)
        out = line(self, self.size.width, paint.row(here=False)).gap(1)
        self._starts = []
        for number, (name, title) in enumerate(self.names.items(), 1):
            self._starts.append((out.used, name))
            here = name == self.active
            out.add(f"{number} ", paint.accent).add(title, paint.strong if here else paint.dim)
            out.add(f" {self.counts.get(name, '')}", paint.text if here else paint.faint).gap(2)
        return out.add(self.note, paint.warning).strip()

    def on_click(self, event: events.Click) -> None:
        """Show the view that was clicked."""
        before = [name for start, name in self._starts if start <= event.x]
        if before:
            self.post_message(self.Picked(before[-1]))
