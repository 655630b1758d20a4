"""What is written beside a recording: the client's stopwatch, and the answers that a second instrument measured."""

from __future__ import annotations

import json
import os
import platform
import re
import socket
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from otlp_bytes import Span
from scenarios import Scenario
from stopwatch import Timed

REQUEST_ID = "http.request.header.x-request-id"
_HOLDS_SHELL = {"/v1/me", "/v1/orders"}  # the calls of /dash that its first byte waits for; the third streams after it


class Leak(Exception):
    """The recording says something about the machine it was made on."""


def check_leaks(recording: bytes, work: Path) -> None:
    """Refuse a recording that names this machine, its user, or its folders.

    Raises:
        Leak: with what was found.
    """
    names = {
        socket.gethostname(),
        platform.node(),
        os.environ.get("USER", ""),
        str(work),
        str(Path.home()),
        os.getcwd(),
    }
    own = {name for name in names if len(name) > 3}
    folders = rb"/(?:work|root|home|Users|tmp|var|usr|opt|srv)/[\w.-]+"
    found = {name for name in own if name.encode() in recording} | {
        hit.decode() for hit in re.findall(folders, recording)
    }
    if found:
        raise Leak(f"the recording holds {sorted(found)}")


def traces_by_request(spans: Iterable[Span]) -> dict[str, Span]:
    """For each request id, the first span of the trace that carries it: the request's entry."""
    entries: dict[str, Span] = {}
    carried: dict[str, str] = {}
    for span in spans:
        if span.service == "edge-web" and not span.parent_id:
            entries[span.trace_id] = span
        if REQUEST_ID in span.text:
            carried.setdefault(span.text[REQUEST_ID], span.trace_id)
    return {request: entries[trace] for request, trace in carried.items() if trace in entries}


def driver_json(
    scenario: Scenario, seed: int, began_ns: int, timed: Sequence[Timed], entries: Mapping[str, Span]
) -> dict[str, Any]:
    """The client's stopwatch: per request, nanoseconds from the moment before it was written."""
    return {
        "schema": "seamscope.driver/1",
        "scenario": scenario.name,
        "seed": seed,
        "began_unix_ns": began_ns,
        "requests": [_stopwatch(one, entries.get(one.planned.request_id)) for one in timed],
    }


def _stopwatch(one: Timed, entry: Span | None) -> dict[str, Any]:
    planned = one.planned
    return {
        "key": planned.key,
        "method": planned.method,
        "path": planned.path,
        "status": one.status,
        "request_id": planned.request_id,
        "trace_id": entry.trace_id if entry else None,
        "started_ns": one.started_ns,
        "first_byte_ns": one.first_byte_ns,
        "last_byte_ns": one.last_byte_ns,
        "bytes": one.bytes_received,
    }


def _measured(notes: Path) -> dict[str, list[dict[str, Any]]]:
    by_request: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in notes.read_text().splitlines():
        note = json.loads(line)
        by_request[note["request_id"]].append(note)
    return by_request


_OWNERS = {
    "pool_wait": ("origin:orders", "a timer around the pool's Acquire"),
    "query": ("data:postgres/shop", "a timer around the statement, its connection in hand"),
    "connect": ("origin:orders→origin:pricing", "a timer around the dial"),
    "tls": ("origin:orders→origin:pricing", "the socket: from the hello's first byte to the flush of Finished"),
}


def _entry(one: Timed, notes: Sequence[Mapping[str, Any]], entry: Span, scenario: Scenario) -> dict[str, Any]:
    page = not one.planned.path.startswith("/api/")
    dash = one.planned.path == "/dash"
    sums: dict[str, int] = defaultdict(int)
    for note in notes:
        if not dash or note["path"] in _HOLDS_SHELL:
            sums[note["what"]] += note["ns"]
    measured = [
        {"owner": _OWNERS[what][0], "cause": what, "ns": ns, "source": _OWNERS[what][1]}
        for what, ns in sorted(sums.items())
    ]
    horizon = one.first_byte_ns if page else one.last_byte_ns
    fault = scenario.fault
    assert fault is not None
    injected = sums.get(fault.cause, 0)
    others = max((ns for what, ns in sums.items() if what != fault.cause), default=0)
    leads = injected * 2 >= horizon and injected >= 2 * others
    return {
        "key": one.planned.key,
        "trace_ids": [entry.trace_id],
        "entry": {"service": entry.service, "span_id": entry.span_id},
        "horizon": "shell" if page else "complete",
        "shell_ns": one.first_byte_ns,
        "complete_ns": one.last_byte_ns,
        "measured": measured,
        "dominant": {"owner": fault.owner, "cause": fault.cause} if leads else None,
        "findings": [fault.finding] if injected * 10 >= horizon else [],
        "not_findings": ["retry_storm", "broken_context", "request_id_lost"],
    }


def expected_json(
    scenario: Scenario, seed: int, timed: Sequence[Timed], entries: Mapping[str, Span], notes: Path
) -> dict[str, Any]:
    """The answers of a scenario whose cause a second instrument timed (contract: `seamscope.truth/1`)."""
    by_request = _measured(notes)
    known = [one for one in timed if one.planned.request_id in entries and by_request.get(one.planned.request_id)]
    return {
        "schema": "seamscope.truth/1",
        "scenario": scenario.name,
        "system": "next16-go",
        "variant": "phases",
        "seed": seed,
        "control": "next16-go-warm",
        "requests": [
            _entry(one, by_request[one.planned.request_id], entries[one.planned.request_id], scenario) for one in known
        ],
    }
