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

from collector.normalise.texts import Texts, string_array
from seamscope.kernel import kernel

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from collector.normalise.texts import I32, U8, Mask, Slices

MAX_SEGMENTS: Final = 10
MAX_SEGMENT_BYTES: Final = 64

PATHS: Final = 0
NAMES: Final = 1
"""What the text is: in names, words between blanks are judged like segments."""

_STATIC: Final = np.frombuffer(b"/_next/static/", np.uint8)
_BUILD: Final = np.frombuffer(b"/_next/data/", np.uint8)

_DIGIT: Final = 1
_HEX: Final = 2
_UPPER: Final = 4
_LOWER: Final = 8
_MARK: Final = 16
_QUERY: Final = 32
_ADDRESS: Final = 64
_JOINT: Final = 128


def _byte_classes() -> NDArray[np.uint8]:
    classes = np.zeros(256, np.uint8)
    for kind, letters in (
        (_DIGIT, b"0123456789"),
        (_HEX, b"abcdefABCDEF"),
        (_UPPER, bytes(range(65, 91))),
        (_LOWER, bytes(range(97, 123))),
        (_MARK, b"(*<[{:"),
        (_QUERY, b"?"),
        (_ADDRESS, b"@%"),
        (_JOINT, b"+,-.:_"),
    ):
        classes[list(letters)] |= kind
    return classes


_CLASS: Final = _byte_classes()
"""What each byte can mean in an id: digit, hexadecimal letter, case, mark of a placeholder, joint of a number."""


@kernel
def _is_uuid(data: U8, at: int, end: int) -> bool:
    if end - at != 36:
        return False
    for i in range(36):
        is_joint = 8 <= i <= 23 and i % 5 == 3
        if (data[at + i] != 45) if is_joint else not _CLASS[data[at + i]] & (_DIGIT | _HEX):
            return False
    return True


@kernel
def _is_token(data: U8, at: int, end: int) -> bool:
    """Tell whether letters and digits without separators are an id: digits, long hex, ULID, base62."""
    length = end - at
    digits = 0
    hexadecimal = 0
    cases = 0
    turns = 0
    case_turns = 0
    before = _CLASS[data[at]] if length else 0
    for i in range(at, end):
        kind = _CLASS[data[i]]
        digits += kind & _DIGIT
        hexadecimal += 1 if kind & (_DIGIT | _HEX) else 0
        cases |= kind & (_UPPER | _LOWER)
        turns += (kind ^ before) & _DIGIT
        case_turns += 1 if (kind ^ before) & (_UPPER | _LOWER) else 0
        before = kind
    if digits == 0 and hexadecimal < length:
        # a word, unless it is far too long for one and its case jumps more often than camel case does
        return length >= 20 and case_turns * 3 >= length
    if hexadecimal == length:
        return length > 0 and (digits == length or (length >= 8 and digits >= 3) or length >= 16)
    mixed = length >= 10 and cases == _UPPER | _LOWER and digits >= 2
    restless = (length >= 12 and turns >= 4) or (length >= 16 and digits >= 4 and length - digits >= 4)
    return mixed or restless or (length >= 24 and digits >= 2)


@kernel
def _is_id(data: U8, at: int, end: int, seen: int) -> bool:
    """Tell whether a segment as a whole is an id; `seen` is the union of its bytes' classes."""
    length = end - at
    if length > MAX_SEGMENT_BYTES or _is_uuid(data, at, end):
        return True
    if not seen & (_JOINT | _ADDRESS) and _is_token(data, at, end):
        return True
    dots = 0
    numeric = seen & _DIGIT and not seen & (_UPPER | _LOWER | _ADDRESS)
    for i in range(at, end):
        dots += data[i] == 46
        numeric = numeric and _CLASS[data[i]] & (_DIGIT | _JOINT)
        # an e-mail address, plain or escaped
        if (data[i] == 64 and i > at) or (data[i] == 37 and i + 2 < end and data[i + 1] == 52 and data[i + 2] == 48):
            return True
    # digits and joints: -12.5, 2026-03-01; but 2.1 is a version
    return bool(numeric) and not (dots > 0 and length <= 4)


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
def _in_word(byte: int) -> bool:
    """Tell whether a byte belongs to a word of a segment: letters, digits, escapes, and anything beyond ASCII."""
    return _CLASS[byte] & (_DIGIT | _UPPER | _LOWER) != 0 or byte >= 128 or byte == 37


@kernel
def _union(data: U8, at: int, end: int) -> int:
    """Return every class that a byte of the text has."""
    seen = 0
    for i in range(at, end):
        seen |= _CLASS[data[i]]
    return seen


