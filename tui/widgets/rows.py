"""A list of any length that draws only what is seen: a fixed header, rows of one line, and a cursor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView

from tui.widgets.canvas import line, paint_of

if TYPE_CHECKING:
    from textual import events
    from textual.binding import BindingType
    from textual.strip import Strip

    from tui.lines import Line


class Rows(ScrollView, can_focus=True, inherit_bindings=False):
    """Draws `count` rows with `draw_row`, one line each; the cursor is always on one of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "Down", show=False),
        Binding("k,up", "move(-1)", "Up", show=False),
        Binding("g,home", "first", "First", show=False),
        Binding("G,end", "last", "Last", show=False),
        Binding("ctrl+d", "page(1, 2)", "Half a page down", show=False),
        Binding("ctrl+u", "page(-1, 2)", "Half a page up", show=False),
        Binding("ctrl+f,pagedown", "page(1, 1)", "Page down", show=False),
        Binding("ctrl+b,pageup", "page(-1, 1)", "Page up", show=False),
    ]
    ALLOW_SELECT = False

    cursor: reactive[int] = reactive(0)
    count: reactive[int] = reactive(0)
    blank: reactive[bool] = reactive(False)
    """What it is to show is not known: it says nothing, not even that there is nothing."""
    header: ClassVar[int] = 1
    """Lines above the rows that do not scroll."""
    points: ClassVar[bool] = True
    """The cursor is seen."""
    rests: ClassVar[bool] = True
    """The cursor is seen while the focus is elsewhere."""

    @dataclass
    class Moved(Message):
        """The cursor stands on another row."""

        rows: Rows
        index: int

        @property
        def control(self) -> Rows:
            """The list that sent it."""
            return self.rows

    @dataclass
    class Chosen(Message):
        """A row was clicked twice."""

        rows: Rows
        index: int

        @property
        def control(self) -> Rows:
            """The list that sent it."""
            return self.rows

    def draw_header(self, out: Line, y: int) -> None:
        """Draw line `y` of the header."""

    def draw_row(self, out: Line, index: int, *, here: bool) -> None:
        """Draw one row; `here` where the cursor stands."""
        raise NotImplementedError

    def draw_empty(self, out: Line, y: int) -> None:
        """Draw line `y` below the last row: where there are none, what to do next."""

    def clear(self) -> None:
        """Show nothing until something is known."""
        self.count, self.blank = 0, True

    @property
    def visible_rows(self) -> int:
        """Rows that fit."""
        return max(self.size.height - self.header, 1)

    def render_line(self, y: int) -> Strip:
        """Draw a line of the viewport, and its ground where a scrollbar would be."""
        strip = self._draw_line(y, self.scrollable_content_region.width)
        return strip.extend_cell_length(self.size.width, paint_of(self).row(here=False))

    def _draw_line(self, y: int, width: int) -> Strip:
        paint = paint_of(self)
        if y < self.header:
            out = line(self, width, paint.header)
            self.draw_header(out, y)
            return out.strip()
        index = y - self.header + self.scroll_offset.y
        here = index == self.cursor and index < self.count and self.points and (self.rests or self.has_focus)
        out = line(self, width, paint.row(here=here, focused=self.has_focus))
        if index < self.count:
            self.draw_row(out, index, here=here)
        elif not self.blank:
            self.draw_empty(out, index - self.count)
        return out.strip()

    def watch_count(self, count: int) -> None:
        """Fit the scrollbar and the cursor to the rows."""
        self.virtual_size = Size(0, count + self.header)
        self.cursor = min(self.cursor, max(count - 1, 0))
        self.refresh()

    def validate_cursor(self, cursor: int) -> int:
        """Keep the cursor on a row."""
        return max(0, min(cursor, self.count - 1))

    def watch_cursor(self, old: int, new: int) -> None:
        """Show the row the cursor moved to, and say so."""
        self._redraw(old)
        self._redraw(new)
        self.show_row(new)
        self.post_message(self.Moved(self, new))

    def _redraw(self, index: int) -> None:
        y = index - self.scroll_offset.y + self.header
        self.refresh(Region(0, y, self.size.width, 1))

    def show_row(self, index: int) -> None:
        """Scroll just as far as it takes to see a row."""
        top = self.scroll_offset.y
        if index < top:
            self.scroll_row(index)
        elif index >= top + self.visible_rows:
            self.scroll_row(index - self.visible_rows + 1)

    def scroll_row(self, index: int) -> None:
        """Make a row the first that is seen."""
        self.scroll_to(y=max(index, 0), animate=False, force=True)

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        self.cursor += by

    def action_page(self, sign: int, divisor: int) -> None:
        """Move the cursor by pages or parts of them."""
        self.cursor += sign * max(self.visible_rows // divisor, 1)

    def action_first(self) -> None:
        """Move to the first row."""
        self.cursor = 0

    def action_last(self) -> None:
        """Move to the last row."""
        self.cursor = self.count - 1

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row that was clicked; a second click chooses it."""
        index = event.y - self.header + self.scroll_offset.y
        if event.y < self.header or index >= self.count:
            return
        self.clicked(index, event.x)
        if event.chain > 1:
            self.post_message(self.Chosen(self, index))

    def clicked(self, index: int, x: int) -> None:
        """Take a click on a row."""
        del x
        self.cursor = index

    def on_focus(self) -> None:
        """Draw the cursor as active."""
        self.refresh()

    def on_blur(self) -> None:
        """Draw the cursor as resting."""
        self.refresh()
