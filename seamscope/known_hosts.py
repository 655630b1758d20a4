"""Which hosts are which services: what answered calls show of them, for calls that no server span answers.

What a trace shows may turn out to be otherwise once more of it has come. So each thing known of a host has a witness: a
trace that shows it. When that is analysed again and does not show it any more, the store is asked who else does.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis import Peers
from seamscope.statements import statement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from seamscope.store import Store

    Fact = tuple[str, int, int, str]
    """A host, its port or 0, the tier (its code) and the name of a service that answered there."""

FACT: Final = ("peer", "port", "tier", "service")
KEYS: Final = ("trace_hi", "trace_lo")

MOST: Final = 1 << 16
"""Facts that are remembered, in some 20 MiB; what is shown beyond is known beside what shows it only."""


class KnownHosts:
    """What is known of hosts, and by which trace."""

    def __init__(self) -> None:
        self._witnesses: dict[Fact, tuple[int, int]] = {}
        self._doubtful: set[Fact] = set()
        self.peers = Peers()
        """What is known, for the analysis."""
        self.version = 0
        """Another number each time that more or less is known."""

    def remember(self, store: Store) -> None:
        """Learn what the latest stored calls show."""
        text = statement("runs/peers", calls=statement("runs/latest_answered"))
        self.learn(store.query(text))

    def learn(self, shown: pl.DataFrame, by: pl.DataFrame | None = None) -> set[str]:
        """Take note of what was shown (columns `FACT`, `KEYS`) by all there is of some traces (`KEYS`).

        Gives the hosts of which more is known than before.
        """
        told = _facts(shown)
        news = {fact for fact in told if fact not in self._witnesses}
        if len(self._witnesses) + len(news) > MOST:
            told, news = {fact: whose for fact, whose in told.items() if fact not in news}, set()
        if by is not None:
            self._doubtful |= self._by(by) - told.keys()
        self._doubtful -= told.keys()
        self._witnesses |= told
        return self._changed(news)

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
        text = statement("runs/peers", calls=statement("runs/answered_there"))
        shown = _facts(store.query_with(text, {"wanted": wanted}))
        gone = self._doubtful - shown.keys()
        self._witnesses |= {fact: shown[fact] for fact in self._doubtful - gone}
        for fact in gone:
            del self._witnesses[fact]
        self._doubtful.clear()
        return self._changed(gone)

    def _changed(self, facts: Iterable[Fact]) -> set[str]:
        """Have `peers` say what is known now; gives the hosts that `facts` are about."""
        hosts = {peer for peer, *_ in facts}
        if hosts:
            known = defaultdict(set)
            for peer, port, tier, service in self._witnesses:
                known[peer, port].add((tier, service))
            self.peers = Peers(dict(known))
            self.version += 1
        return hosts


def _facts(shown: pl.DataFrame) -> dict[Fact, tuple[int, int]]:
    """Give what was shown, each with a trace that shows it."""
    rows = shown.select(*FACT, *KEYS).iter_rows()
    return {(peer, port, tier, service): (hi, lo) for peer, port, tier, service, hi, lo in rows}
