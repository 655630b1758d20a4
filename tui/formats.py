"""Numbers of a result as people read them: the house's own figures, and times of day."""

from __future__ import annotations

from datetime import UTC, datetime

from seamscope.text.figures import UNKNOWN, count, duration, milliseconds, percent, plural

__all__ = ["UNKNOWN", "clock", "count", "date", "duration", "milliseconds", "offset", "percent", "plural"]


def clock(ns: int, places: int = 3) -> str:
    """Give a time of day in UTC with `places` decimals (0 to 9), cut, not rounded."""
    moment = datetime.fromtimestamp(ns // 1_000_000_000, tz=UTC)
    text = moment.strftime("%H:%M:%S")
    return f"{text}.{ns % 1_000_000_000:09}"[: len(text) + 1 + places] if places else text


def date(ns: int) -> str:
    """Give the day, in UTC."""
    return datetime.fromtimestamp(ns // 1_000_000_000, tz=UTC).strftime("%Y-%m-%d")


def offset(ns: int) -> str:
    """Give a time counted from another: `+11.5 ms`, `-3.00 ms`."""
    return duration(ns) if ns < 0 else f"+{duration(ns)}"
