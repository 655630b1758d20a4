"""Values of a filter line as numbers: durations, counts, times and words of the vocabulary."""

from __future__ import annotations

import difflib
import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final

from seamscope.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

_UNIT_NS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "min": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
_DURATION: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([a-zµμ]*)")
_LONGEST_NS: Final = 2**62


def duration_ns(text: str) -> int:
    """Read `500ms`, `1.5s`, `800us`, `2m`; a bare number is milliseconds."""
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None or found.group(2) not in _UNIT_NS:
        raise UsageError(f"{text!r} is not a duration", "write 500ms, 1.5s or 800us")
    nanoseconds = int(Decimal(found.group(1)) * _UNIT_NS[found.group(2)])
    if nanoseconds > _LONGEST_NS:
        raise UsageError(f"{text!r} is longer than this clock can count")
    return nanoseconds


def number(text: str) -> float:
    """Read a plain number."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise UsageError(f"{text!r} is not a number") from None
    if not value.is_finite():
        raise UsageError(f"{text!r} is not a number")
    return float(value)


def time_ns(text: str, now_ns: int) -> int:
    """Read RFC 3339 (a date alone is its midnight, no zone is UTC) or an age such as `15m`, counted from `now_ns`."""
    found = _DURATION.fullmatch(text.strip().lower())
    if found is not None and found.group(2):
        return now_ns - duration_ns(text)
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"{text!r} is not a time", "write 2026-11-20T10:00:00Z or an age such as 15m") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since_epoch = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since_epoch.days * 86_400 + since_epoch.seconds) * 1_000_000_000 + since_epoch.microseconds * 1_000


def flag(text: str) -> bool:
    """Read `yes`, `no` and their like."""
    word = text.lower()
    if word in {"yes", "true", "1", "on"}:
        return True
    if word in {"no", "false", "0", "off"}:
        return False
    raise UsageError(f"{text!r} is neither yes nor no")


def nearest(word: str, known: Iterable[str]) -> str:
    """Give ` (did you mean …?)` for the nearest known word, or nothing."""
    found = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f" (did you mean {found[0]}?)" if found else ""


def word_code(key: str, text: str, vocabulary: tuple[str, ...]) -> int:
    """Give the code of a word of a vocabulary; another word is a usage error that names the nearest."""
    word = text.lower()
    if word not in vocabulary:
        raise UsageError(
            f"filter: {text!r} is no {key}{nearest(word, vocabulary)}", f"known: {' '.join(sorted(vocabulary))}"
        )
    return vocabulary.index(word)


def like(text: str, *, contains: bool) -> str:
    r"""Give an ILIKE pattern (escape `\`): `*` stands for anything, everything else for itself."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    if "*" in escaped:
        return escaped.replace("*", "%")
    return f"%{escaped}%" if contains else escaped
