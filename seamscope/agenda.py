"""The agenda of windows of event time: which wait for their turn, which had it, and which of these the store knows."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from seamscope.windows import WINDOW_NS, Census, Window

if TYPE_CHECKING:
    from collections.abc import Iterable

_log = logging.getLogger(__name__)

MOST_DOUBLINGS: Final = 5
"""A window to which late spans never cease is analysed whenever it has waited for its own length and 10 minutes, then
20, 40, and at last 320: a clock that stands still, a log that is replayed make it ever larger."""
SOON: Final = 8
"""A window no longer than a trace waits settles by reckoning within four times that, unless spans go on coming late for
it, or the one after it is long."""
LONG_NS: Final = 3 * WINDOW_NS
"""When it is over a window waits no longer for its turn, unless spans keep coming late for it."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Since when a window waits, and when the last span came to it or to one beside it."""

    since_ns: int
    last_ns: int


class Agenda:
    """Windows and their turns.

    Args:
        census: how event time is cut into windows.
        settle_ns: how long no span may have come.
        stored: the windows that the store calls settled.
    """

    def __init__(self, census: Census, settle_ns: int, stored: Iterable[Window]) -> None:
        self._census = census
        self._settle_ns = settle_ns
        self._stored = set(stored)
        self.settled = set(self._stored)
        """Windows that were analysed and that nothing has come to since."""
        self.todo: dict[Window, Waits] = {}
        """Windows that are to be analysed."""
        self._turns: dict[Window, int] = {}
        """How often windows were analysed, as far as they are recent."""
        self._late: dict[Window, int] = {}
        """How many turns in a row came after ten minutes in which spans kept coming late."""
        self._begun: set[Window] = set()
        """Windows whose first part was analysed, and that nothing has reopened since."""

    def begin(self, came_ns: int) -> None:
        """Let wait what is not settled as it is cut now; what became of settled ones that are cut anew waits too."""
        cut = [window for number in self._census.numbers() for window in self._census.windows(number)]
        present = {window for window in cut if self._census.spans(window)}
        gone, self.settled = self.settled - present, self.settled & present
        self.todo = {window: Waits(came_ns, came_ns) for window in present - self.settled}
        for window in gone:
            self.touch(self._census.at(window.start_ns - 1), came_ns)
            self.touch(self._census.at(window.end_ns), came_ns)

    def everything(self, came_ns: int) -> None:
        """Let all windows wait."""
        for number in self._census.numbers():
            for window in self._census.windows(number):
                self.touch(window, came_ns)

    def touch_around(self, window: Window, came_ns: int, last_ns: int = 0) -> None:
        """Let a window and those beside it wait; where it was settled, a piece that goes elsewhere reaches further."""
        reach = {window, *self._census.beside(window)}
        if window in self.settled:
            reach |= {further for near in reach for further in self._census.beside(near)}
        for near in reach:
            self.touch(near, came_ns, last_ns)

    def touch(self, window: Window, came_ns: int, last_ns: int = 0) -> None:
        """Let a window wait for its turn: since the last span came to it, else since `came_ns` (no span came)."""
        if self._census.spans(window):
            self.settled.discard(window)
            self._begun.discard(window)
            was = self.todo.get(window, Waits(came_ns, 0))
            self.todo[window] = Waits(min(was.since_ns, last_ns or came_ns), max(was.last_ns, last_ns))

    def drop(self, gone: set[Window]) -> list[Waits]:
        """Forget windows; give what was known of those that waited."""
        self.settled -= gone
        for window in gone:
            self._turns.pop(window, None)
            self._late.pop(window, None)
        return [self.todo.pop(window) for window in gone if window in self.todo]

    def retire(self, numbers: set[int]) -> None:
        """Forget the windows of some ten minutes."""
        self.drop({window for window in {*self.settled, *self.todo} if window.start_ns // WINDOW_NS in numbers})

    def due(self, now_ns: int) -> list[Window]:
        """Give the windows that have settled, first those that wait longest: late spans for old ones hold up nobody.

        One has settled when it and the one after it are over, and no span came to them or the one before for a while:
        the longer the more often it was analysed already. One that never comes to rest takes a turn now and then, ever
        more seldom: all of it is analysed then, and what came late was by itself.
        """
        found = [window for window, waits in self.todo.items() if self._is_due(window, waits, now_ns)]
        return sorted(found, key=lambda window: (self.todo[window].since_ns, window))

    def _is_due(self, window: Window, waits: Waits, now_ns: int) -> bool:
        late = self._late.get(window, 0)
        patience = min(WINDOW_NS, self._settle_ns << min(max(late, self._turns.get(window, 0)), 16))
        over = self._census.beside(window)[1].end_ns + self._settle_ns <= now_ns
        quiet_ns = now_ns - waits.last_ns
        restless = now_ns - waits.since_ns >= (WINDOW_NS << min(late, MOST_DOUBLINGS)) + window.length_ns
        ahead = window.start_ns > waits.last_ns and quiet_ns >= WINDOW_NS  # somebody's clock is
        return (over and (quiet_ns >= patience or restless)) or ahead

    def waits_long(self, window: Window, now_ns: int) -> bool:
        """Tell whether a window waits for longer than those do that come to rest."""
        waited_ns = now_ns - max(self.todo[window].since_ns, window.end_ns)
        return waited_ns >= LONG_NS + self._settle_ns

    def is_soon(self, window: Window, now_ns: int) -> bool:
        """Tell whether a window will settle about when its traces do: it is short, and does not wait for long yet."""
        waits = self.todo.get(window)
        short = window.length_ns <= self._settle_ns
        return short and waits is not None and now_ns - waits.since_ns < SOON * self._settle_ns

    def finished(self, window: Window) -> None:
        """Take note that a window, or a part of it, was analysed with all that was known."""
        whole = window.whole
        if window.part == 0:
            self._begun.add(whole)
        if window.last:
            self._over(whole, window.parts)

    def _over(self, whole: Window, parts: int) -> None:
        """Take note that all of a window was analysed; where it was reopened meanwhile it goes on waiting."""
        if whole in self._begun:
            self._begun.discard(whole)
            self._count_late(whole, self.todo.pop(whole, None))
            self.settled.add(whole)
        if parts > 1 and whole not in self._turns:
            text = "more spans than are compared at once begin within %d ms: analysed in %d parts"
            _log.warning(text, whole.length_ns // 1_000_000, parts)
        self._turns[whole] = self._turns.get(whole, 0) + 1

    def _count_late(self, window: Window, waits: Waits | None) -> None:
        """Count the turns in a row that a window took though spans kept coming late."""
        over_ns = self._census.beside(window)[1].end_ns
        if waits is not None and waits.last_ns - max(waits.since_ns, over_ns) >= WINDOW_NS:
            self._late[window] = self._late.get(window, 0) + 1
        else:
            self._late.pop(window, None)

    def fade(self, before_ns: int) -> None:
        """Forget how often windows that end before a moment were analysed, but for what still comes late."""
        self._turns = {window: turns for window, turns in self._turns.items() if window.end_ns > before_ns}

    def news(self) -> tuple[set[Window], set[Window]]:
        """Give the windows that the store still calls settled, and those that it does not yet; it is told them now."""
        found = self._stored - self.settled, self.settled - self._stored
        self._stored = set(self.settled)
        return found
