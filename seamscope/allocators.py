"""How long the allocators keep what was freed, so that the next chunk of work finds its memory warm.

The analysis makes and drops arrays of some megabytes by the thousand. The C library gives each back to the system at
once, and Polars' own allocator after half a second: the kernel then clears every page anew.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8
"""Names of glibc's `mallopt`, from its `malloc.h`."""

MIB: Final = 1 << 20

KEPT: Final = {_MMAP_THRESHOLD: 32 * MIB, _TRIM_THRESHOLD: 256 * MIB, _TOP_PAD: 64 * MIB, _ARENA_MAX: 2}
"""A million spans in memory (`benchmarks.analysis`): 40,000 page faults instead of 190,000 to 250,000 and, in turn on a
busy machine, 1.9 s of CPU instead of 2.4 to 3.0; stored to stored 6.3 to 7.3 instead of 7.3 to 8.7. Peaks stay: one
arena fewer makes up for what is kept. 32 MiB is the most that `mallopt` takes for the first."""

POLARS: Final = "dirty_decay_ms:5000"
"""Without it 134,000 to 164,000 faults."""

LITTLE: Final = {_MMAP_THRESHOLD: MIB // 4, _TRIM_THRESHOLD: MIB // 4, _TOP_PAD: MIB // 4, _ARENA_MAX: 2}
LITTLE_POLARS: Final = "background_thread:true,dirty_decay_ms:200,muzzy_decay_ms:0,narenas:2"
"""What a process keeps that must stay within a bound, of Polars always, of the C library while memory is short: a
collector with 1 GiB, taking all it could for 15 s from 480 requests in flight and then analysing it, peaked at 1,278
MiB, and at 1,931 with `KEPT` all the time, of which the C library held 1,200 free. Where there is memory, keeping costs
less: 820,000 spans live, in turn, 25.3 and 28.4 s of CPU per million with `LITTLE`, 22.9 and 22.8 with `KEPT`; but then
a packed bomb of 64 MiB grew the process by 130.

Polars' allocator has an arena a thread, and looks at one only as it is used, if no thread of its own does: with 640 MiB
and 480 in flight the process held 593 to 645 MiB where it had 583 to 704, the CPU the same. Giving back at once
(`dirty_decay_ms:0`): 22.0 s of CPU per million spans, live, not 19.3 to 20.4."""


WARM: Final = {_MMAP_THRESHOLD: 4 * MIB, _TRIM_THRESHOLD: 32 * MIB, _TOP_PAD: 8 * MIB, _ARENA_MAX: 2}
"""What it keeps while there is memory enough: what windows and groups are made of, nothing of large bodies. The bomb
grew it by 77 MiB, with `LITTLE` by 72."""


def keep_freed() -> None:
    """Have both keep what is freed; to be called before Polars is imported and before threads are started.

    Where the C library is not glibc, its part does nothing. What the environment says goes.
    """
    if "polars" not in sys.modules:
        os.environ.setdefault("_RJEM_MALLOC_CONF", POLARS)
    _set(KEPT)


def keep_little() -> None:
    """Have both give back what is freed; to be called before Polars is imported, `keep_freed` or not."""
    if "polars" not in sys.modules and os.environ.get("_RJEM_MALLOC_CONF", POLARS) == POLARS:
        os.environ["_RJEM_MALLOC_CONF"] = LITTLE_POLARS
    _set(LITTLE)


def keep(freed: bool) -> None:
    """Have the C library keep what is freed from now on, or give it back, and what it kept with it."""
    _set(WARM if freed else LITTLE)
    if not freed:
        give_back()


def _set(kept: dict[int, int]) -> None:
    if not any(name.startswith("MALLOC_") for name in os.environ):
        for name, value in kept.items():
            _of_glibc("mallopt", name, value)


def give_back() -> None:
    """Hand what the C library keeps back to the system: to be called when there is nothing to do."""
    _of_glibc("malloc_trim", 0)


def _of_glibc(name: str, *values: int) -> None:
    try:
        function: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError, TypeError):  # another C library
        return
    function(*values)
