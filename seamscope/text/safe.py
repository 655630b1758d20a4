r"""The one boundary between text that others sent and a screen that obeys control bytes.

Span names, attributes and error messages come from the network. A terminal acts on ESC, CSI and OSC
sequences, reorders on bidi controls and hides zero-width characters, so what would be obeyed or unseen
is written out as a visible escape (`\x1b`, `\u202e`).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

ELLIPSIS: Final = "…"

_OBEYED: Final = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # marks and fillers that show nothing
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # zero width, separators, bidi
    "\ud800-\udfff"  # halves of a pair: cannot be written as UTF-8
    "\ufe00-\ufe0f"  # variation selectors: terminals disagree about their width
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # controls of scores, tags
    "]"
)
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_MARKS: Final = {"Mn", "Me"}
_STACKED: Final = 3
"""Marks upon one letter that are shown: hardly any writing has more, and they grow over the lines around."""
_MAYBE_MARKS: Final = re.compile(rf"[^\w\x00-\u02ff]{{{_STACKED + 1},}}")
"""What may hold too many marks. A class of all 1,963 marks takes 15 times as long where there are none."""


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    number = ord(character)
    if 0xFE00 <= number <= 0xFE0F:
        return ""
    if number > 0xFFFF:
        return f"\\U{number:08x}"
    return _SHORT.get(character) or (f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}")


def _thinned(match: re.Match[str]) -> str:
    kept, marks = [], 0
    for letter in match.group():
        marks = marks + 1 if unicodedata.category(letter) in _MARKS else 0
        if marks <= _STACKED:
            kept.append(letter)
    return "".join(kept)


def safe(text: str, limit: int | None = None) -> str:
    """Give `text` with everything a terminal would obey or hide written out, at most `limit` characters long.

    A text that was cut ends in `…`. What is printable stays as it is, markup included: drawing code must not
    parse it (`markup=False`, Rich `Text`). Applying it twice changes nothing.
    """
    whole = text if limit is None or len(text) <= limit else text[: limit + 1]
    if not whole.isascii() or not whole.isprintable():
        whole = _MAYBE_MARKS.sub(_thinned, _OBEYED.sub(_escape, whole))
    if limit is None or len(whole) <= limit:
        return whole
    return whole[: limit - 1] + ELLIPSIS if limit > 0 else ""


def _json_escape(match: re.Match[str]) -> str:
    number = ord(match.group())
    if number == 0x0A:
        return "\n"  # between lines; inside a string it is an escape already
    if number <= 0xFFFF:
        return f"\\u{number:04x}"
    high, low = divmod(number - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def safe_json(text: str) -> str:
    """Give a JSON document with everything a terminal would obey or hide as escapes, which read back the same."""
    return text if text.isascii() and "\x7f" not in text else _OBEYED.sub(_json_escape, text)
