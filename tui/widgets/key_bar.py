"""The keys that work here, on the last line; a click presses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from textual.widget import Widget

from tui.widgets.canvas import line, paint_of

if TYPE_CHECKING:
    from textual.strip import Strip

SHORT = {
    "question_mark": "?",
    "slash": "/",
    "space": "space",
    "enter": "enter",
    "escape": "esc",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "plus": "+",
    "minus": "-",
}
"""Textual's key name → what is printed on the key."""


class KeyBar(Widget):
    """One line of keys in the order screens declare them; what does not fit is left to the help (`?`)."""

    ALLOW_SELECT: ClassVar[bool] = False

    def on_mount(self) -> None:
        """Follow the focus: other widgets have other keys."""
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.refresh())

    def render_line(self, y: int) -> Strip:
        """Draw the keys."""
        del y
        paint = paint_of(self)
        out = line(self, self.size.width, paint.bar()).gap(1)
        seen: set[str] = set()
        for active in self.screen.active_bindings.values():
            binding = active.binding
            key = SHORT.get(binding.key, binding.key)
            if not binding.show or binding.action in seen or len(key) + len(binding.description) + 3 > out.room:
                continue
            seen.add(binding.action)
            press = Style(meta={"@click": f"app.simulate_key('{binding.key}')"})
            out.add(key, paint.accent + press).gap(1).add(binding.description, paint.dim + press).gap(2)
        return out.strip()
