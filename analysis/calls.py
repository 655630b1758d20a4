"""Calls from one process to another: chains of client spans, the server spans they reached, the phases inside.

A call is a run of client spans of one process to one peer, each inside the one before (a framework's fetch over
the HTTP client's span, an ORM's operation over the driver's statement): its extent comes from the outermost, its
server from the innermost. A server span whose children all run elsewhere is a proxy, and the client of its call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seamscope.kernel import kernel

if TYPE_CHECKING:
    from analysis.arrays import Codes, Int32s, Int64s


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls by number, and what each span is to them (-1: nothing)."""

    call_of: Int32s
    """By span: the call that this client span is part of."""
    context: Int32s
    """By span: the call of its own process that it lies in."""
    server_of: Int32s
    """By span: the call that this span is the server side of."""
    outer: Int32s
    """By call: its outermost client span; for a call without one, the parent of its server span."""
    headless: Codes
    """By call: 1 where no client span was sent."""
    named: Int32s
    """By call: the client span that says first who is called."""
    innermost: Int32s
    """By call: its last client span, which may say it more fully."""

    @property
    def count(self) -> int:
        """Number of calls."""
        return int(self.outer.size)


@kernel
def is_phase(role: int) -> bool:
    """Tell whether a role is a phase of a call: a wait, a setup, a send or a receive."""
    return 9 <= role <= 16 or 19 <= role <= 22


@kernel
def _calls_out(row: int, kind: Codes, role: Codes) -> bool:
    if role[row] == 8 or role[row] == 17:
        return True
    return bool((kind[row] == 3 or kind[row] == 4) and (role[row] == 0 or role[row] == 18))


@kernel
def _what_lies_below(parent: Int32s, remote: Codes, kind: Codes, role: Codes, fate: Codes) -> Codes:
    below = np.zeros(parent.size, np.uint8)  # 1: a call or a server elsewhere, 2: anything local
    for row in range(parent.size):
        above = parent[row]
        if above < 0 or fate[row] == 2:
            continue
        if remote[row] == 1:
            below[above] |= 1
        else:
            below[above] |= 2
            if _calls_out(row, kind, role):
                below[above] |= 1
    return below


@kernel
def find_calls(
    order: Int32s,
    parent: Int32s,
    remote: Codes,
    kind: Codes,
    role: Codes,
    peer: Int64s,
    system: Int64s,
    hit: Codes,
    fate: Codes,
) -> tuple[Int32s, Int32s, Int32s, Int32s, Codes, Int32s, Int32s]:
    """Find every call; `peer` and `system` are numbers of host and database (-1: none), `hit` marks cache hits.

    A server span that was put under its caller's request because the caller itself was lost makes no call.

    Returns:
        The fields of `Calls`, in order.
    """
    rows = parent.size
    call_of = np.full(rows, -1, np.int32)
    context = np.full(rows, -1, np.int32)
    server_of = np.full(rows, -1, np.int32)
    outer = np.empty(rows, np.int32)
    headless = np.zeros(rows, np.uint8)
    named = np.empty(rows, np.int32)
    innermost = np.empty(rows, np.int32)
    below = _what_lies_below(parent, remote, kind, role, fate)
    count = 0
    for at in range(order.size):
        row = order[at]
        above = parent[row]
        # what was put there because its own parent was lost is no part of what the span above asks for
        inside = context[above] if above >= 0 and remote[row] == 0 and fate[row] != 2 else -1
        if above >= 0 and remote[row] == 1 and kind[row] != 5 and fate[row] != 2:
            if context[above] < 0:
                outer[count], named[count], innermost[count] = above, above, above
                proxy = kind[above] == 2 and below[above] == 1
                headless[count] = 0 if proxy else 1
                server_of[row] = count
                if proxy:
                    call_of[above], context[above] = count, count
                count += 1
            else:
                server_of[row] = context[above]
        answered_here = role[row] == 8 and hit[row] == 1 and below[row] & 1 == 0
        if _calls_out(row, kind, role) and not answered_here:
            joined = inside >= 0 and call_of[outer[inside]] == inside
            if joined:
                other = named[inside]
                same_peer = peer[other] < 0 or peer[row] < 0 or peer[other] == peer[row]
                same_system = system[other] < 0 or system[row] < 0 or system[other] == system[row]
                joined = same_peer and same_system and kind[row] != 4
            if joined:
                innermost[inside] = row
                if system[named[inside]] < 0 and (system[row] >= 0 or peer[named[inside]] < 0):
                    named[inside] = row
            else:
                outer[count], named[count], innermost[count] = row, row, row
                inside = count
                count += 1
            call_of[row] = inside
        context[row] = inside
    return (
        call_of,
        context,
        server_of,
        outer[:count].copy(),
        headless[:count].copy(),
        named[:count].copy(),
        innermost[:count].copy(),
    )


@kernel
def first_servers(server_of: Int32s, start: Int64s, span_id: Int64s, calls: int) -> tuple[Int32s, Int32s]:
    """Return, by call, its server span that started first (-1: none), and how many it has."""
    first = np.full(calls, -1, np.int32)
    count = np.zeros(calls, np.int32)
    for row in range(server_of.size):
        call = server_of[row]
        if call < 0:
            continue
        count[call] += 1
        other = first[call]
        if other < 0 or start[row] < start[other] or (start[row] == start[other] and span_id[row] < span_id[other]):
            first[call] = row
    return first, count