@kernel
def _put_segment(out: U8, to: int, data: U8, at: int, end: int) -> int:
    """Write a segment's template, and return where it ends."""
    seen = _union(data, at, end)
    is_template = at < end and (data[at] == 58 or (seen & _MARK and _has_placeholder(data, at, end)))
    if is_template or (not seen & (_DIGIT | _ADDRESS) and end - at < 16):
        return _put(out, to, data, at, end)
    if _is_id(data, at, end, seen):
        return _put_id(out, to)
    first = at
    while first <= end:
        stop = first
        while stop < end and _in_word(data[stop]):
            stop += 1
        # a short number in a word ('top-10', 'v2') says more than it hides
        is_id = stop - first >= 3 and _is_token(data, first, stop)
        to = _put_id(out, to) if is_id else _put(out, to, data, first, stop)
        if stop < end:
            out[to] = data[stop]
            to += 1
        first = stop + 1
    return to


@kernel
def _has_placeholder(data: U8, at: int, end: int) -> bool:
    """Tell whether a segment has a bracket or a star: {id}, [slug], <int:pk>, (app), *."""
    found = 0
    for i in range(at, end):
        found |= _CLASS[data[i]] & _MARK if data[i] != 58 else 0
    return found != 0


@kernel
def _begins(data: U8, at: int, end: int, head: U8) -> bool:
    if end - at < len(head):
        return False
    different = 0
    for i in range(len(head)):
        different |= data[at + i] ^ head[i]
    return different == 0


@kernel
def _put_path(out: U8, to: int, data: U8, at: int, end: int) -> int:
    """Write a path's template, and return where it ends."""
    if _begins(data, at, end, _STATIC):
        to = _put(out, to, data, at, at + len(_STATIC))
        out[to] = 42
        return to + 1
    while end - at > 1 and data[end - 1] == 47:
        end -= 1
    segments = 0
    is_build = _begins(data, at, end, _BUILD)
    while at < end:
        stop = at + 1
        while stop < end and data[stop] != 47:
            stop += 1
        segments += 1
        out[to] = 47
        to += 1
        if segments > MAX_SEGMENTS:
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
def _is_plain(data: U8, at: int, end: int) -> bool:
    """Tell whether a text is short words between slashes and blanks: most are, and stand for themselves."""
    seen = 0
    run = 0
    longest = 0
    breaks = 0
    for i in range(at, end):
        seen |= _CLASS[data[i]]
        is_break = data[i] == 47 or data[i] == 32
        breaks += is_break
        run = 0 if is_break else run + 1
        longest = max(longest, run)
    ends_open = end - at > 1 and data[end - 1] == 47
    is_next = end - at > 6 and data[at + 1] == 95 and data[at + 2] == 110
    special = seen & (_DIGIT | _MARK | _QUERY | _ADDRESS)
    return not special and longest < 16 and breaks <= MAX_SEGMENTS and not ends_open and not is_next


@kernel
def _templates(data: U8, start: I32, length: I32, kind: int) -> tuple[I32, U8, Mask, int]:
    rows = len(start)
    ends = np.zeros(rows + 1, np.int64)
    first = start.astype(np.int64)
    valid = np.empty(rows, np.bool_)
    plain = np.zeros(rows, np.bool_)
    room = 0
    for row in range(rows):
        valid[row] = length[row] > 0
        if valid[row]:
            plain[row] = _is_plain(data, first[row], first[row] + length[row])
            # '{id}' can stand for a single byte, and every such byte has a separator beside it
            room += length[row] if plain[row] else 3 * length[row] + 8
    out = np.empty(room, np.uint8)
    nulls = 0
    for row in range(rows):
        at = first[row]
        end = at + length[row]
        if not valid[row]:
            nulls += 1
            ends[row + 1] = ends[row]
        elif plain[row]:
            ends[row + 1] = _put(out, ends[row], data, at, end)
        elif kind == PATHS:
            ends[row + 1] = _put_path(out, ends[row], data, at, end)
        else:
            ends[row + 1] = _put_name(out, ends[row], data, at, end)
    return ends.astype(np.int32), out[: ends[rows]].copy(), valid, nulls


def _each(texts: Slices, kind: int) -> pa.StringArray:
    offsets, data, valid, nulls = _templates(texts.data, texts.start, texts.length, kind)
    return string_array(offsets, data, valid if nulls else None, nulls)


def templates(texts: Slices, kind: int = PATHS) -> pa.StringArray:
    """Return the template of each path (or span name); null where the text is absent or empty."""
    coded = texts.array().dictionary_encode()
    if 2 * len(coded.dictionary) > len(coded):
        return _each(texts, kind)
    return _each(Texts.of(coded.dictionary).slices(), kind).take(coded.indices)
