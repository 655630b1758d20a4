"""Reading typed values from attributes, whatever type the emitter sent them as.

A port comes as 443 or "443", a status as 200 or "200", a flag as true or "true", a duration as milliseconds of any
type or as Go writes it ("1.5ms"), a time as RFC 3339 or as a number of seconds, milliseconds, microseconds or
nanoseconds since 1970, told apart by magnitude (X-Request-Start has been seen in all four).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from seamscope.kernel import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collector.normalise.texts import I32, U8, Mask

    F64 = NDArray[np.float64]
    I64 = NDArray[np.int64]

BOOL: Final = 2
INT: Final = 3
DOUBLE: Final = 4

SECOND_NS: Final = 1_000_000_000
MILLISECOND_NS: Final = 1_000_000


@kernel
def _is_digit(byte: int) -> bool:
    return 48 <= byte <= 57


@kernel
def _decimal(data: U8, at: int, end: int) -> tuple[bool, int, int, int]:
    """Read digits with an optional fraction from `at`: (found, whole, billionths, first byte not read)."""
    found = False
    whole = 0
    while at < end and _is_digit(data[at]) and whole < 10**17:
        whole = whole * 10 + (int(data[at]) - 48)
        at += 1
        found = True
    while at < end and _is_digit(data[at]) and whole < 10**18:
        whole = whole * 10 + (int(data[at]) - 48)
        at += 1
    billionths = 0
    if found and at + 1 < end and data[at] == 46 and _is_digit(data[at + 1]):
        at += 1
        scale = 100_000_000
        while at < end and _is_digit(data[at]):
            billionths += (int(data[at]) - 48) * scale
            scale //= 10
            at += 1
    return found, whole, billionths, at


@kernel
def _skip_to_digit(data: U8, at: int, end: int) -> int:
    while at < end and not _is_digit(data[at]):
        at += 1
    return at


@kernel
def _scaled(whole: int, billionths: int, scale: int) -> int:
    """Return (whole + billionths / 10⁹) × scale, rounded; 0 where it would leave 64 bits."""
    if whole > 9_000_000_000_000_000_000 // scale:
        return 0
    return whole * scale + _rounded(np.float64(billionths) * 1e-9 * np.float64(scale))


@kernel
def _rounded(number: float) -> int:
    return math.floor(number + 0.5)


@kernel
def numbers(rows: I32, kinds: U8, numbers_: I64, data: U8, offsets: I32, scale: int) -> tuple[I64, Mask]:
    """Read one number per row, times `scale`: (values, which rows have one).

    Args:
        rows: attribute row per span, -1 for none.
        kinds: the attributes' types.
        numbers_: the attributes' numbers (a double's bits).
        data: bytes of the attributes' text.
        offsets: offsets of the attributes' text.
        scale: what one unit is worth, for example 1_000_000 for milliseconds into nanoseconds.
    """
    values = np.zeros(len(rows), np.int64)
    present = np.zeros(len(rows), np.bool_)
    doubles = numbers_.view(np.float64)
    bounds = offsets.astype(np.int64)
    for i in range(len(rows)):
        row = rows[i]
        if row < 0:
            continue
        kind = kinds[row]
        if kind == BOOL or kind == INT:  # noqa: PLR1714, SIM109 - a search in a tuple takes long to compile
            number = numbers_[row]
            if -(2**62) // scale < number < 2**62 // scale:
                values[i] = number * scale
                present[i] = True
        elif kind == DOUBLE:
            scaled = doubles[row] * scale
            if -4.6e18 < scaled < 4.6e18:
                values[i] = _rounded(scaled)
                present[i] = True
        else:
            at = bounds[row]
            end = bounds[row + 1]
            while at < end and (data[at] == 32 or data[at] == 34 or data[at] == 91):
                at += 1
            negative = at < end and data[at] == 45
            found, whole, billionths, rest = _decimal(data, at + (1 if negative else 0), end)
            while rest < end and (data[rest] == 32 or data[rest] == 34 or data[rest] == 93):
                rest += 1
            if found and rest == end:
                scaled_int = _scaled(whole, billionths, scale)
                values[i] = -scaled_int if negative else scaled_int
                present[i] = True
    return values, present


@kernel
def flags(rows: I32, kinds: U8, numbers_: I64, data: U8, offsets: I32) -> tuple[Mask, Mask]:
    """Read one truth value per row: (values, which rows have one); texts are true, false, 1 and 0 in any case."""
    values = np.zeros(len(rows), np.bool_)
    present = np.zeros(len(rows), np.bool_)
    for i in range(len(rows)):
        row = rows[i]
        if row < 0:
            continue
        if kinds[row] == BOOL or kinds[row] == INT:
            values[i] = numbers_[row] != 0
            present[i] = True
            continue
        length = offsets[row + 1] - offsets[row]
        first = data[offsets[row]] | 32 if length else 0
        if (length == 4 and first == 116) or (length == 1 and first == 49):
            values[i] = True
            present[i] = True
        elif (length == 5 and first == 102) or (length == 1 and first == 48):
            present[i] = True
    return values, present


@kernel
def _unit_ns(data: U8, at: int, end: int) -> tuple[int, int]:  # noqa: PLR0911 - one line per unit
    """Read a unit of a Go duration: (nanoseconds, bytes read); 0 where it is none."""
    first = data[at]
    second = data[at + 1] if at + 1 < end else 0
    third = data[at + 2] if at + 2 < end else 0
    if first == 104:
        return 3_600_000_000_000, 1
    if first == 109 and second == 115:
        return 1_000_000, 2
    if first == 109:
        return 60_000_000_000, 1
    if first == 115:
        return 1_000_000_000, 1
    if first == 110 and second == 115:
        return 1, 2
    if first == 117 and second == 115:
        return 1_000, 2
    if (first == 0xC2 and second == 0xB5 and third == 115) or (first == 0xCE and second == 0xBC and third == 115):
        return 1_000, 3
    return 0, 0


@kernel
def go_durations(rows: I32, data: U8, offsets: I32) -> tuple[I64, Mask]:
    """Read durations as Go prints them ("1m2.5s", "231.4µs", "0s"), in nanoseconds: (values, which rows have one)."""
    bounds = offsets.astype(np.int64)
    values = np.zeros(len(rows), np.int64)
    present = np.zeros(len(rows), np.bool_)
    for i in range(len(rows)):
        row = rows[i]
        if row < 0:
            continue
        at = bounds[row]
        end = bounds[row + 1]
        total = 0
        right = at < end
        while right and at < end:
            found, whole, billionths, at = _decimal(data, at, end)
            unit, read = _unit_ns(data, at, end) if found and at < end else (0, 0)
            right = unit > 0
            if right:
                total += _scaled(whole, billionths, unit)
                at += read
        values[i] = total if right else 0
        present[i] = right
    return values, present


@kernel
def _epoch_ns(whole: int, billionths: int) -> int:
    """Return a number of seconds, milliseconds, microseconds or nanoseconds since 1970 as nanoseconds."""
    scale = SECOND_NS
    step = 100_000_000_000
    while scale > 1 and whole >= step:
        scale //= 1_000
        step *= 1_000
    return _scaled(whole, billionths, scale)


@kernel
def _two(data: U8, at: int) -> int:
    return (int(data[at]) - 48) * 10 + (int(data[at + 1]) - 48)


@kernel
def _rfc3339_ns(data: U8, at: int, end: int) -> int:
    """Return a date and time as nanoseconds since 1970, 0 where it is none; without an offset it is UTC."""
    if end - at < 19:
        return 0
    for place in range(19):
        # 2027-01-15T08:00:00: every third byte from the fourth on stands between
        if not _is_digit(data[at + place]) and not (place >= 4 and place % 3 == 1):
            return 0
    year = _two(data, at) * 100 + _two(data, at + 2)
    month = _two(data, at + 5)
    day = _two(data, at + 8)
    # days since 1970 of the proleptic Gregorian calendar, years from March
    years = year - (1 if month <= 2 else 0)
    era_year = years % 400
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    days = (years // 400) * 146_097 + era_year * 365 + era_year // 4 - era_year // 100 + day_of_year - 719_468
    seconds = days * 86_400 + _two(data, at + 11) * 3_600 + _two(data, at + 14) * 60 + _two(data, at + 17)
    rest = at + 19
    nanos = 0
    if rest < end and data[rest] == 46:
        rest += 1
        scale = 100_000_000
        while rest < end and _is_digit(data[rest]):
            nanos += (int(data[rest]) - 48) * scale
            scale //= 10
            rest += 1
    if rest + 4 < end and (data[rest] == 43 or data[rest] == 45):
        minutes_at = rest + 4 if data[rest + 3] == 58 and rest + 5 < end else rest + 3
        offset = _two(data, rest + 1) * 3_600 + _two(data, minutes_at) * 60
        seconds += offset if data[rest] == 45 else -offset
    return seconds * 1_000_000_000 + nanos


@kernel
def times(rows: I32, kinds: U8, numbers_: I64, data: U8, offsets: I32) -> tuple[I64, Mask]:
    """Read one moment per row, in nanoseconds since 1970: (values, which rows have one).

    Text may have anything before its first digit ("t=", a list's bracket); numbers are told apart by magnitude:
    seconds (with a fraction), milliseconds, microseconds, nanoseconds.
    """
    values = np.zeros(len(rows), np.int64)
    present = np.zeros(len(rows), np.bool_)
    doubles = numbers_.view(np.float64)
    bounds = offsets.astype(np.int64)
    for i in range(len(rows)):
        row = rows[i]
        if row < 0:
            continue
        whole = numbers_[row]
        billionths = whole * 0
        known = kinds[row] == INT
        if kinds[row] == DOUBLE and 0 < doubles[row] < 9e18:
            whole = int(doubles[row])
            billionths = _rounded((doubles[row] - whole) * 1e9)
            known = True
        elif kinds[row] != INT and kinds[row] != DOUBLE:
            end = bounds[row + 1]
            at = _skip_to_digit(data, bounds[row], end)
            known, whole, billionths, _ = _decimal(data, at, end)
            if at + 4 < end and data[at + 4] == 45:
                known = False
                values[i] = _rfc3339_ns(data, at, end)
        if known and whole > 0:
            values[i] = _epoch_ns(whole, billionths)
        present[i] = values[i] > 0
    return values, present
