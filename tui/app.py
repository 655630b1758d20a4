"""The explorer: an application that owns the store's source and the styles, and starts with the request list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.app import App
from textual.binding import Binding
from textual.filter import LineFilter, NoColor

from tui.glyphs import UNICODE, Glyphs
from tui.paint import Paint
from tui.plain import AsciiOnly
from tui.screens.requests import RequestsScreen
from tui.themes import DARK_NAME, LIGHT_NAME, THEMES
from tui.widgets.key_bar import KeyBar

if TYPE_CHECKING:
    from textual.binding import BindingType
    from textual.screen import Screen

    from seamscope.results import Selection
    from tui.source import Source


@dataclass(frozen=True, slots=True)
class Look:
    """How the explorer draws."""

    dark: bool = True
    colour: bool = True
    glyphs: Glyphs = UNICODE


class Explorer(App[int]):
    """Requests of one store, live; nothing is asked of the source before the first paint."""

    CSS_PATH = "app.tcss"
    TITLE = "Seamscope"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1", "help", "Help"),
        Binding("T", "theme", "Dark or light", show=False),
        Binding("ctrl+c,ctrl+q", "quit", "Quit", show=False, priority=True),
    ]

    def __init__(self, source: Source, selection: Selection, look: Look | None = None) -> None:
        super().__init__()
        self.source = source
        self.selection = selection
        self.look = look or Look()
        for theme in THEMES:
            self.register_theme(theme)
        self._start_with(DARK_NAME if self.look.dark else LIGHT_NAME)
        self.paint = self._paint(dark=self.look.dark)
        self._filters: list[LineFilter] = [*self._filters, *self._own_filters()]

    def _start_with(self, theme: str) -> None:
        """Set the theme before the first frame: setting it later would parse and paint everything twice."""
        self.set_reactive(App.theme, theme)
        self.stylesheet.set_variables(self.get_css_variables())
        self.set_class(self.look.dark, "-dark-mode", update=False)
        self.set_class(not self.look.dark, "-light-mode", update=False)

    def _paint(self, *, dark: bool) -> Paint:
        return Paint(dark=dark, plain=not self.look.colour, glyphs=self.look.glyphs)

    def _own_filters(self) -> list[LineFilter]:
        """Take away what the terminal or its user does not want."""
        filters: list[LineFilter] = [] if self.look.colour else [NoColor()]
        return [*filters, AsciiOnly()] if self.look.glyphs.ascii else filters

    def get_default_screen(self) -> Screen[None]:
        """Start with the request list."""
        return RequestsScreen(self.source, self.selection)

    def on_unmount(self) -> None:
        """Let go of the store."""
        self.source.close()

    def say(self, text: str, *, wrong: bool = False) -> None:
        """Tell the user something in passing, on the line of the keys."""
        for bar in self.screen.query(KeyBar):
            bar.say(text, wrong=wrong)

    def action_theme(self) -> None:
        """Change between a dark and a light ground."""
        dark = not self.paint.dark
        self.paint = self._paint(dark=dark)
        self.theme = DARK_NAME if dark else LIGHT_NAME
        self.screen.refresh(layout=True)

    def action_help(self) -> None:
        """Show every key and word."""
        from tui.screens.help import HelpScreen

        self.push_screen(HelpScreen())
