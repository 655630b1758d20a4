"""Whose child is whose: ids to rows within a trace, shared and repeated ids, cycles.

An id is looked up in a small table per trace, so a batch costs a few cache lines per span whatever its size.
Where a client and a server share an id (Zipkin's way), the server's parent is the client and everyone else's
parent of that id is the server. Other spans that share an id and have no parent go under the one that stands for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seamscope.kernel import kernel

if TYPE_CHECKING:
    from analysis.arrays import Codes, Int32s, Int64s

ROOT = 0
KNOWN = 1
ORPHAN = 2
CUT = 3
"""What became of a span's parent: it has none, is known, was never received, or was cut from a cycle."""


@kernel
def _slot_of(key: int, mask: int) -> int:
    mixed = (np.int64(key) ^ (np.int64(key) >> 32)) * np.int64(-4658895280553007687)
    return int((mixed ^ (mixed >> 29)) & mask)


@kernel
def _serves(kind: int) -> bool:
    return kind == 2 or kind == 5  # noqa: PLR1714 - a search in a tuple takes long to compile


@kernel
def _mask_for(count: int) -> int:
    size = 4
    while size < 2 * count:
        size *= 2
    return size - 1


@kernel
def _enter(  # the table of one trace: id → first row, further rows of that id behind it
    begin: int, end: int, span_id: Int64s, kind: Codes, table: Int32s, twin: Int32s, repeat_of: Int32s
) -> int:
    mask = _mask_for(end - begin)
    table[: mask + 1] = -1
    repeats = 0
    for row in range(begin, end):
        slot = _slot_of(span_id[row], mask)
        while table[slot] >= 0 and span_id[table[slot]] != span_id[row]:
            slot = (slot + 1) & mask
        if table[slot] < 0:
            table[slot] = row
            continue
        other = table[slot]
        while kind[other] != kind[row] and twin[other] >= 0:
            other = twin[other]
        if kind[other] == kind[row]:
            repeat_of[row] = other
            repeats += 1
        else:
            twin[other] = row
    return repeats


@kernel
def _standing(kind: int) -> int:
    """Return how much a kind stands for its id among kinds that share one: the server's side is who others mean."""
    if kind == 2:
        return 6
    if kind == 5:
        return 5
    if kind == 1:
        return 4
    return 6 - kind if kind != 0 else 1  # client, producer, unspecified


@kernel
def _sharing(wanted: int, mask: int, span_id: Int64s, table: Int32s) -> int:
    slot = _slot_of(wanted, mask)
    while table[slot] >= 0 and span_id[table[slot]] != wanted:
        slot = (slot + 1) & mask
    return int(table[slot])


@kernel
def _named(row: int, wanted: int, mask: int, span_id: Int64s, kind: Codes, table: Int32s, twin: Int32s) -> int:
    best = -1
    other = _sharing(wanted, mask, span_id, table)
    while other >= 0:
        if other != row and (best < 0 or _standing(kind[other]) > _standing(kind[best])):
            best = other
        other = twin[other]
    return int(best)


@kernel
def _sharing_client(row: int, mask: int, span_id: Int64s, kind: Codes, table: Int32s, twin: Int32s) -> int:
    best = -1
    other = _sharing(span_id[row], mask, span_id, table)
    while other >= 0:
        if (kind[other] == 3 or kind[other] == 4) and (best < 0 or kind[other] == 3):
            best = other
        other = twin[other]
    return int(best)


@kernel
def _twin_above(row: int, mask: int, span_id: Int64s, kind: Codes, table: Int32s, twin: Int32s) -> int:
    """Return the span of the same id that stands for it, where `row` does not itself and is not its client."""
    best = _named(row, span_id[row], mask, span_id, kind, table, twin)
    if (
        best < 0
        or _standing(kind[best]) <= _standing(kind[row])
        or (_serves(kind[best]) and (kind[row] == 3 or kind[row] == 4))
    ):
        return -1
    return best


@kernel
def resolve(offsets: Int64s, span_id: Int64s, parent_id: Int64s, kind: Codes) -> tuple[Int32s, Codes, Int32s, int]:
    """Find every span's parent within its trace; ids that are sent come `grouping.scattered`.

    Returns:
        The parent's row (-1: none), what became of the parent, the row that a span repeats (-1: none), and
        how many spans repeat another. Parents are only right once repeats are gone.
    """
    rows = span_id.size
    widest = 0
    for trace in range(offsets.size - 1):
        widest = max(widest, offsets[trace + 1] - offsets[trace])
    table = np.empty(_mask_for(widest) + 1, np.int32)
    twin = np.full(rows, -1, np.int32)
    repeat_of = np.full(rows, -1, np.int32)
    parent = np.full(rows, -1, np.int32)
    fate = np.zeros(rows, np.uint8)
    repeats = 0
    for trace in range(offsets.size - 1):
        begin, end = offsets[trace], offsets[trace + 1]
        repeats += _enter(begin, end, span_id, kind, table, twin, repeat_of)
        mask = _mask_for(end - begin)
        for row in range(begin, end):
            found = _sharing_client(row, mask, span_id, kind, table, twin) if _serves(kind[row]) else -1
            itself = parent_id[row] == span_id[row]
            if found < 0 and parent_id[row] != 0 and not itself:
                found = _named(row, parent_id[row], mask, span_id, kind, table, twin)
            if found >= 0:
                fate[row] = 1
            elif parent_id[row] != 0:
                fate[row] = 3 if itself else 2
            if found < 0:
                found = _twin_above(row, mask, span_id, kind, table, twin)
            parent[row] = found
    return parent, fate, repeat_of, repeats


@kernel
def _before(row: int, other: int, start: Int64s, span_id: Int64s, kind: Codes) -> bool:
    if start[row] != start[other]:
        return bool(start[row] < start[other])
    if span_id[row] != span_id[other]:
        return bool(span_id[row] < span_id[other])
    return bool(kind[row] < kind[other])


@kernel
def cut_cycles(start: Int64s, span_id: Int64s, kind: Codes, parent: Int32s, fate: Codes) -> int:
    """Cut every cycle at its earliest span (then smallest id), in place; return how many were cut."""
    cut = 0
    colour = np.zeros(parent.size, np.int32)
    for row in range(parent.size):
        if colour[row] != 0 or parent[row] < 0:
            continue
        at = row
        while at >= 0 and colour[at] == 0:
            colour[at] = row + 1
            at = parent[at]
        if at < 0 or colour[at] != row + 1:
            continue
        first = at
        along = parent[at]
        while along != at:
            if _before(along, first, start, span_id, kind):
                first = along
            along = parent[along]
        parent[first] = -1
        fate[first] = 3
        cut += 1
    return cut
