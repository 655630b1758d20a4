"""Pass C: requests, critical paths and segments."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np

from analysis import entries, horizons, owners, path
from analysis.arrays import NONE
from analysis.inferred import OwnTime
from analysis.phases import INSIDE
from seamscope.schema import words

if TYPE_CHECKING:
    from analysis.arrays import Codes, Int32s, Int64s, Mask
    from analysis.forest import Forest
    from analysis.journeys import Journeys, Labels
    from analysis.rules import Walk

CAUSE_OF_ROLE: Final = {
    "middleware": "middleware",
    "render": "render",
    "module_load": "cold_start",
    "body": "transfer",
    "getconn": "pool_wait",
    "pool_wait": "pool_wait",
    "dns": "dns",
    "connect": "connect",
    "tls": "tls",
    "setup": "setup",
    "send": "send",
    "receive": "transfer",
    "retry": "retry",
    "network": "network",
    "server_queue": "server_queue",
    "transfer": "transfer",
}
"""Role → cause of a span's own time; any other role computes."""

RETRY: Final = words.code(words.CAUSES, "retry")
BOUNDED: Final = words.code(words.EVIDENCE, "bounded")
HEADERS: Final = words.code(words.EXTENTS, "headers")
SERVER: Final = words.code(words.SPAN_KINDS, "server")
CLIENT: Final = words.code(words.SPAN_KINDS, "client")
CONSUMER: Final = words.code(words.SPAN_KINDS, "consumer")
REQUEST: Final = words.code(words.ROLES, "request")
HANDLER: Final = words.code(words.EXTENTS, "handler")
RENDER: Final = words.code(words.TIERS, "render")
_NONE: Final = np.empty(0, np.int64)
NO_OWN_TIME: Final = OwnTime(np.empty(0, np.int32), _NONE, _NONE, _NONE, np.empty(0, np.uint8), np.empty(0, np.int32))
SEAM_CAUSES: Final = ("setup", "dns", "connect", "tls", "network", "transfer")
IS_ON_SEAM: Final = np.array([cause in SEAM_CAUSES for cause in words.CAUSES], np.bool_)
OWN_CAUSE: Final = np.array(
    [words.code(words.CAUSES, CAUSE_OF_ROLE.get(role, "compute")) for role in words.ROLES], np.uint8
)


@dataclass(frozen=True, slots=True)
class Requests:
    """Every request, by number; times are on the request's clock."""

    top: Int32s
    """The row at its top: its entry span, or a caller that nobody saw."""
    entry: Int32s
    """Its entry span."""
    number_of: Int32s
    """By row: the request that it belongs to."""
    kind: Codes
    start: Int64s
    shell: Int64s
    complete: Int64s
    shell_evidence: Codes
    complete_evidence: Codes
    naming: Int32s
    """The nested server span that names the route; -1 where the entry does."""
    by_middleware: Mask
    """By request: the middleware answered it (a redirect, a refusal); nothing behind it ran."""
    mark: Int32s

    @property
    def count(self) -> int:
        """Number of requests."""
        return int(self.top.size)


@dataclass(frozen=True, slots=True)
class Segments:
    """Segments of every known horizon, in order; times count from the request's start."""

    request: Int64s
    horizon: Codes
    low: Int64s
    high: Int64s
    span_id: Int64s
    """0: a stretch without a span."""
    call_id: Int64s
    owner: Int32s
    """A party, or the number of parties + a seam."""
    cause: Codes
    evidence: Codes


def _unseen_marks(journeys: Journeys, region: Int32s) -> Codes:
    """Mark callers that nobody saw: 1, or 2 where all that they called is one service."""
    forest = journeys.forest
    marks = np.zeros(forest.count, np.uint8)
    if forest.unseen_from == forest.count:
        return marks
    marks[forest.unseen_from :] = 2
    under = np.flatnonzero(forest.parent >= forest.unseen_from)
    lowest, highest = np.full(forest.count, np.iinfo(np.int32).max, np.int32), np.full(forest.count, -1, np.int32)
    np.minimum.at(lowest, region[under], journeys.party[under])
    np.maximum.at(highest, region[under], journeys.party[under])
    marks[(marks == 2) & (lowest != highest)] = 1
    return marks


def _lone_passes(forest: Forest, region: Int32s, top: Int32s) -> Mask:
    """Return which requests are nothing but the pass in which Next.js ran its middleware: part of a request elsewhere.

    Its router writes the response, or has the page handled, from another root (`stitch`).
    """
    alone = np.ones(forest.count, np.bool_)
    alone[region[region != np.arange(region.size, dtype=np.int32)]] = False
    serves = (forest.role[top] == REQUEST) & (forest.kind[top] == SERVER)
    lone: Mask = alone[top] & serves & (forest.extent[top] == HANDLER)
    return lone


