"""Kills, damage and full disks: what a real collector acknowledged is there afterwards, once.

    python -m benchmarks.chaos --kills 100 --damages 50 --full-disks 10

- Kills: `kill -9` of a collector under load at ten kinds of moment (`MOMENTS`), then a start on what it left. This
  process notes what was acknowledged; spans of a request without an answer may be there or not, whole, and are sent
  again after every third start. Lost: acknowledged and not stored. Doubled: stored more than once.
- Damage: `benchmarks.damage`. Full disks: `benchmarks.full_disk`.

Collectors are forked from a process that has loaded their code (`benchmarks.forked`), and where it is named their
upkeep looks many times as often, so that a kill meets it at work. A kill leaves the page cache, so none of this tests
a power loss. What went wrong is kept with `--keep FOLDER`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.damage import FOREVER, damages
from benchmarks.forked import Nursery
from benchmarks.full_disk import full_disks
from benchmarks.ledger import Collector, Ledger, StartError, load, send_again, stored, wait_for
from seamscope.errors import SeamscopeError

if TYPE_CHECKING:
    from collections.abc import Callable

OFTEN: Final = {"collector.upkeep.EVERY_S": 0.03}
FOLDING: Final = {**OFTEN, "collector.upkeep.LOG_BYTES": 1 << 14, "collector.upkeep.LOG_SHARE": 1 << 20}


@dataclass(frozen=True)
class Moment:
    """When a collector is killed: after how many answers to requests of how many spans, and how it is set up.

    Attributes:
        spans: of a request.
        answers: before the kill.
        options: of the collector.
        dials: constants that are other ones in it.
        senders: at once.
        age_s: its bound on age; what was acknowledged longer ago may be gone.
    """

    spans: int
    answers: int
    options: tuple[str, ...] = ()
    dials: dict[str, float] = field(default_factory=dict)
    senders: int = 3
    age_s: float | None = None


MOMENTS: Final = {
    "first answer": Moment(8, 1),
    "small requests": Moment(8, 60),
    "middling requests": Moment(512, 12),
    "large requests": Moment(6_000, 4),
    "many senders": Moment(64, 40, senders=12),
    "during analysis": Moment(256, 20, ("--settle", "0s")),
    "during retention by age": Moment(256, 60, ("--settle", "0s", "--retention-age", "1s"), OFTEN, age_s=1.0),
    "while the log is folded in": Moment(256, 30, dials=FOLDING),
    "while it stops": Moment(256, 12, ("--settle", "0s")),
    "during its start": Moment(256, 8),
}
"""The kinds of moment."""


def kill(nursery: Nursery, folder: Path, kind: str, seed: int, ledger: Ledger) -> dict[str, int]:
    """Kill a collector at one kind of moment; give what is wrong afterwards."""
    moment, dice = MOMENTS[kind], random.Random(seed)
    collector = Collector(nursery, folder, moment.options, moment.dials)
    if kind == "during its start" and ledger.acknowledged:
        time.sleep(dice.uniform(0.0, 0.4))
        collector.end(signal.SIGKILL)
    else:
        with load(collector.endpoint(), ledger, seed, moment.spans, moment.senders):
            wait_for(ledger, moment.answers, collector.process)
            time.sleep(dice.uniform(0.0, 0.05) + 1.5 * (moment.age_s or 0))  # until something is too old
            if kind == "while it stops":
                collector.process.send_signal(signal.SIGTERM)
                time.sleep(dice.uniform(0.0, 0.2))
            collector.end(signal.SIGKILL)
            died = time.monotonic()
        if moment.age_s is not None:
            ledger.expire(died - moment.age_s)
    return ledger.held_against(stored(folder / "s.duckdb"))


def _life(nursery: Nursery, folder: Path, cycles: int, seed: int, total: Counter[str]) -> None:
    """Let one store live through up to ten kinds of moment."""
    ledger = Ledger()
    for number, kind in enumerate(list(MOMENTS)[:cycles]):
        total["cycles"] += 1
        try:
            wrong = Counter(kill(nursery, folder, kind, seed + number, ledger))
            if number % 3 == 2:
                send_again(nursery, folder, ledger)
                wrong.update(ledger.held_against(stored(folder / "s.duckdb")))
        except StartError as error:
            print(f"{kind}, seed {seed + number}: no start: {error}", file=sys.stderr, flush=True)
            total["did_not_start"] += 1
            return
        except SeamscopeError as error:
            print(f"{kind}, seed {seed + number}: {error}", file=sys.stderr, flush=True)
            total["unreadable"] += 1
            return
        total.update(wrong)
        if sum(wrong.values()):
            print(f"{kind}, seed {seed + number}: {dict(wrong)}", file=sys.stderr, flush=True)
            break
    total["acknowledged"] += sum(len(ids) for _, ids in ledger.acknowledged) + len(ledger.expired)
    total["expired"] += len(ledger.expired - stored(folder / "s.duckdb").keys())


WRONG: Final = (
    "lost",
    "doubled",
    "torn",
    "did_not_start",
    "unreadable",
    "kept_too_little",
    "unreported",
    "not_resumed",
)
"""Counts that are 0 where all is well."""


def _wrong(total: Counter[str]) -> int:
    return sum(total[name] for name in WRONG)


def kills(cycles: int, seed: int, keep: Path | None = None, until: float = FOREVER) -> dict[str, Any]:
    """Kill again and again, or until a time (monotonic); a store lives through all ten kinds of moment."""
    names = ("cycles", "acknowledged", "expired", "lost", "doubled", "torn", "did_not_start", "unreadable")
    total: Counter[str] = Counter(dict.fromkeys(names, 0))
    with Nursery() as nursery:
        while total["cycles"] < cycles and time.monotonic() < until:
            before = _wrong(total)
            with tempfile.TemporaryDirectory() as place:
                first = seed + total["cycles"]
                _life(nursery, Path(place), cycles - total["cycles"], first, total)
                if keep and before != _wrong(total):
                    shutil.copytree(place, keep / str(first), ignore=shutil.ignore_patterns("*.sock"))
    return dict(total)


def main() -> None:
    """Print the figures; exit 1 if anything was lost, doubled or torn, or did not start."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--kills", type=int, default=100)
    words.add_argument("--damages", type=int, default=60)
    words.add_argument("--full-disks", type=int, default=10)
    words.add_argument("--keep", type=Path)
    words.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    words.add_argument("--minutes", type=float, default=math.inf, help="begin no further trial after so long")
    chosen = words.parse_args()
    until = time.monotonic() + chosen.minutes * 60
    trials: dict[str, tuple[Callable[[int, int, Path | None, float], dict[str, Any]], int]] = {
        "kills": (kills, chosen.kills),
        "damages": (damages, chosen.damages),
        "full_disks": (full_disks, chosen.full_disks),
    }
    found = {name: trial(count, chosen.seed, chosen.keep, until) for name, (trial, count) in trials.items() if count}
    print(json.dumps({"seed": chosen.seed, **found}))
    raise SystemExit(any(one.get(name) for one in found.values() for name in WRONG))


if __name__ == "__main__":
    main()
