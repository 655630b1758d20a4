"""What the instruments of pools and servers said of the waits of a request, and of those behind a finding.

They are evidence beside the attribution, not part of it: whatever they say, the segments stay. Where it is not sure
whose pool it is (several, or several processes, and nothing that tells them apart), nothing is said.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from seamscope.reading.testimony import REACH_NS, Point, Wait, said
from seamscope.results import Testimony
from seamscope.schema.words import TIERS
from seamscope.statements import statement
from seamscope.text.figures import when

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from seamscope.results import Finding, Hop, RequestRow, Segment
    from seamscope.store import Reader

MOST_WAITS: Final = 8
"""Longest waits of a request that are looked up."""
MOST_SAID: Final = 3
"""Instruments that are heard about one wait."""
MOST_POINTS: Final = 20_000
LEAST_NS: Final = 1_000_000
MOST_FINDINGS: Final = 20

_SEAM: Final = re.compile(rf"^[^:]*:(?P<caller>.*)→(?P<tier>{'|'.join(TIERS)}):(?P<callee>.*)$")
_RULES: Final = {"pool_exhausted": "pool_wait", "server_backlog": "server_queue"}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A wait of a call, and whose instruments saw it."""

    hop: Hop
    cause: str
    service: str
    instance: str | None
    subjects: tuple[str, ...]
    names: tuple[str, ...]
    """What the pool's peer may be called."""
    wait: Wait


_Pool = tuple[str, str | None, str | None]
"""(instance, pool's name, peer)."""


def testimonies(
    reader: Reader, row: RequestRow, hops: Sequence[Hop], segments: Mapping[str, Sequence[Segment]]
) -> tuple[Testimony, ...]:
    """Give what instruments said of a request's longest waits for a pool or in a server's queue."""
    path = segments.get("complete") or segments.get("shell") or ()
    waits = sorted((each for hop in hops for each in _asked(hop, path, row.start_ns)), key=lambda each: -each.wait.ns)
    asked = waits[:MOST_WAITS]
    if not asked:
        return ()
    params = {
        "services": sorted({each.service for each in asked}),
        "since_ns": min(each.wait.begin_ns for each in asked) - REACH_NS,
        "until_ns": max(each.wait.end_ns for each in asked) + REACH_NS,
        "at_ns": row.start_ns,
        "most": MOST_POINTS,
    }
    rows = reader.query(statement("request/instruments"), params).to_dicts()
    return tuple(told for each in asked for told in _testimonies(each, rows))


def _asked(hop: Hop, path: Iterable[Segment], start_ns: int) -> Iterator[_Asked]:
    seam = _SEAM.match(hop.seam)
    if seam is None:
        return
    pool, queue = hop.phases.get("pool_wait") or 0, hop.phases.get("server_queue") or 0
    if pool >= LEAST_NS:
        subject = "db_pool" if seam["tier"] == "data" else "http_pool"
        names = tuple(name for name in (hop.peer, _database(seam["callee"])) if name)
        wait = _wait("pool_wait", pool, hop, path, start_ns)
        yield _Asked(hop, "pool_wait", seam["caller"], hop.caller_instance, (subject,), names, wait)
    if queue >= LEAST_NS:
        wait = _wait("server_queue", queue, hop, path, start_ns)
        yield _Asked(hop, "server_queue", seam["callee"], hop.callee_instance, ("server", "runtime"), (), wait)


def _wait(cause: str, ns: int, hop: Hop, path: Iterable[Segment], start_ns: int) -> Wait:
    """Place a wait: exactly where the path shows all of it, else somewhere in its call or just before it."""
    begin, end = hop.start_ns - ns, hop.start_ns + hop.duration_ns
    shown = [s for s in path if s.cause == cause and begin <= s.start_ns and s.end_ns <= end]
    whose = "calls" if cause == "pool_wait" else "requests"
    if sum(s.end_ns - s.start_ns for s in shown) == ns:
        return Wait(ns, start_ns + shown[0].start_ns, start_ns + shown[-1].end_ns, exact=len(shown) == 1, whose=whose)
    return Wait(ns, start_ns + begin, start_ns + end, exact=False, whose=whose)


