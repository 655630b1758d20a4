"""Windows on their way through the desk: read and prepared ahead, and kept while those beside them need them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis import Neighbours, prepare
from seamscope.taking import take
from seamscope.windows import CLOSE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Executor, Future

    import polars as pl

    from analysis import Compared, Prepared, Rules
    from seamscope.known_hosts import KnownHosts
    from seamscope.roll import Roll
    from seamscope.store import Store
    from seamscope.taking import Fresh, Taken
    from seamscope.windows import Window

    Sign = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Read:
    """Traces that were read and went through pass A."""

    taken: Taken
    prepared: Prepared


class Shelf:
    """Reads and prepares traces, with what is known of hosts by then."""

    def __init__(self, store: Store, rules: Rules, hosts: KnownHosts) -> None:
        self._store = store
        self._rules = rules
        self._hosts = hosts
        self._signs: dict[Window, Sign] = {}
        self._read: dict[Window, Future[Read]] = {}
        self._lent: dict[Window, list[pl.DataFrame]] = {}

    def read(self, traces: pl.DataFrame, fresh: Fresh, crowded: Sequence[str] = ()) -> Read:
        """Read traces (`roll.TRACES`) and take them through pass A; `fresh` ones were never analysed as they are.

        By ids that are `crowded`, for others carry them too, no pieces are joined.
        """
        taken = take(self._store, traces, fresh)
        known = taken.resources, taken.links, self._rules, self._hosts.peers
        return Read(taken, prepare(taken.spans, *known, beside=taken.beside, crowded=crowded))

    def begin(self, members: Mapping[Window, pl.DataFrame]) -> None:
        """Let go of what is not as it was when it was read; `members` are the traces of all windows needed now."""
        signs = {window: self._sign(traces) for window, traces in members.items()}
        for window in {*self._read, *self._lent}:
            if self._signs.get(window) != signs.get(window):
                self._read.pop(window, None)
                self._lent.pop(window, None)
        self._signs = signs

    def _sign(self, traces: pl.DataFrame) -> Sign:
        return (traces.height, traces["spans"].sum(), traces["last_commit"].max(), self._hosts.version)

    def want(
        self, window: Window, roll: Roll, members: Mapping[Window, pl.DataFrame], fresh: Fresh, pool: Executor
    ) -> None:
        """Have a window read and prepared in `pool`, and those beside it that it is compared with.

        `fresh` gives those of some traces that have spans which nobody has looked at yet, on any thread.
        """
        small = roll.census.small(window)
        for one in (*roll.census.lending(window), window):
            lent = one != window and not small and one in self._lent
            if one in members and one not in self._read and not lent:
                self._read[one] = pool.submit(self.read, members[one], fresh)

    def window(self, window: Window) -> Read:
        """Give a window that was wanted."""
        return self._read[window].result()

    def neighbours(self, window: Window, roll: Roll) -> Neighbours:
        """Give what a window that was wanted is compared with beside its own calls."""
        beside = roll.census.lending(window)
        at_hand = [one for one in beside if one in self._read]
        lent = [calls for one in beside if one not in at_hand for calls in self._lent.get(one, [])]
        return Neighbours(
            batches=[self.window(one).prepared for one in at_hand],
            facts=lent,
            start_ns=window.start_ns,
            end_ns=window.end_ns,
            until_ns=roll.census.beside(window)[1].end_ns,
            most_ns=None if roll.census.small(window) else window.length_ns // CLOSE,
        )

    def done(self, window: Window, compared: Compared, roll: Roll) -> None:
        """Keep of a window, and of those before it, no more than the one after it needs."""
        before, after = roll.census.beside(window)
        if window.parts == 1:
            self._lent[window] = compared.facts
        for one in {*self._read, *self._lent}:
            if one.end_ns <= before.end_ns:
                self._read.pop(one, None)
                self._lent.pop(one, None)
        if not roll.census.small(after):
            self._read.pop(window, None)

    def clear(self) -> None:
        """Let go of all windows."""
        self._read.clear()
        self._lent.clear()
