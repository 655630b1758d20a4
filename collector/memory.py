"""What the process may hold: how it is shared out, and when nothing more is taken before the kernel steps in."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from collector.arriving import give_back
from seamscope import allocators, code_pages
from seamscope.windows import COMPARED_SPANS, READ_AHEAD

if TYPE_CHECKING:
    from collections.abc import Callable

MIB: Final = 1 << 20

PROGRAM_BYTES: Final = 290 * MIB
"""The program itself, once all of it was used: 120 MiB of libraries (220 where none are let go of), the rest compiled
kernels, what they were made with, and what re-sent items are told by."""

DECODING_BYTES: Final = 128 * MIB
"""What groups hold on their way into the store: taking all it could, before anything was analysed, the process held 600
MiB, of which the queue had 40 and DuckDB some 50."""

LEAST_BYTES: Final = 512 * MIB
"""The least bound. Where the kernel has one, four fifths of it are the most, for the process may pass its own for a
moment: under lasting overload 573 MiB with 512, 1,050 with 1 GiB."""

AIM: Final = 0.9
"""Share of the bound that the process keeps to, and that is shared out: it looks at what it holds now and then, and
what was begun is ended. Five minutes of 480 requests of 512 spans in flight, with a bound of 640 MiB: 638 at the peak,
with seven eighths 635, and less was taken. It was 681 with all of the bound and more that was held for nothing
(`FEWEST_STREAMS`, `seamscope.code_pages`)."""
LEAST_DUCKDB_BYTES: Final = 80 * MIB
"""Three tenths of what 512 MiB leave would be 51 MiB."""
MOST_QUEUE_BYTES: Final = 64 * MIB
MOST_GROUP_BYTES: Final = 8 * MIB
GROUPS: Final = 4
"""Groups to a full queue. What a group of 8 MiB holds on its way is the larger half of `DECODING_BYTES`."""

PLENTY_BYTES: Final = 1 << 30
STREAMS: Final = 256
FEWEST_STREAMS: Final = 50
"""A call that waits unread holds part of its body all the same, as far as flow control lets it come: with 480 of 231 KB
in flight at once, 256 of them open, 64 MiB were of the C library's, and no Python had asked for them; all it had was
209 MiB with 100 open, 164 with 25. HTTP/2 advises to allow no fewer than 100, so as not to limit what is done at once
(RFC 9113, 6.5.2); what is over waits at the sender, and is answered all the same."""

COMPARED_BYTES: Final = 1_250
"""What the analysis holds for each span of a window: 104,000, each of them a call, took 130 MiB at the peak; with one
read ahead, windows of 115,000, 65,000 and 40,000 took 441, 290 and 193."""
PREPARED_BYTES: Final = 780
"""What it holds for each span of a window that is not compared yet, as of the one after that which is compared."""
HELD: Final = 2
"""Windows in memory beside those read ahead: the one that is compared, and the one before it, being written."""
LEAST_COMPARED_SPANS: Final = 25_000
"""What a window costs by itself counts the more, the fewer spans it has: 446,000 spans took 6.7 s of CPU in windows of
115,000 as of 250,000, 10.5 in windows of 65,000, and 11.3 in windows of 25,000."""

HIGH: Final = 0.9
"""Share of the limit from which on the analysis makes way, and the queue may hold less and less: at the limit, as much
as makes a group (`LEAST_SHARE`). While the limit was all of 640 MiB, 480 requests in flight, where it came to one body
at a time from here on: 81,000, 18,000, 14,000 and 13,000 spans/s in four times 20 s; where it came down to
that at the limit, right after: 91,000, 71,000, 44,000 and 31,000. With the slope between 0.85 and 0.95 the peak was the
same; the pace, another time, 103,000, 44,000, 27,000 and 25,000, not 99,000, 64,000, 36,000 and 27,000."""

LEAST_SHARE: Final = 1 / GROUPS
"""Of the queue, what may be taken at the limit and beyond: a group costs much the same, however small it is. 640 MiB,
480 requests in flight, six times 20 s: 40,900 spans/s in the last 20 where it was one body at a time, 55,000 with an
eighth of the queue, 66,700 with a quarter; 710, 704 and 697 MiB at the peak."""

EASY: Final = 0.7
SCARCE: Final = 0.8
"""Below the first share of the limit what is freed is kept warm (`allocators.keep`), until it comes to the second."""

EVERY_S: Final = 0.02
ASKED_S: Final = 1.0
"""For how long after somebody asked whether there is room there is somebody to make room for."""
TRIM_EVERY_S: Final = 1.0

_STATM: Final = Path("/proc/self/statm")
_CGROUPS: Final = Path("/sys/fs/cgroup")
_OWN_CGROUP: Final = Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True)
class Shares:
    """How `--max-memory` is shared out; what is left is for decoding and analysis.

    Attributes:
        limit_bytes: what the process keeps to; it is this that is shared out.
        duckdb_bytes: DuckDB's pages, sorts and hash tables.
        queue_bytes: bodies from arrival to answer.
        group_bytes: bodies that are decoded and committed together.
        streams: calls of one connection that may be open at once.
        guest_bytes: sorts and hash tables of one reader's statement.
        compared_spans: spans that are analysed together.
        read_ahead: how many times so many are read and prepared at a time; with none, a window is written before the
            next one is compared.
    """

    limit_bytes: int
    duckdb_bytes: int
    queue_bytes: int
    group_bytes: int
    streams: int
    guest_bytes: int
    compared_spans: int
    read_ahead: int


def shares(max_bytes: int, kernel_bytes: int | None = None) -> Shares:
    """Share out; where the kernel ends a process that holds `kernel_bytes`, the bound keeps away from that."""
    bound = min(max_bytes, _away_from(kernel_bytes)) if kernel_bytes else max_bytes
    limit = int(AIM * bound)
    rest = max(0, limit - PROGRAM_BYTES)
    duckdb = max(LEAST_DUCKDB_BYTES, rest * 3 // 10)
    queue = max(8 * MIB, min(MOST_QUEUE_BYTES, rest // 16))
    analysis = max(0, rest - duckdb - queue - DECODING_BYTES)
    ahead = max(0, min(READ_AHEAD, analysis // (COMPARED_SPANS * COMPARED_BYTES) - HELD))
    held = COMPARED_BYTES * (ahead + HELD) if ahead else COMPARED_BYTES + PREPARED_BYTES
    compared = max(LEAST_COMPARED_SPANS, min(COMPARED_SPANS, analysis // held))
    group = min(MOST_GROUP_BYTES, queue // GROUPS)
    streams = STREAMS if bound >= PLENTY_BYTES else FEWEST_STREAMS
    return Shares(limit, duckdb, queue, group, streams, min(256 * MIB, duckdb // 3), compared, ahead)


def _away_from(kernel_bytes: int) -> int:
    return max(kernel_bytes * 4 // 5, min(kernel_bytes, LEAST_BYTES))


def kernels_limit(root: Path = _CGROUPS, own: Path = _OWN_CGROUP) -> int | None:
    """Give the least of what the kernel lets this process's group hold, and those around it; None for no limit."""
    limits = [_limit(group / "memory.max") for group in _groups(root, own)]
    return min((limit for limit in limits if limit is not None), default=None)


