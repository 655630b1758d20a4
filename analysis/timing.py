"""One clock per request: when everything in it began and ended, how far it reached, and when first bytes left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from analysis import extents
from analysis.arrays import MISSING, Codes, Int32s, Int64s
from seamscope.schema import words

if TYPE_CHECKING:
    from analysis.calls import Calls
    from analysis.clocks import Clocks
    from analysis.forest import Forest

CLIENT: Final = words.code(words.SPAN_KINDS, "client")
SERVER: Final = words.code(words.SPAN_KINDS, "server")
NO_CLOCKS: Final = (0, np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0))
"""Nothing known of any host."""


@dataclass(frozen=True, slots=True)
class Times:
    """Every row on its request's clock."""

    shift: Int64s
    start: Int64s
    end: Int64s
    lifted: Int64s
    """The end, or a later one that the row handed over to."""
    cover: Int32s
    first_byte: Int64s
    """Of topmost spans of a process; `MISSING` where unknown."""
    mark: Int32s
    local_top: Int32s
    unawaited: Codes


def waits(forest: Forest, calls: Calls) -> Codes:
    """Mark server spans whose client is known to wait for their end: unary calls of an RPC system."""
    awaited = np.zeros(forest.count, np.uint8)
    if not forest.spans.has("rpc_system"):
        return awaited
    served = np.flatnonzero(calls.server_of >= 0)
    clients = forest.parent[served]
    real = clients < forest.unseen_from
    rpc = forest.spans.gather("rpc_system", clients[real]).is_not_null().to_numpy()
    awaited[served[real]] = rpc & (forest.kind[clients[real]] == CLIENT)
    return awaited


def measure(forest: Forest, calls: Calls, clocks: Clocks | None = None) -> Times:
    """Put every row on its request's clock.

    `clocks` says how far apart the hosts' clocks are; without it, and for hosts that only a service and a place
    tell apart, each call bounds its own server.
    """
    local_top = extents.local_roots(forest.order, forest.parent, forest.remote)
    column = forest.padded(forest.spans.column("first_byte_ns"), -1)
    serving = (forest.kind == SERVER) | (forest.role == 1)
    first_byte, mark = extents.first_bytes(local_top, forest.role, forest.start, np.where(serving, column, -1))
    shift = _shifts(forest, calls, clocks, first_byte)
    moved = bool(shift.any())
    start = extents.shifted(forest.start, shift) if moved else forest.start
    end = extents.shifted(forest.end, shift) if moved else forest.end
    shared = (forest.order, forest.parent, forest.remote, forest.kind, forest.role)
    nearest = extents.answering(*shared)
    lifted, cover = extents.lift_ends(*shared, forest.extent, calls.call_of, nearest, start, end, forest.grain)
    unawaited = extents.mark_unawaited(*shared, nearest, start, end, lifted)
    if moved:
        known = first_byte != MISSING
        first_byte = np.where(known, extents.shifted(np.where(known, first_byte, 0), shift), MISSING)
    return Times(shift, start, end, lifted, cover, first_byte, mark, local_top, unawaited)


def _shifts(forest: Forest, calls: Calls, clocks: Clocks | None, first_byte: Int64s) -> Int64s:
    known = clocks.of(forest) if clocks is not None else NO_CLOCKS
    return extents.clock_shifts(
        forest.order,
        forest.parent,
        forest.remote,
        calls.server_of,
        forest.resources.host if clocks is None else clocks.hosts(forest),
        waits(forest, calls),
        forest.start,
        forest.end,
        forest.grain,
        first_byte,
        forest.resource,
        *known,
    )
