"""What the labelled stretches of calls add up to, by call and by line of a hop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seamscope.kernel import kernel

if TYPE_CHECKING:
    from analysis.arrays import Codes, Int32s, Int64s


@kernel
def add_lent(
    rows: Int64s, line: Int64s, lent: Int32s, parent: Int32s, start: Int64s, end: Int64s, sums: Int64s
) -> None:
    """Add the own time of waits and setups that came before a call (`rows`) to its lines, in place."""
    own = np.zeros(parent.size, np.int64)
    for row in rows:
        own[row] += end[row] - start[row]
        if lent[parent[row]] >= 0:
            own[parent[row]] -= end[row] - start[row]
    for at in range(rows.size):
        sums[line[at], lent[rows[at]]] += max(own[rows[at]], 0)


@kernel
def sum_phases(firsts: Int64s, lows: Int64s, highs: Int64s, causes: Codes, line_of: Codes, most: Int64s) -> Int64s:
    """Return lines of sums by call: the length of its stretches of each cause that has a line (255: none).

    No line says more than what is left of `most` (negative: no bound) after the lines before it; line 0 is served
    last.
    """
    calls = firsts.size - 1
    lines = 0
    for cause in range(line_of.size):
        if line_of[cause] != 255:
            lines = max(lines, line_of[cause] + 1)
    sums, own = np.empty((lines, calls), np.int64), np.empty(lines, np.int64)
    for call in range(calls):
        own[:] = 0
        for at in range(firsts[call], firsts[call + 1]):
            if causes[at] != 255 and line_of[causes[at]] != 255:
                own[line_of[causes[at]]] += highs[at] - lows[at]
        left = most[call]
        for line in range(lines - 1, -1, -1):
            if most[call] >= 0:
                own[line] = min(own[line], left)
                left -= own[line]
            sums[line, call] = own[line]
    return sums
