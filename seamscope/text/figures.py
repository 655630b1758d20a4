"""Numbers of a result as people read them. Nothing here adds, averages or guesses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

UNKNOWN: Final = "–"
"""A number that is not known; never shown as 0."""

_UNITS: Final = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"))
_MINUTE: Final = 60_000_000_000
_HOUR: Final = 60 * _MINUTE


def duration(ns: int | None) -> str:
    """Give a duration in its natural unit, three figures or so: `144 ms`, `1.20 s`, `2 m 03 s`."""
    if ns is None:
        return UNKNOWN
    size, sign = abs(ns), "-" if ns < 0 else ""
    if size >= _HOUR:
        return f"{sign}{size // _HOUR} h {size % _HOUR // _MINUTE:02} m"
    if size >= _MINUTE:
        return f"{sign}{size // _MINUTE} m {size % _MINUTE // 1_000_000_000:02} s"
    for unit, name in _UNITS:
        if size >= unit:
            places = 2 if size < 10 * unit else 1 if size < 100 * unit else 0
            return f"{sign}{size / unit:.{places}f} {name}"
    return f"{sign}{size} ns"


def milliseconds(ns: int | None) -> str:
    """Give a time in milliseconds with three places."""
    return UNKNOWN if ns is None else f"{ns / 1_000_000:,.3f}"


def percent(part: int | None, whole: int | None) -> str:
    """Give a share in whole percents; what is there but small reads `<1 %`."""
    if not whole or part is None:
        return UNKNOWN
    share = 100 * part / whole
    if 0 < share < 1:
        return "<1 %"
    return ">99 %" if 99 < share < 100 else f"{share:.0f} %"


def count(number: int | None) -> str:
    """Give a count in groups of three."""
    return UNKNOWN if number is None else f"{number:,}".replace(",", " " if number >= 10_000 else "")


def plural(number: int, word: str, words: str | None = None) -> str:
    """Give `1 hop`, `3 hops`."""
    return f"{count(number)} {word if number == 1 else words or word + 's'}"


def when(ns: int) -> str:
    """Give a moment in UTC to the millisecond: `2026-11-20 10:00:00.123Z`."""
    moment = datetime.fromtimestamp(ns // 1_000_000_000, tz=UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{ns % 1_000_000_000 // 1_000_000:03}Z"
