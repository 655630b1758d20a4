"""Requests: their entries, what belongs to them, and the two horizons they are measured to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from seamscope.kernel import kernel
from seamscope.schema import words

if TYPE_CHECKING:
    from analysis.arrays import Codes, Int32s, Int64s

PAGE, API, RPC, JOB, OTHER = 0, 1, 2, 3, 4
"""`words.REQUEST_KINDS`."""

RENDERS: Final = 1
CONSUMES: Final = 2
IS_JOB: Final = 4
GUARDS: Final = 8
HANDLES: Final = 16
"""Marks that `find_traits` gives a request."""

_TRAITS: Final = {"render": RENDERS, "middleware": GUARDS, "handler": HANDLES}
_TRAIT_OF_ROLE: Final = np.array([_TRAITS.get(role, 0) for role in words.ROLES], np.uint8)


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
        serves = kind[row] == 2 or kind[row] == 5 or role[row] == 1 or (above < 0 and role[row] == 2)
        if above < 0:
            top[row] = row
            other[row] = 0 if serves or row >= unseen_from else 1
        elif serves and other[top[above]] == 1:
            top[row] = row
        else:
            top[row] = top[above]
    return top, other


@kernel
def find_responses(
    tops: Int32s,
    number_of: Int32s,
    region: Int32s,
    local_top: Int32s,
    parent: Int32s,
    unseen_top: Codes,
    unawaited: Codes,
) -> Int32s:
    """Return, for every span that makes its request's own response, the number of that request; -1 for others.

    What runs in the entry's process and is waited for does. Under a caller that nobody saw it is what runs in the
    services right below, where they are one and the same (`unseen_top` 2).
    """
    answers = np.full(region.size, -1, np.int32)
    for row in range(region.size):
        top = tops[number_of[region[row]]]
        local = local_top[row]
        own = local == local_top[top] or (unseen_top[top] == 2 and parent[local] == top)
        if own and unawaited[row] == 0:
            answers[row] = number_of[region[row]]
    return answers


@kernel
def find_traits(answers: Int32s, tops: Int32s, kind: Codes, role: Codes, tier: Codes) -> Codes:
    """Return marks by request: what is inside it (`RENDERS` and its kin)."""
    traits = np.zeros(tops.size, np.uint8)
    for row in range(answers.size):
        number = answers[row]
        if number < 0:
            continue
        traits[number] |= _TRAIT_OF_ROLE[role[row]]
        if kind[row] == 5 and row != tops[number]:
            traits[number] |= CONSUMES
        if tier[row] == 7:
            traits[number] |= IS_JOB
    return traits


@kernel
def find_naming(answers: Int32s, tops: Int32s, kind: Codes, role: Codes, start: Int64s, lifted: Int64s) -> Int32s:
    """Return, by request, the longest server span that the entry handed over to (-1: none); it names the route."""
    naming = np.full(tops.size, -1, np.int32)
    for row in range(answers.size):
        number = answers[row]
        if number < 0 or row == tops[number] or not (kind[row] == 2 or role[row] == 1):
            continue
        best = naming[number]
        if best < 0 or lifted[row] - start[row] > lifted[best] - start[best]:
            naming[number] = row
    return naming


@kernel
def find_first_bytes(
    answers: Int32s, tops: Int32s, local_top: Int32s, unseen_top: Codes, first_byte: Int64s, mark: Int32s
) -> tuple[Int64s, Int32s]:
    """Return, by request, when the first byte of its response left (the least int64: unknown), and who marked it."""
    unknown = np.int64(-9223372036854775808)
    shell = np.full(tops.size, unknown, np.int64)
    marked = np.full(tops.size, -1, np.int32)
    for row in range(answers.size):
        number = answers[row]
        if number < 0 or local_top[row] != row or first_byte[row] == unknown:
            continue
        if row != tops[number] and unseen_top[tops[number]] != 2:
            continue
        if shell[number] == unknown or first_byte[row] < shell[number]:
            shell[number], marked[number] = first_byte[row], mark[row]
    return shell, marked


@kernel
def find_last_bytes(
    answers: Int32s, tops: Int32s, kind: Codes, role: Codes, extent: Codes, end: Int64s
) -> tuple[Int64s, Codes, Int64s]:
    """Return, by request, when its response's last byte left, and how that is known; and when its headers did.

    Server spans, renders, handlers and body writes count, each to what its end covers: one that ends at the headers
    says nothing of the last byte. The least int64 and 255 mean unknown.
    """
    unknown = np.int64(-9223372036854775808)
    complete = np.full(tops.size, unknown, np.int64)
    evidence = np.full(tops.size, 255, np.uint8)
    headers = np.full(tops.size, unknown, np.int64)
    for row in range(answers.size):
        number = answers[row]
        if number < 0:
            continue
        marks = role[row] == 5 or role[row] == 6
        serves = kind[row] == 2 or role[row] == 1
        if not (row == tops[number] or serves or marks or role[row] == 3 or role[row] == 4):
            continue
        if extent[row] == 1 and not marks:
            if role[row] != 3:
                headers[number] = max(headers[number], end[row])
        elif end[row] > complete[number] or (end[row] == complete[number] and extent[row] == 2):
            complete[number] = end[row]
            evidence[number] = 1 if extent[row] == 2 or marks or kind[row] == 5 else 4
    return complete, evidence, headers


@kernel
def last_ends(number_of: Int32s, region: Int32s, tops: Int32s, unawaited: Codes, lifted: Int64s) -> Int64s:
    """Return, by request, the end of the last span that it waited for, its top apart."""
    last = np.full(tops.size, np.int64(-9223372036854775808), np.int64)
    for row in range(region.size):
        number = number_of[region[row]]
        if unawaited[row] == 0 and row != tops[number]:
            last[number] = max(last[number], lifted[row])
    return last
