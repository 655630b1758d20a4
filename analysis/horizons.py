"""Pass C: the moments that every request is measured to, its first and its last byte."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from analysis import entries, moments
from analysis.arrays import MISSING, NONE
from analysis.gaps import stand_still
from seamscope.schema import words

if TYPE_CHECKING:
    from analysis.arrays import Codes, Int32s, Int64s, Mask
    from analysis.journeys import Journeys

MEASURED: Final = words.code(words.EVIDENCE, "measured")
BOUNDED: Final = words.code(words.EVIDENCE, "bounded")
HEADERS: Final = words.code(words.EXTENTS, "headers")
REQUEST: Final = words.code(words.ROLES, "request")
SERVER: Final = words.code(words.SPAN_KINDS, "server")
RENDER: Final = words.code(words.TIERS, "render")
EDGE: Final = words.code(words.TIERS, "edge")


@dataclass(frozen=True, slots=True)
class Horizons:
    """Both horizons of every request, as moments on its clock; `MISSING` where nobody knows."""

    shell: Int64s
    complete: Int64s
    shell_evidence: Codes
    complete_evidence: Codes
    mark: Int32s
    """The span that says when the first byte left."""


def measure(
    journeys: Journeys, top: Int32s, answers: Int32s, last: Int64s, other: Codes, unseen: Codes, traits: Codes
) -> Horizons:
    """Measure both horizons of every request; a server that ends at its headers says when the first byte left.

    A framework's request span with neither a render inside nor a mark of the first byte answered in one piece. What
    a caller that nobody saw called bounds its request; a root that serves nobody lasts as long as it does.
    """
    forest, times = journeys.forest, journeys.times
    shell, mark = entries.find_first_bytes(answers, top, times.local_top, unseen, times.first_byte, times.mark)
    complete, evidence, headers = entries.find_last_bytes(
        answers, top, forest.kind, forest.role, forest.extent, times.end
    )
    stray, unheard = other[top] == 1, unseen[top] != 0
    complete = np.select([stray, unheard], [times.lifted[top], last], complete)
    evidence = np.select([stray, unheard], [MEASURED, BOUNDED], evidence.astype(np.int64))
    shell, mark = np.where(stray, MISSING, shell), np.where(stray, NONE, mark)
    own = ~stray & ~unheard & (shell == MISSING)
    by_headers = own & (headers != MISSING) & (forest.extent[top] == HEADERS)
    at_once = own & ~by_headers & (forest.role[top] == REQUEST) & (journeys.tier[top] == RENDER)
    at_once &= (traits & entries.RENDERS == 0) & (complete != MISSING)
    known = np.where(shell != MISSING, MEASURED, np.select([by_headers, at_once], [MEASURED, BOUNDED], words.UNKNOWN))
    shell = np.select([by_headers, at_once], [headers, complete], shell)
    shell = np.where(shell == MISSING, MISSING, np.maximum(shell, times.start[top]))
    complete = np.where(complete == MISSING, MISSING, np.maximum(complete, shell))
    found = Horizons(shell, complete, known.astype(np.uint8), evidence.astype(np.uint8), mark.astype(np.int32))
    still = unmeasurable(journeys)[top] & (complete == times.start[top])
    which = forest.odd.of(forest.count)[top]
    return _without_unsure(found, still | (which == moments.START) | (which == moments.END))


def unmeasurable(journeys: Journeys) -> Mask:
    """Mark by row what took no time by a clock that stands still between I/O: it is not free, nobody knows its time.

    The runtime says so itself (CPU time, wall time, or the order of its spans), or the SDK is one of such runtimes': of
    those only what serves is marked, for what else is of no length in them is often nothing more than a mark.
    """
    forest, spans = journeys.forest, journeys.forest.spans
    zero: Mask = (spans.start == spans.raw_end) & (journeys.tier[: spans.count] == EDGE)
    if zero.any():
        told = stand_still(forest.resources)[forest.resource[: spans.count]] & (spans.kind == SERVER)
        for name in ("cpu_ns", "wall_ns", "sequence"):
            told |= spans.column(name) != MISSING
        zero &= told
    rows = np.zeros(forest.count, np.bool_)  # a caller that nobody saw is none
    rows[: spans.count] = zero
    return rows


def _without_unsure(found: Horizons, unsure: Mask) -> Horizons:
    """Leave the horizons open of requests of which nobody knows how long they took.

    Their own start or end is out of range, or no time passed by a clock that stands still.
    """
    if not unsure.any():
        return found
    return Horizons(
        shell=np.where(unsure, MISSING, found.shell),
        complete=np.where(unsure, MISSING, found.complete),
        shell_evidence=np.where(unsure, words.UNKNOWN, found.shell_evidence).astype(np.uint8),
        complete_evidence=np.where(unsure, words.UNKNOWN, found.complete_evidence).astype(np.uint8),
        mark=np.where(unsure, NONE, found.mark).astype(np.int32),
    )
