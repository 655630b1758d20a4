"""The entries of a log, as far as DuckDB passes over damage in silence.

A log is its head and then entries: 8 bytes of length, 8 of checksum, and so many bytes. The last entry of a transaction
is always the same 21 bytes. DuckDB takes an entry that passes the log's end for one whose writing was cut short, and
leaves out all from it on without a word, which is right but for a length that is itself damaged: then whole
transactions lie behind it. So it does with a log that does not begin as one.
"""

from __future__ import annotations

import mmap
import struct
from typing import TYPE_CHECKING, Final

from seamscope.errors import StoreDamagedError

if TYPE_CHECKING:
    from pathlib import Path

HEAD: Final = bytes.fromhex("6400626500")
"""How a log begins: the entry that says its version (field 100: type 98, field 101)."""

HEAD_END: Final = b"\xff\xff"
"""No other byte pair of the head can be such: numbers in it have at most one byte of ones after another."""

TRANSACTION_END: Final = bytes.fromhex("0500000000000000 e7fe7d722fed3d5e 640064ffff")
"""The entry that ends a transaction: its length, its checksum, and what it says (field 100: type 100)."""

_ENTRY: Final = struct.Struct("<QQ")


def has_head(log: Path) -> bool:
    """Tell whether a log begins as DuckDB's do; one that does not is read as empty, and written over."""
    with log.open("rb") as opened:
        return opened.read(len(HEAD)) == HEAD


def refuse_damaged_log(log: Path, hint: str) -> None:
    """Raise `StoreDamagedError` where DuckDB would pass over a log's damage; no log, or an empty one, is sound."""
    if not log.exists() or not log.stat().st_size:
        return
    if not has_head(log):
        raise StoreDamagedError(f"the log {log} is damaged at its beginning", hint)
    with log.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        at = _cut_short(content)
        if content.find(TRANSACTION_END, at) >= 0:
            said = (
                f"the log (WAL) {log} is damaged: the entry at byte position {at} passes its end, and others follow it"
            )
            raise StoreDamagedError(said, hint)


def _cut_short(content: mmap.mmap) -> int:
    """Give where the first entry begins that passes the end, or the end; where DuckDB will stumble, too."""
    end = len(content)
    at = content.find(HEAD_END) + len(HEAD_END)
    while at + _ENTRY.size <= end:
        length, _ = _ENTRY.unpack_from(content, at)
        if not length:
            return end
        if length > end - at - _ENTRY.size:
            return at
        at += _ENTRY.size + length
    return end
