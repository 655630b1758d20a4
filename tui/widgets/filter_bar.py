"""The filter line: what is typed, what could complete it, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input

from seamscope.errors import UsageError
from seamscope.text.safe import safe
from tui.completion import Offer, offer
from tui.widgets.canvas import line, paint_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.strip import Strip


def check(text: str) -> str:
    """Give what is wrong with a filter line in one line, or nothing."""
    from seamscope.results import Selection
    from seamscope.selection.predicate import predicate

    try:
        predicate(Selection(filter=text), 0)
    except UsageError as error:
        return str(error).removeprefix("filter: ")
    return ""


def known_keys() -> dict[str, tuple[str, Sequence[str]]]:
    """Give every key of the filter line with its meaning and its fixed words."""
    from seamscope.selection.keys import KEYS

    return {name: (key.about, key.vocabulary) for name, key in KEYS.items()}


class Ghost(Suggester):
    """Shows the best completion behind the cursor."""

    def __init__(self, bar: FilterBar) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._bar = bar

    async def get_suggestion(self, value: str) -> str | None:
        """Give the line with its last word completed, where that only adds to it."""
        best = self._bar.offer(value).first
        return best if best and best.startswith(value) and value.strip() else None


class FilterInput(Input):
    """An input whose Tab completes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete"),
        Binding("escape", "leave", "Cancel"),
    ]

    def on_mount(self) -> None:
        """Keep the cursor still: nothing else on the screen moves by itself either."""
        self.cursor_blink = False

    def validate_value(self, value: str) -> str:
        """Keep what was pasted from acting on the terminal."""
        return safe(value)

    def action_complete(self) -> None:
        """Put the best completion in place of the last word."""
        bar = self.query_ancestor(FilterBar)
        best = bar.offer(self.value).first
        if best:
            self.value = best if best[-1] in ":=<>" else f"{best} "
            self.cursor_position = len(self.value)

    def action_leave(self) -> None:
        """Give up and keep the filter that was."""
        self.query_ancestor(FilterBar).leave()


class Prompt(Widget):
    """The slash before the input."""

    def render_line(self, y: int) -> Strip:
        """Draw the slash."""
        del y
        paint = paint_of(self)
        return line(self, self.size.width, paint.bar()).gap(1).add("/", paint.accent).strip()


class Hints(Widget):
    """The line under the input: an error, else completions, else what keys there are."""

    def render_line(self, y: int) -> Strip:
        """Draw the hints."""
        del y
        paint = paint_of(self)
        out = line(self, self.size.width, paint.bar()).gap(3)
        bar = self.query_ancestor(FilterBar)
        offered = bar.offer(bar.text)
        if bar.problem and not offered.words:
            return out.add(bar.problem, paint.error).strip()
        for at, word in enumerate(offered.words):
            if len(word) + 2 > out.room - (len(offered.about) + 2 if at == 0 and offered.about else 0):
                break
            out.add(word, paint.accent if at == 0 else paint.dim).gap(2)
        if offered.about:
            out.add(offered.about, paint.dim)
        return out.strip()


class FilterBar(Vertical):
    """Two lines above the list while a filter is typed."""

    @dataclass
    class Entered(Message):
        """A filter that parses was entered."""

        text: str

    @dataclass
    class Left(Message):
        """The line was left as it was."""

    def __init__(self) -> None:
        super().__init__(id="filter")
        self.text = ""
        self.problem = ""
        self.seen: Mapping[str, Sequence[str]] = {}
        self._keys: dict[str, tuple[str, Sequence[str]]] = {}

    def compose(self) -> ComposeResult:
        """Build the two lines."""
        with Horizontal():
            yield Prompt()
            yield FilterInput(
                placeholder="route:/dash tier:origin cause:pool_wait shell>500ms org_id:7 text",
                suggester=Ghost(self),
                compact=True,
                select_on_focus=False,
            )
        yield Hints()

    def offer(self, text: str) -> Offer:
        """Give completions for a line."""
        self._keys = self._keys or known_keys()
        return offer(text, self._keys, self.seen)

    def open(self, text: str, seen: Mapping[str, Sequence[str]]) -> None:
        """Show the line with a filter to change."""
        self.seen = seen
        self.display = True
        field = self.query_one(FilterInput)
        field.value = text
        field.cursor_position = len(text)
        self.screen.set_focus(field)
        self._take(text)

    def leave(self) -> None:
        """Hide the line."""
        self.display = False
        self.post_message(self.Left())

    def _take(self, text: str) -> None:
        self.text = text
        self.problem = check(text)
        self.query_one(Hints).refresh()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Check what was typed."""
        event.stop()
        self._take(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter a filter that parses; stay with one that does not."""
        event.stop()
        self._take(event.value)
        if not self.problem:
            self.display = False
            self.post_message(self.Entered(event.value.strip()))
