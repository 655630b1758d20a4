"""Routes that nobody sent, learned from paths: what looks like an id becomes `{id}`.

    /v1/orders/8f14e45f-ceea-467a-9575-aaa111bbb222/items/3  →  /v1/orders/{id}/items/{id}
    /files/main-4f3a2b1c.js                                  →  /files/main-{id}.js
    /_next/static/chunks/app.js                              →  /_next/static/*

The rules are about bytes only, so the same path gives the same route in every batch, and a template that was sent
(`/v1/{name}`, `/blog/[slug]`, `:id`) stays as it is. At most `MAX_SEGMENTS` segments are told apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from collector.normalise.texts import string_array
from seamscope.kernel import kernel

if TYPE_CHECKING:
    import pyarrow as pa

    from collector.normalise.texts import I32, U8, Mask, Slices

MAX_SEGMENTS: Final = 10
MAX_SEGMENT_BYTES: Final = 64

PATHS: Final = 0
NAMES: Final = 1
"""What the text is: in names, words between blanks are judged like segments."""

_ID: Final = np.frombuffer(b"{id}", np.uint8)
_STATIC: Final = np.frombuffer(b"/_next/static/", np.uint8)
_DATA: Final = np.frombuffer(b"/_next/data/", np.uint8)


@kernel
def _is_uuid(data: U8, at: int, end: int) -> bool:
    if end - at != 36:
        return False
    for i in range(36):
        byte = data[at + i]
        if i in (8, 13, 18, 23):
            if byte != 45:
                return False
        elif not (48 <= byte <= 57 or 97 <= (byte | 32) <= 102):
            return False
    return True


@kernel
def _census(data: U8, at: int, end: int) -> tuple[int, int, int, int, int]:
    """Count digits, letters of hexadecimal, cases, turns between digit and letter, and turns of case.

    Cases: 0 no letter, 1 upper, 2 lower, 3 both. Digits are -1 where a byte is neither letter nor digit.
    """
    digits = 0
    hex_letters = 0
    cases = 0
    turns = 0
    case_turns = 0
    for i in range(at, end):
        byte = data[i]
        is_digit = 48 <= byte <= 57
        if not is_digit and not 97 <= (byte | 32) <= 122:
            return -1, 0, 0, 0, 0
        digits += is_digit
        hex_letters += 97 <= (byte | 32) <= 102
        cases |= 0 if is_digit else 2 if byte & 32 else 1
        if i > at and is_digit != (48 <= data[i - 1] <= 57):
            turns += 1
        elif i > at and not is_digit and (byte & 32) != (data[i - 1] & 32):
            case_turns += 1
    return digits, hex_letters, cases, turns, case_turns


@kernel
def _is_token(data: U8, at: int, end: int) -> bool:
    """Tell whether letters and digits without separators are an id: digits, long hex, ULID, base62."""
    digits, hex_letters, cases, turns, case_turns = _census(data, at, end)
    length = end - at
    if digits < 0 or length == 0:
        return False
    if digits + hex_letters == length:
        return digits == length or (length >= 8 and digits >= 3) or length >= 16
    if digits == 0:
        # a word, unless it is far too long for one and its case jumps more often than camel case does
        return length >= 20 and case_turns * 3 >= length
    mixed = length >= 10 and cases == 3 and digits >= 2
    restless = (length >= 12 and turns >= 4) or (length >= 16 and digits >= 4 and length - digits >= 4)
    return mixed or restless or (length >= 24 and digits >= 2)


@kernel
def _is_template(data: U8, at: int, end: int) -> bool:
    """Tell whether a segment has a placeholder: {id}, [slug], <int:pk>, :id, *."""
    for i in range(at, end):
        byte = data[i]
        if byte in (40, 42, 60, 91, 123):
            return True
    return at < end and data[at] == 58


@kernel
def _is_numeric(data: U8, at: int, end: int) -> bool:
    """Tell whether a segment is digits and separators: 42, -12.5, 2026-03-01 (not a version such as 2.1)."""
    digits = 0
    dots = 0
    for i in range(at, end):
        byte = data[i]
        if 48 <= byte <= 57:
            digits += 1
        elif byte == 46:
            dots += 1
        elif byte not in (43, 44, 45, 58, 95):
            return False
    return digits > 0 and not (dots > 0 and end - at <= 4)


@kernel
def _has_address(data: U8, at: int, end: int) -> bool:
    """Tell whether a segment holds an e-mail address."""
    for i in range(at, end):
        if (data[i] == 64 and i > at) or (data[i] == 37 and i + 2 < end and data[i + 1] == 52 and data[i + 2] == 48):
            return True
    return False


@kernel
def _is_plain(data: U8, at: int, end: int) -> bool:
    """Tell whether a segment is a short word without digits: most are."""
    if end - at >= 16:
        return False
    for i in range(at, end):
        byte = data[i]
        if not (97 <= (byte | 32) <= 122 or byte in (45, 46, 95)):
            return False
    return True


@kernel
def _put(out: U8, to: int, data: U8, at: int, end: int) -> int:
    for i in range(at, end):
        out[to] = data[i]
        to += 1
    return to


@kernel
def _put_id(out: U8, to: int) -> int:
    out[to] = 123
    out[to + 1] = 105
    out[to + 2] = 100
    out[to + 3] = 125
    return to + 4


@kernel
def _put_segment(out: U8, to: int, data: U8, at: int, end: int) -> int:
    """Write a segment's template, and return where it ends."""
    if _is_plain(data, at, end):
        return _put(out, to, data, at, end)
    if _is_template(data, at, end):
        return _put(out, to, data, at, end)
    whole = _is_uuid(data, at, end) or _is_token(data, at, end) or _is_numeric(data, at, end)
    if whole or end - at > 64 or _has_address(data, at, end):
        return _put_id(out, to)
    first = at
    while first <= end:
        stop = first
        while stop < end and (
            48 <= data[stop] <= 57 or 97 <= (data[stop] | 32) <= 122 or data[stop] >= 128 or data[stop] == 37
        ):
            stop += 1
        # a short number in a word ('top-10', 'v2') says more than it hides
        short = stop - first < 3
        is_id = not short and _is_token(data, first, stop)
        to = _put_id(out, to) if is_id else _put(out, to, data, first, stop)
        if stop < end:
            out[to] = data[stop]
            to += 1
        first = stop + 1
    return to


