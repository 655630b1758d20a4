r"""The one boundary between text that others sent and a screen that obeys control bytes.

Span names, attributes and error messages come from the network. A terminal acts on ESC, CSI and OSC
sequences, reorders on bidi controls and hides zero-width characters, so what would be obeyed or unseen
is written out as a visible escape (`\x1b`, `\u202e`).
"""

from __future__ import annotations

import re
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
_STACKED: Final = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{3})[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    number = ord(character)
    if 0xFE00 <= number <= 0xFE0F:
        return ""
    if number > 0xFFFF:
        return f"\\U{number:08x}"
    return _SHORT.get(character) or (f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}")


def safe(text: str, limit: int | None = None) -> str:
    """Give `text` with everything a terminal would obey or hide written out, at most `limit` characters long.

    A text that was cut ends in `…`. What is printable stays as it is, markup included: drawing code must not
    parse it (`markup=False`, Rich `Text`). Applying it twice changes nothing.
    """
    whole = text if limit is None or len(text) <= limit else text[: limit + 1]
    if not whole.isascii() or not whole.isprintable():
        whole = _STACKED.sub(r"\1", _OBEYED.sub(_escape, whole))
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
