"""The log records of a request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogLine:
    """A log record of a request."""

    at_ns: int
    """Absolute, as sent; when it was observed, or else received, where its own time is not."""
    offset_ns: int
    """From the request's start; the clock is its sender's."""
    level: str
    """`trace debug info warn error fatal`, else the sender's own word, else nothing."""
    service: str | None
    body: str
    left_out_characters: int
    """Of the body."""
    event_name: str | None
    trace_id: str | None
    span_id: str | None
    correlation_id: str | None
    scope: str | None
    attributes: tuple[tuple[str, str], ...]
    joined_by: str
    """`trace_context`, or `request_id` and `platform_id`: it carries an id of the request, and no trace of it."""


@dataclass(frozen=True, slots=True)
class RequestLogs:
    """The log records of a request in time order: the first of them, and how many there are."""

    lines: tuple[LogLine, ...] = ()
    total: int = 0
