"""Compiled loops that put what a request consists of into lists (`seamscope.store.lists`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seamscope.kernel import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    Int64s = npt.NDArray[np.int64]
    Int32s = npt.NDArray[np.int32]
    Ids = npt.NDArray[np.uint64]
    Places = npt.NDArray[np.uint32]
    Codes = npt.NDArray[np.uint8]


@kernel
def boundaries(segment_of: Int64s, hop_of: Int64s) -> tuple[Int64s, Int64s, Int64s]:  # pragma: no cover - compiled
    """Give the requests that have segments or hops, ascending, and where each one's rows of both begin.

    Both are sorted; the beginnings are one more than the requests.
    """
    numbers = np.empty(segment_of.size + hop_of.size, np.int64)
    segments, hops = np.zeros(numbers.size + 1, np.int64), np.zeros(numbers.size + 1, np.int64)
    size = segment = hop = 0
    while segment < segment_of.size or hop < hop_of.size:
        number = segment_of[segment] if segment < segment_of.size else hop_of[hop]
        if hop < hop_of.size:
            number = min(number, hop_of[hop])
        while segment < segment_of.size and segment_of[segment] == number:
            segment += 1
        while hop < hop_of.size and hop_of[hop] == number:
            hop += 1
        numbers[size], segments[size + 1], hops[size + 1] = number, segment, hop
        size += 1
    return numbers[:size], segments[: size + 1], hops[: size + 1]


@kernel
def horizons_of(
    first_row: Int64s,
    horizon: Codes,
    start: Int64s,
    end: Int64s,
    span: Ids,
    call: Ids,
    owner: Places,
    cause: Codes,
    evidence: Codes,
) -> Codes:  # pragma: no cover - compiled
    """Give each stretch the bits of the horizons it stands for; 0 where another stretch stands for it.

    `first_row` is by request. Rows come shell before complete, each in time order; where they do not, fewer fold.
    """
    bits = (np.uint8(1) << horizon).astype(np.uint8)
    for request in range(first_row.size - 1):
        later, last = first_row[request], first_row[request + 1]
        at = later
        while later < last and horizon[later] == 0:
            later += 1
        shell = later
        while later < last:
            while at < shell and start[at] < start[later]:
                at += 1
            if (
                at < shell
                and start[at] == start[later]
                and end[at] == end[later]
                and span[at] == span[later]
                and call[at] == call[later]
                and owner[at] == owner[later]
                and cause[at] == cause[later]
                and evidence[at] == evidence[later]
            ):
                bits[at], bits[later] = 3, 0
                at += 1
            later += 1
    return bits


@kernel
def tiles(
    first_row: Int64s,
    bits: Codes,
    start: Int64s,
    end: Int64s,
    owner: Places,
    cause: Codes,
    evidence: Codes,
) -> tuple[Int64s, Int64s, Int64s, Int64s]:  # pragma: no cover - compiled
    """Lay the stretches of every request end to end: those on the shell's path, then what only complete's has.

    Returns when each begins, its row (-1 where nothing does: the one before ends there, and the next begins elsewhere),
    what it is (owner, cause, evidence and horizons, from the highest bits to the lowest; 0 where nothing begins), and,
    by request, where its own begin. `first_row` is by request, one more than there are.
    """
    room = 2 * bits.size
    at, row, nature = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    offsets = np.zeros(first_row.size, np.int64)
    size = 0
    for request in range(first_row.size - 1):
        begun = size
        until = np.int64(0)
        for only_complete in (False, True):
            for one in range(first_row[request], first_row[request + 1]):
                if bits[one] == 0 or (bits[one] == 2) != only_complete:
                    continue
                if size > begun and start[one] != until:
                    at[size], row[size], nature[size] = until, -1, 0
                    size += 1
                said = (np.int64(owner[one]) << 16) | (np.int64(cause[one]) << 8) | np.int64(evidence[one])
                at[size], row[size], nature[size] = start[one], one, (said << 2) | np.int64(bits[one])
                size += 1
                until = end[one]
        if size > begun:
            at[size], row[size], nature[size] = until, -1, 0
            size += 1
        offsets[request + 1] = size
    return at[:size], row[:size], nature[:size], offsets


@kernel
def _slot(key: np.uint64, seed: np.uint64, mask: np.int64) -> np.int64:  # pragma: no cover - compiled
    """Give where to look for a key first; the seed is drawn by chance, so that nobody can make ids that all meet."""
    mixed = (key ^ seed) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return np.int64(mixed >> np.uint64(32)) & mask


@kernel
def numbered(keys: Int64s, seed: np.uint64) -> tuple[Places, Int64s]:  # pragma: no cover - compiled
    """Number equal keys alike, from 1 in the order in which they come, and key 0 as 0.

    Returns the numbers and what they stand for.
    """
    mask = np.int64(255)
    slots = np.zeros(mask + 1, np.int64)
    found = np.zeros(keys.size + 1, np.int64)
    numbers = np.zeros(keys.size, np.uint32)
    size = 0
    for row in range(keys.size):
        if keys[row] == 0:
            continue
        if 2 * size > mask:
            mask = 2 * mask + 1
            slots = np.zeros(mask + 1, np.int64)
            for one in range(1, size + 1):
                slot = _slot(np.uint64(found[one]), seed, mask)
                while slots[slot] > 0:
                    slot = (slot + 1) & mask
                slots[slot] = one
        slot = _slot(np.uint64(keys[row]), seed, mask)
        while slots[slot] > 0 and found[slots[slot]] != keys[row]:
            slot = (slot + 1) & mask
        if slots[slot] == 0:
            size += 1
            slots[slot], found[size] = size, keys[row]
        numbers[row] = slots[slot]
    return numbers, found[1 : size + 1]


@kernel
def places(  # noqa: C901, PLR0912, PLR0915 - one loop, so that its state stays in registers: a third of the time
    tile_offsets: Int64s,
    tile_row: Int64s,
    span: Ids,
    call: Ids,
    hop_offsets: Int64s,
    ends: Ids,
    seed: np.uint64,
) -> tuple[Places, Places, Ids, Places, Int64s]:  # pragma: no cover - compiled
    """Keep every id of a request once: a list of spans and of the calls that their stretches lie in.

    `ends` has two rows, the client and the server of every hop. Returns the places of the stretches' and of the hops'
    spans in their request's list (from 1, 0 where there is none), the list, the places of its calls, and where the
    lists begin. A span whose stretches lie in several calls has a place for each.
    """
    requests = tile_offsets.size - 1
    most = np.int64(0)
    for request in range(requests):
        tiled = tile_offsets[request + 1] - tile_offsets[request]
        most = max(most, tiled + hop_offsets[request + 1] - hop_offsets[request])
    width = np.int64(8)
    while width < 4 * most + 4:
        width *= 2
    heads, turns = np.empty(width, np.int32), np.zeros(width, np.int32)  # what hashes to a slot, in whose turn
    room = 2 * (tile_row.size + ends.shape[1])
    ids, calls, following = np.empty(room, np.uint64), np.empty(room, np.uint64), np.empty(room, np.int32)
    of_call, of_tile, of_end = (
        np.empty(room, np.uint32),
        np.empty(tile_row.size, np.uint32),
        np.empty(ends.shape, np.uint32),
    )
    offsets = np.zeros(requests + 1, np.int64)
    none = np.uint64(0)
    base = np.int64(0)
    for request in range(requests):
        tiled = tile_offsets[request + 1] - tile_offsets[request]
        wanted = 4 * (tiled + hop_offsets[request + 1] - hop_offsets[request]) + 4
        width = np.int64(8)
        while width < wanted:  # as much of the table as this request needs: all of it would be cold
            width *= 2
        mask, turn, size = width - 1, np.int32(request + 1), np.int64(0)
        for phase in range(4):  # stretches, clients, servers, and the calls of all that these have put down
            one, until = hop_offsets[request], hop_offsets[request + 1]
            if phase == 0:
                one, until = tile_offsets[request], tile_offsets[request + 1]
            elif phase == 3:
                one, until = base, base + size
            while one < until:
                key, within, place = none, none, np.int64(0)
                if phase == 0:
                    if tile_row[one] >= 0:
                        key, within = span[tile_row[one]], call[tile_row[one]]
                elif phase == 3:
                    key = calls[one]
                else:
                    key = ends[phase - 1, one]
                if key != none or within != none:
                    slot = _slot(key, seed, mask)
                    while turns[slot] == turn and ids[base + heads[slot]] != key:
                        slot = (slot + 1) & mask
                    before = np.int64(-1)
                    if turns[slot] == turn:
                        before = np.int64(heads[slot])
                        while phase == 0 and calls[base + before] != within and following[base + before] >= 0:
                            before = np.int64(following[base + before])
                    if before >= 0 and (phase > 0 or calls[base + before] == within):
                        place = before + 1
                    else:
                        ids[base + size], calls[base + size], following[base + size] = key, within, -1
                        if before >= 0:
                            following[base + before] = np.int32(size)
                        else:
                            turns[slot], heads[slot] = turn, np.int32(size)
                        size += 1
                        place = size
                if phase == 0:
                    of_tile[one] = place
                elif phase == 3:
                    of_call[one], until = place, base + size
                else:
                    of_end[phase - 1, one] = place
                one += 1
        base += size
        offsets[request + 1] = base
    return of_tile, of_end, ids[:base], of_call[:base], offsets
