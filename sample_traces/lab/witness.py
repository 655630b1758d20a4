"""Witness lines: what the second instrument measured. One JSON object per line, written by apps and instruments.

    {"request_id": "…", "call": "…", "owner": "origin:orders", "cause": "pool_wait", "start_ns": 1, "end_ns": 2,
     "source": "a timer around Acquire", "awaited": true}

- `start_ns`, `end_ns`: CLOCK_MONOTONIC (Python `time.monotonic_ns()`, Node `process.hrtime.bigint()`, Go
  `unix.ClockGettime`), so that lines of all programs of one machine and the stopwatch share one clock.
- `request_id`: the `x-request-id` that the driver sent. An empty one is a line about an instrument, not a request.
- `cause`: a cause of contract §3 (a leaf: a time in which nothing else that has a line happens), or one of
  `call` (a call from `owner`, made within the call `parent`: while it runs, lines of its own `call` id count),
  `sent` (start = end: the caller's socket took the request to `owner`),
  `handler` (the callee `owner` had the request in its handler),
  `injected` (an instrument did this; not a request's time, but the proof that it happened).
- `call`: which call the line belongs to; empty: the request itself. Apps pass it on as header `x-lab-call`.
- `awaited`: false where nobody waits for it (default true).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

STRUCTURE = frozenset({"call", "sent", "handler", "injected"})


@dataclass(frozen=True)
class Line:
    """One measured interval."""

    request_id: str
    owner: str
    cause: str
    start_ns: int
    end_ns: int
    source: str = ""
    call: str = ""
    parent: str = ""
    awaited: bool = True

    @property
    def ns(self) -> int:
        """Its length."""
        return self.end_ns - self.start_ns


def parse(text: str) -> Iterator[Line]:
    """Lines of one file; a line cut short by a killed program is left out."""
    for raw in text.splitlines():
        try:
            one = json.loads(raw)
        except json.JSONDecodeError:
            continue
        yield Line(
            request_id=one["request_id"],
            owner=one["owner"],
            cause=one["cause"],
            start_ns=int(one["start_ns"]),
            end_ns=int(one["end_ns"]),
            source=one.get("source", ""),
            call=one.get("call", ""),
            parent=one.get("parent", ""),
            awaited=one.get("awaited", True),
        )


def read(scene: Path) -> list[Line]:
    """All lines of a scene, in order of their start."""
    lines = [
        line for path in sorted(scene.glob("*.witness.ndjson")) for line in parse(path.read_text(errors="replace"))
    ]
    return sorted(lines, key=lambda line: (line.start_ns, line.end_ns))


def by_request(lines: Iterable[Line]) -> dict[str, list[Line]]:
    """Lines of each request id; those about instruments under the empty one.

    A line that knows its call and not its request (a tier that was not given the id) is its call's request's.
    """
    every = list(lines)
    known = {line.call: line.request_id for line in every if line.cause == "call" and line.request_id}
    found: dict[str, list[Line]] = {}
    for line in every:
        request_id = line.request_id or known.get(line.call, "")
        found.setdefault(request_id, []).append(line)
    return found