def _testimonies(asked: _Asked, rows: Sequence[Mapping[str, Any]]) -> Iterator[Testimony]:
    pools: dict[_Pool, list[Point]] = defaultdict(list)
    for row in rows:
        if row["service"] == asked.service and row["subject"] in asked.subjects:
            pools[_pool_of(row)].append(_point(row))
    chosen = _chosen(list(pools), asked.instance, asked.names)
    found = [each for pool in chosen for each in said(pools[pool], asked.wait)]
    for each in found[:MOST_SAID]:
        yield Testimony(
            client_span_id=asked.hop.client_span_id,
            seam=asked.hop.seam,
            operation=asked.hop.operation,
            cause=asked.cause,
            ns=asked.wait.ns,
            verdict=each.verdict,
            instrument=each.instrument,
            pool=chosen[0][1],
            at_ns=each.at_ns,
            sentence=each.sentence,
        )


def _pool_of(row: Mapping[str, Any]) -> _Pool:
    """Tell pools apart; a server's and a runtime's instruments are the process's, whatever else they name."""
    if row["subject"] in {"server", "runtime"}:
        return row["instance"] or "", None, None
    return row["instance"] or "", row["pool"], row["peer"]


def _point(row: Mapping[str, Any]) -> Point:
    names = ("instrument", "measure", "state", "started_ns", "time_ns", "value", "count", "sum")
    return Point(**{name: row[name] for name in names}, cumulative=bool(row["cumulative"]))


def _chosen(pools: Sequence[_Pool], instance: str | None, names: Sequence[str]) -> list[_Pool]:
    """Give the one pool that is meant; none where it could be several."""
    own = [pool for pool in pools if instance is not None and pool[0] == instance] or list(pools)
    if len(own) > 1:
        own = [pool for pool in own if _named(pool, names)]
    return own if len(own) == 1 else []


def _named(pool: _Pool, names: Sequence[str]) -> bool:
    _, name, peer = pool
    return any(known == peer or known in re.split(r"[^\w.-]+", name or "") for known in names)


def _database(callee: str) -> str:
    """Give what of a callee's name a pool may bear: of `postgres/app`, the database."""
    return callee.partition("/")[2] or callee


def with_proof(reader: Reader, findings: Sequence[Finding]) -> list[Finding]:
    """Give findings about waits with what the instruments said over the time of their requests."""
    seen = [finding.finding_id for finding in findings if finding.rule in _RULES][:MOST_FINDINGS]
    return [
        replace(finding, instruments=tuple(_over_time(reader, finding))) if finding.finding_id in seen else finding
        for finding in findings
    ]


def _over_time(reader: Reader, finding: Finding) -> Iterator[str]:
    seam = _SEAM.match(finding.seam or "")
    if seam is None:
        return
    is_pool = _RULES[finding.rule] == "pool_wait"
    subject = "server" if not is_pool else "db_pool" if seam["tier"] == "data" else "http_pool"
    params = {
        "service": seam["caller"] if is_pool else seam["callee"],
        "subject": subject,
        "since_ns": finding.since_ns,
        "until_ns": finding.until_ns + REACH_NS // 2,
    }
    rows = reader.query(statement("finding/instruments"), params).to_dicts()
    pools = sorted({(row["pool"], row["peer"]) for row in rows}, key=str)
    if len(pools) > 1 and is_pool:
        named = [pool for pool in pools if _named(("", *pool), (_database(seam["callee"]),))]
        rows = [row for row in rows if len(named) == 1 and (row["pool"], row["peer"]) == named[0]]
    yield from (_sentence(row) for row in rows)


def _sentence(row: Mapping[str, Any]) -> str:
    if not row["most_waiting"]:
        return f"contradicted: {row['instrument']} said nobody waiting in all {row['samples']} samples of that time"
    part = f"above 0 in {row['above']} of {row['samples']} samples"
    return f"{row['instrument']} said {row['most_waiting']:.0f} waiting at {when(row['at_ns'])}, {part}"