def _groups(root: Path, own: Path) -> list[Path]:
    """Give the process's group and those around it; in a container, what is mounted may begin at its own."""
    try:
        lines = os.fsdecode(own.read_bytes()).splitlines()
    except OSError:
        lines = []
    path = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
    names = [] if ".." in path.split("/") else [name for name in path.split("/") if name]
    return [root.joinpath(*names[:depth]) for depth in range(len(names) + 1)]


def _limit(place: Path) -> int | None:
    try:
        text = place.read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def resident_bytes() -> int:
    """Give what the process holds; 0 where the system does not tell."""
    try:
        pages = int(_STATM.read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


class MemoryWatch:
    """Tells how much more the process should take, by what it holds; any thread may ask, as often as it likes.

    Args:
        limit_bytes: what it keeps to.
        resident: tells what it holds.
        keep: told whether there is memory enough to keep what is freed, whenever that changes.
    """

    def __init__(
        self,
        limit_bytes: int,
        resident: Callable[[], int] = resident_bytes,
        keep: Callable[[bool], None] = allocators.keep,
    ) -> None:
        self._limit = limit_bytes
        self._resident = resident
        self._keep = keep
        self._keeps: bool | None = None
        self._lock = threading.Lock()
        self._look_at = self._trim_at = self._turn_at = 0.0
        self._asked_at = -ASKED_S
        self._share = 1.0

    def room(self) -> float:
        """Tell who would bring more into memory what share of their queue may be full: `LEAST_SHARE` or more."""
        self._asked_at = time.monotonic()
        return self._look()

    def presses(self) -> bool:
        """Tell it who could make way: only while others want to bring more."""
        share = self._look()
        return share < 1 and time.monotonic() < self._asked_at + ASKED_S

    def _look(self) -> float:
        """Look, unless somebody has just looked; free memory is first handed back to the system."""
        now = time.monotonic()
        if now < self._look_at or not self._lock.acquire(blocking=False):
            return self._share
        try:
            held = self._held()
            self._keep_freed(held, now)
            if held > HIGH and now >= self._trim_at:
                give_back()
                code_pages.let_go()
                self._trim_at = now + TRIM_EVERY_S
                held = self._held()
            self._share = min(1.0, max(LEAST_SHARE, (1 - held) / (1 - HIGH)))
            self._look_at = now + EVERY_S
        finally:
            self._lock.release()
        return self._share

    def _held(self) -> float:
        return self._resident() / self._limit

    def _keep_freed(self, held: float, now: float) -> None:
        """Have what is freed kept, or no longer; not to and fro, for what is handed back at once may be much."""
        keeps = held < (SCARCE if self._keeps else EASY)
        if keeps != self._keeps and now >= self._turn_at:
            self._turn_at = now + TRIM_EVERY_S
            self._keeps = keeps
            self._keep(keeps)
