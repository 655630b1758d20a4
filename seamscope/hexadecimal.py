"""Ids in both forms: integers as the store keeps them, lower-case hex as people see them."""

from __future__ import annotations

LOW_64_BITS = (1 << 64) - 1


def trace_hex(high: int, low: int) -> str:
    """Give a trace id's 32 hex digits."""
    return f"{high:016x}{low:016x}"


def span_hex(span_id: int | None) -> str | None:
    """Give a span id's 16 hex digits; None for 0, which means 'none'."""
    return f"{span_id:016x}" if span_id else None


def request_id(high: int, low: int, entry_span_id: int) -> str:
    """Give `<trace id>-<entry span id>`."""
    return f"{high:016x}{low:016x}-{entry_span_id:016x}"


def halves(trace_id: str) -> tuple[int, int]:
    """Give the two integers of a trace id in hex."""
    number = int(trace_id, 16)
    return number >> 64, number & LOW_64_BITS