def _kinds(journeys: Journeys, entry: Int32s, other: Mask, traits: Codes, by_middleware: Mask) -> Codes:
    """Say what kind each request is; a page framework's request is a page, rendered or not, unless a handler ran."""
    forest = journeys.forest
    rpc = forest.spans.gather("rpc_system", entry).is_not_null().to_numpy()
    framework = (forest.role[entry] == REQUEST) & (journeys.tier[entry] == RENDER)
    page = framework & (traits & entries.HANDLES == 0) & ~by_middleware
    kind = np.where(rpc, entries.RPC, entries.API)
    kind = np.where(page | (traits & entries.RENDERS != 0), entries.PAGE, kind)
    job = (forest.kind[entry] == CONSUMER) | (traits & (entries.CONSUMES | entries.IS_JOB) != 0)
    kind = np.where(job, entries.JOB, kind)
    return np.where(other, entries.OTHER, kind).astype(np.uint8)


def _entries(journeys: Journeys, top: Int32s) -> Int32s:
    """Return each request's entry span: its top, or the first span under a caller that nobody saw."""
    forest = journeys.forest
    entry = top.copy()
    unseen = np.flatnonzero(forest.parent >= forest.unseen_from)
    if unseen.size:
        ranked = unseen[np.lexsort((forest.span_id[unseen], forest.start[unseen]))][::-1]
        first = np.full(forest.count, -1, np.int32)
        first[forest.parent[ranked]] = ranked
        stood_in = top >= forest.unseen_from
        entry[stood_in] = first[top[stood_in]]
    return entry


def find_requests(journeys: Journeys) -> Requests:
    """Find every request, its entry and its horizons."""
    forest, times = journeys.forest, journeys.times
    region, other = entries.find_regions(forest.order, forest.parent, forest.kind, forest.role, forest.unseen_from)
    top = np.flatnonzero(region == np.arange(forest.count)).astype(np.int32)
    number_of = np.full(forest.count, NONE, np.int32)
    number_of[top] = np.arange(top.size, dtype=np.int32)
    unseen = _unseen_marks(journeys, region)
    answers = entries.find_responses(top, number_of, region, times.local_top, forest.parent, unseen, times.unawaited)
    traits = entries.find_traits(answers, top, forest.kind, forest.role, journeys.tier)
    last = entries.last_ends(number_of, region, top, times.unawaited, times.lifted)
    measured = horizons.measure(journeys, top, answers, last, other, unseen, traits)
    entry = _entries(journeys, top)
    naming = entries.find_naming(answers, top, forest.kind, forest.role, times.start, times.lifted)
    behind = entries.RENDERS | entries.HANDLES
    by_middleware = (traits & entries.GUARDS != 0) & (traits & behind == 0) & (naming < 0)
    return Requests(
        top=top,
        entry=entry,
        number_of=number_of[region],
        kind=_kinds(journeys, entry, (other[top] == 1) | _lone_passes(forest, region, top), traits, by_middleware),
        start=times.start[top],
        shell=measured.shell,
        complete=measured.complete,
        shell_evidence=measured.shell_evidence,
        complete_evidence=measured.complete_evidence,
        naming=naming,
        by_middleware=by_middleware,
        mark=measured.mark,
    )


@dataclass(frozen=True, slots=True)
class Stretches:
    """What the walk found, per request and horizon the last stretch first (`path.walk_paths`)."""

    request: Int32s
    horizon: Codes
    span: Int32s
    low: Int64s
    high: Int64s
    call: Int32s
    clipped: Codes


def walk(journeys: Journeys, requests: Requests, how: Walk) -> Stretches:
    """Walk every known horizon of every request."""
    forest, times, calls = journeys.forest, journeys.times, journeys.calls
    in_call = (journeys.phase == 1) & (calls.context >= 0)
    holds = (times.unawaited == 0) & ~in_call
    if journeys.labels.given_up.any():
        holds &= ~(journeys.labels.given_up[calls.server_of] & (calls.server_of >= 0))
    holding = holds.astype(np.uint8)
    first, children = path.children_by_end(forest.parent, holding, times.start, times.lifted, forest.span_id)
    client = (calls.call_of >= 0) & (forest.kind != SERVER)
    came, by_came = times.lifted, children
    back = client & (forest.extent == HEADERS) & (times.end < times.lifted)
    if back.any():
        came = np.where(back, times.end, times.lifted)
        _, by_came = path.children_by_end(forest.parent, holding, times.start, came, forest.span_id)
    loose_wait = (journeys.phase == 1) & (forest.kind == CLIENT)
    is_call = np.where(client | loose_wait, 1, np.where(forest.remote == 1, 2, 0)).astype(np.uint8)
    inner = ((forest.remote == 0) & (is_call == 0)).astype(np.uint8)
    capacity = 4 * forest.count + 1024
    begin, parts = 0, [_none()]
    while begin < requests.count:
        found = path.walk_paths(
            begin,
            requests.top,
            requests.shell,
            requests.complete,
            requests.mark,
            forest.parent,
            first,
            children,
            times.start,
            times.lifted,
            forest.grain,
            is_call,
            (calls.server_of >= 0).astype(np.uint8),
            came,
            by_came,
            inner,
            forest.depth,
            how.strict,
            how.overlap,
            capacity,
        )
        begin, count = found[0], found[1]
        parts.append(Stretches(*(column[:count] for column in found[2:])))  # type: ignore[arg-type]  # one column each
        capacity = capacity if count else 2 * capacity
    return parts[-1] if len(parts) == 2 else _together(parts)


