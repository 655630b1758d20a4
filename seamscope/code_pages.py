"""Libraries' code that nobody runs any more, as the compiler's once all kernels are loaded, let go of, and constants.

The kernel counts the pages of a file that a process has touched as its own, though it can drop and read them again at
will. 158 MiB of code were held after the decoder was warm, 68 of LLVM alone; 84 came back when it ran again. Of
constants 57 MiB were held under overload, 25 where they are let go of too.
"""

from __future__ import annotations

import ctypes
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MAPPED: Final = Path("/proc/self/smaps")
PLACES: Final = Path("/proc/self/maps")
LARGE_BYTES: Final = 1 << 20
_DONT_NEED: Final = 4
"""Of Linux's `madvise`: the next one who needs such a page gets it from the file."""

_HEAD: Final = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) r-[x-]p \S+ \S+ \S+ +/.*$", re.MULTILINE)
_CHANGED: Final = tuple(
    re.compile(rf"^{name}: +(\d+) kB$", re.MULTILINE)
    for name in ("Anonymous", "Swap", "Private_Hugetlb", "Shared_Hugetlb")
)
"""Pages that are in no file: written to, in memory or out of it, or huge ones, whose mappings bear a file's name. Every
system tells of the first."""


def let_go() -> None:
    """Hand the pages of large libraries' code and constants back to the system, which keeps them while it has room.

    Does nothing where the system does not tell what is mapped.
    """
    try:
        mapped, places = (file.read_text(encoding="utf-8", errors="replace") for file in (MAPPED, PLACES))
        advise = ctypes.CDLL(None).madvise
    except (OSError, AttributeError, TypeError):
        return
    for start, size in unchanged(mapped, places):
        advise(ctypes.c_void_p(start), ctypes.c_size_t(size), _DONT_NEED)


def unchanged(mapped: str, places: str) -> Iterator[tuple[int, int]]:
    """Give address and bytes of what may not be written, and is as its file says.

    What was written to since, which private pages tell, is in no file, and would be lost. A library that is just being
    loaded is one such mapping at first, what will be written included; CPython loads extensions and what `ctypes` asks
    for under its lock, so a listing that is read afterwards has those in parts.

    Args:
        mapped: a listing of memory (`proc_pid_smaps(5)`).
        places: a later one (`proc_pid_maps(5)`).
    """
    still = {head.group() for head in _HEAD.finditer(places)}
    for head in _HEAD.finditer(mapped):
        start, end = (int(text, 16) for text in head.groups())
        if end - start >= LARGE_BYTES and head.group() in still and not _is_changed(mapped, head.end()):
            yield start, end - start


def _is_changed(mapped: str, at: int) -> bool:
    written, *more = (words.search(mapped, at) for words in _CHANGED)
    return written is None or any(found is not None and found.group(1) != "0" for found in (written, *more))
