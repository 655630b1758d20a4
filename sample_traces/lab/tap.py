"""The tap: transforms of recorded bodies whose effect is known exactly, as if a host's clock or an exporter were bad.

Each is a function from bodies to bodies; those named by a scenario are applied in order, before truth looks at a span.
Clocks are shifted here because libfaketime cannot reach Go; the shift is exact, and nothing else changes.
"""

from __future__ import annotations

import copy
import hashlib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, TypeAlias

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otlp import service_of

Bodies: TypeAlias = Sequence[ExportTraceServiceRequest]
Tap: TypeAlias = Callable[[Bodies], list[ExportTraceServiceRequest]]
Choice: TypeAlias = Callable[[Any], bool]
SERVER, CLIENT, CONSUMER = 2, 3, 5


def _of_service(bodies: Bodies, services: Collection[str]) -> Iterator[Any]:
    """Scope-spans of these services."""
    for body in bodies:
        for resource_spans in body.resource_spans:
            if service_of(resource_spans.resource.attributes) in services:
                yield from resource_spans.scope_spans


def _copied(bodies: Bodies) -> list[ExportTraceServiceRequest]:
    return [copy.deepcopy(body) for body in bodies]


def _retimed(bodies: Bodies, services: Collection[str], clock: Callable[[int], int]) -> list[ExportTraceServiceRequest]:
    own = _copied(bodies)
    for scope_spans in _of_service(own, services):
        for span in scope_spans.spans:
            span.start_time_unix_nano = clock(span.start_time_unix_nano)
            span.end_time_unix_nano = clock(span.end_time_unix_nano)
            for event in span.events:
                event.time_unix_nano = clock(event.time_unix_nano)
    return own


def shift_clock(*services: str, by_ms: float) -> Tap:
    """The clock of the host of these services is ahead by so much (behind, if negative)."""
    return lambda bodies: _retimed(bodies, services, lambda ns: ns + int(by_ms * 1e6))


def drift_clock(*services: str, ppm: float, from_ms: float = 0.0) -> Tap:
    """That clock is `from_ms` ahead at the first span of the recording and gains `ppm` microseconds a second."""

    def apply(bodies: Bodies) -> list[ExportTraceServiceRequest]:
        first = min((span.start_time_unix_nano for span in all_spans(bodies)), default=0)
        return _retimed(bodies, services, lambda ns: ns + int(from_ms * 1e6) + int((ns - first) * ppm / 1e6))

    return apply


def freeze_clock(*services: str) -> Tap:
    """That clock stands still between I/O, as a Worker's does: it moves where a request comes in or a call comes back.

    What is computed takes no time by it, and a call seems to begin when the one before it came back.
    """

    def apply(bodies: Bodies) -> list[ExportTraceServiceRequest]:
        own = _copied(bodies)
        moves: dict[bytes, list[int]] = defaultdict(list)
        for scope_spans in _of_service(own, services):
            for span in scope_spans.spans:
                moves[span.trace_id] += [span.end_time_unix_nano] if span.kind == CLIENT else []
                moves[span.trace_id] += [span.start_time_unix_nano] if not span.parent_span_id else []
        for scope_spans in _of_service(own, services):
            for span in scope_spans.spans:
                _stand_still(span, sorted(moves[span.trace_id]))
        return own

    return apply


def _stand_still(span: Any, moves: Sequence[int]) -> None:
    """Each of its times becomes the last move of the clock before it; one before all of them stays."""

    def shown(ns: int) -> int:
        at = bisect_right(moves, ns)
        return moves[at - 1] if at else ns

    span.start_time_unix_nano = shown(span.start_time_unix_nano)
    span.end_time_unix_nano = shown(span.end_time_unix_nano)
    for event in span.events:
        event.time_unix_nano = shown(event.time_unix_nano)


def drop_spans(*services: str, chosen: Choice) -> Tap:
    """Spans of these services for which `chosen(span)` holds never arrive."""

    def apply(bodies: Bodies) -> list[ExportTraceServiceRequest]:
        own = _copied(bodies)
        for scope_spans in _of_service(own, services):
            kept = [span for span in scope_spans.spans if not chosen(span)]
            del scope_spans.spans[:]
            scope_spans.spans.extend(kept)
        return _without_empty(own)

    return apply


def sample(*services: str, share: float, salt: int = 0) -> Tap:
    """These services keep only this share of traces, chosen by trace id: with another salt, other traces."""
    return drop_spans(*services, chosen=lambda span: not keeps(span.trace_id, share, salt))


def keeps(trace_id: bytes, share: float, salt: int = 0) -> bool:
    """Whether a sampler of this share and salt keeps a trace."""
    digest = hashlib.sha256(salt.to_bytes(4, "big") + trace_id).digest()
    return int.from_bytes(digest[:4], "big") < share * 2**32


def late(*services: str, chosen: Choice = lambda _: True) -> Tap:
    """Spans of these services arrive after everything else: as bodies of their own at the end of the recording."""

    def apply(bodies: Bodies) -> list[ExportTraceServiceRequest]:
        rest = drop_spans(*services, chosen=chosen)(bodies)
        tail = []
        for body in drop_spans(*services, chosen=lambda span: not chosen(span))(bodies):
            own = [one for one in body.resource_spans if service_of(one.resource.attributes) in services]
            if own:
                tail.append(ExportTraceServiceRequest(resource_spans=own))
        return rest + tail

    return apply


def all_spans(bodies: Bodies) -> Iterator[Any]:
    """Every span message."""
    for body in bodies:
        for resource_spans in body.resource_spans:
            for scope_spans in resource_spans.scope_spans:
                yield from scope_spans.spans


def _without_empty(bodies: Bodies) -> list[ExportTraceServiceRequest]:
    for body in bodies:
        for resource_spans in body.resource_spans:
            full = [one for one in resource_spans.scope_spans if one.spans]
            del resource_spans.scope_spans[:]
            resource_spans.scope_spans.extend(full)
        kept = [one for one in body.resource_spans if one.scope_spans]
        del body.resource_spans[:]
        body.resource_spans.extend(kept)
    return [body for body in bodies if body.resource_spans]