@kernel
def _begins(data: U8, at: int, end: int, head: U8) -> bool:
    if end - at < len(head):
        return False
    different = 0
    for i in range(len(head)):
        different |= data[at + i] ^ head[i]
    return different == 0


@kernel
def _put_path(out: U8, to: int, data: U8, at: int, end: int, static: U8, build: U8) -> int:
    """Write a path's template, and return where it ends."""
    if _begins(data, at, end, static):
        to = _put(out, to, data, at, at + len(static))
        out[to] = 42
        return to + 1
    while end - at > 1 and data[end - 1] == 47:
        end -= 1
    segments = 0
    is_build = _begins(data, at, end, build)
    while at < end:
        stop = at + 1
        while stop < end and data[stop] != 47:
            stop += 1
        segments += 1
        out[to] = 47
        to += 1
        if segments > 10:
            out[to] = 42
            return to + 1
        is_id = segments == 3 and is_build
        to = _put_id(out, to) if is_id else _put_segment(out, to, data, at + 1, stop)
        at = stop
    return to


@kernel
def _put_name(out: U8, to: int, data: U8, at: int, end: int) -> int:
    """Write a span name's template: words and path segments are judged alone, a query is cut off."""
    while at < end:
        stop = at
        query = -1
        while stop < end and data[stop] != 32 and data[stop] != 47:
            if data[stop] == 63 and query < 0:
                query = stop
            stop += 1
        to = _put_segment(out, to, data, at, stop if query < 0 else query)
        if query >= 0:
            while stop < end and data[stop] != 32:
                stop += 1
        if stop < end:
            out[to] = data[stop]
            to += 1
        at = stop + 1
    return to


@kernel
def _templates(data: U8, start: I32, length: I32, kind: int, static: U8, build: U8) -> tuple[I32, U8, Mask, int]:
    rows = len(start)
    offsets = np.empty(rows + 1, np.int32)
    valid = np.empty(rows, np.bool_)
    room = 0
    for row in range(rows):
        # '{id}' can stand for a single byte, and every such byte has a separator beside it
        room += max(length[row], 0) * 3 + 8
    out = np.empty(room, np.uint8)
    to = 0
    nulls = 0
    offsets[0] = 0
    for row in range(rows):
        valid[row] = length[row] > 0
        nulls += 0 if valid[row] else 1
        if valid[row]:
            at = start[row]
            if kind == 0:
                to = _put_path(out, to, data, at, at + length[row], static, build)
            else:
                to = _put_name(out, to, data, at, at + length[row])
        offsets[row + 1] = to
    return offsets, out[:to].copy(), valid, nulls


def templates(texts: Slices, kind: int = PATHS) -> pa.StringArray:
    """Return the template of each path (or span name); null where the text is absent or empty."""
    offsets, data, valid, nulls = _templates(texts.data, texts.start, texts.length, kind, _STATIC, _DATA)
    return string_array(offsets, data, valid if nulls else None, nulls)
