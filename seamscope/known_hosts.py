"""Which hosts are which services: what answered calls show of them, for calls that no server span answers.

What a trace shows may turn out to be otherwise once more of it has come. So each thing known of a host has a witness: a
trace that shows it. When that is analysed again and does not show it any more, the store is asked who else does.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analysis import Peers
from seamscope.statements import statement

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from seamscope.store import Store

    Fact = tuple[str, int, int, str]
    """A host, its port or 0, the tier (its code) and the name of a service that answered there."""
    Trace = tuple[int, int]

FACT: Final = ("peer", "port", "tier", "service")
WHOSE: Final = ("peer", "tier", "service")
KEYS: Final = ("trace_hi", "trace_lo")

MOST: Final = 1 << 16
"""Facts that are remembered: 48 MiB where names have 30 characters. More are known only beside what shows them."""


class KnownHosts:
    """What is known of hosts, and by which trace.

    Args:
        doubtful: what was known before and may be so no more: whoever called these hosts is to be looked for.
    """

    def __init__(self, doubtful: Iterable[Fact] = ()) -> None:
        self._witnesses: dict[Fact, Trace] = {}
        self._doubtful = set(doubtful)
        self.peers = Peers()
        """What is known, for the analysis."""
        self.version = 0
        """Another number each time that more or less is known."""

    def anew(self) -> KnownHosts:
        """Give one that knows nothing but what is doubtful: what was written of it is not to be found any more."""
        return KnownHosts(self._doubtful)

    def remember(self, store: Store) -> None:
        """Learn what the latest stored calls show."""
        self.learn(store.query(statement("runs/peers")))

    def learn(self, shown: pl.DataFrame, by: pl.DataFrame | None = None) -> set[str]:
        """Take note of what was shown (columns `FACT`, `KEYS`) by all there is of some traces (`KEYS`).

        Gives the hosts of which more is known than before.
        """
        told = _witnessed(shown, FACT)
        news = [fact for fact in told if fact not in self._witnesses]
        for fact in news[max(0, MOST - len(self._witnesses)) :]:
            del told[fact]
        if by is not None:
            self._doubtful |= self._by(by) - told.keys()
        self._doubtful -= told.keys()
        self._witnesses |= told
        return self._changed(told.keys() & set(news))

    def _by(self, traces: pl.DataFrame) -> set[Fact]:
        """Give what some traces are the witnesses of."""
        facts = list(self._witnesses)
        witnesses = pl.DataFrame(list(self._witnesses.values()), dict.fromkeys(KEYS, pl.UInt64), orient="row")
        held = witnesses.with_row_index("at").join(traces, on=KEYS, how="semi").get_column("at")
        return {facts[at] for at in held}

    def check(self, store: Store) -> set[str]:
        """Forget what no stored call shows any more, of what its witness does not; gives the hosts it was about."""
        if not self._doubtful:
            return set()
        wanted = pl.DataFrame({"peer": sorted({peer for peer, *_ in self._doubtful})})
        shown = _witnessed(store.query_with(statement("runs/answered_there"), wanted), WHOSE)
        for fact in self._doubtful:
            peer, _, *who = fact
            if (whose := shown.get((peer, *who))) is None:
                self._witnesses.pop(fact, None)
            elif fact in self._witnesses:
                self._witnesses[fact] = whose
        gone = self._doubtful - self._witnesses.keys()
        self._doubtful.clear()
        return self._changed(gone)

    def _changed(self, facts: Collection[Fact]) -> set[str]:
        """Have `peers` say what is known now; gives the hosts that `facts` are about."""
        if facts:
            known = defaultdict(set)
            for peer, port, tier, service in self._witnesses:
                known[peer, port].add((tier, service))
            self.peers = Peers(dict(known))
            self.version += 1
        return {peer for peer, *_ in facts}


def _witnessed(shown: pl.DataFrame, what: tuple[str, ...]) -> dict[Any, Trace]:
    """Give what was shown, each with a trace that shows it."""
    return {row[:-2]: row[-2:] for row in shown.select(*what, *KEYS).iter_rows()}
