"""The keys that work here, on the last line; a click presses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from textual.widget import Widget
from textual.widgets import Input

from tui.widgets.canvas import line, paint_of

if TYPE_CHECKING:
    from textual.binding import Binding
    from textual.strip import Strip
    from textual.timer import Timer

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

SAID_SECONDS = 4
LAST = frozenset({"help", "back", "app.quit"})
"""Actions whose keys are drawn whatever the room."""

TYPED = frozenset(
    {"slash", "question_mark", "space", *"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ1234567890"}
)
"""Keys that are letters while something is typed."""


class KeyBar(Widget):
    """One line of keys in the order screens declare them; what does not fit is left to the help (`?`)."""

    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__(id="keys")
        self._said: tuple[str, bool] | None = None
        self._hush: Timer | None = None

    def say(self, text: str, *, wrong: bool) -> None:
        """Say something in passing, in place of the keys."""
        self._said = (text, wrong)
        if self._hush is not None:
            self._hush.stop()
        self._hush = self.set_timer(SAID_SECONDS * (2 if wrong else 1), self.hush)
        self.refresh()

    def hush(self) -> None:
        """Show the keys again."""
        self._said = None
        self.refresh()

    def on_mount(self) -> None:
        """Follow the focus: other widgets have other keys."""
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.refresh())

    def render_line(self, y: int) -> Strip:
        """Draw the keys: the screen's in their order, then those of the widget in focus; help and quit always."""
        del y
        paint = paint_of(self)
        out = line(self, self.size.width, paint.bar()).gap(1)
        if self._said is not None:
            text, wrong = self._said
            return out.add(text, paint.error if wrong else paint.good).strip()
        kept = self._keys(last=True)
        room = out.width - sum(_width(binding) for binding in kept)
        for binding in [*self._keys(last=False), *kept]:
            if out.used + _width(binding) > (out.width if binding in kept else room):
                continue
            press = Style(meta={"@click": f"app.simulate_key('{binding.key}')"})
            out.add(SHORT.get(binding.key, binding.key), paint.accent + press).gap(1)
            out.add(binding.description, paint.dim + press).gap(2)
        return out.strip()

    def _keys(self, *, last: bool) -> list[Binding]:
        found: dict[str, Binding] = {}
        typing = isinstance(self.screen.focused, Input)
        active = sorted(self.screen.active_bindings.values(), key=lambda one: one.node is not self.screen)
        for one in active:
            if typing and one.binding.key in TYPED:
                continue
            if one.binding.show and (one.binding.action in LAST) is last:
                found.setdefault(one.binding.action, one.binding)
        return list(found.values())


def _width(binding: Binding) -> int:
    return len(SHORT.get(binding.key, binding.key)) + len(binding.description) + 3
