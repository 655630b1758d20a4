"""The answers beside a recording (contract §8), from witness lines and the stopwatch; never from spans.

A request's awaited path is walked over its `call` lines, back from the horizon: of the calls that had ended by then
the last to end was waited for, then the last that had ended when that one began, and so on. Lines inside calls that
nobody waited for do not count. What remains of a handler when everything that was measured inside it is taken away is
its own `compute`; what lies between the caller's socket and the handler is the callee's `server_queue`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from deserved import LEG_LIMIT_NS, Asked, deserved
from intervals import Interval, length, minus, union, within
from savings import savings
from scenario import Fault, Found, Knobs, Scenario
from stopwatch import Timed
from witness import STRUCTURE, Line

_SMALLEST_NS = 500_000
_STREAMED_NS = 2_000_000
HORIZONS = ("shell", "complete")
_NOT_IN_HEALTH = ("retry_storm", "broken_context", "request_id_lost", "pool_exhausted", "server_backlog")


@dataclass(frozen=True)
class Measured:
    """Time of one owner and cause on a request's awaited path."""

    owner: str
    cause: str
    ns: int
    source: str


def last_entries(expected: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One entry of each request in an `expected.json`: that of its last horizon."""
    return list({one["request"]: one for one in sorted(expected["requests"], key=_how_late)}.values())


def _how_late(entry: Mapping[str, Any]) -> int:
    return HORIZONS.index(entry["horizon"])


def awaited_calls(lines: Iterable[Line], end_ns: int, parent: str = "") -> list[Line]:
    """The calls that were waited for until `end_ns`, latest first, and those within them."""
    calls = [line for line in lines if line.cause == "call"]
    chosen: list[Line] = []
    until = end_ns
    while True:
        ended = [one for one in calls if one.parent == parent and one.awaited and one.end_ns <= until and one.ns > 0]
        if not ended:
            break
        last = max(ended, key=lambda one: (one.end_ns, one.ns))
        chosen += [last, *awaited_calls(calls, last.end_ns, last.call)]
        until = last.start_ns
    return chosen


def _leaves(lines: Sequence[Line], calls: Mapping[str, Line]) -> list[Line]:
    """Leaf lines of the request itself and of awaited calls, each within its call; a retry's time is nobody else's."""
    inside = []
    for line in lines:
        call = calls.get(line.call)
        if line.cause in STRUCTURE or not line.awaited or (call is None and line.call):
            continue
        start, end = (line.start_ns, line.end_ns) if call is None else _overlap(line, call)
        if start < end:
            inside.append(replace(line, start_ns=start, end_ns=end))
    retries = [(line.start_ns, line.end_ns) for line in inside if line.cause == "retry"]
    rest = [line for line in inside if line.cause != "retry"]
    cut = [
        replace(line, start_ns=s, end_ns=e) for line in rest for s, e in minus([(line.start_ns, line.end_ns)], retries)
    ]
    return cut + [line for line in inside if line.cause == "retry"]


def _overlap(line: Line, call: Line) -> Interval:
    return max(line.start_ns, call.start_ns), min(line.end_ns, call.end_ns)


def _handlers(lines: Sequence[Line], calls: Mapping[str, Line]) -> list[Line]:
    return [line for line in lines if line.cause == "handler" and (not line.call or line.call in calls)]


def _queued(lines: Sequence[Line], handlers: Sequence[Line]) -> list[Line]:
    """From the caller's socket to the callee's handler: each `sent` with the first handler after it."""
    found = []
    for handler in handlers:
        same = [one for one in lines if one.cause == "sent" and (one.owner, one.call) == (handler.owner, handler.call)]
        before = [one.end_ns for one in same if one.end_ns <= handler.start_ns]
        if before:
            source = "caller's socket to handler"
            found.append(
                replace(handler, cause="server_queue", start_ns=max(before), end_ns=handler.start_ns, source=source)
            )
    return found


def _computed(handlers: Sequence[Line], queued: Sequence[Line], leaves: Sequence[Line]) -> list[Line]:
    """Handlers' own time: without what was measured inside, and without handlers inside with their queues."""
    found = []
    for own in handlers:
        inner = [
            one for one in handlers if one is not own and own.start_ns <= one.start_ns and one.end_ns <= own.end_ns
        ]
        inner += [one for one in queued if own.start_ns <= one.start_ns and one.end_ns <= own.end_ns]
        cut = [(one.start_ns, one.end_ns) for one in [*inner, *leaves]]
        for start, end in minus([(own.start_ns, own.end_ns)], cut):
            source = "rest of the handler"
            found.append(replace(own, cause="compute", start_ns=start, end_ns=end, source=source))
    return found


def measured(lines: Sequence[Line], start_ns: int, end_ns: int) -> list[Measured]:
    """What the second instrument measured on the awaited path between two moments, largest first.

    Args:
        lines: all lines of one request.
        start_ns, end_ns: the request's horizon on the monotonic clock.
    """
    calls = {one.call: one for one in awaited_calls(lines, end_ns)}
    leaves, handlers = _leaves(lines, calls), _handlers(lines, calls)
    taken = [(one.start_ns, one.end_ns) for one in leaves]
    queued = [
        replace(one, start_ns=s, end_ns=e)
        for one in _queued(lines, handlers)
        for s, e in minus([(one.start_ns, one.end_ns)], taken)
    ]
    times: dict[tuple[str, str], list[Interval]] = defaultdict(list)
    sources: dict[tuple[str, str], str] = {}
    for one in [*leaves, *queued, *_computed(handlers, queued, leaves)]:
        times[one.owner, one.cause].append((one.start_ns, one.end_ns))
        sources.setdefault((one.owner, one.cause), one.source)
    sums = [
        Measured(owner, cause, length(within(parts, start_ns, end_ns)), sources[owner, cause])
        for (owner, cause), parts in times.items()
    ]
    return sorted((one for one in sums if one.ns >= _SMALLEST_NS), key=lambda one: -one.ns)


def long_legs(lines: Sequence[Line], end_ns: int) -> list[Measured]:
    """Time of awaited calls outside their handlers and outside all that was measured, where it passes the limit."""
    found = []
    leaves = [(one.start_ns, one.end_ns) for one in lines if one.cause not in STRUCTURE]
    for call in awaited_calls(lines, end_ns):
        handlers = [one for one in lines if one.cause == "handler" and one.call == call.call]
        inside = [(one.start_ns, one.end_ns) for one in handlers]
        left = length(minus([(call.start_ns, call.end_ns)], union([*inside, *leaves]))) if inside else 0
        if left > LEG_LIMIT_NS:
            seam = f"{call.owner}→{min(handlers, key=lambda one: one.start_ns).owner}"
            found.append(Measured(seam, "unexplained", left, "the call's timer without the handler's: both legs"))
    return found


def filled(text: str, knobs: Knobs) -> str:
    """An owner with the seed's names in it."""
    return text.format(**knobs["names"])


def judged(
    sums: Sequence[Measured], horizon_ns: int, fault: Fault | None, knobs: Knobs
) -> tuple[dict[str, str] | None, bool]:
    """The dominant answer or none, and whether the fault is a tenth of the horizon."""
    if fault is None:
        return None, False
    owner = filled(fault.owner, knobs)
    own = {one.cause: one.ns for one in sums if one.owner == owner and one.cause in {fault.cause, *fault.with_causes}}
    lead = max(own, key=lambda cause: own[cause], default=fault.cause)
    injected = own.get(lead, 0)
    others = max((one.ns for one in sums if (one.owner, one.cause) != (owner, lead)), default=0)
    leads = injected > 0 and injected * 2 >= horizon_ns and injected >= 2 * others
    return ({"owner": owner, "cause": lead} if leads else None), sum(own.values()) * 10 >= horizon_ns and bool(own)


def dominant(sums: Sequence[Measured], horizon_ns: int, scenario: Scenario, knobs: Knobs) -> dict[str, str] | None:
    """The answer of the first fault that leads, if any does."""
    verdicts = [judged(sums, horizon_ns, fault, knobs)[0] for fault in scenario.faults]
    return next((verdict for verdict in verdicts if verdict), None)


def recast(sums: Sequence[Measured], fault: Fault | None, found: Found, knobs: Knobs) -> list[Measured]:
    """The sums with the fault's own owner and cause, where a tap took from the spans what would name another."""
    if fault is None or not fault.recast or not fault.recast_when(found):
        return list(sums)
    pairs = [(filled(owner, knobs), cause) for owner, cause in fault.recast]
    together: dict[tuple[str, str], int] = defaultdict(int)
    sources: dict[tuple[str, str], str] = {}
    for one in sums:
        covered = any(owner in {"*", one.owner} and cause in {"*", one.cause} for owner, cause in pairs)
        key = (filled(fault.owner, knobs), fault.cause) if covered else (one.owner, one.cause)
        together[key] += one.ns
        sources.setdefault(key, one.source)
    return sorted((Measured(*key, ns, sources[key]) for key, ns in together.items()), key=lambda one: -one.ns)


def answers(
    timed: Timed, lines: Sequence[Line], found: Found, scenario: Scenario, knobs: Knobs, often: float = 1.0
) -> list[dict[str, Any]]:
    """The entries of one request: one per horizon, or the scenario's alone where the first byte came with the last.

    `often` is how often each address of its kind is asked for in the recording.
    """
    streamed = timed.last_byte_ns - timed.first_byte_ns
    apart = streamed > _STREAMED_NS and streamed * 20 > timed.last_byte_ns
    horizons = HORIZONS if apart else (scenario.horizon,)
    return [_answer(timed, lines, found, scenario, knobs, often, one) for one in horizons]


def _answer(
    timed: Timed, lines: Sequence[Line], found: Found, scenario: Scenario, knobs: Knobs, often: float, horizon: str
) -> dict[str, Any]:
    faults = scenario.faults
    ns = timed.first_byte_ns if horizon == "shell" else timed.last_byte_ns
    end = timed.written_ns + ns
    sums = measured(lines, timed.written_ns, end)
    for fault in faults:
        sums = recast(sums, fault, found, knobs)
    if scenario.control is None:
        sums = sums + long_legs(lines, end)
    return {
        "key": f"{timed.planned.key}/{horizon}",
        "request": timed.planned.key,
        "trace_ids": list(found.trace_ids),
        "entry": {"service": found.service, "span_id": found.span_id},
        "horizon": horizon,
        "shell_ns": timed.first_byte_ns,
        "complete_ns": timed.last_byte_ns,
        "measured": [asdict(one) for one in sums],
        "dominant": dominant(sums, ns, scenario, knobs),
        **findings(scenario, timed.planned.kind, knobs, sums, ns, often),
    }


def findings(
    scenario: Scenario, kind: str, knobs: Knobs, sums: Sequence[Measured], ns: int, often: float
) -> dict[str, list[str]]:
    """What should be found on one request, what may be, and what must not: part of its entry."""
    asked = Asked(scenario.system, kind, scenario.variant, knobs, sums, ns, often)
    touched = {fault for fault in scenario.faults if judged(sums, ns, fault, knobs)[1]}
    expected, possible = deserved(asked, scenario.faults, touched)
    return {
        "findings": sorted(expected),
        "possible_findings": sorted(possible),
        "not_findings": [one for one in _not_findings(scenario.faults) if one not in expected | possible],
    }


def _not_findings(faults: Sequence[Fault]) -> list[str]:
    """What must not be found: what each fault forbids and none makes; of health, what health has none of."""
    makes = {rule for fault in faults for rule in (*fault.findings, *fault.always)}
    forbidden = dict.fromkeys(rule for fault in faults for rule in fault.not_findings)
    return [rule for rule in forbidden if rule not in makes] if faults else [*_NOT_IN_HEALTH]


def asked_often(requests: Iterable[tuple[str, str]]) -> dict[str, float]:
    """How often each address of a kind is asked for, on average, from the kinds and paths of all requests: by kind."""
    paths: dict[str, list[str]] = defaultdict(list)
    for kind, path in requests:
        paths[kind].append(path)
    return {kind: len(some) / len(set(some)) for kind, some in paths.items()}


def expected_json(
    scenario: Scenario,
    seed: int,
    knobs: Knobs,
    timed: Sequence[Timed],
    found: Mapping[str, Found],
    lines: Mapping[str, Sequence[Line]],
) -> dict[str, Any]:
    """The whole of `expected.json`. Requests that no span names (static pages) and failed ones have no entry."""
    known = [one for one in timed if one.planned.request_id in found and one.status]
    often = asked_often((one.planned.kind, one.planned.path) for one in timed)
    return {
        "schema": "seamscope.truth/1",
        "scenario": scenario.name,
        "system": scenario.system.upper(),
        "dialect": scenario.dialect,
        "fault": scenario.title,
        "variant": scenario.variant,
        "seed": seed,
        "control": scenario.control,
        "knobs": dict(knobs),
        "requests": [
            entry
            for one in known
            for entry in answers(
                one,
                lines.get(one.planned.request_id, ()),
                found[one.planned.request_id],
                scenario,
                knobs,
                often[one.planned.kind],
            )
        ],
    }


def with_savings(
    expected: Mapping[str, Any], scenario: Scenario, driver: Mapping[str, Any], control: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The document with what the stopwatch says of savings, before its requests; without the field where it cannot."""
    head = {name: value for name, value in expected.items() if name not in {"savings", "requests"}}
    told = savings(scenario.pairs, expected, driver, control)
    return {**head, **({"savings": told} if told else {}), "requests": expected["requests"]}


def driver_json(
    scenario: Scenario, seed: int, began_ns: int, timed: Sequence[Timed], found: Mapping[str, Found]
) -> dict[str, Any]:
    """The client's stopwatch: per request, nanoseconds from the moment before it was written."""
    return {
        "schema": "seamscope.driver/1",
        "scenario": scenario.name,
        "seed": seed,
        "began_unix_ns": began_ns,
        "requests": [_stopwatch(one, found.get(one.planned.request_id)) for one in timed],
    }


def _stopwatch(one: Timed, found: Found | None) -> dict[str, Any]:
    planned = one.planned
    return {
        "key": planned.key,
        "kind": planned.kind,
        "method": planned.method,
        "path": planned.path,
        "status": one.status,
        "request_id": planned.request_id,
        "trace_id": found.trace_ids[0] if found else None,
        "started_ns": one.started_ns,
        "first_byte_ns": one.first_byte_ns,
        "last_byte_ns": one.last_byte_ns,
        "bytes": one.bytes_received,
    }


def written(document: Mapping[str, Any], *, compact: bool = True) -> str:
    """A document as it is kept: one request per line, so that a difference can be read."""
    comma, colon = separators = (",", ":") if compact else (", ", ": ")
    rest = {key: value for key, value in document.items() if key != "requests"}
    head = json.dumps(rest, ensure_ascii=False, separators=separators)[:-1]
    lines = ",\n".join(json.dumps(one, ensure_ascii=False, separators=separators) for one in document["requests"])
    return f'{head}{comma}"requests"{colon}[\n{lines}\n]}}\n'
