"""The line in which a text is searched for: spans by name and service, or a span's attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from seamscope.text.safe import safe


class FindBar(Input):
    """Tells what is typed as it is typed; Enter asks for the next place, Escape leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Done"), Binding("enter", "submit", "Next")]

    @dataclass
    class Typed(Message):
        """The text changed."""

        text: str

    @dataclass
    class Next(Message):
        """The next place is wanted."""

        text: str

    @dataclass
    class Left(Message):
        """The search is over."""

    def __init__(self) -> None:
        super().__init__(id="find", compact=True, select_on_focus=False)
        self.in_pane = False
        """The search is in the span's pane."""

    def on_mount(self) -> None:
        """Keep the cursor still."""
        self.cursor_blink = False

    def open(self, text: str, placeholder: str) -> None:
        """Show the line."""
        self.placeholder = placeholder
        self.value = text
        self.display = True
        self.screen.set_focus(self)

    def validate_value(self, value: str) -> str:
        """Keep what was pasted from acting on the terminal."""
        return safe(value)

    def action_leave(self) -> None:
        """Hide the line."""
        self.display = False
        self.post_message(self.Left())

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell the new text."""
        event.stop()
        self.post_message(self.Typed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Ask for the next place."""
        event.stop()
        self.post_message(self.Next(event.value))
