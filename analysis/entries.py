"""Requests: their entries, what belongs to them, and the two horizons they are measured to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seamscope.kernel import kernel

if TYPE_CHECKING:
    from analysis.arrays import Codes, Int32s, Int64s

PAGE, API, RPC, JOB, OTHER = 0, 1, 2, 3, 4
"""`words.REQUEST_KINDS`."""


@kernel
def find_regions(order: Int32s, parent: Int32s, kind: Codes, role: Codes, unseen_from: int) -> tuple[Int32s, Codes]:
    """Say which request every span belongs to, by the span at its top.

    A root is the top of a request; under a root that serves nobody (a browser's page, a script) so is each
    topmost server span.

    Returns:
        The top of every span, and marks (1) on tops whose request is of the kind `other`.
    """
    top = np.empty(parent.size, np.int32)
    other = np.zeros(parent.size, np.uint8)
    for at in range(order.size):
        row = order[at]
        above = parent[row]
        serves = kind[row] in (2, 5) or role[row] == 1
        if above < 0:
            top[row] = row
            other[row] = 0 if serves or row >= unseen_from else 1
        elif serves and other[top[above]] == 1:
            top[row] = row
        else:
            top[row] = top[above]
    return top, other


@kernel
def measure_horizons(
    tops: Int32s,
    number_of: Int32s,
    region: Int32s,
    local_top: Int32s,
    parent: Int32s,
    unseen_top: Codes,
    other: Codes,
    kind: Codes,
    role: Codes,
    extent: Codes,
    tier: Codes,
    unawaited: Codes,
    start: Int64s,
    end: Int64s,
    lifted: Int64s,
    first_byte: Int64s,
    mark: Int32s,
) -> tuple[Int64s, Int64s, Codes, Codes, Int32s, Int32s, Codes]:
    """Find, for every request, when the first and the last byte of its response left its entry's service.

    Server spans, renders, handlers and body writes of the entry's own process count, each to what its end covers:
    a span that ends at the headers says when the first byte left, and nothing of the last. A framework's request
    span without a render inside and without a first-byte mark answered in one piece.

    Returns:
        By request: first byte and last byte (the request's clock; the least int64: unknown), their evidence
        (255: unknown), the mark of the first byte, the nested server span that names the route (-1: none), and
        marks: 1 a render inside, 2 a consumer right inside, 4 ran as a job, 8 a middleware pass inside,
        16 a route handler inside.
    """
    unknown = np.int64(-9223372036854775808)
    count = tops.size
    shell = np.full(count, unknown, np.int64)
    complete = np.full(count, unknown, np.int64)
    shell_evidence = np.full(count, 255, np.uint8)
    complete_evidence = np.full(count, 255, np.uint8)
    marked = np.full(count, -1, np.int32)
    naming = np.full(count, -1, np.int32)
    traits = np.zeros(count, np.uint8)
    headers_at = np.full(count, unknown, np.int64)
    for row in range(region.size):
        number = number_of[region[row]]
        top = tops[number]
        own = local_top[row] == local_top[top] or (unseen_top[top] == 2 and parent[local_top[row]] == top)
        if unseen_top[top] != 0 and row != top:
            complete[number] = max(complete[number], lifted[row]) if unawaited[row] == 0 else complete[number]
            complete_evidence[number] = 4
        if not own or unawaited[row] == 1:
            continue
        if first_byte[row] != unknown and local_top[row] == row and (row == top or unseen_top[top] == 2):
            if shell[number] == unknown or first_byte[row] < shell[number]:
                shell[number], marked[number], shell_evidence[number] = first_byte[row], mark[row], 1
        if role[row] == 3:
            traits[number] |= 1
        if role[row] == 2:
            traits[number] |= 8
        if role[row] == 4:
            traits[number] |= 16
        if kind[row] == 5 and row != top:
            traits[number] |= 2
        if tier[row] == 7:
            traits[number] |= 4
        serves = kind[row] == 2 or role[row] == 1
        if (
            serves
            and row != top
            and (naming[number] < 0 or lifted[row] - start[row] > lifted[naming[number]] - start[naming[number]])
        ):
            naming[number] = row
        if unseen_top[top] != 0:
            continue
        if row == top or serves or role[row] in (3, 4, 5, 6):
            if extent[row] == 1 and role[row] not in (3, 5, 6):
                headers_at[number] = max(headers_at[number], end[row])
                continue
            if extent[row] == 1 and role[row] == 3:
                continue
            if end[row] > complete[number] or (end[row] == complete[number] and extent[row] == 2):
                complete[number] = end[row]
                certain = extent[row] == 2 or role[row] in (5, 6) or kind[row] == 5
                complete_evidence[number] = 1 if certain else 4
    for number in range(count):
        top = tops[number]
        if other[top] == 1:
            complete[number], complete_evidence[number] = lifted[top], 1
            shell[number], shell_evidence[number], marked[number] = unknown, 255, -1
            continue
        if unseen_top[top] != 0:
            if shell[number] != unknown:
                complete[number] = max(complete[number], shell[number])
            continue
        if shell[number] == unknown and headers_at[number] != unknown and extent[top] == 1:
            shell[number], shell_evidence[number] = headers_at[number], 1
        in_one_piece = role[top] == 1 and tier[top] == 3 and traits[number] & 1 == 0
        if shell[number] == unknown and in_one_piece and complete[number] != unknown:
            shell[number], shell_evidence[number] = complete[number], 4
        if shell[number] != unknown:
            shell[number] = max(shell[number], start[top])
            if complete[number] != unknown and complete[number] < shell[number]:
                complete[number] = shell[number]
    return shell, complete, shell_evidence, complete_evidence, marked, naming, traits
