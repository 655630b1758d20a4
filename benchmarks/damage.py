"""Damage to the log or the file of a killed collector, then a start.

The service must start; all spans of the commits before the damage must be there, or in the copy that was put aside; and
where anything is missing it must have been said.
"""

from __future__ import annotations

import math
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import grpc

from benchmarks.forked import Nursery
from benchmarks.ledger import DEADLINE_S, EXPORT, Collector, StartError, body, stored
from seamscope.errors import SeamscopeError
from seamscope.store.opening import log_file

DAMAGES: Final = (
    "log: a flipped bit",
    "log: zeros at the end",
    "log: cut",
    "log: garbage",
    "log: its head",
    "file: a flipped bit",
    "file: zeros at the end",
    "file: cut",
    "file: its head",
)
FOREVER: Final = math.inf
REQUESTS: Final = 24
IN_FILE: Final = 8
"""Requests that are in the file when the log begins."""


def harm(place: Path, kind: str, dice: random.Random) -> int:
    """Damage a file; give the byte from which on it is another, or its length where something was added."""
    content = bytearray(place.read_bytes())
    at = dice.randrange(len(content) // 8, len(content))
    if kind.endswith("a flipped bit"):
        content[at] ^= 1 << dice.randrange(8)
    elif kind.endswith("zeros at the end"):
        content[at:] = bytes(len(content) - at)
    elif kind.endswith("cut"):
        del content[at:]
    elif kind.endswith("garbage"):
        at = len(content)
        content += dice.randbytes(4_096)
    else:
        at, content[0] = 0, content[0] ^ 0xFF
    place.write_bytes(content)
    return at


def damages(trials: int, seed: int, keep: Path | None = None, until: float = FOREVER) -> dict[str, Any]:
    """Damage what a killed collector left, each time from the same store, so often or until a time (monotonic)."""
    names = ("trials", "did_not_start", "kept_too_little", "unreported", "put_aside", "all_kept")
    total: Counter[str] = Counter(dict.fromkeys(names, 0))
    with tempfile.TemporaryDirectory() as made, Nursery() as nursery:
        origin = Path(made)
        sizes = committed(nursery, origin, seed)
        for trial in range(trials):
            if time.monotonic() > until:
                break
            kind = DAMAGES[trial % len(DAMAGES)]
            with tempfile.TemporaryDirectory() as place:
                found = damage(nursery, origin, Path(place), sizes, random.Random(seed + trial), kind)
                total.update({"trials": 1, **found})
                if keep and any(found[name] for name in ("did_not_start", "kept_too_little", "unreported")):
                    what = f"{kind} {seed + trial}".replace(": ", " ").replace(" ", "-")
                    shutil.copytree(place, keep / what, ignore=shutil.ignore_patterns("*.sock"))
    return dict(total)


def committed(nursery: Nursery, folder: Path, seed: int) -> list[tuple[int, set[int]]]:
    """Have collectors commit request after request; give the ids in the file, then the log's length and all ids."""
    dice, ids, found = random.Random(seed), set[int](), [(0, set[int]())]
    for requests, end in ((IN_FILE, signal.SIGTERM), (REQUESTS - IN_FILE, signal.SIGKILL)):
        collector = Collector(nursery, folder)
        with grpc.insecure_channel(collector.endpoint()) as channel:
            export = channel.unary_unary(EXPORT)
            for _ in range(requests):
                data, fresh = body(dice, 64)
                export(data, timeout=DEADLINE_S)
                ids |= set(fresh)
                if end == signal.SIGKILL:
                    found.append((log_file(folder / "s.duckdb").stat().st_size, set(ids)))
        collector.end(end)
        if end == signal.SIGTERM:
            found = [(0, set(ids))]
    (folder / "said").write_text("")
    return found


def damage(
    nursery: Nursery, origin: Path, folder: Path, sizes: list[tuple[int, set[int]]], dice: random.Random, kind: str
) -> dict[str, int]:
    """Do one kind of damage to a copy, start on it, and hold it against what was committed before the damage."""
    db = folder / "s.duckdb"
    for place in (origin / "s.duckdb", log_file(origin / "s.duckdb")):
        shutil.copy(place, folder / place.name)
    in_file = kind.startswith("file")
    at = harm(db if in_file else log_file(db), kind, dice)
    collector = Collector(nursery, folder)
    try:
        collector.endpoint()
    except StartError:
        return {"did_not_start": 1, "kept_too_little": 0, "unreported": 0, "put_aside": 0, "all_kept": 0}
    collector.end(signal.SIGTERM)
    aside = any(".damaged-" in each.name or ".corrupt-" in each.name for each in folder.iterdir())
    before = set() if in_file else max((ids for size, ids in sizes if size <= at), key=len)
    try:
        there = stored(db).keys()
    except SeamscopeError:  # nothing can be read of it
        there = Counter[int]().keys()
    missing = sizes[-1][1] - there
    told = "is mended" in collector.said() or "cannot be read" in collector.said()
    quiet = bool(missing) and not told and kind != "log: cut"  # a log without its tail looks like a commit cut short
    return {
        "did_not_start": 0,
        "kept_too_little": int(not before <= there),
        "unreported": int(quiet),
        "put_aside": int(aside),
        "all_kept": int(not missing),
    }
