"""The spans that say something about each call, and what they say of its connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seamscope.kernel import kernel

if TYPE_CHECKING:
    from analysis.arrays import Codes, Int32s, Int64s


@kernel
def members_of(call_of: Int32s, context: Int32s, server_of: Int32s, phase: Codes, calls: int) -> tuple[Int64s, Int32s]:
    """Return the spans that say something about each call: offsets by call, and rows.

    Its client spans, the phase spans inside it, its server spans.
    """
    offsets = np.zeros(calls + 1, np.int64)
    for row in range(call_of.size):
        if server_of[row] >= 0:
            offsets[server_of[row] + 1] += 1
        if call_of[row] >= 0:
            offsets[call_of[row] + 1] += 1
        elif phase[row] == 1 and context[row] >= 0:
            offsets[context[row] + 1] += 1
    for call in range(calls):
        offsets[call + 1] += offsets[call]
    members = np.empty(offsets[calls], np.int32)
    free = offsets.copy()
    for row in range(call_of.size):
        if server_of[row] >= 0:
            members[free[server_of[row]]] = row
            free[server_of[row]] += 1
        if call_of[row] >= 0:
            members[free[call_of[row]]] = row
            free[call_of[row]] += 1
        elif phase[row] == 1 and context[row] >= 0:
            members[free[context[row]]] = row
            free[context[row]] += 1
    return offsets, members


@kernel
def reuse_of_calls(members_from: Int64s, members: Int32s, server_of: Int32s, role: Codes, said: Codes) -> Codes:
    """Return, by call, the least that its spans say of its connection: 0 its own, 1 reused, 255 nothing.

    What dials says 0; its servers are not asked.
    """
    calls = members_from.size - 1
    verdict = np.full(calls, 255, np.uint8)
    for call in range(calls):
        for at in range(members_from[call], members_from[call + 1]):
            row = members[at]
            if server_of[row] != call:
                verdict[call] = min(verdict[call], np.uint8(0) if 12 <= role[row] <= 14 else said[row])
    return verdict
