"""Numbers of a result as people read them. Nothing here adds, averages or guesses."""

from __future__ import annotations

from datetime import datetime
from typing import Final

UNKNOWN: Final = "–"
"""A number that is not known; never shown as 0."""

_UNITS: Final = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"))
_MINUTE: Final = 60_000_000_000
_HOUR: Final = 60 * _MINUTE


def duration(ns: int | None) -> str:
    """Give a duration in its natural unit with three figures or so: `144 ms`, `1.20 s`, `2 m 03 s`."""
    if ns is None:
        return UNKNOWN
    size = abs(ns)
    sign = "-" if ns < 0 else ""
    if size >= _MINUTE:
        return sign + _long(size)
    for unit, name in _UNITS:
        if size >= unit:
            return f"{sign}{_figures(size, unit)} {name}"
    return f"{sign}{size} ns"


def _long(size: int) -> str:
    if size >= _HOUR:
        return f"{size // _HOUR} h {size % _HOUR // _MINUTE:02} m"
    return f"{size // _MINUTE} m {size % _MINUTE // 1_000_000_000:02} s"


def _figures(size: int, unit: int) -> str:
    places = 2 if size < 10 * unit else 1 if size < 100 * unit else 0
    return f"{size / unit:.{places}f}"


def milliseconds(ns: int | None) -> str:
    """Give a time in milliseconds with three places, as tables of segments need to add up by eye."""
    return UNKNOWN if ns is None else f"{ns / 1_000_000:,.3f}"


def percent(part: int, whole: int | None) -> str:
    """Give a share as whole percents; what is there but small reads `<1 %`."""
    if not whole:
        return UNKNOWN
    share = 100 * part / whole
    if 0 < share < 1:
        return "<1 %"
    if 99 < share < 100:
        return ">99 %"
    return f"{share:.0f} %"


def count(number: int | None) -> str:
    """Give a count with thin groups of three."""
    return UNKNOWN if number is None else f"{number:,}".replace(",", " ")


def clock(ns: int, places: int = 3) -> str:
    """Give a time of day in this machine's zone, with `places` decimals (0 to 6) cut, not rounded."""
    moment = datetime.fromtimestamp(ns // 1_000_000_000).astimezone()
    text = moment.strftime("%H:%M:%S")
    return f"{text}.{ns % 1_000_000_000:09}"[: len(text) + 1 + places] if places else text


def date(ns: int) -> str:
    """Give the day and the zone: `2025-11-20 UTC`."""
    moment = datetime.fromtimestamp(ns // 1_000_000_000).astimezone()
    return moment.strftime("%Y-%m-%d %Z").strip()


def plural(number: int, word: str) -> str:
    """Give `1 hop`, `3 hops`."""
    return f"{count(number)} {word}" if number == 1 else f"{count(number)} {word}s"