def _none() -> Stretches:
    some, long, marks = np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.uint8)
    return Stretches(some, marks, some, long, long, some, marks)


def _together(parts: list[Stretches]) -> Stretches:
    columns = ([getattr(part, field.name) for part in parts] for field in fields(Stretches))
    return Stretches(*(np.concatenate(column) for column in columns))


def _own_causes(journeys: Journeys) -> tuple[Codes, Codes, Int32s]:
    """Return cause, evidence and owner of every row's own time, where it is no call's."""
    forest, calls, seams = journeys.forest, journeys.calls, journeys.seams
    compute = words.code(words.CAUSES, "compute")
    cause = OWN_CAUSE[forest.role]
    loading = np.flatnonzero(forest.role == words.code(words.ROLES, "module_load"))
    brief = forest.end[loading] - forest.start[loading] < np.maximum(forest.grain[loading], 1)
    cause[loading[brief]] = compute
    dialling = np.flatnonzero(journeys.lent >= 0)
    dialling = dialling[journeys.dialling(dialling)]
    cause[dialling] = words.code(words.CAUSES, "setup")
    owner = journeys.party.copy()
    parties = len(journeys.parties.numbers)
    rows = np.flatnonzero(IS_ON_SEAM[cause])
    inbound = calls.server_of[journeys.times.local_top[rows]]
    within = np.where(calls.context[rows] >= 0, calls.context[rows], inbound)
    seam = np.where(within >= 0, seams.seam[np.maximum(within, 0)], NONE) if seams.seam.size else within
    seam = np.where(seams.loose[rows] >= 0, seams.loose[rows], seam)
    owner[rows] = np.where(seam >= 0, parties + seam, owner[rows])
    body = forest.role[rows] == words.code(words.ROLES, "body")
    cause[rows[body & (seam < 0)]] = compute
    evidence = np.ones(forest.count, np.uint8)
    evidence[dialling] = BOUNDED
    unseen = slice(forest.unseen_from, forest.count)
    cause[unseen] = words.code(words.CAUSES, "unobserved")
    evidence[unseen] = words.code(words.EVIDENCE, "bounded")
    return cause, evidence, owner


def _given_up(labels: Labels) -> tuple[Codes, Codes]:
    """Return causes and evidence of stretches of calls: what a server did for a given-up attempt was in vain."""
    if not labels.given_up.any():
        return labels.cause, labels.evidence
    inside = np.repeat(labels.given_up, np.diff(labels.firsts)) & (labels.cause == INSIDE)
    cause, evidence = np.where(inside, RETRY, labels.cause), np.where(inside, BOUNDED, labels.evidence)
    return cause.astype(np.uint8), evidence.astype(np.uint8)


def attribute(journeys: Journeys, requests: Requests, stretches: Stretches) -> Segments:
    """Give every stretch of the paths its owner and cause."""
    forest, times, calls, seams, labels = (
        journeys.forest,
        journeys.times,
        journeys.calls,
        journeys.seams,
        journeys.labels,
    )
    cause_of, evidence_of, owner_of = _own_causes(journeys)
    call_of = np.where(calls.headless[calls.call_of] == 1, -1, calls.call_of) if calls.count else calls.call_of
    call_of = np.where(calls.call_of < 0, -1, call_of).astype(np.int32)
    parties = len(journeys.parties.numbers)
    label_cause, label_evidence = _given_up(labels)
    own = journeys.own_time or NO_OWN_TIME
    capacity = 2 * stretches.request.size + 1024
    while True:
        found = owners.own_segments(
            stretches.request,
            stretches.horizon,
            stretches.span,
            stretches.low,
            stretches.high,
            stretches.call,
            stretches.clipped,
            times.end,
            times.cover,
            call_of,
            cause_of,
            evidence_of,
            owner_of,
            journeys.party[requests.entry],
            forest.span_id,
            requests.start,
            seams.caller,
            seams.callee,
            (seams.seam + parties).astype(np.int32),
            labels.firsts,
            labels.low,
            labels.high,
            label_cause,
            label_evidence,
            own.of,
            own.offsets,
            own.low,
            own.high,
            own.cause,
            own.seam,
            parties,
            capacity,
        )
        if found[0] <= capacity:
            return Segments(*(column[: found[0]] for column in found[1:]))  # type: ignore[arg-type]  # one column each
        capacity = found[0]
